//! Refusals, in the API's one shape: `{"error": "<message>", "code": <number as in gRPC>}`.
//!
//! Own choices: every message but "insufficient scope" and the plain text.

use axum::body::Body;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use crate::answers;
use crate::segment_config::knobs::{BadToken, Oversize};

/// What a path that leads nowhere is answered with, by something in front of the API.
const UNROUTABLE: &str = "upstream connect error or disconnect/reset before headers";

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::segment_config) enum Failure {
    InvalidArgument(String),
    NoToken,
    BadToken(BadToken),
    InsufficientScope,
    NotAnOwner,
    NotFound,
    /// With the seconds for a `Retry-After` header.
    RateLimited(Option<u64>),
    QuotaUsedUp,
    Oversize(Oversize, String),
    Unimplemented,
    Unroutable,
}

impl Failure {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidArgument(message.into())
    }

    pub(in crate::segment_config) fn answer(&self) -> Response {
        let (status, message) = match self {
            Self::InvalidArgument(message) | Self::Oversize(Oversize::InvalidArgument, message) => {
                (StatusCode::BAD_REQUEST, message.as_str())
            }
            Self::NoToken => (StatusCode::UNAUTHORIZED, "missing access token"),
            Self::BadToken(BadToken::Unauthenticated) => (StatusCode::UNAUTHORIZED, "invalid access token"),
            Self::BadToken(BadToken::PermissionDenied) => (StatusCode::FORBIDDEN, "invalid access token"),
            Self::InsufficientScope => (StatusCode::FORBIDDEN, "insufficient scope"),
            Self::NotAnOwner => (StatusCode::FORBIDDEN, "owner permission required"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not found"),
            Self::RateLimited(_) => (StatusCode::TOO_MANY_REQUESTS, "rate limit exceeded"),
            Self::QuotaUsedUp => (StatusCode::TOO_MANY_REQUESTS, "monthly regulation quota exceeded"),
            Self::Oversize(Oversize::ResourceExhausted, message) => {
                (StatusCode::TOO_MANY_REQUESTS, message.as_str())
            }
            Self::Unimplemented => (StatusCode::NOT_IMPLEMENTED, "method not supported"),
            Self::Unroutable => {
                let body = Body::from(UNROUTABLE);
                return answers::with_type(StatusCode::SERVICE_UNAVAILABLE, "text/plain", body);
            }
        };
        let mut response = answers::json(status, &body(status, message));
        if let Self::RateLimited(Some(seconds)) = self {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(*seconds));
        }
        response
    }
}

/// An error that was not made here but is to look like it.
pub(in crate::segment_config) fn error_body(status: StatusCode) -> Value {
    body(status, &status.canonical_reason().unwrap_or("Error").to_ascii_lowercase())
}

fn body(status: StatusCode, message: &str) -> Value {
    json!({"error": message, "code": code(status)})
}

/// The numbers of gRPC. Own choice: statuses the API does not list are 2, "unknown".
fn code(status: StatusCode) -> u8 {
    match status.as_u16() {
        400 => 3,
        401 => 16,
        403 => 7,
        404 => 5,
        409 => 6,
        429 => 8,
        500 => 13,
        501 => 12,
        503 => 14,
        _ => 2,
    }
}
