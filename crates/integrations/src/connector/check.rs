//! What a check of a connection shows.

use serde::{Deserialize, Serialize};

use crate::manifest::{Manifest, NeededPermission};

/// The result of a connection check.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// Every permission of the manifest.
    pub permissions: Vec<PermissionReport>,
    /// What works but deserves attention (token near its expiry).
    pub warnings: Vec<String>,
}

impl CheckReport {
    /// A report without warnings on every permission that the manifest names.
    pub(crate) fn of(manifest: &Manifest, state: impl Fn(&str) -> PermissionState) -> Self {
        let report = |needed: &NeededPermission| PermissionReport {
            permission: needed.permission.to_owned(),
            needed_for: needed.needed_for.to_owned(),
            state: state(needed.permission),
        };
        Self { permissions: manifest.permissions.iter().map(report).collect(), warnings: Vec::new() }
    }
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
