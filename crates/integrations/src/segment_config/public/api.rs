//! The Public API's calls, with the token. The workspace is the token's own.

use std::time::Duration;

use async_trait::async_trait;
use http::{Method, StatusCode};
use serde::de::DeserializeOwned;

use super::super::api::{
    Access, Api, IMPOSSIBLE_REGULATION, PATIENCE, REGULATIONS_PAGE, is_our_turn_missing,
};
use super::super::detection::Seen;
use super::super::errors::{self, Asked, Which};
use super::super::regulation::{Page, Regulation};
use super::systems;
use super::wire::{Created, Creation, Envelope, RegulationData, RegulationsData, WorkspaceData};
use crate::client::{Call, Reply, VendorClient};
use crate::connector::{Job, PermissionState};
use crate::error::VendorError;

/// The first version of the API, which its published clients ask for.
const MEDIA_TYPE: &str = "application/vnd.segment.v1+json";
/// Where a "too many requests" to one kind of call says how many milliseconds to wait. One to the whole token says it in
/// `Retry-After`.
const WAIT_AT: &str = "/errors/0/data/msBeforeNext";

/// The vendor's calls.
#[derive(Debug)]
pub(in super::super) struct PublicApi {
    access: Access,
    workspace: String,
}

impl PublicApi {
    pub(in super::super) fn new(client: VendorClient, token: &str, workspace: &str) -> Self {
        Self { access: Access::new(Which::Public, client, token), workspace: workspace.to_owned() }
    }

    pub(super) async fn granted<T: DeserializeOwned>(
        &self,
        call: Call,
        asked: Asked,
    ) -> Result<T, VendorError> {
        Ok(self.access.granted::<Envelope<T>>(call, asked).await?.data)
    }

    pub(super) fn call(&self, method: Method) -> Call {
        self.access.call(method).accept(MEDIA_TYPE).wait_at(WAIT_AT)
    }

    fn regulations_call(&self, method: Method) -> Call {
        self.call(method).path(["regulations"])
    }

    fn page(&self, place: Option<&str>, count: u32) -> Call {
        let call = self.regulations_call(Method::GET).query("pagination.count", count);
        match place {
            Some(place) => call.query("pagination.cursor", place),
            None => call,
        }
    }
}

/// What an answer to a probe shows of the permission to write. A token that lacks it, and only that one, is told so: it was
/// accepted a moment ago.
const fn proves_missing(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

#[async_trait]
impl Api for PublicApi {
    fn which(&self) -> Which {
        Which::Public
    }

    /// `GET /`: the token's workspace, which must be the one that was named.
    async fn workspace(&self) -> Result<(), VendorError> {
        let data: WorkspaceData = self.granted(self.call(Method::GET), Asked::Workspace).await?;
        match data.workspace.slug.trim() {
            "" => Err(errors::not_a_workspace()),
            slug if slug.eq_ignore_ascii_case(&self.workspace) => Ok(()),
            _ => Err(errors::another_workspace()),
        }
    }

    async fn may_read(&self) -> Result<PermissionState, VendorError> {
        let call = self.page(None, 1).patient(PATIENCE);
        match self.access.answered::<Envelope<RegulationsData>>(call, Asked::Regulations).await? {
            Reply::Value(_) => Ok(PermissionState::Granted),
            Reply::Refused(answer) if proves_missing(answer.status) => Ok(PermissionState::Missing),
            Reply::Refused(answer) => Err(self.access.refused(&answer, Asked::Regulations)),
        }
    }

    /// Two calls that cannot take effect: withdrawing a regulation that does not exist, and creating one that names
    /// nobody. Withdrawing may be gone from the API (it left the published description in 2026), and what is checked first in
    /// a creation is not documented. So a refusal proves that the permission is missing, and nothing proves that it is there
    /// but the first deletion.
    async fn may_write(&self) -> Result<PermissionState, VendorError> {
        let withdrawal = self.regulations_call(Method::DELETE).path([IMPOSSIBLE_REGULATION]);
        let creation = self.regulations_call(Method::POST).json(&Creation::of_nobody());
        for probe in [withdrawal, creation] {
            match probe.patient(PATIENCE).send().await {
                Ok(answer) if proves_missing(answer.status) => return Ok(PermissionState::Missing),
                Ok(_) => {}
                Err(error) if is_our_turn_missing(&error) => return Err(error),
                // A failing probe proves nothing.
                Err(_) => {}
            }
        }
        Ok(PermissionState::NotYetProven)
    }

    /// `POST /regulations`.
    async fn create(&self, values: &[&str]) -> Result<Job, VendorError> {
        let call = self.regulations_call(Method::POST).json(&Creation::of(values)).effect();
        let created: Created = self.granted(call, Asked::Creation).await?;
        created.job().ok_or_else(errors::creation_without_id)
    }

    /// `GET /regulations/{job}`.
    async fn regulation(&self, job: &Job, patience: Duration) -> Result<Option<Regulation>, VendorError> {
        let call = self.regulations_call(Method::GET).path([job.as_str()]).patient(patience);
        let detail = match self.access.answered::<Envelope<RegulationData>>(call, Asked::Regulation).await? {
            Reply::Value(envelope) => envelope.data.regulation,
            Reply::Refused(answer) if answer.status == StatusCode::NOT_FOUND => return Ok(None),
            Reply::Refused(answer) => return Err(self.access.refused(&answer, Asked::Regulation)),
        };
        if detail.is_of_another(job) {
            Err(errors::another_regulation())
        } else if !detail.has_status() {
            Err(errors::regulation_without_status())
        } else {
            Ok(Some(detail.into_regulation()))
        }
    }

    /// `GET /regulations`. Without the filter by kind: its spelling differs between the vendor's own clients, and every
    /// entry says what it is.
    async fn regulations(&self, place: Option<&str>, patience: Duration) -> Result<Page, VendorError> {
        let call = self.page(place, REGULATIONS_PAGE).patient(patience);
        let data: RegulationsData = self.granted(call, Asked::Regulations).await?;
        data.into_page().map_err(|()| errors::not_a_list())
    }

    async fn systems(&self) -> Result<Vec<Seen>, VendorError> {
        systems::read(self).await
    }
}
