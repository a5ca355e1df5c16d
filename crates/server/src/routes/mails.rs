//! Mails about a request.

use axum::Json;
use axum::extract::State;
use habeas_domain::{MailId, RequestId};

use crate::authentication::Caller;
use crate::extract::{Ids, OptionalJson};
use crate::problem::Problem;
use crate::shapes::mails::{MailListShape, MailShape};
use crate::shapes::requests::NothingShape;
use crate::state::ServerState;

/// A request's mails, oldest first, and what became of them. Links and codes in them are shown to nobody.
#[utoipa::path(
    get, path = "/api/v1/requests/{id}/mails", tag = "mails",
    params(("id" = String, Path, description = "The request's id")),
    responses((status = OK, body = MailListShape))
)]
pub(crate) async fn list_mails(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
) -> Result<Json<MailListShape>, Problem> {
    let mails = state.casework.mails(&actor, id).await?;
    Ok(Json(MailListShape::new(mails, state.options.mails_are_sent)))
}

/// Hands a mail over now that failed, or waits for its next attempt.
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/mails/{mail}/retry", tag = "mails", request_body = Option<NothingShape>,
    params(
        ("id" = String, Path, description = "The request's id"),
        ("mail" = String, Path, description = "The mail's id")
    ),
    responses((status = OK, body = MailShape))
)]
pub(crate) async fn retry_mail(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids((id, mail)): Ids<(RequestId, MailId)>,
    OptionalJson(NothingShape {}): OptionalJson<NothingShape>,
) -> Result<Json<MailShape>, Problem> {
    state.casework.retry_mail(&actor, id, mail).await?;
    let mails = state.casework.mails(&actor, id).await?;
    let found = mails.into_iter().find(|case| case.mail.id == mail);
    found.map(|case| Json(MailShape::from(case))).ok_or_else(|| Problem::not_found("mail"))
}
