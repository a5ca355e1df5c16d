//! What a person may enter for a connection.

use habeas_domain::capability::{AccessType, Capability, DeletionCompletion, DeletionTiming, Handling};
use habeas_integrations::{Catalogue, Integration, Manifest, Settings};
use jiff::Timestamp;

use crate::CapabilityChoices;
use crate::contacts::{self, OnExpiry};
use crate::error::FieldError;

pub(super) const SECONDS_PER_DAY: i64 = 86_400;
/// The longest time that a contact may have, in days.
pub const MOST_DEADLINE_DAYS: i64 = 365;
/// What stands in a connection's place in an address of the API: a connection of that name could not be reached by it.
const RESERVED_NAME: &str = "plan";

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

/// A new connection whose every field can be used.
pub(super) struct Accepted<'c> {
    pub(super) integration: &'c dyn Integration,
    pub(super) name: String,
    /// Who serves each capability: what was chosen, and the usual way for the rest.
    pub(super) capabilities: CapabilityChoices,
    /// `None` where deletions are not asynchronous.
    pub(super) deletion_completion: Option<DeletionCompletion>,
    /// As they are kept.
    pub(super) settings: Settings,
    /// What was given, or what the settings name.
    pub(super) contact_email: Option<String>,
}

/// Everything about a new connection that can be judged without its vendor; every fault at once.
pub(super) fn accept_new<'c>(
    catalogue: &'c Catalogue,
    new: &NewConnection,
    now: Timestamp,
) -> Result<Accepted<'c>, Vec<FieldError>> {
    let Some(integration) = catalogue.find(&new.integration) else {
        let known: Vec<_> = catalogue.iter().map(|one| one.manifest().name).collect();
        let message = format!("is not in the catalogue; known are: {}", known.join(", "));
        let mut faults = vec![FieldError::new("integration", message)];
        faults.extend(accept_name(&new.name).err());
        faults.extend(accept_deadline(&new.contact).err());
        faults.extend(accept_email(&new.contact).err());
        return Err(faults);
    };
    let chosen = accept(integration.manifest(), new);
    let email = accept_email(&new.contact);
    let settings = accept_settings(integration, &new.settings, Settings::default(), now);
    match (chosen, email, settings) {
        (Ok((name, capabilities, deletion_completion)), Ok(email), Ok(settings)) => Ok(Accepted {
            integration,
            name,
            capabilities,
            deletion_completion,
            contact_email: email.or_else(|| integration.contact(&settings)),
            settings,
        }),
        (chosen, email, settings) => {
            let faults = [chosen.err(), email.err().map(|fault| vec![fault]), settings.err()];
            Err(faults.into_iter().flatten().flatten().collect())
        }
    }
}

/// The settings that are kept: what was given in place of what was `kept` before. Every fault at once.
pub(super) fn accept_settings(
    integration: &dyn Integration,
    given: &Settings,
    kept: Settings,
    now: Timestamp,
) -> Result<Settings, Vec<FieldError>> {
    let manifest = integration.manifest();
    let field = |key: &str| format!("settings.{}", key.chars().take(64).collect::<String>());
    let mut faults: Vec<FieldError> = given
        .keys()
        .filter(|key| !manifest.settings.iter().any(|setting| setting.key == *key))
        .map(|key| {
            let known: Vec<_> = manifest.settings.iter().map(|setting| setting.key).collect();
            let message = format!("is not a setting of {}; known are: {}", manifest.title, known.join(", "));
            FieldError::new(field(key), message)
        })
        .collect();
    let mut settings = kept;
    settings.replace(given);
    for setting in manifest.settings.iter().filter(|setting| !setting.optional) {
        if settings.text(setting.key).trim().is_empty() {
            faults.push(FieldError::new(field(setting.key), format!("is missing: {}", setting.help)));
        }
    }
    match integration.normalise(settings, now) {
        Ok(settings) if faults.is_empty() => Ok(settings),
        Ok(_) => Err(faults),
        Err(invalid) => {
            for one in invalid {
                let field = field(&one.key);
                if faults.iter().all(|known| known.field != field) {
                    faults.push(FieldError::new(field, one.message));
                }
            }
            Err(faults)
        }
    }
}

/// The name, who serves what, and when a deletion counts as complete.
pub(super) fn accept(
    manifest: &Manifest,
    new: &NewConnection,
) -> Result<(String, CapabilityChoices, Option<DeletionCompletion>), Vec<FieldError>> {
    let name = accept_name(&new.name);
    let mut faults: Vec<FieldError> = name.as_ref().err().into_iter().cloned().collect();
    faults.extend(accept_deadline(&new.contact).err());
    let timing = manifest.capabilities.deletion.map(|deletion| deletion.timing);
    let asynchronous = timing == Some(DeletionTiming::Asynchronous);
    if new.deletion_completion.is_some() && !asynchronous {
        let message = format!("has no meaning for {}: it deletes at once; leave it out", manifest.title);
        faults.push(FieldError::new("deletion_completion", message));
    }
    let completion =
        asynchronous.then_some(new.deletion_completion.unwrap_or(DeletionCompletion::OnCompletion));
    let mut choices = CapabilityChoices::new();
    for capability in Capability::ALL {
        let chosen = new.capabilities.get(capability).copied();
        let handling = chosen.unwrap_or_else(|| usual_handling(manifest, *capability));
        let possible = possible_handlings(manifest, *capability);
        if !possible.contains(&handling) {
            let why = match handling {
                Handling::Api => format!("{} has no API for it", manifest.title),
                Handling::DirectContact | Handling::Off => "is nothing that a contact could do".to_owned(),
            };
            let instead: Vec<_> = possible.iter().map(|one| format!("`{one}`")).collect();
            let message = format!("{why}; use {}", instead.join(" or "));
            faults.push(FieldError::new(format!("capabilities.{capability}"), message));
        }
        choices.insert(*capability, handling);
    }
    match name {
        Ok(name) if faults.is_empty() => Ok((name, choices, completion)),
        _ => Err(faults),
    }
}

fn accept_name(given: &str) -> Result<String, FieldError> {
    let name = given.trim();
    if name.is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) {
        return Err(FieldError::new("name", "must have 1 to 80 characters and no control characters"));
    }
    if name == RESERVED_NAME {
        return Err(FieldError::new("name", "is a word of the API's own addresses; choose another name"));
    }
    Ok(name.to_owned())
}

fn accept_deadline(contact: &NewContact) -> Result<(), FieldError> {
    match contact.deadline_days {
        Some(days) if !(1..=MOST_DEADLINE_DAYS).contains(&days) => {
            Err(FieldError::new("contact.deadline_days", format!("must be 1 to {MOST_DEADLINE_DAYS}")))
        }
        _ => Ok(()),
    }
}

fn accept_email(contact: &NewContact) -> Result<Option<String>, FieldError> {
    contact.email.as_deref().map(|email| contacts::accept_address("contact.email", email)).transpose()
}

/// Who serves a capability unless somebody chooses otherwise.
#[must_use]
pub fn usual_handling(manifest: &Manifest, capability: Capability) -> Handling {
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

/// Who may serve a capability: the API only where there is one, a contact whatever a person can do.
#[must_use]
pub fn possible_handlings(manifest: &Manifest, capability: Capability) -> Vec<Handling> {
    let able = usual_handling(manifest, capability) == Handling::Api;
    let fits = |handling: &Handling| match handling {
        Handling::Api => able,
        Handling::DirectContact => capability != Capability::SystemDetection,
        Handling::Off => true,
    };
    Handling::ALL.iter().copied().filter(fits).collect()
}
