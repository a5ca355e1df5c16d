//! A running sandbox and a client for it.

use habeas_sandbox::readycloud::fixtures::{MAIN_ORG, TOKEN};
use habeas_sandbox::{ReadyCloud, Sandbox, SandboxOptions};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

#[expect(clippy::disallowed_methods, reason = "the sandbox is tested with a client that adds nothing")]
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

impl World {
    /// Without limits, because most tests are not about them.
    pub(crate) async fn with_people(people: usize) -> Self {
        let sandbox = Sandbox::start(SandboxOptions { people, ..SandboxOptions::default() }).await.unwrap();
        sandbox.readycloud().set_limits(None, None);
        Self { sandbox, http: client() }
    }

    pub(crate) async fn new() -> Self {
        Self::with_people(0).await
    }

    pub(crate) fn readycloud(&self) -> &ReadyCloud {
        self.sandbox.readycloud()
    }

    /// A call to ReadyCloud; a method and a path, or an absolute address, as in `GET /api/v2/orgs/`.
    pub(crate) fn request(&self, call: &str) -> RequestBuilder {
        let (method, path) = call.split_once(' ').unwrap();
        let base = if path.starts_with("http") { "" } else { &self.sandbox.addresses().readycloud };
        self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{base}{path}"))
    }

    pub(crate) async fn call_as(&self, token: &str, call: &str) -> Answer {
        send(self.request(call).bearer_auth(token)).await
    }

    /// With the demo token.
    pub(crate) async fn call(&self, call: &str) -> Answer {
        self.call_as(TOKEN, call).await
    }

    /// With the demo token and a JSON body.
    pub(crate) async fn call_with(&self, call: &str, body: &Value) -> Answer {
        send(self.request(call).bearer_auth(TOKEN).json(body)).await
    }

    pub(crate) async fn control(&self, call: &str, body: Option<&str>) -> Answer {
        let (method, path) = call.split_once(' ').unwrap();
        let url = format!("{}{path}", self.sandbox.addresses().control);
        let request = self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        send(request.body(body.unwrap_or_default().to_owned())).await
    }

    /// A fault rule for ReadyCloud, as JSON without the vendor.
    pub(crate) fn fault(&self, rule: Value) -> u64 {
        let mut rule = rule;
        rule["vendor"] = "readycloud".into();
        self.sandbox.faults().add(serde_json::from_value(rule).unwrap()).unwrap()
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Answer {
    try_send(request).await.unwrap()
}

pub(crate) async fn try_send(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer { status, headers, text: response.text().await? })
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The keys of the objects of a page.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.json()["results"].as_array().unwrap().iter().map(key).collect()
    }
}

/// The key of an object: the last step of its `url`.
pub(crate) fn key(object: &Value) -> String {
    object["url"].as_str().unwrap().trim_end_matches('/').rsplit('/').next().unwrap().to_owned()
}

/// `GET` or another method on a contact of the main organisation.
pub(crate) fn contact(method: &str, key: &str) -> String {
    format!("{method} /api/v2/orgs/{MAIN_ORG}/contacts/{key}/")
}

pub(crate) fn contacts(query: &str) -> String {
    format!("GET /api/v2/orgs/{MAIN_ORG}/contacts/{query}")
}
