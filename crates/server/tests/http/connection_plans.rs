//! Plans: what differs between declared connections and those that are there, without a word of what is secret.

use rstest::rstest;
use serde_json::{Value, json};

use crate::stub::Mood;
use crate::world::{SHOP, TOKEN, World, new_connection};

const OWNER: &str = "owner@example.test";

fn surveys() -> Value {
    let settings = json!({"datacenter_id": "fra1", "client_id": "qx-client", "client_secret": "qx-secret"});
    json!({"integration": "qualtrics", "name": "surveys", "settings": settings})
}

fn archive() -> Value {
    json!({"integration": "direct_contact", "name": "archive", "settings": {"processor_email": OWNER}})
}

async fn plan(world: &World, connections: &Value) -> Vec<Value> {
    let answer = world.post("/connections/plan", &json!({"connections": connections})).await;
    for secret in [TOKEN, "another-token", "qx-secret", OWNER, "dpo@example.test"] {
        assert!(!answer.text.contains(secret), "{}", answer.text);
    }
    answer.good()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn each_connection_is_told_with_what_differs() {
    let world = World::empty().await;
    world.vendor.is(Mood::Down);
    assert_eq!(
        plan(&world, &json!([surveys()])).await,
        [
            json!({"name": "surveys", "id": null, "integration": "qualtrics", "action": "create", "changes": [],
                "problem": null})
        ],
        "no vendor is asked"
    );
    world.vendor.is(Mood::Fine);
    let surveys_id = world.post("/connections", &surveys()).await.good()["id"].clone();
    let shop_id = world.add_shop().await["id"].clone();
    world.post("/connections", &archive()).await.good();
    let before = world.events().await;

    let mut declared = surveys();
    declared["settings"]["datacenter_id"] = json!("iad1");
    declared["settings"]["client_secret"] = json!("another-token");
    declared["deletion_completion"] = json!("on_submit");
    declared["capabilities"] = json!({"access": "off"});
    declared["contact"] = json!({"email": "dpo@example.test", "deadline_days": 3, "on_expiry": "skip"});
    let moved =
        json!({"integration": "direct_contact", "name": SHOP, "settings": {"processor_email": OWNER}});
    let items = plan(&world, &json!([declared, moved])).await;
    let changes = json!([
        {"field": "settings.datacenter_id", "from": "fra1", "to": "iad1"},
        {"field": "settings.client_secret"},
        {"field": "deletion_completion", "from": "on_completion", "to": "on_submit"},
        {"field": "capabilities.access", "from": "api", "to": "off"},
        {"field": "contact.email"},
        {"field": "contact.deadline_days", "from": null, "to": 3},
        {"field": "contact.on_expiry", "from": "hold", "to": "skip"},
    ]);
    assert_eq!(
        items[0],
        json!({"name": "surveys", "id": surveys_id, "integration": "qualtrics", "action": "edit",
               "changes": changes, "problem": null})
    );
    assert_eq!((&items[1]["action"], &items[1]["id"]), (&json!("replace"), &shop_id));
    assert!(items[1]["problem"].as_str().unwrap().contains("remove it first"), "{}", items[1]);
    assert_eq!((&items[2]["name"], &items[2]["action"]), (&json!("archive"), &json!("undeclared")));
    assert_eq!(items.len(), 3);
    assert_eq!(world.events().await, before, "a plan is no change");
}

#[tokio::test]
async fn a_plan_that_was_carried_out_has_nothing_left_to_do() {
    let world = World::empty().await;
    let mut declared = surveys();
    declared["capabilities"] = json!({"access": "direct_contact"});
    declared["contact"] = json!({"email": OWNER, "deadline_days": 7, "on_expiry": "skip"});
    for connection in [&declared, &archive(), &new_connection(SHOP)] {
        world.post("/connections", connection).await.good();
    }
    let as_declared = json!([archive(), new_connection(SHOP), declared]);
    let is_none = async || plan(&world, &as_declared).await.iter().all(|item| item["action"] == "none");
    assert!(is_none().await);

    // Somebody edits by hand; what the plan then names is what brings it back.
    let by_hand = [
        ("shop", json!({"settings": {"token": "another-token"}}), "settings.token"),
        ("surveys", json!({"settings": {"client_secret": "other"}}), "settings.client_secret"),
        ("surveys", json!({"capabilities": {"access": "api"}}), "capabilities.access"),
        ("surveys", json!({"contact": {"email": null}}), "contact.email"),
        ("surveys", json!({"contact": {"deadline_days": null}}), "contact.deadline_days"),
        ("surveys", json!({"contact": {"on_expiry": null}}), "contact.on_expiry"),
        ("surveys", json!({"deletion_completion": "on_submit"}), "deletion_completion"),
        ("archive", json!({"contact": {"email": "dpo@example.test"}}), "contact.email"),
    ];
    let back = [
        json!({"settings": {"token": TOKEN}}),
        json!({"settings": {"client_secret": "qx-secret"}}),
        json!({"capabilities": {"access": "direct_contact"}}),
        json!({"contact": {"email": OWNER}}),
        json!({"contact": {"deadline_days": 7}}),
        json!({"contact": {"on_expiry": "skip"}}),
        json!({"deletion_completion": "on_completion"}),
        // What holds without an address of its own is the one among the settings.
        json!({"contact": {"email": null}}),
    ];
    for ((name, change, field), back) in by_hand.iter().zip(&back) {
        let edit = async |body: &Value| {
            world.operate("PATCH", &format!("/connections/{name}"), Some(body)).await.good()
        };
        edit(change).await;
        let items = plan(&world, &as_declared).await;
        let edited: Vec<_> = items.iter().filter(|item| item["action"] != "none").collect();
        assert_eq!(edited.len(), 1, "{items:?}");
        assert_eq!((&edited[0]["name"], &edited[0]["action"]), (&json!(name), &json!("edit")));
        let fields: Vec<_> =
            edited[0]["changes"].as_array().unwrap().iter().map(|one| &one["field"]).collect();
        assert_eq!(fields, [field], "{change}");
        edit(back).await;
        assert!(is_none().await, "{back}");
    }
}

#[rstest]
#[case::no_list(json!({}), &[("connections", "is missing")])]
#[case::a_number(json!({"connections": 5}), &[("connections", "must be a list")])]
#[case::unknown_field(json!({"connections": [{"nmae": "shop"}]}), &[("connections.0.nmae", "known are")])]
#[case::no_name(json!({"connections": [{"integration": "stub"}]}), &[("connections.0.name", "is missing")])]
#[case::names_that_are_none(
    json!({"connections": [{"name": "a", "integration": "stub", "settings": {"sk_live 1?": "t"}},
                           {"name": "b", "integration": "stub", "settings": {"sk_live 2?": "t"}}]}),
    &[("connections.0.settings", "name"), ("connections.1.settings", "name")])]
#[case::several(
    json!({"connections": [{"name": "shop", "integration": "stub", "settings": {"token": "t"}},
                           {"name": "shop", "integration": "atlantis"},
                           {"name": "plan", "integration": "stub", "deletion_completion": "on_submit"}]}),
    &[("connections.1.name", "`connections.0`"), ("connections.1.integration", "direct_contact, stub"),
      ("connections.2.name", "choose another name"), ("connections.2.deletion_completion", "deletes at once"),
      ("connections.2.settings.token", "is missing")])]
#[tokio::test]
async fn declarations_that_cannot_be_used_name_every_field(
    #[case] body: Value,
    #[case] expected: &[(&str, &str)],
) {
    let world = World::with_shop().await;
    let answer = world.post("/connections/plan", &body).await;
    let problem = answer.refused(422, "validation");
    let errors = problem["errors"].as_array().unwrap();
    assert_eq!(errors.len(), expected.len(), "{problem}");
    for (error, (field, says)) in errors.iter().zip(expected) {
        assert_eq!(error["field"], *field, "{problem}");
        assert!(error["message"].as_str().unwrap().contains(says), "{problem}");
    }
    assert!(!answer.text.contains("sk_live"), "{}", answer.text);
}

#[tokio::test]
async fn no_connection_takes_the_place_of_the_plan() {
    let world = World::with_shop().await;
    let refusals = [
        world.post("/connections", &new_connection(" plan ")).await,
        world.operate("PATCH", "/connections/shop", Some(&json!({"name": "plan"}))).await,
    ];
    for refusal in refusals {
        assert_eq!(refusal.refused(422, "validation")["errors"][0]["field"], "name");
    }
}
