//! The connection check: proves credentials and permissions without changing anything, and reports everything that is
//! missing at once.

use super::api::Api;
use super::manifest::{MANIFEST, OWNER, READ};
use crate::connector::{CheckReport, PermissionState};
use crate::error::VendorError;

/// What the token may do in the workspace.
pub(super) async fn permissions(api: &Api) -> Result<CheckReport, VendorError> {
    api.workspace().await?;
    let read = api.may_read().await?;
    let owner = api.may_write().await?;
    let state = |permission: &str| match permission {
        READ => read,
        OWNER => owner,
        _ => PermissionState::NotYetProven,
    };
    Ok(CheckReport::of(&MANIFEST, state))
}

/// A warning if the workspace is said to be where this API does not reach.
pub(super) fn region_warning(is_in_eu: bool) -> Option<String> {
    is_in_eu.then(|| {
        "the region is set to `eu`, but Segment's Config API serves workspaces in the United States only; if the \
         workspace is kept in the European Union, what this connection reads and deletes is not that workspace's data"
            .to_owned()
    })
}
