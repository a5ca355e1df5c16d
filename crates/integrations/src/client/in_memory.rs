//! A vendor without sockets: requests go to a function and its answers come back, through everything else that a real
//! answer goes through. Only with the feature `testing`.

use std::fmt;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use reqwest::Body;
use url::Url;

use super::transport::{Failure, Transport};

/// A request as it would leave the machine.
#[derive(Clone)]
pub struct Sent {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: Url,
    /// The headers, credentials included.
    pub headers: HeaderMap,
    /// The body, empty if there is none.
    pub body: Bytes,
}

impl Sent {
    pub(super) fn of(request: &reqwest::Request) -> Self {
        let body = request.body().and_then(Body::as_bytes).unwrap_or_default();
        Self {
            method: request.method().clone(),
            url: request.url().clone(),
            headers: request.headers().clone(),
            body: Bytes::copy_from_slice(body),
        }
    }
}

/// Shows no header, no body and no address.
impl fmt::Debug for Sent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sent({})", self.method)
    }
}

/// An answer.
#[derive(Clone, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Whether the connection breaks behind the body.
    pub is_cut: bool,
}

impl Answer {
    /// An answer with a body.
    #[must_use]
    pub fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }

    /// The same with a header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same as JSON.
    #[must_use]
    pub fn with_json(self) -> Self {
        self.with(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }
}

/// Shows no header and no body.
impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Answer({}, {} bytes)", self.status.as_u16(), self.body.len())
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The vendor's name stands for private addresses only.
    LeadsInside,
    /// No connection came about.
    NotConnected,
    /// The time was up.
    TimedOut,
    /// The connection broke before the answer began.
    Broken,
}

impl From<Loss> for Failure {
    fn from(loss: Loss) -> Self {
        match loss {
            Loss::LeadsInside => Self::LeadsInside,
            Loss::NotConnected => Self::NotConnected,
            Loss::TimedOut => Self::TimedOut,
            Loss::Broken => Self::Broken,
        }
    }
}

/// What answers in a vendor's place.
#[async_trait]
pub(super) trait StandIn: Send + Sync {
    async fn answer(&self, request: reqwest::Request) -> Result<reqwest::Response, Failure>;
}

struct Function<F>(F);

#[async_trait]
impl<F> StandIn for Function<F>
where
    F: Fn(&Sent) -> Result<Answer, Loss> + Send + Sync,
{
    async fn answer(&self, request: reqwest::Request) -> Result<reqwest::Response, Failure> {
        Ok(response((self.0)(&Sent::of(&request))?))
    }
}

impl Transport {
    /// Has `answer` answer in the place of every vendor. Nothing leaves the machine.
    #[must_use]
    pub fn in_memory(answer: impl Fn(&Sent) -> Result<Answer, Loss> + Send + Sync + 'static) -> Self {
        Self::standing_in(Arc::new(Function(answer)))
    }
}

pub(super) fn response(answer: Answer) -> reqwest::Response {
    let Answer { status, headers, body, is_cut } = answer;
    let body = if is_cut {
        Body::wrap_stream(stream::iter([Ok(body), Err(io::Error::from(io::ErrorKind::ConnectionReset))]))
    } else {
        Body::from(body)
    };
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.into()
}
