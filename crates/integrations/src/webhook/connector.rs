//! The connector: what the engine calls.

use async_trait::async_trait;
use jiff::Timestamp;

use super::api::Api;
use super::errors;
use super::manifest::{ACCESS, DELETION, MANIFEST};
use super::wire::{self, Standing};
use crate::connector::{
    CheckReport, Connector, Export, Job, NotHeld, PermissionState, Preview, Progress, Subject,
};
use crate::error::VendorError;

pub(super) struct WebhookConnector {
    api: Api,
}

impl WebhookConnector {
    pub(super) fn new(api: Api) -> Self {
        Self { api }
    }
}

/// What a job's status means.
enum Ended {
    Not,
    Completed,
    Failed,
    Unknown,
}

fn ended(standing: &Standing) -> Result<Ended, VendorError> {
    match standing.status.as_deref().map(str::trim) {
        None | Some("pending") => Ok(Ended::Not),
        Some("completed") => Ok(Ended::Completed),
        Some("failed") => Ok(Ended::Failed),
        Some("unknown") => Ok(Ended::Unknown),
        Some(_) => Err(errors::unknown_status()),
    }
}

#[async_trait]
impl Connector for WebhookConnector {
    async fn check(&self, _: Timestamp) -> Result<CheckReport, VendorError> {
        let able = self.api.check().await?;
        let state = |permission: &str| {
            let word = match permission {
                ACCESS => "access",
                DELETION => "deletion",
                _ => return PermissionState::NotYetProven,
            };
            match able.capabilities.iter().any(|one| one == word) {
                true => PermissionState::Granted,
                false => PermissionState::Missing,
            }
        };
        Ok(CheckReport::of(&MANIFEST, state))
    }

    async fn export(&self, subject: &Subject, job: Option<&Job>) -> Result<Export, VendorError> {
        let standing = match job {
            None => self.api.request_access(subject).await?,
            Some(job) => self.api.status(job).await?,
        };
        match (ended(&standing)?, job) {
            (Ended::Completed, _) => standing.result.collected().map(Export::Collected),
            (Ended::Failed, _) => Err(errors::job_failed(standing.result.gives_reason())),
            (Ended::Unknown, _) => Err(errors::job_forgotten()),
            (Ended::Not, Some(job)) => Ok(Export::Pending(job.clone())),
            (Ended::Not, None) => match standing.job.as_deref() {
                None => Err(errors::no_job_and_no_result()),
                name => wire::job(name).map(Export::Pending).ok_or_else(errors::unusable_job),
            },
        }
    }

    async fn preview(&self, _: &Subject, _: Option<&Job>) -> Result<Preview, VendorError> {
        Ok(Preview::Unknown("the webhook protocol has no message that looks without acting".to_owned()))
    }

    /// One person at a time, as the manifest says.
    async fn erase(&self, subjects: &[Subject]) -> Result<Job, VendorError> {
        let [subject] = subjects else { return Err(errors::nobody()) };
        let named = self.api.request_deletion(subject).await?;
        wire::job(named.job.as_deref()).ok_or_else(errors::deletion_without_job)
    }

    async fn find_erasures(
        &self,
        subjects: &[Subject],
        since: Timestamp,
    ) -> Result<Vec<Option<Job>>, VendorError> {
        let mut found = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let named = self.api.find_deletion(subject, since).await?;
            found.push(match named.job.as_deref() {
                None => None,
                name => Some(wire::job(name).ok_or_else(errors::unusable_job)?),
            });
        }
        Ok(found)
    }

    async fn follow(&self, jobs: &[Job]) -> Result<Vec<Progress>, VendorError> {
        let mut progress = Vec::with_capacity(jobs.len());
        for (at, job) in jobs.iter().enumerate() {
            let standing = match self.api.status(job).await {
                Ok(standing) => standing,
                // What was learnt is told; the others are asked about next time.
                Err(_) if at > 0 => {
                    progress.push(Progress::Pending);
                    continue;
                }
                Err(error) => return Err(error),
            };
            progress.push(match ended(&standing)? {
                Ended::Not => Progress::Pending,
                Ended::Unknown => Progress::Forgotten,
                Ended::Failed => Progress::Failed(errors::job_failed(standing.result.gives_reason())),
                Ended::Completed => Progress::Done(standing.result.erased(NotHeld::everything)),
            });
        }
        Ok(progress)
    }
}
