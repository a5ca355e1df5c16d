//! What was found about a subject.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse as _, Response};
use futures::TryStreamExt as _;
use habeas_casework::files::FileReading;
use habeas_domain::{RecordId, RequestId};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

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

/// The file of a record, as it came: always as a download, never to be opened in place. The reading is written into the
/// audit log.
#[utoipa::path(
    get, path = "/api/v1/requests/{id}/records/{record}/file", tag = "records",
    params(
        ("id" = String, Path, description = "The request's id"),
        ("record" = String, Path, description = "The record's id")
    ),
    responses((status = OK, body = Vec<u8>, content_type = "application/octet-stream"))
)]
pub(crate) async fn read_file(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids((id, record)): Ids<(RequestId, RecordId)>,
) -> Result<Response, Problem> {
    let FileReading { file, content } = state.casework.record_file(&actor, id, record).await?;
    let name = utf8_percent_encode(file.name(), NON_ALPHANUMERIC);
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, file.size().to_string()),
        (CONTENT_DISPOSITION, format!("attachment; filename*=UTF-8''{name}")),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    let content = content.map_err(|error| std::io::Error::other(error.to_string()));
    Ok((headers, Body::from_stream(content)).into_response())
}
