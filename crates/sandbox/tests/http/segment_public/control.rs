//! This API's part of the control plane, and its place in the call log.

use habeas_sandbox::segment_config::fixtures::*;
use serde_json::json;

use super::Segment;

#[tokio::test]
async fn knobs_are_turned_from_outside() {
    let segment = Segment::new().await;
    let knobs = r#"{"reads_per_minute": 9, "default_count": null, "missing_permission": "forbidden"}"#;
    let (status, turned) = segment.control("PATCH /segment_public", knobs).await;
    assert_eq!(status, 200);
    assert_eq!(segment.control("GET /segment_public", "").await.1, turned);
    assert_eq!(
        turned,
        json!({"missing_permission": "forbidden", "regulation_creates_per_minute": 600, "reads_per_minute": 9,
            "calls_per_minute": null, "retry_after": true, "quota_headers": "rate_limit",
            "default_count": null, "highest_count": 1000, "last_page": "null", "total_entries": true,
            "names": true, "unset_finished_at": "absent", "unset_part_finished_at": "zero",
            "subject_types": "right", "bare_errors": false, "delete_regulations": false,
            "archive_only": false})
    );
    let turned = segment.public().knobs();
    assert_eq!((turned.reads_per_minute, turned.default_count), (Some(9), None));
    for (body, message) in [
        (r#"{"limit": 3}"#, "unknown field `limit`"),
        (r#"{"last_page": "empty"}"#, "unknown variant `empty`"),
        ("{", "EOF while parsing"),
    ] {
        let (status, answer) = segment.control("PATCH /segment_public", body).await;
        assert_eq!(status, 400, "{body}");
        assert!(answer["error"].as_str().unwrap().starts_with(message), "{body}: {answer}");
    }
}

#[tokio::test]
async fn what_both_apis_share_is_changed_in_one_place() {
    let segment = Segment::new().await;
    let token = r#"{"token": "sgp_t1", "access": "read", "api": "public", "workspace": "other-shop"}"#;
    assert_eq!(segment.control("POST /segment_config/tokens", token).await.0, 201);
    let other = segment.call_as("sgp_t1", "GET /").await.json();
    assert_eq!(other["data"]["workspace"]["slug"], OTHER_WORKSPACE);
    let token = r#"{"token": "t2", "access": "read"}"#;
    assert_eq!(segment.control("POST /segment_config/tokens", token).await.0, 201);
    assert_eq!(segment.call_as("t2", "GET /").await.status, 401, "the Config API unless it says otherwise");

    let warehouse = r#"{"catalogue": "db2", "name": "Old", "sources": ["ios-app"], "enabled": false}"#;
    let (status, made) = segment.control("POST /segment_config/warehouses", warehouse).await;
    assert_eq!(status, 201);
    let path = format!("/warehouses/{}", made["id"].as_str().unwrap());
    let shown = segment.data(&path).await;
    assert_eq!(
        (&shown["warehouse"]["settings"]["name"], &shown["warehouse"]["enabled"]),
        (&json!("Old"), &json!(false))
    );
    let unknown = segment.control("POST /segment_config/warehouses", r#"{"catalogue": "none"}"#).await;
    assert_eq!(unknown, (400, json!({"error": "the catalogue has no entry `none`"})));
    let source = r#"{"slug": "help", "catalogue": "zendesk", "enabled": false}"#;
    assert_eq!(segment.control("POST /segment_config/sources", source).await.0, 201);
    let id = segment.source_id("help").await;
    assert_eq!(segment.data(&format!("/sources/{id}")).await["source"]["enabled"], false);
}

#[tokio::test]
async fn calls_are_counted_by_route_template() {
    let segment = Segment::new().await;
    let web = segment.source_id(WEB_PROD).await;
    segment.call(&format!("GET /sources/{web}")).await;
    segment.call("GET /sources/none").await;
    segment.call(&format!("GET /sources/{web}/connected-destinations")).await;
    segment.call(&format!("POST /regulations/sources/{web}")).await;
    segment.call("GET /").await;
    segment.call("GET /elsewhere").await;
    segment.call("PUT /sources").await;
    let calls = segment.sandbox.calls();
    for (route, count) in [
        ("GET /", 1),
        ("GET /sources", 1),
        ("GET /sources/{source}", 2),
        ("GET /sources/{source}/connected-destinations", 1),
        ("POST /regulations/sources/{source}", 1),
        ("PUT /sources", 1),
        ("GET (no route)", 1),
    ] {
        assert_eq!(calls.count("segment_public", route), count, "{route}");
    }
    assert_eq!(calls.count("segment_config", "GET (no route)"), 0);
    let peaks = calls.peaks().remove("segment_public").unwrap();
    assert_eq!(peaks.classes, [("reads", 5), ("regulation_creates", 1)].into());
}
