//! Packages.

use habeas_domain::{ConnectionId, ObjectId};
use habeas_store::packages::{self, Package, PackagePlace};
use habeas_store::{objects, records};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::{Fixture, assert_same, sealed};

on_both_databases![
    packages_are_replaced,
    what_was_handed_over_counts_without_gaps,
    a_package_is_as_heavy_as_what_is_left_selected,
    a_package_changes_its_place_and_keeps_its_size,
    content_goes_with_its_request_alone,
];

async fn packages_are_replaced(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (first, second) = (fixture.request_id(), fixture.request_id());
    let old = [fixture.package(first, b"old"), fixture.package(second, &[0; 300_000])];
    let object = ObjectId::new(fixture.environment.unique());
    let new = Package {
        place: PackagePlace::Object(Some(object)),
        bytes: Some(7),
        sha256: Some(vec![1; 32]),
        ..fixture.package(first, b"")
    };
    keep!(fixture, |unit| {
        packages::save(unit.connection(), &old).await?;
        packages::save(unit.connection(), &[new]).await?;
        packages::note_problem(unit.connection(), second, "full").await?;
        packages::save(unit.connection(), &[]).await
    });
    let mut reader = fixture.reader().await;
    let found = packages::find(&mut reader, first).await.unwrap().unwrap();
    assert!(matches!(found.place, PackagePlace::Object(Some(id)) if id == object));
    assert_eq!((found.bytes, found.sha256), (Some(7), Some(vec![1; 32])));
    let found = packages::find(&mut reader, second).await.unwrap().unwrap();
    assert!(matches!(found.place, PackagePlace::Row(content) if content == sealed(&[0; 300_000])));
    assert_eq!((found.bytes, found.problem.as_deref()), (None, Some("full")));
    assert!(packages::find(&mut reader, fixture.request_id()).await.unwrap().is_none());
}

async fn what_was_handed_over_counts_without_gaps(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let id = fixture.request_id();
    let package = fixture.package(id, b"content");
    let (early, late) = (fixture.now(), fixture.later(9));
    keep!(fixture, |unit| {
        packages::save(unit.connection(), &[package]).await?;
        packages::note_handed(unit.connection(), id, (5, 9)).await?;
        packages::note_handed(unit.connection(), id, (0, 3)).await?;
        packages::note_handed(unit.connection(), id, (2, 6)).await?;
        packages::note_handed(unit.connection(), id, (0, 4)).await?;
        packages::note_handed(unit.connection(), id, (7, 9)).await?;
        packages::note_delivered(unit.connection(), [id], early).await?;
        packages::note_delivered(unit.connection(), [id], late).await
    });
    let found = packages::find(&mut fixture.reader().await, id).await.unwrap().unwrap();
    assert_eq!((found.handed, found.delivered_at), (6, Some(early)));
}

async fn a_package_is_as_heavy_as_what_is_left_selected(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let run = fixture.run(fixture.request_id(), ConnectionId::new(fixture.environment.unique()));
    let (request, object) = (run.request, ObjectId::new(fixture.environment.unique()));
    let rows = [fixture.record(&run, "a"), fixture.record(&run, "b")];
    let (first, dropped, now) = (rows[0].id, rows[1].id, fixture.now());
    let weight = rows[0].content.as_bytes().len() as u64;
    keep!(fixture, |unit| {
        records::insert(unit.connection(), &rows).await?;
        records::select(unit.connection(), request, dropped, false, Some("legal_claims")).await?;
        objects::intend(unit.connection(), &[(object, request)], now).await
    });
    let mut reader = fixture.reader().await;
    assert_eq!(packages::weigh(&mut reader, [request]).await.unwrap()[&request], (weight, 0));
    let left_out = records::count_left_out(&mut reader, [request]).await.unwrap();
    assert_eq!(left_out, [(request, run.id, Some("legal_claims".to_owned()), 1)]);
    let selected = records::selected_of_run(&mut reader, (request, run.id), None, 9).await.unwrap();
    assert_eq!(selected.iter().map(|one| one.id).collect::<Vec<_>>(), [first]);
    assert!(records::find(&mut reader, request, dropped).await.unwrap().is_some());
    assert!(records::find(&mut reader, fixture.request_id(), dropped).await.unwrap().is_none());
    drop(reader);
    keep!(fixture, |unit| {
        objects::keep(unit.connection(), [(object, 1_000)]).await?;
        Ok(())
    });
    let weights = packages::weigh(&mut fixture.reader().await, [request]).await.unwrap();
    assert_eq!(weights[&request], (weight, 1_000));
}

async fn a_package_changes_its_place_and_keeps_its_size(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let id = fixture.request_id();
    let planned = Package {
        place: PackagePlace::Object(None),
        problem: Some("the storage is full".to_owned()),
        ..fixture.package(id, b"")
    };
    let counted = |length: usize| Package {
        bytes: Some(length as u64),
        sha256: Some(vec![0, 255]),
        ..fixture.package(id, &vec![9; length])
    };
    let (small, large) = (counted(3), counted(300_000));
    keep!(fixture, |unit| packages::save(unit.connection(), &[planned]).await);
    let found = async || packages::find(&mut fixture.reader().await, id).await.unwrap().unwrap();
    let planned = found().await;
    assert!(matches!(planned.place, PackagePlace::Object(None)));
    assert_eq!((planned.bytes, planned.sha256, planned.handed), (None, None, 0));
    assert_eq!((planned.problem.as_deref(), planned.delivered_at), (Some("the storage is full"), None));
    for package in [small, large] {
        let saved = package.clone();
        keep!(fixture, |unit| packages::save(unit.connection(), &[saved]).await);
        assert_same(&found().await, &package);
        let (PackagePlace::Row(content), PackagePlace::Row(expected)) = (found().await.place, package.place)
        else {
            panic!("its bytes are in the database");
        };
        assert_eq!(content, expected);
    }
}

async fn content_goes_with_its_request_alone(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let connection = fixture.connection_id();
    let runs = [fixture.run(fixture.request_id(), connection), fixture.run(fixture.request_id(), connection)];
    let [gone, stays] = [runs[0].request, runs[1].request];
    let nothing = fixture.request_id();
    let rows = runs.each_ref().map(|run| fixture.record(run, "contact"));
    let weight = rows[1].content.as_bytes().len() as u64;
    let both = [fixture.package(gone, b"a"), fixture.package(stays, &[0; 300_000])];
    let new = || ObjectId::new(fixture.environment.unique());
    let (first, second, doomed) = (new(), new(), new());
    let now = fixture.now();
    keep!(fixture, |unit| {
        records::insert(unit.connection(), &rows).await?;
        packages::save(unit.connection(), &both).await?;
        objects::intend(unit.connection(), &[(first, stays), (second, stays), (doomed, gone)], now).await?;
        objects::keep(unit.connection(), [(first, 1 << 40), (second, 5), (doomed, 7)]).await?;
        objects::doom(unit.connection(), [gone]).await
    });
    let weights = packages::weigh(&mut fixture.reader().await, [gone, stays, nothing]).await.unwrap();
    assert_eq!(weights.len(), 2, "nothing is known of a request without records");
    assert_eq!(weights[&stays], (weight, (1 << 40) + 5));
    assert_eq!(weights[&gone].1, 0, "what is given up weighs nothing");
    keep!(fixture, |unit| {
        records::delete_content(unit.connection(), []).await?;
        records::delete_content(unit.connection(), [gone]).await?;
        packages::note_problem(unit.connection(), gone, "gone").await?;
        packages::note_handed(unit.connection(), gone, (0, 1)).await?;
        packages::note_delivered(unit.connection(), [gone], now).await
    });
    let mut reader = fixture.reader().await;
    assert!(packages::find(&mut reader, gone).await.unwrap().is_none());
    assert!(packages::find(&mut reader, stays).await.unwrap().is_some());
    let weights = packages::weigh(&mut reader, [gone, stays]).await.unwrap();
    assert!(!weights.contains_key(&gone) && weights.contains_key(&stays));
}
