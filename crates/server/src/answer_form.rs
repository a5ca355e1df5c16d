//! A contact's answer over the API: JSON, or a form with files.

use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request};
use axum::http::header::CONTENT_TYPE;
use habeas_casework::contacts::ContactAnswer;
use habeas_domain::{Actor, RequestId};
use serde_json::{Map, Value};

use crate::codes;
use crate::extract;
use crate::problem::Problem;
use crate::shapes::runs::ContactAnswerShape;
use crate::state::ServerState;
use crate::uploads::{self, Refusal, Sender};

/// Reads an answer in either form.
pub(crate) async fn read(
    request: Request,
    state: &ServerState,
    actor: &Actor,
    id: RequestId,
) -> Result<ContactAnswer, Problem> {
    let given = request.headers().get(CONTENT_TYPE).and_then(|given| given.to_str().ok());
    if given.is_some_and(|given| given.trim().to_ascii_lowercase().starts_with("multipart/form-data")) {
        return read_form(request, state, actor, id).await;
    }
    // Only files may be as large as the route allows.
    let mut request = request;
    DefaultBodyLimit::max(state.options.body_limit).apply(&mut request);
    let value = extract::json_body(request, state).await?;
    Ok(extract::read::<ContactAnswerShape>(value)?.with(Vec::new()))
}

async fn read_form(
    request: Request,
    state: &ServerState,
    actor: &Actor,
    id: RequestId,
) -> Result<ContactAnswer, Problem> {
    let form = Multipart::from_request(request, state).await.map_err(|_| refused(Refusal::Malformed))?;
    let sender = Sender::Caller(actor, id);
    let form = uploads::read(form, &state.casework, &sender, state.options.uploads).await;
    let form = form.map_err(|(refusal, _)| refused(refusal))?;
    match members(form.texts) {
        Ok(shape) => Ok(shape.with(form.files)),
        Err(problem) => {
            state.casework.discard_files(form.files).await;
            Err(problem)
        }
    }
}

fn members(texts: std::collections::BTreeMap<String, String>) -> Result<ContactAnswerShape, Problem> {
    let mut members = Map::new();
    for (name, text) in texts {
        // The records are JSON in the form too; what else may be in it is told by the same reader as JSON.
        let value = match name.as_str() {
            "records" => serde_json::from_str(&text)
                .map_err(|_| Problem::field("records", "is not JSON; expected a list of records"))?,
            _ => Value::String(text),
        };
        members.insert(name, value);
    }
    extract::read(Value::Object(members))
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Malformed => Problem::new(
            codes::BODY_UNREADABLE,
            "the form cannot be read: its parts are not separated as its header says",
        ),
        Refusal::TooLarge(why) => Problem::new(codes::PAYLOAD_TOO_LARGE, why),
        Refusal::Field(field, why) => Problem::field(field, why),
        Refusal::File(_, why) => Problem::field("files", format!("has a file that {why}")),
        Refusal::Casework(error) => error.into(),
    }
}
