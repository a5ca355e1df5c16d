//! Work that vendors do in their own time: what gathers goes out together, is followed together, and is never sent again
//! blindly.

use std::collections::BTreeSet;
use std::time::Duration;

use habeas_casework::intake::{GivenIdentifier, NewRequest};
use habeas_domain::capability::DeletionCompletion;
use habeas_domain::reason::Acknowledgement;
use habeas_domain::run::RunDetail;
use habeas_domain::{IdentifierType, Outcome, Phase, RequestId, RequestState, Right, RunStatus};
use habeas_sandbox::faults::{Fault, Rule};
use habeas_sandbox::qualtrics::fixtures::DIRECTORY;
use habeas_sandbox::qualtrics::{ContactSpec, KnobsPatch};
use habeas_sandbox::segment_config::{PublicKnobsPatch, RegulationPlan};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{ANA, Company, Setup, System, asking, operator, status};

on_both_databases![
    an_access_job_is_begun_followed_and_fetched,
    a_deletion_job_is_followed_to_its_end_and_proven,
    what_cannot_be_searched_is_not_called_proven,
    on_submit_the_run_is_complete_when_the_vendor_has_accepted,
    what_waits_together_goes_out_together,
    five_hundred_deletions_cost_one_look_per_page,
    twenty_thousand_identifiers_go_out_in_calls_that_the_vendor_takes,
    a_lost_answer_is_asked_about_and_nothing_is_sent_twice,
    a_lost_answer_of_segment_is_asked_about_as_well,
    a_lost_answer_of_segments_newer_api_is_asked_about_as_well,
    a_limit_is_waited_for_as_long_as_the_vendor_says,
    a_deletion_that_never_arrived_is_sent_once,
    one_bad_subject_does_not_hold_up_the_others,
    whoever_has_an_account_waits_for_a_person_and_nobody_else_does,
    what_is_acknowledged_in_the_review_is_not_asked_again,
    whoever_waited_for_a_person_is_erased_although_somebody_else_was,
    only_verified_identifiers_lead_to_a_deletion_and_prove_it,
    a_retry_does_not_ask_before_the_vendor_can_know,
    whom_nobody_knew_is_told_so,
    systems_that_did_not_delete_are_exceptions,
    a_job_that_failed_waits_for_a_person_who_begins_another,
    a_job_that_the_vendor_forgot_is_unknown,
    a_job_that_takes_too_long_asks_a_person,
    a_vendor_that_is_away_does_not_make_its_jobs_fail,
    an_index_that_lags_behind_is_waited_for,
    whoever_is_found_after_the_index_had_its_time_is_still_there,
    the_monthly_quota_counts_what_was_sent,
];

const ERASURES: &str = "GET /API/v3/op-erase-personal-data";
const ERASE: &str = "POST /API/v3/op-erase-personal-data";

async fn qualtrics(database: TestDatabase) -> Company {
    Company::with(database, Setup::at(System::Qualtrics)).await
}

async fn segment(database: TestDatabase) -> Company {
    Company::with(database, Setup::at(System::SegmentConfig)).await
}

fn calls(company: &Company, vendor: &str, route: &str) -> u64 {
    company.sandbox.calls().count(vendor, route)
}

/// As many people as asked for, each in one contact.
fn add_people(company: &Company, group: &str, people: usize) -> Vec<String> {
    let emails: Vec<String> = (0..people).map(|number| format!("{group}.{number}@example.test")).collect();
    for email in &emails {
        let contact = ContactSpec { email: Some(email.clone()), ..ContactSpec::default() };
        company.sandbox.qualtrics().add_contact(contact).unwrap();
    }
    emails
}

async fn work(company: &Company) {
    company.work_with_the_vendor(company).await;
}

async fn closed_as(company: &Company, ids: &[RequestId], outcome: Outcome) {
    for id in ids {
        assert_eq!(company.outcome(*id).await, Some(outcome), "{}", company.sentence(*id).await);
    }
}

/// The code of the failure that the last run shows.
async fn trouble(company: &Company, id: RequestId) -> (RunStatus, String) {
    let run = company.last_run(id).await;
    (run.run.status, run.failure.map(|failure| failure.code).unwrap_or_default())
}

async fn retry(company: &Company, id: RequestId) {
    let run = company.last_run(id).await.run.id;
    company.casework.retry_run(&operator(), id, run).await.unwrap();
}

async fn an_access_job_is_begun_followed_and_fetched(database: TestDatabase) {
    let company = qualtrics(database).await;
    let id = company.ask_with_review(Right::Access, ANA).await;
    company.engine.work_until_idle().await;
    let run = company.last_run(id).await.run;
    assert!(matches!(run.detail, RunDetail::Polling { .. }), "{:?}", run.detail);
    assert!(run.vendor_job.is_some() && run.next_at > Some(company.time.now()));
    company.work().await;
    assert_eq!(company.state(id).await, RequestState::Review, "{}", company.sentence(id).await);
    let kinds: BTreeSet<String> =
        company.records(id).await.into_iter().map(|record| record.content.kind).collect();
    assert!(kinds.contains("contact") && kinds.contains("response"), "{kinds:?}");
    assert_eq!(company.sandbox.qualtrics().customer_data_requests().len(), 1, "one job");
    assert!(company.history(id).await.contains(&"run.submitted".to_owned()));
}

async fn a_deletion_job_is_followed_to_its_end_and_proven(database: TestDatabase) {
    let company = qualtrics(database).await;
    let id = company.ask(Right::Deletion, ANA).await;
    company.engine.work_until_idle().await;
    let run = company.last_run(id).await;
    assert_eq!(run.run.detail, RunDetail::Submitted);
    assert!(run.run.vendor_job.unwrap().starts_with("OP-"));
    assert!(run.run.next_at > Some(company.time.now()), "the next look is shown");
    company.work().await;
    closed_as(&company, &[id], Outcome::Erased).await;
    let run = company.last_run(id).await.run;
    assert_eq!(run.detail, RunDetail::PersonDeleted { verified: true });
    assert!(run.residuals.to_string().contains("offline"), "what the vendor does not erase is said");
    assert!(company.sandbox.qualtrics().contacts_with_email(ANA).is_empty());
    assert_eq!(company.sandbox.qualtrics().erasures_accepted(ANA), 1);
    assert!(company.audit_is_whole().await);
}

async fn what_cannot_be_searched_is_not_called_proven(database: TestDatabase) {
    let company = qualtrics(database).await;
    assert!(company.sandbox.qualtrics().set_lite(DIRECTORY, true));
    let id = company.ask(Right::Deletion, ANA).await;
    company.work().await;
    closed_as(&company, &[id], Outcome::Erased).await;
    let run = company.last_run(id).await.run;
    assert_eq!(run.detail, RunDetail::PersonDeleted { verified: false });
    assert!(run.residuals.to_string().contains(DIRECTORY), "where nobody could look is said");
}

async fn on_submit_the_run_is_complete_when_the_vendor_has_accepted(database: TestDatabase) {
    let setup = Setup { completion: Some(DeletionCompletion::OnSubmit), ..Setup::at(System::Qualtrics) };
    let company = Company::with(database, setup).await;
    let id = company.ask(Right::Deletion, ANA).await;
    company.engine.work_until_idle().await;
    closed_as(&company, &[id], Outcome::Erased).await;
    assert_eq!(company.last_run(id).await.run.detail, RunDetail::DeletionSubmitted);
    assert!(!company.sandbox.qualtrics().contacts_with_email(ANA).is_empty(), "the vendor is still at it");
    company.work().await;
    assert_eq!(calls(&company, "qualtrics", ERASURES), 0, "nobody asks what nobody waits for");
}

async fn what_waits_together_goes_out_together(database: TestDatabase) {
    let company = qualtrics(database).await;
    let emails = add_people(&company, "leaver", 40);
    let ids = company.ask_for_all(Right::Deletion, &emails).await;
    company.work().await;
    closed_as(&company, &ids, Outcome::Erased).await;
    assert_eq!(calls(&company, "qualtrics", ERASE), 1, "one call for forty people");
    assert!(company.sandbox.qualtrics().all_erasures_accepted().values().all(|times| *times == 1));
}

async fn five_hundred_deletions_cost_one_look_per_page(database: TestDatabase) {
    let company = qualtrics(database).await;
    // Every deletion a job of its own at the vendor, so that five hundred wait.
    company
        .sandbox
        .qualtrics()
        .turn(KnobsPatch { emails_per_request: Some(1), ..KnobsPatch::default() })
        .unwrap();
    let emails = add_people(&company, "leaver", 500);
    let ids = company.ask_for_all(Right::Deletion, &emails).await;
    company.engine.work_until_idle().await;
    assert_eq!(company.sandbox.qualtrics().erasures().len(), 500);
    let before = calls(&company, "qualtrics", ERASURES);
    let next = company.next_operation().await.unwrap();
    company.time.advance_to(next);
    company.engine.work_until_idle().await;
    let looked = calls(&company, "qualtrics", ERASURES) - before;
    assert!(looked <= 5, "five pages of a hundred: {looked} reads");
    company.work().await;
    closed_as(&company, &ids, Outcome::Erased).await;
}

async fn twenty_thousand_identifiers_go_out_in_calls_that_the_vendor_takes(database: TestDatabase) {
    let company = segment(database).await;
    let asked = (0..1_000).map(|person| {
        let mut request = asking(Right::Deletion, &format!("person.{person}@example.test"), false);
        request.identifiers.extend((1..20).map(|number| GivenIdentifier {
            field: "subject.identifiers".to_owned(),
            kind: IdentifierType::UserId,
            value: format!("u-{person}-{number}"),
            verified: None,
        }));
        request
    });
    let created = company.casework.create_requests(&operator(), asked.collect(), None).await.unwrap();
    let ids: Vec<RequestId> = created.into_iter().map(Result::unwrap).collect();
    company.engine.work_until_idle().await;
    let regulations = company.sandbox.segment_config().regulations();
    assert!(regulations.iter().all(|one| one.values.len() <= 5_000));
    assert_eq!(regulations.len(), 4);
    let sent: BTreeSet<&String> = regulations.iter().flat_map(|one| &one.values).collect();
    assert_eq!(sent.len(), 20_000);
    work(&company).await;
    closed_as(&company, &ids, Outcome::Erased).await;
    let accepted = company.sandbox.segment_config().acceptances();
    assert!(accepted.values().all(|times| *times == 1));
}

/// The vendor accepts it, and the answer is lost on its way.
async fn lose_the_answer(company: &Company, system: System, path: &str) {
    let lost = Rule::new(system.vendor(), Fault::AnswerLost {}).method("POST").path_contains(path);
    company.fault(lost.times(1));
    let id = company.ask(Right::Deletion, ANA).await;
    company.engine.work_until_idle().await;
    assert!(matches!(company.last_run(id).await.run.detail, RunDetail::Reconciling { .. }));
    work(company).await;
    closed_as(company, &[id], Outcome::Erased).await;
}

async fn a_lost_answer_is_asked_about_and_nothing_is_sent_twice(database: TestDatabase) {
    let company = qualtrics(database).await;
    lose_the_answer(&company, System::Qualtrics, "op-erase").await;
    assert_eq!(company.sandbox.qualtrics().erasures_accepted(ANA), 1);
}

async fn a_lost_answer_of_segment_is_asked_about_as_well(database: TestDatabase) {
    let company = segment(database).await;
    lose_the_answer(&company, System::SegmentConfig, "regulations").await;
    assert_eq!(company.sandbox.segment_config().accepted_for_deletion(ANA), 1);
}

async fn a_lost_answer_of_segments_newer_api_is_asked_about_as_well(database: TestDatabase) {
    let company = Company::with(database, Setup::at(System::SegmentPublic)).await;
    lose_the_answer(&company, System::SegmentPublic, "regulations").await;
    assert_eq!(company.sandbox.segment_config().accepted_for_deletion(ANA), 1);
    assert!(calls(&company, "segment_public", "GET /regulations") > 0);
}

async fn a_limit_is_waited_for_as_long_as_the_vendor_says(database: TestDatabase) {
    let company = Company::with(database, Setup::at(System::SegmentPublic)).await;
    let regulation_creates_per_minute = Some(Some(1));
    let patch = PublicKnobsPatch { regulation_creates_per_minute, ..PublicKnobsPatch::default() };
    company.sandbox.segment_public().turn(patch);
    // The check of the new connection tried to create one, too.
    company.sandbox.clock().advance(Duration::from_secs(60));
    let first = company.ask(Right::Deletion, ANA).await;
    company.engine.work_until_idle().await;
    let second = company.ask(Right::Deletion, "jo+shop@example.test").await;
    company.engine.work_until_idle().await;
    let run = company.last_run(second).await.run;
    assert!(matches!(run.detail, RunDetail::Retrying { .. }), "{:?}", run.detail);
    let wait = run.next_at.unwrap().duration_since(company.time.now());
    assert!((30..=60).contains(&wait.as_secs()), "{wait}");
    work(&company).await;
    closed_as(&company, &[first, second], Outcome::Erased).await;
    assert_eq!(calls(&company, "segment_public", "POST /regulations"), 3, "refused once, then in time");
}

async fn a_deletion_that_never_arrived_is_sent_once(database: TestDatabase) {
    let company = qualtrics(database).await;
    company.fault(
        Rule::new("qualtrics", Fault::DroppedBefore {}).method("POST").path_contains("op-erase").times(1),
    );
    let id = company.ask(Right::Deletion, ANA).await;
    company.work().await;
    closed_as(&company, &[id], Outcome::Erased).await;
    assert_eq!(company.sandbox.qualtrics().erasures_accepted(ANA), 1);
}

async fn one_bad_subject_does_not_hold_up_the_others(database: TestDatabase) {
    let company = qualtrics(database).await;
    let mut emails = add_people(&company, "leaver", 9);
    emails.push("refused@example.test".to_owned());
    company
        .sandbox
        .qualtrics()
        .turn(KnobsPatch {
            refused_emails: Some(vec!["refused@example.test".to_owned()]),
            ..KnobsPatch::default()
        })
        .unwrap();
    let ids = company.ask_for_all(Right::Deletion, &emails).await;
    company.work().await;
    closed_as(&company, &ids[..9], Outcome::Erased).await;
    assert_eq!(trouble(&company, ids[9]).await, (RunStatus::Attention, "vendor_rejected_call".to_owned()));
    assert!(company.sandbox.qualtrics().all_erasures_accepted().values().all(|times| *times == 1));
}

const USER: &str = "owner.user@example.test";

async fn whoever_has_an_account_waits_for_a_person_and_nobody_else_does(database: TestDatabase) {
    let company = qualtrics(database).await;
    let emails = [USER.to_owned(), ANA.to_owned()];
    let ids = company.ask_for_all(Right::Deletion, &emails).await;
    company.work().await;
    closed_as(&company, &ids[1..], Outcome::Erased).await;
    assert_eq!(trouble(&company, ids[0]).await, (RunStatus::Attention, "brand_user".to_owned()));
    assert_eq!(company.sandbox.qualtrics().erasures_accepted(USER), 0);
    // Trying again is no acknowledgement.
    retry(&company, ids[0]).await;
    company.work().await;
    assert_eq!(trouble(&company, ids[0]).await.1, "brand_user");
    let wrong = BTreeSet::from([Acknowledgement::FutureDataBlocked]);
    assert!(company.casework.process(&operator(), ids[0], wrong).await.is_err(), "not what it waits for");
    let right = BTreeSet::from([Acknowledgement::BrandUser]);
    company.casework.process(&operator(), ids[0], right).await.unwrap();
    company.work().await;
    closed_as(&company, &ids, Outcome::Erased).await;
    assert!(company.sandbox.qualtrics().users_with_email(USER).is_empty());
}

async fn what_is_acknowledged_in_the_review_is_not_asked_again(database: TestDatabase) {
    let company = qualtrics(database).await;
    let id = company.ask_with_review(Right::Deletion, USER).await;
    company.work().await;
    let acknowledged = BTreeSet::from([Acknowledgement::BrandUser]);
    company.casework.process(&operator(), id, acknowledged).await.unwrap();
    company.work().await;
    closed_as(&company, &[id], Outcome::Erased).await;
    assert!(company.history(id).await.contains(&"request.acknowledged".to_owned()));
}

async fn whoever_waited_for_a_person_is_erased_although_somebody_else_was(database: TestDatabase) {
    let company = qualtrics(database).await;
    let id = company.ask(Right::Deletion, USER).await;
    company.work().await;
    assert_eq!(trouble(&company, id).await.1, "brand_user");
    // Nothing was sent for it, so what is sent for another request meanwhile is not taken for its own.
    let other = NewRequest { force: true, ..asking(Right::Deletion, USER, true) };
    let other = company.casework.create_request(&operator(), other, None).await.unwrap();
    company.work().await;
    for id in [other, id] {
        company.time.advance(Duration::from_secs(86_400));
        let acknowledged = BTreeSet::from([Acknowledgement::BrandUser]);
        company.casework.process(&operator(), id, acknowledged).await.unwrap();
        company.work().await;
    }
    closed_as(&company, &[other, id], Outcome::Erased).await;
    assert_eq!(company.sandbox.qualtrics().erasures_accepted(USER), 2);
}

async fn only_verified_identifiers_lead_to_a_deletion_and_prove_it(database: TestDatabase) {
    let company = qualtrics(database).await;
    let others = add_people(&company, "unverified", 2);
    let with = |kind, value: &str, verified, to: &mut NewRequest| {
        let field = format!("subject.{kind}");
        let identifier = GivenIdentifier { field, kind, value: value.to_owned(), verified: Some(verified) };
        to.identifiers.push(identifier);
    };
    let mut known = asking(Right::Deletion, ANA, false);
    known.identifiers[0].verified = Some(true);
    with(IdentifierType::Email, &others[0], false, &mut known);
    let mut unknown = asking(Right::Deletion, &others[1], false);
    unknown.identifiers[0].verified = Some(false);
    with(IdentifierType::UserId, "u-1", true, &mut unknown);
    let create =
        |request| async { company.casework.create_request(&operator(), request, None).await.unwrap() };
    let (known, unknown) = (create(known).await, create(unknown).await);
    work(&company).await;
    // What nobody vouched for makes a person look first.
    for id in [known, unknown] {
        company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    }
    work(&company).await;
    closed_as(&company, &[known], Outcome::Erased).await;
    assert_eq!(company.last_run(known).await.run.detail, RunDetail::PersonDeleted { verified: true });
    // In one batch with somebody else, nobody is called deleted for whom nothing was sent.
    assert_eq!(trouble(&company, unknown).await, (RunStatus::Attention, "vendor_rejected_call".to_owned()));
    let vendor = company.sandbox.qualtrics();
    assert!(others.iter().all(|email| !vendor.contacts_with_email(email).is_empty()));
}

async fn a_retry_does_not_ask_before_the_vendor_can_know(database: TestDatabase) {
    const LIST: &str = "GET /v1beta/workspaces/{workspace}/regulations";
    let company = segment(database).await;
    let lost = Rule::new("segment_config", Fault::AnswerLost {}).method("POST").path_contains("regulations");
    company.fault(lost.times(1));
    let id = company.ask(Right::Deletion, ANA).await;
    company.engine.work_until_idle().await;
    let before = company.last_run(id).await.run;
    retry(&company, id).await;
    company.engine.work_until_idle().await;
    let after = company.last_run(id).await.run;
    assert!(matches!(after.detail, RunDetail::Reconciling { .. }), "{:?}", after.detail);
    assert_eq!(after.next_at, before.next_at);
    assert_eq!(calls(&company, "segment_config", LIST), 0);
    work(&company).await;
    closed_as(&company, &[id], Outcome::Erased).await;
    assert!(calls(&company, "segment_config", LIST) > 0);
    assert_eq!(company.sandbox.segment_config().accepted_for_deletion(ANA), 1);
}

async fn whom_nobody_knew_is_told_so(database: TestDatabase) {
    let company = qualtrics(database).await;
    let id = company.ask(Right::Deletion, "nobody@example.test").await;
    company.work().await;
    closed_as(&company, &[id], Outcome::Erased).await;
    let run = company.last_run(id).await.run;
    assert_eq!((run.detail, run.deleted), (RunDetail::NothingToDelete, Some(0)));
}

async fn systems_that_did_not_delete_are_exceptions(database: TestDatabase) {
    let company = segment(database).await;
    let plan = RegulationPlan::immediate().outcome("web-prod/amplitude", "failed", "no such user u-1001");
    company.sandbox.segment_config().plan_next(plan).unwrap();
    let id = company.ask(Right::Deletion, ANA).await;
    work(&company).await;
    closed_as(&company, &[id], Outcome::ErasedWithExceptions).await;
    let run = company.last_run(id).await;
    assert_eq!(run.run.detail, RunDetail::PersonDeletedExcept { systems: 1 });
    assert!(run.run.residuals.to_string().to_lowercase().contains("amplitude"), "{}", run.run.residuals);
    assert!(!run.run.residuals.to_string().contains("u-1001"), "the vendor's text is sealed");
    let failure = run.failure.unwrap();
    assert_eq!(failure.code, "partly_deleted");
    assert!(failure.message.contains("no such user"), "{}", failure.message);
    assert!(!company.dump().await.iter().any(|row| row.contains("no such user")));
}

async fn a_job_that_failed_waits_for_a_person_who_begins_another(database: TestDatabase) {
    let company = segment(database).await;
    let plan = RegulationPlan::immediate().outcome("segment", "failed", "internal");
    company.sandbox.segment_config().plan_next(plan).unwrap();
    let id = company.ask(Right::Deletion, ANA).await;
    work(&company).await;
    assert_eq!(trouble(&company, id).await, (RunStatus::Attention, "vendor_job_failed".to_owned()));
    retry(&company, id).await;
    work(&company).await;
    closed_as(&company, &[id], Outcome::Erased).await;
    assert_eq!(company.sandbox.segment_config().accepted_for_deletion(ANA), 2, "the first one failed");
}

async fn a_job_that_the_vendor_forgot_is_unknown(database: TestDatabase) {
    let company = segment(database).await;
    let id = company.ask(Right::Deletion, ANA).await;
    company.engine.work_until_idle().await;
    // The vendor's years pass faster than the company's days.
    company.sandbox.clock().advance(Duration::from_secs(91 * 86_400));
    company.work().await;
    assert_eq!(trouble(&company, id).await, (RunStatus::Attention, "outcome_unknown".to_owned()));
}

async fn a_job_that_takes_too_long_asks_a_person(database: TestDatabase) {
    let company = qualtrics(database).await;
    let knobs = |completion: &str| {
        serde_json::from_value(serde_json::json!({"erasure_completion": completion})).unwrap()
    };
    company.sandbox.qualtrics().turn(knobs("manual")).unwrap();
    let id = company.ask(Right::Deletion, ANA).await;
    company.work().await;
    assert_eq!(trouble(&company, id).await, (RunStatus::Attention, "job_overdue".to_owned()));
    let looks = calls(&company, "qualtrics", ERASURES);
    assert!(looks < 400, "fourteen days, seldom asked: {looks}");
    retry(&company, id).await;
    company.engine.work_until_idle().await;
    assert_eq!(
        company.last_run(id).await.run.detail,
        RunDetail::Submitted,
        "followed further, not sent again"
    );
    let job = company.sandbox.qualtrics().erasures().remove(0);
    assert!(company.sandbox.qualtrics().finish_erasure(&job.id, None));
    company.work().await;
    closed_as(&company, &[id], Outcome::Erased).await;
    assert_eq!(company.sandbox.qualtrics().erasures_accepted(ANA), 1);
}

async fn a_vendor_that_is_away_does_not_make_its_jobs_fail(database: TestDatabase) {
    let company = qualtrics(database).await;
    let id = company.ask(Right::Deletion, ANA).await;
    company.engine.work_until_idle().await;
    company.fault(Rule::new("qualtrics", status(503)).method("GET").path_contains("op-erase").times(40));
    let next = company.next_operation().await.unwrap();
    company.time.advance_to(next);
    company.engine.work_until_idle().await;
    assert_eq!(trouble(&company, id).await, (RunStatus::Processing, "vendor_unavailable".to_owned()));
    company.work().await;
    closed_as(&company, &[id], Outcome::Erased).await;
    let run = company.last_run(id).await;
    assert!(run.failure.is_none() && run.run.phase == Phase::Erase);
}

async fn with_a_lagging_index(database: TestDatabase) -> Company {
    let company = qualtrics(database).await;
    let lag = KnobsPatch { index_lag_ms: Some(60_000), ..KnobsPatch::default() };
    company.sandbox.qualtrics().turn(lag).unwrap();
    company
}

async fn an_index_that_lags_behind_is_waited_for(database: TestDatabase) {
    let company = with_a_lagging_index(database).await;
    let id = company.ask(Right::Deletion, ANA).await;
    work(&company).await;
    closed_as(&company, &[id], Outcome::Erased).await;
    assert_eq!(company.last_run(id).await.run.detail, RunDetail::PersonDeleted { verified: true });
}

async fn whoever_is_found_after_the_index_had_its_time_is_still_there(database: TestDatabase) {
    let company = with_a_lagging_index(database).await;
    let id = company.ask(Right::Deletion, ANA).await;
    // The vendor's clock stands still, so its index never catches up.
    company.work().await;
    assert_eq!(trouble(&company, id).await, (RunStatus::Attention, "still_there".to_owned()));
    company.sandbox.clock().advance(Duration::from_secs(61));
    retry(&company, id).await;
    company.work().await;
    closed_as(&company, &[id], Outcome::Erased).await;
    assert_eq!(company.sandbox.qualtrics().erasures_accepted(ANA), 2, "a retry deletes again");
}

async fn the_monthly_quota_counts_what_was_sent(database: TestDatabase) {
    let company = segment(database).await;
    let emails: Vec<String> = (0..7).map(|number| format!("person.{number}@example.test")).collect();
    company.ask_for_all(Right::Deletion, &emails).await;
    let mut known_by_two = asking(Right::Deletion, ANA, false);
    known_by_two.identifiers.push(GivenIdentifier {
        field: "subject.user_id".to_owned(),
        kind: IdentifierType::UserId,
        value: "u-4711".to_owned(),
        verified: Some(true),
    });
    company.casework.create_request(&operator(), known_by_two, None).await.unwrap();
    work(&company).await;
    let id = company.connection.stored.id;
    let quota = company.casework.connection(&operator(), id).await.unwrap().quota.unwrap();
    assert_eq!((quota.used, quota.quota.limit), (9, 110_000));
    company.time.advance(Duration::from_secs(32 * 86_400));
    let quota = company.casework.connection(&operator(), id).await.unwrap().quota.unwrap();
    assert_eq!(quota.used, 0, "another month");
}
