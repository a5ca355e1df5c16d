//! The connection check: finds out which of Segment's APIs the token opens, proves credentials and permissions without
//! changing anything, and reports everything that is missing at once.

use super::api::{Api, is_our_turn_missing};
use super::errors::{self, Which};
use super::manifest::{MANIFEST, OWNER, READ};
use super::settings::API;
use crate::connector::{CheckReport, PermissionState};
use crate::error::{ErrorKind, VendorError};

/// What the token may do in the workspace, and through which API.
pub(super) async fn permissions(apis: &[Box<dyn Api>]) -> Result<(CheckReport, Which), VendorError> {
    let api = opened(apis).await?;
    let read = api.may_read().await?;
    let owner = api.may_write().await?;
    let state = |permission: &str| match permission {
        READ => read,
        OWNER => owner,
        _ => PermissionState::NotYetProven,
    };
    let mut report = CheckReport::of(&MANIFEST, state);
    report.learned.push((API, api.which().word()));
    Ok((report, api.which()))
}

/// The first API that accepts the token. How a token looks is never believed; whoever accepts it is the right one.
async fn opened(apis: &[Box<dyn Api>]) -> Result<&dyn Api, VendorError> {
    let mut failures = Vec::new();
    for api in apis {
        match api.workspace().await {
            Ok(()) => return Ok(api.as_ref()),
            // Our own pace, or the vendor's, says nothing: the whole check is due again.
            Err(error) if is_our_turn_missing(&error) => return Err(error),
            Err(error) => failures.push(error),
        }
    }
    let both_refuse =
        failures.len() > 1 && failures.iter().all(|failure| failure.kind == ErrorKind::Credentials);
    if both_refuse {
        return Err(errors::accepted_by_neither());
    }
    // An API that did not answer, or knows the token but not the workspace, may be the one whose token this is.
    let undecided = failures.iter().position(|failure| failure.kind != ErrorKind::Credentials);
    let at = undecided.unwrap_or(0);
    Err(if failures.is_empty() { errors::unusable_settings(&[]) } else { failures.swap_remove(at) })
}

/// A warning if the workspace is said to be where this API does not reach.
pub(super) fn region_warning(is_in_eu: bool) -> Option<String> {
    is_in_eu.then(|| {
        "the region is set to `eu`, but the token is one of Segment's Config API, which serves workspaces in the United \
         States only; if the workspace is kept in the European Union, what this connection reads and deletes is not that \
         workspace's data"
            .to_owned()
    })
}
