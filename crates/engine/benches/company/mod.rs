//! A company with one connected system that answers out of memory: what is measured is the product alone.
#![allow(dead_code, reason = "each benchmark uses its part of the company")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the benchmark")]

pub(crate) mod vendor;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use habeas_casework::connections::{NewConnection, NewContact};
use habeas_casework::intake::{Delivery, GivenIdentifier, NewRequest};
use habeas_casework::mails::OutgoingMail;
use habeas_casework::{CapabilityChoices, Casework, CaseworkSettings};
use habeas_domain::{Actor, ConnectionId, IdentifierType, RequestId, RequestState, Right};
use habeas_engine::mailer::{Handed, MailFailure, Mailer};
use habeas_engine::{Engine, EngineOptions, Vendors};
use habeas_integrations::{Catalogue, Settings};
use habeas_store::storage::Storage;
use habeas_testing::TestDatabase;

/// How long work is leased, in milliseconds.
pub(crate) const LEASE: i64 = 60_000;
/// Requests that one call takes in.
const PER_CALL: usize = 2_000;

/// A company on SQLite with a clock that stands still.
pub(crate) struct Company {
    pub(crate) casework: Casework,
    pub(crate) engine: Engine,
    pub(crate) connection: ConnectionId,
    taken_in: usize,
    _database: TestDatabase,
}

/// Takes every mail.
#[derive(Debug)]
struct Postman;

#[async_trait]
impl Mailer for Postman {
    async fn send(&self, _: &OutgoingMail) -> Result<Handed, MailFailure> {
        Ok(Handed::Sent)
    }

    fn delivers(&self) -> bool {
        true
    }
}

impl Company {
    pub(crate) async fn open() -> Self {
        let database = TestDatabase::sqlite();
        let (_, environment) = habeas_testing::environment();
        let store = database.open(&environment).await;
        let catalogue = Arc::new(Catalogue::default().with(Box::new(vendor::MemoryVendor)));
        let lease = Duration::from_millis(LEASE.unsigned_abs());
        let vendors = Vendors::new(store.clone(), Arc::clone(&catalogue), &BTreeMap::new(), lease).unwrap();
        let settings = CaseworkSettings::default();
        let connectors: Arc<Vendors> = Arc::clone(&vendors);
        let casework = Casework::new(store, Storage::in_memory(), catalogue, connectors, settings);
        let connection = NewConnection {
            integration: vendor::NAME.to_owned(),
            name: "memory".to_owned(),
            settings: Settings::default(),
            deletion_completion: None,
            capabilities: CapabilityChoices::new(),
            contact: NewContact::default(),
        };
        let connection = casework.add_connection(&operator(), connection).await.unwrap().stored.id;
        let options = EngineOptions { lease, ..EngineOptions::default() };
        let engine = Engine::new(casework.clone(), vendors, Arc::new(Postman), options);
        Self { casework, engine, connection, taken_in: 0, _database: database }
    }

    /// Takes `count` requests in, each of a person of its own.
    pub(crate) async fn take_in(&mut self, right: Right, count: usize) -> Vec<RequestId> {
        let mut ids = Vec::with_capacity(count);
        while ids.len() < count {
            let now = PER_CALL.min(count - ids.len());
            let new = (self.taken_in..self.taken_in + now).map(|number| request(right, number)).collect();
            self.taken_in += now;
            let taken = self.casework.create_requests(&operator(), new, None).await.unwrap();
            ids.extend(taken.into_iter().map(Result::unwrap));
        }
        ids
    }

    /// Lets the engine work, and people fetch their packages, until every request is closed.
    pub(crate) async fn carry_out(&mut self, right: Right, count: usize) {
        let ids = self.take_in(right, count).await;
        self.engine.work_until_idle().await;
        if right == Right::Access {
            for id in &ids {
                let mut package =
                    Box::pin(self.casework.package(&operator(), *id, 0).await.unwrap().stream());
                while let Some(piece) = package.next().await {
                    piece.unwrap();
                }
            }
            self.engine.work_until_idle().await;
        }
        // A benchmark of work that was not done would be a fast one.
        for id in [ids.first(), ids.last()].into_iter().flatten() {
            let case = self.casework.request(&operator(), *id).await.unwrap();
            assert_eq!(case.request.state, RequestState::Closed, "a request is not closed");
        }
    }
}

pub(crate) fn operator() -> Actor {
    Actor::local_operator()
}

fn request(right: Right, number: usize) -> NewRequest {
    NewRequest {
        right,
        policy: Some("eu-gdpr".to_owned()),
        identifiers: vec![GivenIdentifier {
            field: "subject.email".to_owned(),
            kind: IdentifierType::Email,
            value: format!("person.{number}@example.test"),
            verified: Some(true),
        }],
        review: Some(false),
        delivery: (right == Right::Access).then_some(Delivery::Api),
        received_at: None,
        force: false,
    }
}
