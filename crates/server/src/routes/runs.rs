//! One connection's part in a request.

use axum::Json;
use axum::extract::{Request, State};
use habeas_casework::CaseworkError;
use habeas_domain::{Actor, Permission, RequestId, RunId};

use crate::answer_form;
use crate::authentication::Caller;
use crate::extract::{Ids, Json as JsonBody, OptionalJson, Query};
use crate::problem::Problem;
use crate::shapes::Page;
use crate::shapes::page::Paging;
use crate::shapes::requests::NothingShape;
use crate::shapes::runs::{
    ContactAnswerFormShape, ContactAnswerShape, HandOverShape, ReasonShape, RunSelectionShape, RunShape,
};
use crate::state::ServerState;

/// A request's runs, in the order in which they were planned.
#[utoipa::path(
    get, path = "/api/v1/requests/{id}/runs", tag = "runs",
    params(("id" = String, Path, description = "The request's id"), Paging),
    responses((status = OK, body = Page<RunShape>))
)]
pub(crate) async fn list_runs(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<RunShape>>, Problem> {
    let all = state.casework.runs(&actor, id).await?;
    Page::cut(all, &paging, |one| one.run.id.to_string(), RunShape::from).map(Json)
}

async fn shown(
    state: &ServerState,
    actor: &Actor,
    id: RequestId,
    run: RunId,
) -> Result<Json<RunShape>, Problem> {
    let found = state.casework.runs(actor, id).await?.into_iter().find(|one| one.run.id == run);
    found.map(|one| Json(one.into())).ok_or_else(|| Problem::not_found("run"))
}

/// Decides whether a whole connection is part of what is delivered or deleted; possible in review.
#[utoipa::path(
    patch, path = "/api/v1/requests/{id}/runs/{run}", tag = "runs", request_body = RunSelectionShape,
    params(
        ("id" = String, Path, description = "The request's id"),
        ("run" = String, Path, description = "The run's id")
    ),
    responses((status = OK, body = RunShape))
)]
pub(crate) async fn select_run(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids((id, run)): Ids<(RequestId, RunId)>,
    JsonBody(selection): JsonBody<RunSelectionShape>,
) -> Result<Json<RunShape>, Problem> {
    state.casework.select_run(&actor, id, run, selection.selected).await?;
    shown(&state, &actor, id, run).await
}

/// Tries again, now.
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/runs/{run}/retry", tag = "runs", request_body = Option<NothingShape>,
    params(
        ("id" = String, Path, description = "The request's id"),
        ("run" = String, Path, description = "The run's id")
    ),
    responses((status = OK, body = RunShape))
)]
pub(crate) async fn retry_run(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids((id, run)): Ids<(RequestId, RunId)>,
    OptionalJson(NothingShape {}): OptionalJson<NothingShape>,
) -> Result<Json<RunShape>, Problem> {
    state.casework.retry_run(&actor, id, run).await?;
    shown(&state, &actor, id, run).await
}

/// Goes on without this system.
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/runs/{run}/skip", tag = "runs", request_body = ReasonShape,
    params(
        ("id" = String, Path, description = "The request's id"),
        ("run" = String, Path, description = "The run's id")
    ),
    responses((status = OK, body = RunShape))
)]
pub(crate) async fn skip_run(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids((id, run)): Ids<(RequestId, RunId)>,
    JsonBody(ReasonShape { reason }): JsonBody<ReasonShape>,
) -> Result<Json<RunShape>, Problem> {
    state.casework.skip_run(&actor, id, run, reason).await?;
    shown(&state, &actor, id, run).await
}

/// Breaks the work off.
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/runs/{run}/stop", tag = "runs", request_body = ReasonShape,
    params(
        ("id" = String, Path, description = "The request's id"),
        ("run" = String, Path, description = "The run's id")
    ),
    responses((status = OK, body = RunShape))
)]
pub(crate) async fn stop_run(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids((id, run)): Ids<(RequestId, RunId)>,
    JsonBody(ReasonShape { reason }): JsonBody<ReasonShape>,
) -> Result<Json<RunShape>, Problem> {
    state.casework.stop_run(&actor, id, run, reason).await?;
    shown(&state, &actor, id, run).await
}

/// Takes the answer of a system's contact, as a person who works on the request enters it.
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/runs/{run}/answer", tag = "runs",
    request_body(
        description = "JSON, or a form if there are files.",
        content((ContactAnswerShape = "application/json"), (ContactAnswerFormShape = "multipart/form-data"))
    ),
    params(
        ("id" = String, Path, description = "The request's id"),
        ("run" = String, Path, description = "The run's id")
    ),
    responses((status = OK, body = RunShape))
)]
pub(crate) async fn answer_run(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids((id, run)): Ids<(RequestId, RunId)>,
    request: Request,
) -> Result<Json<RunShape>, Problem> {
    // Before megabytes are read.
    actor.require(Permission::WorkOnRequests).map_err(CaseworkError::from)?;
    let answer = answer_form::read(request, &state, &actor, id).await?;
    let files = answer.files.clone();
    if let Err(error) = state.casework.answer_run(&actor, id, run, answer).await {
        state.casework.discard_files(files).await;
        return Err(error.into());
    }
    shown(&state, &actor, id, run).await
}

/// Hands a run over to a person at the system's owner, who then answers in the vendor's place.
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/runs/{run}/hand-over", tag = "runs", request_body = HandOverShape,
    params(
        ("id" = String, Path, description = "The request's id"),
        ("run" = String, Path, description = "The run's id")
    ),
    responses((status = OK, body = RunShape))
)]
pub(crate) async fn hand_over_run(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids((id, run)): Ids<(RequestId, RunId)>,
    JsonBody(HandOverShape { email }): JsonBody<HandOverShape>,
) -> Result<Json<RunShape>, Problem> {
    state.casework.hand_over_run(&actor, id, run, &email).await?;
    shown(&state, &actor, id, run).await
}
