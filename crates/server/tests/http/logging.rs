//! What the log says of a call.

use std::io::Write;
use std::sync::{Arc, Mutex};

use habeas_domain::Role;
use serde_json::json;

use crate::world::{ANA, World, new_request, request};

/// What this thread writes into the log.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Listens until what comes back is dropped.
    pub(crate) fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_call_is_one_line_without_personal_data_and_query_strings() {
    let world = World::with_shop().await;
    let key = world.key(&[Role::RequestAdmin]).await;
    let actor = world.actor(&key).await.unwrap().name;
    let log = Log::default();
    let guard = log.listen();
    let made = world.call(&key, "POST", "/api/v1/requests", Some(&new_request(json!({})))).await.good();
    let path = format!("/api/v1/requests/{}?wait=0", made["id"].as_str().unwrap());
    let mut call = request("GET", &path, Some(&key), None);
    call.headers_mut().insert("x-request-id", "call-7".parse().unwrap());
    World::send(&world.network, call).await.good();
    world.call(&key, "POST", "/api/v1/requests", Some(&new_request(json!({})))).await;
    world.call(&key, "GET", &format!("/api/v1/{ANA}?email={ANA}"), None).await;
    drop(guard);

    let log = log.text();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("answered")).collect();
    assert_eq!(lines.len(), 4, "{log}");
    for part in
        ["method=\"GET\"", "/api/v1/requests/{id}", "call-7", actor.as_str(), "status=200", "milliseconds=0"]
    {
        assert!(lines[1].contains(part), "{part} is not in {}", lines[1]);
    }
    assert!(lines[2].contains("duplicate_request"), "{}", lines[2]);
    assert!(lines[3].contains("unmatched"), "{}", lines[3]);
    for secret in [ANA, "wait=0", key.as_str(), "email="] {
        assert!(!log.contains(secret), "`{secret}` is in\n{log}");
    }
}
