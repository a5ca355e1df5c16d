//! Times as the vendor writes them: RFC 3339 in UTC, and in headers RFC 5322.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::clock::timestamp;

/// "Not set".
pub(super) const ZERO: &str = "0001-01-01T00:00:00Z";

/// To the second, as most times are shown.
pub(super) fn to_second(ms: u64) -> String {
    timestamp(ms / 1000 * 1000).to_string()
}

/// To the millisecond, as workspaces show their creation.
pub(super) fn to_millisecond(ms: u64) -> String {
    timestamp(ms).to_string()
}

/// To the microsecond, as page tokens of the Config API and all times of the Public API are written.
pub(super) fn to_microsecond(us: i64) -> String {
    Timestamp::from_microsecond(us).unwrap_or(Timestamp::MAX).strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// The way back from [`to_microsecond`].
pub(super) fn microseconds(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

/// As in mails: `Sun, 01 Mar 2026 00:12:56 +0000`, up to the next whole second.
pub(super) fn rfc5322(ms: u64) -> String {
    timestamp(ms.div_ceil(1000).saturating_mul(1000)).strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// Year and month in UTC.
pub(super) fn month(ms: u64) -> String {
    timestamp(ms).strftime("%Y-%m").to_string()
}

/// When the next month begins in UTC, in milliseconds since the epoch.
pub(super) fn next_month_ms(ms: u64) -> u64 {
    let last_day = timestamp(ms).to_zoned(TimeZone::UTC).date().last_of_month();
    let next = last_day.tomorrow().and_then(|day| day.to_zoned(TimeZone::UTC));
    next.ok().and_then(|next| u64::try_from(next.timestamp().as_millisecond()).ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let ms = 1_772_323_976_149;
        assert_eq!(to_second(ms), "2026-03-01T00:12:56Z");
        assert_eq!(to_millisecond(ms), "2026-03-01T00:12:56.149Z");
        assert_eq!(to_microsecond(1_772_323_976_149_538), "2026-03-01T00:12:56.149538Z");
        assert_eq!(microseconds("2026-03-01T00:12:56.149538Z"), Some(1_772_323_976_149_538));
        assert_eq!(microseconds("yesterday"), None);
        assert_eq!(month(ms), "2026-03");
        assert_eq!(rfc5322(ms), "Sun, 01 Mar 2026 00:12:57 +0000");
        assert_eq!(to_millisecond(next_month_ms(ms)), "2026-04-01T00:00:00Z");
        // 2026-12-31T23:59:59.999Z
        assert_eq!(to_millisecond(next_month_ms(1_798_761_599_999)), "2027-01-01T00:00:00Z");
    }
}
