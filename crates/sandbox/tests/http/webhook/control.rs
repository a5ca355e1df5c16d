//! The simulator's part of the control plane.

use habeas_sandbox::webhook::fixtures::*;
use habeas_sandbox::webhook::verify;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::{System, secret};

#[tokio::test]
async fn knobs_are_shown_and_turned() {
    let system = System::new().await;
    let patch = r#"{"access": "at_once", "job_seconds": null, "capabilities": ["deletion"],
        "exceptions": [{"system": "Backup", "status": "later", "note": ""}], "find": "not_found"}"#;
    let (status, turned) = system.control("PATCH /", patch).await;
    assert_eq!(status, 200);
    assert_eq!(system.control("GET /", "").await.1, turned);
    assert_eq!(
        turned,
        json!({"secret": SECRET, "second_secret": null, "timestamps_checked": true, "capabilities": ["deletion"],
            "access": "at_once", "empty_lists": "shown", "find": "not_found", "job_seconds": null,
            "job_names": "plain", "failure": null, "status": "results", "remembered_seconds": null,
            "exceptions": [{"system": "Backup", "status": "later", "note": ""}], "callback_to": null})
    );
}

#[tokio::test]
async fn people_come_and_go() {
    let system = System::new().await;
    assert_eq!(system.control("GET /people", "").await.1, json!({"count": PEOPLE}));
    let spec = r#"{"user_id": "u 7/x", "name": "Lou Reyes", "email": "lou@example.test", "orders": 1}"#;
    assert_eq!(system.control("POST /people", spec).await, (201, json!({"user_id": "u 7/x"})));
    let (_, found) = system.control("GET /people?value=LOU%40example.test", "").await;
    assert_eq!(found, json!({"count": 1, "user_ids": ["u 7/x"]}));
    let (_, person) = system.control("GET /people/u%207%2Fx", "").await;
    assert_eq!((&person["email"], &person["phone_number"]), (&json!("lou@example.test"), &Value::Null));
    assert_eq!(person["records"][0]["fields"]["ordered_by"], "Lou Reyes");
    assert_eq!(system.control("DELETE /people/u%207%2Fx", "").await.0, 204);
    assert_eq!(system.control("GET /people/u%207%2Fx", "").await.0, 404);
    assert_eq!(system.vendor().acceptances(), [].into(), "that was nobody's request");
}

#[tokio::test]
async fn jobs_and_evidence() {
    let system = System::new().await;
    system.turn(json!({"job_names": "every_character"}));
    let job = system.job("deletion.requested", ANA_EMAIL).await;
    let path = format!("/jobs/{}", job.replace('/', "%2F").replace('+', "%2B"));
    let (_, pending) = system.control(&format!("GET {path}"), "").await;
    assert_eq!((&pending["kind"], &pending["state"]), (&json!("deletion"), &json!("pending")));
    assert_eq!(pending["identifiers"], json!([{"type": "email", "value": ANA_EMAIL}]));
    assert_eq!(system.control("GET /jobs", "").await.1, json!({"jobs": [pending]}));
    assert_eq!(system.control(&format!("GET {path}/callback"), "").await.0, 404);
    assert_eq!(system.control(&format!("POST {path}/finish"), r#"{"failure": "no"}"#).await.0, 204);
    assert_eq!(system.control(&format!("POST {path}/finish"), "{}").await.0, 404);
    let (_, failed) = system.control(&format!("GET {path}"), "").await;
    assert_eq!(failed["result"], json!({"status": "failed", "message": "no"}));

    let accepted = system.control("GET /acceptances?value=ana.silva%40example.test", "").await.1;
    assert_eq!(accepted, json!({"accepted": 1}));
    assert_eq!(system.control("GET /acceptances", "").await.1, json!({"acceptances": {ANA_EMAIL: 1}}));
    let (_, messages) = system.control("GET /messages", "").await;
    let message = &messages["messages"][0];
    assert_eq!((&message["type"], &message["id"]), (&json!("deletion.requested"), &json!("msg_0")));
    assert_eq!((&message["rejection"], &message["repeated"]), (&Value::Null, &Value::Null));
    assert_eq!((&message["effect"], &message["status"]), (&json!(true), &json!(202)));
    let (_, counts) = system.control("GET /messages/counts", "").await;
    let deletion = json!({"arrived": 1, "rejected": 0, "repeated": 0, "effects": 1});
    assert_eq!(counts["types"][2], json!({"type": "deletion.requested", "counts": deletion}));
    assert_eq!(system.control(&format!("DELETE {path}"), "").await.0, 204);
    assert_eq!(system.status(&job).await, json!({"status": "unknown"}));
}

#[tokio::test]
async fn callbacks_are_shown_and_sent() {
    let system = System::new().await;
    let mut receiver = Receiver::open().await;
    system.turn(json!({"job_seconds": 0}));
    let job = system.job("access.requested", ANA_EMAIL).await;
    let (_, shown) = system.control(&format!("GET /jobs/{job}/callback"), "").await;
    let headers: HeaderMap = shown["headers"].as_object().unwrap().iter().map(header).collect();
    let body = shown["body"].as_str().unwrap().as_bytes();
    let now_ms = Some(system.sandbox.clock().now_ms());
    assert_eq!(verify(&[&secret(SECRET)], &headers, body, now_ms), Ok(()));
    let (_, forged) = system.control(&format!("GET /jobs/{job}/callback?forgery=without_id"), "").await;
    assert_eq!(forged["headers"].as_object().unwrap().len(), 2);

    let send = json!({"job": job, "to": receiver.url, "forgery": "altered_body"}).to_string();
    receiver.answer([(401, "callback_forged")]);
    let (status, delivery) = system.control("POST /callbacks", &send).await;
    assert_eq!(
        (status, &delivery["status"], &delivery["code"]),
        (200, &json!(401), &json!("callback_forged"))
    );
    assert_eq!(delivery["forgery"], "altered_body");
    assert_eq!(system.control("GET /callbacks", "").await.1, json!({"callbacks": [delivery]}));
    assert!(!receiver.next().await.body.is_empty());
}

fn header((name, value): (&String, &Value)) -> (HeaderName, HeaderValue) {
    (name.parse().unwrap(), value.as_str().unwrap().parse().unwrap())
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let system = System::new().await;
    system.turn(json!({"job_seconds": 0}));
    let job = system.job("access.requested", ANA_EMAIL).await;
    let nowhere = json!({"job": job, "to": "nowhere"}).to_string();
    let no_job = json!({"job": "job-none", "to": "http://127.0.0.1:9/"}).to_string();
    let callback = format!("GET /jobs/{job}/callback");
    let table = [
        ("PATCH /", r#"{"limit": 3}"#, 400, "unknown field `limit`"),
        ("PATCH /", r#"{"access": "never"}"#, 400, "unknown variant `never`"),
        ("PATCH /", r#"{"secret": "whsec_short"}"#, 400, "a signing secret is `whsec_`"),
        ("PATCH /", r#"{"callback_to": "/callback"}"#, 400, "begins with http:// or https://"),
        ("POST /people", r#"{"name": "Ana"}"#, 400, "`user_id` must not be empty"),
        (
            "POST /people",
            r#"{"user_id": "u-1001"}"#,
            400,
            "there is somebody with the user id `u-1001` already",
        ),
        ("GET /people/none", "", 404, "there is no person `none`"),
        ("GET /jobs/none", "", 404, "there is no job `none`"),
        ("DELETE /jobs/none", "", 404, "there is no job `none`"),
        ("POST /jobs/none/finish", "{}", 404, "there is no pending job `none`"),
        ("GET /jobs/none/callback", "", 404, "there is no job `none` that has ended"),
        ("POST /callbacks", &nowhere, 400, "begins with http:// or https://"),
        ("POST /callbacks", &no_job, 404, "there is no job `job-none` that has ended"),
        ("GET /people?email=x", "", 400, "unknown query parameter `email`"),
    ];
    for (call, body, status, wrong) in table {
        let (refused, answer) = system.control(call, body).await;
        assert_eq!(refused, status, "{call}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(wrong), "{call}: {answer}");
    }
    let (status, answer) = system.control(&format!("{callback}?forgery=none"), "").await;
    assert_eq!(status, 400, "{answer}");
}
