//! Taking requests in, finding them, and what is done to them.

use habeas_domain::Role;
use rstest::rstest;
use serde_json::{Value, json};

use crate::world::{ANA, World, new_request, request};

#[tokio::test]
async fn a_request_looks_as_the_contract_says() {
    let world = World::with_shop().await;
    let body = new_request(json!({
        "subject": {"email": ANA, "identifiers": {"user_id": "U-1"}}, "delivery": "api",
        "received_at": "2026-05-31T12:00:00+02:00",
    }));
    let answer = world.post("/requests", &body).await;
    assert_eq!(answer.status, 201);
    let made = answer.good();
    let id = made["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("/api/v1/requests/{id}"));
    assert_eq!(answer.header("cache-control"), "no-store");
    let identifier = |kind: &str, value: &str| json!({"type": kind, "value": value, "source": "request", "verified": true, "attested_by": "local-operator"});
    assert_eq!(
        made,
        json!({
            "id": id, "right": "access", "policy": "eu-gdpr", "state": "collecting", "outcome": null, "hold": null,
            "hold_note": null, "denial_text": null, "source": "api", "subject": {"email": ANA},
            "identifiers": [identifier("email", ANA), identifier("user_id", "U-1")], "forgotten": false,
            "relationship": null, "assignee": null, "received_at": "2026-05-31T10:00:00Z", "due_on": "2026-06-30",
            "acknowledge_due_on": null,
            "clock": {"key": "eu-gdpr", "version": 1, "cutoff_on": "2026-06-30", "extended": false},
            "closed_at": null, "review": true, "delivery": "api", "attention": 0,
            "undelivered_mails": 0, "verification_note": null,
            "created_at": "2026-06-01T09:00:00Z", "created_by": "local-operator",
        })
    );
    assert_eq!(world.get(&format!("/requests/{id}")).await.good(), made);
}

#[tokio::test]
async fn both_forms_of_identifiers_make_the_same_request() {
    let world = World::with_shop().await;
    for identifiers in [json!({"user_id": "U-1"}), json!([{"type": "user_id", "value": "U-1"}])] {
        let body = new_request(json!({"force": true, "subject": {"email": ANA, "identifiers": identifiers}}));
        let made = world.post("/requests", &body).await.good();
        assert_eq!(made["identifiers"][1]["value"], "U-1");
    }
    let listed = json!([{"type": "email", "value": ANA, "verified": false}]);
    let body = new_request(json!({"force": true, "subject": {"identifiers": listed}}));
    let made = world.post("/requests", &body).await.good();
    assert_eq!(made["subject"]["email"], ANA);
    assert_eq!(made["identifiers"][0]["verified"], false);
}

#[tokio::test]
async fn only_some_roles_vouch_for_identifiers() {
    let world = World::with_shop().await;
    for (role, verified) in [(Role::RequestAdmin, true), (Role::RequestAgent, false)] {
        let key = world.key(&[role]).await;
        let body = new_request(json!({"force": true}));
        let made = world.call(&key, "POST", "/api/v1/requests", Some(&body)).await.good();
        assert_eq!(made["identifiers"][0]["verified"], verified);
    }
}

#[tokio::test]
async fn the_same_idempotency_key_makes_one_request() {
    let world = World::with_shop().await;
    let send = async |body: &Value| {
        let mut call = request("POST", "/api/v1/requests", None, Some(body));
        call.headers_mut().insert("idempotency-key", "order-66".parse().unwrap());
        World::send(&world.local, call).await
    };
    let body = new_request(json!({}));
    let first = send(&body).await.good();
    let events = world.events().await;
    // Written in another order it is still the same.
    let again: Value = json!({"subject": {"email": ANA}, "policy": "eu-gdpr", "right": "access"});
    assert_eq!(send(&again).await.good()["id"], first["id"]);
    send(&new_request(json!({"right": "deletion"}))).await.refused(422, "idempotency_mismatch");
    assert_eq!(world.events().await, events);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let world = World::with_shop().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        // Ids are in the order of time.
        world.clock.advance(std::time::Duration::from_millis(1));
        let subject = json!({"email": format!("p{number}@example.test")});
        let right = if number == 4 { "deletion" } else { "access" };
        ids.push(world.request(json!({"subject": subject, "right": right})).await);
    }
    let mut seen = Vec::new();
    let mut path = "/requests?limit=2".to_owned();
    loop {
        let page = world.get(&path).await.good();
        assert!(page["items"].as_array().unwrap().len() <= 2);
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/requests?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ids);
    for (query, count) in [
        ("right=deletion", 1),
        ("state=collecting", 5),
        ("state=closed", 0),
        ("due_before=2026-07-01", 0),
        ("due_before=2026-07-02&right=access&limit=1000", 4),
    ] {
        let page = world.get(&format!("/requests?{query}")).await.good();
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{query}");
        assert_eq!(page["next_cursor"], Value::Null);
    }
}

#[tokio::test]
async fn what_is_due_comes_by_its_date_and_in_pages() {
    let world = World::with_shop().await;
    let mut ids = Vec::new();
    for day in ["20", "10", "15", "10"] {
        let received_at = format!("2026-05-{day}T09:00:00Z");
        ids.push(world.request(json!({"received_at": received_at, "force": true})).await);
    }
    let mut expected = vec![&ids[2], &ids[0]];
    let mut earliest = vec![&ids[1], &ids[3]];
    earliest.sort();
    expected.splice(0..0, earliest);
    let (mut seen, mut cursors) = (Vec::new(), Vec::new());
    let mut path = "/requests?due_before=2027-01-01&limit=1".to_owned();
    loop {
        let page = world.get(&path).await.good();
        seen.push(page["items"][0]["id"].as_str().unwrap().to_owned());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/requests?due_before=2027-01-01&limit=1&cursor={cursor}");
        cursors.push(cursor.to_owned());
    }
    assert_eq!(seen.iter().collect::<Vec<_>>(), expected);
    // A cursor leads on in a list of its own kind only.
    world.get(&format!("/requests?cursor={}", cursors[0])).await.refused(422, "validation");
    let by_id = world.get("/requests?limit=1").await.good()["next_cursor"].as_str().unwrap().to_owned();
    let other = world.get(&format!("/requests?due_before=2027-01-01&cursor={by_id}")).await;
    assert_eq!(other.refused(422, "validation")["errors"][0]["field"], "cursor");
}

#[tokio::test]
async fn a_persons_requests_are_found_by_what_finds_the_person() {
    let world = World::with_shop().await;
    let id = world
        .request(json!({"subject": {"email": ANA, "identifiers": {"phone_number": "+351 555 010"}}}))
        .await;
    world.request(json!({"subject": {"email": "zoe@example.test"}})).await;
    for search in [
        json!({"email": "Ana.Silva@Example.test"}),
        json!({"phone_number": "+351555010"}),
        json!({"email": ANA, "state": "collecting", "right": "access", "limit": 1}),
    ] {
        let found = world.post("/requests/search", &search).await.good();
        assert_eq!(found["items"][0]["id"], id.as_str());
        assert_eq!(found["items"].as_array().unwrap().len(), 1);
    }
    for search in [json!({"user_id": "U-1"}), json!({"email": ANA, "state": "closed"})] {
        assert_eq!(world.post("/requests/search", &search).await.good()["items"], json!([]));
    }
}

#[tokio::test]
async fn triage_ends_with_start() {
    let world = World::with_shop().await;
    let id = world.request(json!({"policy": null})).await;
    assert_eq!(world.get(&format!("/requests/{id}")).await.good()["state"], "triage");
    let before = world.events().await;
    for (body, field) in [
        (json!({"policy": "atlantis"}), "policy"),
        (json!({"relationship": "friend"}), "relationship"),
        (json!({"identifiers": {"email": "x"}}), "identifiers.email"),
        (json!({"identifiers": {"user_id": "U-1"}}), "identifiers"),
        (json!({"right": "x"}), "right"),
        (json!({"colour": "x"}), "colour"),
    ] {
        let problem = world.post(&format!("/requests/{id}/start"), &body).await.refused(422, "validation");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    assert_eq!(world.events().await, before);
    let body = json!({"policy": "us-ca", "relationship": "controller", "right": "deletion"});
    let started = world.post(&format!("/requests/{id}/start"), &body).await.good();
    assert_eq!((&started["state"], &started["policy"]), (&json!("collecting"), &json!("us-ca")));
    assert_eq!(started["clock"]["key"], "us-ca");
    assert!(started["acknowledge_due_on"].is_string());
    let problem =
        world.operate("POST", &format!("/requests/{id}/start"), None).await.refused(409, "illegal_move");
    assert_eq!(problem["allowed"], json!(["finish_collecting", "find_nothing", "deny", "withdraw", "hold"]));
    assert_eq!(problem["state"], "collecting");
}

#[tokio::test]
async fn a_hold_is_laid_and_lifted() {
    let world = World::with_shop().await;
    let id = world.request(json!({})).await;
    let body = json!({"reason": "legal_hold", "note": "see the file"});
    let held = world.post(&format!("/requests/{id}/hold"), &body).await.good();
    assert_eq!((&held["hold"], &held["hold_note"]), (&json!("legal_hold"), &json!("see the file")));
    world.post(&format!("/requests/{id}/hold"), &body).await.refused(409, "illegal_move");
    let run = world.run_of(&id).await;
    world.operate("POST", &format!("/requests/{id}/runs/{run}/retry"), None).await.refused(422, "validation");
    let resumed = world.operate("POST", &format!("/requests/{id}/resume"), None).await.good();
    assert_eq!((&resumed["hold"], &resumed["hold_note"]), (&Value::Null, &Value::Null));
    world.operate("POST", &format!("/requests/{id}/resume"), None).await.refused(409, "illegal_move");
    world.post(&format!("/requests/{id}/hold"), &json!({"reason": "mood"})).await.refused(422, "validation");
    world.operate("POST", &format!("/requests/{id}/hold"), None).await.refused(415, "unsupported_media_type");
}

#[rstest]
#[case::deny("deny", json!({"reason_code": "legal_obligation", "text": "tax law", "notify": false}), "denied")]
#[case::withdraw("withdraw", json!({}), "withdrawn")]
#[tokio::test]
async fn a_request_is_closed_by_a_person(#[case] how: &str, #[case] body: Value, #[case] outcome: &str) {
    let world = World::with_shop().await;
    let id = world.request(json!({})).await;
    let closed = world.post(&format!("/requests/{id}/{how}"), &body).await.good();
    assert_eq!((&closed["state"], &closed["outcome"]), (&json!("closed"), &json!(outcome)));
    assert_eq!(closed["closed_at"], "2026-06-01T09:00:00Z");
    let runs = world.get(&format!("/requests/{id}/runs")).await.good();
    assert_eq!(runs["items"][0]["status"], "stopped");
    let before = world.events().await;
    let problem = world.post(&format!("/requests/{id}/{how}"), &body).await.refused(409, "illegal_move");
    assert_eq!(problem["allowed"], json!([]));
    assert_eq!(world.events().await, before);
}

#[tokio::test]
async fn a_denial_needs_a_reason_from_the_catalogue() {
    let world = World::with_shop().await;
    let id = world.request(json!({})).await;
    for (body, field) in [
        (json!({}), "reason_code"),
        (json!({"reason_code": "bad_mood"}), "reason_code"),
        (json!({"reason_code": "other", "notify": "perhaps"}), "notify"),
    ] {
        let problem = world.post(&format!("/requests/{id}/deny"), &body).await.refused(422, "validation");
        assert_eq!(problem["errors"][0]["field"], field);
    }
}

#[tokio::test]
async fn a_request_has_a_history() {
    let world = World::with_shop().await;
    let id = world.request(json!({})).await;
    world.post(&format!("/requests/{id}/hold"), &json!({"reason": "other"})).await.good();
    let events = world.get(&format!("/requests/{id}/events")).await;
    assert!(!events.text.contains(ANA));
    let events = events.good();
    let items = events["items"].as_array().unwrap();
    assert_eq!(items[0]["kind"], "request.created");
    assert_eq!(items[0]["object_id"], id.as_str());
    assert_eq!(items[0]["actor"], "local-operator");
    assert_eq!(items[0]["at"], "2026-06-01T09:00:00Z");
    assert_eq!(items[0]["data"]["right"], "access");
    assert_eq!(items[0]["previous_hash"], "0".repeat(64));
    for pair in items.windows(2) {
        assert_eq!(pair[0]["hash"], pair[1]["previous_hash"]);
    }
    let page = world.get(&format!("/requests/{id}/events?limit=1")).await.good();
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = world.get(&format!("/requests/{id}/events?cursor={cursor}")).await.good();
    assert_eq!(rest["items"][0], items[1]);
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let world = World::with_shop().await;
    let unknown = format!("req_{}", "0".repeat(32));
    for id in [unknown.as_str(), "req_1", "run_1", ANA, "%ff"] {
        for path in ["", "/runs", "/events", "/records", "/package"] {
            let answer = world.get(&format!("/requests/{id}{path}")).await;
            answer.refused(404, "not_found");
            assert!(!answer.text.contains(ANA));
        }
        world.operate("POST", &format!("/requests/{id}/start"), None).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn policies_are_listed() {
    let world = World::empty().await;
    let policies = world.get("/policies").await.good();
    assert_eq!(policies["items"][0]["key"], "eu-gdpr");
    assert_eq!(policies["items"][0]["rights"], json!(["access", "deletion"]));
    let page = world.get("/policies?limit=1").await.good();
    assert_eq!(page["next_cursor"], "eu-gdpr");
    assert_eq!(world.get("/policies?cursor=eu-gdpr").await.good()["items"][0]["key"], "us-ca");
}
