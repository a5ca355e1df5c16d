//! Units of work: everything or nothing.

use std::sync::atomic::Ordering;

use habeas_store::audit::{self, Stream};
use habeas_store::requests::{self, Filter};
use habeas_store::{Connection, StoreError};
use habeas_testing::{TestDatabase, on_both_databases};
use tokio::sync::oneshot;

use crate::common::{Fixture, note};

on_both_databases![
    a_failing_unit_keeps_nothing,
    a_panicking_unit_keeps_nothing_and_the_next_one_works,
    units_beside_failing_ones_are_kept,
    units_submitted_together_are_all_kept,
    rows_and_events_become_visible_together,
    a_unit_sees_its_own_rows,
    a_unit_whose_caller_went_away_is_kept_whole,
    a_unit_in_which_a_statement_failed_is_not_kept,
    a_log_that_cannot_be_written_keeps_the_rows_out_too,
    closing_waits_for_what_was_begun,
];

#[derive(Debug)]
enum OwnError {
    Refused,
    Store(StoreError),
}

impl From<StoreError> for OwnError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn all_requests(reader: &mut Connection) -> usize {
    requests::list(reader, &Filter::default(), 1_000).await.unwrap().len()
}

async fn nothing_is_kept(fixture: &Fixture) {
    let mut reader = fixture.reader().await;
    assert!(all_requests(&mut reader).await == 0);
    assert!(audit::list(&mut reader, None, 0, 10).await.unwrap().is_empty());
    assert!(!audit::seal::is_due(&mut reader).await.unwrap(), "the log counts no event");
    drop(reader);
    let log = fixture.database.raw().await.number("SELECT events FROM audit_log").await;
    assert_eq!(log, 0);
}

async fn a_failing_unit_keeps_nothing(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let request = fixture.request();
    let outcome: Result<(), OwnError> = fixture
        .store
        .write(move |unit| {
            Box::pin(async move {
                requests::insert(unit.connection(), std::slice::from_ref(&request)).await?;
                note(unit, Stream::Request(request.id), 1);
                Err(OwnError::Refused)
            })
        })
        .await;
    assert!(matches!(outcome, Err(OwnError::Refused)), "the unit's own error comes back");
    nothing_is_kept(&fixture).await;
}

async fn a_panicking_unit_keeps_nothing_and_the_next_one_works(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let request = fixture.request();
    let copy = request.clone();
    let outcome: Result<(), OwnError> = fixture
        .store
        .write(move |unit| {
            Box::pin(async move {
                requests::insert(unit.connection(), std::slice::from_ref(&copy)).await?;
                note(unit, Stream::Request(copy.id), 1);
                panic!("a fault of the program, on purpose");
            })
        })
        .await;
    assert!(matches!(outcome, Err(OwnError::Store(StoreError::UnitBroken))), "{outcome:?}");
    nothing_is_kept(&fixture).await;

    keep!(fixture, |unit| requests::insert(unit.connection(), &[request]).await);
    assert!(fixture.store.ready().await.is_ok());
    assert_eq!(all_requests(&mut fixture.reader().await).await, 1);
}

async fn units_beside_failing_ones_are_kept(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let rows = fixture.requests(60);
    let units = rows.iter().cloned().enumerate().map(|(number, request)| {
        fixture.store.write::<(), OwnError, _>(move |unit| {
            Box::pin(async move {
                requests::insert(unit.connection(), std::slice::from_ref(&request)).await?;
                note(unit, Stream::Request(request.id), number);
                match number % 3 {
                    0 => Ok(()),
                    1 => Err(OwnError::Refused),
                    _ => panic!("a fault of the program, on purpose"),
                }
            })
        })
    });
    let outcomes = futures::future::join_all(units).await;
    for (number, outcome) in outcomes.iter().enumerate() {
        match number % 3 {
            0 => assert!(outcome.is_ok()),
            1 => assert!(matches!(outcome, Err(OwnError::Refused))),
            _ => assert!(matches!(outcome, Err(OwnError::Store(StoreError::UnitBroken)))),
        }
    }
    let mut reader = fixture.reader().await;
    let found = requests::list(&mut reader, &requests::Filter::default(), 100).await.unwrap();
    let kept: Vec<_> = rows.iter().step_by(3).map(|request| request.id).collect();
    assert_eq!(found.iter().map(|request| request.id).collect::<Vec<_>>(), kept);
    let verdict = audit::verify::verify(&mut reader, fixture.store.keyring(), None).await.unwrap();
    assert_eq!((verdict.events, verdict.valid), (20, true), "{verdict:?}");
}

async fn units_submitted_together_are_all_kept(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let before = fixture.store.counters().commits.load(Ordering::Relaxed);
    let units = fixture.requests(200).into_iter().enumerate().map(|(number, request)| {
        fixture.store.write::<_, StoreError, _>(move |unit| {
            Box::pin(async move {
                requests::insert(unit.connection(), std::slice::from_ref(&request)).await?;
                note(unit, Stream::Request(request.id), number);
                Ok(number)
            })
        })
    });
    let answers = futures::future::join_all(units).await;
    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.unwrap(), number, "each caller gets its own answer");
    }
    let commits = fixture.store.counters().commits.load(Ordering::Relaxed) - before;
    if fixture.database.is_sqlite() {
        assert!(commits <= 20, "{commits} commits for 200 units");
    } else {
        assert_eq!(commits, 200);
    }
    let mut reader = fixture.reader().await;
    assert_eq!(all_requests(&mut reader).await, 200);
    let verdict = audit::verify::verify(&mut reader, fixture.store.keyring(), None).await.unwrap();
    assert_eq!((verdict.events, verdict.valid), (200, true), "{verdict:?}");
}

async fn rows_and_events_become_visible_together(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let request = fixture.request();
    let id = request.id;
    let (written, wait_written) = oneshot::channel();
    let (go_on, wait_go_on) = oneshot::channel::<()>();
    let store = fixture.store.clone();
    let unit = tokio::spawn(async move {
        store
            .write::<_, StoreError, _>(move |unit| {
                Box::pin(async move {
                    note(unit, Stream::Request(request.id), 1);
                    requests::insert(unit.connection(), &[request]).await?;
                    written.send(()).unwrap();
                    wait_go_on.await.unwrap();
                    Ok(())
                })
            })
            .await
    });
    wait_written.await.unwrap();
    let mut reader = fixture.reader().await;
    assert!(requests::find(&mut reader, id).await.unwrap().is_none(), "nothing shows before the commit");
    assert!(audit::list(&mut reader, None, 0, 10).await.unwrap().is_empty());
    go_on.send(()).unwrap();
    unit.await.unwrap().unwrap();
    assert!(requests::find(&mut reader, id).await.unwrap().is_some());
    assert_eq!(audit::list(&mut reader, Some(&id.to_string()), 0, 10).await.unwrap().len(), 1);
}

async fn a_unit_sees_its_own_rows(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let request = fixture.request();
    let seen = keep!(fixture, |unit| {
        requests::insert(unit.connection(), std::slice::from_ref(&request)).await?;
        requests::find(unit.connection(), request.id).await
    });
    assert!(seen.is_some());
}

async fn a_unit_whose_caller_went_away_is_kept_whole(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let request = fixture.request();
    let id = request.id;
    let (written, wait_written) = oneshot::channel();
    let (go_on, wait_go_on) = oneshot::channel::<()>();
    let store = fixture.store.clone();
    let caller = tokio::spawn(async move {
        store
            .write::<_, StoreError, _>(move |unit| {
                Box::pin(async move {
                    requests::insert(unit.connection(), std::slice::from_ref(&request)).await?;
                    written.send(()).unwrap();
                    wait_go_on.await.unwrap();
                    note(unit, Stream::Request(request.id), 1);
                    Ok(())
                })
            })
            .await
    });
    wait_written.await.unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    go_on.send(()).unwrap();
    let mut reader = fixture.reader().await;
    while requests::find(&mut reader, id).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(audit::list(&mut reader, None, 0, 10).await.unwrap().len(), 1);
}

async fn a_unit_in_which_a_statement_failed_is_not_kept(database: TestDatabase) {
    // PostgreSQL turns the COMMIT of such a transaction into a rollback without a word, so a unit that overlooks the
    // error must not be told that it was kept.
    let fixture = Fixture::on(database).await;
    let (first, second) = (fixture.request(), fixture.request());
    let (copy, absent) = (first.clone(), second.id);
    keep!(fixture, |unit| requests::insert(unit.connection(), &[copy]).await);
    let outcome = attempt!(fixture, |unit| {
        requests::insert(unit.connection(), &[second]).await?;
        assert!(requests::insert(unit.connection(), &[first]).await.is_err(), "the id is taken");
        Ok(())
    });
    assert!(matches!(outcome, Err(StoreError::UnitBroken)), "{outcome:?}");
    assert!(requests::find(&mut fixture.reader().await, absent).await.unwrap().is_none());
    let again = fixture.request();
    keep!(fixture, |unit| requests::insert(unit.connection(), &[again]).await);
}

async fn a_log_that_cannot_be_written_keeps_the_rows_out_too(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut raw = fixture.database.raw().await;
    raw.run("ALTER TABLE audit_events RENAME TO elsewhere").await;
    let request = fixture.request();
    let (copy, id) = (request.clone(), request.id);
    let outcome = attempt!(fixture, |unit| {
        note(unit, Stream::Request(copy.id), 1);
        requests::insert(unit.connection(), &[copy]).await
    });
    assert!(matches!(outcome, Err(StoreError::NotWritten(_) | StoreError::Database(_))), "{outcome:?}");
    assert!(requests::find(&mut fixture.reader().await, id).await.unwrap().is_none());

    raw.run("ALTER TABLE elsewhere RENAME TO audit_events").await;
    keep!(fixture, |unit| {
        note(unit, Stream::Request(request.id), 1);
        requests::insert(unit.connection(), &[request]).await
    });
    let events = audit::list(&mut fixture.reader().await, None, 0, 10).await.unwrap();
    assert_eq!(events.len(), 1, "the event of the failed unit was not left behind");
}

async fn closing_waits_for_what_was_begun(database: TestDatabase) {
    let Fixture { database, store, environment, clock } = Fixture::on(database).await;
    let fixture = Fixture { database, store: store.clone(), environment, clock };
    let request = fixture.request();
    let id = request.id;
    let begun = tokio::spawn(async move {
        store
            .write::<_, StoreError, _>(move |unit| {
                Box::pin(async move { requests::insert(unit.connection(), &[request]).await })
            })
            .await
    });
    begun.await.unwrap().unwrap();
    let Fixture { database, store, environment, .. } = fixture;
    store.close().await;
    let store = database.open(&environment).await;
    assert!(requests::find(&mut store.reader().await.unwrap(), id).await.unwrap().is_some());
}

#[test]
fn a_reader_of_sqlite_cannot_write() {
    habeas_testing::block_on(async {
        let fixture = Fixture::on(TestDatabase::sqlite()).await;
        let request = fixture.request();
        let mut reader = fixture.reader().await;
        assert!(requests::insert(&mut reader, &[request]).await.is_err());
        assert!(all_requests(&mut reader).await == 0);
    });
}

#[test]
fn a_unit_that_cannot_begin_is_told_that_it_broke() {
    habeas_testing::block_on(async {
        let fixture = Fixture::on(TestDatabase::sqlite()).await;
        static IMPATIENT: habeas_store::dialect::Sql =
            habeas_store::dialect::Sql::new("PRAGMA busy_timeout = 0");
        keep!(fixture, |unit| unit.connection().sql(&IMPATIENT).rows().await);
        let mut other_program = fixture.database.raw().await;
        other_program.run("BEGIN IMMEDIATE").await;
        let (first, second) = (fixture.request(), fixture.request());
        let outcome = attempt!(fixture, |unit| requests::insert(unit.connection(), &[first]).await);
        assert!(matches!(outcome, Err(StoreError::NotWritten(_))), "not closing, but broken: {outcome:?}");
        other_program.run("ROLLBACK").await;
        keep!(fixture, |unit| requests::insert(unit.connection(), &[second]).await);
    });
}
