//! What handlers take from a call: strictly, with problems that name the field.

use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::codes;
use crate::problem::Problem;
use crate::strict;

/// A JSON body that must be there.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

/// A JSON body that may be left out.
#[derive(Debug)]
pub(crate) struct OptionalJson<T>(pub(crate) T);

/// The parameters of the query string.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

/// The ids in the path, in their order. Something else in an id's place is no such thing: 404.
#[derive(Debug)]
pub(crate) struct Ids<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let value = json_body(request, state).await?;
        Ok(Self(read(value)?))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match optional_json_body(request, state).await? {
            Some(value) => Ok(Self(read(value)?)),
            None => Ok(Self(T::default())),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        strict::from_query(query)
            .map(Self)
            .map_err(|misfit| Problem::from(habeas_casework::FieldError::from(misfit)))
    }
}

/// Reads a value that was parsed.
pub(crate) fn read<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    strict::from_json(value).map_err(|misfit| habeas_casework::FieldError::from(misfit).into())
}

/// A JSON body as a value.
pub(crate) async fn json_body<S: Send + Sync>(request: Request, state: &S) -> Result<Value, Problem> {
    let is_json = is_json(request.headers());
    let body = body(request, state).await?;
    require_json(is_json)?;
    parse(&body)
}

/// A JSON body as a value, if there is a body.
pub(crate) async fn optional_json_body<S: Send + Sync>(
    request: Request,
    state: &S,
) -> Result<Option<Value>, Problem> {
    let is_json = is_json(request.headers());
    let body = body(request, state).await?;
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    require_json(is_json)?;
    parse(&body).map(Some)
}

/// The whole body, within the limits.
pub(crate) async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| unreadable(&rejection))
}

fn unreadable(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(codes::PAYLOAD_TOO_LARGE, "the body is larger than this call takes; send less at a time")
    } else {
        Problem::new(codes::BODY_UNREADABLE, "the body broke off or stood still for too long; send it again")
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(given) = headers.get(CONTENT_TYPE).and_then(|given| given.to_str().ok()) else { return false };
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn require_json(is_json: bool) -> Result<(), Problem> {
    if is_json {
        return Ok(());
    }
    let detail = "this call takes JSON; send the header `Content-Type: application/json`";
    Err(Problem::new(codes::UNSUPPORTED_MEDIA_TYPE, detail))
}

/// Text as a JSON value; says where it is broken, not what stands there.
pub(crate) fn parse(text: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(text).map_err(|error| malformed(&error, text))
}

/// What to say about text that is not JSON.
pub(crate) fn malformed(error: &serde_json::Error, text: &[u8]) -> Problem {
    let detail = if text.iter().all(u8::is_ascii_whitespace) {
        "the body is empty; this call takes a JSON object".to_owned()
    } else {
        format!("the body is not JSON: line {}, column {}", error.line(), error.column())
    };
    Problem::new(codes::MALFORMED_JSON, detail)
}

/// An id that can stand in a path.
pub(crate) trait PathId: FromStr {
    /// What it is the id of.
    const WHAT: &'static str;
}

macro_rules! path_ids {
    ($($id:ident, $what:literal;)+) => {$(
        impl PathId for habeas_domain::$id {
            const WHAT: &'static str = $what;
        }
    )+};
}

path_ids! {
    ApiKeyId, "API key";
    ConnectionId, "connection";
    MailId, "mail";
    RecordId, "record";
    RequestId, "request";
    RunId, "run";
}

/// A name or an id in a path.
impl PathId for String {
    const WHAT: &'static str = "thing";
}

async fn path(parts: &mut Parts) -> Result<Vec<String>, Problem> {
    let parameters = RawPathParams::from_request_parts(parts, &()).await;
    // Text that is not UTF-8 is nothing's id.
    let parameters = parameters.map_err(|_| Problem::not_found("thing"))?;
    Ok(parameters.iter().map(|(_, value)| value.to_owned()).collect())
}

fn id<T: PathId>(text: Option<&String>) -> Result<T, Problem> {
    text.and_then(|text| text.parse().ok()).ok_or_else(|| Problem::not_found(T::WHAT))
}

impl<S: Sync, A: PathId> FromRequestParts<S> for Ids<A> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self(id(path(parts).await?.first())?))
    }
}

impl<S: Sync, A: PathId, B: PathId> FromRequestParts<S> for Ids<(A, B)> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let path = path(parts).await?;
        Ok(Self((id(path.first())?, id(path.get(1))?)))
    }
}
