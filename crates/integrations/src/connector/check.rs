//! What a check of a connection shows.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::manifest::{Manifest, NeededPermission};

/// The result of a connection check.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// Every permission of the manifest.
    pub permissions: Vec<PermissionReport>,
    /// What works but deserves attention (token near its expiry).
    pub warnings: Vec<String>,
    /// When the credentials end, where that is known.
    pub expires_at: Option<Timestamp>,
    /// Settings that the check found out and nobody enters (which of a vendor's APIs a token opens). Kept with the others.
    pub learned: Vec<(&'static str, &'static str)>,
}

impl CheckReport {
    /// A report without warnings on every permission that the manifest names.
    pub(crate) fn of(manifest: &Manifest, state: impl Fn(&str) -> PermissionState) -> Self {
        let report = |needed: &NeededPermission| PermissionReport {
            permission: needed.permission.to_owned(),
            needed_for: needed.needed_for.to_owned(),
            state: state(needed.permission),
        };
        Self { permissions: manifest.permissions.iter().map(report).collect(), ..Self::default() }
    }
}

impl CheckReport {
    /// Puts what was learned into the settings; whether that changed anything.
    pub fn teach(&self, settings: &mut Settings) -> bool {
        let new: Vec<_> = self.learned.iter().filter(|(key, value)| settings.text(key) != *value).collect();
        for (key, value) in &new {
            settings.set(*key, *value);
        }
        !new.is_empty()
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
