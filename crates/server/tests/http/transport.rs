//! What holds for every call.

use habeas_domain::Role;
use serde_json::{Value, json};

use crate::stub::Mood;
use crate::world::{World, new_connection, request};

#[tokio::test]
async fn addresses_that_lead_nowhere() {
    let world = World::empty().await;
    let key = world.key(&[Role::SuperAdmin]).await;
    for path in ["/api/v1", "/api/v1/", "/api/v1/nonsense", "/api/v1/requests/"] {
        World::send(&world.network, request("GET", path, None, None)).await.refused(401, "key_invalid");
        world.call(&key, "GET", path, None).await.refused(404, "not_found");
    }
    for path in ["/", "/nonsense", "/api/v2/requests", "/api/v1x", "//api/v1/requests"] {
        World::send(&world.network, request("GET", path, None, None)).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn methods_that_an_address_does_not_offer() {
    let world = World::empty().await;
    let key = world.key(&[Role::SuperAdmin]).await;
    World::send(&world.network, request("PUT", "/api/v1/requests", None, None))
        .await
        .refused(401, "key_invalid");
    let answer = world.call(&key, "PUT", "/api/v1/requests", None).await;
    answer.refused(405, "method_not_allowed");
    assert!(answer.header("allow").contains("POST"));
    World::send(&world.network, request("POST", "/healthz", None, None))
        .await
        .refused(405, "method_not_allowed");
}

#[tokio::test]
async fn every_answer_has_a_request_id() {
    let world = World::empty().await;
    let made = World::send(&world.network, request("GET", "/healthz", None, None)).await;
    assert_eq!(made.header("x-request-id").len(), 32);
    for (sent, kept) in
        [("proxy-7.a_b", true), ("ana@example.test", false), ("", false), (&*"x".repeat(65), false)]
    {
        let mut call = request("GET", "/api/v1/requests", None, None);
        call.headers_mut().insert("x-request-id", sent.parse().unwrap());
        let answer = World::send(&world.network, call).await;
        assert_eq!(answer.header("x-request-id") == sent, kept, "{sent}");
    }
}

#[tokio::test]
async fn a_panic_is_a_problem_without_details() {
    let world = World::empty().await;
    world.vendor.is(Mood::Panics);
    let mut call = request("POST", "/api/v1/connections", None, Some(&new_connection("shop")));
    call.headers_mut().insert("x-request-id", "call-1".parse().unwrap());
    let answer = World::send(&world.local, call).await;
    let problem = answer.refused(500, "internal");
    assert_eq!(problem["x_request_id"], "call-1");
    assert_eq!(answer.header("x-request-id"), "call-1");
    assert!(!answer.text.contains("stub"));
    // The server goes on.
    world.vendor.is(Mood::Fine);
    world.post("/connections", &new_connection("shop")).await.good();
}

#[tokio::test]
async fn the_local_door_needs_no_key_and_says_who_acted() {
    let world = World::empty().await;
    world.add_shop().await;
    let log = world.get("/audit").await.good();
    assert_eq!(log["items"][0]["actor"], "local-operator");
    let key = world.key(&[Role::RequestAgent]).await;
    let body = crate::world::new_request(json!({}));
    let made = world.call(&key, "POST", "/api/v1/requests", Some(&body)).await.good();
    assert_eq!(made["created_by"], world.actor(&key).await.unwrap().name);
}

#[tokio::test]
async fn optional_bodies_may_be_left_out_but_not_be_anything() {
    let world = World::with_shop().await;
    let id = world.request(json!({})).await;
    let path = format!("/requests/{id}/withdraw");
    world.post(&path, &json!({"reason": "x"})).await.refused(422, "validation");
    world.post(&path, &json!([])).await.refused(422, "validation");
    world.post(&path, &Value::Null).await.refused(422, "validation");
    world.operate("POST", &path, None).await.good();
}
