//! A vendor's limit is never exceeded, however many processes and connections share the account. Company and vendor
//! live in the same time here, and what counts is what the vendor saw.

use std::time::Duration;

use habeas_domain::{Outcome, RequestId, RequestState, Right};
use habeas_sandbox::faults::{Fault, Rule};
use habeas_sandbox::readycloud::KnobsPatch;
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{ANA, CONTACTS, Company, Pace, Process, Setup, TOKEN};

on_both_databases![
    the_usual_budget_stays_below_the_limit_and_everything_gets_done,
    a_thousand_contacts_are_all_found_within_the_limit,
    two_processes_share_the_permits_of_an_account,
    two_connections_share_the_permits_of_an_account,
    a_vendor_that_says_slow_down_stops_every_connection_of_the_account,
];

/// Thirty calls a minute of each class, and the product's own share of it.
const LIMITED: Setup = Setup { limit: Some(30), budget: None, pace: Pace::Shared, ..Setup::USUAL };

fn stayed_below_the_limit(company: &Company) {
    let peaks = &company.sandbox.calls().peaks()["readycloud"];
    let account = &peaks.accounts["rc-demo-client"];
    // Eight tenths of thirty are planned, two may have been saved up, and a call may arrive late.
    assert!(account["get"] <= 28, "{peaks:?}");
    assert!(account.get("other").is_none_or(|most| *most <= 28), "{peaks:?}");
    for (route, counts) in &company.sandbox.calls().summary().vendors["readycloud"].routes {
        assert!(!counts.statuses.contains_key(&429), "{route}: {counts:?}");
    }
}

async fn everything_got_done(company: &Company, accesses: &[RequestId], deletions: &[RequestId]) {
    for id in accesses {
        assert_eq!(company.state(*id).await, RequestState::Delivering);
        assert!(company.runs(*id).await.iter().all(|run| run.run.records_found == Some(1)));
    }
    for id in deletions {
        assert_eq!(company.outcome(*id).await, Some(Outcome::Erased));
    }
}

async fn the_usual_budget_stays_below_the_limit_and_everything_gets_done(database: TestDatabase) {
    let company = Company::with(database, Setup { people: 120, ..LIMITED }).await;
    let accesses = company.ask_for_all(Right::Access, &company.add_people("subject", 40)).await;
    let deletions = company.ask_for_all(Right::Deletion, &company.add_people("leaver", 40)).await;
    let began = company.time.now();
    company.work().await;
    everything_got_done(&company, &accesses, &deletions).await;
    stayed_below_the_limit(&company);
    // Forty contacts are asked for, forty deleted: at 24 calls a minute that takes its time, but not much more.
    let minutes = company.time.now().duration_since(began).as_secs() / 60;
    assert!((1..=6).contains(&minutes), "{minutes} minutes");
}

/// Pages of twenty, so that one pass needs more calls than any window has.
async fn a_thousand_contacts_are_all_found_within_the_limit(database: TestDatabase) {
    let company = Company::with(database, LIMITED).await;
    company.sandbox.readycloud().turn(KnobsPatch { page_cap: Some(20), ..KnobsPatch::default() });
    let accesses = company.ask_for_all(Right::Access, &company.add_people("subject", 1_000)).await;
    company.work().await;
    everything_got_done(&company, &accesses, &[]).await;
    stayed_below_the_limit(&company);
    let pages = company.calls(CONTACTS);
    assert!((50..=70).contains(&pages), "{pages} pages of one pass over two organisations");
    // One pass, page after page, makes all the calls that twenty-four a minute allow.
    let times: Vec<u64> =
        company.sandbox.calls().recent(usize::MAX).iter().map(|call| call.arrived_ms).collect();
    let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    let share = (times.len() - 1) as f64 * 60_000.0 / 24.0 / (last - first) as f64;
    assert!((0.95..=1.1).contains(&share), "{share} of the budget");
}

async fn together(company: &Company, processes: &[&Process; 2]) {
    for _ in 0..2_000 {
        let [first, second] = processes;
        tokio::join!(first.engine.work_until_idle(), second.engine.work_until_idle());
        if !company.let_wait_pass().await {
            return;
        }
    }
    panic!("the work never ends");
}

async fn two_processes_share_the_permits_of_an_account(database: TestDatabase) {
    let company = Company::with(database, LIMITED).await;
    let other = company.another_process().await;
    let accesses = company.ask_for_all(Right::Access, &company.add_people("subject", 10)).await;
    let deletions = company.ask_for_all(Right::Deletion, &company.add_people("leaver", 50)).await;
    together(&company, &[&company, &other]).await;
    everything_got_done(&company, &accesses, &deletions).await;
    stayed_below_the_limit(&company);
}

async fn two_connections_share_the_permits_of_an_account(database: TestDatabase) {
    let company = Company::with(database, LIMITED).await;
    company.connect("the same shop again", TOKEN).await.unwrap();
    company.sandbox.calls().reset();
    let accesses = company.ask_for_all(Right::Access, &company.add_people("subject", 10)).await;
    let deletions = company.ask_for_all(Right::Deletion, &company.add_people("leaver", 20)).await;
    company.work().await;
    everything_got_done(&company, &accesses, &deletions).await;
    stayed_below_the_limit(&company);
}

async fn a_vendor_that_says_slow_down_stops_every_connection_of_the_account(database: TestDatabase) {
    let company = Company::new(database).await;
    company.connect("the same shop again", TOKEN).await.unwrap();
    company.sandbox.calls().reset();
    let slow_down = Fault::RateLimited { retry_after: Some(100) };
    company.fault(Rule::new("readycloud", slow_down).method("GET").path_contains("/api/v2/orgs/").times(1));
    let id = company.ask(Right::Access, ANA).await;
    company.engine.work_until_idle().await;
    let calls = company.all_calls();
    company.time.advance(Duration::from_secs(90));
    company.engine.work_until_idle().await;
    assert_eq!(company.all_calls(), calls);
    company.work().await;
    assert_eq!(company.state(id).await, RequestState::Delivering);
}
