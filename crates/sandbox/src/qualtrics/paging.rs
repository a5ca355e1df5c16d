//! The vendor's three styles of pages: links with `offset`, links with `skipToken`, and a bare `skipToken`.

use axum::http::header::HOST;
use axum::http::request::Parts;
use url::form_urlencoded;

use super::base64;
use super::envelope::Failure;

/// A page by offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offset {
    pub(super) offset: usize,
    pub(super) size: usize,
}

impl Offset {
    pub(super) fn of(call: &Parts, size: usize, cap: usize) -> Result<Self, Failure> {
        let offset = match parameter(call, "offset") {
            None => 0,
            Some(text) => text.parse().map_err(|_| invalid("offset"))?,
        };
        Ok(Self { offset, size: page_size(call, size, cap)? })
    }

    /// The link to the next page of a list of `count`; `None` on the last page.
    pub(super) fn next_page(self, call: &Parts, count: usize) -> Option<String> {
        let next = self.offset.saturating_add(self.size);
        (next < count).then(|| link(call, "offset", &next.to_string()))
    }
}

/// Where a list by `skipToken` goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// Behind so many rows. When rows before it vanish, others are skipped.
    Rows(usize),
    /// Behind the row with this number: `useNewPaginationScheme`.
    Behind(u32),
}

/// A page by token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) position: Position,
    pub(super) size: usize,
    new_scheme: bool,
}

impl Tokens {
    pub(super) fn of(call: &Parts, size: usize, cap: usize) -> Result<Self, Failure> {
        let new_scheme = parameter(call, "useNewPaginationScheme").is_some_and(|value| value == "true");
        let start = if new_scheme { Position::Behind(0) } else { Position::Rows(0) };
        let position = match parameter(call, "skipToken") {
            None => start,
            Some(token) => read_token(&token).ok_or_else(|| invalid("skipToken"))?,
        };
        Ok(Self { position, size: page_size(call, size, cap)?, new_scheme })
    }

    /// The page of a list of numbers in rising order, and the link to the next one.
    pub(super) fn page<'n>(self, call: &Parts, numbers: &'n [u32]) -> (&'n [u32], Option<String>) {
        let from = match self.position {
            Position::Rows(rows) => rows.min(numbers.len()),
            Position::Behind(last) => numbers.partition_point(|number| *number <= last),
        };
        let to = from.saturating_add(self.size).min(numbers.len());
        let page = &numbers[from..to];
        let token = match page.last() {
            Some(last) if self.new_scheme => format!("after:{last}"),
            _ => to.to_string(),
        };
        let next = (to < numbers.len()).then(|| link(call, "skipToken", &base64::encode(token.as_bytes())));
        (page, next)
    }
}

/// A link by offset to what is behind the page this call asks for, even if there is nothing.
pub(super) fn link_behind(call: &Parts, size: usize, cap: usize) -> String {
    let window = Offset::of(call, size, cap).unwrap_or(Offset { offset: 0, size });
    link(call, "offset", &window.offset.saturating_add(window.size).to_string())
}

/// The same by token.
pub(super) fn link_beyond(call: &Parts, size: usize, cap: usize) -> String {
    let token = match Tokens::of(call, size, cap) {
        Ok(Tokens { position: Position::Rows(rows), size, .. }) => rows.saturating_add(size).to_string(),
        Ok(Tokens { position: Position::Behind(last), .. }) => format!("after:{}", last.saturating_add(1)),
        Err(_) => size.to_string(),
    };
    link(call, "skipToken", &base64::encode(token.as_bytes()))
}

fn read_token(token: &str) -> Option<Position> {
    let text = String::from_utf8(base64::decode(token)?).ok()?;
    match text.strip_prefix("after:") {
        Some(number) => Some(Position::Behind(number.parse().ok()?)),
        None => Some(Position::Rows(text.parse().ok()?)),
    }
}

/// A search token: the offset in decimal, in base64.
pub(super) fn search_token(offset: usize) -> String {
    base64::encode(offset.to_string().as_bytes())
}

pub(super) fn search_offset(call: &Parts) -> Result<usize, Failure> {
    match parameter(call, "skipToken").map(|token| read_token(&token)) {
        None => Ok(0),
        Some(Some(Position::Rows(offset))) => Ok(offset),
        Some(_) => Err(invalid("skipToken")),
    }
}

/// Own choice: a number that makes no sense is refused, one that is too large is lowered.
pub(super) fn page_size(call: &Parts, size: usize, cap: usize) -> Result<usize, Failure> {
    let wanted = match parameter(call, "pageSize") {
        None => size,
        Some(text) => text.parse().ok().filter(|size| *size > 0).ok_or_else(|| invalid("pageSize"))?,
    };
    Ok(wanted.min(cap))
}

fn invalid(name: &str) -> Failure {
    Failure::bad_request(format!("Invalid value of the query parameter {name}."))
}

/// Absolute, on the host the call came in on, with every other query parameter kept.
fn link(call: &Parts, name: &str, value: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (other, kept) in form_urlencoded::parse(call.uri.query().unwrap_or_default().as_bytes()) {
        if other != "offset" && other != "skipToken" {
            query.append_pair(&other, &kept);
        }
    }
    query.append_pair(name, value);
    let host = call.headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or("127.0.0.1");
    format!("http://{host}{}?{}", call.uri.path(), query.finish())
}

/// A query parameter; the last one when it is given more than once.
pub(super) fn parameter(call: &Parts, name: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(call.uri.query()?.as_bytes());
    pairs.filter(|(found, _)| found == name).last().map(|(_, value)| value.into_owned())
}

pub(super) fn flag(call: &Parts, name: &str) -> bool {
    parameter(call, name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn call(uri: &str) -> Parts {
        Request::builder().uri(uri).header(HOST, "vendor.test:81").body(()).unwrap().into_parts().0
    }

    #[test]
    fn offsets() {
        let first = call("/API/v3/users?x=a%20b&pageSize=2");
        let page = Offset::of(&first, 100, 500).unwrap();
        assert_eq!(page, Offset { offset: 0, size: 2 });
        let next = page.next_page(&first, 3).unwrap();
        assert_eq!(next, "http://vendor.test:81/API/v3/users?x=a+b&pageSize=2&offset=2");
        assert_eq!(Offset::of(&call(&next), 100, 500).unwrap().next_page(&first, 3), None);
        for query in ["offset=x", "offset=-1", "pageSize=0", "pageSize=x"] {
            assert!(Offset::of(&call(&format!("/?{query}")), 100, 500).is_err(), "{query}");
        }
        assert_eq!(Offset::of(&call("/?pageSize=501"), 100, 500).unwrap().size, 500);
    }

    #[test]
    fn tokens_of_both_schemes() {
        let numbers = [3, 5, 8, 9, 12];
        for (scheme, fewer) in [("", [9, 12].as_slice()), ("&useNewPaginationScheme=true", &[8, 9])] {
            let first = call(&format!("/?pageSize=2{scheme}"));
            let (page, next) = Tokens::of(&first, 100, 500).unwrap().page(&first, &numbers);
            assert_eq!(page, [3, 5]);
            let second = call(&next.unwrap());
            let tokens = Tokens::of(&second, 100, 500).unwrap();
            assert_eq!(tokens.page(&second, &numbers).0, [8, 9]);
            assert_eq!(tokens.page(&second, &[5, 8, 9, 12]).0, fewer, "after a row has vanished");
            let (page, next) = tokens.page(&second, &numbers[..4]);
            assert_eq!((page, next), ([8, 9].as_slice(), None));
        }
        assert!(Tokens::of(&call("/?skipToken=!"), 100, 500).is_err());
        assert_eq!(search_offset(&call("/?skipToken=MTAw")), Ok(100));
        assert!(search_offset(&call("/?skipToken=YWZ0ZXI6Mw==")).is_err());
    }
}
