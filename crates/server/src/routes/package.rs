//! Handing the package over to a caller.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::RANGE;
use axum::response::Response;
use habeas_casework::CaseworkError;
use habeas_casework::delivery::PackageReading;
use habeas_domain::RequestId;

use crate::authentication::Caller;
use crate::extract::Ids;
use crate::package_answer::{self, Wanted};
use crate::problem::Problem;
use crate::state::ServerState;

/// How long a call waits for a package that is still being made.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// The package of an access request: a ZIP. `Range` is understood. With `delivery: "api"` the first complete download
/// closes the request: a client that has read the last byte finds it closed.
#[utoipa::path(
    get, path = "/api/v1/requests/{id}/package", tag = "requests",
    params(("id" = String, Path, description = "The request's id")),
    responses(
        (status = OK, body = Vec<u8>, content_type = "application/zip"),
        (status = PARTIAL_CONTENT, body = Vec<u8>, content_type = "application/zip")
    )
)]
pub(crate) async fn read_package(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !headers.contains_key(RANGE) {
        let reading = once_made(&state, || state.casework.package(&actor, id, 0)).await?;
        let whole = reading.bytes;
        return Ok(package_answer::answer(reading, whole));
    }
    let (bytes, sha256) = once_made(&state, || state.casework.package_length(&actor, id)).await?;
    let wanted = match package_answer::still_the_same(&headers, &sha256) {
        true => Wanted::of(&headers),
        false => Wanted::Whole,
    };
    let Some((from, to)) = wanted.within(bytes) else { return Ok(package_answer::unsatisfiable(bytes)) };
    let reading: PackageReading = state.casework.package(&actor, id, from).await?;
    Ok(package_answer::answer(reading, to))
}

/// Asks for the package, or for what is known of it, until it is made.
async fn once_made<T, F: Future<Output = Result<T, CaseworkError>>>(
    state: &ServerState,
    ask: impl Fn() -> F,
) -> Result<T, Problem> {
    let clock = state.casework.store().environment().clock();
    let until = clock.monotonic().saturating_add(PATIENCE.min(state.options.wait_limit));
    loop {
        match ask().await {
            Err(CaseworkError::PackageNotReady { problem: None })
                if clock.monotonic() < until && !state.options.stop.is_cancelled() =>
            {
                clock.sleep(BETWEEN_LOOKS).await;
            }
            other => return Ok(other?),
        }
    }
}
