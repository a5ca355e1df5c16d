//! Idempotency keys: the same creation asked for twice happens once.

use jiff::Timestamp;

use crate::connection::Connection;
use crate::dialect::sql;
use crate::error::StoreError;

/// What is known of an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Fingerprint of what was asked.
    pub fingerprint: Vec<u8>,
    /// What was created.
    pub object: String,
}

/// What an actor created under a key.
///
/// # Errors
/// If the database fails.
pub async fn find(
    connection: &mut Connection,
    actor: &str,
    key: &str,
) -> Result<Option<Remembered>, StoreError> {
    let row = connection
        .sql(sql!(
            "SELECT fingerprint, object_id FROM idempotency_keys WHERE actor = $1 AND idempotency_key = $2"
        ))
        .text(actor)
        .text(key)
        .first()
        .await?;
    row.map(|row| Ok(Remembered { fingerprint: row.bytes(0)?, object: row.text(1)? })).transpose()
}

/// Remembers what an actor creates under a key, in the unit that creates it.
///
/// # Errors
/// If the database fails, or another unit used the key meanwhile.
pub async fn remember(
    connection: &mut Connection,
    actor: &str,
    key: &str,
    remembered: &Remembered,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "INSERT INTO idempotency_keys (actor, idempotency_key, fingerprint, object_id, created_at)
             VALUES ($1, $2, $3, $4, $5)"
        ))
        .text(actor)
        .text(key)
        .bytes(remembered.fingerprint.clone())
        .text(&remembered.object)
        .time(now)
        .execute()
        .await?;
    Ok(())
}

/// Forgets keys used before `before`.
///
/// # Errors
/// If the database fails.
pub async fn forget(connection: &mut Connection, before: Timestamp) -> Result<(), StoreError> {
    connection.sql(sql!("DELETE FROM idempotency_keys WHERE created_at < $1")).time(before).execute().await?;
    Ok(())
}
