//! Connections: never with their settings.

use std::collections::BTreeMap;

use habeas_casework::connections::{
    ConnectionCase, ConnectionChange, ContactChange, NewConnection, NewContact,
};
use habeas_casework::{CapabilityChoices, FieldError};
use habeas_domain::capability::Capability;
use habeas_integrations::{PermissionReport, Settings, VendorError};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::runs::FailureShape;
use super::words::{DeletionCompletionWord, HandlingWord, OnExpiryWord, Word};
use crate::strict::shown;

/// A connection to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewConnection)]
pub(crate) struct NewConnectionShape {
    /// Of which integration (`GET /api/v1/integrations`).
    integration: String,
    /// Its name, unique.
    name: String,
    /// Credentials and the like, as the integration's `settings` say. Secrets never come back.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    settings: BTreeMap<String, Option<String>>,
    /// When an asynchronous deletion counts as complete.
    deletion_completion: Option<DeletionCompletionWord>,
    /// Who serves each capability, where it differs from the manifest.
    capabilities: Option<CapabilitiesShape>,
    /// Who answers for a capability that is handed to a direct contact.
    contact: Option<NewContactShape>,
}

/// Who answers for a capability that is handed to a direct contact.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewContact)]
pub(crate) struct NewContactShape {
    /// Their e-mail address; without one, answers are entered by hand.
    email: Option<String>,
    /// How long they have; the installation's usual time if left out.
    deadline_days: Option<i64>,
    /// What happens then: the run is skipped, or a person decides (`hold`, if left out).
    on_expiry: Option<OnExpiryWord>,
}

/// Shows no settings.
impl std::fmt::Debug for NewConnectionShape {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("NewConnectionShape").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Who serves each capability.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Capabilities)]
pub(crate) struct CapabilitiesShape {
    /// Collecting what is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<HandlingWord>,
    /// Deleting it.
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion: Option<HandlingWord>,
    /// Finding other systems.
    #[serde(skip_serializing_if = "Option::is_none")]
    system_detection: Option<HandlingWord>,
}

impl NewConnectionShape {
    /// As casework takes it.
    pub(crate) fn accept(self) -> Result<NewConnection, FieldError> {
        Ok(NewConnection {
            integration: self.integration,
            name: self.name,
            settings: settings(self.settings)?,
            deletion_completion: self.deletion_completion.map(|word| word.0),
            capabilities: self.capabilities.unwrap_or_default().accept(),
            contact: self.contact.map_or_else(NewContact::default, |contact| NewContact {
                email: contact.email,
                deadline_days: contact.deadline_days,
                on_expiry: contact.on_expiry.map(|word| word.0),
            }),
        })
    }
}

fn settings(given: BTreeMap<String, Option<String>>) -> Result<Settings, FieldError> {
    let mut settings = Settings::default();
    for (key, value) in given {
        // A name that is none may be a secret in the wrong place.
        if shown(&key) != key {
            return Err(FieldError::new("settings", "has a member whose name is none of a setting"));
        }
        if let Some(value) = value {
            settings.set(key, value);
        }
    }
    Ok(settings)
}

impl CapabilitiesShape {
    fn accept(self) -> CapabilityChoices {
        let chosen = [
            (Capability::Access, self.access),
            (Capability::Deletion, self.deletion),
            (Capability::SystemDetection, self.system_detection),
        ];
        chosen.into_iter().filter_map(|(one, handling)| Some((one, handling?.0))).collect()
    }
}

/// What is to be different about a connection; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConnectionChange)]
pub(crate) struct ConnectionChangeShape {
    /// Its name, unique.
    name: Option<String>,
    /// Settings that are replaced; the others stay. Secrets never come back.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    settings: BTreeMap<String, Option<String>>,
    /// When an asynchronous deletion counts as complete.
    deletion_completion: Option<DeletionCompletionWord>,
    /// Who serves these capabilities, for later requests.
    capabilities: Option<CapabilitiesShape>,
    /// Who answers for a capability that is handed to a direct contact.
    contact: Option<ContactChangeShape>,
}

/// What is to be different about a contact; `null` goes back to what holds without it.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContactChange)]
pub(crate) struct ContactChangeShape {
    /// Their e-mail address; without one, answers are entered by hand.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    /// How long they have.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    deadline_days: Option<Option<i64>>,
    /// What happens then.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<OnExpiryWord>)]
    on_expiry: Option<Option<OnExpiryWord>>,
}

/// Tells `null` from what was left out.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Shows no settings and no address.
impl std::fmt::Debug for ConnectionChangeShape {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ConnectionChangeShape")
    }
}

impl ConnectionChangeShape {
    /// As casework takes it.
    pub(crate) fn accept(self) -> Result<ConnectionChange, FieldError> {
        let contact = self.contact.unwrap_or_default();
        Ok(ConnectionChange {
            name: self.name,
            settings: settings(self.settings)?,
            deletion_completion: self.deletion_completion.map(|word| word.0),
            capabilities: self.capabilities.unwrap_or_default().accept(),
            contact: ContactChange {
                email: contact.email,
                deadline_days: contact.deadline_days,
                on_expiry: contact.on_expiry.map(|choice| choice.map(|word| word.0)),
            },
        })
    }
}

/// How a connection is removed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Removal {
    /// Also while unfinished runs need it: they are skipped.
    #[serde(default)]
    pub(crate) force: bool,
}

/// A connection.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Connection)]
pub(crate) struct ConnectionShape {
    /// Its id.
    pub(crate) id: String,
    /// Its name.
    name: String,
    /// Its integration.
    integration: String,
    /// `connected`, `degraded` (works, with warnings) or `disconnected`.
    status: String,
    /// When it was last checked.
    #[schema(value_type = Option<String>, format = DateTime)]
    checked_at: Option<Timestamp>,
    /// Since when checks fail.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
    /// What works but deserves attention.
    warnings: Vec<String>,
    /// What the last check showed of each permission.
    permissions: Vec<PermissionShape>,
    /// When an asynchronous deletion counts as complete; null where deletions are synchronous.
    deletion_completion: Option<String>,
    /// Who serves each capability.
    capabilities: CapabilitiesShape,
    /// Who answers for capabilities that are handed to a direct contact; null where none is.
    contact: Option<ContactShape>,
    /// What the vendor counts by the month; null where it counts nothing.
    quota: Option<QuotaShape>,
    /// Where the system tells that it is done, signed with the connection's secret; null where it does not.
    callback_url: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// A connection's direct contact.
#[derive(Serialize, ToSchema)]
#[schema(as = Contact)]
pub(crate) struct ContactShape {
    /// Their e-mail address; null where answers are entered by hand.
    email: Option<String>,
    /// How long they have; a fraction only where the installation's time is set in seconds.
    #[schema(value_type = f64)]
    deadline_days: serde_json::Number,
    /// What happens then.
    on_expiry: OnExpiryWord,
}

/// Shows no address.
impl std::fmt::Debug for ContactShape {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ContactShape")
    }
}

/// A quota that the vendor counts by the calendar month (UTC).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quota)]
pub(crate) struct QuotaShape {
    /// What is counted.
    what: String,
    /// How much a month allows.
    limit: u64,
    /// What this installation has used this month, over every connection to the same vendor account.
    used: u64,
}

/// What a check showed of a permission.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PermissionState)]
pub(crate) struct PermissionShape {
    /// As the vendor spells it.
    permission: String,
    /// What it would be used for.
    needed_for: String,
    /// `granted`, `missing` or `not_yet_proven`.
    #[schema(value_type = String)]
    state: habeas_integrations::PermissionState,
}

/// A connection after it was checked on demand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckedConnection)]
pub(crate) struct CheckedConnectionShape {
    #[serde(flatten)]
    connection: ConnectionShape,
    /// Why the check failed; null if it passed.
    error: Option<FailureShape>,
}

impl From<PermissionReport> for PermissionShape {
    fn from(report: PermissionReport) -> Self {
        Self { permission: report.permission, needed_for: report.needed_for, state: report.state }
    }
}

/// Whole days as a whole number.
fn days(seconds: i64) -> serde_json::Number {
    const DAY: i64 = 86_400;
    if seconds % DAY == 0 {
        return (seconds / DAY).into();
    }
    serde_json::Number::from_f64(seconds as f64 / DAY as f64).unwrap_or_else(|| 0.into())
}

impl From<ConnectionCase> for ConnectionShape {
    fn from(case: ConnectionCase) -> Self {
        let handling = |capability| case.capabilities.get(&capability).copied().map(Word);
        Self {
            id: case.stored.id.to_string(),
            name: case.stored.name,
            integration: case.stored.integration,
            status: case.stored.status,
            checked_at: case.stored.checked_at,
            failing_since: case.stored.failing_since,
            warnings: case.warnings,
            permissions: case.permissions.into_iter().map(PermissionShape::from).collect(),
            deletion_completion: case.stored.deletion_completion,
            capabilities: CapabilitiesShape {
                access: handling(Capability::Access),
                deletion: handling(Capability::Deletion),
                system_detection: handling(Capability::SystemDetection),
            },
            contact: case.contact.map(|contact| ContactShape {
                email: contact.email,
                deadline_days: days(contact.deadline_seconds),
                on_expiry: Word(contact.on_expiry),
            }),
            quota: case.quota.map(|case| QuotaShape {
                what: case.quota.what.to_owned(),
                limit: case.quota.limit,
                used: case.used,
            }),
            callback_url: case.callback_url,
            created_at: case.stored.created_at,
        }
    }
}

impl CheckedConnectionShape {
    /// A connection and why its check failed.
    pub(crate) fn new(connection: ConnectionCase, failure: Option<&VendorError>) -> Self {
        Self { connection: connection.into(), error: failure.map(FailureShape::from) }
    }
}
