//! Records and packages.

use std::collections::HashMap;

use habeas_domain::RecordId;
use habeas_store::packages;
use habeas_store::records::{self, Record};
use habeas_store::runs::{self, Run};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::{Fixture, assert_same, sealed};

on_both_databases![
    what_is_inserted_is_found_once,
    records_are_paged,
    records_are_selected_and_counted,
    deletions_are_noted,
    deletions_are_counted_per_connection,
    leftovers_are_reopened,
    content_is_deleted,
];

fn ids(records: &[Record]) -> Vec<RecordId> {
    records.iter().map(|record| record.id).collect()
}

fn two_runs(fixture: &Fixture) -> (Run, Run) {
    let connection = fixture.connection_id();
    (fixture.run(fixture.request_id(), connection), fixture.run(fixture.request_id(), connection))
}

async fn what_is_inserted_is_found_once(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (run, other) = two_runs(&fixture);
    let mut first = fixture.record(&run, "a");
    first.content = sealed(&[0, 1, 255]);
    let again = fixture.record(&run, "a");
    let in_one_batch = [fixture.record(&run, "b"), fixture.record(&run, "b")];
    let elsewhere = fixture.record(&other, "a");
    let (kept, second, third) = (first.clone(), in_one_batch[0].clone(), elsewhere.clone());
    keep!(fixture, |unit| {
        records::insert(unit.connection(), &[kept]).await?;
        records::insert(unit.connection(), &[again, elsewhere]).await?;
        records::insert(unit.connection(), &in_one_batch).await?;
        records::insert(unit.connection(), &[]).await
    });
    let mut reader = fixture.reader().await;
    let found = records::of_request(&mut reader, run.request, None, 10).await.unwrap();
    assert_same(&found, &[first.clone(), second.clone()]);
    assert_eq!(found[0].content, first.content);
    let mut found = records::of_requests(&mut reader, [run.request, other.request]).await.unwrap();
    found.sort_by_key(|record| record.id);
    assert_eq!(ids(&found), [first.id, second.id, third.id]);
    assert!(records::of_requests(&mut reader, []).await.unwrap().is_empty());
}

async fn records_are_paged(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (run, _) = two_runs(&fixture);
    let rows: Vec<Record> = (0..5).map(|number| fixture.record(&run, &number.to_string())).collect();
    let all = ids(&rows);
    keep!(fixture, |unit| records::insert(unit.connection(), &rows).await);
    let mut reader = fixture.reader().await;
    let mut page =
        async |after, limit| ids(&records::of_request(&mut reader, run.request, after, limit).await.unwrap());
    assert_eq!(page(None, 2).await, all[..2]);
    assert_eq!(page(Some(all[1]), 2).await, all[2..4]);
    assert_eq!(page(Some(all[3]), 2).await, all[4..]);
    assert_eq!(page(Some(all[4]), 2).await, []);
}

async fn records_are_selected_and_counted(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (run, other) = two_runs(&fixture);
    let rows = [fixture.record(&run, "a"), fixture.record(&run, "b"), fixture.record(&other, "a")];
    let (first, stranger) = (rows[0].id, rows[2].id);
    keep!(fixture, |unit| records::insert(unit.connection(), &rows).await);
    let request = run.request;
    keep!(fixture, |unit| {
        let connection = unit.connection();
        assert!(records::select(connection, request, first, false, Some("legal_claims")).await?);
        assert!(!records::select(connection, request, stranger, false, None).await?, "another's record");
        Ok(())
    });
    let mut reader = fixture.reader().await;
    let found = records::of_request(&mut reader, request, None, 10).await.unwrap();
    assert!(!found[0].selected && found[1].selected);
    assert_eq!(found[0].exception.as_deref(), Some("legal_claims"));
    let missing = fixture.run(request, run.connection).id;
    let counts = records::count_by_run(&mut reader, [run.id, other.id, missing]).await.unwrap();
    assert_eq!(counts, HashMap::from([(run.id, (2, 1)), (other.id, (1, 1))]));

    keep!(fixture, |unit| records::select(unit.connection(), request, first, true, None).await);
    let found = records::of_request(&mut reader, request, None, 10).await.unwrap();
    assert!(found[0].selected && found[0].exception.is_none());
}

async fn deletions_are_noted(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (run, _) = two_runs(&fixture);
    let rows = ["a", "b", "c"].map(|key| fixture.record(&run, key));
    let noted = [(rows[0].id, "deleted"), (rows[2].id, "was_gone")];
    keep!(fixture, |unit| {
        records::insert(unit.connection(), &rows).await?;
        records::note_deletions(unit.connection(), noted).await?;
        records::note_deletions(unit.connection(), []).await
    });
    let found = records::of_request(&mut fixture.reader().await, run.request, None, 10).await.unwrap();
    let deletions: Vec<_> = found.iter().map(|record| record.deletion.as_deref()).collect();
    assert_eq!(deletions, [Some("deleted"), None, Some("was_gone")]);
}

async fn deletions_are_counted_per_connection(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (run, other) = two_runs(&fixture);
    let elsewhere = fixture.run(run.request, fixture.connection_id());
    let again = fixture.run(run.request, run.connection);
    let rows = [
        fixture.record(&run, "a"),
        fixture.record(&run, "b"),
        fixture.record(&run, "c"),
        fixture.record(&again, "d"),
        fixture.record(&elsewhere, "a"),
        fixture.record(&other, "a"),
    ];
    let outcomes = ["deleted", "already_gone", "kept", "deleted", "deleted", "deleted"];
    let noted: Vec<_> = rows.iter().map(|record| record.id).zip(outcomes).collect();
    let planned = [run.clone(), again, elsewhere.clone(), other.clone()];
    keep!(fixture, |unit| {
        runs::save(unit.connection(), &planned).await?;
        records::insert(unit.connection(), &rows).await?;
        records::note_deletions(unit.connection(), noted).await
    });
    let mut reader = fixture.reader().await;
    let counts = records::count_deleted(&mut reader, [run.request]).await.unwrap();
    let (here, there) = ((run.request, run.connection), (run.request, elsewhere.connection));
    assert_eq!(counts, HashMap::from([(here, 3), (there, 1)]), "of all runs at a connection together");
    let counts = records::count_deleted(&mut reader, [other.request, fixture.request_id()]).await.unwrap();
    assert_eq!(counts, HashMap::from([((other.request, other.connection), 1)]));
}

async fn leftovers_are_reopened(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (run, other) = two_runs(&fixture);
    let rows = [fixture.record(&run, "a"), fixture.record(&run, "b"), fixture.record(&other, "a")];
    let outcomes = ["still_there", "deleted", "still_there"];
    let noted: Vec<_> = rows.iter().map(|record| record.id).zip(outcomes).collect();
    let request = run.request;
    let reopened = keep!(fixture, |unit| {
        records::insert(unit.connection(), &rows).await?;
        records::note_deletions(unit.connection(), noted).await?;
        records::reopen_leftovers(unit.connection(), [run.id]).await
    });
    assert_eq!(reopened, 1);
    let mut reader = fixture.reader().await;
    let mut deletions = async |request| -> Vec<Option<String>> {
        let found = records::of_request(&mut reader, request, None, 10).await.unwrap();
        found.into_iter().map(|record| record.deletion).collect()
    };
    assert_eq!(deletions(request).await, [None, Some("deleted".to_owned())]);
    assert_eq!(deletions(other.request).await, [Some("still_there".to_owned())], "another's stays");
}

async fn content_is_deleted(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (run, other) = two_runs(&fixture);
    let rows = [fixture.record(&run, "a"), fixture.record(&run, "b"), fixture.record(&other, "a")];
    let kept = [fixture.package(run.request, b"one"), fixture.package(other.request, b"two")];
    let gone = run.request;
    keep!(fixture, |unit| {
        records::insert(unit.connection(), &rows).await?;
        packages::save(unit.connection(), &kept).await?;
        records::delete_content(unit.connection(), [gone]).await
    });
    let mut reader = fixture.reader().await;
    assert!(records::of_request(&mut reader, gone, None, 10).await.unwrap().is_empty());
    assert!(packages::find(&mut reader, gone).await.unwrap().is_none());
    assert_eq!(records::of_request(&mut reader, other.request, None, 10).await.unwrap().len(), 1);
    assert!(packages::find(&mut reader, other.request).await.unwrap().is_some());
}
