//! `/contact/{token}`: the owner of a system answers for it.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use habeas_casework::CaseworkError;
use habeas_casework::contacts::{Answer, ContactAnswer, ContactPage, MOST_FILES};
use habeas_casework::files::StoredFile;
use habeas_documents::mail::ContactAsks;
use habeas_documents::words;

use super::layout::{self, Frame};
use super::{Token, page, refused, sentence, texts};
use crate::state::ServerState;
use crate::uploads::{self, Form, Refusal, Sender};

#[derive(Template)]
#[template(path = "contact.html")]
struct Page {
    frame: Frame,
    system: String,
    reference: String,
    until: String,
    asks_for_data: bool,
    people: Vec<(String, String)>,
    limits: String,
    /// What was typed before it was refused.
    typed: BTreeMap<String, String>,
    /// What is wrong, and with which part.
    errors: Vec<(String, String)>,
}

impl Page {
    fn typed(&self, name: &str) -> &str {
        self.typed.get(name).map_or("", String::as_str)
    }

    fn chosen(&self, answer: &str) -> bool {
        self.typed("answer") == answer
    }

    fn error(&self, field: &str) -> Option<&str> {
        self.errors.iter().find(|(at, _)| at == field).map(|(_, message)| message.as_str())
    }
}

/// The form.
pub(super) async fn show(State(state): State<ServerState>, Token(token): Token) -> Response {
    match state.casework.contact_page(&token).await {
        Ok(found) => form(&state, found, StatusCode::OK, BTreeMap::new(), Vec::new()),
        Err(error) => refused(&state, error),
    }
}

fn form(
    state: &ServerState,
    found: ContactPage,
    status: StatusCode,
    typed: BTreeMap<String, String>,
    errors: Vec<(String, String)>,
) -> Response {
    let limits = state.options.uploads;
    let shown = Page {
        frame: Frame::of(state),
        system: found.system,
        reference: found.reference,
        until: words::moment(found.until, state.casework.time_zone()),
        asks_for_data: found.asks == ContactAsks::Data,
        people: found
            .identifiers
            .into_iter()
            .map(|(kind, value)| (words::label(kind.as_str()), value))
            .collect(),
        limits: format!(
            "Up to {MOST_FILES} files, each up to {}: documents, tables, pictures, recordings, mails, or a ZIP of such files.",
            words::size(limits.file)
        ),
        typed,
        errors,
    };
    page(status, shown.render().unwrap_or_default())
}

/// Takes the answer.
pub(super) async fn act(State(state): State<ServerState>, Token(token): Token, request: Request) -> Response {
    let found = match state.casework.contact_page(&token).await {
        Ok(found) => found,
        Err(error) => return refused(&state, error),
    };
    let given = match read(&state, &token, request).await {
        Ok(given) => given,
        Err((refusal, typed)) => {
            let (status, field, why) = match refusal {
                Refusal::Malformed => {
                    let why = "The form did not arrive completely. Please send it again.";
                    (StatusCode::BAD_REQUEST, "", why.to_owned())
                }
                Refusal::TooLarge(why) => (StatusCode::PAYLOAD_TOO_LARGE, "files", sentence(&why)),
                Refusal::Field(field, why) => {
                    (StatusCode::UNPROCESSABLE_ENTITY, field, sentence(&format!("this {why}")))
                }
                Refusal::File(name, why) => {
                    (StatusCode::UNPROCESSABLE_ENTITY, "files", format!("“{name}” {why}."))
                }
                Refusal::Casework(error) => return refused(&state, error),
            };
            return form(&state, found, status, typed, vec![(field.to_owned(), why)]);
        }
    };
    let Form { texts: typed, files } = given;
    let (count, bytes) = (files.len() as u64, files.iter().map(StoredFile::size).sum());
    let taken = match answer(&found, &typed, &files) {
        Ok(answer) => state.casework.answer_by_link(&token, answer).await,
        Err(errors) => {
            state.casework.discard_files(files).await;
            return form(&state, found, StatusCode::UNPROCESSABLE_ENTITY, typed, errors);
        }
    };
    match taken {
        Ok(()) => thanks(&state, count, bytes),
        Err(error) => {
            state.casework.discard_files(files).await;
            match error {
                CaseworkError::Validation(errors) => {
                    let errors = errors
                        .into_iter()
                        .map(|error| (error.field, sentence(&format!("this {}", error.message))));
                    form(&state, found, StatusCode::UNPROCESSABLE_ENTITY, typed, errors.collect())
                }
                error => refused(&state, error),
            }
        }
    }
}

async fn read(
    state: &ServerState,
    token: &str,
    request: Request,
) -> Result<Form, (Refusal, BTreeMap<String, String>)> {
    let malformed = || (Refusal::Malformed, BTreeMap::new());
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        let texts = texts(request.into_body()).await.ok_or_else(malformed)?;
        return Ok(Form { texts, files: Vec::new() });
    }
    let form = Multipart::from_request(request, state).await.map_err(|_| malformed())?;
    uploads::read(form, &state.casework, &Sender::Contact(token), state.options.uploads).await
}

/// The answer that was typed, or what is wrong with it.
fn answer(
    found: &ContactPage,
    typed: &BTreeMap<String, String>,
    files: &[StoredFile],
) -> Result<ContactAnswer, Vec<(String, String)>> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, why: &str| errors.push((field.to_owned(), why.to_owned()));
    let text =
        |name: &str| typed.get(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let chosen = match (found.asks, text("answer").as_deref()) {
        (ContactAsks::Data, Some("data")) => Some(Answer::Data),
        (ContactAsks::Deletion, Some("deleted")) => Some(Answer::Deleted),
        (_, Some("nothing_held")) => Some(Answer::NothingHeld),
        _ => None,
    };
    match chosen {
        None => wrong("answer", "Choose one of the answers."),
        Some(Answer::Data) if files.is_empty() => {
            wrong("files", "Choose the files that hold the data; if there is none, choose the other answer.");
        }
        Some(Answer::NothingHeld | Answer::Deleted) if !files.is_empty() => {
            wrong("files", "Files do not fit this answer; leave them out, or choose the other answer.");
        }
        Some(_) => {}
    }
    let name = text("name");
    if name.is_none() {
        wrong("name", "Say who answers.");
    }
    if text("truthful").is_none() {
        wrong("truthful", "Confirm that your answer is true.");
    }
    match chosen {
        Some(answer) if errors.is_empty() => {
            Ok(ContactAnswer { answer, name, note: text("note"), records: Vec::new(), files: files.to_vec() })
        }
        _ => Err(errors),
    }
}

fn thanks(state: &ServerState, files: u64, bytes: u64) -> Response {
    let received = match files {
        0 => "Your answer was received.".to_owned(),
        _ => format!(
            "Your answer was received, with {} ({}).",
            words::counted(files, "file", "files"),
            words::size(bytes)
        ),
    };
    let text = format!(
        "{received} It is kept sealed, and only the people who work on this request can read it. The link is used up; you can close this page."
    );
    layout::message(state, StatusCode::OK, "Thank you", &text)
}
