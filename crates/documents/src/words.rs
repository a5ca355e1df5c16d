//! Dates, sizes and field names as people read them.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A date: `26 November 2026`.
#[must_use]
pub fn date(date: Date) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let month = usize::from(date.month().unsigned_abs()).saturating_sub(1);
    format!("{} {} {}", date.day(), MONTHS.get(month).copied().unwrap_or_default(), date.year())
}

/// A moment: `26 November 2026, 14:05`. The zone is named unless it is the reader's own affair (UTC).
#[must_use]
pub fn moment(at: Timestamp, zone: &TimeZone) -> String {
    let zoned = at.to_zoned(zone.clone());
    let abbreviation = zone.to_offset_info(at).abbreviation().to_owned();
    format!("{}, {:02}:{:02} {abbreviation}", date(zoned.date()), zoned.hour(), zoned.minute())
}

/// The day of a moment: `26 November 2026`.
#[must_use]
pub fn day(at: Timestamp, zone: &TimeZone) -> String {
    date(at.to_zoned(zone.clone()).date())
}

/// A number of bytes: `2.1 MB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    if bytes == 1 {
        return "1 byte".to_owned();
    }
    let (mut whole, mut rest, mut unit) = (bytes, 0, 0);
    while whole >= 1_000 && unit + 1 < UNITS.len() {
        rest = whole % 1_000 / 100;
        whole /= 1_000;
        unit += 1;
    }
    if rest > 0 && whole < 100 {
        format!("{whole}.{rest} {}", UNITS[unit])
    } else {
        format!("{whole} {}", UNITS[unit])
    }
}

/// How many of something: `1 record`, `3 records`.
#[must_use]
pub fn counted(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// A field's name as a label: `firstName`, `first_name` and `FIRST-NAME` are `First name`.
#[must_use]
pub fn label(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut before: Option<char> = None;
    let has_lower = name.chars().any(char::is_lowercase);
    for character in name.chars() {
        let begins_word = character.is_uppercase()
            && has_lower
            && before.is_some_and(|before| before.is_lowercase() || before.is_ascii_digit());
        if matches!(character, '_' | '-' | '.' | ' ') {
            if !words.is_empty() && !words.ends_with(' ') {
                words.push(' ');
            }
        } else {
            if begins_word {
                words.push(' ');
            }
            words.extend(character.to_lowercase());
        }
        before = Some(character);
    }
    let words = words.trim();
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().collect::<String>() + letters.as_str(),
        None => name.to_owned(),
    }
}

/// A text that is a moment or a date, in words; `None` if it is neither.
#[must_use]
pub fn as_moment(text: &str, zone: &TimeZone) -> Option<String> {
    // Numbers and short codes are none, whatever a lenient parser makes of them.
    let bytes = text.as_bytes();
    let looks_like = bytes.len() >= 10 && bytes[4] == b'-' && bytes[7] == b'-';
    if !looks_like {
        return None;
    }
    if bytes.len() == 10 {
        return text.parse::<Date>().ok().map(date);
    }
    text.parse::<Timestamp>().ok().map(|at| moment(at, zone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("firstName", "First name")]
    #[case("first_name", "First name")]
    #[case("EMAIL", "Email")]
    #[case("address.city", "Address city")]
    #[case("recordedDate", "Recorded date")]
    #[case("QID1", "Qid1")]
    #[case("", "")]
    #[case("__", "__")]
    fn labels(#[case] name: &str, #[case] expected: &str) {
        assert_eq!(label(name), expected);
    }

    #[rstest]
    #[case(0, "0 bytes")]
    #[case(1, "1 byte")]
    #[case(999, "999 bytes")]
    #[case(1_000, "1 kB")]
    #[case(2_149_000, "2.1 MB")]
    #[case(2_000_000_000, "2 GB")]
    fn sizes(#[case] bytes: u64, #[case] expected: &str) {
        assert_eq!(size(bytes), expected);
    }

    #[rstest]
    #[case("2026-11-26", Some("26 November 2026"))]
    #[case("2026-11-26T13:05:00Z", Some("26 November 2026, 14:05 CET"))]
    #[case("2026-13-26", None)]
    #[case("1234567890", None)]
    #[case("hello", None)]
    fn moments_in_texts(#[case] text: &str, #[case] expected: Option<&str>) {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(as_moment(text, &zone).as_deref(), expected);
    }
}
