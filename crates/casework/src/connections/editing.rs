//! Editing a connection: what changes is proven at the vendor before anything is saved.

use habeas_domain::capability::DeletionCompletion;
use habeas_domain::{Actor, ConnectionId, Permission};
use habeas_integrations::Settings;
use habeas_store::audit::Stream;
use habeas_store::connections::{self, StoredConnection};
use habeas_store::{KeyPurpose, Place, StoreError, Unit, data_keys};
use serde_json::json;

use super::accepting::{NewConnection, NewContact, SECONDS_PER_DAY, accept, accept_settings};
use super::checking::{missing_permissions, passed};
use super::{CONTACT_COLUMN, ConnectionCase, find, lock, seal_settings};
use crate::contacts::{self, OnExpiry};
use crate::error::CaseworkError;
use crate::profiles::Profile;
use crate::{CapabilityChoices, Casework};

/// What is to be different about a connection; what is not given stays as it is.
#[derive(Clone, Debug, Default)]
pub struct ConnectionChange {
    /// Its name.
    pub name: Option<String>,
    /// Settings that are replaced.
    pub settings: Settings,
    /// When an asynchronous deletion counts as complete.
    pub deletion_completion: Option<DeletionCompletion>,
    /// Who serves these capabilities from now on. Runs that are planned already keep their way.
    pub capabilities: CapabilityChoices,
    /// Who answers for what is handed to a direct contact.
    pub contact: ContactChange,
}

/// What is to be different about a contact; the inner `None` goes back to the installation's usual.
#[derive(Clone, Default)]
pub struct ContactChange {
    /// Their address; without one, answers are entered by hand.
    pub email: Option<Option<String>>,
    /// How long they have, in days.
    pub deadline_days: Option<Option<i64>>,
    /// What happens then.
    pub on_expiry: Option<Option<OnExpiry>>,
}

/// Never prints the address.
impl std::fmt::Debug for ContactChange {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ContactChange").finish_non_exhaustive()
    }
}

/// An edited connection before it is saved.
struct Edited {
    stored: StoredConnection,
    /// New settings, if any were replaced.
    settings: Option<Settings>,
    /// The contact's new address, if it changes.
    email: Option<Option<String>>,
    /// Whether the vendor was asked.
    is_checked: bool,
    changed: Vec<&'static str>,
}

impl Casework {
    /// Changes a connection. New settings and capabilities are checked at the vendor first, as if the connection were
    /// made anew.
    ///
    /// # Errors
    /// Whatever is missing or cannot be used; the connection is as it was then.
    pub async fn edit_connection(
        &self,
        actor: &Actor,
        id: ConnectionId,
        change: ConnectionChange,
    ) -> Result<ConnectionCase, CaseworkError> {
        actor.require(Permission::ManageConnections)?;
        let before = find(&mut self.store.reader().await?, id).await?;
        let edited = self.edited(&before, change).await?;
        if !edited.changed.is_empty() {
            let actor = actor.clone();
            self.store
                .write(move |unit| Box::pin(async move { save_edited(unit, &actor, &before, edited).await }))
                .await?;
            self.connectors.forget(id);
            self.announce_work();
        }
        self.connection(&Actor::system(), id).await
    }

    async fn edited(
        &self,
        before: &StoredConnection,
        change: ConnectionChange,
    ) -> Result<Edited, CaseworkError> {
        let profile = Profile::new(before.clone(), &self.rules.catalogue)?;
        let (manifest, choices) = (profile.manifest, profile.choices.clone());
        let integration =
            self.rules.catalogue.find(manifest.name).ok_or(StoreError::Corrupt("connections.integration"))?;
        let mut capabilities = choices.clone();
        capabilities.extend(change.capabilities);
        let kept_completion = before.deletion_completion.as_deref().and_then(|word| word.parse().ok());
        let whole = NewConnection {
            integration: before.integration.clone(),
            name: change.name.unwrap_or_else(|| before.name.clone()),
            settings: Settings::default(),
            deletion_completion: change.deletion_completion.or(kept_completion),
            capabilities,
            contact: NewContact {
                deadline_days: change.contact.deadline_days.flatten(),
                ..NewContact::default()
            },
        };
        let (name, capabilities, completion) = accept(manifest, &whole)?;
        if let Some(other) = connections::find_by_name(&mut self.store.reader().await?, &name).await?
            && other.id != before.id
        {
            return Err(CaseworkError::NameTaken { name, id: other.id });
        }
        let mut email = match change.contact.email {
            Some(Some(given)) => Some(Some(contacts::accept_address("contact.email", &given)?)),
            other => other,
        };
        let now = self.store.environment().now();
        let access = self.connection_access(before.id).await?;
        let mut settings = None;
        if !change.settings.is_empty() {
            let accepted = accept_settings(integration, &change.settings, access.settings.clone(), now)?;
            // An address among the settings is the contact's, as it was when the connection was made.
            email = email.or_else(|| integration.contact(&accepted).map(Some));
            settings = Some(accepted);
        }
        let used = settings.as_ref().unwrap_or(&access.settings);
        if email == Some(None) {
            email = Some(integration.contact(used));
        }
        let mut stored = before.clone();
        let is_checked = settings.is_some() || capabilities != choices;
        if is_checked {
            stored.account = self.account_key(integration, used);
            let shown = self.check_at_vendor(manifest, used, &stored.account, now).await;
            let shown = shown.map_err(CaseworkError::Vendor)?;
            let missing = missing_permissions(manifest, &capabilities, &shown);
            if !missing.is_empty() {
                return Err(CaseworkError::PermissionsMissing(missing));
            }
            if let Some(settings) = &mut settings {
                shown.teach(settings);
            }
            passed(&mut stored, &shown, now);
        }
        if capabilities != choices {
            stored.earlier_capabilities = profile.until(now);
        }
        stored.name = name;
        stored.capabilities = json!(capabilities);
        stored.deletion_completion = completion.map(|completion| completion.to_string());
        if let Some(days) = change.contact.deadline_days {
            stored.contact_seconds = days.map(|days| days * SECONDS_PER_DAY);
        }
        if let Some(choice) = change.contact.on_expiry {
            stored.contact_on_expiry = choice.map(|choice| choice.as_str().to_owned());
        }
        let changed = [
            ("name", stored.name != before.name),
            ("settings", settings.is_some()),
            ("capabilities", stored.capabilities != before.capabilities),
            ("deletion_completion", stored.deletion_completion != before.deletion_completion),
            ("contact.email", email.is_some()),
            ("contact.deadline_days", stored.contact_seconds != before.contact_seconds),
            ("contact.on_expiry", stored.contact_on_expiry != before.contact_on_expiry),
        ];
        let changed = changed.into_iter().filter_map(|(what, is)| is.then_some(what)).collect();
        Ok(Edited { stored, settings, email, is_checked, changed })
    }
}

/// Writes the change, unless somebody else was faster.
async fn save_edited(
    unit: &mut Unit,
    actor: &Actor,
    before: &StoredConnection,
    edited: Edited,
) -> Result<(), CaseworkError> {
    let Edited { mut stored, settings, email, is_checked, changed } = edited;
    let (id, owner) = (stored.id, stored.id.to_string());
    let current = lock(unit, id).await?;
    if current.edited_state() != before.edited_state() {
        return Err(CaseworkError::ConnectionChanged { name: current.name });
    }
    if !is_checked {
        // A check may have run meanwhile.
        stored = StoredConnection {
            status: current.status,
            permissions: current.permissions,
            warnings: current.warnings,
            checked_at: current.checked_at,
            failing_since: current.failing_since,
            ..stored
        };
    }
    let (keyring, environment) = (unit.keyring(), unit.environment().clone());
    let key = data_keys::load_one(unit.connection(), &keyring, id, KeyPurpose::Settings).await?;
    if let Some(settings) = settings {
        stored.settings = Some(seal_settings(unit, &key, id, &settings)?);
    }
    if let Some(email) = email {
        let place = Place { column: CONTACT_COLUMN, row: &owner };
        let sealed = email.map(|email| key.seal(&environment, place, email.as_bytes()));
        stored.contact = sealed.transpose()?;
    }
    if !connections::save(unit.connection(), &stored).await? {
        let other = connections::find_by_name(unit.connection(), &stored.name).await?;
        return Err(CaseworkError::NameTaken { id: other.map_or(id, |other| other.id), name: stored.name });
    }
    let data = json!({"changed": changed, "name": stored.name, "capabilities": stored.capabilities,
                      "permissions": stored.permissions});
    unit.record(Stream::Connection(id), actor, "connection.edited", id, data);
    Ok(())
}
