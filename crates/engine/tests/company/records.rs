//! A deletion record by record: what happens to one does not happen to the others.

use std::collections::BTreeSet;

use habeas_domain::{Outcome, RequestState, Right, RunStatus};
use habeas_sandbox::readycloud::fixtures;
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{ANA, Company, Setup, at_deletions, operator, status};

on_both_databases![
    a_failure_between_two_records_does_not_repeat_the_first,
    orders_are_delivered_where_the_grant_reaches_them,
    a_record_that_cannot_be_deleted_does_not_keep_the_others,
];

const WITH_ORDERS: Setup = Setup { token: fixtures::ORDERS_TOKEN, ..Setup::USUAL };

async fn a_failure_between_two_records_does_not_repeat_the_first(database: TestDatabase) {
    let company = Company::new(database).await;
    let contacts = company.sandbox.readycloud().contacts_with_email(ANA);
    company.fault(at_deletions(status(500)).skip(1).times(3));
    let id = company.ask(Right::Deletion, ANA).await;
    company.work().await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
    assert_eq!(company.sentence(id).await, "2 records deleted; verified gone");
    let mut deletions: Vec<_> = contacts.iter().map(|contact| company.deletions_of(contact)).collect();
    deletions.sort_unstable();
    assert_eq!(deletions, [(1, 1), (4, 1)]);
}

async fn orders_are_delivered_where_the_grant_reaches_them(database: TestDatabase) {
    let company = Company::with(database, WITH_ORDERS).await;
    let id = company.ask(Right::Access, ANA).await;
    company.work().await;
    assert_eq!(company.state(id).await, RequestState::Delivering);
    let records = company.records(id).await;
    let of_kind = |kind: &str| records.iter().filter(|one| one.content.kind == kind).count();
    assert_eq!((of_kind("contact"), of_kind("order")), (2, 3));
}

async fn a_record_that_cannot_be_deleted_does_not_keep_the_others(database: TestDatabase) {
    let company = Company::with(database, WITH_ORDERS).await;
    let contacts = company.sandbox.readycloud().contacts_with_email(ANA);
    let id = company.ask_with_review(Right::Deletion, ANA).await;
    company.work().await;
    company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    company.work().await;
    for contact in &contacts {
        assert_eq!(company.deletions_of(contact), (1, 1));
    }
    // The orders are left for a person.
    let run = company.last_run(id).await;
    assert_eq!(run.run.status, RunStatus::Attention);
    assert_eq!(run.failure.unwrap().code, "vendor_refused");
    let reason = "the orders were removed by hand".to_owned();
    company.casework.skip_run(&operator(), id, run.run.id, reason).await.unwrap();
    assert_eq!(company.outcome(id).await, Some(Outcome::ErasedWithExceptions));
    for contact in &contacts {
        assert_eq!(company.deletions_of(contact), (1, 1));
    }
}
