//! What is told of every call: a request id, one line in the log, two metrics. Never paths, query strings or bodies.

use std::any::Any;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tracing::Instrument as _;

use crate::authentication::API;
use crate::codes;
use crate::problem::{PROBLEM_JSON, Problem};
use crate::state::ServerState;

/// The header that names a call in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives a call its id and tells how it went.
pub(crate) async fn observe(State(state): State<ServerState>, request: Request, next: Next) -> Response {
    let environment = state.casework.store().environment().clone();
    let id = given_id(request.headers()).unwrap_or_else(|| environment.unique().simple().to_string());
    let method = known(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let is_api = request.uri().path().starts_with(API);
    let span = tracing::info_span!("http", request_id = %id, method, %route, actor = tracing::field::Empty);
    let started = environment.clock().monotonic();
    let mut response = next.run(request).instrument(span.clone()).await;

    let problem = response.extensions_mut().remove::<Problem>();
    // A page for people stays one.
    let is_document = |_: &&Problem| is_problem_document(&response);
    let internal = problem.as_ref().filter(|problem| problem.code().name == codes::INTERNAL.name);
    if let Some(problem) = internal.filter(is_document) {
        response = problem.clone().with("x_request_id", id.as_str()).into_response();
    }
    // An id that came in or was made here has only characters that a header may have.
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if is_api && !response.headers().contains_key(CACHE_CONTROL) {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    let took = environment.clock().monotonic().saturating_sub(started);
    tell(&span, &response, problem.as_ref(), took.as_millis());
    let status = response.status().as_u16().to_string();
    metrics::counter!("habeas_http_requests_total", "method" => method, "route" => route.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("habeas_http_request_seconds", "route" => route).record(took.as_secs_f64());
    response
}

fn is_problem_document(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == PROBLEM_JSON.as_bytes())
}

/// A client may make methods up; metrics and the log keep to those that there are.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::DELETE => "DELETE",
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::POST => "POST",
        Method::PUT => "PUT",
        _ => "other",
    }
}

/// The id that a proxy in front gave, if nothing but an id can stand in it.
fn given_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let fits =
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    fits.then(|| id.to_owned())
}

fn tell(span: &tracing::Span, response: &Response, problem: Option<&Problem>, milliseconds: u128) {
    let _entered = span.enter();
    let status = response.status().as_u16();
    let code = problem.map(|problem| problem.code().name);
    match problem.and_then(Problem::cause) {
        Some(cause) => tracing::error!(status, code, milliseconds, cause, "answered with a fault of ours"),
        None => tracing::info!(status, code, milliseconds, "answered"),
    }
}

/// The answer of a handler that panicked; where and why stands in the log already.
pub(crate) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    Problem::internal("a handler panicked").into_response()
}
