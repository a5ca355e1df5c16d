//! Operations and the runs that they serve.

use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::{ConnectionId, OperationId, RequestId, RunId};
use jiff::Timestamp;

use crate::connection::{Batch, Connection, Row};
use crate::dialect::sql;
use crate::error::StoreError;
use crate::keyring::Sealed;

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
}

impl Operation {
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
        })
    }
}

/// A run that an operation serves, with what is needed to serve it.
#[derive(Clone, Debug)]
pub struct Member {
    /// The operation.
    pub operation: OperationId,
    /// The run.
    pub run: RunId,
    /// The run's request.
    pub request: RequestId,
    /// During which pass it joined; `None` until the pass takes it up.
    pub joined_pass: Option<u64>,
    /// Before which page it joined.
    pub joined_page: Option<u64>,
    /// The request's identifiers, sealed with its case key.
    pub details: Sealed,
}

/// Adds operations.
///
/// # Errors
/// If the database fails.
pub async fn insert(connection: &mut Connection, operations: &[Operation]) -> Result<(), StoreError> {
    let mut rows = Batch::default();
    for operation in operations {
        rows.row()
            .text(operation.id)
            .text(operation.connection)
            .text(operation.kind)
            .text(operation.status)
            .time(operation.created_at);
    }
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!(
            "INSERT INTO operations (id, connection_id, kind, status, pass, page, created_at)
             SELECT value->>0, value->>1, value->>2, value->>3, 0, 0, CAST(value->>4 AS BIGINT) FROM {batch}"
        ))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// Writes back status, position and counters of operations that this unit holds.
///
/// # Errors
/// If the database fails.
pub async fn save<'o>(
    connection: &mut Connection,
    operations: impl IntoIterator<Item = &'o Operation>,
) -> Result<(), StoreError> {
    let mut rows = Batch::default();
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    for operation in operations {
        rows.row()
            .text(operation.id)
            .text(operation.status)
            .optional_text(operation.position.as_ref())
            .integer(number(operation.pass))
            .integer(number(operation.page))
            .time(operation.finished_at);
    }
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!(
            "UPDATE operations SET status = value->>1, position = value->>2, pass = CAST(value->>3 AS BIGINT),
                 page = CAST(value->>4 AS BIGINT), finished_at = CAST(value->>5 AS BIGINT)
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

/// Operations by their ids, locked until the unit ends.
///
/// # Errors
/// If the database fails.
pub async fn lock(
    connection: &mut Connection,
    ids: impl IntoIterator<Item = OperationId>,
) -> Result<Vec<Operation>, StoreError> {
    connection
        .sql(sql!(
            "SELECT id, connection_id, kind, status, position, pass, page, created_at, finished_at FROM operations
             WHERE id IN (SELECT value->>0 FROM {batch}) ORDER BY id {for_update}"
        ))
        .batch(&Batch::of(ids))
        .rows()
        .await?
        .iter()
        .map(Operation::read)
        .collect()
}

/// Makes operations serve runs.
///
/// # Errors
/// If the database fails.
pub async fn join(
    connection: &mut Connection,
    members: impl IntoIterator<Item = (OperationId, RunId)>,
) -> Result<(), StoreError> {
    let rows = pairs(members);
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!(
            "INSERT INTO operation_runs (operation_id, run_id) SELECT value->>0, value->>1 FROM {batch} WHERE true
             ON CONFLICT (run_id, operation_id) DO UPDATE SET joined_pass = NULL, joined_page = NULL"
        ))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

fn pairs(members: impl IntoIterator<Item = (OperationId, RunId)>) -> Batch {
    let mut rows = Batch::default();
    for (operation, run) in members {
        rows.row().text(operation).text(run);
    }
    rows
}

/// Takes runs out of the given operations.
///
/// # Errors
/// If the database fails.
pub async fn leave(
    connection: &mut Connection,
    members: impl IntoIterator<Item = (OperationId, RunId)>,
) -> Result<(), StoreError> {
    let rows = pairs(members);
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!(
            "DELETE FROM operation_runs WHERE (operation_id, run_id) IN (SELECT value->>0, value->>1 FROM {batch})"
        ))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// Operations that serve the given runs and are not done: `(operation, kind, status, run)`.
///
/// # Errors
/// If the database fails.
pub async fn serving(
    connection: &mut Connection,
    runs: impl IntoIterator<Item = RunId>,
) -> Result<Vec<(OperationId, OperationKind, OperationStatus, RunId)>, StoreError> {
    connection
        .sql(sql!(
            "SELECT operations.id, operations.kind, operations.status, operation_runs.run_id
             FROM operation_runs JOIN operations ON operations.id = operation_runs.operation_id
             WHERE operation_runs.run_id IN (SELECT value->>0 FROM {batch}) AND operations.status <> 'done'
             ORDER BY operations.id"
        ))
        .batch(&Batch::of(runs))
        .rows()
        .await?
        .iter()
        .map(|row| {
            Ok((
                row.parsed(0, "operations.id")?,
                row.parsed(1, "operations.kind")?,
                row.parsed(2, "operations.status")?,
                row.parsed(3, "operation_runs.run_id")?,
            ))
        })
        .collect()
}

/// Which members of an operation are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those that the pass has not taken up.
    New,
}

/// The runs that operations serve, with their subjects.
///
/// # Errors
/// If the database fails.
pub async fn members(
    connection: &mut Connection,
    operations: impl IntoIterator<Item = OperationId>,
    which: Which,
) -> Result<Vec<Member>, StoreError> {
    connection
        .sql(sql!(
            "SELECT operation_runs.operation_id, operation_runs.run_id, runs.request_id, operation_runs.joined_pass,
                    operation_runs.joined_page, requests.details
             FROM operation_runs
             JOIN runs ON runs.id = operation_runs.run_id
             JOIN requests ON requests.id = runs.request_id
             WHERE operation_runs.operation_id IN (SELECT value->>0 FROM {batch})
               AND ($2 = 0 OR operation_runs.joined_pass IS NULL)
             ORDER BY operation_runs.operation_id, operation_runs.run_id"
        ))
        .batch(&Batch::of(operations))
        .integer(i64::from(which == Which::New))
        .rows()
        .await?
        .iter()
        .map(|row| {
            let count = |at| {
                row.optional_integer(at)?
                    .map(|count| u64::try_from(count).map_err(|_| StoreError::Corrupt("operation_runs")))
                    .transpose()
            };
            Ok(Member {
                operation: row.parsed(0, "operation_runs.operation_id")?,
                run: row.parsed(1, "operation_runs.run_id")?,
                request: row.parsed(2, "runs.request_id")?,
                joined_pass: count(3)?,
                joined_page: count(4)?,
                details: Sealed::from_stored(row.bytes(5)?),
            })
        })
        .collect()
}

/// Notes where a pass took up the members that it had not yet.
///
/// # Errors
/// If the database fails.
pub async fn take_up(
    connection: &mut Connection,
    operation: OperationId,
    pass: u64,
    page: u64,
) -> Result<(), StoreError> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    connection
        .sql(sql!(
            "UPDATE operation_runs SET joined_pass = $2, joined_page = $3
             WHERE operation_id = $1 AND joined_pass IS NULL"
        ))
        .text(operation)
        .integer(number(pass))
        .integer(number(page))
        .execute()
        .await?;
    Ok(())
}

/// The runs that an operation serves.
///
/// # Errors
/// If the database fails.
pub async fn waiting(
    connection: &mut Connection,
    operation: OperationId,
) -> Result<std::collections::HashSet<RunId>, StoreError> {
    connection
        .sql(sql!("SELECT run_id FROM operation_runs WHERE operation_id = $1"))
        .text(operation)
        .rows()
        .await?
        .iter()
        .map(|row| row.parsed(0, "operation_runs.run_id"))
        .collect()
}
