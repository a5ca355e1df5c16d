//! Checking connections at their vendors, on demand and daily.

use std::sync::Arc;

use habeas_documents::mail::{Letterhead, Rendered, connection_expiring, connection_failing};
use habeas_domain::capability::Handling;
use habeas_domain::{Actor, ConnectionId, Permission};
use habeas_integrations::{
    CheckReport, ErrorKind, Manifest, PermissionReport, PermissionState, Retry, Settings, VendorError,
};
use habeas_store::audit::Stream;
use habeas_store::connections::{self, StoredConnection};
use habeas_store::due_work::{Lease, Postponement};
use habeas_store::mails::{self, About};
use habeas_store::{KeyPurpose, StoreError, Unit, data_keys, due_work};
use jiff::{Span, Timestamp};
use serde_json::json;

use super::{ConnectionCase, lock, open_settings, seal_settings};
use crate::details::MailContent;
use crate::error::CaseworkError;
use crate::mails::{handing_over, queued};
use crate::{CapabilityChoices, Casework, Rules};

pub(super) const HOURS_BETWEEN_CHECKS: i64 = 24;
/// After a failed check the next comes sooner.
const HOURS_AFTER_FAILURE: i64 = 1;
/// How long a connection may fail before the privacy team is told (PRODUCT, connections).
const HOURS_UNTIL_TOLD: i64 = 48;
/// The kind of the mail that tells them.
const FAILING: &str = "connection_failing";
/// How many days before credentials end the privacy team is told, each time anew (PRODUCT, connections).
const DAYS_BEFORE_THE_END: [i64; 3] = [1, 7, 30];
/// The kind of the mail that tells them.
const EXPIRING: &str = "connection_expiring";

impl Casework {
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
        let integration = self
            .rules
            .catalogue
            .find(&access.integration)
            .ok_or(StoreError::Corrupt("connections.integration"))?;
        let manifest = integration.manifest();
        let now = self.store.environment().now();
        let outcome = self.check_at_vendor(manifest, &access.settings, &access.account, now).await;
        let (actor, failure) = (actor.clone(), outcome.as_ref().err().cloned());
        let report =
            outcome.as_ref().ok().filter(|report| report.teach(&mut access.settings.clone())).cloned();
        let checked = access.settings;
        let rules = Arc::clone(&self.rules);
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    if let Some(report) = report {
                        learn(unit, id, checked, &report).await?;
                    }
                    let expires_at = outcome.as_ref().ok().and_then(|report| report.expires_at);
                    save_check(unit, &actor, id, manifest, outcome, lease).await?;
                    if let Some(expires_at) = expires_at {
                        tell_of_expiry(unit, &rules, id, manifest, expires_at).await?;
                    }
                    tell_of_failure(unit, &rules, id, manifest).await
                })
            })
            .await?;
        self.connectors.forget(id);
        self.announce_work();
        Ok(failure)
    }
}

/// Keeps what a check found out, unless other settings than the checked ones were entered meanwhile.
async fn learn(
    unit: &mut Unit,
    id: ConnectionId,
    checked: Settings,
    report: &CheckReport,
) -> Result<(), CaseworkError> {
    let mut stored = lock(unit, id).await?;
    let keyring = unit.keyring();
    let key = data_keys::load_one(unit.connection(), &keyring, id, KeyPurpose::Settings).await?;
    let mut settings = open_settings(&key, &stored)?;
    if settings.to_sealable() == checked.to_sealable() && report.teach(&mut settings) {
        stored.settings = Some(seal_settings(unit, &key, id, &settings)?);
        connections::save(unit.connection(), &stored).await?;
    }
    Ok(())
}

/// What is missing of what the enabled capabilities need.
pub(super) fn missing_permissions(
    manifest: &Manifest,
    choices: &CapabilityChoices,
    report: &CheckReport,
) -> Vec<PermissionReport> {
    let optional = |name: &str| {
        manifest.permissions.iter().filter(|needed| needed.permission == name).any(|needed| {
            let is_used =
                needed.capability.is_none_or(|capability| choices.get(&capability) == Some(&Handling::Api));
            needed.optional || !is_used
        })
    };
    report
        .permissions
        .iter()
        .filter(|one| one.state == PermissionState::Missing && !optional(&one.permission))
        .cloned()
        .collect()
}

pub(super) fn status_of(report: &CheckReport) -> &'static str {
    if report.warnings.is_empty() { "connected" } else { "degraded" }
}

/// Notes a check that found nothing missing.
pub(super) fn passed(stored: &mut StoredConnection, report: &CheckReport, now: Timestamp) {
    status_of(report).clone_into(&mut stored.status);
    stored.failing_since = None;
    note(stored, report, now);
}

fn note(stored: &mut StoredConnection, report: &CheckReport, now: Timestamp) {
    stored.permissions = json!(report.permissions);
    stored.warnings = json!(report.warnings);
    stored.checked_at = Some(now);
}

/// Writes to the privacy team about a connection that has failed for days; once, until it works again.
async fn tell_of_failure(
    unit: &mut Unit,
    rules: &Rules,
    id: ConnectionId,
    manifest: &Manifest,
) -> Result<(), CaseworkError> {
    let (now, stored) = (unit.now(), lock(unit, id).await?);
    let Some((since, to)) = stored.failing_since.zip(rules.settings.team.clone()) else { return Ok(()) };
    let is_long = since.checked_add(Span::new().hours(HOURS_UNTIL_TOLD)).is_ok_and(|from| from <= now);
    let about = About::Connection(id);
    if !is_long || mails::was_written(unit.connection(), about, FAILING, since).await? {
        return Ok(());
    }
    let said = stored.warnings.as_array().and_then(|said| said.first()).and_then(serde_json::Value::as_str);
    let problem = said.unwrap_or("the vendor account lacks a permission that is needed");
    let written = connection_failing(&letterhead(rules), &stored.name, manifest.title, since, problem);
    write_to_team(unit, id, FAILING, to, written).await?;
    let data = json!({"since": since});
    unit.record(Stream::Connection(id), &Actor::system(), "connection.failure_told", id, data);
    Ok(())
}

/// Writes to the privacy team about credentials that end in 30, 7 or 1 days; once for each.
async fn tell_of_expiry(
    unit: &mut Unit,
    rules: &Rules,
    id: ConnectionId,
    manifest: &Manifest,
    expires_at: Timestamp,
) -> Result<(), CaseworkError> {
    let now = unit.now();
    let begins = |days: &i64| expires_at.checked_sub(Span::new().hours(24 * days)).unwrap_or(Timestamp::MIN);
    let since = DAYS_BEFORE_THE_END.iter().map(begins).find(|begins| *begins <= now);
    let (Some(since), Some(to)) = (since.filter(|_| now < expires_at), rules.settings.team.clone()) else {
        return Ok(());
    };
    if mails::was_written(unit.connection(), About::Connection(id), EXPIRING, since).await? {
        return Ok(());
    }
    let stored = lock(unit, id).await?;
    let integration = (manifest.title, manifest.name);
    let written = connection_expiring(&letterhead(rules), &stored.name, integration, expires_at);
    write_to_team(unit, id, EXPIRING, to, written).await?;
    let data = json!({"expires_at": expires_at});
    unit.record(Stream::Connection(id), &Actor::system(), "connection.expiry_told", id, data);
    Ok(())
}

fn letterhead(rules: &Rules) -> Letterhead<'_> {
    Letterhead { company: &rules.settings.company, time_zone: rules.settings.time_zone.clone() }
}

async fn write_to_team(
    unit: &mut Unit,
    id: ConnectionId,
    kind: &'static str,
    to: String,
    written: Rendered,
) -> Result<(), CaseworkError> {
    let keyring = unit.keyring();
    let key = data_keys::load_one(unit.connection(), &keyring, id, KeyPurpose::Settings).await?;
    let content = MailContent::new(to, written, None);
    let mail = queued(unit, &key, About::Connection(id), "team", kind, &content)?;
    mails::insert(unit.connection(), std::slice::from_ref(&mail)).await?;
    let work = handing_over(unit, mail.id, false);
    due_work::insert(unit.connection(), &[work]).await?;
    Ok(())
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
            let choices = serde_json::from_value(stored.capabilities.clone())
                .map_err(|_| StoreError::Corrupt("connections.capabilities"))?;
            let missing = missing_permissions(manifest, &choices, &report);
            if missing.is_empty() {
                passed(&mut stored, &report, now);
            } else {
                note(&mut stored, &report, now);
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
