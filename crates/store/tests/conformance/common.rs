//! A store to test on and small builders for its rows.

use std::fmt::Debug;
use std::time::Duration;

use futures::future::BoxFuture;
use habeas_domain::lifecycle::RequestState;
use habeas_domain::operation::OperationKind;
use habeas_domain::run::RunDetail;
use habeas_domain::{
    Actor, ConnectionId, DueWorkId, OperationId, Phase, RecordId, RequestId, Right, RunId, RunStatus,
};
use habeas_environment::{Environment, TestClock};
use habeas_store::audit::Stream;
use habeas_store::connections::StoredConnection;
use habeas_store::due_work::{DueWorkKind, NewDueWork};
use habeas_store::operations::Operation;
use habeas_store::packages::{Package, PackagePlace};
use habeas_store::records::Record;
use habeas_store::requests::Request;
use habeas_store::runs::Run;
use habeas_store::{Connection, Sealed, Store, StoreError, Unit};
use habeas_testing::TestDatabase;
use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Runs a unit that must be kept; gives what it gives.
macro_rules! keep {
    ($fixture:expr, |$unit:ident| $body:expr) => {
        attempt!($fixture, |$unit| $body).expect("a unit that is kept")
    };
}

/// Runs a unit; gives its result.
macro_rules! attempt {
    ($fixture:expr, |$unit:ident| $body:expr) => {
        $fixture
            .store
            .write::<_, habeas_store::StoreError, _>(move |$unit| Box::pin(async move { $body }))
            .await
    };
}

/// Begins a unit on a task of its own; what it gives comes when it is over.
macro_rules! begin {
    ($fixture:expr, |$unit:ident| $body:expr) => {{
        let store = $fixture.store.clone();
        tokio::spawn(async move {
            store.write::<_, habeas_store::StoreError, _>(move |$unit| Box::pin(async move { $body })).await
        })
    }};
}

/// Runs a unit up to its end and leaves its transaction open.
macro_rules! leave_open {
    ($fixture:expr, |$unit:ident| $body:expr) => {
        $fixture.leave_open(move |$unit| Box::pin(async move { $body })).await
    };
}

/// A unit that has done everything but commit.
pub(crate) struct OpenUnit<T> {
    commit: oneshot::Sender<bool>,
    unit: JoinHandle<Result<T, StoreError>>,
}

impl<T> OpenUnit<T> {
    pub(crate) async fn commit(self) -> T {
        self.commit.send(true).unwrap();
        self.unit.await.unwrap().expect("a unit that is kept")
    }

    pub(crate) async fn roll_back(self) {
        self.commit.send(false).unwrap();
        assert!(self.unit.await.unwrap().is_err());
    }
}

/// An open store, the database below it and the clock that it reads.
pub(crate) struct Fixture {
    pub(crate) database: TestDatabase,
    pub(crate) store: Store,
    pub(crate) clock: TestClock,
    pub(crate) environment: Environment,
}

impl Fixture {
    pub(crate) async fn on(database: TestDatabase) -> Self {
        let (clock, environment) = habeas_testing::environment();
        let store = database.open(&environment).await;
        Self { database, store, clock, environment }
    }

    pub(crate) async fn reader(&self) -> Connection {
        self.store.reader().await.unwrap()
    }

    pub(crate) async fn leave_open<T, W>(&self, work: W) -> OpenUnit<T>
    where
        W: for<'u> FnOnce(&'u mut Unit) -> BoxFuture<'u, Result<T, StoreError>> + Send + 'static,
        T: Send + 'static,
    {
        let (done, wait_done) = oneshot::channel();
        let (commit, wait_commit) = oneshot::channel();
        let unit = begin!(self, |unit| {
            let value = work(unit).await?;
            done.send(()).unwrap();
            if wait_commit.await.unwrap() { Ok(value) } else { Err(StoreError::UnitBroken) }
        });
        wait_done.await.expect("a unit that comes to its end");
        OpenUnit { commit, unit }
    }

    /// Returns when `unit`, the only one that may, waits for a lock that another one holds.
    pub(crate) async fn is_waiting<T>(&self, unit: &JoinHandle<T>) {
        let waiting = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let mut raw = self.database.raw().await;
        while raw.number(waiting).await == 0 {
            assert!(!unit.is_finished(), "it waited for nobody");
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.environment.now()
    }

    pub(crate) fn later(&self, seconds: i64) -> Timestamp {
        self.now() + jiff::SignedDuration::from_secs(seconds)
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn request_id(&self) -> RequestId {
        RequestId::new(self.environment.unique())
    }

    pub(crate) fn connection_id(&self) -> ConnectionId {
        ConnectionId::new(self.environment.unique())
    }

    pub(crate) fn operation_id(&self) -> OperationId {
        OperationId::new(self.environment.unique())
    }

    pub(crate) fn request(&self) -> Request {
        // Ids made within one millisecond are in no order; a test that lists them wants one.
        self.clock.advance(Duration::from_millis(1));
        let now = self.now();
        Request {
            id: self.request_id(),
            right: Right::Access,
            policy: "gdpr".to_owned(),
            state: RequestState::Collecting,
            outcome: None,
            hold: None,
            source: "api".to_owned(),
            relationship: None,
            review: true,
            delivery: "api".to_owned(),
            received_at: now,
            received_on: jiff::civil::date(2026, 6, 1),
            due_on: jiff::civil::date(2026, 7, 1),
            due_at: now + jiff::SignedDuration::from_hours(30 * 24),
            acknowledge_due_on: None,
            clock_key: "gdpr".to_owned(),
            clock_version: 1,
            cutoff_on: None,
            extended: false,
            unverified: false,
            open_runs: 0,
            details: sealed(b"details"),
            created_by: "local-operator".to_owned(),
            created_at: now,
            closed_at: None,
            forget_content_at: None,
            forget_case_at: None,
        }
    }

    pub(crate) fn requests(&self, count: usize) -> Vec<Request> {
        (0..count).map(|_| self.request()).collect()
    }

    pub(crate) fn run(&self, request: RequestId, connection: ConnectionId) -> Run {
        self.clock.advance(Duration::from_millis(1));
        Run {
            id: RunId::new(self.environment.unique()),
            request,
            connection,
            phase: Phase::Collect,
            status: RunStatus::NotStarted,
            detail: RunDetail::Queued,
            selected: true,
            records_found: None,
            deleted: None,
            attempts: 0,
            next_at: None,
            residuals: serde_json::json!([]),
            failure: None,
            note: None,
            created_at: self.now(),
            settled_at: None,
            vendor_job: None,
            contact: None,
            answer: None,
            expected: None,
        }
    }

    pub(crate) fn record(&self, run: &Run, vendor_key: &str) -> Record {
        self.clock.advance(Duration::from_millis(1));
        Record {
            id: RecordId::new(self.environment.unique()),
            request: run.request,
            run: run.id,
            vendor_key: vendor_key.as_bytes().to_vec(),
            content: sealed(vendor_key.as_bytes()),
            selected: true,
            exception: None,
            deletion: None,
        }
    }

    /// A package whose bytes are in the database and not counted, as older versions left them.
    pub(crate) fn package(&self, request: RequestId, content: &[u8]) -> Package {
        Package {
            request,
            created_at: self.now(),
            place: PackagePlace::Row(sealed(content)),
            bytes: None,
            sha256: None,
            problem: None,
            handed: 0,
            delivered_at: None,
        }
    }

    pub(crate) fn operation(&self, connection: ConnectionId, kind: OperationKind) -> Operation {
        self.clock.advance(Duration::from_millis(1));
        Operation::new(self.operation_id(), connection, kind, self.now())
    }

    pub(crate) fn stored_connection(&self, name: &str) -> StoredConnection {
        self.clock.advance(Duration::from_millis(1));
        StoredConnection {
            id: self.connection_id(),
            integration: "readycloud".to_owned(),
            name: name.to_owned(),
            status: "connected".to_owned(),
            account: "0badcafe".to_owned(),
            settings: Some(sealed(b"settings")),
            deletion_completion: None,
            capabilities: serde_json::json!({"access": "api"}),
            earlier_capabilities: serde_json::json!([]),
            permissions: serde_json::json!([]),
            warnings: serde_json::json!([]),
            checked_at: None,
            failing_since: None,
            created_at: self.now(),
            removed_at: None,
            contact: None,
            contact_seconds: None,
            contact_on_expiry: None,
        }
    }

    /// Work that is due now, by a legal date `due_in` seconds away.
    pub(crate) fn work(&self, lane: &str, object: &str, due_in: i64) -> NewDueWork {
        NewDueWork {
            id: DueWorkId::new(self.environment.unique()),
            kind: DueWorkKind::Operation,
            object: object.to_owned(),
            lane: lane.to_owned(),
            due_at: self.later(due_in),
            next_at: self.now(),
        }
    }
}

/// Bytes where the store expects a sealed value; the store does not look inside.
pub(crate) fn sealed(bytes: &[u8]) -> Sealed {
    Sealed::from_stored(bytes.to_vec())
}

/// Writes an event of a test into a stream.
pub(crate) fn note(unit: &mut Unit, stream: Stream, number: usize) {
    let data = serde_json::json!({ "number": number });
    unit.record(stream, &Actor::local_operator(), "test.noted", "thing", data);
}

/// Compares what has no equality by what it prints.
#[track_caller]
pub(crate) fn assert_same(left: &impl Debug, right: &impl Debug) {
    assert_eq!(format!("{left:#?}"), format!("{right:#?}"));
}
