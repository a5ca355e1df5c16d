//! Many requests at once.

use axum::body::Body;
use axum::http::{Request, header};
use habeas_domain::Role;
use serde_json::{Value, json};

use crate::world::{ANA, Answer, World, new_request, request};

const BULK: &str = "/api/v1/requests/bulk";
const DRY: &str = "/api/v1/requests/bulk?dry_run=true";

async fn send(world: &World, content_type: &str, body: String) -> Answer {
    let request =
        Request::post(BULK).header(header::CONTENT_TYPE, content_type).body(Body::from(body)).unwrap();
    World::send(&world.local, request).await
}

/// With an `Idempotency-Key`, as one request per line.
async fn send_once(world: &World, address: &str, key: &str, body: &str) -> Answer {
    let request = Request::post(address)
        .header("Idempotency-Key", key)
        .header(header::CONTENT_TYPE, "application/x-ndjson")
        .body(Body::from(body.to_owned()))
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
async fn a_dry_run_says_what_would_become_of_each_and_writes_nothing() {
    let world = World::with_shop().await;
    let open = world.request(json!({})).await;
    let (events, before) = (world.events().await, world.database.raw().await.dump().await);
    let items = json!([person(0), new_request(json!({})), person(0), {"right": "access"}, person(1)]);
    let dry = world.operate("POST", "/requests/bulk?dry_run=true", Some(&items)).await.good();
    assert_eq!(dry["dry_run"], true);
    let codes: Vec<_> =
        dry["items"].as_array().unwrap().iter().map(|one| one["problem"]["code"].clone()).collect();
    let (fine, duplicate) = (Value::Null, json!("duplicate_request"));
    assert_eq!(codes, [fine.clone(), duplicate.clone(), duplicate, json!("validation"), fine]);
    assert_eq!(dry["items"][1]["problem"]["request_id"], open);
    assert!(dry["items"].as_array().unwrap().iter().all(|one| one.get("id").is_none()));
    assert_eq!(world.events().await, events);
    assert_eq!(world.database.raw().await.dump().await, before, "not a row was changed");
    // The real thing then does just that.
    let made = world.operate("POST", "/requests/bulk", Some(&items)).await.good();
    assert_eq!(made["dry_run"], false);
    let taken: Vec<_> = made["items"].as_array().unwrap().iter().map(|one| one["id"].is_string()).collect();
    assert_eq!(taken, [true, false, false, false, true]);
}

#[tokio::test]
async fn a_dry_run_needs_the_role_and_a_word_that_is_known() {
    let world = World::with_shop().await;
    let key = world.key(&[Role::Auditor]).await;
    world.call(&key, "POST", DRY, Some(&json!([]))).await.refused(403, "role_missing");
    let maybe = world.operate("POST", "/requests/bulk?dry_run=maybe", Some(&json!([]))).await;
    maybe.refused(422, "validation");
    // Skipping the review is refused as it would be.
    let key = world.key(&[Role::RequestAgent]).await;
    let items = json!([new_request(json!({"review": false}))]);
    let answer = world.call(&key, "POST", DRY, Some(&items)).await.good();
    assert_eq!(answer["items"][0]["problem"]["code"], "review_required");
}

/// More than one unit takes in, and something of everything that may become of a request.
fn mixed() -> String {
    let mut lines: Vec<String> = (0..600).map(|number| person(number).to_string()).collect();
    lines[3] = person(2).to_string();
    lines[4] = new_request(json!({"subject": {"email": "nobody"}})).to_string();
    lines[5] = "no JSON".to_owned();
    lines[6] = new_request(json!({"right": "access_categories"})).to_string();
    lines[550] = new_request(json!({"received_at": "2036-06-01T09:00:00Z", "delivery": "mail"})).to_string();
    lines.join("\n")
}

#[tokio::test]
async fn a_call_that_is_sent_again_is_answered_the_same_and_taken_in_once() {
    let world = World::with_shop().await;
    let body = mixed();
    let first = send_once(&world, BULK, "batch-1", &body).await.good();
    let (events, ids) = (world.events().await, first["items"].as_array().unwrap().len());
    assert_eq!(ids, 600);
    world.clock.advance(std::time::Duration::from_secs(47 * 3600));
    let again = send_once(&world, BULK, "batch-1", &body).await.good();
    assert_eq!(again, first);
    assert_eq!(world.events().await, events, "nothing happened");
    // A dry run tells what it would be answered.
    let dry = send_once(&world, DRY, "batch-1", &body).await.good();
    assert_eq!(dry["items"], first["items"]);
    // Something else under the same key is refused, also by a dry run, and changes nothing.
    let other = person(9_999).to_string();
    send_once(&world, BULK, "batch-1", &other).await.refused(422, "idempotency_mismatch");
    send_once(&world, DRY, "batch-1", &other).await.refused(422, "idempotency_mismatch");
    assert_eq!(world.events().await, events);
    // Another caller's key is another key.
    let key = world.key(&[Role::SuperAdmin]).await;
    let mut request = request("POST", BULK, Some(&key), Some(&json!([person(9_999)])));
    request.headers_mut().insert("idempotency-key", "batch-1".parse().unwrap());
    assert!(World::send(&world.network, request).await.good()["items"][0]["id"].is_string());
}

#[tokio::test]
async fn what_was_taken_in_before_a_crash_is_not_taken_in_again() {
    let world = World::with_shop().await;
    let body = mixed();
    let first = send_once(&world, BULK, "batch-1", &body).await.good();
    let events = world.events().await;
    // As if the server had died before the second part: a part and its memory are one unit.
    let mut raw = world.database.raw().await;
    let parts = raw.number("SELECT count(*) FROM bulk_answers").await;
    assert_eq!(parts, 2);
    raw.run("DELETE FROM bulk_answers WHERE part = 1").await;
    let again = send_once(&world, BULK, "batch-1", &body).await.good();
    let items = |answer: &Value| answer["items"].as_array().unwrap().clone();
    assert_eq!(items(&again)[..500], items(&first)[..500]);
    assert_eq!(
        items(&again)[520]["problem"]["request_id"],
        items(&first)[520]["id"],
        "they are open already"
    );
    assert_eq!(world.events().await, events);
    // What is kept names no key and nobody.
    let kept = raw.dump().await.join("\n");
    assert!(!kept.contains("batch-1") && !kept.contains("example.test"));
}

#[tokio::test]
async fn calls_side_by_side_with_one_key_take_in_once() {
    let world = World::with_shop().await;
    let body = mixed();
    let calls = (0..4).map(|_| send_once(&world, BULK, "batch-1", &body));
    let answers = futures::future::join_all(calls).await;
    let (good, raced): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.is_success());
    assert!(!good.is_empty());
    for answer in raced {
        answer.refused(409, "idempotency_race");
    }
    let last = send_once(&world, BULK, "batch-1", &body).await.good();
    assert!(good.iter().all(|answer| answer.json() == last));
    let taken = last["items"].as_array().unwrap().iter().filter(|one| one["id"].is_string()).count();
    let metrics = world.casework.figures().await.unwrap();
    let counted: u64 = metrics.requests.iter().map(|(_, count)| count).sum();
    assert_eq!(counted, u64::try_from(taken).unwrap());
}

#[tokio::test]
async fn the_role_is_asked_for_even_if_no_item_can_be_read() {
    let world = World::with_shop().await;
    let key = world.key(&[Role::Auditor]).await;
    let answer = world.call(&key, "POST", "/api/v1/requests/bulk", Some(&json!([{}]))).await;
    answer.refused(403, "role_missing");
}
