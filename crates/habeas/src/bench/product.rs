//! The product as the benchmark runs it: everything in one process, spoken to through its API.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::Body;
use futures::{StreamExt as _, stream};
use habeas_casework::connections::{NewConnection, NewContact};
use habeas_casework::{CapabilityChoices, Casework, CaseworkSettings};
use habeas_domain::Actor;
use habeas_engine::mailer::{MailSettings, mailer};
use habeas_engine::{Engine, EngineOptions, IntegrationOptions, Vendors};
use habeas_environment::Environment;
use habeas_integrations::{Catalogue, Settings};
use habeas_store::dialect::{Dialect, Sql};
use habeas_store::storage::Storage;
use habeas_store::{Database, Keyring, MasterKey, Store};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt as _;

use super::Waiting;
use super::integration;

/// Requests that one bulk call brings.
const PER_CALL: usize = 5_000;
/// Packages fetched at once.
const FETCHED_AT_ONCE: usize = 64;
/// Requests that are looked for at once when packages are fetched.
const PAGE: usize = 200;
/// Looking costs CPU that is not the engine's.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Where an installation is, and how it is reached. Several processes may work there.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Site {
    /// The database's address.
    pub(super) database: String,
    /// Its master key.
    pub(super) key: String,
    /// Where the vendor answers.
    pub(super) vendor: String,
    /// Where the mail server listens.
    pub(super) mails: String,
    /// Workers in each process.
    pub(super) workers: usize,
    /// What requests ask for: `access` or `deletion`.
    pub(super) right: String,
    /// Whether requests wait for a person who reviews what was found.
    pub(super) review: bool,
}

/// One process of an installation.
#[derive(Clone)]
pub(super) struct Product {
    casework: Casework,
    engine: Engine,
    environment: Environment,
    api: Router,
    looks: Arc<AtomicU64>,
    right: String,
    review: bool,
}

impl Product {
    /// Opens the installation at `site`; files lie in `directory`.
    pub(super) async fn open(site: &Site, directory: &Path) -> anyhow::Result<Self> {
        let environment = Environment::system();
        let database = Database::open(&site.database, &environment).await?;
        let keyring = Keyring::new(&MasterKey::parse(&site.key)?, &[])?;
        let store = database.into_store(keyring).await?;
        let storage = Storage::open(&directory.join("packages"))?;
        let catalogue = Arc::new(Catalogue::default().with(Box::new(integration::BenchStub)));
        let engine_options = EngineOptions { workers: site.workers, ..EngineOptions::default() };
        let options =
            IntegrationOptions { base_url: Some(site.vendor.parse()?), ..IntegrationOptions::default() };
        let options = BTreeMap::from([(integration::NAME.to_owned(), options)]);
        let vendors = Vendors::new(store.clone(), Arc::clone(&catalogue), &options, engine_options.lease)?;
        let casework = Casework::new(store, storage, catalogue, vendors.clone(), CaseworkSettings::default());
        let mails = MailSettings { url: site.mails.parse()?, ..MailSettings::default() };
        let mailer = mailer(&mails, directory, &environment)?;
        let engine = Engine::new(casework.clone(), vendors, mailer, engine_options);
        let state =
            habeas_server::ServerState::new(casework.clone(), habeas_server::ServerOptions::default());
        let api = habeas_server::local_router(state);
        Ok(Self {
            casework,
            engine,
            environment,
            api,
            looks: Arc::default(),
            right: site.right.clone(),
            review: site.review,
        })
    }

    /// Whether the database at `address` is in use already.
    pub(super) async fn is_installed(address: &str) -> anyhow::Result<bool> {
        Ok(Database::open(address, &Environment::system()).await?.is_installed().await?)
    }

    /// Connects the stub, or, for requests that are to wait for a contact, nobody who could be called.
    pub(super) async fn connect(&self, waiting: Option<Waiting>) -> anyhow::Result<()> {
        self.casework.add_connection(&Actor::local_operator(), connection(waiting)).await?;
        Ok(())
    }

    pub(super) fn store(&self) -> &Store {
        self.casework.store()
    }

    pub(super) const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// How results spell the database.
    pub(super) fn database(&self) -> &'static str {
        match self.store().dialect() {
            Dialect::Sqlite => "sqlite",
            Dialect::Postgres => "postgres",
        }
    }

    /// Runs the workers until `stop`.
    pub(super) fn start(&self, stop: &CancellationToken) -> AbortOnDropHandle<()> {
        let (engine, stop) = (self.engine.clone(), stop.clone());
        AbortOnDropHandle::new(tokio::spawn(async move { engine.run(stop).await }))
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> anyhow::Result<(StatusCode, Vec<u8>)> {
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from))?;
        let response = self.api.clone().oneshot(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes().to_vec()))
    }

    /// Asks for JSON; anything but success is an error.
    async fn json(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let (status, answer) = self.call(method, path, body.map(|body| body.to_string())).await?;
        ensure!(status.is_success(), "{path} answered {status}: {}", String::from_utf8_lossy(&answer));
        Ok(serde_json::from_slice(&answer)?)
    }

    /// The body of a request; `name` makes its subject.
    fn request(&self, name: &str) -> Value {
        let mut request = json!({
            "right": self.right, "policy": "eu-gdpr", "review": self.review,
            "subject": {"email": format!("person.{name}.example.test")},
        });
        if self.right == "access" {
            request["delivery"] = json!("api");
        }
        request
    }

    /// Takes `count` requests in through the bulk API.
    pub(super) async fn take_in(&self, label: &str, count: usize) -> anyhow::Result<()> {
        let mut taken = 0;
        while taken < count {
            let until = count.min(taken + PER_CALL);
            let requests: Vec<Value> =
                (taken..until).map(|number| self.request(&format!("{number}@{label}"))).collect();
            let answer = self.json(Method::POST, "/api/v1/requests/bulk", Some(requests.into())).await?;
            let refused = answer["items"].as_array().into_iter().flatten().find(|item| item["id"].is_null());
            ensure!(refused.is_none(), "a request was refused: {refused:?}");
            taken = until;
        }
        Ok(())
    }

    /// Takes one request in by a call of its own; its id.
    pub(super) async fn take_in_one(&self, label: &str, number: usize) -> anyhow::Result<String> {
        let body = self.request(&format!("{number}@{label}"));
        let answer = self.json(Method::POST, "/api/v1/requests", Some(body)).await?;
        Ok(answer["id"].as_str().context("a request without an id")?.to_owned())
    }

    /// Waits for news of a request, and fetches its package if there is one.
    pub(super) async fn see_through(&self, id: &str) -> anyhow::Result<()> {
        let answer = self.json(Method::GET, &format!("/api/v1/requests/{id}?wait=30"), None).await?;
        if answer["state"] == "delivering" { self.fetch(id).await } else { Ok(()) }
    }

    /// Takes `count` requests in and waits until all of them are closed.
    pub(super) async fn carry_out(&self, label: &str, count: usize) -> anyhow::Result<()> {
        self.take_in(label, count).await?;
        loop {
            // Fetching packages is the subject's part; it goes on while the engine works.
            if self.fetch_what_waits().await? == 0 {
                if !self.is_under_way().await? {
                    return Ok(());
                }
                self.environment.clock().sleep(BETWEEN_LOOKS).await;
            }
        }
    }

    /// Whether any request is still to be closed.
    pub(super) async fn is_under_way(&self) -> anyhow::Result<bool> {
        // In this order: a request moves from left to right and is not missed.
        for state in ["collecting", "erasing", "delivering"] {
            if !self.ids(state, 1).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Fetches packages that wait for it; how many.
    pub(super) async fn fetch_what_waits(&self) -> anyhow::Result<usize> {
        let waiting = self.ids("delivering", PAGE).await?;
        let fetched = stream::iter(&waiting).map(|id| self.fetch(id)).buffer_unordered(FETCHED_AT_ONCE);
        let fetched: Vec<anyhow::Result<()>> = fetched.collect().await;
        fetched.into_iter().collect::<anyhow::Result<Vec<()>>>()?;
        Ok(waiting.len())
    }

    /// Requests in a state. Looking is the measurement's part: it is counted, so that it can be left out.
    async fn ids(&self, state: &str, limit: usize) -> anyhow::Result<Vec<String>> {
        static IN_STATE: Sql = Sql::new("SELECT id FROM requests WHERE state = $1 ORDER BY id LIMIT $2");
        self.looks.fetch_add(1, Ordering::Relaxed);
        let mut reader = self.store().reader().await?;
        let rows = reader.sql(&IN_STATE).text(state).integer(i64::try_from(limit)?).rows().await?;
        rows.iter().map(|row| Ok(row.text(0)?)).collect()
    }

    /// Statements that the measurement itself sent, to be taken off the product's.
    pub(super) fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    async fn fetch(&self, id: &str) -> anyhow::Result<()> {
        let path = format!("/api/v1/requests/{id}/package");
        let (status, package) = self.call(Method::GET, &path, None).await?;
        ensure!(status.is_success() && !package.is_empty(), "a package answered {status}");
        Ok(())
    }

    /// When the newest `count` requests came in and were closed, in epoch milliseconds, by id.
    pub(super) async fn times(&self, count: usize) -> anyhow::Result<BTreeMap<String, (u64, u64)>> {
        static TIMES: Sql =
            Sql::new("SELECT id, created_at, coalesce(closed_at, 0) FROM requests ORDER BY id DESC LIMIT $1");
        let mut reader = self.store().reader().await?;
        let rows = reader.sql(&TIMES).integer(i64::try_from(count)?).rows().await?;
        rows.iter().map(|row| Ok((row.text(0)?, (row.count(1)?, row.count(2)?)))).collect()
    }

    /// How much work is due at this moment or under way.
    pub(super) async fn due(&self) -> anyhow::Result<u64> {
        static DUE: Sql = Sql::new("SELECT CAST(count(*) AS BIGINT) FROM due_work WHERE next_at <= $1");
        let mut reader = self.store().reader().await?;
        let row = reader.sql(&DUE).time(self.environment.now()).first().await?;
        Ok(row.context("no count of due work")?.count(0)?)
    }
}

/// To the stub, or, for requests that are to wait for a person, to nobody.
fn connection(waiting: Option<Waiting>) -> NewConnection {
    let (integration, settings) = match waiting {
        Some(Waiting::Contact) => {
            ("direct_contact", Settings::from_iter([("processor_email", "owner@shop.example.test")]))
        }
        Some(Waiting::Review) | None => (integration::NAME, Settings::default()),
    };
    NewConnection {
        integration: integration.to_owned(),
        name: "stub".to_owned(),
        settings,
        deletion_completion: None,
        capabilities: CapabilityChoices::new(),
        contact: NewContact::default(),
    }
}
