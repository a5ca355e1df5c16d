//! The endpoint that sends back what it was asked, as slowly and as wrongly as it is told to.
//!
//! Own choices: the shape of the answer, and the longest delay.

use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::envelope::Failure;
use super::query::Query;
use super::routes::{Answer, Call, Outcome};
use crate::segment_config::state::State;

/// Where it is.
pub(super) const PATH: &str = "/echo";

const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// `triggerError` makes an error, of `statusCode` where that is one of an error and else 500.
pub(super) fn echo(_: &mut State, call: &Call<'_>) -> Outcome {
    let query = Query::of(call.parts);
    if query.value("triggerError") == Some("true") {
        let wanted = query.value("statusCode").and_then(|code| code.parse::<u16>().ok());
        let status = wanted.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.filter(|status| status.is_client_error() || status.is_server_error());
        return Err(Failure::of(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)));
    }
    let message = query.value("message").ok_or_else(|| Failure::bad_input("message", "is required"))?;
    let headers = call.parts.headers.iter().filter(|(name, _)| *name != AUTHORIZATION);
    let shown = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), Value::from(String::from_utf8_lossy(value.as_bytes())))
    };
    let headers: Map<_, _> = headers.map(shown).collect();
    Ok(Answer::Data(json!({"method": "get", "message": message, "headers": headers})))
}

/// How long the answer to a call is to wait: `delay` milliseconds.
pub(super) fn delay(call: &Parts) -> Duration {
    let asked = Query::of(call).value("delay").and_then(|text| text.parse().ok());
    asked.map_or(Duration::ZERO, Duration::from_millis).min(LONGEST_DELAY)
}
