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
