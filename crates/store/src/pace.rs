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

impl Spacing {
    /// How calls are spread so that `share` of `per_minute` is used up, and never more than `per_minute` in any 60 seconds.
    ///
    /// Calls in the long run, a call at the window's edge, the burst, and one that arrives late from the minute before have
    /// to fit together. A share of 1 or more asks for breaking the limit and gets that: only an operator who calls a
    /// simulated vendor can set it.
    #[must_use]
    pub fn within(per_minute: u32, share: f64) -> Self {
        let limit = f64::from(per_minute);
        let budget = (limit * share).floor().max(1.0);
        // A burst makes up for a pause between two calls, which would otherwise be lost.
        let burst = (budget / 40.0).max((budget / 10.0).min(2.0)).floor();
        let (rate, burst) = if share < 1.0 {
            let rate = budget.min(limit - 2.0).max(1.0);
            (rate, burst.min(limit - 2.0 - rate).max(0.0))
        } else {
            (budget, burst)
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most a minute in microseconds, and a small count"
        )]
        Self { interval: (60_000_000.0 / rate).ceil() as i64, burst: burst as i64 }
    }
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

/// Moves every permit with a clock that jumped by `by` milliseconds.
///
/// # Errors
/// If the database fails.
pub async fn shift(connection: &mut Connection, by: i64) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "UPDATE pace SET next_slot = next_slot + $1,
                 blocked_until = CASE WHEN blocked_until > 0 THEN blocked_until + $1 ELSE 0 END"
        ))
        .integer(by.saturating_mul(1_000))
        .execute()
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_exceeds_the_limit_and_the_budget_is_used() {
        for per_minute in [10, 30, 60, 200, 600, 3_000, 100_000] {
            for share in [0.5, 0.8, 0.95] {
                let Spacing { interval, burst } = Spacing::within(per_minute, share);
                // Calls at 0, i, 2i ... within one window, both edges included, those that had been saved up, and one
                // that was on its way for long.
                let most = 60_000_000 / interval + 1 + burst + 1;
                assert!(most <= i64::from(per_minute), "{per_minute} x {share}: {most}");
                #[expect(clippy::cast_precision_loss, reason = "small counts")]
                let steady = 60_000_000.0 / interval as f64;
                let budget = (f64::from(per_minute) * share).floor().min(f64::from(per_minute) - 2.0);
                assert!(steady >= budget * 0.999, "{per_minute} x {share}: {steady} of {budget}");
            }
        }
    }

    #[test]
    fn a_simulated_vendor_may_be_called_more_often() {
        let Spacing { interval, burst } = Spacing::within(30, 10_000.0);
        assert_eq!((interval, burst), (200, 7_500));
    }
}
