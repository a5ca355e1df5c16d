//! What both kinds of the vendor's jobs have in common: they end some time after they were accepted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::email::fold;
use super::knobs::Completion;

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// It has not ended.
    Pending,
    /// It has done what it was asked for.
    Completed,
    /// It has failed and did nothing.
    Failed,
}

/// A request to erase, as the control plane shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Erasure {
    /// `OP-` and a UUID.
    pub id: String,
    /// As they were sent.
    pub emails: Vec<String>,
    /// Whether it only looks and never erases.
    pub search_only: bool,
    /// How far it is.
    pub status: JobStatus,
    /// The user who asked for it.
    pub user: String,
    /// Milliseconds since the epoch, by the sandbox's clock.
    pub created_ms: u64,
    /// When it last changed, likewise.
    pub updated_ms: u64,
    /// Emails nothing was found for; known once it is completed.
    pub emails_not_found: Vec<String>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// List answers that showed it as pending.
    pub polls: u32,
}

/// A request for somebody's data, as the control plane shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CustomerDataRequest {
    /// `CDR-` and eight digits.
    pub id: String,
    /// As they were sent.
    pub emails: Vec<String>,
    /// How far it is.
    pub status: JobStatus,
    /// Milliseconds since the epoch, by the sandbox's clock.
    pub created_ms: u64,
    /// When it last changed, likewise.
    pub updated_ms: u64,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// Ids of its files; known once it is completed.
    pub files: Vec<String>,
    /// Progress answers that showed it as pending.
    pub polls: u32,
    /// How many times a file of it was sent.
    pub downloads: u64,
}

/// How a job is to end.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) completion: Completion,
    /// With a reason, it is to fail.
    pub(super) failure: Option<String>,
}

impl Plan {
    /// When a job that was accepted then and was seen that often is to end; `None` if not yet.
    pub(super) fn ended_at(&self, created_ms: u64, polls: u32, now_ms: u64) -> Option<u64> {
        match self.completion {
            Completion::Polls(wanted) => (polls >= wanted).then_some(now_ms),
            Completion::Ms(wanted) => {
                Some(created_ms.saturating_add(wanted)).filter(|ended_at| *ended_at <= now_ms)
            }
            Completion::Manual => None,
        }
    }

    /// How much is done, in percent, while it has not ended.
    pub(super) fn percent(&self, created_ms: u64, polls: u32, now_ms: u64) -> f64 {
        let share = match self.completion {
            Completion::Polls(wanted) => f64::from(polls) / f64::from(wanted.max(1)),
            Completion::Ms(wanted) => now_ms.saturating_sub(created_ms) as f64 / wanted.max(1) as f64,
            Completion::Manual => 0.5,
        };
        (share.min(0.99) * 100.0).round()
    }
}

/// Erasures, oldest first, and how often each email was accepted.
#[derive(Debug, Default)]
pub(super) struct Erasures {
    pub(super) jobs: Vec<(Erasure, Plan)>,
    /// By folded email: calls that were accepted to erase it. Dry runs do not count.
    pub(super) accepted: BTreeMap<String, u64>,
}

impl Erasures {
    pub(super) fn position(&self, id: &str) -> Option<usize> {
        self.jobs.iter().position(|(job, _)| job.id == id)
    }

    pub(super) fn accept(&mut self, job: Erasure, plan: Plan) {
        if !job.search_only {
            for email in job.emails.iter().map(|email| fold(email)) {
                *self.accepted.entry(email).or_default() += 1;
            }
        }
        self.jobs.push((job, plan));
    }
}

/// A request for data with the files that came of it.
#[derive(Debug)]
pub(super) struct DataJob {
    pub(super) job: CustomerDataRequest,
    pub(super) plan: Plan,
    /// Content by file id.
    pub(super) contents: Vec<(String, serde_json::Value)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_jobs_end() {
        let plan = |completion| Plan { completion, failure: None };
        assert_eq!(plan(Completion::Polls(2)).ended_at(10, 1, 20), None);
        assert_eq!(plan(Completion::Polls(2)).ended_at(10, 2, 20), Some(20));
        assert_eq!(plan(Completion::Ms(5)).ended_at(10, 9, 14), None);
        assert_eq!(plan(Completion::Ms(5)).ended_at(10, 0, 99), Some(15));
        assert_eq!(plan(Completion::Manual).ended_at(10, 99, 99), None);
        assert!(plan(Completion::Ms(5)).percent(10, 0, 99) < 100.0);
        assert!(plan(Completion::Polls(0)).percent(10, 0, 99) < 100.0);
    }
}
