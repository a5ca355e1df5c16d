//! Problem documents, for the OpenAPI document.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// An error (RFC 9457). Further members depend on the code; each code has a page at its `type`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemShape {
    /// Address of the page about the code.
    #[serde(rename = "type")]
    #[schema(example = "/docs/errors/validation")]
    kind: String,
    /// What it is, the same for every problem of the code.
    title: String,
    /// The HTTP status.
    #[schema(example = 422)]
    status: u16,
    /// What happened here and what to do.
    detail: String,
    /// Stable code.
    #[schema(example = "validation")]
    code: String,
    /// Fields that cannot be used.
    errors: Vec<FieldProblemShape>,
    /// `allowed` (illegal_move), `request_id` (duplicate_request), `missing` (permissions_missing) and the like.
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// One field that cannot be used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FieldProblem)]
pub(crate) struct FieldProblemShape {
    /// Path of the field.
    #[schema(example = "subject.email")]
    field: String,
    /// What is wrong with it and what is expected. Never the value.
    message: String,
}
