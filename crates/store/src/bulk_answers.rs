//! What became of the requests of a bulk call that came with an `Idempotency-Key`: sent again, it is answered the same.

use jiff::Timestamp;

use crate::connection::Connection;
use crate::dialect::sql;
use crate::error::StoreError;

/// What became of one part of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkAnswer {
    /// Which part, from 0.
    pub part: i64,
    /// Fingerprint of the whole call.
    pub fingerprint: Vec<u8>,
    /// What became of each request of the part. Must hold no personal data.
    pub answer: Vec<u8>,
}

/// What is known of a call, in the order of its parts. `key_hash` is a keyed hash of who called and under which key.
///
/// # Errors
/// If the database fails.
pub async fn find(connection: &mut Connection, key_hash: &[u8]) -> Result<Vec<BulkAnswer>, StoreError> {
    connection
        .sql(sql!("SELECT part, fingerprint, answer FROM bulk_answers WHERE key_hash = $1 ORDER BY part"))
        .bytes(key_hash.to_vec())
        .rows()
        .await?
        .iter()
        .map(|row| {
            Ok(BulkAnswer { part: row.integer(0)?, fingerprint: row.bytes(1)?, answer: row.bytes(2)? })
        })
        .collect()
}

/// Remembers a part of a call in the unit that takes it in.
///
/// # Errors
/// If the database fails, or another unit took this part in meanwhile.
pub async fn remember(
    connection: &mut Connection,
    key_hash: &[u8],
    answer: &BulkAnswer,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "INSERT INTO bulk_answers (key_hash, part, fingerprint, answer, created_at) VALUES ($1, $2, $3, $4, $5)"
        ))
        .bytes(key_hash.to_vec())
        .integer(answer.part)
        .bytes(answer.fingerprint.clone())
        .bytes(answer.answer.clone())
        .time(now)
        .execute()
        .await?;
    Ok(())
}

/// Forgets calls that were made before `before`.
///
/// # Errors
/// If the database fails.
pub async fn forget(connection: &mut Connection, before: Timestamp) -> Result<(), StoreError> {
    connection.sql(sql!("DELETE FROM bulk_answers WHERE created_at < $1")).time(before).execute().await?;
    Ok(())
}
