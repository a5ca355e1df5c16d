//! A company with one ReadyCloud account: real store, real HTTP, a clock that stands still.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use habeas_casework::connections::{ConnectionCase, NewConnection};
use habeas_casework::intake::{Delivery, GivenIdentifier, NewRequest};
use habeas_casework::queries::{RequestCase, RunCase};
use habeas_casework::{CapabilityChoices, Casework, CaseworkError, CaseworkSettings};
use habeas_domain::{Actor, IdentifierType, RequestId, RequestState, Right};
use habeas_engine::{Engine, EngineOptions, IntegrationOptions, Vendors};
use habeas_environment::{Environment, TestClock};
use habeas_integrations::{Catalogue, Settings};
use habeas_sandbox::{Sandbox, SandboxOptions};
use habeas_testing::TestDatabase;

pub(crate) struct Company {
    pub(crate) clock: TestClock,
    pub(crate) environment: Environment,
    pub(crate) sandbox: Sandbox,
    pub(crate) casework: Casework,
    pub(crate) engine: Engine,
    pub(crate) connection: ConnectionCase,
    pub(crate) database: TestDatabase,
}

/// Page size of the simulated vendor.
pub(crate) const PAGE: usize = 20;

impl Company {
    pub(crate) async fn new(database: TestDatabase) -> Self {
        Self::with_people(database, 0).await
    }

    pub(crate) async fn with_people(database: TestDatabase, people: usize) -> Self {
        let (clock, environment) = habeas_testing::environment();
        let sandbox =
            Sandbox::start(SandboxOptions { people, seed: 7, ..SandboxOptions::default() }).await.unwrap();
        sandbox.readycloud().set_limits(None, None);
        let (casework, engine) = Self::open(&database, &environment, &sandbox).await;
        let new = NewConnection {
            integration: "readycloud".to_owned(),
            name: "shop".to_owned(),
            settings: Settings::from_iter([("access_token", "rc-demo-token")]),
            deletion_completion: None,
            capabilities: CapabilityChoices::new(),
        };
        let connection = casework.add_connection(&Actor::local_operator(), new).await.unwrap();
        sandbox.calls().reset();
        Self { clock, environment, sandbox, casework, engine, connection, database }
    }

    pub(crate) async fn open(
        database: &TestDatabase,
        environment: &Environment,
        sandbox: &Sandbox,
    ) -> (Casework, Engine) {
        let store = database.open(environment).await;
        let catalogue = Arc::new(Catalogue::default());
        let lease = Duration::from_secs(60);
        let options = IntegrationOptions {
            base_url: Some(sandbox.addresses().readycloud.parse().unwrap()),
            budget: Some(10_000.0),
            ..IntegrationOptions::default()
        };
        let options = BTreeMap::from([("readycloud".to_owned(), options)]);
        let vendors = Vendors::new(store.clone(), Arc::clone(&catalogue), &options, lease).unwrap();
        let casework = Casework::new(store, catalogue, vendors.clone(), CaseworkSettings::default());
        let options = EngineOptions { workers: 2, lease, poll_interval: Duration::from_millis(500) };
        let engine = Engine::new(casework.clone(), vendors, options);
        (casework, engine)
    }

    pub(crate) async fn ask(&self, right: Right, email: &str) -> RequestId {
        self.try_ask(right, email, false).await.unwrap()
    }

    pub(crate) async fn try_ask(&self, right: Right, email: &str, review: bool) -> Result<RequestId, CaseworkError> {
        self.casework.create_request(&Actor::local_operator(), asking(right, email, review), None).await
    }

    /// Lets the engine work until nothing is due, and lets the waits of retries pass.
    pub(crate) async fn work(&self) {
        for _ in 0..64 {
            self.engine.work_until_idle().await;
            let mut reader = self.casework.store().reader().await.unwrap();
            match next_operation(&mut reader).await {
                Some(next) => self.clock.advance_to(next),
                None => return,
            }
        }
    }

    pub(crate) async fn request(&self, id: RequestId) -> RequestCase {
        self.casework.request(&Actor::local_operator(), id).await.unwrap()
    }

    pub(crate) async fn state(&self, id: RequestId) -> RequestState {
        self.request(id).await.request.state
    }

    pub(crate) async fn runs(&self, id: RequestId) -> Vec<RunCase> {
        self.casework.runs(&Actor::local_operator(), id).await.unwrap()
    }

    pub(crate) fn calls(&self, route: &str) -> u64 {
        self.sandbox.calls().count("readycloud", route)
    }
}

pub(crate) fn asking(right: Right, email: &str, review: bool) -> NewRequest {
    NewRequest {
        right,
        policy: Some("eu-gdpr".to_owned()),
        identifiers: vec![GivenIdentifier {
            field: "subject.email".to_owned(),
            kind: IdentifierType::Email,
            value: email.to_owned(),
            verified: None,
        }],
        review: Some(review),
        delivery: (right == Right::Access).then_some(Delivery::Api),
        received_at: None,
        force: false,
    }
}

/// When the next operation is due; checks of connections repeat for ever and are left out.
async fn next_operation(reader: &mut habeas_store::Connection) -> Option<jiff::Timestamp> {
    use habeas_store::dialect::Sql;
    static NEXT: Sql =
        Sql::new("SELECT min({greatest}(next_at, lease_until)) FROM due_work WHERE kind = 'operation'");
    reader.sql(&NEXT).first().await.unwrap().and_then(|row| row.optional_time(0).unwrap())
}
