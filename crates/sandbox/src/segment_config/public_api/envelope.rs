//! The two shapes of an answer: `{"data": ...}`, or `{"errors": [{"type": ...}]}`.
//!
//! Own choices: every message, and which of the vendor's several ways to write a `type` is used where. Clients
//! are told to go by the status.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::knobs::{Permission, PublicKnobs};
use crate::answers;

/// A call that is done.
pub(super) fn success(data: &Value) -> Response {
    answers::json(StatusCode::OK, &json!({ "data": data }))
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    status: StatusCode,
    /// The one entry of `errors`.
    error: Value,
    retry_after: Option<u64>,
}

impl Failure {
    fn new(status: StatusCode, kind: &str, message: &str) -> Self {
        Self { status, error: json!({"type": kind, "message": message}), retry_after: None }
    }

    /// An error of this status about which there is nothing more to say.
    pub(super) fn of(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or("Error");
        let kind: String = reason.chars().filter(char::is_ascii_alphanumeric).collect();
        Self::new(status, &kind, reason)
    }

    pub(super) fn no_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "the access token is missing")
    }

    pub(super) fn bad_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "the access token is not valid")
    }

    pub(super) fn no_permission(knobs: &PublicKnobs) -> Self {
        let message = "the access token lacks the permission for this";
        match knobs.missing_permission {
            Permission::Unauthorized => Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", message),
            Permission::Forbidden => Self::new(StatusCode::FORBIDDEN, "Forbidden", message),
        }
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", "not found")
    }

    pub(super) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", "the payload is too large")
    }

    /// Something in the body.
    pub(super) fn invalid(field: &str, message: impl AsRef<str>) -> Self {
        let mut failure = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "ValidationFailure", message.as_ref());
        failure.error["field"] = field.into();
        failure
    }

    /// A body that is not what its endpoint takes at all.
    pub(super) fn unreadable(error: &serde_json::Error) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "ValidationFailure", &error.to_string())
    }

    /// Something in the path or in the query.
    pub(super) fn bad_input(field: &str, message: &str) -> Self {
        let mut failure = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "input-validation", message);
        failure.error["field"] = field.into();
        failure
    }

    /// A limit on an endpoint, or a quota, leaves too little.
    pub(super) fn points_used_up(consumed: u64, remaining: u64, wait_ms: u64) -> Self {
        let mut failure = Self::new(StatusCode::TOO_MANY_REQUESTS, "RequestError", "Too many requests");
        failure.error["data"] =
            json!({"remainingPoints": remaining, "msBeforeNext": wait_ms, "consumedPoints": consumed});
        failure
    }

    /// The token has made too many calls. Own choice: this body has no `data`.
    pub(super) fn token_limited(retry_after: Option<u64>) -> Self {
        let failure = Self::new(StatusCode::TOO_MANY_REQUESTS, "RateLimited", "Too many requests");
        Self { retry_after, ..failure }
    }

    pub(super) fn body(&self, knobs: &PublicKnobs) -> Value {
        let error = if knobs.bare_errors { json!({"type": self.error["type"]}) } else { self.error.clone() };
        json!({"errors": [error]})
    }

    pub(super) fn answer(&self, knobs: &PublicKnobs) -> Response {
        let mut response = answers::json(self.status, &self.body(knobs));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
