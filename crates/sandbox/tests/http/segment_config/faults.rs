//! The shared faults, in this vendor's words.

use habeas_sandbox::segment_config::fixtures::*;
use serde_json::{Value, json};

use super::{REGULATIONS, Segment, error, people};
use crate::support::try_send;

const WORKSPACE_CALL: &str = "GET /v1beta/workspaces/acme-shop";

#[tokio::test]
async fn refusals_are_in_the_vendors_shape() {
    let segment = Segment::new().await;
    let table = [
        (json!({"kind": "status", "code": 500}), 500, error("internal server error", 13)),
        (json!({"kind": "status", "code": 503}), 503, error("service unavailable", 14)),
        (json!({"kind": "status", "code": 409}), 409, error("conflict", 6)),
        (json!({"kind": "status", "code": 502}), 502, error("bad gateway", 2)),
        (json!({"kind": "rate_limited", "retry_after": 9}), 429, error("rate limit exceeded", 8)),
        (json!({"kind": "token_expired"}), 401, error("invalid access token", 16)),
        (json!({"kind": "scope_missing", "scope": "workspace"}), 403, error("insufficient scope", 7)),
    ];
    for (fault, status, body) in table {
        let id = segment.fault(json!({ "fault": fault }));
        let answer = segment.call(WORKSPACE_CALL).await;
        assert_eq!((answer.status, answer.json()), (status, body), "{fault}");
        segment.sandbox.faults().remove(id);
    }
    let id = segment.fault(json!({"fault": {"kind": "status", "code": 400, "body": "bad request"}}));
    let answer = segment.call(WORKSPACE_CALL).await;
    assert_eq!((answer.status, answer.text.as_str()), (400, "bad request"));
    segment.sandbox.faults().remove(id);
    segment.turn(json!({"bad_token": "permission_denied"}));
    segment.fault(json!({"fault": {"kind": "token_expired"}}));
    assert_eq!(segment.call(WORKSPACE_CALL).await.json(), error("invalid access token", 7));
}

#[tokio::test]
async fn an_answer_lost_after_the_effect() {
    let segment = Segment::new().await;
    segment.fault(json!({"method": "POST", "times": 1, "fault": {"kind": "answer_lost"}}));
    let post = || {
        let request = segment.request(&format!("POST {REGULATIONS}")).bearer_auth(TOKEN);
        request.json(&people("Suppress_With_Delete", &[ANA]))
    };
    assert!(try_send(post()).await.is_err());
    assert_eq!(segment.vendor().accepted_for_deletion(ANA), 1);
    let (_, page) = segment.get(REGULATIONS).await;
    assert_eq!(page["entries"][0]["attributes"]["values"], json!([ANA]), "it can be found");
}

#[tokio::test]
async fn lists_without_end_and_foreign_tokens() {
    let segment = Segment::new().await;
    segment.regulate("Delete", &[ANA]).await;
    segment.regulate("Delete", &[JO]).await;
    let id = segment.fault(json!({"fault": {"kind": "endless_next"}}));
    for path in [REGULATIONS, "/v1beta/workspaces/acme-shop/sources"] {
        let (mut tokens, mut token) = (std::collections::BTreeSet::new(), String::new());
        for _ in 0..6 {
            let (status, page) = segment.get(&format!("{path}?page_size=1&page_token={token}")).await;
            assert_eq!(status, 200, "{page}");
            token = page["next_page_token"].as_str().unwrap().to_owned();
            assert!(tokens.insert(token.clone()), "every token is new: {token}");
        }
    }
    segment.sandbox.faults().remove(id);
    segment.fault(json!({"fault": {"kind": "foreign_next", "base": "http://evil.test"}}));
    let (_, page) = segment.get(REGULATIONS).await;
    assert!(page["next_page_token"].as_str().unwrap().starts_with("http://evil.test"));
    assert_eq!(segment.get("/v1beta/workspaces/acme-shop").await.1.get("next_page_token"), None::<&Value>);
}
