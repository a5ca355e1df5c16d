//! A deletion is not believed but proven: a pass over the vendor's contacts looks for what was deleted.

use std::collections::BTreeSet;

use habeas_domain::{Outcome, Phase, RequestId, RequestState, Right, RunStatus};
use habeas_sandbox::faults::Fault;
use habeas_sandbox::readycloud::{ContactSpec, fixtures};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{ANA, Company, DELETE, at_deletions, at_lists, operator, status};

on_both_databases![
    what_the_vendor_only_pretends_to_delete_is_found_and_deleted_again,
    what_a_person_deleted_by_hand_is_proven_gone,
    a_proof_that_fails_is_repeated_without_deleting_again,
    what_one_system_still_holds_does_not_hold_up_another,
    what_two_systems_still_hold_is_deleted_again_in_each,
    what_appears_after_the_review_is_told_and_left_alone,
    what_belongs_to_somebody_else_by_now_is_left_alone,
    what_is_gone_already_counts_as_deleted,
];

async fn retry(company: &Company, id: RequestId, connection: &str) {
    let run = company.run_at(id, connection, Phase::Erase).await.run.id;
    company.casework.retry_run(&operator(), id, run).await.unwrap();
    company.work().await;
}

async fn is_still_there(company: &Company, id: RequestId, connection: &str) {
    let run = company.run_at(id, connection, Phase::Erase).await;
    assert_eq!(run.run.status, RunStatus::Attention);
    let failure = run.failure.unwrap();
    assert_eq!(failure.code, "still_there");
    assert!(failure.message.ends_with("still shows 1 of the deleted records"), "{}", failure.message);
}

async fn what_the_vendor_only_pretends_to_delete_is_found_and_deleted_again(database: TestDatabase) {
    let company = Company::new(database).await;
    let pretences = [status(204), Fault::Html { code: 200 }, status(404)];
    for (number, pretence) in pretences.into_iter().enumerate() {
        let email = format!("leaver.{number}@example.test");
        let contact = company.add_contact(&email);
        company.fault(at_deletions(pretence.clone()).times(1));
        let id = company.ask(Right::Deletion, &email).await;
        company.work().await;
        let request = company.request(id).await;
        assert_eq!((request.request.state, request.attention), (RequestState::Erasing, 1), "{pretence:?}");
        is_still_there(&company, id, "shop").await;
        assert_eq!(company.deletions_of(&contact), (1, 0), "{pretence:?}");
        retry(&company, id, "shop").await;
        assert_eq!(company.outcome(id).await, Some(Outcome::Erased), "{pretence:?}");
        assert_eq!(company.sentence(id).await, "1 record deleted; verified gone", "{pretence:?}");
        assert_eq!(company.deletions_of(&contact), (2, 1), "{pretence:?}");
    }
}

async fn what_a_person_deleted_by_hand_is_proven_gone(database: TestDatabase) {
    let company = Company::new(database).await;
    let contact = company.add_contact("leaver@example.test");
    company.fault(at_deletions(status(204)));
    let id = company.ask(Right::Deletion, "leaver@example.test").await;
    company.work().await;
    is_still_there(&company, id, "shop").await;
    assert!(company.sandbox.readycloud().remove_contact(&contact));
    retry(&company, id, "shop").await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
    assert_eq!(company.deletions_of(&contact), (1, 0));
}

async fn a_proof_that_fails_is_repeated_without_deleting_again(database: TestDatabase) {
    let company = Company::new(database).await;
    for (fault, code) in
        [(status(500), "vendor_unavailable"), (Fault::TokenExpired {}, "credentials_rejected")]
    {
        company.add_contact("leaver@example.test");
        let id = company.ask_with_review(Right::Deletion, "leaver@example.test").await;
        company.work().await;
        company.sandbox.calls().reset();
        company.fault(at_lists(fault.clone()));
        company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
        company.work().await;
        let run = company.last_run(id).await;
        assert_eq!((run.run.status, run.failure.unwrap().code.as_str()), (RunStatus::Attention, code));
        assert_eq!(run.run.deleted, Some(1), "{fault:?}");
        company.sandbox.faults().clear();
        retry(&company, id, "shop").await;
        assert_eq!(company.outcome(id).await, Some(Outcome::Erased), "{fault:?}");
        assert_eq!(company.calls(DELETE), 1, "{fault:?}");
    }
}

/// A person with a contact in each of two accounts.
async fn leaver_in_both(company: &Company) -> (RequestId, [String; 2]) {
    let email = "leaver@example.test";
    let contacts = [company.add_contact(email), company.add_contact_in(fixtures::SECOND_ORG, email)];
    let id = company.ask_with_review(Right::Deletion, email).await;
    company.work().await;
    company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    (id, contacts)
}

async fn what_one_system_still_holds_does_not_hold_up_another(database: TestDatabase) {
    let (company, _) = Company::of_two_accounts(database).await;
    company.fault(at_deletions(status(204)).path_contains("/orgs/2Bx/").times(1));
    // The other system's proof ends later, when what is still there is known already.
    let (id, contacts) = leaver_in_both(&company).await;
    company.fault(at_lists(status(503)).path_contains("/orgs/H6j/contacts/?").times(3));
    company.work().await;
    is_still_there(&company, id, "outlet").await;
    let other = company.run_at(id, "shop", Phase::Erase).await.run;
    assert_eq!(
        (other.status, other.detail.sentence().as_str()),
        (RunStatus::Complete, "1 record deleted; verified gone")
    );
    retry(&company, id, "outlet").await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
    assert_eq!(company.deletions_of(&contacts[0]), (1, 1));
    assert_eq!(company.deletions_of(&contacts[1]), (2, 1));
}

async fn what_two_systems_still_hold_is_deleted_again_in_each(database: TestDatabase) {
    let (company, _) = Company::of_two_accounts(database).await;
    company.fault(at_deletions(status(204)).times(2));
    let (id, contacts) = leaver_in_both(&company).await;
    company.work().await;
    is_still_there(&company, id, "shop").await;
    is_still_there(&company, id, "outlet").await;
    retry(&company, id, "shop").await;
    is_still_there(&company, id, "outlet").await;
    retry(&company, id, "outlet").await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
    for contact in contacts {
        assert_eq!(company.deletions_of(&contact), (2, 1));
    }
}

async fn what_appears_after_the_review_is_told_and_left_alone(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.ask_with_review(Right::Deletion, ANA).await;
    company.work().await;
    let new = company.add_contact(ANA);
    company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    company.work().await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
    assert_eq!(company.deletions_of(&new), (0, 0));
    let run = company.last_run(id).await.run;
    assert_eq!(run.detail.sentence(), "2 records deleted; verified gone");
    assert!(run.residuals.to_string().contains("a record that appeared after the review"));
}

async fn what_belongs_to_somebody_else_by_now_is_left_alone(database: TestDatabase) {
    let company = Company::new(database).await;
    let contact = company.add_contact("leaver@example.test");
    let id = company.ask_with_review(Right::Deletion, "leaver@example.test").await;
    company.work().await;
    assert!(company.sandbox.readycloud().remove_contact(&contact));
    let theirs = ContactSpec {
        key: Some(contact.clone()),
        email: Some("somebody.else@example.test".to_owned()),
        ..ContactSpec::default()
    };
    company.sandbox.readycloud().add_contact(theirs).unwrap();
    company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    company.work().await;
    assert_eq!(company.state(id).await, RequestState::Closed);
    assert_eq!(company.sentence(id).await, "nothing to delete");
    assert_eq!(company.deletions_of(&contact), (0, 0));
    assert!(company.sandbox.readycloud().contact(&contact).is_some());
}

async fn what_is_gone_already_counts_as_deleted(database: TestDatabase) {
    let company = Company::new(database).await;
    let contacts = company.sandbox.readycloud().contacts_with_email(ANA);
    let id = company.ask_with_review(Right::Deletion, ANA).await;
    company.work().await;
    assert!(company.sandbox.readycloud().remove_contact(&contacts[0]));
    company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    company.work().await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
    assert_eq!(company.sentence(id).await, "2 records deleted; verified gone");
    assert_eq!(company.deletions_of(&contacts[0]), (0, 0));
    assert_eq!(company.deletions_of(&contacts[1]), (1, 1));
}
