//! The company's time: standing still until a test moves it, or shared with the vendor.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use habeas_environment::{Clock, Environment, SeededRandomness, TestClock};
use habeas_sandbox::Sandbox;
use jiff::Timestamp;

/// In which time a company lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It stands still until the test moves it.
    StandingStill,
    /// The vendor's, which sleepers move on.
    Shared,
    /// The same, and the vendor's dates as well: where messages in both directions name their time.
    SharedWithDates,
    /// Everybody's: for an engine that runs.
    Real,
}

/// What a test moves.
#[derive(Clone, Debug)]
pub(crate) enum Time {
    Still(TestClock),
    Shared(SharedTime),
    Real(Environment),
}

impl Time {
    pub(crate) fn of(pace: Pace, sandbox: &Sandbox) -> (Self, Environment) {
        match pace {
            Pace::StandingStill => {
                let (clock, environment) = habeas_testing::environment();
                (Self::Still(clock), environment)
            }
            Pace::Shared | Pace::SharedWithDates => {
                let shared = SharedTime::new(sandbox, pace == Pace::SharedWithDates);
                let randomness = Arc::new(SeededRandomness::new(1));
                (Self::Shared(shared.clone()), Environment::new(Arc::new(shared), randomness))
            }
            Pace::Real => {
                let environment = Environment::system();
                (Self::Real(environment.clone()), environment)
            }
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::Still(clock) => clock.now(),
            Self::Shared(clock) => clock.now(),
            Self::Real(environment) => environment.now(),
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        match self {
            Self::Still(clock) => clock.advance(by),
            Self::Shared(clock) => clock.vendor.advance(by),
            Self::Real(_) => panic!("nobody moves the real time"),
        }
    }

    pub(crate) fn advance_to(&self, moment: Timestamp) {
        if let Ok(wait) = Duration::try_from(moment.duration_since(self.now())) {
            self.advance(wait);
        }
    }

    pub(crate) fn advance_days(&self, days: u64) {
        self.advance(Duration::from_hours(24 * days));
    }
}

/// The vendor's clock as the company's: what it measures is what the limits are held against. Sleepers wake in the
/// order of their times, and time jumps to the one that wakes.
#[derive(Clone, Debug)]
pub(crate) struct SharedTime {
    vendor: habeas_sandbox::Clock,
    origin_ms: u64,
    /// What is read where the vendor's clock shows the origin.
    start_ms: i64,
    sleepers: Arc<Mutex<BTreeSet<(Duration, u64)>>>,
    tickets: Arc<AtomicU64>,
}

impl SharedTime {
    fn new(sandbox: &Sandbox, with_dates: bool) -> Self {
        let vendor = sandbox.clock().clone();
        let origin_ms = vendor.now_ms();
        let start: Timestamp = habeas_testing::START.parse().unwrap();
        let start_ms = if with_dates { i64::try_from(origin_ms).unwrap() } else { start.as_millisecond() };
        Self { vendor, origin_ms, start_ms, sleepers: Arc::default(), tickets: Arc::default() }
    }

    fn is_next(&self, sleeper: (Duration, u64)) -> bool {
        self.sleepers.lock().unwrap().first() == Some(&sleeper)
    }
}

/// A place among the sleepers, given up also by whoever stops waiting.
struct Place {
    time: SharedTime,
    sleeper: (Duration, u64),
}

impl Drop for Place {
    fn drop(&mut self) {
        self.time.sleepers.lock().unwrap().remove(&self.sleeper);
    }
}

impl Clock for SharedTime {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.monotonic().as_millis()).unwrap();
        Timestamp::from_millisecond(self.start_ms + elapsed).unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.vendor.now_ms() - self.origin_ms)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let time = self.clone();
        let sleeper = (self.monotonic() + duration, self.tickets.fetch_add(1, Ordering::SeqCst));
        Box::pin(async move {
            time.sleepers.lock().unwrap().insert(sleeper);
            let place = Place { time, sleeper };
            while !place.time.is_next(sleeper) {
                tokio::task::yield_now().await;
            }
            place.time.vendor.advance(sleeper.0.saturating_sub(place.time.monotonic()));
        })
    }
}
