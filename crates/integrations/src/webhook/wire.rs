//! Messages and answers as `docs/webhook-protocol.md` spells them. Unknown fields are ignored, so that the protocol can
//! grow.

use std::collections::HashSet;

use habeas_domain::IdentifierType;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::errors;
use crate::connector::{
    Collected, Erased, ErasureException, FoundFile, FoundRecord, Job, NotHeld, Subject, harmless,
};
use crate::error::VendorError;

/// Longest kind of a record and longest title, in characters; what is longer is cut.
const LONGEST_KIND: usize = 64;
const LONGEST_TITLE: usize = 200;
/// Longest id of a record, in characters.
const LONGEST_ID: usize = 256;
/// Longest text of a system behind this one that is kept, in characters.
const LONGEST_NOTE: usize = 300;
/// Most systems behind this one that are named one by one.
const MOST_EXCEPTIONS: usize = 500;

/// A message to the system.
#[derive(Serialize)]
pub(super) struct Message<'m, D> {
    #[serde(rename = "type")]
    pub(super) kind: &'m str,
    pub(super) timestamp: Timestamp,
    pub(super) data: D,
}

/// What a message about a person carries.
#[derive(Serialize)]
pub(super) struct About<'m> {
    subject: Identifiers<'m>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

#[derive(Serialize)]
struct Identifiers<'m> {
    identifiers: Vec<Identifier<'m>>,
}

#[derive(Serialize)]
struct Identifier<'m> {
    #[serde(rename = "type")]
    kind: IdentifierType,
    value: &'m str,
}

impl<'m> About<'m> {
    pub(super) fn of(subject: &'m Subject, since: Option<Timestamp>) -> Self {
        let identifiers = subject.identifiers().map(|(kind, value)| Identifier { kind, value });
        Self { subject: Identifiers { identifiers: identifiers.collect() }, since }
    }

    pub(super) fn is_nobody(&self) -> bool {
        self.subject.identifiers.is_empty()
    }
}

/// What a message about a job carries.
#[derive(Serialize)]
pub(super) struct AboutJob<'m> {
    pub(super) job: &'m str,
}

/// The answer to `connection.check`.
#[derive(Deserialize)]
pub(super) struct Able {
    pub(super) capabilities: Vec<String>,
}

/// The answer to `deletion.requested`.
#[derive(Deserialize)]
pub(super) struct Named {
    #[serde(default)]
    pub(super) job: Option<String>,
}

/// The answer to `deletion.find`. That there is none must be said: an answer without the field is none, or a deletion would
/// be sent again.
#[derive(Deserialize)]
pub(super) struct Found {
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) job: Option<String>,
}

/// The answer to `access.requested` and `job.status`: a job, or how one ended.
#[derive(Deserialize)]
pub(super) struct Standing {
    #[serde(default)]
    pub(super) job: Option<String>,
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(flatten)]
    pub(super) result: JobResult,
}

/// What a job brought, whichever kind it was.
#[derive(Default, Deserialize)]
pub(super) struct JobResult {
    #[serde(default, deserialize_with = "nullable")]
    records: Vec<Record>,
    #[serde(default, deserialize_with = "nullable")]
    files: Vec<File>,
    #[serde(default, deserialize_with = "nullable")]
    nothing_held: bool,
    #[serde(default, deserialize_with = "nullable")]
    exceptions: Vec<Exception>,
    /// Why it failed; never shown, only whether there is one.
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(default, deserialize_with = "nullable")]
    id: String,
    #[serde(default, deserialize_with = "nullable")]
    kind: String,
    #[serde(default, deserialize_with = "nullable")]
    title: String,
    #[serde(default, deserialize_with = "nullable")]
    fields: Map<String, Value>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    media_type: String,
    content: String,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(default, deserialize_with = "nullable")]
    system: String,
    #[serde(default, deserialize_with = "nullable")]
    status: String,
    #[serde(default, deserialize_with = "nullable")]
    note: String,
}

/// A callback's body.
#[derive(Deserialize)]
pub(super) struct Told {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) data: ToldData,
}

#[derive(Deserialize)]
pub(super) struct ToldData {
    pub(super) job: String,
    #[serde(flatten)]
    pub(super) result: JobResult,
}

impl JobResult {
    /// What an access job brought.
    ///
    /// # Errors
    /// If a file's content is not Base64.
    pub(super) fn collected(self) -> Result<Collected, VendorError> {
        let records = self.records.into_iter().enumerate().map(|(at, record)| record.found(at));
        let files = self.files.into_iter().enumerate().map(|(at, file)| file.found(at));
        let mut records = records.map(Ok).chain(files).collect::<Result<Vec<_>, _>>()?;
        // Two things may bear one name; neither is taken for the other.
        let mut known = HashSet::new();
        for (at, record) in records.iter_mut().enumerate() {
            if !known.insert(record.vendor_id.clone()) {
                record.vendor_id = format!("{}/{at}", record.vendor_id);
                known.insert(record.vendor_id.clone());
            }
        }
        Ok(Collected { records, residuals: Vec::new() })
    }

    /// What a deletion job did for `subject`; `None` where nobody knows here whom it was about.
    pub(super) fn erased(self, about: impl FnOnce(&mut NotHeld)) -> Erased {
        let mut erased = Erased::default();
        if self.nothing_held {
            about(&mut erased.nothing_held_for);
        }
        let beyond = self.exceptions.len().saturating_sub(MOST_EXCEPTIONS);
        erased.exceptions = self.exceptions.into_iter().take(MOST_EXCEPTIONS).map(Exception::told).collect();
        if beyond > 0 {
            erased.exceptions.push(ErasureException {
                system: format!("{beyond} further systems; ask the system's owner"),
                status: "failed".to_owned(),
                vendor_text: String::new(),
            });
        }
        erased
    }

    /// Whether the system gave a reason.
    pub(super) fn gives_reason(&self) -> bool {
        self.message.as_deref().is_some_and(|message| !message.trim().is_empty())
    }
}

impl Record {
    fn found(self, at: usize) -> FoundRecord {
        let kind = cut(&self.kind, LONGEST_KIND);
        let id = cut(&self.id, LONGEST_ID);
        let kind = if kind.is_empty() { "record".to_owned() } else { kind };
        let title = cut(&self.title, LONGEST_TITLE);
        FoundRecord {
            vendor_id: if id.is_empty() { format!("unnamed/{at}") } else { format!("record/{kind}/{id}") },
            title: if title.is_empty() { format!("{kind} {id}").trim().to_owned() } else { title },
            kind,
            person: None,
            fields: self.fields,
            file: None,
        }
    }
}

impl File {
    fn found(self, at: usize) -> Result<FoundRecord, VendorError> {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(self.content.as_bytes())
            .map_err(|_| errors::file_not_readable())?;
        let file = FoundFile::new(&self.name, &self.media_type, bytes);
        Ok(FoundRecord {
            kind: "file".to_owned(),
            vendor_id: format!("file/{at}/{}", file.name),
            title: file.name.clone(),
            person: None,
            fields: Map::from_iter([
                ("name".to_owned(), file.name.clone().into()),
                ("media_type".to_owned(), file.media_type.clone().into()),
                ("bytes".to_owned(), file.bytes.len().into()),
            ]),
            file: Some(file),
        })
    }
}

impl Exception {
    fn told(self) -> ErasureException {
        let word = |text: &str, otherwise: &str| harmless(text).unwrap_or(otherwise).to_owned();
        ErasureException {
            system: word(&self.system, "a system without a usable name"),
            status: word(&self.status, "failed"),
            vendor_text: cut(&self.note, LONGEST_NOTE),
        }
    }
}

/// A job as the system named it.
pub(super) fn job(name: Option<&str>) -> Option<Job> {
    Job::new(name?)
}

fn cut(text: &str, longest: usize) -> String {
    let text: String = text.chars().filter(|character| !character.is_control()).take(longest).collect();
    text.trim().to_owned()
}

fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
