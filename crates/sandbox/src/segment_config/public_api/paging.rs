//! Pages by `pagination.count` and `pagination.cursor`.
//!
//! Own choice: a cursor is a number in Base64, as in the vendor's sample: of most lists the position of the first
//! item on its page, of regulations the time of that one, so that new ones do not disturb a reader. Zero is the
//! beginning of either. A cursor that cannot be one is 422.

use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::envelope::Failure;
use super::knobs::{LastPage, PublicKnobs};
use super::query::Query;
use crate::segment_config::regulation::Regulation;

/// 2001-01-01: earlier than everything a list of regulations can show.
const EARLY_US: i64 = 978_307_200_000_000;

/// The part of a list a call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    count: usize,
    from: i64,
    knobs: PublicKnobs,
}

impl Page {
    pub(super) fn of(query: &Query, knobs: &PublicKnobs) -> Result<Self, Failure> {
        let highest = knobs.highest_count;
        let count = match query.field("pagination", "count")? {
            None => knobs.default_count.ok_or_else(|| Failure::bad_input("pagination", "is required"))?,
            Some(text) => {
                let count = text.parse().ok().filter(|count| (1..=highest).contains(count));
                let message = format!("must be a number from 1 to {highest}");
                count.ok_or_else(|| Failure::bad_input("pagination.count", &message))?
            }
        };
        let from = match query.field("pagination", "cursor")? {
            None => 0,
            Some(text) => {
                decoded(&text).ok_or_else(|| Failure::bad_input("pagination.cursor", "is not valid"))?
            }
        };
        Ok(Self { count, from, knobs: *knobs })
    }

    /// The items of this page, and what there is to say about the pages around it.
    pub(super) fn of_items<T>(&self, items: impl Iterator<Item = T>) -> (Vec<T>, Value) {
        let items: Vec<_> = items.collect();
        let first = usize::try_from(self.from).unwrap_or(usize::MAX).min(items.len());
        self.cut(items, first, |position, _| i64::try_from(position).unwrap_or(i64::MAX))
    }

    /// The same for regulations, which come newest first.
    pub(super) fn of_regulations<'r>(
        &self,
        regulations: impl Iterator<Item = &'r Regulation>,
    ) -> (Vec<&'r Regulation>, Value) {
        let items: Vec<_> = regulations.collect();
        let from = if self.from == 0 { i64::MAX } else { self.from };
        let first = items.partition_point(|regulation| regulation.created_us > from);
        self.cut(items, first, |_, regulation| regulation.created_us)
    }

    fn cut<T>(&self, mut items: Vec<T>, first: usize, mark: impl Fn(usize, &T) -> i64) -> (Vec<T>, Value) {
        let total = items.len();
        let cursor = |position: usize| {
            let number = if position == 0 { 0 } else { mark(position, items.get(position)?) };
            Some(encoded(number))
        };
        let after = first.saturating_add(self.count);
        let next = cursor(after).filter(|_| after < total);
        let previous = cursor(first.saturating_sub(self.count)).filter(|_| first > 0);
        let mut pagination = Map::new();
        pagination.insert("current".to_owned(), encoded(self.from).into());
        for (name, cursor) in [("next", next), ("previous", previous)] {
            if cursor.is_some() || self.knobs.last_page == LastPage::Null {
                pagination.insert(name.to_owned(), json!(cursor));
            }
        }
        if self.knobs.total_entries {
            pagination.insert("totalEntries".to_owned(), total.into());
        }
        items.truncate(after);
        (items.split_off(first), Value::Object(pagination))
    }
}

/// A cursor behind the page this call asks for, whether or not there is anything.
pub(super) fn cursor_behind(call: &Parts, knobs: &PublicKnobs) -> String {
    let page = Page::of(&Query::of(call), knobs);
    let (from, count) = page.map_or((0, knobs.highest_count), |page| (page.from, page.count));
    let is_of_regulations = call.uri.path().starts_with("/regulations");
    encoded(match is_of_regulations {
        true if (1..=EARLY_US).contains(&from) => from - 1,
        true => EARLY_US,
        false => from.saturating_add(i64::try_from(count).unwrap_or(i64::MAX)),
    })
}

fn encoded(number: i64) -> String {
    STANDARD.encode(number.to_string())
}

fn decoded(cursor: &str) -> Option<i64> {
    let text = String::from_utf8(STANDARD.decode(cursor).ok()?).ok()?;
    text.parse().ok().filter(|number| *number >= 0)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn call(uri: &str) -> Parts {
        Request::builder().uri(uri).body(()).unwrap().into_parts().0
    }

    fn page(query: &str, knobs: &PublicKnobs) -> Result<Page, Failure> {
        Page::of(&Query::of(&call(&format!("/?{query}"))), knobs)
    }

    #[test]
    fn positions_lead_through_a_list_and_back() {
        let knobs = PublicKnobs::default();
        let cut = |query: &str| page(query, &knobs).unwrap().of_items(0..5);
        let around = |current: &str, next: Option<&str>, previous: Option<&str>| json!({"current": current, "next": next, "previous": previous, "totalEntries": 5});
        assert_eq!(cut("pagination.count=3"), (vec![0, 1, 2], around("MA==", Some("Mw=="), None)));
        let rest = (vec![3, 4], around("Mw==", None, Some("MA==")));
        assert_eq!(cut("pagination.count=3&pagination.cursor=Mw%3D%3D"), rest);
        let behind = (vec![], around("OTk=", None, Some("Mg==")));
        assert_eq!(cut("pagination.count=3&pagination.cursor=OTk="), behind);
        assert_eq!(cut("").0.len(), 5);
    }

    #[test]
    fn what_may_be_missing() {
        let knobs =
            PublicKnobs { last_page: LastPage::Absent, total_entries: false, ..PublicKnobs::default() };
        let (_, pagination) = page("pagination.count=9", &knobs).unwrap().of_items(0..5);
        assert_eq!(pagination, json!({"current": "MA=="}));
    }

    #[test]
    fn counts_and_cursors_that_make_no_sense() {
        let knobs = PublicKnobs { highest_count: 200, ..PublicKnobs::default() };
        for query in ["count=0", "count=201", "count=-1", "count=ten", "cursor=3", "cursor=LTE="] {
            assert!(page(&format!("pagination.{query}"), &knobs).is_err(), "{query}");
        }
        assert!(page("", &PublicKnobs { default_count: None, ..knobs }).is_err());
        assert_eq!(page("pagination.count=200", &knobs).unwrap().count, 200);
    }

    #[test]
    fn there_is_always_a_cursor_behind() {
        let knobs = PublicKnobs::default();
        let behind = |uri: &str| decoded(&cursor_behind(&call(uri), &knobs)).unwrap();
        assert_eq!(behind("/sources?pagination.count=3&pagination.cursor=Mw=="), 6);
        let first = behind("/regulations?pagination.cursor=MTc3MjMyMzk3NjE0OTUzOA==");
        assert_eq!(first, EARLY_US);
        assert_eq!(behind(&format!("/regulations?pagination.cursor={}", encoded(first))), EARLY_US - 1);
    }
}
