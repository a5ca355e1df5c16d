//! `deletion.find`: asked when the answer to a deletion was lost.

use habeas_sandbox::webhook::fixtures::*;
use habeas_sandbox::webhook::sign;
use serde_json::{Value, json};

use super::{System, error, secret, subject};

async fn find(system: &System, kind: &str, value: &str, since: &str) -> Value {
    let mut data = subject(kind, value);
    data["since"] = since.into();
    let (status, body) = system.ask("deletion.find", data).await;
    assert_eq!(status, 200, "{body}");
    body["job"].clone()
}

#[tokio::test]
async fn the_newest_since() {
    let system = System::new().await;
    let beginning = system.time(0);
    assert_eq!(find(&system, "email", ANA_EMAIL, &beginning).await, Value::Null);
    let first = system.job("deletion.requested", ANA_EMAIL).await;
    assert_eq!(find(&system, "email", "ANA.SILVA@example.test", &beginning).await, first);
    system.advance(3600);
    let between = system.time(-60);
    assert_eq!(find(&system, "email", ANA_EMAIL, &between).await, Value::Null);
    let second = system.job("deletion.requested", ANA_EMAIL).await;
    assert_eq!(find(&system, "email", ANA_EMAIL, &beginning).await, second);
    assert_eq!(find(&system, "email", ANA_EMAIL, &between).await, second);
    // Ended or not, it was accepted; one that failed is none.
    system.vendor().finish_job(&first, None);
    assert_eq!(find(&system, "email", ANA_EMAIL, &beginning).await, second);
    system.vendor().finish_job(&second, Some("no"));
    assert_eq!(find(&system, "email", ANA_EMAIL, &between).await, Value::Null);
    assert_eq!(find(&system, "email", ANA_EMAIL, &beginning).await, first);
    assert_eq!(system.vendor().jobs().len(), 2, "looking changes nothing");
}

#[tokio::test]
async fn of_this_person_and_to_the_millisecond() {
    let system = System::new().await;
    let beginning = system.time(-60);
    system.job("access.requested", JO_EMAIL).await;
    let both = json!({"subject": {"identifiers": [
        {"type": "email", "value": ANA_EMAIL}, {"type": "user_id", "value": ANA},
    ]}});
    let (_, body) = system.ask("deletion.requested", both).await;
    let job = &body["job"];
    assert_eq!(&find(&system, "user_id", ANA, &beginning).await, job, "one identifier is enough");
    for (kind, value) in [("email", JO_EMAIL), ("email", ANA), ("phone_number", ANA_PHONE)] {
        assert_eq!(find(&system, kind, value, &beginning).await, Value::Null, "{kind} {value}");
    }
    let accepted_ms = i64::try_from(system.vendor().job(job.as_str().unwrap()).unwrap().accepted_ms).unwrap();
    let at = |ms: i64| jiff::Timestamp::from_millisecond(ms).unwrap().to_string();
    assert_eq!(&find(&system, "email", ANA_EMAIL, &at(accepted_ms)).await, job);
    assert_eq!(find(&system, "email", ANA_EMAIL, &at(accepted_ms + 1)).await, Value::Null);
}

#[tokio::test]
async fn a_forgotten_job_is_not_found() {
    let system = System::new().await;
    let beginning = system.time(-60);
    let job = system.job("deletion.requested", ANA_EMAIL).await;
    assert!(system.vendor().forget_job(&job));
    assert_eq!(find(&system, "email", ANA_EMAIL, &beginning).await, Value::Null);
}

/// A sender who lives in another year is understood when its times are not checked.
#[tokio::test]
async fn by_the_senders_clock_where_clocks_are_not_checked() {
    let system = System::new().await;
    system.turn(json!({"timestamps_checked": false}));
    let sent_at = 4_070_908_800; // 2099-01-01T00:00:00Z
    let body = system.body("deletion.requested", &subject("email", ANA_EMAIL));
    assert_eq!(system.post(sign(&[&secret(SECRET)], "msg_a", sent_at, body)).await.status, 202);
    let job = &system.vendor().jobs()[0].job;
    assert_eq!(&find(&system, "email", ANA_EMAIL, "2099-01-01T00:00:00.5Z").await, job);
    assert_eq!(find(&system, "email", ANA_EMAIL, "2099-01-01T00:00:01Z").await, Value::Null);
}

#[tokio::test]
async fn a_system_that_does_not_know_it() {
    let system = System::new().await;
    let mut data = subject("email", ANA_EMAIL);
    data["since"] = system.time(-60).into();
    for (knob, status) in [("not_found", 404), ("bad_request", 400)] {
        system.turn(json!({ "find": knob }));
        let answer = system.ask("deletion.find", data.clone()).await;
        assert_eq!(answer, (status, error("this system does not know deletion.find")));
    }
}
