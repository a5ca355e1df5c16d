//! What each system would do, asked without touching anything, and compared with what it did.

use std::collections::BTreeSet;
use std::time::Duration;

use habeas_casework::plans::{PlanCase, PlanItem, Source, Would};
use habeas_domain::lifecycle::RequestState;
use habeas_domain::reason::HoldReason;
use habeas_domain::{Actor, Phase, RequestId, Right, Role};
use habeas_sandbox::qualtrics::ContactSpec;
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{ANA, Company, Setup, System, at_lists, operator, status};

on_both_databases![
    a_scan_counts_what_a_deletion_would_remove_and_touches_nothing,
    an_access_is_foreseen_and_compared_with_what_was_collected,
    a_search_says_whether_a_person_is_held,
    a_person_who_is_held_foretells_no_count_of_an_access,
    what_cannot_be_known_is_said,
    nothing_is_asked_where_nothing_may_be_sent,
    a_difference_is_shown_when_the_world_changed_meanwhile,
    a_vendor_that_is_away_makes_no_plan_fail,
];

const A_MINUTE: Duration = Duration::from_secs(60);

async fn plan(company: &Company, id: RequestId) -> PlanCase {
    company.casework.plan(&operator(), id, A_MINUTE).await.unwrap()
}

fn only(mut plan: PlanCase) -> PlanItem {
    assert_eq!(plan.items.len(), 1);
    plan.items.remove(0)
}

fn told(item: &PlanItem) -> String {
    item.unknown.iter().map(|one| format!("{}: {}; ", one.what, one.why)).collect()
}

async fn a_scan_counts_what_a_deletion_would_remove_and_touches_nothing(database: TestDatabase) {
    let company = Company::new(database).await;
    let extra = company.add_contact(ANA);
    let before = company.sandbox.readycloud().snapshot();
    let request = company.ask_with_review(Right::Deletion, ANA).await;
    assert_eq!(company.state(request).await, RequestState::Collecting);

    let item = only(plan(&company, request).await);
    assert_eq!((item.would, item.source), (Would::DeleteRecords, Source::Looked));
    let count = item.found.unwrap();
    assert!(count >= 2 && item.would_delete == Some(count), "{item:?}");
    assert_eq!(item.by_kind.get("contact"), Some(&count));
    assert_eq!(company.sandbox.readycloud().snapshot(), before);
    assert_eq!(company.deletions_of(&extra).0, 0);
    assert!(company.history(request).await.contains(&"request.looked_ahead".to_owned()));

    // From the review on, the plan is what was collected and left selected; nobody is asked.
    company.work().await;
    let calls = company.all_calls();
    let record = company.records(request).await.remove(0).record.id;
    company.casework.select_record(&operator(), request, record, false, None).await.unwrap();
    let item = only(plan(&company, request).await);
    assert_eq!(
        (item.source, item.found, item.would_delete),
        (Source::Collected, Some(count), Some(count - 1))
    );
    assert_eq!(company.all_calls(), calls);

    company.casework.process(&operator(), request, [].into()).await.unwrap();
    company.work().await;
    let item = only(plan(&company, request).await);
    let done = item.done.unwrap();
    assert_eq!((item.would_delete, done.deleted), (Some(count - 1), Some(count - 1)));
    assert_eq!(item.difference, None);
    assert!(company.audit_is_whole().await);
}

async fn an_access_is_foreseen_and_compared_with_what_was_collected(database: TestDatabase) {
    let company = Company::new(database).await;
    let request = company.ask_with_review(Right::Access, ANA).await;
    let count = only(plan(&company, request).await).found.unwrap();
    company.add_contact(ANA);
    company.work().await;
    let item = only(plan(&company, request).await);
    assert_eq!((item.would, item.found), (Would::Collect, Some(count + 1)));
    let differs = format!("the plan expected {count}, {} were found", count + 1);
    assert_eq!(item.difference, Some(differs));
}

async fn a_search_says_whether_a_person_is_held(database: TestDatabase) {
    let company = Company::with(database, Setup { system: System::Qualtrics, ..Setup::default() }).await;
    for (email, is_held) in [("nobody.at.all@example.test", false), (ANA, true)] {
        let before = company.sandbox.qualtrics().snapshot();
        let request = company.ask_with_review(Right::Deletion, email).await;
        company.work().await;
        assert_eq!(company.state(request).await, RequestState::Review);
        let item = only(plan(&company, request).await);
        assert_eq!((item.would, item.held), (Would::DeletePerson, Some(is_held)), "{}", told(&item));
        assert_eq!(item.would_delete, Some(u64::from(is_held)));
        let behind: BTreeSet<_> = item.residuals.iter().collect();
        assert!(!behind.is_empty() && behind.len() == item.residuals.len(), "each is said once");
        assert_eq!(company.sandbox.qualtrics().snapshot(), before, "{email}");

        company.casework.process(&operator(), request, [].into()).await.unwrap();
        let erase = company.run_at(request, "shop", Phase::Erase).await.run;
        assert_eq!(erase.expected, Some(u64::from(is_held)));
        company.work_with_the_vendor(&company).await;
        let item = only(plan(&company, request).await);
        assert_eq!((item.done.unwrap().deleted, item.difference), (Some(u64::from(is_held)), None));
    }
}

async fn a_person_who_is_held_foretells_no_count_of_an_access(database: TestDatabase) {
    let company = Company::with(database, Setup { system: System::Qualtrics, ..Setup::default() }).await;
    let request = company.ask_with_review(Right::Access, ANA).await;
    let item = only(plan(&company, request).await);
    assert_eq!((item.would, item.held), (Would::Collect, Some(true)), "{}", told(&item));
    assert_eq!((item.found, item.would_delete), (None, None));
    company.work_with_the_vendor(&company).await;
    let item = only(plan(&company, request).await);
    assert!(item.done.unwrap().found > Some(1), "more records than the one person");
    assert_eq!(item.difference, None);
}

async fn what_cannot_be_known_is_said(database: TestDatabase) {
    let company = Company::with(database, Setup { system: System::SegmentConfig, ..Setup::default() }).await;
    company.connect_to(System::DirectContact, "archive").await;
    let calls = company.all_calls();
    let request = company.ask_with_review(Right::Deletion, ANA).await;
    let plan = plan(&company, request).await;
    assert_eq!(plan.items.len(), 2);
    for item in &plan.items {
        assert_eq!((item.found, item.held, item.source), (None, None, Source::Nowhere));
        let told = told(item);
        match item.would {
            Would::DeletePerson => {
                assert!(told.contains("no way to look without acting"), "{told}");
                assert!(item.residuals.iter().any(|one| one.what.contains("future data")));
            }
            Would::DeleteByContact => assert!(told.contains("a person at the system's owner"), "{told}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(company.all_calls(), calls);
}

async fn nothing_is_asked_where_nothing_may_be_sent(database: TestDatabase) {
    let company = Company::new(database).await;
    let request = company.ask_with_review(Right::Access, ANA).await;
    let calls = company.all_calls();
    let auditor = Actor { name: "key_x".to_owned(), roles: [Role::Auditor].into() };
    let item = only(company.casework.plan(&auditor, request, A_MINUTE).await.unwrap());
    assert!(told(&item).contains("work on requests"), "{}", told(&item));
    company.casework.hold(&operator(), request, HoldReason::LegalHold, None).await.unwrap();
    let item = only(plan(&company, request).await);
    assert!(told(&item).contains("on hold"), "{}", told(&item));
    assert_eq!(company.all_calls(), calls);
    let nobody = Actor { name: "key_y".to_owned(), roles: [Role::ConnectionsManager].into() };
    company.casework.plan(&nobody, request, A_MINUTE).await.unwrap_err();
}

async fn a_difference_is_shown_when_the_world_changed_meanwhile(database: TestDatabase) {
    let company = Company::with(database, Setup { system: System::Qualtrics, ..Setup::default() }).await;
    let email = "soon.gone@example.test";
    let spec = ContactSpec { email: Some(email.to_owned()), ..ContactSpec::default() };
    let contact = company.sandbox.qualtrics().add_contact(spec).unwrap();
    let request = company.ask_with_review(Right::Deletion, email).await;
    company.work().await;
    let item = only(plan(&company, request).await);
    assert_eq!((item.held, item.would_delete, item.difference), (Some(true), Some(1), None));
    // Somebody deletes the person by hand at the vendor.
    company.sandbox.qualtrics().remove_contact(&contact);
    company.casework.process(&operator(), request, [].into()).await.unwrap();
    company.work_with_the_vendor(&company).await;
    let item = only(plan(&company, request).await);
    assert_eq!(item.done.unwrap().deleted, Some(0));
    assert_eq!(item.difference.as_deref(), Some("the plan expected 1, 0 were deleted"));
}

async fn a_vendor_that_is_away_makes_no_plan_fail(database: TestDatabase) {
    let company = Company::new(database).await;
    let request = company.ask_with_review(Right::Access, ANA).await;
    company.fault(at_lists(status(503)));
    let item = only(plan(&company, request).await);
    assert_eq!((item.found, item.source), (None, Source::Nowhere));
    assert!(!item.unknown.is_empty() && !told(&item).contains("ana"), "{}", told(&item));
}
