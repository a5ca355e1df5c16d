//! A system that speaks the webhook protocol.

mod access;
mod callbacks;
mod calling;
mod control;
mod deletion;
mod faults;
mod finding;
mod fixtures;
mod jobs;
mod messages;
mod receiver;
mod signatures;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use habeas_sandbox::webhook::fixtures::SECRET;
use habeas_sandbox::webhook::{KnobsPatch, MessageRecord, Secret, SignedMessage, sign};
use habeas_sandbox::{Sandbox, SandboxOptions, Webhook};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Answer, client, send};

/// How long jobs take.
const JOB_SECONDS: u64 = 60;

struct System {
    sandbox: Sandbox,
    http: reqwest::Client,
    sent: AtomicU32,
}

impl System {
    async fn new() -> Self {
        Self::with_people(0).await
    }

    async fn with_people(people: usize) -> Self {
        let sandbox = Sandbox::start(SandboxOptions { people, ..SandboxOptions::default() }).await.unwrap();
        let system = Self { sandbox, http: client(), sent: AtomicU32::new(0) };
        // Long enough that no machine is so slow that a job ends before a test wants it to.
        system.turn(json!({"job_seconds": JOB_SECONDS}));
        system
    }

    /// The simulator from within.
    fn vendor(&self) -> &Webhook {
        self.sandbox.webhook()
    }

    fn turn(&self, knobs: Value) {
        self.vendor().turn(serde_json::from_value::<KnobsPatch>(knobs).unwrap());
    }

    fn advance(&self, seconds: u64) {
        self.sandbox.clock().advance(Duration::from_secs(seconds));
    }

    /// Lets every job come to its end.
    fn work_off(&self) {
        self.advance(JOB_SECONDS);
    }

    /// The system's time in seconds since the epoch.
    fn now(&self) -> u64 {
        self.sandbox.clock().now_ms() / 1000
    }

    /// The system's time as the protocol writes times, some seconds later or earlier.
    fn time(&self, seconds: i64) -> String {
        let now_ms = i64::try_from(self.sandbox.clock().now_ms()).unwrap();
        jiff::Timestamp::from_millisecond(now_ms + seconds * 1000).unwrap().to_string()
    }

    fn body(&self, kind: &str, data: &Value) -> String {
        json!({"type": kind, "timestamp": self.time(0), "data": data}).to_string()
    }

    /// Signed with the system's secret, for now.
    fn signed(&self, id: &str, kind: &str, data: &Value) -> SignedMessage {
        sign(&[&secret(SECRET)], id, self.now(), self.body(kind, data))
    }

    fn request(&self, message: SignedMessage) -> RequestBuilder {
        let url = format!("{}/habeas", self.sandbox.addresses().webhook);
        self.http.post(url).headers(message.headers).body(message.body)
    }

    async fn post(&self, message: SignedMessage) -> Answer {
        send(self.request(message)).await
    }

    /// A message of its own: status and body of the answer.
    async fn ask(&self, kind: &str, data: Value) -> (u16, Value) {
        let id = format!("msg_{}", self.sent.fetch_add(1, Ordering::Relaxed));
        let answer = self.post(self.signed(&id, kind, &data)).await;
        (answer.status, answer.json())
    }

    /// The name of the job that is taken on for a person with this email.
    async fn job(&self, kind: &str, email: &str) -> String {
        let (status, body) = self.ask(kind, subject("email", email)).await;
        assert_eq!(status, 202, "{body}");
        body["job"].as_str().unwrap().to_owned()
    }

    async fn status(&self, job: &str) -> Value {
        let (status, body) = self.ask("job.status", json!({ "job": job })).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// The newest message.
    fn last(&self) -> MessageRecord {
        self.vendor().messages().pop().unwrap()
    }

    async fn control(&self, call: &str, body: &str) -> (u16, Value) {
        let (method, path) = call.split_once(' ').unwrap();
        let url = format!("{}/webhook{}", self.sandbox.addresses().control, path.trim_end_matches('/'));
        let request = self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        let answer = send(request.body(body.to_owned())).await;
        let body = if answer.text.is_empty() { Value::Null } else { answer.json() };
        (answer.status, body)
    }

    fn fault(&self, rule: Value) -> u64 {
        let mut rule = rule;
        rule["vendor"] = "webhook".into();
        self.sandbox.faults().add(serde_json::from_value(rule).unwrap()).unwrap()
    }
}

fn secret(text: &str) -> Secret {
    text.parse().unwrap()
}

/// What names a person by one identifier.
fn subject(kind: &str, value: &str) -> Value {
    json!({"subject": {"identifiers": [{"type": kind, "value": value}]}})
}

fn error(message: &str) -> Value {
    json!({ "error": message })
}

/// The ids of the records in a result.
fn records(result: &Value) -> Vec<&str> {
    result["records"].as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap()).collect()
}
