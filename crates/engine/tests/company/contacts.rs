//! People at a system's owner: reminded, waited for, and never waited for in vain.

use std::collections::BTreeSet;
use std::time::Duration;

use habeas_casework::connections::{NewConnection, NewContact};
use habeas_casework::contacts::{Answer, AnsweredRecord, ContactAnswer, OnExpiry};
use habeas_domain::reason::HoldReason;
use habeas_domain::run::RunDetail;
use habeas_domain::{Outcome, RequestId, RequestState, Right, RunId, RunStatus};
use habeas_sandbox::faults::Rule;
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{ANA, CONTACTS, Company, DELETE, Setup, System, connection_to, operator, status};

on_both_databases![
    a_contact_is_reminded_and_then_a_person_decides,
    a_contact_that_is_silent_is_skipped_where_the_connection_says_so,
    an_answer_counts_however_late_it_comes,
    whoever_asks_again_gives_the_whole_time_again,
    a_system_without_an_address_waits_for_an_answer_by_hand,
    an_answer_takes_the_vendors_place_after_a_hand_over,
    a_deletion_that_is_under_way_can_be_handed_over,
    a_hold_stops_the_reminders_and_lifting_it_goes_on,
    an_answer_that_comes_under_a_hold_counts_when_it_is_lifted,
    whom_a_part_was_handed_over_to_is_asked_to_delete_it,
    what_the_vendor_gave_before_a_hand_over_is_not_forgotten,
    refusing_a_request_ends_the_waiting,
    two_systems_of_one_request_end_it_together,
];

const DAY: Duration = Duration::from_secs(86_400);

async fn company(database: TestDatabase) -> Company {
    Company::with(database, Setup::at(System::DirectContact)).await
}

/// Lets a day pass, as often as asked for, and the engine do what is due each day.
async fn days(company: &Company, days: u32) {
    for _ in 0..days {
        company.time.advance(DAY);
        company.engine.work_until_idle().await;
    }
}

fn answer(answer: Answer) -> ContactAnswer {
    let record = AnsweredRecord {
        kind: "letter".to_owned(),
        title: "A letter".to_owned(),
        fields: serde_json::Map::new(),
    };
    let records = if answer == Answer::Data { vec![record] } else { Vec::new() };
    ContactAnswer { answer, name: Some("Pat Owner".to_owned()), note: None, records, files: Vec::new() }
}

async fn run_of(company: &Company, id: RequestId) -> RunId {
    company.last_run(id).await.run.id
}

async fn give(company: &Company, id: RequestId, given: Answer) {
    let run = run_of(company, id).await;
    company.casework.answer_run(&operator(), id, run, answer(given)).await.unwrap();
}

async fn a_contact_is_reminded_and_then_a_person_decides(database: TestDatabase) {
    let company = company(database).await;
    let id = company.ask(Right::Access, ANA).await;
    days(&company, 11).await;
    let run = company.last_run(id).await.run;
    assert!(matches!(run.detail, RunDetail::WaitingForContact { reminders: 2, .. }), "{:?}", run.detail);
    days(&company, 4).await;
    let run = company.last_run(id).await;
    assert_eq!(run.run.status, RunStatus::Attention);
    assert_eq!(run.failure.unwrap().code, "contact_overdue");
    let history = company.history(id).await;
    assert_eq!(history.iter().filter(|kind| *kind == "contact.reminded").count(), 2);
    // Nobody is reminded any more.
    days(&company, 20).await;
    assert_eq!(company.history(id).await.len(), history.len());
    company.casework.skip_run(&operator(), id, run.run.id, "on leave".to_owned()).await.unwrap();
    assert_eq!(company.state(id).await, RequestState::Delivering);
    assert!(company.audit_is_whole().await);
}

async fn a_contact_that_is_silent_is_skipped_where_the_connection_says_so(database: TestDatabase) {
    let company = Company::new(database).await;
    let contact =
        NewContact { deadline_days: Some(3), on_expiry: Some(OnExpiry::Skip), ..NewContact::default() };
    let archive = NewConnection { contact, ..connection_to(System::DirectContact, "archive") };
    company.casework.add_connection(&operator(), archive).await.unwrap();
    let id = company.ask(Right::Access, ANA).await;
    company.work().await;
    assert_eq!(company.state(id).await, RequestState::Collecting, "the contact is waited for");
    days(&company, 3).await;
    let runs = company.runs(id).await;
    let silent = runs.iter().find(|run| run.connection_name == "archive").unwrap();
    assert_eq!((silent.run.status, &silent.run.detail), (RunStatus::Skipped, &RunDetail::ContactSilent));
    assert_eq!(company.state(id).await, RequestState::Delivering, "it goes on without");
}

async fn an_answer_counts_however_late_it_comes(database: TestDatabase) {
    let company = company(database).await;
    let id = company.ask_with_review(Right::Access, ANA).await;
    days(&company, 16).await;
    assert_eq!(company.last_run(id).await.run.status, RunStatus::Attention);
    give(&company, id, Answer::Data).await;
    let run = company.last_run(id).await;
    assert_eq!((run.run.status, run.run.records_found), (RunStatus::Complete, Some(1)));
    assert!(run.failure.is_none());
    assert_eq!(company.state(id).await, RequestState::Review);
    assert_eq!(company.next_contact().await, None, "nothing is due any more");
}

async fn whoever_asks_again_gives_the_whole_time_again(database: TestDatabase) {
    let company = company(database).await;
    let id = company.ask(Right::Access, ANA).await;
    days(&company, 16).await;
    let run = run_of(&company, id).await;
    company.casework.retry_run(&operator(), id, run).await.unwrap();
    days(&company, 13).await;
    let run = company.last_run(id).await.run;
    assert_eq!(run.status, RunStatus::Processing);
    // Trying again while it waits changes nothing about the deadline.
    company.casework.retry_run(&operator(), id, run.id).await.unwrap();
    assert!(matches!(company.last_run(id).await.run.detail, RunDetail::WaitingForContact { .. }));
    days(&company, 2).await;
    assert_eq!(company.last_run(id).await.run.status, RunStatus::Attention);
}

async fn a_system_without_an_address_waits_for_an_answer_by_hand(database: TestDatabase) {
    let company = Company::with(database, Setup::at(System::SegmentConfig)).await;
    let id = company.ask(Right::Access, ANA).await;
    days(&company, 12).await;
    let run = company.last_run(id).await.run;
    assert!(matches!(run.detail, RunDetail::WaitingForAnswer { .. }), "{:?}", run.detail);
    assert!(!company.history(id).await.contains(&"contact.reminded".to_owned()), "there is nobody to remind");
    give(&company, id, Answer::NothingHeld).await;
    assert_eq!(company.outcome(id).await, Some(Outcome::NothingFound));
    assert!(company.sandbox.segment_config().regulations().is_empty(), "the vendor has no API for it");
}

async fn an_answer_takes_the_vendors_place_after_a_hand_over(database: TestDatabase) {
    let company = Company::new(database).await;
    company.fault(Rule::new("readycloud", status(405)));
    let id = company.ask_with_review(Right::Access, ANA).await;
    company.work().await;
    let run = company.last_run(id).await.run;
    assert_eq!(run.status, RunStatus::Attention);
    company.casework.hand_over_run(&operator(), id, run.id, "owner@shop.example.test").await.unwrap();
    let handed = company.last_run(id).await;
    assert!(matches!(handed.run.detail, RunDetail::WaitingForContact { .. }));
    assert!(handed.failure.is_none());
    days(&company, 6).await;
    assert_eq!(company.calls(CONTACTS), 0, "the vendor is not asked any more, but for the daily check");
    assert!(!company.dump().await.iter().any(|row| row.contains("owner@shop")), "the address is sealed");
    give(&company, id, Answer::Data).await;
    assert_eq!(company.state(id).await, RequestState::Review);
}

async fn a_deletion_that_is_under_way_can_be_handed_over(database: TestDatabase) {
    let company = Company::with(database, Setup::at(System::Qualtrics)).await;
    let ids = company.ask_for_all(Right::Deletion, &[ANA.to_owned(), "nobody@example.test".to_owned()]).await;
    company.engine.work_until_idle().await;
    let run = company.last_run(ids[0]).await.run;
    assert_eq!(run.detail, RunDetail::Submitted);
    company.casework.hand_over_run(&operator(), ids[0], run.id, "owner@shop.example.test").await.unwrap();
    // Whoever shared the job goes on as before.
    company.work().await;
    assert_eq!(company.outcome(ids[1]).await, Some(Outcome::Erased));
    assert_eq!(company.outcome(ids[0]).await, None);
    give(&company, ids[0], Answer::Deleted).await;
    assert_eq!(company.outcome(ids[0]).await, Some(Outcome::Erased));
    assert_eq!(company.last_run(ids[0]).await.run.detail, RunDetail::DeletedByContact);
}

async fn a_hold_stops_the_reminders_and_lifting_it_goes_on(database: TestDatabase) {
    let company = company(database).await;
    let id = company.ask(Right::Access, ANA).await;
    days(&company, 4).await;
    company.casework.hold(&operator(), id, HoldReason::LegalHold, None).await.unwrap();
    days(&company, 30).await;
    let run = company.last_run(id).await.run;
    assert_eq!((run.status, &run.detail), (RunStatus::Processing, &RunDetail::Held));
    assert!(!company.history(id).await.contains(&"contact.reminded".to_owned()));
    company.casework.resume(&operator(), id).await.unwrap();
    days(&company, 4).await;
    let run = company.last_run(id).await.run;
    assert_eq!(run.status, RunStatus::Processing, "whoever is overdue after a hold has a few days left");
    days(&company, 2).await;
    assert_eq!(company.last_run(id).await.run.status, RunStatus::Attention);
    let asked = company.history(id).await.iter().filter(|kind| *kind == "contact.asked").count();
    assert_eq!(asked, 1, "nobody is asked twice");
}

async fn an_answer_that_comes_under_a_hold_counts_when_it_is_lifted(database: TestDatabase) {
    let company = company(database).await;
    let id = company.ask(Right::Access, ANA).await;
    company.casework.hold(&operator(), id, HoldReason::Other, None).await.unwrap();
    give(&company, id, Answer::NothingHeld).await;
    assert_eq!(company.state(id).await, RequestState::Collecting, "held");
    company.casework.resume(&operator(), id).await.unwrap();
    assert_eq!(company.outcome(id).await, Some(Outcome::NothingFound));
}

async fn whom_a_part_was_handed_over_to_is_asked_to_delete_it(database: TestDatabase) {
    let company = Company::new(database).await;
    company.fault(Rule::new("readycloud", status(405)).times(1));
    let id = company.ask_with_review(Right::Deletion, ANA).await;
    company.work().await;
    let run = run_of(&company, id).await;
    company.casework.hand_over_run(&operator(), id, run, "owner@shop.example.test").await.unwrap();
    give(&company, id, Answer::Data).await;
    company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    company.work().await;
    let erase = company.last_run(id).await.run;
    assert!(matches!(erase.detail, RunDetail::WaitingForContact { .. }), "{:?}", erase.detail);
    assert_eq!(company.calls(DELETE), 0, "the vendor is not asked to delete what the contact named");
    give(&company, id, Answer::Deleted).await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
}

async fn what_the_vendor_gave_before_a_hand_over_is_not_forgotten(database: TestDatabase) {
    let company = Company::new(database).await;
    let emails = company.add_people("crowd", 150);
    company.fault(Rule::new("readycloud", status(405)).path_contains("/contacts/?").skip(1));
    let id = company.ask_with_review(Right::Access, ANA).await;
    company.work().await;
    let run = company.last_run(id).await.run;
    assert_eq!(
        run.status,
        RunStatus::Attention,
        "the first page was read, the second cannot be: {}",
        emails.len()
    );
    company.casework.hand_over_run(&operator(), id, run.id, "owner@shop.example.test").await.unwrap();
    give(&company, id, Answer::NothingHeld).await;
    assert_eq!(company.state(id).await, RequestState::Review, "not `nothing_found`");
    assert_eq!(company.last_run(id).await.run.records_found, Some(2));
}

async fn refusing_a_request_ends_the_waiting(database: TestDatabase) {
    let company = company(database).await;
    let id = company.ask(Right::Access, ANA).await;
    company.casework.withdraw(&operator(), id).await.unwrap();
    let before = company.history(id).await.len();
    days(&company, 20).await;
    assert_eq!(company.history(id).await.len(), before, "nobody is reminded of what is over");
    let run = run_of(&company, id).await;
    assert!(company.casework.answer_run(&operator(), id, run, answer(Answer::Data)).await.is_err());
    assert_eq!(company.next_contact().await, None);
}

async fn two_systems_of_one_request_end_it_together(database: TestDatabase) {
    let company = Company::new(database).await;
    company.connect_to(System::DirectContact, "archive").await;
    let id = company.ask(Right::Deletion, ANA).await;
    company.work().await;
    assert_eq!(company.state(id).await, RequestState::Erasing, "the archive is waited for");
    let runs = company.runs(id).await;
    let waiting =
        runs.iter().find(|run| matches!(run.run.detail, RunDetail::WaitingForContact { .. })).unwrap();
    let deleted = answer(Answer::Deleted);
    company.casework.answer_run(&operator(), id, waiting.run.id, deleted).await.unwrap();
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
}
