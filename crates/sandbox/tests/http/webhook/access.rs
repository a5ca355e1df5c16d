//! `access.requested`: at once or by a job.

use habeas_sandbox::webhook::PersonSpec;
use habeas_sandbox::webhook::fixtures::*;
use serde_json::{Value, json};

use super::{System, records, subject};

async fn at_once() -> System {
    let system = System::new().await;
    system.turn(json!({"access": "at_once"}));
    system
}

#[tokio::test]
async fn a_result_at_once() {
    let system = at_once().await;
    let (status, result) = system.ask("access.requested", subject("email", ANA_EMAIL)).await;
    assert_eq!((status, &result["status"]), (200, &json!("completed")));
    assert_eq!(result.as_object().unwrap().len(), 3, "status, records, files and nothing else");
    assert_eq!(records(&result), ["order-1001", "order-1002", "ticket-1003"]);
    let order = &result["records"][0];
    assert_eq!((&order["kind"], &order["title"]), (&json!("order"), &json!("Order 1001")));
    assert_eq!(order.as_object().unwrap().len(), 4);
    assert_eq!(order["fields"]["ordered_by"], "Ana Silva");
    assert!(order["fields"]["items"].is_array() && order["fields"]["voucher"].is_null());
    let ticket = &result["records"][2];
    assert_eq!((&ticket["kind"], &ticket["title"]), (&json!("ticket"), &json!("Ticket 1003")));
    let content =
        "Q3VzdG9tZXIgcHJvZmlsZQp1LTEwMDEKQW5hIFNpbHZhCmFuYS5zaWx2YUBleGFtcGxlLnRlc3QKKzQ5IDMwIDU1NTAxMDE=";
    let file = json!({"name": "profile-u-1001.txt", "media_type": "text/plain", "content": content});
    assert_eq!(result["files"], json!([file]));
    assert_eq!(system.vendor().jobs(), []);
    assert!(!system.last().effect);
}

#[tokio::test]
async fn each_identifier_finds_the_person() {
    let system = at_once().await;
    let table: [(&str, &str, &[&str]); 9] = [
        ("email", ANA_EMAIL, &[ANA]),
        ("email", " ANA.Silva@example.test", &[ANA]),
        ("email", KIM_EMAIL, &[KIM]),
        ("user_id", ANA, &[ANA]),
        ("user_id", "U-1001", &[]),
        ("phone_number", "(+49) 30/5550101", &[ANA]),
        ("phone_number", NO_EMAIL_PHONE, &[NO_EMAIL]),
        ("email", SHARED_EMAIL, &[ROBIN, SAM]),
        ("passport", ANA, &[]),
    ];
    for (kind, value, user_ids) in table {
        let (_, result) = system.ask("access.requested", subject(kind, value)).await;
        let names: Vec<_> = user_ids.iter().map(|user_id| format!("profile-{user_id}.txt")).collect();
        let files = result["files"].as_array().unwrap();
        let found: Vec<_> = files.iter().map(|file| file["name"].as_str().unwrap()).collect();
        assert_eq!(found, names, "{kind} {value}");
    }
    let several = json!({"subject": {"identifiers": [
        {"type": "email", "value": NOBODY_EMAIL},
        {"type": "user_id", "value": JO},
        {"type": "email", "value": JO_EMAIL},
    ]}});
    let (_, result) = system.ask("access.requested", several).await;
    assert_eq!(
        (records(&result).len(), result["files"].as_array().unwrap().len()),
        (1, 1),
        "once, not twice"
    );
}

#[tokio::test]
async fn nothing_is_held() {
    let system = at_once().await;
    let nobody = async || system.ask("access.requested", subject("email", NOBODY_EMAIL)).await;
    assert_eq!(nobody().await, (200, json!({"status": "completed", "records": [], "files": []})));
    system.turn(json!({"empty_lists": "left_out"}));
    assert_eq!(nobody().await, (200, json!({"status": "completed"})));
    let (_, result) = system.ask("access.requested", subject("email", JO_EMAIL)).await;
    assert_eq!(result.as_object().unwrap().len(), 3);
}

#[tokio::test]
async fn a_result_by_a_job() {
    let system = System::new().await;
    let job = system.job("access.requested", ANA_EMAIL).await;
    assert!(system.last().effect);
    assert_eq!(system.status(&job).await, json!({"status": "pending"}));
    system.work_off();
    let result = system.status(&job).await;
    system.turn(json!({"access": "at_once"}));
    let (_, at_once) = system.ask("access.requested", subject("email", ANA_EMAIL)).await;
    assert_eq!(result, at_once);
    assert_eq!(system.vendor().accepted_for_deletion(ANA_EMAIL), 0);
    assert!(system.vendor().person(ANA).is_some());
}

#[tokio::test]
async fn what_is_to_fail_fails_as_a_job() {
    let system = at_once().await;
    system.turn(json!({"failure": "the archive is on tape"}));
    let job = system.job("access.requested", ANA_EMAIL).await;
    system.work_off();
    assert_eq!(system.status(&job).await, json!({"status": "failed", "message": "the archive is on tape"}));
}

#[tokio::test]
async fn a_file_of_any_size() {
    let system = at_once().await;
    let spec = PersonSpec { user_id: "u-7".to_owned(), file_bytes: Some(3_000_000), ..PersonSpec::default() };
    system.vendor().add_person(spec).unwrap();
    let (_, result) = system.ask("access.requested", subject("user_id", "u-7")).await;
    assert_eq!(result["records"], json!([]));
    assert_eq!(result["files"][0]["content"].as_str().map(str::len), Some(4_000_000));
    assert_ne!(result["files"][0]["name"], Value::Null);
}
