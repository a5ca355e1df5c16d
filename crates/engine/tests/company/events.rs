//! The history that a request leaves: what happened, in order, without anybody's data.

use std::collections::BTreeSet;

use habeas_domain::reason::HoldReason;
use habeas_domain::{RequestId, Right};
use habeas_store::audit::Anchor;
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{ANA, Company, TOKEN, at_lists, operator, status};

on_both_databases![
    an_access_tells_its_life,
    a_deletion_tells_its_life,
    attempts_are_no_events_and_decisions_are,
    no_event_names_anybody,
    a_seal_kept_elsewhere_proves_the_log_from_then_on,
];

/// What happened, with the move or the number that tells it from its like.
async fn story(company: &Company, id: RequestId) -> Vec<String> {
    let events = company.casework.events(&operator(), id, 0, 200).await.unwrap().items;
    events
        .into_iter()
        .map(|event| {
            let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
            let words =
                ["action", "to", "status", "phase", "outcome", "records", "deleted", "code", "selected"];
            let told = words.iter().filter_map(|word| match &data[*word] {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some(text.clone()),
                other => Some(format!("{word} {other}")),
            });
            let head = format!("{} by {}", event.kind, event.actor);
            [head].into_iter().chain(told).collect::<Vec<_>>().join(", ")
        })
        .collect()
}

async fn an_access_tells_its_life(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.ask_with_review(Right::Access, ANA).await;
    company.work().await;
    let record = company.records(id).await[0].record.id;
    company.casework.select_record(&operator(), id, record, false, None).await.unwrap();
    company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    company.package(id).await;
    company.time.advance_days(30);
    company.casework.forget_what_is_due().await.unwrap();
    company.time.advance_days(731);
    company.casework.forget_what_is_due().await.unwrap();
    let expected = [
        "request.created by local-operator",
        "run.settled by system, complete, complete, collect, records 2",
        "request.moved by system, finish_collecting, review",
        "records.read by local-operator, records 2",
        "record.selected by local-operator, selected false",
        "request.moved by local-operator, deliver, delivering",
        "package.read by local-operator",
        "request.closed by local-operator, download, closed, downloaded",
        "request.content_destroyed by system",
        "request.case_destroyed by system",
    ];
    assert_eq!(story(&company, id).await, expected);
}

async fn a_deletion_tells_its_life(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.ask(Right::Deletion, ANA).await;
    company.work().await;
    let expected = [
        "request.created by local-operator",
        "run.settled by system, complete, complete, collect, records 2",
        "request.moved by system, finish_collecting, review",
        "request.moved by system, erase, erasing",
        "run.settled by system, complete, complete, erase, deleted 2",
        "request.closed by system, finish_erasing, closed, erased",
        "request.content_destroyed by system",
        "mail.sent by system",
    ];
    assert_eq!(story(&company, id).await, expected);
}

async fn attempts_are_no_events_and_decisions_are(database: TestDatabase) {
    let company = Company::new(database).await;
    company.fault(at_lists(status(503)));
    let id = company.ask_with_review(Right::Access, ANA).await;
    company.work().await;
    let run = company.last_run(id).await.run.id;
    company.casework.retry_run(&operator(), id, run).await.unwrap();
    company.work().await;
    company.casework.hold(&operator(), id, HoldReason::Other, Some("wait".to_owned())).await.unwrap();
    company.casework.resume(&operator(), id).await.unwrap();
    company.casework.skip_run(&operator(), id, run, "it is down".to_owned()).await.unwrap();
    company.casework.withdraw(&operator(), id).await.unwrap();
    let expected = [
        "request.created by local-operator",
        "run.attention by system, fail, attention, collect, vendor_unavailable",
        "run.moved by local-operator, retry, processing, collect",
        "run.attention by system, fail, attention, collect, vendor_unavailable",
        "request.moved by local-operator, hold, collecting",
        "request.moved by local-operator, resume, collecting",
        "run.settled by local-operator, skip, skipped, collect",
        "request.moved by local-operator, finish_collecting, review",
        "request.closed by local-operator, withdraw, closed, withdrawn",
    ];
    assert_eq!(story(&company, id).await, expected);
}

async fn no_event_names_anybody(database: TestDatabase) {
    let company = Company::new(database).await;
    for right in [Right::Access, Right::Deletion] {
        company.fault(at_lists(status(400)).times(1));
        let id = company.ask_with_review(right, ANA).await;
        company.work().await;
        let run = company.last_run(id).await.run.id;
        company.casework.retry_run(&operator(), id, run).await.unwrap();
        company.work().await;
        company.records(id).await;
        company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
        company.work().await;
    }
    company.casework.check_connection(&operator(), company.connection.stored.id).await.unwrap();
    let events = company.casework.audit_events(&operator(), 0, 200).await.unwrap().items;
    assert!(events.len() > 15);
    let contacts = company.sandbox.readycloud().contacts_with_email(ANA);
    let secrets = [ANA, "silva", "Silva", "SILVA", TOKEN, "3mrRD", "H6j", "@"];
    for event in events {
        for secret in secrets.iter().copied().chain(contacts.iter().map(String::as_str)) {
            assert!(!event.data.contains(secret), "{}: {} in {}", event.kind, secret, event.data);
            assert!(!event.object_id.contains(secret), "{}: {}", event.kind, event.object_id);
        }
    }
}

async fn a_seal_kept_elsewhere_proves_the_log_from_then_on(database: TestDatabase) {
    let company = Company::new(database).await;
    let first = company.ask(Right::Access, ANA).await;
    company.work().await;
    let seal = company.casework.seal_audit().await.unwrap().unwrap();
    assert!(company.casework.seal_audit().await.unwrap().is_none(), "nothing has happened since");
    let anchor = Anchor::parse(&serde_json::to_string(&seal).unwrap()).unwrap();
    company.casework.withdraw(&operator(), first).await.unwrap();
    company.ask(Right::Deletion, ANA).await;
    company.work().await;
    let verified = company.casework.verify_audit(&operator(), Some(&anchor)).await.unwrap();
    assert!(verified.valid, "{verified:?}");
    // Whoever changes what the seal covers is found out.
    let mut raw = company.database.raw().await;
    let position = raw.number("SELECT min(position) FROM audit_events WHERE kind = 'request.created'").await;
    raw.run(format!("UPDATE audit_events SET actor = 'nobody' WHERE position = {position}")).await;
    let verified = company.casework.verify_audit(&operator(), Some(&anchor)).await.unwrap();
    assert!(!verified.valid);
    assert_eq!(verified.first_bad.unwrap().position, Some(position));
}
