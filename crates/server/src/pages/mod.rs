//! Pages for people with a link: to confirm a request, to answer for a system, to fetch what was found.
//!
//! GET shows and POST acts, because programs follow links in mails. No page needs JavaScript. Whatever is wrong with a link,
//! there is one answer. Errors are pages here, too.

mod contact;
mod download;
mod layout;
mod limits;
mod verify;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use habeas_casework::CaseworkError;
use tower_http::catch_panic::CatchPanicLayer;

use crate::observe;
use crate::problem::Problem;
use crate::state::ServerState;

pub(crate) use limits::Limits;
pub use limits::PeerAddress;

/// The pages. Forms with files count their bytes themselves.
pub(crate) fn routes(state: &ServerState) -> Router<ServerState> {
    let pages = Router::new()
        .route("/verify/{token}", get(verify::show).post(verify::act))
        .route("/contact/{token}", get(contact::show).post(contact::act).layer(DefaultBodyLimit::disable()))
        .route("/download/{token}", get(download::show).post(download::act))
        .route("/download/{token}/package", get(download::package))
        .method_not_allowed_fallback(wrong_method);
    // What was copied too short or too long is still a link to somebody.
    let pages = ["verify", "contact", "download"].into_iter().fold(pages, |pages, page| {
        pages
            .route(&format!("/{page}"), any(nowhere))
            .route(&format!("/{page}/"), any(nowhere))
            .route(&format!("/{page}/{{token}}/"), any(nowhere))
            .route(&format!("/{page}/{{token}}/{{*rest}}"), any(nowhere))
    });
    guarded(pages, state)
}

fn guarded(pages: Router<ServerState>, state: &ServerState) -> Router<ServerState> {
    // A panic has to be an answer before the guard sees it, to become a page.
    pages.layer(CatchPanicLayer::custom(observe::panicked)).layer(from_fn_with_state(state.clone(), guard))
}

/// The token in the address. One that cannot even be read is as wrong as any other.
struct Token(String);

impl<S: Send + Sync> FromRequestParts<S> for Token {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let read = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(read.map(|Path(token)| token).unwrap_or_default()))
    }
}

async fn nowhere(State(state): State<ServerState>) -> Response {
    layout::unusable(&state)
}

async fn wrong_method(State(state): State<ServerState>) -> Response {
    layout::message(
        &state,
        StatusCode::METHOD_NOT_ALLOWED,
        "This does not work here",
        "Open the link from your mail in a browser.",
    )
}

/// What holds for every page: bounded calls, no posts from elsewhere, and headers that keep the link to its reader.
async fn guard(State(state): State<ServerState>, request: Request, next: Next) -> Response {
    let mut response = match state.limits.admit(&state.options, &request) {
        Err(wait) => layout::slow_down(&state, wait),
        Ok(()) if comes_from_elsewhere(&request) => layout::message(
            &state,
            StatusCode::FORBIDDEN,
            "Please open the link again",
            "What you sent came from another page, so nothing was done with it. Open the link from your mail, and press the \
             button there.",
        ),
        Ok(()) => next.run(request).await,
    };
    // What no handler answered (a panic) is a page here, too; the log gets to know the problem.
    if let Some(problem) = response.extensions().get::<Problem>().cloned() {
        let status = response.status();
        let text = "Something went wrong on our side. Please open the link again in a few minutes.";
        response = layout::message(&state, status, "This did not work", text);
        response.extensions_mut().insert(problem);
    }
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));
    if let Ok(policy) = HeaderValue::from_str(&layout::content_security_policy()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Whether a browser says that another site sent this.
fn comes_from_elsewhere(request: &Request) -> bool {
    if request.method() != Method::POST {
        return false;
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    match header("sec-fetch-site") {
        Some(site) => !matches!(site, "same-origin" | "none"),
        // Older browsers name the origin instead; whatever is behind the slashes must be the host that was called.
        None => match (header(ORIGIN.as_str()), header("host")) {
            (Some("null"), _) | (None, _) | (_, None) => false,
            (Some(origin), Some(host)) => origin.split_once("://").is_none_or(|(_, named)| named != host),
        },
    }
}

/// The page for something that could not be done.
fn refused(state: &ServerState, error: CaseworkError) -> Response {
    let page = match &error {
        CaseworkError::LinkUnusable => return layout::unusable(state),
        CaseworkError::Storage(_) => layout::message(
            state,
            StatusCode::SERVICE_UNAVAILABLE,
            "This cannot be stored at the moment",
            "Nothing was lost and your link still works. Please try again later.",
        ),
        CaseworkError::PackageNotReady { .. } => layout::preparing(state),
        CaseworkError::TooManyCodes { retry_at } => {
            let zone = state.casework.time_zone();
            let at = habeas_documents::words::moment(*retry_at, zone);
            layout::message(
                state,
                StatusCode::TOO_MANY_REQUESTS,
                "Too many codes were asked for",
                &format!(
                    "Look into your mailbox, also into the folder for spam. You can have another code sent after {at}."
                ),
            )
        }
        _ => layout::message(
            state,
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something went wrong on our side",
            "Nothing was changed. Please try again in a few minutes.",
        ),
    };
    let mut page = page;
    let problem = Problem::from(error);
    if problem.cause().is_some() {
        // For the log; the page says less.
        tracing::error!(cause = problem.cause(), "a page could not be shown");
    }
    page.headers_mut().remove("retry-after");
    page
}

/// A form without files: `application/x-www-form-urlencoded`.
async fn texts(body: Body) -> Option<std::collections::BTreeMap<String, String>> {
    const LONGEST: usize = 64 << 10;
    let bytes = axum::body::to_bytes(body, LONGEST).await.ok()?;
    Some(url::form_urlencoded::parse(&bytes).into_owned().collect())
}

/// Whether a call comes from a browser, which shows pages, and not from a program, which wants the thing itself.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get("accept").and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    accepted.contains("text/html")
}

/// A text that begins in the middle as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

/// HTML with a status.
fn page(status: StatusCode, html: String) -> Response {
    (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}
