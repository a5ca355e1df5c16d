//! How long to wait after a failure, and when to ask a person.

use std::time::Duration;

use habeas_casework::RunFailure;
use habeas_casework::work::Finding;
use habeas_domain::moment::after;
use habeas_environment::Environment;
use habeas_integrations::{ErrorKind, Retry, VendorError};

/// Failed attempts in a row after which a person is asked: with waits of 1, 2, 4 ... 128 seconds about a quarter of
/// an hour.
pub(crate) const MOST_ATTEMPTS: i64 = 12;

/// How much later than it could work is taken up again that waited for leave: less than a permit may be taken ahead.
const SPREAD: Duration = Duration::from_millis(500);

/// First wait and longest wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// Doubles with every attempt; half of it is jitter, so that workers do not come back together. A wait that the
    /// vendor asked for is honoured.
    pub(crate) fn wait(self, environment: &Environment, attempts: i64, asked: Option<Duration>) -> Duration {
        let doublings = u32::try_from(attempts.clamp(0, 30)).unwrap_or(30);
        let full = self.min.saturating_mul(1 << doublings).min(self.max);
        let jittered = full.mul_f64(0.5 + environment.fraction() / 2.0);
        jittered.max(asked.unwrap_or_default())
    }
}

/// What a failed call means for the work it belongs to.
pub(crate) fn finding(
    error: &VendorError,
    backoff: Backoff,
    environment: &Environment,
    attempts: i64,
) -> Finding {
    let asked = match error.retry {
        Retry::After(asked) => asked,
        Retry::Never | Retry::UnknownOutcome => None,
    };
    if error.kind == ErrorKind::Paced {
        // Spread a little: many who wait for the same vendor need not come back in the same moment.
        let spread = SPREAD.mul_f64(environment.fraction());
        return Finding::Released { at: after(environment.now(), asked.unwrap_or(backoff.min) + spread) };
    }
    // Being told to slow down is no failure of the work: it waits as long as it takes.
    let exhausted = attempts + 1 >= MOST_ATTEMPTS && error.kind != ErrorKind::RateLimited;
    if error.retry == Retry::Never || exhausted {
        return Finding::Failed(failure(error, exhausted));
    }
    Finding::Retry {
        failure: RunFailure::from(error),
        at: after(environment.now(), backoff.wait(environment, attempts, asked)),
        unknown: error.retry == Retry::UnknownOutcome,
    }
}

fn failure(error: &VendorError, exhausted: bool) -> RunFailure {
    let mut failure = RunFailure::from(error);
    if exhausted {
        failure.message = format!("{} (after {MOST_ATTEMPTS} attempts)", failure.message);
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use habeas_environment::TestClock;

    const BACKOFF: Backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_secs(128) };

    fn environment() -> Environment {
        Environment::for_test(&TestClock::at("2026-03-01T00:00:00Z"), 3)
    }

    #[test]
    fn waits_double_up_to_the_longest_and_are_jittered() {
        let environment = environment();
        for (attempts, full) in [(0, 1), (1, 2), (5, 32), (7, 128), (20, 128), (i64::MAX, 128)] {
            let wait = BACKOFF.wait(&environment, attempts, None).as_secs_f64();
            assert!((f64::from(full) / 2.0..=f64::from(full)).contains(&wait), "{attempts}: {wait}");
        }
    }

    #[test]
    fn a_wait_that_the_vendor_asked_for_is_honoured() {
        let asked = Duration::from_secs(300);
        assert_eq!(BACKOFF.wait(&environment(), 0, Some(asked)), asked);
    }

    #[test]
    fn a_person_is_asked_at_once_or_after_the_last_attempt_but_never_because_of_pace() {
        let error = |kind, retry| VendorError::new(kind, retry, "it failed", "look at it");
        let environment = environment();
        let of = |error: &VendorError, attempts| finding(error, BACKOFF, &environment, attempts);
        let never = error(ErrorKind::Credentials, Retry::Never);
        assert!(matches!(of(&never, 0), Finding::Failed(_)));
        let passing = error(ErrorKind::Unavailable, Retry::After(None));
        assert!(matches!(of(&passing, 0), Finding::Retry { unknown: false, .. }));
        assert!(matches!(of(&passing, MOST_ATTEMPTS - 1), Finding::Failed(_)));
        let limited = error(ErrorKind::RateLimited, Retry::After(None));
        assert!(matches!(of(&limited, MOST_ATTEMPTS * 10), Finding::Retry { .. }));
        let lost = error(ErrorKind::Unavailable, Retry::UnknownOutcome);
        assert!(matches!(of(&lost, 0), Finding::Retry { unknown: true, .. }));
        let paced = error(ErrorKind::Paced, Retry::After(Some(Duration::from_secs(9))));
        assert!(matches!(of(&paced, MOST_ATTEMPTS), Finding::Released { .. }));
    }
}
