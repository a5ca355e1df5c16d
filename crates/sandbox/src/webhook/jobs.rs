//! Pieces of work that end some time after they were accepted.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::knobs::{EmptyLists, Exception};
use super::people::{File, Record};
use super::protocol::Identifier;
use crate::clock::timestamp;

/// What a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// To show what is held.
    Access,
    /// To delete it.
    Deletion,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It has not ended.
    Pending,
    /// It has done what it was asked for.
    Completed,
    /// It has failed and did nothing.
    Failed,
}

/// A job as evidence, also when the protocol no longer shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobRecord {
    /// The system's own name of it.
    pub job: String,
    /// What it is for.
    pub kind: JobKind,
    /// As they were sent.
    pub identifiers: Vec<Identifier>,
    /// How far it is.
    pub state: JobState,
    /// The result as `job.status` shows it, once there is one.
    pub result: Option<Value>,
    /// User ids of the people it deleted.
    pub deleted: Vec<String>,
    /// Milliseconds since the epoch, by the sandbox's clock.
    pub accepted_ms: u64,
    /// When it ended, likewise.
    pub ended_ms: Option<u64>,
    /// How many times `job.status` asked for it.
    pub polls: u64,
    /// Whether the system knows it no more.
    pub forgotten: bool,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Found { records: Vec<Record>, files: Vec<File> },
    Deleted { nothing_held: bool, exceptions: Vec<Exception> },
    Failed { message: String },
}

impl Outcome {
    pub(super) fn state(&self) -> JobState {
        if matches!(self, Self::Failed { .. }) { JobState::Failed } else { JobState::Completed }
    }

    /// The type under which it is called back.
    pub(super) fn callback_type(&self) -> &'static str {
        match self {
            Self::Found { .. } => "access.completed",
            Self::Deleted { .. } => "deletion.completed",
            Self::Failed { .. } => "job.failed",
        }
    }

    /// As answers show it.
    pub(super) fn result(&self, empty_lists: EmptyLists) -> Value {
        let status = if self.state() == JobState::Failed { "failed" } else { "completed" };
        let mut result = Map::from_iter([("status".to_owned(), json!(status))]);
        result.extend(self.fields(empty_lists));
        Value::Object(result)
    }

    /// What answers and callbacks have in common.
    fn fields(&self, empty_lists: EmptyLists) -> Map<String, Value> {
        let mut fields = Map::new();
        match self {
            Self::Found { records, files } => {
                let shown = |is_empty: bool| empty_lists == EmptyLists::Shown || !is_empty;
                if shown(records.is_empty()) {
                    fields.insert("records".to_owned(), json!(records));
                }
                if shown(files.is_empty()) {
                    fields.insert("files".to_owned(), json!(files));
                }
            }
            Self::Deleted { nothing_held, exceptions } => {
                fields.insert("nothing_held".to_owned(), json!(nothing_held));
                fields.insert("exceptions".to_owned(), json!(exceptions));
            }
            Self::Failed { message } => {
                fields.insert("message".to_owned(), json!(message));
            }
        }
        fields
    }
}

/// A job that a message asks for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) kind: JobKind,
    pub(super) identifiers: Vec<Identifier>,
    /// The `webhook-timestamp` of the message.
    pub(super) sent_seconds: u64,
}

/// How a job's ending is told to whoever asked for it.
#[derive(Debug)]
pub(super) struct CallingBack {
    /// The `webhook-id`: the same however often it is sent.
    pub(super) id: String,
    /// Attempts that did not end it.
    pub(super) failures: u32,
    /// When it may be tried (again).
    pub(super) next_ms: u64,
}

/// A job, with how it is to go: that is fixed when it is accepted.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) name: String,
    pub(super) wanted: Wanted,
    pub(super) accepted_ms: u64,
    /// `None`: only when somebody ends it.
    pub(super) due_ms: Option<u64>,
    /// With a message, it is to fail.
    pub(super) failure: Option<String>,
    pub(super) exceptions: Vec<Exception>,
    pub(super) ended: Option<(u64, Outcome)>,
    pub(super) deleted: Vec<String>,
    pub(super) polls: u64,
    pub(super) forgotten: bool,
    pub(super) calling_back: CallingBack,
}

impl Job {
    pub(super) fn outcome(&self) -> Option<&Outcome> {
        self.ended.as_ref().map(|(_, outcome)| outcome)
    }

    /// Whether this is a deletion of the person whom the identifiers name. Own choice: one that both have is enough,
    /// because each of them alone identifies.
    pub(super) fn deletes(&self, identifiers: &[Identifier]) -> bool {
        let shared = |its: &Identifier| identifiers.iter().any(|it| it.agrees(&its.kind, &its.value));
        self.wanted.kind == JobKind::Deletion && self.wanted.identifiers.iter().any(shared)
    }

    /// The last moment at which it may have been sent.
    pub(super) fn sent_ms(&self) -> u64 {
        self.wanted.sent_seconds.saturating_mul(1000).saturating_add(999)
    }

    pub(super) fn record(&self, empty_lists: EmptyLists) -> JobRecord {
        JobRecord {
            job: self.name.clone(),
            kind: self.wanted.kind,
            identifiers: self.wanted.identifiers.clone(),
            state: self.outcome().map_or(JobState::Pending, Outcome::state),
            result: self.outcome().map(|outcome| outcome.result(empty_lists)),
            deleted: self.deleted.clone(),
            accepted_ms: self.accepted_ms,
            ended_ms: self.ended.as_ref().map(|(at_ms, _)| *at_ms),
            polls: self.polls,
            forgotten: self.forgotten,
        }
    }

    /// The body of the callback, about a job of this name; the same however often it is asked for.
    pub(super) fn callback_body(&self, job: &str, empty_lists: EmptyLists) -> Option<Value> {
        let (ended_ms, outcome) = self.ended.as_ref()?;
        let mut data = Map::from_iter([("job".to_owned(), json!(job))]);
        data.extend(outcome.fields(empty_lists));
        let when = timestamp(*ended_ms).to_string();
        Some(json!({"type": outcome.callback_type(), "timestamp": when, "data": data}))
    }
}
