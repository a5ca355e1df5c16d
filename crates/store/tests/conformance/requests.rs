//! Requests and the index of their identifiers.

use habeas_domain::lifecycle::{Outcome, RequestState};
use habeas_domain::reason::{HoldReason, Relationship};
use habeas_domain::{IdentifierType, RequestId, Right};
use habeas_store::requests::{self, Filter, Forgetting, Position, Request};
use habeas_testing::{TestDatabase, on_both_databases};
use jiff::civil::date;

use crate::common::{Fixture, assert_same, sealed};

on_both_databases![
    what_is_inserted_is_found,
    what_is_saved_is_found,
    locked_requests_come_in_the_order_of_their_ids,
    lists_are_filtered_and_paged,
    identifiers_find_their_requests,
    open_requests_of_the_same_subject_are_found,
    forgetting_comes_due,
    every_state_and_right_is_listed,
];

fn ids(requests: &[Request]) -> Vec<RequestId> {
    requests.iter().map(|request| request.id).collect()
}

async fn what_is_inserted_is_found(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let plain = fixture.request();
    let mut full = fixture.request();
    full.right = Right::Deletion;
    full.policy = "ccpa \"quoted\" \\ ü 文".to_owned();
    full.state = RequestState::Triage;
    full.outcome = Some(Outcome::Denied);
    full.hold = Some(HoldReason::LegalHold);
    full.relationship = Some(Relationship::Processor);
    full.review = false;
    full.acknowledge_due_on = Some(date(2026, 6, 11));
    full.cutoff_on = Some(date(2026, 6, 30));
    full.extended = true;
    full.unverified = true;
    full.open_runs = 3;
    full.details = sealed(&[0, 255, b'"', b'\\', 0]);
    let rows = [plain.clone(), full.clone()];
    keep!(fixture, |unit| requests::insert(unit.connection(), &rows).await);
    let mut reader = fixture.reader().await;
    for expected in [plain, full] {
        let found = requests::find(&mut reader, expected.id).await.unwrap().unwrap();
        assert_same(&found, &expected);
        assert_eq!(found.details, expected.details);
    }
    assert!(requests::find(&mut reader, fixture.request_id()).await.unwrap().is_none());
}

async fn what_is_saved_is_found(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut rows = fixture.requests(3);
    rows[0].hold = Some(HoldReason::Other);
    rows[0].open_runs = 2;
    let inserted = rows.clone();
    keep!(fixture, |unit| requests::insert(unit.connection(), &inserted).await);
    let first = &mut rows[0];
    first.right = Right::Deletion;
    first.policy = "ccpa".to_owned();
    first.state = RequestState::Closed;
    first.outcome = Some(Outcome::Erased);
    first.hold = None;
    first.relationship = Some(Relationship::Controller);
    first.due_on = date(2026, 9, 1);
    first.due_at = fixture.later(1_000);
    first.acknowledge_due_on = Some(date(2026, 6, 12));
    first.clock_key = "ccpa".to_owned();
    first.clock_version = 2;
    first.cutoff_on = Some(date(2026, 7, 1));
    first.extended = true;
    first.unverified = true;
    first.details = sealed(b"other details");
    first.closed_at = Some(fixture.later(5));
    first.forget_content_at = Some(fixture.later(6));
    first.forget_case_at = Some(fixture.later(7));
    rows[1].state = RequestState::Review;
    // Only settling counts open runs; a stale copy that is written back must not.
    let mut saved = vec![rows[0].clone(), rows[1].clone()];
    saved[0].open_runs = 99;
    let none: [&Request; 0] = [];
    keep!(fixture, |unit| {
        requests::save(unit.connection(), &saved).await?;
        requests::save(unit.connection(), none).await
    });
    let mut reader = fixture.reader().await;
    for expected in rows {
        let found = requests::find(&mut reader, expected.id).await.unwrap().unwrap();
        assert_same(&found, &expected);
        assert_eq!(found.details, expected.details);
    }
}

async fn locked_requests_come_in_the_order_of_their_ids(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let rows = fixture.requests(5);
    let expected = ids(&rows[1..]);
    let mut wanted = expected.clone();
    wanted.reverse();
    wanted.push(fixture.request_id());
    keep!(fixture, |unit| requests::insert(unit.connection(), &rows).await);
    let locked = keep!(fixture, |unit| requests::lock(unit.connection(), wanted).await);
    assert_eq!(ids(&locked), expected);
    assert!(keep!(fixture, |unit| requests::lock(unit.connection(), []).await).is_empty());
}

async fn lists_are_filtered_and_paged(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut rows = fixture.requests(6);
    rows[1].right = Right::Deletion;
    rows[2].state = RequestState::Review;
    rows[3].due_on = date(2026, 6, 15);
    rows[4].due_on = date(2026, 6, 15);
    rows[4].state = RequestState::Closed;
    let all = ids(&rows);
    keep!(fixture, |unit| requests::insert(unit.connection(), &rows).await);
    let mut reader = fixture.reader().await;
    let mut listed =
        async |filter: Filter, limit| ids(&requests::list(&mut reader, &filter, limit).await.unwrap());
    assert_eq!(listed(Filter::default(), 100).await, all);
    assert_eq!(listed(Filter::default(), 2).await, all[..2]);
    assert_eq!(listed(Filter { after: Some(all[1].into()), ..Filter::default() }, 3).await, all[2..5]);
    assert_eq!(listed(Filter { after: Some(all[5].into()), ..Filter::default() }, 3).await, []);
    let by_state = Filter { state: Some(RequestState::Review), ..Filter::default() };
    assert_eq!(listed(by_state, 100).await, [all[2]]);
    let by_right = Filter { right: Some(Right::Deletion), ..Filter::default() };
    assert_eq!(listed(by_right, 100).await, [all[1]]);
    let due = |day| Filter { due_before: Some(date(2026, 6, day)), ..Filter::default() };
    assert_eq!(listed(due(16), 100).await, [all[3]], "a closed request is due no more");
    assert_eq!(listed(due(15), 100).await, [], "due on the day is not due before it");
    let nothing = Filter { lookups: Some(Vec::new()), ..Filter::default() };
    assert_eq!(listed(nothing, 100).await, [], "no hash finds no request, not every request");
}

async fn identifiers_find_their_requests(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let rows = fixture.requests(3);
    let all = ids(&rows);
    let (ana, other) = (vec![1, 0, 255], vec![2]);
    let filed = [
        (all[0], IdentifierType::Email, ana.clone()),
        (all[1], IdentifierType::Email, other.clone()),
        (all[2], IdentifierType::UserId, ana.clone()),
        // Filed twice: the same value, perhaps as another kind.
        (all[0], IdentifierType::UserId, ana.clone()),
    ];
    keep!(fixture, |unit| {
        requests::insert(unit.connection(), &rows).await?;
        requests::insert_identifiers(unit.connection(), filed.clone()).await?;
        requests::insert_identifiers(unit.connection(), filed).await?;
        requests::insert_identifiers(unit.connection(), []).await
    });
    let by = |lookups: &[&Vec<u8>]| Filter {
        lookups: Some(lookups.iter().map(|lookup| (*lookup).clone()).collect()),
        ..Filter::default()
    };
    let mut reader = fixture.reader().await;
    let found = requests::list(&mut reader, &by(&[&ana]), 10).await.unwrap();
    assert_eq!(ids(&found), [all[0], all[2]]);
    let found = requests::list(&mut reader, &by(&[&ana, &other]), 10).await.unwrap();
    assert_eq!(ids(&found), all);
    assert!(requests::list(&mut reader, &by(&[&vec![9]]), 10).await.unwrap().is_empty());

    let gone = all[0];
    keep!(fixture, |unit| requests::delete_identifiers(unit.connection(), [gone]).await);
    let found = requests::list(&mut reader, &by(&[&ana, &other]), 10).await.unwrap();
    assert_eq!(ids(&found), all[1..]);
}

async fn open_requests_of_the_same_subject_are_found(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut rows = fixture.requests(4);
    rows[1].right = Right::Deletion;
    rows[2].state = RequestState::Closed;
    let all = ids(&rows);
    let ana = vec![7, 7];
    let filed: Vec<_> = all[..3].iter().map(|id| (*id, IdentifierType::Email, ana.clone())).collect();
    keep!(fixture, |unit| {
        requests::insert(unit.connection(), &rows).await?;
        requests::insert_identifiers(unit.connection(), filed).await
    });
    let mut reader = fixture.reader().await;
    let wanted = [(Right::Access, ana.clone()), (Right::Access, vec![8])];
    let found = requests::open_with(&mut reader, wanted).await.unwrap();
    assert_eq!(found, [(Right::Access, ana.clone(), all[0])]);
    let wanted = [(Right::Deletion, ana.clone()), (Right::Access, ana.clone())];
    let found = requests::open_with(&mut reader, wanted).await.unwrap();
    assert_eq!(found, [(Right::Access, ana.clone(), all[0]), (Right::Deletion, ana, all[1])]);
    assert!(requests::open_with(&mut reader, []).await.unwrap().is_empty());
}

async fn forgetting_comes_due(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut rows = fixture.requests(4);
    let all = ids(&rows);
    let inserted = rows.clone();
    rows[0].forget_content_at = Some(fixture.later(20));
    rows[1].forget_content_at = Some(fixture.later(10));
    rows[1].forget_case_at = Some(fixture.later(10));
    rows[2].forget_content_at = Some(fixture.later(30));
    keep!(fixture, |unit| {
        requests::insert(unit.connection(), &inserted).await?;
        requests::save(unit.connection(), &rows).await
    });
    let (before, then, after) = (fixture.later(9), fixture.later(20), fixture.later(31));
    let mut reader = fixture.reader().await;
    let mut due = async |what, now, limit| requests::to_forget(&mut reader, what, now, limit).await.unwrap();
    assert_eq!(due(Forgetting::Content, before, 10).await, []);
    assert_eq!(due(Forgetting::Content, then, 10).await, [all[1], all[0]], "the longest overdue first");
    assert_eq!(due(Forgetting::Content, after, 2).await, [all[1], all[0]]);
    assert_eq!(due(Forgetting::Case, after, 10).await, [all[1]]);
}

async fn every_state_and_right_is_listed(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let mut rows = Vec::new();
    for state in RequestState::ALL {
        for right in Right::ALL {
            let mut request = fixture.request();
            (request.state, request.right) = (*state, *right);
            rows.push(request);
        }
    }
    // In another order than they came in.
    for (number, request) in rows.iter_mut().enumerate() {
        request.due_on = date(2026, 7, 1) + jiff::Span::new().days(i64::try_from((number * 7) % 5).unwrap());
    }
    let inserted = rows.clone();
    keep!(fixture, |unit| requests::insert(unit.connection(), &inserted).await);
    let mut reader = fixture.reader().await;
    let states = std::iter::once(None).chain(RequestState::ALL.iter().copied().map(Some));
    for state in states {
        for right in std::iter::once(None).chain(Right::ALL.iter().copied().map(Some)) {
            for due_before in [None, Some(date(2026, 7, 4))] {
                let mut expected: Vec<_> = rows
                    .iter()
                    .filter(|one| state.is_none_or(|state| one.state == state))
                    .filter(|one| right.is_none_or(|right| one.right == right))
                    .filter(|one| {
                        due_before.is_none_or(|day| one.due_on < day && one.state != RequestState::Closed)
                    })
                    .collect();
                if due_before.is_some() {
                    expected.sort_by_key(|one| (one.due_on, one.id));
                }
                let expected: Vec<RequestId> = expected.into_iter().map(|one| one.id).collect();
                let mut listed = Vec::new();
                let mut after = None;
                loop {
                    let filter = Filter { state, right, due_before, lookups: None, after };
                    let page = requests::list(&mut reader, &filter, 2).await.unwrap();
                    let Some(last) = page.last() else { break };
                    after = Some(Position { due_on: due_before.map(|_| last.due_on), id: last.id });
                    listed.extend(ids(&page));
                }
                assert_eq!(listed, expected, "{state:?} {right:?} {due_before:?}");
            }
        }
    }
}
