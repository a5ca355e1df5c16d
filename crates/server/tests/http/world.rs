//! A server over a store of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use habeas_casework::api_keys::KeyRefused;
use habeas_casework::work::{Finding, Report};
use habeas_casework::{Casework, CaseworkSettings};
use habeas_domain::{Actor, Role};
use habeas_environment::TestClock;
use habeas_integrations::{Catalogue, Collected, FoundRecord};
use habeas_server::{ServerOptions, ServerState, local_router, router};
use habeas_store::storage::Storage;
use habeas_testing::TestDatabase;
use http_body_util::BodyExt as _;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::stub::{Mood, Stub, Vendor};

/// The subject of most tests.
pub(crate) const ANA: &str = "ana.silva@example.test";
/// The only connection of most tests.
pub(crate) const SHOP: &str = "shop";
/// The secret of that connection.
pub(crate) const TOKEN: &str = "stub-secret-token";

pub(crate) struct World {
    pub(crate) clock: TestClock,
    pub(crate) casework: Casework,
    pub(crate) vendor: Vendor,
    pub(crate) network: Router,
    pub(crate) local: Router,
    pub(crate) database: TestDatabase,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|_| panic!("{} is no JSON: {}", self.status, self.text))
    }

    /// The body of a call that must have worked.
    #[track_caller]
    pub(crate) fn good(&self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// The problem document of a call that must have been refused.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("/docs/errors/{code}"));
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()));
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 15), "{problem}");
        assert!(problem["errors"].is_array());
        problem
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl World {
    /// A server without connections.
    pub(crate) async fn empty() -> Self {
        Self::with(ServerOptions::default()).await
    }

    pub(crate) async fn with(options: ServerOptions) -> Self {
        Self::with_settings(options, CaseworkSettings::default()).await
    }

    pub(crate) async fn with_settings(options: ServerOptions, settings: CaseworkSettings) -> Self {
        let (clock, environment) = habeas_testing::environment();
        let database = TestDatabase::sqlite();
        let store = database.open(&environment).await;
        let vendor = Vendor::default();
        let catalogue = Arc::new(Catalogue::default().with(Box::new(Stub)));
        let source = Arc::new(vendor.clone());
        let casework = Casework::new(store, Storage::in_memory(), catalogue, source, settings);
        let state = ServerState::new(casework.clone(), options);
        let (network, local) = (router(state.clone()), local_router(state));
        Self { clock, casework, vendor, network, local, database }
    }

    /// A server with one connection.
    pub(crate) async fn with_shop() -> Self {
        let world = Self::empty().await;
        world.add_shop().await;
        world
    }

    pub(crate) async fn add_shop(&self) -> Value {
        self.vendor.is(Mood::Fine);
        self.post("/connections", &new_connection(SHOP)).await.good()
    }

    /// A key with the given roles.
    pub(crate) async fn key(&self, roles: &[Role]) -> String {
        let roles: BTreeSet<Role> = roles.iter().copied().collect();
        let operator = Actor::local_operator();
        let (_, key) = self.casework.create_api_key(&operator, "test", roles).await.unwrap();
        key.expose_secret().to_owned()
    }

    pub(crate) async fn actor(&self, key: &str) -> Result<Actor, KeyRefused> {
        self.casework.actor_of_key(key).await
    }

    /// Any call, through the given router.
    pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
        let response = router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// A call with a key, as a network client makes it.
    pub(crate) async fn call(&self, key: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        Self::send(&self.network, request(method, path, Some(key), body)).await
    }

    /// A call of the local operator, below `/api/v1`.
    pub(crate) async fn operate(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        Self::send(&self.local, request(method, &format!("/api/v1{path}"), None, body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.operate("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.operate("POST", path, Some(body)).await
    }

    /// How many events there are: nothing happens without one.
    pub(crate) async fn events(&self) -> usize {
        let mut after = 0;
        let mut count = 0;
        loop {
            let page = self.casework.audit_events(&Actor::local_operator(), after, 200).await.unwrap();
            count += page.items.len();
            match page.next {
                Some(next) => after = next,
                None => return count,
            }
        }
    }

    /// Takes a request in, which begins at once; its id.
    pub(crate) async fn request(&self, more: Value) -> String {
        let made = self.post("/requests", &new_request(more)).await.good();
        made["id"].as_str().unwrap().to_owned()
    }

    /// Does what the engine would: every waiting lookup finds `records`, every waiting deletion works.
    pub(crate) async fn work(&self, records: &[FoundRecord]) {
        let shop =
            self.casework.connection_named(&Actor::system(), SHOP).await.unwrap().stored.id.to_string();
        loop {
            let claimed = self.casework.claim(&shop, 60_000, 100).await.unwrap();
            if claimed.assignments.is_empty() {
                return;
            }
            let reports = claimed
                .assignments
                .into_iter()
                .map(|assignment| {
                    let finding = if assignment.targets.is_empty() {
                        Finding::Collected(Collected { records: records.to_vec(), residuals: Vec::new() })
                    } else {
                        Finding::Deleted { prove: false, residuals: Vec::new() }
                    };
                    Report::whole(assignment, finding)
                })
                .collect();
            self.casework.settle(reports).await.unwrap();
        }
    }

    /// An access request in review with `count` contacts found.
    pub(crate) async fn in_review(&self, count: usize) -> String {
        self.in_review_of("access", count).await
    }

    pub(crate) async fn in_review_of(&self, right: &str, count: usize) -> String {
        let id = self.request(json!({"right": right, "force": true, "review": true})).await;
        self.work(&contacts(count)).await;
        assert_eq!(self.get(&format!("/requests/{id}")).await.good()["state"], "review");
        id
    }

    /// The request's only run.
    pub(crate) async fn run_of(&self, request: &str) -> String {
        let runs = self.get(&format!("/requests/{request}/runs")).await.good();
        runs["items"][0]["id"].as_str().unwrap().to_owned()
    }
}

/// A call that was not sent yet.
pub(crate) fn request(method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Request<Body> {
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
    if let Some(key) = key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    match body {
        Some(body) => request
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap(),
        None => request.body(Body::empty()).unwrap(),
    }
}

/// A connection that the stub accepts.
pub(crate) fn new_connection(name: &str) -> Value {
    json!({"integration": "stub", "name": name, "settings": {"token": TOKEN}})
}

/// An access request of Ana's, with what is different.
pub(crate) fn new_request(different: Value) -> Value {
    let mut request = json!({"right": "access", "policy": "eu-gdpr", "subject": {"email": ANA}});
    let (Value::Object(request_members), Value::Object(different)) = (&mut request, different) else {
        panic!("objects only")
    };
    for (name, value) in different {
        if value.is_null() {
            request_members.remove(&name);
        } else {
            request_members.insert(name, value);
        }
    }
    request
}

/// Many records have something in them that does not get smaller when it is packed.
fn fields(number: usize, count: usize) -> Value {
    let mut fields = json!({"email": ANA, "number": number});
    if count > 100 {
        let mut state = number as u64 + 1;
        let noise = (0..16).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{state:016x}")
        });
        fields["noise"] = json!(noise.collect::<String>());
    }
    fields
}

/// Records that the stub holds about the subject.
pub(crate) fn contacts(count: usize) -> Vec<FoundRecord> {
    (0..count)
        .map(|number| FoundRecord {
            kind: "contact".to_owned(),
            vendor_id: format!("c-{number}"),
            title: format!("Contact {number}"),
            person: None,
            fields: fields(number, count).as_object().unwrap().clone(),
            file: None,
        })
        .collect()
}
