//! Building answers, in the shapes every vendor and the control plane share.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Put into an answer's extensions: the connection is to be dropped and the answer never sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HangUp;

/// An answer that the client will not get: the connection closes instead.
pub(crate) fn hang_up() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(HangUp);
    response
}

pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => with_type(status, "application/json", Body::from(body)),
        // Only a map with keys that are not strings gets here, and no answer has one.
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

pub(crate) fn html(status: StatusCode, page: impl Into<String>) -> Response {
    with_type(status, "text/html; charset=utf-8", Body::from(page.into()))
}

/// A page as web frameworks show it: a title, a sentence, nothing to parse.
pub(crate) fn error_page(status: StatusCode) -> Response {
    let reason = status.canonical_reason().unwrap_or("Error");
    let code = status.as_u16();
    html(
        status,
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n  <title>{code} {reason}</title>\n</head>\n<body>\n  \
             <h1>{reason} ({code})</h1><p></p>\n</body>\n</html>\n"
        ),
    )
}

pub(crate) fn with_type(status: StatusCode, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Sets a header whose value is made at run time; a value no header may hold is left out.
pub(crate) fn set_header(response: &mut Response, name: axum::http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
