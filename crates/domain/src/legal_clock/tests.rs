use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rstest::rstest;

use super::*;

const NONE: &[Date] = &[];
const H_EU: &[Date] = &[date(2026, 12, 25), date(2026, 12, 26), date(2027, 1, 1)];
const H_US: &[Date] = &[date(2026, 7, 3), date(2026, 12, 25), date(2027, 1, 1)];

fn calendar(days: &[Date]) -> HolidayCalendar {
    days.iter().copied().collect()
}

fn clock(key: &str) -> &'static LegalClock {
    LegalClock::version(key, 1).expect("a shipped clock")
}

/// One month, rolled; `cutoff` is the un-rolled column of the examples.
#[rstest]
#[case::n01_sunday_rolls("2026-01-15", NONE, "2026-02-15", "2026-02-16")]
#[case::n02_clamps_then_rolls("2026-01-31", NONE, "2026-02-28", "2026-03-02")]
#[case::n03_clamps("2025-01-31", NONE, "2025-02-28", "2025-02-28")]
#[case::n04_clamps_to_leap_day("2028-01-31", NONE, "2028-02-29", "2028-02-29")]
#[case::n05_clamps_to_a_sunday("2027-01-31", NONE, "2027-02-28", "2027-03-01")]
#[case::n06_corresponding_date("2026-02-28", NONE, "2026-03-28", "2026-03-30")]
#[case::n07_starts_on_leap_day("2028-02-29", NONE, "2028-03-29", "2028-03-29")]
#[case::n08_31_to_30_days("2026-03-31", NONE, "2026-04-30", "2026-04-30")]
#[case::n09_holiday_then_weekend("2026-11-25", H_EU, "2026-12-25", "2026-12-28")]
#[case::n10_new_year_then_weekend("2026-12-01", H_EU, "2027-01-01", "2027-01-04")]
#[case::n11_year_changes("2026-12-31", H_EU, "2027-01-31", "2027-02-01")]
#[case::n12_from_the_local_date("2026-04-01", NONE, "2026-05-01", "2026-05-01")]
#[case::n13_first_period("2026-01-31", NONE, "2026-02-28", "2026-03-02")]
#[case::n15_first_period("2027-11-30", NONE, "2027-12-30", "2027-12-30")]
#[case::n16_first_period("2026-11-30", H_EU, "2026-12-30", "2026-12-30")]
#[case::n17_first_period("2026-05-15", NONE, "2026-06-15", "2026-06-15")]
#[case::n18_first_period("2025-12-31", NONE, "2026-01-31", "2026-02-02")]
fn gdpr_month(#[case] received: Date, #[case] holidays: &[Date], #[case] cutoff: Date, #[case] due_on: Date) {
    assert_eq!(
        clock("eu-gdpr").deadlines(received, &calendar(holidays)),
        Deadlines { acknowledge_due_on: None, due_on, cutoff_on: Some(cutoff) }
    );
}

#[rstest]
#[case::n12_after_midnight_in_berlin("2026-03-31T22:30:00Z", "2026-04-01")]
#[case::n12_before_midnight_in_berlin("2026-03-31T21:59:59Z", "2026-03-31")]
#[case::winter_time("2026-01-31T22:30:00Z", "2026-01-31")]
fn local_date_counts(#[case] moment: Timestamp, #[case] expected: Date) {
    // The rule of Europe/Berlin, spelt out so that the test needs no zone database.
    let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a POSIX zone");
    assert_eq!(local_date(moment, &berlin), expected);
}

#[rstest]
#[case::n13_in_one_step("eu-gdpr", "2026-01-31", "2026-02-20", NONE, "2026-04-30")]
#[case::n15_notice_on_the_last_day("eu-gdpr", "2027-11-30", "2027-12-30", NONE, "2028-02-29")]
#[case::n16_rolls("eu-gdpr", "2026-11-30", "2026-12-15", H_EU, "2027-03-01")]
#[case::n18_31_plus_3_months("eu-gdpr", "2025-12-31", "2026-01-05", NONE, "2026-03-31")]
#[case::n32_90_in_total("us-ca", "2026-03-02", "2026-04-10", NONE, "2026-05-31")]
#[case::n32_notice_on_the_last_day("us-ca", "2026-03-02", "2026-04-16", NONE, "2026-05-31")]
fn extension_accepted(
    #[case] key: &str,
    #[case] received: Date,
    #[case] notice: Date,
    #[case] holidays: &[Date],
    #[case] due_on: Date,
) {
    assert_eq!(clock(key).extended_due_on(received, notice, &calendar(holidays)), Ok(due_on));
}

#[rstest]
#[case::n14_before_the_rolled_due_date("eu-gdpr", "2026-01-31", "2026-03-01", "2026-02-28", "2026-03-02")]
#[case::n17_one_day_late("eu-gdpr", "2026-05-15", "2026-06-16", "2026-06-15", "2026-06-15")]
#[case::n33_one_day_late("us-ca", "2026-03-02", "2026-04-17", "2026-04-16", "2026-04-16")]
fn extension_refused(
    #[case] key: &str,
    #[case] received: Date,
    #[case] notice: Date,
    #[case] cutoff_on: Date,
    #[case] due_on: Date,
) {
    let refused = clock(key).extended_due_on(received, notice, &calendar(NONE));
    assert_eq!(refused, Err(ExtensionRefused::TooLate { cutoff_on }));
    assert_eq!(clock(key).deadlines(received, &calendar(NONE)).due_on, due_on, "the due date stays");
}

#[rstest]
#[case::n24_n25_n31_start_not_counted("2026-03-02", NONE, "2026-03-16", "2026-04-16")]
#[case::n26_n27_received_on_a_saturday("2026-02-28", NONE, "2026-03-13", "2026-04-14")]
#[case::n28_one_holiday_skipped("2026-06-25", H_US, "2026-07-10", "2026-08-09")]
#[case::n29_common_year_no_roll("2027-01-20", NONE, "2027-02-03", "2027-03-06")]
#[case::n30_leap_year_no_roll("2028-01-20", NONE, "2028-02-03", "2028-03-05")]
fn california(
    #[case] received: Date,
    #[case] holidays: &[Date],
    #[case] acknowledge: Date,
    #[case] due_on: Date,
) {
    assert_eq!(
        clock("us-ca").deadlines(received, &calendar(holidays)),
        Deadlines { acknowledge_due_on: Some(acknowledge), due_on, cutoff_on: Some(due_on) }
    );
}

/// Periods of laws whose rows are yet to come.
#[rstest]
#[case::n34_two_holidays(Period::BusinessDays(15), "2026-12-18", H_US, "2027-01-12")]
#[case::n40_30_days_is_not_a_month(Period::CalendarDays(30), "2026-02-01", NONE, "2026-03-03")]
#[case::n47_24_months_clamp(Period::CalendarMonths(24), "2028-02-29", NONE, "2030-02-28")]
#[case::months_beyond_the_calendar(Period::CalendarMonths(255), "9999-01-31", NONE, "9999-12-31")]
#[case::days_beyond_the_calendar(Period::CalendarDays(u16::MAX), "9999-01-31", NONE, "9999-12-31")]
#[case::business_days_beyond(Period::BusinessDays(u16::MAX), "9999-12-01", NONE, "9999-12-31")]
fn period_ends(
    #[case] period: Period,
    #[case] start: Date,
    #[case] holidays: &[Date],
    #[case] expected: Date,
) {
    assert_eq!(period.end(start, &calendar(holidays)), expected);
}

#[test]
fn a_roll_beyond_the_calendar_ends_on_its_last_day() {
    let days = [date(9999, 12, 29), date(9999, 12, 30), Date::MAX];
    assert_eq!(calendar(&days).roll(date(9999, 12, 29)), Date::MAX);
}

/// Approximations in use elsewhere, each of which misses the law's date.
#[rstest]
#[case::month_as_30_days("eu-gdpr", "2026-02-02", false, "2026-03-04")]
#[case::n01_without_the_roll("eu-gdpr", "2026-01-15", false, "2026-02-15")]
#[case::n06_end_of_month("eu-gdpr", "2026-02-28", false, "2026-03-31")]
#[case::n12_from_the_utc_date("eu-gdpr", "2026-04-01", false, "2026-04-30")]
#[case::n13_30_plus_30("eu-gdpr", "2026-01-31", true, "2026-04-01")]
#[case::n13_month_plus_60_days("eu-gdpr", "2026-01-31", true, "2026-04-29")]
#[case::n13_rolled_month_plus_60_days("eu-gdpr", "2026-01-31", true, "2026-05-01")]
#[case::n13_chained("eu-gdpr", "2026-01-31", true, "2026-04-28")]
#[case::n13_chained_on_the_rolled_date("eu-gdpr", "2026-01-31", true, "2026-05-02")]
#[case::n25_receipt_as_day_1("us-ca", "2026-03-02", false, "2026-04-15")]
#[case::n29_rolled("us-ca", "2027-01-20", false, "2027-03-08")]
#[case::n31_from_verification("us-ca", "2026-03-02", false, "2026-05-04")]
fn other_countings_miss(
    #[case] key: &str,
    #[case] received: Date,
    #[case] extended: bool,
    #[case] wrong: Date,
) {
    let (clock, holidays) = (clock(key), calendar(NONE));
    let due_on = match extended {
        true => clock.extended_due_on(received, received, &holidays).expect("a notice in time"),
        false => clock.deadlines(received, &holidays).due_on,
    };
    assert_ne!(due_on, wrong);
}

#[test]
fn a_law_without_extension_has_no_cutoff_and_refuses() {
    let (clock, received) = (LegalClock { extension: None, ..*clock("us-ca") }, date(2026, 3, 2));
    assert_eq!(clock.deadlines(received, &calendar(NONE)).cutoff_on, None);
    let refused = clock.extended_due_on(received, received, &calendar(NONE));
    assert_eq!(refused, Err(ExtensionRefused::NotForeseen));
}

#[test]
fn a_refusal_says_until_when_and_what_it_means() {
    assert_eq!(
        ExtensionRefused::TooLate { cutoff_on: date(2026, 2, 28) }.to_string(),
        "too late to extend: the person had to be told by 2026-02-28; the due date stays as it is"
    );
}

#[test]
fn a_clock_applies_from_its_effective_date_and_stays_findable_by_version() {
    let old = *clock("eu-gdpr");
    let new = LegalClock { version: 2, effective_from: date(2027, 1, 1), ..old };
    let rows = [new, old, *clock("us-ca")];
    let version_on = |on| LegalClock::newest_of(&rows, "eu-gdpr", on).map(|clock| clock.version);
    assert_eq!(version_on(date(2018, 5, 24)), None);
    assert_eq!(version_on(date(2018, 5, 25)), Some(1));
    assert_eq!(version_on(date(2026, 12, 31)), Some(1));
    assert_eq!(version_on(date(2027, 1, 1)), Some(2));

    assert_eq!(LegalClock::in_force("us-ca", date(2026, 3, 2)), LegalClock::version("us-ca", 1));
    assert_eq!(LegalClock::in_force("us-zz", date(2026, 3, 2)), None);
    assert_eq!(LegalClock::version("us-ca", 99), None);
}

#[test]
fn rows_are_told_apart_by_key_and_version_and_every_policy_has_one() {
    let names: BTreeSet<_> = LEGAL_CLOCKS.iter().map(|clock| (clock.key, clock.version)).collect();
    assert_eq!(names.len(), LEGAL_CLOCKS.len());
    for policy in crate::policy::POLICIES {
        assert!(LEGAL_CLOCKS.iter().any(|clock| clock.key == policy.clock), "{}", policy.key);
    }
}

prop_compose! {
    /// A request received in one of `years`, and holidays that may fall on any of its deadlines.
    fn any_request(years: std::ops::RangeInclusive<i16>)(
        year in years, month in 1..=12_i8, day in 1..=31_i8, holidays in vec(0..120_i64, 0..12),
    ) -> (Date, HolidayCalendar) {
        let first = date(year, month, 1);
        let received = Date::new(year, month, day).unwrap_or(first.last_of_month());
        (received, holidays.into_iter().map(|day| received.saturating_add(Span::new().days(day))).collect())
    }
}

fn any_period() -> impl Strategy<Value = Period> {
    prop_oneof![
        any::<u8>().prop_map(Period::CalendarMonths),
        any::<u16>().prop_map(Period::CalendarDays),
        (0..400_u16).prop_map(Period::BusinessDays),
    ]
}

proptest! {
    #[test]
    fn an_extension_in_time_gives_more_time_and_a_late_one_none(
        clock in select(LEGAL_CLOCKS), (received, holidays) in any_request(1990..=2100), notice in 0..120_i64,
    ) {
        let deadlines = clock.deadlines(received, &holidays);
        let notice = received.saturating_add(Span::new().days(notice));
        let cutoff_on = deadlines.cutoff_on.expect("every shipped clock can be extended");
        match clock.extended_due_on(received, notice, &holidays) {
            Ok(extended) => prop_assert!(notice <= cutoff_on && extended > deadlines.due_on),
            Err(refused) => {
                prop_assert!(notice > cutoff_on);
                prop_assert_eq!(refused, ExtensionRefused::TooLate { cutoff_on });
            }
        }
    }

    #[test]
    fn a_rolled_date_is_the_first_worked_day_from_the_end(
        respond in select(&[Period::CalendarMonths(1), Period::CalendarMonths(3), Period::CalendarDays(45)]),
        (received, holidays) in any_request(1990..=2100),
    ) {
        let clock = LegalClock { respond, roll: Roll::NextWorkingDay, ..*clock("eu-gdpr") };
        let due_on = clock.deadlines(received, &holidays).due_on;
        prop_assert!(holidays.is_working_day(due_on));
        let mut day = respond.end(received, &holidays);
        while day < due_on {
            prop_assert!(!holidays.is_working_day(day));
            day = day.tomorrow().expect("a day of our times");
        }
    }

    #[test]
    fn every_date_has_an_answer_and_none_lies_before_receipt(
        respond in any_period(), roll in select(&[Roll::None, Roll::NextWorkingDay]),
        (received, holidays) in prop_oneof![any_request(-9999..=9999), any_request(9999..=9999)],
    ) {
        let clock = LegalClock { respond, acknowledge: Some(respond), roll, ..*clock("us-ca") };
        let deadlines = clock.deadlines(received, &holidays);
        let cutoff_on = deadlines.cutoff_on.expect("this clock can be extended");
        prop_assert!(received <= cutoff_on && cutoff_on <= deadlines.due_on);
        prop_assert_eq!(deadlines.acknowledge_due_on, Some(deadlines.due_on));
    }
}
