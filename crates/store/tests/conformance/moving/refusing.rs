//! What a move refuses, changing nothing.

use habeas_store::moving::{MoveError, Route, Step, move_installation};
use habeas_store::{Database, Keyring, StoreError};
use habeas_testing::{TestDatabase, block_on, keyring, master_key, on_both_databases};

use super::{carry, carry_until, installation, targets};

on_both_databases![
    a_target_that_holds_something_is_refused,
    another_installation_s_unfinished_move_is_refused,
    an_unfinished_target_is_no_source,
    one_database_is_not_both,
    another_master_key_is_refused,
    newer_schemas_are_refused,
    nothing_cannot_be_moved,
    databases_in_use_are_refused,
    a_table_of_somebody_else_s_is_refused,
];

/// Every row of both databases.
async fn dumps(source: &TestDatabase, target: &TestDatabase) -> (Vec<String>, Vec<String>) {
    (source.raw().await.dump().await, target.raw().await.dump().await)
}

/// Asserts that a move is refused as `expected` says, and changes nothing.
macro_rules! refused {
    ($source:expr, $target:expr, $expected:pat) => {{
        let before = dumps($source, $target).await;
        let outcome = carry($source, $target).await;
        assert!(matches!(outcome, Err($expected)), "{outcome:?}");
        assert_eq!(dumps($source, $target).await, before);
    }};
}

async fn a_target_that_holds_something_is_refused(database: TestDatabase) {
    let source = installation(database).await;
    for target in targets().await {
        let (_, environment) = habeas_testing::environment();
        Database::open(target.url(), &environment).await.unwrap().migrate().await.unwrap();
        target.raw().await.run("INSERT INTO pace VALUES ('account', 'class', 0, 0)").await;
        refused!(&source, &target, MoveError::NotEmpty { .. });
        target.raw().await.run("DELETE FROM pace").await;
        target.open(&environment).await.close().await;
        refused!(&source, &target, MoveError::NotEmpty { .. });
    }
    for target in targets().await {
        let target = target.without_schema().await;
        target.raw().await.run("CREATE TABLE theirs (id BIGINT)").await;
        refused!(&source, &target, MoveError::NotEmpty { .. });
        target.raw().await.run("DROP TABLE theirs").await;
        carry_until(&source, &target, |step| matches!(step, Step::Begun { .. })).await.unwrap_err();
    }
}

async fn another_installation_s_unfinished_move_is_refused(database: TestDatabase) {
    let (source, other) = (installation(database).await, installation(TestDatabase::sqlite()).await);
    // Every test's environment gives the same randomness, and so the same key check.
    let mut raw = other.raw().await;
    let (_, environment) = habeas_testing::environment();
    let _ = environment.random::<16>();
    raw.run("DELETE FROM installation").await;
    Database::open(other.url(), &environment)
        .await
        .unwrap()
        .into_store(keyring())
        .await
        .unwrap()
        .close()
        .await;
    drop(raw);
    for target in targets().await {
        carry_until(&other, &target, |step| matches!(step, Step::Carried { .. })).await.unwrap_err();
        refused!(&source, &target, MoveError::AnotherMove { .. });
    }
}

async fn an_unfinished_target_is_no_source(database: TestDatabase) {
    let source = installation(database).await;
    for target in targets().await {
        carry_until(&source, &target, |step| step == Step::Verified).await.unwrap_err();
        refused!(&target, &TestDatabase::sqlite(), MoveError::SourceUnfinished { .. });
        // Nor does it become one when the source is given up.
        let (_, environment) = habeas_testing::environment();
        source.open(&environment).await.close().await;
        refused!(&target, &TestDatabase::sqlite(), MoveError::SourceUnfinished { .. });
    }
}

async fn one_database_is_not_both(database: TestDatabase) {
    let source = installation(database).await;
    refused!(&source, &source, MoveError::SamePlace);
    let (_, environment) = habeas_testing::environment();
    let other_spelling = match source.directory() {
        Some(directory) => {
            let link = directory.join("link.db");
            std::fs::hard_link(directory.join("habeas.db"), &link).unwrap();
            format!("sqlite://{}", link.display())
        }
        None => source.url().replace("127.0.0.1", "localhost"),
    };
    let route = Route { from: source.url(), to: &other_spelling };
    let outcome =
        move_installation(route, &keyring(), &environment, &mut |_| std::ops::ControlFlow::Continue(()))
            .await;
    assert!(matches!(outcome, Err(MoveError::SamePlace)), "{outcome:?}");
}

async fn another_master_key_is_refused(database: TestDatabase) {
    let source = installation(database).await;
    for target in targets().await {
        let before = dumps(&source, &target).await;
        let (_, environment) = habeas_testing::environment();
        let other = Keyring::new(&master_key(9), &[]).unwrap();
        let route = Route { from: source.url(), to: target.url() };
        let outcome =
            move_installation(route, &other, &environment, &mut |_| std::ops::ControlFlow::Continue(()))
                .await;
        assert!(
            matches!(
                outcome,
                Err(MoveError::Database { end: "--from", error: StoreError::MasterKeyMismatch { .. } })
            ),
            "{outcome:?}"
        );
        assert_eq!(dumps(&source, &target).await, before);
    }
}

async fn newer_schemas_are_refused(database: TestDatabase) {
    let source = installation(database).await;
    let newer = "INSERT INTO schema_versions (version, applied_at) VALUES (999, 0)";
    for target in targets().await {
        let (_, environment) = habeas_testing::environment();
        Database::open(target.url(), &environment).await.unwrap().migrate().await.unwrap();
        target.raw().await.run(newer).await;
        refused!(
            &source,
            &target,
            MoveError::Database { end: "--to", error: StoreError::NewerSchema { .. } }
        );
    }
    source.raw().await.run(newer).await;
    let target = TestDatabase::sqlite();
    refused!(&source, &target, MoveError::Database { end: "--from", error: StoreError::NewerSchema { .. } });
}

async fn nothing_cannot_be_moved(database: TestDatabase) {
    let empty = database.without_schema().await;
    // A file that is there, so that it is no other failure.
    empty.raw().await.run("CREATE TABLE theirs (id BIGINT)").await;
    refused!(&empty, &TestDatabase::sqlite(), MoveError::NothingThere);
    empty.raw().await.run("DROP TABLE theirs").await;
    refused!(&empty, &TestDatabase::sqlite(), MoveError::NothingThere);
    let (_, environment) = habeas_testing::environment();
    Database::open(empty.url(), &environment).await.unwrap().migrate().await.unwrap();
    refused!(&empty, &TestDatabase::sqlite(), MoveError::NothingThere);
}

async fn databases_in_use_are_refused(database: TestDatabase) {
    let source = installation(database).await;
    let (_, environment) = habeas_testing::environment();
    let server = source.open(&environment).await;
    refused!(&source, &TestDatabase::sqlite(), MoveError::Busy { end: "--from" });
    assert!(server.ready().await.is_ok(), "it does not notice");
    server.close().await;
    for target in targets().await {
        let server = target.open(&environment).await;
        refused!(&source, &target, MoveError::Busy { end: "--to" });
        assert!(server.ready().await.is_ok());
        server.close().await;
    }
}

async fn a_table_of_somebody_else_s_is_refused(database: TestDatabase) {
    let source = installation(database).await;
    source.raw().await.run("CREATE TABLE theirs (id BIGINT PRIMARY KEY, name TEXT)").await;
    let target = TestDatabase::sqlite();
    match carry(&source, &target).await {
        Err(MoveError::SchemaDiffers { table }) => assert_eq!(table, "theirs"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_postgresql_does_not_keep_is_named() {
    block_on(async {
        let source = installation(TestDatabase::sqlite()).await;
        source.raw().await.run("UPDATE connections SET name = 'a' || char(0) WHERE id LIKE 'id 1%'").await;
        let [sqlite, postgres] = targets().await;
        match carry(&source, &postgres).await {
            Err(error @ MoveError::Nul { .. }) => {
                assert!(error.to_string().contains("connections.name"), "{error}");
            }
            other => panic!("{other:?}"),
        }
        carry(&source, &sqlite).await.unwrap();
        let kept = sqlite.raw().await.texts("SELECT hex(name) FROM connections WHERE id LIKE 'id 1%'").await;
        assert_eq!(kept, ["6100"]);
    });
}

/// Cuts off everybody who works on a PostgreSQL database.
async fn cut_off(database: &TestDatabase) {
    let everybody = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.raw().await.run(everybody).await;
}

#[test]
fn a_server_that_lost_its_sessions_during_a_move_does_not_go_on() {
    block_on(async {
        let source = installation(TestDatabase::postgres().await).await;
        let (clock, environment) = habeas_testing::environment();
        let server = source.open(&environment).await;
        assert!(server.ready().await.is_ok());
        cut_off(&source).await;
        let target = TestDatabase::sqlite();
        carry(&source, &target).await.unwrap();
        // A proof holds for a second.
        clock.advance(std::time::Duration::from_secs(1));
        assert!(server.ready().await.is_err());
        let starter = Database::open(source.url(), &environment).await;
        assert!(matches!(starter, Err(StoreError::Moved { .. })), "{starter:?}");
    });
}

#[test]
fn a_server_that_comes_back_after_a_broken_move_makes_its_copy_stale() {
    block_on(async {
        let source = installation(TestDatabase::postgres().await).await;
        let (_, environment) = habeas_testing::environment();
        let server = source.open(&environment).await;
        cut_off(&source).await;
        let target = TestDatabase::sqlite();
        carry_until(&source, &target, |step| step == Step::Verified).await.unwrap_err();
        assert!(server.ready().await.is_ok());
        server.close().await;
        assert!(!carry(&source, &target).await.unwrap().resumed);
    });
}

#[test]
fn nobody_begins_to_work_while_a_move_has_the_database() {
    block_on(async {
        // SQLite waits by the machine's clock.
        let environment = habeas_environment::Environment::system();
        let locks = [
            (TestDatabase::postgres().await, "SELECT pg_advisory_lock(4881672351)"),
            (TestDatabase::sqlite(), "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT"),
        ];
        for (database, lock) in locks {
            database.open(&environment).await.close().await;
            let mut raw = database.raw().await;
            raw.run(lock).await;
            let refused = match Database::open(database.url(), &environment).await {
                Ok(opened) => opened.into_store(keyring()).await.map(drop),
                Err(error) => Err(error),
            };
            assert!(matches!(refused, Err(StoreError::BeingMoved)), "{refused:?}");
            drop(raw);
            database.open(&environment).await.close().await;
        }
    });
}
