//! Connections are edited and removed while requests need them.

use std::time::Duration;

use habeas_casework::CaseworkError;
use habeas_casework::connections::{
    ConnectionChange, ContactChange, NewConnection, PlannedAction, PlannedChange,
};
use habeas_domain::capability::{Capability, Handling};
use habeas_domain::{Outcome, Phase, RequestState, Right, RunStatus};
use habeas_integrations::Settings;
use habeas_sandbox::faults::{Fault, Rule};
use habeas_sandbox::readycloud::fixtures;
use habeas_sandbox::segment_config::fixtures as segment;
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{
    ANA, CONTACTS, Company, MAIN_TOKEN, OUTLET_TOKEN, Setup, System, TEAM, TOKEN, at_lists, connection_to,
    operator, status,
};

on_both_databases![
    a_new_token_is_proven_before_it_takes_the_old_ones_place,
    what_is_edited_without_the_vendor_does_not_ask_it,
    capabilities_change_for_later_requests_only,
    the_slower_of_two_edits_is_refused,
    a_plan_compares_what_is_sealed,
    a_direct_contact_without_an_address_of_its_own_has_the_one_of_its_settings,
    a_token_of_segments_newer_api_takes_the_work_there,
    a_deletion_under_way_is_followed_through_the_api_of_the_new_token,
    a_forced_removal_skips_what_was_under_way,
    a_forced_removal_leaves_out_what_a_review_had_chosen,
    a_forced_removal_breaks_off_an_erasure,
    the_team_is_told_once_of_a_connection_that_fails_for_two_days,
    the_team_is_told_three_times_before_credentials_end,
];

fn settings(token: &str) -> ConnectionChange {
    ConnectionChange {
        settings: Settings::from_iter([("access_token", token)]),
        ..ConnectionChange::default()
    }
}

fn serving(capability: Capability, handling: Handling) -> ConnectionChange {
    ConnectionChange { capabilities: [(capability, handling)].into(), ..ConnectionChange::default() }
}

async fn a_new_token_is_proven_before_it_takes_the_old_ones_place(database: TestDatabase) {
    let company = Company::with(database, Setup { token: MAIN_TOKEN, ..Setup::default() }).await;
    let (casework, id) = (&company.casework, company.connection.stored.id);
    let events = |dump: Vec<String>| dump.iter().filter(|line| line.contains("evt_")).count();
    let before = events(company.dump().await);
    let refused = casework.edit_connection(&operator(), id, settings(fixtures::EXPIRED_TOKEN)).await;
    assert!(matches!(refused, Err(CaseworkError::Vendor(_))), "{refused:?}");
    let refused = casework.edit_connection(&operator(), id, settings(fixtures::READ_ONLY_TOKEN)).await;
    assert!(matches!(refused, Err(CaseworkError::PermissionsMissing(_))), "{refused:?}");
    let unknown = ConnectionChange {
        settings: Settings::from_iter([("colour", "red")]),
        ..ConnectionChange::default()
    };
    let refused = casework.edit_connection(&operator(), id, unknown).await;
    assert!(matches!(refused, Err(CaseworkError::Validation(_))), "{refused:?}");
    assert_eq!(events(company.dump().await), before);
    let kept = casework.connection(&operator(), id).await.unwrap().stored;
    assert!(kept.edited_state() == company.connection.stored.edited_state());

    let edited = casework.edit_connection(&operator(), id, settings(TOKEN)).await.unwrap();
    assert_ne!(edited.stored.account, company.connection.stored.account, "another account's limits hold");
    assert_eq!(casework.connection_access(id).await.unwrap().settings.text("access_token"), TOKEN);
    // The new token sees the second organisation, too; the old one is used no more, not even from memory.
    company.add_contact_in(fixtures::SECOND_ORG, "only.there@example.test");
    let request = company.ask(Right::Access, "only.there@example.test").await;
    company.work().await;
    assert_eq!(company.last_run(request).await.run.records_found, Some(1));
}

async fn what_is_edited_without_the_vendor_does_not_ask_it(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.connection.stored.id;
    let calls = company.all_calls();
    let contact = ContactChange {
        email: Some(Some("owner@example.test".to_owned())),
        deadline_days: Some(Some(3)),
        ..ContactChange::default()
    };
    let change =
        ConnectionChange { name: Some(" web shop ".to_owned()), contact, ..ConnectionChange::default() };
    let edited = company.casework.edit_connection(&operator(), id, change).await.unwrap();
    assert_eq!((edited.stored.name.as_str(), edited.stored.contact_seconds), ("web shop", Some(3 * 86_400)));
    assert_eq!(company.all_calls(), calls);
    let handed = serving(Capability::Access, Handling::DirectContact);
    let edited = company.casework.edit_connection(&operator(), id, handed).await.unwrap();
    assert_eq!(edited.contact.unwrap().email.as_deref(), Some("owner@example.test"));
    // Nothing is different: nothing is written.
    let before = company.dump().await;
    company.casework.edit_connection(&operator(), id, ConnectionChange::default()).await.unwrap();
    let same = ConnectionChange { name: Some("web shop".to_owned()), ..ConnectionChange::default() };
    company.casework.edit_connection(&operator(), id, same).await.unwrap();
    assert_eq!(company.dump().await, before);
    let nobody = ContactChange { email: Some(None), ..ContactChange::default() };
    let change = ConnectionChange { contact: nobody, ..ConnectionChange::default() };
    let edited = company.casework.edit_connection(&operator(), id, change).await.unwrap();
    assert_eq!(edited.contact.unwrap().email, None);
}

async fn capabilities_change_for_later_requests_only(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.connection.stored.id;
    let planned = company.ask_with_review(Right::Deletion, ANA).await;
    company.work().await;
    let off = serving(Capability::Deletion, Handling::Off);
    company.casework.edit_connection(&operator(), id, off).await.unwrap();
    company.casework.process(&operator(), planned, [].into()).await.unwrap();
    company.work().await;
    assert_eq!(company.outcome(planned).await, Some(Outcome::Erased), "planned before");
    let later = company.try_ask(Right::Deletion, "jo+shop@example.test", true).await;
    assert!(matches!(later, Err(CaseworkError::PlanRefused(_))), "{later:?}");
}

/// Edits that give the connection a token.
fn api_token(token: &str) -> ConnectionChange {
    ConnectionChange { settings: Settings::from_iter([("api_token", token)]), ..ConnectionChange::default() }
}

/// Which of Segment's APIs were called since the last time this was asked.
fn apis_called(company: &Company) -> Vec<&'static str> {
    let summary = company.sandbox.calls().summary();
    company.sandbox.calls().reset();
    summary.vendors.into_iter().filter(|(_, calls)| calls.total > 0).map(|(vendor, _)| vendor).collect()
}

async fn delete(company: &Company, email: &str) {
    let request = company.ask(Right::Deletion, email).await;
    company.work_with_the_vendor(company).await;
    assert_eq!(company.outcome(request).await, Some(Outcome::Erased));
    assert_eq!(company.sandbox.segment_config().accepted_for_deletion(email), 1);
}

async fn a_token_of_segments_newer_api_takes_the_work_there(database: TestDatabase) {
    let company = Company::with(database, Setup::at(System::SegmentConfig)).await;
    let (casework, id) = (&company.casework, company.connection.stored.id);
    delete(&company, segment::ANA_EMAIL).await;
    assert_eq!(apis_called(&company), ["segment_config"]);

    for token in [segment::READ_ONLY_TOKEN, segment::PUBLIC_READ_ONLY_TOKEN] {
        let refused = casework.edit_connection(&operator(), id, api_token(token)).await;
        let Err(CaseworkError::PermissionsMissing(missing)) = refused else { panic!("{refused:?}") };
        let named: Vec<&str> = missing.iter().map(|one| one.permission.as_str()).collect();
        assert_eq!(named, ["Workspace Owner"]);
    }
    for token in [segment::PUBLIC_REVOKED_TOKEN, segment::PUBLIC_OTHER_TOKEN] {
        let refused = casework.edit_connection(&operator(), id, api_token(token)).await;
        assert!(matches!(refused, Err(CaseworkError::Vendor(_))), "{refused:?}");
    }
    apis_called(&company);
    delete(&company, segment::JO_EMAIL).await;
    assert_eq!(apis_called(&company), ["segment_config"], "what was refused changed nothing");

    casework.edit_connection(&operator(), id, api_token(segment::PUBLIC_TOKEN)).await.unwrap();
    let kept = casework.connection_access(id).await.unwrap().settings;
    assert_eq!((kept.text("api_token"), kept.text("api")), (segment::PUBLIC_TOKEN, "public"));
    apis_called(&company);
    delete(&company, segment::KIM_EMAIL).await;
    company.casework.check_connection(&operator(), id).await.unwrap();
    assert_eq!(apis_called(&company), ["segment_public"], "the older one is asked no more");

    casework.edit_connection(&operator(), id, api_token(segment::TOKEN)).await.unwrap();
    apis_called(&company);
    delete(&company, segment::PIA_EMAIL).await;
    assert_eq!(apis_called(&company), ["segment_config"]);
    assert!(!company.dump().await.iter().any(|row| row.contains("sgp_")));
}

async fn a_deletion_under_way_is_followed_through_the_api_of_the_new_token(database: TestDatabase) {
    let company = Company::with(database, Setup::at(System::SegmentConfig)).await;
    let request = company.ask(Right::Deletion, segment::ANA_EMAIL).await;
    company.engine.work_until_idle().await;
    assert!(company.last_run(request).await.run.vendor_job.is_some());
    let change = api_token(segment::PUBLIC_TOKEN);
    company.casework.edit_connection(&operator(), company.connection.stored.id, change).await.unwrap();
    assert!(company.sandbox.segment_config().revoke_token(segment::TOKEN));
    apis_called(&company);
    company.work_with_the_vendor(&company).await;
    assert_eq!(company.outcome(request).await, Some(Outcome::Erased));
    assert_eq!(apis_called(&company), ["segment_public"]);
    assert_eq!(company.sandbox.segment_config().accepted_for_deletion(segment::ANA_EMAIL), 1);
}

async fn the_slower_of_two_edits_is_refused(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.connection.stored.id;
    let operator = operator();
    // The first has read the connection once it calls the vendor, who takes a while.
    company.fault(Rule::new("readycloud", Fault::Latency { ms: 300 }).times(1));
    let slow = ConnectionChange { name: Some("slow".to_owned()), ..settings(OUTLET_TOKEN) };
    let mut slower = std::pin::pin!(company.casework.edit_connection(&operator, id, slow));
    while company.sandbox.faults().rules()[0].struck == 0 {
        assert!(futures::poll!(&mut slower).is_pending());
        tokio::task::yield_now().await;
    }
    let quick = ConnectionChange { name: Some("quick".to_owned()), ..ConnectionChange::default() };
    company.casework.edit_connection(&operator, id, quick).await.unwrap();
    let refused = slower.await;
    let Err(CaseworkError::ConnectionChanged { name }) = &refused else { panic!("{refused:?}") };
    assert_eq!(name, "quick");
    assert_eq!(company.casework.connection(&operator, id).await.unwrap().stored.name, "quick");
}

async fn a_plan_compares_what_is_sealed(database: TestDatabase) {
    let company = Company::with(database, Setup { token: MAIN_TOKEN, ..Setup::default() }).await;
    company.connect_to(System::DirectContact, "archive").await;
    let shop = NewConnection {
        settings: Settings::from_iter([("access_token", MAIN_TOKEN)]),
        ..connection_to(System::ReadyCloud, &company.connection.stored.name)
    };
    let declared = [connection_to(System::DirectContact, "archive"), shop];
    let plan = async || {
        let planned = company.casework.plan_connections(&operator(), &declared).await.unwrap();
        assert_eq!(planned.len(), 2, "{planned:?}");
        planned.into_iter().filter(|one| one.action != PlannedAction::None).collect::<Vec<_>>()
    };
    let (before, calls) = (company.dump().await, company.all_calls());
    assert_eq!(plan().await, []);
    assert_eq!(
        (company.dump().await, company.all_calls()),
        (before, calls),
        "nothing is written, nobody is asked"
    );

    let id = company.connection.stored.id;
    company.casework.edit_connection(&operator(), id, settings(TOKEN)).await.unwrap();
    let planned = plan().await;
    assert_eq!((planned.len(), planned[0].action, planned[0].id), (1, PlannedAction::Edit, Some(id)));
    assert_eq!(
        planned[0].changes,
        [PlannedChange { field: "settings.access_token".to_owned(), shown: None }]
    );
    company.casework.edit_connection(&operator(), id, settings(MAIN_TOKEN)).await.unwrap();
    assert_eq!(plan().await, []);
}

async fn a_direct_contact_without_an_address_of_its_own_has_the_one_of_its_settings(database: TestDatabase) {
    let company = Company::new(database).await;
    let archive = company.connect_to(System::DirectContact, "archive").await;
    let address = archive.contact.unwrap().email;
    let edit = async |email: Option<&str>| {
        let contact = ContactChange { email: Some(email.map(str::to_owned)), ..ContactChange::default() };
        let change = ConnectionChange { contact, ..ConnectionChange::default() };
        let edited = company.casework.edit_connection(&operator(), archive.stored.id, change).await.unwrap();
        edited.contact.unwrap().email
    };
    assert_eq!(edit(Some("dpo@example.test")).await.as_deref(), Some("dpo@example.test"));
    assert_eq!(edit(None).await, address);
}

async fn a_forced_removal_skips_what_was_under_way(database: TestDatabase) {
    let (company, outlet) = Company::of_two_accounts(database).await;
    let outlet = outlet.stored.id;
    company.fault(at_lists(status(503)).path_contains("/orgs/2Bx/contacts/?"));
    let ids =
        [company.ask(Right::Access, ANA).await, company.ask(Right::Access, "jo+shop@example.test").await];
    company.engine.work_until_idle().await;
    let refused = company.casework.remove_connection(&operator(), outlet, false).await.unwrap_err();
    let CaseworkError::ConnectionInUse { runs: 2, requests, .. } = &refused else { panic!("{refused}") };
    assert_eq!(*requests, ids.into());
    company.casework.remove_connection(&operator(), outlet, true).await.unwrap();
    let calls = company.calls(CONTACTS);
    company.work().await;
    assert_eq!(company.calls(CONTACTS), calls, "nobody is asked any more");
    for id in ids {
        let run = company.run_at(id, "outlet", Phase::Collect).await;
        assert_eq!(run.run.status, RunStatus::Skipped);
        assert_eq!(run.note.as_deref(), Some("the connection `outlet` was removed"));
        assert_eq!(company.state(id).await, RequestState::Delivering, "with what the others found");
    }
    let access = company.casework.connection_access(outlet).await;
    assert!(matches!(access, Err(CaseworkError::NotFound { .. })), "its credentials are gone");
    assert!(company.audit_is_whole().await);
}

async fn a_forced_removal_leaves_out_what_a_review_had_chosen(database: TestDatabase) {
    let (company, outlet) = Company::of_two_accounts(database).await;
    let email = "both@example.test";
    let here = company.add_contact(email);
    let there = company.add_contact_in(fixtures::SECOND_ORG, email);
    let id = company.ask_with_review(Right::Deletion, email).await;
    company.work().await;
    let refused = company.casework.remove_connection(&operator(), outlet.stored.id, false).await.unwrap_err();
    assert!(matches!(refused, CaseworkError::ConnectionInUse { runs: 1, .. }), "{refused}");
    company.casework.remove_connection(&operator(), outlet.stored.id, true).await.unwrap();
    assert!(!company.run_at(id, "outlet", Phase::Collect).await.run.selected);
    company.casework.process(&operator(), id, [].into()).await.unwrap();
    company.work().await;
    assert_eq!(
        company.outcome(id).await,
        Some(Outcome::ErasedWithExceptions),
        "it is said that something stays"
    );
    assert_eq!((company.deletions_of(&here).0, company.deletions_of(&there).0), (1, 0));
}

async fn a_forced_removal_breaks_off_an_erasure(database: TestDatabase) {
    let company = Company::new(database).await;
    let archive = company.connect_to(System::DirectContact, "archive").await;
    let id = company.ask(Right::Deletion, ANA).await;
    company.engine.work_until_idle().await;
    assert_eq!(company.state(id).await, RequestState::Erasing);
    company.casework.remove_connection(&operator(), archive.stored.id, true).await.unwrap();
    assert_eq!(company.run_at(id, "archive", Phase::Erase).await.run.status, RunStatus::Skipped);
    company.work().await;
    assert_eq!(company.outcome(id).await, Some(Outcome::ErasedWithExceptions));
}

async fn the_team_is_told_once_of_a_connection_that_fails_for_two_days(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.connection.stored.id;
    let told = || company.outside.mailbox.received().len();
    let hours = async |hours: u64| {
        for _ in 0..hours {
            company.time.advance(Duration::from_hours(1));
            company.engine.work_until_idle().await;
        }
    };
    company.fault(Rule::new("readycloud", status(401)));
    company.casework.check_connection(&operator(), id).await.unwrap();
    hours(47).await;
    assert_eq!(told(), 0, "a day of trouble is nobody's concern");
    hours(30).await;
    assert_eq!(told(), 1, "once");
    let mail = company.outside.mailbox.newest(TEAM);
    assert!(mail.subject.contains("\"shop\" has not worked since"), "{}", mail.subject);
    let stored = company.casework.connection(&operator(), id).await.unwrap().stored;
    assert_eq!(stored.status, "disconnected");
    // It works again, and fails again later: that is told anew.
    company.sandbox.faults().clear();
    hours(24).await;
    assert_eq!(company.casework.connection(&operator(), id).await.unwrap().stored.failing_since, None);
    company.fault(Rule::new("readycloud", status(503)));
    hours(24 + 49).await;
    assert_eq!(told(), 2);
    company.casework.remove_connection(&operator(), id, false).await.unwrap();
    company.engine.forget().await;
    assert!(company.outside.mailbox.received().is_empty(), "what was said of it is forgotten with it");
    assert!(company.audit_is_whole().await);
}

async fn the_team_is_told_three_times_before_credentials_end(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.connection.stored.id;
    let told = || company.outside.mailbox.received().len();
    let days = async |days: u64| {
        for _ in 0..days {
            company.time.advance_days(1);
            company.engine.work_until_idle().await;
        }
    };
    let pasted = |seconds: u64| {
        settings(&format!(
            "https://www.readycloud.com/api/v1/oauth2/auth_code#access_token={TOKEN}&expires_in={seconds}\
             &token_type=bearer&scope=contact+company-read_only"
        ))
    };
    company.casework.edit_connection(&operator(), id, pasted(40 * 86_400)).await.unwrap();
    days(9).await;
    assert_eq!(told(), 0);
    days(4).await;
    assert_eq!(told(), 1, "30 days before");
    let mail = company.outside.mailbox.newest(TEAM);
    assert!(mail.subject.starts_with("The credentials of \"shop\" end on "), "{}", mail.subject);
    assert_eq!(company.casework.connection(&operator(), id).await.unwrap().stored.status, "degraded");
    days(18).await;
    assert_eq!(told(), 1);
    days(4).await;
    assert_eq!(told(), 2, "7 days before");
    days(4).await;
    assert_eq!(told(), 3, "1 day before");
    // New ones: all is well again, and it is told anew when they end.
    company.casework.edit_connection(&operator(), id, pasted(40 * 86_400)).await.unwrap();
    days(12).await;
    assert_eq!(told(), 4);
    assert!(company.audit_is_whole().await);
}
