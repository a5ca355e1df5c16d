//! Runs.

use habeas_casework::RunFailure;
use habeas_casework::contacts::{AnsweredRecord, ContactAnswer};
use habeas_casework::details::GivenAnswer;
use habeas_casework::files::StoredFile;
use habeas_casework::queries::RunCase;
use habeas_domain::{Phase, plan};
use habeas_integrations::{Residual, VendorError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::{AnswerWord, PhaseWord, RunStatusWord, Word};

/// One connection's part in a request in one phase.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Run)]
pub(crate) struct RunShape {
    /// Its id.
    pub(crate) id: String,
    /// Asking what is held, or deleting.
    phase: PhaseWord,
    /// Whose part it is.
    connection: RunConnectionShape,
    /// Where it stands.
    status: RunStatusWord,
    /// The line people read.
    detail: String,
    /// The same for programs: `queued`, `records_found`, `access_skipped`, ...
    detail_code: String,
    /// Whether the reviewer left the connection selected.
    selected: bool,
    /// Records found; null where access was skipped or is not over.
    records_found: Option<u64>,
    /// Records found and left selected.
    records_selected: Option<u64>,
    /// Records deleted.
    deleted: Option<u64>,
    /// What the plan expected: records to be found or deleted, or people to be deleted; null where nobody could know.
    expected: Option<u64>,
    /// How what was done differs from that; null if it does not.
    difference: Option<String>,
    /// Failed attempts in a row.
    attempts: u32,
    /// When work goes on.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
    /// The vendor's own id of its job.
    vendor_job: Option<String>,
    /// What went wrong.
    error: Option<FailureShape>,
    /// What stays out of reach or stays behind, and why.
    #[schema(value_type = Vec<ResidualShape>)]
    residuals: serde_json::Value,
    /// Why a person left it out.
    note: Option<String>,
    /// What the system's contact answered, besides records.
    answer: Option<GivenAnswerShape>,
    /// When it was planned.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was settled.
    #[schema(value_type = Option<String>, format = DateTime)]
    settled_at: Option<Timestamp>,
}

/// A run's connection.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunConnection)]
pub(crate) struct RunConnectionShape {
    /// Its id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// Its integration.
    pub(crate) integration: String,
}

/// What went wrong at a vendor.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Failure)]
pub(crate) struct FailureShape {
    /// Stable code; its page is `/docs/errors/CODE`.
    code: String,
    /// What happened.
    message: String,
    /// The vendor's own id of the call.
    vendor_request_id: Option<String>,
    /// What to do next.
    remedy: String,
}

/// Something that stays out of reach or stays behind.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Residual)]
pub(crate) struct ResidualShape {
    /// What.
    what: String,
    /// Why, and what a person can do.
    why: String,
}

impl From<Residual> for ResidualShape {
    fn from(residual: Residual) -> Self {
        Self { what: residual.what, why: residual.why }
    }
}

impl From<RunFailure> for FailureShape {
    fn from(failure: RunFailure) -> Self {
        Self {
            code: failure.code,
            message: failure.message,
            vendor_request_id: failure.vendor_request_id,
            remedy: failure.remedy,
        }
    }
}

impl From<&VendorError> for FailureShape {
    fn from(error: &VendorError) -> Self {
        RunFailure::from(error).into()
    }
}

impl From<RunCase> for RunShape {
    fn from(case: RunCase) -> Self {
        let RunCase { run, connection_name, integration, failure, note, answer, records_selected } = case;
        let detail_code = serde_json::to_value(&run.detail)
            .ok()
            .and_then(|detail| detail.get("code").and_then(|code| code.as_str().map(str::to_owned)));
        Self {
            id: run.id.to_string(),
            phase: Word(run.phase),
            connection: RunConnectionShape {
                id: run.connection.to_string(),
                name: connection_name,
                integration,
            },
            status: Word(run.status),
            detail: run.detail.sentence(),
            detail_code: detail_code.unwrap_or_default(),
            selected: run.selected,
            records_found: run.records_found,
            records_selected,
            deleted: run.deleted,
            expected: run.expected,
            difference: match run.phase {
                Phase::Collect => plan::difference(run.phase, run.expected, run.records_found),
                Phase::Erase => plan::difference(run.phase, run.expected, run.deleted),
            },
            attempts: run.attempts,
            next_at: run.next_at,
            vendor_job: run.vendor_job,
            error: failure.map(FailureShape::from),
            residuals: run.residuals,
            note,
            answer: answer.map(GivenAnswerShape::from),
            created_at: run.created_at,
            settled_at: run.settled_at,
        }
    }
}

/// Why a run is left out or broken off.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Reason)]
pub(crate) struct ReasonShape {
    /// For whoever reads the case later.
    pub(crate) reason: String,
}

/// What a contact answered, besides records.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GivenAnswer)]
pub(crate) struct GivenAnswerShape {
    /// `data`, `nothing_held` or `deleted`.
    answer: String,
    /// Who says so.
    name: Option<String>,
    /// What they added.
    note: Option<String>,
}

impl From<GivenAnswer> for GivenAnswerShape {
    fn from(given: GivenAnswer) -> Self {
        Self { answer: given.answer, name: given.name, note: given.note }
    }
}

/// The answer of a system's contact.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContactAnswer)]
pub(crate) struct ContactAnswerShape {
    /// `data` (comes with records or files) or `nothing_held` where the system was asked what it holds; `deleted` or
    /// `nothing_held` where it was asked to delete.
    pub(crate) answer: AnswerWord,
    /// Who says so.
    pub(crate) name: Option<String>,
    /// What they add.
    pub(crate) note: Option<String>,
    /// What the system holds.
    pub(crate) records: Option<Vec<AnsweredRecordShape>>,
}

/// Shows nothing of what was written.
impl std::fmt::Debug for ContactAnswerShape {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ContactAnswerShape").field("answer", &self.answer).finish_non_exhaustive()
    }
}

/// A record that a contact brings.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AnsweredRecord)]
pub(crate) struct AnsweredRecordShape {
    /// What it is (`invoice`).
    kind: String,
    /// How a reviewer recognises it.
    title: String,
    /// What is held.
    #[serde(default)]
    #[schema(value_type = Object)]
    fields: serde_json::Map<String, serde_json::Value>,
}

/// The same answer as a form with files.
#[derive(ToSchema)]
#[schema(as = ContactAnswerForm)]
#[expect(dead_code, reason = "describes the form in the document; the parts are read one by one")]
pub(crate) struct ContactAnswerFormShape {
    /// As in the JSON form.
    answer: AnswerWord,
    /// Who says so.
    name: Option<String>,
    /// What they add.
    note: Option<String>,
    /// The records as JSON text.
    records: Option<String>,
    /// What the system holds, as files; may be repeated.
    #[schema(value_type = Vec<String>, format = Binary)]
    files: Vec<Vec<u8>>,
}

impl ContactAnswerShape {
    /// As casework takes it.
    pub(crate) fn with(self, files: Vec<StoredFile>) -> ContactAnswer {
        ContactAnswer {
            answer: self.answer.0,
            name: self.name,
            note: self.note,
            records: self
                .records
                .unwrap_or_default()
                .into_iter()
                .map(|one| AnsweredRecord { kind: one.kind, title: one.title, fields: one.fields })
                .collect(),
            files,
        }
    }
}

/// To whom a run is handed over.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HandOver)]
pub(crate) struct HandOverShape {
    /// Their e-mail address.
    pub(crate) email: String,
}

/// Shows no address.
impl std::fmt::Debug for HandOverShape {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("HandOverShape")
    }
}

/// Whether a connection is part of what is delivered or deleted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RunSelection)]
pub(crate) struct RunSelectionShape {
    /// Whether it is.
    pub(crate) selected: bool,
}
