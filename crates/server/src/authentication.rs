//! Who is calling. Whether they may is casework's question.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, HeaderValue};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use habeas_domain::Actor;

use crate::codes;
use crate::problem::Problem;
use crate::state::ServerState;

/// Everything below this path needs a key.
pub(crate) const API: &str = "/api/v1";

/// Whoever made the call.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Actor);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get()
            .cloned()
            .ok_or_else(|| Problem::internal("a route that needs a caller lies outside of the API"))
    }
}

/// How calls without a key are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// From the network: refused.
    Network,
    /// Through the socket or in the process: whoever gets there owns the installation.
    Local,
}

/// Finds out who is calling before anything of the call is read.
pub(crate) async fn authenticate(
    State((state, door)): State<(ServerState, Door)>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let below = path.strip_prefix(API).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    if below.is_some_and(|rest| !is_callback(rest)) {
        let header = request.headers().get(AUTHORIZATION).cloned();
        match caller(&state, door, header).await {
            Ok(actor) => {
                tracing::Span::current().record("actor", actor.name.as_str());
                request.extensions_mut().insert(Caller(actor));
            }
            Err(problem) => return problem.into_response(),
        }
    }
    next.run(request).await
}

/// Whether a path below the API is where connected systems call back: a signature over the body is their proof.
fn is_callback(path: &str) -> bool {
    matches!(path.split('/').collect::<Vec<_>>().as_slice(), ["", "connections", _, "callback"])
}

async fn caller(state: &ServerState, door: Door, header: Option<HeaderValue>) -> Result<Actor, Problem> {
    let Some(header) = header else {
        return match door {
            Door::Local => Ok(Actor::local_operator()),
            Door::Network => Err(Problem::new(
                codes::KEY_INVALID,
                "no API key was sent; send `Authorization: Bearer KEY` (a key is created with `habeas keys create`)",
            )),
        };
    };
    let key = header
        .to_str()
        .ok()
        .and_then(|header| header.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim())
        .filter(|key| !key.is_empty());
    match key {
        Some(key) => Ok(state.casework.actor_of_key(key).await?),
        None => Err(Problem::new(
            codes::KEY_INVALID,
            "the Authorization header cannot be used; send `Authorization: Bearer KEY`",
        )),
    }
}
