//! The control plane's part for Qualtrics.

use habeas_sandbox::qualtrics::fixtures::*;
use serde_json::json;

use super::Brand;

#[tokio::test]
async fn knobs_are_shown_and_turned() {
    let brand = Brand::new().await;
    let patch = r#"{"brand_per_minute": null, "endpoint_limits": {"GET /users": 5}, "erasure_completion":
        {"ms": 1000}, "customer_data": "export_job", "whoami_scope": null}"#;
    let turned = brand.control("PATCH ", patch).await;
    assert_eq!((turned.status, turned.json()), (200, brand.control("GET ", "").await.json()));
    let knobs = turned.json();
    assert_eq!(knobs["endpoint_limits"], json!({"GET /users": 5}));
    assert_eq!(knobs["erasure_completion"], json!({"ms": 1000}));
    assert_eq!(knobs["customer_data"]["completed"]["fileIds"], "$fileIds");
    assert_eq!((&knobs["brand_per_minute"], &knobs["page_size"]), (&json!(null), &json!(100)));
    assert_eq!(serde_json::to_value(brand.vendor().knobs()).unwrap(), knobs);
}

#[tokio::test]
async fn people_come_and_go() {
    let brand = Brand::new().await;
    let spec = r#"{"email": "lou@example.test", "responses": 2, "tickets": 1, "mails": 1}"#;
    let made = brand.control("POST /contacts", spec).await;
    assert_eq!(made.status, 201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let found = brand.control("GET /contacts?email=LOU%40example.test", "").await;
    assert_eq!(found.json(), json!({"count": 1, "ids": [id]}));
    let count = brand.vendor().contact_count();
    assert_eq!(brand.control("GET /contacts", "").await.json(), json!({ "count": count }));
    let evidence = brand.control("GET /responses?email=lou%40example.test", "").await.json();
    assert_eq!(evidence["responses"].as_array().unwrap().len(), 2);
    assert_eq!(evidence["tickets"].as_array().unwrap().len(), 1);
    assert_eq!(brand.control(&format!("GET /contacts/{id}"), "").await.json()["contactId"], id);
    assert_eq!(brand.control(&format!("DELETE /contacts/{id}"), "").await.status, 204);
    assert_eq!(brand.control(&format!("DELETE /contacts/{id}"), "").await.status, 404);

    let user = brand.control("POST /users", r#"{"email": "lou@example.test"}"#).await.json();
    let user = user["id"].as_str().unwrap().to_owned();
    let found = brand.control("GET /users?email=lou%40example.test", "").await;
    assert_eq!(found.json(), json!({"count": 1, "ids": [user]}));
    assert_eq!(brand.control(&format!("DELETE /users/{user}"), "").await.status, 204);
    assert!(brand.control("GET /snapshot", "").await.json()["directories"].is_array());
    let lite = format!("PATCH /directories/{DIRECTORY}");
    assert_eq!(brand.control(&lite, r#"{"lite": true}"#).await.status, 204);
    assert_eq!(brand.call(&format!("GET /directories/{DIRECTORY}/contacts")).await.status, 403);
}

#[tokio::test]
async fn credentials_come_and_go() {
    let brand = Brand::new().await;
    let client = r#"{"id": "c", "secret": "qx-demo-secret", "scopes": ["read:users"]}"#;
    assert_eq!(brand.control("POST /clients", client).await.json(), json!({"id": "c"}));
    let minted = brand.mint("c", &[("grant_type", "client_credentials")]).await.json();
    assert_eq!(minted["scope"], "read:users");
    assert_eq!(brand.control("DELETE /clients/c", "").await.status, 204);
    assert_eq!(brand.control("DELETE /clients/c", "").await.status, 404);
    let token = r#"{"token": "t", "kind": "bearer", "scopes": ["read:users"], "expires_in": 60}"#;
    assert_eq!(brand.control("POST /tokens", token).await.json(), json!({"token": "t"}));
    assert_eq!(brand.call_as("t", "GET /users", None).await.status, 200);
    assert!(brand.control("POST /tokens/expire", "").await.json()["count"].as_u64().unwrap() > 1);
    assert_eq!(brand.call_as("t", "GET /users", None).await.status, 401);
    assert_eq!(brand.control("DELETE /tokens/t", "").await.status, 204);
    assert_eq!(brand.control("DELETE /tokens/t", "").await.status, 404);
}

#[tokio::test]
async fn jobs_are_evidence_and_can_be_ended() {
    let brand = Brand::new().await;
    brand
        .control("PATCH ", r#"{"erasure_completion": "manual", "customer_data_completion": "manual"}"#)
        .await;
    let id = brand.erase(ANA_EMAIL).await;
    brand.erase(ANA_EMAIL).await;
    let shown = brand.control("GET /erasures", "").await.json()["erasures"].clone();
    assert_eq!(
        shown[0],
        json!({"id": id, "emails": [ANA_EMAIL], "search_only": false, "status": "pending", "user": ADMIN_USER,
            "created_ms": shown[0]["created_ms"], "updated_ms": shown[0]["updated_ms"], "emails_not_found": [],
            "failure_reason": null, "polls": 0})
    );
    assert_eq!(brand.control("GET /erasures/accepted", "").await.json(), json!({ANA_EMAIL: 2}));
    let finish = format!("POST /erasures/{id}/finish");
    assert_eq!(brand.control(&finish, "{}").await.status, 204);
    assert_eq!(brand.control(&finish, "{}").await.status, 404);
    assert_eq!(brand.vendor().contacts_with_email(ANA_EMAIL), [""; 0]);
    let planted = r#"{"emails": ["a@b"], "status": "failed", "failure_reason": "x"}"#;
    assert_eq!(brand.control("POST /erasures", planted).await.status, 201);
    assert_eq!(brand.listed().await[0]["status"], "Failed");

    brand.call_with("POST /customer-data-requests", &json!({"emails": [JO_EMAIL]})).await;
    let shown = brand.control("GET /customer-data-requests", "").await.json();
    let request = shown["customer_data_requests"][0]["id"].as_str().unwrap().to_owned();
    let finish = format!("POST /customer-data-requests/{request}/finish");
    assert_eq!(brand.control(&finish, r#"{"failure_reason": "x"}"#).await.status, 204);
    assert_eq!(brand.control(&finish, "{}").await.status, 404);
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let brand = Brand::new().await;
    let table = [
        ("PATCH ", r#"{"pagesize": 1}"#, 400, "unknown field `pagesize`"),
        ("PATCH ", r#"{"page_size": null}"#, 400, "invalid type: null"),
        ("PATCH ", r#"{"endpoint_limits": {"GET /x": 1}}"#, 400, "there is no endpoint `GET /x`"),
        ("PATCH ", r#"{"whoami_scope": "x"}"#, 400, "there is no scope `x`"),
        ("PATCH ", r#"{"customer_data": "x"}"#, 400, "expected `guess`"),
        ("PATCH ", r#"{"erasure_completion": {"days": 1}}"#, 400, "unknown variant `days`"),
        ("POST /contacts", r#"{"mail": "a@b"}"#, 400, "unknown field `mail`"),
        ("POST /contacts", r#"{"directory": "x"}"#, 400, "there is no directory `x`"),
        ("POST /contacts", r#"{"lists": ["x"]}"#, 400, "there is no mailing list `x` in that directory"),
        ("POST /contacts", r#"{"id": "x"}"#, 400, "`x` is not a legal id: `CID_`"),
        ("POST /contacts", r#"{"id": "CID_0a1B2c3D4e5F6g7"}"#, 400, "the id `CID_0a1B2c3D4e5F6g7` is taken"),
        ("POST /users", "{}", 400, "`` is not an email"),
        ("POST /tokens", r#"{"token": "t", "scopes": ["x"]}"#, 400, "there is no scope `x`"),
        ("POST /clients", r#"{"id": "c", "secret": "s", "user": "x"}"#, 400, "there is no user `x`"),
        ("POST /erasures", r#"{"emails": [], "status": "pending"}"#, 400, "`` is not an email"),
        ("POST /erasures/OP-x/finish", r#"{"reason": "x"}"#, 400, "unknown field `reason`"),
        ("POST /erasures/OP-x/finish", "{}", 404, "there is no pending erasure `OP-x`"),
        ("GET /users", "", 400, "the query parameter `email` is missing"),
        ("GET /users?mail=x", "", 400, "unknown query parameter `mail`"),
        ("PATCH /directories/x", r#"{"lite": true}"#, 404, "there is no directory `x`"),
    ];
    for (call, body, status, message) in table {
        let answer = brand.control(call, body).await;
        assert_eq!(answer.status, status, "{call} {body}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.starts_with(message), "{call} {body}: {error}");
    }
}
