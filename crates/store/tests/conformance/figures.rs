//! What the database says about itself.

use habeas_store::requests;
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::Fixture;

on_both_databases![what_is_written_shows];

async fn what_is_written_shows(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let before = fixture.store.figures().await.unwrap();
    let new: Vec<_> = (0..500).map(|_| fixture.request()).collect();
    keep!(fixture, |unit| requests::insert(unit.connection(), &new).await);
    let after = fixture.store.figures().await.unwrap();
    assert!(after.bytes > before.bytes, "{before:?} {after:?}");
    let is_server = !fixture.database.is_sqlite();
    assert_eq!(after.log_bytes.is_some(), is_server);
    assert_eq!(after.server_process.is_some(), is_server);
    if is_server {
        // Each request is a row of its own in the log.
        assert!(after.log_bytes > before.log_bytes.map(|bytes| bytes + 500 * 100), "{before:?} {after:?}");
    }
}
