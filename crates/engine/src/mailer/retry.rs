//! When a mail that did not leave is tried again.

use std::time::Duration;

use habeas_domain::moment::after;
use habeas_environment::Environment;
use jiff::Timestamp;

use crate::backoff::Backoff;

/// From about a minute to about an hour: a server that is up again has the mail an hour later at most.
const WAITS: Backoff = Backoff { min: Duration::from_mins(1), max: Duration::from_hours(1) };

/// How long a mail is tried: as long as mail servers usually do (RFC 5321, section 4.5.4.1, asks for four to five
/// days). A server that is down over a long weekend loses nothing.
const GIVEN_UP_AFTER: Duration = Duration::from_hours(5 * 24);

/// When a mail of `created_at` is tried again that was tried `attempts` times, the last of which has just failed in
/// passing. `None`: it is too old, a person must act.
#[must_use]
pub fn next_attempt(attempts: u32, created_at: Timestamp, environment: &Environment) -> Option<Timestamp> {
    let wait = WAITS.wait(environment, i64::from(attempts.max(1)) - 1, None);
    let at = after(environment.now(), wait);
    (at <= after(created_at, GIVEN_UP_AFTER)).then_some(at)
}

#[cfg(test)]
mod tests {
    use habeas_environment::TestClock;
    use rstest::rstest;

    use super::*;

    const CREATED: &str = "2026-06-01T00:00:00Z";

    /// Half of a wait is jitter, so it lies between the half and the whole of `minutes`.
    #[rstest]
    #[case::first(1, 1)]
    #[case::second(2, 2)]
    #[case::fifth(5, 16)]
    #[case::sixth(6, 32)]
    #[case::seventh(7, 60)]
    #[case::later(50, 60)]
    #[case::endless(u32::MAX, 60)]
    #[case::never_tried(0, 1)]
    fn waits_double_from_a_minute_to_an_hour(#[case] attempts: u32, #[case] minutes: u64) {
        let environment = Environment::for_test(&TestClock::at(CREATED), 5);
        let created: Timestamp = CREATED.parse().unwrap();
        for _ in 0..100 {
            let at = next_attempt(attempts, created, &environment).unwrap();
            let whole = Duration::from_mins(minutes);
            assert!(after(created, whole / 2) <= at && at <= after(created, whole), "{at}");
        }
    }

    #[rstest]
    #[case::fresh(0, true)]
    #[case::a_day(24, true)]
    #[case::almost_five_days(5 * 24 - 1, true)]
    #[case::five_days(5 * 24, false)]
    #[case::a_month(30 * 24, false)]
    fn a_mail_is_tried_for_five_days(#[case] hours: u64, #[case] again: bool) {
        let clock = TestClock::at(CREATED);
        clock.advance(Duration::from_hours(hours));
        let environment = Environment::for_test(&clock, 5);
        assert_eq!(next_attempt(99, CREATED.parse().unwrap(), &environment).is_some(), again);
    }

    #[test]
    fn an_outage_of_a_day_loses_nothing_and_is_not_hammered_at() {
        let clock = TestClock::at(CREATED);
        let environment = Environment::for_test(&clock, 5);
        let back = after(CREATED.parse().unwrap(), Duration::from_hours(24));
        let mut attempts = 0;
        while environment.now() < back {
            attempts += 1;
            clock.advance_to(next_attempt(attempts, CREATED.parse().unwrap(), &environment).unwrap());
        }
        assert!((24..60).contains(&attempts), "{attempts}");
        assert!(environment.now() <= after(back, Duration::from_hours(1)));
    }
}
