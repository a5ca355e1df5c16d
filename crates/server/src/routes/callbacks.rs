//! Calls by which connected systems tell that they are done.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use habeas_casework::CaseworkError;
use habeas_casework::callbacks::CallbackProblem;
use habeas_domain::ConnectionId;
use habeas_integrations::CallbackHead;
use serde::Serialize;
use utoipa::ToSchema;

use crate::extract::{Ids, body};
use crate::problem::Problem;
use crate::state::ServerState;

/// That a callback was taken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CallbackTaken)]
pub(crate) struct TakenShape {
    /// Always true: what it brought is on record.
    accepted: bool,
}

/// Takes a connected system's word that a job is over. No key: the signature proves who sends, by the conventions of
/// Standard Webhooks. What the body holds is described in `docs/webhook-protocol.md`.
#[utoipa::path(
    post, path = "/api/v1/connections/{id}/callback", tag = "connections", request_body = Object,
    params(
        ("id" = String, Path, description = "The connection's id"),
        ("webhook-id" = String, Header, description = "Names the message; none is taken twice"),
        ("webhook-timestamp" = String, Header, description = "Seconds since 1970-01-01 UTC"),
        ("webhook-signature" = String, Header, description = "`v1,` and the Base64 of the HMAC-SHA256; several are separated by spaces")
    ),
    responses((status = ACCEPTED, body = TakenShape))
)]
pub(crate) async fn take_callback(
    State(state): State<ServerState>,
    Ids(id): Ids<ConnectionId>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let headers = request.headers().clone();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let head = CallbackHead {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    // Before anything is read: it may be 32 MiB from anybody.
    if head.id.is_none() || head.timestamp.is_none() || head.signature.is_none() {
        return Err(CaseworkError::from(CallbackProblem::Forged).into());
    }
    let body = body(request, &state).await?;
    state.casework.take_callback(id, head, &body).await?;
    Ok((StatusCode::ACCEPTED, Json(TakenShape { accepted: true })))
}
