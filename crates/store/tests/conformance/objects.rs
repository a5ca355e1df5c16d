//! What lies in the storage.

use habeas_domain::ObjectId;
use habeas_store::objects;
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::Fixture;

on_both_databases![
    an_object_is_swept_unless_something_refers_to_it,
    what_was_swept_too_early_is_not_kept,
    nothing_is_a_list_too,
];

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

async fn what_was_swept_too_early_is_not_kept(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let new = || ObjectId::new(fixture.environment.unique());
    let (early, given_up, late) = (new(), new(), new());
    let request = fixture.request_id();
    let (now, then) = (fixture.now(), fixture.later(60));
    keep!(fixture, |unit| {
        objects::intend(unit.connection(), &[(early, request), (given_up, request)], now).await?;
        objects::intend(unit.connection(), &[(late, request)], then).await?;
        objects::doom_objects(unit.connection(), [given_up]).await
    });
    let due = objects::to_sweep(&mut fixture.reader().await, then, 10).await.unwrap();
    assert!(due.contains(&early) && due.contains(&given_up) && !due.contains(&late), "{due:?}");
    let kept = keep!(fixture, |unit| {
        objects::remove(unit.connection(), [early]).await?;
        objects::keep(unit.connection(), [(early, 1), (given_up, 2), (late, 1 << 48)]).await
    });
    assert_eq!(kept, 1, "one was removed, one given up");
    let mut raw = fixture.database.raw().await;
    assert_eq!(raw.number("SELECT bytes FROM objects WHERE state = 'kept'").await, 1 << 48);
    let left = objects::to_sweep(&mut fixture.reader().await, fixture.later(600), 10).await.unwrap();
    assert_eq!(left, [given_up]);
}

async fn nothing_is_a_list_too(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (id, request, now) =
        (ObjectId::new(fixture.environment.unique()), fixture.request_id(), fixture.now());
    keep!(fixture, |unit| {
        let connection = unit.connection();
        objects::intend(connection, &[], now).await?;
        objects::intend(connection, &[(id, request)], now).await?;
        assert_eq!(objects::keep(connection, []).await?, 0);
        objects::doom(connection, []).await?;
        objects::doom_objects(connection, []).await?;
        objects::remove(connection, []).await
    });
    let mut reader = fixture.reader().await;
    assert!(objects::to_sweep(&mut reader, now, 10).await.unwrap().is_empty(), "exactly then is not before");
    assert_eq!(objects::to_sweep(&mut reader, fixture.later(1), 10).await.unwrap(), [id]);
}
