//! Where deletions stand, in few calls.
//!
//! The list says of many regulations at once which are over; only those are then asked for one by one, because only
//! there it is said what each destination did. A single job is asked for directly, and so is one that the list does
//! not show.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::api::{self, Api};
use super::outcome;
use super::regulation::Status;
use crate::connector::{Job, Progress};
use crate::error::{ErrorKind, VendorError};

/// Most pages of the list that are read in one look.
const MOST_PAGES: usize = 10;

/// Where `jobs` stand, one entry per job.
pub(super) async fn progress(api: &dyn Api, jobs: &[Job]) -> Result<Vec<Progress>, VendorError> {
    let mut look = Look::default();
    let listed = if jobs.len() > 1 { look.list(api, jobs).await? } else { HashMap::new() };
    let mut progress = Vec::with_capacity(jobs.len());
    for job in jobs {
        let is_pending = listed.get(job.as_str()).is_some_and(|status| !status.is_final());
        progress.push(if is_pending { Progress::Pending } else { look.at(api, job).await? });
    }
    look.end(progress)
}

/// What one look brought so far.
#[derive(Default)]
struct Look {
    /// Whether the vendor has said anything about the jobs.
    has_learnt: bool,
    /// Whether it is of no use to go on: no leave to call, or the vendor does not answer.
    has_stopped: bool,
    /// The first failure that did not end it.
    failure: Option<VendorError>,
}

impl Look {
    /// The statuses of the newest regulations. The list only saves calls, so it is read no further than that pays, and
    /// a list that cannot be used is done without.
    async fn list(&mut self, api: &dyn Api, jobs: &[Job]) -> Result<HashMap<String, Status>, VendorError> {
        let wanted: HashSet<&str> = jobs.iter().map(Job::as_str).collect();
        let mut found = HashMap::new();
        let mut place: Option<String> = None;
        for _ in 0..wanted.len().div_ceil(2).min(MOST_PAGES) {
            let page = match api.regulations(place.as_deref(), Duration::ZERO).await {
                Ok(page) => page,
                Err(error) => {
                    self.failed(error)?;
                    break;
                }
            };
            for entry in page.entries {
                // A list that shifts between its pages may name one twice.
                if let Some(job) = entry.job.filter(|job| wanted.contains(job.as_str())) {
                    self.has_learnt = true;
                    found.entry(job.as_str().to_owned()).or_insert(entry.status);
                }
            }
            if found.len() == wanted.len() || page.next.is_none() || page.next == place {
                break;
            }
            place = page.next;
        }
        Ok(found)
    }

    /// Asks for one job.
    async fn at(&mut self, api: &dyn Api, job: &Job) -> Result<Progress, VendorError> {
        if self.has_stopped {
            return Ok(Progress::Pending);
        }
        match api.regulation(job, Duration::ZERO).await {
            Ok(regulation) => {
                self.has_learnt = true;
                Ok(regulation.map_or(Progress::Forgotten, |regulation| outcome::progress(&regulation)))
            }
            Err(error) => {
                self.failed(error)?;
                Ok(Progress::Pending)
            }
        }
    }

    /// Takes a failure in; what concerns the whole connection ends the look.
    fn failed(&mut self, error: VendorError) -> Result<(), VendorError> {
        if matches!(error.kind, ErrorKind::Credentials | ErrorKind::Permission | ErrorKind::Configuration) {
            return Err(error);
        }
        self.has_stopped |= api::is_our_turn_missing(&error) || error.kind == ErrorKind::Unavailable;
        self.failure.get_or_insert(error);
        Ok(())
    }

    fn end(self, progress: Vec<Progress>) -> Result<Vec<Progress>, VendorError> {
        match self.failure {
            Some(failure) if !self.has_learnt => Err(failure),
            _ => Ok(progress),
        }
    }
}
