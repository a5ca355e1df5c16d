//! Credentials: who is calling, and what may they.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::envelope::Failure;
use super::fixtures::BRAND_ADMIN_TYPE;
use super::knobs::{BrandAdministrators, ForeignApiToken, Knobs, Refusal};
use super::scopes;
use super::state::{State, Token, TokenKind};

/// What a call shows to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credential {
    pub(super) kind: TokenKind,
    pub(super) token: String,
}

/// Somebody who was let in.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) user: String,
    brand_administrator: bool,
    /// `None`: all of them.
    scopes: Option<BTreeSet<String>>,
    /// The data centre the call should have gone to.
    pub(super) proxied_for: Option<String>,
}

/// Own choice: with both headers the bearer token counts; an `Authorization` header of another kind, or an
/// empty one, counts as none.
pub(super) fn credential(call: &Parts) -> Option<Credential> {
    let header = |name| call.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some((kind, token)) = header(AUTHORIZATION.as_str()).and_then(|value| value.split_once(' '))
        && kind.eq_ignore_ascii_case("bearer")
        && !token.trim().is_empty()
    {
        return Some(Credential { kind: TokenKind::Bearer, token: token.trim().to_owned() });
    }
    let token = header("x-api-token").filter(|token| !token.is_empty())?;
    Some(Credential { kind: TokenKind::Api, token: token.to_owned() })
}

pub(super) fn no_credential() -> Failure {
    let message = "Expected authorization in headers, but none provided.";
    Failure::new(StatusCode::BAD_REQUEST, "ATP_2", message)
}

/// An unknown or expired bearer token.
pub(super) fn invalid_client() -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, "AUTH_6.0", "invalid_client")
}

/// An unknown `X-API-TOKEN`, or a bearer token of another data centre.
fn unrecognized() -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, "DCD_7", "Unrecognized X-API-TOKEN.").anonymous()
}

/// Own choice: no code is known for this, so it has none.
pub(super) fn missing_scope(scope: &str, knobs: &Knobs) -> Failure {
    let message = format!("The access token does not have the scope {scope}.");
    Failure::without_code(knobs.missing_scope.status(), message)
}

pub(super) fn forbidden() -> Failure {
    Failure::new(StatusCode::FORBIDDEN, "QMST_2.1", "The requested operation is forbidden.")
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
        }
    }
}

/// Own choice: the token of a user who is deleted is as good as none.
pub(super) fn check(state: &State, credential: &Credential, now_ms: u64) -> Result<Caller, Failure> {
    let token = state.tokens.get(&credential.token).filter(|token| token.kind == credential.kind);
    let unknown = || match credential.kind {
        TokenKind::Bearer => invalid_client(),
        TokenKind::Api => unrecognized(),
    };
    let token = token.ok_or_else(unknown)?;
    let knobs = &state.knobs;
    let foreign = token.datacenter != knobs.datacenter;
    if foreign && (token.kind == TokenKind::Bearer || knobs.foreign_api_token == ForeignApiToken::Refused) {
        return Err(unrecognized());
    }
    if token.is_expired(now_ms) {
        return Err(unknown());
    }
    let user = state.user(&token.user).ok_or_else(unknown)?;
    Ok(Caller {
        user: user.id.clone(),
        brand_administrator: match knobs.brand_administrators {
            BrandAdministrators::ByUser => user.user_type == BRAND_ADMIN_TYPE,
            BrandAdministrators::Nobody => false,
            BrandAdministrators::Everybody => true,
        },
        scopes: (token.kind == TokenKind::Bearer).then(|| token.scopes.clone()),
        proxied_for: foreign.then(|| token.datacenter.clone()),
    })
}

impl Token {
    pub(super) fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_at_ms.is_some_and(|expiry| expiry <= now_ms)
    }
}

impl Caller {
    pub(super) fn may(&self, scope: Option<&str>, knobs: &Knobs) -> Result<(), Failure> {
        match (scope, &self.scopes) {
            (Some(needed), Some(granted)) if !scopes::cover(granted, needed) => {
                Err(missing_scope(needed, knobs))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn must_be_brand_administrator(&self) -> Result<(), Failure> {
        if self.brand_administrator { Ok(()) } else { Err(forbidden()) }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn where_the_token_is_taken_from() {
        let table = [
            (Some("Bearer b"), Some("x"), Some((TokenKind::Bearer, "b"))),
            (Some("bEARER  b "), None, Some((TokenKind::Bearer, "b"))),
            (Some("Basic b"), Some("x"), Some((TokenKind::Api, "x"))),
            (Some("Bearer "), None, None),
            (None, Some(" "), None),
            (None, None, None),
        ];
        for (authorization, api_token, expected) in table {
            let mut request = Request::builder();
            for (name, value) in [("authorization", authorization), ("x-api-token", api_token)] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
            let found = credential(&request.body(()).unwrap().into_parts().0);
            let found = found.as_ref().map(|found| (found.kind, found.token.as_str()));
            assert_eq!(found, expected, "{authorization:?} {api_token:?}");
        }
    }
}
