//! The messages of the protocol, as they are read here.
//!
//! Own choice: fields the page does not name are refused, so that a client which sends more than it says is caught.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MessageType {
    /// What can the system do?
    #[serde(rename = "connection.check")]
    ConnectionCheck,
    /// Somebody wants to see what is held.
    #[serde(rename = "access.requested")]
    AccessRequested,
    /// Somebody wants it deleted.
    #[serde(rename = "deletion.requested")]
    DeletionRequested,
    /// Was a deletion of this person accepted?
    #[serde(rename = "deletion.find")]
    DeletionFind,
    /// How far is a job?
    #[serde(rename = "job.status")]
    JobStatus,
}

impl MessageType {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ConnectionCheck,
        Self::AccessRequested,
        Self::DeletionRequested,
        Self::DeletionFind,
        Self::JobStatus,
    ];
}

/// A value that identifies a person on its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identifier {
    /// For example `email`, `user_id` or `phone_number`. Types this system does not know find nobody.
    #[serde(rename = "type")]
    pub kind: String,
    /// As it was sent.
    pub value: String,
}

impl Identifier {
    /// Whether both name the same person. Own choice: emails are compared without regard to case, telephone numbers by
    /// their digits, everything else exactly.
    pub(super) fn agrees(&self, kind: &str, value: &str) -> bool {
        self.kind == kind && comparable(kind, &self.value) == comparable(kind, value)
    }
}

fn comparable(kind: &str, value: &str) -> String {
    match kind {
        "email" => value.trim().to_ascii_lowercase(),
        "phone_number" => value.chars().filter(char::is_ascii_digit).collect(),
        _ => value.to_owned(),
    }
}

/// A message whose form is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Check,
    Access(Vec<Identifier>),
    Deletion(Vec<Identifier>),
    Find { identifiers: Vec<Identifier>, since: Timestamp },
    Status(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    #[serde(rename = "type")]
    kind: MessageType,
    #[serde(rename = "timestamp")]
    _timestamp: Timestamp,
    data: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    identifiers: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    subject: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Find {
    subject: Value,
    since: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfJob {
    job: String,
}

/// Why a body is no message of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    NotJson(String),
    NotAMessage(String),
}

impl Message {
    pub(super) fn read(body: &[u8]) -> Result<Self, Unreadable> {
        let body: Value =
            serde_json::from_slice(body).map_err(|error| Unreadable::NotJson(error.to_string()))?;
        let Envelope { kind, data, .. } = typed(body)?;
        match kind {
            MessageType::ConnectionCheck => typed::<Nothing>(data).map(|_| Self::Check),
            MessageType::AccessRequested => Ok(Self::Access(named(typed::<About>(data)?.subject)?)),
            MessageType::DeletionRequested => Ok(Self::Deletion(named(typed::<About>(data)?.subject)?)),
            MessageType::DeletionFind => {
                let Find { subject, since } = typed(data)?;
                Ok(Self::Find { identifiers: named(subject)?, since })
            }
            MessageType::JobStatus => {
                let OfJob { job } = typed(data)?;
                if !is_job_name(&job) {
                    return Err(Unreadable::NotAMessage("data.job is not a legal name of a job".to_owned()));
                }
                Ok(Self::Status(job))
            }
        }
    }
}

/// The type of a message, whatever else is right or wrong with it.
pub(super) fn type_of(body: &[u8]) -> Option<MessageType> {
    let body: Value = serde_json::from_slice(body).ok()?;
    MessageType::deserialize(body.get("type")?).ok()
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Unreadable> {
    // Otherwise a list of the values alone would pass.
    if !value.is_object() {
        return Err(Unreadable::NotAMessage("an object is expected".to_owned()));
    }
    serde_json::from_value(value).map_err(|error| Unreadable::NotAMessage(error.to_string()))
}

/// Own choice: a subject without identifiers, or with an empty one, is refused: it would be nobody, or everybody.
fn named(subject: Value) -> Result<Vec<Identifier>, Unreadable> {
    let Subject { identifiers } = typed(subject)?;
    let identifiers = identifiers.into_iter().map(typed).collect::<Result<Vec<Identifier>, _>>()?;
    let empty = |it: &Identifier| it.kind.is_empty() || it.value.is_empty();
    if identifiers.is_empty() || identifiers.iter().any(empty) {
        let message = "data.subject.identifiers must not be empty, nor may any of them";
        return Err(Unreadable::NotAMessage(message.to_owned()));
    }
    Ok(identifiers)
}

/// 1 to 256 of the characters that names of jobs are made of.
pub(super) fn is_job_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:~=+/".contains(&byte);
    (1..=256).contains(&name.len()) && name.bytes().all(legal)
}

/// 1 to 256 of the characters that `webhook-id` is made of.
pub(super) fn is_message_id(id: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=256).contains(&id.len()) && id.bytes().all(legal)
}
