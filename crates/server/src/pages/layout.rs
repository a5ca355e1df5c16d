//! The frame of all pages, and those that say only one thing.

use std::sync::LazyLock;
use std::time::Duration;

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use habeas_documents::style::STYLE;

use super::page;
use crate::state::ServerState;

/// What every page shows around its own content.
pub(super) struct Frame {
    pub(super) style: &'static str,
    pub(super) company: String,
    pub(super) reach: String,
}

impl Frame {
    pub(super) fn of(state: &ServerState) -> Self {
        let company = state.casework.company();
        Self { style: STYLE, company: company.name.clone(), reach: company.reach() }
    }
}

/// What a page may load: its own style, and nothing else. Forms go back to where they came from.
pub(super) fn content_security_policy() -> String {
    static HASH: LazyLock<String> = LazyLock::new(|| STANDARD.encode(digest(&SHA256, STYLE.as_bytes())));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        *HASH
    )
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message<'m> {
    frame: Frame,
    title: &'m str,
    text: &'m str,
    /// Seconds after which the page looks again by itself.
    refresh: Option<u64>,
}

fn rendered(
    state: &ServerState,
    status: StatusCode,
    title: &str,
    text: &str,
    refresh: Option<u64>,
) -> Response {
    let message = Message { frame: Frame::of(state), title, text, refresh };
    page(status, message.render().unwrap_or_default())
}

/// A page that says one thing.
pub(super) fn message(state: &ServerState, status: StatusCode, title: &str, text: &str) -> Response {
    rendered(state, status, title, text, None)
}

/// The one answer to a link that is wrong, used, expired or meant for something else.
pub(super) fn unusable(state: &ServerState) -> Response {
    let text = "It may have been used already, its time may be over, or it was not copied completely. If you need a new one, \
                ask for it.";
    message(state, StatusCode::NOT_FOUND, "This link cannot be used", text)
}

/// The package is still being made; the page looks again by itself.
pub(super) fn preparing(state: &ServerState) -> Response {
    let text = "It is a large one, so this takes a moment. This page looks again by itself every ten seconds; you can also come \
                back later.";
    rendered(state, StatusCode::OK, "Your data is being packed", text, Some(10))
}

/// Too many calls came from one address.
pub(super) fn slow_down(state: &ServerState, wait: Duration) -> Response {
    let seconds = wait.as_secs() + 1;
    let text = format!("Too many calls came from your network. Please try again in {seconds} seconds.");
    let mut response = message(state, StatusCode::TOO_MANY_REQUESTS, "Please wait a moment", &text);
    if let Ok(seconds) = HeaderValue::from_str(&seconds.to_string()) {
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}
