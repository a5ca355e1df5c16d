//! Connections.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use habeas_domain::{Actor, ConnectionId};

use crate::authentication::Caller;
use crate::extract::{Ids, Json as JsonBody, OptionalJson, Query};
use crate::problem::Problem;
use crate::shapes::Page;
use crate::shapes::connection_plans::{ConnectionPlanShape, DeclaredConnectionsShape};
use crate::shapes::connections::{
    CheckedConnectionShape, ConnectionChangeShape, ConnectionShape, NewConnectionShape, Removal,
};
use crate::shapes::detection::DetectionShape;
use crate::shapes::page::Paging;
use crate::shapes::requests::NothingShape;
use crate::state::ServerState;

/// Every connection, in the order in which they were made.
#[utoipa::path(
    get, path = "/api/v1/connections", tag = "connections", params(Paging),
    responses((status = OK, body = Page<ConnectionShape>))
)]
pub(crate) async fn list_connections(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<ConnectionShape>>, Problem> {
    let all = state.casework.connections(&actor).await?;
    Page::cut(all, &paging, |one| one.stored.id.to_string(), ConnectionShape::from).map(Json)
}

/// Makes a connection, after the vendor accepted its credentials and proved every permission that is needed. If
/// anything is missing, nothing is saved.
#[utoipa::path(
    post, path = "/api/v1/connections", tag = "connections", request_body = NewConnectionShape,
    responses((status = CREATED, body = ConnectionShape))
)]
pub(crate) async fn add_connection(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    JsonBody(new): JsonBody<NewConnectionShape>,
) -> Result<impl IntoResponse, Problem> {
    let made = ConnectionShape::from(state.casework.add_connection(&actor, new.accept()?).await?);
    let location = format!("/api/v1/connections/{}", made.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(made)))
}

/// What would have to be done so that there are the declared connections and no others. Nothing is changed and no vendor
/// is asked. Secrets are compared here and never come back.
#[utoipa::path(
    post, path = "/api/v1/connections/plan", tag = "connections", request_body = DeclaredConnectionsShape,
    responses((status = OK, body = ConnectionPlanShape))
)]
pub(crate) async fn plan_connections(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    JsonBody(declared): JsonBody<DeclaredConnectionsShape>,
) -> Result<Json<ConnectionPlanShape>, Problem> {
    let declared = declared.accept().map_err(Problem::validation)?;
    Ok(Json(state.casework.plan_connections(&actor, &declared).await?.into()))
}

/// One connection.
#[utoipa::path(
    get, path = "/api/v1/connections/{id}", tag = "connections",
    params(("id" = String, Path, description = "Its id or its name")),
    responses((status = OK, body = ConnectionShape))
)]
pub(crate) async fn show_connection(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(name): Ids<String>,
) -> Result<Json<ConnectionShape>, Problem> {
    Ok(Json(state.casework.connection_named(&actor, &name).await?.into()))
}

/// Changes a connection: what is given is replaced, `null` takes away. New settings and capabilities are checked at the
/// vendor first; if anything is missing, nothing is saved. Changed capabilities count for later requests.
#[utoipa::path(
    patch, path = "/api/v1/connections/{id}", tag = "connections", request_body = ConnectionChangeShape,
    params(("id" = String, Path, description = "Its id or its name")),
    responses((status = OK, body = ConnectionShape))
)]
pub(crate) async fn edit_connection(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(name): Ids<String>,
    JsonBody(change): JsonBody<ConnectionChangeShape>,
) -> Result<Json<ConnectionShape>, Problem> {
    let id = resolve(&state, &actor, &name).await?;
    Ok(Json(state.casework.edit_connection(&actor, id, change.accept()?).await?.into()))
}

/// Removes a connection and destroys its credentials. Refused while unfinished runs need it, unless `force` is `true`:
/// they are skipped then, and what a review left to it is left out.
#[utoipa::path(
    delete, path = "/api/v1/connections/{id}", tag = "connections",
    params(("id" = String, Path, description = "Its id or its name"), Removal),
    responses((status = NO_CONTENT, description = "Removed"))
)]
pub(crate) async fn remove_connection(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(name): Ids<String>,
    Query(removal): Query<Removal>,
) -> Result<StatusCode, Problem> {
    let id = resolve(&state, &actor, &name).await?;
    state.casework.remove_connection(&actor, id, removal.force).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Checks a connection now. A failed check is no refusal: the answer is the connection as it stands, and `error` says
/// what is wrong.
#[utoipa::path(
    post, path = "/api/v1/connections/{id}/check", tag = "connections", request_body = Option<NothingShape>,
    params(("id" = String, Path, description = "Its id or its name")),
    responses((status = OK, body = CheckedConnectionShape))
)]
pub(crate) async fn check_connection(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(name): Ids<String>,
    OptionalJson(NothingShape {}): OptionalJson<NothingShape>,
) -> Result<Json<CheckedConnectionShape>, Problem> {
    let id = resolve(&state, &actor, &name).await?;
    let (connection, failure) = state.casework.check_connection(&actor, id).await?;
    Ok(Json(CheckedConnectionShape::new(connection, failure.as_ref())))
}

/// Asks a connection which systems are connected to the one behind it: candidates for the map of systems, each with where
/// it was seen. Nothing is kept.
#[utoipa::path(
    post, path = "/api/v1/connections/{id}/detect", tag = "connections", request_body = Option<NothingShape>,
    params(("id" = String, Path, description = "Its id or its name")),
    responses((status = OK, body = DetectionShape))
)]
pub(crate) async fn detect_systems(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(name): Ids<String>,
    OptionalJson(NothingShape {}): OptionalJson<NothingShape>,
) -> Result<Json<DetectionShape>, Problem> {
    let id = resolve(&state, &actor, &name).await?;
    let (connection, detection) = state.casework.detect_systems(&actor, id).await?;
    Ok(Json(DetectionShape::new(&connection, detection)))
}

/// The id of what is named by id or by name.
async fn resolve(state: &ServerState, actor: &Actor, name: &str) -> Result<ConnectionId, Problem> {
    match name.parse() {
        Ok(id) => Ok(id),
        Err(_) => Ok(state.casework.connection_named(actor, name).await?.stored.id),
    }
}
