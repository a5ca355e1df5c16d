//! The processes that carry out work.

use axum::Json;
use axum::extract::State;

use crate::authentication::Caller;
use crate::extract::Query;
use crate::problem::Problem;
use crate::shapes::Page;
use crate::shapes::page::Paging;
use crate::shapes::workers::WorkerShape;
use crate::state::ServerState;

/// Which processes carry out work, and what each has under way: as each said at its last sign of life, at most about ten
/// seconds ago. One that is silent for thirty seconds is gone, frozen or cut off; what it held is taken over when its leases
/// run out. It is shown for a day.
#[utoipa::path(
    get, path = "/api/v1/workers", tag = "operation", params(Paging),
    responses((status = OK, body = Page<WorkerShape>))
)]
pub(crate) async fn list_workers(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<WorkerShape>>, Problem> {
    let all = state.casework.workers(&actor).await?;
    Page::cut(all, &paging, |one| one.worker.id.to_string(), WorkerShape::from).map(Json)
}
