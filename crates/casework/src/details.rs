//! What is sealed with a request's keys, and where each value stands.

use std::collections::BTreeSet;

use habeas_documents::mail::Rendered;
use habeas_domain::{Identifier, MailId, RecordId, RequestId, RunId};
use habeas_integrations::{FoundRecord, VendorError};
use habeas_store::{DataKey, Place, Sealed, StoreError, Unit};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::files::KeptRecord;

/// What only the case key opens.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RequestDetails {
    /// The subject's identifiers.
    pub identifiers: Vec<Identifier>,
    /// Why it is on hold, in a person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_note: Option<String>,
    /// What a person acknowledged before anything was deleted (`brand_user`).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub acknowledged: BTreeSet<String>,
    /// How a person made sure who is asking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification_note: Option<String>,
    /// Whether it named right, policy and what its systems need when it came in: then nothing is left for triage.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skips_triage: bool,
    /// The denial's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial_text: Option<String>,
}

/// What went wrong with a run, as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFailure {
    /// Stable code.
    pub code: String,
    /// What happened, to what.
    pub message: String,
    /// The vendor's own id of the call.
    pub vendor_request_id: Option<String>,
    /// What to do next.
    pub remedy: String,
}

impl From<&VendorError> for RunFailure {
    fn from(error: &VendorError) -> Self {
        Self {
            code: error.kind.code().to_owned(),
            message: error.message.clone(),
            vendor_request_id: error.vendor_request_id.clone(),
            remedy: error.remedy.clone(),
        }
    }
}

/// Whom a run was handed over to.
#[derive(Clone, Serialize, Deserialize)]
pub struct RunContact {
    /// Their address.
    pub email: String,
}

/// Never prints the address.
impl std::fmt::Debug for RunContact {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("RunContact")
    }
}

/// What a person at the system's owner answered, besides records.
#[derive(Clone, Serialize, Deserialize)]
pub struct GivenAnswer {
    /// `data`, `nothing_held` or `deleted`.
    pub answer: String,
    /// Who says so.
    pub name: Option<String>,
    /// What they added.
    pub note: Option<String>,
}

/// Never prints what was written.
impl std::fmt::Debug for GivenAnswer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "GivenAnswer({})", self.answer)
    }
}

/// What a mail says to whom.
#[derive(Clone, Serialize, Deserialize)]
pub struct MailContent {
    /// The address.
    pub to: String,
    /// The subject line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// The part that only its recipient may know: a link's token, a code. Gone once the mail has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<String>,
}

/// Never prints address or text.
impl std::fmt::Debug for MailContent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MailContent")
    }
}

impl MailContent {
    pub(crate) fn new(to: String, rendered: Rendered, secret: Option<String>) -> Self {
        let Rendered { subject, text, html } = rendered;
        Self { to, subject, text, html, secret }
    }

    /// The copy that is kept: whoever may look at a request may not act in its person's place.
    pub(crate) fn without_secret(mut self) -> Self {
        const REMOVED: &str = "[removed]";
        if let Some(secret) = self.secret.take() {
            for text in [&mut self.subject, &mut self.text, &mut self.html] {
                *text = text.replace(&secret, REMOVED);
            }
        }
        self
    }
}

/// Something that is sealed in one column of one row.
pub(crate) trait SealedIn<Row> {
    const COLUMN: &'static str;
}

impl SealedIn<RequestId> for RequestDetails {
    const COLUMN: &'static str = "requests.details";
}

impl SealedIn<RunId> for RunFailure {
    const COLUMN: &'static str = "runs.failure";
}

impl SealedIn<RunId> for String {
    const COLUMN: &'static str = "runs.note";
}

impl SealedIn<RunId> for RunContact {
    const COLUMN: &'static str = "runs.contact";
}

impl SealedIn<RunId> for GivenAnswer {
    const COLUMN: &'static str = "runs.answer";
}

impl SealedIn<MailId> for MailContent {
    const COLUMN: &'static str = "mails.content";
}

impl SealedIn<RecordId> for FoundRecord {
    const COLUMN: &'static str = "records.content";
}

impl SealedIn<RecordId> for KeptRecord {
    const COLUMN: &'static str = "records.content";
}

pub(crate) fn seal<Row: ToString, T: SealedIn<Row> + Serialize>(
    unit: &Unit,
    key: &DataKey,
    row: &Row,
    value: &T,
) -> Result<Sealed, StoreError> {
    let plain = serde_json::to_vec(value).map_err(|_| StoreError::Corrupt(T::COLUMN))?;
    key.seal(unit.environment(), Place { column: T::COLUMN, row: &row.to_string() }, &plain)
}

pub(crate) fn open<Row: ToString, T: SealedIn<Row> + DeserializeOwned>(
    key: &DataKey,
    row: &Row,
    sealed: &Sealed,
) -> Result<T, StoreError> {
    let plain = key.open(Place { column: T::COLUMN, row: &row.to_string() }, sealed)?;
    serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt(T::COLUMN))
}
