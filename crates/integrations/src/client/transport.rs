//! Sockets, TLS and connection pools, and what became of a request below HTTP.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::fault;
#[cfg(feature = "testing")]
use super::in_memory::StandIn;
use super::resolver::{LeadsInside, PublicNames};
use crate::error::VendorError;

/// How long a vendor may take to open a connection; the name resolution and the TLS handshake are part of
/// it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Sockets, TLS and connection pool, shared by every [`super::VendorClient`] of the process. It can only be had
/// from [`super::VendorClient::transport`], so no client can follow redirects by accident.
#[derive(Clone)]
pub struct Transport {
    /// Connects to public addresses only.
    to_public: Way,
    /// Connects to any address; made when an operator's override first needs it.
    to_any: Arc<OnceLock<Way>>,
}

impl Transport {
    pub(super) fn new() -> Result<Self, VendorError> {
        Ok(Self { to_public: sockets(Some(PublicNames::of_the_system()))?, to_any: Arc::default() })
    }

    /// The way for a client whose address was set by the server's operator (`overridden`), or was not. The two never
    /// share a connection.
    pub(super) fn way(&self, overridden: bool) -> Result<Way, VendorError> {
        if !overridden {
            return Ok(self.to_public.clone());
        }
        match self.to_any.get() {
            Some(way) => Ok(way.clone()),
            None => {
                let way = sockets(None)?;
                Ok(self.to_any.get_or_init(|| way).clone())
            }
        }
    }

    /// Connects to what `names` lets through.
    #[cfg(test)]
    pub(super) fn to_names(names: PublicNames) -> Self {
        Self { to_public: sockets(Some(names)).unwrap(), to_any: Arc::default() }
    }

    /// Has `stand_in` answer in the place of every vendor.
    #[cfg(feature = "testing")]
    pub(super) fn standing_in(stand_in: Arc<dyn StandIn>) -> Self {
        Self::standing_in_for_each(Arc::clone(&stand_in), stand_in)
    }

    /// The same with one for public addresses and one for any.
    #[cfg(feature = "testing")]
    pub(super) fn standing_in_for_each(to_public: Arc<dyn StandIn>, to_any: Arc<dyn StandIn>) -> Self {
        Self { to_public: Way::StandIn(to_public), to_any: Arc::new(Way::StandIn(to_any).into()) }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Transport")
    }
}

/// How a client's requests leave.
#[derive(Clone)]
pub(super) enum Way {
    Sockets(reqwest::Client),
    #[cfg(feature = "testing")]
    StandIn(Arc<dyn StandIn>),
}

impl Way {
    pub(super) async fn carry(&self, request: reqwest::Request) -> Result<reqwest::Response, Failure> {
        match self {
            Self::Sockets(http) => http.execute(request).await.map_err(|error| Failure::of(&error)),
            #[cfg(feature = "testing")]
            Self::StandIn(stand_in) => stand_in.answer(request).await,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where an HTTP client is made")]
fn sockets(names: Option<PublicNames>) -> Result<Way, VendorError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("habeas/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(60))
        .pool_idle_timeout(Duration::from_secs(60));
    if let Some(names) = names {
        builder = builder.dns_resolver(names);
    }
    builder.build().map(Way::Sockets).map_err(|_| fault::no_transport())
}

/// Why there is no answer, or no whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The request could not be written.
    Malformed,
    /// The vendor's name stands for private addresses only.
    LeadsInside,
    /// No connection came about.
    NotConnected,
    /// The time was up.
    TimedOut,
    /// The connection broke.
    Broken,
}

impl Failure {
    pub(super) fn of(error: &reqwest::Error) -> Self {
        if error.is_builder() {
            Self::Malformed
        } else if leads_inside(error) {
            Self::LeadsInside
        } else if error.is_connect() {
            Self::NotConnected
        } else if error.is_timeout() {
            Self::TimedOut
        } else {
            Self::Broken
        }
    }
}

fn leads_inside(error: &reqwest::Error) -> bool {
    std::iter::successors(error.source(), |cause| (*cause).source()).any(|cause| cause.is::<LeadsInside>())
}
