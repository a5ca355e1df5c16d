//! What SQLite leaves on the disk of what was destroyed: nothing, once its traces were forgotten.

use std::path::Path;
use std::time::Duration;

use habeas_store::data_keys::{self, NewDataKeys};
use habeas_store::packages::{self, Package, PackagePlace};
use habeas_store::{KeyPurpose, Place, records, requests};
use habeas_testing::{TestDatabase, on_both_databases};
use tokio::time::timeout;

use crate::common::Fixture;

on_both_databases![nothing_that_is_kept_is_lost];

/// Whether one of the database's files holds these bytes.
fn holds(directory: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|file| {
        std::fs::read(file.unwrap().path()).unwrap().windows(bytes.len()).any(|part| part == bytes)
    })
}

async fn nothing_that_is_kept_is_lost(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let request = fixture.request();
    let id = request.id;
    keep!(fixture, |unit| requests::insert(unit.connection(), &[request]).await);
    assert!(fixture.store.forget_traces().await.unwrap());
    assert!(fixture.store.forget_traces().await.unwrap(), "also when there is nothing to do");
    assert!(requests::find(&mut fixture.reader().await, id).await.unwrap().is_some());
}

#[test]
fn what_was_destroyed_is_in_no_file() {
    habeas_testing::block_on(async {
        let fixture = Fixture::on(TestDatabase::sqlite()).await;
        let directory = fixture.database.directory().unwrap().to_owned();
        let request = fixture.request_id();
        let owner = request.to_string();
        let mut keys = NewDataKeys::default();
        let keyring = fixture.store.keyring();
        let key = keys.make(keyring, &fixture.environment, &owner, KeyPurpose::Content).unwrap();
        let mut record = fixture.record(&fixture.run(request, fixture.connection_id()), "contact");
        let place = Place { column: "records.content", row: &record.id.to_string() };
        record.content = key.seal(&fixture.environment, place, b"Xylophongasse 17").unwrap();
        // Longer than a page, so that parts of it lie on pages of their own.
        let place = Place { column: "packages.content", row: &owner };
        let delivered = key.seal(&fixture.environment, place, &[7; 20_000]).unwrap();
        let package =
            Package { place: PackagePlace::Row(delivered.clone()), ..fixture.package(request, b"") };
        let (found, content) = (record.clone(), delivered.as_bytes());
        keep!(fixture, |unit| {
            keys.store(unit.connection()).await?;
            records::insert(unit.connection(), &[found]).await?;
            packages::save(unit.connection(), &[package]).await
        });
        let wrapped = fixture.database.raw().await.texts("SELECT hex(wrapped) FROM data_keys").await;
        assert_eq!(wrapped.len(), 1);
        let traces = [
            hex::decode(&wrapped[0]).unwrap(),
            record.content.as_bytes().to_vec(),
            content[..64].to_vec(),
            content[content.len() / 2..][..64].to_vec(),
            content[content.len() - 64..].to_vec(),
        ];
        let left = || traces.each_ref().map(|trace| holds(&directory, trace));
        assert_eq!(left(), [true; 5], "the search finds what is there");
        // Once in the file and once more in the log: both have to lose it.
        fixture.store.checkpoint().await.unwrap();
        keep!(fixture, |unit| {
            assert_eq!(data_keys::destroy(unit.connection(), [request], KeyPurpose::Content).await?, 1);
            records::delete_content(unit.connection(), [request]).await
        });
        assert!(left().contains(&true), "deleting alone leaves traces");
        assert!(fixture.store.forget_traces().await.unwrap());
        assert_eq!(left(), [false; 5]);
    });
}

#[test]
fn who_reads_meanwhile_is_not_disturbed_and_holds_nobody_up() {
    habeas_testing::block_on(async {
        let fixture = Fixture::on(TestDatabase::sqlite()).await;
        let request = fixture.request();
        let id = request.id;
        keep!(fixture, |unit| requests::insert(unit.connection(), &[request]).await);
        let mut reader = fixture.database.raw().await;
        reader.run("BEGIN").await;
        let count = "SELECT count(*) FROM packages";
        assert_eq!(reader.number(count).await, 0);
        let package = fixture.package(id, b"package");
        keep!(fixture, |unit| packages::save(unit.connection(), &[package]).await);
        // Writers wait as long as it does; a unit gives up after ten seconds.
        let forgotten = timeout(Duration::from_secs(5), fixture.store.forget_traces()).await;
        assert!(!forgotten.expect("an answer in time").unwrap(), "the reader still needs the log");
        assert_eq!(reader.number(count).await, 0, "it sees what it saw");
        reader.run("COMMIT").await;
        assert!(fixture.store.forget_traces().await.unwrap(), "the next time it goes");
        assert_eq!(reader.number(count).await, 1);
    });
}
