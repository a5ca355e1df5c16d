//! The plan of a request.

use std::collections::BTreeMap;

use habeas_casework::plans::{Done, PlanCase, PlanItem};
use habeas_integrations::Residual;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::runs::{ResidualShape, RunConnectionShape};
use super::words::{RequestStateWord, RightWord, RunStatusWord, Word};

/// How long to look.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct LookQuery {
    /// Seconds that systems may take to answer, 20 if left out. What is not known by then is said to be unknown.
    #[serde(default)]
    pub(crate) wait: Option<u64>,
}

/// What each system would do about a request, or did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plan)]
pub(crate) struct PlanShape {
    /// Of which request.
    request_id: String,
    /// What was asked for.
    right: RightWord,
    /// Where the request stands.
    state: RequestStateWord,
    /// When this was put together.
    #[schema(value_type = String, format = DateTime)]
    made_at: Timestamp,
    /// One entry per system.
    items: Vec<PlanItemShape>,
}

/// One system's part.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanItem)]
struct PlanItemShape {
    /// Which system.
    connection: RunConnectionShape,
    /// `collect`, `ask_contact`, `delete_records`, `delete_person`, `delete_by_contact` or `nothing`.
    would: &'static str,
    /// How many records there are; null where that is not known.
    found: Option<u64>,
    /// The same by kind, where the system was asked for this plan.
    by_kind: BTreeMap<String, u64>,
    /// Whether the person is held at all, where that alone is known.
    held: Option<bool>,
    /// Where that is known from: `looked` (the system was asked for this plan), `collected` or `nowhere`.
    source: &'static str,
    /// How many records would be deleted, or people where a system deletes everything about one; what was expected, once
    /// the deletion began; null where that is not known.
    would_delete: Option<u64>,
    /// What cannot be known, and why.
    unknown: Vec<ResidualShape>,
    /// What stays behind or happens besides.
    residuals: Vec<ResidualShape>,
    /// What was done; null before anything was.
    done: Option<DoneShape>,
    /// How that differs from what was expected; null if it does not.
    difference: Option<String>,
}

/// What a system did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanDone)]
struct DoneShape {
    /// Where its run stands.
    status: RunStatusWord,
    /// Records found.
    found: Option<u64>,
    /// Records, or people, deleted.
    deleted: Option<u64>,
}

impl From<PlanCase> for PlanShape {
    fn from(plan: PlanCase) -> Self {
        Self {
            request_id: plan.request.to_string(),
            right: Word(plan.right),
            state: Word(plan.state),
            made_at: plan.made_at,
            items: plan.items.into_iter().map(PlanItemShape::from).collect(),
        }
    }
}

impl From<PlanItem> for PlanItemShape {
    fn from(item: PlanItem) -> Self {
        let residuals = |all: Vec<Residual>| all.into_iter().map(ResidualShape::from).collect();
        Self {
            connection: RunConnectionShape {
                id: item.connection.to_string(),
                name: item.name,
                integration: item.integration,
            },
            would: item.would.as_str(),
            found: item.found,
            by_kind: item.by_kind,
            held: item.held,
            source: item.source.as_str(),
            would_delete: item.would_delete,
            unknown: residuals(item.unknown),
            residuals: residuals(item.residuals),
            done: item.done.map(DoneShape::from),
            difference: item.difference,
        }
    }
}

impl From<Done> for DoneShape {
    fn from(done: Done) -> Self {
        Self { status: Word(done.status), found: done.found, deleted: done.deleted }
    }
}
