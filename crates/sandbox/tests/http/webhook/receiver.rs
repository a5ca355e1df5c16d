//! Somebody who takes callbacks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use bytes::Bytes;
use habeas_sandbox::webhook::SignedMessage;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

type Answers = Arc<Mutex<VecDeque<(u16, Value)>>>;

pub(super) struct Receiver {
    pub(super) url: String,
    arrived: mpsc::UnboundedReceiver<SignedMessage>,
    answers: Answers,
    _server: JoinSet<()>,
}

impl Receiver {
    /// Answers 202 unless told otherwise.
    pub(super) async fn open() -> Self {
        let (sender, arrived) = mpsc::unbounded_channel();
        let answers = Answers::default();
        let app = Router::new().route("/callback", post(take)).with_state((sender, Arc::clone(&answers)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/callback", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, arrived, answers, _server: server }
    }

    /// What the next callbacks are answered, one each.
    pub(super) fn answer(&self, answers: impl IntoIterator<Item = (u16, &'static str)>) {
        let answers = answers.into_iter().map(|(status, code)| (status, json!({ "code": code })));
        self.answers.lock().unwrap().extend(answers);
    }

    /// Waits for the next callback.
    pub(super) async fn next(&mut self) -> SignedMessage {
        self.arrived.recv().await.unwrap()
    }

    /// Whether nothing has come since.
    pub(super) fn is_quiet(&self) -> bool {
        self.arrived.is_empty()
    }
}

async fn take(
    State((sender, answers)): State<(mpsc::UnboundedSender<SignedMessage>, Answers)>,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let next = answers.lock().unwrap().pop_front();
    let (status, body_of_answer) = next.unwrap_or_else(|| (202, json!({"accepted": true})));
    sender.send(SignedMessage { headers, body }).unwrap();
    (StatusCode::from_u16(status).unwrap(), axum::Json(body_of_answer))
}
