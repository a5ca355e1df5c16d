//! The certificate of a closed request: the same for ever, about nobody, and an anchor for the log.

use std::collections::BTreeSet;

use habeas_casework::CaseworkError;
use habeas_casework::intake::{Delivery, NewRequest};
use habeas_domain::reason::DenialReason;
use habeas_domain::{Outcome, RequestId, RequestState, Right};
use habeas_store::audit::Anchor;
use habeas_testing::{TestDatabase, on_both_databases};
use serde_json::Value;

use crate::support::{ANA, Company, asking, operator};

on_both_databases![
    only_what_is_closed_has_one,
    it_says_what_was_done_and_names_nobody,
    it_says_the_same_when_everything_personal_is_gone,
    it_is_an_anchor_for_the_log,
    a_log_that_was_rolled_back_is_found_by_it,
    a_log_whose_end_was_cut_off_is_found_at_once,
];

/// Where the log lies.
const LOG: [&str; 4] = ["audit_events", "audit_streams", "audit_seals", "audit_log"];

async fn certificate(company: &Company, id: RequestId) -> Value {
    serde_json::to_value(company.casework.certificate(&operator(), id).await.unwrap()).unwrap()
}

/// A deletion of which one record is left out, up to its end; what its records held.
async fn a_deletion_with_an_exception(company: &Company) -> (RequestId, BTreeSet<String>) {
    let id = company.ask_with_review(Right::Deletion, ANA).await;
    company.work().await;
    let records = company.records(id).await;
    let mut held = BTreeSet::new();
    for record in &records {
        held.extend([record.content.title.clone(), record.content.vendor_id.clone()]);
        held.extend(record.content.person.clone());
        texts(&Value::Object(record.content.fields.clone()), &mut held);
    }
    let kept = records[0].record.id;
    let reason = Some(DenialReason::LegalObligation);
    company.casework.select_record(&operator(), id, kept, false, reason).await.unwrap();
    company.casework.process(&operator(), id, BTreeSet::new()).await.unwrap();
    company.work().await;
    assert_eq!(company.outcome(id).await, Some(Outcome::ErasedWithExceptions));
    (id, held)
}

/// Every text in a value that could tell people apart.
fn texts(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.len() > 4 => drop(into.insert(text.clone())),
        Value::Array(values) => values.iter().for_each(|value| texts(value, into)),
        Value::Object(values) => values.values().for_each(|value| texts(value, into)),
        _ => {}
    }
}

async fn only_what_is_closed_has_one(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.ask_with_review(Right::Access, ANA).await;
    for state in [RequestState::Collecting, RequestState::Review] {
        let refused = company.casework.certificate(&operator(), id).await;
        assert!(
            matches!(refused, Err(CaseworkError::StillOpen { state: found }) if found == state),
            "{refused:?}"
        );
        company.work().await;
    }
    company.casework.withdraw(&operator(), id).await.unwrap();
    assert_eq!(certificate(&company, id).await["outcome"], "withdrawn");
}

async fn it_says_what_was_done_and_names_nobody(database: TestDatabase) {
    let company = Company::new(database).await;
    let (deletion, held) = a_deletion_with_an_exception(&company).await;
    assert!(held.iter().any(|text| text.to_lowercase().contains("silva")), "{}", held.len());
    let new = NewRequest { delivery: Some(Delivery::Mail), ..asking(Right::Access, ANA, false) };
    let access = company.casework.create_request(&operator(), new, None).await.unwrap();
    company.work().await;
    company.casework.withdraw(&operator(), access).await.unwrap();
    let said = certificate(&company, deletion).await;
    assert_eq!(said["exceptions"][0]["records"], 1);
    assert_eq!(said["exceptions"][0]["reason"], DenialReason::LegalObligation.in_words());
    let deleted: Vec<_> = said["systems"].as_array().unwrap().iter().map(|it| &it["deleted"]).collect();
    assert!(deleted.contains(&&Value::from(1)), "{deleted:?}");
    assert_eq!(said["mails"][0]["kind"], "erased_with_exceptions");
    assert!(said["content_destroyed_at"].is_string() && said["case_destroyed_at"].is_null());
    for said in [said, certificate(&company, access).await] {
        let text = said.to_string().to_lowercase();
        for personal in held.iter().map(String::as_str).chain([ANA, "silva", "example.test"]) {
            assert!(!text.contains(&personal.to_lowercase()), "{text}");
        }
    }
}

async fn it_says_the_same_when_everything_personal_is_gone(database: TestDatabase) {
    let company = Company::new(database).await;
    let (id, _) = a_deletion_with_an_exception(&company).await;
    let mut before = certificate(&company, id).await;
    company.time.advance_days(800);
    company.casework.forget_what_is_due().await.unwrap();
    assert!(company.request(id).await.details.is_none());
    let mut after = certificate(&company, id).await;
    assert!(before["case_destroyed_at"].is_null() && after["case_destroyed_at"].is_string());
    assert!(after["events"]["count"].as_u64() > before["events"]["count"].as_u64());
    for certificate in [&mut before, &mut after] {
        let certificate = certificate.as_object_mut().unwrap();
        // Both grow with the log, of which the forgetting is part.
        for growing in ["case_destroyed_at", "events", "seal"] {
            assert!(certificate.remove(growing).is_some(), "{growing}");
        }
    }
    assert_eq!(before, after);
}

async fn it_is_an_anchor_for_the_log(database: TestDatabase) {
    let company = Company::new(database).await;
    let (id, _) = a_deletion_with_an_exception(&company).await;
    let anchor = Anchor::parse(&certificate(&company, id).await.to_string()).unwrap();
    let last = company.casework.events(&operator(), id, 0, 200).await.unwrap().items.pop().unwrap();
    assert!(anchor.0.last_position >= last.position, "its seal covers what it says");
    // The log goes on; the anchor stays part of it.
    company.ask(Right::Access, ANA).await;
    company.work().await;
    let found = company.casework.verify_audit(&operator(), Some(&anchor)).await.unwrap();
    assert!(found.valid && found.first_bad.is_none(), "{found:?}");
    assert!(found.seal.unwrap().number > anchor.0.number);
}

async fn a_log_that_was_rolled_back_is_found_by_it(database: TestDatabase) {
    let company = Company::new(database).await;
    company.ask(Right::Access, ANA).await;
    company.work().await;
    assert!(company.audit_is_whole().await, "what has happened so far is sealed");
    let mut raw = company.database.raw().await;
    for table in LOG {
        raw.run(format!("CREATE TABLE early_{table} AS SELECT * FROM {table}")).await;
    }
    let (id, _) = a_deletion_with_an_exception(&company).await;
    let anchor = Anchor::parse(&certificate(&company, id).await.to_string()).unwrap();
    for table in LOG {
        raw.run(format!("DELETE FROM {table}")).await;
        raw.run(format!("INSERT INTO {table} SELECT * FROM early_{table}")).await;
    }
    assert!(company.audit_is_whole().await, "alone, the log cannot know that it was longer");
    let found = company.casework.verify_audit(&operator(), Some(&anchor)).await.unwrap();
    assert!(!found.valid);
    let problem = format!("{:?}", found.first_bad.unwrap());
    assert!(problem.contains("rolled back"), "{problem}");
}

async fn a_log_whose_end_was_cut_off_is_found_at_once(database: TestDatabase) {
    let company = Company::new(database).await;
    assert!(company.audit_is_whole().await, "what has happened so far is sealed");
    let id = company.ask(Right::Access, ANA).await;
    let last = company.casework.events(&operator(), id, 0, 200).await.unwrap().items.pop().unwrap().position;
    let cut_off = format!("DELETE FROM audit_events WHERE position >= {last}");
    assert!(company.database.raw().await.run(cut_off).await > 0);
    let limit = std::time::Duration::from_secs(20);
    let verdict = tokio::time::timeout(limit, company.casework.verify_audit(&operator(), None)).await;
    let found = verdict.expect("sealing what is not there must not go on for ever").unwrap();
    assert!(!found.valid && found.first_bad.is_some());
}
