//! What became of bulk calls.

use habeas_store::bulk_answers::{self, BulkAnswer};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::Fixture;

on_both_databases![parts_come_in_their_order, a_part_is_remembered_once, old_calls_are_forgotten];

fn answer(part: i64) -> BulkAnswer {
    BulkAnswer { part, fingerprint: vec![0, 1, 255], answer: b"[]".to_vec() }
}

async fn parts_come_in_their_order(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let now = fixture.now();
    for part in [1, 10, 0] {
        keep!(fixture, |unit| bulk_answers::remember(unit.connection(), b"key", &answer(part), now).await);
    }
    let mut reader = fixture.reader().await;
    let found = bulk_answers::find(&mut reader, b"key").await.unwrap();
    assert_eq!(found, [answer(0), answer(1), answer(10)]);
    assert!(bulk_answers::find(&mut reader, b"other").await.unwrap().is_empty());
}

async fn a_part_is_remembered_once(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let now = fixture.now();
    keep!(fixture, |unit| bulk_answers::remember(unit.connection(), b"key", &answer(0), now).await);
    let again =
        attempt!(fixture, |unit| bulk_answers::remember(unit.connection(), b"key", &answer(0), now).await);
    assert!(again.is_err());
}

async fn old_calls_are_forgotten(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (old, new) = (fixture.now(), fixture.later(10));
    keep!(fixture, |unit| {
        bulk_answers::remember(unit.connection(), b"old", &answer(0), old).await?;
        bulk_answers::remember(unit.connection(), b"new", &answer(0), new).await?;
        bulk_answers::forget(unit.connection(), new).await
    });
    let mut reader = fixture.reader().await;
    assert!(bulk_answers::find(&mut reader, b"old").await.unwrap().is_empty());
    assert_eq!(bulk_answers::find(&mut reader, b"new").await.unwrap().len(), 1);
}
