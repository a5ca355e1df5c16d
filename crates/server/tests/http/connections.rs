//! Connections: proven at the vendor before anything is saved.

use rstest::rstest;
use serde_json::{Value, json};

use crate::stub::Mood;
use crate::world::{SHOP, TOKEN, World, new_connection, new_request};

#[tokio::test]
async fn a_connection_is_made_shown_and_removed() {
    let world = World::empty().await;
    let answer = world.post("/connections", &new_connection(SHOP)).await;
    assert_eq!(answer.status, 201);
    let made = answer.good();
    let id = made["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("/api/v1/connections/{id}"));
    assert_eq!(
        made,
        json!({
            "id": id, "name": "shop", "integration": "stub", "status": "connected",
            "checked_at": "2026-06-01T09:00:00Z", "failing_since": null, "warnings": [],
            "permissions": [{"permission": "contacts", "state": "granted",
                             "needed_for": "Finding a person's contacts and deleting them"}],
            "deletion_completion": null, "contact": null, "quota": null, "callback_url": null,
            "created_at": "2026-06-01T09:00:00Z",
            "capabilities": {"access": "api", "deletion": "api", "system_detection": "off"},
        })
    );
    for path in ["/connections".to_owned(), format!("/connections/{id}"), format!("/connections/{SHOP}")] {
        let answer = world.get(&path).await;
        answer.good();
        assert!(!answer.text.contains(TOKEN) && !answer.text.contains("settings"));
    }
    assert_eq!(world.operate("DELETE", "/connections/shop", None).await.status, 204);
    world.get(&format!("/connections/{id}")).await.refused(404, "not_found");
    world.get("/connections/shop").await.refused(404, "not_found");
}

#[rstest]
#[case::missing_scope(Mood::LacksPermission, 422, "permissions_missing", "contacts")]
#[case::forbidden(Mood::Forbids, 422, "permissions_missing", "Grant it")]
#[case::wrong_credentials(Mood::RejectsCredentials, 422, "credentials_rejected", "Do something about it")]
#[case::down(Mood::Down, 502, "vendor_unavailable", "Do something about it")]
#[case::rate_limited(Mood::RateLimits, 502, "vendor_unavailable", "Do something about it")]
#[case::nonsense(Mood::TalksNonsense, 502, "vendor_unavailable", "Do something about it")]
#[case::refused(Mood::Refuses, 422, "vendor_refused", "Do something about it")]
#[case::misconfigured(Mood::Misconfigured, 422, "connection_misconfigured", "Do something about it")]
#[tokio::test]
async fn what_the_vendor_does_not_accept_is_not_saved(
    #[case] mood: Mood,
    #[case] status: u16,
    #[case] code: &str,
    #[case] says: &str,
) {
    let world = World::empty().await;
    world.vendor.is(mood);
    let answer = world.post("/connections", &new_connection(SHOP)).await;
    let problem = answer.refused(status, code);
    assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    assert!(!answer.text.contains(TOKEN));
    if code == "permissions_missing" {
        assert_eq!(problem["missing"][0]["permission"], "contacts");
        assert!(problem["missing"][0]["needed_for"].is_string());
    } else {
        assert_eq!(problem["vendor"]["request_id"], "vendor-call-1");
    }
    assert_eq!(world.events().await, 0);
    assert_eq!(world.get("/connections").await.good()["items"], json!([]));
}

#[rstest]
#[case::no_such_integration(json!({"integration": "atlantis"}), "integration", "direct_contact, stub")]
#[case::no_name(json!({"name": ""}), "name", "1 to 80")]
#[case::missing_setting(json!({"settings": {}}), "settings.token", "is missing")]
#[case::no_settings(json!({"settings": null}), "settings", "object")]
#[case::unknown_setting(json!({"settings": {"token": "t", "colour": "red"}}), "settings.colour", "known are: token")]
#[case::secret_as_a_name(json!({"settings": {"sk_live 1?": "t"}}), "settings", "name")]
#[case::setting_is_a_number(json!({"settings": {"token": 5}}), "settings.token", "must be a string")]
#[case::unknown_capability(json!({"capabilities": {"teleport": "api"}}), "capabilities.teleport", "access")]
#[case::unknown_handling(json!({"capabilities": {"access": "magic"}}), "capabilities.access", "api, direct_contact, off")]
#[case::unable(json!({"capabilities": {"system_detection": "api"}}), "capabilities.system_detection", "off")]
#[case::detection_by_contact(json!({"capabilities": {"system_detection": "direct_contact"}}), "capabilities.system_detection", "contact could do")]
#[case::contact_is_no_address(json!({"contact": {"email": "dpo at example.test"}}), "contact.email", "e-mail address")]
#[case::contact_in_two_lines(json!({"contact": {"email": "dpo@example.test\nBcc: x@example.test"}}), "contact.email", "line break")]
#[case::contact_without_time(json!({"contact": {"deadline_days": 0}}), "contact.deadline_days", "1 to 365")]
#[case::contact_with_a_wish(json!({"contact": {"on_expiry": "forget"}}), "contact.on_expiry", "skip, hold")]
#[case::contact_with_a_telephone(json!({"contact": {"phone": "1"}}), "contact.phone", "known are")]
#[case::completion(json!({"deletion_completion": "on_submit"}), "deletion_completion", "deletes at once")]
#[case::unknown_completion(json!({"deletion_completion": "someday"}), "deletion_completion", "on_submit")]
#[case::unknown_field(json!({"secret": "s"}), "secret", "known are")]
#[tokio::test]
async fn a_connection_that_cannot_be_used_names_the_field(
    #[case] different: Value,
    #[case] field: &str,
    #[case] says: &str,
) {
    let world = World::empty().await;
    let mut body = new_connection(SHOP);
    body.as_object_mut().unwrap().extend(different.as_object().unwrap().clone());
    let answer = world.post("/connections", &body).await;
    let problem = answer.refused(422, "validation");
    assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    assert!(problem["errors"][0]["message"].as_str().unwrap().contains(says), "{problem}");
    for secret in [TOKEN, "sk_live", "dpo@example.test"] {
        assert!(!answer.text.contains(secret), "{}", answer.text);
    }
    assert_eq!(world.events().await, 0);
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let world = World::empty().await;
    let shop = world.add_shop().await;
    let before = world.events().await;
    let problem = world.post("/connections", &new_connection(SHOP)).await.refused(409, "name_taken");
    assert_eq!(problem["connection_id"], shop["id"]);
    assert_eq!(world.events().await, before);
}

#[tokio::test]
async fn a_connection_in_use_stays() {
    let world = World::with_shop().await;
    let request = world.request(json!({})).await;
    let before = world.events().await;
    let problem = world.operate("DELETE", "/connections/shop", None).await.refused(409, "connection_in_use");
    assert_eq!(problem["runs"], 1);
    assert_eq!(world.events().await, before);
    world.post(&format!("/requests/{request}/withdraw"), &json!({})).await.good();
    assert_eq!(world.operate("DELETE", "/connections/shop", None).await.status, 204);
    // Its past runs keep its name.
    let runs = world.get(&format!("/requests/{request}/runs")).await.good();
    assert_eq!(runs["items"][0]["connection"]["name"], "shop");
    world.post("/requests", &new_request(json!({}))).await.refused(422, "no_connection");
}

#[tokio::test]
async fn a_forced_removal_says_what_it_skipped() {
    let world = World::with_shop().await;
    let request = world.request(json!({})).await;
    let problem = world.operate("DELETE", "/connections/shop", None).await.refused(409, "connection_in_use");
    assert_eq!(problem["requests"], json!([request]));
    world.operate("DELETE", "/connections/shop?force=perhaps", None).await.refused(422, "validation");
    assert_eq!(world.operate("DELETE", "/connections/shop?force=true", None).await.status, 204);
    let runs = world.get(&format!("/requests/{request}/runs")).await.good();
    assert_eq!(runs["items"][0]["status"], "skipped");
    assert_eq!(runs["items"][0]["note"], "the connection `shop` was removed");
}

#[tokio::test]
async fn a_connection_is_edited_and_only_what_is_given_changes() {
    let world = World::with_shop().await;
    let edit = async |body: &Value| world.operate("PATCH", "/connections/shop", Some(body)).await;
    let contact = json!({"email": "dpo@example.test", "deadline_days": 5, "on_expiry": "skip"});
    let edited =
        edit(&json!({"capabilities": {"access": "direct_contact"}, "contact": contact})).await.good();
    assert_eq!(edited["contact"], contact);
    let capabilities = json!({"access": "direct_contact", "deletion": "api", "system_detection": "off"});
    assert_eq!(edited["capabilities"], capabilities);
    let edited = edit(&json!({"contact": {"email": null, "deadline_days": null}})).await.good();
    assert_eq!(edited["contact"], json!({"email": null, "deadline_days": 14, "on_expiry": "skip"}));
    let answer = edit(&json!({"settings": {"token": TOKEN}})).await;
    answer.good();
    assert!(!answer.text.contains(TOKEN));
    let edited = edit(&json!({"name": "web shop"})).await.good();
    assert_eq!((&edited["name"], &edited["capabilities"]), (&json!("web shop"), &capabilities));
    world.get("/connections/web%20shop").await.good();
}

#[rstest]
#[case::unknown_field(json!({"integration": "stub"}), "integration", "known are")]
#[case::unknown_setting(json!({"settings": {"colour": "red"}}), "settings.colour", "known are: token")]
#[case::setting_taken_away(json!({"settings": {"token": ""}}), "settings.token", "is missing")]
#[case::no_name(json!({"name": " "}), "name", "1 to 80")]
#[case::unable(json!({"capabilities": {"system_detection": "api"}}), "capabilities.system_detection", "off")]
#[case::contact_is_no_address(json!({"contact": {"email": "dpo"}}), "contact.email", "e-mail address")]
#[case::contact_without_time(json!({"contact": {"deadline_days": 0}}), "contact.deadline_days", "1 to 365")]
#[case::completion(json!({"deletion_completion": "on_submit"}), "deletion_completion", "deletes at once")]
#[tokio::test]
async fn an_edit_that_cannot_be_used_names_the_field_and_changes_nothing(
    #[case] change: Value,
    #[case] field: &str,
    #[case] says: &str,
) {
    let world = World::with_shop().await;
    let before = (world.events().await, world.get("/connections/shop").await.good());
    let problem = world.operate("PATCH", "/connections/shop", Some(&change)).await.refused(422, "validation");
    assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    assert!(problem["errors"][0]["message"].as_str().unwrap().contains(says), "{problem}");
    assert_eq!((world.events().await, world.get("/connections/shop").await.good()), before);
}

#[rstest]
#[case(Mood::LacksPermission, 422, "permissions_missing")]
#[case(Mood::RejectsCredentials, 422, "credentials_rejected")]
#[case(Mood::Down, 502, "vendor_unavailable")]
#[tokio::test]
async fn an_edit_that_the_vendor_does_not_accept_changes_nothing(
    #[case] mood: Mood,
    #[case] status: u16,
    #[case] code: &str,
) {
    let world = World::with_shop().await;
    let before = (world.events().await, world.get("/connections/shop").await.good());
    world.vendor.is(mood);
    for change in [json!({"settings": {"token": "another"}}), json!({"capabilities": {"deletion": "off"}})] {
        world.operate("PATCH", "/connections/shop", Some(&change)).await.refused(status, code);
    }
    assert_eq!((world.events().await, world.get("/connections/shop").await.good()), before);
    // What the vendor has no part in goes without it.
    world.operate("PATCH", "/connections/shop", Some(&json!({"name": "web shop"}))).await.good();
}

#[tokio::test]
async fn a_check_shows_what_it_found() {
    let world = World::with_shop().await;
    let checked = world.operate("POST", "/connections/shop/check", None).await.good();
    assert_eq!((&checked["status"], &checked["error"]), (&json!("connected"), &Value::Null));
    world.vendor.is(Mood::Warns);
    let checked = world.operate("POST", "/connections/shop/check", None).await.good();
    assert_eq!(checked["status"], "degraded");
    assert_eq!(checked["warnings"][0], "the token expires soon");
    world.vendor.is(Mood::RejectsCredentials);
    let checked = world.post("/connections/shop/check", &json!({})).await.good();
    assert_eq!(checked["status"], "disconnected");
    assert_eq!(checked["failing_since"], "2026-06-01T09:00:00Z");
    assert_eq!(checked["error"]["code"], "credentials_rejected");
    assert_eq!(checked["error"]["vendor_request_id"], "vendor-call-1");
    world.post("/connections/shop/check", &json!({"deep": true})).await.refused(422, "validation");
    world.operate("POST", "/connections/nowhere/check", None).await.refused(404, "not_found");
}

#[tokio::test]
async fn the_catalogue_shows_what_an_integration_needs() {
    let world = World::empty().await;
    let list = world.get("/integrations").await.good();
    let names: Vec<_> = list["items"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert!(names.iter().any(|name| *name == "direct_contact") && names.iter().any(|name| *name == "stub"));
    let one = world.get("/integrations/readycloud").await.good();
    assert_eq!(one["settings"][0]["key"], "access_token");
    assert_eq!(one["capabilities"]["access"]["type"], "synchronous");
    assert!(one["guide"].as_array().unwrap().len() > 3);
    world.get("/integrations/atlantis").await.refused(404, "not_found");
}
