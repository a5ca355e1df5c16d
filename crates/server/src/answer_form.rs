//! A contact's answer: JSON, or a form with files.

use axum::extract::multipart::MultipartError;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use habeas_casework::contacts::{ContactAnswer, MOST_FILES};
use habeas_integrations::FoundFile;
use serde_json::{Map, Value};

use crate::codes;
use crate::extract;
use crate::problem::Problem;
use crate::shapes::runs::ContactAnswerShape;
use crate::state::ServerState;

/// Reads an answer in either form.
pub(crate) async fn read(request: Request, state: &ServerState) -> Result<ContactAnswer, Problem> {
    let given = request.headers().get(CONTENT_TYPE).and_then(|given| given.to_str().ok());
    if given.is_some_and(|given| given.trim().to_ascii_lowercase().starts_with("multipart/form-data")) {
        return read_form(request, state).await;
    }
    // Only files may be as large as the route allows.
    let mut request = request;
    DefaultBodyLimit::max(state.options.body_limit).apply(&mut request);
    let value = extract::json_body(request, state).await?;
    Ok(extract::read::<ContactAnswerShape>(value)?.with(Vec::new()))
}

async fn read_form(request: Request, state: &ServerState) -> Result<ContactAnswer, Problem> {
    let mut form = Multipart::from_request(request, state).await.map_err(|_| malformed())?;
    let mut members = Map::new();
    let mut files = Vec::new();
    while let Some(part) = form.next_field().await.map_err(|error| unreadable(&error))? {
        let name = part.name().unwrap_or_default().to_owned();
        if name == "files" {
            if files.len() == MOST_FILES {
                return Err(Problem::field("files", format!("has more than {MOST_FILES} files")));
            }
            let file_name = part.file_name().unwrap_or_default().to_owned();
            let media_type = part.content_type().unwrap_or_default().to_owned();
            let bytes = part.bytes().await.map_err(|error| unreadable(&error))?;
            if bytes.is_empty() {
                return Err(Problem::field("files", "has an empty file; leave it out"));
            }
            files.push(FoundFile::new(&file_name, &media_type, bytes.to_vec()));
            continue;
        }
        let text = part.text().await.map_err(|error| unreadable(&error))?;
        if text.len() > state.options.body_limit {
            return Err(Problem::new(
                codes::PAYLOAD_TOO_LARGE,
                "a part of the form is larger than this call takes; send large things as `files`",
            ));
        }
        // The records are JSON in the form too; what else may be in it is told by the same reader as JSON.
        let value = match name.as_str() {
            "records" => serde_json::from_str(&text)
                .map_err(|_| Problem::field("records", "is not JSON; expected a list of records"))?,
            _ => Value::String(text),
        };
        if members.insert(name, value).is_some() {
            return Err(Problem::field("", "has a part twice; only `files` may be repeated"));
        }
    }
    Ok(extract::read::<ContactAnswerShape>(Value::Object(members))?.with(files))
}

fn malformed() -> Problem {
    Problem::new(
        codes::BODY_UNREADABLE,
        "the form cannot be read: its parts are not separated as its header says",
    )
}

fn unreadable(error: &MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(
            codes::PAYLOAD_TOO_LARGE,
            "the files are larger than one answer takes; send fewer or smaller ones",
        );
    }
    malformed()
}
