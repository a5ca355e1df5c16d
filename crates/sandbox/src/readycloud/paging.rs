//! Pages by limit and offset, with absolute links.

use axum::http::header::HOST;
use axum::http::request::Parts;
use serde::Serialize;
use url::form_urlencoded;

use super::knobs::Knobs;

/// The part of a list a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) limit: usize,
    pub(super) offset: usize,
}

/// One page, as the API sends it.
#[derive(Debug, Serialize)]
pub(super) struct Page<T> {
    count: usize,
    next: Option<String>,
    previous: Option<String>,
    results: Vec<T>,
}

impl Window {
    /// Numbers that make no sense are as good as absent.
    pub(super) fn of(call: &Parts, knobs: &Knobs) -> Self {
        let number = |name| parameter(call, name).and_then(|text| text.parse::<usize>().ok());
        let limit = number("limit").filter(|limit| *limit > 0).unwrap_or(knobs.page_size);
        Self { limit: limit.min(knobs.page_cap), offset: number("offset").unwrap_or(0) }
    }

    /// The page with these results, of a list of `count`.
    pub(super) fn page<T>(self, call: &Parts, count: usize, results: Vec<T>) -> Page<T> {
        let next = (self.offset.saturating_add(self.limit) < count).then(|| self.next_link(call));
        let previous = (self.offset > 0).then(|| self.link(call, self.offset.saturating_sub(self.limit)));
        Page { count, next, previous, results }
    }

    /// The part of `all` in this window.
    pub(super) fn of_slice<T>(self, all: &[T]) -> &[T] {
        let from = self.offset.min(all.len());
        let to = self.offset.saturating_add(self.limit).min(all.len());
        &all[from..to]
    }

    /// The link to the page behind this one, even if there is none.
    pub(super) fn next_link(self, call: &Parts) -> String {
        self.link(call, self.offset.saturating_add(self.limit))
    }

    /// Absolute, on the host the call came in on, with every other query parameter kept.
    fn link(self, call: &Parts, offset: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(call.uri.query().unwrap_or_default().as_bytes()) {
            if name != "limit" && name != "offset" {
                query.append_pair(&name, &value);
            }
        }
        query.append_pair("limit", &self.limit.to_string());
        if offset > 0 {
            query.append_pair("offset", &offset.to_string());
        }
        format!("{}{}?{}", origin(call), call.uri.path(), query.finish())
    }
}

/// Scheme and host as the client wrote them.
pub(super) fn origin(call: &Parts) -> String {
    let host = call.headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or("127.0.0.1");
    format!("http://{host}")
}

/// A query parameter; the last one when it is given more than once.
pub(super) fn parameter(call: &Parts, name: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(call.uri.query()?.as_bytes());
    pairs.filter(|(found, _)| found == name).last().map(|(_, value)| value.into_owned())
}

/// Whether a comma-separated `expand` asks for this.
pub(super) fn expands(call: &Parts, what: &str) -> bool {
    parameter(call, "expand").is_some_and(|value| value.split(',').any(|part| part.trim() == what))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn call(uri: &str) -> Parts {
        Request::builder().uri(uri).header(HOST, "vendor.test:81").body(()).unwrap().into_parts().0
    }

    #[test]
    fn limits_and_offsets() {
        let knobs = Knobs::default();
        let table = [
            ("/", 20, 0),
            ("/?limit=5&offset=7", 5, 7),
            ("/?limit=1000", 100, 0),
            ("/?limit=0&offset=-1", 20, 0),
            ("/?limit=x&offset=", 20, 0),
            ("/?limit=1&limit=2", 2, 0),
        ];
        for (uri, limit, offset) in table {
            assert_eq!(Window::of(&call(uri), &knobs), Window { limit, offset }, "{uri}");
        }
    }

    #[test]
    fn links_are_absolute_and_keep_other_parameters() {
        let call = call("/api/?expand=notes&limit=2&offset=2&q=a%20b");
        let window = Window::of(&call, &Knobs::default());
        let page = window.page(&call, 5, vec![3, 4]);
        assert_eq!(
            page.next.as_deref(),
            Some("http://vendor.test:81/api/?expand=notes&q=a+b&limit=2&offset=4")
        );
        assert_eq!(page.previous.as_deref(), Some("http://vendor.test:81/api/?expand=notes&q=a+b&limit=2"));
        assert_eq!(window.page(&call, 4, vec![3, 4]).next, None);
        assert_eq!(window.of_slice(&[1, 2, 3]), [3]);
        assert!(Window { limit: 5, offset: 9 }.of_slice(&[1]).is_empty());
    }
}
