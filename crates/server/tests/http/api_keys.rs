//! API keys.

use habeas_domain::Role;
use serde_json::json;

use crate::world::{World, request};

#[tokio::test]
async fn a_key_is_shown_once_works_and_can_be_revoked() {
    let world = World::empty().await;
    let body = json!({"name": " reporting ", "roles": ["auditor", "auditor"]});
    let answer = world.post("/api-keys", &body).await;
    assert_eq!(answer.status, 201);
    let made = answer.good();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap().to_owned());
    assert!(key.starts_with("habeas_"));
    assert_eq!((&made["name"], &made["roles"]), (&json!("reporting"), &json!(["auditor"])));
    assert_eq!(made["created_by"], "local-operator");

    let list = world.call(&key, "GET", "/api/v1/api-keys", None).await;
    assert_eq!(list.good()["items"][0]["id"], id);
    assert!(!list.text.contains(&key));

    let revoked = world.post(&format!("/api-keys/{id}/revoke"), &json!({})).await.good();
    assert_eq!(revoked["revoked_at"], "2026-06-01T09:00:00Z");
    let before = world.events().await;
    let problem = world.call(&key, "GET", "/api/v1/api-keys", None).await.refused(401, "key_invalid");
    assert!(problem["detail"].as_str().unwrap().contains("revoked"));
    // Twice is no error, and no event.
    assert_eq!(world.operate("DELETE", &format!("/api-keys/{id}"), None).await.status, 204);
    assert_eq!(world.events().await, before);
}

#[tokio::test]
async fn an_unknown_key_opens_nothing() {
    let world = World::empty().await;
    for key in ["habeas_0000", "x", "habeas_\u{e4}"] {
        let answer = world.call(key, "GET", "/api/v1/requests", None).await;
        answer.refused(401, "key_invalid");
        assert!(!answer.text.contains("habeas_0"));
    }
    for header in ["Basic YTpi", "Bearer", "Bearer ", "habeas_1"] {
        let mut call = request("GET", "/api/v1/requests", None, None);
        call.headers_mut().insert("authorization", header.parse().unwrap());
        World::send(&world.network, call).await.refused(401, "key_invalid");
    }
}

#[tokio::test]
async fn the_scheme_is_read_in_any_letter_case() {
    let world = World::empty().await;
    let key = world.key(&[Role::RequestAgent]).await;
    let mut call = request("GET", "/api/v1/requests", None, None);
    call.headers_mut().insert("authorization", format!("bearer {key}").parse().unwrap());
    World::send(&world.network, call).await.good();
}

#[tokio::test]
async fn nobody_hands_on_more_than_they_have() {
    let world = World::empty().await;
    let key = world.key(&[Role::ApiCredentialsManager]).await;
    let before = world.events().await;
    let body = json!({"name": "k", "roles": ["request_agent"]});
    world.call(&key, "POST", "/api/v1/api-keys", Some(&body)).await.refused(403, "role_missing");
    assert_eq!(world.events().await, before);
    let body = json!({"name": "k", "roles": ["api_credentials_manager"]});
    world.call(&key, "POST", "/api/v1/api-keys", Some(&body)).await.good();
}

#[tokio::test]
async fn bad_keys_are_named() {
    let world = World::empty().await;
    for (body, field) in [
        (json!({"roles": ["auditor"]}), "name"),
        (json!({"name": "", "roles": ["auditor"]}), "name"),
        (json!({"name": "k"}), "roles"),
        (json!({"name": "k", "roles": []}), "roles"),
        (json!({"name": "k", "roles": ["king"]}), "roles.0"),
        (json!({"name": "k", "roles": "auditor"}), "roles"),
        (json!({"name": "k", "roles": ["auditor"], "expires": 1}), "expires"),
    ] {
        let problem = world.post("/api-keys", &body).await.refused(422, "validation");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    assert_eq!(world.events().await, 0);
    world.operate("DELETE", "/api-keys/key_1", None).await.refused(404, "not_found");
    let unknown = format!("/api-keys/key_{}", "0".repeat(32));
    world.operate("DELETE", &unknown, None).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_key_sent_to_the_local_door_counts() {
    let world = World::empty().await;
    let key = world.key(&[Role::RequestAgent]).await;
    let call = request("GET", "/api/v1/audit", Some(&key), None);
    World::send(&world.local, call).await.refused(403, "role_missing");
    assert_eq!(world.actor(&key).await.unwrap().roles.len(), 1);
}
