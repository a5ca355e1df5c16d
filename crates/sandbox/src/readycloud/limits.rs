//! Two counters per client: GET calls, and all others.
//!
//! Own choice: a sliding window in which, as in the framework the vendor uses, refused calls do not count. Calls that
//! fail the credential check are refused before the limit is looked at.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use serde_json::json;

use crate::answers;
use crate::sliding_window::SlidingWindows;

/// The calls that share a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Get,
    Other,
}

impl Class {
    /// HEAD and OPTIONS read, so they count as GET (own choice).
    pub(super) fn of(method: &Method) -> Self {
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) { Self::Get } else { Self::Other }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Other => "other",
        }
    }
}

/// The admitted calls of the last minute.
pub(super) type Limits = SlidingWindows<(String, Class)>;

/// 429 as the vendor's framework writes it.
pub(super) fn throttled(retry_after: Option<u64>) -> Response {
    let detail = match retry_after {
        None => "Request was throttled.".to_owned(),
        Some(1) => "Request was throttled. Expected available in 1 second.".to_owned(),
        Some(seconds) => format!("Request was throttled. Expected available in {seconds} seconds."),
    };
    let mut response = answers::json(StatusCode::TOO_MANY_REQUESTS, &json!({ "detail": detail }));
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_and_classes_are_separate() {
        let mut limits = Limits::default();
        assert_eq!(limits.admit(("a".to_owned(), Class::Get), Some(1), 0), Ok(()));
        assert_eq!(limits.admit(("a".to_owned(), Class::Other), Some(1), 0), Ok(()));
        assert_eq!(limits.admit(("b".to_owned(), Class::Get), Some(1), 0), Ok(()));
        assert_eq!(limits.admit(("a".to_owned(), Class::Get), Some(1), 0), Err(60));
    }
}
