//! The audit log.

use serde_json::{Value, json};

use crate::world::{ANA, TOKEN, World};

#[tokio::test]
async fn the_log_is_listed_whole_and_without_personal_data() {
    let world = World::with_shop().await;
    world.in_review(1).await;
    let answer = world.get("/audit").await;
    assert!(!answer.text.contains(ANA) && !answer.text.contains(TOKEN));
    let log = answer.good();
    let items = log["items"].as_array().unwrap();
    assert_eq!(items[0]["kind"], "connection.added");
    assert!(items.iter().enumerate().all(|(at, event)| event["position"] == at + 1));
    let page = world.get("/audit?limit=1").await.good();
    assert_eq!(page["next_cursor"], "1");
    assert_eq!(world.get("/audit?cursor=1&limit=1").await.good()["items"][0], items[1]);
}

#[tokio::test]
async fn a_whole_log_verifies_also_against_an_anchor() {
    let world = World::with_shop().await;
    let seal = world.get("/audit/seal").await.good();
    assert_eq!(seal["number"], 1);
    world.in_review(1).await;
    let verdict = world.get("/audit/verify").await.good();
    assert_eq!((&verdict["valid"], &verdict["first_bad"]), (&json!(true), &Value::Null));
    assert_eq!(verdict["events"], world.events().await);
    for anchor in [seal.clone(), json!({"certificate": 1, "seal": seal})] {
        assert_eq!(world.post("/audit/verify", &anchor).await.good()["valid"], true);
    }
    assert_eq!(world.operate("POST", "/audit/verify", None).await.good()["valid"], true);
}

#[tokio::test]
async fn an_anchor_that_is_not_in_the_log_shows() {
    let world = World::with_shop().await;
    let mut seal = world.get("/audit/seal").await.good();
    seal["number"] = json!(7);
    let verdict = world.post("/audit/verify", &seal).await.good();
    assert_eq!(verdict["valid"], false);
    assert_eq!(verdict["first_bad"]["object"], "seal 7");
    world.post("/audit/verify", &json!({"number": 1})).await.refused(422, "validation");
}

#[tokio::test]
async fn an_empty_log_has_no_seal() {
    let world = World::empty().await;
    world.get("/audit/seal").await.refused(404, "not_found");
    assert_eq!(world.get("/audit/verify").await.good()["valid"], true);
}
