//! A regulation: whom it names, and how far it has come at a given time.
//!
//! Own choice, like everything about the pace: after its creation a regulation is `initialized` for a while,
//! then `running`. Segment's own part is done after half of the running time, the destinations at its end.

use serde::{Deserialize, Serialize};

use super::specs::{DestinationOutcome, RegulationPlan};

/// The slug under which Segment's own part of a regulation is addressed in a [`RegulationPlan`].
pub const SEGMENT: &str = "segment";

pub(super) const INITIALIZED: &str = "initialized";
pub(super) const RUNNING: &str = "running";
pub(super) const FINISHED: &str = "finished";
pub(super) const FAILED: &str = "failed";
pub(super) const PARTIAL_SUCCESS: &str = "partial_success";
pub(super) const NOT_SUPPORTED: &str = "not_supported";
pub(super) const INVALID: &str = "invalid";

/// Words after which nothing changes any more.
const FINAL: [&str; 5] = [FINISHED, FAILED, PARTIAL_SUCCESS, NOT_SUPPORTED, INVALID];

/// What a regulation does, in the Config API's words, and in words like them where that API has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RegulationType {
    /// Blocks new data and deletes what there is, also in destinations.
    #[serde(rename = "Suppress_With_Delete")]
    SuppressWithDelete,
    /// Deletes what there is, also in destinations.
    Delete,
    /// Blocks new data.
    Suppress,
    /// Lets new data in again.
    Unsuppress,
    /// Deletes what there is inside Segment.
    #[serde(rename = "Delete_Internal")]
    DeleteInternal,
    /// Blocks new data and deletes what there is inside Segment. Unknown to the Config API.
    #[serde(rename = "Suppress_With_Delete_Internal")]
    SuppressWithDeleteInternal,
    /// Deletes what lies in the archive of raw data, which is not simulated: own choice, nothing happens to the
    /// data of people. Unknown to the Config API.
    #[serde(rename = "Delete_Archive_Only")]
    DeleteArchiveOnly,
}

/// Regulation types that share a monthly quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    SegmentOnly,
    SegmentAndDestination,
}

impl RegulationType {
    /// Whether what is held of a person goes.
    pub(super) fn deletes(self) -> bool {
        match self {
            Self::SuppressWithDelete
            | Self::Delete
            | Self::DeleteInternal
            | Self::SuppressWithDeleteInternal => true,
            Self::Suppress | Self::Unsuppress | Self::DeleteArchiveOnly => false,
        }
    }

    pub(super) fn suppresses(self) -> bool {
        matches!(self, Self::SuppressWithDelete | Self::Suppress | Self::SuppressWithDeleteInternal)
    }

    pub(super) fn family(self) -> Family {
        match self {
            Self::SuppressWithDelete | Self::Delete => Family::SegmentAndDestination,
            Self::Suppress
            | Self::Unsuppress
            | Self::DeleteInternal
            | Self::SuppressWithDeleteInternal
            | Self::DeleteArchiveOnly => Family::SegmentOnly,
        }
    }

    /// Whether destinations are asked to act as well.
    pub(super) fn is_forwarded(self) -> bool {
        self.family() == Family::SegmentAndDestination
    }
}

/// What the values of a regulation are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attribute {
    /// Ids of people.
    #[serde(rename = "userId")]
    UserId,
    /// Ids of objects of a cloud source.
    #[serde(rename = "objectId")]
    ObjectId,
    /// Ids of people who were not recognised. Unknown to the Config API.
    #[serde(rename = "anonymousId")]
    AnonymousId,
}

#[derive(Debug)]
pub(super) struct Regulation {
    pub(super) id: String,
    /// Slug of the workspace.
    pub(super) workspace: String,
    /// Slug of the source; `None` for all of them.
    pub(super) source: Option<String>,
    pub(super) kind: RegulationType,
    pub(super) attribute: Attribute,
    pub(super) values: Vec<String>,
    pub(super) collection: Option<String>,
    /// Microseconds since the epoch; no two regulations have the same.
    pub(super) created_us: i64,
    pub(super) initialized_ms: u64,
    pub(super) running_ms: u64,
    pub(super) streams: Vec<Stream>,
    /// The overall word from the end on, instead of the one that follows from the parts.
    pub(super) final_status: Option<String>,
    /// The overall word whatever the time.
    pub(super) shown_status: Option<String>,
    /// Deleted by its owner before it started.
    pub(super) deleted: bool,
    /// Whether suppression has been carried out.
    pub(super) started: bool,
}

/// The part of a regulation that concerns one source.
#[derive(Debug)]
pub(super) struct Stream {
    /// Slug of the source.
    pub(super) source: String,
    pub(super) source_id: String,
    /// Segment's own part first.
    pub(super) parts: Vec<Part>,
    /// Whether there is nothing (left) to delete in Segment.
    pub(super) erased: bool,
}

#[derive(Debug)]
pub(super) struct Part {
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) outcome: DestinationOutcome,
}

/// What becomes due in the life of a regulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Start,
    Erase,
}

/// How far a regulation has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) status: String,
    pub(super) finished_ms: Option<u64>,
    pub(super) streams: Vec<StreamReport>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StreamReport {
    pub(super) source: String,
    pub(super) source_id: String,
    pub(super) parts: Vec<PartReport>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PartReport {
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) err_string: String,
    pub(super) finished_ms: Option<u64>,
}

impl Part {
    pub(super) fn segment() -> Self {
        Self { slug: SEGMENT.to_owned(), name: "Segment".to_owned(), outcome: DestinationOutcome::finished() }
    }

    fn is_segment(&self) -> bool {
        self.slug == SEGMENT
    }

    fn report(&self, starts_ms: u64, ends_ms: u64, now_ms: u64) -> PartReport {
        let (status, err_string) = if now_ms < starts_ms {
            (INITIALIZED, "")
        } else if now_ms < ends_ms {
            (RUNNING, "")
        } else {
            (self.outcome.status.as_str(), self.outcome.err_string.as_str())
        };
        PartReport {
            slug: self.slug.clone(),
            name: self.name.clone(),
            status: status.to_owned(),
            err_string: err_string.to_owned(),
            finished_ms: FINAL.contains(&status).then_some(ends_ms),
        }
    }
}

impl Stream {
    pub(super) fn segment_mut(&mut self) -> Option<&mut Part> {
        self.parts.iter_mut().find(|part| part.is_segment())
    }

    /// Deletion is owed and will take place, unless Segment's own part is meant to go wrong.
    fn is_to_be_erased(&self) -> bool {
        !self.erased && self.parts.iter().any(|part| part.is_segment() && part.outcome.status == FINISHED)
    }
}

impl Regulation {
    pub(super) fn created_ms(&self) -> u64 {
        u64::try_from(self.created_us / 1000).unwrap_or(0)
    }

    fn starts_ms(&self) -> u64 {
        self.created_ms().saturating_add(self.initialized_ms)
    }

    fn segment_ends_ms(&self) -> u64 {
        self.starts_ms().saturating_add(self.running_ms / 2)
    }

    fn ends_ms(&self) -> u64 {
        self.starts_ms().saturating_add(self.running_ms)
    }

    pub(super) fn report(&self, now_ms: u64) -> Report {
        let (starts_ms, ends_ms) = (self.starts_ms(), self.ends_ms());
        let stream = |stream: &Stream| StreamReport {
            source: stream.source.clone(),
            source_id: stream.source_id.clone(),
            parts: stream
                .parts
                .iter()
                .map(|part| {
                    let ends_ms = if part.is_segment() { self.segment_ends_ms() } else { ends_ms };
                    part.report(starts_ms, ends_ms, now_ms)
                })
                .collect(),
        };
        let streams: Vec<_> = self.streams.iter().map(stream).collect();
        let status = match &self.shown_status {
            Some(word) => word.clone(),
            None if now_ms < starts_ms => INITIALIZED.to_owned(),
            None if now_ms < ends_ms => RUNNING.to_owned(),
            None => self.final_status.clone().unwrap_or_else(|| overall(&streams).to_owned()),
        };
        let finished_ms = FINAL.contains(&status.as_str()).then_some(ends_ms.min(now_ms));
        Report { status, finished_ms, streams }
    }

    /// The steps that are due and not done, with the time each became due.
    pub(super) fn due(&self, now_ms: u64) -> impl Iterator<Item = (u64, Step)> {
        let start = (!self.started).then(|| (self.starts_ms(), Step::Start));
        let owed = self.streams.iter().any(Stream::is_to_be_erased);
        let erase = owed.then(|| (self.segment_ends_ms(), Step::Erase));
        start.into_iter().chain(erase).filter(move |(due_ms, _)| !self.deleted && *due_ms <= now_ms)
    }

    /// Marks the deletion inside Segment as done and answers the sources it took place in.
    pub(super) fn erase(&mut self) -> Vec<String> {
        let owed = self.streams.iter_mut().filter(|stream| stream.is_to_be_erased());
        owed.map(|stream| {
            stream.erased = true;
            stream.source.clone()
        })
        .collect()
    }

    /// Whether some step is still to come, or could by a change of plan.
    pub(super) fn is_open(&self) -> bool {
        !self.deleted && (!self.started || self.streams.iter().any(|stream| !stream.erased))
    }

    pub(super) fn follow(&mut self, plan: &RegulationPlan) {
        if let Some(seconds) = plan.initialized_seconds {
            self.initialized_ms = seconds.saturating_mul(1000);
        }
        if let Some(seconds) = plan.running_seconds {
            self.running_ms = seconds.saturating_mul(1000);
        }
        if plan.final_status.is_some() {
            self.final_status.clone_from(&plan.final_status);
        }
        if plan.shown_status.is_some() {
            self.shown_status.clone_from(&plan.shown_status);
        }
        for stream in &mut self.streams {
            for part in &mut stream.parts {
                let exact = plan.destinations.get(&format!("{}/{}", stream.source, part.slug));
                if let Some(outcome) = exact.or_else(|| plan.destinations.get(&part.slug)) {
                    part.outcome = outcome.clone();
                }
            }
        }
    }
}

/// The overall word once every part had its time: one failure makes a failure of the whole, as the vendor's
/// customers report. Own choices: the order of the other words, and that `not_supported` alone spoils nothing.
fn overall(streams: &[StreamReport]) -> &'static str {
    let any = |wanted: &dyn Fn(&str) -> bool| {
        streams.iter().flat_map(|stream| &stream.parts).any(|part| wanted(&part.status))
    };
    if any(&|word| !FINAL.contains(&word)) {
        RUNNING
    } else if any(&|word| word == FAILED || word == INVALID) {
        FAILED
    } else if any(&|word| word == PARTIAL_SUCCESS) {
        PARTIAL_SUCCESS
    } else {
        FINISHED
    }
}
