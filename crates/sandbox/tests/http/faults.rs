//! Every fault, as a client meets it.

use habeas_sandbox::calls::{DeletionCounts, Outcome};
use habeas_sandbox::readycloud::fixtures::*;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{World, contact, contacts, send, try_send};

const DELETE_CONTACT: &str = "DELETE /api/v2/orgs/{org}/contacts/{contact}/";

/// Arrivals and effects of deleting Jo.
fn deletions(world: &World) -> (u64, u64) {
    let DeletionCounts { arrived, effects } = world.sandbox.calls().deletions_of("readycloud", JO);
    (arrived, effects)
}

fn delete_in_background(world: &World) -> JoinHandle<()> {
    let request = world.request(&contact("DELETE", JO)).bearer_auth(TOKEN);
    tokio::spawn(async move { drop(request.send().await) })
}

#[tokio::test]
async fn answers_that_need_no_real_one() {
    let world = World::new().await;
    let page = "text/html; charset=utf-8";
    let json_type = "application/json";
    let table = [
        (json!({"kind": "status", "code": 503}), 503, json_type, r#"{"detail":"Service Unavailable"}"#),
        (json!({"kind": "status", "code": 500, "body": {"a": 1}}), 500, json_type, r#"{"a":1}"#),
        (json!({"kind": "status", "code": 418, "body": "short"}), 418, "text/plain", "short"),
        (json!({"kind": "status", "code": 204}), 204, "", ""),
        (json!({"kind": "rate_limited"}), 429, json_type, r#"{"detail":"Request was throttled."}"#),
        (json!({"kind": "html", "code": 502}), 502, page, "<!doctype html>"),
        (json!({"kind": "token_expired"}), 401, json_type, r#"{"error":"invalid_token","#),
        (
            json!({"kind": "scope_missing", "scope": "contact"}),
            403,
            json_type,
            r#"{"error":"insufficient_scope","#,
        ),
        (json!({"kind": "redirect"}), 302, "", ""),
    ];
    for (fault, status, content_type, text) in table {
        let id = world.fault(json!({ "fault": fault }));
        let answer = world.call(&contact("DELETE", JO)).await;
        assert_eq!((answer.status, answer.header("content-type")), (status, content_type), "{fault}");
        assert!(answer.text.starts_with(text), "{fault}: {}", answer.text);
        world.sandbox.faults().remove(id);
    }
    assert_eq!(deletions(&world), (9, 0), "nothing was processed");
}

#[tokio::test]
async fn headers_of_refusals() {
    let world = World::new().await;
    let table = [
        (json!({"kind": "status", "code": 503, "retry_after": 7}), "retry-after", "7"),
        (json!({"kind": "rate_limited", "retry_after": 9}), "retry-after", "9"),
        (json!({"kind": "redirect"}), "location", "http://127.0.0.1:9/"),
        (json!({"kind": "redirect", "location": "https://other.test/x"}), "location", "https://other.test/x"),
        (
            json!({"kind": "token_expired"}),
            "www-authenticate",
            r#"Bearer realm="", error="invalid_token", error_description="Token is expired""#,
        ),
    ];
    for (fault, name, value) in table {
        let id = world.fault(json!({ "fault": fault }));
        assert_eq!(world.call("GET /api/v2/orgs/").await.header(name), value, "{fault}");
        world.sandbox.faults().remove(id);
    }
}

#[tokio::test]
async fn a_refusal_after_the_effect() {
    let world = World::new().await;
    world.fault(
        json!({"method": "DELETE", "times": 1, "when": "after", "fault": {"kind": "status", "code": 504}}),
    );
    assert_eq!(world.call(&contact("DELETE", JO)).await.status, 504);
    assert_eq!(world.call(&contact("DELETE", JO)).await.status, 404);
    assert_eq!(deletions(&world), (2, 1));
}

#[tokio::test]
async fn lost_answers_and_dropped_calls() {
    for (kind, effects, found) in
        [("answer_lost", 1, false), ("dropped_before", 0, true), ("connection_refused", 0, true)]
    {
        let world = World::new().await;
        world.fault(json!({"times": 1, "fault": {"kind": kind}}));
        let request = world.request(&contact("DELETE", JO)).bearer_auth(TOKEN);
        assert!(try_send(request).await.is_err(), "{kind}");
        assert_eq!(deletions(&world), (1, effects), "{kind}");
        assert_eq!(world.readycloud().contact(JO).is_some(), found, "{kind}");
        let call = world.sandbox.calls().recent(1).remove(0);
        assert_eq!((call.outcome, call.status), (Outcome::Dropped, None), "{kind}");
        assert_eq!(world.call("GET /api/v2/orgs/").await.status, 200, "{kind}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_during_a_delay_before_processing_changes_nothing() {
    let world = World::new().await;
    world.fault(json!({"method": "DELETE", "times": 1, "fault": {"kind": "latency", "ms": 3_600_000}}));
    let call = delete_in_background(&world);
    let calls = world.sandbox.calls();
    calls.wait_until(|calls| calls.count("readycloud", DELETE_CONTACT) == 1).await;
    call.abort();
    calls.wait_until(|calls| calls.route("readycloud", DELETE_CONTACT).abandoned == 1).await;
    assert!(world.readycloud().contact(JO).is_some());
    assert_eq!(deletions(&world), (1, 0));
    assert_eq!(world.call(&contact("DELETE", JO)).await.status, 204);
}

#[tokio::test]
async fn a_client_that_leaves_during_a_delay_after_processing_has_changed_something() {
    let world = World::new().await;
    let latency = json!({"kind": "latency", "ms": 3_600_000});
    world.fault(json!({"method": "DELETE", "times": 1, "when": "after", "fault": latency}));
    let call = delete_in_background(&world);
    let calls = world.sandbox.calls();
    calls.wait_until(|calls| calls.route("readycloud", DELETE_CONTACT).effects == 1).await;
    assert!(world.readycloud().contact(JO).is_none());
    call.abort();
    calls.wait_until(|calls| calls.route("readycloud", DELETE_CONTACT).abandoned == 1).await;
    assert_eq!(world.call(&contact("DELETE", JO)).await.status, 404);
    assert_eq!(deletions(&world), (2, 1));
}

#[tokio::test]
async fn a_delay_combines_with_normal_processing_and_with_other_faults() {
    let world = World::new().await;
    world.fault(json!({"fault": {"kind": "latency", "ms": 1}}));
    assert_eq!(world.call("GET /api/v2/orgs/").await.status, 200);
    world.fault(json!({"fault": {"kind": "html", "code": 502}}));
    world.fault(json!({"fault": {"kind": "status", "code": 500}}));
    assert_eq!(world.call("GET /api/v2/orgs/").await.status, 502);
    assert_eq!(world.sandbox.calls().recent(1)[0].faults, ["latency", "html"]);
}

#[tokio::test]
async fn spoilt_answers() {
    let world = World::new().await;
    let id = world.fault(json!({"fault": {"kind": "malformed"}}));
    let answer = world.call(&contact("DELETE", JO)).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert!(serde_json::from_str::<Value>(&answer.text).is_err());
    assert_eq!(deletions(&world), (1, 1), "the vendor did its work");
    world.sandbox.faults().remove(id);

    let whole = world.call(&contacts("")).await;
    let id = world.fault(json!({"fault": {"kind": "truncated"}}));
    let mut response = world.request(&contacts("")).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(response.content_length(), Some(whole.text.len() as u64));
    let mut received = Vec::new();
    let ended = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => received.extend(chunk),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    assert!(!ended, "the body ends with an error");
    assert_eq!(received, whole.text.as_bytes()[..whole.text.len() / 2]);
    world.sandbox.faults().remove(id);

    world.fault(json!({"fault": {"kind": "wrong_content_type"}}));
    let answer = world.call(&contacts("")).await;
    assert_eq!((answer.header("content-type"), &answer.text), ("text/plain", &whole.text));
}

#[tokio::test]
async fn oversized_answers_are_made_while_they_are_sent() {
    let world = World::new().await;
    for announced in [false, true] {
        let fault = json!({"kind": "oversized", "bytes": 1_000_000, "announced": announced});
        let id = world.fault(json!({ "fault": fault }));
        let response = world.request(&contacts("")).bearer_auth(TOKEN).send().await.unwrap();
        assert_eq!(response.content_length(), announced.then_some(1_000_000));
        let text = response.text().await.unwrap();
        assert_eq!(text.len(), 1_000_000);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["count"], 1);
        world.sandbox.faults().remove(id);
    }
    world.fault(json!({"fault": {"kind": "oversized", "bytes": 10_000_000_000_u64}}));
    let mut response = world.request(&contacts("")).bearer_auth(TOKEN).send().await.unwrap();
    let mut received = 0;
    while received < 8_000_000 {
        received += response.chunk().await.unwrap().unwrap().len();
    }
}

#[tokio::test]
async fn deep_json() {
    let world = World::new().await;
    world.fault(json!({"fault": {"kind": "deep_json", "depth": 100_000}}));
    let answer = world.call(&contacts("")).await;
    assert_eq!(answer.text.matches('[').count(), 100_000);
    assert_eq!(answer.text.matches(']').count(), 100_000);
    assert!(serde_json::from_str::<Value>(&answer.text).unwrap_err().to_string().contains("recursion limit"));
}

#[tokio::test]
async fn foreign_and_endless_links() {
    let world = World::with_people(20).await;
    let id = world.fault(json!({"fault": {"kind": "foreign_next", "base": "http://evil.test"}}));
    for (query, next) in [("?limit=5", "?limit=5&offset=5"), ("?limit=100", "?limit=100&offset=100")] {
        let page = world.call(&contacts(query)).await;
        let expected = format!("http://evil.test/api/v2/orgs/{MAIN_ORG}/contacts/{next}");
        assert_eq!(page.json()["next"], expected);
    }
    assert_eq!(world.call(&contact("GET", JO)).await.status, 200, "other answers stay as they are");
    world.sandbox.faults().remove(id);

    world.fault(json!({"fault": {"kind": "endless_next"}}));
    let mut call = contacts("?limit=20");
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..10 {
        let page = world.call(&call).await;
        call = format!("GET {}", page.json()["next"].as_str().unwrap());
        assert!(seen.insert(call.clone()), "every link is new");
    }
}

#[tokio::test]
async fn a_token_that_expires_in_the_middle_of_a_scan() {
    let world = World::with_people(60).await;
    world.fault(json!({"path_contains": "offset=40", "fault": {"kind": "token_expired"}}));
    for (query, status) in [("", 200), ("?limit=20&offset=20", 200), ("?limit=20&offset=40", 401)] {
        assert_eq!(world.call(&contacts(query)).await.status, status, "{query}");
    }
}

#[tokio::test]
async fn faults_reach_the_oauth_endpoints_too() {
    let world = World::new().await;
    world.fault(json!({"path_contains": "/oauth2/", "fault": {"kind": "html", "code": 503}}));
    assert_eq!(send(world.request("POST /api/v1/oauth2/token/")).await.status, 503);
    assert_eq!(world.call("GET /api/v2/orgs/").await.status, 200);
}
