//! The Config API's calls (v1beta), with the token. Every path part is percent-encoded: a slug may hold dots.

use std::time::Duration;

use async_trait::async_trait;
use http::{Method, StatusCode};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::super::api::{
    Access, Api, IMPOSSIBLE_REGULATION, PATIENCE, REGULATIONS_PAGE, is_our_turn_missing,
};
use super::super::detection::Seen;
use super::super::errors::{self, Asked, Which};
use super::super::regulation::{Page, Regulation};
use super::systems;
use super::wire::{Created, Creation, Detail, List, SUPPRESS_WITH_DELETE};
use crate::client::{Call, Reply, VendorClient};
use crate::connector::{Job, PermissionState};
use crate::error::VendorError;

/// The vendor's calls.
#[derive(Debug)]
pub(in super::super) struct ConfigApi {
    access: Access,
    workspace: String,
}

impl ConfigApi {
    pub(in super::super) fn new(client: VendorClient, token: &str, workspace: &str) -> Self {
        Self { access: Access::new(Which::Config, client, token), workspace: workspace.to_owned() }
    }

    pub(super) async fn granted<T: DeserializeOwned>(
        &self,
        call: Call,
        asked: Asked,
    ) -> Result<T, VendorError> {
        self.access.granted(call, asked).await
    }

    fn regulations_call(&self, method: Method) -> Call {
        self.call(method).path(["regulations"])
    }

    pub(super) fn call(&self, method: Method) -> Call {
        self.root(method).path(["workspaces", self.workspace.as_str()])
    }

    /// A call that is about no workspace.
    pub(super) fn root(&self, method: Method) -> Call {
        self.access.call(method).path(["v1beta"])
    }
}

#[async_trait]
impl Api for ConfigApi {
    fn which(&self) -> Which {
        Which::Config
    }

    /// `GET /workspaces/{workspace}`: whether token and workspace fit each other.
    async fn workspace(&self) -> Result<(), VendorError> {
        self.granted::<IgnoredAny>(self.call(Method::GET), Asked::Workspace).await.map(drop)
    }

    /// Whether regulations may be read.
    async fn may_read(&self) -> Result<PermissionState, VendorError> {
        let call = self.regulations_call(Method::GET).query("page_size", 1).patient(PATIENCE);
        match self.access.answered::<List>(call, Asked::Regulations).await? {
            Reply::Value(list) => {
                list.into_page().map(|_| PermissionState::Granted).ok_or_else(errors::not_a_list)
            }
            Reply::Refused(answer) if answer.status == StatusCode::FORBIDDEN => Ok(PermissionState::Missing),
            Reply::Refused(answer) => Err(self.access.refused(&answer, Asked::Regulations)),
        }
    }

    /// Whether regulations may be created, proven by withdrawing one that cannot exist. A failing probe proves
    /// nothing.
    async fn may_write(&self) -> Result<PermissionState, VendorError> {
        let call = self.regulations_call(Method::DELETE).path([IMPOSSIBLE_REGULATION]).patient(PATIENCE);
        // Not marked as an effect: there is nothing that it could take effect on.
        match call.send().await {
            Ok(answer) => match answer.status {
                StatusCode::NOT_FOUND => Ok(PermissionState::Granted),
                StatusCode::FORBIDDEN => Ok(PermissionState::Missing),
                StatusCode::UNAUTHORIZED => Err(self.access.refused(&answer, Asked::Probe)),
                _ => Ok(PermissionState::NotYetProven),
            },
            // "Not now" says nothing about a permission: the whole check is due again.
            Err(error) if is_our_turn_missing(&error) => Err(error),
            Err(_) => Ok(PermissionState::NotYetProven),
        }
    }

    /// `POST /workspaces/{workspace}/regulations`: deletes and suppresses everything under these values.
    async fn create(&self, values: &[&str]) -> Result<Job, VendorError> {
        let call = self.regulations_call(Method::POST).json(&Creation::of(values)).effect();
        let created: Created = self.granted(call, Asked::Creation).await?;
        created.job().ok_or_else(errors::creation_without_id)
    }

    /// `GET /workspaces/{workspace}/regulations/{job}`; `None` if the vendor does not know it (any more).
    async fn regulation(&self, job: &Job, patience: Duration) -> Result<Option<Regulation>, VendorError> {
        let call = self.regulations_call(Method::GET).path([job.as_str()]).patient(patience);
        match self.access.answered::<Detail>(call, Asked::Regulation).await? {
            Reply::Value(detail) if detail.is_of_another(job) => Err(errors::another_regulation()),
            Reply::Value(detail) if !detail.has_status() => Err(errors::regulation_without_status()),
            Reply::Value(detail) => Ok(Some(detail.into_regulation())),
            Reply::Refused(answer) if answer.status == StatusCode::NOT_FOUND => Ok(None),
            Reply::Refused(answer) => Err(self.access.refused(&answer, Asked::Regulation)),
        }
    }

    /// One page of `GET /workspaces/{workspace}/regulations`, newest first: those of the kind that is created here.
    async fn regulations(&self, place: Option<&str>, patience: Duration) -> Result<Page, VendorError> {
        let mut call = self
            .regulations_call(Method::GET)
            .query("regulation_types", SUPPRESS_WITH_DELETE)
            .query("page_size", REGULATIONS_PAGE)
            .patient(patience);
        if let Some(place) = place {
            call = call.query("page_token", place);
        }
        let list: List = self.granted(call, Asked::Regulations).await?;
        list.into_page().ok_or_else(errors::not_a_list)
    }

    async fn systems(&self) -> Result<Vec<Seen>, VendorError> {
        systems::read(self).await
    }
}
