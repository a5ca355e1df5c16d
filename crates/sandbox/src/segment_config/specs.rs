//! What a test or the control plane says to have something put into the simulator or changed in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::account::{Access, Api, ConnectionMode};
use super::fixtures;
use super::regulation::{Attribute, FINISHED, RegulationType};

/// A token to add. It replaces the one of that name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// The token itself.
    pub token: String,
    /// Slug of the one workspace it is bound to; left out, the [main one](fixtures::WORKSPACE).
    #[serde(default = "main_workspace")]
    pub workspace: String,
    /// What it may do.
    pub access: Access,
    /// Which API it opens; left out, the Config API.
    #[serde(default)]
    pub api: Api,
}

impl TokenSpec {
    /// A token of the main workspace for the Config API.
    #[must_use]
    pub fn new(token: impl Into<String>, access: Access) -> Self {
        Self { token: token.into(), workspace: main_workspace(), access, api: Api::Config }
    }

    /// The same for the Public API.
    #[must_use]
    pub fn public(token: impl Into<String>, access: Access) -> Self {
        Self { api: Api::Public, ..Self::new(token, access) }
    }
}

/// A source to add. Everything but `slug` and `catalogue` has a default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSpec {
    /// Slug of the workspace; left out, the [main one](fixtures::WORKSPACE).
    #[serde(default)]
    pub workspace: Option<String>,
    /// Slug of the source.
    pub slug: String,
    /// Slug of its entry in the catalogue, for example `javascript`.
    pub catalogue: String,
    /// Left out, the name in the catalogue.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Secrets of the source; left out, one is invented.
    #[serde(default)]
    pub write_keys: Vec<String>,
    /// Whether it takes data in; left out, it does. The Config API does not show this.
    #[serde(default)]
    pub enabled: Option<bool>,
}

/// A destination to add to a source. Its configuration is invented from its slug.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationSpec {
    /// Slug of the workspace; left out, the [main one](fixtures::WORKSPACE).
    #[serde(default)]
    pub workspace: Option<String>,
    /// Slug of the source.
    pub source: String,
    /// Slug of its entry in the catalogue, for example `amplitude`.
    pub slug: String,
    /// Whether it receives data; disabled ones take no part in regulations (own choice).
    #[serde(default = "yes")]
    pub enabled: bool,
    /// How it is reached.
    #[serde(default)]
    pub connection_mode: ConnectionMode,
}

impl DestinationSpec {
    /// An enabled destination of a source in the main workspace.
    #[must_use]
    pub fn new(source: impl Into<String>, slug: impl Into<String>) -> Self {
        Self {
            workspace: None,
            source: source.into(),
            slug: slug.into(),
            enabled: true,
            connection_mode: ConnectionMode::default(),
        }
    }
}

/// A warehouse to add. Its configuration is invented. The Config API does not show it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarehouseSpec {
    /// Slug of the workspace; left out, the [main one](fixtures::WORKSPACE).
    #[serde(default)]
    pub workspace: Option<String>,
    /// Slug of its entry in the catalogue, for example `snowflake`.
    pub catalogue: String,
    /// Left out, the name in the catalogue.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether sources are copied into it.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Slugs of the sources connected to it.
    #[serde(default)]
    pub sources: Vec<String>,
}

impl WarehouseSpec {
    /// An enabled warehouse of the main workspace.
    #[must_use]
    pub fn new(catalogue: impl Into<String>, sources: &[&str]) -> Self {
        Self {
            workspace: None,
            catalogue: catalogue.into(),
            name: None,
            enabled: true,
            sources: sources.iter().map(|slug| (*slug).to_owned()).collect(),
        }
    }
}

/// Data of a person that comes in from a source, as an app of the customer would send it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventSpec {
    /// Slug of the workspace; left out, the [main one](fixtures::WORKSPACE).
    #[serde(default)]
    pub workspace: Option<String>,
    /// Slug of the source; left out, [`fixtures::WEB_PROD`].
    #[serde(default)]
    pub source: Option<String>,
    /// The id the app knows the person by.
    pub user_id: String,
    /// The `email` trait.
    #[serde(default)]
    pub email: Option<String>,
}

/// How a regulation goes, where it is not to go as usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegulationPlan {
    /// Seconds from its creation in which it is `initialized`.
    pub initialized_seconds: Option<u64>,
    /// Seconds in which it then is `running`.
    pub running_seconds: Option<u64>,
    /// The overall status word at the end, instead of the one that follows from the destinations. It changes
    /// the word alone: what is deleted follows from the outcome of `segment`.
    pub final_status: Option<String>,
    /// The overall status word from now on, whatever the clock says; it changes the word alone.
    pub shown_status: Option<String>,
    /// Outcomes by slug of the destination (in all sources), by `source/destination`, or for Segment itself by
    /// [`segment`](super::SEGMENT).
    pub destinations: BTreeMap<String, DestinationOutcome>,
}

impl RegulationPlan {
    /// It is done at once.
    #[must_use]
    pub fn immediate() -> Self {
        Self { initialized_seconds: Some(0), running_seconds: Some(0), ..Self::default() }
    }

    /// Sets the outcome of a destination.
    #[must_use]
    pub fn outcome(mut self, destination: &str, status: &str, err_string: &str) -> Self {
        let outcome = DestinationOutcome { status: status.to_owned(), err_string: err_string.to_owned() };
        self.destinations.insert(destination.to_owned(), outcome);
        self
    }
}

/// What a destination says at the end of a regulation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationOutcome {
    /// For example `finished`, `failed`, `not_supported`, or `running` for one that never ends.
    pub status: String,
    /// What went wrong.
    #[serde(default)]
    pub err_string: String,
}

impl DestinationOutcome {
    pub(super) fn finished() -> Self {
        Self { status: FINISHED.to_owned(), err_string: String::new() }
    }
}

/// A regulation as evidence: everything that was ever accepted, also when the API no longer shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegulationRecord {
    /// The `regulate_id`, or `regulateId`.
    pub id: String,
    /// Slug of the workspace.
    pub workspace: String,
    /// Slug of the source; `None` for all of them.
    pub source: Option<String>,
    /// What it does.
    #[serde(rename = "type")]
    pub kind: RegulationType,
    /// What the values are.
    pub attribute: Attribute,
    /// As they were sent.
    pub values: Vec<String>,
    /// The collection of objects, where one was named.
    pub collection: Option<String>,
    /// The overall status now.
    pub status: String,
    /// Milliseconds since the epoch, by the sandbox's clock.
    pub created_ms: u64,
    /// When it came to its end, if it did.
    pub finished_ms: Option<u64>,
    /// Status words by `source/destination`, Segment's own part as `source/segment`.
    pub destinations: BTreeMap<String, String>,
    /// Whether its owner deleted it before it started.
    pub deleted: bool,
}

/// Why something was not added or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecRefused {
    /// There is no such workspace.
    #[error("there is no workspace `{0}`")]
    UnknownWorkspace(String),
    /// There is no such source in the workspace.
    #[error("there is no source `{0}`")]
    UnknownSource(String),
    /// The catalogue has no such entry.
    #[error("the catalogue has no entry `{0}`")]
    NotInCatalogue(String),
    /// The slug is in use.
    #[error("there is something with the slug `{0}` already")]
    SlugTaken(String),
    /// A slug is not empty and has no slash.
    #[error("`{0}` is not a legal slug: it must not be empty nor hold a slash")]
    IllegalSlug(String),
    /// A plan names a destination that no source has.
    #[error("no source has a destination `{0}`")]
    UnknownDestination(String),
    /// There is no such regulation.
    #[error("there is no regulation `{0}`")]
    UnknownRegulation(String),
}

fn main_workspace() -> String {
    fixtures::WORKSPACE.to_owned()
}

fn yes() -> bool {
    true
}
