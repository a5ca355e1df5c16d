//! What went over the wire.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::client::in_memory::{Answer, Sent, StandIn, response};
use crate::client::transport::{Failure, Transport, Way};
use crate::error::VendorError;

/// A request and its answer, as they were.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The request.
    pub sent: Sent,
    /// The answer.
    pub answer: Answer,
}

/// Keeps every exchange that goes through its transports. Clones share what they keep.
#[derive(Clone, Default)]
pub struct Recorder {
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl Recorder {
    /// The same transport, with everything that it carries being kept.
    ///
    /// # Errors
    /// If the system offers no usable TLS set-up.
    pub fn around(&self, transport: &Transport) -> Result<Transport, VendorError> {
        let kept = |way| Arc::new(Recorded { way, recorder: self.clone() });
        Ok(Transport::standing_in_for_each(kept(transport.way(false)?), kept(transport.way(true)?)))
    }

    /// What was kept so far, in order. Exchanges without an answer are not in it.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, exchange: Exchange) {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
    }
}

/// Shows how many exchanges there are.
impl fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Recorder({} exchanges)", self.exchanges().len())
    }
}

struct Recorded {
    way: Way,
    recorder: Recorder,
}

#[async_trait]
impl StandIn for Recorded {
    async fn answer(&self, request: reqwest::Request) -> Result<reqwest::Response, Failure> {
        let sent = Sent::of(&request);
        let real = self.way.carry(request).await?;
        let (status, headers) = (real.status(), real.headers().clone());
        let body: Bytes = real.bytes().await.map_err(|error| Failure::of(&error))?;
        let answer = Answer { status, headers, body, is_cut: false };
        self.recorder.keep(Exchange { sent, answer: answer.clone() });
        Ok(response(answer))
    }
}
