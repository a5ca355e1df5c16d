//! What sealing and the audit log cost: `cargo bench -p habeas-store`. The figures are to be compared with each other,
//! on one quiet machine.
#![allow(clippy::unwrap_used, reason = "what fails here fails the benchmark")]

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use habeas_domain::{Actor, RequestId};
use habeas_environment::Environment;
use habeas_store::audit::{self, Stream};
use habeas_store::{DataKey, KeyPurpose, Place, Store, StoreError};
use habeas_testing::TestDatabase;
use tokio::runtime::Runtime;

/// A record, a mail, and a package.
const BYTES: [usize; 3] = [200, 4 << 10, 64 << 10];
/// Events in one unit.
const EVENTS: [usize; 3] = [1, 32, 512];
const PLACE: Place<'static> = Place { column: "records.content", row: "rec_bench" };

fn main() {
    divan::main();
}

#[divan::bench(args = BYTES)]
fn seal(bencher: Bencher<'_, '_>, bytes: usize) {
    let (environment, key) = key();
    let content = vec![7; bytes];
    bencher
        .counter(BytesCount::new(bytes))
        .bench(|| key.seal(&environment, PLACE, black_box(&content)).unwrap());
}

#[divan::bench(args = BYTES)]
fn open(bencher: Bencher<'_, '_>, bytes: usize) {
    let (environment, key) = key();
    let sealed = key.seal(&environment, PLACE, &vec![7; bytes]).unwrap();
    bencher.counter(BytesCount::new(bytes)).bench(|| key.open(PLACE, black_box(&sealed)).unwrap());
}

/// Making a request's key and wrapping it.
#[divan::bench]
fn wrap_a_data_key(bencher: Bencher<'_, '_>) {
    let (_, environment) = habeas_testing::environment();
    let keyring = habeas_testing::keyring();
    bencher.bench(|| keyring.new_data_key(&environment, "req_bench", KeyPurpose::Content.as_str()).unwrap());
}

/// One unit that only records events, each of a request of its own: MACs, streams, and the commit.
#[divan::bench(args = EVENTS, sample_count = 30, sample_size = 1)]
fn append_events(bencher: Bencher<'_, '_>, events: usize) {
    let stage = Stage::new();
    bencher.counter(ItemsCount::new(events)).bench_local(|| stage.append(events));
}

/// The Merkle tree over everything since the last seal, and its signature.
#[divan::bench(args = EVENTS, sample_count = 30, sample_size = 1)]
fn seal_the_log(bencher: Bencher<'_, '_>, events: usize) {
    let stage = Stage::new();
    bencher.counter(ItemsCount::new(events)).with_inputs(|| stage.append(events)).bench_local_values(|()| {
        let sealed = stage.store.write(|unit| Box::pin(audit::seal::seal(unit)));
        stage.runtime.block_on(sealed).unwrap().unwrap()
    });
}

fn key() -> (Environment, DataKey) {
    let (_, environment) = habeas_testing::environment();
    let keyring = habeas_testing::keyring();
    let (key, _) = keyring.new_data_key(&environment, "req_bench", KeyPurpose::Content.as_str()).unwrap();
    (environment, key)
}

struct Stage {
    runtime: Runtime,
    store: Store,
    environment: Environment,
    _database: TestDatabase,
}

impl Stage {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let database = TestDatabase::sqlite();
        let (_, environment) = habeas_testing::environment();
        let store = runtime.block_on(database.open(&environment));
        Self { runtime, store, environment, _database: database }
    }

    fn append(&self, events: usize) {
        let requests: Vec<_> = (0..events).map(|_| RequestId::new(self.environment.unique())).collect();
        let written = self.store.write(move |unit| {
            Box::pin(async move {
                for id in requests {
                    let actor = Actor::system();
                    unit.record(Stream::Request(id), &actor, "bench", id, serde_json::json!({"number": 1}));
                }
                Ok::<_, StoreError>(())
            })
        });
        self.runtime.block_on(written).unwrap();
    }
}
