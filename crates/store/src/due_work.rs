//! Work that is due at a time: the one mechanism for operations, checks, mails, packages and waiting for people.
//!
//! A worker claims rows under a lease and a fence. Whatever it writes later names the fence, so a worker that lost its
//! lease changes nothing. Waiting is a row with `next_at`.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use habeas_domain::DueWorkId;
use jiff::Timestamp;

use crate::connection::{Batch, Connection, Row};
use crate::dialect::sql;
use crate::error::StoreError;

/// What a row of due work is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DueWorkKind {
    /// An operation at a vendor.
    Operation,
    /// A connection's check.
    Check,
    /// A reminder to a contact, or the end of the time that it had.
    Contact,
    /// A mail that is to leave.
    Mail,
    /// A reminder of a link, or its end.
    Link,
    /// A package that is too large to be built at once.
    Package,
}

impl DueWorkKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Check => "check",
            Self::Contact => "contact",
            Self::Mail => "mail",
            Self::Link => "link",
            Self::Package => "package",
        }
    }
}

impl std::str::FromStr for DueWorkKind {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        match text {
            "operation" => Ok(Self::Operation),
            "check" => Ok(Self::Check),
            "contact" => Ok(Self::Contact),
            "mail" => Ok(Self::Mail),
            "link" => Ok(Self::Link),
            "package" => Ok(Self::Package),
            _ => Err(StoreError::Corrupt("due_work.kind")),
        }
    }
}

/// New due work.
#[derive(Clone, Debug)]
pub struct NewDueWork {
    /// Its id.
    pub id: DueWorkId,
    /// What it is about.
    pub kind: DueWorkKind,
    /// Which one; there is at most one row per object.
    pub object: String,
    /// Lanes get equal turns: a connection's operations share one.
    pub lane: String,
    /// The legal due date behind it: the nearest comes first in its lane.
    pub due_at: Timestamp,
    /// Not before.
    pub next_at: Timestamp,
}

/// A claimed row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The row.
    pub id: DueWorkId,
    /// What it is about.
    pub kind: DueWorkKind,
    /// Which one.
    pub object: String,
    /// What every later write must name.
    pub fence: i64,
    /// Failed attempts before this one.
    pub attempts: i64,
    /// The legal due date behind it.
    pub due_at: Timestamp,
}

impl Lease {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed(0, "due_work.id")?,
            kind: row.parsed(1, "due_work.kind")?,
            object: row.text(2)?,
            fence: row.integer(3)?,
            attempts: row.integer(4)?,
            due_at: row.time(5)?,
        })
    }
}

/// Adds due work; an object that has a row already, or is named twice, keeps one row and its earlier times.
///
/// # Errors
/// If the database fails.
pub async fn insert(connection: &mut Connection, work: &[NewDueWork]) -> Result<(), StoreError> {
    // PostgreSQL refuses to change one row twice in a statement; in the order of objects, two units that add the same
    // ones cannot wait for each other.
    let mut objects: BTreeMap<&str, (&NewDueWork, Timestamp, Timestamp)> = BTreeMap::new();
    for one in work {
        let (_, due_at, next_at) = objects.entry(&one.object).or_insert((one, one.due_at, one.next_at));
        *due_at = one.due_at.min(*due_at);
        *next_at = one.next_at.min(*next_at);
    }
    let mut rows = Batch::default();
    for (one, due_at, next_at) in objects.into_values() {
        rows.row()
            .text(one.id)
            .text(one.kind.as_str())
            .text(&one.object)
            .text(&one.lane)
            .time(due_at)
            .time(next_at);
    }
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!(
            "INSERT INTO due_work (id, kind, object_id, lane, due_at, next_at, lease_until, fence, attempts, waits)
             SELECT value->>0, value->>1, value->>2, value->>3, CAST(value->>4 AS BIGINT),
                    CAST(value->>5 AS BIGINT), 0, 0, 0,
                    CASE WHEN CAST(value->>5 AS BIGINT) > {database_time} THEN 1 ELSE 0 END
             FROM {batch} WHERE true
             ON CONFLICT (object_id) DO UPDATE SET
                 due_at = CASE WHEN excluded.due_at < due_work.due_at THEN excluded.due_at ELSE due_work.due_at END,
                 waits = CASE WHEN excluded.next_at < due_work.next_at THEN excluded.waits ELSE due_work.waits END,
                 next_at = CASE WHEN excluded.next_at < due_work.next_at THEN excluded.next_at ELSE due_work.next_at END"
        ))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// The lanes in which there may be something to do at `now`. A loose index walk: it costs a step per lane, not per row.
///
/// # Errors
/// If the database fails.
pub async fn lanes(connection: &mut Connection, now: Option<i64>) -> Result<Vec<String>, StoreError> {
    let ready = connection
        .sql(sql!(
            "WITH RECURSIVE lanes(lane) AS (
                 SELECT min(lane) FROM due_work WHERE waits = 0
                 UNION ALL
                 SELECT (SELECT min(due_work.lane) FROM due_work WHERE due_work.waits = 0 AND due_work.lane > lanes.lane)
                 FROM lanes WHERE lanes.lane IS NOT NULL
             )
             SELECT lane FROM lanes WHERE lane IS NOT NULL"
        ))
        .rows()
        .await?;
    let woken = connection
        .sql(sql!(
            "SELECT lane FROM due_work
             WHERE waits = 1 AND next_at <= CAST(coalesce($1, {database_time}) AS BIGINT)
             ORDER BY next_at LIMIT 100"
        ))
        .integer(now)
        .rows()
        .await?;
    let lanes: BTreeSet<String> =
        ready.iter().chain(&woken).map(|row| row.text(0)).collect::<Result<_, _>>()?;
    Ok(lanes.into_iter().collect())
}

/// Claims up to `limit` rows of a lane that are due and free, nearest legal due date first.
///
/// # Errors
/// If the database fails.
pub async fn claim(
    connection: &mut Connection,
    lane: &str,
    now: Option<i64>,
    lease_milliseconds: i64,
    limit: i64,
) -> Result<Vec<Lease>, StoreError> {
    // What has become due since. More of it than one claim could take is left for the next one.
    connection
        .sql(sql!(
            "UPDATE due_work SET waits = 0
             WHERE id IN (SELECT id FROM due_work
                          WHERE waits = 1 AND lane = $1 AND next_at <= CAST(coalesce($2, {database_time}) AS BIGINT)
                          ORDER BY next_at LIMIT 1000 {skip_locked})"
        ))
        .text(lane)
        .integer(now)
        .execute()
        .await?;
    // Materialised, because a planner may run a plain subquery again and again, and would then skip what it has locked
    // itself and claim more than the limit.
    let mut claimed = connection
        .sql(sql!(
            "WITH claimable AS MATERIALIZED (
                 SELECT id FROM due_work
                 WHERE waits = 0 AND lane = $1 AND next_at <= CAST(coalesce($2, {database_time}) AS BIGINT)
                   AND lease_until <= CAST(coalesce($2, {database_time}) AS BIGINT)
                 ORDER BY due_at, id LIMIT $4 {skip_locked})
             UPDATE due_work SET lease_until = CAST(coalesce($2, {database_time}) AS BIGINT) + $3, fence = fence + 1
             WHERE id IN (SELECT id FROM claimable)
             RETURNING id, kind, object_id, fence, attempts, due_at"
        ))
        .text(lane)
        .integer(now)
        .integer(lease_milliseconds)
        .integer(limit)
        .rows()
        .await?
        .iter()
        .map(Lease::read)
        .collect::<Result<Vec<_>, StoreError>>()?;
    // Neither database returns changed rows in any order.
    claimed.sort_by_key(|lease| (lease.due_at, lease.id));
    Ok(claimed)
}

/// Extends a lease; whether it is still held. One for each call and unit: a unit that held one row and waited for
/// another could wait for one that settles the other and plans a look at the first.
///
/// # Errors
/// If the database fails.
pub async fn extend(
    connection: &mut Connection,
    (id, fence): (DueWorkId, i64),
    now: Option<i64>,
    lease_milliseconds: i64,
) -> Result<bool, StoreError> {
    let extended = connection
        .sql(sql!(
            "UPDATE due_work SET lease_until = CAST(coalesce($3, {database_time}) AS BIGINT) + $4
             WHERE id = $1 AND fence = $2"
        ))
        .text(id)
        .integer(fence)
        .integer(now)
        .integer(lease_milliseconds)
        .execute()
        .await?;
    Ok(extended == 1)
}

/// Extends leases that are held for longer work: the rows that still carry their fences, and those of them that were
/// extended. A row that another unit holds at this moment is left for the next time: waiting for it while holding others
/// could be waiting for each other.
///
/// # Errors
/// If the database fails.
pub async fn renew(
    connection: &mut Connection,
    leases: impl IntoIterator<Item = (DueWorkId, i64)>,
    now: Option<i64>,
    lease_milliseconds: i64,
) -> Result<Renewal, StoreError> {
    let rows = fenced(leases);
    if rows.is_empty() {
        return Ok(Renewal::default());
    }
    let held = connection
        .sql(sql!(
            "SELECT id FROM due_work
             WHERE (id, fence) IN (SELECT value->>0, CAST(value->>1 AS BIGINT) FROM {batch})"
        ))
        .batch(&rows)
        .rows()
        .await?
        .iter()
        .map(|row| row.parsed(0, "due_work.id"))
        .collect::<Result<_, _>>()?;
    let renewed = connection
        .sql(sql!(
            "UPDATE due_work SET lease_until = CAST(coalesce($2, {database_time}) AS BIGINT) + $3
             WHERE id IN (
                 SELECT id FROM due_work
                 WHERE (id, fence) IN (SELECT value->>0, CAST(value->>1 AS BIGINT) FROM {batch})
                 ORDER BY id {skip_locked})
             RETURNING id"
        ))
        .batch(&rows)
        .integer(now)
        .integer(lease_milliseconds)
        .rows()
        .await?
        .iter()
        .map(|row| row.parsed(0, "due_work.id"))
        .collect::<Result<_, _>>()?;
    Ok(Renewal { held, renewed })
}

/// What became of leases that were to be extended.
#[derive(Clone, Debug, Default)]
pub struct Renewal {
    /// Still held; what is missing belongs to somebody else, or is over.
    pub held: HashSet<DueWorkId>,
    /// Extended.
    pub renewed: HashSet<DueWorkId>,
}

fn fenced(leases: impl IntoIterator<Item = (DueWorkId, i64)>) -> Batch {
    let mut rows = Batch::default();
    for (id, fence) in leases {
        rows.row().text(id).integer(fence);
    }
    rows
}

/// Removes rows whose work is over; those that were still held.
///
/// # Errors
/// If the database fails.
pub async fn finish(
    connection: &mut Connection,
    leases: impl IntoIterator<Item = (DueWorkId, i64)>,
) -> Result<Vec<DueWorkId>, StoreError> {
    let rows = fenced(leases);
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    connection
        .sql(sql!(
            "DELETE FROM due_work WHERE (id, fence) IN (SELECT value->>0, CAST(value->>1 AS BIGINT) FROM {batch})
             RETURNING id"
        ))
        .batch(&rows)
        .rows()
        .await?
        .iter()
        .map(|row| row.parsed(0, "due_work.id"))
        .collect()
}

/// A lease given back until a later time.
#[derive(Clone, Copy, Debug)]
pub struct Postponement {
    /// The row.
    pub id: DueWorkId,
    /// The fence it was claimed with.
    pub fence: i64,
    /// Not before.
    pub next_at: Timestamp,
    /// Failed attempts so far.
    pub attempts: i64,
}

/// Gives leases back until a later time; the rows that were still held.
///
/// # Errors
/// If the database fails.
pub async fn postpone(
    connection: &mut Connection,
    postponements: impl IntoIterator<Item = Postponement>,
) -> Result<Vec<DueWorkId>, StoreError> {
    let mut rows = Batch::default();
    for one in postponements {
        rows.row().text(one.id).integer(one.fence).time(one.next_at).integer(one.attempts);
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    connection
        .sql(sql!(
            "UPDATE due_work SET next_at = CAST(value->>2 AS BIGINT), attempts = CAST(value->>3 AS BIGINT),
                 waits = CASE WHEN CAST(value->>2 AS BIGINT) > {database_time} THEN 1 ELSE 0 END, lease_until = 0
             FROM {batch} WHERE due_work.id = value->>0 AND due_work.fence = CAST(value->>1 AS BIGINT)
             RETURNING id"
        ))
        .batch(&rows)
        .rows()
        .await?
        .iter()
        .map(|row| row.parsed(0, "due_work.id"))
        .collect()
}

/// Which of the leases are still held by their fence; the rows stay locked until the unit ends.
///
/// # Errors
/// If the database fails.
pub async fn held(
    connection: &mut Connection,
    leases: impl IntoIterator<Item = (DueWorkId, i64)>,
) -> Result<Vec<DueWorkId>, StoreError> {
    let rows = fenced(leases);
    connection
        .sql(sql!(
            "SELECT id FROM due_work
             WHERE (id, fence) IN (SELECT value->>0, CAST(value->>1 AS BIGINT) FROM {batch}) {for_update}"
        ))
        .batch(&rows)
        .rows()
        .await?
        .iter()
        .map(|row| row.parsed(0, "due_work.id"))
        .collect()
}

/// Takes the work on an object over, whoever holds it: what its holder writes later finds another fence. `None` if there is
/// none. The row stays locked until the unit ends, and has to be finished or postponed in it.
///
/// # Errors
/// If the database fails.
pub async fn take_over(connection: &mut Connection, object: &str) -> Result<Option<Lease>, StoreError> {
    connection
        .sql(sql!(
            "UPDATE due_work SET fence = fence + 1, lease_until = 0 WHERE object_id = $1
             RETURNING id, kind, object_id, fence, attempts, due_at"
        ))
        .text(object)
        .first()
        .await?
        .as_ref()
        .map(Lease::read)
        .transpose()
}

/// Removes the work on objects, whoever holds it: what its holder writes later finds no row.
///
/// # Errors
/// If the database fails.
pub async fn remove<T: ToString>(
    connection: &mut Connection,
    objects: impl IntoIterator<Item = T>,
) -> Result<(), StoreError> {
    let objects = Batch::of(objects);
    if objects.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!("DELETE FROM due_work WHERE object_id IN (SELECT value->>0 FROM {batch})"))
        .batch(&objects)
        .execute()
        .await?;
    Ok(())
}

/// Moves leases and short waits with a clock that jumped by `by` milliseconds; what was due stays due, and dates that people
/// were given stay. For a
/// database that only one process works on: where it is shared, its own clock counts.
///
/// # Errors
/// If the database fails.
pub async fn shift(connection: &mut Connection, before: Timestamp, by: i64) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "UPDATE due_work SET
                 lease_until = CASE WHEN lease_until > 0 THEN lease_until + $2 ELSE 0 END,
                 next_at = CASE WHEN (next_at > $1 OR $2 < 0) AND kind IN ('operation', 'mail', 'package')
                                THEN next_at + $2 ELSE next_at END
             WHERE lease_until > 0 OR ((next_at > $1 OR $2 < 0) AND kind IN ('operation', 'mail', 'package'))"
        ))
        .time(before)
        .integer(by)
        .execute()
        .await?;
    Ok(())
}

/// Bounds the leases that a former process left: none lasts longer than `lease_milliseconds` from now, also if the clock was
/// set back meanwhile. For a database that only one process works on.
///
/// # Errors
/// If the database fails.
pub async fn bound_leases(
    connection: &mut Connection,
    now: Timestamp,
    lease_milliseconds: i64,
) -> Result<(), StoreError> {
    connection
        .sql(sql!("UPDATE due_work SET lease_until = $1 WHERE lease_until > $1"))
        .integer(now.as_millisecond().saturating_add(lease_milliseconds))
        .execute()
        .await?;
    Ok(())
}

/// When the next row of those that wait becomes due after `now`; what is due already is found by claiming.
///
/// # Errors
/// If the database fails.
pub async fn next(connection: &mut Connection, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let row = connection
        .sql(sql!("SELECT next_at FROM due_work WHERE next_at > $1 ORDER BY next_at LIMIT 1"))
        .time(now)
        .first()
        .await?;
    row.map_or(Ok(None), |row| row.optional_time(0))
}

/// When the work on an object is due, if there is any.
///
/// # Errors
/// If the database fails.
pub async fn next_of(
    connection: &mut Connection,
    object: impl ToString,
) -> Result<Option<Timestamp>, StoreError> {
    let row = connection
        .sql(sql!("SELECT next_at FROM due_work WHERE object_id = $1"))
        .text(object)
        .first()
        .await?;
    row.map_or(Ok(None), |row| row.optional_time(0))
}

/// How late the latest due and free row is, in milliseconds.
///
/// # Errors
/// If the database fails.
pub async fn lag(connection: &mut Connection, now: Timestamp) -> Result<u64, StoreError> {
    let row = connection
        .sql(sql!("SELECT min(next_at) FROM due_work WHERE next_at <= $1 AND lease_until <= $1"))
        .time(now)
        .first()
        .await?;
    let oldest = row.map_or(Ok(None), |row| row.optional_integer(0))?;
    Ok(oldest.and_then(|oldest| u64::try_from(now.as_millisecond() - oldest).ok()).unwrap_or(0))
}
