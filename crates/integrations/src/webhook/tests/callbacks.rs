//! Callbacks: what is believed, and what is not.

use jiff::Timestamp;

use super::*;
use crate::connector::{Callback, CallbackEnd, CallbackHead, CallbackRefused};

/// A callback signed by the convention's own crate.
struct Signed {
    id: String,
    timestamp: String,
    signature: String,
    body: String,
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn signed_at(seconds: i64, body: &str) -> Signed {
    let signature =
        standardwebhooks::Webhook::new(SECRET).unwrap().sign("msg_7", seconds, body.as_bytes()).unwrap();
    Signed { id: "msg_7".to_owned(), timestamp: seconds.to_string(), signature, body: body.to_owned() }
}

fn signed(body: &Value) -> Signed {
    signed_at(now().as_second(), &body.to_string())
}

fn read(signed: &Signed) -> Result<Callback, CallbackRefused> {
    let head = CallbackHead {
        id: Some(&signed.id),
        timestamp: Some(&signed.timestamp),
        signature: Some(&signed.signature),
    };
    Webhook.callback(&settings(), head, signed.body.as_bytes(), now())
}

fn done() -> Value {
    json!({"type": "deletion.completed", "timestamp": NOW, "data": {"job": "j-1", "more": 1}, "more": 2})
}

#[test]
fn what_the_conventions_crate_signs_is_taken() {
    let callback = read(&signed(&done())).unwrap();
    assert_eq!((callback.message_id.as_str(), callback.job.as_str()), ("msg_7", "j-1"));
    assert!(matches!(callback.end, CallbackEnd::Erased(_)));
    let body = json!({"type": "access.completed", "data": {"job": "j-1", "records": [{"id": "1", "kind": "order"}]}});
    let CallbackEnd::Collected(found) = read(&signed(&body)).unwrap().end else { panic!() };
    assert_eq!(found.records.len(), 1);
    let body = json!({"type": "job.failed", "data": {"job": "j-1", "message": "ana@example.test"}});
    let CallbackEnd::Failed(error) = read(&signed(&body)).unwrap().end else { panic!() };
    assert!(!error.explanation().contains("ana@"));
}

#[test]
fn one_of_several_signatures_is_enough() {
    let mut message = signed(&done());
    message.signature = format!("v1,AAAA v2,{} v1a,x {}", "B".repeat(44), message.signature);
    read(&message).unwrap();
}

#[rstest]
#[case::another_id(|signed: &mut Signed| signed.id = "msg_8".to_owned())]
#[case::another_time(|signed: &mut Signed| signed.timestamp = (now().as_second() + 1).to_string())]
#[case::another_body(|signed: &mut Signed| signed.body.push(' '))]
#[case::no_version(|signed: &mut Signed| signed.signature = signed.signature.replace("v1,", ""))]
#[case::another_version(|signed: &mut Signed| signed.signature = signed.signature.replace("v1,", "v2,"))]
#[case::cut(|signed: &mut Signed| signed.signature.truncate(20))]
#[case::empty(|signed: &mut Signed| signed.signature.clear())]
#[case::not_base64(|signed: &mut Signed| signed.signature = "v1,%%%".to_owned())]
#[case::id_with_a_space(|signed: &mut Signed| signed.id = "msg 7".to_owned())]
#[case::id_too_long(|signed: &mut Signed| signed.id = "m".repeat(300))]
#[case::time_is_no_number(|signed: &mut Signed| signed.timestamp = "now".to_owned())]
#[case::time_written_otherwise(|signed: &mut Signed| signed.timestamp = format!("+{}", signed.timestamp))]
#[case::time_overflows(|signed: &mut Signed| signed.timestamp = "9".repeat(40))]
fn a_forged_message_is_not_even_read(#[case] forge: fn(&mut Signed)) {
    let mut message = signed(&done());
    forge(&mut message);
    assert_eq!(read(&message).unwrap_err(), CallbackRefused::Forged);
}

#[test]
fn a_head_that_lacks_something_is_forged() {
    let message = signed(&done());
    let whole = CallbackHead {
        id: Some(&message.id),
        timestamp: Some(&message.timestamp),
        signature: Some(&message.signature),
    };
    for head in [
        CallbackHead { id: None, ..whole },
        CallbackHead { timestamp: None, ..whole },
        CallbackHead { signature: None, ..whole },
    ] {
        let refused = Webhook.callback(&settings(), head, message.body.as_bytes(), now()).unwrap_err();
        assert_eq!(refused, CallbackRefused::Forged);
    }
}

#[rstest]
#[case(-300, true)]
#[case(300, true)]
#[case(-301, false)]
#[case(301, false)]
#[case(i64::MIN / 1_000_000, false)]
fn five_minutes_either_way(#[case] seconds: i64, #[case] is_taken: bool) {
    let message = signed_at(now().as_second().saturating_add(seconds), &done().to_string());
    match read(&message) {
        Ok(_) => assert!(is_taken),
        Err(refused) => assert_eq!((refused, is_taken), (CallbackRefused::OutOfTime, false)),
    }
}

#[rstest]
#[case::no_json("{", "body")]
#[case::no_type(r#"{"data": {"job": "j"}}"#, "body")]
#[case::no_job(r#"{"type": "job.failed", "data": {}}"#, "body")]
#[case::job_is_a_number(r#"{"type": "job.failed", "data": {"job": 7}}"#, "body")]
#[case::no_name_of_a_job(r#"{"type": "job.failed", "data": {"job": "ana@example.test"}}"#, "data.job")]
#[case::unknown_type(r#"{"type": "job.danced", "data": {"job": "j"}}"#, "type")]
#[case::broken_file(
    r#"{"type": "access.completed", "data": {"job": "j", "files": [{"content": "%"}]}}"#,
    "data.files"
)]
fn genuine_and_not_to_be_read(#[case] body: &str, #[case] key: &str) {
    let CallbackRefused::Unreadable(wrong) = read(&signed_at(now().as_second(), body)).unwrap_err() else {
        panic!()
    };
    assert_eq!(wrong[0].key, key);
    assert!(!wrong[0].message.contains("ana@"), "{}", wrong[0].message);
}

#[test]
fn other_integrations_take_none() {
    let head = CallbackHead::default();
    let refused =
        crate::readycloud::ReadyCloud.callback(&Settings::default(), head, b"{}", now()).unwrap_err();
    assert_eq!(refused, CallbackRefused::NotOffered);
}
