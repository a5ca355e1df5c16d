//! Limits per brand: one over everything, and one per method and route template.
//!
//! Own choice: a minute begins with the first call that counts in it and ends 60 seconds later; refused calls
//! do not count; there is one brand, so the counters need not tell brands apart.

use std::collections::HashMap;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;

use super::envelope::{Failure, Meta};
use super::knobs::RateLimitHeaders;
use super::times;
use crate::answers::set_header;

const WINDOW_MS: u64 = 60_000;
/// The counter of the whole brand among those of the endpoints.
const BRAND: &str = "";

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    began_ms: u64,
    calls: u32,
}

/// The minutes that are being counted.
#[derive(Debug, Default)]
pub(super) struct Limits(HashMap<&'static str, Window>);

/// A call that came too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany {
    /// Calls per minute.
    pub(super) limit: u32,
    /// When the next minute begins.
    pub(super) free_at_ms: u64,
}

impl Limits {
    /// Admits a call and counts it, or says when it would be.
    pub(super) fn admit(
        &mut self,
        endpoint: &'static str,
        limit: Option<u32>,
        brand_limit: Option<u32>,
        now_ms: u64,
    ) -> Result<(), TooMany> {
        let counters = [(endpoint, limit), (BRAND, brand_limit)];
        for (name, limit) in counters {
            let window = self.0.entry(name).or_default();
            let ends_ms = window.began_ms.saturating_add(WINDOW_MS);
            if ends_ms <= now_ms {
                *window = Window { began_ms: now_ms, calls: 0 };
            }
            if let Some(limit) = limit.filter(|limit| window.calls >= *limit) {
                return Err(TooMany { limit, free_at_ms: window.began_ms.saturating_add(WINDOW_MS) });
            }
        }
        for (name, _) in counters {
            if let Some(window) = self.0.get_mut(name) {
                window.calls = window.calls.saturating_add(1);
            }
        }
        Ok(())
    }
}

/// 429. Own choice: the code, which only a weak source names.
pub(super) fn too_many(meta: &Meta) -> Response {
    Failure::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_EXCEEDED", "Too many requests.").answer(meta)
}

impl TooMany {
    pub(super) fn answer(self, meta: &Meta, headers: RateLimitHeaders, now_ms: u64) -> Response {
        let seconds = self.free_at_ms.saturating_sub(now_ms).div_ceil(1000);
        let mut response = too_many(meta);
        let mut set = |name: &'static str, value: u64| {
            set_header(&mut response, HeaderName::from_static(name), &value.to_string());
        };
        match headers {
            RateLimitHeaders::None => {}
            RateLimitHeaders::RetryAfterSeconds => set("retry-after", seconds),
            RateLimitHeaders::RetryAfterDate => {
                let whole_second = self.free_at_ms.div_ceil(1000) * 1000;
                set_header(&mut response, RETRY_AFTER, &times::http_date(whole_second));
            }
            RateLimitHeaders::XRateLimit => {
                set("x-ratelimit-limit", self.limit.into());
                set("x-ratelimit-remaining", 0);
                set("x-ratelimit-reset", self.free_at_ms.div_ceil(1000));
            }
            RateLimitHeaders::RateLimit => {
                set("ratelimit-limit", self.limit.into());
                set("ratelimit-remaining", 0);
                set("ratelimit-reset", seconds);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_begin_with_their_first_call() {
        let mut limits = Limits::default();
        let mut admit = |endpoint, now_ms| limits.admit(endpoint, Some(2), Some(3), now_ms);
        assert_eq!(admit("a", 100_000), Ok(()));
        assert_eq!(admit("a", 130_000), Ok(()));
        assert_eq!(admit("a", 159_999), Err(TooMany { limit: 2, free_at_ms: 160_000 }));
        assert_eq!(admit("b", 159_999), Ok(()), "another endpoint");
        assert_eq!(admit("b", 159_999), Err(TooMany { limit: 3, free_at_ms: 160_000 }), "the whole brand");
        assert_eq!(admit("a", 160_000), Ok(()));
    }

    #[test]
    fn no_limit_is_no_limit() {
        let mut limits = Limits::default();
        assert!((0..99).all(|_| limits.admit("a", None, None, 100_000) == Ok(())));
        assert_eq!(limits.admit("a", Some(0), None, 200_000).unwrap_err().limit, 0);
    }
}
