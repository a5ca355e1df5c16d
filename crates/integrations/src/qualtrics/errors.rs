//! The vendor's errors in our words. The HTTP status decides; of the body only codes from a fixed list are believed, in
//! both of the dialects that may come: the API's envelope (`meta.error`) and, from the token endpoint, OAuth's `error`
//! (which of them that endpoint uses is not documented).

use serde_json::Value;

use super::manifest::{
    BRAND_ADMINISTRATOR, CONTACTS_SCOPE, DATA_SCOPE, DIRECTORIES_SCOPE, ERASURE_SCOPE, USERS_SCOPE,
};
use crate::client::VendorAnswer;
use crate::error::{ErrorKind, Retry, VendorError};

/// The bearer token is unknown in this data centre.
const WRONG_DATACENTER: &str = "DCD_7";
/// The operation is not for this kind of account.
const NOT_AN_ADMINISTRATOR: &str = "QMST_2.1";

const REPORT: &str = "try again; if it stays, Qualtrics has changed its API: please report it";
const DATACENTER: &str = "check the data-centre id of the connection against the one in Qualtrics (Account Settings, \
                          Qualtrics IDs); the client must have been made in that data centre";
const CLIENT: &str = "check in Qualtrics (Account Settings, Qualtrics IDs, OAuth Client Manager) that the client still \
                      exists, and enter its id and secret again; if the secret is lost, make a new client";

/// What was asked for when the vendor refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    WhoAmI,
    Directories,
    Search,
    History,
    Users,
    Erasure,
    ErasureList,
    DataJob,
    DataProgress,
    DataFile,
}

impl Asked {
    const fn words(self) -> &'static str {
        match self {
            Self::WhoAmI => "asking whose credentials these are",
            Self::Directories => "listing the directories",
            Self::Search => "searching the contacts of a directory",
            Self::History => "reading the history of a contact",
            Self::Users => "listing the users",
            Self::Erasure => "asking for an erasure",
            Self::ErasureList => "listing the erasures",
            Self::DataJob => "beginning a customer-data job",
            Self::DataProgress => "looking at a customer-data job",
            Self::DataFile => "fetching a customer-data file",
        }
    }

    pub(super) const fn scope(self) -> &'static str {
        match self {
            Self::WhoAmI | Self::Users => USERS_SCOPE,
            Self::Directories => DIRECTORIES_SCOPE,
            Self::Search | Self::History => CONTACTS_SCOPE,
            Self::Erasure | Self::ErasureList => ERASURE_SCOPE,
            Self::DataJob | Self::DataProgress | Self::DataFile => DATA_SCOPE,
        }
    }

    /// Whether the vendor offers it to Brand Administrators only.
    const fn needs_administrator(self) -> bool {
        matches!(
            self,
            Self::Erasure | Self::ErasureList | Self::DataJob | Self::DataProgress | Self::DataFile
        )
    }
}

/// What the body of a refusal says, as far as it is believed.
struct Said(Value);

impl Said {
    fn by(answer: &VendorAnswer) -> Self {
        Self(serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    fn code(&self) -> Option<&str> {
        self.0.pointer("/meta/error/errorCode")?.as_str().map(str::trim).filter(|code| !code.is_empty())
    }

    /// Whether one of OAuth's error words stands where either dialect has it.
    fn is_word(&self, word: &str) -> bool {
        ["/error", "/meta/error/errorCode", "/meta/error/errorMessage"].iter().any(|place| {
            self.0.pointer(place).and_then(Value::as_str).is_some_and(|text| text.trim() == word)
        })
    }
}

/// The vendor's id of the call: in the envelope, else in a header. It is shown to people and kept, so only what looks
/// like one is taken.
pub(super) fn request_id(answer: &VendorAnswer) -> Option<String> {
    let said = Said::by(answer);
    let own = ["/meta/requestId", "/request_id"].iter().find_map(|place| {
        let id = said.0.pointer(place)?.as_str()?.trim();
        super::values::is_id(id).then(|| id.to_owned())
    });
    own.or_else(|| answer.vendor_request_id.clone())
}

/// Whether the vendor rejects the bearer token as such, so that another one may help. A 401 without a code counts: it
/// is a gateway's way of saying the same.
pub(super) fn is_rejected_token(answer: &VendorAnswer) -> bool {
    answer.status.as_u16() == 401 && Said::by(answer).code().is_none_or(|code| code.starts_with("AUTH_"))
}

/// Whether the token is unknown because it belongs elsewhere.
pub(super) fn is_wrong_datacenter(answer: &VendorAnswer) -> bool {
    answer.status.as_u16() == 401 && Said::by(answer).code() == Some(WRONG_DATACENTER)
}

/// Whether the vendor refuses because of the account's role.
pub(super) fn is_not_administrator(answer: &VendorAnswer, asked: Asked) -> bool {
    asked.needs_administrator()
        && answer.status.as_u16() == 403
        && Said::by(answer).code() == Some(NOT_AN_ADMINISTRATOR)
}

/// Whether the token endpoint says that the client has not all scopes that were asked for.
pub(super) fn is_invalid_scope(answer: &VendorAnswer) -> bool {
    answer.status.is_client_error() && Said::by(answer).is_word("invalid_scope")
}

/// The error for a refusal (4xx without 408 and 429) of what was asked.
pub(super) fn refused(answer: &VendorAnswer, asked: Asked) -> VendorError {
    let status = answer.status.as_u16();
    let what = asked.words();
    let error = match status {
        401 if is_wrong_datacenter(answer) => wrong_datacenter(),
        401 => VendorError::new(
            ErrorKind::Credentials,
            Retry::Never,
            format!("Qualtrics does not accept the access token on {what}"),
            format!("{CLIENT}; it also needs the scope `{}`", asked.scope()),
        ),
        403 if is_not_administrator(answer, asked) => VendorError::new(
            ErrorKind::Permission,
            Retry::Never,
            format!("Qualtrics does not allow {what}: the account is no Brand Administrator"),
            "give the user who made the client the role Brand Administrator, or make the client as one",
        )
        .lacking(BRAND_ADMINISTRATOR),
        403 => {
            let scope = asked.scope();
            let role =
                if asked.needs_administrator() { ", or the account is no Brand Administrator" } else { "" };
            VendorError::new(
                ErrorKind::Permission,
                Retry::Never,
                format!("Qualtrics does not allow {what}: the client lacks the scope `{scope}`{role}"),
                format!("make the client again as a Brand Administrator, with the scope `{scope}`"),
            )
            .lacking(scope)
        }
        404 => VendorError::new(
            ErrorKind::BadAnswer,
            Retry::Never,
            format!("Qualtrics says that there is no such thing (HTTP 404) on {what}"),
            "check that the brand's licence offers this; if something was removed meanwhile, try again",
        ),
        405 | 409 | 423 => VendorError::new(
            ErrorKind::NotAllowed,
            Retry::Never,
            format!("Qualtrics refuses {what} as things stand (HTTP {status})"),
            "look in Qualtrics what stands against it; do it there by hand or try again later",
        ),
        _ => VendorError::new(
            ErrorKind::BadRequest,
            Retry::Never,
            format!("Qualtrics rejected our call on {what} (HTTP {status})"),
            REPORT,
        ),
    };
    error.answered(status, request_id(answer))
}

/// The error for a refusal by the token endpoint.
pub(super) fn token_refused(answer: &VendorAnswer) -> VendorError {
    let status = answer.status.as_u16();
    let said = Said::by(answer);
    let credentials =
        |message: &str, remedy: &str| VendorError::new(ErrorKind::Credentials, Retry::Never, message, remedy);
    let error = if is_wrong_datacenter(answer) {
        wrong_datacenter()
    } else if said.is_word("unsupported_grant_type") || said.is_word("unauthorized_client") {
        credentials(
            "Qualtrics does not give this client a token by its id and secret alone",
            "make the client again with the grant type Client Credentials",
        )
    } else if said.is_word("invalid_scope") {
        credentials(
            "Qualtrics gives this client no token: it has none of the scopes",
            "make the client again with the five scopes that the setup guide names",
        )
    } else if matches!(status, 401 | 403) || said.is_word("invalid_client") || said.is_word("access_denied") {
        credentials("Qualtrics does not accept the client id and secret", &format!("{CLIENT}; {DATACENTER}"))
    } else if status == 404 {
        VendorError::new(
            ErrorKind::Configuration,
            Retry::Never,
            "there is no Qualtrics at the address of this data centre (HTTP 404 from its token endpoint)",
            DATACENTER,
        )
    } else {
        VendorError::new(
            ErrorKind::BadRequest,
            Retry::Never,
            format!("Qualtrics rejected our call for an access token (HTTP {status})"),
            REPORT,
        )
    };
    error.answered(status, request_id(answer))
}

fn wrong_datacenter() -> VendorError {
    VendorError::new(
        ErrorKind::Credentials,
        Retry::Never,
        "Qualtrics does not know the access token in this data centre",
        DATACENTER,
    )
}

pub(super) fn settings_missing() -> VendorError {
    VendorError::new(
        ErrorKind::Configuration,
        Retry::Never,
        "the connection has no usable data-centre id, client id or client secret",
        "edit the connection and enter all three",
    )
}

pub(super) fn no_email() -> VendorError {
    VendorError::new(
        ErrorKind::BadRequest,
        Retry::Never,
        "the request has no e-mail address that may be used (for a deletion it must be verified), and Qualtrics finds people \
         by nothing else; nothing was sent",
        "add an e-mail address to the request or have it verified, or skip this connection",
    )
}

pub(super) fn token_not_understood(answer: &VendorAnswer) -> VendorError {
    bad_answer("it holds no bearer token that can be sent")
        .answered(answer.status.as_u16(), request_id(answer))
}

pub(super) fn no_result(answer: &VendorAnswer) -> VendorError {
    bad_answer("it says that all is well and holds no result")
        .answered(answer.status.as_u16(), request_id(answer))
}

/// The vendor accepted an erasure and its answer does not say as what.
pub(super) fn erasure_not_understood(answer: &VendorAnswer) -> VendorError {
    let mut error = bad_answer("it does not name the erasure that was accepted");
    error.retry = Retry::UnknownOutcome;
    "nothing needs to be done now: the list of erasures is read before anything is sent again"
        .clone_into(&mut error.remedy);
    error.answered(answer.status.as_u16(), request_id(answer))
}

pub(super) fn erasure_failed(vendor_request_id: Option<String>) -> VendorError {
    let mut error = VendorError::new(
        ErrorKind::JobFailed,
        Retry::Never,
        "Qualtrics says that the erasure failed",
        "look for the reason in Qualtrics (Admin, tab Data Privacy), then retry",
    );
    error.vendor_request_id = vendor_request_id;
    error
}

/// Asking for a new job is all that helps, so the engine does.
pub(super) fn data_job_lost(answer: &VendorAnswer, what: &str) -> VendorError {
    VendorError::new(
        ErrorKind::JobFailed,
        Retry::After(None),
        format!("Qualtrics no longer knows the {what} (HTTP 404)"),
        "nothing needs to be done: a new job is begun",
    )
    .answered(answer.status.as_u16(), request_id(answer))
}

pub(super) fn data_job_failed(answer: &VendorAnswer) -> VendorError {
    VendorError::new(
        ErrorKind::JobFailed,
        Retry::After(None),
        "Qualtrics says that the customer-data job failed",
        "nothing needs to be done: a new job is begun; if that fails too, give Qualtrics' support the job's id",
    )
    .answered(answer.status.as_u16(), request_id(answer))
}

pub(super) fn data_job_not_understood(answer: &VendorAnswer) -> VendorError {
    bad_answer("it does not name the customer-data job that was begun")
        .answered(answer.status.as_u16(), request_id(answer))
}

/// A web page or half a file where a person's data was expected: fetched again.
pub(super) fn file_not_usable(answer: &VendorAnswer, what: &str) -> VendorError {
    let mut error = bad_answer(what);
    error.retry = Retry::After(None);
    error.answered(answer.status.as_u16(), request_id(answer))
}

pub(super) fn directory_not_understood() -> VendorError {
    bad_answer("a directory has an id that cannot be understood, so its contacts cannot be searched")
}

pub(super) fn contact_not_understood() -> VendorError {
    bad_answer("a matching contact has an id that cannot be understood, so its history cannot be read")
}

pub(super) fn another_list() -> VendorError {
    bad_answer("the address of the next page belongs to another list; it was not followed")
}

pub(super) fn endless_list() -> VendorError {
    bad_answer("the list has no end: a page leads nowhere new, or there are more pages than can be")
}

pub(super) fn nothing_can_be_searched() -> VendorError {
    VendorError::new(
        ErrorKind::NotAllowed,
        Retry::Never,
        "no directory lets its contacts be searched (XM Directory Lite does not), so it cannot be seen whether the person \
         is gone",
        "look for the person in Qualtrics by hand, then settle the run",
    )
}

/// Asking again gives the same, so a person has to look.
fn bad_answer(what: &str) -> VendorError {
    VendorError::new(
        ErrorKind::BadAnswer,
        Retry::Never,
        format!("Qualtrics' answer cannot be used: {what}"),
        REPORT,
    )
}
