//! Other systems that a connection shows: candidates for the Live Data Map.

use serde::Serialize;

use super::records::Residual;

/// Longest name of a system that is shown, in characters.
const LONGEST_NAME: usize = 80;

/// What other systems a connection shows.
#[derive(Debug, Default)]
pub struct Detection {
    /// The systems, in the order of their names.
    pub systems: Vec<DetectedSystem>,
    /// What may be there and cannot be seen this way, said plainly.
    pub unseen: Vec<Residual>,
}

/// A system that is connected to the one that was asked. Holds no personal data and no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DetectedSystem {
    /// What tells it from the others that the integration shows; the same at every look (`amplitude`).
    pub key: String,
    /// How people call it (`Amplitude`).
    pub name: String,
    /// What it is.
    pub kind: SystemKind,
    /// Its vendor's web site, where it is known.
    pub website: Option<String>,
    /// What the vendor's catalogue says it is for (`Analytics`).
    pub categories: Vec<String>,
    /// How sure it is that personal data go there.
    pub confidence: Confidence,
    /// Where it was seen.
    pub evidence: Vec<Evidence>,
}

/// What a system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemKind {
    /// The company's own: a web site, an app, a server.
    OwnApplication,
    /// Somebody else's service.
    Service,
    /// A database for analysis.
    Warehouse,
}

/// How sure it is that a system holds personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Its name is all that is known.
    Low,
    /// It is connected but switched off: what it received before may still be there.
    Medium,
    /// It is connected and receives or sends data.
    High,
}

/// A place where a system was seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Evidence {
    /// As what (`destination`).
    pub role: &'static str,
    /// How it is called there.
    pub name: String,
    /// Behind which source of data, where there is one.
    pub source: Option<String>,
    /// Whether it is switched on; `None` where the vendor does not say.
    pub is_enabled: Option<bool>,
}

/// A name as the vendor wrote it, if it can be one: it is shown, so it must not be a way for a person's data or for
/// characters that do something.
#[must_use]
pub(crate) fn harmless(name: &str) -> Option<&str> {
    let name = name.trim();
    let fits = !name.is_empty()
        && name.chars().count() <= LONGEST_NAME
        && !name.contains('@')
        && name
            .chars()
            .all(|character| character.is_alphanumeric() || " -_.,:;/+&()[]'!*#".contains(character));
    fits.then_some(name)
}
