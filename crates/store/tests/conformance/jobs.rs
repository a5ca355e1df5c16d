//! Deletions that gather, are sent and accepted as jobs, and the operation that follows them.

use std::collections::BTreeMap;

use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::{ConnectionId, OperationId, RunId};
use habeas_store::operations::{self, Operation, Which};
use habeas_store::runs::Run;
use habeas_store::{StoreError, due_work, requests, runs};
use habeas_testing::{TestDatabase, on_both_databases};
use jiff::{SignedDuration, Timestamp};

use crate::common::{Fixture, assert_same};

on_both_databases![
    a_job_and_its_times_are_kept,
    a_connection_has_one_follower_whatever_becomes_of_it,
    many_units_make_the_same_follower,
    only_a_deletion_of_which_nothing_was_sent_gathers,
    the_oldest_deletion_gathers,
    accepted_deletions_of_a_connection_are_listed_oldest_first,
    identifiers_sent_since_a_moment_are_summed_by_connection,
    next_looks_are_those_of_the_follower_at_the_jobs_connection,
    transferred_runs_are_new_where_they_go,
    nothing_is_moved_that_is_not_there,
    a_deletion_that_serves_nobody_is_ended,
];

fn erase(fixture: &Fixture, at: ConnectionId, status: OperationStatus) -> Operation {
    Operation { status, ..fixture.operation(at, OperationKind::Erase) }
}

async fn insert(fixture: &Fixture, operations: &[Operation]) {
    let rows = operations.to_vec();
    keep!(fixture, |unit| operations::insert(unit.connection(), &rows).await);
}

/// Runs of one request each.
async fn planned(fixture: &Fixture, at: ConnectionId, count: usize) -> Vec<RunId> {
    let rows = fixture.requests(count);
    let planned: Vec<Run> = rows.iter().map(|request| fixture.run(request.id, at)).collect();
    let ids = planned.iter().map(|run| run.id).collect();
    keep!(fixture, |unit| {
        requests::insert(unit.connection(), &rows).await?;
        runs::save(unit.connection(), &planned).await
    });
    ids
}

async fn join(fixture: &Fixture, members: Vec<(OperationId, RunId)>) {
    keep!(fixture, |unit| operations::join(unit.connection(), members).await);
}

async fn follower(fixture: &Fixture, at: ConnectionId) -> OperationId {
    let (new, now) = (fixture.operation_id(), fixture.now());
    keep!(fixture, |unit| operations::following(unit.connection(), new, at, now).await)
}

async fn locked(fixture: &Fixture, ids: Vec<OperationId>) -> Vec<Operation> {
    keep!(fixture, |unit| operations::lock(unit.connection(), ids).await)
}

async fn a_job_and_its_times_are_kept(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let at = fixture.connection_id();
    let mut whole = erase(&fixture, at, OperationStatus::Accepted);
    whole.position = Some(serde_json::json!({"divided": true}));
    (whole.pass, whole.page) = (2, u64::from(u32::MAX) + 1);
    whole.job = Some("PGJ_1 \"o'brien\" \\ é".to_owned());
    whole.sent_at = Some(fixture.later(1));
    whole.accepted_at = Some(fixture.later(2));
    whole.finished_at = Some(fixture.later(3));
    whole.identifiers = u64::from(u32::MAX) + 7;
    let plain = erase(&fixture, at, OperationStatus::Intended);
    insert(&fixture, &[whole.clone(), plain.clone()]).await;
    let ids = vec![plain.id, whole.id];
    assert_same(&locked(&fixture, ids.clone()).await, &[whole.clone(), plain.clone()]);

    // What the one has and the other has not changes sides; where an operation belongs never changes.
    let emptied = Operation { id: whole.id, created_at: whole.created_at, ..plain.clone() };
    let filled = Operation { id: plain.id, created_at: plain.created_at, ..whole };
    let moved = Operation {
        connection: fixture.connection_id(),
        kind: OperationKind::Export,
        created_at: fixture.later(99),
        ..filled.clone()
    };
    let saved = [moved, emptied.clone()];
    keep!(fixture, |unit| operations::save(unit.connection(), &saved).await);
    assert_same(&locked(&fixture, ids).await, &[emptied, filled]);
}

async fn a_connection_has_one_follower_whatever_becomes_of_it(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (here, elsewhere) = (fixture.connection_id(), fixture.connection_id());
    let (new, now) = (fixture.operation_id(), fixture.now());
    let first = keep!(fixture, |unit| operations::following(unit.connection(), new, here, now).await);
    assert_eq!(first, new);
    let made = locked(&fixture, vec![first]).await;
    let expected = Operation::new(new, here, OperationKind::Follow, now);
    assert_same(&made, &std::slice::from_ref(&expected));
    assert_ne!(follower(&fixture, elsewhere).await, first);
    for status in OperationStatus::ALL {
        let changed = Operation { status: *status, ..expected.clone() };
        keep!(fixture, |unit| operations::save(unit.connection(), [&changed]).await);
        assert_eq!(follower(&fixture, here).await, first, "{status}");
    }
}

async fn many_units_make_the_same_follower(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (here, now) = (fixture.connection_id(), fixture.now());
    let units = (0..24).map(|_| {
        let new = fixture.operation_id();
        fixture.store.write::<_, StoreError, _>(move |unit| {
            Box::pin(async move { operations::following(unit.connection(), new, here, now).await })
        })
    });
    let made: Vec<_> = futures::future::join_all(units).await.into_iter().map(|made| made.unwrap()).collect();
    assert!(made.iter().all(|id| *id == made[0]), "{made:?}");
    let rows = fixture.database.raw().await.number("SELECT count(*) FROM operations").await;
    assert_eq!(rows, 1);
}

async fn only_a_deletion_of_which_nothing_was_sent_gathers(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let gathers = async |one: Operation| {
        let (at, id) = (one.connection, one.id);
        insert(&fixture, &[one]).await;
        let found = keep!(fixture, |unit| operations::gathering(unit.connection(), at).await);
        assert!(found.is_none() || found == Some(id));
        found.is_some()
    };
    for status in OperationStatus::ALL {
        let one = erase(&fixture, fixture.connection_id(), *status);
        assert_eq!(gathers(one).await, *status == OperationStatus::Intended, "{status}");
    }
    for kind in OperationKind::ALL {
        let one = fixture.operation(fixture.connection_id(), *kind);
        assert_eq!(gathers(one).await, *kind == OperationKind::Erase, "{kind}");
    }
    let mut divided = erase(&fixture, fixture.connection_id(), OperationStatus::Intended);
    divided.position = Some(serde_json::json!({"divided": true}));
    assert!(!gathers(divided).await, "what was divided is not filled up again");
    let nowhere = fixture.connection_id();
    assert_eq!(keep!(fixture, |unit| operations::gathering(unit.connection(), nowhere).await), None);
}

async fn the_oldest_deletion_gathers(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let at = fixture.connection_id();
    let rows = [(); 3].map(|()| erase(&fixture, at, OperationStatus::Intended));
    let mut reversed = rows.clone();
    reversed.reverse();
    insert(&fixture, &reversed).await;
    for row in rows {
        let found = keep!(fixture, |unit| operations::gathering(unit.connection(), at).await);
        assert_eq!(found, Some(row.id));
        let sent = Operation { status: OperationStatus::Sent, ..row };
        keep!(fixture, |unit| operations::save(unit.connection(), [&sent]).await);
    }
    assert_eq!(keep!(fixture, |unit| operations::gathering(unit.connection(), at).await), None);
}

async fn accepted_deletions_of_a_connection_are_listed_oldest_first(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (here, elsewhere) = (fixture.connection_id(), fixture.connection_id());
    let accepted = async |at| operations::accepted(&mut fixture.reader().await, at).await.unwrap();
    assert!(accepted(here).await.is_empty());
    let mut rows: Vec<Operation> = ["job-1", "job-2"]
        .map(|job| Operation {
            job: Some(job.to_owned()),
            accepted_at: Some(fixture.now()),
            identifiers: 3,
            ..erase(&fixture, here, OperationStatus::Accepted)
        })
        .into();
    let expected = rows.clone();
    rows.reverse();
    for status in OperationStatus::ALL.iter().filter(|status| **status != OperationStatus::Accepted) {
        rows.push(erase(&fixture, here, *status));
    }
    // An export is a job as well, but looks after itself.
    let mut export = fixture.operation(here, OperationKind::Export);
    export.status = OperationStatus::Accepted;
    rows.push(export);
    let other = erase(&fixture, elsewhere, OperationStatus::Accepted);
    rows.push(other.clone());
    insert(&fixture, &rows).await;
    assert_same(&accepted(here).await, &expected);
    assert_same(&accepted(elsewhere).await, &[other]);
}

async fn identifiers_sent_since_a_moment_are_summed_by_connection(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (here, elsewhere, silent) =
        (fixture.connection_id(), fixture.connection_id(), fixture.connection_id());
    let since = fixture.later(100);
    let sent = async |since| {
        let found = operations::identifiers_sent(&mut fixture.reader().await, since).await.unwrap();
        assert!(found.windows(2).all(|two| two[0].0 != two[1].0));
        BTreeMap::from_iter(found)
    };
    assert!(sent(since).await.is_empty());
    let one = |at, status, sent_at: Timestamp, identifiers| Operation {
        sent_at: Some(sent_at),
        identifiers,
        ..erase(&fixture, at, status)
    };
    use OperationStatus::{Accepted, Done, Failed, Intended, Sent, Unknown};
    let millisecond = SignedDuration::from_millis(1);
    let mut lookup = one(here, Done, since, 1_000);
    lookup.kind = OperationKind::Lookup;
    let rows = [
        one(here, Sent, since, 1),
        one(here, Accepted, since + millisecond, 2),
        one(here, Done, fixture.later(200), 4),
        // Its effect is not known, so it may have counted.
        one(here, Unknown, since, 8),
        // The vendor refused it, so it did not count ...
        one(here, Failed, since, 1_000),
        // ... unless it failed only after the vendor had taken it.
        Operation { accepted_at: Some(since), ..one(here, Failed, since, 16) },
        one(here, Done, since - millisecond, 1_000),
        one(here, Intended, since, 1_000),
        Operation { identifiers: 1_000, ..erase(&fixture, here, Done) },
        lookup,
        one(elsewhere, Done, Timestamp::MAX, u64::from(u32::MAX)),
        one(elsewhere, Done, since, u64::from(u32::MAX)),
        one(silent, Done, since - millisecond, 1_000),
    ];
    insert(&fixture, &rows).await;
    let two_jobs = 2 * u64::from(u32::MAX);
    assert_eq!(sent(since).await, BTreeMap::from([(here, 31), (elsewhere, two_jobs)]));
    assert_eq!(sent(Timestamp::MAX).await, BTreeMap::from([(elsewhere, two_jobs / 2)]));
    assert_eq!(sent(Timestamp::UNIX_EPOCH).await.len(), 3);
}

async fn next_looks_are_those_of_the_follower_at_the_jobs_connection(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (here, elsewhere, unfollowed) =
        (fixture.connection_id(), fixture.connection_id(), fixture.connection_id());
    let runs = planned(&fixture, here, 6).await;
    let shared = erase(&fixture, here, OperationStatus::Accepted);
    let gathering = erase(&fixture, here, OperationStatus::Intended);
    let over = erase(&fixture, here, OperationStatus::Done);
    let other = erase(&fixture, elsewhere, OperationStatus::Accepted);
    let alone = erase(&fixture, unfollowed, OperationStatus::Accepted);
    let members = vec![
        (shared.id, runs[0]),
        (shared.id, runs[1]),
        (gathering.id, runs[2]),
        // A run that is asked for again was served by a job that is over.
        (over.id, runs[1]),
        (other.id, runs[3]),
        (alone.id, runs[4]),
    ];
    insert(&fixture, &[shared, gathering, over, other, alone]).await;
    join(&fixture, members).await;
    let looks = async |asked: Vec<RunId>| {
        let found = operations::next_looks(&mut fixture.reader().await, asked).await.unwrap();
        let count = found.len();
        let found = BTreeMap::from_iter(found);
        assert_eq!(found.len(), count, "a run is looked at once");
        found
    };
    assert!(looks(runs.clone()).await.is_empty(), "nobody follows");
    let followers = [follower(&fixture, here).await, follower(&fixture, elsewhere).await];
    assert!(looks(runs.clone()).await.is_empty(), "no look is planned");
    let mut work = followers.map(|follower| fixture.work("lane", &follower.to_string(), 60));
    (work[0].next_at, work[1].next_at) = (fixture.later(30), Timestamp::MAX);
    let soon = work[0].next_at;
    keep!(fixture, |unit| due_work::insert(unit.connection(), &work).await);
    let expected = [(runs[0], soon), (runs[1], soon), (runs[3], Timestamp::MAX)];
    assert_eq!(looks(runs.clone()).await, BTreeMap::from(expected));
    assert_eq!(looks(vec![runs[1], runs[1], runs[5]]).await, BTreeMap::from([(runs[1], soon)]));
    assert!(looks(Vec::new()).await.is_empty());
}

/// Where each run of the operations is and when it was taken up.
async fn places(
    fixture: &Fixture,
    of: [OperationId; 2],
) -> Vec<(OperationId, RunId, Option<u64>, Option<u64>)> {
    let members = operations::members(&mut fixture.reader().await, of, Which::All).await.unwrap();
    members.iter().map(|one| (one.operation, one.run, one.joined_pass, one.joined_page)).collect()
}

async fn transferred_runs_are_new_where_they_go(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let at = fixture.connection_id();
    let runs = planned(&fixture, at, 3).await;
    let rows = [(); 2].map(|()| erase(&fixture, at, OperationStatus::Intended));
    let (from, to) = (rows[0].id, rows[1].id);
    insert(&fixture, &rows).await;
    let moving = runs.clone();
    keep!(fixture, |unit| {
        let connection = unit.connection();
        operations::join(connection, moving.iter().map(|run| (from, *run))).await?;
        operations::take_up(connection, from, (1, 4), moving.clone()).await?;
        // Whoever was there already stays as they are.
        operations::transfer(connection, from, to, [moving[2]]).await?;
        operations::take_up(connection, to, (0, 9), [moving[2]]).await?;
        operations::transfer(connection, from, to, [moving[1]]).await
    });
    let expected =
        [(from, runs[0], Some(1), Some(4)), (to, runs[1], None, None), (to, runs[2], Some(0), Some(9))];
    assert_eq!(places(&fixture, [from, to]).await, expected);
}

async fn nothing_is_moved_that_is_not_there(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let at = fixture.connection_id();
    let runs = planned(&fixture, at, 3).await;
    let rows = [(); 3].map(|()| erase(&fixture, at, OperationStatus::Intended));
    let [from, to, other] = rows.clone().map(|row| row.id);
    insert(&fixture, &rows).await;
    join(&fixture, vec![(from, runs[0]), (other, runs[1])]).await;
    let asked = runs.clone();
    keep!(fixture, |unit| {
        operations::transfer(unit.connection(), from, to, []).await?;
        // Of another operation, and of none.
        operations::transfer(unit.connection(), from, to, [asked[1], asked[2]]).await
    });
    assert_eq!(places(&fixture, [from, to]).await, [(from, runs[0], None, None)]);
    assert_eq!(places(&fixture, [other, to]).await, [(other, runs[1], None, None)]);
}

async fn a_deletion_that_serves_nobody_is_ended(database: TestDatabase) {
    use OperationStatus::{Accepted, Done, Intended};
    let fixture = Fixture::on(database).await;
    let (here, elsewhere) = (fixture.connection_id(), fixture.connection_id());
    let runs = planned(&fixture, here, 1).await;
    let rows = [
        erase(&fixture, here, Accepted),
        erase(&fixture, here, Accepted),
        erase(&fixture, here, Intended),
        erase(&fixture, elsewhere, Accepted),
    ];
    let [served, abandoned, gathering, other] = [0, 1, 2, 3].map(|at| rows[at].id);
    insert(&fixture, &rows).await;
    join(&fixture, vec![(served, runs[0])]).await;
    let found = operations::served(&mut fixture.reader().await, [served, abandoned]).await.unwrap();
    assert_eq!(found, [(served, runs[0])].into());
    let statuses = async || {
        let stored = locked(&fixture, vec![served, abandoned, gathering, other]).await;
        BTreeMap::from_iter(stored.into_iter().map(|one| (one.id, (one.status, one.finished_at))))
    };

    let now = fixture.later(1);
    keep!(fixture, |unit| operations::end_abandoned(unit.connection(), here, now).await);
    let mut expected = BTreeMap::from([
        (served, (Accepted, None)),
        (abandoned, (Done, Some(now))),
        (gathering, (Intended, None)),
        (other, (Accepted, None)),
    ]);
    assert_eq!(statuses().await, expected);

    // Ending what is over already leaves its time.
    let later = fixture.later(2);
    keep!(fixture, |unit| operations::end(unit.connection(), [abandoned, other], later).await);
    expected.insert(other, (Done, Some(later)));
    assert_eq!(statuses().await, expected);
}
