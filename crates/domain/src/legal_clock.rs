//! When the law wants an answer: clocks as rows, and the one way to count them.
//!
//! A clock is a row of [`LEGAL_CLOCKS`]; a change of law is a new row with a higher version and a later
//! effective date, never an edit. R1 to R13 are the project's counting rules. R1, R3, R5, R7 and the
//! cut-off of R8 and R9 are our own reading where no source settles the matter, and await legal confirmation.
//! R10 (pauses) and R12 (appeals) belong to laws that have no row yet.
//!
//! Only dates are counted, so daylight-saving changes have no effect. Nothing here fails on an extreme date:
//! what would leave the calendar ends on its last day, [`Date::MAX`], whether or not that day is worked.
//!
//! ```
//! use habeas_domain::legal_clock::{HolidayCalendar, LegalClock};
//! use jiff::civil::date;
//!
//! let received_on = date(2026, 1, 31);
//! let clock = LegalClock::in_force("eu-gdpr", received_on).expect("in force since 2018");
//! // A month later is Saturday 28 February: the answer may wait for Monday, an extension notice may not.
//! let deadlines = clock.deadlines(received_on, &HolidayCalendar::default());
//! assert_eq!(deadlines.due_on, date(2026, 3, 2));
//! assert_eq!(deadlines.cutoff_on, Some(date(2026, 2, 28)));
//! ```

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday, date};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// A length of time as a law words it. They are not interchangeable: a month is not 30 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// To the same day number in a later month, or that month's last day if it has no such day.
    CalendarMonths(u8),
    /// Every day counts.
    CalendarDays(u16),
    /// Only Monday to Friday outside the holiday calendar counts.
    BusinessDays(u16),
}

/// What happens to a due date on which nobody works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roll {
    /// It stays: no source supports moving it, and the earlier date is the safe one (R7).
    None,
    /// It moves to the next working day (R6; Regulation 1182/71 Art. 3(4)).
    NextWorkingDay,
}

/// The one prolongation that a law foresees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The period that replaces the whole of the first one, counted from receipt as well.
    pub total: Period,
}

/// One version of one law's clock. Receipt starts it; verifying the person never moves the start (R11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegalClock {
    /// How policies name the clock.
    pub key: &'static str,
    /// Counts up per key; recorded with each request.
    pub version: u16,
    /// First day of receipt to which this version applies.
    pub effective_from: Date,
    /// The provision, as people cite it.
    pub law: &'static str,
    /// Time to confirm receipt, where the law asks for that.
    pub acknowledge: Option<Period>,
    /// Time to answer.
    pub respond: Period,
    /// The longer time to answer, where the law foresees one.
    pub extension: Option<Extension>,
    /// What happens to due dates on which nobody works.
    pub roll: Roll,
}

/// The clocks that ship with the product, every version that a recorded request may still refer to.
pub static LEGAL_CLOCKS: &[LegalClock] = &[
    LegalClock {
        key: "eu-gdpr",
        version: 1,
        // GDPR Art. 99(2).
        effective_from: date(2018, 5, 25),
        law: "GDPR Art. 12(3)",
        acknowledge: None,
        respond: Period::CalendarMonths(1),
        // "by two further months": three in all.
        extension: Some(Extension { total: Period::CalendarMonths(3) }),
        roll: Roll::NextWorkingDay,
    },
    LegalClock {
        key: "us-ca",
        version: 1,
        // The day on which § 7021 took effect; its predecessors are not modelled.
        effective_from: date(2023, 3, 29),
        law: "11 CCR 7021",
        acknowledge: Some(Period::BusinessDays(10)),
        respond: Period::CalendarDays(45),
        // "a maximum total of 90 calendar days from the day the request is received".
        extension: Some(Extension { total: Period::CalendarDays(90) }),
        roll: Roll::None,
    },
];

/// The days, besides weekends, on which the establishment does not work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HolidayCalendar(BTreeSet<Date>);

/// What the law wants by when, for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Last day to confirm receipt, where the law asks for that.
    pub acknowledge_due_on: Option<Date>,
    /// Last day to answer, as long as nothing is extended.
    pub due_on: Date,
    /// Last day on which an extension notice is accepted; `None` where the law foresees no extension. It is
    /// the end of the first period before any roll, so it may lie before `due_on`.
    pub cutoff_on: Option<Date>,
}

/// Why an extension was refused. The due date is then the one it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionRefused {
    /// The law knows no extension.
    #[error("the law of this request foresees no extension; the due date stays as it is")]
    NotForeseen,
    /// The notice comes after the first period.
    #[error("too late to extend: the person had to be told by {cutoff_on}; the due date stays as it is")]
    TooLate {
        /// Last day on which the notice would have been accepted.
        cutoff_on: Date,
    },
}

impl FromIterator<Date> for HolidayCalendar {
    fn from_iter<I: IntoIterator<Item = Date>>(days: I) -> Self {
        Self(days.into_iter().collect())
    }
}

impl HolidayCalendar {
    fn is_working_day(&self, day: Date) -> bool {
        !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && !self.0.contains(&day)
    }

    /// The `count`-th working day after `start`.
    ///
    /// R5: `start` is never counted, whether it is a working day or not.
    fn business_days_after(&self, start: Date, count: u16) -> Date {
        let (mut day, mut left) = (start, count);
        while left > 0 {
            let Ok(next) = day.tomorrow() else { return Date::MAX };
            day = next;
            if self.is_working_day(day) {
                left -= 1;
            }
        }
        day
    }

    /// `day` itself if it is worked, else the next working day.
    fn roll(&self, day: Date) -> Date {
        if self.is_working_day(day) { day } else { self.business_days_after(day, 1) }
    }
}

impl Period {
    /// The last day of the period if `start` is day 0.
    ///
    /// The spans cannot overflow: 255 months and 65 535 days are far inside what a span holds.
    fn end(self, start: Date, holidays: &HolidayCalendar) -> Date {
        match self {
            // R2 (Regulation 1182/71 Art. 3(2)(c)): the corresponding date or the month's last day, as `jiff`
            // adds months. R3: any number of months in this one step from the start.
            Self::CalendarMonths(months) => start.saturating_add(Span::new().months(months)),
            // R4.
            Self::CalendarDays(days) => start.saturating_add(Span::new().days(days)),
            Self::BusinessDays(days) => holidays.business_days_after(start, days),
        }
    }
}

impl LegalClock {
    /// The version of clock `key` that applies to a request received on `on`; `None` if there is no such
    /// clock, or none yet on that day.
    #[must_use]
    pub fn in_force(key: &str, on: Date) -> Option<&'static Self> {
        Self::newest_of(LEGAL_CLOCKS, key, on)
    }

    /// The clock under which a request was recorded.
    ///
    /// R13: a running clock keeps its rules when the law changes, so it is found by version and not by date.
    #[must_use]
    pub fn version(key: &str, version: u16) -> Option<&'static Self> {
        LEGAL_CLOCKS.iter().find(|clock| clock.key == key && clock.version == version)
    }

    /// What is due when, for a request received on the local date `received_on` (see [`local_date`]).
    #[must_use]
    pub fn deadlines(&self, received_on: Date, holidays: &HolidayCalendar) -> Deadlines {
        Deadlines {
            acknowledge_due_on: self.acknowledge.map(|period| self.due(period, received_on, holidays)),
            due_on: self.due(self.respond, received_on, holidays),
            cutoff_on: self.extension.map(|_| self.cutoff_on(received_on, holidays)),
        }
    }

    /// The due date of a request whose extension the person was told of on `notice_on`.
    ///
    /// R8: it is counted from receipt, so extending twice gives no more than extending once.
    ///
    /// # Errors
    /// If the law foresees no extension, or (R9; GDPR Art. 12(3): "within one month of receipt") the notice
    /// is dated after the un-rolled end of the first period: a lapsed clock is never brought back.
    pub fn extended_due_on(
        &self,
        received_on: Date,
        notice_on: Date,
        holidays: &HolidayCalendar,
    ) -> Result<Date, ExtensionRefused> {
        let extension = self.extension.ok_or(ExtensionRefused::NotForeseen)?;
        let cutoff_on = self.cutoff_on(received_on, holidays);
        if notice_on > cutoff_on {
            return Err(ExtensionRefused::TooLate { cutoff_on });
        }
        Ok(self.due(extension.total, received_on, holidays))
    }

    /// R13: the row with the latest effective date that is not after `on`.
    fn newest_of<'a>(clocks: &'a [Self], key: &str, on: Date) -> Option<&'a Self> {
        clocks
            .iter()
            .filter(|clock| clock.key == key && clock.effective_from <= on)
            .max_by_key(|clock| (clock.effective_from, clock.version))
    }

    /// R8: the roll gives time to answer, not time to extend.
    fn cutoff_on(&self, received_on: Date, holidays: &HolidayCalendar) -> Date {
        self.respond.end(received_on, holidays)
    }

    /// R6, R7: the roll comes last and once, on the end of the whole period.
    fn due(&self, period: Period, received_on: Date, holidays: &HolidayCalendar) -> Date {
        let end = period.end(received_on, holidays);
        match self.roll {
            Roll::None => end,
            Roll::NextWorkingDay => holidays.roll(end),
        }
    }
}

/// The calendar date of `moment` in the zone of the establishment: day 0 of a clock.
///
/// R1: a request that arrives at 00:30 in Berlin arrives that day, although it is still yesterday in UTC.
#[must_use]
pub fn local_date(moment: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(moment).date()
}

#[cfg(test)]
mod tests;
