//! What a person may enter for a connection.

use habeas_domain::capability::{AccessType, Capability, DeletionCompletion, DeletionTiming, Handling};
use habeas_integrations::{Integration, Manifest, Settings};
use jiff::Timestamp;

use crate::CapabilityChoices;
use crate::contacts::OnExpiry;
use crate::error::{CaseworkError, FieldError};

pub(super) const SECONDS_PER_DAY: i64 = 86_400;
/// The longest time a contact may have.
const MOST_DEADLINE_DAYS: i64 = 365;

/// A connection to be made.
#[derive(Clone, Debug)]
pub struct NewConnection {
    /// Of which integration.
    pub integration: String,
    /// Its name.
    pub name: String,
    /// Credentials and the like.
    pub settings: Settings,
    /// When an asynchronous deletion counts as complete.
    pub deletion_completion: Option<DeletionCompletion>,
    /// Who serves each capability, where it differs from the manifest.
    pub capabilities: CapabilityChoices,
    /// Who answers for what is handed to a direct contact.
    pub contact: NewContact,
}

/// A connection's direct contact, as it was given.
#[derive(Clone, Default)]
pub struct NewContact {
    /// Their address.
    pub email: Option<String>,
    /// How long they have, in days.
    pub deadline_days: Option<i64>,
    /// What happens then.
    pub on_expiry: Option<OnExpiry>,
}

/// Never prints the address.
impl std::fmt::Debug for NewContact {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("NewContact")
            .field("deadline_days", &self.deadline_days)
            .finish_non_exhaustive()
    }
}

/// The settings that are kept: what was given in place of what was `kept` before.
pub(super) fn accept_settings(
    integration: &dyn Integration,
    given: &Settings,
    kept: Settings,
    now: Timestamp,
) -> Result<Settings, CaseworkError> {
    let manifest = integration.manifest();
    let mut errors: Vec<FieldError> = given
        .keys()
        .filter(|key| !manifest.settings.iter().any(|setting| setting.key == *key))
        .map(|key| {
            let known: Vec<_> = manifest.settings.iter().map(|setting| setting.key).collect();
            let message = format!("is not a setting of {}; known are: {}", manifest.title, known.join(", "));
            FieldError::new(format!("settings.{}", key.chars().take(64).collect::<String>()), message)
        })
        .collect();
    let mut settings = kept;
    settings.replace(given);
    for setting in manifest.settings.iter().filter(|setting| !setting.optional) {
        if settings.text(setting.key).trim().is_empty() {
            let message = format!("is missing: {}", setting.help);
            errors.push(FieldError::new(format!("settings.{}", setting.key), message));
        }
    }
    if !errors.is_empty() {
        return Err(CaseworkError::Validation(errors));
    }
    integration.normalise(settings, now).map_err(|invalid| {
        CaseworkError::Validation(
            invalid
                .into_iter()
                .map(|one| FieldError::new(format!("settings.{}", one.key), one.message))
                .collect(),
        )
    })
}

/// The name, who serves what, and when a deletion counts as complete.
pub(super) fn accept(
    manifest: &Manifest,
    new: &NewConnection,
) -> Result<(String, CapabilityChoices, Option<DeletionCompletion>), CaseworkError> {
    let mut errors = Vec::new();
    let name = new.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) {
        errors.push(FieldError::new("name", "must have 1 to 80 characters and no control characters"));
    }
    if new.contact.deadline_days.is_some_and(|days| !(1..=MOST_DEADLINE_DAYS).contains(&days)) {
        let message = format!("must be 1 to {MOST_DEADLINE_DAYS}");
        errors.push(FieldError::new("contact.deadline_days", message));
    }
    let timing = manifest.capabilities.deletion.map(|deletion| deletion.timing);
    let asynchronous = timing == Some(DeletionTiming::Asynchronous);
    if new.deletion_completion.is_some() && !asynchronous {
        let message = format!("has no meaning for {}: it deletes at once; leave it out", manifest.title);
        errors.push(FieldError::new("deletion_completion", message));
    }
    let completion =
        asynchronous.then_some(new.deletion_completion.unwrap_or(DeletionCompletion::OnCompletion));
    let mut choices = CapabilityChoices::new();
    for capability in Capability::ALL {
        let usual = usual_handling(manifest, *capability);
        let able = usual == Handling::Api;
        let handling = new.capabilities.get(capability).copied().unwrap_or(usual);
        let message = match handling {
            Handling::Api if !able && *capability == Capability::SystemDetection => {
                Some(format!("{} has no API for it; use `off`", manifest.title))
            }
            Handling::Api if !able => {
                Some(format!("{} has no API for it; use `direct_contact` or `off`", manifest.title))
            }
            Handling::DirectContact if *capability == Capability::SystemDetection => {
                Some("is nothing that a contact could do; use `api` or `off`".to_owned())
            }
            _ => None,
        };
        if let Some(message) = message {
            errors.push(FieldError::new(format!("capabilities.{capability}"), message));
        }
        choices.insert(*capability, handling);
    }
    if errors.is_empty() { Ok((name, choices, completion)) } else { Err(CaseworkError::Validation(errors)) }
}

/// Who serves a capability unless somebody chooses otherwise.
fn usual_handling(manifest: &Manifest, capability: Capability) -> Handling {
    let capabilities = &manifest.capabilities;
    match capability {
        Capability::Access => match capabilities.access.map(|access| access.kind) {
            Some(AccessType::DirectContact) => Handling::DirectContact,
            Some(AccessType::Synchronous | AccessType::Asynchronous) => Handling::Api,
            None => Handling::Off,
        },
        Capability::Deletion => match capabilities.deletion.map(|deletion| deletion.timing) {
            Some(DeletionTiming::DirectContact) => Handling::DirectContact,
            Some(DeletionTiming::Synchronous | DeletionTiming::Asynchronous) => Handling::Api,
            None => Handling::Off,
        },
        Capability::SystemDetection if capabilities.detects_systems => Handling::Api,
        Capability::SystemDetection => Handling::Off,
    }
}
