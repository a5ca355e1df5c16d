//! Pages by `page_size` and `page_token`.
//!
//! Own choices: a token of most lists is the position of the next page; that of regulations is the time of
//! the first one on it, as in the vendor's sample. A size that is no number, or a token that was never given
//! out, is 400; size 0 is as good as none.

use axum::http::request::Parts;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::errors::Failure;
use super::route::{Resource, Route};
use crate::segment_config::knobs::{EndOfList, Knobs};
use crate::segment_config::regulation::Regulation;
use crate::segment_config::times;

const POSITION_PREFIX: &str = "position-";

/// 2001-01-01: earlier than everything a list of regulations can show.
const EARLY_US: i64 = 978_307_200_000_000;

/// The part of a list a call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    size: usize,
    token: Option<String>,
}

impl Page {
    pub(super) fn of(call: &Parts, knobs: &Knobs) -> Result<Self, Failure> {
        let size = match parameter(call, "page_size") {
            None => 0,
            Some(text) => text.parse().map_err(|_| Failure::invalid("page_size must be a number"))?,
        };
        let size = if size == 0 { knobs.page_size } else { size };
        Ok(Self { size: size.min(knobs.page_cap), token: parameter(call, "page_token") })
    }

    /// The items of this page, and the token of the next one.
    pub(super) fn of_items<T>(
        &self,
        items: impl Iterator<Item = T>,
    ) -> Result<(Vec<T>, Option<String>), Failure> {
        let from = match &self.token {
            None => 0,
            Some(token) => position(token).ok_or_else(bad_token)?,
        };
        let mut rest = items.skip(from);
        let page: Vec<_> = rest.by_ref().take(self.size).collect();
        let next = rest.next().map(|_| format!("{POSITION_PREFIX}{}", from + page.len()));
        Ok((page, next))
    }

    /// The same for regulations, which come newest first.
    pub(super) fn of_regulations<'r>(
        &self,
        regulations: impl Iterator<Item = &'r Regulation>,
    ) -> Result<(Vec<&'r Regulation>, Option<String>), Failure> {
        let from = match &self.token {
            None => i64::MAX,
            Some(token) => times::microseconds(token).ok_or_else(bad_token)?,
        };
        let mut rest = regulations.skip_while(|regulation| regulation.created_us > from);
        let page: Vec<_> = rest.by_ref().take(self.size).collect();
        let next = rest.next().map(|regulation| times::to_microsecond(regulation.created_us));
        Ok((page, next))
    }
}

/// A list as the API sends it.
pub(super) fn list(key: &str, items: impl Into<Value>, next: Option<String>, knobs: &Knobs) -> Value {
    let mut object = Map::new();
    object.insert(key.to_owned(), items.into());
    match (next, knobs.end_of_list) {
        (None, EndOfList::Absent) => {}
        (next, _) => {
            object.insert("next_page_token".to_owned(), next.unwrap_or_default().into());
        }
    }
    Value::Object(object)
}

/// A token behind the page this call asks for, whether or not there is anything.
pub(in crate::segment_config) fn token_behind(call: &Parts, knobs: &Knobs) -> String {
    let token = parameter(call, "page_token");
    let is_of_regulations =
        Route::of(call.uri.path()).is_some_and(|route| route.resource == Resource::Regulations);
    if is_of_regulations {
        let earlier = token.as_deref().and_then(times::microseconds).filter(|us| *us <= EARLY_US);
        return times::to_microsecond(earlier.map_or(EARLY_US, |us| us - 1));
    }
    let size = Page::of(call, knobs).map_or(knobs.page_size, |page| page.size);
    let from = token.as_deref().and_then(position).unwrap_or(0);
    format!("{POSITION_PREFIX}{}", from.saturating_add(size))
}

/// A query parameter that is not empty; the last one when it is given more than once.
pub(super) fn parameter(call: &Parts, name: &str) -> Option<String> {
    parameters(call, name).pop().filter(|value| !value.is_empty())
}

/// All values of a query parameter.
pub(super) fn parameters(call: &Parts, name: &str) -> Vec<String> {
    let pairs = form_urlencoded::parse(call.uri.query().unwrap_or_default().as_bytes());
    pairs.filter(|(found, _)| found == name).map(|(_, value)| value.into_owned()).collect()
}

fn position(token: &str) -> Option<usize> {
    token.strip_prefix(POSITION_PREFIX)?.parse().ok()
}

fn bad_token() -> Failure {
    Failure::invalid("page_token is not valid")
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn call(uri: &str) -> Parts {
        Request::builder().uri(uri).body(()).unwrap().into_parts().0
    }

    #[test]
    fn sizes_and_tokens() {
        let knobs = Knobs::default();
        let page = |uri: &str| Page::of(&call(uri), &knobs).map(|page| (page.size, page.token));
        assert_eq!(page("/"), Ok((10, None)));
        assert_eq!(page("/?page_size=0&page_token="), Ok((10, None)));
        assert_eq!(page("/?page_size=500&page_token=x"), Ok((100, Some("x".to_owned()))));
        assert!(page("/?page_size=-1").is_err() && page("/?page_size=ten").is_err());
    }

    #[test]
    fn positions_lead_through_a_list() {
        let page = |token: Option<&str>| Page { size: 2, token: token.map(str::to_owned) }.of_items(0..5);
        let next = |text: &str| Some(text.to_owned());
        assert_eq!(page(None), Ok((vec![0, 1], next("position-2"))));
        assert_eq!(page(Some("position-2")), Ok((vec![2, 3], next("position-4"))));
        assert_eq!(page(Some("position-4")), Ok((vec![4], None)));
        assert_eq!(page(Some("position-99")), Ok((vec![], None)));
        assert!(page(Some("http://evil.test")).is_err());
    }

    #[test]
    fn there_is_always_a_token_behind() {
        let knobs = Knobs::default();
        let behind = |uri: &str| token_behind(&call(uri), &knobs);
        assert_eq!(behind("/v1beta/catalog/sources?page_token=position-4&page_size=3"), "position-7");
        let first = behind("/v1beta/workspaces/a/regulations?page_token=2026-02-25T23:54:08.149538Z");
        assert_eq!(first, "2001-01-01T00:00:00.000000Z");
        let second = behind(&format!("/v1beta/workspaces/a/regulations?page_token={first}"));
        assert_eq!(second, "2000-12-31T23:59:59.999999Z");
    }
}
