//! Segment's Public API.

mod access;
mod control;
mod detection;
mod echo;
mod faults;
mod lifecycle;
mod limits;
mod paging;
mod regulations;
mod two_faces;

use std::time::Duration;

use habeas_sandbox::segment_config::fixtures::{PUBLIC_TOKEN, TOKEN};
use habeas_sandbox::segment_config::{KnobsPatch, PublicKnobsPatch, RegulationRecord};
use habeas_sandbox::{Sandbox, SandboxOptions, SegmentConfig, SegmentPublic};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Answer, client, send};

struct Segment {
    sandbox: Sandbox,
    http: reqwest::Client,
}

impl Segment {
    async fn new() -> Self {
        Self { sandbox: Sandbox::start(SandboxOptions::default()).await.unwrap(), http: client() }
    }

    /// What the two APIs share, from within.
    fn vendor(&self) -> &SegmentConfig {
        self.sandbox.segment_config()
    }

    fn public(&self) -> &SegmentPublic {
        self.sandbox.segment_public()
    }

    /// Turns knobs of this API.
    fn turn(&self, knobs: Value) {
        self.public().turn(serde_json::from_value::<PublicKnobsPatch>(knobs).unwrap());
    }

    /// Turns knobs of both.
    fn turn_shared(&self, knobs: Value) {
        self.vendor().turn(serde_json::from_value::<KnobsPatch>(knobs).unwrap());
    }

    fn advance(&self, seconds: u64) {
        self.sandbox.clock().advance(Duration::from_secs(seconds));
    }

    /// A call to the Public API, as in `GET /sources`.
    fn request(&self, call: &str) -> RequestBuilder {
        self.request_at(&self.sandbox.addresses().segment_public, call)
    }

    fn request_at(&self, base: &str, call: &str) -> RequestBuilder {
        let (method, path) = call.split_once(' ').unwrap();
        self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{base}{path}"))
    }

    async fn call_as(&self, token: &str, call: &str) -> Answer {
        send(self.request(call).bearer_auth(token)).await
    }

    async fn call(&self, call: &str) -> Answer {
        self.call_as(PUBLIC_TOKEN, call).await
    }

    /// The `data` of an answer that must be there.
    async fn data(&self, path: &str) -> Value {
        let answer = self.call(&format!("GET {path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let mut body = answer.json();
        assert_eq!(body.as_object().unwrap().len(), 1, "nothing beside the data: {body}");
        body["data"].take()
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request(&format!("POST {path}")).bearer_auth(PUBLIC_TOKEN).json(body)).await
    }

    /// Creates a regulation for people in the whole workspace and answers its id.
    async fn regulate(&self, kind: &str, ids: &[&str]) -> String {
        let answer = self.post("/regulations", &people(kind, ids)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["data"]["regulateId"].as_str().unwrap().to_owned()
    }

    async fn regulation(&self, id: &str) -> Value {
        self.data(&format!("/regulations/{id}")).await["regulation"].take()
    }

    async fn status(&self, id: &str) -> String {
        self.regulation(id).await["overallStatus"].as_str().unwrap().to_owned()
    }

    fn record(&self, id: &str) -> RegulationRecord {
        self.vendor().regulation(id).unwrap()
    }

    fn has_data(&self, user_id: &str) -> bool {
        self.vendor().has_data("acme-shop", user_id)
    }

    /// The id by which this API knows a source.
    async fn source_id(&self, slug: &str) -> String {
        let sources = self.data("/sources").await["sources"].take();
        let found = sources.as_array().unwrap().iter().find(|source| source["slug"] == slug).unwrap();
        found["id"].as_str().unwrap().to_owned()
    }

    /// A call to the Config API with its demo token; status and body.
    async fn config(&self, call: &str, body: Option<&Value>) -> (u16, Value) {
        let request = self.request_at(&self.sandbox.addresses().segment_config, call).bearer_auth(TOKEN);
        let answer = send(match body {
            Some(body) => request.json(body),
            None => request,
        });
        let answer = answer.await;
        (answer.status, answer.json())
    }

    async fn control(&self, call: &str, body: &str) -> (u16, Value) {
        let request = self.request_at(&self.sandbox.addresses().control, call);
        let answer = send(request.body(body.to_owned())).await;
        (answer.status, answer.json())
    }

    fn fault(&self, rule: Value) -> u64 {
        let mut rule = rule;
        rule["vendor"] = "segment_public".into();
        self.sandbox.faults().add(serde_json::from_value(rule).unwrap()).unwrap()
    }
}

fn people(kind: &str, ids: &[&str]) -> Value {
    json!({"regulationType": kind, "subjectType": "USER_ID", "subjectIds": ids})
}

/// The `type` of the one error in a body.
fn kind(answer: &Answer) -> String {
    let body = answer.json();
    assert_eq!((body.as_object().unwrap().len(), body["errors"].as_array().unwrap().len()), (1, 1), "{body}");
    body["errors"][0]["type"].as_str().unwrap().to_owned()
}

/// One property of every object in a list.
fn each<'v>(list: &'v Value, property: &str) -> Vec<&'v str> {
    list.as_array().unwrap().iter().map(|item| item[property].as_str().unwrap()).collect()
}
