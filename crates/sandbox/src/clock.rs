//! The sandbox's own time: the only place in this crate that asks the machine what time it is, or waits.
//!
//! One number serves both as a timestamp and for measuring spans: the epoch time at start plus what a
//! monotonic clock has counted since, plus whatever a test has skipped. It therefore never runs backwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use tokio::sync::watch;

/// A clock that runs with real time and can be pushed forward; clones share the same time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    epoch_ms: u64,
    started: Instant,
    skipped_ms: AtomicU64,
    /// Tells those who wait that the clock was moved.
    moved: watch::Sender<()>,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the sandbox is a vendor's machine: it has its own clock")]
    pub(crate) fn start() -> Self {
        let epoch_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, whole_ms);
        let (started, skipped_ms) = (Instant::now(), AtomicU64::new(0));
        Self(Arc::new(Inner { epoch_ms, started, skipped_ms, moved: watch::Sender::new(()) }))
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
        self.0.moved.send_replace(());
    }

    /// Waits until the clock shows this time. Moving it forward shortens the wait.
    pub(crate) async fn reach(&self, ms: u64) {
        let mut moves = self.0.moved.subscribe();
        loop {
            let left = ms.saturating_sub(self.now_ms());
            if left == 0 {
                return;
            }
            tokio::select! {
                () = pause(Duration::from_millis(left)) => {}
                _ = moves.changed() => {}
            }
        }
    }
}

/// Waits in real time: for the `latency` fault, for a socket that cannot accept, and for the clock to go on.
#[expect(clippy::disallowed_methods, reason = "a vendor takes its time by really waiting")]
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

    #[tokio::test]
    async fn whoever_waits_notices_that_the_clock_was_moved() {
        let clock = Clock::start();
        let later = clock.now_ms() + 3_600_000;
        let waiter = tokio::spawn({
            let clock = clock.clone();
            async move { clock.reach(later).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(1800));
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished(), "half of the way is not enough");
        clock.advance(Duration::from_secs(1800));
        waiter.await.unwrap();
        assert!(clock.now_ms() >= later);
    }
}
