//! Connections as people see them: never with their settings.

use std::collections::HashMap;

use habeas_domain::capability::Handling;
use habeas_domain::{Actor, ConnectionId, Permission};
use habeas_integrations::{Integration, Manifest, MonthlyQuota, PermissionReport};
use habeas_store::connections::{self, StoredConnection};
use habeas_store::{Connection, KeyPurpose, StoreError, data_keys, operations};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{find, open_contact};
use crate::contacts::OnExpiry;
use crate::error::CaseworkError;
use crate::profiles::Profile;
use crate::{CapabilityChoices, Casework};

/// A connection's direct contact. Whoever may read connections may read it.
#[derive(Clone)]
pub struct ContactCase {
    /// Their address; `None` where answers are entered by hand.
    pub email: Option<String>,
    /// How long they have, in seconds.
    pub deadline_seconds: i64,
    /// What happens then.
    pub on_expiry: OnExpiry,
}

/// Never prints the address.
impl std::fmt::Debug for ContactCase {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ContactCase").finish_non_exhaustive()
    }
}

/// How much of a vendor's monthly quota the installation has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaCase {
    /// What the vendor counts.
    pub quota: MonthlyQuota,
    /// What was sent this month (UTC) for the vendor account, by every connection to it.
    pub used: u64,
}

/// A connection as a person sees it: never with its settings.
#[derive(Clone, Debug)]
pub struct ConnectionCase {
    /// What is stored.
    pub stored: StoredConnection,
    /// Its integration.
    pub manifest: &'static Manifest,
    /// Who serves each capability.
    pub capabilities: CapabilityChoices,
    /// What the last check showed.
    pub permissions: Vec<PermissionReport>,
    /// What deserves attention.
    pub warnings: Vec<String>,
    /// Who answers for what is handed to a direct contact; `None` where nothing is.
    pub contact: Option<ContactCase>,
    /// The vendor's monthly quota; `None` where it has none.
    pub quota: Option<QuotaCase>,
    /// Where the system tells that it is done; `None` where it does not.
    pub callback_url: Option<String>,
}

impl Casework {
    /// Connections that were not removed.
    ///
    /// # Errors
    /// If the actor may not read connections.
    pub async fn connections(&self, actor: &Actor) -> Result<Vec<ConnectionCase>, CaseworkError> {
        actor.require(Permission::ReadConnections)?;
        let mut reader = self.store.reader().await?;
        let stored = connections::list(&mut reader).await?;
        self.connection_cases(&mut reader, stored).await
    }

    /// One connection.
    ///
    /// # Errors
    /// If there is none, or the actor may not read connections.
    pub async fn connection(&self, actor: &Actor, id: ConnectionId) -> Result<ConnectionCase, CaseworkError> {
        actor.require(Permission::ReadConnections)?;
        let mut reader = self.store.reader().await?;
        let stored = find(&mut reader, id).await?;
        self.one_connection_case(&mut reader, stored).await
    }

    async fn one_connection_case(
        &self,
        reader: &mut Connection,
        stored: StoredConnection,
    ) -> Result<ConnectionCase, CaseworkError> {
        let id = stored.id;
        let mut cases = self.connection_cases(reader, vec![stored]).await?;
        cases.pop().ok_or_else(|| CaseworkError::not_found("connection", id))
    }

    async fn connection_cases(
        &self,
        reader: &mut Connection,
        stored: Vec<StoredConnection>,
    ) -> Result<Vec<ConnectionCase>, CaseworkError> {
        let with_contact = stored.iter().filter(|one| one.contact.is_some()).map(|one| one.id);
        let keys = data_keys::load(
            reader,
            self.store.keyring(),
            with_contact.collect::<Vec<_>>(),
            KeyPurpose::Settings,
        )
        .await?;
        let month = start_of_month(self.store.environment().now());
        let sent: HashMap<ConnectionId, u64> =
            operations::identifiers_sent(reader, month).await?.into_iter().collect();
        let mut by_account: HashMap<String, u64> = HashMap::new();
        for one in connections::all(reader).await? {
            *by_account.entry(one.account).or_default() += sent.get(&one.id).copied().unwrap_or(0);
        }
        stored
            .into_iter()
            .map(|stored| {
                let key = keys.get(&stored.id.to_string());
                let email = key.map(|key| open_contact(key, &stored)).transpose()?.flatten();
                let used = by_account.get(&stored.account).copied().unwrap_or(0);
                self.connection_case(stored, email, used)
            })
            .collect()
    }

    fn connection_case(
        &self,
        stored: StoredConnection,
        email: Option<String>,
        used: u64,
    ) -> Result<ConnectionCase, CaseworkError> {
        let corrupt = |column| move |_| StoreError::Corrupt(column);
        let permissions =
            serde_json::from_value(stored.permissions.clone()).map_err(corrupt("connections.permissions"))?;
        let warnings =
            serde_json::from_value(stored.warnings.clone()).map_err(corrupt("connections.warnings"))?;
        let profile = Profile::new(stored, &self.rules.catalogue)?;
        let by_contact = profile.choices.values().any(|handling| *handling == Handling::DirectContact);
        let contact = (by_contact || email.is_some())
            .then(|| {
                let usual =
                    i64::try_from(self.rules.settings.contacts.deadline.as_secs()).unwrap_or(i64::MAX);
                Ok::<_, CaseworkError>(ContactCase {
                    email,
                    deadline_seconds: profile.stored.contact_seconds.unwrap_or(usual),
                    on_expiry: OnExpiry::read(profile.stored.contact_on_expiry.as_deref())?,
                })
            })
            .transpose()?;
        let callback_url = profile.manifest.calls_back.then(|| {
            let public_url = &self.rules.settings.public_url;
            format!("{public_url}/api/v1/connections/{}/callback", profile.stored.id)
        });
        Ok(ConnectionCase {
            contact,
            callback_url,
            quota: profile.manifest.quota.map(|quota| QuotaCase { quota, used }),
            stored: profile.stored,
            manifest: profile.manifest,
            capabilities: profile.choices,
            permissions,
            warnings,
        })
    }

    /// The connection with this id or name.
    ///
    /// # Errors
    /// If there is none, or the actor may not read connections.
    pub async fn connection_named(&self, actor: &Actor, name: &str) -> Result<ConnectionCase, CaseworkError> {
        if let Ok(id) = name.parse() {
            return self.connection(actor, id).await;
        }
        actor.require(Permission::ReadConnections)?;
        let mut reader = self.store.reader().await?;
        let stored = connections::find_by_name(&mut reader, name)
            .await?
            .ok_or_else(|| CaseworkError::not_found("connection", name))?;
        self.one_connection_case(&mut reader, stored).await
    }

    /// The integrations of the catalogue; anyone who is known may read them.
    pub fn integrations(&self) -> Vec<&'static Manifest> {
        self.rules.catalogue.iter().map(Integration::manifest).collect()
    }
}

/// The first moment of the month (UTC) that `now` lies in.
fn start_of_month(now: Timestamp) -> Timestamp {
    let zoned = now.to_zoned(TimeZone::UTC);
    zoned.first_of_month().and_then(|first| first.start_of_day()).map_or(now, |first| first.timestamp())
}
