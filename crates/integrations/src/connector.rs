//! The contract between the engine and a vendor's folder.

mod callback;
mod check;
mod detection;
mod jobs;
mod preview;
mod records;
mod settings;
mod subject;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::client::VendorClient;
use crate::error::VendorError;
use crate::manifest::Manifest;

pub use callback::{Callback, CallbackEnd, CallbackHead, CallbackRefused};
pub use check::{CheckReport, PermissionReport, PermissionState};
pub(crate) use detection::harmless;
pub use detection::{Confidence, DetectedSystem, Detection, Evidence, SystemKind};
pub use jobs::{Erased, ErasureException, Export, Job, NotHeld, Progress};
pub use preview::Preview;
pub use records::{Collected, Cursor, FUTURE_DATA, FoundFile, FoundRecord, Match, Residual, ScanPage};
pub use settings::{SettingError, Settings};
pub use subject::Subject;

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

    /// What stays at the vendor after a deletion, or is done besides, as far as it is known in advance.
    fn residuals_of_deletion(&self) -> Vec<Residual> {
        Vec::new()
    }

    /// The address of the person who answers for the system, where the settings name one.
    fn contact(&self, settings: &Settings) -> Option<String> {
        let _ = settings;
        None
    }

    /// Reads a call by which the system tells that it is done, if it is genuine; `settings` are those of the connection that
    /// it was sent to.
    ///
    /// # Errors
    /// If it is not genuine, too old, or cannot be read.
    fn callback(
        &self,
        settings: &Settings,
        head: CallbackHead<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Callback, CallbackRefused> {
        let _ = (settings, head, body, now);
        Err(CallbackRefused::NotOffered)
    }

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

    /// Says which other systems are connected to this one (where the manifest says `detects_systems`).
    ///
    /// # Errors
    /// As the vendor answers.
    async fn detect(&self) -> Result<Detection, VendorError> {
        Err(undeclared("detect"))
    }

    /// Asks what would be found about one subject and touches nothing; `job` is what an earlier look began. Where
    /// [`Connector::scan`] or [`Connector::lookup`] is declared, that answers the question and this is never called.
    ///
    /// # Errors
    /// As the vendor answers.
    async fn preview(&self, subject: &Subject, job: Option<&Job>) -> Result<Preview, VendorError> {
        let _ = (subject, job);
        Ok(Preview::Unknown("the system offers no way to look without acting".to_owned()))
    }

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
    async fn lookup(&self, subject: &Subject) -> Result<Collected, VendorError> {
        let _ = subject;
        Err(undeclared("lookup"))
    }

    /// Collects everything about one subject through a job ([`crate::AccessMethod::Job`]): begins it when `job` is
    /// `None`, else looks at it once and fetches what it brought.
    ///
    /// # Errors
    /// As the vendor answers; [`crate::ErrorKind::JobFailed`] if the vendor says that the job failed, after which a
    /// new one is begun.
    async fn export(&self, subject: &Subject, job: Option<&Job>) -> Result<Export, VendorError> {
        let _ = (subject, job);
        Err(undeclared("export"))
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

    /// What a person must know before these subjects are deleted for good, one entry per subject, `None` where
    /// nothing stands against it. Asked before every [`Connector::erase`]; changes nothing.
    ///
    /// # Errors
    /// As the vendor answers; nothing is deleted then.
    async fn cautions(&self, subjects: &[Subject]) -> Result<Vec<Option<Caution>>, VendorError> {
        Ok(vec![None; subjects.len()])
    }

    /// Asks the vendor to delete everything about these subjects (asynchronous whole-record deletion), in one call
    /// within the manifest's [`crate::Batch`]. The vendor's job is what is followed.
    ///
    /// # Errors
    /// As the vendor answers; [`crate::Retry::UnknownOutcome`] if the vendor may have accepted it, and
    /// [`crate::ErrorKind::BadRequest`] if it refuses the call because of what is in it: the batch is then split.
    async fn erase(&self, subjects: &[Subject]) -> Result<Job, VendorError> {
        let _ = subjects;
        Err(undeclared("erase"))
    }

    /// The deletion job that the vendor has for each subject, accepted at `since` or later (the connector allows for
    /// clocks that differ) and not failed; `None` where there is none. Asked after an [`Connector::erase`] whose answer
    /// was lost.
    ///
    /// # Errors
    /// As the vendor answers. "There is none" must be certain: a list that cannot be read to where `since` lies is an
    /// error.
    async fn find_erasures(
        &self,
        subjects: &[Subject],
        since: Timestamp,
    ) -> Result<Vec<Option<Job>>, VendorError> {
        let _ = (subjects, since);
        Err(undeclared("find_erasures"))
    }

    /// Where deletion jobs stand, one entry per job, in as few calls as the vendor allows. A job that could not be
    /// looked at this time (no leave to call) is [`Progress::Pending`].
    ///
    /// # Errors
    /// If nothing at all could be learnt.
    async fn follow(&self, jobs: &[Job]) -> Result<Vec<Progress>, VendorError> {
        let _ = jobs;
        Err(undeclared("follow"))
    }

    /// Whether the vendor still holds anything about the subject: asked after a whole-record deletion whose
    /// outcome is unknown, and to prove one ([`crate::Verification::Search`]).
    ///
    /// # Errors
    /// As the vendor answers.
    async fn presence(&self, subject: &Subject) -> Result<Presence, VendorError> {
        let _ = subject;
        Err(undeclared("presence"))
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

/// Why a person must decide before a deletion is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caution {
    /// What is acknowledged (`brand_user`).
    pub code: &'static str,
    /// What would happen, to what.
    pub message: String,
}

/// What a search for a person found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Something about them.
    Held,
    /// Nothing, wherever the vendor let it look.
    Gone {
        /// Where it could not look: "gone" is not said of these.
        unsearched: Vec<Residual>,
    },
}

impl Presence {
    /// Nothing is there, and everything was looked through.
    pub const GONE: Self = Self::Gone { unsearched: Vec::new() };
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
