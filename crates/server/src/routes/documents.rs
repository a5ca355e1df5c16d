//! Documents about the API itself.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

use crate::codes::CODES;
use crate::document::openapi;
use crate::extract::Ids;
use crate::problem::Problem;

static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| serde_json::to_string_pretty(&openapi()).unwrap_or_default());

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operation",
    responses((status = OK, body = Object, description = "OpenAPI 3.1"))
)]
pub(crate) async fn openapi_document() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

/// What an error code means, why it happens and what to do.
#[utoipa::path(
    get, path = "/docs/errors/{code}", tag = "operation", params(("code" = String, Path, description = "The code")),
    responses((status = OK, body = String, content_type = "text/markdown"))
)]
pub(crate) async fn error_page(Ids(code): Ids<String>) -> Result<Response, Problem> {
    let code =
        CODES.iter().find(|known| known.name == code).ok_or_else(|| Problem::not_found("error code"))?;
    Ok(([(CONTENT_TYPE, "text/markdown; charset=utf-8")], code.page).into_response())
}
