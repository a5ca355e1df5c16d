//! The plan of a request.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use habeas_domain::RequestId;

use crate::authentication::Caller;
use crate::extract::{Ids, Query};
use crate::problem::Problem;
use crate::shapes::plan::{LookQuery, PlanShape};
use crate::state::ServerState;

/// How long the systems are asked unless the call says otherwise, seconds.
const USUAL_LOOK: u64 = 20;

/// What each system would do about a request, with counts, touching nothing; once something was done, what was expected
/// beside it. Systems of which nothing is known yet are asked, if the caller may work on requests.
#[utoipa::path(
    get, path = "/api/v1/requests/{id}/plan", tag = "requests",
    params(("id" = String, Path, description = "Its id"), LookQuery),
    responses((status = OK, body = PlanShape))
)]
pub(crate) async fn show_plan(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
    Query(LookQuery { wait }): Query<LookQuery>,
) -> Result<Json<PlanShape>, Problem> {
    let longest = Duration::from_secs(wait.unwrap_or(USUAL_LOOK)).min(state.options.wait_limit);
    Ok(Json(state.casework.plan(&actor, id, longest).await?.into()))
}
