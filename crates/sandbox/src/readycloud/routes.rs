//! The routes, and what every API call goes through before it reaches its resource: credential, scope,
//! expiry, limit, method. That order is the framework's.

use axum::Router;
use axum::extract::{Extension, Path, State as Shared};
use axum::http::header::{ALLOW, LOCATION};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::auth::{self, Needed, Refusal};
use super::knobs::{Knobs, SlashlessWrite};
use super::limits::{self, Class};
use super::state::{State, Token};
use super::{ReadyCloud, contacts, oauth, orders};
use crate::answers;
use crate::calls::CallHandle;

/// What a path of the API names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    Orgs,
    Org,
    Contacts,
    Contact,
    Addresses,
    Address,
    ContactOrders,
    Orders,
    Order,
}

const ROUTES: &[(&str, Resource)] = &[
    ("/api/v2/orgs/", Resource::Orgs),
    ("/api/v2/orgs/{org}/", Resource::Org),
    ("/api/v2/orgs/{org}/contacts/", Resource::Contacts),
    ("/api/v2/orgs/{org}/contacts/{contact}/", Resource::Contact),
    ("/api/v2/orgs/{org}/contacts/{contact}/addresses/", Resource::Addresses),
    ("/api/v2/orgs/{org}/contacts/{contact}/addresses/{address}/", Resource::Address),
    ("/api/v2/orgs/{org}/contacts/{contact}/orders/", Resource::ContactOrders),
    ("/api/v2/orgs/{org}/orders/", Resource::Orders),
    ("/api/v2/orgs/{org}/orders/{order}/", Resource::Order),
];

/// The keys in a path; those its route does not have are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Keys {
    pub(super) org: String,
    pub(super) contact: String,
    pub(super) address: String,
    pub(super) order: String,
}

/// A call that may go ahead.
pub(super) struct Call<'a> {
    pub(super) parts: &'a Parts,
    pub(super) body: &'a [u8],
    pub(super) keys: &'a Keys,
    pub(super) handle: &'a CallHandle,
    pub(super) knobs: Knobs,
    pub(super) now_ms: u64,
}

impl Resource {
    fn methods(self) -> &'static [Method] {
        match self {
            Self::Orgs | Self::Addresses | Self::Address | Self::ContactOrders | Self::Orders => {
                &[Method::GET]
            }
            Self::Org => &[Method::GET, Method::PATCH],
            Self::Contacts => &[Method::GET, Method::POST],
            Self::Contact => &[Method::GET, Method::PATCH, Method::DELETE],
            Self::Order => &[Method::GET, Method::DELETE],
        }
    }

    /// Any one of these is enough.
    fn needed(self, method: &Method, knobs: &Knobs) -> Vec<Needed> {
        let write = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let scope = |scope| Needed { scope, write };
        match self {
            Self::Orgs | Self::Org => vec![scope("company")],
            Self::Contacts | Self::Contact | Self::Addresses | Self::Address => vec![scope("contact")],
            Self::ContactOrders if knobs.contact_scope_reads_orders => vec![scope("order"), scope("contact")],
            Self::ContactOrders | Self::Orders | Self::Order => vec![scope("order")],
        }
    }
}

pub(super) fn router(readycloud: ReadyCloud) -> Router {
    let mut router = oauth::router();
    for (path, resource) in ROUTES {
        router = router.route(
            path,
            any(
                move |Shared(readycloud): Shared<ReadyCloud>,
                      Path(keys): Path<Keys>,
                      Extension(handle): Extension<CallHandle>,
                      parts: Parts,
                      body: Bytes| async move {
                    readycloud.answer(*resource, &keys, &handle, &parts, &body)
                },
            ),
        );
    }
    router.fallback(no_route).with_state(readycloud)
}

impl ReadyCloud {
    fn answer(
        &self,
        resource: Resource,
        keys: &Keys,
        handle: &CallHandle,
        parts: &Parts,
        body: &[u8],
    ) -> Response {
        let now_ms = self.0.clock.now_ms();
        let mut guard = self.state();
        let state = &mut *guard;
        let knobs = state.knobs;
        let Some(credential) = auth::credential(parts, body) else {
            return Refusal::NoCredential.answer(knobs.error_dialect);
        };
        let needed = resource.needed(&parts.method, &knobs);
        let token = match auth::check(state.tokens.get(&credential), &needed, now_ms) {
            Ok(token) => token.clone(),
            Err(refusal) => return refusal.answer(knobs.error_dialect),
        };
        let class = Class::of(&parts.method);
        let limit = match class {
            Class::Get => knobs.get_per_minute,
            Class::Other => knobs.other_per_minute,
        };
        if let Err(seconds) = state.limits.admit((token.client.clone(), class), limit, now_ms) {
            return limits::throttled(knobs.retry_after.then_some(seconds));
        }
        let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
        if !resource.methods().contains(method) {
            return not_allowed(&parts.method, resource.methods());
        }
        let call = Call { parts, body, keys, handle, knobs, now_ms };
        dispatch(state, resource, method, &token, &call)
    }
}

fn dispatch(
    state: &mut State,
    resource: Resource,
    method: &Method,
    token: &Token,
    call: &Call<'_>,
) -> Response {
    if resource == Resource::Orgs {
        return contacts::list_orgs(state, token, call);
    }
    // An organisation the token does not see is as good as none.
    if !state.org(&call.keys.org).is_some_and(|org| token.sees(org)) {
        return not_found();
    }
    match (resource, method.as_str()) {
        (Resource::Org, "GET") => contacts::get_org(state, call),
        (Resource::Org, _) => contacts::patch_org(state, call),
        (Resource::Contacts, "GET") => contacts::list(state, call),
        (Resource::Contacts, _) => contacts::create(state, call),
        (Resource::Contact, "GET") => contacts::get(state, call),
        (Resource::Contact, "PATCH") => contacts::patch(state, call),
        (Resource::Contact, _) => contacts::delete(state, call),
        (Resource::Addresses, _) => contacts::list_addresses(state, call),
        (Resource::Address, _) => contacts::get_address(state, call),
        (Resource::ContactOrders, _) => orders::list_of_contact(state, call),
        (Resource::Order, "GET") => orders::get(state, call),
        (Resource::Order, _) => orders::delete(state, call),
        (Resource::Orders | Resource::Orgs, _) => orders::list(state, call),
    }
}

pub(super) fn not_found() -> Response {
    answers::json(StatusCode::NOT_FOUND, &json!({"detail": "Not found."}))
}

pub(super) fn not_allowed(method: &Method, allowed: &[Method]) -> Response {
    let detail = format!("Method \"{method}\" not allowed.");
    let mut response = answers::json(StatusCode::METHOD_NOT_ALLOWED, &json!({ "detail": detail }));
    let allowed: Vec<_> = allowed.iter().map(Method::as_str).collect();
    answers::set_header(&mut response, ALLOW, &allowed.join(", "));
    response
}

/// Paths without a route. Own choice: one that only lacks the slash at the end is redirected when it is
/// read, and answered by a [knob](SlashlessWrite) when it is written; no credential is looked at.
async fn no_route(Shared(readycloud): Shared<ReadyCloud>, parts: Parts) -> Response {
    let path = parts.uri.path();
    let with_slash = format!("{path}/");
    let templates = ROUTES.iter().map(|(template, _)| *template).chain([oauth::TOKEN_PATH]);
    if path.ends_with('/') || !templates.into_iter().any(|template| fits(template, &with_slash)) {
        return answers::error_page(StatusCode::NOT_FOUND);
    }
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    match readycloud.knobs().slashless_write {
        SlashlessWrite::ServerError if !reads => answers::error_page(StatusCode::INTERNAL_SERVER_ERROR),
        SlashlessWrite::NotFound if !reads => answers::error_page(StatusCode::NOT_FOUND),
        _ => {
            let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            let mut response = StatusCode::MOVED_PERMANENTLY.into_response();
            answers::set_header(&mut response, LOCATION, &format!("{with_slash}{query}"));
            response
        }
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given => {}
            (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_only_lack_the_slash() {
        assert!(fits("/orgs/{org}/contacts/", "/orgs/H6j/contacts/"));
        assert!(!fits("/orgs/{org}/contacts/", "/orgs//contacts/"));
        assert!(!fits("/orgs/{org}/", "/orgs/H6j/contacts/"));
        assert!(!fits("/orgs/{org}/contacts/", "/orgs/H6j/"));
    }
}
