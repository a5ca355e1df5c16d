//! What the API refused, as a person reads it.

use std::fmt;
use std::fmt::Write as _;

use serde::Deserialize;

use super::Answer;

/// A problem document (RFC 9457) with this API's own members.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    title: String,
    detail: Option<String>,
    code: String,
    errors: Vec<FieldProblem>,
    missing: Vec<MissingPermission>,
    allowed: Vec<String>,
    roles: Vec<String>,
    vendor: Option<Vendor>,
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
        let status = answer.status();
        serde_json::from_slice::<Self>(answer.bytes())
            .ok()
            .filter(|problem| !problem.title.is_empty())
            .unwrap_or_else(|| Self {
                title: format!("the server answered {status}"),
                detail: Some("The answer does not say why. Is this a Habeas server?".to_owned()),
                ..Self::default()
            })
    }

    /// The code that tells this problem from others.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The fields that cannot be used.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.errors.iter().map(|error| error.field.as_str())
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
        for (before, words) in [("possible now", &self.allowed), ("roles that may", &self.roles)] {
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
