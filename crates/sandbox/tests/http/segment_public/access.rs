//! Tokens, permissions and paths.

use habeas_sandbox::segment_config::fixtures::*;
use habeas_sandbox::segment_config::{Access, TokenSpec};
use serde_json::json;

use super::{Segment, kind, people};
use crate::support::send;

#[tokio::test]
async fn a_token_opens_one_of_the_two_apis() {
    let segment = Segment::new().await;
    let config = segment.sandbox.addresses().segment_config.clone();
    let tokens = [TOKEN, READ_ONLY_TOKEN, MEMBER_TOKEN, OTHER_TOKEN, REVOKED_TOKEN, PUBLIC_REVOKED_TOKEN];
    for token in tokens {
        let answer = segment.call_as(token, "GET /").await;
        assert_eq!((answer.status, kind(&answer)), (401, "Unauthorized".to_owned()), "{token}");
    }
    for token in [PUBLIC_TOKEN, PUBLIC_READ_ONLY_TOKEN, PUBLIC_MEMBER_TOKEN, PUBLIC_OTHER_TOKEN] {
        let secret = token.strip_prefix("sgp_").unwrap();
        assert!(secret.len() == 64 && secret.bytes().all(|it| it.is_ascii_alphanumeric()), "{token}");
        assert_eq!(segment.call_as(token, "GET /").await.status, 200, "{token}");
        for (mode, status) in [("unauthenticated", 401), ("permission_denied", 403)] {
            segment.turn_shared(json!({ "bad_token": mode }));
            let request = segment.request_at(&config, "GET /v1beta/workspaces").bearer_auth(token);
            assert_eq!(send(request).await.status, status, "{token}");
        }
    }
    let calls = segment.sandbox.calls();
    assert_eq!(calls.peaks()["segment_public"].accounts["unknown"]["reads"], tokens.len());
    assert_eq!(calls.peaks()["segment_config"].accounts["unknown"]["all"], 8);
}

#[tokio::test]
async fn a_call_without_a_token() {
    let segment = Segment::new().await;
    for request in [
        segment.request("GET /"),
        segment.request("GET /").basic_auth(PUBLIC_TOKEN, Some("")),
        segment.request("GET /").header("authorization", PUBLIC_TOKEN),
        segment.request("GET /nothing"),
    ] {
        let answer = send(request).await;
        assert_eq!((answer.status, kind(&answer)), (401, "Unauthorized".to_owned()));
        assert_eq!(answer.header("x-ratelimit-remaining"), "");
    }
}

#[tokio::test]
async fn a_token_revoked_between_two_calls() {
    let segment = Segment::new().await;
    let id = segment.regulate("DELETE_ONLY", &[JO]).await;
    let get = format!("GET /regulations/{id}");
    assert_eq!(segment.call(&get).await.status, 200);
    assert!(segment.vendor().revoke_token(PUBLIC_TOKEN));
    assert_eq!(segment.call(&get).await.status, 401);
    segment.vendor().add_token(TokenSpec::public(PUBLIC_TOKEN, Access::Read)).unwrap();
    assert_eq!(segment.call(&get).await.status, 200);
    assert_eq!(segment.post("/regulations", &people("DELETE_ONLY", &[JO])).await.status, 401);
}

#[tokio::test]
async fn what_a_token_may_not_do_in_both_modes() {
    let segment = Segment::new().await;
    segment.turn(json!({"delete_regulations": true}));
    let id = segment.regulate("DELETE_ONLY", &[JO]).await;
    let writes = [
        "POST /regulations".to_owned(),
        "POST /regulations/sources/none".to_owned(),
        "POST /regulations/cloudsources/none".to_owned(),
        format!("DELETE /regulations/{id}"),
        "DELETE /regulations/none".to_owned(),
    ];
    for (mode, status, name) in [("unauthorized", 401, "Unauthorized"), ("forbidden", 403, "Forbidden")] {
        segment.turn(json!({ "missing_permission": mode }));
        for token in [PUBLIC_READ_ONLY_TOKEN, PUBLIC_MEMBER_TOKEN] {
            for call in &writes {
                let answer = segment.call_as(token, call).await;
                assert_eq!((answer.status, kind(&answer).as_str()), (status, name), "{token} {call}");
            }
            for call in ["GET /", "GET /sources", "GET /regulations", "GET /suppressions"] {
                assert_eq!(segment.call_as(token, call).await.status, 200, "{token} {call}");
            }
        }
    }
    assert_eq!(segment.vendor().regulations().len(), 1);
    assert!(!segment.record(&id).deleted);
    assert_eq!(segment.call("POST /regulations").await.status, 422, "an owner is told what is wrong");
}

#[tokio::test]
async fn a_token_sees_its_own_workspace() {
    let segment = Segment::new().await;
    let own = segment.data("/").await;
    let expected = json!({"workspace": {"id": WORKSPACE_ID, "slug": WORKSPACE, "name": "Acme Shop"}});
    assert_eq!(own, expected);
    let other = segment.call_as(PUBLIC_OTHER_TOKEN, "GET /").await.json();
    assert_eq!(other["data"]["workspace"]["slug"], OTHER_WORKSPACE);
    let source = segment.source_id(WEB_PROD).await;
    let destination = segment.data("/destinations").await["destinations"][0]["id"].take();
    let warehouse = segment.data("/warehouses").await["warehouses"][0]["id"].take();
    let id = segment.regulate("DELETE_ONLY", &[JO]).await;
    for path in [
        format!("/sources/{source}"),
        format!("/sources/{source}/connected-destinations"),
        format!("/destinations/{}", destination.as_str().unwrap()),
        format!("/warehouses/{}/connected-sources", warehouse.as_str().unwrap()),
        format!("/regulations/{id}"),
        format!("/regulations/sources/{source}"),
    ] {
        let call = format!("GET {path}");
        assert_eq!(segment.call_as(PUBLIC_OTHER_TOKEN, &call).await.status, 404, "{path}");
        assert_eq!(segment.call(&call).await.status, 200, "{path}");
    }
    let list = segment.call_as(PUBLIC_OTHER_TOKEN, "GET /regulations").await.json();
    assert_eq!(list["data"]["regulations"], json!([]));
}

#[tokio::test]
async fn paths_that_lead_nowhere() {
    let segment = Segment::new().await;
    for call in [
        "GET /nothing",
        "GET /v1beta/workspaces",
        "GET /sources/",
        "GET //sources",
        "GET /sources/none",
        "GET /sources/web-prod",
        "GET /destinations/amplitude",
        "GET /warehouses/none",
        "GET /catalog/sources/javascript",
        "GET /catalog/none",
        "GET /regulations/none",
        "GET /regulations/cloudsources/none",
        "GET /regulations/sources/none",
        "POST /",
        "PUT /regulations",
        "DELETE /regulations",
        "DELETE /regulations/none",
        "PATCH /sources/none",
    ] {
        let answer = segment.call(call).await;
        assert_eq!((answer.status, kind(&answer)), (404, "NotFound".to_owned()), "{call}");
    }
    let long = segment.call(&format!("GET /sources/{}", "x".repeat(256))).await;
    assert_eq!((long.status, kind(&long)), (422, "input-validation".to_owned()));
    assert_eq!(segment.call(&format!("GET /sources/{}", "x".repeat(255))).await.status, 404);
}

#[tokio::test]
async fn any_version_is_taken() {
    let segment = Segment::new().await;
    for accept in [
        "application/vnd.segment.v1+json",
        "application/vnd.segment.v1beta+json",
        "application/vnd.segment.alpha+json",
        "application/json",
        "text/html",
    ] {
        let request = segment.request("GET /sources").bearer_auth(PUBLIC_TOKEN).header("accept", accept);
        let answer = send(request).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{accept}");
    }
}
