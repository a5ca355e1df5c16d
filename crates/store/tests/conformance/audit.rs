//! The audit log as it is written: streams, seals, anchors, and verification of what nobody touched.

use habeas_store::audit::seal::{self, Seal};
use habeas_store::audit::verify::{InvalidAnchor, verify};
use habeas_store::audit::{self, Anchor, Stream, Verification};
use habeas_store::data_keys::{self, NewDataKeys};
use habeas_store::{KeyPurpose, Keyring, StoreError};
use habeas_testing::{TestDatabase, keyring, master_key, on_both_databases};

use crate::common::{Fixture, note};

on_both_databases![
    events_are_chained_in_their_streams,
    streams_are_listed_in_pages,
    an_empty_log_is_valid,
    seals_cover_what_was_committed,
    two_sealers_at_once_are_harmless,
    a_long_log_is_sealed_and_verified_in_steps,
    a_log_verifies_after_a_rotation_of_keys,
    a_log_verifies_after_data_keys_are_destroyed,
    a_log_verifies_while_it_is_written,
    an_anchor_is_a_seal_or_holds_one,
];

async fn verdict(fixture: &Fixture, anchor: Option<&Seal>) -> Verification {
    let anchor = anchor.cloned().map(Anchor);
    verify(&mut fixture.reader().await, fixture.store.keyring(), anchor.as_ref()).await.unwrap()
}

async fn seal_now(fixture: &Fixture) -> Option<Seal> {
    fixture.pass(1);
    keep!(fixture, |unit| seal::seal(unit).await)
}

async fn write_events(fixture: &Fixture, events: Vec<Stream>) {
    keep!(fixture, |unit| {
        for (number, stream) in events.into_iter().enumerate() {
            note(unit, stream, number);
        }
        Ok(())
    });
}

async fn events_are_chained_in_their_streams(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (one, other) = (Stream::Request(fixture.request_id()), Stream::Connection(fixture.connection_id()));
    write_events(&fixture, vec![one, other, one]).await;
    write_events(&fixture, vec![Stream::System, one]).await;
    let events = audit::list(&mut fixture.reader().await, None, 0, 10).await.unwrap();
    let places: Vec<_> =
        events.iter().map(|event| (event.position, event.stream.clone(), event.stream_position)).collect();
    let name = |stream: Stream| stream.to_string();
    let expected = [
        (1, name(one), 1),
        (2, name(other), 1),
        (3, name(one), 2),
        (4, name(Stream::System), 1),
        (5, name(one), 3),
    ];
    assert_eq!(places, expected);
    assert_eq!(name(Stream::System), "system");
    assert_eq!(events[0].previous_hash, [0; 32]);
    assert_eq!(events[1].previous_hash, [0; 32]);
    assert_eq!(events[2].previous_hash, events[0].hash);
    assert_eq!(events[4].previous_hash, events[2].hash);
    let event = &events[4];
    assert_eq!((event.actor.as_str(), event.kind.as_str()), ("local-operator", "test.noted"));
    assert_eq!((event.object_id.as_str(), event.data.as_str()), ("thing", r#"{"number":1}"#));
    assert_eq!(event.at, fixture.now().as_millisecond());
    assert_eq!(event.key_id, keyring().key_id());
    assert!(event.id.starts_with("evt_"));
}

async fn streams_are_listed_in_pages(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let one = Stream::Request(fixture.request_id());
    write_events(&fixture, vec![one, Stream::System, one, Stream::System, one]).await;
    let mut reader = fixture.reader().await;
    let mut page = async |stream: Option<Stream>, after, limit| -> Vec<i64> {
        let name = stream.map(|stream| stream.to_string());
        let events = audit::list(&mut reader, name.as_deref(), after, limit).await.unwrap();
        events.iter().map(|event| event.position).collect()
    };
    assert_eq!(page(Some(one), 0, 2).await, [1, 3]);
    assert_eq!(page(Some(one), 3, 2).await, [5]);
    assert_eq!(page(Some(Stream::System), 2, 9).await, [4]);
    assert_eq!(page(None, 1, 3).await, [2, 3, 4]);
    assert_eq!(page(Some(Stream::Request(fixture.request_id())), 0, 9).await, [] as [i64; 0]);
}

async fn an_empty_log_is_valid(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let expected = Verification { events: 0, valid: true, first_bad: None, seal: None };
    assert_eq!(verdict(&fixture, None).await, expected);
    assert_eq!(seal_now(&fixture).await, None);
}

async fn seals_cover_what_was_committed(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let one = Stream::Request(fixture.request_id());
    write_events(&fixture, vec![one, Stream::System, one]).await;
    assert!(seal::is_due(&mut fixture.reader().await).await.unwrap());
    let first = seal_now(&fixture).await.unwrap();
    assert_eq!((first.number, first.first_position, first.last_position), (1, 1, 3));
    assert_eq!(first.at, fixture.now().as_millisecond());
    assert_eq!(first.previous_hash, [0; 32]);
    assert!(!seal::is_due(&mut fixture.reader().await).await.unwrap());
    assert_eq!(seal_now(&fixture).await, None, "nothing new");

    write_events(&fixture, vec![one]).await;
    // What the sealing unit itself records is not yet in the log.
    fixture.pass(1);
    let second = keep!(fixture, |unit| {
        note(unit, Stream::System, 9);
        seal::seal(unit).await
    });
    let second = second.unwrap();
    assert_eq!((second.number, second.first_position, second.last_position), (2, 4, 4));
    assert_eq!(second.previous_hash, first.hash);
    assert_ne!(second.root, first.root);
    assert_eq!(seal::newest(&mut fixture.reader().await).await.unwrap().as_ref(), Some(&second));
    assert!(seal::is_due(&mut fixture.reader().await).await.unwrap());

    for anchor in [None, Some(&first), Some(&second)] {
        let found = verdict(&fixture, anchor).await;
        assert_eq!((found.events, found.valid), (5, true), "{found:?}");
        assert_eq!(found.seal.as_ref(), Some(&second));
    }
}

async fn two_sealers_at_once_are_harmless(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    for round in 1..=5 {
        write_events(&fixture, vec![Stream::System; 3]).await;
        let sealers = (0..4).map(|_| {
            fixture
                .store
                .write::<_, StoreError, _>(move |unit| Box::pin(async move { seal::seal(unit).await }))
        });
        let seals: Vec<_> =
            futures::future::join_all(sealers).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(seals.iter().flatten().count(), 1, "{seals:?}");
        let newest = seal::newest(&mut fixture.reader().await).await.unwrap().unwrap();
        assert_eq!((newest.number, newest.last_position), (round, round * 3));
    }
    assert!(verdict(&fixture, None).await.valid);
}

async fn a_long_log_is_sealed_and_verified_in_steps(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let streams: Vec<_> = (0..7).map(|_| Stream::Request(fixture.request_id())).collect();
    write_events(&fixture, (0..20_010).map(|number| streams[number % 7]).collect()).await;
    let covered = [seal_now(&fixture).await, seal_now(&fixture).await, seal_now(&fixture).await]
        .map(|seal| seal.map(|seal| (seal.first_position, seal.last_position)));
    assert_eq!(covered, [Some((1, 20_000)), Some((20_001, 20_010)), None]);
    let found = verdict(&fixture, None).await;
    assert_eq!((found.events, found.valid), (20_010, true), "{found:?}");

    let altered = "UPDATE audit_events SET actor = 'somebody else' WHERE position = 12345";
    fixture.database.raw().await.run(altered).await;
    let found = verdict(&fixture, None).await;
    assert_eq!(found.first_bad.unwrap().position, Some(12_345));
}

async fn a_log_verifies_after_a_rotation_of_keys(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let one = Stream::Request(fixture.request_id());
    write_events(&fixture, vec![one, Stream::System, one]).await;
    let before = seal_now(&fixture).await.unwrap();
    let Fixture { database, store, clock, environment } = fixture;
    store.close().await;
    let rotated = Keyring::new(&master_key(2), &[master_key(1)]).unwrap();
    let store = database.open_with(&environment, rotated).await;
    let fixture = Fixture { database, store, clock, environment };
    write_events(&fixture, vec![one, one]).await;
    let after = seal_now(&fixture).await.unwrap();
    assert_ne!(before.public_key, after.public_key);
    for anchor in [None, Some(&before), Some(&after)] {
        let found = verdict(&fixture, anchor).await;
        assert_eq!((found.events, found.valid), (5, true), "{found:?}");
    }
    // Without the previous key its events and seals cannot be told from forgeries.
    let only_new = Keyring::new(&master_key(2), &[]).unwrap();
    let found = verify(&mut fixture.reader().await, &only_new, None).await.unwrap();
    assert!(!found.valid);
}

async fn a_log_verifies_after_data_keys_are_destroyed(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let id = fixture.request_id();
    let mut keys = NewDataKeys::default();
    for purpose in [KeyPurpose::Content, KeyPurpose::Case] {
        keys.make(&keyring(), &fixture.environment, &id.to_string(), purpose).unwrap();
    }
    keep!(fixture, |unit| {
        note(unit, Stream::Request(id), 1);
        keys.store(unit.connection()).await
    });
    let anchor = seal_now(&fixture).await.unwrap();
    keep!(fixture, |unit| {
        note(unit, Stream::Request(id), 2);
        data_keys::destroy(unit.connection(), [id], KeyPurpose::Content).await?;
        data_keys::destroy(unit.connection(), [id], KeyPurpose::Case).await
    });
    let found = verdict(&fixture, Some(&anchor)).await;
    assert_eq!((found.events, found.valid), (2, true), "{found:?}");
}

async fn a_log_verifies_while_it_is_written(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let streams: Vec<_> = (0..5).map(|_| Stream::Request(fixture.request_id())).collect();
    let writer = {
        let (store, environment) = (fixture.store.clone(), fixture.environment.clone());
        tokio::spawn(async move {
            for round in 0..150 {
                // Known streams and a new one each time.
                let new = habeas_domain::RequestId::new(environment.unique());
                let stream = streams[round % 5];
                let unit = store.write::<_, StoreError, _>(move |unit| {
                    Box::pin(async move {
                        note(unit, stream, round);
                        note(unit, Stream::Request(new), round);
                        if round % 10 == 0 { seal::seal(unit).await.map(drop) } else { Ok(()) }
                    })
                });
                unit.await.unwrap();
            }
        })
    };
    let mut verdicts = 0;
    while !writer.is_finished() {
        let found = verdict(&fixture, None).await;
        assert!(found.valid, "{found:?}");
        verdicts += 1;
    }
    writer.await.unwrap();
    assert!(verdicts > 1, "the log was verified while it grew");
    assert_eq!(verdict(&fixture, None).await.events, 300);
}

async fn an_anchor_is_a_seal_or_holds_one(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    write_events(&fixture, vec![Stream::System]).await;
    let seal = seal_now(&fixture).await.unwrap();
    let text = serde_json::to_string(&seal).unwrap();
    assert_eq!(Anchor::parse(&text).unwrap().0, seal);
    let certificate = serde_json::json!({"request": {"id": "req_1"}, "seal": seal}).to_string();
    assert_eq!(Anchor::parse(&certificate).unwrap().0, seal);
    for text in ["", "{}", "[]", "not json", r#"{"seal": null}"#, r#"{"number": 1}"#] {
        assert_eq!(Anchor::parse(text).unwrap_err(), InvalidAnchor, "{text}");
    }
    // Numbers that no seal has must not be looked up.
    for number in [0, -1, i64::MIN, i64::MAX] {
        let odd = Seal { number, ..seal.clone() };
        assert!(!verdict(&fixture, Some(&odd)).await.valid);
    }
}
