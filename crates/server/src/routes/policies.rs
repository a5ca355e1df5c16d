//! Policies.

use axum::Json;
use habeas_domain::policy::POLICIES;

use crate::authentication::Caller;
use crate::extract::Query;
use crate::problem::Problem;
use crate::shapes::Page;
use crate::shapes::page::Paging;
use crate::shapes::policies::PolicyShape;

/// Legal frameworks under which requests are answered.
#[utoipa::path(
    get, path = "/api/v1/policies", tag = "policies", params(Paging),
    responses((status = OK, body = Page<PolicyShape>))
)]
pub(crate) async fn list_policies(
    Caller(_caller): Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<PolicyShape>>, Problem> {
    Page::cut(POLICIES.iter().collect(), &paging, |one| one.key.to_owned(), PolicyShape::from).map(Json)
}
