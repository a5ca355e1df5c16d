//! The person whom a call is about.

use std::fmt;

use habeas_domain::{Identifier, IdentifierType};

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

    /// The same person without identifiers that nobody vouched for; with all of them if there are no others, because a
    /// person then decided to go on with these.
    #[must_use]
    pub fn verified(&self) -> Self {
        let verified: Vec<Identifier> = self.identifiers.iter().filter(|one| one.verified).cloned().collect();
        if verified.is_empty() { self.clone() } else { Self { identifiers: verified } }
    }

    /// Every identifier, with its type.
    pub fn identifiers(&self) -> impl Iterator<Item = (IdentifierType, &str)> {
        self.identifiers.iter().map(|one| (one.kind, one.value.as_str()))
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
