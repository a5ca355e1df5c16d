//! The simulator's part of the control plane.

use habeas_sandbox::segment_config::fixtures::*;
use serde_json::{Value, json};

use super::{REGULATIONS, Segment};

#[tokio::test]
async fn knobs_are_turned_from_outside() {
    let segment = Segment::new().await;
    let knobs = r#"{"requests_per_minute": null, "bad_token": "permission_denied", "running_seconds": 7}"#;
    let (status, turned) = segment.control("PATCH /", knobs).await;
    assert_eq!(status, 200);
    assert_eq!(segment.control("GET /", "").await.1, turned);
    assert_eq!(
        turned,
        json!({"requests_per_minute": null, "retry_after": false, "bad_token": "permission_denied",
            "page_size": 10, "page_cap": 100, "end_of_list": "empty", "workspace_name": "prefixed",
            "library_config": "library_config", "source_details": false, "regulation_details": false,
            "unset_finished_at": "zero", "any_case_types": false, "max_values": 5000,
            "max_body_bytes": 4_000_000, "oversize": "invalid_argument", "monthly_users": 110_000,
            "monthly_users_segment_only": 110_000, "quota_counts": "users", "initialized_seconds": 60, "running_seconds": 7,
            "remembered_days": 90, "unsupported_destinations": "failed"})
    );
}

#[tokio::test]
async fn evidence_and_plans() {
    let segment = Segment::new().await;
    let plan =
        r#"{"destinations": {"braze": {"status": "failed", "err_string": "no"}}, "running_seconds": 0}"#;
    assert_eq!(segment.control("POST /plans", plan).await.0, 204);
    let id = segment.regulate("Suppress_With_Delete", &[JO, JO_EMAIL]).await;
    let record = format!("/regulations/{id}");
    let (_, shown) = segment.control(&format!("GET {record}"), "").await;
    assert_eq!((&shown["type"], &shown["attribute"]), (&json!("Suppress_With_Delete"), &json!("userId")));
    assert_eq!((&shown["values"], &shown["status"]), (&json!([JO, JO_EMAIL]), &json!("initialized")));
    assert_eq!(segment.control("GET /regulations", "").await.1, json!({"regulations": [shown]}));
    let (_, amended) = segment.control(&format!("PATCH {record}"), r#"{"initialized_seconds": 0}"#).await;
    assert_eq!(
        (&amended["status"], &amended["destinations"]["ios-app/braze"]),
        (&json!("failed"), &json!("failed"))
    );
    assert_eq!(segment.status(&id).await, "failed");

    let accepted = segment.control("GET /acceptances?value=jo%2Bshop@example.test", "").await.1;
    assert_eq!(accepted, json!({"accepted": 1}));
    let all = segment.control("GET /acceptances", "").await.1;
    assert_eq!(all, json!({"acceptances": {JO: 1, JO_EMAIL: 1}}));
    let quota = segment.control("GET /workspaces/acme-shop/quota", "").await.1;
    assert_eq!(quota, json!({"segment_only": 0, "segment_and_destination": 2}));
    let suppressed = segment.control("GET /workspaces/acme-shop/suppressed", "").await.1;
    assert_eq!(suppressed, json!({"user_ids": [JO_EMAIL, JO]}));

    assert_eq!(segment.control("POST /plans", r#"{"final_status": "invalid"}"#).await.0, 204);
    assert_eq!(segment.control("DELETE /plans", "").await.0, 204);
    let id = segment.regulate("Delete", &[PIA]).await;
    segment.advance(300);
    assert_eq!(segment.status(&id).await, "finished");
}

#[tokio::test]
async fn people_and_what_is_connected() {
    let segment = Segment::new().await;
    let people = "/workspaces/acme-shop/people";
    assert_eq!(segment.control(&format!("GET {people}"), "").await.1, json!({"count": USER_IDS}));
    let (_, found) = segment.control(&format!("GET {people}?email=ANA.silva@example.test"), "").await;
    assert_eq!(found, json!({"count": 2, "user_ids": [ANA_EMAIL, ANA]}));
    let (_, profile) = segment.control(&format!("GET {people}/jo+shop@example.test"), "").await;
    assert_eq!(profile, json!({"user_id": JO_EMAIL, "email": JO_EMAIL, "sources": [WEB_PROD]}));
    assert_eq!(segment.control(&format!("GET {people}/test%20user%2F1"), "").await.0, 200);

    let event = r#"{"user_id": "u-1", "email": "lou@example.test", "source": "ios-app"}"#;
    assert_eq!(segment.control("POST /events", event).await.1, json!({"kept": true}));
    assert!(segment.has_data("u-1"));
    let source = r#"{"slug": "help", "catalogue": "zendesk"}"#;
    assert_eq!(segment.control("POST /sources", source).await, (201, json!({"slug": "help"})));
    let destination = r#"{"source": "help", "slug": "intercom", "connection_mode": "DEVICE"}"#;
    assert_eq!(segment.control("POST /destinations", destination).await, (201, json!({"slug": "intercom"})));
    let path = "/v1beta/workspaces/acme-shop/sources/help/destinations/intercom";
    assert_eq!(segment.get(path).await.1["connection_mode"], "DEVICE");

    let token = r#"{"token": "t1", "access": "read", "workspace": "other-shop"}"#;
    assert_eq!(segment.control("POST /tokens", token).await, (201, json!({"token": "t1"})));
    assert_eq!(segment.call_as("t1", "GET /v1beta/workspaces/other-shop").await.status, 200);
    assert_eq!(segment.control("DELETE /tokens/t1", "").await.0, 204);
    assert_eq!(segment.call_as("t1", "GET /v1beta/workspaces/other-shop").await.status, 401);
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let segment = Segment::new().await;
    let id = segment.regulate("Delete", &[PIA]).await;
    let amend = format!("PATCH /regulations/{id}");
    let table = [
        ("PATCH /", r#"{"limit": 3}"#, 400, "unknown field `limit`"),
        ("PATCH /", r#"{"bad_token": "no"}"#, 400, "unknown variant `no`"),
        ("POST /plans", r#"{"status": "failed"}"#, 400, "unknown field `status`"),
        (
            "POST /plans",
            r#"{"destinations": {"x": {"status": "failed"}}}"#,
            400,
            "no source has a destination `x`",
        ),
        (
            "POST /plans",
            r#"{"destinations": {"braze": {"status": "failed", "error": ""}}}"#,
            400,
            "unknown field `error`",
        ),
        (&amend, r#"{"destinations": {"x": {"status": "failed"}}}"#, 400, "no source has a destination `x`"),
        ("PATCH /regulations/none", "{}", 404, "there is no regulation `none`"),
        ("GET /regulations/none", "", 404, "there is no regulation `none`"),
        (
            "POST /tokens",
            r#"{"token": "t", "access": "read", "workspace": "none"}"#,
            400,
            "there is no workspace `none`",
        ),
        ("POST /tokens", r#"{"token": "t", "access": "write"}"#, 400, "unknown variant `write`"),
        ("DELETE /tokens/none", "", 404, "there is no token `none`"),
        ("POST /events", r#"{"user_id": "u", "source": "none"}"#, 400, "there is no source `none`"),
        (
            "POST /sources",
            r#"{"slug": "web-prod", "catalogue": "ios"}"#,
            400,
            "there is something with the slug `web-prod`",
        ),
        ("GET /acceptances?user=x", "", 400, "unknown query parameter `user`"),
        ("GET /workspaces/none/people", "", 404, "there is no workspace `none`"),
        ("GET /workspaces/none/quota", "", 404, "there is no workspace `none`"),
        ("GET /workspaces/none/suppressed", "", 404, "there is no workspace `none`"),
        ("GET /workspaces/acme-shop/people/none", "", 404, "there is no data under `none`"),
    ];
    for (call, body, status, message) in table {
        let (found, answer) = segment.control(call, body).await;
        assert_eq!(found, status, "{call} {body}");
        let error: &Value = &answer["error"];
        assert!(error.as_str().unwrap().starts_with(message), "{call} {body}: {error}");
    }
    assert_eq!(segment.get(REGULATIONS).await.0, 200);
}
