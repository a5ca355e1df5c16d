//! Whether the server lives, works, and how much it has to do.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use habeas_casework::CaseworkError;
use habeas_casework::workers::WorkerState;
use habeas_domain::{RequestState, RunStatus};
use habeas_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::codes;
use crate::problem::Problem;
use crate::state::ServerState;

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `alive` or `ready`.
    status: &'static str,
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = OK, body = Health)))]
pub(crate) async fn alive() -> Json<Health> {
    Json(Health { status: "alive" })
}

/// Whether calls can be served.
///
/// The database answers and belongs to the keys, and the storage of large contents can be used.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses((status = OK, body = Health)))]
pub(crate) async fn ready(State(state): State<ServerState>) -> Result<Json<Health>, Problem> {
    let Err(error) = state.casework.ready().await else { return Ok(Json(Health { status: "ready" })) };
    // The storage says by itself when it goes and when it comes back.
    if !matches!(error, CaseworkError::Storage(_)) {
        tracing::error!(%error, "not ready");
    }
    Err(Problem::new(codes::NOT_READY, what_is_wrong(&error)))
}

/// Nobody needs a key to ask, so hosts and file names that a driver's message may hold stay in the log.
fn what_is_wrong(error: &CaseworkError) -> String {
    match error {
        CaseworkError::Store(error)
            if matches!(**error, StoreError::Database(_) | StoreError::NotWritten(_)) =>
        {
            "the database does not answer, or cannot be written; see the log".to_owned()
        }
        other => other.to_string(),
    }
}

/// Metrics in Prometheus' text form.
#[utoipa::path(
    get, path = "/metrics", tag = "operation",
    responses((status = OK, body = String, content_type = "text/plain"))
)]
pub(crate) async fn metrics(State(state): State<ServerState>) -> Result<Response, Problem> {
    let Some(handle) = &state.options.metrics else {
        return Err(Problem::new(codes::NOT_FOUND, "metrics are not switched on"));
    };
    refresh(&state).await?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()).into_response())
}

/// Figures that are counted when somebody asks; everything else is counted where it happens.
#[expect(clippy::cast_precision_loss, reason = "gauges are floats; counts stay far below 2^53")]
async fn refresh(state: &ServerState) -> Result<(), Problem> {
    let figures = state.casework.figures().await?;
    for state in RequestState::ALL {
        let count = count_of(&figures.requests, *state);
        metrics::gauge!("habeas_requests", "state" => state.as_str()).set(count);
    }
    for status in RunStatus::ALL.iter().filter(|status| !status.is_settled()) {
        metrics::gauge!("habeas_runs", "status" => status.as_str()).set(count_of(&figures.runs, *status));
    }
    for state in WorkerState::ALL {
        let count = figures.workers.iter().filter(|one| one.state == state).count();
        metrics::gauge!("habeas_workers", "state" => state.as_str()).set(count as f64);
    }
    // What a process no longer has leaves the list by not being set any more.
    for one in figures.workers.iter().filter(|one| one.state != WorkerState::Silent) {
        for part in &one.under_way {
            let connection = part.connection.as_ref().map(|(_, name)| name.clone()).unwrap_or_default();
            metrics::gauge!(
                "habeas_worker_under_way",
                "worker" => one.worker.name.clone(), "work" => part.work, "connection" => connection,
            )
            .set(part.count as f64);
        }
    }
    metrics::gauge!("habeas_due_work_lag_seconds").set(figures.due_work_lag.as_secs_f64());
    let works = state.casework.storage().works();
    metrics::gauge!("habeas_storage_works").set(if works { 1.0 } else { 0.0 });
    let counters = state.casework.store().counters();
    metrics::counter!("habeas_store_commits_total").absolute(counters.commits.load(Ordering::Relaxed));
    metrics::counter!("habeas_store_statements_total").absolute(counters.statements.load(Ordering::Relaxed));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats; counts stay far below 2^53")]
fn count_of<T: PartialEq>(counts: &[(T, u64)], wanted: T) -> f64 {
    counts.iter().find(|(one, _)| *one == wanted).map_or(0.0, |(_, count)| *count as f64)
}
