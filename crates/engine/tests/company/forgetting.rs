//! Habeas must forget too: what was found, then who asked, and the log stays whole.

use std::collections::BTreeSet;

use habeas_casework::CaseworkError;
use habeas_domain::{Outcome, RequestId, RequestState, Right};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{ANA, Company, operator};

on_both_databases![
    closing_a_deletion_destroys_what_was_found_at_once,
    what_an_access_found_is_destroyed_thirty_days_after_it_closed,
    who_asked_is_forgotten_after_two_years_and_the_log_still_proves_what_happened,
    what_is_open_is_never_forgotten,
];

/// Which keys of a request are left.
async fn keys(company: &Company, id: RequestId) -> Vec<String> {
    let query = format!("SELECT purpose FROM data_keys WHERE owner = '{id}' ORDER BY purpose");
    company.database.raw().await.texts(query).await
}

async fn rows(company: &Company, table: &str) -> i64 {
    let query = format!("SELECT CAST(count(*) AS BIGINT) FROM {table}");
    company.database.raw().await.number(query).await
}

async fn forget(company: &Company) -> usize {
    company.casework.forget_what_is_due().await.unwrap()
}

fn is_forgotten<T: std::fmt::Debug>(result: Result<T, CaseworkError>) -> bool {
    match result {
        Err(CaseworkError::Forgotten(sentence)) => sentence.contains("destroyed"),
        _ => false,
    }
}

async fn an_access_that_is_closed(company: &Company) -> RequestId {
    let id = company.ask(Right::Access, ANA).await;
    company.work().await;
    company.package(id).await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Downloaded));
    id
}

async fn closing_a_deletion_destroys_what_was_found_at_once(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.ask_with_review(Right::Deletion, ANA).await;
    company.work().await;
    assert_eq!((rows(&company, "records").await, keys(&company, id).await.len()), (2, 2));
    company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    company.work().await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
    assert_eq!(rows(&company, "records").await, 0);
    assert_eq!(keys(&company, id).await, ["case"]);
    assert!(is_forgotten(company.casework.records(&operator(), id, None, 9).await));
    // What was done is still told.
    assert_eq!(company.sentence(id).await, "2 records deleted; verified gone");
    assert!(company.request(id).await.details.is_some());
    assert!(company.audit_is_whole().await);
}

async fn what_an_access_found_is_destroyed_thirty_days_after_it_closed(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = an_access_that_is_closed(&company).await;
    company.time.advance_days(29);
    assert_eq!(forget(&company).await, 0);
    company.package(id).await;
    assert_eq!(company.records(id).await.len(), 2);
    company.time.advance_days(1);
    assert_eq!(forget(&company).await, 1);
    assert_eq!(forget(&company).await, 0, "once");
    assert_eq!(keys(&company, id).await, ["case"]);
    assert_eq!((rows(&company, "records").await, rows(&company, "packages").await), (0, 0));
    assert!(is_forgotten(company.casework.package(&operator(), id, 0).await));
    assert!(is_forgotten(company.casework.records(&operator(), id, None, 9).await));
    assert_eq!(company.found_by(ANA).await, [id], "that they asked is known");
    assert!(company.audit_is_whole().await);
}

async fn who_asked_is_forgotten_after_two_years_and_the_log_still_proves_what_happened(
    database: TestDatabase,
) {
    let company = Company::new(database).await;
    let access = an_access_that_is_closed(&company).await;
    let deletion = company.ask(Right::Deletion, ANA).await;
    company.work().await;
    let denied = company.ask(Right::Access, "jo+shop@example.test").await;
    company.casework.withdraw(&operator(), denied).await.unwrap();
    company.time.advance_days(31);
    forget(&company).await;
    let history = company.history(access).await;

    company.time.advance_days(24 * 30);
    let early = forget(&company).await;
    company.time.advance_days(20);
    assert_eq!(early + forget(&company).await, 3);
    for (id, email) in [(access, ANA), (deletion, ANA), (denied, "jo+shop@example.test")] {
        let request = company.request(id).await;
        assert!(request.details.is_none(), "nobody knows who it was");
        assert_eq!(request.request.state, RequestState::Closed);
        assert!(request.request.outcome.is_some());
        assert!(company.found_by(email).await.is_empty());
        assert!(keys(&company, id).await.is_empty());
        let run = company.last_run(id).await;
        assert!(run.failure.is_none() && run.note.is_none());
    }
    assert!(is_forgotten(company.casework.package(&operator(), access, 0).await));
    let mut longer = history.clone();
    longer.push("request.case_destroyed".to_owned());
    assert_eq!(company.history(access).await, longer);
    assert!(company.audit_is_whole().await);
    // They may ask again.
    company.ask(Right::Access, ANA).await;
}

async fn what_is_open_is_never_forgotten(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.ask_with_review(Right::Deletion, ANA).await;
    company.work().await;
    company.time.advance_days(5 * 365);
    assert_eq!(forget(&company).await, 0);
    assert_eq!(company.records(id).await.len(), 2);
    company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    company.work().await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
}
