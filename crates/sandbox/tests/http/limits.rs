//! The two counters per client.

use std::time::Duration;

use habeas_sandbox::readycloud::fixtures::*;
use habeas_sandbox::readycloud::{KnobsPatch, TokenSpec};

use crate::support::{World, contact};

const ORGS: &str = "GET /api/v2/orgs/";

#[tokio::test]
async fn thirty_of_each_per_minute_shared_by_the_tokens_of_a_client() {
    let world = World::new().await;
    world.readycloud().set_limits(Some(30), Some(30));
    for call in 0..30 {
        let token = if call % 2 == 0 { TOKEN } else { READ_ONLY_TOKEN };
        assert_eq!(world.call_as(token, ORGS).await.status, 200);
    }
    let refused = world.call_as(ORDERS_TOKEN, ORGS).await;
    assert_eq!(refused.status, 429);
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds));
    let detail = format!("Request was throttled. Expected available in {seconds} seconds.");
    assert_eq!(refused.json()["detail"], detail);

    for _ in 0..30 {
        assert_eq!(
            world.call(&contact("DELETE", "none")).await.status,
            404,
            "the other counter is untouched"
        );
    }
    assert_eq!(world.call(&contact("DELETE", ANA_FIRST)).await.status, 429);
    assert!(world.readycloud().contact(ANA_FIRST).is_some());

    let spec = TokenSpec { client: OTHER_CLIENT_ID.to_owned(), ..TokenSpec::new("other", &["company"]) };
    world.readycloud().add_token(spec).unwrap();
    assert_eq!(world.call_as("other", ORGS).await.status, 200, "another client has its own");

    world.sandbox.clock().advance(Duration::from_secs(60));
    assert_eq!(world.call(ORGS).await.status, 200);
}

#[tokio::test]
async fn retry_after_is_a_knob() {
    let world = World::new().await;
    world.readycloud().set_limits(Some(0), None);
    world.readycloud().turn(KnobsPatch { retry_after: Some(false), ..KnobsPatch::default() });
    let refused = world.call(ORGS).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, ""));
    assert_eq!(refused.json()["detail"], "Request was throttled.");
}

#[tokio::test]
async fn calls_with_a_bad_credential_use_nothing_up() {
    let world = World::new().await;
    world.readycloud().set_limits(Some(1), None);
    for _ in 0..5 {
        assert_eq!(world.call_as(EXPIRED_TOKEN, ORGS).await.status, 401);
    }
    assert_eq!(world.call(ORGS).await.status, 200);
    assert_eq!(world.call(ORGS).await.status, 429);
}
