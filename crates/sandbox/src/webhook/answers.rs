//! Answers to messages: JSON, kept as bytes so that a repeated message gets the very same ones.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use super::protocol::Unreadable;
use super::signature::Rejection;
use crate::answers::with_type;

/// An answer before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    body: Bytes,
}

impl Answer {
    pub(super) fn new(status: StatusCode, body: &Value) -> Self {
        Self { status, body: Bytes::from(body.to_string()) }
    }

    pub(super) fn ok(body: &Value) -> Self {
        Self::new(StatusCode::OK, body)
    }

    /// A job has been taken on.
    pub(super) fn accepted(job: &str) -> Self {
        Self::new(StatusCode::ACCEPTED, &json!({ "job": job }))
    }

    /// Own choice: the page names statuses only; this system's refusals are `{"error": "..."}`.
    pub(super) fn refused(status: StatusCode, message: &str) -> Self {
        Self::new(status, &error_body(message))
    }
}

impl From<Rejection> for Answer {
    fn from(rejection: Rejection) -> Self {
        Self::refused(StatusCode::UNAUTHORIZED, &rejection.to_string())
    }
}

/// Own choice: 400 for what is not JSON, 422 for JSON that is no message.
impl From<Unreadable> for Answer {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::NotJson(message) => Self::refused(StatusCode::BAD_REQUEST, &message),
            Unreadable::NotAMessage(message) => Self::refused(StatusCode::UNPROCESSABLE_ENTITY, &message),
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        with_type(self.status, "application/json", Body::from(self.body))
    }
}

pub(super) fn error_body(message: &str) -> Value {
    json!({ "error": message })
}
