//! Due work: many workers at once.

use std::collections::{HashMap, HashSet};

use habeas_domain::DueWorkId;
use habeas_store::due_work::{self, Lease, NewDueWork};
use habeas_store::{StoreError, dialect::Sql};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::Fixture;

on_both_databases![
    no_two_workers_get_the_same_row,
    a_limit_holds_whatever_the_planner_thinks,
    every_row_is_finished_exactly_once,
];

const LEASE: i64 = 30_000;

async fn insert(fixture: &Fixture, count: usize) -> Vec<DueWorkId> {
    let work: Vec<NewDueWork> = (0_i64..)
        .take(count)
        .map(|number| fixture.work("lane", &format!("op_{number:05}"), number))
        .collect();
    let ids = work.iter().map(|one| one.id).collect();
    keep!(fixture, |unit| due_work::insert(unit.connection(), &work).await);
    ids
}

async fn claim(fixture: &Fixture, limit: i64) -> Vec<Lease> {
    let now = fixture.store.shared_now();
    keep!(fixture, |unit| due_work::claim(unit.connection(), "lane", now, LEASE, limit).await)
}

async fn no_two_workers_get_the_same_row(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let ids = insert(&fixture, 200).await;
    let mut claimed: Vec<DueWorkId> = Vec::new();
    // Workers that claim at once may pass over rows that another is about to give up, so they ask again.
    while claimed.len() < ids.len() {
        let rounds = (0..12).map(|_| claim(&fixture, 7));
        for leases in futures::future::join_all(rounds).await {
            assert!(leases.len() <= 7);
            assert!(leases.iter().all(|lease| lease.fence == 1));
            claimed.extend(leases.iter().map(|lease| lease.id));
        }
    }
    assert_eq!(claimed.iter().collect::<HashSet<_>>(), ids.iter().collect());
    assert_eq!(claimed.len(), ids.len());
}

async fn a_limit_holds_whatever_the_planner_thinks(database: TestDatabase) {
    // PostgreSQL may run an uncorrelated subquery once per outer row; with SKIP LOCKED it would find others each time.
    let fixture = Fixture::on(database).await;
    insert(&fixture, 100).await;
    static NESTED: Sql = Sql::new("SET LOCAL enable_hashjoin = off");
    static UNSORTED: Sql = Sql::new("SET LOCAL enable_hashagg = off");
    static UNMERGED: Sql = Sql::new("SET LOCAL enable_mergejoin = off");
    static UNMATERIALISED: Sql = Sql::new("SET LOCAL enable_material = off");
    let postgres = !fixture.database.is_sqlite();
    let now = fixture.store.shared_now();
    let claimed = keep!(fixture, |unit| {
        if postgres {
            for setting in [&NESTED, &UNSORTED, &UNMERGED, &UNMATERIALISED] {
                unit.connection().sql(setting).execute().await?;
            }
        }
        due_work::claim(unit.connection(), "lane", now, LEASE, 5).await
    });
    assert_eq!(claimed.len(), 5);
}

async fn every_row_is_finished_exactly_once(database: TestDatabase) {
    // Workers claim, lose leases, come back late: for each row one of them may finish it, and only one.
    const WORKERS: usize = 6;
    let fixture = Fixture::on(database).await;
    let ids = insert(&fixture, 60).await;
    let mut finished: HashMap<DueWorkId, usize> = HashMap::new();
    for round in 0.. {
        let claims = (0..WORKERS).map(|_| claim(&fixture, 5));
        let hands = futures::future::join_all(claims).await;
        if hands.iter().all(Vec::is_empty) && finished.len() == ids.len() {
            break;
        }
        assert!(round < 200, "the work ends");
        // Half of the workers are slow: their leases end, others claim the rows, then both try to finish.
        let (slow, quick) = hands.split_at(WORKERS / 2);
        fixture.pass(31);
        let again = claim(&fixture, 20).await;
        let tries = slow.iter().chain(quick).chain(std::iter::once(&again)).map(|leases| {
            let pairs: Vec<_> = leases.iter().map(|lease| (lease.id, lease.fence)).collect();
            fixture.store.write::<_, StoreError, _>(move |unit| {
                Box::pin(async move { due_work::finish(unit.connection(), pairs).await })
            })
        });
        for done in futures::future::join_all(tries).await {
            for id in done.unwrap() {
                *finished.entry(id).or_default() += 1;
            }
        }
        fixture.pass(31);
    }
    assert_eq!(finished.len(), ids.len());
    assert!(finished.values().all(|times| *times == 1));
}

#[test]
fn a_second_worker_skips_what_an_open_unit_has_claimed() {
    habeas_testing::block_on(async {
        let fixture = Fixture::on(TestDatabase::postgres().await).await;
        let ids = insert(&fixture, 10).await;
        let now = fixture.store.shared_now();
        let first =
            leave_open!(fixture, |unit| due_work::claim(unit.connection(), "lane", now, LEASE, 4).await);
        // The first unit is still open, so this would hang if it waited for the rows.
        let second = claim(&fixture, 10).await;
        let first = first.commit().await;
        assert_eq!(first.iter().map(|lease| lease.id).collect::<Vec<_>>(), ids[..4]);
        assert_eq!(second.iter().map(|lease| lease.id).collect::<Vec<_>>(), ids[4..]);
    });
}
