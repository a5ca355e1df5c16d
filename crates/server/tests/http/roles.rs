//! Every role at every route: the table of permissions is compared with what really happens.

use std::collections::BTreeSet;

use habeas_domain::{Permission, Role};
use habeas_server::permissions::{Need, OPERATIONS, need};
use serde_json::{Value, json};

use crate::world::{World, contacts, new_connection, new_request, request};

/// Methods and paths of the document.
fn documented() -> BTreeSet<(String, String)> {
    let document = serde_json::to_value(habeas_server::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| (method.clone(), path.clone()))
        })
        .collect()
}

#[test]
fn the_table_has_every_operation_and_no_other() {
    let table: BTreeSet<_> =
        OPERATIONS.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(table, documented());
}

#[test]
fn the_document_says_what_the_table_says() {
    let document = serde_json::to_value(habeas_server::openapi()).unwrap();
    for (method, path, need) in OPERATIONS {
        let operation = &document["paths"][path][method];
        let expected = match need {
            Need::Permission(permission) => json!(permission),
            Need::AnyKey | Need::Nothing => Value::Null,
        };
        assert_eq!(operation["x-permission"], expected, "{method} {path}");
        assert_eq!(operation["security"].is_array(), *need != Need::Nothing, "{method} {path}");
    }
}

/// Ids of real things, so that nothing but the role can be refused first.
struct Things {
    request: String,
    run: String,
    record: String,
    connection: String,
    api_key: String,
}

impl Things {
    async fn make(world: &World) -> Self {
        let request = world.in_review(2).await;
        let record = world.get(&format!("/requests/{request}/records")).await.good();
        let key = world.post("/api-keys", &json!({"name": "k", "roles": ["auditor"]})).await.good();
        Self {
            run: world.run_of(&request).await,
            record: record["items"][0]["id"].as_str().unwrap().to_owned(),
            connection: world.get("/connections").await.good()["items"][0]["id"].as_str().unwrap().to_owned(),
            api_key: key["id"].as_str().unwrap().to_owned(),
            request,
        }
    }

    fn fill(&self, path: &str) -> String {
        let id = match path {
            path if path.starts_with("/api/v1/connections") => &self.connection,
            path if path.starts_with("/api/v1/api-keys") => &self.api_key,
            _ => &self.request,
        };
        path.replace("{id}", id)
            .replace("{run}", &self.run)
            .replace("{record}", &self.record)
            .replace("{mail}", "mai_0192a0000000700080000000000000ab")
            .replace("{name}", "stub")
            .replace("{code}", "validation")
    }
}

/// A body that can be read.
fn body(method: &str, path: &str) -> Option<Value> {
    Some(match (method, path) {
        ("post", "/api/v1/connections") => new_connection("another"),
        ("post", "/api/v1/connections/plan") => json!({"connections": [new_connection("another")]}),
        ("post", "/api/v1/requests") => new_request(json!({"force": true})),
        ("post", "/api/v1/requests/bulk") => json!([new_request(json!({"force": true}))]),
        ("post", "/api/v1/requests/search") => json!({"user_id": "U-1"}),
        ("post", "/api/v1/requests/{id}/deny") => json!({"reason_code": "other"}),
        ("post", "/api/v1/requests/{id}/verify") => json!({"note": "seen the passport"}),
        ("post", "/api/v1/requests/{id}/hold") => json!({"reason": "other"}),
        ("post", "/api/v1/requests/{id}/runs/{run}/skip" | "/api/v1/requests/{id}/runs/{run}/stop") => {
            json!({"reason": "because"})
        }
        ("post", "/api/v1/requests/{id}/runs/{run}/answer") => json!({"answer": "nothing_held"}),
        ("post", "/api/v1/requests/{id}/runs/{run}/hand-over") => json!({"email": "owner@example.test"}),
        ("patch", "/api/v1/connections/{id}") => json!({"contact": {"deadline_days": 5}}),
        ("patch", _) => json!({"selected": true}),
        ("post", "/api/v1/api-keys") => json!({"name": "k", "roles": ["super_admin"]}),
        _ => return None,
    })
}

#[tokio::test]
async fn each_role_alone_may_do_exactly_what_the_table_says() {
    let world = World::with_shop().await;
    let mut things = Things::make(&world).await;
    for role in Role::ALL {
        let key = world.key(&[*role]).await;
        for (method, path, need) in OPERATIONS {
            let allowed = match need {
                Need::Permission(permission) => role.permissions().contains(permission),
                Need::AnyKey | Need::Nothing => true,
            };
            let before = world.events().await;
            let (at, body) = (things.fill(path), body(method, path));
            let answer = world.call(&key, &method.to_uppercase(), &at, body.as_ref()).await;
            // Handing on more than one has is refused for want of a role as well.
            let grants = (*method, *path) == ("post", "/api/v1/api-keys") && *role != Role::SuperAdmin;
            if allowed && !grants {
                assert_ne!(answer.status, 403, "{role} {method} {path}: {}", answer.text);
                assert!(!answer.text.contains("key_invalid"), "{role} {method} {path}");
                assert!(!answer.status.is_server_error(), "{role} {method} {path}: {}", answer.text);
            } else {
                let problem = answer.refused(403, "role_missing");
                if let Need::Permission(permission) = need
                    && !allowed
                {
                    assert_eq!(problem["permission"], permission.as_str(), "{role} {method} {path}");
                    assert!(problem["roles"].as_array().unwrap().contains(&json!("super_admin")));
                }
                assert_eq!(world.events().await, before, "{role} {method} {path} changed something");
                continue;
            }
            if *method == "get" {
                continue;
            }
            // Gets rid of what was made or changed, so that the next call finds what it needs.
            world.post(&format!("/requests/{}/withdraw", things.request), &json!({})).await;
            if (*method, *path) == ("delete", "/api/v1/connections/{id}") {
                // The request that is still in review does not need its connection any more.
                assert_eq!(answer.status, 204, "{}", answer.text);
                world.add_shop().await;
            }
            if world.casework.connection_named(&habeas_domain::Actor::system(), "another").await.is_ok() {
                world.operate("DELETE", "/connections/another", None).await.good();
            }
            world.work(&contacts(1)).await;
            things = Things::make(&world).await;
        }
    }
}

#[tokio::test]
async fn without_a_key_nothing_below_the_api_answers() {
    let world = World::with_shop().await;
    let things = Things::make(&world).await;
    let before = world.events().await;
    for (method, path, need) in OPERATIONS {
        let (at, body) = (things.fill(path), body(method, path));
        let call = request(&method.to_uppercase(), &at, None, body.as_ref());
        let answer = World::send(&world.network, call).await;
        if *need == Need::Nothing {
            assert!(!answer.text.contains("key_invalid"), "{method} {path}");
        } else {
            answer.refused(401, "key_invalid");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    assert_eq!(world.events().await, before);
}

#[test]
fn an_operation_that_does_not_exist_has_no_need() {
    assert_eq!(need("put", "/api/v1/requests"), None);
    assert_eq!(need("get", "/api/v1/requests"), Some(Need::Permission(Permission::ReadRequests)));
}
