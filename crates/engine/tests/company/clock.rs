//! The machine's clock jumps by an hour: nothing is sent twice, nothing waits an hour longer, nothing is sent too early.

use std::time::Duration;

use habeas_casework::workers;
use habeas_domain::{RequestState, Right, WorkerId};
use habeas_sandbox::faults::{Fault, Rule};
use habeas_testing::TestDatabase;
use jiff::SignedDuration;
use rstest::rstest;

use crate::support::{ANA, Company, LEASE, TOKEN, Time, at_lists, operator};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

async fn company() -> Company {
    Company::new(TestDatabase::sqlite()).await
}

async fn jump(company: &Company, by: SignedDuration) {
    let Time::Still(clock) = &company.time else { panic!("a clock that stands still") };
    clock.jump(by);
    company.engine.keep_time().await;
}

#[rstest]
#[case::forwards(HOUR)]
#[case::backwards(-HOUR)]
#[tokio::test]
async fn a_lease_lasts_as_long_as_it_did(#[case] by: SignedDuration) {
    let company = company().await;
    company.ask(Right::Access, ANA).await;
    // A worker has it, and its call is under way.
    let claimed = company.claim().await;
    assert_eq!(claimed.assignments.len(), 1);
    jump(&company, by).await;
    assert!(company.claim().await.is_empty(), "nobody else takes it up");
    company.time.advance(LEASE);
    assert_eq!(company.claim().await.assignments.len(), 1, "until the lease is over");
}

#[rstest]
#[case::forwards(HOUR)]
#[case::backwards(-HOUR)]
#[tokio::test]
async fn a_wait_is_as_long_as_it_was(#[case] by: SignedDuration) {
    let company = company().await;
    company.fault(at_lists(Fault::Status { code: 503, body: None, retry_after: Some(100) }).times(1));
    let id = company.ask(Right::Access, ANA).await;
    company.engine.work_until_idle().await;
    let calls = company.all_calls();
    jump(&company, by).await;
    company.time.advance(Duration::from_secs(90));
    company.engine.work_until_idle().await;
    assert_eq!(company.all_calls(), calls, "not too early");
    company.time.advance(Duration::from_secs(90));
    company.engine.work_until_idle().await;
    assert_eq!(company.state(id).await, RequestState::Delivering, "and not too late");
}

#[rstest]
#[case::forwards(HOUR)]
#[case::backwards(-HOUR)]
#[tokio::test]
async fn a_vendor_that_asked_for_a_pause_gets_it(#[case] by: SignedDuration) {
    let company = company().await;
    company.connect("the same shop again", TOKEN).await.unwrap();
    company.sandbox.calls().reset();
    let slow_down = Fault::RateLimited { retry_after: Some(100) };
    company.fault(Rule::new("readycloud", slow_down).method("GET").path_contains("/api/v2/orgs/").times(1));
    let id = company.ask(Right::Access, ANA).await;
    company.engine.work_until_idle().await;
    let calls = company.all_calls();
    jump(&company, by).await;
    company.time.advance(Duration::from_secs(90));
    company.engine.work_until_idle().await;
    assert_eq!(company.all_calls(), calls);
    company.time.advance(Duration::from_secs(20));
    company.engine.work_until_idle().await;
    assert_eq!(company.state(id).await, RequestState::Delivering);
}

#[tokio::test]
async fn a_jump_is_in_the_log_and_a_small_adjustment_is_not() {
    let company = company().await;
    let jumps = async || {
        let events = company.casework.audit_events(&operator(), 0, 200).await.unwrap().items;
        events.into_iter().filter(|event| event.kind == "clock.jumped").collect::<Vec<_>>()
    };
    jump(&company, SignedDuration::from_secs(1)).await;
    assert_eq!(jumps().await.len(), 0);
    jump(&company, -HOUR).await;
    let found = jumps().await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].data, "{\"milliseconds\":-3600000}");
    assert!(company.audit_is_whole().await);
}

#[tokio::test]
async fn what_a_former_process_held_is_free_after_one_lease_whatever_the_clock_did() {
    let company = company().await;
    company.ask(Right::Access, ANA).await;
    assert_eq!(company.claim().await.assignments.len(), 1);
    let worker = WorkerId::new(company.environment.unique());
    let sign = workers::started(worker, "the first".to_owned(), 128, company.time.now());
    company.casework.give_sign_of_life(sign).await.unwrap();
    // The process dies; while it is gone the clock is set back.
    let Time::Still(clock) = &company.time else { panic!("a clock that stands still") };
    clock.jump(-HOUR);
    habeas_environment::Clock::set(clock, habeas_environment::Clock::outside(clock));
    let process = company.another_process().await;
    process.casework.take_over_from_former_process(i64::try_from(LEASE.as_millis()).unwrap()).await.unwrap();
    assert!(company.claim().await.is_empty());
    company.time.advance(LEASE);
    assert_eq!(company.claim().await.assignments.len(), 1);
}
