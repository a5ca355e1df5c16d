//! What arrives.

use habeas_store::audit::{self, Anchor, verify::verify};
use habeas_store::moving::MoveError;
use habeas_store::{Database, StoreError};
use habeas_testing::{TestDatabase, keyring, on_both_databases};

use super::{OWN, add_much, carried_rows, carry, installation, targets};
use crate::common::Fixture;

on_both_databases![
    every_row_arrives_and_comes_back,
    the_log_goes_on_where_it_was,
    a_source_that_was_left_refuses_work,
    an_older_source_is_brought_up_to_date,
    no_table_depends_on_another,
];

async fn every_row_arrives_and_comes_back(database: TestDatabase) {
    let is_sqlite = database.is_sqlite();
    let mut source = installation(database).await;
    add_much(&source).await;
    let before = carried_rows(&source).await;
    assert!(before.iter().all(|(_, rows)| !rows.is_empty()), "something in every table");
    let mut carried = source.raw().await.tables().await;
    carried.retain(|table| !OWN.contains(&table.as_str()));
    for target in targets().await {
        let there = carry(&source, &target).await.unwrap();
        let names: Vec<_> = there.tables.iter().map(|table| table.name.clone()).collect();
        assert_eq!(names, carried, "every table");
        assert_eq!(there.rows, there.tables.iter().map(|table| table.rows).sum::<u64>());
        assert!(there.seal.is_some() && there.events >= 8 && !there.resumed);
        if target.is_sqlite() == is_sqlite {
            assert_eq!(carried_rows(&target).await, before);
        }
        // Back to the kind that it came from, so that rows can be compared as they print.
        let home = if is_sqlite { TestDatabase::sqlite() } else { TestDatabase::postgres().await };
        let back = carry(&target, &home).await.unwrap();
        assert_eq!(carried_rows(&home).await, before);
        for (there, back) in there.tables.iter().zip(&back.tables) {
            let same = (there.rows, &there.digest) == (back.rows, &back.digest);
            assert_eq!(
                same,
                !there.name.starts_with("audit_") || there.name == "audit_seals",
                "{}",
                there.name
            );
        }
        source = home;
    }
}

async fn the_log_goes_on_where_it_was(database: TestDatabase) {
    let mut source = installation(database).await;
    for target in targets().await {
        let moved = carry(&source, &target).await.unwrap();
        let fixture = Fixture::on(target).await;
        let anchor = moved.seal.map(Anchor);
        let verdict = verify(&mut fixture.reader().await, &keyring(), anchor.as_ref()).await.unwrap();
        assert!(verdict.valid, "{verdict:?}");
        assert_eq!(u64::try_from(verdict.events).unwrap(), moved.events + 1);
        let events = audit::list(&mut fixture.reader().await, Some("system"), 0, 100).await.unwrap();
        let last = events.last().unwrap();
        assert_eq!((last.kind.as_str(), last.actor.as_str()), ("installation.moved", "local-operator"));
        assert!(last.data.contains(&format!("\"rows\":{}", moved.rows)), "{}", last.data);
        let Fixture { database, store, .. } = fixture;
        store.close().await;
        source = database;
    }
}

async fn a_source_that_was_left_refuses_work(database: TestDatabase) {
    let source = installation(database).await;
    let target = TestDatabase::sqlite();
    let moved = carry(&source, &target).await.unwrap();
    let before = source.raw().await.dump().await;
    let (_, environment) = habeas_testing::environment();
    let open = async || {
        let opened = Database::open(source.url(), &environment).await?;
        opened.migrate().await.map(drop)?;
        Ok::<_, StoreError>(())
    };
    let work =
        async || Database::open(source.url(), &environment).await?.into_store(keyring()).await.map(drop);
    for refused in [open().await, work().await] {
        match refused {
            Err(StoreError::Moved { place, .. }) => assert_eq!(place, moved.to),
            other => panic!("{other:?}"),
        }
    }
    // Nor is it moved a second time.
    let elsewhere = TestDatabase::sqlite();
    match carry(&source, &elsewhere).await {
        Err(MoveError::HasLeft { place }) => assert_eq!(place, moved.to),
        other => panic!("{other:?}"),
    }
    assert_eq!(source.raw().await.dump().await, before);
    // A run whose last words got lost says them now.
    let again = carry(&source, &target).await.unwrap();
    assert_eq!((again.rows, again.events, &again.seal), (moved.rows, moved.events, &moved.seal));
    assert_eq!(format!("{:?}", again.tables), format!("{:?}", moved.tables));
    assert_eq!(source.raw().await.dump().await, before);
}

async fn an_older_source_is_brought_up_to_date(database: TestDatabase) {
    let source = installation(database).await;
    // As a program left it that knew nothing of moves.
    let mut raw = source.raw().await;
    raw.run("DROP TABLE moves; DROP TABLE moved_tables; DELETE FROM schema_versions WHERE version >= 9")
        .await;
    drop(raw);
    for target in targets().await.into_iter().take(1) {
        carry(&source, &target).await.unwrap();
        let (_, environment) = habeas_testing::environment();
        target.open(&environment).await.close().await;
    }
}

/// Tables are carried by name, one after the other: none may need rows of another to be there.
async fn no_table_depends_on_another(database: TestDatabase) {
    let source = installation(database).await;
    let mut raw = source.raw().await;
    let query = if source.is_sqlite() {
        "SELECT count(*) FROM sqlite_master AS t JOIN pragma_foreign_key_list(t.name) WHERE t.type = 'table'"
    } else {
        "SELECT count(*) FROM pg_constraint WHERE contype = 'f'"
    };
    assert_eq!(raw.number(query).await, 0);
}
