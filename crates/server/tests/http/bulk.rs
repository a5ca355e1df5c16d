//! Many requests at once.

use axum::body::Body;
use axum::http::{Request, header};
use habeas_domain::Role;
use serde_json::{Value, json};

use crate::world::{ANA, Answer, World, new_request};

async fn send(world: &World, content_type: &str, body: String) -> Answer {
    let request = Request::post("/api/v1/requests/bulk")
        .header(header::CONTENT_TYPE, content_type)
        .body(Body::from(body))
        .unwrap();
    World::send(&world.local, request).await
}

fn person(number: usize) -> Value {
    new_request(json!({"subject": {"email": format!("p{number}@example.test")}}))
}

#[tokio::test]
async fn each_item_stands_for_itself() {
    let world = World::with_shop().await;
    let items = json!([
        person(0),
        new_request(json!({"subject": {"email": "nobody"}})),
        person(1),
        {"right": "access"},
        person(0),
        5,
        new_request(json!({"delivery": "pigeon"})),
    ]);
    let answer = send(&world, "application/json", items.to_string()).await;
    assert!(!answer.text.contains(ANA) && !answer.text.contains("nobody"));
    let result = answer.good();
    let items = result["items"].as_array().unwrap();
    let seen: Vec<_> = items
        .iter()
        .map(|item| {
            let problem = &item["problem"];
            let field = problem["errors"][0]["field"].as_str().unwrap_or("");
            (item["index"].as_u64().unwrap(), problem["code"].as_str().unwrap_or("taken in"), field)
        })
        .collect();
    assert_eq!(
        seen,
        [
            (0, "taken in", ""),
            (1, "validation", "subject.email"),
            (2, "taken in", ""),
            (3, "validation", "subject"),
            (4, "duplicate_request", ""),
            (5, "validation", ""),
            (6, "validation", "delivery"),
        ]
    );
    assert_eq!(items[4]["problem"]["request_id"], items[0]["id"]);
    assert!(items[0].get("problem").is_none() && items[1].get("id").is_none());
    assert_eq!(world.get("/requests").await.good()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn one_request_per_line_works_too() {
    let world = World::with_shop().await;
    let body = format!("{}\n\n  \r\n{{\"right\": \n{}\r\n", person(0), person(1));
    let result = send(&world, "application/x-ndjson", body).await.good();
    let items = result["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    assert!(items[0]["id"].is_string() && items[2]["id"].is_string());
    assert_eq!(items[1]["problem"]["code"], "malformed_json");
}

#[tokio::test]
async fn ten_thousand_are_taken_and_one_more_is_not() {
    let world = World::with_shop().await;
    let lines = |count: usize| (0..count).map(|number| person(number).to_string() + "\n").collect::<String>();
    send(&world, "application/x-ndjson", lines(10_001)).await.refused(422, "validation");
    assert_eq!(world.get("/requests").await.good()["items"], json!([]));
    let result = send(&world, "application/x-ndjson", lines(10_000)).await.good();
    let items = result["items"].as_array().unwrap();
    assert_eq!(items.len(), 10_000);
    assert!(items.iter().all(|item| item["id"].is_string()));
}

#[tokio::test]
async fn a_body_that_is_no_list_is_refused() {
    let world = World::with_shop().await;
    send(&world, "application/json", String::new()).await.refused(422, "validation");
    send(&world, "application/json", "[{}, ".to_owned()).await.refused(400, "malformed_json");
    let too_large = format!("[{}]", " ".repeat(32 * 1024 * 1024));
    send(&world, "application/json", too_large).await.refused(413, "payload_too_large");
    assert_eq!(send(&world, "application/json", "[]".to_owned()).await.good()["items"], json!([]));
}

#[tokio::test]
async fn the_role_is_asked_for_even_if_no_item_can_be_read() {
    let world = World::with_shop().await;
    let key = world.key(&[Role::Auditor]).await;
    let answer = world.call(&key, "POST", "/api/v1/requests/bulk", Some(&json!([{}]))).await;
    answer.refused(403, "role_missing");
}
