//! API keys: only a keyed fingerprint of each is kept.

use std::collections::BTreeSet;

use habeas_domain::{ApiKeyId, Role};
use jiff::Timestamp;

use crate::connection::{Batch, Connection, Row};
use crate::dialect::sql;
use crate::error::StoreError;

/// A stored API key.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Its name.
    pub name: String,
    /// The roles it carries.
    pub roles: BTreeSet<Role>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed(0, "api_keys.id")?,
            name: row.text(1)?,
            roles: row.json(2, "api_keys.roles")?,
            created_at: row.time(3)?,
            created_by: row.text(4)?,
            revoked_at: row.optional_time(5)?,
        })
    }
}

/// Adds a key.
///
/// # Errors
/// If the database fails.
pub async fn insert(
    connection: &mut Connection,
    key: &ApiKey,
    fingerprint: Vec<u8>,
) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "INSERT INTO api_keys (id, name, roles, secret_hash, created_at, created_by)
             VALUES ($1, $2, $3, $4, $5, $6)"
        ))
        .text(key.id)
        .text(&key.name)
        .text(serde_json::json!(key.roles))
        .bytes(fingerprint)
        .time(key.created_at)
        .text(&key.created_by)
        .execute()
        .await?;
    Ok(())
}

/// All keys, revoked ones included.
///
/// # Errors
/// If the database fails.
pub async fn list(connection: &mut Connection) -> Result<Vec<ApiKey>, StoreError> {
    connection
        .sql(sql!("SELECT id, name, roles, created_at, created_by, revoked_at FROM api_keys ORDER BY id"))
        .rows()
        .await?
        .iter()
        .map(ApiKey::read)
        .collect()
}

/// The key with one of these fingerprints.
///
/// # Errors
/// If the database fails.
pub async fn find(
    connection: &mut Connection,
    fingerprints: &[Vec<u8>],
) -> Result<Option<ApiKey>, StoreError> {
    let mut rows = Batch::default();
    for fingerprint in fingerprints {
        rows.row().bytes(fingerprint);
    }
    let row = connection
        .sql(sql!(
            "SELECT id, name, roles, created_at, created_by, revoked_at FROM api_keys
             WHERE secret_hash IN (SELECT unhex(value->>0) FROM {batch})"
        ))
        .batch(&rows)
        .first()
        .await?;
    row.as_ref().map(ApiKey::read).transpose()
}

/// Revokes a key; `None` if there is none, `false` if it was revoked before.
///
/// # Errors
/// If the database fails.
pub async fn revoke(
    connection: &mut Connection,
    id: ApiKeyId,
    now: Timestamp,
) -> Result<Option<bool>, StoreError> {
    let row = connection
        .sql(sql!("SELECT revoked_at FROM api_keys WHERE id = $1 {for_update}"))
        .text(id)
        .first()
        .await?;
    let Some(row) = row else { return Ok(None) };
    if row.optional_integer(0)?.is_some() {
        return Ok(Some(false));
    }
    connection
        .sql(sql!("UPDATE api_keys SET revoked_at = $2 WHERE id = $1"))
        .text(id)
        .time(now)
        .execute()
        .await?;
    Ok(Some(true))
}
