//! The connection check: proves credentials and permissions without changing anything, and reports
//! everything that is missing at once.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;

use super::api::{self, Api, Organisation};
use super::errors::{self, Asked};
use super::manifest::{COMPANY_SCOPE, CONTACT_SCOPE, MANIFEST, ORDER_SCOPE};
use crate::client::Reply;
use crate::connector::{CheckReport, PermissionState};
use crate::error::{ErrorKind, VendorError};

/// A contact that does not exist: right in form (32 characters of the key alphabet) and as unlikely as a
/// guess of 190 bits. The vendor checks the scope before it looks the object up, so deleting it proves the
/// permission and nothing else happens.
pub(super) const IMPOSSIBLE_CONTACT: &str = "qZ7~h0W.kV3x_R9dJ-u5T2mB8yLc4NpE";
/// How long the later calls of a check wait for leave. Given back, the check would begin anew and never
/// end.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// A token may open several organisations, with another role of its user in each. More are not asked: the
/// limit is small, and a run names the organisation's fault anyway.
const ORGANISATIONS_ASKED: usize = 5;
/// How long before its expiry a token is warned about.
const WARN_BEFORE: Duration = Duration::from_secs(30 * 86_400);

/// What the token opens.
pub(super) async fn permissions(api: &Api) -> Result<CheckReport, VendorError> {
    let mut company = PermissionState::Granted;
    let mut contact = PermissionState::NotYetProven;
    let mut orders = PermissionState::NotYetProven;
    match api.organisations().await? {
        Reply::Value(organisations) => {
            let keys = usable(&organisations)?;
            let mut contact_states = Vec::new();
            for key in keys.iter().take(ORGANISATIONS_ASKED) {
                let first = match api.first_contact(key, PATIENCE).await? {
                    Reply::Value(page) => page.results.into_iter().next(),
                    Reply::Refused(answer) if answer.status == StatusCode::FORBIDDEN => {
                        contact_states.push(PermissionState::Missing);
                        continue;
                    }
                    Reply::Refused(answer) => return Err(errors::refused(&answer, Asked::Contacts)),
                };
                contact_states.push(deletion(api, key).await?);
                let seen = first.as_ref().and_then(api::Contact::keys);
                if orders == PermissionState::NotYetProven
                    && let Some((_, first)) = seen
                {
                    orders = order_reading(api, key, first).await?;
                }
            }
            contact = worst(&contact_states);
        }
        // Without an organisation nothing else can be asked; what it is not known of is not called missing.
        Reply::Refused(answer) if answer.status == StatusCode::FORBIDDEN => {
            company = PermissionState::Missing
        }
        Reply::Refused(answer) => return Err(errors::refused(&answer, Asked::Organisations)),
    }
    let state = |permission: &str| match permission {
        COMPANY_SCOPE => company,
        CONTACT_SCOPE => contact,
        ORDER_SCOPE => orders,
        _ => PermissionState::NotYetProven,
    };
    Ok(CheckReport::of(&MANIFEST, state))
}

/// The keys of the organisations that are in use.
pub(super) fn usable(organisations: &[Organisation]) -> Result<Vec<String>, VendorError> {
    let mut keys: Vec<String> = Vec::new();
    for organisation in organisations.iter().filter(|organisation| !organisation.is_deleted()) {
        let key = organisation.key().ok_or_else(errors::organisation_not_understood)?;
        // A list that shifts between its pages may name one twice.
        if !keys.iter().any(|known| known == key) {
            keys.push(key.to_owned());
        }
    }
    if keys.is_empty() { Err(errors::no_organisation()) } else { Ok(keys) }
}

/// A warning if the token's end is near, or was expected earlier.
pub(super) fn expiry_warning(expires_at: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let expires_at = expires_at?;
    let day = expires_at.strftime("%Y-%m-%d");
    if expires_at <= now {
        return Some(format!(
            "the access token should have expired on {day}; create a new one before ReadyCloud stops accepting it"
        ));
    }
    let left = Duration::try_from(expires_at.duration_since(now)).unwrap_or_default();
    (left < WARN_BEFORE).then(|| {
        format!(
            "the access token expires on {day}; create a new one in ReadyCloud and enter it here before then"
        )
    })
}

/// Whether contacts may be deleted. A failing probe proves nothing, and the check goes on.
async fn deletion(api: &Api, organisation: &str) -> Result<PermissionState, VendorError> {
    // Not marked as an effect: there is nothing that it could take effect on.
    let probe = api.delete_contact(organisation, IMPOSSIBLE_CONTACT).patient(PATIENCE).send().await;
    match probe {
        Ok(answer) => match answer.status {
            StatusCode::NOT_FOUND => Ok(PermissionState::Granted),
            StatusCode::FORBIDDEN => Ok(PermissionState::Missing),
            StatusCode::UNAUTHORIZED => Err(errors::refused(&answer, Asked::Deletion)),
            _ => Ok(PermissionState::NotYetProven),
        },
        Err(error) if is_our_turn_missing(&error) => Err(error),
        Err(_) => Ok(PermissionState::NotYetProven),
    }
}

async fn order_reading(api: &Api, organisation: &str, contact: &str) -> Result<PermissionState, VendorError> {
    match api.first_order(organisation, contact, PATIENCE).await {
        Ok(Reply::Value(_)) => Ok(PermissionState::Granted),
        Ok(Reply::Refused(answer)) => match answer.status {
            StatusCode::FORBIDDEN => Ok(PermissionState::Missing),
            StatusCode::UNAUTHORIZED => Err(errors::refused(&answer, Asked::Orders)),
            _ => Ok(PermissionState::NotYetProven),
        },
        Err(error) if is_our_turn_missing(&error) => Err(error),
        Err(_) => Ok(PermissionState::NotYetProven),
    }
}

/// "Not now" says nothing about a permission: the whole check is due again.
fn is_our_turn_missing(error: &VendorError) -> bool {
    matches!(error.kind, ErrorKind::Paced | ErrorKind::RateLimited)
}

fn worst(states: &[PermissionState]) -> PermissionState {
    let has = |state| states.contains(&state);
    if has(PermissionState::Missing) {
        PermissionState::Missing
    } else if has(PermissionState::NotYetProven) || states.is_empty() {
        PermissionState::NotYetProven
    } else {
        PermissionState::Granted
    }
}
