//! One pass over the vendor's contacts serves everyone who waits for it.

use habeas_domain::{Outcome, RequestId, RequestState, Right, RunStatus};
use habeas_sandbox::faults::Fault;
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{ANA, CONTACT, CONTACTS, Company, DELETE, PAGE_BY_PAGE, Setup, at_lists, operator};

on_both_databases![
    three_hundred_subjects_cost_the_pages_that_one_costs,
    three_hundred_deletions_ask_once_for_each_contact_and_are_proven_together,
    whoever_arrives_during_a_pass_sees_everything_and_starts_no_pass_of_their_own,
    whoever_leaves_a_pass_does_not_stop_it_for_the_others,
    people_who_keep_arriving_while_a_pass_is_read_are_all_answered,
    people_who_arrive_while_a_pass_fails_are_not_forgotten,
    whoever_arrives_does_not_cut_short_the_wait_that_a_vendor_asked_for,
];

/// Six fixtures of the main organisation, three of the second.
const FIXTURES: usize = 9;

async fn found(company: &Company, id: RequestId) -> Option<u64> {
    company.last_run(id).await.run.records_found
}

async fn three_hundred_subjects_cost_the_pages_that_one_costs(database: TestDatabase) {
    let company = Company::new(database).await;
    let emails = company.add_people("subject", 300);
    company.ask(Right::Access, ANA).await;
    company.work().await;
    let of_one = (company.calls(CONTACTS), company.all_calls());
    // 306 contacts in pages of 100 that overlap a little, and the second organisation's page.
    assert_eq!(of_one.0, 5);

    company.sandbox.calls().reset();
    let ids = company.ask_for_all(Right::Access, &emails).await;
    company.work().await;
    assert_eq!((company.calls(CONTACTS), company.all_calls()), of_one);
    for id in ids {
        assert_eq!(found(&company, id).await, Some(1));
    }
}

async fn three_hundred_deletions_ask_once_for_each_contact_and_are_proven_together(database: TestDatabase) {
    let company = Company::new(database).await;
    let emails = company.add_people("leaver", 300);
    let ids = company.ask_for_all(Right::Deletion, &emails).await;
    company.work().await;
    assert!(company.all_requests().await.iter().all(|one| one.request.outcome == Some(Outcome::Erased)));
    for id in [ids[0], ids[150], ids[299]] {
        assert_eq!(company.sentence(id).await, "1 record deleted; verified gone");
    }
    assert_eq!(
        company.sandbox.readycloud().contact_count(),
        FIXTURES + 1,
        "and one of a deleted organisation"
    );
    assert_eq!((company.calls(CONTACT), company.calls(DELETE)), (300, 300));
    // One pass collects. Deletions are done some at a time, so the first may be under proof while the last are still
    // being deleted: those have to see a pass from its beginning too. Mails to the first ones take their turns in between.
    let lists = company.calls(CONTACTS);
    assert!((5 + 2..=5 + 2 * 14).contains(&lists), "{lists} pages");
}

async fn whoever_arrives_during_a_pass_sees_everything_and_starts_no_pass_of_their_own(
    database: TestDatabase,
) {
    let setup = Setup { budget: Some(PAGE_BY_PAGE), ..Setup::default() };
    let company = Company::with(database, setup).await;
    let emails = company.add_people("subject", 300);
    company.ask(Right::Access, &emails[0]).await;
    company.work().await;
    let of_one = company.calls(CONTACTS);
    company.sandbox.calls().reset();
    let (early, late) = emails[1..].split_at(150);
    let early = company.ask_for_all(Right::Access, early).await;
    while company.calls(CONTACTS) < 3 {
        company.engine.work_until_idle().await;
        company.let_wait_pass().await;
    }
    let late = company.ask_for_all(Right::Access, late).await;
    while company.state(early[0]).await == RequestState::Collecting {
        company.engine.work_until_idle().await;
        company.let_wait_pass().await;
    }
    assert_eq!(company.calls(CONTACTS), of_one, "those who came first are done after one pass");
    for one in company.all_requests().await {
        assert_eq!(one.request.state == RequestState::Collecting, late.contains(&one.request.id));
    }
    company.work().await;
    let lists = company.calls(CONTACTS);
    assert!(
        lists > of_one && lists <= 2 * of_one,
        "the others after the next, seen from its beginning: {lists}"
    );
    for id in early.iter().chain(&late) {
        assert_eq!(found(&company, *id).await, Some(1), "nobody is missed");
    }
}

async fn whoever_leaves_a_pass_does_not_stop_it_for_the_others(database: TestDatabase) {
    let setup = Setup { budget: Some(PAGE_BY_PAGE), ..Setup::default() };
    let company = Company::with(database, setup).await;
    let emails = company.add_people("subject", 200);
    let ids = company.ask_for_all(Right::Access, &emails[..2]).await;
    while company.calls(CONTACTS) < 2 {
        company.engine.work_until_idle().await;
        company.let_wait_pass().await;
    }
    company.casework.withdraw(&operator(), ids[0]).await.unwrap();
    company.work().await;
    assert_eq!(company.outcome(ids[0]).await, Some(Outcome::Withdrawn));
    assert_eq!(company.state(ids[1]).await, RequestState::Delivering);

    // When the last one leaves, the vendor is not bothered any more.
    company.sandbox.calls().reset();
    let id = company.ask(Right::Access, &emails[3]).await;
    while company.calls(CONTACTS) < 2 {
        company.engine.work_until_idle().await;
        company.let_wait_pass().await;
    }
    company.casework.withdraw(&operator(), id).await.unwrap();
    company.work().await;
    assert_eq!(company.calls(CONTACTS), 2);
}

async fn people_who_keep_arriving_while_a_pass_is_read_are_all_answered(database: TestDatabase) {
    let company = Company::new(database).await;
    let emails = company.add_people("visitor", 160);
    let arriving = async {
        let mut ids = Vec::new();
        for some in emails.chunks(8) {
            let asked = some.iter().map(|email| company.try_ask(Right::Access, email, false));
            ids.extend(futures::future::join_all(asked).await);
        }
        ids
    };
    let working = async {
        for _ in 0..40 {
            company.engine.work_until_idle().await;
            tokio::task::yield_now().await;
        }
    };
    let (ids, ()) = tokio::join!(arriving, working);
    company.work().await;
    for id in ids {
        let id = id.unwrap();
        assert_eq!(company.state(id).await, RequestState::Delivering);
        assert_eq!(found(&company, id).await, Some(1));
    }
}

async fn people_who_arrive_while_a_pass_fails_are_not_forgotten(database: TestDatabase) {
    let company = Company::new(database).await;
    let emails = company.add_people("visitor", 120);
    company.fault(at_lists(Fault::TokenExpired {}));
    let arriving = async {
        let mut ids = Vec::new();
        for some in emails.chunks(4) {
            let asked = some.iter().map(|email| company.try_ask(Right::Access, email, false));
            ids.extend(futures::future::join_all(asked).await);
        }
        ids
    };
    let working = async {
        for _ in 0..40 {
            company.engine.work_until_idle().await;
            tokio::task::yield_now().await;
        }
    };
    let (ids, ()) = tokio::join!(arriving, working);
    company.work().await;
    company.sandbox.faults().clear();
    for id in ids {
        let run = company.last_run(id.unwrap()).await.run;
        assert_eq!(run.status, RunStatus::Attention, "no pass serves it, and nobody was told: {run:?}");
        company.casework.retry_run(&operator(), run.request, run.id).await.unwrap();
    }
    company.work().await;
    assert!(company.all_requests().await.iter().all(|one| one.request.state == RequestState::Delivering));
}

async fn whoever_arrives_does_not_cut_short_the_wait_that_a_vendor_asked_for(database: TestDatabase) {
    let company = Company::new(database).await;
    company.fault(at_lists(Fault::Status { code: 503, body: None, retry_after: Some(600) }).times(1));
    company.ask(Right::Access, ANA).await;
    company.engine.work_until_idle().await;
    let next = company.next_operation().await.unwrap();
    assert_eq!(next.duration_since(company.time.now()).as_secs(), 600);
    company.ask(Right::Access, "jo+shop@example.test").await;
    assert_eq!(company.next_operation().await, Some(next));
    let before = company.all_calls();
    company.engine.work_until_idle().await;
    assert_eq!(company.all_calls(), before);
}
