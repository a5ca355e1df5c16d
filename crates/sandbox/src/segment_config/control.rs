//! The simulator's part of the control plane, below `/segment_config`.

use axum::Router;
use axum::extract::{Path, RawQuery, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use bytes::Bytes;
use serde_json::json;

use super::{DestinationSpec, EventSpec, SegmentConfig, SourceSpec, SpecRefused, TokenSpec};
use crate::answers::json as json_answer;
use crate::control::{Refused, bad_request, only_parameter, read, refuse};

pub(super) fn router(segment: SegmentConfig) -> Router {
    Router::new()
        .route("/", get(knobs).patch(turn))
        .route("/tokens", post(add_token))
        .route("/tokens/{token}", delete(revoke_token))
        .route("/sources", post(add_source))
        .route("/destinations", post(add_destination))
        .route("/warehouses", post(add_warehouse))
        .route("/events", post(receive))
        .route("/plans", post(plan_next).delete(clear_plans))
        .route("/regulations", get(regulations))
        .route("/regulations/{id}", get(regulation).patch(amend))
        .route("/acceptances", get(acceptances))
        .route("/workspaces/{workspace}/people", get(people))
        .route("/workspaces/{workspace}/people/{user_id}", get(profile))
        .route("/workspaces/{workspace}/suppressed", get(suppressed))
        .route("/workspaces/{workspace}/quota", get(quota))
        .with_state(segment)
}

async fn knobs(Shared(segment): Shared<SegmentConfig>) -> Response {
    json_answer(StatusCode::OK, &segment.knobs())
}

async fn turn(Shared(segment): Shared<SegmentConfig>, body: Bytes) -> Result<Response, Refused> {
    segment.turn(read(&body)?);
    Ok(json_answer(StatusCode::OK, &segment.knobs()))
}

async fn add_token(Shared(segment): Shared<SegmentConfig>, body: Bytes) -> Result<Response, Refused> {
    let spec: TokenSpec = read(&body)?;
    let token = spec.token.clone();
    segment.add_token(spec).map_err(bad_request)?;
    Ok(json_answer(StatusCode::CREATED, &json!({ "token": token })))
}

async fn revoke_token(
    Shared(segment): Shared<SegmentConfig>,
    Path(token): Path<String>,
) -> Result<Response, Refused> {
    if !segment.revoke_token(&token) {
        return Err(nothing("token", &token));
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn add_source(Shared(segment): Shared<SegmentConfig>, body: Bytes) -> Result<Response, Refused> {
    let spec: SourceSpec = read(&body)?;
    let slug = spec.slug.clone();
    segment.add_source(spec).map_err(bad_request)?;
    Ok(json_answer(StatusCode::CREATED, &json!({ "slug": slug })))
}

async fn add_destination(Shared(segment): Shared<SegmentConfig>, body: Bytes) -> Result<Response, Refused> {
    let spec: DestinationSpec = read(&body)?;
    let slug = spec.slug.clone();
    segment.add_destination(spec).map_err(bad_request)?;
    Ok(json_answer(StatusCode::CREATED, &json!({ "slug": slug })))
}

async fn add_warehouse(Shared(segment): Shared<SegmentConfig>, body: Bytes) -> Result<Response, Refused> {
    let id = segment.add_warehouse(read(&body)?).map_err(bad_request)?;
    Ok(json_answer(StatusCode::CREATED, &json!({ "id": id })))
}

async fn receive(Shared(segment): Shared<SegmentConfig>, body: Bytes) -> Result<Response, Refused> {
    let event: EventSpec = read(&body)?;
    let kept = segment.receive(&event).map_err(bad_request)?;
    Ok(json_answer(StatusCode::OK, &json!({ "kept": kept })))
}

async fn plan_next(Shared(segment): Shared<SegmentConfig>, body: Bytes) -> Result<Response, Refused> {
    segment.plan_next(read(&body)?).map_err(bad_request)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn clear_plans(Shared(segment): Shared<SegmentConfig>) -> Response {
    segment.clear_plans();
    StatusCode::NO_CONTENT.into_response()
}

async fn regulations(Shared(segment): Shared<SegmentConfig>) -> Response {
    json_answer(StatusCode::OK, &json!({"regulations": segment.regulations()}))
}

async fn regulation(
    Shared(segment): Shared<SegmentConfig>,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let record = segment.regulation(&id).ok_or_else(|| nothing("regulation", &id))?;
    Ok(json_answer(StatusCode::OK, &record))
}

async fn amend(
    Shared(segment): Shared<SegmentConfig>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refused> {
    segment.amend_regulation(&id, &read(&body)?).map_err(|error| match error {
        SpecRefused::UnknownRegulation(_) => refuse(StatusCode::NOT_FOUND, error),
        _ => bad_request(error),
    })?;
    regulation(Shared(segment), Path(id)).await
}

/// `?value=` looks at one value; without it there are all that were accepted.
async fn acceptances(
    Shared(segment): Shared<SegmentConfig>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let found = match only_parameter(query, "value")? {
        Some(value) => json!({"accepted": segment.accepted_for_deletion(&value)}),
        None => json!({"acceptances": segment.acceptances()}),
    };
    Ok(json_answer(StatusCode::OK, &found))
}

/// `?email=` finds user ids; without it there is only the number of all of them.
async fn people(
    Shared(segment): Shared<SegmentConfig>,
    Path(workspace): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let count = segment.user_id_count(&workspace).ok_or_else(|| nothing("workspace", &workspace))?;
    let found = match only_parameter(query, "email")? {
        Some(email) => {
            let user_ids = segment.user_ids_with_email(&workspace, &email);
            json!({"count": user_ids.len(), "user_ids": user_ids})
        }
        None => json!({ "count": count }),
    };
    Ok(json_answer(StatusCode::OK, &found))
}

async fn profile(
    Shared(segment): Shared<SegmentConfig>,
    Path((workspace, user_id)): Path<(String, String)>,
) -> Result<Response, Refused> {
    let profile = segment.profile(&workspace, &user_id).ok_or_else(|| nothing("data under", &user_id))?;
    Ok(json_answer(StatusCode::OK, &profile))
}

async fn suppressed(
    Shared(segment): Shared<SegmentConfig>,
    Path(workspace): Path<String>,
) -> Result<Response, Refused> {
    segment.user_id_count(&workspace).ok_or_else(|| nothing("workspace", &workspace))?;
    Ok(json_answer(StatusCode::OK, &json!({"user_ids": segment.suppressed(&workspace)})))
}

async fn quota(
    Shared(segment): Shared<SegmentConfig>,
    Path(workspace): Path<String>,
) -> Result<Response, Refused> {
    let used = segment.quota_used(&workspace).ok_or_else(|| nothing("workspace", &workspace))?;
    Ok(json_answer(StatusCode::OK, &used))
}

fn nothing(kind: &str, name: &str) -> Refused {
    refuse(StatusCode::NOT_FOUND, format!("there is no {kind} `{name}`"))
}
