//! What a vendor answered, within bounds.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::fault;
use crate::error::VendorError;

/// Where vendors put their own id of a call.
const REQUEST_ID_HEADERS: [&str; 4] = ["x-request-id", "request-id", "x-amzn-requestid", "x-trace-id"];
/// Longer ids are not ids.
const LONGEST_REQUEST_ID: usize = 128;
/// More values in one answer are not read: each takes up many times the room in memory that it has in the answer.
const MOST_VALUES: usize = 2_000_000;
/// A vendor that asks for more is asked again after this; a mistake in a header must not park a request for
/// days.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// An answer that is neither a redirect, nor "too many requests", nor a server error: a success or a
/// refusal that the connector understands better than this module.
#[derive(Clone)]
pub struct VendorAnswer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body, whole.
    pub body: Bytes,
    /// The media type without parameters, lower case.
    pub content_type: Option<String>,
    /// The vendor's own id of the call, for its support.
    pub vendor_request_id: Option<String>,
    /// How long the vendor asks to wait.
    pub retry_after: Option<Duration>,
    pub(super) effect: bool,
}

/// What [`super::Call::send_json`] gives.
#[derive(Debug)]
pub enum Reply<T> {
    /// The vendor did it and sent this.
    Value(T),
    /// The vendor refused (4xx).
    Refused(VendorAnswer),
}

impl VendorAnswer {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Self {
        Self {
            status,
            body: Bytes::new(),
            content_type: content_type(headers),
            vendor_request_id: request_id(headers),
            retry_after: retry_after(headers, now),
            effect: false,
        }
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadAnswer`] if it is another type, not JSON, nested too deeply, or not a `T`.
    /// The message names the place, never the content.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, VendorError> {
        if !self.is_json() {
            return Err(fault::not_json(self));
        }
        if self.has_more_values_than(MOST_VALUES) {
            return Err(fault::too_many_values(self));
        }
        serde_json::from_slice(&self.body).map_err(|error| fault::unreadable_json(self, &error))
    }

    /// Whether the body may hold more values than that, read as JSON: what stands in its texts is counted too.
    #[must_use]
    pub fn has_more_values_than(&self, most: usize) -> bool {
        self.body.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).nth(most).is_some()
    }

    /// Whether the vendor says that the body is JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.content_type.as_deref().is_some_and(|kind| {
            kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
        })
    }
}

/// Never shows the body.
impl fmt::Debug for VendorAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("VendorAnswer")
            .field("status", &self.status.as_u16())
            .field("content_type", &self.content_type)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    (!kind.is_empty()).then_some(kind)
}

/// The id is shown to people and kept: only what looks like one is taken.
fn request_id(headers: &HeaderMap) -> Option<String> {
    REQUEST_ID_HEADERS.iter().find_map(|name| {
        let value = headers.get(*name)?.to_str().ok()?.trim();
        is_request_id(value).then(|| value.to_owned())
    })
}

/// Whether a text looks like the id of a call.
pub(super) fn is_request_id(text: &str) -> bool {
    (1..=LONGEST_REQUEST_ID).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte))
}

/// `Retry-After` in both of its forms (RFC 9110 § 10.2.3), never longer than an hour.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number can hold is still "long".
        value.parse().map_or(LONGEST_RETRY_AFTER, Duration::from_secs)
    } else {
        let moment = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
        Duration::try_from(moment.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// A number of milliseconds that a body names, as the same.
pub(super) fn retry_after_ms(named: &serde_json::Value) -> Option<Duration> {
    named.as_u64().map(|wait| Duration::from_millis(wait).min(LONGEST_RETRY_AFTER))
}
