//! `?wait=`.

use std::time::Duration;

use habeas_environment::Clock as _;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_wait_ends_when_the_time_is_up() {
    let world = World::with_shop().await;
    let id = world.request(json!({})).await;
    let before = world.clock.monotonic();
    let found = world.get(&format!("/requests/{id}?wait=3")).await.good();
    assert_eq!(found["state"], "collecting");
    let waited = world.clock.monotonic() - before;
    assert!((Duration::from_secs(3)..Duration::from_millis(3_300)).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn a_wait_is_cut_to_the_limit() {
    let world = World::with_shop().await;
    let id = world.request(json!({})).await;
    let before = world.clock.monotonic();
    world.get(&format!("/requests/{id}?wait=99999")).await.good();
    assert!(world.clock.monotonic() - before < Duration::from_secs(121));
}

#[tokio::test]
async fn whoever_must_act_is_not_kept_waiting() {
    let world = World::with_shop().await;
    let triage = world.request(json!({"policy": null})).await;
    let review = world.in_review(1).await;
    let held = world.request(json!({"force": true})).await;
    world.post(&format!("/requests/{held}/hold"), &json!({"reason": "other"})).await.good();
    let closed = world.request(json!({"force": true})).await;
    world.post(&format!("/requests/{closed}/withdraw"), &json!({})).await.good();
    let before = world.clock.monotonic();
    for id in [triage, review, held, closed] {
        world.get(&format!("/requests/{id}?wait=60")).await.good();
    }
    assert_eq!(world.clock.monotonic(), before);
}

/// With a clock that does not move by itself only a hint can end the wait.
#[tokio::test]
async fn a_change_ends_the_wait() {
    let world = World::with_shop().await;
    let id = world.request(json!({})).await;
    let path = format!("/requests/{id}?wait=60");
    let withdraw = async {
        tokio::task::yield_now().await;
        world.post(&format!("/requests/{id}/withdraw"), &json!({})).await.good()
    };
    let (waited, _) = tokio::join!(world.get(&path), withdraw);
    assert_eq!(waited.good()["state"], "closed");
}

#[tokio::test]
async fn a_wait_is_a_number_of_seconds() {
    let world = World::with_shop().await;
    let id = world.request(json!({})).await;
    for wait in ["soon", "-1", "1.5", ""] {
        let problem = world.get(&format!("/requests/{id}?wait={wait}")).await.refused(422, "validation");
        assert_eq!(problem["errors"][0]["field"], "wait");
    }
    let problem: Value = world.get(&format!("/requests/{id}?patience=5")).await.refused(422, "validation");
    assert_eq!(problem["errors"][0]["field"], "patience");
}
