//! Everything that can be wrong with a request: refused with a status, a code and the field, and nothing happened.

use axum::body::Body;
use axum::http::{Request, header};
use habeas_domain::Role;
use rstest::rstest;
use serde_json::{Value, json};

use crate::world::{ANA, World, new_request, request};

#[rstest]
#[case::empty_email(json!({"subject": {"email": ""}}), "subject.email", "is empty")]
#[case::blank_email(json!({"subject": {"email": "   "}}), "subject.email", "is empty")]
#[case::malformed_email(json!({"subject": {"email": "ana.silva"}}), "subject.email", "ana@example.test")]
#[case::email_with_line_break(json!({"subject": {"email": "ana@exam\nple.test"}}), "subject.email", "line break")]
#[case::email_is_a_number(json!({"subject": {"email": 5}}), "subject.email", "must be a string")]
#[case::nobody(json!({"subject": {}}), "subject", "at least `email`")]
#[case::no_subject(json!({"subject": null}), "subject", "is missing")]
#[case::subject_is_text(json!({"subject": ANA}), "subject", "must be an object")]
#[case::no_right(json!({"right": null}), "right", "is missing")]
#[case::unknown_right(json!({"right": "rectification"}), "right", "access, access_categories, deletion")]
#[case::right_not_under_policy(json!({"right": "access_categories"}), "right", "eu-gdpr")]
#[case::right_is_a_list(json!({"right": ["access"]}), "right", "must be a string")]
#[case::unknown_policy(json!({"policy": "atlantis"}), "policy", "eu-gdpr, us-ca")]
#[case::unknown_type_in_map(
    json!({"subject": {"email": ANA, "identifiers": {"passport": "X1"}}}), "subject.identifiers", "email, user_id, phone_number"
)]
#[case::unknown_type_in_list(
    json!({"subject": {"email": ANA, "identifiers": [{"type": "passport", "value": "X1"}]}}),
    "subject.identifiers.0.type", "email, user_id, phone_number"
)]
#[case::empty_user_id(
    json!({"subject": {"email": ANA, "identifiers": {"user_id": ""}}}), "subject.identifiers.user_id", "is empty"
)]
#[case::bad_phone_number(
    json!({"subject": {"email": ANA, "identifiers": [{"type": "phone_number", "value": "call me"}]}}),
    "subject.identifiers.0.value", "digits"
)]
#[case::identifiers_are_text(
    json!({"subject": {"email": ANA, "identifiers": "U-1"}}), "subject.identifiers", "list"
)]
#[case::unknown_field(json!({"prioritise": true}), "prioritise", "known are: right, subject")]
#[case::unknown_field_of_subject(json!({"subject": {"email": ANA, "name": "x"}}), "subject.name", "email, identifiers")]
#[case::review_is_text(json!({"review": "no"}), "review", "true or false")]
#[case::unknown_delivery(json!({"delivery": "pigeon"}), "delivery", "mail, api")]
#[case::received_is_a_date(json!({"received_at": "2026-05-01"}), "received_at", "RFC 3339")]
#[case::received_in_future(json!({"received_at": "2030-01-01T00:00:00Z"}), "received_at", "future")]
#[case::received_before_the_law(json!({"received_at": "2001-01-01T00:00:00Z"}), "received_at", "before")]
#[case::force_is_a_number(json!({"force": 1}), "force", "true or false")]
#[case::delivery_of_a_deletion(json!({"right": "deletion", "delivery": "api"}), "delivery", "deletion")]
#[case::wrong_identifier_for_the_system(
    json!({"subject": {"identifiers": {"user_id": "U-1"}}}), "subject.identifiers", "`shop` finds people by email"
)]
#[tokio::test]
async fn a_request_that_cannot_be_used_names_the_field(
    #[case] different: Value,
    #[case] field: &str,
    #[case] says: &str,
) {
    let world = World::with_shop().await;
    let before = world.events().await;
    let answer = world.post("/requests", &new_request(different)).await;
    let problem = answer.refused(422, "validation");
    assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    assert!(problem["errors"][0]["message"].as_str().unwrap().contains(says), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    for value in [ANA, "passport", "X1", "call me", "ana.silva", "pigeon"] {
        assert!(!answer.text.contains(value), "repeats `{value}`: {}", answer.text);
    }
    assert_eq!(world.events().await, before);
}

#[tokio::test]
async fn several_faults_are_named_at_once() {
    let world = World::with_shop().await;
    let both = json!({"subject": {"email": "ana", "identifiers": {"user_id": ""}}, "policy": "atlantis"});
    let problem = world.post("/requests", &new_request(both)).await.refused(422, "validation");
    let fields: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|one| one["field"].clone()).collect();
    assert_eq!(fields, ["policy", "subject.email", "subject.identifiers.user_id"]);
}

#[rstest]
#[case::empty("", "empty")]
#[case::cut("{\"right\": \"acc", "line 1")]
#[case::not_json("right=access", "line 1")]
#[tokio::test]
async fn text_that_is_not_json_is_malformed(#[case] body: &str, #[case] says: &str) {
    let world = World::with_shop().await;
    let request = raw("/api/v1/requests", "application/json", body);
    let problem = World::send(&world.local, request).await.refused(400, "malformed_json");
    assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
}

fn raw(path: &str, content_type: &str, body: &str) -> Request<Body> {
    Request::post(path).header(header::CONTENT_TYPE, content_type).body(Body::from(body.to_owned())).unwrap()
}

#[tokio::test]
async fn a_body_of_another_type_is_refused() {
    let world = World::with_shop().await;
    let body = new_request(json!({})).to_string();
    for content_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let request = raw("/api/v1/requests", content_type, &body);
        World::send(&world.local, request).await.refused(415, "unsupported_media_type");
    }
    let request = raw("/api/v1/requests", "Application/JSON; charset=utf-8", &body);
    World::send(&world.local, request).await.good();
}

#[tokio::test]
async fn an_oversized_body_is_refused() {
    let world = World::with_shop().await;
    let before = world.events().await;
    let body = new_request(json!({"policy": "x".repeat(1024 * 1024)}));
    let answer = world.post("/requests", &body).await;
    answer.refused(413, "payload_too_large");
    assert_eq!(world.events().await, before);
}

#[tokio::test]
async fn without_a_connection_that_can_serve_the_right_nothing_begins() {
    let world = World::empty().await;
    let before = world.events().await;
    let problem = world.post("/requests", &new_request(json!({}))).await.refused(422, "no_connection");
    assert_eq!(problem["right"], "access");
    assert!(problem["detail"].as_str().unwrap().contains("habeas integrations list"));
    assert_eq!(world.events().await, before);
}

#[tokio::test]
async fn an_open_request_of_the_same_right_is_named_unless_forced() {
    let world = World::with_shop().await;
    let first = world.request(json!({})).await;
    let before = world.events().await;
    // Letter case does not make another person.
    let again = new_request(json!({"subject": {"email": ANA.to_uppercase()}}));
    let problem = world.post("/requests", &again).await.refused(409, "duplicate_request");
    assert_eq!(problem["request_id"], first.as_str());
    assert!(problem["detail"].as_str().unwrap().contains("force"));
    assert_eq!(world.events().await, before);
    world.post("/requests", &new_request(json!({"right": "deletion"}))).await.good();
    world.post("/requests", &new_request(json!({"force": true}))).await.good();
}

#[tokio::test]
async fn skipping_the_review_needs_an_administrator_of_requests() {
    let world = World::with_shop().await;
    let key = world.key(&[Role::RequestAgent]).await;
    let before = world.events().await;
    let body = new_request(json!({"review": false}));
    let problem =
        world.call(&key, "POST", "/api/v1/requests", Some(&body)).await.refused(403, "review_required");
    assert!(problem["detail"].as_str().unwrap().contains("request_admin"));
    assert_eq!(world.events().await, before);
    let key = world.key(&[Role::RequestAdmin]).await;
    let made = world.call(&key, "POST", "/api/v1/requests", Some(&body)).await.good();
    assert_eq!(made["review"], false);
}

#[rstest]
#[case::unknown("/requests?colour=red", "colour")]
#[case::unknown_state("/requests?state=sleeping", "state")]
#[case::unknown_right("/requests?right=rectification", "right")]
#[case::not_a_date("/requests?due_before=soon", "due_before")]
#[case::a_whole_time("/requests?due_before=2026-06-01T00:00:00Z", "due_before")]
#[case::no_items("/requests?limit=0", "limit")]
#[case::negative("/requests?limit=-1", "limit")]
#[case::text("/requests?limit=many", "limit")]
#[case::cursor("/requests?cursor=ana@example.test", "cursor")]
#[case::twice("/requests?limit=1&limit=2", "limit")]
#[case::connection_cursor("/connections?cursor=con_1", "cursor")]
#[case::audit_cursor("/audit?cursor=x", "cursor")]
#[tokio::test]
async fn query_parameters_are_read_strictly(#[case] path: &str, #[case] field: &str) {
    let world = World::with_shop().await;
    let answer = world.get(path).await;
    let problem = answer.refused(422, "validation");
    assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    assert!(!answer.text.contains("ana@example.test"));
}

#[rstest]
#[case::nothing(json!({}))]
#[case::two(json!({"email": ANA, "user_id": "U-1"}))]
#[tokio::test]
async fn a_search_wants_exactly_one_identifier(#[case] body: Value) {
    let world = World::with_shop().await;
    let problem = world.post("/requests/search", &body).await.refused(422, "validation");
    assert!(problem["detail"].as_str().unwrap().contains("exactly one"));
}

#[tokio::test]
async fn a_search_names_the_bad_identifier() {
    let world = World::with_shop().await;
    let problem = world.post("/requests/search", &json!({"email": "ana"})).await.refused(422, "validation");
    assert_eq!(problem["errors"][0]["field"], "email");
}

#[rstest]
#[case::empty("")]
#[case::too_long(&"k".repeat(256))]
#[case::not_ascii("sch\u{fc}ssel")]
#[tokio::test]
async fn an_unusable_idempotency_key_is_refused(#[case] key: &str) {
    let world = World::with_shop().await;
    let before = world.events().await;
    let mut request = request("POST", "/api/v1/requests", None, Some(&new_request(json!({}))));
    request.headers_mut().insert("idempotency-key", header::HeaderValue::from_bytes(key.as_bytes()).unwrap());
    let problem = World::send(&world.local, request).await.refused(422, "validation");
    assert_eq!(problem["errors"][0]["field"], "Idempotency-Key");
    assert_eq!(world.events().await, before);
}
