//! What a callback looks like, and what can be wrong with one.

use habeas_sandbox::webhook::fixtures::*;
use habeas_sandbox::webhook::{Forgery, Rejection, SignedMessage, verify};
use serde_json::{Value, json};

use super::{System, secret};

fn body(message: &SignedMessage) -> Value {
    serde_json::from_slice(&message.body).unwrap()
}

impl System {
    fn verdict(&self, message: &SignedMessage) -> Result<(), Rejection> {
        let now_ms = self.sandbox.clock().now_ms();
        verify(&[&secret(SECRET)], &message.headers, &message.body, Some(now_ms))
    }

    /// A job that has ended.
    async fn ended(&self, kind: &str, email: &str) -> String {
        self.turn(json!({"job_seconds": 0}));
        self.job(kind, email).await
    }
}

#[tokio::test]
async fn one_for_each_ending() {
    let system = System::new().await;
    let access = system.ended("access.requested", ANA_EMAIL).await;
    system.turn(json!({"exceptions": [{"system": "Backup", "status": "later", "note": "in a month"}]}));
    let deletion = system.ended("deletion.requested", ANA_EMAIL).await;
    system.turn(json!({"failure": "no power"}));
    let failed = system.ended("deletion.requested", JO_EMAIL).await;

    for (job, kind) in
        [(&access, "access.completed"), (&deletion, "deletion.completed"), (&failed, "job.failed")]
    {
        let message = system.vendor().callback(job).unwrap();
        assert_eq!(system.verdict(&message), Ok(()));
        let body = body(&message);
        assert_eq!(body["type"], kind);
        assert!(body["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        // The same as `job.status` says, with the job in the place of the status.
        let mut expected = system.status(job).await;
        expected.as_object_mut().unwrap().remove("status");
        expected["job"] = json!(job);
        assert_eq!(body["data"], expected);
        assert_eq!(body.as_object().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn nothing_to_tell() {
    let system = System::new().await;
    let job = system.job("access.requested", ANA_EMAIL).await;
    assert_eq!(system.vendor().callback(&job), None, "it has not ended");
    assert_eq!(system.vendor().callback("job-none"), None);
    system.work_off();
    assert!(system.vendor().callback(&job).is_some());
    system.vendor().forget_job(&job);
    assert_eq!(system.vendor().callback(&job), None);
}

#[tokio::test]
async fn each_sending_is_signed_anew() {
    let system = System::new().await;
    let job = system.ended("access.requested", ANA_EMAIL).await;
    let first = system.vendor().callback(&job).unwrap();
    system.advance(400);
    let second = system.vendor().callback(&job).unwrap();
    assert_eq!(first.body, second.body);
    assert_eq!(first.headers["webhook-id"], second.headers["webhook-id"]);
    assert_ne!(first.headers["webhook-signature"], second.headers["webhook-signature"]);
    assert_eq!(system.verdict(&first), Err(Rejection::OutOfTime));
    assert_eq!(system.verdict(&second), Ok(()));
    let other = system.ended("access.requested", ANA_EMAIL).await;
    let other = system.vendor().callback(&other).unwrap();
    assert_ne!(other.headers["webhook-id"], second.headers["webhook-id"]);
}

#[tokio::test]
async fn ids_are_legal_whatever_the_job_is_called() {
    let system = System::new().await;
    for knob in ["plain", "every_character", "longest"] {
        system.turn(json!({ "job_names": knob }));
        let job = system.ended("access.requested", ANA_EMAIL).await;
        let message = system.vendor().callback(&job).unwrap();
        let id = message.headers["webhook-id"].to_str().unwrap().to_owned();
        assert!(id.len() <= 256 && id.chars().all(|one| one.is_ascii_alphanumeric() || "._-".contains(one)));
        assert_eq!(body(&message)["data"]["job"], job);
    }
}

#[tokio::test]
async fn both_secrets_sign_while_one_is_replaced() {
    let system = System::new().await;
    system.turn(json!({"second_secret": SECOND_SECRET}));
    let job = system.ended("access.requested", ANA_EMAIL).await;
    let message = system.vendor().callback(&job).unwrap();
    assert_eq!(message.headers["webhook-signature"].to_str().unwrap().split(' ').count(), 2);
    for text in [SECRET, SECOND_SECRET] {
        assert_eq!(verify(&[&secret(text)], &message.headers, &message.body, None), Ok(()));
    }
    system.turn(json!({"secret": SECOND_SECRET, "second_secret": null}));
    assert_eq!(system.verdict(&system.vendor().callback(&job).unwrap()), Err(Rejection::SignatureWrong));
}

#[tokio::test]
async fn forged_ones_do_not_verify() {
    let system = System::new().await;
    let job = system.ended("deletion.requested", ANA_EMAIL).await;
    let genuine = system.vendor().callback(&job).unwrap();
    let table = [
        (Forgery::WrongSecret, Rejection::SignatureWrong),
        (Forgery::AlteredBody, Rejection::SignatureWrong),
        (Forgery::ReformattedBody, Rejection::SignatureWrong),
        (Forgery::AlteredTimestamp, Rejection::SignatureWrong),
        (Forgery::AlteredId, Rejection::SignatureWrong),
        (Forgery::OtherVersion, Rejection::SignatureWrong),
        (Forgery::OldTimestamp, Rejection::OutOfTime),
        (Forgery::FutureTimestamp, Rejection::OutOfTime),
        (Forgery::WithoutId, Rejection::HeaderMissing),
        (Forgery::WithoutTimestamp, Rejection::HeaderMissing),
        (Forgery::WithoutSignature, Rejection::HeaderMissing),
    ];
    for (forgery, rejection) in table {
        let message = system.vendor().forge(&job, forgery).unwrap();
        assert_eq!(system.verdict(&message), Err(rejection), "{forgery:?}");
        assert_ne!(message, genuine, "{forgery:?}");
    }
    // Whose signature is wrong on purpose, is right for somebody else.
    let strange = system.vendor().forge(&job, Forgery::WrongSecret).unwrap();
    assert_eq!(verify(&[&secret(STRANGERS_SECRET)], &strange.headers, &strange.body, None), Ok(()));
    let altered = system.vendor().forge(&job, Forgery::AlteredBody).unwrap();
    assert_eq!(body(&altered)["type"], "job.failed");
    let reformatted = system.vendor().forge(&job, Forgery::ReformattedBody).unwrap();
    assert_eq!(body(&reformatted), body(&genuine), "the same to whoever reads before comparing");
}

#[tokio::test]
async fn properly_signed_and_wrong_all_the_same() {
    let system = System::new().await;
    let job = system.ended("access.requested", ANA_EMAIL).await;
    let genuine = system.vendor().callback(&job).unwrap();
    let forge = |forgery| {
        let message = system.vendor().forge(&job, forgery).unwrap();
        assert_eq!(system.verdict(&message), Ok(()), "{forgery:?}");
        message
    };
    let other = body(&forge(Forgery::OtherJob));
    assert_ne!(other["data"]["job"], job);
    assert!(system.vendor().job(other["data"]["job"].as_str().unwrap()).is_none());
    assert_eq!(body(&forge(Forgery::WrongShape))["data"]["job"], 7);
    let (new, newer) = (forge(Forgery::NewId), forge(Forgery::NewId));
    assert_eq!((&new.body, &newer.body), (&genuine.body, &genuine.body));
    assert_ne!(new.headers["webhook-id"], genuine.headers["webhook-id"]);
    assert_ne!(new.headers["webhook-id"], newer.headers["webhook-id"]);
    // As long as nothing was sent, there is no other id to repeat.
    assert_eq!(forge(Forgery::RepeatedId).headers["webhook-id"], genuine.headers["webhook-id"]);
    assert_eq!(system.vendor().forge("job-none", Forgery::WrongSecret), None);
}
