//! Moves that are broken off at every step, and what may be done in between.

use std::collections::BTreeSet;

use habeas_store::moving::{MoveError, Step};
use habeas_store::{Database, StoreError};
use habeas_testing::{TestDatabase, keyring, on_both_databases};

use super::{add_much, carried_rows, carry, carry_until, installation, targets};
use crate::common::{Fixture, note};

on_both_databases![
    every_step_can_be_the_last_one,
    what_was_worked_on_meanwhile_is_moved_afresh,
    an_upgrade_between_two_runs_carries_everything_again,
    a_failed_load_leaves_nothing_behind,
    a_copy_that_was_changed_is_noticed,
    a_log_that_does_not_verify_is_not_opened,
];

/// Whether somebody could work on the database.
async fn refusal(database: &TestDatabase) -> Option<StoreError> {
    let (_, environment) = habeas_testing::environment();
    let opened = Database::open(database.url(), &environment).await;
    match opened {
        Ok(opened) => opened.into_store(keyring()).await.err(),
        Err(error) => Some(error),
    }
}

async fn every_step_can_be_the_last_one(database: TestDatabase) {
    let source = installation(database).await;
    add_much(&source).await;
    let rows = carried_rows(&source).await;
    let mut source = source;
    for target in targets().await {
        let mut seen = BTreeSet::new();
        let mut runs = 0;
        let moved = loop {
            runs += 1;
            let mut was_open = false;
            let outcome = carry_until(&source, &target, |step| {
                was_open |= step == Step::Arrived;
                // Once for what changes nothing: beginning again, and each table's comparison.
                let name = match step {
                    Step::Begun { .. } => "begun".to_owned(),
                    Step::Compared { .. } => "compared".to_owned(),
                    other => format!("{other:?}"),
                };
                seen.insert(name)
            })
            .await;
            match outcome {
                Err(MoveError::Stopped) => {
                    let target = refusal(&target).await;
                    assert_eq!(target.is_none(), was_open, "after {runs} runs: {target:?}");
                    if !was_open {
                        assert!(matches!(target, Some(StoreError::MoveUnfinished { .. })), "{target:?}");
                    }
                    // Looking at the source must not change it: that is another test.
                    let mark = source.raw().await.texts("SELECT state FROM moves").await;
                    let left = seen.contains("Left");
                    assert_eq!(mark, [if left { "left" } else { "leaving" }]);
                    assert!(left || !was_open, "never both");
                }
                Ok(moved) => break moved,
                Err(other) => panic!("{other:?}"),
            }
        };
        assert!(moved.resumed && runs > 25, "{runs} runs");
        assert!(seen.iter().filter(|step| step.contains("\"pace\", rows: ")).count() >= 3, "{seen:?}");
        let home = if source.is_sqlite() { TestDatabase::sqlite() } else { TestDatabase::postgres().await };
        carry(&target, &home).await.unwrap();
        assert_eq!(carried_rows(&home).await, rows);
        source = home;
    }
}

async fn what_was_worked_on_meanwhile_is_moved_afresh(database: TestDatabase) {
    let mut source = installation(database).await;
    for (days, target) in (1..).zip(targets().await) {
        let stopped = carry_until(&source, &target, |step| step == Step::Verified).await;
        assert!(matches!(stopped, Err(MoveError::Stopped)), "{stopped:?}");

        let fixture = Fixture::on(source).await;
        fixture.pass(days * 86_400);
        let request = fixture.request();
        let id = request.id;
        keep!(fixture, |unit| {
            note(unit, habeas_store::audit::Stream::Request(id), 1);
            habeas_store::requests::insert(unit.connection(), &[request]).await
        });
        let Fixture { database, store, .. } = fixture;
        store.close().await;

        let moved = carry(&database, &target).await.unwrap();
        assert!(!moved.resumed);
        let fixture = Fixture::on(target).await;
        let found = habeas_store::requests::find(&mut fixture.reader().await, id).await.unwrap();
        assert!(found.is_some(), "what was done meanwhile");
        let Fixture { database, store, .. } = fixture;
        store.close().await;
        source = database;
    }
}

async fn an_upgrade_between_two_runs_carries_everything_again(database: TestDatabase) {
    let source = installation(database).await;
    for (target, ends_at) in targets().await.into_iter().zip([Step::Left, Step::Verified]) {
        carry_until(&source, &target, |step| step == ends_at).await.unwrap_err();
        // As if an older program had gone so far.
        target.raw().await.run("UPDATE moves SET version = version - 1").await;
        let begun = carry_until(&source, &target, |step| matches!(step, Step::Begun { .. })).await;
        assert!(matches!(begun, Err(MoveError::Stopped)), "{begun:?}");
        assert_eq!(target.raw().await.number("SELECT count(*) FROM moved_tables").await, 0);
        // Killed between the two marks: the target's was there first.
        source.raw().await.run("UPDATE moves SET state = 'left'").await;
        carry(&source, &target).await.unwrap();
        assert!(refusal(&target).await.is_none());
        // For the next target.
        source.raw().await.run("DELETE FROM moves").await;
    }
}

async fn a_failed_load_leaves_nothing_behind(database: TestDatabase) {
    let source = installation(database).await;
    add_much(&source).await;
    for target in targets().await.into_iter().take(1) {
        carry_until(&source, &target, |step| matches!(step, Step::Begun { .. })).await.unwrap_err();
        // A row that is in the way of a later load.
        let in_the_way = "INSERT INTO pace VALUES ('account 9999', 'class', 0, 0)";
        target.raw().await.run(in_the_way).await;
        let failed = carry(&source, &target).await;
        assert!(matches!(failed, Err(MoveError::Database { end: "--to", .. })), "{failed:?}");
        let mut raw = target.raw().await;
        let noted = raw.number("SELECT row_count FROM moved_tables WHERE name = 'pace'").await;
        assert_eq!(raw.number("SELECT count(*) FROM pace").await, noted + 1);
        raw.run("DELETE FROM pace WHERE account = 'account 9999'").await;
        drop(raw);
        assert!(carry(&source, &target).await.unwrap().resumed);
    }
}

async fn a_copy_that_was_changed_is_noticed(database: TestDatabase) {
    let source = installation(database).await;
    for target in targets().await {
        carry_until(&source, &target, |step| matches!(step, Step::Compared { .. })).await.unwrap_err();
        let changes = [
            (
                "UPDATE runs SET attempts = attempts + 1 WHERE id LIKE 'id 1%'",
                "UPDATE runs SET attempts = attempts - 1 WHERE id LIKE 'id 1%'",
            ),
            (
                "UPDATE runs SET note = settled_note FROM (SELECT failure AS settled_note FROM runs WHERE id LIKE 'id 3%') AS other WHERE id LIKE 'id 2%'",
                "UPDATE runs SET note = NULL WHERE id LIKE 'id 2%'",
            ),
        ];
        for (change, back) in changes {
            assert_eq!(target.raw().await.run(change).await, 1);
            match carry(&source, &target).await {
                Err(MoveError::Differs { table, source_rows: 3, target_rows: 3, .. }) => {
                    assert_eq!(table, "runs")
                }
                other => panic!("{other:?}"),
            }
            target.raw().await.run(back).await;
        }
        assert_eq!(target.raw().await.run("DELETE FROM links WHERE id LIKE 'id 1%'").await, 1);
        match carry(&source, &target).await {
            Err(MoveError::Differs { table, source_rows: 3, target_rows: 2, .. }) => {
                assert_eq!(table, "links")
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(refusal(&target).await, Some(StoreError::MoveUnfinished { .. })));
        // The source is as it was: another target will do.
        assert_eq!(source.raw().await.texts("SELECT state FROM moves").await, ["leaving"]);
    }
    assert!(refusal(&source).await.is_none());
}

async fn a_log_that_does_not_verify_is_not_opened(database: TestDatabase) {
    let source = installation(database).await;
    source.raw().await.run("UPDATE audit_events SET actor = 'nobody' WHERE position = 2").await;
    for target in targets().await {
        match carry(&source, &target).await {
            Err(error @ MoveError::Log { .. }) => {
                assert!(error.to_string().contains("Nor does it"), "{error}")
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(refusal(&target).await, Some(StoreError::MoveUnfinished { .. })));
    }
    assert!(refusal(&source).await.is_none(), "whoever has it may go on with it");
}
