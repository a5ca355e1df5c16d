//! The routes, and what every API call goes through before it reaches its resource: route, length of the
//! body, credential, limit, scope, Brand Administrator. That order is the reference's.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Path, State as Shared};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::auth::{self, Caller};
use super::email::is_plausible;
use super::envelope::{self, Failure, Meta};
use super::knobs::Knobs;
use super::state::State;
use super::{Qualtrics, contacts, customer_data, erasure, lists, oauth, users};
use crate::answers;
use crate::calls::CallHandle;

const BASE: &str = "/API/v3";

/// What an endpoint needs.
#[derive(Clone, Copy, Debug)]
enum Scope {
    Always(&'static str),
    /// As [`Knobs::whoami_scope`] says.
    Whoami,
}

/// A method on a route template.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoint {
    /// Method and template below the base, which is also its name among the limits.
    pub(super) name: &'static str,
    per_minute: u32,
    scope: Scope,
    brand_administrators_only: bool,
    run: fn(&mut State, &Call<'_>) -> Outcome,
}

/// An endpoint for everybody with the scope.
const fn open(
    name: &'static str,
    per_minute: u32,
    scope: &'static str,
    run: fn(&mut State, &Call<'_>) -> Outcome,
) -> Endpoint {
    Endpoint { name, per_minute, scope: Scope::Always(scope), brand_administrators_only: false, run }
}

/// An endpoint for Brand Administrators with the scope.
const fn closed(
    name: &'static str,
    per_minute: u32,
    scope: &'static str,
    run: fn(&mut State, &Call<'_>) -> Outcome,
) -> Endpoint {
    Endpoint { name, per_minute, scope: Scope::Always(scope), brand_administrators_only: true, run }
}

const WHOAMI: Endpoint = Endpoint {
    name: "GET /whoami",
    per_minute: 3000,
    scope: Scope::Whoami,
    brand_administrators_only: false,
    run: users::whoami,
};

const ERASE: &str = "manage:erasure_requests";
const DATA: &str = "manage:customer_data_requests";
const READ: &str = "read:directory_contacts";
/// Own choice for creating and changing as well as deleting.
const WRITE: &str = "manage:directory_contacts";

#[rustfmt::skip]
static ENDPOINTS: [Endpoint; 21] = [
    WHOAMI,
    closed("POST /op-erase-personal-data", 20, ERASE, erasure::create),
    closed("GET /op-erase-personal-data", 20, ERASE, erasure::list),
    closed("GET /op-erase-personal-data/{request}", 20, ERASE, erasure::get),
    closed("POST /customer-data-requests", 100, DATA, customer_data::create),
    closed("GET /customer-data-requests/{request}", 100, DATA, customer_data::progress),
    closed("GET /customer-data-requests/{request}/files/{file}", 100, DATA, customer_data::file),
    open("GET /directories", 3000, "read:directories", contacts::list_directories),
    open("GET /directories/{directory}/contacts", 3000, READ, contacts::list),
    open("POST /directories/{directory}/contacts", 500, WRITE, contacts::create),
    open("POST /directories/{directory}/contacts/search", 500, READ, contacts::search),
    open("GET /directories/{directory}/contacts/{contact}", 3000, READ, contacts::get),
    open("PUT /directories/{directory}/contacts/{contact}", 500, WRITE, contacts::update),
    open("DELETE /directories/{directory}/contacts/{contact}", 500, WRITE, contacts::delete),
    open("GET /directories/{directory}/contacts/{contact}/history", 3000, READ, contacts::history),
    open("GET /directories/{directory}/mailinglists", 3000, "read:mailing_lists", lists::list),
    open("GET /directories/{directory}/mailinglists/{list}/contacts", 3000, "read:mailing_list_contacts", lists::list_contacts),
    open("GET /directories/{directory}/mailinglists/{list}/contacts/{contact}", 3000, "read:mailing_list_contacts", lists::get_contact),
    open("DELETE /directories/{directory}/mailinglists/{list}/contacts/{contact}", 500, "manage:mailing_list_contacts", lists::delete_contact),
    open("GET /users", 3000, "read:users", users::list),
    open("GET /users/{user}", 3000, "read:users", users::get),
];

impl Endpoint {
    fn method_and_path(&self) -> (&'static str, &'static str) {
        self.name.split_once(' ').unwrap_or(("GET", self.name))
    }

    /// The endpoint of a method and a full route template.
    pub(super) fn find(method: &Method, template: &str) -> Option<&'static Self> {
        let path = template.strip_prefix(BASE)?;
        ENDPOINTS.iter().find(|endpoint| endpoint.method_and_path() == (method.as_str(), path))
    }

    pub(super) fn exists(name: &str) -> bool {
        ENDPOINTS.iter().any(|endpoint| endpoint.name == name)
    }

    fn limit(&self, knobs: &Knobs) -> Option<u32> {
        knobs.endpoint_limits.get(self.name).copied().unwrap_or(Some(self.per_minute))
    }
}

/// The ids in a path; those its route does not have are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Keys {
    pub(super) request: String,
    pub(super) file: String,
    pub(super) directory: String,
    pub(super) contact: String,
    pub(super) list: String,
    pub(super) user: String,
}

/// A call that may go ahead.
pub(super) struct Call<'a> {
    pub(super) parts: &'a Parts,
    pub(super) body: &'a [u8],
    pub(super) keys: &'a Keys,
    pub(super) handle: &'a CallHandle,
    pub(super) caller: &'a Caller,
    pub(super) now_ms: u64,
}

/// What an endpoint answers.
pub(super) enum Answer {
    Result(Value),
    /// An envelope without a result.
    MetaOnly,
    /// Bytes without an envelope, with their content type.
    File(&'static str, Bytes),
}

pub(super) type Outcome = Result<Answer, Failure>;

impl Call<'_> {
    /// The body as a JSON object. Own choice: without a content type it is taken for JSON.
    pub(super) fn json(&self) -> Result<Value, Failure> {
        let content_type =
            self.parts.headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
        if content_type.is_some_and(|kind| !kind.to_ascii_lowercase().starts_with("application/json")) {
            let message = "The request body must be application/json.";
            return Err(Failure::without_code(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        let body = serde_json::from_slice(self.body).ok().filter(Value::is_object);
        body.ok_or_else(|| Failure::bad_request("The request body must be a JSON object."))
    }

    /// A field with one or more emails.
    pub(super) fn emails(&self, body: &Value, field: &str, at_most: usize) -> Result<Vec<String>, Failure> {
        let invalid = |problem: &str| Failure::bad_request(format!("{field} {problem}"));
        let given = match body.get(field) {
            Some(Value::Array(given)) => given.as_slice(),
            Some(one @ Value::String(_)) => std::slice::from_ref(one),
            _ => return Err(invalid("must be an array of emails.")),
        };
        if given.is_empty() || given.len() > at_most {
            return Err(invalid(&format!("must hold 1 to {at_most} emails.")));
        }
        let email = |value: &Value| value.as_str().filter(|email| is_plausible(email)).map(str::to_owned);
        given
            .iter()
            .map(email)
            .collect::<Option<_>>()
            .ok_or_else(|| invalid("holds something else than emails."))
    }
}

pub(super) fn router(qualtrics: Qualtrics) -> Router {
    let templates: BTreeSet<&str> = ENDPOINTS.iter().map(|endpoint| endpoint.method_and_path().1).collect();
    let mut router = Router::new().route(oauth::TOKEN_PATH, any(oauth::token));
    for template in templates {
        let template = format!("{BASE}{template}");
        router = router.route(
            &template.clone(),
            any(
                async move |Shared(qualtrics): Shared<Qualtrics>,
                            Path(keys): Path<Keys>,
                            Extension(handle): Extension<CallHandle>,
                            parts: Parts,
                            body: Bytes| {
                    qualtrics.answer(Endpoint::find(&parts.method, &template), &keys, &handle, &parts, &body)
                },
            ),
        );
    }
    let fallback = async |Shared(qualtrics): Shared<Qualtrics>| no_route(&qualtrics.state().meta());
    router.fallback(fallback).with_state(qualtrics)
}

/// Own choice: a method a path does not have is an unknown route as well.
pub(super) fn no_route(meta: &Meta) -> Response {
    let message = "The requested resource does not exist.";
    Failure::without_code(StatusCode::NOT_FOUND, message).answer(meta)
}

/// Own choice: a chunked body has no length either.
pub(super) fn check_length(parts: &Parts) -> Result<(), Failure> {
    if parts.method == Method::POST && !parts.headers.contains_key(CONTENT_LENGTH) {
        return Err(Failure::without_code(StatusCode::LENGTH_REQUIRED, "Length Required"));
    }
    Ok(())
}

impl State {
    pub(super) fn meta(&mut self) -> Meta {
        Meta::new(&mut self.random, &self.knobs)
    }
}

impl Qualtrics {
    fn answer(
        &self,
        endpoint: Option<&Endpoint>,
        keys: &Keys,
        handle: &CallHandle,
        parts: &Parts,
        body: &[u8],
    ) -> Response {
        let now_ms = self.0.clock.now_ms();
        let mut guard = self.state();
        let state = &mut *guard;
        state.settle(now_ms);
        let meta = state.meta();
        let Some(endpoint) = endpoint else { return no_route(&meta) };
        let caller = match identify(state, parts, now_ms) {
            Ok(caller) => caller,
            Err(failure) => return failure.answer(&meta),
        };
        if state.knobs.limits_enforced {
            let (limit, brand_limit) = (endpoint.limit(&state.knobs), state.knobs.brand_per_minute);
            if let Err(too_many) = state.limits.admit(endpoint.name, limit, brand_limit, now_ms) {
                return too_many.answer(&meta, state.knobs.rate_limit_headers, now_ms);
            }
        }
        let call = Call { parts, body, keys, handle, caller: &caller, now_ms };
        let outcome = permit(endpoint, &caller, &state.knobs).and_then(|()| (endpoint.run)(state, &call));
        let meta = match &caller.proxied_for {
            Some(datacenter) => meta.with_notice(format!(
                "Request proxied. For faster response times, use this host instead: {datacenter}.qualtrics.com"
            )),
            None => meta,
        };
        match outcome {
            Ok(Answer::Result(result)) => envelope::success(Some(result), &meta),
            Ok(Answer::MetaOnly) => envelope::success(None, &meta),
            Ok(Answer::File(kind, bytes)) => answers::with_type(StatusCode::OK, kind, Body::from(bytes)),
            Err(failure) => failure.answer(&meta),
        }
    }
}

fn identify(state: &State, parts: &Parts, now_ms: u64) -> Result<Caller, Failure> {
    check_length(parts)?;
    let credential = auth::credential(parts).ok_or_else(auth::no_credential)?;
    auth::check(state, &credential, now_ms)
}

fn permit(endpoint: &Endpoint, caller: &Caller, knobs: &Knobs) -> Result<(), Failure> {
    let scope = match endpoint.scope {
        Scope::Always(scope) => Some(scope),
        Scope::Whoami => knobs.whoami_scope.as_deref(),
    };
    caller.may(scope, knobs)?;
    if endpoint.brand_administrators_only { caller.must_be_brand_administrator() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qualtrics::scopes;

    #[test]
    fn every_endpoint_can_be_found_and_asks_for_a_scope_that_exists() {
        for endpoint in &ENDPOINTS {
            let (method, path) = endpoint.method_and_path();
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let found = Endpoint::find(&method, &format!("{BASE}{path}")).unwrap();
            assert_eq!(found.name, endpoint.name);
            if let Scope::Always(scope) = endpoint.scope {
                assert!(scopes::exists(scope), "{scope}");
            }
        }
        assert!(Endpoint::find(&Method::DELETE, "/API/v3/users").is_none());
    }
}
