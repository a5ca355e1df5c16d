//! The processes that carry out work. A row is a sign of life and nothing else: work is held by leases.

use std::collections::BTreeMap;

use habeas_domain::WorkerId;
use jiff::Timestamp;

use crate::connection::Connection;
use crate::dialect::sql;
use crate::error::StoreError;

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Which; new at each start.
    pub id: WorkerId,
    /// What people call it. Two may have the same name.
    pub name: String,
    /// Version of its program.
    pub version: String,
    /// How much it works on at once; 0 = nothing.
    pub places: u64,
    /// Whether it finishes what it has and takes nothing new.
    pub stopping: bool,
    /// What it has under way, by lane.
    pub under_way: BTreeMap<String, u64>,
    /// What it has carried out since it started.
    pub done: u64,
    /// When it started.
    pub started_at: Timestamp,
    /// Its last sign of life.
    pub seen_at: Timestamp,
}

/// How a process stands among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Processes that carry out work, itself included.
    pub working: u64,
    /// Whether it is the one that does what only one needs to do: the oldest of those that are alive.
    pub leads: bool,
    /// Others that are alive and have the same name.
    pub namesakes: u64,
}

/// Gives a sign of life; how the process stands among those that gave one within `silence` milliseconds.
///
/// # Errors
/// If the database fails.
pub async fn beat(
    connection: &mut Connection,
    worker: &Worker,
    now: Option<i64>,
    silence: i64,
) -> Result<Standing, StoreError> {
    let under_way = serde_json::to_string(&worker.under_way).map_err(|_| StoreError::Corrupt("workers"))?;
    connection
        .sql(sql!(
            "INSERT INTO workers (id, name, version, places, state, under_way, done, started_at, seen_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CAST(coalesce($9, {database_time}) AS BIGINT))
             ON CONFLICT (id) DO UPDATE SET
                 state = excluded.state, under_way = excluded.under_way, done = excluded.done,
                 seen_at = excluded.seen_at"
        ))
        .text(worker.id)
        .text(&worker.name)
        .text(&worker.version)
        .integer(count(worker.places))
        .text(if worker.stopping { "stopping" } else { "working" })
        .text(under_way)
        .integer(count(worker.done))
        .time(worker.started_at)
        .integer(now)
        .execute()
        .await?;
    let row = connection
        .sql(sql!(
            "SELECT CAST(coalesce(sum(CASE WHEN places > 0 AND state = 'working' THEN 1 ELSE 0 END), 0) AS BIGINT),
                    min(id), CAST(coalesce(sum(CASE WHEN name = $3 AND id <> $4 THEN 1 ELSE 0 END), 0) AS BIGINT)
             FROM workers WHERE seen_at > CAST(coalesce($1, {database_time}) AS BIGINT) - $2"
        ))
        .integer(now)
        .integer(silence)
        .text(&worker.name)
        .text(worker.id)
        .first()
        .await?
        .ok_or(StoreError::Corrupt("workers"))?;
    Ok(Standing {
        working: row.count(0)?,
        leads: row.optional_text(1)?.is_none_or(|oldest| oldest == worker.id.to_string()),
        namesakes: row.count(2)?,
    })
}

/// The latest sign of life that any process gave.
///
/// # Errors
/// If the database fails.
pub async fn last_sign(connection: &mut Connection) -> Result<Option<Timestamp>, StoreError> {
    let row = connection.sql(sql!("SELECT max(seen_at) FROM workers")).first().await?;
    row.map_or(Ok(None), |row| row.optional_time(0))
}

/// Takes a process off the list: it has finished.
///
/// # Errors
/// If the database fails.
pub async fn leave(connection: &mut Connection, id: WorkerId) -> Result<(), StoreError> {
    connection.sql(sql!("DELETE FROM workers WHERE id = $1")).text(id).execute().await?;
    Ok(())
}

/// Forgets processes that gave no sign of life for `silence` milliseconds.
///
/// # Errors
/// If the database fails.
pub async fn forget(connection: &mut Connection, now: Option<i64>, silence: i64) -> Result<(), StoreError> {
    connection
        .sql(sql!("DELETE FROM workers WHERE seen_at < CAST(coalesce($1, {database_time}) AS BIGINT) - $2"))
        .integer(now)
        .integer(silence)
        .execute()
        .await?;
    Ok(())
}

/// Every process with how long its last sign of life is ago, in milliseconds; the oldest first.
///
/// # Errors
/// If the database fails.
pub async fn list(connection: &mut Connection, now: Option<i64>) -> Result<Vec<(Worker, u64)>, StoreError> {
    let rows = connection
        .sql(sql!(
            "SELECT id, name, version, places, state, under_way, done, started_at, seen_at,
                    CAST(coalesce($1, {database_time}) AS BIGINT) - seen_at
             FROM workers ORDER BY id"
        ))
        .integer(now)
        .rows()
        .await?;
    rows.iter()
        .map(|row| {
            let under_way = serde_json::from_str(&row.text(5)?);
            let worker = Worker {
                id: row.parsed(0, "workers.id")?,
                name: row.text(1)?,
                version: row.text(2)?,
                places: row.count(3)?,
                stopping: row.text(4)? == "stopping",
                under_way: under_way.map_err(|_| StoreError::Corrupt("workers.under_way"))?,
                done: row.count(6)?,
                started_at: row.time(7)?,
                seen_at: row.time(8)?,
            };
            Ok((worker, u64::try_from(row.integer(9)?).unwrap_or(0)))
        })
        .collect()
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
