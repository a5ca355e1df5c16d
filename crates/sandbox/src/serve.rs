//! One listening socket and the connections it accepted.
//!
//! hyper is used directly instead of `axum::serve` because a simulator must be able to do what a web
//! framework never does: take a call in and close the connection without a word.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt as _;

use crate::answers::HangUp;
use crate::clock::pause;

/// Returned to hyper to make it close the connection.
#[derive(Debug, thiserror::Error)]
#[error("the simulator hung up on purpose")]
struct HungUp;

/// A running server; dropping it closes the socket and every connection.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn open(address: SocketAddr, app: Router) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { address, accepting: tokio::spawn(accept(listener, app)) })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn stop(mut self) {
        self.accepting.abort();
        // Ends with "cancelled"; what matters is that the socket is closed when this returns.
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, app: Router) {
    // The set belongs to this task: aborting the task aborts every connection with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, app.clone()));
                }
                Err(error) => {
                    // Usually out of file descriptors: trying again at once would only burn the processor.
                    tracing::warn!(%error, "a connection could not be accepted");
                    pause(Duration::from_millis(20)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, app: Router) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    let service = service_fn(move |request| answer(app.clone(), request));
    // Errors here are clients that left and connections closed on purpose.
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
        tracing::trace!(%error, "a connection ended early");
    }
}

async fn answer(app: Router, request: Request<Incoming>) -> Result<Response, HungUp> {
    let response = match app.oneshot(request.map(Body::new)).await {
        Ok(response) => response,
        Err(never) => absurd(never),
    };
    if response.extensions().get::<HangUp>().is_some() { Err(HungUp) } else { Ok(response) }
}

fn absurd(never: Infallible) -> Response {
    match never {}
}
