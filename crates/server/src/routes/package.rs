//! Handing the package over.

use std::io;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures::Stream;
use habeas_casework::Casework;
use habeas_domain::{Actor, RequestId};
use tracing::Instrument as _;

use crate::authentication::Caller;
use crate::extract::Ids;
use crate::problem::Problem;
use crate::state::ServerState;

/// Bytes handed to the transport at a time.
const CHUNK: usize = 64 * 1024;

/// The package of an access request. With `delivery: "api"` the first complete download closes the request: a client
/// that has read the last byte finds it closed.
#[utoipa::path(
    get, path = "/api/v1/requests/{id}/package", tag = "requests",
    params(("id" = String, Path, description = "The request's id")),
    responses((status = OK, body = Object, content_type = "application/json"))
)]
pub(crate) async fn read_package(
    State(state): State<ServerState>,
    Caller(actor): Caller,
    Ids(id): Ids<RequestId>,
) -> Result<Response, Problem> {
    // Wiped from memory when the last of it has been sent.
    let package = Bytes::from_owner(state.casework.package(&actor, id).await?);
    let headers = [
        (CONTENT_TYPE, "application/json".to_owned()),
        (CONTENT_LENGTH, package.len().to_string()),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    // The answer to HEAD has the same headers and drops the body unread, so nothing is closed.
    let body = Body::from_stream(handed_over(package, state.casework.clone(), actor, id));
    Ok((headers, body).into_response())
}

/// The package in pieces, the last byte alone. When the transport asks for that byte it has taken everything before
/// it; the delivery is then recorded, and only after that the byte goes out. A transport that knows the length from
/// `Content-Length` asks for nothing after the last byte, so recording it later would be too late.
fn handed_over(
    package: Bytes,
    casework: Casework,
    actor: Actor,
    id: RequestId,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let span = tracing::Span::current();
    futures::stream::try_unfold((package, span), move |(mut rest, span)| {
        let (casework, actor) = (casework.clone(), actor.clone());
        async move {
            if rest.len() > 1 {
                let piece = rest.split_to(CHUNK.min(rest.len() - 1));
                return Ok(Some((piece, (rest, span))));
            }
            if rest.is_empty() {
                return Ok(None);
            }
            // Lets the transport write out what it has; if the client is gone, this stream is dropped here.
            tokio::task::yield_now().await;
            // On a task of its own: a client that goes away now must not leave the recording half done.
            let recording = async move { casework.package_delivered(&actor, id).await };
            match tokio::spawn(recording.instrument(span.clone())).await {
                Ok(Ok(())) => Ok(Some((rest.split_off(0), (rest, span)))),
                Ok(Err(error)) => {
                    tracing::error!(parent: &span, %error, "a delivery could not be recorded; it is broken off");
                    Err(io::Error::other("the delivery could not be recorded"))
                }
                Err(_) => Err(io::Error::other("the delivery could not be recorded")),
            }
        }
    })
}
