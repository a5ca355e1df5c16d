//! What would have to be done so that the connections are as somebody declares them.
//!
//! A declaration is the whole truth about its connection: what it leaves out is as if the connection had been added
//! without it. Settings are compared in the form that is kept, and only those that a person can enter: what an
//! integration derives of them or learns at the vendor is nobody's declaration.

use std::collections::HashMap;

use habeas_domain::capability::{Capability, Handling};
use habeas_domain::{Actor, ConnectionId, Permission};
use habeas_integrations::{Catalogue, Integration, Manifest, Settings};
use habeas_store::{DataKey, KeyPurpose, StoreError, connections, data_keys};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::accepting::{Accepted, NewConnection, SECONDS_PER_DAY, accept_new};
use super::{open_contact, open_settings};
use crate::contacts::OnExpiry;
use crate::error::{CaseworkError, FieldError};
use crate::profiles::Profile;
use crate::{CapabilityChoices, Casework};

/// What would have to be done about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlannedAction {
    /// It is declared and there is none of that name.
    Create,
    /// It differs from its declaration.
    Edit,
    /// It is as declared.
    None,
    /// It is one of another integration; a person has to remove it first.
    Replace,
    /// It is there and not declared.
    Undeclared,
}

impl PlannedAction {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Create, Self::Edit, Self::None, Self::Replace, Self::Undeclared];

    /// As it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Edit => "edit",
            Self::None => "none",
            Self::Replace => "replace",
            Self::Undeclared => "undeclared",
        }
    }
}

/// A connection that is declared, or there, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedConnection {
    /// Its name.
    pub name: String,
    /// Its id, if it is there.
    pub id: Option<ConnectionId>,
    /// Its integration: as declared, else as it is.
    pub integration: String,
    /// What would have to be done.
    pub action: PlannedAction,
    /// In what it differs.
    pub changes: Vec<PlannedChange>,
    /// Why it cannot be done.
    pub problem: Option<String>,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedChange {
    /// Path of the field (`settings.datacenter_id`).
    pub field: String,
    /// What it is and what it is declared to be, null for nothing; `None` if that is a secret or personal.
    pub shown: Option<(Value, Value)>,
}

/// A connection as it stands, with what is sealed of it opened.
struct Standing {
    id: ConnectionId,
    name: String,
    manifest: &'static Manifest,
    settings: Settings,
    capabilities: CapabilityChoices,
    deletion_completion: Option<String>,
    contact_email: Option<String>,
    contact_seconds: Option<i64>,
    on_expiry: OnExpiry,
}

impl Casework {
    /// What would have to be done so that there are the declared connections and no others. Nothing is changed, and no
    /// vendor is asked.
    ///
    /// # Errors
    /// Every field of every declaration that cannot be used, or if the actor may not manage connections.
    pub async fn plan_connections(
        &self,
        actor: &Actor,
        declared: &[NewConnection],
    ) -> Result<Vec<PlannedConnection>, CaseworkError> {
        actor.require(Permission::ManageConnections)?;
        let standing = self.standing_connections().await?;
        let now = self.store.environment().now();
        Ok(plan(&self.rules.catalogue, declared, &standing, now)?)
    }

    async fn standing_connections(&self) -> Result<Vec<Standing>, CaseworkError> {
        let mut reader = self.store.reader().await?;
        let stored = connections::list(&mut reader).await?;
        let ids = stored.iter().map(|one| one.id).collect::<Vec<_>>();
        let keys = data_keys::load(&mut reader, self.store.keyring(), ids, KeyPurpose::Settings).await?;
        stored
            .into_iter()
            .map(|one| {
                let key = keys.get(&one.id.to_string());
                let key = key.ok_or(StoreError::Forgotten("the settings of this connection"))?;
                Standing::open(Profile::new(one, &self.rules.catalogue)?, key)
            })
            .collect()
    }
}

impl Standing {
    fn open(profile: Profile, key: &DataKey) -> Result<Self, CaseworkError> {
        let Profile { stored, manifest, choices, .. } = profile;
        Ok(Self {
            settings: open_settings(key, &stored)?,
            contact_email: open_contact(key, &stored)?,
            on_expiry: OnExpiry::read(stored.contact_on_expiry.as_deref())?,
            id: stored.id,
            name: stored.name,
            manifest,
            capabilities: choices,
            deletion_completion: stored.deletion_completion,
            contact_seconds: stored.contact_seconds,
        })
    }
}

/// The plan: declarations in their order, then what is not declared. Or every fault of every declaration.
fn plan(
    catalogue: &Catalogue,
    declared: &[NewConnection],
    standing: &[Standing],
    now: Timestamp,
) -> Result<Vec<PlannedConnection>, Vec<FieldError>> {
    let mut first_of_name = HashMap::new();
    let (mut accepted, mut faults) = (Vec::new(), Vec::new());
    for (at, one) in declared.iter().enumerate() {
        let below =
            |fault: FieldError| FieldError::new(format!("connections.{at}.{}", fault.field), fault.message);
        let name = one.name.trim();
        let first = *first_of_name.entry(name).or_insert(at);
        if first != at {
            let message = format!("is the name of `connections.{first}` too; each needs one of its own");
            faults.push(below(FieldError::new("name", message)));
        }
        match accept_new(catalogue, one, now) {
            Ok(one) => accepted.push(one),
            Err(found) => faults.extend(found.into_iter().map(below)),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let declared_ones = accepted.iter().zip(declared).map(|(accepted, new)| {
        let there = standing.iter().find(|there| there.name == accepted.name);
        planned(accepted, new, there)
    });
    let undeclared = standing.iter().filter(|there| !first_of_name.contains_key(there.name.as_str()));
    let undeclared = undeclared.map(|there| PlannedConnection {
        name: there.name.clone(),
        id: Some(there.id),
        integration: there.manifest.name.to_owned(),
        action: PlannedAction::Undeclared,
        changes: Vec::new(),
        problem: None,
    });
    Ok(declared_ones.chain(undeclared).collect())
}

/// What would have to be done about a declared connection.
fn planned(accepted: &Accepted<'_>, new: &NewConnection, there: Option<&Standing>) -> PlannedConnection {
    let manifest = accepted.integration.manifest();
    let (action, changes, problem) = match there {
        None => (PlannedAction::Create, Vec::new(), None),
        Some(there) if there.manifest.name != manifest.name => {
            let change = shown("integration", json!(there.manifest.name), json!(manifest.name));
            let problem = format!(
                "is a connection of {}, and no connection becomes one of another integration; remove it first, then \
                 one of {} can be made in its place",
                there.manifest.title, manifest.title
            );
            (PlannedAction::Replace, vec![change], Some(problem))
        }
        Some(there) => {
            let changes = differences(accepted, new, there);
            let action = if changes.is_empty() { PlannedAction::None } else { PlannedAction::Edit };
            (action, changes, None)
        }
    };
    let (name, integration) = (accepted.name.clone(), manifest.name.to_owned());
    PlannedConnection { name, id: there.map(|there| there.id), integration, action, changes, problem }
}

/// In what a connection differs from its declaration.
fn differences(accepted: &Accepted<'_>, new: &NewConnection, there: &Standing) -> Vec<PlannedChange> {
    let mut changes = differing_settings(accepted, there);
    let completion = accepted.deletion_completion.map(|completion| completion.as_str());
    if completion != there.deletion_completion.as_deref() {
        changes.push(shown("deletion_completion", json!(there.deletion_completion), json!(completion)));
    }
    for capability in Capability::ALL {
        let of = |choices: &CapabilityChoices| choices.get(capability).copied().unwrap_or(Handling::Off);
        let (from, to) = (of(&there.capabilities), of(&accepted.capabilities));
        if from != to {
            changes.push(shown(format!("capabilities.{capability}"), json!(from), json!(to)));
        }
    }
    if accepted.contact_email != there.contact_email {
        changes.push(PlannedChange { field: "contact.email".to_owned(), shown: None });
    }
    let days = there.contact_seconds.map(|seconds| seconds / SECONDS_PER_DAY);
    if new.contact.deadline_days.map(|days| days * SECONDS_PER_DAY) != there.contact_seconds {
        changes.push(shown("contact.deadline_days", json!(days), json!(new.contact.deadline_days)));
    }
    let on_expiry = new.contact.on_expiry.unwrap_or_default();
    if on_expiry != there.on_expiry {
        changes.push(shown("contact.on_expiry", json!(there.on_expiry), json!(on_expiry)));
    }
    changes
}

fn differing_settings(accepted: &Accepted<'_>, there: &Standing) -> Vec<PlannedChange> {
    let manifest = accepted.integration.manifest();
    let differing = manifest.settings.iter().filter_map(|setting| {
        let (from, to) = (there.settings.text(setting.key), accepted.settings.text(setting.key));
        // The contact's address may stand among the settings.
        let is_personal = is_contact(accepted.integration, &there.settings, setting.key)
            || is_contact(accepted.integration, &accepted.settings, setting.key);
        let field = format!("settings.{}", setting.key);
        let given = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        (from != to).then(|| match setting.secret || is_personal {
            true => PlannedChange { field, shown: None },
            false => shown(field, given(from), given(to)),
        })
    });
    differing.collect()
}

fn is_contact(integration: &dyn Integration, settings: &Settings, key: &str) -> bool {
    integration.contact(settings).is_some_and(|address| address == settings.text(key))
}

fn shown(field: impl Into<String>, from: Value, to: Value) -> PlannedChange {
    PlannedChange { field: field.into(), shown: Some((from, to)) }
}

#[cfg(test)]
mod tests;
