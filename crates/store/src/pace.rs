//! Permits to call a vendor, shared by every worker.
//!
//! One row per account and endpoint class says when the next call may be made; taking permits moves it on. Times
//! are epoch microseconds, so that fast limits keep their precision.

use crate::connection::Connection;
use crate::dialect::sql;
use crate::error::StoreError;

/// How calls are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spacing {
    /// Microseconds between two calls in the long run.
    pub interval: i64,
    /// Calls that may be made at once after a quiet time, beyond the first.
    pub burst: i64,
}

/// What asking for permits gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permitted {
    /// The first of the calls may be made after `wait` microseconds (0 or less: now), the others an interval apart.
    From {
        /// Microseconds from now.
        wait: i64,
    },
    /// Not all within the horizon; they will be after `wait` microseconds, if nobody else takes them.
    NotBefore {
        /// Microseconds from now.
        wait: i64,
    },
}

/// Takes `count` permits if the last of them is due within `horizon` microseconds.
///
/// # Errors
/// If the database fails.
pub async fn take(
    connection: &mut Connection,
    (account, class): (&str, &str),
    now: Option<i64>,
    spacing: Spacing,
    count: i64,
    horizon: i64,
) -> Result<Permitted, StoreError> {
    let Spacing { interval, burst } = spacing;
    let taken = connection
        .sql(sql!(
            "INSERT INTO pace (account, class, next_slot, blocked_until)
             VALUES ($1, $2, CAST(coalesce($3, {database_time}) AS BIGINT) * 1000 - $4 + $5, 0)
             ON CONFLICT (account, class) DO UPDATE SET next_slot =
                 {greatest}(pace.next_slot, pace.blocked_until,
                            CAST(coalesce($3, {database_time}) AS BIGINT) * 1000 - $4) + $5
             WHERE {greatest}(pace.next_slot, pace.blocked_until) + $5 - $6
                   <= CAST(coalesce($3, {database_time}) AS BIGINT) * 1000 + $7
             RETURNING next_slot - $5 - CAST(coalesce($3, {database_time}) AS BIGINT) * 1000"
        ))
        .text(account)
        .text(class)
        .integer(now)
        .integer(burst * interval)
        .integer(count * interval)
        .integer(interval)
        .integer(horizon)
        .first()
        .await?;
    if let Some(row) = taken {
        return Ok(Permitted::From { wait: row.integer(0)? });
    }
    let row = connection
        .sql(sql!(
            "SELECT {greatest}(next_slot, blocked_until) + $4 - CAST(coalesce($3, {database_time}) AS BIGINT) * 1000
             FROM pace WHERE account = $1 AND class = $2"
        ))
        .text(account)
        .text(class)
        .integer(now)
        .integer((count - 1) * interval - horizon)
        .first()
        .await?;
    Ok(Permitted::NotBefore { wait: row.map_or(Ok(0), |row| row.integer(0))? })
}

/// Stops every worker for `wait` microseconds: the vendor said that we call too often.
///
/// # Errors
/// If the database fails.
pub async fn push_back(
    connection: &mut Connection,
    (account, class): (&str, &str),
    now: Option<i64>,
    wait: i64,
) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "INSERT INTO pace (account, class, next_slot, blocked_until)
             VALUES ($1, $2, 0, CAST(coalesce($3, {database_time}) AS BIGINT) * 1000 + $4)
             ON CONFLICT (account, class) DO UPDATE SET
                 blocked_until = {greatest}(pace.blocked_until, excluded.blocked_until)"
        ))
        .text(account)
        .text(class)
        .integer(now)
        .integer(wait)
        .execute()
        .await?;
    Ok(())
}
