//! Time and randomness as parameters.
//!
//! This is the only crate of the product that may ask the operating system what time it is, wait, or draw
//! random bytes; `clippy.toml` forbids it everywhere else. Tests pass a [`TestClock`] and a
//! [`SeededRandomness`], so that seven days pass in a millisecond and every identifier is repeatable.
#![expect(clippy::disallowed_methods, reason = "this crate is where the forbidden calls live")]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use jiff::Timestamp;
use uuid::Uuid;

/// What time it is, how much time has passed, and how to let time pass.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Wall-clock time in UTC, cut to milliseconds (the precision that is stored).
    fn now(&self) -> Timestamp;
    /// Time since an arbitrary origin that never jumps; leases are judged by it.
    fn monotonic(&self) -> Duration;
    /// Lets `duration` pass. Only for waits inside one piece of leased work; anything longer is a stored
    /// `next_at`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
    /// Whether this clock is the machine's. A database shared by several machines prefers its own time then.
    fn is_system(&self) -> bool {
        false
    }
}

/// Where unpredictable bytes come from.
pub trait Randomness: fmt::Debug + Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        truncated(Timestamp::now().as_millisecond())
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn is_system(&self) -> bool {
        true
    }
}

/// The operating system's random number generator.
#[derive(Debug, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness no key may be made; there is no way to go on.
        #[expect(clippy::expect_used, reason = "a system without randomness cannot keep secrets")]
        aws_lc_rs::rand::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// A clock that moves only when a test says so; a sleeper moves it to the end of its sleep.
#[derive(Clone, Debug)]
pub struct TestClock {
    milliseconds: Arc<AtomicU64>,
}

impl TestClock {
    /// A clock that stands at `start` (RFC 3339, after 1970).
    ///
    /// # Panics
    /// If `start` is not a timestamp: the test is wrong.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test double: a wrong start is a wrong test")]
    pub fn at(start: &str) -> Self {
        let start: Timestamp = start.parse().expect("an RFC 3339 timestamp");
        let milliseconds = u64::try_from(start.as_millisecond()).expect("a time after 1970");
        Self { milliseconds: Arc::new(AtomicU64::new(milliseconds)) }
    }

    /// Lets `duration` pass.
    pub fn advance(&self, duration: Duration) {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.milliseconds.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// Moves to `moment` unless it is already later.
    pub fn advance_to(&self, moment: Timestamp) {
        let milliseconds = u64::try_from(moment.as_millisecond()).unwrap_or(0);
        self.milliseconds.fetch_max(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        truncated(i64::try_from(self.milliseconds.load(Ordering::SeqCst)).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.milliseconds.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        Box::pin(async move {
            clock.advance(duration);
            tokio::task::yield_now().await;
        })
    }
}

/// Repeatable bytes for tests (SplitMix64); worthless as a secret.
#[derive(Debug)]
pub struct SeededRandomness {
    state: AtomicU64,
}

impl SeededRandomness {
    /// The same seed gives the same bytes.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }
}

impl Randomness for SeededRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut word = self
                .state
                .fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst)
                .wrapping_add(0x9E37_79B9_7F4A_7C15);
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            word ^= word >> 31;
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// The clock and the randomness that a part of the product was given.
#[derive(Clone, Debug)]
pub struct Environment {
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
}

impl Environment {
    /// An environment made of the two.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, randomness: Arc<dyn Randomness>) -> Self {
        Self { clock, randomness }
    }

    /// The machine's clock and the operating system's randomness.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Arc::new(SystemClock::default()), Arc::new(SystemRandomness))
    }

    /// A test's clock and repeatable bytes.
    #[must_use]
    pub fn for_test(clock: &TestClock, seed: u64) -> Self {
        Self::new(Arc::new(clock.clone()), Arc::new(SeededRandomness::new(seed)))
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Wall-clock time in UTC, in milliseconds.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// `N` random bytes.
    #[must_use]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.randomness.fill(&mut bytes);
        bytes
    }

    /// A new time-ordered identifier (UUIDv7): 48 bits of milliseconds, 74 random bits.
    #[must_use]
    pub fn unique(&self) -> Uuid {
        let mut bytes = self.random::<16>();
        let milliseconds = u64::try_from(self.now().as_millisecond()).unwrap_or(0);
        bytes[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
        bytes[6] = (bytes[6] & 0x0F) | 0x70;
        bytes[8] = (bytes[8] & 0x3F) | 0x80;
        Uuid::from_bytes(bytes)
    }

    /// A number in `0.0..1.0`, for jitter.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        f64::from(u32::from_le_bytes(self.random())) / (f64::from(u32::MAX) + 1.0)
    }
}

fn truncated(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_days_pass_at_once() {
        let clock = TestClock::at("2026-03-01T00:00:00Z");
        clock.advance(Duration::from_hours(7 * 24));
        assert_eq!(clock.now(), "2026-03-08T00:00:00Z".parse().unwrap());
    }

    #[test]
    fn identifiers_are_ordered_by_time_and_versioned() {
        let clock = TestClock::at("2026-03-01T00:00:00Z");
        let environment = Environment::for_test(&clock, 7);
        let first = environment.unique();
        clock.advance(Duration::from_millis(1));
        let second = environment.unique();
        assert!(first < second);
        assert_eq!(first.get_version_num(), 7);
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let clock = TestClock::at("2026-03-01T00:00:00Z");
        let draw = || Environment::for_test(&clock, 42).random::<32>();
        assert_eq!(draw(), draw());
    }
}
