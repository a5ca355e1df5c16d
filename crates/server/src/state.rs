//! What every handler is given.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use habeas_casework::Casework;
use ipnet::IpNet;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use crate::pages::Limits;

/// What people at a system's owner may send.
#[derive(Clone, Copy, Debug)]
pub struct UploadLimits {
    /// Bytes of one file.
    pub file: u64,
    /// Bytes of all files of one answer.
    pub answer: u64,
}

impl Default for UploadLimits {
    fn default() -> Self {
        Self { file: 500_000_000, answer: 2_000_000_000 }
    }
}

/// What the operator decides about the server.
#[derive(Clone)]
pub struct ServerOptions {
    /// Where `GET /metrics` takes its text from; without it the route answers 404.
    pub metrics: Option<PrometheusHandle>,
    /// Bytes of a body at most. `POST /api/v1/requests/bulk` takes 32 times as much.
    pub body_limit: usize,
    /// How long `GET /api/v1/requests/{id}?wait=` waits at most, whatever it asks for.
    pub wait_limit: Duration,
    /// How long a body may stand still while it is received.
    pub body_timeout: Duration,
    /// Where the server listens, if it does.
    pub address: Option<SocketAddr>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether people reach the server over HTTPS only, so that cookies may insist on it.
    pub secure_cookies: bool,
    /// Whether somebody receives the mails that are sent.
    pub mails_are_sent: bool,
    /// What people at a system's owner may send.
    pub uploads: UploadLimits,
    /// Calls to the pages for people that one address may make in a minute.
    pub pages_per_minute: NonZeroU32,
    /// Cancelled when the server is to stop: whoever waits for news is answered at once.
    pub stop: CancellationToken,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            metrics: None,
            body_limit: 1024 * 1024,
            wait_limit: Duration::from_secs(120),
            body_timeout: Duration::from_secs(30),
            address: None,
            trusted_proxies: Vec::new(),
            secure_cookies: false,
            mails_are_sent: true,
            uploads: UploadLimits::default(),
            pages_per_minute: NonZeroU32::MIN.saturating_add(119),
            stop: CancellationToken::new(),
        }
    }
}

impl std::fmt::Debug for ServerOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ServerOptions")
            .field("metrics", &self.metrics.is_some())
            .field("body_limit", &self.body_limit)
            .field("wait_limit", &self.wait_limit)
            .field("body_timeout", &self.body_timeout)
            .finish_non_exhaustive()
    }
}

/// What every handler is given; cheap to clone.
#[derive(Clone, Debug)]
pub struct ServerState {
    pub(crate) casework: Casework,
    pub(crate) options: Arc<ServerOptions>,
    pub(crate) limits: Arc<Limits>,
}

impl ServerState {
    /// A server over casework.
    #[must_use]
    pub fn new(casework: Casework, options: ServerOptions) -> Self {
        let limits = Arc::new(Limits::new(options.pages_per_minute));
        Self { casework, options: Arc::new(options), limits }
    }
}
