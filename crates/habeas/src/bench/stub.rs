//! The vendor of the benchmark: answers every call after a fixed time, in a process of its own so that its cost is
//! not counted as the product's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[derive(Clone)]
struct Stub {
    latency: Duration,
    calls: Arc<AtomicU64>,
}

/// Serves on a free port of the loopback and prints its address as the first line, until the parent closes the pipe.
pub(crate) async fn serve(latency: Duration) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port for the stub")?;
    crate::output::line(&format!("http://{}", listener.local_addr()?))?;
    let stub = Stub { latency, calls: Arc::default() };
    let router = Router::new()
        .route("/lookup", post(lookup))
        .route("/delete", post(delete))
        .route("/calls", get(calls))
        .with_state(stub);
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // Without it the kernel would hold small answers back and the benchmark would measure that.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await.context("the stub stopped")
}

async fn lookup(State(stub): State<Stub>, Json(subject): Json<Value>) -> Json<Value> {
    stub.answer().await;
    Json(json!({"records": [{
        "id": "1", "email": subject["email"], "first_name": "Ana", "last_name": "Silva",
        "address": {"street": "1 Main St", "city": "Porto", "country": "Portugal"}, "phone": "5550100",
    }]}))
}

async fn delete(State(stub): State<Stub>, Json(_): Json<Value>) -> Json<Value> {
    stub.answer().await;
    Json(json!({"deleted": true}))
}

async fn calls(State(stub): State<Stub>) -> Json<Value> {
    Json(json!(stub.calls.load(Ordering::Relaxed)))
}

impl Stub {
    #[expect(clippy::disallowed_methods, reason = "the stub's latency is real time by definition")]
    async fn answer(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(self.latency).await;
    }
}
