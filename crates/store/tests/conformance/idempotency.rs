//! Idempotency keys.

use habeas_store::StoreError;
use habeas_store::idempotency::{self, Remembered};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::Fixture;

on_both_databases![a_key_is_remembered_per_actor, of_many_with_one_key_one_creates, old_keys_are_forgotten];

fn remembered(object: &str) -> Remembered {
    Remembered { fingerprint: vec![0, 1, 255], object: object.to_owned() }
}

async fn a_key_is_remembered_per_actor(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let now = fixture.now();
    keep!(fixture, |unit| {
        idempotency::remember(unit.connection(), "key_1", "k", &remembered("req_1"), now).await?;
        idempotency::remember(unit.connection(), "key_2", "k", &remembered("req_2"), now).await
    });
    let mut reader = fixture.reader().await;
    let found = idempotency::find(&mut reader, "key_1", "k").await.unwrap();
    assert_eq!(found, Some(remembered("req_1")));
    let found = idempotency::find(&mut reader, "key_2", "k").await.unwrap();
    assert_eq!(found, Some(remembered("req_2")));
    assert_eq!(idempotency::find(&mut reader, "key_1", "other").await.unwrap(), None);
    assert_eq!(idempotency::find(&mut reader, "key_3", "k").await.unwrap(), None);
}

async fn of_many_with_one_key_one_creates(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let now = fixture.now();
    let units = (0..10).map(|number| {
        fixture.store.write::<_, StoreError, _>(move |unit| {
            let object = format!("req_{number}");
            Box::pin(async move {
                let connection = unit.connection();
                if let Some(before) = idempotency::find(connection, "key_1", "k").await? {
                    return Ok(before.object);
                }
                idempotency::remember(connection, "key_1", "k", &remembered(&object), now).await?;
                Ok(object)
            })
        })
    });
    let answers = futures::future::join_all(units).await;
    let kept = idempotency::find(&mut fixture.reader().await, "key_1", "k").await.unwrap().unwrap();
    assert!(answers.iter().any(|answer| answer.as_ref().is_ok_and(|object| *object == kept.object)));
    for object in answers.into_iter().flatten() {
        assert_eq!(object, kept.object, "who is not refused hears of the one object");
    }
}

async fn old_keys_are_forgotten(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (old, new) = (fixture.now(), fixture.later(10));
    keep!(fixture, |unit| {
        idempotency::remember(unit.connection(), "key_1", "old", &remembered("req_1"), old).await?;
        idempotency::remember(unit.connection(), "key_1", "new", &remembered("req_2"), new).await?;
        idempotency::forget(unit.connection(), new).await
    });
    let mut reader = fixture.reader().await;
    assert!(idempotency::find(&mut reader, "key_1", "old").await.unwrap().is_none());
    assert!(idempotency::find(&mut reader, "key_1", "new").await.unwrap().is_some());
}
