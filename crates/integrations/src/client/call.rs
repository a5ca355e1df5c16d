//! One call, described before it is sent.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;
use zeroize::Zeroizing;

use super::answer::{Reply, VendorAnswer};
use super::{VendorClient, fault, send};
use crate::error::VendorError;
use crate::manifest::EndpointClass;

/// One call. A mistake in describing it surfaces when it is sent, and nothing is sent then.
#[must_use = "a call does nothing before it is sent"]
pub struct Call {
    pub(super) client: VendorClient,
    pub(super) class: EndpointClass,
    pub(super) method: Method,
    pub(super) url: Result<Url, VendorError>,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    pub(super) effect: bool,
    pub(super) patience: Duration,
    pub(super) timeout: Option<Duration>,
    pub(super) request_id_at: Option<&'static str>,
    pub(super) wait_at: Option<&'static str>,
}

impl Call {
    pub(super) fn new(
        client: VendorClient,
        class: EndpointClass,
        method: Method,
        url: Result<Url, VendorError>,
    ) -> Self {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        let (body, effect, patience, timeout) = (None, false, Duration::ZERO, None);
        let (request_id_at, wait_at) = (None, None);
        Self { client, class, method, url, headers, body, effect, patience, timeout, request_id_at, wait_at }
    }

    /// Appends path segments. Each is percent-encoded, so a value can never become two segments, a query or
    /// a step upwards; empty segments, `.` and `..` are refused because no encoding makes them safe.
    pub fn path<'a>(mut self, segments: impl IntoIterator<Item = &'a str>) -> Self {
        let Ok(mut url) = self.url else { return self };
        for segment in segments {
            if matches!(segment, "" | "." | "..") {
                self.url = Err(fault::unsendable("a part of its path is empty or a step upwards"));
                return self;
            }
            if let Ok(mut path) = url.path_segments_mut() {
                path.pop_if_empty().push(segment);
            }
        }
        self.url = Ok(url);
        self
    }

    /// Ends the path with a slash.
    pub fn trailing_slash(mut self) -> Self {
        if let Ok(url) = &mut self.url
            && let Ok(mut path) = url.path_segments_mut()
        {
            path.pop_if_empty().push("");
        }
        self
    }

    /// Appends a query parameter.
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        if let Ok(url) = &mut self.url {
            url.query_pairs_mut().append_pair(name, &value.to_string());
        }
        self
    }

    /// Sends `secret` as the bearer token. It is never in an address, and the header does not print.
    pub fn bearer(self, secret: &SecretString) -> Self {
        let value = Zeroizing::new(format!("Bearer {}", secret.expose_secret()));
        self.secret_header(AUTHORIZATION, &value)
    }

    /// Sends `value` in a header.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => drop(self.headers.insert(HeaderName::from_static(name), value)),
            Err(_) => self = self.failing(fault::unsendable("one of its headers cannot be written")),
        }
        self
    }

    /// Sends `value` in a header that does not print.
    pub fn secret_header(mut self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.headers.insert(name, value);
            }
            Err(_) => self.url = self.url.and_then(|_| Err(fault::unusable_secret())),
        }
        self
    }

    /// Sends `body` as JSON.
    pub fn json(self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.with_body("application/json", bytes),
            Err(_) => self.failing(fault::unsendable("its body cannot be written as JSON")),
        }
    }

    /// Sends these bytes, which are JSON already: what is signed must be sent as it was signed.
    pub fn json_bytes(self, bytes: Vec<u8>) -> Self {
        self.with_body("application/json", bytes)
    }

    /// Sends `fields` as a form.
    pub fn form<'a>(self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.with_body("application/x-www-form-urlencoded", body.into_bytes())
    }

    /// Asks for another type than JSON.
    pub fn accept(mut self, media_type: &'static str) -> Self {
        self.headers.insert(ACCEPT, HeaderValue::from_static(media_type));
        self
    }

    /// Says that the call changes something at the vendor: if its answer is lost, nobody knows the outcome.
    pub fn effect(mut self) -> Self {
        self.effect = true;
        self
    }

    /// Waits up to `longest` for leave instead of giving the call back at once. For calls without which the
    /// work that is already under way would be lost; everything else is given back and due again later.
    pub fn patient(mut self, longest: Duration) -> Self {
        self.patience = longest;
        self
    }

    /// Gives this call another timeout than the client's.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Says where the vendor puts its own id of the call into the body of an answer (a JSON pointer), so that a failure
    /// of the vendor's own can name it too.
    pub fn request_id_at(mut self, pointer: &'static str) -> Self {
        self.request_id_at = Some(pointer);
        self
    }

    /// Says where the vendor puts into the body of a "too many requests" how long to wait (a JSON pointer to a number of
    /// milliseconds). It counts where no `Retry-After` does, and for this call alone: other calls may be free to go.
    pub fn wait_at(mut self, pointer: &'static str) -> Self {
        self.wait_at = Some(pointer);
        self
    }

    /// Sends it, once.
    ///
    /// # Errors
    /// Everything but a success (2xx) and a refusal (4xx without 408 and 429), which are answers.
    pub async fn send(self) -> Result<VendorAnswer, VendorError> {
        send::observed(self, Ok).await
    }

    /// Sends it, once, and reads a success as JSON.
    ///
    /// # Errors
    /// As [`Call::send`]; also if a success is not the JSON that `T` expects.
    pub async fn send_json<T: DeserializeOwned>(self) -> Result<Reply<T>, VendorError> {
        send::observed(self, |answer| {
            if answer.status.is_success() {
                answer.json().map(Reply::Value)
            } else {
                Ok(Reply::Refused(answer))
            }
        })
        .await
    }

    fn with_body(mut self, media_type: &'static str, body: Vec<u8>) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        self.body = Some(body.into());
        self
    }

    fn failing(mut self, error: VendorError) -> Self {
        self.url = self.url.and(Err(error));
        self
    }
}

/// Shows no address, header or body.
impl fmt::Debug for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Call")
            .field("class", &self.class.0)
            .field("method", &self.method.as_str())
            .field("effect", &self.effect)
            .finish_non_exhaustive()
    }
}
