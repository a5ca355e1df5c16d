//! What lies in the storage: every object is on record before it is written, so that nothing is left behind unknown.

use habeas_domain::{ObjectId, RequestId};
use jiff::Timestamp;

use crate::connection::{Batch, Connection};
use crate::dialect::sql;
use crate::error::StoreError;

/// Puts objects on record that are about to be written.
///
/// # Errors
/// If the database fails.
pub async fn intend(
    connection: &mut Connection,
    objects: &[(ObjectId, RequestId)],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut rows = Batch::default();
    for (id, request) in objects {
        rows.row().text(id).text(request);
    }
    connection
        .sql(sql!(
            "INSERT INTO objects (id, request_id, state, created_at)
             SELECT value->>0, value->>1, 'intended', $2 FROM {batch}"
        ))
        .batch(&rows)
        .time(now)
        .execute()
        .await?;
    Ok(())
}

/// Keeps objects that were written, each with its length: something refers to them from now on. How many were still there:
/// the sweep may have taken one that took too long.
///
/// # Errors
/// If the database fails.
pub async fn keep(
    connection: &mut Connection,
    objects: impl IntoIterator<Item = (ObjectId, u64)>,
) -> Result<u64, StoreError> {
    let mut rows = Batch::default();
    for (id, bytes) in objects {
        rows.row().text(id).integer(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
    connection
        .sql(sql!(
            "UPDATE objects SET state = 'kept', bytes = CAST(value->>1 AS BIGINT)
             FROM {batch} WHERE objects.id = value->>0 AND objects.state = 'intended'"
        ))
        .batch(&rows)
        .execute()
        .await
}

/// Gives up every object of requests whose content keys were destroyed.
///
/// # Errors
/// If the database fails.
pub async fn doom(
    connection: &mut Connection,
    requests: impl IntoIterator<Item = RequestId>,
) -> Result<(), StoreError> {
    connection
        .sql(sql!("UPDATE objects SET state = 'doomed' WHERE request_id IN (SELECT value->>0 FROM {batch})"))
        .batch(&Batch::of(requests))
        .execute()
        .await?;
    Ok(())
}

/// Gives up objects that nothing refers to.
///
/// # Errors
/// If the database fails.
pub async fn doom_objects(
    connection: &mut Connection,
    objects: impl IntoIterator<Item = ObjectId>,
) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "UPDATE objects SET state = 'doomed'
             WHERE state = 'intended' AND id IN (SELECT value->>0 FROM {batch})"
        ))
        .batch(&Batch::of(objects))
        .execute()
        .await?;
    Ok(())
}

/// Objects to be removed: given up, or intended before a time and never kept.
///
/// # Errors
/// If the database fails.
pub async fn to_sweep(
    connection: &mut Connection,
    intended_before: Timestamp,
    limit: i64,
) -> Result<Vec<ObjectId>, StoreError> {
    connection
        .sql(sql!(
            "SELECT id FROM objects
             WHERE state = 'doomed' OR (state = 'intended' AND created_at < $1) ORDER BY id LIMIT $2"
        ))
        .time(intended_before)
        .integer(limit)
        .rows()
        .await?
        .iter()
        .map(|row| row.parsed(0, "objects.id"))
        .collect()
}

/// Takes objects off the record that were removed from the storage.
///
/// # Errors
/// If the database fails.
pub async fn remove(
    connection: &mut Connection,
    objects: impl IntoIterator<Item = ObjectId>,
) -> Result<(), StoreError> {
    connection
        .sql(sql!("DELETE FROM objects WHERE state <> 'kept' AND id IN (SELECT value->>0 FROM {batch})"))
        .batch(&Batch::of(objects))
        .execute()
        .await?;
    Ok(())
}
