//! Customer-data jobs. **Nothing here is verified against the live API**: the vendor documents paths and purpose only.
//!
//! What is assumed, by analogy with the vendor's other jobs:
//! - the request's body is a list of addresses under [`EMAILS`];
//! - the job's id is the first of [`JOB_IDS`] in the answer's `result` (or beside it);
//! - its state is a word under `status`; without one, a named file or 100 percent mean that it is complete;
//! - its files are named by `fileId`, `fileIds[]` or `files[]` (ids, or objects with `fileId` or `id`);
//! - a job that has ended has brought its files, and none if it names none;
//! - a file is JSON (bare or in the vendor's envelope, one value or several after each other), a ZIP archive, gzip, or
//!   something else, told apart by its first bytes and its media type;
//! - a 404 means that the vendor no longer keeps the job or its file, so a new one is begun;
//! - beginning a job changes nothing for the person, so it may be begun twice: there is no list to look it up in.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::api::{Api, PATIENCE};
use super::errors::{self, Asked};
use super::manifest::{DATA_FILE, DATA_JOB, DATA_PROGRESS};
use super::values::{self, Fields, Standing};
use crate::client::{Call, VendorAnswer};
use crate::connector::Job;
use crate::error::VendorError;

/// The body's field. Not verified against the live API.
const EMAILS: &str = "emails";
/// Where the job's id may be, best first.
const JOB_IDS: [&str; 5] = ["customerDataRequestId", "requestId", "id", "jobId", "progressId"];
/// Where files may be named.
const FILES: [&str; 3] = ["fileId", "fileIds", "files"];
/// A job that cannot exist, to see whether jobs may be asked for.
const IMPOSSIBLE_JOB: &str = "CDR-00000000-0000-4000-8000-000000000000";

/// What is known of a job.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) job: Option<Job>,
    pub(super) standing: Standing,
    pub(super) files: Vec<String>,
    /// Whether the answer has a place for files at all. If not, nobody knows whether there is one.
    pub(super) speaks_of_files: bool,
    pub(super) answer: VendorAnswer,
}

/// `POST /customer-data-requests`.
pub(super) async fn begin(api: &Api, emails: &[String]) -> Result<Report, VendorError> {
    let describe =
        || api.call(DATA_JOB, Method::POST, &["customer-data-requests"]).json(&json!({EMAILS: emails}));
    let answer = api.send(describe).await?;
    if !answer.status.is_success() {
        return Err(errors::refused(&answer, Asked::DataJob));
    }
    report(answer)
}

/// `GET /customer-data-requests/{job}`.
pub(super) async fn look(api: &Api, job: &Job) -> Result<Report, VendorError> {
    let answer = api.send(|| progress(api, job.as_str())).await?;
    match answer.status {
        status if status.is_success() => report(answer),
        StatusCode::NOT_FOUND => Err(errors::data_job_lost(&answer, "customer-data job")),
        _ => Err(errors::refused(&answer, Asked::DataProgress)),
    }
}

/// `GET /customer-data-requests/{job}/files/{file}`.
pub(super) async fn fetch(api: &Api, job: &Job, file: &str) -> Result<VendorAnswer, VendorError> {
    let segments = ["customer-data-requests", job.as_str(), "files", file];
    let answer =
        api.send(|| api.call(DATA_FILE, Method::GET, &segments).accept("*/*").patient(PATIENCE)).await?;
    match answer.status {
        status if status.is_success() => Ok(answer),
        StatusCode::NOT_FOUND => Err(errors::data_job_lost(&answer, "customer-data file")),
        _ => Err(errors::refused(&answer, Asked::DataFile)),
    }
}

/// A look at a job that cannot exist: 404 where jobs may be asked for.
pub(super) fn probe(api: &Api) -> Call {
    progress(api, IMPOSSIBLE_JOB)
}

fn progress(api: &Api, job: &str) -> Call {
    api.call(DATA_PROGRESS, Method::GET, &["customer-data-requests", job])
}

fn report(answer: VendorAnswer) -> Result<Report, VendorError> {
    let body: Value = answer.json()?;
    // Enveloped or bare; a bare id is an id.
    let (fields, bare_id) = match body.get("result") {
        Some(Value::Object(fields)) => (fields.clone(), None),
        Some(value @ (Value::String(_) | Value::Number(_))) => (Fields::new(), values::text(value)),
        Some(_) => return Err(errors::no_result(&answer)),
        None => match body {
            Value::Object(mut fields) if fields.keys().any(|key| key != "meta") => {
                fields.remove("meta");
                (fields, None)
            }
            _ => return Err(errors::no_result(&answer)),
        },
    };
    let job = bare_id.or_else(|| values::first_text(&fields, &JOB_IDS)).and_then(Job::new);
    let files = files(&fields);
    let speaks_of_files = FILES.iter().any(|key| fields.contains_key(*key));
    let standing = standing(&fields, &files);
    Ok(Report { job, standing, files, speaks_of_files, answer })
}

fn standing(fields: &Fields, files: &[String]) -> Standing {
    if let Some(word) = values::first_text(fields, &["status"]) {
        return Standing::of_word(&word);
    }
    let percent = fields.get("percentComplete").and_then(values::number).unwrap_or_default();
    if files.is_empty() && percent < 100.0 { Standing::Pending } else { Standing::Complete }
}

fn files(fields: &Fields) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    for value in FILES.iter().filter_map(|key| fields.get(*key)) {
        let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for one in list {
            let id = match one {
                Value::Object(file) => values::first_text(file, &["fileId", "id"]),
                other => values::text(other),
            };
            files.extend(id.filter(|id| Job::new(id.as_str()).is_some() && !files.contains(id)));
        }
    }
    files
}

/// What a file holds.
#[derive(Debug, PartialEq)]
pub(super) enum Content {
    /// JSON: the elements of its list, and what stands beside the list.
    Read { elements: Vec<Value>, rest: Option<Value> },
    /// Anything else, handed on as it came.
    File { extension: &'static str, media_type: &'static str },
}

/// A file with more values is not taken apart.
const MOST_VALUES: usize = 500_000;

/// Looks into a file.
pub(super) fn content(answer: &VendorAnswer) -> Result<Content, VendorError> {
    let body = answer.body.as_ref();
    let kind = answer.content_type.as_deref().unwrap_or_default();
    let start = body.trim_ascii_start();
    let file = |extension, media_type| Ok(Content::File { extension, media_type });
    if body.starts_with(b"PK\x03\x04") || body.starts_with(b"PK\x05\x06") {
        // The archive's directory is at its end; without it the archive was cut.
        let tail = &body[body.len().saturating_sub(66_000)..];
        return if tail.windows(4).any(|window| window == b"PK\x05\x06") {
            file("zip", "application/zip")
        } else {
            Err(errors::file_not_usable(answer, "a ZIP archive ends in the middle"))
        };
    }
    if body.starts_with(&[0x1F, 0x8B]) {
        return file("gz", "application/gzip");
    }
    if kind == "text/html" || starts_like(start, b"<!doctype html") || starts_like(start, b"<html") {
        return Err(errors::file_not_usable(answer, "a web page came where a file was expected"));
    }
    if start.is_empty() {
        return Ok(Content::Read { elements: Vec::new(), rest: None });
    }
    if answer.is_json() || matches!(start.first(), Some(b'{' | b'[')) {
        // A person can still read it; taken apart it would fill the memory.
        if answer.has_more_values_than(MOST_VALUES) {
            return file("json", "application/json");
        }
        match parsed(body) {
            Ok(value) => return Ok(taken_apart(value)),
            Err(error) if error.is_eof() => {
                return Err(errors::file_not_usable(answer, "a JSON file ends in the middle"));
            }
            // Not JSON after all, or nested too deeply to be read here: a person can still read it.
            Err(_) => return file("json", "application/json"),
        }
    }
    match kind {
        "text/csv" => file("csv", "text/csv"),
        kind if kind.starts_with("text/") => file("txt", "text/plain"),
        _ => file("bin", "application/octet-stream"),
    }
}

fn starts_like(body: &[u8], start: &[u8]) -> bool {
    body.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// One value, or several after each other (one a line), which are a list.
fn parsed(body: &[u8]) -> Result<Value, serde_json::Error> {
    let mut values =
        serde_json::Deserializer::from_slice(body).into_iter::<Value>().collect::<Result<Vec<_>, _>>()?;
    Ok(if values.len() == 1 { values.remove(0) } else { Value::Array(values) })
}

/// How the name of a list of responses ends.
const RESPONSES: &str = "responses";
/// Other names that a list of responses may have, best first.
const LISTS: [&str; 5] = ["elements", "records", "data", "values", "items"];

fn taken_apart(mut value: Value) -> Content {
    if value.get("meta").is_some()
        && let Some(result) = value.get_mut("result")
    {
        value = result.take();
    }
    let (elements, rest) = match value {
        Value::Array(elements) if elements.iter().all(|one| one.is_object() || is_empty(one)) => {
            (elements, None)
        }
        Value::Object(mut fields) => match list_of_responses(&fields).and_then(|key| fields.remove(&key)) {
            Some(Value::Array(elements)) => {
                fields.retain(|_, value| !is_empty(value));
                (elements, (!fields.is_empty()).then_some(Value::Object(fields)))
            }
            _ => (Vec::new(), Some(Value::Object(fields))),
        },
        scalar => (Vec::new(), Some(scalar)),
    };
    Content::Read {
        elements: elements.into_iter().filter(|element| !is_empty(element)).collect(),
        rest: rest.filter(|rest| !is_empty(rest)),
    }
}

/// Whether a file says nothing but for whom it was asked: it repeats the addresses also of a person who is not known.
pub(super) fn only_repeats(rest: &Value, emails: &[String]) -> bool {
    let is_asked = |value: &Value| {
        value.as_str().is_some_and(|text| emails.iter().any(|email| email.eq_ignore_ascii_case(text)))
    };
    let Value::Object(fields) = rest else { return false };
    fields.len() == 1
        && match fields.get(EMAILS) {
            Some(Value::Array(values)) => values.iter().all(is_asked),
            Some(value) => is_asked(value),
            None => false,
        }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// The list of objects that is about responses: by its name, else the only one. Of several without such a name nobody
/// knows what they are, and a contact must not be shown as a response: the object stays whole then.
fn list_of_responses(fields: &Fields) -> Option<String> {
    let is_list = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_object));
    let lists: Vec<&String> = fields.iter().filter(|(_, value)| is_list(value)).map(|(key, _)| key).collect();
    let named = lists.iter().find(|key| key.to_ascii_lowercase().ends_with(RESPONSES));
    let named = named.or_else(|| LISTS.iter().find_map(|name| lists.iter().find(|key| **key == name)));
    let only = if lists.len() == 1 { lists.first() } else { None };
    named.or(only).map(|key| (*key).clone())
}
