//! The shared faults, in this API's words.

use habeas_sandbox::segment_config::fixtures::*;
use serde_json::{Value, json};

use super::{Segment, kind, people};
use crate::support::try_send;

#[tokio::test]
async fn refusals_are_in_the_vendors_shape() {
    let segment = Segment::new().await;
    let table = [
        (json!({"kind": "status", "code": 500}), 500, "InternalServerError"),
        (json!({"kind": "status", "code": 503}), 503, "ServiceUnavailable"),
        (json!({"kind": "status", "code": 409}), 409, "Conflict"),
        (json!({"kind": "rate_limited", "retry_after": 9}), 429, "RateLimited"),
        (json!({"kind": "rate_limited"}), 429, "RequestError"),
        (json!({"kind": "token_expired"}), 401, "Unauthorized"),
        (json!({"kind": "scope_missing", "scope": "any"}), 401, "Unauthorized"),
    ];
    for (fault, status, name) in table {
        let id = segment.fault(json!({ "fault": fault }));
        let answer = segment.call("GET /").await;
        assert_eq!((answer.status, kind(&answer).as_str()), (status, name), "{fault}");
        let retry_after = if fault["retry_after"].is_null() { "" } else { "9" };
        assert_eq!(answer.header("retry-after"), retry_after, "{fault}");
        segment.sandbox.faults().remove(id);
    }
    for (code, body) in [(503, "upstream connect error"), (400, "bad request")] {
        let id = segment.fault(json!({"fault": {"kind": "status", "code": code, "body": body}}));
        let answer = segment.call("GET /").await;
        assert_eq!((answer.status, answer.text.as_str()), (code, body));
        segment.sandbox.faults().remove(id);
    }
    segment.turn(json!({"missing_permission": "forbidden"}));
    segment.fault(json!({"fault": {"kind": "scope_missing", "scope": "any"}}));
    assert_eq!(segment.call("GET /").await.status, 403);
    let (status, _) = segment.config("GET /v1beta/workspaces", None).await;
    assert_eq!(status, 200, "a rule for one API leaves the other alone");
}

#[tokio::test]
async fn errors_may_say_no_more_than_their_type() {
    let segment = Segment::new().await;
    segment.turn(json!({"bare_errors": true}));
    let table = [
        ("GET /nothing", json!({"errors": [{"type": "NotFound"}]})),
        ("GET /sources?pagination.count=0", json!({"errors": [{"type": "input-validation"}]})),
        ("POST /regulations", json!({"errors": [{"type": "ValidationFailure"}]})),
    ];
    for (call, body) in table {
        assert_eq!(segment.call(call).await.json(), body, "{call}");
    }
    segment.fault(json!({"fault": {"kind": "rate_limited"}}));
    assert_eq!(segment.call("GET /").await.json(), json!({"errors": [{"type": "RequestError"}]}));
}

#[tokio::test]
async fn an_answer_lost_after_the_effect() {
    let segment = Segment::new().await;
    segment.fault(json!({"method": "POST", "times": 1, "fault": {"kind": "answer_lost"}}));
    let post = segment.request("POST /regulations").bearer_auth(PUBLIC_TOKEN);
    assert!(try_send(post.json(&people("SUPPRESS_WITH_DELETE", &[ANA]))).await.is_err());
    assert_eq!(segment.vendor().accepted_for_deletion(ANA), 1);
    let list = segment.data("/regulations").await;
    assert_eq!(list["regulations"][0]["subjects"], json!([ANA]), "it can be found");
    let create = segment.sandbox.calls().route("segment_public", "POST /regulations");
    assert_eq!((create.arrived, create.effects, create.dropped), (1, 1, 1));
}

#[tokio::test]
async fn a_burst_of_refusals() {
    let segment = Segment::new().await;
    segment.fault(json!({"method": "POST", "times": 2, "fault": {"kind": "rate_limited"}}));
    for status in [429, 429, 200] {
        assert_eq!(segment.post("/regulations", &people("DELETE_ONLY", &[ANA])).await.status, status);
    }
    assert_eq!(segment.vendor().regulations().len(), 1);
}

#[tokio::test]
async fn lists_without_end_and_foreign_cursors() {
    let segment = Segment::new().await;
    segment.regulate("DELETE_ONLY", &[ANA]).await;
    segment.regulate("DELETE_ONLY", &[JO]).await;
    let id = segment.fault(json!({"fault": {"kind": "endless_next"}}));
    for path in ["/regulations", "/sources"] {
        let (mut cursors, mut cursor) = (std::collections::BTreeSet::new(), String::new());
        for _ in 0..6 {
            let page = segment.data(&format!("{path}?pagination.count=1&pagination.cursor={cursor}")).await;
            cursor = page["pagination"]["next"].as_str().unwrap().to_owned();
            assert!(cursors.insert(cursor.clone()), "every cursor is new: {cursor}");
        }
    }
    segment.sandbox.faults().remove(id);
    segment.fault(json!({"fault": {"kind": "foreign_next", "base": "http://evil.test"}}));
    let page = segment.data("/regulations").await;
    assert!(page["pagination"]["next"].as_str().unwrap().starts_with("http://evil.test"));
    assert_eq!(segment.data("/").await.get("pagination"), None::<&Value>);
}
