//! The sandbox's own time: the only place in this crate that asks the machine what time it is, or waits.
//!
//! One number serves both as a timestamp and for measuring spans: the epoch time at start plus what a
//! monotonic clock has counted since, plus whatever a test has skipped. It therefore never runs backwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// A clock that runs with real time and can be pushed forward; clones share the same time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    epoch_ms: u64,
    started: Instant,
    skipped_ms: AtomicU64,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the sandbox is a vendor's machine: it has its own clock")]
    pub(crate) fn start() -> Self {
        let epoch_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, whole_ms);
        Self(Arc::new(Inner { epoch_ms, started: Instant::now(), skipped_ms: AtomicU64::new(0) }))
    }

    /// Milliseconds since the epoch, by this clock.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        let skipped = self.0.skipped_ms.load(Ordering::Relaxed);
        self.0.epoch_ms.saturating_add(whole_ms(self.0.started.elapsed())).saturating_add(skipped)
    }

    /// Moves the clock forward: rate limit windows pass and tokens expire without anyone waiting.
    ///
    /// Delays put in by a `latency` fault are real time and are not shortened.
    pub fn advance(&self, by: Duration) {
        self.0.skipped_ms.fetch_add(whole_ms(by), Ordering::Relaxed);
    }
}

/// Waits in real time; the `latency` fault and nothing else is built on it.
#[expect(clippy::disallowed_methods, reason = "a slow vendor is simulated by really waiting")]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds since the epoch as a time.
pub(crate) fn timestamp(ms: u64) -> Timestamp {
    i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_moves_every_clone() {
        let clock = Clock::start();
        let other = clock.clone();
        let before = other.now_ms();
        clock.advance(Duration::from_secs(61));
        assert!(other.now_ms() >= before + 61_000);
    }
}
