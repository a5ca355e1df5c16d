//! The last two runs of a request, settled at once: exactly one of the two workers moves the request on.

use std::collections::HashMap;

use habeas_domain::RequestId;
use habeas_environment::{Randomness as _, SeededRandomness};
use habeas_store::{StoreError, requests};
use habeas_testing::{TestDatabase, on_both_databases};
use tokio::sync::Barrier;

use crate::common::Fixture;

on_both_databases![
    whoever_reads_zero_moves_on,
    one_request_may_be_named_twice,
    many_workers_see_one_zero_per_request,
    more_than_was_open_cannot_be_settled,
];

async fn with_open_runs(fixture: &Fixture, count: usize, open_runs: i64) -> Vec<RequestId> {
    let mut rows = fixture.requests(count);
    rows.iter_mut().for_each(|request| request.open_runs = open_runs);
    let ids = rows.iter().map(|request| request.id).collect();
    keep!(fixture, |unit| requests::insert(unit.connection(), &rows).await);
    ids
}

async fn whoever_reads_zero_moves_on(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let ids = with_open_runs(&fixture, 3, 2).await;
    let (first, second, untouched) = (ids[0], ids[1], ids[2]);
    let mut counts =
        keep!(fixture, |unit| requests::settle(unit.connection(), [(first, 1), (second, 2)]).await);
    counts.sort();
    assert_eq!(counts, [(first, 1), (second, 0)]);
    let counts = keep!(fixture, |unit| requests::settle(unit.connection(), [(first, 1)]).await);
    assert_eq!(counts, [(first, 0)]);
    let counts = keep!(fixture, |unit| requests::settle(unit.connection(), [(second, -3)]).await);
    assert_eq!(counts, [(second, 3)], "a negative number opens runs");
    assert!(keep!(fixture, |unit| requests::settle(unit.connection(), []).await).is_empty());
    let found = requests::find(&mut fixture.reader().await, untouched).await.unwrap().unwrap();
    assert_eq!(found.open_runs, 2);
}

async fn one_request_may_be_named_twice(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let id = with_open_runs(&fixture, 1, 3).await[0];
    let counts = keep!(fixture, |unit| requests::settle(unit.connection(), [(id, 1), (id, 2)]).await);
    assert_eq!(counts, [(id, 0)]);
}

async fn more_than_was_open_cannot_be_settled(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let id = with_open_runs(&fixture, 1, 1).await[0];
    let outcome = attempt!(fixture, |unit| requests::settle(unit.connection(), [(id, 2)]).await);
    assert!(outcome.is_err());
    let found = requests::find(&mut fixture.reader().await, id).await.unwrap().unwrap();
    assert_eq!(found.open_runs, 1);
}

async fn many_workers_see_one_zero_per_request(database: TestDatabase) {
    const REQUESTS: usize = 25;
    const RUNS: usize = 6;
    let fixture = Fixture::on(database).await;
    let ids = with_open_runs(&fixture, REQUESTS, i64::try_from(RUNS).unwrap()).await;
    // Every run, in no order, dealt out in hands of up to five: one unit settles several requests.
    let mut runs: Vec<RequestId> = ids.iter().flat_map(|id| [*id; RUNS]).collect();
    let randomness = SeededRandomness::new(11);
    let draw = |below: usize| {
        let mut bytes = [0; 4];
        randomness.fill(&mut bytes);
        usize::try_from(u32::from_le_bytes(bytes)).unwrap() % below
    };
    for at in (1..runs.len()).rev() {
        runs.swap(at, draw(at + 1));
    }
    let mut units = Vec::new();
    while !runs.is_empty() {
        let mut hand: HashMap<RequestId, i64> = HashMap::new();
        for run in runs.drain(..(1 + draw(5)).min(runs.len())) {
            *hand.entry(run).or_default() += 1;
        }
        units.push(fixture.store.write::<_, StoreError, _>(move |unit| {
            Box::pin(async move {
                requests::lock(unit.connection(), hand.keys().copied()).await?;
                requests::settle(unit.connection(), hand).await
            })
        }));
    }
    let mut zeros: HashMap<RequestId, usize> = HashMap::new();
    for counts in futures::future::join_all(units).await {
        for (id, left) in counts.unwrap() {
            *zeros.entry(id).or_default() += usize::from(left == 0);
        }
    }
    assert_eq!(zeros.len(), REQUESTS);
    assert!(zeros.values().all(|zeros| *zeros == 1), "{zeros:?}");
}

/// Two units, interleaved by hand: the second starts to settle while the first has settled but not committed.
/// With `lock` both lock the request first, as callers do.
async fn interleaved(lock: bool) {
    let fixture = Fixture::on(TestDatabase::postgres().await).await;
    let id = with_open_runs(&fixture, 1, 2).await[0];
    let first = leave_open!(fixture, |unit| {
        if lock {
            requests::lock(unit.connection(), [id]).await?;
        }
        requests::settle(unit.connection(), [(id, 1)]).await
    });
    let second = begin!(fixture, |unit| {
        if lock {
            let locked = requests::lock(unit.connection(), [id]).await?;
            assert_eq!(locked[0].open_runs, 1, "what is locked is what was committed");
        }
        requests::settle(unit.connection(), [(id, 1)]).await
    });
    fixture.is_waiting(&second).await;
    assert_eq!(first.commit().await, [(id, 1)]);
    assert_eq!(second.await.unwrap().unwrap(), [(id, 0)]);
}

#[test]
fn the_second_of_two_interleaved_units_reads_zero() {
    habeas_testing::block_on(interleaved(false));
}

#[test]
fn the_second_of_two_interleaved_units_reads_zero_when_both_lock() {
    habeas_testing::block_on(interleaved(true));
}

#[test]
fn units_that_both_read_two_open_runs_before_either_settles_see_one_zero() {
    habeas_testing::block_on(async {
        let fixture = Fixture::on(TestDatabase::postgres().await).await;
        let id = with_open_runs(&fixture, 1, 2).await[0];
        let both_have_read = std::sync::Arc::new(Barrier::new(2));
        let units = (0..2).map(|_| {
            let both_have_read = std::sync::Arc::clone(&both_have_read);
            fixture.store.write::<_, StoreError, _>(move |unit| {
                Box::pin(async move {
                    let seen = requests::find(unit.connection(), id).await?.unwrap();
                    assert_eq!(seen.open_runs, 2);
                    both_have_read.wait().await;
                    requests::settle(unit.connection(), [(id, 1)]).await
                })
            })
        });
        let mut counts: Vec<_> = futures::future::join_all(units)
            .await
            .into_iter()
            .flat_map(|counts| counts.unwrap())
            .map(|(_, left)| left)
            .collect();
        counts.sort();
        assert_eq!(counts, [0, 1]);
    });
}
