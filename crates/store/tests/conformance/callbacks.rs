//! Callbacks: a message is taken once, and what a job is about is found by its name.

use habeas_domain::operation::OperationKind;
use habeas_store::{StoreError, callbacks, due_work, operations};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::Fixture;

on_both_databases![
    a_message_is_taken_once_by_each_connection,
    a_job_is_found_by_its_name_at_its_connection,
    work_is_taken_over_from_whoever_holds_it,
];

async fn a_message_is_taken_once_by_each_connection(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (one, other) = (fixture.connection_id(), fixture.connection_id());
    let (now, later) = (fixture.now(), fixture.later(60));
    keep!(fixture, |unit| {
        assert!(callbacks::take(unit.connection(), one, "msg", now).await?);
        assert!(!callbacks::take(unit.connection(), one, "msg", later).await?);
        assert!(callbacks::take(unit.connection(), other, "msg", later).await?);
        Ok(())
    });
    let mut reader = fixture.reader().await;
    assert!(callbacks::was_taken(&mut reader, one, "msg").await.unwrap());
    assert!(!callbacks::was_taken(&mut reader, one, "another").await.unwrap());
    keep!(fixture, |unit| callbacks::forget_before(unit.connection(), later).await);
    assert!(!callbacks::was_taken(&mut reader, one, "msg").await.unwrap());
    assert!(callbacks::was_taken(&mut reader, other, "msg").await.unwrap());
}

async fn a_job_is_found_by_its_name_at_its_connection(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (one, other) = (fixture.connection_id(), fixture.connection_id());
    let mut all = Vec::new();
    for connection in [one, one, other] {
        let mut operation = fixture.operation(connection, OperationKind::Export);
        operation.job = Some("job-1".to_owned());
        all.push(operation);
    }
    let stored = all.clone();
    keep!(fixture, |unit| {
        operations::insert(unit.connection(), &stored).await?;
        operations::save(unit.connection(), &stored).await
    });
    let mut reader = fixture.reader().await;
    let found = operations::with_job(&mut reader, one, "job-1").await.unwrap();
    let ids: Vec<_> = found.iter().map(|operation| operation.id).collect();
    assert_eq!(ids, [all[1].id, all[0].id], "the newest first");
    assert!(operations::with_job(&mut reader, one, "job-2").await.unwrap().is_empty());
}

async fn work_is_taken_over_from_whoever_holds_it(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let work = fixture.work("lane", "op_1", 60);
    let id = work.id;
    keep!(fixture, |unit| due_work::insert(unit.connection(), &[work]).await);
    let now = fixture.store.shared_now();
    let held = keep!(fixture, |unit| due_work::claim(unit.connection(), "lane", now, 30_000, 1).await);
    let (taken, nothing) = keep!(fixture, |unit| {
        let taken = due_work::take_over(unit.connection(), "op_1").await?;
        Ok::<_, StoreError>((taken, due_work::take_over(unit.connection(), "op_2").await?))
    });
    let taken = taken.unwrap();
    assert_eq!((taken.id, nothing), (id, None));
    assert!(taken.fence > held[0].fence);
    // What the one before writes finds another fence.
    let old = held[0].fence;
    let finished = keep!(fixture, |unit| due_work::finish(unit.connection(), [(id, old)]).await);
    assert!(finished.is_empty());
    let finished = keep!(fixture, |unit| due_work::finish(unit.connection(), [(id, taken.fence)]).await);
    assert_eq!(finished, [id]);
}
