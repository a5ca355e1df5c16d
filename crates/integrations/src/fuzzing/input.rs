//! Bytes into a vendor's answers, and recorded answers into bytes.
//!
//! Parts are separated by a character that JSON never holds as it is, so that cutting, moving and doubling bytes
//! gives other answers instead of noise. The first part says what is done, each other one is an answer: two bytes that
//! choose its status and headers, then its body.

use arbitrary::Unstructured;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use super::vendor::Work;
use super::{EMAIL, SECRET, USER_ID};
use crate::client::in_memory::{Answer, Loss};
use crate::client::recording::{Recording, Replied};

/// RECORD SEPARATOR.
const SEPARATOR: u8 = 0x1E;
/// More answers are not given.
const MOST_ANSWERS: usize = 48;

/// How many answers an input has that begins in the middle of a recording.
const MOST_BEHIND: usize = 12;

/// Statuses by the byte that chooses them; every other byte is a success, which is where most is read.
const STATUSES: [u16; 24] = [
    200, 201, 202, 204, 206, 301, 302, 400, 401, 403, 404, 405, 408, 409, 410, 413, 422, 423, 429, 500, 501,
    502, 503, 504,
];
/// Media types by three bits of the second byte.
const MEDIA_TYPES: [Option<&str>; 8] = [
    Some("application/json"),
    Some("text/html"),
    Some("text/plain"),
    Some("text/csv"),
    Some("application/zip"),
    Some("application/problem+json; charset=utf-8"),
    Some("application/octet-stream"),
    None,
];
/// How long to wait by two more bits.
const RETRY_AFTERS: [Option<&str>; 4] =
    [None, Some("7"), Some("Sun, 01 Mar 2026 12:00:30 GMT"), Some("soon")];
const WITH_REQUEST_ID: u8 = 0b0010_0000;
const CUT: u8 = 0b1000_0000;
const LOST: u8 = 0b1100_0000;
const LOSSES: [Loss; 4] = [Loss::LeadsInside, Loss::NotConnected, Loss::TimedOut, Loss::Broken];

/// What a run is made of.
pub(super) struct Input {
    /// What is done.
    pub(super) work: Work,
    /// Further choices, bit by bit.
    pub(super) options: u8,
    /// What the work is given: ids, a cursor, settings.
    pub(super) text: String,
    /// How the connection's secrets begin; vendors tell their kinds of credential by that.
    pub(super) secrets_begin: String,
    /// What the vendor answers, in order.
    pub(super) answers: Vec<Result<Answer, Loss>>,
    /// How long all bodies are together.
    pub(super) answered: usize,
}

impl Input {
    pub(super) fn read(data: &[u8]) -> Self {
        let mut parts = data.split(|byte| *byte == SEPARATOR);
        let mut first = Unstructured::new(parts.next().unwrap_or_default());
        let (work, options) = (choice(&mut first), choice(&mut first));
        let text = String::from_utf8_lossy(first.take_rest()).into_owned();
        let (text, begin) = text.split_once('\n').unwrap_or((&text, ""));
        let begin = begin.chars().filter(|one| one.is_ascii_alphanumeric() || *one == '_').take(16);
        let answers: Vec<_> = parts.take(MOST_ANSWERS).map(answer).collect();
        Self {
            work: Work::chosen(work),
            options,
            text: text.to_owned(),
            secrets_begin: begin.collect(),
            answered: answers.iter().flatten().map(|answer| answer.body.len()).sum(),
            answers,
        }
    }
}

/// The next byte; at the end, nothing.
fn choice(bytes: &mut Unstructured<'_>) -> u8 {
    bytes.arbitrary().unwrap_or_default()
}

fn answer(part: &[u8]) -> Result<Answer, Loss> {
    let mut bytes = Unstructured::new(part);
    let (status, headers) = (choice(&mut bytes), choice(&mut bytes));
    if headers & LOST == LOST {
        return Err(LOSSES[usize::from(status) % LOSSES.len()]);
    }
    let status = STATUSES.get(usize::from(status)).copied().unwrap_or(200);
    let status = StatusCode::from_u16(status).unwrap_or_default();
    let mut answer = Answer::new(status, bytes.take_rest().to_vec());
    answer.is_cut = headers & CUT != 0;
    let request_id = (headers & WITH_REQUEST_ID != 0).then_some("request-1");
    for (name, value) in [
        (CONTENT_TYPE, MEDIA_TYPES[usize::from(headers & 0b111)]),
        (RETRY_AFTER, RETRY_AFTERS[usize::from(headers >> 3 & 0b11)]),
        (HeaderName::from_static("x-request-id"), request_id),
    ] {
        answer.headers.extend(value.map(|value| (name, HeaderValue::from_static(value))));
    }
    Ok(answer)
}

/// Inputs that give what was recorded, for each piece of work that can be done with it. Some work begins in the middle
/// of what was recorded, so there is an input for each place where it may, with and without what opens every work, such
/// as a token.
pub(super) fn seeds(recording: &Recording) -> Vec<Vec<u8>> {
    let ids = ids(recording);
    // Several jobs are looked at in another way than a single one.
    let several = format!("{ids} job-2");
    let answers: Vec<Vec<u8>> =
        recording.turns.iter().map(|turn| written(&turn.replied, recording)).collect();
    let mut seeds = Vec::new();
    for work in Work::of(&recording.about) {
        let mut seed = |ids: &str, answers: &mut dyn Iterator<Item = &Vec<u8>>| {
            let mut seed = [&[work.choice(), 0], ids.as_bytes()].concat();
            for answer in answers {
                seed.push(SEPARATOR);
                seed.extend_from_slice(answer);
            }
            seeds.push(seed);
        };
        seed(&ids, &mut answers.iter());
        for beginning in (1..answers.len()).filter(|_| work.is_begun()) {
            let rest = || answers[beginning..].iter().take(MOST_BEHIND);
            seed(&ids, &mut rest());
            seed(&ids, &mut answers[..1].iter().chain(rest()));
            seed(&several, &mut answers[..1].iter().chain(rest()));
        }
    }
    seeds
}

/// Inputs in which a system answers in the words of our page on the webhook protocol: of it there is no recording.
pub(super) fn protocol() -> Vec<Vec<u8>> {
    const PENDING: &str = r#"{"job":"job-1","status":"pending"}"#;
    const RESULT: &str = r#"{"status":"completed","records":[{"id":"1","kind":"order","title":"Order 1","fields":{"n":[null]}},
        {"id":"1","kind":"order"}],"files":[{"name":"a.txt","media_type":"text/plain","content":"aGVsbG8="}]}"#;
    const DELETED: &str = r#"{"status":"completed","nothing_held":true,"exceptions":[{"system":"S","status":"failed","note":"n"}]}"#;
    const FAILED: &str = r#"{"status":"failed","message":"no"}"#;
    let seed = |work: Work, answers: &[&str]| {
        let mut seed = [&[work.choice(), 0], b"job-1".as_slice()].concat();
        for answer in answers {
            // Status 200, JSON.
            seed.extend([SEPARATOR, 0, 0]);
            seed.extend_from_slice(answer.as_bytes());
        }
        seed
    };
    vec![
        seed(Work::Check, &[r#"{"capabilities":["access","deletion"]}"#]),
        seed(Work::Export, &[PENDING, PENDING, RESULT]),
        seed(Work::Export, &[RESULT]),
        seed(Work::LookAtExport, &[RESULT]),
        seed(Work::Export, &[PENDING, FAILED]),
        seed(Work::Erase, &[PENDING, DELETED]),
        seed(Work::FindErasures, &[r#"{"job":"job-1"}"#, r#"{"job":null}"#]),
        seed(Work::Follow, &[PENDING, DELETED]),
        seed(Work::Follow, &[FAILED]),
        seed(Work::Follow, &[r#"{"status":"unknown"}"#]),
    ]
}

fn written(replied: &Replied, recording: &Recording) -> Vec<u8> {
    let status = STATUSES.iter().position(|status| *status == replied.status).unwrap_or_default();
    let kind = MEDIA_TYPES.iter().position(|kind| *kind == replied.content_type.as_deref());
    let mut bytes = vec![byte(status), byte(kind.unwrap_or(MEDIA_TYPES.len() - 1))];
    let mut body = String::from_utf8_lossy(&replied.answer().body).into_owned();
    // The first person's stand-ins become the planted values, and so do the credentials': a vendor may repeat whom it
    // was asked for, and with what.
    let people = recording.subjects.iter().take(1).flatten();
    let people = people.map(|(_, value)| (value.as_str(), if value.contains('@') { EMAIL } else { USER_ID }));
    let secrets = recording.settings.values().map(|value| (value.as_str(), SECRET));
    for (stand_in, planted) in people.chain(secrets.filter(|(value, _)| value.starts_with("text-"))) {
        body = body.replace(&format!("\"{stand_in}\""), &format!("\"{planted}\""));
    }
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

/// Ids that came of the work: of jobs, and of records that were deleted.
fn ids(recording: &Recording) -> String {
    let mut ids: Vec<&str> = Vec::new();
    for result in &recording.results {
        for key in ["accepted", "pending", "of"] {
            ids.extend(result.get(key).and_then(Value::as_str).filter(|id| !ids.contains(id)));
        }
    }
    ids.join(" ")
}

fn byte(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_become_answers() {
        let input = Input::read(b"\x06\x01H6j/7 x\nsgp_:\x1e\x0a\x28{}\x1e\x01\xC0\x1e\x77\x87\x1e");
        assert_eq!((input.work, input.options, input.text.as_str()), (Work::chosen(6), 1, "H6j/7 x"));
        assert_eq!((input.secrets_begin.as_str(), input.answers.len(), input.answered), ("sgp_", 4, 2));
        let first = input.answers[0].as_ref().unwrap();
        assert_eq!(
            (first.status, first.body.as_ref(), first.is_cut),
            (StatusCode::NOT_FOUND, b"{}".as_slice(), false)
        );
        assert_eq!(first.headers[RETRY_AFTER], "7");
        assert_eq!(first.headers["x-request-id"], "request-1");
        assert_eq!(*input.answers[1].as_ref().unwrap_err(), Loss::NotConnected);
        let third = input.answers[2].as_ref().unwrap();
        assert_eq!((third.status, third.is_cut, third.headers.len()), (StatusCode::OK, true, 0));
        assert_eq!(input.answers[3].as_ref().unwrap().headers[CONTENT_TYPE], "application/json");
    }
}
