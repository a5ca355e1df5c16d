//! Tokens, permissions, paths and the rate limit.

use habeas_sandbox::segment_config::fixtures::*;
use habeas_sandbox::segment_config::{Access, TokenSpec};
use serde_json::json;

use super::{REGULATIONS, Segment, error, people};
use crate::support::send;

const WORKSPACES: &str = "GET /v1beta/workspaces";
const NO_REGULATION: &str = "DELETE /v1beta/workspaces/acme-shop/regulations/000000000000000000000000000";

#[tokio::test]
async fn bad_tokens_in_both_modes() {
    let segment = Segment::new().await;
    for (mode, status, code) in [("unauthenticated", 401, 16), ("permission_denied", 403, 7)] {
        segment.turn(json!({ "bad_token": mode }));
        for token in [REVOKED_TOKEN, "sgp_nothing"] {
            let answer = segment.call_as(token, WORKSPACES).await;
            assert_eq!((answer.status, answer.json()), (status, error("invalid access token", code)));
        }
        let missing = send(segment.request(WORKSPACES)).await;
        assert_eq!((missing.status, missing.json()), (401, error("missing access token", 16)));
        let basic = send(segment.request(WORKSPACES).basic_auth(TOKEN, Some(""))).await;
        assert_eq!(basic.status, 401);
    }
}

#[tokio::test]
async fn a_token_revoked_between_two_calls() {
    let segment = Segment::new().await;
    let id = segment.regulate("Delete", &[JO]).await;
    assert_eq!(segment.regulation(&id).await.0, 200);
    assert!(segment.vendor().revoke_token(TOKEN));
    assert!(!segment.vendor().revoke_token(TOKEN));
    assert_eq!(segment.regulation(&id).await.0, 401);
    segment.vendor().add_token(TokenSpec::new(TOKEN, Access::Owner)).unwrap();
    assert_eq!(segment.regulation(&id).await.0, 200);
}

#[tokio::test]
async fn permission_comes_before_existence() {
    let segment = Segment::new().await;
    let table = [
        (READ_ONLY_TOKEN, 403, error("insufficient scope", 7)),
        (MEMBER_TOKEN, 403, error("owner permission required", 7)),
        (TOKEN, 404, error("not found", 5)),
        (OTHER_TOKEN, 404, error("not found", 5)),
    ];
    for (token, status, body) in table {
        let answer = segment.call_as(token, NO_REGULATION).await;
        assert_eq!((answer.status, answer.json()), (status, body), "{token}");
    }
    for token in [READ_ONLY_TOKEN, MEMBER_TOKEN] {
        for path in [REGULATIONS, "/v1beta/workspaces/acme-shop/sources/none/regulations"] {
            let request = segment.request(&format!("POST {path}")).bearer_auth(token);
            assert_eq!(send(request.json(&people("Delete", &[JO]))).await.status, 403, "{token} {path}");
        }
        assert_eq!(segment.call_as(token, &format!("GET {REGULATIONS}?page_size=1")).await.status, 200);
    }
    assert!(segment.vendor().regulations().is_empty());
}

#[tokio::test]
async fn tokens_see_their_own_workspace_only() {
    let segment = Segment::new().await;
    let all = segment.call_as(OTHER_TOKEN, WORKSPACES).await.json();
    assert_eq!(all["workspaces"].as_array().unwrap().len(), 1);
    assert_eq!(all["workspaces"][0]["name"], "workspaces/other-shop");
    let id = segment.regulate("Delete", &[JO]).await;
    for path in [
        "/v1beta/workspaces/acme-shop",
        "/v1beta/workspaces/acme-shop/sources",
        REGULATIONS,
        &format!("{REGULATIONS}/{id}"),
        &format!("/v1beta/workspaces/other-shop/regulations/{id}"),
        "/v1beta/workspaces/none",
    ] {
        let answer = segment.call_as(OTHER_TOKEN, &format!("GET {path}")).await;
        assert_eq!((answer.status, answer.json()), (404, error("not found", 5)), "{path}");
    }
    let request = segment.request(&format!("POST {REGULATIONS}")).bearer_auth(OTHER_TOKEN);
    assert_eq!(send(request.json(&people("Delete", &[JO]))).await.status, 404);
    assert_eq!(segment.vendor().regulations().len(), 1);
}

#[tokio::test]
async fn paths_that_lead_nowhere() {
    let segment = Segment::new().await;
    for path in ["/", "/v1beta", "/v1/workspaces", "/workspaces/acme-shop", "/v1beta/workspace/acme-shop"] {
        // Something in front of the API answers, so the token does not matter.
        let answer = send(segment.request(&format!("GET {path}"))).await;
        assert_eq!((answer.status, answer.header("content-type")), (503, "text/plain"), "{path}");
        assert_eq!(answer.text, "upstream connect error or disconnect/reset before headers", "{path}");
    }
    for call in [
        "GET /v1beta/workspaces/acme-shop/regulation",
        "GET /v1beta/workspaces/acme-shop/regulations/none",
        "GET /v1beta/workspaces/acme-shop/sources/none",
        "GET /v1beta/workspaces/acme-shop/sources/none/destinations",
        "GET /v1beta/workspaces/acme-shop/sources/web-prod/destinations/braze",
        "GET /v1beta/workspaces/acme-shop/sources/web-prod/regulations",
        "GET /v1beta/catalog/warehouses",
        "GET /v1beta/catalog/sources/none",
        "POST /v1beta/workspaces",
        "DELETE /v1beta/workspaces/acme-shop",
        "PATCH /v1beta/workspaces/acme-shop/sources/web-prod",
        "DELETE /v1beta/workspaces/acme-shop/regulations",
    ] {
        let answer = segment.call(call).await;
        assert_eq!((answer.status, answer.json()), (404, error("not found", 5)), "{call}");
    }
    let answer = segment.call("PUT /v1beta/workspaces/acme-shop").await;
    assert_eq!((answer.status, answer.json()), (501, error("method not supported", 12)));
}

#[tokio::test]
async fn slashes_are_taken_as_they_come_and_counted_as_one_route() {
    let segment = Segment::new().await;
    for path in [
        "/v1beta/workspaces/acme-shop/sources/web-prod/destinations/customer.io",
        "/v1beta/workspaces/acme-shop/sources/web-prod/destinations/customer.io/",
        "/v1beta//workspaces/acme-shop//sources/web-prod/destinations//customer%2Eio//",
    ] {
        let (status, body) = segment.get(path).await;
        assert_eq!((status, &body["display_name"]), (200, &json!("Customer.io")), "{path}");
    }
    assert_eq!(segment.get("/v1beta//catalog/sources/.net/").await.0, 200);
    let template = "GET /v1beta/workspaces/{workspace}/sources/{source}/destinations/{destination}";
    assert_eq!(segment.sandbox.calls().count("segment_config", template), 3);
    segment.call("GET /elsewhere").await;
    assert_eq!(segment.sandbox.calls().count("segment_config", "GET (no route)"), 1);
    // A client in use sends a body with every GET.
    let with_body = segment.request(WORKSPACES).bearer_auth(TOKEN).json(&json!({}));
    assert_eq!(send(with_body).await.status, 200);
}

#[tokio::test]
async fn two_hundred_calls_per_minute_and_token() {
    let segment = Segment::new().await;
    for _ in 0..200 {
        assert_eq!(segment.call(WORKSPACES).await.status, 200);
    }
    let refused = segment.call(WORKSPACES).await;
    assert_eq!((refused.status, refused.json()), (429, error("rate limit exceeded", 8)));
    assert_eq!(refused.header("retry-after"), "", "which is not documented");
    assert_eq!(segment.call_as(READ_ONLY_TOKEN, WORKSPACES).await.status, 200, "another token has its own");
    segment.turn(json!({"retry_after": true}));
    let seconds: u64 = segment.call(WORKSPACES).await.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds));
    segment.advance(60);
    assert_eq!(segment.call(WORKSPACES).await.status, 200);

    segment.vendor().set_limit(Some(0));
    assert_eq!(segment.call(WORKSPACES).await.status, 429);
    segment.vendor().set_limit(None);
    assert_eq!(segment.call(WORKSPACES).await.status, 200);
    let peaks = segment.sandbox.calls().peaks().remove("segment_config").unwrap();
    assert_eq!(peaks.accounts[TOKEN]["all"], 202);
}
