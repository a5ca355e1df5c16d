//! Time and randomness as parameters.
//!
//! This is the only crate of the product that may ask the operating system what time it is, wait, or draw
//! random bytes; `clippy.toml` forbids it everywhere else. Tests pass a [`TestClock`] and a
//! [`SeededRandomness`], so that seven days pass in a millisecond and every identifier is repeatable.
#![expect(clippy::disallowed_methods, reason = "this crate is where the forbidden calls live")]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
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
    /// The time that the machine's clock shows at this moment. [`Clock::now`] leaves its jumps out until somebody who
    /// can deal with them calls [`Clock::set`].
    fn outside(&self) -> Timestamp {
        self.now()
    }
    /// Has [`Clock::now`] show `now` from here on.
    fn set(&self, _now: Timestamp) {}
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

/// The machine's clock without its jumps: it starts at the machine's time and then counts what passes. Whoever keeps
/// a process running compares it with the time outside now and then, and sets it.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
    /// What [`Clock::now`] showed at the origin, epoch milliseconds.
    start: AtomicI64,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { origin: Instant::now(), start: AtomicI64::new(Timestamp::now().as_millisecond()) }
    }
}

impl SystemClock {
    fn passed(&self) -> i64 {
        i64::try_from(self.origin.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        truncated(self.start.load(Ordering::SeqCst).saturating_add(self.passed()))
    }

    fn outside(&self) -> Timestamp {
        truncated(Timestamp::now().as_millisecond())
    }

    fn set(&self, now: Timestamp) {
        self.start.store(now.as_millisecond().saturating_sub(self.passed()), Ordering::SeqCst);
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
    /// How far the time that is shown, and the time outside, are from what has passed.
    shown: Arc<AtomicI64>,
    outside: Arc<AtomicI64>,
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
        Self {
            milliseconds: Arc::new(AtomicU64::new(milliseconds)),
            shown: Arc::default(),
            outside: Arc::default(),
        }
    }

    /// The time outside jumps; what is shown does not, until somebody sets it.
    pub fn jump(&self, by: SignedDuration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(0);
        self.outside.fetch_add(by, Ordering::SeqCst);
    }

    fn passed(&self) -> i64 {
        i64::try_from(self.milliseconds.load(Ordering::SeqCst)).unwrap_or(i64::MAX)
    }

    /// Lets `duration` pass.
    pub fn advance(&self, duration: Duration) {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.milliseconds.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// Moves to `moment` unless it is already later.
    pub fn advance_to(&self, moment: Timestamp) {
        let passed = moment.as_millisecond().saturating_sub(self.shown.load(Ordering::SeqCst));
        let milliseconds = u64::try_from(passed).unwrap_or(0);
        self.milliseconds.fetch_max(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        truncated(self.passed().saturating_add(self.shown.load(Ordering::SeqCst)))
    }

    fn outside(&self) -> Timestamp {
        truncated(self.passed().saturating_add(self.outside.load(Ordering::SeqCst)))
    }

    fn set(&self, now: Timestamp) {
        self.shown.store(now.as_millisecond().saturating_sub(self.passed()), Ordering::SeqCst);
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
    fn the_machines_clock_goes_on_from_where_it_was_set() {
        let clock = SystemClock::default();
        let start = clock.outside();
        assert!(clock.now().duration_since(start).abs() < SignedDuration::from_secs(5));
        let hour = SignedDuration::from_hours(1);
        for moment in [start + hour, start - hour] {
            clock.set(moment);
            let shown = clock.now().duration_since(moment);
            assert!((0..5_000).contains(&shown.as_millis()), "{shown}");
        }
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
