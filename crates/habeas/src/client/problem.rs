//! What the API refused, as a person reads it.

use std::fmt;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;

/// A problem document (RFC 9457) with this API's own members.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    title: String,
    detail: Option<String>,
    code: String,
    status: u16,
    errors: Vec<FieldProblem>,
    missing: Vec<MissingPermission>,
    allowed: Vec<String>,
    roles: Vec<String>,
    requests: Vec<String>,
    vendor: Option<Vendor>,
    /// All of it, also what is not read here.
    #[serde(skip)]
    document: Value,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Vendor {
    request_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct FieldProblem {
    field: String,
    message: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct MissingPermission {
    permission: String,
    needed_for: String,
}

impl Problem {
    /// What an answer that is no success says.
    pub(super) fn of(answer: &Answer) -> Self {
        let document: Value = serde_json::from_slice(answer.bytes()).unwrap_or_default();
        let problem = Self::of_document(document);
        if problem.title.is_empty() { Self::of_somebody_else(answer) } else { problem }
    }

    /// A problem that stands in an answer; without a title if it is none.
    pub(crate) fn of_document(document: Value) -> Self {
        let problem = Self::deserialize(&document).unwrap_or_default();
        Self { document, ..problem }
    }

    /// An answer that is no problem document.
    fn of_somebody_else(answer: &Answer) -> Self {
        let title = format!("the server answered {}", answer.status());
        let detail = "The answer does not say why. Is this a Habeas server?";
        let status = answer.status().as_u16();
        let document = json!({"title": title, "detail": detail, "code": null});
        Self { title, detail: Some(detail.to_owned()), status, document, ..Self::default() }
    }

    /// As the API sent it.
    pub(crate) fn document(&self) -> Value {
        self.document.clone()
    }

    /// The code that tells this problem from others.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// Whether the same call may be answered differently later.
    pub(crate) fn may_pass(&self) -> bool {
        self.status >= 500 || matches!(self.code.as_str(), "idempotency_race" | "rate_limited")
    }

    /// What happened, in one line.
    pub(crate) fn detail(&self) -> &str {
        self.detail.as_deref().unwrap_or(&self.title)
    }

    /// The fields that cannot be used.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.errors.iter().map(|error| error.field.as_str())
    }

    /// What is wrong with which field.
    pub(crate) fn errors(&self) -> impl Iterator<Item = (&str, &str)> {
        self.errors.iter().map(|error| (error.field.as_str(), error.message.as_str()))
    }

    /// Several lines: what happened, to what, and what to do.
    pub(crate) fn explanation(&self) -> String {
        let mut text = format!("error: {}", self.title.trim_end_matches('.'));
        if !self.code.is_empty() {
            let _ = write!(text, " ({})", self.code);
        }
        let detail = self.detail.as_deref().unwrap_or_default();
        // One line per field reads better than the sentence that the detail makes of them.
        if !detail.is_empty() && self.errors.is_empty() {
            let _ = write!(text, "\n  {detail}");
        }
        for error in &self.errors {
            let field = if error.field.is_empty() { "the input" } else { &error.field };
            let _ = write!(text, "\n  - {field}: {}", error.message);
        }
        for missing in self.missing.iter().filter(|missing| !detail.contains(&missing.permission)) {
            let _ = write!(text, "\n  - missing permission {}: {}", missing.permission, missing.needed_for);
        }
        let lists =
            [("possible now", &self.allowed), ("roles that may", &self.roles), ("requests", &self.requests)];
        for (before, words) in lists {
            if words.iter().any(|word| !detail.contains(word)) {
                let _ = write!(text, "\n  {before}: {}", words.join(", "));
            }
        }
        if let Some(id) = self.vendor.as_ref().and_then(|vendor| vendor.request_id.as_ref()) {
            let _ = write!(text, "\n  the vendor's id of the call: {id}");
        }
        text
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.explanation())
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::*;

    fn explained(body: &str) -> String {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Problem::of(&Answer { status: StatusCode::UNPROCESSABLE_ENTITY, body }).explanation()
    }

    #[test]
    fn everything_a_person_needs_is_said() {
        let text = explained(
            r#"{"title": "This is not possible now", "code": "illegal_move", "detail": "`deny` is not possible",
                "allowed": ["hold", "resume"], "missing": [{"permission": "contact", "needed_for": "finding contacts"}],
                "vendor": {"request_id": "abc"}, "errors": [], "unknown": 1}"#,
        );
        assert_eq!(
            text,
            "error: This is not possible now (illegal_move)\n  `deny` is not possible\n  \
             - missing permission contact: finding contacts\n  possible now: hold, resume\n  \
             the vendor's id of the call: abc"
        );
    }

    #[test]
    fn fields_have_a_line_each() {
        let text = explained(
            r#"{"title": "The input cannot be used", "code": "validation", "detail": "`a` is empty; `b` is long",
                "errors": [{"field": "a", "message": "is empty"}, {"field": "b", "message": "is long"}]}"#,
        );
        assert_eq!(text, "error: The input cannot be used (validation)\n  - a: is empty\n  - b: is long");
    }

    #[test]
    fn an_answer_by_somebody_else_is_told_as_such() {
        assert!(explained("<html>Bad gateway</html>").contains("answered 422 Unprocessable Entity"));
        assert!(explained("").contains("Is this a Habeas server?"));
    }
}
