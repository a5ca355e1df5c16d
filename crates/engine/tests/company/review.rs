//! What a person decides before anything is delivered or deleted, and what needs no person.

use std::collections::BTreeSet;

use habeas_casework::CaseworkError;
use habeas_casework::intake::NewRequest;
use habeas_casework::requests::Start;
use habeas_domain::reason::{DenialReason, HoldReason, Relationship};
use habeas_domain::role::Role;
use habeas_domain::{Actor, Outcome, Phase, RequestId, RequestState, Right};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{ANA, Company, DELETE, MAIN_TOKEN, asking, operator};

on_both_databases![
    only_what_is_left_selected_is_deleted,
    only_what_is_left_selected_is_delivered,
    a_system_that_is_deselected_is_left_alone,
    a_deletion_with_nothing_selected_ends_with_exceptions,
    what_was_processed_is_not_processed_again,
    selecting_is_part_of_the_review_alone,
    only_an_administrator_lets_a_request_skip_the_review,
    identifiers_that_nobody_vouches_for_wait_for_a_person,
    one_address_with_different_names_waits_for_a_person,
    a_request_that_names_no_policy_waits_in_triage,
    triage_refuses_what_cannot_be_carried_out,
    illegal_moves_leave_no_trace,
    a_package_is_read_by_whoever_may_and_closes_the_request_once,
];

/// A request in review.
async fn in_review(company: &Company, right: Right, email: &str) -> RequestId {
    let id = company.ask_with_review(right, email).await;
    company.work().await;
    assert_eq!(company.state(id).await, RequestState::Review);
    id
}

async fn process(company: &Company, id: RequestId) {
    company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    company.work().await;
}

async fn only_what_is_left_selected_is_deleted(database: TestDatabase) {
    let company = Company::new(database).await;
    let contacts = company.sandbox.readycloud().contacts_with_email(ANA);
    let id = in_review(&company, Right::Deletion, ANA).await;
    let records = company.records(id).await;
    let kept = records.iter().find(|one| one.content.vendor_id.ends_with(&contacts[0])).unwrap().record.id;
    let reason = Some(DenialReason::LegalObligation);
    company.casework.select_record(&operator(), id, kept, false, reason).await.unwrap();
    let run = company.last_run(id).await;
    assert_eq!((run.run.records_found, run.records_selected), (Some(2), Some(1)));
    process(&company, id).await;
    assert_eq!(company.outcome(id).await, Some(Outcome::ErasedWithExceptions));
    assert_eq!(company.sentence(id).await, "1 record deleted; verified gone");
    assert_eq!(company.deletions_of(&contacts[0]), (0, 0));
    assert_eq!(company.deletions_of(&contacts[1]), (1, 1));
    assert_eq!(company.sandbox.readycloud().contacts_with_email(ANA), contacts[..1]);
}

async fn only_what_is_left_selected_is_delivered(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = in_review(&company, Right::Access, ANA).await;
    let record = company.records(id).await[0].record.id;
    company.casework.select_record(&operator(), id, record, false, None).await.unwrap();
    process(&company, id).await;
    let delivered = company.delivered(id, "shop").await;
    assert_eq!(delivered.len(), 1);
    assert_ne!(delivered[0]["id"], record.to_string());
}

async fn a_system_that_is_deselected_is_left_alone(database: TestDatabase) {
    let (company, _) = Company::of_two_accounts(database).await;
    let email = "leaver@example.test";
    let here = company.add_contact(email);
    let there = company.add_contact_in("2Bx", email);
    let id = in_review(&company, Right::Deletion, email).await;
    let run = company.run_at(id, "outlet", Phase::Collect).await.run.id;
    company.casework.select_run(&operator(), id, run, false).await.unwrap();
    process(&company, id).await;
    assert_eq!(company.outcome(id).await, Some(Outcome::ErasedWithExceptions));
    assert_eq!((company.deletions_of(&here), company.deletions_of(&there)), ((1, 1), (0, 0)));
    assert_eq!(company.runs(id).await.len(), 3, "two asked, one deleted");
}

async fn a_deletion_with_nothing_selected_ends_with_exceptions(database: TestDatabase) {
    let company = Company::new(database).await;
    for whole_run in [true, false] {
        let id = in_review(&company, Right::Deletion, ANA).await;
        if whole_run {
            let run = company.last_run(id).await.run.id;
            company.casework.select_run(&operator(), id, run, false).await.unwrap();
        } else {
            for record in company.records(id).await {
                let reason = Some(DenialReason::LegalClaims);
                company
                    .casework
                    .select_record(&operator(), id, record.record.id, false, reason)
                    .await
                    .unwrap();
            }
        }
        process(&company, id).await;
        assert_eq!(company.outcome(id).await, Some(Outcome::ErasedWithExceptions), "{whole_run}");
        assert_eq!(company.calls(DELETE), 0);
    }
}

async fn what_was_processed_is_not_processed_again(database: TestDatabase) {
    let company = Company::new(database).await;
    for right in [Right::Access, Right::Deletion] {
        let id = in_review(&company, right, ANA).await;
        company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
        let before = company.dump().await;
        let again = company.casework.process(&operator(), id, BTreeSet::new()).await;
        assert!(matches!(again, Err(CaseworkError::IllegalMove(_))), "{right}");
        assert_eq!(company.dump().await, before, "{right}");
        company.work().await;
        assert!(company.casework.process(&operator(), id, BTreeSet::new()).await.is_err(), "{right}");
    }
}

async fn selecting_is_part_of_the_review_alone(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = in_review(&company, Right::Deletion, ANA).await;
    let other = in_review(&company, Right::Deletion, "jo+shop@example.test").await;
    let (run, record) = (company.last_run(id).await.run.id, company.records(id).await[0].record.id);
    let casework = &company.casework;
    let actor = operator();
    let refused = |result: Result<(), CaseworkError>| matches!(result, Err(CaseworkError::IllegalMove(_)));
    let missing = |result: Result<(), CaseworkError>| matches!(result, Err(CaseworkError::NotFound { .. }));
    // What belongs to another request is not to be found.
    assert!(missing(casework.select_record(&actor, other, record, false, None).await));
    assert!(missing(casework.select_run(&actor, other, run, false).await));
    let reason = Some(DenialReason::Other);
    let why = casework.select_record(&actor, id, record, true, reason).await;
    assert!(matches!(why, Err(CaseworkError::Validation(_))), "why it is left out, when it is not");
    casework.hold(&actor, id, HoldReason::Other, None).await.unwrap();
    assert!(refused(casework.select_record(&actor, id, record, false, None).await), "held");
    assert!(refused(casework.process(&actor, id, BTreeSet::new()).await), "held");
    casework.resume(&actor, id).await.unwrap();
    casework.process(&actor, id, BTreeSet::new()).await.unwrap();
    assert!(refused(casework.select_record(&actor, id, record, false, None).await), "too late");
    assert!(refused(casework.select_run(&actor, id, run, false).await), "too late");
}

fn agent() -> Actor {
    Actor::with_roles("key_agent", [Role::RequestAgent])
}

async fn only_an_administrator_lets_a_request_skip_the_review(database: TestDatabase) {
    let company = Company::new(database).await;
    let before = company.dump().await;
    let refused = company.casework.create_request(&agent(), asking(Right::Access, ANA, false), None).await;
    assert!(matches!(refused, Err(CaseworkError::ReviewRequired)));
    let many = vec![asking(Right::Access, ANA, false)];
    let refused = company.casework.create_requests(&agent(), many, None).await.unwrap();
    assert!(matches!(refused[0], Err(CaseworkError::ReviewRequired)));
    assert_eq!(company.dump().await, before);
    let id = company.casework.create_request(&agent(), asking(Right::Access, ANA, true), None).await.unwrap();
    company.work().await;
    assert_eq!(company.state(id).await, RequestState::Review);
}

async fn identifiers_that_nobody_vouches_for_wait_for_a_person(database: TestDatabase) {
    let company = Company::new(database).await;
    let mut doubtful = asking(Right::Deletion, ANA, false);
    doubtful.identifiers[0].verified = Some(false);
    let id = company.casework.create_request(&operator(), doubtful, None).await.unwrap();
    company.work().await;
    assert_eq!(company.state(id).await, RequestState::Review, "although it was to skip the review");
    assert_eq!(company.calls(DELETE), 0);
    process(&company, id).await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));

    // An agent's word is not enough, unless the agent says so and is named.
    let mut asked = asking(Right::Deletion, "jo+shop@example.test", true);
    for (verified, attested) in [(None, None), (Some(true), Some("key_agent"))] {
        asked.identifiers[0].verified = verified;
        asked.force = true;
        let id = company.casework.create_request(&agent(), asked.clone(), None).await.unwrap();
        let request = company.request(id).await;
        assert_eq!(request.request.unverified, attested.is_none());
        let identifier = request.details.unwrap().identifiers.remove(0);
        assert_eq!(identifier.attested_by.as_deref(), attested);
    }
}

fn without_policy(right: Right) -> NewRequest {
    NewRequest { policy: None, ..asking(right, ANA, true) }
}

async fn a_request_that_names_no_policy_waits_in_triage(database: TestDatabase) {
    let company = Company::new(database).await;
    let asked = NewRequest { delivery: None, ..without_policy(Right::Access) };
    let id = company.casework.create_request(&operator(), asked, None).await.unwrap();
    company.work().await;
    assert_eq!((company.state(id).await, company.all_calls()), (RequestState::Triage, 0));
    let gdpr = company.request(id).await.request;
    let start = Start {
        policy: Some("us-ca".to_owned()),
        right: Some(Right::Deletion),
        relationship: Some(Relationship::Controller),
        identifiers: None,
    };
    company.casework.start(&operator(), id, start).await.unwrap();
    let request = company.request(id).await.request;
    assert_eq!((request.state, request.right), (RequestState::Collecting, Right::Deletion));
    assert_eq!((request.policy.as_str(), request.clock_key.as_str()), ("us-ca", "us-ca"));
    assert!(request.due_on > gdpr.due_on, "another law, another clock");
    company.work().await;
    process(&company, id).await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));

    // Other identifiers find other data, and only they find the request.
    let asked = without_policy(Right::Access);
    let id = company.casework.create_request(&operator(), asked, None).await.unwrap();
    let identifiers = Some(asking(Right::Access, "jo+shop@example.test", true).identifiers);
    company.casework.start(&operator(), id, Start { identifiers, ..Start::default() }).await.unwrap();
    company.work().await;
    let records = company.records(id).await;
    assert_eq!(records.len(), 1);
    assert!(records[0].content.vendor_id.ends_with("/7"));
    assert_eq!(company.found_by(ANA).await.len(), 1, "the closed one");
    assert_eq!(company.found_by("jo+shop@example.test").await, [id]);
}

async fn triage_refuses_what_cannot_be_carried_out(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.casework.create_request(&operator(), without_policy(Right::Access), None).await.unwrap();
    let before = company.dump().await;
    let starts = [
        Start { policy: Some("mars".to_owned()), ..Start::default() },
        Start { right: Some(Right::AccessCategories), ..Start::default() },
        Start { identifiers: Some(Vec::new()), ..Start::default() },
        Start {
            identifiers: Some(asking(Right::Access, "not an address", true).identifiers),
            ..Start::default()
        },
    ];
    for start in starts {
        let refused = company.casework.start(&operator(), id, start.clone()).await;
        assert!(matches!(refused, Err(CaseworkError::Validation(_))), "{start:?}: {refused:?}");
    }
    assert_eq!(company.dump().await, before);
    company.casework.hold(&operator(), id, HoldReason::NeedsClarification, None).await.unwrap();
    assert!(company.casework.start(&operator(), id, Start::default()).await.is_err(), "held");
    company.casework.resume(&operator(), id).await.unwrap();
    company.casework.start(&operator(), id, Start::default()).await.unwrap();
    company.casework.remove_connection(&operator(), company.connection.stored.id, false).await.unwrap_err();
    company.work().await;
    company.casework.remove_connection(&operator(), company.connection.stored.id, false).await.unwrap();
    let nobody = company.try_ask(Right::Access, "jo+shop@example.test", true).await;
    assert!(matches!(nobody, Err(CaseworkError::PlanRefused(_))), "no system is left to ask");
    company.connect("shop", MAIN_TOKEN).await.unwrap();
    company.ask(Right::Access, "jo+shop@example.test").await;
}

async fn illegal_moves_leave_no_trace(database: TestDatabase) {
    let company = Company::new(database).await;
    let (casework, actor) = (&company.casework, operator());
    let triage = casework.create_request(&actor, without_policy(Right::Access), None).await.unwrap();
    let collecting = company.ask_with_review(Right::Access, "jo+shop@example.test").await;
    let closed = company.ask_with_review(Right::Deletion, "shared@example.test").await;
    casework.withdraw(&actor, closed).await.unwrap();
    let before = company.dump().await;
    let events = company.history(closed).await.len();
    for id in [triage, collecting, closed] {
        assert!(casework.process(&actor, id, BTreeSet::new()).await.is_err());
        assert!(casework.resume(&actor, id).await.is_err());
        assert!(casework.package(&actor, id, 0).await.is_err());
    }
    for id in [collecting, closed] {
        assert!(casework.start(&actor, id, Start::default()).await.is_err());
    }
    assert!(casework.withdraw(&actor, closed).await.is_err());
    assert!(casework.deny(&actor, closed, DenialReason::Other, None, true).await.is_err());
    assert!(casework.hold(&actor, closed, HoldReason::Other, None).await.is_err());
    let run = company.last_run(closed).await.run.id;
    assert!(casework.retry_run(&actor, closed, run).await.is_err());
    assert!(casework.skip_run(&actor, closed, run, "why".to_owned()).await.is_err());
    assert!(casework.stop_run(&actor, collecting, run, "of another request".to_owned()).await.is_err());
    // Nor does what the actor may not do.
    let auditor = Actor::with_roles("usr_auditor", [Role::Auditor]);
    assert!(matches!(casework.withdraw(&auditor, collecting).await, Err(CaseworkError::RoleMissing(_))));
    assert!(matches!(
        casework.records(&auditor, collecting, None, 9).await,
        Err(CaseworkError::RoleMissing(_))
    ));
    assert_eq!(company.dump().await, before);
    assert_eq!(company.history(closed).await.len(), events);
}

async fn a_package_is_read_by_whoever_may_and_closes_the_request_once(database: TestDatabase) {
    let company = Company::new(database).await;
    let (casework, actor) = (&company.casework, operator());
    let id = in_review(&company, Right::Access, ANA).await;
    assert!(matches!(casework.package(&actor, id, 0).await, Err(CaseworkError::NotFound { .. })), "none yet");
    process(&company, id).await;
    let auditor = Actor::with_roles("usr_auditor", [Role::Auditor]);
    assert!(matches!(casework.package(&auditor, id, 0).await, Err(CaseworkError::RoleMissing(_))));
    drop(casework.package(&actor, id, 0).await.unwrap());
    assert_eq!(company.state(id).await, RequestState::Delivering, "read, but not to its end");
    let delivered = company.package(id).await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Downloaded));
    let closed = company.request(id).await.request.closed_at;
    // It can be read again for as long as it is kept.
    company.time.advance_days(1);
    assert_eq!(company.package(id).await, delivered);
    assert_eq!(company.request(id).await.request.closed_at, closed);
}

async fn one_address_with_different_names_waits_for_a_person(database: TestDatabase) {
    let company = Company::new(database).await;
    // Two contacts of two people who share an address.
    let shared = "shared@example.test";
    for right in [Right::Access, Right::Deletion] {
        let id = company.ask(right, shared).await;
        company.work().await;
        assert_eq!(company.state(id).await, RequestState::Review, "{right}: nothing goes on by itself");
        let run = company.runs(id).await.remove(0).run;
        assert!(run.residuals.to_string().contains("2 different names"), "{}", run.residuals);
    }
    assert_eq!(company.calls(DELETE), 0);
}
