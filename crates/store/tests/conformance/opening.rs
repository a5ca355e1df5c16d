//! Opening: migrations, keys, many starters.

use habeas_store::{Database, Keyring, StoreError, migrate, requests};
use habeas_testing::{TestDatabase, environment, keyring, master_key, on_both_databases};

use crate::common::Fixture;

on_both_databases![
    a_fresh_database_is_migrated_once,
    an_installation_is_known,
    another_master_key_is_refused_and_changes_nothing,
    another_master_key_is_refused_before_anything_is_migrated,
    a_newer_schema_is_refused_and_changes_nothing,
    many_starters_all_succeed,
    a_store_is_ready_until_it_is_not,
    checkpoints_are_harmless,
];

async fn a_fresh_database_is_migrated_once(database: TestDatabase) {
    let database = database.without_schema().await;
    let (_, environment) = environment();
    let opened = Database::open(database.url(), &environment).await.unwrap();
    assert_eq!(opened.migrate().await.unwrap(), (0, migrate::NEWEST));
    let mut raw = database.raw().await;
    let first = raw.dump().await;
    assert!(raw.tables().await.contains(&"requests".to_owned()));
    assert_eq!(opened.migrate().await.unwrap(), (migrate::NEWEST, migrate::NEWEST));
    assert_eq!(raw.dump().await, first, "the second time does nothing");
    let store = opened.into_store(keyring()).await.unwrap();
    assert!(store.ready().await.is_ok());
}

async fn an_installation_is_known(database: TestDatabase) {
    let database = database.without_schema().await;
    let (_, environment) = environment();
    let open = async || Database::open(database.url(), &environment).await.unwrap();
    assert!(!open().await.is_installed().await.unwrap(), "empty");
    open().await.migrate().await.unwrap();
    assert!(!open().await.is_installed().await.unwrap(), "migrated, but no key belongs to it yet");
    open().await.into_store(keyring()).await.unwrap().close().await;
    assert!(open().await.is_installed().await.unwrap());
}

async fn another_master_key_is_refused_and_changes_nothing(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let request = fixture.request();
    keep!(fixture, |unit| requests::insert(unit.connection(), &[request]).await);
    let mut raw = fixture.database.raw().await;
    let before = raw.dump().await;
    let opened = Database::open(fixture.database.url(), &fixture.environment).await.unwrap();
    let other = Keyring::new(&master_key(9), &[master_key(8)]).unwrap();
    let (expected_id, found_id) = (keyring().key_id().to_owned(), other.key_id().to_owned());
    match opened.into_store(other).await {
        Err(StoreError::MasterKeyMismatch { expected, found }) => {
            assert_eq!((expected, found), (expected_id, found_id));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(raw.dump().await, before);
    // The right key still opens, also as a previous one.
    fixture.database.open(&fixture.environment).await;
    let rotated = Keyring::new(&master_key(2), &[master_key(1)]).unwrap();
    fixture.database.open_with(&fixture.environment, rotated).await;
}

async fn another_master_key_is_refused_before_anything_is_migrated(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut raw = fixture.database.raw().await;
    // As if this program knew a newer schema than the database has: the migration would be applied again, and fail.
    raw.run("UPDATE schema_versions SET version = -version").await;
    let before = raw.dump().await;
    let opened = Database::open(fixture.database.url(), &fixture.environment).await.unwrap();
    let refused = opened.into_store(Keyring::new(&master_key(9), &[]).unwrap()).await;
    assert!(matches!(refused, Err(StoreError::MasterKeyMismatch { .. })), "{refused:?}");
    assert_eq!(raw.dump().await, before);
}

async fn a_newer_schema_is_refused_and_changes_nothing(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut raw = fixture.database.raw().await;
    raw.run("INSERT INTO schema_versions (version, applied_at) VALUES (999, 0)").await;
    raw.run("DROP TABLE packages").await;
    let before = raw.dump().await;
    let open = async || Database::open(fixture.database.url(), &fixture.environment).await.unwrap();
    for outcome in
        [open().await.migrate().await.map(drop), open().await.into_store(keyring()).await.map(drop)]
    {
        match outcome {
            Err(StoreError::NewerSchema { found, known }) => {
                assert_eq!((found, known), (999, migrate::NEWEST));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(raw.dump().await, before);
}

async fn many_starters_all_succeed(database: TestDatabase) {
    let database = database.without_schema().await;
    let (_, environment) = environment();
    let starters = (0..8).map(|_| {
        let (url, environment) = (database.url().to_owned(), environment.clone());
        tokio::spawn(async move { Database::open(&url, &environment).await?.into_store(keyring()).await })
    });
    let stores = futures::future::join_all(starters).await;
    for store in stores {
        let store = store.unwrap().expect("a starter that succeeds");
        assert!(store.ready().await.is_ok());
    }
    let mut raw = database.raw().await;
    assert_eq!(raw.number("SELECT count(*) FROM schema_versions").await, migrate::NEWEST);
    assert_eq!(raw.number("SELECT count(*) FROM installation").await, 1);
}

async fn a_store_is_ready_until_it_is_not(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    assert!(fixture.store.ready().await.is_ok());
    let mut raw = fixture.database.raw().await;
    let alien = raw.bytes(&[1; 48]);
    raw.run(format!("UPDATE installation SET key_check = {alien}")).await;
    // A proof holds for a second.
    fixture.pass(1);
    let unready = fixture.store.ready().await;
    assert!(matches!(unready, Err(StoreError::MasterKeyMismatch { .. })), "{unready:?}");
    raw.run("DELETE FROM installation").await;
    assert!(matches!(fixture.store.ready().await, Err(StoreError::Corrupt(_))));
}

async fn checkpoints_are_harmless(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let request = fixture.request();
    let id = request.id;
    keep!(fixture, |unit| requests::insert(unit.connection(), &[request]).await);
    fixture.store.checkpoint().await.unwrap();
    assert!(requests::find(&mut fixture.reader().await, id).await.unwrap().is_some());
}

#[test]
fn an_unknown_scheme_is_refused() {
    habeas_testing::block_on(async {
        let (_, environment) = environment();
        for url in ["mysql://localhost/habeas", "habeas.db", ""] {
            let refused = Database::open(url, &environment).await;
            assert!(matches!(refused, Err(StoreError::UnknownDatabase { .. })), "{url}");
        }
    });
}

#[test]
fn sqlite_is_opened_for_durability_and_erasure() {
    habeas_testing::block_on(async {
        let fixture = Fixture::on(TestDatabase::sqlite()).await;
        static SETTINGS: habeas_store::dialect::Sql = habeas_store::dialect::Sql::new(
            "SELECT CAST((SELECT journal_mode FROM pragma_journal_mode) AS TEXT) || ' ' ||
                    (SELECT synchronous FROM pragma_synchronous) || ' ' ||
                    (SELECT secure_delete FROM pragma_secure_delete)",
        );
        let settings = keep!(fixture, |unit| {
            unit.connection().sql(&SETTINGS).first().await?.expect("a row").text(0)
        });
        assert_eq!(settings, "wal 2 1");
    });
}
