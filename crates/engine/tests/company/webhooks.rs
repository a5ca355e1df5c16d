//! A system of the company's own: asked from time to time, or telling by itself.

use std::time::Duration;

use habeas_casework::CaseworkError;
use habeas_casework::callbacks::CallbackProblem;
use habeas_casework::connections::ConnectionCase;
use habeas_casework::work::{Finding, Report};
use habeas_domain::capability::{Capability, DeletionCompletion, Handling};
use habeas_domain::reason::HoldReason;
use habeas_domain::{ConnectionId, Outcome, Phase, RequestId, RequestState, Right, RunStatus};
use habeas_integrations::{CallbackHead, Collected};
use habeas_sandbox::webhook::fixtures::{ANA, ANA_EMAIL, ANA_RECORDS, JO_EMAIL};
use habeas_sandbox::webhook::{
    Exception, Forgery, JobState, KnobsPatch, MessageType, SignedMessage, StatusAnswer,
};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{Company, LEASE_MS, Pace, Setup, System, operator};

on_both_databases![
    a_system_that_never_calls_is_asked,
    a_callback_brings_records_and_files,
    a_callback_ends_a_deletion,
    a_failed_job_needs_a_person,
    whatever_is_wrong_with_a_callback_it_changes_nothing,
    a_callback_belongs_to_one_connection,
    a_callback_takes_the_work_over_from_a_worker,
    nothing_is_taken_under_a_hold,
    what_is_over_is_not_taken_again,
];

async fn company(database: TestDatabase, patch: KnobsPatch) -> Company {
    let setup = Setup { system: System::Webhook, pace: Pace::SharedWithDates, ..Setup::default() };
    let company = Company::with(database, setup).await;
    company.sandbox.webhook().turn(patch);
    company
}

/// A system that has results only for whoever waits for its calls.
fn calling_back() -> KnobsPatch {
    KnobsPatch { status: Some(StatusAnswer::AlwaysPending), ..KnobsPatch::default() }
}

async fn send(
    company: &Company,
    connection: ConnectionId,
    message: &SignedMessage,
) -> Result<(), CaseworkError> {
    let header = |name: &str| message.headers.get(name).and_then(|value| value.to_str().ok());
    let head = CallbackHead {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    company.casework.take_callback(connection, head, &message.body).await
}

fn id(connection: &ConnectionCase) -> ConnectionId {
    connection.stored.id
}

/// Asks, and lets the system take the job on; the request and the job.
async fn begun(company: &Company, right: Right) -> (RequestId, String) {
    begun_for(company, right, ANA_EMAIL).await
}

async fn begun_for(company: &Company, right: Right, email: &str) -> (RequestId, String) {
    let request = company.ask_with_review(right, email).await;
    if right == Right::Deletion {
        company.work().await;
        company.casework.process(&operator(), request, [].into()).await.unwrap();
    }
    company.engine.work_until_idle().await;
    let job = company.sandbox.webhook().jobs().pop().unwrap();
    assert_eq!(job.state, JobState::Pending);
    (request, job.job)
}

fn refused(outcome: Result<(), CaseworkError>) -> CallbackProblem {
    match outcome {
        Err(CaseworkError::Callback(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

async fn a_system_that_never_calls_is_asked(database: TestDatabase) {
    let company = company(database, KnobsPatch::default()).await;
    let access = company.ask_with_review(Right::Access, ANA_EMAIL).await;
    company.work_with_the_vendor(&company).await;
    assert_eq!(company.state(access).await, RequestState::Review);
    let run = company.last_run(access).await.run;
    assert!(run.records_found >= Some(ANA_RECORDS as u64), "{:?}", run.detail);

    let deletion = company.ask(Right::Deletion, ANA_EMAIL).await;
    company.work_with_the_vendor(&company).await;
    assert_eq!(company.outcome(deletion).await, Some(Outcome::Erased));
    let system = company.sandbox.webhook();
    assert_eq!((system.accepted_for_deletion(ANA_EMAIL), system.person(ANA).is_none()), (1, true));
    assert_eq!(system.message_counts(MessageType::DeletionFind).arrived, 0, "nothing was in doubt");
    assert!(company.audit_is_whole().await);
}

async fn a_callback_brings_records_and_files(database: TestDatabase) {
    let company = company(database, calling_back()).await;
    let system = company.sandbox.webhook();
    let (request, job) = begun(&company, Right::Access).await;
    assert!(system.callback(&job).is_none(), "it has not ended");
    system.finish_job(&job, None);
    let message = system.callback(&job).unwrap();
    send(&company, id(&company.connection), &message).await.unwrap();
    assert_eq!(company.state(request).await, RequestState::Review);
    let records = company.records(request).await;
    let kinds: Vec<&str> = records.iter().map(|record| record.content.kind.as_str()).collect();
    assert!(kinds.contains(&"order") && kinds.contains(&"ticket") && kinds.contains(&"file"), "{kinds:?}");
    assert!(company.history(request).await.contains(&"callback.received".to_owned()));

    // The same message again, as its sender would who did not hear the answer.
    assert_eq!(refused(send(&company, id(&company.connection), &message).await), CallbackProblem::Repeated);
    assert_eq!(company.records(request).await.len(), records.len());
    company.work().await;
    company.casework.process(&operator(), request, [].into()).await.unwrap();
    assert!(company.delivered(request, "shop").await.len() >= ANA_RECORDS);
    assert!(company.audit_is_whole().await);
}

async fn a_callback_ends_a_deletion(database: TestDatabase) {
    let exception = Exception {
        system: "Archive".to_owned(),
        status: "failed".to_owned(),
        note: "holds a copy of ana".to_owned(),
    };
    let company = company(database, calling_back()).await;
    let system = company.sandbox.webhook();
    for (email, exceptions, outcome) in
        [(ANA_EMAIL, vec![], Outcome::Erased), (JO_EMAIL, vec![exception], Outcome::ErasedWithExceptions)]
    {
        system.turn(KnobsPatch { exceptions: Some(exceptions), ..KnobsPatch::default() });
        let (request, job) = begun_for(&company, Right::Deletion, email).await;
        assert_eq!(company.state(request).await, RequestState::Erasing);
        system.finish_job(&job, None);
        let message = system.callback(&job).unwrap();
        send(&company, id(&company.connection), &message).await.unwrap();
        assert_eq!(company.outcome(request).await, Some(outcome), "{}", company.sentence(request).await);
        assert_eq!(system.accepted_for_deletion(email), 1);
        // The follower finds nothing more to look at, and ends.
        let asked = system.message_counts(MessageType::JobStatus).arrived;
        company.time.advance_days(40);
        company.work().await;
        assert_eq!(system.message_counts(MessageType::JobStatus).arrived, asked);
        assert!(company.audit_is_whole().await);
    }
}

async fn a_failed_job_needs_a_person(database: TestDatabase) {
    let company = company(database, calling_back()).await;
    let system = company.sandbox.webhook();
    for right in [Right::Access, Right::Deletion] {
        let (request, job) = begun(&company, right).await;
        system.finish_job(&job, Some("ana.silva is on a legal hold"));
        let message = system.callback(&job).unwrap();
        send(&company, id(&company.connection), &message).await.unwrap();
        let run = company.last_run(request).await;
        assert_eq!(run.run.status, RunStatus::Attention);
        let failure = run.failure.unwrap();
        assert_eq!(failure.code, "vendor_job_failed");
        assert!(!failure.message.contains("ana") && failure.message.contains("gave a reason"));
        // Tried again, a new job is begun.
        company.casework.retry_run(&operator(), request, run.run.id).await.unwrap();
        // A deletion that was sent once is asked about first, and not at once.
        company.time.advance(Duration::from_secs(7200));
        company.engine.work_until_idle().await;
        let jobs = system.jobs();
        let again = jobs.iter().rfind(|one| one.state == JobState::Pending).unwrap();
        assert_ne!(again.job, job);
        system.finish_job(&again.job, None);
        let message = system.callback(&again.job).unwrap();
        send(&company, id(&company.connection), &message).await.unwrap();
        assert_ne!(company.last_run(request).await.run.status, RunStatus::Attention);
        company.casework.withdraw(&operator(), request).await.ok();
    }
}

async fn whatever_is_wrong_with_a_callback_it_changes_nothing(database: TestDatabase) {
    let company = company(database, calling_back()).await;
    let system = company.sandbox.webhook();
    let (request, job) = begun(&company, Right::Access).await;
    system.finish_job(&job, None);
    let before = company.dump().await;
    for forgery in [
        Forgery::WrongSecret,
        Forgery::AlteredBody,
        Forgery::ReformattedBody,
        Forgery::AlteredTimestamp,
        Forgery::AlteredId,
        Forgery::OtherVersion,
        Forgery::WithoutId,
        Forgery::WithoutTimestamp,
        Forgery::WithoutSignature,
    ] {
        let message = system.forge(&job, forgery).unwrap();
        let problem = refused(send(&company, id(&company.connection), &message).await);
        assert_eq!(problem, CallbackProblem::Forged, "{forgery:?}");
    }
    for forgery in [Forgery::OldTimestamp, Forgery::FutureTimestamp] {
        let message = system.forge(&job, forgery).unwrap();
        let problem = refused(send(&company, id(&company.connection), &message).await);
        assert_eq!(problem, CallbackProblem::OutOfTime, "{forgery:?}");
    }
    let message = system.forge(&job, Forgery::OtherJob).unwrap();
    let problem = refused(send(&company, id(&company.connection), &message).await);
    assert_eq!(problem, CallbackProblem::JobUnknown);
    let message = system.forge(&job, Forgery::WrongShape).unwrap();
    let wrong = send(&company, id(&company.connection), &message).await.unwrap_err();
    assert!(matches!(&wrong, CaseworkError::Validation(errors) if !errors.is_empty()), "{wrong:?}");
    let no_connection = ConnectionId::new(company.environment.unique());
    let genuine = system.callback(&job).unwrap();
    assert_eq!(refused(send(&company, no_connection, &genuine).await), CallbackProblem::Forged);
    assert_eq!(company.dump().await, before);

    send(&company, id(&company.connection), &genuine).await.unwrap();
    assert_eq!(company.state(request).await, RequestState::Review);
    // Two hours later the same message is too old, whatever is remembered of it.
    company.time.advance(Duration::from_secs(7200));
    assert_eq!(refused(send(&company, id(&company.connection), &genuine).await), CallbackProblem::OutOfTime);
}

async fn a_callback_belongs_to_one_connection(database: TestDatabase) {
    let company = company(database, calling_back()).await;
    let system = company.sandbox.webhook();
    let other = company.connect_to(System::Webhook, "other").await;
    let url = other.callback_url.clone().unwrap();
    assert!(url.ends_with(&format!("/api/v1/connections/{}/callback", id(&other))), "{url}");
    let shop = company.connect_to(System::ReadyCloud, "readycloud").await;
    assert_eq!(shop.callback_url, None);
    let request = company.ask_with_review(Right::Access, ANA_EMAIL).await;
    company.engine.work_until_idle().await;
    for job in system.jobs() {
        system.finish_job(&job.job, None);
    }
    let job = company.run_at(request, "shop", Phase::Collect).await.run.vendor_job.unwrap();
    let message = system.callback(&job).unwrap();
    assert_eq!(refused(send(&company, id(&other), &message).await), CallbackProblem::JobUnknown);
    assert_eq!(refused(send(&company, id(&shop), &message).await), CallbackProblem::Forged);
    send(&company, id(&company.connection), &message).await.unwrap();
    assert_eq!(company.run_at(request, "other", Phase::Collect).await.run.status, RunStatus::Processing);
    assert_eq!(company.run_at(request, "shop", Phase::Collect).await.run.status, RunStatus::Complete);
}

async fn a_callback_takes_the_work_over_from_a_worker(database: TestDatabase) {
    let company = company(database, calling_back()).await;
    let system = company.sandbox.webhook();
    let (request, job) = begun(&company, Right::Access).await;
    company.time.advance(Duration::from_secs(120));
    let lane = company.connection.stored.id.to_string();
    let mut claimed = company.casework.claim(&lane, LEASE_MS, 100).await.unwrap();
    let assignment = claimed.assignments.pop().expect("the look at the job is due");
    system.finish_job(&job, None);
    send(&company, id(&company.connection), &system.callback(&job).unwrap()).await.unwrap();
    let found = company.records(request).await.len();
    assert!(found >= ANA_RECORDS);
    // The worker comes back with another answer: nothing of it is written.
    let late = Report::whole(assignment, Finding::Collected(Collected::default()));
    company.casework.settle(vec![late]).await.unwrap();
    assert_eq!(company.records(request).await.len(), found);
    assert_eq!(company.last_run(request).await.run.records_found, Some(found as u64));
}

async fn nothing_is_taken_under_a_hold(database: TestDatabase) {
    let company = company(database, calling_back()).await;
    let system = company.sandbox.webhook();
    let (request, job) = begun(&company, Right::Access).await;
    system.finish_job(&job, None);
    company.casework.hold(&operator(), request, HoldReason::LegalHold, None).await.unwrap();
    let message = system.callback(&job).unwrap();
    assert_eq!(refused(send(&company, id(&company.connection), &message).await), CallbackProblem::OnHold);
    company.casework.resume(&operator(), request).await.unwrap();
    send(&company, id(&company.connection), &message).await.unwrap();
    assert_eq!(company.state(request).await, RequestState::Review);
}

async fn what_is_over_is_not_taken_again(database: TestDatabase) {
    let setup = Setup {
        system: System::Webhook,
        pace: Pace::SharedWithDates,
        completion: Some(DeletionCompletion::OnSubmit),
        ..Setup::default()
    };
    let company = Company::with(database, setup).await;
    let system = company.sandbox.webhook();
    let (request, job) = {
        let request = company.ask(Right::Deletion, ANA_EMAIL).await;
        company.engine.work_until_idle().await;
        (request, system.jobs().pop().unwrap().job)
    };
    assert_eq!(company.outcome(request).await, Some(Outcome::Erased), "accepted is enough");
    system.finish_job(&job, None);
    let message = system.callback(&job).unwrap();
    assert_eq!(refused(send(&company, id(&company.connection), &message).await), CallbackProblem::TooLate);

    let (request, job) = begun(&company, Right::Access).await;
    let run = company.last_run(request).await.run.id;
    company.casework.stop_run(&operator(), request, run, "not needed".to_owned()).await.unwrap();
    system.finish_job(&job, None);
    let message = system.callback(&job).unwrap();
    refused(send(&company, id(&company.connection), &message).await);
    assert_eq!(company.last_run(request).await.run.status, RunStatus::Stopped);
    let able = &company.connection.capabilities;
    assert_eq!(able.get(&Capability::Access), Some(&Handling::Api));
}
