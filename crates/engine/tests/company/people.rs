//! What people do to requests while systems are asked: hold, refuse, take back, skip, stop, and several systems.

use std::collections::BTreeSet;

use habeas_casework::CaseworkError;
use habeas_casework::intake::IdempotencyKey;
use habeas_domain::reason::{DenialReason, HoldReason};
use habeas_domain::{Outcome, Phase, RequestId, RequestState, Right, RunStatus};
use habeas_sandbox::readycloud::fixtures;
use habeas_testing::{TestDatabase, on_both_databases};

use crate::crashes::read_page;
use crate::support::{
    ANA, CONTACTS, Company, OUTLET_TOKEN, PAGE_BY_PAGE, Setup, asking, at_lists, operator, status,
};

on_both_databases![
    nothing_is_sent_while_a_hold_lies_and_resuming_goes_on,
    what_is_settled_under_a_hold_moves_the_request_when_it_is_lifted,
    what_is_skipped_under_a_hold_moves_the_request_when_it_is_lifted,
    refusing_or_taking_back_while_collecting_breaks_the_work_off,
    refusing_or_taking_back_in_review_ends_it,
    a_deletion_under_way_cannot_be_taken_back,
    a_system_that_was_skipped_was_not_asked_so_a_person_looks,
    a_run_that_is_stopped_leaves_its_pass,
    a_deletion_that_is_skipped_is_an_exception,
    one_failing_system_holds_the_request_but_not_the_other_system,
    a_connection_in_use_is_not_removed,
    the_same_person_asks_twice_only_if_it_is_meant,
    the_same_idempotency_key_creates_once,
];

async fn hold(company: &Company, id: RequestId) {
    let note = Some("counsel asked for it".to_owned());
    company.casework.hold(&operator(), id, HoldReason::LegalHold, note).await.unwrap();
}

async fn resume(company: &Company, id: RequestId) {
    company.casework.resume(&operator(), id).await.unwrap();
}

async fn nothing_is_sent_while_a_hold_lies_and_resuming_goes_on(database: TestDatabase) {
    let company = Company::with(database, Setup { budget: Some(PAGE_BY_PAGE), ..Setup::default() }).await;
    let emails = company.add_people("subject", 200);
    let id = company.ask(Right::Access, &emails[0]).await;
    while company.calls(CONTACTS) < 2 {
        company.engine.work_until_idle().await;
        company.let_wait_pass().await;
    }
    hold(&company, id).await;
    let calls = company.all_calls();
    company.work().await;
    company.time.advance(std::time::Duration::from_hours(5));
    company.work().await;
    assert_eq!(company.all_calls(), calls);
    let request = company.request(id).await;
    assert_eq!(request.request.hold, Some(HoldReason::LegalHold));
    assert_eq!(request.details.unwrap().hold_note.as_deref(), Some("counsel asked for it"));
    assert_eq!(company.sentence(id).await, "on hold");
    let run = company.last_run(id).await.run.id;
    let refused = company.casework.retry_run(&operator(), id, run).await.unwrap_err();
    assert!(matches!(&refused, CaseworkError::Validation(fields) if fields[0].field == "hold"), "{refused}");

    resume(&company, id).await;
    assert_eq!(company.request(id).await.request.hold, None);
    company.work().await;
    assert_eq!(company.state(id).await, RequestState::Delivering);
    assert_eq!(company.last_run(id).await.run.records_found, Some(1));
}

async fn what_is_settled_under_a_hold_moves_the_request_when_it_is_lifted(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.ask(Right::Access, ANA).await;
    let mut working = company.claim().await.assignments.pop().unwrap();
    let connector = company.connector().await;
    let mut cursor = None;
    loop {
        let report = read_page(connector.as_ref(), &mut working, &mut cursor).await;
        let is_last = !report.finished.is_empty();
        if is_last {
            // While the last page is on its way.
            hold(&company, id).await;
        }
        company.casework.report_page(report).await.unwrap();
        if is_last {
            break;
        }
    }
    assert_eq!(company.state(id).await, RequestState::Collecting, "held");
    resume(&company, id).await;
    company.work().await;
    assert_eq!(company.state(id).await, RequestState::Delivering);
    assert_eq!(company.records(id).await.len(), 2);
}

async fn what_is_skipped_under_a_hold_moves_the_request_when_it_is_lifted(database: TestDatabase) {
    let company = Company::new(database).await;
    company.fault(at_lists(status(400)));
    let id = company.ask_with_review(Right::Access, ANA).await;
    company.work().await;
    assert_eq!(company.request(id).await.attention, 1);
    hold(&company, id).await;
    skip(&company, id, "shop").await;
    assert_eq!(company.state(id).await, RequestState::Collecting);
    resume(&company, id).await;
    assert_eq!(company.state(id).await, RequestState::Review);
}

async fn skip(company: &Company, id: RequestId, connection: &str) {
    let runs = company.runs(id).await;
    let open = runs.iter().find(|one| one.connection_name == connection && !one.run.status.is_settled());
    let run = open.unwrap().run.id;
    company.casework.skip_run(&operator(), id, run, "it is being replaced".to_owned()).await.unwrap();
}

/// Ends a request by refusing it or by taking it back.
async fn end(company: &Company, id: RequestId, outcome: Outcome) {
    let (casework, actor) = (&company.casework, operator());
    if outcome == Outcome::Denied {
        let text = Some("see our letter".to_owned());
        casework.deny(&actor, id, DenialReason::LegalClaims, text, true).await.unwrap();
    } else {
        casework.withdraw(&actor, id).await.unwrap();
    }
    assert_eq!(company.outcome(id).await, Some(outcome));
}

async fn refusing_or_taking_back_while_collecting_breaks_the_work_off(database: TestDatabase) {
    let company = Company::new(database).await;
    for outcome in [Outcome::Denied, Outcome::Withdrawn] {
        for right in [Right::Access, Right::Deletion] {
            let id = company.ask(right, ANA).await;
            end(&company, id, outcome).await;
            company.sandbox.calls().reset();
            company.work().await;
            assert_eq!(company.all_calls(), 0, "nobody waits, so nobody is asked");
            assert_eq!(company.next_operation().await, None);
            let run = company.last_run(id).await.run;
            assert_eq!(run.status, RunStatus::Stopped);
            assert_eq!(run.detail.sentence(), "stopped by local-operator");
            let forgotten = company.casework.records(&operator(), id, None, 9).await;
            assert_eq!(matches!(forgotten, Err(CaseworkError::Forgotten(_))), right == Right::Deletion);
        }
    }
}

async fn refusing_or_taking_back_in_review_ends_it(database: TestDatabase) {
    let company = Company::new(database).await;
    let contacts = company.sandbox.readycloud().contact_count();
    for outcome in [Outcome::Denied, Outcome::Withdrawn] {
        for right in [Right::Access, Right::Deletion] {
            let id = company.ask_with_review(right, ANA).await;
            company.work().await;
            assert_eq!(company.state(id).await, RequestState::Review);
            end(&company, id, outcome).await;
            company.work().await;
            assert_eq!(company.runs(id).await.len(), 1);
            assert_eq!(company.last_run(id).await.run.status, RunStatus::Complete, "it was asked");
            let records = company.casework.records(&operator(), id, None, 9).await;
            match right {
                Right::Deletion => assert!(matches!(records, Err(CaseworkError::Forgotten(_)))),
                _ => assert_eq!(records.unwrap().items.len(), 2),
            }
        }
    }
    assert_eq!(company.sandbox.readycloud().contact_count(), contacts);
}

async fn a_deletion_under_way_cannot_be_taken_back(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.ask_with_review(Right::Deletion, ANA).await;
    company.work().await;
    company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    let before = company.dump().await;
    let actor = operator();
    assert!(company.casework.withdraw(&actor, id).await.is_err());
    assert!(company.casework.deny(&actor, id, DenialReason::Other, None, true).await.is_err());
    assert!(company.casework.hold(&actor, id, HoldReason::Other, None).await.is_err());
    assert_eq!(company.dump().await, before);
}

async fn a_system_that_was_skipped_was_not_asked_so_a_person_looks(database: TestDatabase) {
    let (company, _) = Company::of_two_accounts(database).await;
    company.fault(at_lists(status(403)).path_contains("/orgs/2Bx/contacts/?"));
    for right in [Right::Access, Right::Deletion] {
        let id = company.ask_with_review(right, "nobody@example.test").await;
        company.work().await;
        assert_eq!(company.state(id).await, RequestState::Collecting);
        skip(&company, id, "outlet").await;
        let run = company.run_at(id, "outlet", Phase::Collect).await;
        assert_eq!(run.run.status, RunStatus::Skipped);
        assert_eq!(run.run.detail.sentence(), "skipped by local-operator");
        assert_eq!(run.note.as_deref(), Some("it is being replaced"));
        assert_eq!(company.state(id).await, RequestState::Review, "the other has nothing; this one may");
        company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
        let request = company.request(id).await.request;
        match right {
            Right::Deletion => assert_eq!(request.outcome, Some(Outcome::ErasedWithExceptions)),
            _ => assert_eq!(request.state, RequestState::Delivering),
        }
    }
}

async fn a_run_that_is_stopped_leaves_its_pass(database: TestDatabase) {
    let company = Company::new(database).await;
    let stopped = company.ask_with_review(Right::Access, ANA).await;
    let other = company.ask_with_review(Right::Access, "jo+shop@example.test").await;
    let run = company.last_run(stopped).await.run.id;
    let silent = company.casework.stop_run(&operator(), stopped, run, " ".to_owned()).await;
    assert!(matches!(silent, Err(CaseworkError::Validation(_))), "somebody will want to know why");
    company.casework.stop_run(&operator(), stopped, run, "asked by mistake".to_owned()).await.unwrap();
    assert_eq!(company.sentence(stopped).await, "stopped by local-operator");
    company.work().await;
    assert_eq!(company.state(stopped).await, RequestState::Review);
    assert!(company.records(stopped).await.is_empty());
    assert_eq!(company.records(other).await.len(), 1);
    // What is settled stays settled.
    let again = company.casework.retry_run(&operator(), stopped, run).await;
    assert!(matches!(again, Err(CaseworkError::IllegalRunMove(_))));
}

async fn a_deletion_that_is_skipped_is_an_exception(database: TestDatabase) {
    let (company, _) = Company::of_two_accounts(database).await;
    let email = "leaver@example.test";
    let (here, there) = (company.add_contact(email), company.add_contact_in(fixtures::SECOND_ORG, email));
    let id = company.ask_with_review(Right::Deletion, email).await;
    company.work().await;
    company.sandbox.readycloud().revoke_token(OUTLET_TOKEN);
    company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    company.work().await;
    assert_eq!(company.state(id).await, RequestState::Erasing);
    assert_eq!(company.run_at(id, "shop", Phase::Erase).await.run.status, RunStatus::Complete);
    let failed = company.run_at(id, "outlet", Phase::Erase).await;
    assert_eq!(failed.failure.unwrap().code, "credentials_rejected");
    skip(&company, id, "outlet").await;
    assert_eq!(company.outcome(id).await, Some(Outcome::ErasedWithExceptions));
    assert_eq!((company.deletions_of(&here), company.deletions_of(&there)), ((1, 1), (0, 0)));
}

async fn one_failing_system_holds_the_request_but_not_the_other_system(database: TestDatabase) {
    let (company, _) = Company::of_two_accounts(database).await;
    let email = "subject@example.test";
    company.add_contact(email);
    company.add_contact_in(fixtures::SECOND_ORG, email);
    company.fault(at_lists(status(403)).path_contains("/orgs/2Bx/contacts/?"));
    let id = company.ask(Right::Access, email).await;
    company.work().await;
    let request = company.request(id).await;
    assert_eq!((request.request.state, request.attention), (RequestState::Collecting, 1));
    assert_eq!(company.run_at(id, "shop", Phase::Collect).await.run.records_found, Some(1));
    company.sandbox.faults().clear();
    let failed = company.run_at(id, "outlet", Phase::Collect).await.run.id;
    company.sandbox.calls().reset();
    company.casework.retry_run(&operator(), id, failed).await.unwrap();
    company.work().await;
    assert_eq!(company.calls(CONTACTS), 1, "only the one that failed is asked again");
    assert_eq!(company.state(id).await, RequestState::Delivering);
    for system in ["shop", "outlet"] {
        assert_eq!(company.delivered(id, system).await.len(), 1);
    }
}

async fn a_connection_in_use_is_not_removed(database: TestDatabase) {
    let (company, outlet) = Company::of_two_accounts(database).await;
    let id = company.ask(Right::Access, ANA).await;
    let before = company.dump().await;
    let refused = company.casework.remove_connection(&operator(), outlet.stored.id, false).await.unwrap_err();
    assert!(matches!(refused, CaseworkError::ConnectionInUse { runs: 1, .. }), "{refused}");
    assert_eq!(company.dump().await, before);
    company.work().await;
    company.casework.remove_connection(&operator(), outlet.stored.id, false).await.unwrap();
    assert_eq!(company.runs(id).await.len(), 2);
    assert_eq!(company.run_at(id, "outlet", Phase::Collect).await.run.status, RunStatus::Complete);
    let access = company.casework.connection_access(outlet.stored.id).await;
    assert!(matches!(access, Err(CaseworkError::NotFound { .. })), "its credentials are gone");
    // New requests do without it.
    let next = company.ask(Right::Access, "jo+shop@example.test").await;
    company.work().await;
    assert_eq!((company.runs(next).await.len(), company.state(next).await), (1, RequestState::Delivering));
}

async fn the_same_person_asks_twice_only_if_it_is_meant(database: TestDatabase) {
    let company = Company::new(database).await;
    let first = company.ask(Right::Access, ANA).await;
    for email in [ANA, " ANA.Silva@Example.test "] {
        let again = company.try_ask(Right::Access, email, false).await;
        assert!(matches!(again, Err(CaseworkError::Duplicate { request }) if request == first));
    }
    company.ask(Right::Deletion, ANA).await;
    let mut meant = asking(Right::Access, ANA, false);
    meant.force = true;
    let second = company.casework.create_request(&operator(), meant.clone(), None).await.unwrap();
    assert_ne!(first, second);
    // In one call, too.
    let mut both = vec![asking(Right::Access, "jo+shop@example.test", false); 2];
    both.push(meant);
    let created = company.casework.create_requests(&operator(), both, None).await.unwrap();
    assert!(created[0].is_ok() && created[2].is_ok());
    assert!(matches!(created[1], Err(CaseworkError::Duplicate { .. })));
    company.work().await;
    for id in [first, second] {
        assert_eq!(company.records(id).await.len(), 2);
        company.package(id).await;
    }
    company.package(*created[2].as_ref().unwrap()).await;
    company.ask(Right::Access, ANA).await;
}

async fn the_same_idempotency_key_creates_once(database: TestDatabase) {
    let company = Company::new(database).await;
    let ask = async |fingerprint: &[u8]| {
        let key = IdempotencyKey { key: "order-66".to_owned(), fingerprint: fingerprint.to_vec() };
        company.casework.create_request(&operator(), asking(Right::Access, ANA, false), Some(key)).await
    };
    let first = ask(b"one").await.unwrap();
    let before = company.dump().await;
    assert_eq!(ask(b"one").await.unwrap(), first);
    assert!(matches!(ask(b"other").await, Err(CaseworkError::IdempotencyMismatch)));
    assert_eq!(company.dump().await, before);
}
