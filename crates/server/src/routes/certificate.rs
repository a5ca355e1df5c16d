//! The certificate of a closed request.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use habeas_documents::certificate;
use habeas_domain::RequestId;

use crate::authentication::Caller;
use crate::extract::Ids;
use crate::problem::Problem;
use crate::state::ServerState;

/// The certificate of a closed request, with the newest seal of the audit log: JSON, or with `Accept: text/html` a page that
/// can be printed. It names nobody. Kept elsewhere, its JSON later proves that the log was not rolled back.
#[utoipa::path(
    get, path = "/api/v1/requests/{id}/certificate", tag = "requests",
    params(("id" = String, Path, description = "The request's id")),
    responses((status = OK, content((Object = "application/json"), (String = "text/html"))))
)]
pub(crate) async fn read_certificate(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let written = state.casework.certificate(&actor, id).await?;
    let accepted = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    if !accepted.contains("text/html") {
        return Ok(Json(written).into_response());
    }
    let page = certificate::html(&written, state.casework.company(), state.casework.time_zone());
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ];
    Ok((headers, page).into_response())
}
