//! Moments as they are stored.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// `wait` after `now`, in whole milliseconds, as moments are stored; the end of time where it would be later.
#[must_use]
pub fn after(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    now.checked_add(SignedDuration::from_millis(wait)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_cut_to_milliseconds_and_never_overflows() {
        assert_eq!(after(Timestamp::UNIX_EPOCH, Duration::from_micros(1_999)).as_microsecond(), 1_000);
        assert_eq!(after(Timestamp::UNIX_EPOCH, Duration::MAX), Timestamp::MAX);
    }
}
