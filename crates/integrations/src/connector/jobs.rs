//! What a vendor does in its own time.

use std::fmt;

use habeas_domain::IdentifierType;
use serde::{Deserialize, Serialize};

use super::{Collected, Subject};
use crate::error::VendorError;

/// The vendor's own id of a job. No personal data: it is stored in clear and shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Job(String);

impl Job {
    /// Longer ids, and those with other characters than ids have, are none.
    const LONGEST: usize = 200;

    /// The id as the vendor wrote it; `None` if it does not look like an id (letters, digits and `-_.:~=+/`).
    #[must_use]
    pub fn new(id: impl Into<String>) -> Option<Self> {
        let id = id.into();
        let fits = (1..=Self::LONGEST).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:~=+/".contains(&byte));
        fits.then_some(Self(id))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One step of an access job.
#[derive(Debug)]
pub enum Export {
    /// The vendor works on it.
    Pending(Job),
    /// It is over.
    Collected(Collected),
}

/// Where a deletion job stands at the vendor.
#[derive(Debug)]
pub enum Progress {
    /// The vendor works on it.
    Pending,
    /// It is over.
    Done(Erased),
    /// The vendor says that it failed, in words for people.
    Failed(VendorError),
    /// The vendor no longer knows it, so nobody knows how it ended.
    Forgotten,
}

/// What a deletion job did.
#[derive(Debug, Default)]
pub struct Erased {
    /// Identifiers for which the vendor held nothing.
    pub nothing_held_for: NotHeld,
    /// Systems behind the vendor that did not delete: a person must see to them there.
    pub exceptions: Vec<ErasureException>,
}

/// Identifiers for which the vendor held nothing. Never prints them.
#[derive(Default)]
pub struct NotHeld {
    values: Vec<(IdentifierType, String)>,
    is_everything: bool,
}

impl NotHeld {
    /// Adds a value as the vendor wrote it.
    pub fn add(&mut self, kind: IdentifierType, value: &str) {
        self.values.push((kind, kind.comparable(value)));
    }

    /// Of a job that served one person: nothing was held under any identifier.
    pub fn everything(&mut self) {
        self.is_everything = true;
    }

    /// Whether every identifier of these kinds that the subject has is among them.
    #[must_use]
    pub fn covers(&self, subject: &Subject, kinds: &[IdentifierType]) -> bool {
        if self.is_everything {
            return true;
        }
        let mut any = false;
        for kind in kinds {
            for value in subject.values(*kind) {
                any = true;
                let value = kind.comparable(value);
                if !self.values.iter().any(|(known, other)| known == kind && *other == value) {
                    return false;
                }
            }
        }
        any
    }
}

impl fmt::Debug for NotHeld {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "NotHeld({})", self.values.len())
    }
}

/// A system behind the vendor that did not delete.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ErasureException {
    /// Which system (`Amplitude`). No personal data.
    pub system: String,
    /// What the vendor says of it in a word (`failed`, `not_supported`). No personal data.
    pub status: String,
    /// The vendor's own text, shortened; it may name a person, so it is sealed.
    pub vendor_text: String,
}

impl fmt::Debug for ErasureException {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ErasureException({}, {})", self.system, self.status)
    }
}
