//! The audit log.

use axum::Json;
use axum::extract::{Request, State};
use habeas_store::audit::{Anchor, Seal};

use crate::authentication::Caller;
use crate::extract::{self, Query};
use crate::problem::Problem;
use crate::shapes::Page;
use crate::shapes::audit::{EventShape, SealShape, VerificationShape};
use crate::shapes::page::Paging;
use crate::state::ServerState;

/// Everything that happened, oldest first.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "audit", params(Paging),
    responses((status = OK, body = Page<EventShape>))
)]
pub(crate) async fn list_audit_events(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<EventShape>>, Problem> {
    let after = paging.after()?.unwrap_or(0);
    let events = state.casework.audit_events(&actor, after, paging.limit()?).await?;
    Ok(Json(Page::of(events, EventShape::from)))
}

/// Proves that the log is whole, or says where it is not.
#[utoipa::path(
    get, path = "/api/v1/audit/verify", tag = "audit", responses((status = OK, body = VerificationShape))
)]
pub(crate) async fn verify_audit(
    State(state): State<ServerState>,
    Caller(actor): Caller,
) -> Result<Json<VerificationShape>, Problem> {
    Ok(Json(state.casework.verify_audit(&actor, None).await?.into()))
}

/// The same against an anchor: a seal that was kept elsewhere shows a log that was rolled back or rewritten.
#[utoipa::path(
    post, path = "/api/v1/audit/verify", tag = "audit",
    request_body(content = Option<SealShape>, description = "The JSON of a seal, or of a certificate that has one as `seal`"),
    responses((status = OK, body = VerificationShape))
)]
pub(crate) async fn verify_audit_with_anchor(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    request: Request,
) -> Result<Json<VerificationShape>, Problem> {
    let body = extract::optional_json_body(request, &state).await?;
    let anchor = body
        .map(|body| Anchor::parse(&body.to_string()))
        .transpose()
        .map_err(|invalid| Problem::field("", invalid.to_string()))?;
    Ok(Json(state.casework.verify_audit(&actor, anchor.as_ref()).await?.into()))
}

/// The newest seal, after everything was sealed. Keep it elsewhere.
#[utoipa::path(get, path = "/api/v1/audit/seal", tag = "audit", responses((status = OK, body = SealShape)))]
pub(crate) async fn newest_seal(
    State(state): State<ServerState>,
    Caller(actor): Caller,
) -> Result<Json<Seal>, Problem> {
    let seal = state.casework.newest_seal(&actor).await?;
    seal.map(Json).ok_or_else(|| Problem::not_found("seal: nothing has happened yet"))
}
