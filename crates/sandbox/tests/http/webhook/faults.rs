//! The shared faults, in this system's words.

use habeas_sandbox::webhook::fixtures::*;
use serde_json::json;

use super::{System, error, subject};
use crate::support::try_send;

#[tokio::test]
async fn refusals_are_in_the_systems_shape() {
    let system = System::new().await;
    let table = [
        (json!({"kind": "status", "code": 503}), 503, error("service unavailable")),
        (json!({"kind": "status", "code": 413}), 413, error("payload too large")),
        (json!({"kind": "rate_limited", "retry_after": 9}), 429, error("too many messages")),
        (json!({"kind": "token_expired"}), 401, error("no signature fits")),
        (json!({"kind": "scope_missing", "scope": "all"}), 403, error("this sender is not allowed")),
    ];
    for (fault, status, body) in table {
        let id = system.fault(json!({ "fault": fault }));
        let answer = system.post(system.signed("msg_a", "connection.check", &json!({}))).await;
        assert_eq!((answer.status, answer.json()), (status, body), "{fault}");
        assert_eq!(answer.header("retry-after"), if status == 429 { "9" } else { "" });
        system.sandbox.faults().remove(id);
    }
    assert_eq!(system.vendor().messages(), [], "they came from before the system");
}

/// What the protocol has `deletion.find` for.
#[tokio::test]
async fn an_answer_lost_after_the_effect() {
    let system = System::new().await;
    let before = system.time(0);
    system.fault(json!({"times": 1, "fault": {"kind": "answer_lost"}}));
    let deletion = system.signed("msg_a", "deletion.requested", &subject("email", ANA_EMAIL));
    assert!(try_send(system.request(deletion.clone())).await.is_err());
    assert_eq!(system.vendor().accepted_for_deletion(ANA_EMAIL), 1);
    let mut data = subject("email", ANA_EMAIL);
    data["since"] = before.into();
    let (_, found) = system.ask("deletion.find", data).await;
    assert_eq!(found["job"], system.vendor().jobs()[0].job);
    // And the same message again is answered as it would have been.
    assert_eq!(system.post(deletion).await.json(), found);
    assert_eq!(system.vendor().accepted_for_deletion(ANA_EMAIL), 1);
}

#[tokio::test]
async fn a_call_dropped_before_has_no_effect() {
    let system = System::new().await;
    system.fault(json!({"times": 1, "fault": {"kind": "dropped_before"}}));
    let deletion = system.signed("msg_a", "deletion.requested", &subject("email", ANA_EMAIL));
    assert!(try_send(system.request(deletion)).await.is_err());
    assert_eq!((system.vendor().jobs(), system.vendor().messages()), (vec![], vec![]));
}
