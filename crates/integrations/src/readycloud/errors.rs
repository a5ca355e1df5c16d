//! The vendor's errors in our words. The HTTP status decides; of the body only words from a fixed list are
//! believed, in both of the dialects that may come (the OAuth2 library's `error` and `error_description`,
//! and Django REST framework's `detail`), because which of them V2 uses is not documented.

use serde_json::Value;

use super::manifest::{COMPANY_SCOPE, CONTACT_SCOPE, ORDER_SCOPE};
use crate::client::VendorAnswer;
use crate::error::{ErrorKind, Retry, VendorError};

const RENEW: &str = "open the authorisation page again as a ReadyCloud admin (the setup guide shows its address), \
                     choose Allow Access and enter the new token in the connection";
const REPORT: &str = "try again; if it stays, ReadyCloud has changed its API: please report it";

/// What was asked for when the vendor refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Organisations,
    Contacts,
    Contact,
    Deletion,
    Orders,
}

impl Asked {
    const fn words(self) -> &'static str {
        match self {
            Self::Organisations => "reading the organisations",
            Self::Contacts => "reading the contacts of an organisation",
            Self::Contact => "reading a contact",
            Self::Deletion => "deleting a contact",
            Self::Orders => "reading the orders of a contact",
        }
    }

    const fn scope(self) -> &'static str {
        match self {
            Self::Organisations => COMPANY_SCOPE,
            Self::Contacts | Self::Contact | Self::Deletion => CONTACT_SCOPE,
            Self::Orders => ORDER_SCOPE,
        }
    }
}

/// The error for a refusal (4xx without 429) of what was asked.
pub(super) fn refused(answer: &VendorAnswer, asked: Asked) -> VendorError {
    let status = answer.status.as_u16();
    let what = asked.words();
    let error = match status {
        401 => credentials(answer),
        403 => {
            let scope = asked.scope();
            VendorError::new(
                ErrorKind::Permission,
                Retry::Never,
                format!("ReadyCloud does not allow {what}: the token lacks the scope `{scope}`, or its user is no admin"),
                format!("create the token again as a ReadyCloud admin and allow the scope `{scope}`"),
            )
            .lacking(scope)
        }
        404 => VendorError::new(
            ErrorKind::BadAnswer,
            Retry::Never,
            format!("ReadyCloud says that there is no such thing (HTTP 404) on {what}"),
            "check the connection; if an organisation was removed meanwhile, collect again",
        ),
        405 | 423 => VendorError::new(
            ErrorKind::NotAllowed,
            Retry::Never,
            format!("ReadyCloud does not offer {what} for this object (HTTP {status})"),
            "do it in ReadyCloud by hand, then settle the run",
        ),
        _ => VendorError::new(
            ErrorKind::BadRequest,
            Retry::Never,
            format!("ReadyCloud rejected our call on {what} (HTTP {status})"),
            REPORT,
        ),
    };
    error.answered(status, answer.vendor_request_id.clone())
}

fn credentials(answer: &VendorAnswer) -> VendorError {
    let message = match explanation(answer).as_deref() {
        Some("Token is expired") => "the access token has expired",
        Some("Token doesn't exist") => {
            "ReadyCloud does not know the access token (mistyped, revoked or of another system)"
        }
        _ => "ReadyCloud does not accept the access token",
    };
    VendorError::new(ErrorKind::Credentials, Retry::Never, message, RENEW)
}

/// The vendor's sentence; only ever compared with known ones, never shown.
fn explanation(answer: &VendorAnswer) -> Option<String> {
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    ["error_description", "detail"].iter().find_map(|key| body.get(key)?.as_str()).map(str::to_owned)
}

pub(super) fn no_organisation() -> VendorError {
    VendorError::new(
        ErrorKind::Configuration,
        Retry::Never,
        "the access token opens no organisation that is still in use",
        "create the token as an admin of the ReadyCloud team whose contacts are meant",
    )
}

pub(super) fn organisation_not_understood() -> VendorError {
    bad_answer("an organisation has an address that cannot be understood, so its contacts cannot be searched")
}

pub(super) fn contact_not_understood() -> VendorError {
    bad_answer("a matching contact has an address that cannot be understood, so it could not be found again")
}

pub(super) fn addresses_not_expanded() -> VendorError {
    bad_answer("the contacts come without their addresses, so nobody can be found in them")
}

pub(super) fn order_not_understood() -> VendorError {
    bad_answer("an order has an address that cannot be understood, so it could not be found again")
}

pub(super) fn paging_not_understood() -> VendorError {
    bad_answer("the address of the next page has no offset")
}

pub(super) fn another_list() -> VendorError {
    bad_answer("the address of the next page belongs to another list; it was not followed")
}

pub(super) fn endless_list() -> VendorError {
    bad_answer("the list has no end: a page leads nowhere new, or there are more pages than things to list")
}

pub(super) fn cursor_not_understood() -> VendorError {
    VendorError::new(
        ErrorKind::BadRequest,
        Retry::Never,
        "the place where the pass over the contacts stood cannot be understood",
        "collect again; the pass then begins anew",
    )
}

pub(super) fn not_a_contact() -> VendorError {
    VendorError::new(
        ErrorKind::BadRequest,
        Retry::Never,
        "the record's id is not that of a ReadyCloud contact",
        "collect again, so that the record is found anew",
    )
}

pub(super) fn orders_cannot_be_deleted() -> VendorError {
    VendorError::new(
        ErrorKind::NotAllowed,
        Retry::Never,
        "orders cannot be deleted in ReadyCloud with the permissions of this integration",
        "deselect the order and name the reason, or remove it in ReadyCloud by hand",
    )
}

/// Asking again gives the same, so a person has to look.
fn bad_answer(what: &str) -> VendorError {
    VendorError::new(
        ErrorKind::BadAnswer,
        Retry::Never,
        format!("ReadyCloud's answer cannot be used: {what}"),
        REPORT,
    )
}
