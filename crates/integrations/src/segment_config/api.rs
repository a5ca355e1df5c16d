//! What this connector needs of Segment, whichever of its APIs a token opens.

use std::time::Duration;

use async_trait::async_trait;

use super::detection::Seen;
use super::errors::Which;
use super::regulation::{Page, Regulation};
use crate::connector::{Job, PermissionState};
use crate::error::{ErrorKind, VendorError};

/// Regulations asked for per page. The largest page that the server gives is not documented, and whatever it gives is
/// taken; each holds up to 5,000 identifiers, so more could be too large an answer.
pub(super) const REGULATIONS_PAGE: u32 = 50;
/// A regulation that does not exist: right in form (a KSUID), and the one that no generator makes, because its time
/// and its random part are both nothing. Deleting it proves the permission and nothing else happens.
pub(super) const IMPOSSIBLE_REGULATION: &str = "000000000000000000000000000";
/// How long later calls of one piece of work wait for leave. Given back, the work would begin anew and never end.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// One of Segment's APIs, with a token for it.
#[async_trait]
pub(super) trait Api: Send + Sync {
    /// Which one.
    fn which(&self) -> Which;

    /// Whether the API accepts the token, and the token is of the workspace that was named.
    async fn workspace(&self) -> Result<(), VendorError>;

    /// Whether regulations may be read.
    async fn may_read(&self) -> Result<PermissionState, VendorError>;

    /// Whether regulations may be created, as far as that can be proven without creating one.
    async fn may_write(&self) -> Result<PermissionState, VendorError>;

    /// Deletes and suppresses everything under these values.
    async fn create(&self, values: &[&str]) -> Result<Job, VendorError>;

    /// A regulation; `None` if the vendor does not know it (any more).
    async fn regulation(&self, job: &Job, patience: Duration) -> Result<Option<Regulation>, VendorError>;

    /// One page of the regulations of the kind that is created here, newest first.
    async fn regulations(&self, place: Option<&str>, patience: Duration) -> Result<Page, VendorError>;

    /// Everything that is connected to the workspace.
    async fn systems(&self) -> Result<Vec<Seen>, VendorError>;
}

/// Whether nothing was answered because it was not our turn.
pub(super) fn is_our_turn_missing(error: &VendorError) -> bool {
    matches!(error.kind, ErrorKind::Paced | ErrorKind::RateLimited)
}
