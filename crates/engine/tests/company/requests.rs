//! Requests from intake to their end, against the simulated vendor over real HTTP, on both databases.

use crate::support::{ANA, CONTACTS, Company, operator};
use habeas_domain::{Outcome, RequestState, Right, RunStatus};
use habeas_testing::{TestDatabase, on_both_databases};

on_both_databases![
    an_access_request_collects_every_contact_and_waits_for_its_package,
    a_deletion_deletes_what_was_selected_and_proves_it,
    a_person_in_no_contact_is_told_so,
];

async fn an_access_request_collects_every_contact_and_waits_for_its_package(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.ask(Right::Access, ANA).await;
    assert_eq!(company.state(id).await, RequestState::Collecting);
    company.work().await;
    let request = company.request(id).await;
    assert_eq!(request.request.state, RequestState::Delivering);
    let runs = company.runs(id).await;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].run.status, RunStatus::Complete);
    // One of the two has the address only in its second place, in upper case.
    assert_eq!(runs[0].run.records_found, Some(2));
    assert!(company.calls(CONTACTS) > 0);
    let actor = operator();
    let delivered = company.delivered(id, "shop").await;
    assert_eq!(delivered.len(), 2);
    assert!(delivered[0].to_string().contains("Silva"));
    assert_eq!(company.request(id).await.request.outcome, Some(Outcome::Downloaded));
    assert!(company.casework.verify_audit(&actor, None).await.unwrap().valid);
}

async fn a_deletion_deletes_what_was_selected_and_proves_it(database: TestDatabase) {
    let company = Company::new(database).await;
    let email = ANA;
    let keys = company.sandbox.readycloud().contacts_with_email(email);
    assert_eq!(keys.len(), 2);
    let id = company.ask(Right::Deletion, email).await;
    company.work().await;
    let request = company.request(id).await;
    assert_eq!(request.request.state, RequestState::Closed);
    assert_eq!(request.request.outcome, Some(Outcome::Erased));
    assert!(company.sandbox.readycloud().contacts_with_email(email).is_empty());
    for key in keys {
        let counts = company.sandbox.calls().deletions_of("readycloud", &key);
        assert_eq!((counts.arrived, counts.effects), (1, 1));
    }
    let runs = company.runs(id).await;
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[1].run.deleted, Some(2));
    assert_eq!(runs[1].run.detail.sentence(), "2 records deleted; verified gone");
    assert!(runs[1].run.residuals.to_string().contains("orders"));
}

async fn a_person_in_no_contact_is_told_so(database: TestDatabase) {
    let company = Company::new(database).await;
    for right in [Right::Access, Right::Deletion] {
        let id = company.ask(right, "nobody@example.test").await;
        company.work().await;
        assert_eq!(company.request(id).await.request.outcome, Some(Outcome::NothingFound), "{right}");
    }
}
