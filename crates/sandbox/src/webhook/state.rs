//! Everything the system holds.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::callbacks::Delivery;
use super::jobs::{CallingBack, Job, JobKind, JobRecord, JobState, Outcome, Wanted};
use super::knobs::{JobNames, Knobs};
use super::messages::Messages;
use super::people::People;
use super::protocol::Identifier;
use crate::random::Random;

#[derive(Debug)]
pub(super) struct State {
    pub(super) people: People,
    pub(super) messages: Messages,
    /// How often each value was named in an accepted deletion.
    pub(super) acceptances: BTreeMap<String, u64>,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) knobs: Knobs,
    pub(super) random: Random,
    /// In the order of their acceptance.
    pub(super) jobs: Vec<Job>,
    positions: HashMap<String, usize>,
    /// Positions of jobs that have not ended.
    open: Vec<usize>,
    /// Positions of jobs of which nobody was told that they have ended.
    pub(super) untold: Vec<usize>,
    pub(super) last_order: u32,
}

impl State {
    pub(super) fn new(random: Random) -> Self {
        Self {
            people: People::default(),
            messages: Messages::default(),
            acceptances: BTreeMap::new(),
            deliveries: Vec::new(),
            knobs: Knobs::default(),
            random,
            jobs: Vec::new(),
            positions: HashMap::new(),
            open: Vec::new(),
            untold: Vec::new(),
            last_order: super::seed::FIRST_ORDER,
        }
    }

    pub(super) fn job_count(&self) -> usize {
        self.jobs.len()
    }

    /// Takes a job on and answers its name. Own choice: a deletion that was accepted cannot be taken back, but what it
    /// deletes is gone only when it ends; one that is to fail deletes nothing.
    pub(super) fn accept(&mut self, wanted: Wanted, now_ms: u64) -> String {
        let name = self.draw_name(now_ms);
        let calling_back = CallingBack { id: self.draw_id("callback", now_ms), failures: 0, next_ms: now_ms };
        if wanted.kind == JobKind::Deletion {
            for identifier in &wanted.identifiers {
                *self.acceptances.entry(identifier.value.clone()).or_default() += 1;
            }
        }
        let position = self.jobs.len();
        self.jobs.push(Job {
            name: name.clone(),
            wanted,
            accepted_ms: now_ms,
            due_ms: self.knobs.job_seconds.map(|seconds| now_ms.saturating_add(milliseconds(seconds))),
            failure: self.knobs.failure.clone(),
            exceptions: self.knobs.exceptions.clone(),
            ended: None,
            deleted: Vec::new(),
            polls: 0,
            forgotten: false,
            calling_back,
        });
        self.positions.insert(name.clone(), position);
        self.open.push(position);
        self.untold.push(position);
        // One that takes no time has ended before anybody can ask.
        self.settle(now_ms);
        name
    }

    /// Ends what has become due, in the order in which it did, and forgets what is too old.
    pub(super) fn settle(&mut self, now_ms: u64) {
        let due = |position: &usize| {
            self.jobs[*position].due_ms.filter(|due_ms| *due_ms <= now_ms).map(|due_ms| (due_ms, *position))
        };
        let mut ending: Vec<_> = self.open.iter().filter_map(due).collect();
        ending.sort_unstable();
        for (due_ms, position) in ending {
            self.end(position, due_ms);
        }
        if let Some(seconds) = self.knobs.remembered_seconds {
            for job in &mut self.jobs {
                job.forgotten |= job.accepted_ms.saturating_add(milliseconds(seconds)) <= now_ms;
            }
        }
    }

    fn end(&mut self, position: usize, now_ms: u64) {
        let job = &mut self.jobs[position];
        let identifiers = &job.wanted.identifiers;
        let outcome = match (job.failure.clone(), job.wanted.kind) {
            (Some(message), _) => Outcome::Failed { message },
            (None, JobKind::Access) => self.people.find(identifiers),
            (None, JobKind::Deletion) => {
                job.deleted = self.people.delete(identifiers);
                let nothing_held = job.deleted.is_empty();
                // Own choice: where there was nothing to delete, nothing is left over behind this system either.
                let exceptions = if nothing_held { Vec::new() } else { job.exceptions.clone() };
                Outcome::Deleted { nothing_held, exceptions }
            }
        };
        job.ended = Some((now_ms, outcome));
        self.open.retain(|open| *open != position);
    }

    /// Ends a pending job; with a message, as failed.
    pub(super) fn finish(&mut self, name: &str, failure: Option<&str>, now_ms: u64) -> bool {
        let position = self.positions.get(name).copied();
        let Some(position) = position.filter(|position| self.jobs[*position].ended.is_none()) else {
            return false;
        };
        if let Some(message) = failure {
            self.jobs[position].failure = Some(message.to_owned());
        }
        self.end(position, now_ms);
        true
    }

    pub(super) fn forget(&mut self, name: &str) -> bool {
        let Some(position) = self.positions.get(name) else { return false };
        self.jobs[*position].forgotten = true;
        true
    }

    /// The job of this name, unless it is forgotten.
    pub(super) fn known(&self, name: &str) -> Option<&Job> {
        self.positions.get(name).map(|position| &self.jobs[*position]).filter(|job| !job.forgotten)
    }

    /// The same for a message that asks how far it is.
    pub(super) fn asked(&mut self, name: &str) -> Option<&Job> {
        let job = &mut self.jobs[*self.positions.get(name)?];
        job.polls += 1;
        Some(&*job).filter(|job| !job.forgotten)
    }

    pub(super) fn job_records(&self) -> Vec<JobRecord> {
        self.jobs.iter().map(|job| job.record(self.knobs.empty_lists)).collect()
    }

    pub(super) fn job_record(&self, name: &str) -> Option<JobRecord> {
        self.positions.get(name).map(|position| self.jobs[*position].record(self.knobs.empty_lists))
    }

    /// The newest deletion of a person that was accepted at a time or later. Where the clocks have nothing to do with
    /// each other, the sender's own time of the message is what can be compared with its `since`.
    pub(super) fn newest_deletion(&self, identifiers: &[Identifier], since: Timestamp) -> Option<&str> {
        let since_ms = u64::try_from(since.as_millisecond()).unwrap_or(0);
        let compared =
            |job: &Job| if self.knobs.timestamps_checked { job.accepted_ms } else { job.sent_ms() };
        let has_failed = |job: &Job| job.outcome().is_some_and(|outcome| outcome.state() == JobState::Failed);
        let found = |job: &&Job| {
            !job.forgotten && job.deletes(identifiers) && compared(job) >= since_ms && !has_failed(job)
        };
        self.jobs.iter().rev().find(found).map(|job| job.name.as_str())
    }

    /// The time in it keeps names apart when a simulator is started again with the same seed.
    pub(super) fn draw_name(&mut self, now_ms: u64) -> String {
        let plain = self.draw_id("job", now_ms);
        match self.knobs.job_names {
            JobNames::Plain => plain,
            JobNames::EveryCharacter => format!("aZ9/._:~=+{plain}"),
            JobNames::Longest => format!("{plain:x<256}"),
        }
    }

    pub(super) fn draw_id(&mut self, prefix: &str, now_ms: u64) -> String {
        format!("{prefix}-{now_ms:x}-{}", self.random.hex(12))
    }
}

pub(super) fn milliseconds(seconds: u64) -> u64 {
    seconds.saturating_mul(1000)
}
