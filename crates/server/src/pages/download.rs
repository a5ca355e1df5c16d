//! `/download/{token}`: the person fetches their data, with a one-time code that is mailed to them.

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{COOKIE, HeaderValue, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use habeas_casework::CaseworkError;
use habeas_casework::delivery::{DownloadPage, Grant};
use habeas_documents::{mail, words};

use super::layout::{self, Frame};
use super::{Token, page, refused, sentence, texts, wants_page};
use crate::package_answer::{self, Wanted};
use crate::state::ServerState;

/// The cookie that lets a browser download after it gave the code.
const COOKIE_NAME: &str = "habeas-download";

#[derive(Template)]
#[template(path = "download.html")]
struct Page {
    frame: Frame,
    reference: String,
    until: String,
    size: String,
    path: String,
    step: Step,
    error: Option<String>,
}

/// Where the person stands.
#[derive(PartialEq, Eq)]
enum Step {
    /// They have to ask for a code.
    Begin,
    /// A code was mailed.
    Code { until: String },
    /// They gave it.
    Download { until: String },
}

/// Where the person stands; nothing happens.
pub(super) async fn show(
    State(state): State<ServerState>,
    Token(token): Token,
    headers: HeaderMap,
) -> Response {
    let grant = grant_of(&headers);
    match state.casework.download_page(&token, grant.as_deref()).await {
        Ok(found) => shown(&state, &token, &found, StatusCode::OK, None),
        Err(error) => refused(&state, error),
    }
}

fn shown(
    state: &ServerState,
    token: &str,
    found: &DownloadPage,
    status: StatusCode,
    error: Option<String>,
) -> Response {
    let zone = state.casework.time_zone();
    let Some(bytes) = found.bytes else { return layout::preparing(state) };
    let step = match (found.granted_until, found.code_until) {
        (Some(until), _) => Step::Download { until: words::moment(until, zone) },
        (None, Some(until)) => Step::Code { until: words::moment(until, zone) },
        (None, None) => Step::Begin,
    };
    let shown = Page {
        frame: Frame::of(state),
        reference: mail::reference(found.request),
        until: words::moment(found.expires_at, zone),
        size: words::size(bytes),
        path: format!("/download/{token}/package"),
        step,
        error,
    };
    page(status, shown.render().unwrap_or_default())
}

/// With a code: takes it. Without: mails one.
pub(super) async fn act(
    State(state): State<ServerState>,
    Token(token): Token,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(form) = texts(body).await else {
        return layout::message(
            &state,
            StatusCode::BAD_REQUEST,
            "This could not be read",
            "Please try again.",
        );
    };
    let acted = match form.get("code").map(|code| code.trim()) {
        // Pressed too early: a new code would make the mailed one useless, and this is no wrong try either.
        Some("") => {
            let why = "Type in the code from the mail.".to_owned();
            return again(&state, &token, StatusCode::UNPROCESSABLE_ENTITY, why).await;
        }
        Some(code) => state.casework.give_code(&token, code).await.map(Some),
        None => state.casework.send_code(&token).await.map(|()| None),
    };
    match acted {
        Ok(Some(grant)) => allowed(&state, &token, &grant, wants_page(&headers)),
        // The page that a browser shows next can be loaded again without sending another code.
        Ok(None) => see_other(&format!("/download/{token}")),
        Err(error @ CaseworkError::CodeWrong { .. }) => {
            again(&state, &token, StatusCode::FORBIDDEN, sentence(&error.to_string())).await
        }
        Err(error) => refused(&state, error),
    }
}

/// The page as it was, with what is wrong.
async fn again(state: &ServerState, token: &str, status: StatusCode, why: String) -> Response {
    match state.casework.download_page(token, None).await {
        Ok(found) => shown(state, token, &found, status, Some(why)),
        Err(error) => refused(state, error),
    }
}

fn see_other(place: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(place) = HeaderValue::from_str(place) {
        response.headers_mut().insert(LOCATION, place);
    }
    response
}

/// A browser goes to the page, which begins the download by itself; a program goes to the package.
fn allowed(state: &ServerState, token: &str, grant: &Grant, is_browser: bool) -> Response {
    let path = format!("/download/{token}");
    let mut response = see_other(&if is_browser { path.clone() } else { format!("{path}/package") });
    let now = state.casework.store().environment().now();
    let seconds = grant.until.duration_since(now).as_secs().max(0);
    let secure = if state.options.secure_cookies { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE_NAME}={}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}",
        grant.secret
    );
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

fn grant_of(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let mut cookies =
        cookies.flat_map(|header| header.split(';')).filter_map(|one| one.trim().split_once('='));
    cookies.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value.to_owned())
}

/// The package, for a browser that gave the code; `Range` is understood.
pub(super) async fn package(
    State(state): State<ServerState>,
    Token(token): Token,
    headers: HeaderMap,
) -> Response {
    let grant = grant_of(&headers).unwrap_or_default();
    let (bytes, sha256) = match state.casework.package_length_by_link(&token, &grant).await {
        Ok(length) => length,
        Err(error) => return refused(&state, error),
    };
    let wanted = match package_answer::still_the_same(&headers, &sha256) {
        true => Wanted::of(&headers),
        false => Wanted::Whole,
    };
    let Some((from, to)) = wanted.within(bytes) else { return package_answer::unsatisfiable(bytes) };
    match state.casework.package_by_link(&token, &grant, from).await {
        Ok(reading) => package_answer::answer(reading, to),
        Err(error) => refused(&state, error),
    }
}
