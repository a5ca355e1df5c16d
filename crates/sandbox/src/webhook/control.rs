//! The simulator's part of the control plane, below `/webhook`.

use axum::Router;
use axum::extract::{Path, RawQuery, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{CallbackNotSent, Forgery, MessageType, PersonSpec, SignedMessage, Webhook};
use crate::answers::json as json_answer;
use crate::control::{Refused, bad_request, only_parameter, read, refuse};

type W = Shared<Webhook>;

pub(super) fn router(webhook: Webhook) -> Router {
    Router::new()
        .route("/", get(knobs).patch(turn))
        .route("/people", get(find_people).post(add_person))
        .route("/people/{user_id}", get(show_person).delete(remove_person))
        .route("/jobs", get(jobs))
        .route("/jobs/{job}", get(show_job).delete(forget_job))
        .route("/jobs/{job}/finish", post(finish_job))
        .route("/jobs/{job}/callback", get(show_callback))
        .route("/messages", get(messages))
        .route("/messages/counts", get(message_counts))
        .route("/acceptances", get(acceptances))
        .route("/callbacks", get(deliveries).post(send_callback))
        .with_state(webhook)
}

async fn knobs(Shared(webhook): W) -> Response {
    json_answer(StatusCode::OK, &webhook.knobs())
}

async fn turn(Shared(webhook): W, body: Bytes) -> Result<Response, Refused> {
    webhook.turn(read(&body)?);
    Ok(json_answer(StatusCode::OK, &webhook.knobs()))
}

/// `?value=` finds user ids; without it there is only the number of all people.
async fn find_people(Shared(webhook): W, RawQuery(query): RawQuery) -> Result<Response, Refused> {
    let found = match only_parameter(query, "value")? {
        Some(value) => {
            let user_ids = webhook.people_with(&value);
            json!({"count": user_ids.len(), "user_ids": user_ids})
        }
        None => json!({"count": webhook.person_count()}),
    };
    Ok(json_answer(StatusCode::OK, &found))
}

async fn add_person(Shared(webhook): W, body: Bytes) -> Result<Response, Refused> {
    let spec: PersonSpec = read(&body)?;
    let user_id = spec.user_id.clone();
    webhook.add_person(spec).map_err(bad_request)?;
    Ok(json_answer(StatusCode::CREATED, &json!({ "user_id": user_id })))
}

async fn show_person(Shared(webhook): W, Path(user_id): Path<String>) -> Result<Response, Refused> {
    let person = webhook.person(&user_id).ok_or_else(|| nothing("person", &user_id))?;
    Ok(json_answer(StatusCode::OK, &person))
}

async fn remove_person(Shared(webhook): W, Path(user_id): Path<String>) -> Result<Response, Refused> {
    done(webhook.remove_person(&user_id), "person", &user_id)
}

async fn jobs(Shared(webhook): W) -> Response {
    json_answer(StatusCode::OK, &json!({"jobs": webhook.jobs()}))
}

async fn show_job(Shared(webhook): W, Path(job): Path<String>) -> Result<Response, Refused> {
    let record = webhook.job(&job).ok_or_else(|| nothing("job", &job))?;
    Ok(json_answer(StatusCode::OK, &record))
}

async fn forget_job(Shared(webhook): W, Path(job): Path<String>) -> Result<Response, Refused> {
    done(webhook.forget_job(&job), "job", &job)
}

/// How a job ends: `{}` well, with a message as failed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    #[serde(default)]
    failure: Option<String>,
}

async fn finish_job(Shared(webhook): W, Path(job): Path<String>, body: Bytes) -> Result<Response, Refused> {
    let finish: Finish = read(&body)?;
    done(webhook.finish_job(&job, finish.failure.as_deref()), "pending job", &job)
}

/// The signed callback, to look at or to send by other means; `?forgery=` for one with something wrong.
async fn show_callback(
    Shared(webhook): W,
    Path(job): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let message = match only_parameter(query, "forgery")? {
        Some(name) => {
            let forgery: Forgery = serde_json::from_value(Value::String(name)).map_err(bad_request)?;
            webhook.forge(&job, forgery)
        }
        None => webhook.callback(&job),
    };
    let message = message.ok_or_else(|| nothing_to_tell(CallbackNotSent::NothingToTell(job)))?;
    Ok(json_answer(StatusCode::OK, &shown(&message)))
}

fn shown(message: &SignedMessage) -> Value {
    json!({"headers": texts(&message.headers), "body": String::from_utf8_lossy(&message.body)})
}

fn texts(headers: &HeaderMap) -> Map<String, Value> {
    let text = |value: &axum::http::HeaderValue| json!(String::from_utf8_lossy(value.as_bytes()));
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

async fn messages(Shared(webhook): W) -> Response {
    json_answer(StatusCode::OK, &json!({"messages": webhook.messages()}))
}

async fn message_counts(Shared(webhook): W) -> Response {
    let counts = MessageType::ALL.map(|kind| json!({"type": kind, "counts": webhook.message_counts(kind)}));
    json_answer(StatusCode::OK, &json!({"types": counts}))
}

/// `?value=` looks at one value; without it there are all that were accepted.
async fn acceptances(Shared(webhook): W, RawQuery(query): RawQuery) -> Result<Response, Refused> {
    let found = match only_parameter(query, "value")? {
        Some(value) => json!({"accepted": webhook.accepted_for_deletion(&value)}),
        None => json!({"acceptances": webhook.acceptances()}),
    };
    Ok(json_answer(StatusCode::OK, &found))
}

async fn deliveries(Shared(webhook): W) -> Response {
    json_answer(StatusCode::OK, &json!({"callbacks": webhook.deliveries()}))
}

/// Which callback is to be sent where.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    job: String,
    to: String,
    #[serde(default)]
    forgery: Option<Forgery>,
}

async fn send_callback(Shared(webhook): W, body: Bytes) -> Result<Response, Refused> {
    let Send { job, to, forgery } = read(&body)?;
    let delivery = webhook.send_callback(&job, &to, forgery).await.map_err(nothing_to_tell)?;
    Ok(json_answer(StatusCode::OK, &delivery))
}

fn nothing_to_tell(error: CallbackNotSent) -> Refused {
    match error {
        CallbackNotSent::NothingToTell(_) => refuse(StatusCode::NOT_FOUND, error),
        CallbackNotSent::Address(_) => bad_request(error),
    }
}

fn done(done: bool, kind: &str, name: &str) -> Result<Response, Refused> {
    if done { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(nothing(kind, name)) }
}

fn nothing(kind: &str, name: &str) -> Refused {
    refuse(StatusCode::NOT_FOUND, format!("there is no {kind} `{name}`"))
}
