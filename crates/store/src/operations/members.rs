//! Which runs an operation serves.

use std::collections::HashSet;

use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::{OperationId, RequestId, RunId};

use crate::connection::{Batch, Connection, Row};
use crate::dialect::sql;
use crate::error::StoreError;
use crate::keyring::Sealed;

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

/// Moves runs from one operation to another.
///
/// # Errors
/// If the database fails.
pub async fn transfer(
    connection: &mut Connection,
    from: OperationId,
    to: OperationId,
    runs: impl IntoIterator<Item = RunId>,
) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "UPDATE operation_runs SET operation_id = $2, joined_pass = NULL, joined_page = NULL
             WHERE operation_id = $3 AND run_id IN (SELECT value->>0 FROM {batch})"
        ))
        .batch(&Batch::of(runs))
        .text(to)
        .text(from)
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

/// Takes runs out of every operation that is not done: also out of one that a unit under way moves them to, which
/// nobody can name yet.
///
/// # Errors
/// If the database fails.
pub async fn leave_all(
    connection: &mut Connection,
    runs: impl IntoIterator<Item = RunId>,
) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "DELETE FROM operation_runs
             WHERE run_id IN (SELECT value->>0 FROM {batch})
               AND NOT EXISTS (SELECT 1 FROM operations
                               WHERE operations.id = operation_runs.operation_id AND operations.status = 'done')"
        ))
        .batch(&Batch::of(runs))
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
    /// Those that the pass has taken up.
    TakenUp,
}

macro_rules! members_where {
    ($condition:literal) => {
        sql!(concat!(
            "SELECT operation_runs.operation_id, operation_runs.run_id, runs.request_id, operation_runs.joined_pass,
                    operation_runs.joined_page, requests.details
             FROM operation_runs
             JOIN runs ON runs.id = operation_runs.run_id
             JOIN requests ON requests.id = runs.request_id
             WHERE ",
            $condition
        ))
    };
}

impl Member {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let count = |at| {
            row.optional_integer(at)?
                .map(|count| u64::try_from(count).map_err(|_| StoreError::Corrupt("operation_runs")))
                .transpose()
        };
        Ok(Self {
            operation: row.parsed(0, "operation_runs.operation_id")?,
            run: row.parsed(1, "operation_runs.run_id")?,
            request: row.parsed(2, "runs.request_id")?,
            joined_pass: count(3)?,
            joined_page: count(4)?,
            details: Sealed::from_stored(row.bytes(5)?),
        })
    }
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
        .sql(members_where!(
            "operation_runs.operation_id IN (SELECT value->>0 FROM {batch})
               AND ($2 = 0 OR operation_runs.joined_pass IS NOT NULL)
             ORDER BY operation_runs.operation_id, operation_runs.run_id"
        ))
        .batch(&Batch::of(operations))
        .integer(i64::from(which == Which::TakenUp))
        .rows()
        .await?
        .iter()
        .map(Member::read)
        .collect()
}

/// At most so many of the runs that wait for a pass and are not taken up, with their subjects.
///
/// # Errors
/// If the database fails.
pub async fn newcomers(
    connection: &mut Connection,
    operation: OperationId,
    most: usize,
) -> Result<Vec<Member>, StoreError> {
    connection
        .sql(members_where!(
            "operation_runs.operation_id = $1 AND operation_runs.joined_pass IS NULL LIMIT $2"
        ))
        .text(operation)
        .integer(i64::try_from(most).unwrap_or(i64::MAX))
        .rows()
        .await?
        .iter()
        .map(Member::read)
        .collect()
}

/// Notes where a pass took up members.
///
/// # Errors
/// If the database fails.
pub async fn take_up(
    connection: &mut Connection,
    operation: OperationId,
    (pass, page): (u64, u64),
    runs: impl IntoIterator<Item = RunId>,
) -> Result<(), StoreError> {
    let runs = Batch::of(runs);
    if runs.is_empty() {
        return Ok(());
    }
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    connection
        .sql(sql!(
            "UPDATE operation_runs SET joined_pass = $3, joined_page = $4
             WHERE operation_id = $2 AND run_id IN (SELECT value->>0 FROM {batch})"
        ))
        .batch(&runs)
        .text(operation)
        .integer(number(pass))
        .integer(number(page))
        .execute()
        .await?;
    Ok(())
}

/// The runs that a pass has taken up.
///
/// # Errors
/// If the database fails.
pub async fn taken_up(
    connection: &mut Connection,
    operation: OperationId,
) -> Result<HashSet<RunId>, StoreError> {
    connection
        .sql(sql!("SELECT run_id FROM operation_runs WHERE operation_id = $1 AND joined_pass IS NOT NULL"))
        .text(operation)
        .rows()
        .await?
        .iter()
        .map(|row| row.parsed(0, "operation_runs.run_id"))
        .collect()
}

/// Whether an operation serves anybody.
///
/// # Errors
/// If the database fails.
pub async fn serves_anybody(connection: &mut Connection, operation: OperationId) -> Result<bool, StoreError> {
    let row = connection
        .sql(sql!("SELECT run_id FROM operation_runs WHERE operation_id = $1 LIMIT 1"))
        .text(operation)
        .first()
        .await?;
    Ok(row.is_some())
}
