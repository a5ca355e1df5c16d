//! Runs.

use std::collections::HashMap;

use habeas_domain::run::RunDetail;
use habeas_domain::{Phase, RunId, RunStatus};
use habeas_store::runs::{self, Run};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::{Fixture, assert_same, sealed};

on_both_databases![
    what_is_saved_is_found,
    a_run_may_be_whole_from_the_start,
    runs_are_found_by_request_and_id,
    runs_are_counted,
];

async fn what_is_saved_is_found(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut run = fixture.run(fixture.request_id(), fixture.connection_id());
    let (first, untouched) = (run.clone(), fixture.run(run.request, run.connection));
    let other = untouched.clone();
    keep!(fixture, |unit| runs::save(unit.connection(), [&first, &other]).await);

    run.status = RunStatus::Processing;
    run.detail = RunDetail::Retrying { attempt: 3, at: fixture.later(60) };
    run.selected = false;
    run.records_found = Some(u64::from(u32::MAX) + 1);
    run.deleted = Some(0);
    run.attempts = 2;
    run.next_at = Some(fixture.later(60));
    run.residuals = serde_json::json!([{"code": "no \"access\"", "count": 2}]);
    run.failure = Some(sealed(b"what went wrong"));
    run.note = Some(sealed(&[0]));
    run.settled_at = Some(fixture.later(61));
    run.vendor_job = Some("PGJ_1 \"o'brien\"".to_owned());
    run.contact = Some(sealed(b"whom it was handed over to"));
    run.answer = Some(sealed(&[0, 255, 0]));
    let mut changed = run.clone();
    // What a run is about never changes.
    changed.request = fixture.request_id();
    changed.connection = fixture.connection_id();
    changed.phase = Phase::Erase;
    keep!(fixture, |unit| runs::save(unit.connection(), [&changed]).await);

    let found = runs::by_ids(&mut fixture.reader().await, [run.id, untouched.id]).await.unwrap();
    assert_same(&found, &[run.clone(), untouched]);
    assert_eq!(found[0].failure, run.failure);
    assert_eq!(found[0].note, run.note);
    assert_eq!((&found[0].contact, &found[0].answer), (&run.contact, &run.answer));

    // And back to nothing.
    run.records_found = None;
    run.failure = None;
    run.note = None;
    run.next_at = None;
    run.settled_at = None;
    run.vendor_job = None;
    run.contact = None;
    run.answer = None;
    let emptied = run.clone();
    keep!(fixture, |unit| runs::save(unit.connection(), [&emptied]).await);
    let found = runs::by_ids(&mut fixture.reader().await, [run.id]).await.unwrap();
    assert_same(&found, &[run]);
}

async fn a_run_may_be_whole_from_the_start(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut whole = fixture.run(fixture.request_id(), fixture.connection_id());
    whole.vendor_job = Some(String::new());
    whole.contact = Some(sealed(&[]));
    whole.answer = Some(sealed(&[7; 100_000]));
    let other = Run { contact: Some(sealed(b"other")), ..fixture.run(whole.request, whole.connection) };
    let saved = [whole.clone(), other.clone()];
    keep!(fixture, |unit| runs::save(unit.connection(), &saved).await);
    let found = runs::by_ids(&mut fixture.reader().await, [whole.id, other.id]).await.unwrap();
    assert_same(&found, &[whole.clone(), other.clone()]);
    assert_eq!((&found[0].contact, &found[0].answer), (&whole.contact, &whole.answer));
    assert_eq!(found[1].contact, other.contact);
}

async fn runs_are_found_by_request_and_id(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let connection = fixture.connection_id();
    let rows = fixture.requests(2);
    let saved: Vec<Run> = [0, 1, 0, 1, 0].map(|at| fixture.run(rows[at].id, connection)).into();
    let all: Vec<RunId> = saved.iter().map(|run| run.id).collect();
    let none: [&Run; 0] = [];
    keep!(fixture, |unit| {
        runs::save(unit.connection(), &saved).await?;
        runs::save(unit.connection(), none).await
    });
    let ids = |runs: Vec<Run>| runs.into_iter().map(|run| run.id).collect::<Vec<_>>();
    let mut reader = fixture.reader().await;
    let found = runs::of_requests(&mut reader, [rows[1].id, rows[0].id]).await.unwrap();
    assert_eq!(ids(found), [all[0], all[2], all[4], all[1], all[3]], "by request, then as planned");
    assert_eq!(ids(runs::of_requests(&mut reader, [rows[1].id]).await.unwrap()), [all[1], all[3]]);
    assert!(runs::of_requests(&mut reader, []).await.unwrap().is_empty());
    let missing = RunId::new(fixture.environment.unique());
    let found = runs::by_ids(&mut reader, [all[3], missing, all[0]]).await.unwrap();
    assert_eq!(ids(found), [all[0], all[3]]);
}

async fn runs_are_counted(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (here, elsewhere) = (fixture.connection_id(), fixture.connection_id());
    let rows = fixture.requests(2);
    let mut saved = Vec::new();
    for status in RunStatus::ALL {
        let mut run = fixture.run(rows[0].id, here);
        run.status = *status;
        saved.push(run);
    }
    let mut run = fixture.run(rows[1].id, elsewhere);
    run.status = RunStatus::Attention;
    saved.push(run);
    keep!(fixture, |unit| runs::save(unit.connection(), &saved).await);

    let mut reader = fixture.reader().await;
    let open = RunStatus::ALL.iter().filter(|status| !status.is_settled()).count();
    assert_eq!(runs::open(&mut reader, here).await.unwrap().len(), open);
    assert_eq!(runs::open(&mut reader, elsewhere).await.unwrap().len(), 1);
    assert_eq!(runs::open(&mut reader, fixture.connection_id()).await.unwrap().len(), 0);
    let asked = [rows[0].id, rows[1].id, fixture.request_id()];
    let attention = runs::count_attention(&mut reader, asked).await.unwrap();
    assert_eq!(attention, HashMap::from([(rows[0].id, 1), (rows[1].id, 1)]));
}
