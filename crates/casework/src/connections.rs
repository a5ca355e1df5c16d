//! Connections: proven at the vendor before anything is saved.

mod accepting;
mod cases;
mod checking;
mod detecting;
mod editing;
mod planning;
mod removing;

use habeas_domain::{Actor, ConnectionId, DueWorkId, Permission};
use habeas_integrations::{CheckReport, Integration, Manifest, Settings, VendorError};
use habeas_store::audit::Stream;
use habeas_store::connections::{self, StoredConnection};
use habeas_store::data_keys::NewDataKeys;
use habeas_store::due_work::{DueWorkKind, NewDueWork};
use habeas_store::{Connection, DataKey, KeyPurpose, Place, Sealed, StoreError, Unit, data_keys, due_work};
use jiff::{Span, Timestamp};
use secrecy::ExposeSecret as _;
use serde_json::json;

pub use accepting::{MOST_DEADLINE_DAYS, NewConnection, NewContact, possible_handlings, usual_handling};
pub use cases::{ConnectionCase, ContactCase, QuotaCase};
pub use editing::{ConnectionChange, ContactChange};
pub use planning::{PlannedAction, PlannedChange, PlannedConnection};

use crate::Casework;
use crate::error::CaseworkError;
use accepting::{Accepted, accept_new};
use checking::{HOURS_BETWEEN_CHECKS, missing_permissions, status_of};

/// Where a connection's settings are sealed.
const COLUMN: &str = "connections.settings";
/// Where the address of its contact is sealed.
pub(crate) const CONTACT_COLUMN: &str = "connections.contact";
/// The lane of checks: they never wait behind requests, nor requests behind them.
pub const CHECK_LANE: &str = "checks";

/// What the engine needs to call a connection's vendor.
#[derive(Debug)]
pub struct ConnectionAccess {
    /// Which integration.
    pub integration: String,
    /// Its settings.
    pub settings: Settings,
    /// The key under which the vendor account's limits are shared.
    pub account: String,
}

impl Casework {
    /// Makes a connection, if the vendor accepts its credentials and grants every permission that is needed.
    ///
    /// # Errors
    /// Whatever is missing; nothing was saved then.
    pub async fn add_connection(
        &self,
        actor: &Actor,
        new: NewConnection,
    ) -> Result<ConnectionCase, CaseworkError> {
        actor.require(Permission::ManageConnections)?;
        let now = self.store.environment().now();
        let Accepted { integration, name, capabilities, deletion_completion, mut settings, contact_email } =
            accept_new(&self.rules.catalogue, &new, now)?;
        let manifest = integration.manifest();
        // Refused before the vendor is bothered; the unit below decides.
        if let Some(other) = connections::find_by_name(&mut self.store.reader().await?, &name).await? {
            return Err(CaseworkError::NameTaken { name, id: other.id });
        }
        let account = self.account_key(integration, &settings);
        let report =
            self.check_at_vendor(manifest, &settings, &account, now).await.map_err(CaseworkError::Vendor)?;
        let missing = missing_permissions(manifest, &capabilities, &report);
        if !missing.is_empty() {
            return Err(CaseworkError::PermissionsMissing(missing));
        }
        report.teach(&mut settings);
        let id = ConnectionId::new(self.store.environment().unique());
        let stored = StoredConnection {
            id,
            integration: manifest.name.to_owned(),
            name: name.clone(),
            status: status_of(&report).to_owned(),
            account,
            settings: None,
            deletion_completion: deletion_completion.map(|completion| completion.to_string()),
            capabilities: json!(capabilities),
            earlier_capabilities: json!([]),
            permissions: json!(report.permissions),
            warnings: json!(report.warnings),
            checked_at: Some(now),
            failing_since: None,
            created_at: now,
            removed_at: None,
            contact: None,
            contact_seconds: new.contact.deadline_days.map(|days| days * accepting::SECONDS_PER_DAY),
            contact_on_expiry: new.contact.on_expiry.map(|choice| choice.as_str().to_owned()),
        };
        self.save_new(actor, stored, settings, contact_email).await?;
        self.connection(actor, id).await
    }

    async fn save_new(
        &self,
        actor: &Actor,
        mut stored: StoredConnection,
        settings: Settings,
        contact_email: Option<String>,
    ) -> Result<(), CaseworkError> {
        let actor = actor.clone();
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let (keyring, environment) = (unit.keyring(), unit.environment().clone());
                    let owner = stored.id.to_string();
                    let mut keys = NewDataKeys::default();
                    let key = keys.make(&keyring, &environment, &owner, KeyPurpose::Settings)?;
                    stored.settings = Some(seal_settings(unit, &key, stored.id, &settings)?);
                    if let Some(email) = &contact_email {
                        let place = Place { column: CONTACT_COLUMN, row: &owner };
                        stored.contact = Some(key.seal(&environment, place, email.as_bytes())?);
                    }
                    if !connections::save(unit.connection(), &stored).await? {
                        let id = connections::find_by_name(unit.connection(), &stored.name)
                            .await?
                            .map_or(stored.id, |other| other.id);
                        return Err(CaseworkError::NameTaken { name: stored.name, id });
                    }
                    keys.store(unit.connection()).await?;
                    let next = stored.created_at.checked_add(Span::new().hours(HOURS_BETWEEN_CHECKS));
                    let check = NewDueWork {
                        id: DueWorkId::new(environment.unique()),
                        kind: DueWorkKind::Check,
                        object: owner,
                        lane: CHECK_LANE.to_owned(),
                        due_at: Timestamp::MAX,
                        next_at: next.unwrap_or(Timestamp::MAX),
                    };
                    due_work::insert(unit.connection(), &[check]).await?;
                    let data = json!({"integration": stored.integration, "name": stored.name,
                                      "capabilities": stored.capabilities, "permissions": stored.permissions});
                    unit.record(Stream::Connection(stored.id), &actor, "connection.added", stored.id, data);
                    Ok(())
                })
            })
            .await
    }

    fn account_key(&self, integration: &dyn Integration, settings: &Settings) -> String {
        let account = integration.account(settings);
        let mut fingerprint =
            self.store.keyring().fingerprint("vendor account", account.expose_secret().as_bytes());
        fingerprint.truncate(16);
        format!("{}:{}", integration.manifest().name, hex::encode(fingerprint))
    }

    async fn check_at_vendor(
        &self,
        manifest: &Manifest,
        settings: &Settings,
        account: &str,
        now: Timestamp,
    ) -> Result<CheckReport, VendorError> {
        let connector = self.connectors.connect(manifest.name, settings, account)?;
        connector.check(now).await
    }

    /// What is needed to call a connection's vendor.
    ///
    /// # Errors
    /// If the connection was removed or its settings do not open.
    pub async fn connection_access(&self, id: ConnectionId) -> Result<ConnectionAccess, CaseworkError> {
        let mut reader = self.store.reader().await?;
        let stored = find(&mut reader, id).await?;
        let key = data_keys::load_one(&mut reader, self.store.keyring(), id, KeyPurpose::Settings).await?;
        let settings = open_settings(&key, &stored)?;
        Ok(ConnectionAccess { integration: stored.integration, settings, account: stored.account })
    }
}

fn open_settings(key: &DataKey, stored: &StoredConnection) -> Result<Settings, StoreError> {
    let sealed = stored.settings.as_ref().ok_or(StoreError::Forgotten("the settings of this connection"))?;
    let plain = key.open(Place { column: COLUMN, row: &stored.id.to_string() }, sealed)?;
    Settings::from_sealed(&plain).map_err(|_| StoreError::Corrupt(COLUMN))
}

fn seal_settings(
    unit: &Unit,
    key: &DataKey,
    id: ConnectionId,
    settings: &Settings,
) -> Result<Sealed, StoreError> {
    key.seal(unit.environment(), Place { column: COLUMN, row: &id.to_string() }, &settings.to_sealable())
}

/// The address of its contact; `None` if nobody was named.
fn open_contact(key: &DataKey, stored: &StoredConnection) -> Result<Option<String>, StoreError> {
    let Some(sealed) = &stored.contact else { return Ok(None) };
    let plain = key.open(Place { column: CONTACT_COLUMN, row: &stored.id.to_string() }, sealed)?;
    Ok(Some(String::from_utf8_lossy(&plain).into_owned()))
}

async fn find(connection: &mut Connection, id: ConnectionId) -> Result<StoredConnection, CaseworkError> {
    not_removed(connections::find(connection, id).await?, id)
}

async fn lock(unit: &mut Unit, id: ConnectionId) -> Result<StoredConnection, CaseworkError> {
    not_removed(connections::lock(unit.connection(), id).await?, id)
}

fn not_removed(found: Option<StoredConnection>, id: ConnectionId) -> Result<StoredConnection, CaseworkError> {
    found
        .filter(|stored| stored.removed_at.is_none())
        .ok_or_else(|| CaseworkError::not_found("connection", id))
}
