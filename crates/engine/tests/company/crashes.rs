//! Workers that die at every point, and workers that come back too late: everything ends as it should, nothing is
//! deleted twice, and whoever lost a lease changes nothing.

use std::collections::BTreeSet;

use habeas_casework::work::{Assignment, Finding, PageReport, PassContinues, Report};
use habeas_domain::operation::OperationStatus;
use habeas_domain::{Outcome, RequestId, RequestState, Right, RunId};
use habeas_integrations::{Connector, Cursor, Deleted, Subject};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{ANA, CONTACT, CONTACTS, Company, DELETE, LEASE, LEASE_MS, operator};

on_both_databases![
    a_worker_that_dies_before_its_first_call_costs_nothing,
    a_worker_that_dies_after_the_effect_is_followed_by_one_that_asks,
    a_worker_that_dies_between_two_records_is_followed_by_one_that_does_the_other,
    a_worker_that_dies_after_noting_everything_is_followed_by_one_that_calls_nobody,
    a_pass_goes_on_at_the_page_where_its_worker_died,
    what_is_leased_is_claimed_by_nobody_else,
    a_late_worker_changes_nothing,
    a_report_that_is_written_twice_changes_nothing_the_second_time,
    whichever_call_a_worker_dies_at_a_deletion_happens_once,
    whichever_call_a_worker_dies_at_an_access_finds_everything,
];

/// A request whose two records are about to be deleted; nobody has claimed the work yet.
async fn about_to_delete(company: &Company) -> (RequestId, Vec<String>) {
    let contacts = company.sandbox.readycloud().contacts_with_email(ANA);
    let id = company.ask_with_review(Right::Deletion, ANA).await;
    company.work().await;
    company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    company.sandbox.calls().reset();
    (id, contacts)
}

async fn claim_one(company: &Company) -> Assignment {
    let mut claimed = company.claim().await.assignments;
    assert_eq!(claimed.len(), 1);
    claimed.pop().unwrap()
}

/// The lease runs out and another process does what is left.
async fn another_takes_over(company: &Company) {
    let process = company.another_process().await;
    company.work_of(&process).await;
}

async fn everything_is_deleted_once(company: &Company, id: RequestId, contacts: &[String]) {
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
    assert_eq!(company.sentence(id).await, "2 records deleted; verified gone");
    for contact in contacts {
        assert_eq!(company.deletions_of(contact), (1, 1));
    }
    assert!(company.audit_is_whole().await);
}

async fn a_worker_that_dies_before_its_first_call_costs_nothing(database: TestDatabase) {
    let company = Company::new(database).await;
    let (id, contacts) = about_to_delete(&company).await;
    let died = claim_one(&company).await;
    assert_eq!(died.operation.status, OperationStatus::Sent, "the intent is on record");
    assert_eq!(died.targets.len(), 2);
    another_takes_over(&company).await;
    everything_is_deleted_once(&company, id, &contacts).await;
}

async fn a_worker_that_dies_after_the_effect_is_followed_by_one_that_asks(database: TestDatabase) {
    let company = Company::new(database).await;
    let (id, contacts) = about_to_delete(&company).await;
    let died = claim_one(&company).await;
    let connector = company.connector().await;
    let subject = &died.members[0].subject;
    for target in &died.targets {
        let deleted = connector.delete_record(subject, &target.vendor_id).await.unwrap();
        assert_eq!(deleted, Deleted::Deleted);
    }
    company.time.advance(LEASE);
    let second = claim_one(&company).await;
    assert_eq!(second.operation.status, OperationStatus::Unknown, "nobody knows what was sent");
    assert_eq!(second.targets.len(), 2);
    another_takes_over(&company).await;
    assert_eq!((company.calls(CONTACT), company.calls(DELETE)), (4, 2));
    everything_is_deleted_once(&company, id, &contacts).await;
}

async fn a_worker_that_dies_between_two_records_is_followed_by_one_that_does_the_other(
    database: TestDatabase,
) {
    let company = Company::new(database).await;
    let (id, contacts) = about_to_delete(&company).await;
    let died = claim_one(&company).await;
    delete_and_note(&company, &died, 1).await;
    another_takes_over(&company).await;
    assert_eq!((company.calls(CONTACT), company.calls(DELETE)), (2, 2));
    everything_is_deleted_once(&company, id, &contacts).await;
}

async fn a_worker_that_dies_after_noting_everything_is_followed_by_one_that_calls_nobody(
    database: TestDatabase,
) {
    let company = Company::new(database).await;
    let (id, contacts) = about_to_delete(&company).await;
    let died = claim_one(&company).await;
    delete_and_note(&company, &died, 2).await;
    another_takes_over(&company).await;
    assert_eq!((company.calls(CONTACT), company.calls(DELETE)), (2, 2));
    everything_is_deleted_once(&company, id, &contacts).await;
}

async fn delete_and_note(company: &Company, assignment: &Assignment, records: usize) {
    let connector = company.connector().await;
    for target in &assignment.targets[..records] {
        let subject = &assignment.members[0].subject;
        let deleted = connector.delete_record(subject, &target.vendor_id).await.unwrap();
        let lease = &assignment.lease;
        assert!(company.casework.note_deletion(lease, target.record, deleted, LEASE_MS).await.unwrap());
    }
}

/// Reads the next page as a worker would, without writing it down.
pub(crate) async fn read_page(
    connector: &dyn Connector,
    assignment: &mut Assignment,
    cursor: &mut Option<Cursor>,
) -> PageReport {
    let subjects: Vec<Subject> = assignment.members.iter().map(|member| member.subject.clone()).collect();
    let page = connector.scan(cursor.as_ref(), &subjects).await.unwrap();
    let is_last = page.next.is_none();
    *cursor = page.next;
    let operation = &mut assignment.operation;
    (operation.pass, operation.page) =
        if is_last { (operation.pass + 1, 0) } else { (operation.pass, operation.page + 1) };
    operation.position = Some(serde_json::json!({"cursor": cursor, "residuals": []}));
    let runs: Vec<RunId> = assignment.members.iter().map(|member| member.run).collect();
    PageReport {
        lease: assignment.lease.clone(),
        operation: operation.clone(),
        matches: page.matches.into_iter().map(|found| (runs[found.subject], found.record)).collect(),
        residuals: Vec::new(),
        finished: if is_last { runs } else { Vec::new() },
        lease_milliseconds: LEASE_MS,
    }
}

pub(crate) fn copy(report: &PageReport) -> PageReport {
    PageReport {
        lease: report.lease.clone(),
        operation: report.operation.clone(),
        matches: report.matches.clone(),
        residuals: report.residuals.clone(),
        finished: report.finished.clone(),
        lease_milliseconds: report.lease_milliseconds,
    }
}

async fn a_pass_goes_on_at_the_page_where_its_worker_died(database: TestDatabase) {
    let company = Company::new(database).await;
    let emails = company.add_people("subject", 300);
    company.ask(Right::Access, &emails[0]).await;
    company.work().await;
    let pages = company.calls(CONTACTS);
    for written in 1..=pages {
        company.sandbox.calls().reset();
        // One whose contact comes early, one whose comes late.
        let ids = company.ask_for_all(Right::Access, &[emails[1].clone(), emails[299].clone()]).await;
        let mut died = claim_one(&company).await;
        let connector = company.connector().await;
        let mut cursor = None;
        // The first step reads the organisations. The last page read is never written.
        for _ in 0..written {
            let report = read_page(connector.as_ref(), &mut died, &mut cursor).await;
            let continues = company.casework.report_page(report).await.unwrap();
            assert!(matches!(continues, PassContinues::With { .. }));
        }
        read_page(connector.as_ref(), &mut died, &mut cursor).await;
        another_takes_over(&company).await;
        assert_eq!(company.calls(CONTACTS), pages + 1, "died after page {written}");
        for id in ids {
            assert_eq!(company.state(id).await, RequestState::Delivering);
            assert_eq!(company.last_run(id).await.run.records_found, Some(1), "died after page {written}");
            company.casework.withdraw(&operator(), id).await.unwrap();
        }
    }
}

async fn what_is_leased_is_claimed_by_nobody_else(database: TestDatabase) {
    let company = Company::new(database).await;
    about_to_delete(&company).await;
    let _held = claim_one(&company).await;
    let process = company.another_process().await;
    process.engine.work_until_idle().await;
    assert!(company.claim().await.assignments.is_empty());
    assert_eq!(company.all_calls(), 0);
}

async fn a_late_worker_changes_nothing(database: TestDatabase) {
    let company = Company::new(database).await;
    // It read a page of a pass, and another worker finished the pass meanwhile.
    let id = company.ask_with_review(Right::Deletion, ANA).await;
    let mut reading = claim_one(&company).await;
    let connector = company.connector().await;
    let mut cursor = None;
    let late_page = read_page(connector.as_ref(), &mut reading, &mut cursor).await;
    company.time.advance(LEASE);
    let overtaken = claim_one(&company).await;
    let late_failure = Finding::Failed(habeas_casework::RunFailure::from(
        &connector.scan(Some(&Cursor(0.into())), &[]).await.unwrap_err(),
    ));
    let before = company.dump().await;
    let continues = company.casework.report_page(copy(&late_page)).await.unwrap();
    assert!(matches!(continues, PassContinues::LeaseLost));
    let (lease, operation) = (reading.lease.clone(), reading.operation.clone());
    company.casework.report_shared_failure(lease, operation, late_failure.clone()).await.unwrap();
    assert_eq!(company.dump().await, before, "while another holds the work");
    drop(overtaken);
    another_takes_over(&company).await;
    assert_eq!(company.state(id).await, RequestState::Review);
    let before = company.dump().await;
    let continues = company.casework.report_page(late_page).await.unwrap();
    assert!(matches!(continues, PassContinues::LeaseLost));
    let (lease, operation) = (reading.lease, reading.operation);
    company.casework.report_shared_failure(lease, operation, late_failure.clone()).await.unwrap();
    assert_eq!(company.dump().await, before, "after the work is over");

    // It deleted, and another worker did so meanwhile.
    company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    let deleting = claim_one(&company).await;
    company.time.advance(LEASE);
    let overtaken = claim_one(&company).await;
    let before = company.dump().await;
    late_reports(&company, &deleting, &late_failure).await;
    assert_eq!(company.dump().await, before, "while another holds the work");
    drop(overtaken);
    another_takes_over(&company).await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
    let before = company.dump().await;
    late_reports(&company, &deleting, &late_failure).await;
    assert_eq!(company.dump().await, before, "after the work is over");
}

/// Everything that a worker with a deletion might still want to write.
async fn late_reports(company: &Company, assignment: &Assignment, failure: &Finding) {
    let lease = &assignment.lease;
    for target in &assignment.targets {
        let held = company.casework.note_deletion(lease, target.record, Deleted::AlreadyGone, LEASE_MS).await;
        assert!(!held.unwrap());
    }
    let extended = company.casework.extend_leases(vec![(lease.id, lease.fence)], LEASE_MS).await.unwrap();
    assert!(extended.held.is_empty() && extended.renewed.is_empty());
    let Finding::Failed(failed) = failure.clone() else { unreachable!() };
    let at = company.time.now();
    for finding in [
        Finding::Deleted { prove: false, residuals: Vec::new() },
        Finding::Deleted { prove: true, residuals: Vec::new() },
        Finding::Retry { failure: failed, at, unknown: true },
        Finding::Released { at },
        failure.clone(),
    ] {
        let report = Report::whole(assignment.clone(), finding);
        company.casework.settle(vec![report]).await.unwrap();
    }
}

async fn a_report_that_is_written_twice_changes_nothing_the_second_time(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.ask_with_review(Right::Deletion, ANA).await;
    let mut reading = claim_one(&company).await;
    let connector = company.connector().await;
    let mut cursor = None;
    loop {
        let report = read_page(connector.as_ref(), &mut reading, &mut cursor).await;
        let again = copy(&report);
        let is_last = !report.finished.is_empty();
        company.casework.report_page(report).await.unwrap();
        let before = company.dump().await;
        company.casework.report_page(again).await.unwrap();
        assert_eq!(company.dump().await, before);
        if is_last {
            break;
        }
    }
    assert_eq!(company.state(id).await, RequestState::Review);
    assert_eq!(company.records(id).await.len(), 2);
    company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    let deleting = claim_one(&company).await;
    for target in &deleting.targets {
        let deleted = connector.delete_record(&deleting.members[0].subject, &target.vendor_id).await.unwrap();
        for _ in 0..2 {
            let noted = company.casework.note_deletion(&deleting.lease, target.record, deleted, LEASE_MS);
            assert!(noted.await.unwrap());
        }
    }
    let finding = Finding::Deleted { prove: true, residuals: Vec::new() };
    let report = Report::whole(deleting, finding);
    company.casework.settle(vec![report.clone()]).await.unwrap();
    let before = company.dump().await;
    company.casework.settle(vec![report.clone()]).await.unwrap();
    assert_eq!(company.dump().await, before);
    company.work().await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
    let before = company.dump().await;
    company.casework.settle(vec![report]).await.unwrap();
    assert_eq!(company.dump().await, before);
}

/// Lets a process work until the vendor has received `calls` calls, and kills it there.
async fn die_at(company: &Company, calls: u64) {
    let engine = company.engine.clone();
    let working = tokio::spawn(async move { engine.work_until_idle().await });
    company.sandbox.calls().wait_until(|log| log.summary().total >= calls || working.is_finished()).await;
    working.abort();
    let _ = working.await;
    another_takes_over(company).await;
}

async fn whichever_call_a_worker_dies_at_a_deletion_happens_once(database: TestDatabase) {
    let company = Company::new(database).await;
    company.add_contact("first@example.test");
    company.ask(Right::Deletion, "first@example.test").await;
    company.work().await;
    let calls = company.all_calls();
    assert_eq!(calls, 9);
    for call in 1..=calls {
        let email = format!("leaver.{call}@example.test");
        let contact = company.add_contact(&email);
        let id = company.ask(Right::Deletion, &email).await;
        company.sandbox.calls().reset();
        die_at(&company, call).await;
        assert_eq!(company.outcome(id).await, Some(Outcome::Erased), "died at call {call}");
        assert_eq!(company.sentence(id).await, "1 record deleted; verified gone", "died at call {call}");
        let (arrived, effects) = company.deletions_of(&contact);
        assert_eq!(effects, 1, "died at call {call}");
        // A deletion that was under way when its worker died may not have been carried out; only then it is sent again.
        assert!(arrived == 1 || (arrived == 2 && call == 6), "died at call {call}: {arrived} deletions");
    }
    assert!(company.audit_is_whole().await);
}

async fn whichever_call_a_worker_dies_at_an_access_finds_everything(database: TestDatabase) {
    let company = Company::new(database).await;
    company.ask(Right::Access, ANA).await;
    company.work().await;
    let calls = company.all_calls();
    for call in 1..=calls {
        let email = format!("asker.{call}@example.test");
        company.add_contact(&email);
        company.add_contact(&email);
        let id = company.ask(Right::Access, &email).await;
        company.sandbox.calls().reset();
        die_at(&company, call).await;
        assert_eq!(company.state(id).await, RequestState::Delivering, "died at call {call}");
        assert_eq!(company.records(id).await.len(), 2, "died at call {call}");
    }
    assert!(company.audit_is_whole().await);
}
