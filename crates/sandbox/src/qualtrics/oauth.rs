//! The token endpoint, which does not live below `/API/v3`.

use std::collections::BTreeSet;

use axum::extract::{Extension, State as Shared};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::envelope::{Failure, Meta};
use super::knobs::{ExcessScope, OmittedScope, TokenErrors};
use super::state::{Client, State, Token, TokenKind};
use super::{Qualtrics, base64, ids, routes};
use crate::answers;
use crate::calls::CallHandle;

pub(super) const TOKEN_PATH: &str = "/oauth2/token";
const GRANT: &str = "client_credentials";

/// A refusal in the words of RFC 6749.
#[derive(Debug)]
struct Denied {
    error: &'static str,
    description: String,
}

fn denied(error: &'static str, description: impl Into<String>) -> Denied {
    Denied { error, description: description.into() }
}

pub(super) async fn token(
    Shared(qualtrics): Shared<Qualtrics>,
    Extension(handle): Extension<CallHandle>,
    call: Parts,
    body: Bytes,
) -> Response {
    let now_ms = qualtrics.0.clock.now_ms();
    let mut guard = qualtrics.state();
    let state = &mut *guard;
    let meta = state.meta();
    if call.method != Method::POST {
        return routes::no_route(&meta);
    }
    if let Err(failure) = routes::check_length(&call) {
        return failure.answer(&meta);
    }
    let mut response = match issue(state, &call, &body, now_ms) {
        Ok(token) => {
            handle.took_effect();
            answers::json(StatusCode::OK, &token)
        }
        Err(denied) => denied.answer(state.knobs.token_errors, &meta),
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Denied {
    fn answer(&self, shape: TokenErrors, meta: &Meta) -> Response {
        let status = match self.error {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        };
        let mut response = match shape {
            TokenErrors::Plain => {
                let body = json!({"error": self.error, "error_description": self.description});
                answers::json(status, &body)
            }
            // Own choice: the one code that is known to go with this message.
            TokenErrors::Envelope if self.error == "invalid_client" => {
                super::auth::invalid_client().answer(meta)
            }
            TokenErrors::Envelope => Failure::without_code(status, self.error).answer(meta),
        };
        if status == StatusCode::UNAUTHORIZED {
            answers::set_header(&mut response, WWW_AUTHENTICATE, "Basic");
        }
        response
    }
}

fn issue(state: &mut State, call: &Parts, body: &[u8], now_ms: u64) -> Result<Value, Denied> {
    let content_type = call.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // Own choice: a body of another type is not read, so everything in it is missing.
    let is_form = content_type.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let form = if is_form { body } else { b"" };
    let given = |name: &str| {
        let mut pairs = form_urlencoded::parse(form);
        pairs.find(|(found, value)| found == name && !value.is_empty()).map(|(_, value)| value.into_owned())
    };
    let from_form = || Some((given("client_id")?, given("client_secret")?));
    let credentials = basic(call).or_else(|| if state.knobs.form_credentials { from_form() } else { None });
    let failed = || denied("invalid_client", "Client authentication failed.");
    let (client_id, secret) = credentials.ok_or_else(failed)?;
    let client = state.clients.get(&client_id).filter(|client| client.secret == secret);
    let client = client.filter(|client| state.user(&client.user).is_some()).ok_or_else(failed)?.clone();

    let grant = given("grant_type").ok_or_else(|| denied("invalid_request", "grant_type is missing."))?;
    if grant != GRANT {
        return Err(denied("unsupported_grant_type", format!("The grant type {grant} is not supported.")));
    }
    if !client.grants.contains(&grant) {
        return Err(denied("unauthorized_client", "The client may not use this grant type."));
    }
    let scopes = grant_scopes(&client, given("scope").as_deref(), state)?;

    // Expired tokens are answered as unknown ones, so nobody misses them.
    state.tokens.retain(|_, token| token.kind == TokenKind::Api || !token.is_expired(now_ms));
    let access_token = ids::uuid(&mut state.random);
    let seconds = state.knobs.token_seconds;
    let told: Vec<_> = scopes.iter().map(String::as_str).collect();
    let answer = json!({
        "access_token": access_token,
        "token_type": state.knobs.token_type,
        "expires_in": seconds,
        "scope": told.join(" "),
    });
    let token = Token {
        kind: TokenKind::Bearer,
        client: Some(client_id),
        user: client.user,
        scopes,
        expires_at_ms: Some(now_ms.saturating_add(seconds.saturating_mul(1000))),
        datacenter: client.datacenter.unwrap_or_else(|| state.knobs.datacenter.clone()),
    };
    state.tokens.insert(access_token, token);
    Ok(answer)
}

fn grant_scopes(client: &Client, asked: Option<&str>, state: &State) -> Result<BTreeSet<String>, Denied> {
    let asked: BTreeSet<&str> = asked.unwrap_or_default().split_whitespace().collect();
    if asked.is_empty() {
        return Ok(match state.knobs.omitted_scope {
            OmittedScope::All => client.scopes.clone(),
            OmittedScope::Nothing => BTreeSet::new(),
        });
    }
    let (granted, excess): (BTreeSet<_>, BTreeSet<_>) =
        asked.into_iter().partition(|scope| client.scopes.contains(*scope));
    if state.knobs.excess_scope == ExcessScope::Refused && !excess.is_empty() {
        let excess: Vec<_> = excess.into_iter().collect();
        return Err(denied("invalid_scope", format!("Not allowed for this client: {}", excess.join(" "))));
    }
    Ok(granted.into_iter().map(str::to_owned).collect())
}

/// Id and secret of an `Authorization: Basic` header.
fn basic(call: &Parts) -> Option<(String, String)> {
    let header = call.headers.get(AUTHORIZATION)?.to_str().ok()?.trim();
    let (kind, encoded) = header.split_once(' ')?;
    let decoded = String::from_utf8(base64::decode(encoded.trim())?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    kind.eq_ignore_ascii_case("basic").then(|| (id.to_owned(), secret.to_owned()))
}
