//! What every handler is given.

use std::sync::Arc;
use std::time::Duration;

use habeas_casework::Casework;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

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
}

impl ServerState {
    /// A server over casework.
    #[must_use]
    pub fn new(casework: Casework, options: ServerOptions) -> Self {
        Self { casework, options: Arc::new(options) }
    }
}
