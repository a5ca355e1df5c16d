//! The contract between the engine and a vendor's folder.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use habeas_domain::{Identifier, IdentifierType};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client::VendorClient;
use crate::error::VendorError;
use crate::manifest::Manifest;

/// A kind of system: what is registered in the catalogue.
pub trait Integration: fmt::Debug + Send + Sync {
    /// What it is and can do.
    fn manifest(&self) -> &'static Manifest;

    /// Validates the settings as a person entered them and brings them into the form that is kept (for example
    /// takes the token out of a pasted redirect URL). Called before anything is stored or sent.
    ///
    /// # Errors
    /// One entry per field that cannot be used.
    fn normalise(&self, settings: Settings, now: Timestamp) -> Result<Settings, Vec<SettingError>>;

    /// What tells one vendor account from another: connections with the same value share the vendor's limits.
    fn account(&self, settings: &Settings) -> SecretString;

    /// A connector for normalised settings.
    ///
    /// # Errors
    /// If the settings cannot be used; they were valid once, so a person has to look.
    fn connect(&self, settings: &Settings, client: VendorClient) -> Result<Box<dyn Connector>, VendorError>;
}

/// A connection's voice at its vendor. Methods that an integration does not declare are never called.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Proves credentials, permissions and account type without changing anything at the vendor.
    ///
    /// # Errors
    /// If the vendor cannot be asked or rejects the credentials. A missing permission is not an error but an
    /// entry of the report.
    async fn check(&self, now: Timestamp) -> Result<CheckReport, VendorError>;

    /// Reads one page of everything the vendor holds and says what on it belongs to which of `subjects`
    /// ([`crate::AccessMethod::Scan`]). `cursor` is `None` at the beginning of a pass; a page without `next` is the
    /// pass's last. A record may be reported twice; none may be missed.
    ///
    /// # Errors
    /// The page is then read again from the same cursor.
    async fn scan(&self, cursor: Option<&Cursor>, subjects: &[Subject]) -> Result<ScanPage, VendorError> {
        let _ = (cursor, subjects);
        Err(undeclared("scan"))
    }

    /// Finds everything about one subject ([`crate::AccessMethod::Lookup`]).
    ///
    /// # Errors
    /// As the vendor answers.
    async fn lookup(&self, subject: &Subject) -> Result<Vec<FoundRecord>, VendorError> {
        let _ = subject;
        Err(undeclared("lookup"))
    }

    /// Deletes one record of the subject (standard deletion). Asks the vendor for the record first and deletes only what is still
    /// the subject's, so calling it again after an unknown outcome is the reconciliation.
    ///
    /// # Errors
    /// As the vendor answers; [`crate::Retry::UnknownOutcome`] if the deletion may have taken effect.
    async fn delete_record(&self, subject: &Subject, vendor_id: &str) -> Result<Deleted, VendorError> {
        let _ = (subject, vendor_id);
        Err(undeclared("delete_record"))
    }

    /// Deletes everything about one subject in one synchronous call (whole-record deletion).
    ///
    /// # Errors
    /// As the vendor answers; [`crate::Retry::UnknownOutcome`] if the deletion may have taken effect.
    async fn delete_subject(&self, subject: &Subject) -> Result<Deleted, VendorError> {
        let _ = subject;
        Err(undeclared("delete_subject"))
    }

    /// Whether the vendor still holds anything about the subject: asked after a whole-record deletion whose
    /// outcome is unknown.
    ///
    /// # Errors
    /// As the vendor answers.
    async fn still_held(&self, subject: &Subject) -> Result<bool, VendorError> {
        let _ = subject;
        Err(undeclared("still_held"))
    }

    /// What stays at the vendor after a deletion, as far as it is known in advance.
    fn residuals_of_deletion(&self) -> Vec<Residual> {
        Vec::new()
    }
}

fn undeclared(method: &str) -> VendorError {
    VendorError::new(
        crate::ErrorKind::Configuration,
        crate::Retry::Never,
        format!("the integration does not offer `{method}`"),
        "this is a fault of the product; please report it",
    )
}

/// The person, as far as this vendor may know them.
#[derive(Clone)]
pub struct Subject {
    identifiers: Vec<Identifier>,
}

impl Subject {
    /// A subject with the identifiers that may be used.
    #[must_use]
    pub fn new(identifiers: Vec<Identifier>) -> Self {
        Self { identifiers }
    }

    /// The values of one type, as written.
    pub fn values(&self, kind: IdentifierType) -> impl Iterator<Item = &str> {
        self.identifiers.iter().filter(move |one| one.kind == kind).map(|one| one.value.as_str())
    }

    /// Whether `value` is one of the subject's identifiers of that type, in the form in which values are compared.
    #[must_use]
    pub fn has(&self, kind: IdentifierType, value: &str) -> bool {
        let value = kind.comparable(value);
        self.values(kind).any(|own| kind.comparable(own) == value)
    }
}

/// Never prints an identifier.
impl fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Subject({} identifiers)", self.identifiers.len())
    }
}

/// One thing found about a subject.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundRecord {
    /// What it is, in the product's words (`contact`).
    pub kind: String,
    /// The vendor's own id, enough for the connector to find it again.
    pub vendor_id: String,
    /// How a reviewer recognises it.
    pub title: String,
    /// The name of the person that the record is about, where it is about one and names them. One address with
    /// different names may be two people, so a person has to look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// What the vendor holds.
    pub fields: Map<String, Value>,
}

/// Never prints contents.
impl fmt::Debug for FoundRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "FoundRecord({}, {} fields)", self.kind, self.fields.len())
    }
}

/// Where a pass stands; only its connector reads it. Holds no personal data: it is stored in clear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub Value);

/// One page of a pass.
#[derive(Debug, Default)]
pub struct ScanPage {
    /// What on this page belongs to whom.
    pub matches: Vec<Match>,
    /// Where to go on; `None` at the end of the pass.
    pub next: Option<Cursor>,
    /// What could not be read (for example orders without the scope), once per reason.
    pub residuals: Vec<Residual>,
}

/// A record of one of the subjects that were asked for.
#[derive(Debug)]
pub struct Match {
    /// Index into the `subjects` of the call.
    pub subject: usize,
    /// The record.
    pub record: FoundRecord,
}

/// Something that stays out of reach or stays behind, said plainly. Holds no personal data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Residual {
    /// What (`orders`).
    pub what: String,
    /// Why, and what a person can do.
    pub why: String,
}

/// What a deletion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deleted {
    /// The vendor confirmed it.
    Deleted,
    /// There was nothing (any more).
    AlreadyGone,
    /// The record no longer belongs to the subject, so it was left alone.
    NotTheirs,
}

/// The result of a connection check.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// Every permission of the manifest.
    pub permissions: Vec<PermissionReport>,
    /// What works but deserves attention (token near its expiry).
    pub warnings: Vec<String>,
}

/// What is known of one permission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionReport {
    /// As the vendor spells it.
    pub permission: String,
    /// What it would be used for.
    pub needed_for: String,
    /// What the check showed.
    pub state: PermissionState,
}

/// What a check showed of one permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PermissionState {
    /// Proven.
    Granted,
    /// Proven to be missing.
    Missing,
    /// Cannot be proven without harm.
    NotYetProven,
}

/// A field that cannot be used, and why. Never holds the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// The setting's key.
    pub key: String,
    /// What is wrong with it and what is expected.
    pub message: String,
}

/// A connection's settings: secrets do not print and are wiped from memory.
#[derive(Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, SecretString>,
}

impl Settings {
    /// The value of `key`, if given.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&SecretString> {
        self.values.get(key)
    }

    /// The value of `key` in clear, empty if it was not given.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        self.values.get(key).map_or("", |value| value.expose_secret())
    }

    /// Sets `key`.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.values.insert(key.into(), SecretString::from(value.into()));
    }

    /// The keys that were given.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// The JSON object in clear, for sealing only.
    #[must_use]
    pub fn to_sealable(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let plain: BTreeMap<&str, &str> =
            self.values.iter().map(|(key, value)| (key.as_str(), value.expose_secret())).collect();
        zeroize::Zeroizing::new(serde_json::to_vec(&plain).unwrap_or_default())
    }

    /// Back from what [`Settings::to_sealable`] gave.
    ///
    /// # Errors
    /// If the bytes are not such an object.
    pub fn from_sealed(plain: &[u8]) -> Result<Self, serde_json::Error> {
        let values: BTreeMap<String, String> = serde_json::from_slice(plain)?;
        Ok(values.into_iter().collect())
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Settings {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(values: I) -> Self {
        let mut settings = Self::default();
        for (key, value) in values {
            settings.set(key, value);
        }
        settings
    }
}

/// Shows which settings there are, never their values.
impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.values.keys()).finish()
    }
}
