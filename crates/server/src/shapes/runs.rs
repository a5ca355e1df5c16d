//! Runs.

use habeas_casework::RunFailure;
use habeas_casework::queries::RunCase;
use habeas_integrations::VendorError;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::{PhaseWord, RunStatusWord, Word};

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
    /// Failed attempts in a row.
    attempts: u32,
    /// When work goes on.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
    /// The vendor's own id of its job.
    #[schema(value_type = Option<String>)]
    vendor_job: Option<String>,
    /// What went wrong.
    error: Option<FailureShape>,
    /// What stays out of reach or stays behind, and why.
    #[schema(value_type = Vec<ResidualShape>)]
    residuals: serde_json::Value,
    /// Why a person left it out.
    note: Option<String>,
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
    id: String,
    /// Its name.
    name: String,
    /// Its integration.
    integration: String,
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
        let RunCase { run, connection_name, integration, failure, note, records_selected } = case;
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
            attempts: run.attempts,
            next_at: run.next_at,
            vendor_job: None,
            error: failure.map(FailureShape::from),
            residuals: run.residuals,
            note,
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

/// Whether a connection is part of what is delivered or deleted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RunSelection)]
pub(crate) struct RunSelectionShape {
    /// Whether it is.
    pub(crate) selected: bool,
}
