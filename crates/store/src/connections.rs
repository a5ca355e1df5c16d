//! Connections: configured integrations with their sealed settings.

use habeas_domain::ConnectionId;
use jiff::Timestamp;

use crate::connection::{Connection, Query, Row};
use crate::dialect::sql;
use crate::error::StoreError;
use crate::keyring::Sealed;

/// A stored connection.
#[derive(Clone, Debug)]
pub struct StoredConnection {
    /// Its id.
    pub id: ConnectionId,
    /// Which integration.
    pub integration: String,
    /// Its name, unique among those not removed.
    pub name: String,
    /// `connected`, `degraded` or `disconnected`.
    pub status: String,
    /// Keyed fingerprint of the vendor account: connections of one account share its limits.
    pub account: String,
    /// Credentials and other settings, sealed; gone once the connection is removed.
    pub settings: Option<Sealed>,
    /// When an asynchronous deletion counts as complete.
    pub deletion_completion: Option<String>,
    /// Capabilities and who serves them (JSON).
    pub capabilities: serde_json::Value,
    /// Who served capabilities before, each with the moment until when (JSON), oldest first.
    pub earlier_capabilities: serde_json::Value,
    /// What the last check showed of each permission (JSON).
    pub permissions: serde_json::Value,
    /// What works but deserves attention (JSON).
    pub warnings: serde_json::Value,
    /// When it was last checked.
    pub checked_at: Option<Timestamp>,
    /// Since when checks fail.
    pub failing_since: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was removed.
    pub removed_at: Option<Timestamp>,
    /// The address of the person who answers for the system, sealed with the connection's key.
    pub contact: Option<Sealed>,
    /// How long that person has; `None` for the installation's usual time.
    pub contact_seconds: Option<i64>,
    /// What happens then: `skip` or `hold`.
    pub contact_on_expiry: Option<String>,
}

macro_rules! columns {
    () => {
        "id, integration, name, status, account, settings, deletion_completion, capabilities, permissions, warnings,
         checked_at, failing_since, created_at, removed_at, contact, contact_seconds, contact_on_expiry,
         earlier_capabilities"
    };
}

impl StoredConnection {
    /// What people may edit, for telling whether somebody did. Sealing again makes other bytes, so the same settings
    /// entered twice count as an edit, too.
    #[must_use]
    pub fn edited_state(&self) -> impl PartialEq + use<> {
        let sealed = |sealed: &Option<Sealed>| sealed.as_ref().map(|sealed| sealed.as_bytes().to_vec());
        (
            self.name.clone(),
            sealed(&self.settings),
            self.deletion_completion.clone(),
            self.capabilities.clone(),
            sealed(&self.contact),
            (self.contact_seconds, self.contact_on_expiry.clone()),
        )
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed(0, "connections.id")?,
            integration: row.text(1)?,
            name: row.text(2)?,
            status: row.text(3)?,
            account: row.text(4)?,
            settings: row.optional_bytes(5)?.map(Sealed::from_stored),
            deletion_completion: row.optional_text(6)?,
            capabilities: row.json(7, "connections.capabilities")?,
            permissions: row.json(8, "connections.permissions")?,
            warnings: row.json(9, "connections.warnings")?,
            checked_at: row.optional_time(10)?,
            failing_since: row.optional_time(11)?,
            created_at: row.time(12)?,
            removed_at: row.optional_time(13)?,
            contact: row.optional_bytes(14)?.map(Sealed::from_stored),
            contact_seconds: row.optional_integer(15)?,
            contact_on_expiry: row.optional_text(16)?,
            earlier_capabilities: row.json(17, "connections.earlier_capabilities")?,
        })
    }
}

/// Adds a connection, or writes back one that this unit changed. `false` if the name is taken.
///
/// # Errors
/// If the database fails.
pub async fn save(connection: &mut Connection, one: &StoredConnection) -> Result<bool, StoreError> {
    if one.removed_at.is_none()
        && find_by_name(connection, &one.name).await?.is_some_and(|other| other.id != one.id)
    {
        return Ok(false);
    }
    let update = connection.sql(sql!(
        "UPDATE connections SET name = $2, status = $3, account = $4, settings = $5, deletion_completion = $6,
             capabilities = $7, permissions = $8, warnings = $9, checked_at = $10, failing_since = $11,
             removed_at = $12, contact = $13, contact_seconds = $14, contact_on_expiry = $15, earlier_capabilities = $16
         WHERE id = $1"
    ));
    if changeable(update, one).execute().await? == 1 {
        return Ok(true);
    }
    // Another unit may have taken the name since it was looked for; then nothing is inserted.
    let insert = connection.sql(sql!(
        "INSERT INTO connections (id, name, status, account, settings, deletion_completion, capabilities, permissions,
             warnings, checked_at, failing_since, removed_at, contact, contact_seconds, contact_on_expiry,
             earlier_capabilities, integration, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) ON CONFLICT DO NOTHING"
    ));
    let inserted = changeable(insert, one).text(&one.integration).time(one.created_at).execute().await?;
    Ok(inserted == 1)
}

/// Binds what may change, as `$1` to `$16`.
fn changeable<'c>(query: Query<'c>, one: &StoredConnection) -> Query<'c> {
    query
        .text(one.id)
        .text(&one.name)
        .text(&one.status)
        .text(&one.account)
        .bytes(one.settings.as_ref().map(|sealed| sealed.as_bytes().to_vec()))
        .optional_text(one.deletion_completion.as_ref())
        .text(&one.capabilities)
        .text(&one.permissions)
        .text(&one.warnings)
        .time(one.checked_at)
        .time(one.failing_since)
        .time(one.removed_at)
        .bytes(one.contact.as_ref().map(|sealed| sealed.as_bytes().to_vec()))
        .integer(one.contact_seconds)
        .optional_text(one.contact_on_expiry.as_ref())
        .text(&one.earlier_capabilities)
}

/// Every connection there ever was: requests that it had a part in may still be under way.
///
/// # Errors
/// If the database fails.
pub async fn all(connection: &mut Connection) -> Result<Vec<StoredConnection>, StoreError> {
    connection
        .sql(sql!(concat!("SELECT ", columns!(), " FROM connections ORDER BY id")))
        .rows()
        .await?
        .iter()
        .map(StoredConnection::read)
        .collect()
}

/// Connections that were not removed, in the order in which they were made.
///
/// # Errors
/// If the database fails.
pub async fn list(connection: &mut Connection) -> Result<Vec<StoredConnection>, StoreError> {
    connection
        .sql(sql!(concat!("SELECT ", columns!(), " FROM connections WHERE removed_at IS NULL ORDER BY id")))
        .rows()
        .await?
        .iter()
        .map(StoredConnection::read)
        .collect()
}

/// One connection, also a removed one (its runs still name it).
///
/// # Errors
/// If the database fails.
pub async fn find(
    connection: &mut Connection,
    id: ConnectionId,
) -> Result<Option<StoredConnection>, StoreError> {
    let row = connection
        .sql(sql!(concat!("SELECT ", columns!(), " FROM connections WHERE id = $1")))
        .text(id)
        .first()
        .await?;
    row.as_ref().map(StoredConnection::read).transpose()
}

/// One connection, locked until the unit ends.
///
/// # Errors
/// If the database fails.
pub async fn lock(
    connection: &mut Connection,
    id: ConnectionId,
) -> Result<Option<StoredConnection>, StoreError> {
    let row = connection
        .sql(sql!(concat!("SELECT ", columns!(), " FROM connections WHERE id = $1 {for_update}")))
        .text(id)
        .first()
        .await?;
    row.as_ref().map(StoredConnection::read).transpose()
}

/// The connection of that name that was not removed.
///
/// # Errors
/// If the database fails.
pub async fn find_by_name(
    connection: &mut Connection,
    name: &str,
) -> Result<Option<StoredConnection>, StoreError> {
    let row = connection
        .sql(sql!(concat!("SELECT ", columns!(), " FROM connections WHERE name = $1 AND removed_at IS NULL")))
        .text(name)
        .first()
        .await?;
    row.as_ref().map(StoredConnection::read).transpose()
}

/// Names and integrations of connections, removed ones included: `(id, name, integration)`.
///
/// # Errors
/// If the database fails.
pub async fn names(
    connection: &mut Connection,
    ids: impl IntoIterator<Item = ConnectionId>,
) -> Result<Vec<(ConnectionId, String, String)>, StoreError> {
    connection
        .sql(sql!(
            "SELECT id, name, integration FROM connections WHERE id IN (SELECT value->>0 FROM {batch})"
        ))
        .batch(&crate::connection::Batch::of(ids))
        .rows()
        .await?
        .iter()
        .map(|row| Ok((row.parsed(0, "connections.id")?, row.text(1)?, row.text(2)?)))
        .collect()
}
