//! Accepts connections and serves them until it is told to stop.
//!
//! `axum::serve` would do, but it gives a client all the time in the world to send its headers.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use axum::{Extension, Router};
use habeas_server::PeerAddress;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait after a connection could not be accepted: most often too many files are open.
const PAUSE: Duration = Duration::from_millis(100);

/// Something that clients connect to.
pub(crate) trait Listener: Send {
    /// One connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, and who is at its other end, if that is on a network.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, Option<IpAddr>)>> + Send;
}

impl Listener for TcpListener {
    type Stream = tokio::net::TcpStream;

    async fn accept(&mut self) -> io::Result<(Self::Stream, Option<IpAddr>)> {
        let (stream, peer) = Self::accept(self).await?;
        // Answers are small and complete: waiting for more to send only costs time.
        stream.set_nodelay(true)?;
        Ok((stream, Some(peer.ip())))
    }
}

impl Listener for UnixListener {
    type Stream = tokio::net::UnixStream;

    async fn accept(&mut self) -> io::Result<(Self::Stream, Option<IpAddr>)> {
        Ok((Self::accept(self).await?.0, None))
    }
}

/// Serves `router` on `listener`. After `stop` nothing is accepted any more, idle connections are closed, and this
/// returns when the last answer was sent.
pub(crate) async fn serve(mut listener: impl Listener, router: Router, stop: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let router = match peer {
                    Some(peer) => router.clone().layer(Extension(PeerAddress(peer))),
                    None => router.clone(),
                };
                connections.spawn(answer(stream, router, stop.clone()));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                pause().await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn answer<S>(stream: S, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection broke off");
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::ConnectionAborted | Kind::ConnectionReset | Kind::ConnectionRefused)
}

#[expect(clippy::disallowed_methods, reason = "not the product's time: lets the operating system recover")]
async fn pause() {
    tokio::time::sleep(PAUSE).await;
}
