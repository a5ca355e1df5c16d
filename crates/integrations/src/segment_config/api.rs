//! What this connector needs of Segment, whichever of its APIs a token opens.

use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use super::detection::Seen;
use super::errors::{self, Asked, TokenLook, Which};
use super::manifest::API;
use super::regulation::{Page, Regulation};
use crate::client::{Call, Reply, VendorAnswer, VendorClient};
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

/// The way to one of the APIs, with a token.
#[derive(Debug)]
pub(super) struct Access {
    which: Which,
    client: VendorClient,
    token: SecretString,
    look: TokenLook,
}

impl Access {
    pub(super) fn new(which: Which, client: VendorClient, token: &str) -> Self {
        Self { which, client, token: SecretString::from(token), look: TokenLook::of(token) }
    }

    /// Begins a call. The token goes into the header only: addresses leak into logs.
    pub(super) fn call(&self, method: Method) -> Call {
        self.client.call(API, method).bearer(&self.token)
    }

    pub(super) async fn answered<T: DeserializeOwned>(
        &self,
        call: Call,
        asked: Asked,
    ) -> Result<Reply<T>, VendorError> {
        call.send_json().await.map_err(|error| errors::explained(error, asked))
    }

    /// What was asked for; a refusal is an error.
    pub(super) async fn granted<T: DeserializeOwned>(
        &self,
        call: Call,
        asked: Asked,
    ) -> Result<T, VendorError> {
        match self.answered(call, asked).await? {
            Reply::Value(value) => Ok(value),
            Reply::Refused(answer) => Err(self.refused(&answer, asked)),
        }
    }

    pub(super) fn refused(&self, answer: &VendorAnswer, asked: Asked) -> VendorError {
        errors::refused(answer, asked, self.which, self.look)
    }
}

/// Whether nothing was answered because it was not our turn.
pub(super) fn is_our_turn_missing(error: &VendorError) -> bool {
    matches!(error.kind, ErrorKind::Paced | ErrorKind::RateLimited)
}
