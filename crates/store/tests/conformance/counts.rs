//! Counts that units keep.

use habeas_domain::{RequestState, RunStatus};
use habeas_store::audit::Stream;
use habeas_store::counts::{self, Counted};
use habeas_store::{Database, StoreError};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::{Fixture, note};

on_both_databases![
    moves_are_counted_with_their_unit,
    units_side_by_side_count_everything,
    what_was_there_before_is_counted_when_the_schema_comes,
];

async fn moves_are_counted_with_their_unit(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let collecting = Counted::Request(RequestState::Collecting);
    keep!(fixture, |unit| {
        unit.count(None, collecting);
        unit.count(None, collecting);
        unit.count(Some(collecting), Counted::Request(RequestState::Closed));
        unit.count(None, Counted::Run(RunStatus::Processing));
        unit.count(None, Counted::Run(RunStatus::Complete));
        Ok(())
    });
    let lost: Result<(), StoreError> = attempt!(fixture, |unit| {
        unit.count(None, collecting);
        Err(StoreError::UnitBroken)
    });
    assert!(lost.is_err());
    keep!(fixture, |unit| {
        unit.count(Some(Counted::Run(RunStatus::Processing)), Counted::Run(RunStatus::Attention));
        Ok(())
    });
    let (mut requests, runs) = counts::read(&mut fixture.reader().await).await.unwrap();
    requests.sort();
    assert_eq!(requests, [(RequestState::Collecting, 1), (RequestState::Closed, 1)]);
    assert_eq!(runs, [(RunStatus::Attention, 1)], "settled runs are not counted");
}

async fn units_side_by_side_count_everything(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let units = (0..100_usize).map(|number| {
        begin!(fixture, |unit| {
            note(unit, Stream::System, number);
            unit.count(None, Counted::Request(RequestState::Triage));
            if number % 2 == 0 {
                unit.count(None, Counted::Run(RunStatus::Processing));
            }
            if number % 10 == 9 { Err(StoreError::UnitBroken) } else { Ok(()) }
        })
    });
    let kept =
        futures::future::join_all(units).await.into_iter().filter(|unit| matches!(unit, Ok(Ok(())))).count();
    let (requests, runs) = counts::read(&mut fixture.reader().await).await.unwrap();
    assert_eq!(requests, [(RequestState::Triage, u64::try_from(kept).unwrap())]);
    assert_eq!((kept, runs), (90, vec![(RunStatus::Processing, 50)]));
}

async fn what_was_there_before_is_counted_when_the_schema_comes(database: TestDatabase) {
    let database = database.without_schema().await;
    let (_, environment) = habeas_testing::environment();
    let opened = Database::open(database.url(), &environment).await.unwrap();
    opened.migrate_to(5).await.unwrap();
    let mut raw = database.raw().await;
    let details = raw.bytes(&[1]);
    for (number, state) in ["triage", "closed", "triage"].into_iter().enumerate() {
        raw.run(format!(
            "INSERT INTO requests (id, right_name, policy, state, source, review, delivery, received_at, received_on,
                 due_on, due_at, clock_key, clock_version, extended, unverified, open_runs, details, created_by, created_at)
             VALUES ('req_{number}', 'access', 'p', '{state}', 'api', 1, 'api', 0, '2026-06-01', '2026-07-01', 0, 'c', 1,
                 0, 0, 0, {details}, 'x', 0)"
        ))
        .await;
    }
    opened.migrate().await.unwrap();
    drop((raw, opened));
    let fixture = Fixture::on(database).await;
    let (mut requests, _) = counts::read(&mut fixture.reader().await).await.unwrap();
    requests.sort();
    assert_eq!(requests, [(RequestState::Triage, 2), (RequestState::Closed, 1)]);
}
