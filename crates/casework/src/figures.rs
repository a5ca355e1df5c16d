//! How much there is to do, for whoever watches the installation.

use std::time::Duration;

use habeas_domain::{RequestState, RunStatus};
use habeas_store::{counts, due_work};

use crate::Casework;
use crate::error::CaseworkError;
use crate::workers::WorkerCase;

/// How much there is to do.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Requests by state; a state without any is left out.
    pub requests: Vec<(RequestState, u64)>,
    /// Open runs by status; a status without any is left out.
    pub runs: Vec<(RunStatus, u64)>,
    /// How late the latest due work is.
    pub due_work_lag: Duration,
    /// The processes that carry out work.
    pub workers: Vec<WorkerCase>,
}

impl Casework {
    /// What there is, as the units that moved it have counted. Numbers only, so nobody is asked who wants to know.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn figures(&self) -> Result<Figures, CaseworkError> {
        let mut reader = self.store.reader().await?;
        let now = self.store.environment().now();
        let (requests, runs) = counts::read(&mut reader).await?;
        Ok(Figures {
            requests,
            runs,
            workers: self.all_workers().await?,
            due_work_lag: Duration::from_millis(due_work::lag(&mut reader, now).await?),
        })
    }
}
