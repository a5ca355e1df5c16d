//! Limits, the quota, and what the headers say about them.

use habeas_sandbox::segment_config::fixtures::*;
use serde_json::json;

use super::{Segment, kind, people};
use crate::support::Answer;

fn headers(answer: &Answer) -> (u64, u64) {
    let number = |name: &str| answer.header(name).parse().unwrap();
    (number("x-ratelimit-consumed"), number("x-ratelimit-remaining"))
}

/// `Sun, 01 Mar 2026 00:12:56 +0000`
fn is_rfc5322(text: &str) -> bool {
    text.len() == 31 && text.as_bytes()[3] == b',' && text.ends_with(" +0000")
}

#[tokio::test]
async fn six_hundred_creations_per_minute_and_token() {
    let segment = Segment::new().await;
    // A creation that is refused for its body is a call like any other.
    for _ in 0..600 {
        assert_eq!(segment.call("POST /regulations").await.status, 422);
    }
    let refused = segment.post("/regulations", &people("DELETE_ONLY", &[JO])).await;
    assert_eq!((refused.status, kind(&refused)), (429, "RequestError".to_owned()));
    let body = refused.json();
    let error = &body["errors"][0];
    assert_eq!(error["message"], "Too many requests");
    assert_eq!(
        (&error["data"]["remainingPoints"], &error["data"]["consumedPoints"]),
        (&json!(0), &json!(600))
    );
    let wait_ms = error["data"]["msBeforeNext"].as_u64().unwrap();
    assert!((1..=60_000).contains(&wait_ms), "{wait_ms}");
    assert_eq!(refused.header("retry-after"), "", "the endpoint is limited, not the token");
    assert_eq!(refused.header("x-ratelimit-remaining"), "", "on success only");
    assert!(segment.vendor().regulations().is_empty());

    assert_eq!(segment.call("GET /regulations").await.status, 200, "everything else has no limit");
    segment.advance(60);
    segment.regulate("DELETE_ONLY", &[JO]).await;
    segment.turn(json!({"regulation_creates_per_minute": null}));
    let peaks = segment.sandbox.calls().peaks().remove("segment_public").unwrap();
    assert_eq!(peaks.accounts[PUBLIC_TOKEN]["regulation_creates"], 601);
    assert_eq!(peaks.classes["reads"], 1);
}

#[tokio::test]
async fn reads_are_limited_where_a_limit_is_set() {
    let segment = Segment::new().await;
    let unlimited = segment.call("GET /sources").await;
    assert_eq!(headers(&unlimited), (1, 2_147_483_646));
    segment.turn(json!({"reads_per_minute": 3}));
    for (consumed, remaining) in [(2, 1), (3, 0)] {
        let answer = segment.call("GET /sources").await;
        assert_eq!(headers(&answer), (consumed, remaining));
        assert!(is_rfc5322(answer.header("x-ratelimit-reset")), "{}", answer.header("x-ratelimit-reset"));
    }
    let refused = segment.call("GET /sources").await;
    assert_eq!((refused.status, kind(&refused)), (429, "RequestError".to_owned()));
    assert_eq!(
        segment.call_as(PUBLIC_READ_ONLY_TOKEN, "GET /").await.status,
        200,
        "another token has its own"
    );
    segment.regulate("DELETE_ONLY", &[JO]).await;
    segment.advance(60);
    assert_eq!(headers(&segment.call("GET /").await), (1, 2));
}

#[tokio::test]
async fn a_limited_token_is_told_in_whole_seconds() {
    let segment = Segment::new().await;
    segment.turn(json!({"calls_per_minute": 2}));
    segment.call("GET /").await;
    segment.regulate("DELETE_ONLY", &[JO]).await;
    for call in ["GET /", "POST /regulations"] {
        let refused = segment.call(call).await;
        assert_eq!((refused.status, kind(&refused)), (429, "RateLimited".to_owned()), "{call}");
        assert_eq!(refused.json()["errors"][0].get("data"), None, "{call}");
        let seconds: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&seconds), "{call} {seconds}");
    }
    segment.turn(json!({"retry_after": false}));
    let refused = segment.call("GET /").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, ""));
}

#[tokio::test]
async fn a_creation_tells_what_is_left_of_its_quota() {
    let segment = Segment::new().await;
    let create = async |kind: &str, ids: &[&str]| segment.post("/regulations", &people(kind, ids)).await;
    let answer = create("DELETE_ONLY", &[ANA, ANA_EMAIL, ANA]).await;
    assert_eq!(headers(&answer), (2, 109_998), "users, not calls");
    assert!(is_rfc5322(answer.header("x-ratelimit-reset")));
    assert!(answer.header("x-ratelimit-reset").ends_with(" 00:00:00 +0000"), "the next month begins");
    assert_eq!(headers(&create("SUPPRESS_WITH_DELETE", &[JO]).await), (3, 109_997));
    for (kind, consumed) in [
        ("DELETE_INTERNAL", 1),
        ("SUPPRESS_WITH_DELETE_INTERNAL", 2),
        ("SUPPRESS_ONLY", 3),
        ("UNSUPPRESS", 4),
    ] {
        assert_eq!(headers(&create(kind, &[JO]).await), (consumed, 110_000 - consumed), "{kind}");
    }
    let path = format!("/regulations/sources/{}", segment.source_id(WEB_PROD).await);
    assert_eq!(headers(&segment.post(&path, &people("DELETE_ONLY", &[JO])).await), (4, 109_996));
    assert_eq!(headers(&segment.call("GET /regulations").await).0, 2, "of its own limit");

    segment.turn(json!({"quota_headers": "regulation"}));
    let answer = create("DELETE_ONLY", &[JO]).await;
    assert_eq!(answer.header("x-regulation-ratelimit-remaining"), "109995");
    assert!(answer.header("x-regulation-quota-reset").ends_with("-01T00:00:00Z"));
    assert_eq!((answer.header("x-ratelimit-remaining"), answer.header("x-ratelimit-reset")), ("", ""));
}

#[tokio::test]
async fn a_quota_that_is_used_up() {
    let segment = Segment::new().await;
    segment.turn_shared(json!({"monthly_users": 2}));
    segment.regulate("DELETE_ONLY", &[ANA]).await;
    let refused = segment.post("/regulations", &people("DELETE_ONLY", &[JO, JO_EMAIL])).await;
    assert_eq!((refused.status, kind(&refused)), (429, "RequestError".to_owned()));
    let body = refused.json();
    let data = &body["errors"][0]["data"];
    assert_eq!((&data["consumedPoints"], &data["remainingPoints"]), (&json!(1), &json!(1)));
    assert!(data["msBeforeNext"].as_u64().unwrap() <= 31 * 86_400_000);
    assert_eq!(segment.vendor().accepted_for_deletion(JO), 0);
    segment.regulate("DELETE_INTERNAL", &[JO]).await;
    segment.advance(31 * 86_400);
    let answer = segment.post("/regulations", &people("DELETE_ONLY", &[JO, JO_EMAIL])).await;
    assert_eq!((answer.status, headers(&answer)), (200, (2, 0)));
}

#[tokio::test]
async fn a_quota_may_count_regulations() {
    let segment = Segment::new().await;
    segment.turn_shared(json!({"quota_counts": "regulations", "monthly_users": 2}));
    for (consumed, remaining) in [(1, 1), (2, 0)] {
        let answer = segment.post("/regulations", &people("DELETE_ONLY", &[ANA, JO, KIM])).await;
        assert_eq!(headers(&answer), (consumed, remaining));
    }
    assert_eq!(segment.post("/regulations", &people("DELETE_ONLY", &[ANA])).await.status, 429);
    segment.turn_shared(json!({"monthly_users": null}));
    let answer = segment.post("/regulations", &people("DELETE_ONLY", &[ANA])).await;
    assert_eq!(headers(&answer), (3, 2_147_483_644));
}
