//! Times as the vendor writes and reads them. Inside, a time is milliseconds since the epoch.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::clock::timestamp;

/// `2026-03-01T10:15:00Z`
pub(super) fn rfc3339(ms: u64) -> String {
    timestamp(ms).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2026-03-01 10:15:00`
pub(super) fn spaced(ms: u64) -> String {
    timestamp(ms).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `Sun, 01 Mar 2026 10:15:00 GMT`
pub(super) fn http_date(ms: u64) -> String {
    timestamp(ms).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Whole seconds since the epoch of `yyyy-MM-dd` or `yyyy-MM-dd hh:mm:ss` in UTC.
pub(super) fn parse_seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    let civil = DateTime::strptime("%Y-%m-%d %H:%M:%S", text)
        .or_else(|_| Date::strptime("%Y-%m-%d", text).map(DateTime::from))
        .ok()?;
    Some(TimeZone::UTC.to_timestamp(civil).ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_and_reading() {
        let ms = 1_772_360_100_999;
        assert_eq!(rfc3339(ms), "2026-03-01T10:15:00Z");
        assert_eq!(spaced(ms), "2026-03-01 10:15:00");
        assert_eq!(http_date(ms), "Sun, 01 Mar 2026 10:15:00 GMT");
        assert_eq!(parse_seconds(&spaced(ms)), Some(1_772_360_100));
        assert_eq!(parse_seconds("2026-03-01"), Some(1_772_323_200));
        assert_eq!(parse_seconds("01.03.2026"), None);
    }
}
