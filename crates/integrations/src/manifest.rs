//! What an integration is and can do, as data: the catalogue, the guide, the plan and the behaviour suite all
//! read this and nothing else.

use std::time::Duration;

use habeas_domain::IdentifierType;
use habeas_domain::capability::{AccessType, Capability, DeletionMethod, DeletionTiming};
use serde::Serialize;

/// A catalogue entry.
#[derive(Debug, Serialize)]
pub struct Manifest {
    /// How the integration is named in the API, the CLI and the configuration (`readycloud`).
    pub name: &'static str,
    /// How people read it (`ReadyCloud`).
    pub title: &'static str,
    /// One sentence: what the system holds.
    pub summary: &'static str,
    /// The vendor's host in production. Only the server's operator can override it.
    pub base_url: &'static str,
    /// What it can do.
    pub capabilities: Capabilities,
    /// The fields of a connection.
    pub settings: &'static [Setting],
    /// Permissions at the vendor and what each is used for.
    pub permissions: &'static [NeededPermission],
    /// Where to click at the vendor, step by step.
    pub guide: &'static [&'static str],
    /// Limits per endpoint class.
    pub rate_limits: &'static [RateLimit],
    /// First wait after a passing failure, and the longest.
    #[serde(serialize_with = "milliseconds")]
    pub retry_min: Duration,
    /// The longest wait between two attempts.
    #[serde(serialize_with = "milliseconds")]
    pub retry_max: Duration,
}

/// What an integration can do. An untrue claim turns the behaviour suite red.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Capabilities {
    /// How access works; `None` where the vendor's API has none.
    pub access: Option<Access>,
    /// How deletion works.
    pub deletion: Option<Deletion>,
    /// Whether other systems can be learnt from it.
    pub detects_systems: bool,
    /// Identifiers that find a person there; any one is enough.
    pub identifiers: &'static [IdentifierType],
}

/// How access works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Access {
    /// What people see.
    #[serde(rename = "type")]
    pub kind: AccessType,
    /// How the engine asks.
    pub method: AccessMethod,
}

/// How the engine asks for a subject's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessMethod {
    /// The vendor cannot search: one pass over everything it holds serves every waiting subject.
    Scan,
    /// One call (or a few) per subject.
    Lookup,
}

/// How deletion works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Deletion {
    /// Whether it is done when the call returns.
    pub timing: DeletionTiming,
    /// By record, or everything about the subject.
    pub method: DeletionMethod,
    /// How it is proven afterwards.
    pub verification: Verification,
}

/// How a deletion is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// The vendor's answer is all there is.
    Answer,
    /// A pass over everything after the deletion finds none of the deleted records.
    Scan,
}

/// A field of a connection.
#[derive(Debug, Serialize)]
pub struct Setting {
    /// Name in the API (`access_token`).
    pub key: &'static str,
    /// Label on the form.
    pub label: &'static str,
    /// What to enter and where to find it.
    pub help: &'static str,
    /// Whether it is a secret: sealed, never shown again.
    pub secret: bool,
    /// Whether it may be left out.
    pub optional: bool,
}

/// A permission at the vendor.
#[derive(Debug, Serialize)]
pub struct NeededPermission {
    /// As the vendor spells it (`contact`).
    pub permission: &'static str,
    /// What it would be used for, in a person's words.
    pub needed_for: &'static str,
    /// The capability that does not work without it; `None` if nothing works without it.
    pub capability: Option<Capability>,
    /// Whether a connection without it is still made (with a warning).
    pub optional: bool,
}

/// A group of endpoints that share one limit at the vendor (`read`, `write`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct EndpointClass(pub &'static str);

/// A vendor's limit for one endpoint class, counted per account over any 60 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RateLimit {
    /// Which endpoints.
    pub class: EndpointClass,
    /// Calls that the vendor allows in 60 seconds.
    pub per_minute: u32,
}

fn milliseconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
