//! The API in this very process, when no server has the data directory.

use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures::TryStreamExt as _;
use habeas_server::ServerOptions;
use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt as _;

use super::{Call, IDEMPOTENCY_KEY, Streamed};
use crate::cli::Global;
use crate::configuration::Configuration;
use crate::data_directory::DataDirectory;
use crate::installation::{self, Installation};

/// How long closing may take beyond the work under way.
const CLOSING: Duration = Duration::from_secs(10);

/// An installation that this process opened.
#[derive(Debug)]
pub(crate) struct Direct {
    installation: Installation,
    router: Router,
    lease: Duration,
    stop: CancellationToken,
    engine: OnceLock<AbortOnDropHandle<()>>,
}

impl Direct {
    pub(super) async fn open(global: &Global, directory: &DataDirectory) -> anyhow::Result<Self> {
        let configuration = Configuration::load(directory.path(), global.config.as_deref())?;
        let lock = installation::take(directory)?;
        let installation =
            Installation::open(&configuration, directory.path(), ServerOptions::default(), Some(lock))
                .await?;
        let router = installation.local_router();
        Ok(Self {
            installation,
            router,
            lease: configuration.workers.lease,
            stop: CancellationToken::new(),
            engine: OnceLock::new(),
        })
    }

    pub(super) async fn call(&self, call: &Call) -> anyhow::Result<Streamed> {
        let mut request = Request::builder().method(call.method.clone()).uri(call.path_and_query());
        if let Some(accept) = call.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        let mut body = Body::empty();
        if let Some(given) = &call.body {
            request = request.header(CONTENT_TYPE, &given.media_type);
            body = Body::from(given.bytes.clone());
        }
        let Ok(answer) = self.router.clone().oneshot(request.body(body)?).await;
        let (head, body) = answer.into_parts();
        let body = body.into_data_stream();
        let body = body.map_err(|error| anyhow::Error::new(error).context("the answer broke off"));
        Ok(Streamed { status: head.status, body: Box::pin(body) })
    }

    pub(super) fn start_working(&self) {
        self.engine.get_or_init(|| self.installation.start_engine(self.stop.clone()));
    }

    pub(super) async fn close(self) {
        self.stop.cancel();
        if let Some(engine) = self.engine.into_inner()
            && timeout(self.lease, engine).await.is_err()
        {
            tracing::warn!("work under way outlasted its lease; it is taken up again later");
        }
        drop(self.router);
        if timeout(CLOSING, self.installation.close()).await.is_err() {
            tracing::warn!("the database did not close in time; it recovers at the next start");
        }
    }
}
