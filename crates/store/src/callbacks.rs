//! Messages by which systems told that they are done: none is taken twice.

use habeas_domain::ConnectionId;
use jiff::Timestamp;

use crate::connection::Connection;
use crate::dialect::sql;
use crate::error::StoreError;

/// Remembers a message, in the unit that acts on it; false if it was taken before.
///
/// # Errors
/// If the database fails.
pub async fn take(
    connection: &mut Connection,
    at: ConnectionId,
    message: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let taken = connection
        .sql(sql!(
            "INSERT INTO callbacks (connection_id, message_id, received_at) VALUES ($1, $2, $3)
             ON CONFLICT (connection_id, message_id) DO NOTHING RETURNING message_id"
        ))
        .text(at)
        .text(message)
        .time(now)
        .first()
        .await?;
    Ok(taken.is_some())
}

/// Whether a message was taken before.
///
/// # Errors
/// If the database fails.
pub async fn was_taken(
    connection: &mut Connection,
    at: ConnectionId,
    message: &str,
) -> Result<bool, StoreError> {
    let known = connection
        .sql(sql!("SELECT message_id FROM callbacks WHERE connection_id = $1 AND message_id = $2"))
        .text(at)
        .text(message)
        .first()
        .await?;
    Ok(known.is_some())
}

/// Forgets messages that are too old to pass as new.
///
/// # Errors
/// If the database fails.
pub async fn forget_before(connection: &mut Connection, before: Timestamp) -> Result<(), StoreError> {
    connection.sql(sql!("DELETE FROM callbacks WHERE received_at < $1")).time(before).execute().await?;
    Ok(())
}
