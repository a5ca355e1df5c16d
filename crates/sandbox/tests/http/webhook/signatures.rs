//! What is taken for genuine.

use habeas_sandbox::webhook::fixtures::{ANA_EMAIL, SECOND_SECRET, SECRET, STRANGERS_SECRET};
use habeas_sandbox::webhook::{MessageType, Rejection, Secret, SignedMessage, sign, verify};
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;

use super::{System, error, secret, subject};

/// The example that the libraries of Standard Webhooks test themselves with.
const KNOWN_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const KNOWN_ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const KNOWN_TIME: u64 = 1_614_265_330;
const KNOWN_BODY: &str = r#"{"test": 2432232314}"#;
const KNOWN_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn known() -> SignedMessage {
    sign(&[&secret(KNOWN_SECRET)], KNOWN_ID, KNOWN_TIME, KNOWN_BODY)
}

fn checked(headers: &HeaderMap, now_ms: Option<u64>) -> Result<(), Rejection> {
    verify(&[&secret(KNOWN_SECRET)], headers, KNOWN_BODY.as_bytes(), now_ms)
}

#[test]
fn the_known_example() {
    let message = known();
    assert_eq!(message.headers["webhook-signature"], KNOWN_SIGNATURE);
    assert_eq!(
        (&message.headers["webhook-id"], message.headers.len()),
        (&HeaderValue::from_static(KNOWN_ID), 3)
    );
    assert_eq!(message.headers["webhook-timestamp"], KNOWN_TIME.to_string());
    assert_eq!(checked(&message.headers, None), Ok(()));
}

#[test]
fn five_minutes_to_both_sides() {
    let headers = known().headers;
    let second = KNOWN_TIME * 1000;
    for (now_ms, verdict) in [
        (second - 300_001, Err(Rejection::OutOfTime)),
        (second - 300_000, Ok(())),
        (second, Ok(())),
        (second + 300_999, Ok(())),
        (second + 301_000, Err(Rejection::OutOfTime)),
    ] {
        assert_eq!(checked(&headers, Some(now_ms)), verdict, "{now_ms}");
    }
}

#[test]
fn one_of_several_signatures_is_enough() {
    let table = [
        (format!("v1,AAAA {KNOWN_SIGNATURE}"), Ok(())),
        (format!("v1a,AAAA v2,BBBB {KNOWN_SIGNATURE} v1,none"), Ok(())),
        (KNOWN_SIGNATURE.replace("v1,", "v2,"), Err(Rejection::SignatureWrong)),
        (KNOWN_SIGNATURE.replace("v1,", ""), Err(Rejection::SignatureWrong)),
        (KNOWN_SIGNATURE.replace("g0hM", "g0hN"), Err(Rejection::SignatureWrong)),
        (KNOWN_SIGNATURE[..30].to_owned(), Err(Rejection::SignatureWrong)),
        ("v1,".to_owned(), Err(Rejection::SignatureWrong)),
        (String::new(), Err(Rejection::SignatureWrong)),
    ];
    for (signatures, verdict) in table {
        let mut headers = known().headers;
        headers.insert("webhook-signature", HeaderValue::from_str(&signatures).unwrap());
        assert_eq!(checked(&headers, None), verdict, "{signatures}");
    }
    let both = sign(&[&secret(SECRET), &secret(KNOWN_SECRET)], KNOWN_ID, KNOWN_TIME, KNOWN_BODY);
    assert!(both.headers["webhook-signature"].to_str().unwrap().ends_with(&format!(" {KNOWN_SIGNATURE}")));
    assert_eq!(checked(&both.headers, None), Ok(()));
}

#[test]
fn secrets_have_one_form_and_do_not_print_themselves() {
    let too_short = "whsec_c2l4dGVlbiBieXRlcyEhIQ==";
    for text in ["", "whsec_", too_short, &SECRET[6..], "whsec_not base64", &format!("{SECRET}=")] {
        assert!(text.parse::<Secret>().is_err(), "{text}");
    }
    assert_eq!(format!("{:?}", secret(SECRET)), "Secret([redacted])");
    assert_eq!(String::from(secret(SECRET)), SECRET);
}

#[tokio::test]
async fn what_is_not_genuine_has_no_effect() {
    let system = System::new().await;
    let genuine = || system.signed("msg_a", "deletion.requested", &subject("email", ANA_EMAIL));
    let altered = |name: &'static str, value: &str| {
        let mut message = genuine();
        message.headers.insert(name, HeaderValue::from_str(value).unwrap());
        message
    };
    let without = |name: &str| {
        let mut message = genuine();
        message.headers.remove(name);
        message
    };
    let at = |seconds: u64| sign(&[&secret(SECRET)], "msg_a", seconds, genuine().body);
    let body = genuine().body;
    let table = [
        (without("webhook-id"), Rejection::HeaderMissing),
        (without("webhook-timestamp"), Rejection::HeaderMissing),
        (without("webhook-signature"), Rejection::HeaderMissing),
        (altered("webhook-id", "msg_b"), Rejection::SignatureWrong),
        (altered("webhook-timestamp", &(system.now() - 1).to_string()), Rejection::SignatureWrong),
        (altered("webhook-timestamp", &format!("+{}", system.now())), Rejection::TimestampIllegal),
        (altered("webhook-timestamp", "now"), Rejection::TimestampIllegal),
        (altered("webhook-signature", KNOWN_SIGNATURE), Rejection::SignatureWrong),
        (
            SignedMessage { body: [body.as_ref(), b"\n"].concat().into(), ..genuine() },
            Rejection::SignatureWrong,
        ),
        (sign(&[&secret(STRANGERS_SECRET)], "msg_a", system.now(), body), Rejection::SignatureWrong),
        (at(system.now() - 310), Rejection::OutOfTime),
        (at(system.now() + 310), Rejection::OutOfTime),
    ];
    for (position, (message, rejection)) in table.into_iter().enumerate() {
        let answer = system.post(message).await;
        assert_eq!((answer.status, answer.json()), (401, error(&rejection.to_string())), "{position}");
        let seen = system.last();
        assert_eq!((seen.rejection, seen.effect, seen.status), (Some(rejection), false, 401), "{position}");
        assert_eq!(seen.kind, Some(MessageType::DeletionRequested));
    }
    assert_eq!(system.vendor().jobs(), []);
    assert_eq!(system.vendor().acceptances(), [].into());
    let counts = system.vendor().message_counts(MessageType::DeletionRequested);
    assert_eq!((counts.arrived, counts.rejected, counts.effects), (12, 12, 0));
    for seconds in [system.now() - 290, system.now() + 290] {
        assert_eq!(system.post(at(seconds)).await.status, 202);
    }
}

#[tokio::test]
async fn the_systems_own_clock_counts() {
    let system = System::new().await;
    let message = system.signed("msg_a", "connection.check", &json!({}));
    system.advance(360);
    assert_eq!(system.post(message.clone()).await.status, 401);
    system.turn(json!({"timestamps_checked": false}));
    assert_eq!(system.post(message).await.status, 200);
    let long_ago = sign(&[&secret(SECRET)], "msg_b", 1, system.body("connection.check", &json!({})));
    assert_eq!(system.post(long_ago).await.status, 200);
}

#[tokio::test]
async fn a_secret_is_replaced() {
    let system = System::new().await;
    let check = async |text: &str, id: &str| {
        let body = system.body("connection.check", &json!({}));
        system.post(sign(&[&secret(text)], id, system.now(), body)).await.status
    };
    assert_eq!((check(SECRET, "a1").await, check(SECOND_SECRET, "a2").await), (200, 401));
    system.turn(json!({"second_secret": SECOND_SECRET}));
    assert_eq!((check(SECRET, "b1").await, check(SECOND_SECRET, "b2").await), (200, 200));
    system.turn(json!({"secret": SECOND_SECRET, "second_secret": null}));
    assert_eq!((check(SECRET, "c1").await, check(SECOND_SECRET, "c2").await), (401, 200));
}
