use scraper::{Html, Selector};
use serde_json::json;

use super::*;

fn certificate() -> Certificate {
    let at: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
    Certificate {
        request_id: "req_0192a0000000700080000000000000ab".parse().unwrap(),
        right: Right::Deletion,
        policy: "eu-gdpr".to_owned(),
        policy_name: "EU General Data Protection Regulation".to_owned(),
        law: "GDPR Art. 12(3)".to_owned(),
        received_on: "2026-11-01".parse().unwrap(),
        due_on: "2026-12-01".parse().unwrap(),
        extended: false,
        verified: None,
        decided: vec![Decision {
            at,
            actor: "local-operator".to_owned(),
            what: "approved for deletion".to_owned(),
        }],
        closed_at: at,
        outcome: Outcome::ErasedWithExceptions,
        outcome_meaning: "The data was deleted, but for what is named below.".to_owned(),
        systems: vec![System {
            connection: "events <b>".to_owned(),
            integration: "Segment Config".to_owned(),
            phase: Phase::Erase,
            status: RunStatus::Complete,
            detail: "deletion submitted".to_owned(),
            selected: true,
            records_found: None,
            deleted: None,
            vendor_jobs: vec!["reg_1".to_owned()],
            started_at: at,
            settled_at: Some(at),
            left_out: vec![LeftOut { what: "raw data copies".to_owned(), why: "in a bucket".to_owned() }],
        }],
        denial: None,
        exceptions: vec![Exception { system: None, reason: "legal claims".to_owned(), records: Some(2) }],
        package: None,
        mails: vec![MailLine { kind: "erased".to_owned(), state: "sent".to_owned(), at }],
        content_destroyed_at: Some(at),
        case_destroyed_at: None,
        events: Events { count: 9, first_position: 3, last_position: 11, last_hash: "ab".repeat(32) },
        seal: Some(json!({"number": 7, "hash": "cd".repeat(32)})),
    }
}

#[test]
fn the_page_shows_what_was_done_and_how_to_prove_it() {
    let page = html(&certificate(), &Company::default(), &TimeZone::UTC);
    let page = Html::parse_document(&page);
    let text: String = page.root_element().text().collect();
    for said in [
        "in time",
        "job reg_1",
        "raw data copies",
        "2 records: legal claims",
        "approved for deletion",
        "habeas audit verify --anchor",
        &"cd".repeat(32),
        "events <b>",
    ] {
        assert!(text.contains(said), "{said} is missing");
    }
    let scopes = Selector::parse("th[scope=col]").unwrap();
    assert!(page.select(&scopes).count() >= 7);
}

#[test]
fn what_came_late_is_said_to_be_late() {
    let late = Certificate { closed_at: "2026-12-02T10:00:00Z".parse().unwrap(), ..certificate() };
    assert!(html(&late, &Company::default(), &TimeZone::UTC).contains("after that date"));
}
