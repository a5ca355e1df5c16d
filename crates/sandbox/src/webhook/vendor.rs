//! How faults and the call log speak this system's language.

use axum::Router;
use axum::http::header::RETRY_AFTER;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::answers::{Answer, error_body};
use super::signature::Rejection;
use super::{Webhook, control, endpoint};
use crate::vendors::Vendor;

impl Vendor for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn api(&self) -> Router {
        endpoint::router(self.clone())
    }

    fn control(&self) -> Router {
        control::router(self.clone())
    }

    /// The system has no limit of its own; with one class the busiest minute is measured all the same.
    fn class(&self, _: &Parts) -> Option<&'static str> {
        Some("all")
    }

    /// A signature does not say whose it is.
    fn account(&self, _: &Parts) -> Option<String> {
        None
    }

    /// Deletions are asked for in the body: the evidence for them are [`jobs`](Webhook::jobs) and
    /// [`accepted_for_deletion`](Webhook::accepted_for_deletion).
    fn deletion_target(&self, _: &Parts) -> Option<String> {
        None
    }

    fn error_body(&self, status: StatusCode) -> Value {
        error_body(&status.canonical_reason().unwrap_or("Error").to_ascii_lowercase())
    }

    fn rate_limited(&self, retry_after: Option<u64>) -> Response {
        let mut response =
            Answer::refused(StatusCode::TOO_MANY_REQUESTS, "too many messages").into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// What a secret that was replaced meets.
    fn token_expired(&self) -> Response {
        Answer::from(Rejection::SignatureWrong).into_response()
    }

    fn scope_missing(&self, _: &str) -> Response {
        Answer::refused(StatusCode::FORBIDDEN, "this sender is not allowed").into_response()
    }

    /// No answer has pages: the faults that forge links find nothing to forge.
    fn next_pointer(&self) -> &'static str {
        "/next"
    }

    fn next_link(&self, _: &Parts) -> String {
        String::new()
    }
}
