//! The control plane: what programs in other processes use to look into the sandbox and to change it.
//!
//! | call | does |
//! | --- | --- |
//! | `GET /calls` | counters by vendor and route template |
//! | `GET /calls/deletions` | by vendor and key: how many DELETE calls arrived, how many took effect |
//! | `GET /calls/peaks` | the most calls in any sliding 60 seconds, by class and by account and class |
//! | `GET /calls/recent?limit=N` | the newest calls (100 unless told otherwise) |
//! | `DELETE /calls` | forgets all of them |
//! | `POST /faults` | puts a [rule](crate::faults::Rule) in force: `{"id": 1}` |
//! | `GET /faults` | the rules in force |
//! | `DELETE /faults`, `DELETE /faults/{id}` | takes all of them, or one, out of force |
//! | `GET /clock` | the vendors' time: `{"now_ms": ...}` |
//! | `POST /clock/advance {"seconds": n}` | moves it forward |
//! | `GET /readycloud` | its [knobs](crate::readycloud::Knobs) |
//! | `PATCH /readycloud` | [changes some](crate::readycloud::KnobsPatch) |
//! | `GET /readycloud/contacts?email=` | keys of the contacts with this email; without it, their number |
//! | `POST /readycloud/contacts` | adds a [contact](crate::readycloud::ContactSpec): `{"key": "..."}` |
//! | `GET`, `DELETE /readycloud/contacts/{key}` | one contact; removes it behind the client's back |
//! | `POST /readycloud/tokens` | adds or replaces a [token](crate::readycloud::TokenSpec) |
//! | `DELETE /readycloud/tokens/{token}` | revokes it |
//! | `GET /qualtrics` | its [knobs](crate::qualtrics::Knobs) |
//! | `PATCH /qualtrics` | [changes some](crate::qualtrics::KnobsPatch) |
//! | `GET /qualtrics/snapshot` | everything it holds about people |
//! | `GET /qualtrics/contacts?email=` | ids of the contacts with this email; without it, their number |
//! | `POST /qualtrics/contacts` | adds a [contact](crate::qualtrics::ContactSpec): `{"id": "..."}` |
//! | `GET`, `DELETE /qualtrics/contacts/{id}` | one contact; removes it behind the client's back |
//! | `PATCH /qualtrics/directories/{id} {"lite": true}` | makes it an "XMD Lite" directory, or a full one again |
//! | `GET /qualtrics/responses?email=` | ids of the responses linked to this email, and of their tickets |
//! | `GET /qualtrics/users?email=` | ids of the brand's users with this email |
//! | `POST /qualtrics/users`, `DELETE /qualtrics/users/{id}` | adds a [user](crate::qualtrics::UserSpec), removes one |
//! | `POST /qualtrics/clients` | adds or replaces an [OAuth client](crate::qualtrics::ClientSpec) |
//! | `DELETE /qualtrics/clients/{id}` | takes it and its tokens away |
//! | `POST /qualtrics/tokens` | adds or replaces a [token](crate::qualtrics::TokenSpec) |
//! | `POST /qualtrics/tokens/expire` | makes every token expire now |
//! | `DELETE /qualtrics/tokens/{token}` | revokes it |
//! | `GET /qualtrics/erasures` | every [erasure](crate::qualtrics::Erasure), oldest first |
//! | `POST /qualtrics/erasures` | puts [somebody else's](crate::qualtrics::ErasureSpec) into the list |
//! | `GET /qualtrics/erasures/accepted` | by email: how many calls were accepted to erase it, dry runs left out |
//! | `POST /qualtrics/erasures/{id}/finish {}` | ends a pending one; with `failure_reason`, as failed |
//! | `GET /qualtrics/customer-data-requests` | every [request for data](crate::qualtrics::CustomerDataRequest) |
//! | `POST /qualtrics/customer-data-requests/{id}/finish {}` | ends a pending one likewise |
//! | `GET /segment_config` | its [knobs](crate::segment_config::Knobs) |
//! | `PATCH /segment_config` | [changes some](crate::segment_config::KnobsPatch) |
//! | `POST /segment_config/tokens` | adds or replaces a [token](crate::segment_config::TokenSpec) |
//! | `DELETE /segment_config/tokens/{token}` | revokes it |
//! | `POST /segment_config/sources` | adds a [source](crate::segment_config::SourceSpec) |
//! | `POST /segment_config/destinations` | connects a [destination](crate::segment_config::DestinationSpec) |
//! | `POST /segment_config/warehouses` | adds a [warehouse](crate::segment_config::WarehouseSpec): `{"id": "..."}` |
//! | `POST /segment_config/events` | [data](crate::segment_config::EventSpec) comes in: `{"kept": true}` |
//! | `POST /segment_config/plans` | a [plan](crate::segment_config::RegulationPlan) for the next regulation |
//! | `DELETE /segment_config/plans` | forgets the plans that were not used up |
//! | `GET /segment_config/regulations` | every [regulation](crate::segment_config::RegulationRecord) ever accepted |
//! | `GET /segment_config/regulations/{id}` | one of them |
//! | `PATCH /segment_config/regulations/{id}` | changes its [plan](crate::segment_config::RegulationPlan) |
//! | `GET /segment_config/acceptances?value=` | how often a value was accepted for deletion; without it, all |
//! | `GET /segment_config/workspaces/{workspace}/people?email=` | user ids with data of this email; without it, their number |
//! | `GET /segment_config/workspaces/{workspace}/people/{user_id}` | what is known under a user id, else 404 |
//! | `GET /segment_config/workspaces/{workspace}/suppressed` | suppressed user ids |
//! | `GET /segment_config/workspaces/{workspace}/quota` | users named in regulations this month |
//! | `GET /segment_public` | the [knobs](crate::segment_config::PublicKnobs) of the Public API alone |
//! | `PATCH /segment_public` | [changes some](crate::segment_config::PublicKnobsPatch) |
//! | `GET /webhook` | its [knobs](crate::webhook::Knobs) |
//! | `PATCH /webhook` | [changes some](crate::webhook::KnobsPatch) |
//! | `GET /webhook/people?value=` | user ids of the people who have this email, user id or telephone number; without it, their number |
//! | `POST /webhook/people` | adds a [person](crate::webhook::PersonSpec) |
//! | `GET`, `DELETE /webhook/people/{user_id}` | what is held about one; removes them behind the client's back |
//! | `GET /webhook/jobs` | every [job](crate::webhook::JobRecord) that was ever accepted |
//! | `GET`, `DELETE /webhook/jobs/{job}` | one of them; forgets it |
//! | `POST /webhook/jobs/{job}/finish {}` | ends a pending one; with `failure`, as failed |
//! | `GET /webhook/jobs/{job}/callback?forgery=` | headers and body of its callback, with [something wrong](crate::webhook::Forgery) if wished |
//! | `GET /webhook/callbacks` | every [callback](crate::webhook::Delivery) that was sent, and what it was answered |
//! | `POST /webhook/callbacks {"job": ..., "to": ...}` | sends one, with a `forgery` if wished |
//! | `GET /webhook/messages` | the newest [messages](crate::webhook::MessageRecord) |
//! | `GET /webhook/messages/counts` | how many of each type, and what became of them |
//! | `GET /webhook/acceptances?value=` | how often a value was accepted for deletion; without it, all |
//!
//! Segment's two APIs show one state: its tokens, people and regulations are below `/segment_config` for both.
//!
//! Refusals are `{"error": "..."}`; fields nobody knows are refused rather than ignored, because a test whose
//! fault was misspelt would pass for the wrong reason.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use url::form_urlencoded;

use crate::answers::json as json_answer;
use crate::calls::CallLog;
use crate::clock::Clock;
use crate::faults::FaultPlane;
use crate::vendors::Vendor;

/// The farthest the clock moves at once: ten years.
const LONGEST_ADVANCE_SECONDS: u64 = 10 * 366 * 86_400;

/// What the control plane reaches besides the vendors.
#[derive(Clone, Debug)]
pub(crate) struct Plane {
    pub(crate) calls: CallLog,
    pub(crate) clock: Clock,
    pub(crate) faults: FaultPlane,
}

pub(crate) fn router(plane: Plane, vendors: impl Iterator<Item = Arc<dyn Vendor>>) -> Router {
    let mut router = Router::new()
        .route("/calls", get(calls).delete(forget_calls))
        .route("/calls/deletions", get(deletions))
        .route("/calls/peaks", get(peaks))
        .route("/calls/recent", get(recent))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/clock", get(clock))
        .route("/clock/advance", post(advance))
        .with_state(plane);
    for vendor in vendors {
        router = router.nest(&format!("/{}", vendor.name()), vendor.control());
    }
    router
        .fallback(async || refuse(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
        })
}

/// Why a control call was not carried out.
#[derive(Debug)]
pub(crate) struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        json_answer(self.0, &json!({"error": self.1}))
    }
}

pub(crate) fn refuse(status: StatusCode, message: impl ToString) -> Refused {
    Refused(status, message.to_string())
}

pub(crate) fn bad_request(message: impl ToString) -> Refused {
    refuse(StatusCode::BAD_REQUEST, message)
}

/// Reads a JSON body; fields that nobody knows are refused by the types themselves.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(bad_request)
}

/// Reads the one query parameter a route has; any other is refused.
pub(crate) fn only_parameter(query: Option<String>, known: &str) -> Result<Option<String>, Refused> {
    let mut found = None;
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if name != known {
            return Err(bad_request(format!("unknown query parameter `{name}`, expected `{known}`")));
        }
        found = Some(value.into_owned());
    }
    Ok(found)
}

async fn calls(State(plane): State<Plane>) -> Response {
    json_answer(StatusCode::OK, &plane.calls.summary())
}

async fn forget_calls(State(plane): State<Plane>) -> Response {
    plane.calls.reset();
    StatusCode::NO_CONTENT.into_response()
}

async fn deletions(State(plane): State<Plane>) -> Response {
    json_answer(StatusCode::OK, &plane.calls.deletions())
}

async fn peaks(State(plane): State<Plane>) -> Response {
    json_answer(StatusCode::OK, &plane.calls.peaks())
}

async fn recent(State(plane): State<Plane>, RawQuery(query): RawQuery) -> Result<Response, Refused> {
    let limit = match only_parameter(query, "limit")? {
        Some(text) => text.parse().map_err(|_| bad_request("`limit` must be a number"))?,
        None => 100,
    };
    Ok(json_answer(StatusCode::OK, &json!({"calls": plane.calls.recent(limit)})))
}

async fn faults(State(plane): State<Plane>) -> Response {
    json_answer(StatusCode::OK, &json!({"rules": plane.faults.rules()}))
}

async fn add_fault(State(plane): State<Plane>, body: Bytes) -> Result<Response, Refused> {
    let id = plane.faults.add(read(&body)?).map_err(bad_request)?;
    Ok(json_answer(StatusCode::CREATED, &json!({ "id": id })))
}

async fn clear_faults(State(plane): State<Plane>) -> Response {
    plane.faults.clear();
    StatusCode::NO_CONTENT.into_response()
}

async fn remove_fault(State(plane): State<Plane>, Path(id): Path<String>) -> Result<Response, Refused> {
    if id.parse().is_ok_and(|id| plane.faults.remove(id)) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Err(refuse(StatusCode::NOT_FOUND, format!("there is no rule `{id}`")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

async fn clock(State(plane): State<Plane>) -> Response {
    json_answer(StatusCode::OK, &json!({"now_ms": plane.clock.now_ms()}))
}

async fn advance(State(plane): State<Plane>, body: Bytes) -> Result<Response, Refused> {
    let Advance { seconds } = read(&body)?;
    if seconds > LONGEST_ADVANCE_SECONDS {
        return Err(bad_request(format!("`seconds` must be at most {LONGEST_ADVANCE_SECONDS}")));
    }
    plane.clock.advance(Duration::from_secs(seconds));
    Ok(clock(State(plane)).await)
}
