//! Segment's Config API.

mod access;
mod control;
mod detection;
mod faults;
mod fixtures;
mod lifecycle;
mod regulations;
mod suppression;

use std::time::Duration;

use habeas_sandbox::segment_config::fixtures::TOKEN;
use habeas_sandbox::segment_config::{KnobsPatch, RegulationRecord};
use habeas_sandbox::{Sandbox, SandboxOptions, SegmentConfig};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Answer, client, send};

const REGULATIONS: &str = "/v1beta/workspaces/acme-shop/regulations";

struct Segment {
    sandbox: Sandbox,
    http: reqwest::Client,
}

impl Segment {
    async fn with_people(people: usize) -> Self {
        let sandbox = Sandbox::start(SandboxOptions { people, ..SandboxOptions::default() }).await.unwrap();
        Self { sandbox, http: client() }
    }

    async fn new() -> Self {
        Self::with_people(0).await
    }

    /// The simulator from within.
    fn vendor(&self) -> &SegmentConfig {
        self.sandbox.segment_config()
    }

    fn turn(&self, knobs: Value) {
        self.vendor().turn(serde_json::from_value::<KnobsPatch>(knobs).unwrap());
    }

    fn advance(&self, seconds: u64) {
        self.sandbox.clock().advance(Duration::from_secs(seconds));
    }

    fn request(&self, call: &str) -> RequestBuilder {
        let (method, path) = call.split_once(' ').unwrap();
        let url = format!("{}{path}", self.sandbox.addresses().segment_config);
        self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url)
    }

    async fn call_as(&self, token: &str, call: &str) -> Answer {
        send(self.request(call).bearer_auth(token)).await
    }

    async fn call(&self, call: &str) -> Answer {
        self.call_as(TOKEN, call).await
    }

    /// Status and body.
    async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.call(&format!("GET {path}")).await;
        (answer.status, answer.json())
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = send(self.request(&format!("POST {path}")).bearer_auth(TOKEN).json(body)).await;
        (answer.status, answer.json())
    }

    /// Creates a regulation for people in the whole workspace and answers its id.
    async fn regulate(&self, kind: &str, values: &[&str]) -> String {
        let (status, body) = self.post(REGULATIONS, &people(kind, values)).await;
        assert_eq!(status, 200, "{body}");
        body["regulate_id"].as_str().unwrap().to_owned()
    }

    async fn regulation(&self, id: &str) -> (u16, Value) {
        self.get(&format!("{REGULATIONS}/{id}")).await
    }

    async fn status(&self, id: &str) -> String {
        self.regulation(id).await.1["overall_status"].as_str().unwrap().to_owned()
    }

    fn record(&self, id: &str) -> RegulationRecord {
        self.vendor().regulation(id).unwrap()
    }

    fn has_data(&self, user_id: &str) -> bool {
        self.vendor().has_data("acme-shop", user_id)
    }

    async fn control(&self, call: &str, body: &str) -> (u16, Value) {
        let (method, path) = call.split_once(' ').unwrap();
        let url =
            format!("{}/segment_config{}", self.sandbox.addresses().control, path.trim_end_matches('/'));
        let request = self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        let answer = send(request.body(body.to_owned())).await;
        let body = if answer.text.is_empty() { Value::Null } else { answer.json() };
        (answer.status, body)
    }

    fn fault(&self, rule: Value) -> u64 {
        let mut rule = rule;
        rule["vendor"] = "segment_config".into();
        self.sandbox.faults().add(serde_json::from_value(rule).unwrap()).unwrap()
    }
}

fn people(kind: &str, values: &[&str]) -> Value {
    json!({"regulation_type": kind, "attributes": {"name": "userId", "values": values}})
}

fn error(message: &str, code: u8) -> Value {
    json!({"error": message, "code": code})
}
