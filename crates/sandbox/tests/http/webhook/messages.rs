//! What every message meets: its form, and that it may come twice.

use habeas_sandbox::webhook::fixtures::{ANA_EMAIL, JO_EMAIL, SECRET};
use habeas_sandbox::webhook::{MessageType, Repeated, sign};
use serde_json::{Value, json};

use super::{System, error, secret, subject};
use crate::support::send;

#[tokio::test]
async fn what_the_system_can_do() {
    let system = System::new().await;
    let check = async || system.ask("connection.check", json!({})).await;
    assert_eq!(check().await, (200, json!({"capabilities": ["access", "deletion"]})));
    assert_eq!(system.vendor().jobs(), [], "nothing else happens");
    for (left, refused) in [("access", "deletion.requested"), ("deletion", "access.requested")] {
        system.turn(json!({"capabilities": [left]}));
        assert_eq!(check().await, (200, json!({"capabilities": [left]})));
        let answer = system.ask(refused, subject("email", ANA_EMAIL)).await;
        assert_eq!(answer, (422, error("this system does not do that")));
    }
    system.turn(json!({"capabilities": []}));
    assert_eq!(check().await, (200, json!({"capabilities": []})));
}

#[tokio::test]
async fn a_message_that_comes_again_gets_the_first_answer() {
    let system = System::new().await;
    let deletion = || system.signed("msg_1", "deletion.requested", &subject("email", ANA_EMAIL));
    let first = system.post(deletion()).await;
    assert_eq!(first.status, 202);
    system.advance(60);
    let again = system.post(sign(&[&secret(SECRET)], "msg_1", system.now(), deletion().body)).await;
    assert_eq!((again.status, &again.text), (202, &first.text));
    assert_eq!((system.vendor().jobs().len(), system.vendor().accepted_for_deletion(ANA_EMAIL)), (1, 1));
    let seen = system.vendor().messages();
    assert_eq!((seen[0].repeated, seen[0].effect), (None, true));
    assert_eq!((seen[1].effect, seen[1].status), (false, 202));

    // The same id over something else is the sender's mistake, and must not become a second effect.
    let other = system.signed("msg_1", "deletion.requested", &subject("email", JO_EMAIL));
    assert_eq!(system.post(other).await.text, first.text);
    assert_eq!(system.last().repeated, Some(Repeated::Altered));
    assert_eq!(system.vendor().accepted_for_deletion(JO_EMAIL), 0);
    let counts = system.vendor().message_counts(MessageType::DeletionRequested);
    assert_eq!((counts.arrived, counts.rejected, counts.repeated, counts.effects), (3, 0, 2, 1));
    assert_eq!(system.sandbox.calls().route("webhook", "POST /habeas").effects, 1);
}

#[tokio::test]
async fn the_very_same_bytes_are_a_plain_repetition() {
    let system = System::new().await;
    system.turn(json!({"access": "at_once"}));
    let access = system.signed("msg_1", "access.requested", &subject("email", ANA_EMAIL));
    let first = system.post(access.clone()).await;
    // What has changed meanwhile does not show.
    assert!(system.vendor().remove_person("u-1001"));
    assert_eq!(system.post(access).await.text, first.text);
    assert_eq!(system.last().repeated, Some(Repeated::Same));
}

#[tokio::test]
async fn a_refused_message_is_looked_at_anew() {
    let system = System::new().await;
    system.turn(json!({"capabilities": ["access"]}));
    let deletion = system.signed("msg_1", "deletion.requested", &subject("email", ANA_EMAIL));
    assert_eq!(system.post(deletion.clone()).await.status, 422);
    system.turn(json!({"capabilities": ["access", "deletion"]}));
    assert_eq!(system.post(deletion.clone()).await.status, 202);
    // A stranger who guesses an id does not get between.
    let forged = sign(&[&secret(super::fixtures::STRANGERS_SECRET)], "msg_2", system.now(), deletion.body);
    assert_eq!(system.post(forged).await.status, 401);
    let genuine = system.signed("msg_2", "deletion.requested", &subject("email", JO_EMAIL));
    assert_eq!(system.post(genuine).await.status, 202);
    assert_eq!(system.last().repeated, None);
}

#[tokio::test]
async fn bodies_that_are_no_messages() {
    let system = System::new().await;
    let time = system.time(0);
    let ana = subject("email", ANA_EMAIL);
    let long = "x".repeat(257);
    let message =
        |kind: &str, data: Value| json!({"type": kind, "timestamp": time, "data": data}).to_string();
    let table = [
        (String::new(), 400, "EOF while parsing"),
        ("{".to_owned(), 400, "EOF while parsing"),
        ("[]".to_owned(), 422, "an object is expected"),
        (json!(["connection.check", time, {}]).to_string(), 422, "an object is expected"),
        (message("connection.check", json!([])), 422, "an object is expected"),
        (
            message("access.requested", json!({"subject": [[ana["subject"]["identifiers"][0]]]})),
            422,
            "an object is",
        ),
        (
            message("access.requested", json!({"subject": {"identifiers": [["email", ANA_EMAIL]]}})),
            422,
            "an object is expected",
        ),
        (message("deletion.wanted", ana.clone()), 422, "unknown variant `deletion.wanted`"),
        (json!({"timestamp": time, "data": {}}).to_string(), 422, "missing field `type`"),
        (json!({"type": "connection.check", "data": {}}).to_string(), 422, "missing field `timestamp`"),
        (json!({"type": "connection.check", "timestamp": time}).to_string(), 422, "missing field `data`"),
        (
            json!({"type": "connection.check", "timestamp": "yesterday", "data": {}}).to_string(),
            422,
            "failed to parse",
        ),
        (
            json!({"type": "connection.check", "timestamp": time, "data": {}, "more": 1}).to_string(),
            422,
            "unknown field `more`",
        ),
        (message("connection.check", json!({"more": 1})), 422, "unknown field `more`"),
        (message("access.requested", json!({})), 422, "missing field `subject`"),
        (message("access.requested", json!({"subject": {"identifiers": []}})), 422, "must not be empty"),
        (message("deletion.requested", subject("email", "")), 422, "must not be empty"),
        (message("deletion.requested", subject("", ANA_EMAIL)), 422, "must not be empty"),
        (
            message("deletion.requested", json!({"subject": {"identifiers": [], "name": "Ana"}})),
            422,
            "unknown field `name`",
        ),
        (message("deletion.find", ana), 422, "missing field `since`"),
        (message("job.status", json!({"job": ""})), 422, "not a legal name"),
        (message("job.status", json!({"job": "a job"})), 422, "not a legal name"),
        (message("job.status", json!({ "job": long })), 422, "not a legal name"),
    ];
    for (position, (body, status, wrong)) in table.into_iter().enumerate() {
        let signed = sign(&[&secret(SECRET)], &format!("msg_{position}"), system.now(), body.clone());
        let answer = system.post(signed).await;
        let message = answer.json()["error"].as_str().unwrap_or_default().to_owned();
        assert_eq!(answer.status, status, "{body}: {message}");
        assert!(message.contains(wrong), "{body}: {message}");
        assert!(system.last().is_verified() && !system.last().effect);
    }
    let id_too_long = system.signed(&long, "connection.check", &json!({}));
    assert_eq!(system.post(id_too_long).await.json(), error("webhook-id is not legal"));
    let illegal = system.signed("msg 1", "connection.check", &json!({}));
    assert_eq!(system.post(illegal).await.status, 400);
    let longest = system.signed(&long[1..], "connection.check", &json!({}));
    assert_eq!(system.post(longest).await.status, 200);
    assert_eq!(system.vendor().jobs(), []);
}

#[tokio::test]
async fn one_address_and_one_method() {
    let system = System::new().await;
    let base = &system.sandbox.addresses().webhook;
    let elsewhere = send(system.http.post(format!("{base}/habeas/other"))).await;
    assert_eq!((elsewhere.status, elsewhere.json()), (404, error("messages go to /habeas")));
    let read = send(system.http.get(format!("{base}/habeas"))).await;
    assert_eq!((read.status, read.json()), (405, error("messages are sent with POST")));
    assert_eq!(system.vendor().messages(), []);
}
