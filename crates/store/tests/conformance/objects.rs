//! What lies in the storage.

use habeas_domain::ObjectId;
use habeas_store::objects;
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::Fixture;

on_both_databases![an_object_is_swept_unless_something_refers_to_it];

async fn an_object_is_swept_unless_something_refers_to_it(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let new = || ObjectId::new(fixture.environment.unique());
    let (kept, abandoned, given_up, forgotten) = (new(), new(), new(), new());
    let (request, gone) = (fixture.request_id(), fixture.request_id());
    let now = fixture.now();
    let all = [(kept, request), (abandoned, request), (given_up, request), (forgotten, gone)];
    keep!(fixture, |unit| {
        objects::intend(unit.connection(), &all, now).await?;
        assert_eq!(objects::keep(unit.connection(), [(kept, 5), (forgotten, 6)]).await?, 2);
        assert_eq!(objects::keep(unit.connection(), [(kept, 5)]).await?, 0, "once");
        objects::doom_objects(unit.connection(), [given_up, kept]).await?;
        objects::doom(unit.connection(), [gone]).await
    });
    let mut reader = fixture.reader().await;
    let mut due = objects::to_sweep(&mut reader, now, 10).await.unwrap();
    due.sort();
    let mut expected = [given_up, forgotten];
    expected.sort();
    assert_eq!(due, expected);
    assert_eq!(objects::to_sweep(&mut reader, fixture.later(1), 10).await.unwrap().len(), 3);
    assert_eq!(objects::to_sweep(&mut reader, fixture.later(1), 1).await.unwrap().len(), 1);
    drop(reader);
    keep!(fixture, |unit| objects::remove(unit.connection(), [kept, abandoned, given_up, forgotten]).await);
    assert!(objects::to_sweep(&mut fixture.reader().await, fixture.later(1), 10).await.unwrap().is_empty());
    keep!(fixture, |unit| objects::doom(unit.connection(), [request]).await);
    let left = objects::to_sweep(&mut fixture.reader().await, now, 10).await.unwrap();
    assert_eq!(left, [kept], "what is referred to is never removed by the sweep");
}
