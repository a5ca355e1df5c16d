//! Limits per brand, method and route template.

use habeas_sandbox::qualtrics::fixtures::*;
use serde_json::json;

use super::{Brand, ERASE, error};
use crate::support::send;

const LIST: &str = "GET /op-erase-personal-data";

async fn limited() -> Brand {
    let brand = Brand::new().await;
    brand.turn(json!({"limits_enforced": true}));
    brand
}

#[tokio::test]
async fn twenty_lists_of_erasures_per_minute() {
    let brand = limited().await;
    for call in 0..20 {
        let request = brand.request(LIST);
        let request = match call % 2 {
            0 => request.bearer_auth(TOKEN),
            _ => request.header("x-api-token", API_TOKEN),
        };
        assert_eq!(send(request).await.status, 200);
    }
    let refused = brand.call_as(FULL_TOKEN, LIST, None).await;
    assert_eq!((error(&refused).0, error(&refused).1.as_str()), (429, "RATE_LIMIT_EXCEEDED"));
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds));
    let body = json!({"emails": [NOBODY_EMAIL]});
    assert_eq!(brand.call_with(&format!("POST {ERASE}"), &body).await.status, 200, "counted apart");
    assert_eq!(brand.call(&format!("{LIST}/OP-none")).await.status, 404, "counted apart");
    brand.advance(60);
    assert_eq!(brand.call(LIST).await.status, 200);
    let peaks = brand.sandbox.calls().peaks().remove("qualtrics").unwrap();
    assert_eq!(peaks.accounts[BRAND][LIST], 21);
}

#[tokio::test]
async fn the_brand_as_a_whole() {
    let brand = limited().await;
    brand.turn(json!({"brand_per_minute": 2}));
    assert_eq!(brand.call("GET /users").await.status, 200);
    assert_eq!(brand.call_as("unknown", "GET /users", None).await.status, 401, "uses nothing up");
    assert_eq!(brand.call("GET /directories").await.status, 200);
    assert_eq!(brand.call("GET /users").await.status, 429);
    brand.turn(json!({ "brand_per_minute": null }));
    assert_eq!(brand.call("GET /users").await.status, 200);
}

#[tokio::test]
async fn limits_are_changed_and_lifted() {
    let brand = limited().await;
    brand.vendor().set_limit(LIST, Some(1)).unwrap();
    assert_eq!(brand.call(LIST).await.status, 200);
    assert_eq!(brand.call(LIST).await.status, 429);
    brand.vendor().set_limit(LIST, None).unwrap();
    assert_eq!(brand.call(LIST).await.status, 200);
    brand.vendor().set_limit(LIST, Some(0)).unwrap();
    assert_eq!(brand.call(LIST).await.status, 429);
    brand.vendor().lift_limits();
    assert_eq!(brand.call(LIST).await.status, 200);
    assert!(brand.vendor().set_limit("GET /nothing", None).is_err());
}

#[tokio::test]
async fn the_ways_to_say_when() {
    let brand = limited().await;
    brand.vendor().set_limit(LIST, Some(0)).unwrap();
    let all = [
        "retry-after",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
    ];
    for (knob, present) in [
        ("none", 0..0),
        ("retry_after_seconds", 0..1),
        ("retry_after_date", 0..1),
        ("x_rate_limit", 1..4),
        ("rate_limit", 4..7),
    ] {
        brand.turn(json!({ "rate_limit_headers": knob }));
        let refused = brand.call(LIST).await;
        for (position, name) in all.iter().enumerate() {
            assert_eq!(refused.headers.contains_key(*name), present.contains(&position), "{knob} {name}");
        }
        if knob == "retry_after_date" {
            assert!(refused.header("retry-after").ends_with(" GMT"));
        }
    }
}
