//! The OAuth2 endpoints, which still live below `/api/v1/`.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{Extension, State as Shared};
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use url::{Url, form_urlencoded};

use super::ReadyCloud;
use super::auth::{is_form, scope_exists};
use super::fixtures::STOCK_REDIRECT;
use super::knobs::Consent;
use super::paging::{origin, parameter};
use super::routes::not_allowed;
use super::state::{Client, Code, State, Token, TokenScopes};
use crate::answers;
use crate::calls::CallHandle;

pub(super) const TOKEN_PATH: &str = "/api/v1/oauth2/token/";
const AUTHORIZE_PATH: &str = "/api/v1/oauth2/authorize";
/// The registered stock value; here it means the simulator's own page of that path.
const VENDOR_STOCK_REDIRECT: &str = "https://www.readycloud.com/api/v1/oauth2/auth_code";
/// Tokens live a year.
const TOKEN_SECONDS: u64 = 31_536_000;
const CODE_SECONDS: u64 = 120;

pub(super) fn router() -> Router<ReadyCloud> {
    Router::new()
        .route(AUTHORIZE_PATH, any(authorize))
        .route(STOCK_REDIRECT, any(redirect_page))
        .route(TOKEN_PATH, any(token))
}

/// What an endpoint says when it refuses.
#[derive(Debug)]
struct Failure {
    error: &'static str,
    description: String,
}

fn failure(error: &'static str, description: impl Into<String>) -> Failure {
    Failure { error, description: description.into() }
}

async fn authorize(
    Shared(readycloud): Shared<ReadyCloud>,
    Extension(handle): Extension<CallHandle>,
    call: Parts,
) -> Response {
    if call.method != Method::GET {
        return not_allowed(&call.method, &[Method::GET]);
    }
    let now_ms = readycloud.0.clock.now_ms();
    let mut state = readycloud.state();
    let given = |name| parameter(&call, name).filter(|value| !value.is_empty());
    let client_id = given("client_id").unwrap_or_default();
    let client = state.clients.get(client_id.as_str()).cloned();
    let redirect = redirect_target(&call, client.as_ref(), given("redirect_uri").as_deref());

    let consent = match given("sandbox_consent").as_deref() {
        Some("allow") => Consent::Allow,
        Some("deny") => Consent::Deny,
        Some("ask") => Consent::Ask,
        _ => state.knobs.consent,
    };
    let checked = check_authorize(&call, &client_id, client.as_ref(), redirect.as_ref());
    let (grant, target) = match (checked, consent) {
        (Ok(_), Consent::Ask) => return consent_page(&call, client.as_ref()),
        (Ok(_), Consent::Deny) => (Err(failure("access_denied", "Access denied.")), redirect),
        (Ok(grant), Consent::Allow) => (Ok(grant), redirect),
        // A redirect address that does not match is not usable: the registered one hears of it.
        (Err(failure), _) => {
            let fallback = || redirect_target(&call, client.as_ref(), None).ok();
            (Err(failure), redirect.or_else(|mismatch| fallback().ok_or(mismatch)))
        }
    };
    let Ok(mut target) = target else { return answers::error_page(StatusCode::INTERNAL_SERVER_ERROR) };

    let implicit = given("response_type").as_deref() == Some("token");
    let (mut query, mut fragment) = (Pairs::new(), Pairs::new());
    match grant {
        Ok(grant) if implicit => {
            let (access, refresh) = issue(&mut state, &client_id, &grant.scopes, now_ms);
            let user = client.as_ref().map_or("", |client| client.user);
            fragment.extend([("access_token", access), ("expires_in", TOKEN_SECONDS.to_string())]);
            fragment.extend([("token_type", "bearer".to_owned()), ("user", user.to_owned())]);
            fragment.extend(grant.scope.map(|scope| ("scope", scope)));
            fragment.push(("refresh_token", refresh));
            query.extend(given("state").map(|value| ("state", value)));
            handle.took_effect();
        }
        Ok(grant) => {
            let code = state.random.hex(30);
            let expires_at_ms = now_ms.saturating_add(CODE_SECONDS * 1000);
            state.codes.retain(|_, code| code.expires_at_ms.saturating_add(3_600_000) > now_ms);
            let redirect_uri = target.to_string();
            let made = Code { client: client_id, redirect_uri, scope: grant.scope, expires_at_ms };
            state.codes.insert(code.clone(), made);
            query.push(("code", code));
            query.extend(given("state").map(|value| ("state", value)));
            handle.took_effect();
        }
        Err(failure) => {
            let name = client.as_ref().map_or("", |client| client.name);
            let told = if implicit { &mut fragment } else { &mut query };
            told.extend([("error", failure.error.to_owned()), ("error_description", failure.description)]);
            told.push(("app_name", name.to_owned()));
            told.extend(given("state").map(|value| ("state", value)));
        }
    }
    if !query.is_empty() {
        target.query_pairs_mut().extend_pairs(query);
    }
    if !fragment.is_empty() {
        let fragment = form_urlencoded::Serializer::new(String::new()).extend_pairs(fragment).finish();
        target.set_fragment(Some(&fragment));
    }
    let mut response = StatusCode::FOUND.into_response();
    answers::set_header(&mut response, LOCATION, target.as_str());
    response
}

type Pairs = Vec<(&'static str, String)>;

/// What the user is asked to grant.
struct Grant {
    scopes: TokenScopes,
    /// As it was asked for, to be told again.
    scope: Option<String>,
}

fn check_authorize(
    call: &Parts,
    client_id: &str,
    client: Option<&Client>,
    redirect: Result<&Url, &Failure>,
) -> Result<Grant, Failure> {
    if client_id.is_empty() {
        return Err(failure("invalid_request", "No client_id"));
    }
    let Some(client) = client else {
        return Err(failure("invalid_client", format!("client_id {client_id} doesn't exist")));
    };
    if let Err(mismatch) = redirect {
        return Err(failure(mismatch.error, mismatch.description.clone()));
    }
    match parameter(call, "response_type").filter(|kind| !kind.is_empty()).as_deref() {
        None => return Err(failure("invalid_request", "response_type is a required parameter.")),
        Some(kind @ ("token" | "code")) if !client.response_types.contains(&kind) => {
            return Err(failure("unauthorized_client", format!("Response type {kind} not allowed.")));
        }
        Some("token" | "code") => {}
        Some(other) => return Err(failure("invalid_request", format!("No such response type {other}"))),
    }
    let scope = parameter(call, "scope").filter(|scope| !scope.trim().is_empty());
    let scopes = read_scopes(scope.as_deref()).map_err(|unknown| {
        failure("invalid_scope", format!("The following scopes do not exist: {}", unknown.join(", ")))
    })?;
    Ok(Grant { scopes, scope })
}

/// Scopes of a space-separated list, all of them when there is none; or those that do not exist.
fn read_scopes(scope: Option<&str>) -> Result<TokenScopes, Vec<String>> {
    let Some(scope) = scope else { return Ok(TokenScopes::All) };
    let scopes: BTreeSet<String> = scope.split_whitespace().map(str::to_owned).collect();
    let unknown: Vec<_> = scopes.iter().filter(|scope| !scope_exists(scope)).cloned().collect();
    if unknown.is_empty() { Ok(TokenScopes::Only(scopes)) } else { Err(unknown) }
}

/// Where the browser is sent: the address that was given if it is registered, else the first registered one.
///
/// Own choice: for an unknown client any readable address is usable, which only ever carries an error.
fn redirect_target(call: &Parts, client: Option<&Client>, given: Option<&str>) -> Result<Url, Failure> {
    let mismatch =
        || failure("invalid_request", "Registered redirect_uri doesn't match provided redirect_uri.");
    let own = |registered: &str| {
        if registered == STOCK_REDIRECT {
            format!("{}{STOCK_REDIRECT}", origin(call))
        } else {
            registered.to_owned()
        }
    };
    let given = given
        .map(|given| if given == VENDOR_STOCK_REDIRECT { own(STOCK_REDIRECT) } else { given.to_owned() });
    let given = given.map(|given| Url::parse(&given).map_err(|_| mismatch())).transpose()?;
    let Some(client) = client else { return given.ok_or_else(mismatch) };
    let mut registered = client.redirect_uris.iter().filter_map(|uri| Url::parse(&own(uri)).ok());
    match given {
        None => registered.next().ok_or_else(mismatch),
        Some(given) => {
            let place = |url: &Url| (url.origin(), url.path().to_owned());
            if registered.any(|uri| place(&uri) == place(&given)) { Ok(given) } else { Err(mismatch()) }
        }
    }
}

fn issue(state: &mut State, client: &str, scopes: &TokenScopes, now_ms: u64) -> (String, String) {
    let (access, refresh) = (state.random.hex(32), state.random.hex(32));
    let token = Token {
        client: client.to_owned(),
        scopes: scopes.clone(),
        expires_at_ms: Some(now_ms.saturating_add(TOKEN_SECONDS * 1000)),
        refresh_token: Some(refresh.clone()),
        refreshable: true,
        orgs: None,
    };
    state.tokens.insert(access.clone(), token);
    (access, refresh)
}

fn consent_page(call: &Parts, client: Option<&Client>) -> Response {
    let link = |answer: &str| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(call.uri.query().unwrap_or_default().as_bytes()) {
            if name != "sandbox_consent" {
                query.append_pair(&name, &value);
            }
        }
        query.append_pair("sandbox_consent", answer);
        // What the serializer writes needs no further escaping in HTML but for the ampersand.
        format!("{AUTHORIZE_PATH}?{}", query.finish().replace('&', "&amp;"))
    };
    let page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><title>Allow access?</title></head><body>\n\
         <h1>{} wants to access your account</h1>\n\
         <p><a href=\"{}\">Allow Access</a> <a href=\"{}\">Deny</a></p>\n</body></html>\n",
        client.map_or("", |client| client.name),
        link("allow"),
        link("deny"),
    );
    answers::html(StatusCode::OK, page)
}

/// Where the stock redirect address leads: the user copies the address of this page.
async fn redirect_page() -> Response {
    answers::html(
        StatusCode::OK,
        "<!doctype html>\n<html lang=\"en\"><head><title>Authorised</title></head><body>\n\
         <h1>Access was allowed or denied</h1>\n<p>Copy the address of this page.</p>\n</body></html>\n",
    )
}

async fn token(
    Shared(readycloud): Shared<ReadyCloud>,
    Extension(handle): Extension<CallHandle>,
    call: Parts,
    body: Bytes,
) -> Response {
    if call.method != Method::POST {
        return not_allowed(&call.method, &[Method::POST]);
    }
    let now_ms = readycloud.0.clock.now_ms();
    let form = if is_form(&call) { body } else { Bytes::new() };
    let given = |name: &str| {
        let mut pairs = form_urlencoded::parse(&form);
        pairs.find(|(found, value)| found == name && !value.is_empty()).map(|(_, value)| value.into_owned())
    };
    let answer = exchange(&mut readycloud.state(), now_ms, &given);
    let (status, value) = match answer {
        Ok(value) => {
            handle.took_effect();
            (StatusCode::OK, value)
        }
        Err(failure) => {
            let client = failure.error == "invalid_client";
            let status = if client { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
            (status, json!({"error": failure.error, "error_description": failure.description}))
        }
    };
    let mut response = match given("callback").or_else(|| parameter(&call, "callback")) {
        // With `callback` even a refusal comes as a script with status 200.
        Some(name) => {
            answers::with_type(StatusCode::OK, "text/javascript", format!("{name}({value});").into())
        }
        None => answers::json(status, &value),
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn exchange(
    state: &mut State,
    now_ms: u64,
    given: &dyn Fn(&str) -> Option<String>,
) -> Result<Value, Failure> {
    let grant_type =
        given("grant_type").ok_or_else(|| failure("invalid_request", "No grant_type provided."))?;
    // Own choice: of the grants the library knows, only those that follow a person's consent are enabled.
    if !matches!(grant_type.as_str(), "authorization_code" | "refresh_token") {
        return Err(failure("unsupported_grant_type", format!("No grant type: {grant_type}")));
    }
    let client_id = given("client_id").ok_or_else(|| failure("invalid_request", "No client_id"))?;
    let client = state.clients.get(client_id.as_str());
    let client =
        client.ok_or_else(|| failure("invalid_client", format!("client_id {client_id} doesn't exist")))?;
    if given("client_secret").as_deref() != Some(client.secret) {
        return Err(failure("invalid_client", "Client authentication failed."));
    }
    if grant_type == "refresh_token" {
        refresh(state, now_ms, &client_id, given)
    } else {
        exchange_code(state, now_ms, &client_id, given)
    }
}

fn exchange_code(
    state: &mut State,
    now_ms: u64,
    client_id: &str,
    given: &dyn Fn(&str) -> Option<String>,
) -> Result<Value, Failure> {
    let name = given("code").unwrap_or_default();
    let no_such = || failure("invalid_request", format!("No such code: {name}"));
    let code = state.codes.get(&name).filter(|code| code.client == client_id).cloned().ok_or_else(no_such)?;
    if given("redirect_uri").is_some_and(|uri| uri != code.redirect_uri && uri != VENDOR_STOCK_REDIRECT) {
        return Err(failure("invalid_request", "redirect_uri doesn't match"));
    }
    // From here on the code is used up, whatever comes of it.
    state.codes.remove(&name);
    if code.expires_at_ms <= now_ms {
        return Err(failure("invalid_grant", "Provided code is expired"));
    }
    let scopes = read_scopes(code.scope.as_deref()).unwrap_or(TokenScopes::Only(BTreeSet::new()));
    let (access, refresh) = issue(state, client_id, &scopes, now_ms);
    Ok(token_answer(&access, Some(&refresh), given("scope").or(code.scope)))
}

/// The access token stays the same and lives on; the refresh token is replaced.
fn refresh(
    state: &mut State,
    now_ms: u64,
    client_id: &str,
    given: &dyn Fn(&str) -> Option<String>,
) -> Result<Value, Failure> {
    let old = given("refresh_token").ok_or_else(|| failure("invalid_request", "No refresh_token"))?;
    let new = state.random.hex(32);
    let mut tokens = state.tokens.iter_mut();
    let (access, token) = tokens
        .find(|(_, token)| token.client == client_id && token.refresh_token.as_ref() == Some(&old))
        .ok_or_else(|| failure("invalid_request", format!("No such refresh token: {old}")))?;
    if !token.refreshable {
        return Err(failure("invalid_grant", "Access token is not refreshable."));
    }
    let scope = given("scope");
    if let Some(scope) = &scope {
        let asked = read_scopes(Some(scope)).map_err(|unknown| {
            failure("invalid_scope", format!("Following access ranges doesn't exist: {}", unknown.join(", ")))
        })?;
        if let (TokenScopes::Only(asked), TokenScopes::Only(granted)) = (&asked, &token.scopes)
            && !asked.is_subset(granted)
        {
            let beyond: Vec<_> = asked.difference(granted).map(|scope| format!("'{scope}'")).collect();
            let beyond = format!("{{{}}}", beyond.join(", "));
            let description = format!("Refresh request requested scopes beyond initial grant: {beyond}");
            return Err(failure("invalid_scope", description));
        }
    }
    token.expires_at_ms = Some(now_ms.saturating_add(TOKEN_SECONDS * 1000));
    token.refresh_token = Some(new.clone());
    Ok(token_answer(access, Some(&new), scope))
}

fn token_answer(access: &str, refresh: Option<&str>, scope: Option<String>) -> Value {
    let mut answer = Map::new();
    answer.insert("access_token".to_owned(), access.into());
    answer.insert("expires_in".to_owned(), TOKEN_SECONDS.into());
    answer.insert("token_type".to_owned(), "bearer".into());
    answer.insert("refresh_token".to_owned(), refresh.into());
    if let Some(scope) = scope {
        answer.insert("scope".to_owned(), scope.into());
    }
    Value::Object(answer)
}
