//! What a workspace is made of, and who may look into it. Nothing here knows how an API shows it.

use serde::{Deserialize, Serialize};

use super::people::{People, Suppressions};
use super::quota::Quota;

#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) slug: String,
    pub(super) display_name: String,
    pub(super) id: String,
    pub(super) created_ms: u64,
    pub(super) sources: Vec<Source>,
    pub(super) warehouses: Vec<Warehouse>,
    pub(super) members: Vec<Member>,
    pub(super) people: People,
    pub(super) suppressions: Suppressions,
    pub(super) quota: Quota,
}

#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) slug: String,
    pub(super) display_name: String,
    pub(super) id: String,
    /// Slug of the catalogue entry.
    pub(super) catalogue: String,
    pub(super) enabled: bool,
    pub(super) write_keys: Vec<String>,
    pub(super) created_ms: u64,
    pub(super) destinations: Vec<Destination>,
}

/// A destination of one source. Its slug is that of its catalogue entry.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    pub(super) id: String,
    pub(super) slug: String,
    pub(super) display_name: String,
    pub(super) enabled: bool,
    pub(super) connection_mode: ConnectionMode,
    pub(super) settings: Vec<Setting>,
    pub(super) created_ms: u64,
}

/// A configured value; it may be a secret of the destination's vendor.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) kind: String,
    pub(super) value: serde_json::Value,
    /// Whether the value is known to be a secret.
    pub(super) secret: bool,
}

/// A database that sources are copied into.
#[derive(Clone, Debug)]
pub(super) struct Warehouse {
    pub(super) id: String,
    pub(super) name: String,
    /// Slug of the catalogue entry.
    pub(super) catalogue: String,
    pub(super) enabled: bool,
    pub(super) settings: Vec<Setting>,
    /// Slugs of the sources connected to it.
    pub(super) sources: Vec<String>,
}

/// Somebody who works in the workspace; not a person whose data is collected.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) email: &'static str,
}

/// How a source reaches a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConnectionMode {
    /// From Segment's servers.
    #[default]
    Cloud,
    /// From the person's device.
    Device,
    /// Left to Segment.
    Unspecified,
}

/// What a token may do in its one workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everything, regulations included.
    Owner,
    /// Scope `workspace` with a member's rights: everything but creating and deleting regulations.
    Member,
    /// Scope `workspace:read`: looks and changes nothing.
    Read,
}

/// Which of the vendor's APIs a token opens. It is nothing to the other one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// The Config API.
    #[default]
    Config,
    /// The Public API.
    Public,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) workspace: String,
    pub(super) api: Api,
    pub(super) access: Access,
}

impl Workspace {
    pub(super) fn source(&self, slug: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.slug == slug)
    }

    pub(super) fn source_mut(&mut self, slug: &str) -> Option<&mut Source> {
        self.sources.iter_mut().find(|source| source.slug == slug)
    }

    pub(super) fn source_with_id(&self, id: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.id == id)
    }

    pub(super) fn warehouse_with_id(&self, id: &str) -> Option<&Warehouse> {
        self.warehouses.iter().find(|warehouse| warehouse.id == id)
    }

    /// Every destination with its source.
    pub(super) fn destinations(&self) -> impl Iterator<Item = (&Source, &Destination)> {
        self.sources.iter().flat_map(|source| source.destinations.iter().map(move |it| (source, it)))
    }
}

impl Source {
    pub(super) fn destination(&self, slug: &str) -> Option<&Destination> {
        self.destinations.iter().find(|destination| destination.slug == slug)
    }
}
