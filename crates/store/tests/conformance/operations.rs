//! Operations and their members.

use std::collections::BTreeSet;

use habeas_domain::OperationId;
use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_store::operations::{self, Operation, Which};
use habeas_store::runs::Run;
use habeas_store::{StoreError, requests, runs};
use habeas_testing::{TestDatabase, on_both_databases};
use jiff::{SignedDuration, Timestamp};

use crate::common::{Fixture, assert_same, sealed};

on_both_databases![
    what_is_saved_is_found,
    any_time_comes_back_to_the_millisecond,
    a_connection_has_one_pass_under_way,
    many_units_open_the_same_pass,
    members_join_are_taken_up_and_leave,
    whoever_leaves_all_leaves_what_is_not_done,
    operations_that_serve_runs_are_found,
];

async fn what_is_saved_is_found(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let connection = fixture.connection_id();
    let mut rows: Vec<Operation> = [OperationKind::Lookup, OperationKind::DeleteSubject, OperationKind::Scan]
        .map(|kind| fixture.operation(connection, kind))
        .into();
    let inserted = rows.clone();
    rows[0].status = OperationStatus::Unknown;
    rows[0].position = Some(serde_json::json!({"cursor": "a\"b", "page": 3}));
    rows[0].pass = 1;
    rows[0].page = 17;
    rows[0].finished_at = Some(fixture.later(9));
    let (saved, none) = (rows[0].clone(), [] as [&Operation; 0]);
    let wanted: Vec<OperationId> = rows.iter().rev().map(|operation| operation.id).collect();
    let found = keep!(fixture, |unit| {
        operations::insert(unit.connection(), &inserted).await?;
        operations::insert(unit.connection(), &[]).await?;
        operations::save(unit.connection(), [&saved]).await?;
        operations::save(unit.connection(), none).await?;
        operations::lock(unit.connection(), wanted).await
    });
    assert_same(&found, &rows);
}

async fn any_time_comes_back_to_the_millisecond(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let millisecond = SignedDuration::from_millis(1);
    let last_second = Timestamp::MAX.as_second();
    let times = [
        Timestamp::MAX,
        Timestamp::new(last_second, 998_000_000).unwrap(),
        Timestamp::new(last_second, 0).unwrap(),
        Timestamp::MIN,
        Timestamp::UNIX_EPOCH,
        Timestamp::UNIX_EPOCH - millisecond,
    ];
    for time in times {
        let mut row = fixture.operation(fixture.connection_id(), OperationKind::Erase);
        row.created_at = time;
        (row.sent_at, row.accepted_at, row.finished_at) = (Some(time), Some(time), Some(time));
        let inserted = row.clone();
        let found = keep!(fixture, |unit| {
            operations::insert(unit.connection(), std::slice::from_ref(&inserted)).await?;
            operations::save(unit.connection(), [&inserted]).await?;
            operations::lock(unit.connection(), [inserted.id]).await
        });
        assert_same(&found, &[row]);
    }
}

async fn a_connection_has_one_pass_under_way(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (here, elsewhere) = (fixture.connection_id(), fixture.connection_id());
    let ids: Vec<OperationId> = (0..4).map(|_| fixture.operation_id()).collect();
    let now = fixture.now();
    let opened = ids.clone();
    let (first, second, other) = keep!(fixture, |unit| {
        let connection = unit.connection();
        Ok((
            operations::open_scan(connection, opened[0], here, now).await?,
            operations::open_scan(connection, opened[1], here, now).await?,
            operations::open_scan(connection, opened[2], elsewhere, now).await?,
        ))
    });
    assert_eq!(first, (ids[0], true));
    assert_eq!(second, (ids[0], false), "the second joins the first");
    assert_eq!(other, (ids[2], true));

    // A pass that a person must look at is over, as one that is done is.
    for status in [OperationStatus::Failed, OperationStatus::Done] {
        let next = fixture.operation_id();
        let opened = keep!(fixture, |unit| {
            let running = operations::open_scan(unit.connection(), next, here, now).await?.0;
            let mut running = operations::lock(unit.connection(), [running]).await?.remove(0);
            running.status = status;
            operations::save(unit.connection(), [&running]).await?;
            operations::open_scan(unit.connection(), next, here, now).await
        });
        assert_eq!(opened, (next, true));
    }
    // Only passes are alone at their connection.
    let lookups = [OperationKind::Lookup, OperationKind::Lookup].map(|kind| fixture.operation(here, kind));
    keep!(fixture, |unit| operations::insert(unit.connection(), &lookups).await);
}

async fn many_units_open_the_same_pass(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (here, now) = (fixture.connection_id(), fixture.now());
    let units = (0..24).map(|_| {
        let new = fixture.operation_id();
        fixture.store.write::<_, StoreError, _>(move |unit| {
            Box::pin(async move { operations::open_scan(unit.connection(), new, here, now).await })
        })
    });
    let opened: Vec<_> =
        futures::future::join_all(units).await.into_iter().map(|opened| opened.unwrap()).collect();
    assert!(opened.iter().all(|(id, _)| *id == opened[0].0), "{opened:?}");
    assert_eq!(opened.iter().filter(|(_, new)| *new).count(), 1);
}

/// Three requests with a run each.
async fn three_runs(fixture: &Fixture) -> Vec<Run> {
    let mut rows = fixture.requests(3);
    for (number, request) in (0_u8..).zip(&mut rows) {
        request.details = sealed(&[number]);
    }
    let connection = fixture.connection_id();
    let planned: Vec<Run> = rows.iter().map(|request| fixture.run(request.id, connection)).collect();
    let saved = planned.clone();
    keep!(fixture, |unit| {
        requests::insert(unit.connection(), &rows).await?;
        runs::save(unit.connection(), &saved).await
    });
    planned
}

async fn members_join_are_taken_up_and_leave(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let planned = three_runs(&fixture).await;
    let [first, second, third] = [planned[0].id, planned[1].id, planned[2].id];
    let scan = fixture.operation(planned[0].connection, OperationKind::Scan);
    let other = fixture.operation(planned[0].connection, OperationKind::Lookup);
    let (id, other_id) = (scan.id, other.id);
    keep!(fixture, |unit| {
        let connection = unit.connection();
        operations::insert(connection, &[scan, other]).await?;
        operations::join(connection, [(id, first), (id, second), (other_id, first)]).await?;
        operations::join(connection, []).await?;
        operations::take_up(connection, id, (0, 0), [first, second]).await?;
        operations::take_up(connection, id, (9, 9), []).await?;
        operations::join(connection, [(id, third)]).await
    });
    let mut reader = fixture.reader().await;
    assert_eq!(operations::taken_up(&mut reader, id).await.unwrap(), [first, second].into());
    assert!(operations::taken_up(&mut reader, other_id).await.unwrap().is_empty());
    assert!(operations::serves_anybody(&mut reader, other_id).await.unwrap());

    let members = operations::members(&mut reader, [id], Which::All).await.unwrap();
    for (member, run) in members.iter().zip(&planned) {
        assert_eq!((member.operation, member.run, member.request), (id, run.id, run.request));
    }
    assert_eq!(members.iter().map(|member| member.joined_pass).collect::<Vec<_>>(), [Some(0), Some(0), None]);
    assert_eq!(members[1].details, sealed(&[1]));
    let new = operations::newcomers(&mut reader, id, 10).await.unwrap();
    assert_eq!(new.iter().map(|member| member.run).collect::<Vec<_>>(), [third]);
    assert_eq!(operations::newcomers(&mut reader, id, 0).await.unwrap().len(), 0);
    let taken = operations::members(&mut reader, [id], Which::TakenUp).await.unwrap();
    assert_eq!(taken.iter().map(|member| member.run).collect::<Vec<_>>(), [first, second]);
    assert_eq!(operations::members(&mut reader, [id, other_id], Which::All).await.unwrap().len(), 4);

    keep!(fixture, |unit| {
        operations::take_up(unit.connection(), id, (1, 7), [third]).await?;
        // A run that joins again starts again.
        operations::join(unit.connection(), [(id, first)]).await?;
        operations::leave(unit.connection(), [(id, second), (other_id, second)]).await?;
        operations::leave(unit.connection(), []).await
    });
    let members = operations::members(&mut reader, [id], Which::All).await.unwrap();
    let joined: Vec<_> =
        members.iter().map(|member| (member.run, member.joined_pass, member.joined_page)).collect();
    assert_eq!(joined, [(first, None, None), (third, Some(1), Some(7))]);
    assert_eq!(operations::members(&mut reader, [other_id], Which::All).await.unwrap().len(), 1);
}

async fn whoever_leaves_all_leaves_what_is_not_done(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let planned = three_runs(&fixture).await;
    let [leaving, also, staying] = [planned[0].id, planned[1].id, planned[2].id];
    let at = planned[0].connection;
    let rows: Vec<Operation> = OperationStatus::ALL
        .iter()
        .map(|status| Operation { status: *status, ..fixture.operation(at, OperationKind::Erase) })
        .collect();
    let all: Vec<_> = rows.iter().flat_map(|row| [(row.id, leaving), (row.id, staying)]).collect();
    let (first, inserted) = (rows[0].id, rows.clone());
    keep!(fixture, |unit| {
        operations::insert(unit.connection(), &inserted).await?;
        operations::join(unit.connection(), all).await?;
        operations::join(unit.connection(), [(first, also)]).await?;
        operations::leave_all(unit.connection(), []).await?;
        operations::leave_all(unit.connection(), [leaving, also]).await
    });
    for row in rows {
        let left = operations::members(&mut fixture.reader().await, [row.id], Which::All).await.unwrap();
        let left: BTreeSet<_> = left.into_iter().map(|member| member.run).collect();
        assert_eq!(
            operations::serves_anybody(&mut fixture.reader().await, row.id).await.unwrap(),
            !left.is_empty()
        );
        let is_done = row.status == OperationStatus::Done;
        assert_eq!(left.contains(&leaving), is_done, "{}", row.status);
        assert!(left.contains(&staying) && !left.contains(&also), "{}", row.status);
    }
}

async fn operations_that_serve_runs_are_found(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let planned = three_runs(&fixture).await;
    let [first, second, third] = [planned[0].id, planned[1].id, planned[2].id];
    let lookup = fixture.operation(planned[0].connection, OperationKind::Lookup);
    let mut failed = fixture.operation(planned[0].connection, OperationKind::DeleteSubject);
    let mut done = fixture.operation(planned[0].connection, OperationKind::Lookup);
    failed.status = OperationStatus::Failed;
    done.status = OperationStatus::Done;
    let ids = [lookup.id, failed.id, done.id];
    keep!(fixture, |unit| {
        let connection = unit.connection();
        operations::insert(connection, &[lookup, failed.clone(), done.clone()]).await?;
        operations::save(connection, [&failed, &done]).await?;
        operations::join(connection, [(ids[0], first), (ids[1], first), (ids[2], second)]).await
    });
    let serving = operations::serving(&mut fixture.reader().await, [first, second, third]).await.unwrap();
    let expected = [
        (ids[0], OperationKind::Lookup, OperationStatus::Intended, first),
        (ids[1], OperationKind::DeleteSubject, OperationStatus::Failed, first),
    ];
    assert_eq!(serving, expected);
}
