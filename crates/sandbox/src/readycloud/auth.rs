//! Credentials and scopes: who is calling, and may they.

use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::json;

use super::knobs::ErrorDialect;
use super::state::{Token, TokenScopes};
use crate::answers;

/// Scopes that also exist as `<name>-read_only`.
const PAIRED_SCOPES: [&str; 11] = [
    "account",
    "company",
    "packaging",
    "calendar",
    "license_key",
    "api_client",
    "contact",
    "backup_config",
    "order",
    "note",
    "wallet_subaccount",
];

pub(super) fn scope_exists(scope: &str) -> bool {
    scope == "tracking_number" || PAIRED_SCOPES.contains(&scope.strip_suffix("-read_only").unwrap_or(scope))
}

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Needed {
    pub(super) scope: &'static str,
    pub(super) write: bool,
}

impl Needed {
    pub(super) fn met_by(self, scopes: &TokenScopes) -> bool {
        let has = |wanted: &str| match scopes {
            TokenScopes::All => true,
            TokenScopes::Only(scopes) => scopes.contains(wanted),
        };
        has(self.scope) || (!self.write && has(&format!("{}-read_only", self.scope)))
    }
}

/// Why a credential was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NoCredential,
    UnknownToken,
    MissingScope(String),
    Expired,
}

/// The order of the checks is the vendor's: a token that is expired *and* lacks the scope gets the 403.
pub(super) fn check<'t>(
    token: Option<&'t Token>,
    needed: &[Needed],
    now_ms: u64,
) -> Result<&'t Token, Refusal> {
    let token = token.ok_or(Refusal::UnknownToken)?;
    if !needed.iter().any(|needed| needed.met_by(&token.scopes)) {
        return Err(Refusal::MissingScope(needed.first().map_or("", |needed| needed.scope).to_owned()));
    }
    if token.expires_at_ms.is_some_and(|expiry| expiry <= now_ms) {
        return Err(Refusal::Expired);
    }
    Ok(token)
}

/// The token of a call: the header wins over `bearer_token` in the query, which wins over a form field.
///
/// Own choice: an `Authorization` header of another kind, or an empty one, counts as none.
pub(super) fn credential(call: &Parts, body: &[u8]) -> Option<String> {
    let header = call.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some((kind, token)) = header.and_then(|value| value.trim().split_once(char::is_whitespace))
        && kind.eq_ignore_ascii_case("bearer")
        && !token.trim().is_empty()
    {
        return Some(token.trim().to_owned());
    }
    let find = |form: &[u8]| {
        let mut pairs = url::form_urlencoded::parse(form);
        pairs
            .find(|(name, value)| name == "bearer_token" && !value.is_empty())
            .map(|(_, value)| value.into_owned())
    };
    let from_query = call.uri.query().and_then(|query| find(query.as_bytes()));
    from_query.or_else(|| if is_form(call) { find(body) } else { None })
}

pub(super) fn is_form(call: &Parts) -> bool {
    let content_type =
        call.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.trim_start().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
}

impl Refusal {
    fn error(&self) -> &'static str {
        match self {
            Self::NoCredential => "invalid_request",
            Self::UnknownToken | Self::Expired => "invalid_token",
            Self::MissingScope(_) => "insufficient_scope",
        }
    }

    fn description(&self) -> String {
        match self {
            Self::NoCredential => {
                "Request authentication failed, no authentication credentials provided.".to_owned()
            }
            Self::UnknownToken => "Token doesn't exist".to_owned(),
            Self::Expired => "Token is expired".to_owned(),
            Self::MissingScope(scope) => format!("Access token has insufficient scope: {scope}"),
        }
    }

    fn challenge(&self) -> String {
        let (error, description) = (self.error(), self.description());
        match self {
            Self::NoCredential => "Bearer realm=\"\"".to_owned(),
            Self::UnknownToken | Self::Expired => {
                format!("Bearer realm=\"\", error=\"{error}\", error_description=\"{description}\"")
            }
            // Own choice: how the scope is quoted, which the reference only hints at.
            Self::MissingScope(scope) => format!(
                "Bearer realm=\"\", error=\"{error}\", error_description=\"{description}\", scope=\"{scope}\""
            ),
        }
    }

    pub(super) fn answer(&self, dialect: ErrorDialect) -> Response {
        let status = match self {
            Self::MissingScope(_) => StatusCode::FORBIDDEN,
            _ => StatusCode::UNAUTHORIZED,
        };
        let body = match dialect {
            ErrorDialect::Oauth2app => {
                json!({ "error": self.error(), "error_description": self.description() })
            }
            // Own choice: the framework's stock sentences where it has some.
            ErrorDialect::Drf => match self {
                Self::NoCredential => json!({ "detail": "Authentication credentials were not provided." }),
                Self::MissingScope(_) => {
                    json!({ "detail": "You do not have permission to perform this action." })
                }
                _ => json!({ "detail": self.description() }),
            },
        };
        let mut response = answers::json(status, &body);
        answers::set_header(&mut response, WWW_AUTHENTICATE, &self.challenge());
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn call(uri: &str, authorization: Option<&str>, content_type: &str) -> Parts {
        let mut request = Request::builder().uri(uri).header(CONTENT_TYPE, content_type);
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn where_the_token_is_taken_from() {
        let form = "application/x-www-form-urlencoded";
        let table = [
            ("/?bearer_token=q", Some("Bearer h"), "", "", Some("h")),
            ("/", Some("bEaReR  h "), "", "", Some("h")),
            ("/?bearer_token=q", None, "", "", Some("q")),
            ("/?bearer_token=q", Some("Basic abc"), "", "", Some("q")),
            ("/", None, form, "bearer_token=f", Some("f")),
            ("/", None, "application/json", "bearer_token=f", None),
            ("/", Some("Bearer "), "", "", None),
            ("/", None, "", "", None),
        ];
        for (uri, header, content_type, body, expected) in table {
            let found = credential(&call(uri, header, content_type), body.as_bytes());
            assert_eq!(found.as_deref(), expected, "{uri} {header:?} {content_type} {body}");
        }
    }

    #[test]
    fn scopes_that_exist() {
        for scope in ["contact", "contact-read_only", "order", "tracking_number"] {
            assert!(scope_exists(scope), "{scope}");
        }
        for scope in ["contacts", "tracking_number-read_only", "contact-read_only-read_only", ""] {
            assert!(!scope_exists(scope), "{scope}");
        }
    }
}
