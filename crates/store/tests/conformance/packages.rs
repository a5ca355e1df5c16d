//! Packages.

use habeas_domain::{ConnectionId, ObjectId};
use habeas_store::packages::{self, Package, PackagePlace};
use habeas_store::{objects, records};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::{Fixture, sealed};

on_both_databases![
    packages_are_replaced,
    what_was_handed_over_counts_without_gaps,
    a_package_is_as_heavy_as_what_is_left_selected,
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
        packages::note_delivered(unit.connection(), id, early).await?;
        packages::note_delivered(unit.connection(), id, late).await
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
