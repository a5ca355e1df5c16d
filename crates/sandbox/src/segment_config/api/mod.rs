//! The Config API: what every call goes through before it reaches its resource.
//!
//! In this order: is the path routed at all (503 in plain text), token (401 or 403), rate limit (429), method
//! and path (501, 404), permission (403), workspace (404), and then the resource. Permission comes before
//! existence (own choice): a token that may not write learns nothing about what there is, and a client can
//! prove that it may delete by deleting a regulation that cannot exist, which is 403 or else 404.

mod errors;
mod paging;
mod regulations;
mod route;
mod views;
mod workspaces;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, State as Shared};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};

use super::SegmentConfig;
use super::account::{Access, Api, Token};
use super::knobs::Knobs;
use super::state::State;
use crate::answers;
use crate::calls::CallHandle;

pub(super) use errors::{Failure, error_body};
pub(super) use paging::token_behind;
pub(super) use route::{Resource, Route, is_routed};

use route::Keys;

/// A call that may go ahead.
struct Call<'a> {
    parts: &'a Parts,
    body: &'a [u8],
    keys: &'a Keys,
    handle: &'a CallHandle,
    token: &'a Token,
    knobs: Knobs,
    now_ms: u64,
}

/// Everything is one handler: the paths are lenient in a way the router cannot express.
pub(super) fn router(segment: SegmentConfig) -> Router {
    Router::new()
        .fallback(
            async |Shared(segment): Shared<SegmentConfig>,
                   Extension(handle): Extension<CallHandle>,
                   parts: Parts,
                   body: Bytes| {
                match segment.answer(&handle, &parts, &body) {
                    Ok(answer) => answers::json(StatusCode::OK, &answer),
                    Err(failure) => failure.answer(),
                }
            },
        )
        // The body was read and bounded before; what is too much is for the vendor to say.
        .layer(DefaultBodyLimit::disable())
        .with_state(segment)
}

/// The token of a call. Own choice: a header of another kind, or an empty one, counts as none.
pub(super) fn credential(call: &Parts) -> Option<String> {
    let header = call.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (kind, token) = header.trim().split_once(char::is_whitespace)?;
    let token = token.trim();
    (kind.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

impl SegmentConfig {
    fn answer(&self, handle: &CallHandle, parts: &Parts, body: &[u8]) -> Result<Value, Failure> {
        if !is_routed(parts.uri.path()) {
            return Err(Failure::Unroutable);
        }
        let mut guard = self.state();
        // Asked for under the lock, so that no call sees a later time than one that is answered after it.
        let now_ms = self.0.clock.now_ms();
        let state = &mut *guard;
        let knobs = state.knobs;
        let credential = credential(parts).ok_or(Failure::NoToken)?;
        let token = state.token(&credential, Api::Config).ok_or(Failure::BadToken(knobs.bad_token))?.clone();
        if let Err(seconds) = state.limits.admit(credential, knobs.requests_per_minute, now_ms) {
            return Err(Failure::RateLimited(knobs.retry_after.then_some(seconds)));
        }
        // Own choice: methods the API has nowhere are "not supported", those a path lacks "not found".
        if ![Method::GET, Method::POST, Method::PATCH, Method::DELETE].contains(&parts.method) {
            return Err(Failure::Unimplemented);
        }
        let route = Route::of(parts.uri.path()).ok_or(Failure::NotFound)?;
        let call = Call { parts, body, keys: &route.keys, handle, token: &token, knobs, now_ms };
        match (route.resource, parts.method.as_str()) {
            (Resource::Regulations | Resource::SourceRegulations, "POST") => {
                may_regulate(&call)?;
                regulations::create(state, &call)
            }
            (Resource::Regulation, "DELETE") => {
                may_regulate(&call)?;
                regulations::delete(state, &call)
            }
            (Resource::SourceRegulations, _) => Err(Failure::NotFound),
            (resource, "GET") => read(state, resource, &call),
            _ => Err(Failure::NotFound),
        }
    }
}

/// Permission first, then whether the token sees the workspace.
fn may_regulate(call: &Call<'_>) -> Result<(), Failure> {
    match call.token.access {
        Access::Read => Err(Failure::InsufficientScope),
        Access::Member => Err(Failure::NotAnOwner),
        Access::Owner if call.token.workspace != call.keys.workspace => Err(Failure::NotFound),
        Access::Owner => Ok(()),
    }
}

fn read(state: &State, resource: Resource, call: &Call<'_>) -> Result<Value, Failure> {
    match resource {
        Resource::Workspaces => return workspaces::list_all(state, call),
        Resource::CatalogueSources => return workspaces::catalogue_sources(call),
        Resource::CatalogueSource => return workspaces::catalogue_source(call),
        Resource::CatalogueDestinations => return workspaces::catalogue_destinations(call),
        Resource::CatalogueDestination => return workspaces::catalogue_destination(call),
        _ => {}
    }
    // A workspace the token is not bound to is as good as none.
    let workspace = state
        .workspace(&call.keys.workspace)
        .filter(|workspace| workspace.slug == call.token.workspace)
        .ok_or(Failure::NotFound)?;
    match resource {
        Resource::Users => workspaces::users(workspace, call),
        Resource::Sources => workspaces::sources(workspace, call),
        Resource::Source => workspaces::source(workspace, call),
        Resource::Destinations => workspaces::destinations(workspace, call),
        Resource::Destination => workspaces::destination(workspace, call),
        Resource::Regulations => regulations::list_all(state, workspace, call),
        Resource::Regulation => regulations::get(state, workspace, call),
        Resource::SuppressedUsers => workspaces::suppressed(workspace, call),
        _ => Ok(workspaces::get(workspace, call)),
    }
}

/// Everything there is, regulations left out.
pub(super) fn snapshot(state: &State) -> Value {
    let workspaces = state.workspaces.iter().map(|workspace| {
        let sources = workspace.sources.iter().map(|source| {
            let destinations = source.destinations.iter();
            json!({
                "source": views::source(workspace, source, &state.knobs),
                "destinations":
                    destinations.map(|it| views::destination(workspace, source, it)).collect::<Vec<_>>(),
            })
        });
        json!({
            "workspace": views::workspace(workspace, &state.knobs),
            "sources": sources.collect::<Vec<_>>(),
            "warehouses": workspace.warehouses.iter().map(views::warehouse).collect::<Vec<_>>(),
            "people": workspace.people.all().collect::<Vec<_>>(),
            "suppressed": workspace.suppressions.in_workspace(),
        })
    });
    json!({"workspaces": workspaces.collect::<Vec<_>>()})
}
