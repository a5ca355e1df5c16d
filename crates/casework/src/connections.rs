//! Connections: proven at the vendor before anything is saved.

use std::sync::Arc;

use habeas_domain::capability::{Capability, DeletionCompletion, DeletionTiming, Handling};
use habeas_domain::{Actor, ConnectionId, DueWorkId, Permission};
use habeas_integrations::{
    CheckReport, ErrorKind, Integration, Manifest, PermissionReport, PermissionState, Retry, Settings,
    VendorError,
};
use habeas_store::audit::Stream;
use habeas_store::connections::{self, StoredConnection};
use habeas_store::data_keys::NewDataKeys;
use habeas_store::due_work::{DueWorkKind, Lease, NewDueWork, Postponement};
use habeas_store::{Connection, KeyPurpose, Place, StoreError, Unit, data_keys, due_work, runs};
use jiff::{Span, Timestamp};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::error::{CaseworkError, FieldError};
use crate::profiles::Profile;
use crate::{CapabilityChoices, Casework};

/// Where a connection's settings are sealed.
const COLUMN: &str = "connections.settings";
/// The lane of checks: they never wait behind requests, nor requests behind them.
pub const CHECK_LANE: &str = "checks";
const HOURS_BETWEEN_CHECKS: i64 = 24;
/// After a failed check the next comes sooner.
const HOURS_AFTER_FAILURE: i64 = 1;

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
}

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
        let integration = self.catalogue.find(&new.integration).ok_or_else(|| {
            let known: Vec<_> = self.catalogue.iter().map(|one| one.manifest().name).collect();
            CaseworkError::field(
                "integration",
                format!("is not in the catalogue; known are: {}", known.join(", ")),
            )
        })?;
        let manifest = integration.manifest();
        let now = self.store.environment().now();
        let (name, capabilities, deletion_completion) = accept(manifest, &new)?;
        let settings = accept_settings(integration, new.settings, now)?;
        // Refused before the vendor is bothered; the unit below decides.
        if let Some(other) = connections::find_by_name(&mut self.store.reader().await?, &name).await? {
            return Err(CaseworkError::NameTaken { name, id: other.id });
        }
        let account = self.account_key(integration, &settings);
        let report =
            self.check_at_vendor(manifest, &settings, &account, now).await.map_err(CaseworkError::Vendor)?;
        let missing = missing_permissions(manifest, &report);
        if !missing.is_empty() {
            return Err(CaseworkError::PermissionsMissing(missing));
        }
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
            permissions: json!(report.permissions),
            warnings: json!(report.warnings),
            checked_at: Some(now),
            failing_since: None,
            created_at: now,
            removed_at: None,
        };
        self.save_new(actor, stored, settings).await?;
        self.connection(actor, id).await
    }

    async fn save_new(
        &self,
        actor: &Actor,
        mut stored: StoredConnection,
        settings: Settings,
    ) -> Result<(), CaseworkError> {
        let actor = actor.clone();
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let (keyring, environment) = (unit.keyring(), unit.environment().clone());
                    let owner = stored.id.to_string();
                    let mut keys = NewDataKeys::default();
                    let key = keys.make(&keyring, &environment, &owner, KeyPurpose::Settings)?;
                    let place = Place { column: COLUMN, row: &owner };
                    stored.settings = Some(key.seal(&environment, place, &settings.to_sealable())?);
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

    /// Connections that were not removed.
    ///
    /// # Errors
    /// If the actor may not read connections.
    pub async fn connections(&self, actor: &Actor) -> Result<Vec<ConnectionCase>, CaseworkError> {
        actor.require(Permission::ReadConnections)?;
        let stored = connections::list(&mut self.store.reader().await?).await?;
        stored.into_iter().map(|stored| self.connection_case(stored)).collect()
    }

    /// One connection.
    ///
    /// # Errors
    /// If there is none, or the actor may not read connections.
    pub async fn connection(&self, actor: &Actor, id: ConnectionId) -> Result<ConnectionCase, CaseworkError> {
        actor.require(Permission::ReadConnections)?;
        let stored = find(&mut self.store.reader().await?, id).await?;
        self.connection_case(stored)
    }

    fn connection_case(&self, stored: StoredConnection) -> Result<ConnectionCase, CaseworkError> {
        let corrupt = |column| move |_| StoreError::Corrupt(column);
        let permissions =
            serde_json::from_value(stored.permissions.clone()).map_err(corrupt("connections.permissions"))?;
        let warnings =
            serde_json::from_value(stored.warnings.clone()).map_err(corrupt("connections.warnings"))?;
        let profile = Profile::new(stored, &self.catalogue)?;
        Ok(ConnectionCase {
            stored: profile.stored,
            manifest: profile.manifest,
            capabilities: profile.choices,
            permissions,
            warnings,
        })
    }

    /// Checks a connection now.
    ///
    /// # Errors
    /// If there is none, or the actor may not manage connections. A failed check is not an error: it is the state of
    /// the connection that is returned.
    pub async fn check_connection(
        &self,
        actor: &Actor,
        id: ConnectionId,
    ) -> Result<(ConnectionCase, Option<VendorError>), CaseworkError> {
        actor.require(Permission::ManageConnections)?;
        let failure = self.check_and_save(actor, id, None).await?;
        Ok((self.connection(&Actor::system(), id).await?, failure))
    }

    /// Carries out a check that is due.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn check_due(&self, lease: &Lease) -> Result<(), CaseworkError> {
        let id = lease.object.parse().map_err(StoreError::from)?;
        match self.check_and_save(&Actor::system(), id, Some(lease.clone())).await {
            // Removed meanwhile, and its due work with it.
            Err(CaseworkError::NotFound { .. }) => Ok(()),
            other => other.map(|_| ()),
        }
    }

    async fn check_and_save(
        &self,
        actor: &Actor,
        id: ConnectionId,
        lease: Option<Lease>,
    ) -> Result<Option<VendorError>, CaseworkError> {
        let access = self.connection_access(id).await?;
        let integration =
            self.catalogue.find(&access.integration).ok_or(StoreError::Corrupt("connections.integration"))?;
        let manifest = integration.manifest();
        let now = self.store.environment().now();
        let outcome = self.check_at_vendor(manifest, &access.settings, &access.account, now).await;
        let (actor, failure) = (actor.clone(), outcome.as_ref().err().cloned());
        self.store
            .write(move |unit| {
                Box::pin(async move { save_check(unit, &actor, id, manifest, outcome, lease).await })
            })
            .await?;
        Ok(failure)
    }

    /// What is needed to call a connection's vendor.
    ///
    /// # Errors
    /// If the connection was removed or its settings do not open.
    pub async fn connection_access(&self, id: ConnectionId) -> Result<ConnectionAccess, CaseworkError> {
        let mut reader = self.store.reader().await?;
        let stored = find(&mut reader, id).await?;
        let key = data_keys::load_one(&mut reader, self.store.keyring(), id, KeyPurpose::Settings).await?;
        let sealed =
            stored.settings.as_ref().ok_or(StoreError::Forgotten("the settings of this connection"))?;
        let plain = key.open(Place { column: COLUMN, row: &id.to_string() }, sealed)?;
        let settings = Settings::from_sealed(&plain).map_err(|_| StoreError::Corrupt(COLUMN))?;
        Ok(ConnectionAccess { integration: stored.integration, settings, account: stored.account })
    }

    /// Removes a connection and destroys its credentials. Its past runs keep its name.
    ///
    /// # Errors
    /// If unfinished runs still need it.
    pub async fn remove_connection(&self, actor: &Actor, id: ConnectionId) -> Result<(), CaseworkError> {
        actor.require(Permission::ManageConnections)?;
        let actor = actor.clone();
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let mut stored = lock(unit, id).await?;
                    let open = runs::count_open(unit.connection(), id).await?;
                    if open > 0 {
                        return Err(CaseworkError::ConnectionInUse { name: stored.name, runs: open });
                    }
                    stored.removed_at = Some(unit.now());
                    stored.settings = None;
                    connections::save(unit.connection(), &stored).await?;
                    data_keys::destroy(unit.connection(), [id], KeyPurpose::Settings).await?;
                    due_work::remove(unit.connection(), [id]).await?;
                    let data = json!({"name": stored.name});
                    unit.record(Stream::Connection(id), &actor, "connection.removed", id, data);
                    Ok(())
                })
            })
            .await
    }
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

fn accept_settings(
    integration: &dyn Integration,
    settings: Settings,
    now: Timestamp,
) -> Result<Settings, CaseworkError> {
    let manifest = integration.manifest();
    let mut errors: Vec<FieldError> = settings
        .keys()
        .filter(|key| !manifest.settings.iter().any(|setting| setting.key == *key))
        .map(|key| {
            let known: Vec<_> = manifest.settings.iter().map(|setting| setting.key).collect();
            let message = format!("is not a setting of {}; known are: {}", manifest.title, known.join(", "));
            FieldError::new(format!("settings.{}", key.chars().take(64).collect::<String>()), message)
        })
        .collect();
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
fn accept(
    manifest: &Manifest,
    new: &NewConnection,
) -> Result<(String, CapabilityChoices, Option<DeletionCompletion>), CaseworkError> {
    let mut errors = Vec::new();
    let name = new.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) {
        errors.push(FieldError::new("name", "must have 1 to 80 characters and no control characters"));
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
        let able = match capability {
            Capability::Access => manifest.capabilities.access.is_some(),
            Capability::Deletion => manifest.capabilities.deletion.is_some(),
            Capability::SystemDetection => manifest.capabilities.detects_systems,
        };
        let chosen = new.capabilities.get(capability).copied();
        let handling = chosen.unwrap_or(if able { Handling::Api } else { Handling::Off });
        let message = match handling {
            Handling::Api if !able => Some(format!("{} has no API for it; use `off`", manifest.title)),
            Handling::DirectContact => {
                Some("cannot be handed to a direct contact yet; use `api` or `off`".to_owned())
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

fn missing_permissions(manifest: &Manifest, report: &CheckReport) -> Vec<PermissionReport> {
    let optional =
        |name: &str| manifest.permissions.iter().any(|needed| needed.permission == name && needed.optional);
    report
        .permissions
        .iter()
        .filter(|one| one.state == PermissionState::Missing && !optional(&one.permission))
        .cloned()
        .collect()
}

fn status_of(report: &CheckReport) -> &'static str {
    if report.warnings.is_empty() { "connected" } else { "degraded" }
}

/// Writes what a check showed; an event is written only when the status changes, or when a person asked.
async fn save_check(
    unit: &mut Unit,
    actor: &Actor,
    id: ConnectionId,
    manifest: &'static Manifest,
    outcome: Result<CheckReport, VendorError>,
    lease: Option<Lease>,
) -> Result<(), CaseworkError> {
    let now = unit.now();
    let mut stored = lock(unit, id).await?;
    let before = stored.status.clone();
    let mut code = None;
    match outcome {
        Ok(report) => {
            let missing = missing_permissions(manifest, &report);
            stored.permissions = json!(report.permissions);
            stored.warnings = json!(report.warnings);
            stored.checked_at = Some(now);
            if missing.is_empty() {
                stored.failing_since = None;
                status_of(&report).clone_into(&mut stored.status);
            } else {
                stored.failing_since = stored.failing_since.or(Some(now));
                "disconnected".clone_into(&mut stored.status);
                code = Some("permissions_missing");
            }
        }
        // Our own pacing is no news about the connection.
        Err(error) if error.kind == ErrorKind::Paced => {}
        Err(error) => {
            stored.checked_at = Some(now);
            stored.failing_since = stored.failing_since.or(Some(now));
            stored.warnings = json!([error.explanation()]);
            if error.retry == Retry::Never {
                "disconnected".clone_into(&mut stored.status);
            } else {
                "degraded".clone_into(&mut stored.status);
            }
            code = Some(error.kind.code());
        }
    }
    connections::save(unit.connection(), &stored).await?;
    if before != stored.status || lease.is_none() {
        let data = json!({"status": stored.status, "before": before, "code": code});
        unit.record(Stream::Connection(id), actor, "connection.checked", id, data);
    }
    if let Some(lease) = lease {
        let hours = if code.is_some() { HOURS_AFTER_FAILURE } else { HOURS_BETWEEN_CHECKS };
        let next_at = now.checked_add(Span::new().hours(hours)).unwrap_or(Timestamp::MAX);
        let again = Postponement { id: lease.id, fence: lease.fence, next_at, attempts: 0 };
        due_work::postpone(unit.connection(), [again]).await?;
    }
    Ok(())
}

impl Casework {
    /// The connection with this id or name.
    ///
    /// # Errors
    /// If there is none, or the actor may not read connections.
    pub async fn connection_named(&self, actor: &Actor, name: &str) -> Result<ConnectionCase, CaseworkError> {
        if let Ok(id) = name.parse() {
            return self.connection(actor, id).await;
        }
        actor.require(Permission::ReadConnections)?;
        let stored = connections::find_by_name(&mut self.store.reader().await?, name)
            .await?
            .ok_or_else(|| CaseworkError::not_found("connection", name))?;
        self.connection_case(stored)
    }

    /// The integrations of the catalogue; anyone who is known may read them.
    pub fn integrations(&self) -> Vec<&'static Manifest> {
        self.catalogue.iter().map(Integration::manifest).collect()
    }

    pub(crate) fn catalogue_arc(&self) -> Arc<habeas_integrations::Catalogue> {
        Arc::clone(&self.catalogue)
    }
}
