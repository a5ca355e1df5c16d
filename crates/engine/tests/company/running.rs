//! Engines that run, in real time: they answer, share the work, go on while people interfere, and stop when told.

use std::time::Duration;

use futures::future::{join_all, select};
use habeas_casework::CaseworkError;
use habeas_domain::reason::HoldReason;
use habeas_domain::{Outcome, RequestId, RequestState, Right};
use habeas_engine::Engine;
use habeas_testing::{TestDatabase, on_both_databases};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{ANA, CONTACTS, Company, DELETE, LEASE, Pace, Process, Setup, operator};

on_both_databases![
    a_running_engine_answers_and_stops_when_told,
    an_engine_that_stops_gives_back_what_it_has_not_done,
    two_running_engines_share_the_work_and_delete_once,
    people_interfere_while_engines_run_and_nothing_is_lost,
];

const REAL: Setup = Setup { pace: Pace::Real, ..Setup::USUAL };

struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(engine: &Engine) -> Self {
        let (stop, engine) = (CancellationToken::new(), engine.clone());
        let stopped = stop.clone();
        Self { stop, task: tokio::spawn(async move { engine.run(stopped).await }) }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// Waits until every request is where it should be, looking again whenever one of the processes changed something.
async fn until_all(company: &Company, other: &Process, is_there: impl Fn(RequestState) -> bool) {
    loop {
        let (here, there) = (Box::pin(company.casework.changed()), Box::pin(other.casework.changed()));
        if company.all_requests().await.iter().all(|one| is_there(one.request.state)) {
            return;
        }
        select(here, there).await;
    }
}

async fn a_running_engine_answers_and_stops_when_told(database: TestDatabase) {
    let company = Company::with(database, REAL).await;
    let engine = Running::start(&company.engine);
    let access = company.ask(Right::Access, ANA).await;
    let deletion = company.ask(Right::Deletion, "jo+shop@example.test").await;
    until_all(&company, &company, |state| !state.waits_for_runs()).await;
    engine.stop().await;
    assert!(company.casework.seal_audit().await.unwrap().is_none(), "the log was sealed at the end");
    assert_eq!(company.records(access).await.len(), 2);
    assert_eq!(company.outcome(deletion).await, Some(Outcome::Erased));
    assert!(company.audit_is_whole().await);
}

async fn an_engine_that_stops_gives_back_what_it_has_not_done(database: TestDatabase) {
    let company = Company::with(database, REAL).await;
    let emails = company.add_people("subject", 600);
    let id = company.ask(Right::Access, &emails[599]).await;
    let engine = Running::start(&company.engine);
    company.sandbox.calls().wait_until(|log| log.count("readycloud", CONTACTS) >= 2).await;
    engine.stop().await;
    let pages = company.calls(CONTACTS);
    assert_eq!(company.state(id).await, RequestState::Collecting, "{pages} of 8 pages");
    // Due now, not when the lease would have run out.
    assert!(company.next_operation().await.unwrap() <= company.time.now());
    let process = company.another_process().await;
    process.engine.work_until_idle().await;
    assert_eq!(company.state(id).await, RequestState::Delivering);
    assert_eq!(company.calls(CONTACTS), 8, "no page is read twice");
}

async fn two_running_engines_share_the_work_and_delete_once(database: TestDatabase) {
    let company = Company::with(database, REAL).await;
    let other = company.another_process().await;
    let began = company.environment.clock().monotonic();
    let engines = [Running::start(&company.engine), Running::start(&other.engine)];
    let emails = company.add_people("leaver", 120);
    for some in emails.chunks(20) {
        company.ask_for_all(Right::Deletion, some).await;
    }
    until_all(&company, &other, |state| state == RequestState::Closed).await;
    for engine in engines {
        engine.stop().await;
    }
    // A result that could not be written would have cost a lease.
    assert!(company.environment.clock().monotonic().saturating_sub(began) < LEASE);
    assert!(company.all_requests().await.iter().all(|one| one.request.outcome == Some(Outcome::Erased)));
    assert_eq!(company.calls(DELETE), 120);
    assert!(company.audit_is_whole().await);
}

/// One who cannot decide.
async fn interfere(company: &Company, number: usize, email: &str) -> Result<RequestId, CaseworkError> {
    let (casework, actor) = (&company.casework, operator());
    let right = if number.is_multiple_of(2) { Right::Access } else { Right::Deletion };
    let id = company.try_ask(right, email, false).await?;
    // Whatever comes too late is refused; what is not refused must not break anything.
    match number % 5 {
        0 => drop(casework.withdraw(&actor, id).await),
        1 => {
            drop(casework.hold(&actor, id, HoldReason::Other, None).await);
            drop(casework.resume(&actor, id).await);
        }
        2 => {
            for run in casework.runs(&actor, id).await? {
                drop(casework.retry_run(&actor, id, run.run.id).await);
            }
        }
        3 => {
            for run in casework.runs(&actor, id).await? {
                drop(casework.skip_run(&actor, id, run.run.id, "in a hurry".to_owned()).await);
            }
        }
        _ => {}
    }
    Ok(id)
}

async fn people_interfere_while_engines_run_and_nothing_is_lost(database: TestDatabase) {
    let company = Company::with(database, REAL).await;
    let other = company.another_process().await;
    let began = company.environment.clock().monotonic();
    let engines = [Running::start(&company.engine), Running::start(&other.engine)];
    let emails = company.add_people("person", 150);
    for (chunk, some) in emails.chunks(10).enumerate() {
        let asked = some.iter().enumerate().map(|(at, email)| interfere(&company, chunk * 10 + at, email));
        for id in join_all(asked).await {
            id.unwrap();
        }
    }
    until_all(&company, &other, |state| !state.waits_for_runs() && state != RequestState::Review).await;
    for engine in engines {
        engine.stop().await;
    }
    assert!(
        company.environment.clock().monotonic().saturating_sub(began) < LEASE / 2 + Duration::from_secs(20)
    );
    for contacts in company.sandbox.calls().deletions()["readycloud"].values() {
        assert_eq!((contacts.arrived, contacts.effects), (1, 1));
    }
    assert_eq!(company.next_operation().await, None, "no work is left over");
    assert!(company.audit_is_whole().await);
}
