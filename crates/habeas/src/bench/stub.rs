//! The outside world of the benchmark: a vendor that answers every call after a fixed time and a mail server that takes
//! every mail, in a process of their own so that their cost is not counted as the product's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone)]
struct Stub {
    latency: Duration,
    calls: Arc<AtomicU64>,
}

/// Serves on free ports of the loopback and prints the vendor's and the mail server's address as the first lines.
pub(crate) async fn serve(latency: Duration) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port for the stub")?;
    let mails = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port for the mail server")?;
    crate::output::line(&format!("http://{}", listener.local_addr()?))?;
    crate::output::line(&format!("smtp://{}?tls=never", mails.local_addr()?))?;
    tokio::spawn(take_mails(mails));
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

async fn take_mails(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        // A connection that breaks is the product's to notice.
        tokio::spawn(async move { take_mails_of(stream).await.ok() });
    }
}

/// Says yes to everything, as RFC 5321 spells it.
async fn take_mails_of(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 stub\r\n").await?;
    let mut in_mail = false;
    while let Some(line) = lines.next_line().await? {
        let verb = line.split_whitespace().next().unwrap_or_default();
        let answer: &[u8] = match verb {
            "." if in_mail => {
                in_mail = false;
                b"250 taken\r\n"
            }
            _ if in_mail => continue,
            "EHLO" => b"250-stub\r\n250 8BITMIME\r\n",
            "DATA" => {
                in_mail = true;
                b"354 go on\r\n"
            }
            "QUIT" => return writer.write_all(b"221 bye\r\n").await,
            _ => b"250 fine\r\n",
        };
        writer.write_all(answer).await?;
    }
    Ok(())
}
