//! `/verify/{token}`: the person confirms that a request is theirs.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use habeas_documents::words;

use super::layout::{self, Frame};
use super::{Token, page, refused};
use crate::state::ServerState;

#[derive(Template)]
#[template(path = "verify.html")]
struct Page {
    frame: Frame,
    asks_for_copy: bool,
    until: String,
}

/// What happens if the button is pressed.
pub(super) async fn show(State(state): State<ServerState>, Token(token): Token) -> Response {
    match state.casework.verification_page(&token).await {
        Ok(found) => {
            let until = words::moment(found.expires_at, state.casework.time_zone());
            let shown = Page { frame: Frame::of(&state), asks_for_copy: found.right.delivers(), until };
            page(StatusCode::OK, shown.render().unwrap_or_default())
        }
        Err(error) => refused(&state, error),
    }
}

/// The button was pressed.
pub(super) async fn act(State(state): State<ServerState>, Token(token): Token) -> Response {
    match state.casework.confirm_identity(&token).await {
        Ok(()) => layout::message(
            &state,
            StatusCode::OK,
            "Thank you, your request is confirmed",
            "We now ask every system in which we work with data about people. You get an answer by mail; you need not do \
             anything else. You can close this page.",
        ),
        Err(error) => refused(&state, error),
    }
}
