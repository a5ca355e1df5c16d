//! The HTTP API: every handler reads its input, calls one function of casework and shows the result.
//!
//! What is deliberately absent: SQL, vendors and rules. Who may do what, what a request may do next and what is stored
//! are casework's and the domain's; this crate knows how they are spelt in HTTP ([`openapi`] is the whole of it) and
//! how refusals look (problem documents with the codes of [`codes`]).

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

mod answer_form;
mod archives;
mod authentication;
pub mod codes;
mod document;
mod extract;
mod file_kinds;
mod observe;
mod package_answer;
mod pages;
pub mod permissions;
mod problem;
mod routes;
mod shapes;
mod state;
mod strict;
mod uploads;
mod wait;

pub use document::openapi;
pub use pages::PeerAddress;
pub use state::{ServerOptions, ServerState, UploadLimits};

use authentication::Door;

/// The API for the network: everything below `/api/v1` needs `Authorization: Bearer KEY`.
pub fn router(state: ServerState) -> Router {
    build(state, Door::Network)
}

/// The same API for whoever can open the data directory: without a key the caller is the local operator. Serve it on
/// the socket of mode 0600, or call it in the own process.
pub fn local_router(state: ServerState) -> Router {
    build(state, Door::Local)
}

fn build(state: ServerState, door: Door) -> Router {
    let (router, _) = routes::all(state.options.body_limit).split_for_parts();
    let router = router.merge(pages::routes(&state));
    // What is added last sees a call first.
    router
        .fallback(routes::no_such_route)
        .method_not_allowed_fallback(routes::no_such_method)
        .layer(DefaultBodyLimit::max(state.options.body_limit))
        .layer(RequestBodyTimeoutLayer::new(state.options.body_timeout))
        .layer(from_fn_with_state((state.clone(), door), authentication::authenticate))
        .layer(CatchPanicLayer::custom(observe::panicked))
        .layer(from_fn_with_state(state.clone(), observe::observe))
        .with_state(state)
}
