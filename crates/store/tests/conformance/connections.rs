//! Connections.

use habeas_store::connections::{self, StoredConnection};
use habeas_store::{StoreError, runs};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::{Fixture, assert_same, sealed};

on_both_databases![
    what_is_saved_is_found,
    a_contact_is_there_from_the_start_or_comes_and_goes,
    a_name_is_taken_until_its_connection_is_removed,
    of_many_who_want_a_name_one_gets_it,
    removed_connections_keep_their_names_for_their_runs,
];

async fn what_is_saved_is_found(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut one = fixture.stored_connection("one");
    let (first, second) = (one.clone(), fixture.stored_connection("two"));
    let other = second.clone();
    keep!(fixture, |unit| {
        assert!(connections::save(unit.connection(), &first).await?);
        assert!(connections::save(unit.connection(), &other).await?);
        Ok(())
    });
    one.name = "renamed".to_owned();
    one.status = "degraded".to_owned();
    one.account = "another".to_owned();
    one.settings = Some(sealed(b"new settings"));
    one.deletion_completion = Some("on_submit".to_owned());
    one.capabilities = serde_json::json!({"access": "off"});
    one.permissions = serde_json::json!([{"permission": "contacts:read", "state": "granted"}]);
    one.warnings = serde_json::json!(["token ends soon"]);
    one.checked_at = Some(fixture.later(1));
    one.failing_since = Some(fixture.later(2));
    one.contact = Some(sealed(b"dpo@crm.example.test"));
    one.contact_seconds = Some(i64::MAX);
    one.contact_on_expiry = Some("skip".to_owned());
    let mut changed = one.clone();
    // Of which integration it is and when it was made never changes.
    changed.integration = "segment_config".to_owned();
    changed.created_at = fixture.later(99);
    keep!(fixture, |unit| {
        assert!(connections::save(unit.connection(), &changed).await?);
        Ok(())
    });
    let mut reader = fixture.reader().await;
    assert_same(&connections::list(&mut reader).await.unwrap(), &[one.clone(), second]);
    let found = connections::find(&mut reader, one.id).await.unwrap().unwrap();
    assert_same(&found, &one);
    assert_eq!((&found.settings, &found.contact), (&one.settings, &one.contact));
    let locked = keep!(fixture, |unit| connections::lock(unit.connection(), found.id).await);
    assert_same(&locked.unwrap(), &one);
    assert!(connections::find_by_name(&mut reader, "one").await.unwrap().is_none());
    assert_eq!(connections::find_by_name(&mut reader, "renamed").await.unwrap().unwrap().id, one.id);
    assert!(connections::find(&mut reader, fixture.connection_id()).await.unwrap().is_none());
}

async fn a_contact_is_there_from_the_start_or_comes_and_goes(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut one = fixture.stored_connection("crm");
    let contacts = [
        (Some(sealed(b"dpo@crm.example.test")), Some(0), Some("hold".to_owned())),
        (Some(sealed(b"privacy@crm.example.test")), None, None),
        (None, Some(86_400), Some("skip".to_owned())),
        (None, None, None),
    ];
    for contact in contacts {
        (one.contact, one.contact_seconds, one.contact_on_expiry) = contact.clone();
        let saved = one.clone();
        keep!(fixture, |unit| connections::save(unit.connection(), &saved).await);
        let found = connections::find(&mut fixture.reader().await, one.id).await.unwrap().unwrap();
        assert_eq!((found.contact, found.contact_seconds, found.contact_on_expiry), contact);
    }
}

async fn a_name_is_taken_until_its_connection_is_removed(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let first = fixture.stored_connection("crm");
    let second = fixture.stored_connection("crm");
    let mut renamed = fixture.stored_connection("other");
    let (first_id, second_id) = (first.id, second.id);
    keep!(fixture, |unit| {
        let connection = unit.connection();
        assert!(connections::save(connection, &first).await?);
        assert!(!connections::save(connection, &second).await?, "taken");
        assert!(connections::save(connection, &renamed).await?);
        renamed.name = "crm".to_owned();
        assert!(!connections::save(connection, &renamed).await?, "taken");
        assert!(connections::save(connection, &first).await?, "its own name is not in its way");
        let removed = StoredConnection { removed_at: Some(first.created_at), settings: None, ..first };
        assert!(connections::save(connection, &removed).await?);
        assert!(connections::save(connection, &second).await?, "free again");
        Ok(())
    });
    let mut reader = fixture.reader().await;
    let listed = connections::list(&mut reader).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["crm", "other"]);
    assert_eq!(connections::find_by_name(&mut reader, "crm").await.unwrap().unwrap().id, second_id);
    let removed = connections::find(&mut reader, first_id).await.unwrap().unwrap();
    assert!(removed.removed_at.is_some() && removed.settings.is_none());
}

async fn of_many_who_want_a_name_one_gets_it(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let units = (0..12).map(|_| {
        let one = fixture.stored_connection("crm");
        fixture.store.write::<_, StoreError, _>(move |unit| {
            Box::pin(async move { connections::save(unit.connection(), &one).await })
        })
    });
    let saved = futures::future::join_all(units).await;
    let got = saved.into_iter().filter(|saved| *saved.as_ref().expect("taken is no failure")).count();
    assert_eq!(got, 1);
    assert_eq!(connections::list(&mut fixture.reader().await).await.unwrap().len(), 1);
}

async fn removed_connections_keep_their_names_for_their_runs(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let kept = fixture.stored_connection("kept");
    let mut removed = fixture.stored_connection("removed");
    removed.removed_at = Some(fixture.now());
    let run = fixture.run(fixture.request_id(), removed.id);
    let ids = [kept.id, removed.id];
    let asked = [kept.id, removed.id, fixture.connection_id()];
    let mut expected = [
        (kept.id, "kept".to_owned(), "readycloud".to_owned()),
        (removed.id, "removed".to_owned(), "readycloud".to_owned()),
    ];
    keep!(fixture, |unit| {
        connections::save(unit.connection(), &kept).await?;
        connections::save(unit.connection(), &removed).await?;
        runs::save(unit.connection(), [&run]).await
    });
    let mut names = connections::names(&mut fixture.reader().await, asked).await.unwrap();
    names.sort();
    expected.sort();
    assert_eq!(names, expected);
    let all = connections::all(&mut fixture.reader().await).await.unwrap();
    assert_eq!(all.iter().map(|one| one.id).collect::<Vec<_>>(), ids);
}
