//! Requests.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use habeas_casework::intake::IdempotencyKey;
use habeas_casework::requests::Start;
use habeas_casework::{CaseworkError, FieldError};
use habeas_domain::plan::PlanRefused;
use habeas_domain::{Actor, RequestId};
use serde_json::Value;

use crate::authentication::Caller;
use crate::extract::{self, Ids, Json as JsonBody, OptionalJson, Query};
use crate::problem::Problem;
use crate::shapes::Page;
use crate::shapes::audit::EventShape;
use crate::shapes::page::Paging;
use crate::shapes::requests::{
    DenyShape, HoldShape, NewRequestShape, NothingShape, ProcessShape, RequestQuery, RequestSearchShape,
    RequestShape, StartShape, VerifyShape, WaitQuery,
};
use crate::state::ServerState;
use crate::wait;

/// The header that makes a creation happen once.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Requests in the order in which they were taken in; with `due_before` the nearest due date first.
#[utoipa::path(
    get, path = "/api/v1/requests", tag = "requests", params(RequestQuery),
    responses((status = OK, body = Page<RequestShape>))
)]
pub(crate) async fn list_requests(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Query(query): Query<RequestQuery>,
) -> Result<Json<Page<RequestShape>>, Problem> {
    let (filter, limit) = query.filter()?;
    Ok(Json(Page::of(state.casework.requests(&actor, filter, limit).await?, RequestShape::from)))
}

/// Finds a person's requests, without the person standing in an address.
#[utoipa::path(
    post, path = "/api/v1/requests/search", tag = "requests", request_body = RequestSearchShape,
    responses((status = OK, body = Page<RequestShape>))
)]
pub(crate) async fn search_requests(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    JsonBody(search): JsonBody<RequestSearchShape>,
) -> Result<Json<Page<RequestShape>>, Problem> {
    let (filter, limit) = search.filter()?;
    Ok(Json(Page::of(state.casework.requests(&actor, filter, limit).await?, RequestShape::from)))
}

/// Takes a request in. With a policy it begins at once; without one it waits in triage.
#[utoipa::path(
    post, path = "/api/v1/requests", tag = "requests", request_body = NewRequestShape,
    params((
        "Idempotency-Key" = Option<String>, Header,
        description = "Sent again with the same body, the first request is answered instead of a second one made; \
                       with another body it is refused. 1 to 255 printable characters, remembered for 48 hours."
    )),
    responses((status = CREATED, body = RequestShape))
)]
pub(crate) async fn create_request(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let key = idempotency_key(request.headers())?;
    let body = extract::json_body(request, &state).await?;
    let idempotency = key.map(|key| IdempotencyKey { key, fingerprint: fingerprint(&state, &body) });
    let new: NewRequestShape = extract::read(body)?;
    let id = state.casework.create_request(&actor, new.into(), idempotency).await?;
    let location = format!("/api/v1/requests/{id}");
    Ok((StatusCode::CREATED, [(LOCATION, location)], shown(&state, &actor, id).await?))
}

/// The key of a call that has one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=255).contains(&key.len()));
    let message = "must have 1 to 255 printable ASCII characters";
    key.map(|key| Some(key.to_owned())).ok_or_else(|| Problem::field("Idempotency-Key", message))
}

/// Keyed, because a plain hash of a body with an e-mail address can be guessed. Members are in the order of their
/// names, so that the same body counts as the same however it was written.
fn fingerprint(state: &ServerState, body: &Value) -> Vec<u8> {
    state.casework.store().keyring().fingerprint("idempotency", body.to_string().as_bytes())
}

/// One request; with `wait` as soon as there is news.
#[utoipa::path(
    get, path = "/api/v1/requests/{id}", tag = "requests",
    params(("id" = String, Path, description = "Its id"), WaitQuery),
    responses((status = OK, body = RequestShape))
)]
pub(crate) async fn show_request(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
    Query(WaitQuery { wait }): Query<WaitQuery>,
) -> Result<Json<RequestShape>, Problem> {
    let limit = Duration::from_secs(wait.unwrap_or(0)).min(state.options.wait_limit);
    let case = wait::for_news(&state.casework, &actor, id, limit, &state.options.stop).await?;
    Ok(Json(case.into()))
}

async fn shown(state: &ServerState, actor: &Actor, id: RequestId) -> Result<Json<RequestShape>, Problem> {
    Ok(Json(state.casework.request(actor, id).await?.into()))
}

/// A request's history, oldest first.
#[utoipa::path(
    get, path = "/api/v1/requests/{id}/events", tag = "requests",
    params(("id" = String, Path, description = "Its id"), Paging),
    responses((status = OK, body = Page<EventShape>))
)]
pub(crate) async fn list_events(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<EventShape>>, Problem> {
    let after = paging.after()?.unwrap_or(0);
    let events = state.casework.events(&actor, id, after, paging.limit()?).await?;
    Ok(Json(Page::of(events, EventShape::from)))
}

/// Ends triage: the systems are asked.
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/start", tag = "requests", request_body = Option<StartShape>,
    params(("id" = String, Path, description = "Its id")), responses((status = OK, body = RequestShape))
)]
pub(crate) async fn start_request(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
    OptionalJson(start): OptionalJson<StartShape>,
) -> Result<Json<RequestShape>, Problem> {
    state.casework.start(&actor, id, Start::from(start)).await.map_err(refused_start)?;
    shown(&state, &actor, id).await
}

/// Here identifiers stand at the top of the body.
fn refused_start(error: CaseworkError) -> Problem {
    match error {
        CaseworkError::PlanRefused(refused @ PlanRefused::IdentifierMissing { .. }) => {
            Problem::validation(vec![FieldError::new("identifiers", refused.to_string())])
        }
        other => other.into(),
    }
}

/// Ends the review: the package is built, or the systems delete what was left selected. While a request is being erased
/// it acknowledges what runs in attention wait for.
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/process", tag = "requests", request_body = Option<ProcessShape>,
    params(("id" = String, Path, description = "Its id")), responses((status = OK, body = RequestShape))
)]
pub(crate) async fn process_request(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
    OptionalJson(process): OptionalJson<ProcessShape>,
) -> Result<Json<RequestShape>, Problem> {
    let acknowledged = process.acknowledged.unwrap_or_default().into_iter().map(|word| word.0).collect();
    state.casework.process(&actor, id, acknowledged).await?;
    shown(&state, &actor, id).await
}

/// Refuses the request with a reason from the law's catalogue. Work under way is broken off.
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/deny", tag = "requests", request_body = DenyShape,
    params(("id" = String, Path, description = "Its id")), responses((status = OK, body = RequestShape))
)]
pub(crate) async fn deny_request(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
    JsonBody(deny): JsonBody<DenyShape>,
) -> Result<Json<RequestShape>, Problem> {
    let notify = deny.notify.unwrap_or(true);
    state.casework.deny(&actor, id, deny.reason_code.0, deny.text, notify).await?;
    shown(&state, &actor, id).await
}

/// A person made sure who is asking, in another way than by the link. It is logged and cannot be taken back.
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/verify", tag = "requests", request_body = VerifyShape,
    params(("id" = String, Path, description = "Its id")), responses((status = OK, body = RequestShape))
)]
pub(crate) async fn verify_request(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
    JsonBody(VerifyShape { note }): JsonBody<VerifyShape>,
) -> Result<Json<RequestShape>, Problem> {
    state.casework.verify_request(&actor, id, note).await?;
    shown(&state, &actor, id).await
}

/// Sends the person a new download link, in place of those before; possible until the content is destroyed.
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/send-link", tag = "requests", request_body = Option<NothingShape>,
    params(("id" = String, Path, description = "Its id")), responses((status = OK, body = RequestShape))
)]
pub(crate) async fn send_download_link(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
    OptionalJson(NothingShape {}): OptionalJson<NothingShape>,
) -> Result<Json<RequestShape>, Problem> {
    state.casework.send_download_link(&actor, id).await?;
    shown(&state, &actor, id).await
}

/// Lays a hold: nothing is sent while it lies.
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/hold", tag = "requests", request_body = HoldShape,
    params(("id" = String, Path, description = "Its id")), responses((status = OK, body = RequestShape))
)]
pub(crate) async fn hold_request(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
    JsonBody(hold): JsonBody<HoldShape>,
) -> Result<Json<RequestShape>, Problem> {
    state.casework.hold(&actor, id, hold.reason.0, hold.note).await?;
    shown(&state, &actor, id).await
}

/// Lifts the hold; work goes on where it was.
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/resume", tag = "requests", request_body = Option<NothingShape>,
    params(("id" = String, Path, description = "Its id")), responses((status = OK, body = RequestShape))
)]
pub(crate) async fn resume_request(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
    OptionalJson(NothingShape {}): OptionalJson<NothingShape>,
) -> Result<Json<RequestShape>, Problem> {
    state.casework.resume(&actor, id).await?;
    shown(&state, &actor, id).await
}

/// The subject takes the request back. Work under way is broken off.
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/withdraw", tag = "requests", request_body = Option<NothingShape>,
    params(("id" = String, Path, description = "Its id")), responses((status = OK, body = RequestShape))
)]
pub(crate) async fn withdraw_request(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
    OptionalJson(NothingShape {}): OptionalJson<NothingShape>,
) -> Result<Json<RequestShape>, Problem> {
    state.casework.withdraw(&actor, id).await?;
    shown(&state, &actor, id).await
}
