//! What was found about a subject.

use axum::Json;
use axum::extract::State;
use habeas_domain::{RecordId, RequestId};

use crate::authentication::Caller;
use crate::extract::{Ids, Json as JsonBody, Query};
use crate::problem::Problem;
use crate::shapes::Page;
use crate::shapes::page::Paging;
use crate::shapes::records::{RecordSelectionShape, RecordShape};
use crate::state::ServerState;

/// What was found. The reading is written into the audit log.
#[utoipa::path(
    get, path = "/api/v1/requests/{id}/records", tag = "records",
    params(("id" = String, Path, description = "The request's id"), Paging),
    responses((status = OK, body = Page<RecordShape>))
)]
pub(crate) async fn list_records(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<RecordShape>>, Problem> {
    let records = state.casework.records(&actor, id, paging.after()?, paging.limit()?).await?;
    Ok(Json(Page::of(records, RecordShape::from)))
}

/// Decides whether a record is part of what is delivered or deleted; possible in review. The answer is the record, so
/// this too is written into the audit log as a reading.
#[utoipa::path(
    patch, path = "/api/v1/requests/{id}/records/{record}", tag = "records", request_body = RecordSelectionShape,
    params(
        ("id" = String, Path, description = "The request's id"),
        ("record" = String, Path, description = "The record's id")
    ),
    responses((status = OK, body = RecordShape))
)]
pub(crate) async fn select_record(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids((id, record)): Ids<(RequestId, RecordId)>,
    JsonBody(selection): JsonBody<RecordSelectionShape>,
) -> Result<Json<RecordShape>, Problem> {
    let exception = selection.exception.map(|exception| exception.code.0);
    let selected = match (selection.selected, exception) {
        (Some(selected), _) => selected,
        (None, Some(_)) => false,
        (None, None) => {
            return Err(Problem::field("selected", "is missing: say whether the record is selected"));
        }
    };
    state.casework.select_record(&actor, id, record, selected, exception).await?;
    Ok(Json(state.casework.record(&actor, id, record).await?.into()))
}
