//! The control plane.

use habeas_sandbox::readycloud::fixtures::*;
use serde_json::json;

use crate::support::{World, contact};

#[tokio::test]
async fn calls_are_shown_and_forgotten() {
    let world = World::new().await;
    world.call(&contact("DELETE", JO)).await;
    world.call(&contact("DELETE", JO)).await;
    let route = "DELETE /api/v2/orgs/{org}/contacts/{contact}/";
    assert_eq!(
        world.control("GET /calls", None).await.json(),
        json!({"total": 2, "vendors": {"readycloud": {"total": 2, "routes": {route: {
            "arrived": 2, "effects": 1, "statuses": {"204": 1, "404": 1}, "dropped": 0, "abandoned": 0,
        }}}}})
    );
    assert_eq!(
        world.control("GET /calls/deletions", None).await.json(),
        json!({"readycloud": {JO: {"arrived": 2, "effects": 1}}})
    );
    assert_eq!(
        world.control("GET /calls/peaks", None).await.json(),
        json!({"readycloud": {"classes": {"other": 2}, "accounts": {CLIENT_ID: {"other": 2}}}})
    );
    let recent = world.control("GET /calls/recent?limit=1", None).await.json();
    assert_eq!((&recent["calls"][0]["status"], recent["calls"].as_array().unwrap().len()), (&json!(404), 1));
    assert_eq!(world.control("DELETE /calls", None).await.status, 204);
    assert_eq!(world.control("GET /calls", None).await.json(), json!({"total": 0, "vendors": {}}));
}

#[tokio::test]
async fn faults_come_and_go() {
    let world = World::new().await;
    let rule = r#"{"vendor": "readycloud", "fault": {"kind": "status", "code": 503}}"#;
    let added = world.control("POST /faults", Some(rule)).await;
    assert_eq!((added.status, added.json()), (201, json!({"id": 1})));
    assert_eq!(world.call("GET /api/v2/orgs/").await.status, 503);
    assert_eq!(
        world.control("GET /faults", None).await.json(),
        json!({"rules": [{"id": 1, "matched": 1, "struck": 1, "rule":
            {"vendor": "readycloud", "skip": 0, "fault": {"kind": "status", "code": 503}}}]})
    );
    assert_eq!(world.control("DELETE /faults/1", None).await.status, 204);
    assert_eq!(world.control("DELETE /faults/1", None).await.status, 404);
    assert_eq!(world.call("GET /api/v2/orgs/").await.status, 200);
    world.control("POST /faults", Some(rule)).await;
    assert_eq!(world.control("DELETE /faults", None).await.status, 204);
    assert_eq!(world.call("GET /api/v2/orgs/").await.status, 200);
}

#[tokio::test]
async fn the_clock_moves_forward() {
    let world = World::new().await;
    let now = |answer: crate::support::Answer| answer.json()["now_ms"].as_u64().unwrap();
    let before = now(world.control("GET /clock", None).await);
    let after = now(world.control("POST /clock/advance", Some(r#"{"seconds": 3600}"#)).await);
    assert!(after >= before + 3_600_000);
}

#[tokio::test]
async fn readycloud_is_changed_from_outside() {
    let world = World::new().await;
    let knobs = r#"{"get_per_minute": 5, "other_per_minute": null, "error_dialect": "drf"}"#;
    let turned = world.control("PATCH /readycloud", Some(knobs)).await;
    assert_eq!(turned.status, 200);
    assert_eq!(turned.json(), world.control("GET /readycloud", None).await.json());
    assert_eq!(
        turned.json(),
        json!({"get_per_minute": 5, "other_per_minute": null, "retry_after": true, "error_dialect": "drf",
            "page_size": 20, "page_cap": 100, "consent": "allow", "slashless_write": "server_error",
            "contact_scope_reads_orders": false})
    );

    let spec = r#"{"first_name": "Lou", "email": "lou@example.test", "notes": ["hi"], "orders": 1}"#;
    let made = world.control("POST /readycloud/contacts", Some(spec)).await;
    assert_eq!(made.status, 201);
    let key = made.json()["key"].as_str().unwrap().to_owned();
    let found = world.control("GET /readycloud/contacts?email=LOU%40example.test", None).await;
    assert_eq!(found.json(), json!({"count": 1, "keys": [key]}));
    let count = world.readycloud().contact_count();
    assert_eq!(world.control("GET /readycloud/contacts", None).await.json(), json!({"count": count}));
    let shown = world.control(&format!("GET /readycloud/contacts/{key}"), None).await;
    assert_eq!(shown.json()["notes"][0]["text"], "hi");
    assert_eq!(world.control(&format!("DELETE /readycloud/contacts/{key}"), None).await.status, 204);
    assert_eq!(world.control(&format!("DELETE /readycloud/contacts/{key}"), None).await.status, 404);

    let token = r#"{"token": "t1", "scopes": ["company-read_only"], "orgs": []}"#;
    assert_eq!(world.control("POST /readycloud/tokens", Some(token)).await.json(), json!({"token": "t1"}));
    assert_eq!(world.call_as("t1", "GET /api/v2/orgs/").await.json()["count"], 0);
    assert_eq!(world.control("DELETE /readycloud/tokens/t1", None).await.status, 204);
    assert_eq!(world.call_as("t1", "GET /api/v2/orgs/").await.status, 401);
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let world = World::new().await;
    let table = [
        (
            "POST /faults",
            r#"{"vendor": "x", "fault": {"kind": "html", "code": 500}}"#,
            400,
            "there is no vendor `x`",
        ),
        (
            "POST /faults",
            r#"{"vendor": "readycloud", "time": 1, "fault": {"kind": "malformed"}}"#,
            400,
            "unknown field `time`",
        ),
        (
            "POST /faults",
            r#"{"vendor": "readycloud", "fault": {"kind": "malformed", "code": 1}}"#,
            400,
            "unknown field `code`",
        ),
        (
            "POST /faults",
            r#"{"vendor": "readycloud", "fault": {"kind": "nonsense"}}"#,
            400,
            "unknown variant `nonsense`",
        ),
        ("PATCH /readycloud", r#"{"limit": 3}"#, 400, "unknown field `limit`"),
        ("PATCH /readycloud", "{", 400, "EOF while parsing"),
        ("POST /clock/advance", r#"{"seconds": -1}"#, 400, "invalid value: integer `-1`"),
        ("POST /clock/advance", r#"{"seconds": 9999999999}"#, 400, "`seconds` must be at most"),
        ("POST /readycloud/contacts", r#"{"org": "none"}"#, 400, "there is no organisation `none`"),
        ("POST /readycloud/contacts", r#"{"key": ".."}"#, 400, "`..` is not a legal key"),
        ("POST /readycloud/contacts", r#"{"key": "7"}"#, 400, "there is a contact with the key `7` already"),
        ("POST /readycloud/contacts", r#"{"addresses": [{"mail": ""}]}"#, 400, "unknown field `mail`"),
        (
            "POST /readycloud/tokens",
            r#"{"token": "t", "scopes": ["contacts"]}"#,
            400,
            "there is no scope `contacts`",
        ),
        ("DELETE /readycloud/tokens/none", "", 404, "there is no token `none`"),
        ("GET /readycloud/contacts?mail=x", "", 400, "unknown query parameter `mail`"),
        ("GET /calls/recent?limit=x", "", 400, "`limit` must be a number"),
        ("GET /nothing", "", 404, "there is nothing at this path"),
        ("PUT /calls", "", 405, "this path does not take this method"),
        ("PUT /readycloud", "", 405, "this path does not take this method"),
    ];
    for (call, body, status, message) in table {
        let answer = world.control(call, Some(body)).await;
        assert_eq!(answer.status, status, "{call} {body}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.starts_with(message), "{call} {body}: {error}");
    }
}
