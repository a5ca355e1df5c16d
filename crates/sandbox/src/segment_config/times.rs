//! Times as the vendor writes them: RFC 3339 in UTC.

use jiff::Timestamp;

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

/// To the microsecond, as page tokens of regulations are written.
pub(super) fn to_microsecond(us: i64) -> String {
    Timestamp::from_microsecond(us).unwrap_or(Timestamp::MAX).strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// The way back from [`to_microsecond`].
pub(super) fn microseconds(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

/// Year and month in UTC.
pub(super) fn month(ms: u64) -> String {
    timestamp(ms).strftime("%Y-%m").to_string()
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
    }
}
