//! When the machine's clock jumps.

use habeas_domain::Actor;
use habeas_store::audit::Stream;
use habeas_store::{due_work, pace, workers};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::Casework;
use crate::error::CaseworkError;

impl Casework {
    /// The clock that counts jumped by `by` at `before`: what waits a moment still waits a moment, leases last as long as they
    /// did, and permits are not given twice. The log says so, because legal dates are judged by that clock.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn clock_jumped(&self, before: Timestamp, by: SignedDuration) -> Result<(), CaseworkError> {
        // In a shared database everything is judged by its own clock: only this process was wrong.
        if !self.store.is_own() {
            return Ok(());
        }
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    due_work::shift(unit.connection(), before, by).await?;
                    pace::shift(unit.connection(), by).await?;
                    let data = json!({"milliseconds": by});
                    unit.record(Stream::System, &Actor::system(), "clock.jumped", "clock", data);
                    Ok(())
                })
            })
            .await
    }

    /// Makes sure that what a former process of this database held or had waiting is not kept longer than it would have
    /// been, also if the clock was set back since.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn take_over_from_former_process(&self, lease_milliseconds: i64) -> Result<(), CaseworkError> {
        if !self.store.is_own() {
            return Ok(());
        }
        let now = self.store.environment().now();
        let last = workers::last_sign(&mut self.store.reader().await?).await?;
        if let Some(last) = last.filter(|last| *last > now) {
            self.clock_jumped(last, now.duration_since(last)).await?;
        }
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    Ok(due_work::bound_leases(unit.connection(), now, lease_milliseconds).await?)
                })
            })
            .await
    }
}
