//! The one way to a vendor: pacing, egress rules, bounds, redaction and measuring.
//!
//! A connector says what to ask ([`VendorClient::call`]); this module decides whether it may be sent (pace,
//! host), sends it once, bounds what comes back and tells failures apart by what the engine may do about
//! them: nothing was sent, the vendor said no, or nobody knows whether it took effect.
//!
//! What never leaves this module: a header, a body or a whole address in a log line or an error.

mod answer;
mod call;
mod fault;
#[cfg(feature = "testing")]
pub mod in_memory;
mod observe;
mod permits;
mod public_addresses;
#[cfg(feature = "testing")]
pub mod recording;
mod resolver;
mod send;
#[cfg(test)]
mod tests;
mod transport;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use habeas_environment::Environment;
use http::Method;
use url::{Host, Url};

pub use answer::{Reply, VendorAnswer};
pub use call::Call;
pub use permits::{NotNow, Permits, Unlimited};
pub use transport::Transport;

use transport::Way;

use crate::error::VendorError;
use crate::manifest::EndpointClass;

/// How a [`VendorClient`] behaves.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// The integration's name in metrics and logs.
    pub integration: &'static str,
    /// The vendor's host; a path that it has stays in front of every path that is asked for.
    pub base_url: Url,
    /// The host of the vendor's newer API, where it may be called.
    pub newer_api: Option<Url>,
    /// Whether the server's operator set `base_url`: plain HTTP, loopback and private networks are allowed then, and
    /// only then.
    pub overridden: bool,
    /// How long one call may take from the first byte sent to the last byte read.
    pub timeout: Duration,
    /// The longest answer that is read.
    pub max_body_bytes: usize,
    /// Leave to call.
    pub permits: Arc<dyn Permits>,
    /// The clock.
    pub environment: Environment,
}

impl ClientOptions {
    /// The timeout of a call unless somebody chooses another.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
    /// The longest answer that is read unless somebody chooses another (32 MiB).
    pub const MAX_BODY_BYTES: usize = 32 << 20;

    /// The defaults: not overridden, without pacing.
    #[must_use]
    pub fn new(integration: &'static str, base_url: Url, environment: Environment) -> Self {
        Self {
            integration,
            base_url,
            newer_api: None,
            overridden: false,
            timeout: Self::TIMEOUT,
            max_body_bytes: Self::MAX_BODY_BYTES,
            permits: Arc::new(Unlimited),
            environment,
        }
    }
}

/// The way to one vendor host. Cheap to clone; holds no secret.
#[derive(Clone)]
pub struct VendorClient {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    options: ClientOptions,
    way: Way,
}

impl VendorClient {
    /// Makes what all clients share. Once per process: it loads the system's certificates and owns the
    /// pool.
    ///
    /// Redirects are never followed (a redirect would carry the token elsewhere), nothing is sent a second
    /// time behind the engine's back, and proxies named in the environment are not used: which hosts are
    /// called is decided by the configuration alone. Only public addresses are connected to, whatever a vendor's name
    /// stands for, unless the server's operator set the vendor's address.
    ///
    /// # Errors
    /// If the system offers no usable TLS set-up.
    pub fn transport() -> Result<Transport, VendorError> {
        observe::describe();
        Transport::new()
    }

    /// A client for the vendor at `options.base_url`.
    ///
    /// # Errors
    /// If the address cannot be a vendor's: a user, query or fragment in it, or, unless the operator set
    /// it, anything but HTTPS to a host with a public-looking name. What the name stands for is judged when it is
    /// connected to.
    pub fn new(options: ClientOptions, transport: Transport) -> Result<Self, VendorError> {
        for address in [Some(&options.base_url), options.newer_api.as_ref()].into_iter().flatten() {
            usable(address, options.overridden)?;
        }
        let way = transport.way(options.overridden)?;
        Ok(Self { inner: Arc::new(Inner { options, way }) })
    }

    /// The same client, asking `permits` for leave.
    #[cfg(test)]
    pub(crate) fn with_permits(&self, permits: Arc<dyn Permits>) -> Self {
        let mut inner = Inner::clone(&self.inner);
        inner.options.permits = permits;
        Self { inner: Arc::new(inner) }
    }

    /// The way to the vendor's newer API, under the same limits; `None` if there is none, or the operator replaced the
    /// vendor's host without saying where that API is to be found.
    #[must_use]
    pub fn newer_api(&self) -> Option<Self> {
        let base_url = self.inner.options.newer_api.clone()?;
        let options = ClientOptions { base_url, newer_api: None, ..self.inner.options.clone() };
        Some(Self { inner: Arc::new(Inner { options, way: self.inner.way.clone() }) })
    }

    /// The address that every call stays below.
    #[must_use]
    pub fn base_url(&self) -> &Url {
        &self.inner.options.base_url
    }

    /// The clock that the client was given.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.inner.options.environment
    }

    /// Begins a call that counts against `class`. Add the path with [`Call::path`].
    pub fn call(&self, class: EndpointClass, method: Method) -> Call {
        Call::new(self.clone(), class, method, Ok(self.base_url().clone()))
    }

    /// Begins a GET that counts against `class`.
    pub fn get(&self, class: EndpointClass) -> Call {
        self.call(class, Method::GET)
    }

    /// Begins a GET of an address that the vendor gave (the next page, a file). An address outside the
    /// vendor's own is refused when the call is sent, and nothing is sent.
    pub fn follow(&self, class: EndpointClass, address: &str) -> Call {
        Call::new(self.clone(), class, Method::GET, self.own(address))
    }

    /// The absolute form of an address that the vendor gave, if it lies below this client's base.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadAnswer`] if it is no address, or points to another scheme, host, port or
    /// tree.
    pub fn own(&self, address: &str) -> Result<Url, VendorError> {
        let base = self.base_url();
        let mut url = base.join(address.trim()).map_err(|_| fault::no_address())?;
        url.set_fragment(None);
        let same_place = url.scheme() == base.scheme()
            && url.host() == base.host()
            && url.port_or_known_default() == base.port_or_known_default()
            && url.username().is_empty()
            && url.password().is_none();
        if !same_place {
            return Err(fault::another_host(&url));
        }
        let tree = base.path().trim_end_matches('/');
        match url.path().strip_prefix(tree) {
            Some(rest) if rest.starts_with('/') => Ok(url),
            _ => Err(fault::another_tree()),
        }
    }
}

/// Shows where it leads, nothing else.
impl fmt::Debug for VendorClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("VendorClient")
            .field("integration", &self.inner.options.integration)
            .field("base_url", &self.base_url().as_str())
            .finish_non_exhaustive()
    }
}

/// Outside an operator's override a host is a public name reached over TLS: an address literal, `localhost`
/// or a single label would let a setting of a connection reach into the operator's own network.
fn usable(base: &Url, overridden: bool) -> Result<(), VendorError> {
    let plain = base.username().is_empty()
        && base.password().is_none()
        && base.query().is_none()
        && base.fragment().is_none();
    let fits = plain
        && match (base.scheme(), base.host()) {
            (_, None) => false,
            ("http" | "https", Some(_)) if overridden => true,
            ("https", Some(Host::Domain(name))) => {
                let name = name.trim_end_matches('.');
                name.contains('.')
                    && !["localhost", "local", "internal"]
                        .iter()
                        .any(|suffix| name.rsplit('.').next() == Some(*suffix))
            }
            _ => false,
        };
    if fits { Ok(()) } else { Err(fault::unusable_base(overridden)) }
}
