//! The catalogue.

use axum::Json;
use axum::extract::State;
use habeas_integrations::Manifest;

use crate::authentication::Caller;
use crate::extract::{Ids, Query};
use crate::problem::Problem;
use crate::shapes::Page;
use crate::shapes::integrations::IntegrationShape;
use crate::shapes::page::Paging;
use crate::state::ServerState;

/// Every integration with what it can do, needs and how to set it up.
#[utoipa::path(
    get, path = "/api/v1/integrations", tag = "integrations", params(Paging),
    responses((status = OK, body = Page<IntegrationShape>))
)]
pub(crate) async fn list_integrations(
    State(state): State<ServerState>,
    Caller(_caller): Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<&'static Manifest>>, Problem> {
    Page::cut(state.casework.integrations(), &paging, |one| one.name.to_owned(), |one| one).map(Json)
}

/// One integration.
#[utoipa::path(
    get, path = "/api/v1/integrations/{name}", tag = "integrations",
    params(("name" = String, Path, description = "Its name")),
    responses((status = OK, body = IntegrationShape))
)]
pub(crate) async fn show_integration(
    State(state): State<ServerState>,
    Caller(_caller): Caller,
    Ids(name): Ids<String>,
) -> Result<Json<&'static Manifest>, Problem> {
    let found = state.casework.integrations().into_iter().find(|one| one.name == name);
    found.map(Json).ok_or_else(|| Problem::not_found("integration"))
}
