//! The leases that this process holds, judged by a clock that never jumps.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use habeas_domain::DueWorkId;
use habeas_environment::Clock;
use habeas_store::due_work::{Lease, Renewal};

/// How long one lease still lasts.
#[derive(Debug)]
pub(crate) struct HeldLease {
    clock: Arc<dyn Clock>,
    /// Monotonic milliseconds; 0 once lost.
    until: AtomicU64,
}

impl HeldLease {
    pub(crate) fn new(clock: &Arc<dyn Clock>, asked_at: Duration, length: Duration) -> Self {
        let held = Self { clock: Arc::clone(clock), until: AtomicU64::new(0) };
        held.renew(asked_at, length);
        held
    }

    /// Counts from before the lease was asked for, so that the shared row never ends earlier than we believe.
    pub(crate) fn renew(&self, asked_at: Duration, length: Duration) {
        self.until.store(milliseconds(asked_at + length), Ordering::SeqCst);
    }

    fn lose(&self) {
        self.until.store(0, Ordering::SeqCst);
    }

    /// How long it still lasts; nothing once it is lost.
    pub(crate) fn left(&self) -> Duration {
        Duration::from_millis(self.until.load(Ordering::SeqCst)).saturating_sub(self.clock.monotonic())
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Every lease held by this process.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    held: Mutex<HashMap<DueWorkId, (i64, Arc<HeldLease>)>>,
}

impl Leases {
    pub(crate) fn hold(
        &self,
        lease: &Lease,
        clock: &Arc<dyn Clock>,
        asked_at: Duration,
        length: Duration,
    ) -> Arc<HeldLease> {
        let held = Arc::new(HeldLease::new(clock, asked_at, length));
        self.lock().insert(lease.id, (lease.fence, Arc::clone(&held)));
        held
    }

    pub(crate) fn let_go(&self, id: DueWorkId) {
        self.lock().remove(&id);
    }

    pub(crate) fn all(&self) -> Vec<(DueWorkId, i64)> {
        self.lock().iter().map(|(id, (fence, _))| (*id, *fence)).collect()
    }

    /// Takes note of a renewal: what was asked for and is held no more belongs to somebody else now; what is held and was
    /// not extended lasts as long as it did.
    pub(crate) fn renewed(
        &self,
        asked: &[(DueWorkId, i64)],
        renewal: &Renewal,
        asked_at: Duration,
        length: Duration,
    ) {
        let held = self.lock();
        for (id, fence) in asked {
            match held.get(id) {
                Some((ours, lease)) if ours == fence => {
                    if renewal.renewed.contains(id) {
                        lease.renew(asked_at, length)
                    } else if !renewal.held.contains(id) {
                        lease.lose()
                    }
                }
                _ => {}
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<DueWorkId, (i64, Arc<HeldLease>)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use habeas_environment::TestClock;

    #[test]
    fn a_lease_runs_out_and_a_lost_one_is_over_at_once() {
        let test_clock = TestClock::at("2026-03-01T00:00:00Z");
        let clock: Arc<dyn Clock> = Arc::new(test_clock.clone());
        let held = HeldLease::new(&clock, clock.monotonic(), Duration::from_secs(10));
        assert_eq!(held.left(), Duration::from_secs(10));
        test_clock.advance(Duration::from_secs(4));
        assert_eq!(held.left(), Duration::from_secs(6));
        test_clock.advance(Duration::from_secs(7));
        assert_eq!(held.left(), Duration::ZERO);
        held.renew(clock.monotonic(), Duration::from_secs(10));
        held.lose();
        assert_eq!(held.left(), Duration::ZERO);
    }
}
