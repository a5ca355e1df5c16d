//! Upgrading: what an older program wrote is there afterwards, and the new program works on it.

use std::collections::BTreeSet;

use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::{ApiKeyId, IdentifierType, RequestId, Role};
use habeas_store::api_keys::{self, ApiKey};
use habeas_store::audit::{Stream, seal, verify::verify};
use habeas_store::connections::{self, StoredConnection};
use habeas_store::data_keys::NewDataKeys;
use habeas_store::idempotency::{self, Remembered};
use habeas_store::operations::{self, Operation, Which};
use habeas_store::pace::{self, Spacing};
use habeas_store::packages::{self, PackagePlace};
use habeas_store::requests::{self, Request};
use habeas_store::runs::{self, Run};
use habeas_store::{Database, KeyPurpose, Keyring, StoreError, due_work, migrate, records};
use habeas_testing::{TestDatabase, keyring, master_key, on_both_databases};

use crate::common::{Fixture, assert_same, note, sealed};

on_both_databases![
    an_older_version_can_be_had,
    every_row_of_version_1_is_intact_in_the_newest,
    what_version_1_wrote_is_read_and_worked_on,
    another_master_key_leaves_version_1_as_it_is,
    many_starters_upgrade_version_1_once,
    a_package_of_version_2_is_delivered_by_the_newest,
];

/// What an older program wrote, as the newest one reads it.
struct Written {
    request: Request,
    run: Run,
    connection: StoredConnection,
    operations: Vec<Operation>,
}

/// Rows in every table, none with what only newer versions have.
async fn write_everywhere(fixture: &Fixture) -> Written {
    let (environment, now) = (fixture.environment.clone(), fixture.now());
    let connection = fixture.stored_connection("crm");
    let request = fixture.request();
    let mut run = fixture.run(request.id, connection.id);
    run.failure = Some(sealed(b"what went wrong"));
    let mut scan = fixture.operation(connection.id, OperationKind::Scan);
    scan.position = Some(serde_json::json!({"cursor": "a\"b"}));
    let mut done = fixture.operation(connection.id, OperationKind::DeleteRecords);
    done.status = OperationStatus::Done;
    done.finished_at = Some(fixture.later(5));
    let written = Written {
        request: request.clone(),
        run: run.clone(),
        connection: connection.clone(),
        operations: vec![scan.clone(), done.clone()],
    };
    let record = fixture.record(&run, "contact-4711");
    let package = fixture.package(request.id, b"package");
    let work = fixture.work("lane", &scan.id.to_string(), 60);
    let mut keys = NewDataKeys::default();
    let owner = request.id.to_string();
    keys.make(fixture.store.keyring(), &environment, &owner, KeyPurpose::Case).unwrap();
    let api_key = ApiKey {
        id: ApiKeyId::new(environment.unique()),
        name: "crm".to_owned(),
        roles: BTreeSet::from([Role::RequestAdmin]),
        created_at: now,
        created_by: "local-operator".to_owned(),
        revoked_at: None,
    };
    keep!(fixture, |unit| {
        keys.store(unit.connection()).await?;
        api_keys::insert(unit.connection(), &api_key, vec![0, 1, 255]).await?;
        assert!(connections::save(unit.connection(), &connection).await?);
        requests::insert(unit.connection(), std::slice::from_ref(&request)).await?;
        let filed = [(request.id, IdentifierType::Email, vec![7, 0])];
        requests::insert_identifiers(unit.connection(), filed).await?;
        runs::save(unit.connection(), [&run]).await?;
        records::insert(unit.connection(), &[record]).await?;
        operations::insert(unit.connection(), &[scan.clone(), done]).await?;
        operations::join(unit.connection(), [(scan.id, run.id)]).await?;
        due_work::insert(unit.connection(), &[work]).await?;
        let spacing = Spacing { interval: 1_000, burst: 2 };
        pace::take(unit.connection(), ("account", "class"), Some(now.as_millisecond()), spacing, 1, 0)
            .await?;
        packages::save(unit.connection(), &[package]).await?;
        let remembered = Remembered { fingerprint: vec![1], object: request.id.to_string() };
        idempotency::remember(unit.connection(), "key_1", "k", &remembered, now).await?;
        note(unit, Stream::Request(request.id), 1);
        Ok(())
    });
    keep!(fixture, |unit| seal::seal(unit).await);
    written
}

/// A database that was made by the first migration alone, with rows in every table that it knows.
async fn version_1(database: TestDatabase) -> (TestDatabase, Written) {
    let fixture = Fixture::on(database).await;
    let written = write_everywhere(&fixture).await;
    let Fixture { database: newest, store, environment, .. } = fixture;
    store.close().await;
    let newest_file = newest.directory().map(|directory| directory.join("habeas.db"));
    if newest_file.is_some() {
        return (fill_version_1(TestDatabase::sqlite(), newest_file, &environment).await, written);
    }
    // The database stays where it is; what it holds is put aside.
    newest.raw().await.run("ALTER SCHEMA public RENAME TO newest").await;
    (fill_version_1(newest.without_schema().await, None, &environment).await, written)
}

async fn fill_version_1(
    old: TestDatabase,
    newest_file: Option<std::path::PathBuf>,
    environment: &habeas_environment::Environment,
) -> TestDatabase {
    let opened = Database::open(old.url(), environment).await.unwrap();
    assert_eq!(opened.migrate_to(1).await.unwrap(), (0, 1));
    let mut raw = old.raw().await;
    if let Some(file) = newest_file {
        raw.run(format!("ATTACH '{}' AS newest", file.display())).await;
    }
    for table in raw.tables().await {
        if table == "schema_versions" {
            continue;
        }
        let columns = raw.columns(&table).await.join(", ");
        raw.run(format!("DELETE FROM {table}")).await;
        let copied =
            raw.run(format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM newest.{table}")).await;
        assert!(copied > 0, "{table} holds nothing that could be lost");
    }
    old
}

/// Every table of version 1 with its columns and rows.
async fn rows_of_version_1(database: &TestDatabase) -> Vec<(String, Vec<String>, Vec<String>)> {
    let mut raw = database.raw().await;
    let mut tables = Vec::new();
    for table in raw.tables().await {
        let columns = raw.columns(&table).await;
        let rows = raw.rows(&table, &columns).await;
        tables.push((table, columns, rows));
    }
    tables
}

async fn an_older_version_can_be_had(database: TestDatabase) {
    let database = database.without_schema().await;
    let (_, environment) = habeas_testing::environment();
    let opened = Database::open(database.url(), &environment).await.unwrap();
    assert_eq!(opened.migrate_to(1).await.unwrap(), (0, 1));
    let mut raw = database.raw().await;
    let columns = raw.columns("operations").await;
    assert!(columns.contains(&"position".to_owned()) && !columns.contains(&"job".to_owned()), "{columns:?}");
    assert_eq!(opened.migrate().await.unwrap(), (1, migrate::NEWEST));
    assert!(raw.columns("operations").await.contains(&"job".to_owned()));
    let refused = opened.migrate_to(1).await;
    assert!(
        matches!(refused, Err(StoreError::NewerSchema { found: migrate::NEWEST, known: 1 })),
        "{refused:?}"
    );
}

async fn every_row_of_version_1_is_intact_in_the_newest(database: TestDatabase) {
    let (database, _) = version_1(database).await;
    let before = rows_of_version_1(&database).await;
    let (_, environment) = habeas_testing::environment();
    let opened = Database::open(database.url(), &environment).await.unwrap();
    assert_eq!(opened.migrate().await.unwrap(), (1, migrate::NEWEST));
    let mut raw = database.raw().await;
    for (table, columns, rows) in before.iter().filter(|(table, ..)| table != "schema_versions") {
        assert_eq!(raw.rows(table, columns).await, *rows, "{table}");
    }
    assert_eq!(raw.number("SELECT count(*) FROM schema_versions").await, migrate::NEWEST);
    assert_eq!(raw.number("SELECT max(version) FROM schema_versions").await, migrate::NEWEST);
}

async fn what_version_1_wrote_is_read_and_worked_on(database: TestDatabase) {
    let (database, written) = version_1(database).await;
    let fixture = Fixture::on(database).await;
    fixture.pass(60);
    let Written { request, run, connection, operations } = written;
    let mut reader = fixture.reader().await;
    assert_same(&requests::find(&mut reader, request.id).await.unwrap(), &Some(request.clone()));
    assert_same(&runs::by_ids(&mut reader, [run.id]).await.unwrap(), &std::slice::from_ref(&run));
    assert_same(&connections::list(&mut reader).await.unwrap(), &std::slice::from_ref(&connection));
    let verdict = verify(&mut reader, fixture.store.keyring(), None).await.unwrap();
    assert!(verdict.valid && verdict.events == 1 && verdict.seal.is_some(), "{verdict:?}");
    drop(reader);

    let (at, id, now) = (connection.id, run.id, fixture.now());
    let shared_now = fixture.store.shared_now();
    let new = fixture.operation_id();
    let (erase, answered) = (
        fixture.operation(at, OperationKind::Erase),
        Run {
            vendor_job: Some("job-1".to_owned()),
            contact: Some(sealed(b"contact")),
            answer: Some(sealed(b"answer")),
            ..run
        },
    );
    let (erase_id, expected) = (erase.id, answered.clone());
    let known: Vec<_> = operations.iter().map(|operation| operation.id).collect();
    let scan = known[0];
    keep!(fixture, |unit| {
        let connection = unit.connection();
        assert_same(&operations::lock(connection, known).await?, &operations);
        assert_eq!(operations::open_scan(connection, new, at, now).await?, (scan, false), "still under way");
        assert_eq!(operations::members(connection, [scan], Which::All).await?[0].run, id);
        let leases = due_work::claim(connection, "lane", shared_now, 1, 10).await?;
        assert_eq!(leases[0].object, scan.to_string());
        assert_eq!(operations::following(connection, new, at, now).await?, new);
        operations::insert(connection, &[erase]).await?;
        assert_eq!(operations::gathering(connection, at).await?, Some(erase_id));
        runs::save(connection, [&answered]).await
    });
    assert_same(&runs::by_ids(&mut fixture.reader().await, [id]).await.unwrap(), &[expected]);
}

async fn another_master_key_leaves_version_1_as_it_is(database: TestDatabase) {
    let (database, _) = version_1(database).await;
    let before = database.raw().await.dump().await;
    let (_, environment) = habeas_testing::environment();
    let opened = Database::open(database.url(), &environment).await.unwrap();
    let refused = opened.into_store(Keyring::new(&master_key(9), &[]).unwrap()).await;
    assert!(matches!(refused, Err(StoreError::MasterKeyMismatch { .. })), "{refused:?}");
    assert_eq!(database.raw().await.dump().await, before);
}

async fn many_starters_upgrade_version_1_once(database: TestDatabase) {
    let (database, written) = version_1(database).await;
    let (_, environment) = habeas_testing::environment();
    let starters = (0..6).map(|_| {
        let (url, environment) = (database.url().to_owned(), environment.clone());
        tokio::spawn(async move { Database::open(&url, &environment).await?.into_store(keyring()).await })
    });
    for store in futures::future::join_all(starters).await {
        let store = store.unwrap().expect("a starter that succeeds");
        let found = runs::by_ids(&mut store.reader().await.unwrap(), [written.run.id]).await.unwrap();
        assert_same(&found, &std::slice::from_ref(&written.run));
    }
    let mut raw = database.raw().await;
    assert_eq!(raw.number("SELECT count(*) FROM schema_versions").await, migrate::NEWEST);
}

async fn a_package_of_version_2_is_delivered_by_the_newest(database: TestDatabase) {
    let database = database.without_schema().await;
    let (_, environment) = habeas_testing::environment();
    let opened = Database::open(database.url(), &environment).await.unwrap();
    assert_eq!(opened.migrate_to(2).await.unwrap(), (0, 2));
    let (id, at) = (RequestId::new(environment.unique()), environment.now());
    let mut raw = database.raw().await;
    assert!(!raw.columns("packages").await.contains(&"bytes".to_owned()));
    let content = raw.bytes(&[0, 39, 255]);
    let values = format!("'{id}', {content}, {}", at.as_millisecond());
    raw.run(format!("INSERT INTO packages (request_id, content, created_at) VALUES ({values})")).await;
    drop((raw, opened));

    let fixture = Fixture::on(database).await;
    let found = packages::find(&mut fixture.reader().await, id).await.unwrap().unwrap();
    assert_eq!((found.created_at, found.bytes, found.sha256), (at, None, None));
    assert_eq!((found.problem, found.handed, found.delivered_at), (None, 0, None));
    assert!(matches!(found.place, PackagePlace::Row(content) if content == sealed(&[0, 39, 255])));
    keep!(fixture, |unit| {
        packages::note_handed(unit.connection(), id, (0, 3)).await?;
        packages::note_delivered(unit.connection(), [id], at).await
    });
    let found = packages::find(&mut fixture.reader().await, id).await.unwrap().unwrap();
    assert_eq!((found.handed, found.delivered_at), (3, Some(at)));
}
