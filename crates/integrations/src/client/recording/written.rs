//! Recordings as they are written down.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use bytes::Bytes;
use habeas_domain::{Identifier, IdentifierSource, IdentifierType};
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::form_urlencoded;

use crate::client::in_memory::{Answer, Sent};
use crate::connector::{Settings, Subject};

/// Where the vendor of a recording is.
pub const BASE: &str = "https://vendor.example.test";

/// What one piece of work with a vendor said and heard, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// The integration's name.
    pub integration: String,
    /// What was done (`access`).
    pub about: String,
    /// When.
    pub now: Timestamp,
    /// The connection's settings, none of them a secret.
    pub settings: BTreeMap<String, String>,
    /// The people whom it was about, by their identifiers.
    pub subjects: Vec<Vec<(IdentifierType, String)>>,
    /// What was said and heard, in order.
    pub turns: Vec<Turn>,
    /// What came of it, in order.
    pub results: Vec<Value>,
}

/// A request and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// The request.
    pub requested: Requested,
    /// The answer.
    pub replied: Replied,
}

/// What is kept of a request: no header that could hold a credential, and no value of its query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requested {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The names in the query, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<String>,
    /// The media type that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<String>,
    /// The body.
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub body: Body,
}

impl Requested {
    pub(super) fn of(sent: &Sent) -> Self {
        Self {
            method: sent.method.to_string(),
            path: sent.url.path().to_owned(),
            query: sent.url.query_pairs().map(|(name, _)| name.into_owned()).collect(),
            accept: media_type(&sent.headers, &ACCEPT),
            body: Body::of(&sent.headers, &sent.body),
        }
    }
}

/// What is kept of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replied {
    /// The HTTP status.
    pub status: u16,
    /// The media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// How many seconds the vendor asked to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// The body.
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub body: Body,
}

impl Replied {
    pub(super) fn of(answer: &Answer) -> Self {
        let retry_after = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        Self {
            status: answer.status.as_u16(),
            content_type: media_type(&answer.headers, &CONTENT_TYPE),
            retry_after: retry_after.and_then(|seconds| seconds.parse().ok()),
            body: Body::of(&answer.headers, &answer.body),
        }
    }

    /// The answer, so far as it was kept.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        let mut answer = Answer::new(status, self.body.bytes());
        let kind = self.content_type.as_deref().and_then(|kind| HeaderValue::from_str(kind).ok());
        for (name, value) in [(CONTENT_TYPE, kind), (RETRY_AFTER, self.retry_after.map(HeaderValue::from))] {
            answer.headers.extend(value.map(|value| (name, value)));
        }
        answer
    }
}

/// The media type without parameters.
fn media_type(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// A body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// None.
    #[default]
    Empty,
    /// JSON.
    Json(Value),
    /// The fields of a form.
    Form(Vec<(String, String)>),
    /// Something else, of which only the length is kept.
    Opaque(usize),
}

impl Body {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    fn of(headers: &HeaderMap, body: &[u8]) -> Self {
        if body.is_empty() {
            return Self::Empty;
        }
        if media_type(headers, &CONTENT_TYPE).as_deref() == Some("application/x-www-form-urlencoded") {
            let fields = form_urlencoded::parse(body);
            return Self::Form(fields.map(|(name, value)| (name.into(), value.into())).collect());
        }
        serde_json::from_slice(body).map_or(Self::Opaque(body.len()), Self::Json)
    }

    fn bytes(&self) -> Bytes {
        match self {
            Self::Empty => Bytes::new(),
            Self::Json(value) => value.to_string().into(),
            Self::Form(fields) => {
                form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into()
            }
            Self::Opaque(length) => vec![b'.'; *length].into(),
        }
    }
}

impl Recording {
    /// Every recording in the folders of `fixtures`, one folder for each integration.
    ///
    /// # Errors
    /// If a folder or file cannot be read, or is none.
    pub fn all(fixtures: &Path) -> io::Result<Vec<Self>> {
        let mut files = Vec::new();
        for folder in fs::read_dir(fixtures)? {
            for file in fs::read_dir(folder?.path())? {
                files.push(file?.path());
            }
        }
        files.sort();
        files.iter().map(|file| Ok(serde_json::from_slice(&fs::read(file)?)?)).collect()
    }

    /// The settings, as a connection has them.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    /// The people, as a connector is given them.
    #[must_use]
    pub fn subjects(&self) -> Vec<Subject> {
        let identifier = |(kind, value): &(IdentifierType, String)| Identifier {
            kind: *kind,
            value: value.clone(),
            source: IdentifierSource::Request,
            verified: true,
            attested_by: None,
        };
        self.subjects.iter().map(|one| Subject::new(one.iter().map(identifier).collect())).collect()
    }
}
