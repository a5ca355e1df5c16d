//! Qualtrics' API.

mod auth;
mod contacts;
mod control;
mod customer_data;
mod envelope;
mod erasure;
mod fixtures;
mod limits;
mod search;

use std::time::Duration;

use habeas_sandbox::faults::Rule;
use habeas_sandbox::qualtrics::fixtures::{CLIENT_SECRET, DIRECTORY, TOKEN};
use habeas_sandbox::qualtrics::{Completion, KnobsPatch};
use habeas_sandbox::{Qualtrics, Sandbox, SandboxOptions};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Answer, client, send};

const ERASE: &str = "/op-erase-personal-data";
const DATA: &str = "/customer-data-requests";

struct Brand {
    sandbox: Sandbox,
    http: reqwest::Client,
}

impl Brand {
    /// Without limits, because most tests are not about them.
    async fn with_people(people: usize) -> Self {
        let sandbox = Sandbox::start(SandboxOptions { people, ..SandboxOptions::default() }).await.unwrap();
        sandbox.qualtrics().lift_limits();
        Self { sandbox, http: client() }
    }

    async fn new() -> Self {
        Self::with_people(0).await
    }

    fn vendor(&self) -> &Qualtrics {
        self.sandbox.qualtrics()
    }

    /// Changes knobs, given as JSON.
    fn turn(&self, patch: Value) {
        self.vendor().turn(serde_json::from_value::<KnobsPatch>(patch).unwrap()).unwrap();
    }

    /// Jobs accepted from now on end like this.
    fn complete(&self, completion: Completion) {
        let patch = KnobsPatch {
            erasure_completion: Some(completion),
            customer_data_completion: Some(completion),
            ..KnobsPatch::default()
        };
        self.vendor().turn(patch).unwrap();
    }

    fn advance(&self, seconds: u64) {
        self.sandbox.clock().advance(Duration::from_secs(seconds));
    }

    /// A call; a method and a path below `/API/v3`, or an absolute address.
    fn request(&self, call: &str) -> RequestBuilder {
        let (method, path) = call.split_once(' ').unwrap();
        let url = match path.starts_with('/') {
            true => format!("{}/API/v3{path}", self.sandbox.addresses().qualtrics),
            false => path.to_owned(),
        };
        self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url)
    }

    async fn call_as(&self, token: &str, call: &str, body: Option<&Value>) -> Answer {
        let request = self.request(call).bearer_auth(token);
        send(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// With the demo token.
    async fn call(&self, call: &str) -> Answer {
        self.call_as(TOKEN, call, None).await
    }

    /// With the demo token and a JSON body.
    async fn call_with(&self, call: &str, body: &Value) -> Answer {
        self.call_as(TOKEN, call, Some(body)).await
    }

    /// Asks for an erasure and answers its id.
    async fn erase(&self, email: &str) -> String {
        let answer =
            self.call_with(&format!("POST {ERASE}"), &json!({"emails": [email], "searchOnly": false})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["result"]["requestId"].as_str().unwrap().to_owned()
    }

    /// The erasures as listed on the first page.
    async fn listed(&self) -> Vec<Value> {
        elements(&self.call(&format!("GET {ERASE}")).await)
    }

    /// Ids found by email in a directory.
    async fn found(&self, directory: &str, email: &str) -> Vec<String> {
        let call = format!("POST /directories/{directory}/contacts/search");
        ids(&self.call_with(&call, &by_email(email)).await, "id")
    }

    async fn mint(&self, client: &str, form: &[(&str, &str)]) -> Answer {
        let url = format!("{}/oauth2/token", self.sandbox.addresses().qualtrics);
        send(self.http.post(url).basic_auth(client, Some(CLIENT_SECRET)).form(form)).await
    }

    async fn control(&self, call: &str, body: &str) -> Answer {
        let (method, path) = call.split_once(' ').unwrap();
        let url = format!("{}/qualtrics{path}", self.sandbox.addresses().control);
        let request = self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        send(request.body(body.to_owned())).await
    }

    /// A fault rule, as JSON without the vendor.
    fn fault(&self, rule: Value) -> u64 {
        let mut rule = rule;
        rule["vendor"] = "qualtrics".into();
        self.sandbox.faults().add(serde_json::from_value::<Rule>(rule).unwrap()).unwrap()
    }
}

fn by_email(email: &str) -> Value {
    json!({"filter": {"filterType": "email", "comparison": "eq", "value": email}})
}

fn contacts(method: &str, rest: &str) -> String {
    format!("{method} /directories/{DIRECTORY}/contacts{rest}")
}

fn elements(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["result"]["elements"].as_array().unwrap().clone()
}

fn ids(answer: &Answer, field: &str) -> Vec<String> {
    elements(answer).iter().map(|element| element[field].as_str().unwrap().to_owned()).collect()
}

/// Status, code and message of a refusal.
fn error(answer: &Answer) -> (u16, String, String) {
    let error = answer.json()["meta"]["error"].clone();
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    (answer.status, text("errorCode"), text("errorMessage"))
}
