//! API keys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use habeas_domain::ApiKeyId;
use secrecy::ExposeSecret as _;

use crate::authentication::Caller;
use crate::extract::{Ids, Json as JsonBody, OptionalJson, Query};
use crate::problem::Problem;
use crate::shapes::Page;
use crate::shapes::api_keys::{ApiKeyShape, CreatedApiKeyShape, NewApiKeyShape};
use crate::shapes::page::Paging;
use crate::shapes::requests::NothingShape;
use crate::state::ServerState;

/// Every key, revoked ones included; never the keys themselves.
#[utoipa::path(
    get, path = "/api/v1/api-keys", tag = "api-keys", params(Paging),
    responses((status = OK, body = Page<ApiKeyShape>))
)]
pub(crate) async fn list_api_keys(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<ApiKeyShape>>, Problem> {
    let all = state.casework.api_keys(&actor).await?;
    Page::cut(all, &paging, |one| one.id.to_string(), ApiKeyShape::from).map(Json)
}

/// Makes a key. `key` is shown this once and kept nowhere.
#[utoipa::path(
    post, path = "/api/v1/api-keys", tag = "api-keys", request_body = NewApiKeyShape,
    responses((status = CREATED, body = CreatedApiKeyShape))
)]
pub(crate) async fn create_api_key(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    JsonBody(new): JsonBody<NewApiKeyShape>,
) -> Result<(StatusCode, Json<CreatedApiKeyShape>), Problem> {
    let (stored, key) = state.casework.create_api_key(&actor, &new.name, new.roles()).await?;
    let created = CreatedApiKeyShape { stored: stored.into(), key: key.expose_secret().to_owned() };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Revokes a key; revoking twice is no error.
#[utoipa::path(
    delete, path = "/api/v1/api-keys/{id}", tag = "api-keys", params(("id" = String, Path, description = "Its id")),
    responses((status = NO_CONTENT, description = "Revoked"))
)]
pub(crate) async fn delete_api_key(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<ApiKeyId>,
) -> Result<StatusCode, Problem> {
    state.casework.revoke_api_key(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes a key and shows it; revoking twice is no error.
#[utoipa::path(
    post, path = "/api/v1/api-keys/{id}/revoke", tag = "api-keys", request_body = Option<NothingShape>,
    params(("id" = String, Path, description = "Its id")), responses((status = OK, body = ApiKeyShape))
)]
pub(crate) async fn revoke_api_key(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<ApiKeyId>,
    OptionalJson(NothingShape {}): OptionalJson<NothingShape>,
) -> Result<Json<ApiKeyShape>, Problem> {
    state.casework.revoke_api_key(&actor, id).await?;
    let found = state.casework.api_keys(&actor).await?.into_iter().find(|one| one.id == id);
    found.map(|one| Json(one.into())).ok_or_else(|| Problem::not_found("API key"))
}
