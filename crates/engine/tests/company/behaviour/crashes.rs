//! A worker dies at each of its calls in turn, before the call is carried out and after it took effect; another process
//! takes over.

use futures::future::{Either, select};
use habeas_domain::Right;
use habeas_sandbox::faults::{Fault, Rule, When};
use habeas_testing::{TestDatabase, block_on};
use rstest::rstest;

use super::stage::Stage;
use crate::support::{Process, System};

of_everything_served![whichever_call_a_worker_dies_at_it_ends_as_it_should_and_deletes_once];

/// An hour: the worker is gone long before.
const FOR_EVER: Fault = Fault::Latency { ms: 3_600_000 };

#[rstest]
fn whichever_call_a_worker_dies_at_on_postgresql(
    #[values(System::SegmentConfig, System::SegmentPublic)] system: System,
) {
    block_on(async {
        let stage = Stage::of(TestDatabase::postgres().await, system).await;
        die_everywhere(&stage, Right::Deletion).await;
    });
}

fn whichever_call_a_worker_dies_at_it_ends_as_it_should_and_deletes_once(system: System, right: Right) {
    block_on(async {
        let stage = Stage::on_sqlite(system).await;
        die_everywhere(&stage, right).await;
    });
}

async fn die_everywhere(stage: &Stage, right: Right) {
    let company = &stage.company;
    let mut wrong = Vec::new();
    let calls = stage.calls_of_one_request(right).await;
    for (number, (route, has_effect)) in (1..).zip(&calls) {
        // What changes nothing leaves nothing behind, so dying after it is dying before it.
        let moments: &[When] = if *has_effect { &[When::Before, When::After] } else { &[When::Before] };
        for moment in moments {
            let person = stage.somebody();
            company.sandbox.calls().reset();
            let hanging = Rule::new(stage.system.vendor(), FOR_EVER).when(*moment);
            company.fault(hanging.skip(number - 1).times(1));
            let id = company.ask(right, &person.email).await;
            let dying = company.another_process().await;
            die_at(stage, dying, number, *moment == When::After).await;
            company.sandbox.faults().clear();
            company.work_with_the_vendor(&company.another_process().await).await;
            if let Some(end) = stage.wrong_end(right, id, &person).await {
                wrong.push(format!("{moment:?} call {number}, {route}: {end}"));
            }
            stage.forget(&person);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(company.audit_is_whole().await);
}

/// Lets a process work until the vendor has received `number` calls, and carried the last one out if that is to be, and
/// kills it there.
async fn die_at(stage: &Stage, process: Process, number: u64, after_the_effect: bool) {
    let calls = stage.company.sandbox.calls();
    loop {
        let engine = process.engine.clone();
        let mut working = tokio::spawn(async move { engine.work_until_idle().await });
        let is_there = Box::pin(async {
            calls.wait_until(|log| log.summary().total >= number).await;
            // It has arrived before it is decided that it hangs.
            while !stage.has_met_a_fault() {
                tokio::task::yield_now().await;
            }
            let index = usize::try_from(number - 1).unwrap();
            calls.wait_until(|log| !after_the_effect || log.recent(usize::MAX)[index].effect).await;
        });
        if let Either::Right(_) = select(&mut working, is_there).await {
            working.abort();
            let _ = working.await;
            return;
        }
        assert!(stage.company.let_wait_pass_everywhere().await, "fewer than {number} calls");
    }
}
