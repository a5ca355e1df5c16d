//! The simulator's part of the control plane, below `/readycloud`.

use axum::Router;
use axum::extract::{Path, RawQuery, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use bytes::Bytes;
use serde_json::json;

use super::{ReadyCloud, TokenSpec};
use crate::answers::json as json_answer;
use crate::control::{Refused, bad_request, only_parameter, read, refuse};

pub(super) fn router(readycloud: ReadyCloud) -> Router {
    Router::new()
        .route("/", get(knobs).patch(turn))
        .route("/contacts", get(find_contacts).post(add_contact))
        .route("/contacts/{key}", get(show_contact).delete(remove_contact))
        .route("/tokens", post(add_token))
        .route("/tokens/{token}", delete(revoke_token))
        .with_state(readycloud)
}

async fn knobs(Shared(readycloud): Shared<ReadyCloud>) -> Response {
    json_answer(StatusCode::OK, &readycloud.knobs())
}

async fn turn(Shared(readycloud): Shared<ReadyCloud>, body: Bytes) -> Result<Response, Refused> {
    readycloud.turn(read(&body)?);
    Ok(json_answer(StatusCode::OK, &readycloud.knobs()))
}

/// `?email=` finds keys; without it there is only the number of all contacts.
async fn find_contacts(
    Shared(readycloud): Shared<ReadyCloud>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let found = match only_parameter(query, "email")? {
        Some(email) => {
            let keys = readycloud.contacts_with_email(&email);
            json!({"count": keys.len(), "keys": keys})
        }
        None => json!({"count": readycloud.contact_count()}),
    };
    Ok(json_answer(StatusCode::OK, &found))
}

async fn add_contact(Shared(readycloud): Shared<ReadyCloud>, body: Bytes) -> Result<Response, Refused> {
    let key = readycloud.add_contact(read(&body)?).map_err(bad_request)?;
    Ok(json_answer(StatusCode::CREATED, &json!({ "key": key })))
}

async fn show_contact(
    Shared(readycloud): Shared<ReadyCloud>,
    Path(key): Path<String>,
) -> Result<Response, Refused> {
    let contact = readycloud.contact(&key).ok_or_else(|| nothing("contact", &key))?;
    Ok(json_answer(StatusCode::OK, &contact))
}

async fn remove_contact(
    Shared(readycloud): Shared<ReadyCloud>,
    Path(key): Path<String>,
) -> Result<Response, Refused> {
    if !readycloud.remove_contact(&key) {
        return Err(nothing("contact", &key));
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn add_token(Shared(readycloud): Shared<ReadyCloud>, body: Bytes) -> Result<Response, Refused> {
    let spec: TokenSpec = read(&body)?;
    let token = spec.token.clone();
    readycloud.add_token(spec).map_err(bad_request)?;
    Ok(json_answer(StatusCode::CREATED, &json!({ "token": token })))
}

async fn revoke_token(
    Shared(readycloud): Shared<ReadyCloud>,
    Path(token): Path<String>,
) -> Result<Response, Refused> {
    if !readycloud.revoke_token(&token) {
        return Err(nothing("token", &token));
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn nothing(kind: &str, name: &str) -> Refused {
    refuse(StatusCode::NOT_FOUND, format!("there is no {kind} `{name}`"))
}
