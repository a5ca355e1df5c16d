//! The simulator's part of the control plane, below `/qualtrics`.

use axum::Router;
use axum::extract::{Path, RawQuery, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ClientSpec, Qualtrics, TokenSpec};
use crate::answers::json as json_answer;
use crate::control::{Refused, bad_request, only_parameter, read, refuse};

type Q = Shared<Qualtrics>;

pub(super) fn router(qualtrics: Qualtrics) -> Router {
    Router::new()
        .route("/", get(knobs).patch(turn))
        .route("/snapshot", get(snapshot))
        .route("/contacts", get(find_contacts).post(add_contact))
        .route("/contacts/{id}", get(show_contact).delete(remove_contact))
        .route("/directories/{id}", patch(change_directory))
        .route("/responses", get(find_responses))
        .route("/users", get(find_users).post(add_user))
        .route("/users/{id}", delete(remove_user))
        .route("/clients", post(add_client))
        .route("/clients/{id}", delete(revoke_client))
        .route("/tokens", post(add_token))
        .route("/tokens/expire", post(expire_tokens))
        .route("/tokens/{token}", delete(revoke_token))
        .route("/erasures", get(erasures).post(add_erasure))
        .route("/erasures/accepted", get(accepted))
        .route("/erasures/{id}/finish", post(finish_erasure))
        .route("/customer-data-requests", get(customer_data_requests))
        .route("/customer-data-requests/{id}/finish", post(finish_customer_data_request))
        .with_state(qualtrics)
}

async fn knobs(Shared(qualtrics): Q) -> Response {
    json_answer(StatusCode::OK, &qualtrics.knobs())
}

async fn turn(Shared(qualtrics): Q, body: Bytes) -> Result<Response, Refused> {
    qualtrics.turn(read(&body)?).map_err(bad_request)?;
    Ok(json_answer(StatusCode::OK, &qualtrics.knobs()))
}

async fn snapshot(Shared(qualtrics): Q) -> Response {
    json_answer(StatusCode::OK, &qualtrics.snapshot())
}

fn counted(ids: &[String]) -> Value {
    json!({"count": ids.len(), "ids": ids})
}

/// The one parameter `email`, which must be there.
fn email(query: Option<String>) -> Result<String, Refused> {
    only_parameter(query, "email")?.ok_or_else(|| bad_request("the query parameter `email` is missing"))
}

/// `?email=` finds ids; without it there is only the number of all contacts.
async fn find_contacts(Shared(qualtrics): Q, RawQuery(query): RawQuery) -> Result<Response, Refused> {
    let found = match only_parameter(query, "email")? {
        Some(email) => counted(&qualtrics.contacts_with_email(&email)),
        None => json!({"count": qualtrics.contact_count()}),
    };
    Ok(json_answer(StatusCode::OK, &found))
}

async fn add_contact(Shared(qualtrics): Q, body: Bytes) -> Result<Response, Refused> {
    made("id", qualtrics.add_contact(read(&body)?).map_err(bad_request)?)
}

async fn show_contact(Shared(qualtrics): Q, Path(id): Path<String>) -> Result<Response, Refused> {
    let contact = qualtrics.contact(&id).ok_or_else(|| nothing("contact", &id))?;
    Ok(json_answer(StatusCode::OK, &contact))
}

async fn remove_contact(Shared(qualtrics): Q, Path(id): Path<String>) -> Result<Response, Refused> {
    done(qualtrics.remove_contact(&id), "contact", &id)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectoryChange {
    lite: bool,
}

async fn change_directory(
    Shared(qualtrics): Q,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refused> {
    let DirectoryChange { lite } = read(&body)?;
    done(qualtrics.set_lite(&id, lite), "directory", &id)
}

async fn find_responses(Shared(qualtrics): Q, RawQuery(query): RawQuery) -> Result<Response, Refused> {
    let email = email(query)?;
    let responses = qualtrics.responses_with_email(&email);
    let tickets = qualtrics.tickets_with_email(&email);
    Ok(json_answer(StatusCode::OK, &json!({"responses": responses, "tickets": tickets})))
}

async fn find_users(Shared(qualtrics): Q, RawQuery(query): RawQuery) -> Result<Response, Refused> {
    Ok(json_answer(StatusCode::OK, &counted(&qualtrics.users_with_email(&email(query)?))))
}

async fn add_user(Shared(qualtrics): Q, body: Bytes) -> Result<Response, Refused> {
    made("id", qualtrics.add_user(read(&body)?).map_err(bad_request)?)
}

async fn remove_user(Shared(qualtrics): Q, Path(id): Path<String>) -> Result<Response, Refused> {
    done(qualtrics.remove_user(&id), "user", &id)
}

async fn add_client(Shared(qualtrics): Q, body: Bytes) -> Result<Response, Refused> {
    let spec: ClientSpec = read(&body)?;
    let id = spec.id.clone();
    qualtrics.add_client(spec).map_err(bad_request)?;
    made("id", id)
}

async fn revoke_client(Shared(qualtrics): Q, Path(id): Path<String>) -> Result<Response, Refused> {
    done(qualtrics.revoke_client(&id), "client", &id)
}

async fn add_token(Shared(qualtrics): Q, body: Bytes) -> Result<Response, Refused> {
    let spec: TokenSpec = read(&body)?;
    let token = spec.token.clone();
    qualtrics.add_token(spec).map_err(bad_request)?;
    made("token", token)
}

async fn expire_tokens(Shared(qualtrics): Q) -> Response {
    json_answer(StatusCode::OK, &json!({"count": qualtrics.expire_tokens()}))
}

async fn revoke_token(Shared(qualtrics): Q, Path(token): Path<String>) -> Result<Response, Refused> {
    done(qualtrics.revoke_token(&token), "token", &token)
}

async fn erasures(Shared(qualtrics): Q) -> Response {
    json_answer(StatusCode::OK, &json!({"erasures": qualtrics.erasures()}))
}

async fn add_erasure(Shared(qualtrics): Q, body: Bytes) -> Result<Response, Refused> {
    made("id", qualtrics.add_erasure(read(&body)?).map_err(bad_request)?)
}

async fn accepted(Shared(qualtrics): Q) -> Response {
    json_answer(StatusCode::OK, &qualtrics.all_erasures_accepted())
}

/// How a job ends: `{}` well, with a reason as failed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    #[serde(default)]
    failure_reason: Option<String>,
}

async fn finish_erasure(
    Shared(qualtrics): Q,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refused> {
    let finish: Finish = read(&body)?;
    done(qualtrics.finish_erasure(&id, finish.failure_reason.as_deref()), "pending erasure", &id)
}

async fn customer_data_requests(Shared(qualtrics): Q) -> Response {
    json_answer(StatusCode::OK, &json!({"customer_data_requests": qualtrics.customer_data_requests()}))
}

async fn finish_customer_data_request(
    Shared(qualtrics): Q,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refused> {
    let finish: Finish = read(&body)?;
    let ended = qualtrics.finish_customer_data_request(&id, finish.failure_reason.as_deref());
    done(ended, "pending customer data request", &id)
}

fn made(name: &str, id: String) -> Result<Response, Refused> {
    Ok(json_answer(StatusCode::CREATED, &json!({ name: id })))
}

fn done(done: bool, kind: &str, name: &str) -> Result<Response, Refused> {
    if done { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(nothing(kind, name)) }
}

fn nothing(kind: &str, name: &str) -> Refused {
    refuse(StatusCode::NOT_FOUND, format!("there is no {kind} `{name}`"))
}
