//! Operations and the runs that they serve.

mod members;

use std::collections::HashSet;

use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::{ConnectionId, OperationId, RunId};
use jiff::Timestamp;

use crate::connection::{Batch, Connection, Row};
use crate::dialect::sql;
use crate::error::StoreError;

pub use members::{
    Member, Which, join, leave, leave_all, members, newcomers, serves_anybody, serving, take_up, taken_up,
    transfer,
};

/// A stored operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// At which connection's vendor.
    pub connection: ConnectionId,
    /// What it does.
    pub kind: OperationKind,
    /// Where it stands.
    pub status: OperationStatus,
    /// Where a pass stands, as its connector wrote it; no personal data.
    pub position: Option<serde_json::Value>,
    /// Which pass over the vendor's data is under way, from 0.
    pub pass: u64,
    /// Pages read of this pass.
    pub page: u64,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The vendor's own id of the job that serves it.
    pub job: Option<String>,
    /// When it was first sent: from then on an effect may have taken place.
    pub sent_at: Option<Timestamp>,
    /// When the vendor accepted it.
    pub accepted_at: Option<Timestamp>,
    /// How many identifiers it carries.
    pub identifiers: u64,
    /// For how many runs it was sent; some may have left it since.
    pub sent_for: u64,
}

macro_rules! columns {
    () => {
        "id, connection_id, kind, status, position, pass, page, created_at, finished_at, job, sent_at, accepted_at,
         identifiers, sent_for"
    };
}

impl Operation {
    /// One that nobody has taken up yet.
    #[must_use]
    pub fn new(id: OperationId, connection: ConnectionId, kind: OperationKind, now: Timestamp) -> Self {
        Self {
            id,
            connection,
            kind,
            status: OperationStatus::Intended,
            position: None,
            pass: 0,
            page: 0,
            created_at: now,
            finished_at: None,
            job: None,
            sent_at: None,
            accepted_at: None,
            identifiers: 0,
            sent_for: 0,
        }
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        let position = row.optional_text(4)?;
        Ok(Self {
            id: row.parsed(0, "operations.id")?,
            connection: row.parsed(1, "operations.connection_id")?,
            kind: row.parsed(2, "operations.kind")?,
            status: row.parsed(3, "operations.status")?,
            position: position
                .map(|text| {
                    serde_json::from_str(&text).map_err(|_| StoreError::Corrupt("operations.position"))
                })
                .transpose()?,
            pass: row.count(5)?,
            page: row.count(6)?,
            created_at: row.time(7)?,
            finished_at: row.optional_time(8)?,
            job: row.optional_text(9)?,
            sent_at: row.optional_time(10)?,
            accepted_at: row.optional_time(11)?,
            identifiers: row.count(12)?,
            sent_for: row.count(13)?,
        })
    }

    fn write(&self, rows: &mut Batch) {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        rows.row()
            .text(self.id)
            .text(self.connection)
            .text(self.kind)
            .text(self.status)
            .optional_text(self.position.as_ref())
            .integer(number(self.pass))
            .integer(number(self.page))
            .time(self.created_at)
            .time(self.finished_at)
            .optional_text(self.job.as_ref())
            .time(self.sent_at)
            .time(self.accepted_at)
            .integer(number(self.identifiers))
            .integer(number(self.sent_for));
    }
}

/// Adds operations.
///
/// # Errors
/// If the database fails.
pub async fn insert(connection: &mut Connection, operations: &[Operation]) -> Result<(), StoreError> {
    let mut rows = Batch::default();
    for operation in operations {
        operation.write(&mut rows);
    }
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!(concat!(
            "INSERT INTO operations (",
            columns!(),
            ") SELECT value->>0, value->>1, value->>2, value->>3, value->>4, CAST(value->>5 AS BIGINT),
                 CAST(value->>6 AS BIGINT), CAST(value->>7 AS BIGINT), CAST(value->>8 AS BIGINT), value->>9,
                 CAST(value->>10 AS BIGINT), CAST(value->>11 AS BIGINT), CAST(value->>12 AS BIGINT),
                 CAST(value->>13 AS BIGINT) FROM {batch}"
        )))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// Writes back what may change of operations that this unit holds.
///
/// # Errors
/// If the database fails.
pub async fn save<'o>(
    connection: &mut Connection,
    operations: impl IntoIterator<Item = &'o Operation>,
) -> Result<(), StoreError> {
    let mut rows = Batch::default();
    for operation in operations {
        operation.write(&mut rows);
    }
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!(
            "UPDATE operations SET status = value->>3, position = value->>4, pass = CAST(value->>5 AS BIGINT),
                 page = CAST(value->>6 AS BIGINT), finished_at = CAST(value->>8 AS BIGINT), job = value->>9,
                 sent_at = CAST(value->>10 AS BIGINT), accepted_at = CAST(value->>11 AS BIGINT),
                 identifiers = CAST(value->>12 AS BIGINT), sent_for = CAST(value->>13 AS BIGINT)
             FROM {batch} WHERE operations.id = value->>0"
        ))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// The pass that is under way at a connection, opened if there is none; it stays locked until the unit ends, so
/// that it cannot finish while a run joins. The flag says whether it was opened now.
///
/// # Errors
/// If the database fails.
pub async fn open_scan(
    connection: &mut Connection,
    new: OperationId,
    at: ConnectionId,
    now: Timestamp,
) -> Result<(OperationId, bool), StoreError> {
    let row = connection
        .sql(sql!(
            "INSERT INTO operations (id, connection_id, kind, status, pass, page, created_at)
             VALUES ($1, $2, 'scan', 'intended', 0, 0, $3)
             ON CONFLICT (connection_id) WHERE kind = 'scan' AND status NOT IN ('done', 'failed')
             DO UPDATE SET page = operations.page RETURNING id"
        ))
        .text(new)
        .text(at)
        .time(now)
        .first()
        .await?
        .ok_or(StoreError::Corrupt("operations"))?;
    let id: OperationId = row.parsed(0, "operations.id")?;
    Ok((id, id == new))
}

/// The operation that follows a connection's jobs, made when it is first needed. It is not locked: whether it has
/// anything to do is decided by its due work alone.
///
/// # Errors
/// If the database fails.
pub async fn following(
    connection: &mut Connection,
    new: OperationId,
    at: ConnectionId,
    now: Timestamp,
) -> Result<OperationId, StoreError> {
    if let Some(known) = find_following(connection, at).await? {
        return Ok(known);
    }
    connection
        .sql(sql!(
            "INSERT INTO operations (id, connection_id, kind, status, pass, page, created_at)
             VALUES ($1, $2, 'follow', 'intended', 0, 0, $3) ON CONFLICT DO NOTHING"
        ))
        .text(new)
        .text(at)
        .time(now)
        .execute()
        .await?;
    find_following(connection, at).await?.ok_or(StoreError::Corrupt("operations"))
}

async fn find_following(
    connection: &mut Connection,
    at: ConnectionId,
) -> Result<Option<OperationId>, StoreError> {
    let row = connection
        .sql(sql!("SELECT id FROM operations WHERE connection_id = $1 AND kind = 'follow'"))
        .text(at)
        .first()
        .await?;
    row.map(|row| row.parsed(0, "operations.id")).transpose()
}

/// The deletion of a connection that is not sent yet and may be joined, locked until the unit ends.
///
/// # Errors
/// If the database fails.
pub async fn gathering(
    connection: &mut Connection,
    at: ConnectionId,
) -> Result<Option<OperationId>, StoreError> {
    let row = connection
        .sql(sql!(
            "SELECT id FROM operations
             WHERE connection_id = $1 AND kind = 'erase' AND status = 'intended' AND position IS NULL
             ORDER BY id LIMIT 1 {for_update}"
        ))
        .text(at)
        .first()
        .await?;
    row.map(|row| row.parsed(0, "operations.id")).transpose()
}

/// The deletions that a connection's vendor has accepted and not finished.
///
/// # Errors
/// If the database fails.
pub async fn accepted(connection: &mut Connection, at: ConnectionId) -> Result<Vec<Operation>, StoreError> {
    connection
        .sql(sql!(concat!(
            "SELECT ",
            columns!(),
            " FROM operations WHERE connection_id = $1 AND kind = 'erase' AND status = 'accepted' ORDER BY id"
        )))
        .text(at)
        .rows()
        .await?
        .iter()
        .map(Operation::read)
        .collect()
}

/// The operations of a connection that its system calls by this job, the newest first.
///
/// # Errors
/// If the database fails.
pub async fn with_job(
    connection: &mut Connection,
    at: ConnectionId,
    job: &str,
) -> Result<Vec<Operation>, StoreError> {
    connection
        .sql(sql!(concat!(
            "SELECT ",
            columns!(),
            " FROM operations WHERE connection_id = $1 AND job = $2 ORDER BY id DESC"
        )))
        .text(at)
        .text(job)
        .rows()
        .await?
        .iter()
        .map(Operation::read)
        .collect()
}

/// Ends the accepted deletions of a connection that nobody waits for any more.
///
/// # Errors
/// If the database fails.
pub async fn end_abandoned(
    connection: &mut Connection,
    at: ConnectionId,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "UPDATE operations SET status = 'done', finished_at = $2
             WHERE connection_id = $1 AND kind = 'erase' AND status = 'accepted'
               AND NOT EXISTS (SELECT 1 FROM operation_runs WHERE operation_runs.operation_id = operations.id)"
        ))
        .text(at)
        .time(now)
        .execute()
        .await?;
    Ok(())
}

/// Ends operations whose runs have left them for good.
///
/// # Errors
/// If the database fails.
pub async fn end(
    connection: &mut Connection,
    ids: impl IntoIterator<Item = OperationId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let ids = Batch::of(ids);
    if ids.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!(
            "UPDATE operations SET status = 'done', finished_at = $2
             WHERE id IN (SELECT value->>0 FROM {batch}) AND status <> 'done'"
        ))
        .batch(&ids)
        .time(now)
        .execute()
        .await?;
    Ok(())
}

/// The runs that operations serve at this moment.
///
/// # Errors
/// If the database fails.
pub async fn served(
    connection: &mut Connection,
    operations: impl IntoIterator<Item = OperationId>,
) -> Result<HashSet<(OperationId, RunId)>, StoreError> {
    connection
        .sql(sql!(
            "SELECT operation_id, run_id FROM operation_runs
             WHERE operation_id IN (SELECT value->>0 FROM {batch})"
        ))
        .batch(&Batch::of(operations))
        .rows()
        .await?
        .iter()
        .map(|row| {
            Ok((row.parsed(0, "operation_runs.operation_id")?, row.parsed(1, "operation_runs.run_id")?))
        })
        .collect()
}

/// How many identifiers were sent for deletion since a moment, by connection.
///
/// # Errors
/// If the database fails.
pub async fn identifiers_sent(
    connection: &mut Connection,
    since: Timestamp,
) -> Result<Vec<(ConnectionId, u64)>, StoreError> {
    connection
        .sql(sql!(
            "SELECT connection_id, CAST(sum(identifiers) AS BIGINT) FROM operations
             WHERE kind = 'erase' AND sent_at >= $1
               AND (status IN ('sent', 'unknown', 'accepted', 'done') OR accepted_at IS NOT NULL)
             GROUP BY connection_id"
        ))
        .time(since)
        .rows()
        .await?
        .iter()
        .map(|row| Ok((row.parsed(0, "operations.connection_id")?, row.count(1)?)))
        .collect()
}

/// When the jobs that serve these runs are looked at next.
///
/// # Errors
/// If the database fails.
pub async fn next_looks(
    connection: &mut Connection,
    runs: impl IntoIterator<Item = RunId>,
) -> Result<Vec<(RunId, Timestamp)>, StoreError> {
    connection
        .sql(sql!(
            "SELECT operation_runs.run_id, due_work.next_at
             FROM operation_runs
             JOIN operations ON operations.id = operation_runs.operation_id
                  AND operations.kind = 'erase' AND operations.status = 'accepted'
             JOIN operations AS following ON following.connection_id = operations.connection_id
                  AND following.kind = 'follow'
             JOIN due_work ON due_work.object_id = following.id
             WHERE operation_runs.run_id IN (SELECT value->>0 FROM {batch})"
        ))
        .batch(&Batch::of(runs))
        .rows()
        .await?
        .iter()
        .map(|row| Ok((row.parsed(0, "operation_runs.run_id")?, row.time(1)?)))
        .collect()
}

/// Operations by their ids, locked until the unit ends.
///
/// # Errors
/// If the database fails.
pub async fn lock(
    connection: &mut Connection,
    ids: impl IntoIterator<Item = OperationId>,
) -> Result<Vec<Operation>, StoreError> {
    connection
        .sql(sql!(concat!(
            "SELECT ",
            columns!(),
            " FROM operations WHERE id IN (SELECT value->>0 FROM {batch}) ORDER BY id {for_update}"
        )))
        .batch(&Batch::of(ids))
        .rows()
        .await?
        .iter()
        .map(Operation::read)
        .collect()
}
