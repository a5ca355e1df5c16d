//! What a slow, broken or hostile vendor does to requests: passing failures pass, lasting ones end at a person, and
//! nothing is deleted twice.

use std::collections::BTreeSet;

use habeas_domain::{Outcome, RequestId, RequestState, Right, RunStatus};
use habeas_sandbox::faults::{Fault, NOWHERE, Rule, When};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{
    CONTACTS, Company, PAGE_BY_PAGE, Setup, TOKEN, at_deletions, at_lists, operator, status,
};

on_both_databases![
    passing_failures_of_reading_are_retried_and_shown,
    lasting_failures_of_reading_end_at_a_person_who_retries,
    passing_failures_of_deleting_are_retried_or_reconciled,
    lasting_failures_of_deleting_end_at_a_person_who_retries,
    a_vendor_that_says_slow_down_is_waited_for_as_long_as_it_takes,
    a_contact_that_cannot_be_read_is_not_deleted,
    a_failure_that_has_passed_is_not_shown_any_more,
    a_person_may_cut_a_wait_short,
];

fn limited(retry_after: Option<u64>) -> Fault {
    Fault::RateLimited { retry_after }
}

/// More than the 32 MiB that an answer may have.
fn oversized(announced: bool) -> Fault {
    Fault::Oversized { bytes: 33 << 20, announced }
}

fn wrong_type() -> Fault {
    Fault::WrongContentType { content_type: "text/plain".to_owned() }
}

fn redirect() -> Fault {
    Fault::Redirect { location: format!("{NOWHERE}/?token=x") }
}

fn scope_missing() -> Fault {
    Fault::ScopeMissing { scope: "contact".to_owned() }
}

fn foreign_next() -> Fault {
    Fault::ForeignNext { base: NOWHERE.to_owned() }
}

/// Failures of reading after which trying again makes sense, with the code that people read.
fn passing() -> Vec<(Fault, &'static str)> {
    vec![
        (status(500), "vendor_unavailable"),
        (status(502), "vendor_unavailable"),
        (status(503), "vendor_unavailable"),
        (Fault::Status { code: 503, body: None, retry_after: Some(40) }, "vendor_unavailable"),
        (status(504), "vendor_unavailable"),
        (Fault::AnswerLost {}, "vendor_unavailable"),
        (Fault::DroppedBefore {}, "vendor_unavailable"),
        (Fault::Html { code: 502 }, "vendor_unavailable"),
        (Fault::Html { code: 200 }, "vendor_answer_unusable"),
        (Fault::Malformed {}, "vendor_answer_unusable"),
        (Fault::Truncated {}, "vendor_answer_unusable"),
        (oversized(true), "vendor_answer_unusable"),
        (oversized(false), "vendor_answer_unusable"),
        (wrong_type(), "vendor_answer_unusable"),
        (Fault::DeepJson { depth: 100_000 }, "vendor_answer_unusable"),
        (redirect(), "vendor_answer_unusable"),
    ]
}

/// Failures after which a person is asked at once.
fn hopeless() -> Vec<(Fault, &'static str)> {
    vec![
        (Fault::TokenExpired {}, "credentials_rejected"),
        (scope_missing(), "permissions_missing"),
        (foreign_next(), "vendor_answer_unusable"),
        (Fault::EndlessNext {}, "vendor_answer_unusable"),
        (status(400), "vendor_rejected_call"),
        (status(404), "vendor_answer_unusable"),
        (status(405), "vendor_refused"),
    ]
}

/// Somebody whom nobody asked about before.
fn somebody(company: &Company, number: usize) -> (String, String) {
    let email = format!("somebody.{number}@example.test");
    let contact = company.add_contact(&email);
    (email, contact)
}

/// A run that needs a person says what happened and what to do, without personal data or secrets.
async fn needs_a_person(company: &Company, id: RequestId, state: RequestState, code: &str, fault: &Fault) {
    let request = company.request(id).await;
    assert_eq!((request.request.state, request.attention), (state, 1), "{fault:?}");
    let run = company.last_run(id).await;
    assert_eq!(run.run.status, RunStatus::Attention, "{fault:?}");
    let failure = run.failure.unwrap();
    assert_eq!(failure.code, code, "{fault:?}");
    for text in [&failure.message, &failure.remedy] {
        assert!(text.len() > 15, "{fault:?}: {text}");
        assert!(!text.contains('@') && !text.contains(TOKEN), "{fault:?}: {text}");
    }
}

async fn retry(company: &Company, id: RequestId) {
    let run = company.last_run(id).await.run.id;
    company.casework.retry_run(&operator(), id, run).await.unwrap();
}

async fn passing_failures_of_reading_are_retried_and_shown(database: TestDatabase) {
    let company = Company::new(database).await;
    let limits = [(limited(None), "vendor_rate_limited"), (limited(Some(40)), "vendor_rate_limited")];
    for (number, (fault, code)) in passing().into_iter().chain(limits).enumerate() {
        let (email, _) = somebody(&company, number);
        company.fault(at_lists(fault.clone()).times(2));
        let id = company.ask(Right::Access, &email).await;
        for failures in 1..=2 {
            company.engine.work_until_idle().await;
            let next = company.next_operation().await.unwrap();
            let sentence = format!("retrying, attempt {} at {next}", failures + 1);
            assert_eq!(company.sentence(id).await, sentence, "{fault:?}");
            let run = company.last_run(id).await;
            assert_eq!((run.run.attempts, run.run.next_at), (failures, Some(next)), "{fault:?}");
            assert_eq!(run.failure.unwrap().code, code, "{fault:?}");
            assert_eq!(company.request(id).await.attention, 0, "{fault:?}");
            if matches!(
                fault,
                Fault::RateLimited { retry_after: Some(_) } | Fault::Status { retry_after: Some(_), .. }
            ) {
                assert!(next.duration_since(company.time.now()).as_secs() >= 40, "{fault:?}");
            }
            company.let_wait_pass().await;
        }
        company.work().await;
        assert_eq!(company.state(id).await, RequestState::Delivering, "{fault:?}");
        let run = company.last_run(id).await;
        assert_eq!(run.run.records_found, Some(1), "{fault:?}");
        assert_eq!(run.failure, None, "{fault:?}");
        company.sandbox.faults().clear();
    }
    // Slowness alone is no failure.
    let (email, _) = somebody(&company, 100);
    company.fault(at_lists(Fault::Latency { ms: 20 }));
    let id = company.ask(Right::Access, &email).await;
    company.engine.work_until_idle().await;
    assert_eq!(company.state(id).await, RequestState::Delivering);
}

async fn lasting_failures_of_reading_end_at_a_person_who_retries(database: TestDatabase) {
    let company = Company::new(database).await;
    let rows = passing().into_iter().map(|row| (row, 12)).chain(hopeless().into_iter().map(|row| (row, 1)));
    for (number, ((fault, code), attempts)) in rows.enumerate() {
        let (email, _) = somebody(&company, number);
        company.sandbox.calls().reset();
        company.fault(at_lists(fault.clone()));
        let id = company.ask(Right::Access, &email).await;
        company.work().await;
        needs_a_person(&company, id, RequestState::Collecting, code, &fault).await;
        assert_eq!(company.calls(CONTACTS), attempts, "{fault:?}");
        assert_eq!(u64::from(company.last_run(id).await.run.attempts), attempts, "{fault:?}");
        company.sandbox.faults().clear();
        retry(&company, id).await;
        assert_eq!(company.request(id).await.attention, 0, "{fault:?}");
        company.work().await;
        assert_eq!(company.state(id).await, RequestState::Delivering, "{fault:?}");
        assert_eq!(company.last_run(id).await.run.records_found, Some(1), "{fault:?}");
    }
}

/// What two such faults in a row do to a deletion.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Effect {
    /// The vendor's answer does not matter: its status said enough.
    None,
    /// Nothing happened at the vendor, and we know it: sent again.
    Retried,
    /// Whether anything happened is unknown; the vendor is asked, still has it, and it is sent again.
    AskedAndSentAgain,
    /// The same, but the vendor has nothing any more: never sent again.
    Reconciled,
}

fn deletion_faults() -> Vec<(Rule, Effect)> {
    let at = at_deletions;
    vec![
        (at(Fault::Latency { ms: 20 }), Effect::None),
        (at(Fault::Malformed {}), Effect::None),
        (at(wrong_type()), Effect::None),
        (at(Fault::DeepJson { depth: 100_000 }), Effect::None),
        (at(Fault::Html { code: 200 }).when(When::After), Effect::None),
        (at(foreign_next()), Effect::None),
        (at(Fault::EndlessNext {}), Effect::None),
        (at(limited(None)), Effect::Retried),
        (at(limited(Some(40))), Effect::Retried),
        (at(redirect()), Effect::Retried),
        (at(status(500)), Effect::AskedAndSentAgain),
        (at(status(502)), Effect::AskedAndSentAgain),
        (at(status(503)), Effect::AskedAndSentAgain),
        (at(status(504)), Effect::AskedAndSentAgain),
        (at(Fault::Html { code: 502 }), Effect::AskedAndSentAgain),
        (at(Fault::DroppedBefore {}), Effect::AskedAndSentAgain),
        (at(status(500)).when(When::After), Effect::Reconciled),
        (at(status(504)).when(When::After), Effect::Reconciled),
        (at(Fault::AnswerLost {}), Effect::Reconciled),
        (at(Fault::Truncated {}), Effect::Reconciled),
        (at(oversized(true)), Effect::Reconciled),
        (at(oversized(false)), Effect::Reconciled),
    ]
}

async fn passing_failures_of_deleting_are_retried_or_reconciled(database: TestDatabase) {
    let company = Company::new(database).await;
    for (number, (rule, effect)) in deletion_faults().into_iter().enumerate() {
        let (email, contact) = somebody(&company, number);
        company.fault(rule.clone().times(2));
        let id = company.ask(Right::Deletion, &email).await;
        company.engine.work_until_idle().await;
        let sentence = company.sentence(id).await;
        let next = company.next_operation().await.map_or_else(String::new, |next| next.to_string());
        let lost = format!("the answer to a deletion was lost; asking the system what it holds at {next}");
        let (expected, deletions) = match effect {
            Effect::None => ("1 record deleted; verified gone".to_owned(), (1, 1)),
            Effect::Retried => (format!("retrying, attempt 2 at {next}"), (3, 1)),
            Effect::AskedAndSentAgain => (lost, (3, 1)),
            Effect::Reconciled => (lost, (1, 1)),
        };
        assert_eq!(sentence, expected, "{rule:?}");
        company.work().await;
        assert_eq!(company.outcome(id).await, Some(Outcome::Erased), "{rule:?}");
        assert_eq!(company.deletions_of(&contact), deletions, "{rule:?}");
        assert_eq!(company.sentence(id).await, "1 record deleted; verified gone", "{rule:?}");
        company.sandbox.faults().clear();
    }
}

async fn lasting_failures_of_deleting_end_at_a_person_who_retries(database: TestDatabase) {
    let company = Company::new(database).await;
    let at = at_deletions;
    let rows = [
        (at(status(500)), "vendor_unavailable", 12),
        (at(status(504)), "vendor_unavailable", 12),
        (at(Fault::DroppedBefore {}), "vendor_unavailable", 12),
        (at(redirect()), "vendor_answer_unusable", 12),
        (at(Fault::TokenExpired {}), "credentials_rejected", 1),
        (at(scope_missing()), "permissions_missing", 1),
        (at(status(400)), "vendor_rejected_call", 1),
        (at(status(405)), "vendor_refused", 1),
        (at(status(423)), "vendor_refused", 1),
    ];
    for (number, (rule, code, attempts)) in rows.into_iter().enumerate() {
        let (email, contact) = somebody(&company, number);
        company.fault(rule.clone());
        let id = company.ask(Right::Deletion, &email).await;
        company.work().await;
        needs_a_person(&company, id, RequestState::Erasing, code, &rule.fault).await;
        assert_eq!(company.deletions_of(&contact), (attempts, 0), "{rule:?}");
        company.sandbox.faults().clear();
        retry(&company, id).await;
        company.work().await;
        assert_eq!(company.outcome(id).await, Some(Outcome::Erased), "{rule:?}");
        assert_eq!(company.deletions_of(&contact), (attempts + 1, 1), "{rule:?}");
    }
    // An answer that is lost again and again is no lasting failure: asking shows that it is done.
    let (email, contact) = somebody(&company, 100);
    company.fault(at(Fault::AnswerLost {}));
    let id = company.ask(Right::Deletion, &email).await;
    company.work().await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
    assert_eq!(company.deletions_of(&contact), (1, 1));
}

async fn a_vendor_that_says_slow_down_is_waited_for_as_long_as_it_takes(database: TestDatabase) {
    let company = Company::new(database).await;
    let (email, contact) = somebody(&company, 1);
    company.fault(at_lists(limited(Some(5))).times(30));
    company.fault(at_deletions(limited(None)).times(30));
    let id = company.ask(Right::Deletion, &email).await;
    let began = company.time.now();
    company.work().await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
    assert_eq!(company.deletions_of(&contact), (31, 1));
    // Far more attempts than any other failure is given, each after a longer wait.
    assert!(company.time.now().duration_since(began).as_secs() > 30 * 60);
}

async fn a_contact_that_cannot_be_read_is_not_deleted(database: TestDatabase) {
    let company = Company::new(database).await;
    let faults = [
        (status(500), "vendor_unavailable"),
        (Fault::Malformed {}, "vendor_answer_unusable"),
        (Fault::Html { code: 200 }, "vendor_answer_unusable"),
        (status(403), "permissions_missing"),
    ];
    for (number, (fault, code)) in faults.into_iter().enumerate() {
        let (email, contact) = somebody(&company, number);
        let id = company.ask_with_review(Right::Deletion, &email).await;
        company.work().await;
        company.fault(
            Rule::new("readycloud", fault.clone())
                .method("GET")
                .path_contains(format!("/contacts/{contact}/")),
        );
        company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
        company.work().await;
        needs_a_person(&company, id, RequestState::Erasing, code, &fault).await;
        assert_eq!(company.deletions_of(&contact), (0, 0), "{fault:?}");
        company.sandbox.faults().clear();
        retry(&company, id).await;
        company.work().await;
        assert_eq!(company.outcome(id).await, Some(Outcome::Erased), "{fault:?}");
        assert_eq!(company.deletions_of(&contact), (1, 1), "{fault:?}");
    }
}

async fn a_failure_that_has_passed_is_not_shown_any_more(database: TestDatabase) {
    let company = Company::with(database, Setup { budget: Some(PAGE_BY_PAGE), ..Setup::default() }).await;
    let emails = company.add_people("subject", 300);
    company.fault(at_lists(status(503)).skip(1).times(1));
    let id = company.ask(Right::Access, &emails[299]).await;
    while !company.sentence(id).await.starts_with("retrying") {
        company.engine.work_until_idle().await;
        company.let_wait_pass().await;
    }
    assert_eq!(company.calls(CONTACTS), 2);
    while company.calls(CONTACTS) < 3 {
        company.engine.work_until_idle().await;
        company.let_wait_pass().await;
    }
    let run = company.last_run(id).await;
    assert_eq!(run.run.status, RunStatus::Processing);
    assert_eq!(run.run.detail.sentence(), "reading the system's records");
    assert_eq!((run.failure, run.run.next_at), (None, None));
}

async fn a_person_may_cut_a_wait_short(database: TestDatabase) {
    let company = Company::new(database).await;
    let slow = || Fault::Status { code: 503, body: None, retry_after: Some(600) };
    let (email, contact) = somebody(&company, 1);
    for rule in [at_lists(slow()), at_deletions(limited(Some(600)))] {
        company.fault(rule.times(1));
    }
    let id = company.ask(Right::Deletion, &email).await;
    for _ in 0..2 {
        company.engine.work_until_idle().await;
        assert!(company.sentence(id).await.starts_with("retrying, attempt 2"));
        let wait = company.next_operation().await.unwrap().duration_since(company.time.now());
        assert_eq!(wait.as_secs(), 600);
        retry(&company, id).await;
        assert_eq!(company.next_operation().await, Some(company.time.now()));
    }
    // The vendor's own wait for the whole account is kept all the same.
    company.engine.work_until_idle().await;
    assert_eq!(company.deletions_of(&contact), (1, 0));
    company.work().await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
    assert_eq!(company.deletions_of(&contact), (2, 1));
}
