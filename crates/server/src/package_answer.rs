//! A package as an answer: whole, or from a byte on, so that a download that broke off can be continued (RFC 9110,
//! section 14).

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use habeas_casework::delivery::PackageReading;
use habeas_documents::mail::reference;

/// Which bytes a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of them.
    Whole,
    /// From one on, up to and including another if it is named.
    From(u64, Option<u64>),
    /// The last ones.
    Last(u64),
}

impl Wanted {
    /// What the header `Range` asks for. What cannot be understood, and several ranges, mean everything.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let range = headers.get(RANGE).and_then(|range| range.to_str().ok()).unwrap_or_default();
        let range = range.trim().strip_prefix("bytes=").filter(|range| !range.contains(','));
        let Some((from, to)) = range.and_then(|range| range.split_once('-')) else { return Self::Whole };
        match (from.trim(), to.trim()) {
            ("", last) => last.parse().map_or(Self::Whole, Self::Last),
            (from, "") => from.parse().map_or(Self::Whole, |from| Self::From(from, None)),
            (from, to) => match (from.parse::<u64>(), to.parse::<u64>()) {
                (Ok(from), Ok(to)) if from <= to => Self::From(from, Some(to)),
                _ => Self::Whole,
            },
        }
    }

    /// The first byte of a package of that length, and the byte after the last; `None` if there is no such part.
    pub(crate) const fn within(self, bytes: u64) -> Option<(u64, u64)> {
        match self {
            Self::Whole => Some((0, bytes)),
            Self::From(from, _) if from >= bytes => None,
            Self::From(from, Some(to)) if to < bytes => Some((from, to + 1)),
            Self::From(from, _) => Some((from, bytes)),
            Self::Last(0) => None,
            Self::Last(last) => Some((bytes.saturating_sub(last), bytes)),
        }
    }
}

/// What was sent before still belongs to this package.
pub(crate) fn still_the_same(headers: &HeaderMap, sha256: &str) -> bool {
    headers.get(IF_RANGE).is_none_or(|tag| tag.to_str().is_ok_and(|tag| tag == tag_of(sha256)))
}

fn tag_of(sha256: &str) -> String {
    format!("\"{sha256}\"")
}

/// The answer to a client that wants bytes which are not there.
pub(crate) fn unsatisfiable(bytes: u64) -> Response {
    (StatusCode::RANGE_NOT_SATISFIABLE, [(CONTENT_RANGE, format!("bytes */{bytes}"))]).into_response()
}

/// The bytes from where the reading begins up to `to`.
pub(crate) fn answer(reading: PackageReading, to: u64) -> Response {
    let PackageReading { request, bytes, from, .. } = reading;
    let is_whole = from == 0 && to == bytes;
    let headers = [
        (CONTENT_TYPE, "application/zip".to_owned()),
        (CONTENT_LENGTH, (to - from).to_string()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"your-data-{}.zip\"", reference(request))),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (ETAG, tag_of(&reading.sha256)),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    // The answer to HEAD has the same headers and drops the body unread, so nothing is closed.
    let body = Body::from_stream(reading.until(to).stream());
    if is_whole {
        return (headers, body).into_response();
    }
    let range = [(CONTENT_RANGE, format!("bytes {from}-{}/{bytes}", to.saturating_sub(1)))];
    (StatusCode::PARTIAL_CONTENT, headers, range, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("", Some((0, 100)))]
    #[case("bytes=10-", Some((10, 100)))]
    #[case("bytes=10-19", Some((10, 20)))]
    #[case("bytes=10-1000", Some((10, 100)))]
    #[case("bytes=-10", Some((90, 100)))]
    #[case("bytes=-1000", Some((0, 100)))]
    #[case("bytes=100-", None)]
    #[case("bytes=-0", None)]
    #[case("bytes=20-10", Some((0, 100)))]
    #[case("bytes=0-1,5-6", Some((0, 100)))]
    #[case("lines=1-2", Some((0, 100)))]
    #[case("bytes=a-b", Some((0, 100)))]
    #[case("bytes=99999999999999999999-", Some((0, 100)))]
    fn ranges(#[case] header: &str, #[case] expected: Option<(u64, u64)>) {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, header.parse().unwrap());
        assert_eq!(Wanted::of(&headers).within(100), expected);
    }
}
