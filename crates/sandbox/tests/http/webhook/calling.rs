//! Callbacks on their way: sent when somebody asks for it, and by the system itself.

use habeas_sandbox::faults::NOWHERE;
use habeas_sandbox::webhook::fixtures::*;
use habeas_sandbox::webhook::{CallbackNotSent, Forgery, SignedMessage, verify};
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::{JOB_SECONDS, System, secret};

/// The job a callback is about.
fn about(message: &SignedMessage) -> String {
    let body: Value = serde_json::from_slice(&message.body).unwrap();
    body["data"]["job"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn sent_when_asked_for() {
    let system = System::new().await;
    let mut receiver = Receiver::open().await;
    let job = system.job("deletion.requested", ANA_EMAIL).await;
    let early = system.vendor().send_callback(&job, &receiver.url, None).await;
    assert_eq!(early, Err(CallbackNotSent::NothingToTell(job.clone())));
    system.work_off();
    let sent = system.vendor().send_callback(&job, &receiver.url, None).await.unwrap();
    let arrived = receiver.next().await;
    let now_ms = system.sandbox.clock().now_ms();
    assert_eq!(verify(&[&secret(SECRET)], &arrived.headers, &arrived.body, Some(now_ms)), Ok(()));
    assert_eq!(arrived.headers["content-type"], "application/json");
    assert_eq!((about(&arrived), sent.status, sent.code.as_deref()), (job.clone(), Some(202), None));
    assert_eq!(sent.id.as_deref(), arrived.headers["webhook-id"].to_str().ok());
    assert!(!sent.automatic);

    receiver.answer([(401, "callback_forged")]);
    let forged = system.vendor().send_callback(&job, &receiver.url, Some(Forgery::WithoutId)).await.unwrap();
    assert_eq!(receiver.next().await.headers.get("webhook-id"), None);
    assert_eq!((forged.status, forged.code.as_deref()), (Some(401), Some("callback_forged")));
    assert_eq!((forged.id, forged.forgery), (None, Some(Forgery::WithoutId)));
    assert_eq!(system.vendor().deliveries().len(), 2);
    for address in ["", "/callback", "ftp://example.test/", "example.test"] {
        let refused = system.vendor().send_callback(&job, address, None).await.unwrap_err();
        assert!(matches!(refused, CallbackNotSent::Address(_)), "{address}");
    }
}

#[tokio::test]
async fn nobody_answers() {
    let system = System::new().await;
    let job = system.job("deletion.requested", ANA_EMAIL).await;
    system.work_off();
    let address = format!("{NOWHERE}/callback?token=hidden");
    let sent = system.vendor().send_callback(&job, &address, None).await.unwrap();
    assert_eq!((sent.status, sent.code), (None, None));
    assert!(!sent.error.unwrap().contains("hidden"), "an address may hold a credential");
}

/// The id that was used last, over another job: the receiver must not take it for the first one.
#[tokio::test]
async fn an_id_is_used_again() {
    let system = System::new().await;
    let mut receiver = Receiver::open().await;
    let first = system.job("deletion.requested", ANA_EMAIL).await;
    let second = system.job("deletion.requested", JO_EMAIL).await;
    system.work_off();
    system.vendor().send_callback(&first, &receiver.url, None).await.unwrap();
    system.vendor().send_callback(&second, &receiver.url, Some(Forgery::RepeatedId)).await.unwrap();
    let (one, two) = (receiver.next().await, receiver.next().await);
    assert_eq!(one.headers["webhook-id"], two.headers["webhook-id"]);
    assert_eq!((about(&one), about(&two)), (first, second));
}

#[tokio::test]
async fn by_itself_when_a_job_ends() {
    let system = System::new().await;
    let mut receiver = Receiver::open().await;
    let before = system.job("access.requested", JO_EMAIL).await;
    system.work_off();
    system.turn(json!({"callback_to": receiver.url, "job_seconds": 3600}));
    assert_eq!(about(&receiver.next().await), before, "also what ended before");
    let job = system.job("deletion.requested", ANA_EMAIL).await;
    let by_hand = system.job("deletion.requested", KIM_EMAIL).await;
    system.vendor().finish_job(&by_hand, None);
    assert_eq!(about(&receiver.next().await), by_hand);
    system.advance(3600);
    let arrived = receiver.next().await;
    assert_eq!(about(&arrived), job);
    let now_ms = system.sandbox.clock().now_ms();
    assert_eq!(verify(&[&secret(SECRET)], &arrived.headers, &arrived.body, Some(now_ms)), Ok(()));
    assert_eq!(system.vendor().person(ANA), None);

    system.vendor().wait_for_deliveries(3).await;
    let deliveries = system.vendor().deliveries();
    assert!(deliveries.iter().all(|sent| sent.automatic && sent.status == Some(202)));
    system.advance(86_400);
    let last = system.job("access.requested", JO_EMAIL).await;
    system.vendor().finish_job(&last, None);
    assert_eq!(about(&receiver.next().await), last, "what was taken is not sent again");
}

#[tokio::test]
async fn again_until_it_is_taken() {
    let system = System::new().await;
    let mut receiver = Receiver::open().await;
    receiver.answer([(503, "unavailable"), (401, "callback_out_of_time"), (429, "rate_limited")]);
    system.turn(json!({"callback_to": receiver.url}));
    let job = system.job("deletion.requested", ANA_EMAIL).await;
    let mut arrived = Vec::new();
    // To its end, then waits of 1, 2 and 4 seconds.
    for (count, wait) in [(1, JOB_SECONDS), (2, 1), (3, 2), (4, 4)] {
        system.advance(wait);
        arrived.push(receiver.next().await);
        system.vendor().wait_for_deliveries(count).await;
    }
    let ids: std::collections::BTreeSet<_> =
        arrived.iter().map(|one| one.headers["webhook-id"].to_str().unwrap()).collect();
    assert_eq!(ids.len(), 1);
    let statuses: Vec<_> = system.vendor().deliveries().iter().filter_map(|sent| sent.status).collect();
    assert_eq!(statuses, [503, 401, 429, 202]);
    let times: Vec<_> = system.vendor().deliveries().iter().map(|sent| sent.answered_ms).collect();
    assert!(times[1] - times[0] >= 1000 && times[2] - times[1] >= 2000 && times[3] - times[2] >= 4000);
    assert!(receiver.is_quiet() && arrived.iter().all(|one| about(one) == job));
}

#[tokio::test]
async fn some_refusals_end_it() {
    let system = System::new().await;
    let mut receiver = Receiver::open().await;
    system.turn(json!({"callback_to": receiver.url, "job_seconds": 0}));
    let endings = [(404, "callback_job_unknown"), (409, "callback_repeated"), (422, "validation")];
    receiver.answer(endings);
    for (position, (_, code)) in endings.into_iter().enumerate() {
        let job = system.job("access.requested", ANA_EMAIL).await;
        assert_eq!(about(&receiver.next().await), job);
        system.vendor().wait_for_deliveries(position + 1).await;
        assert_eq!(system.vendor().deliveries()[position].code.as_deref(), Some(code));
        system.advance(86_400);
    }
    let last = system.job("access.requested", ANA_EMAIL).await;
    assert_eq!(about(&receiver.next().await), last, "nothing else came between");
}

#[tokio::test]
async fn a_forgotten_job_is_not_called_back() {
    let system = System::new().await;
    let mut receiver = Receiver::open().await;
    system.turn(json!({"callback_to": receiver.url}));
    let forgotten = system.job("access.requested", ANA_EMAIL).await;
    let told = system.job("access.requested", JO_EMAIL).await;
    system.vendor().forget_job(&forgotten);
    system.work_off();
    assert_eq!(about(&receiver.next().await), told);
    system.turn(json!({"callback_to": null}));
    let untold = system.job("access.requested", ANA_EMAIL).await;
    system.work_off();
    system.turn(json!({"callback_to": receiver.url}));
    assert_eq!(about(&receiver.next().await), untold);
    assert!(receiver.is_quiet());
}
