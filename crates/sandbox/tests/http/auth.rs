//! Who is let in: tokens, scopes, the order of the checks, and both ways of saying no.

use habeas_sandbox::readycloud::fixtures::*;
use habeas_sandbox::readycloud::{ErrorDialect, KnobsPatch, TokenSpec};
use serde_json::json;

use crate::support::{World, contact, contacts, send};

const MISSING: &str = "DELETE /api/v2/orgs/H6j/contacts/nothing/";

#[tokio::test]
async fn refusals_in_both_dialects() {
    let world = World::new().await;
    let unknown = r#"Bearer realm="", error="invalid_token", error_description="Token doesn't exist""#;
    let expired = r#"Bearer realm="", error="invalid_token", error_description="Token is expired""#;
    let scope = r#"Bearer realm="", error="insufficient_scope", error_description="Access token has insufficient scope: contact", scope="contact""#;
    let none = "Request authentication failed, no authentication credentials provided.";
    let table = [
        (
            None,
            401,
            r#"Bearer realm="""#,
            "invalid_request",
            none,
            "Authentication credentials were not provided.",
        ),
        (Some("what"), 401, unknown, "invalid_token", "Token doesn't exist", "Token doesn't exist"),
        (Some(EXPIRED_TOKEN), 401, expired, "invalid_token", "Token is expired", "Token is expired"),
        (
            Some(NO_CONTACT_TOKEN),
            403,
            scope,
            "insufficient_scope",
            "Access token has insufficient scope: contact",
            "You do not have permission to perform this action.",
        ),
    ];
    for dialect in [ErrorDialect::Oauth2app, ErrorDialect::Drf] {
        world.readycloud().turn(KnobsPatch { error_dialect: Some(dialect), ..KnobsPatch::default() });
        for (token, status, challenge, error, description, detail) in table {
            let mut request = world.request(&contacts(""));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let answer = send(request).await;
            let body = match dialect {
                ErrorDialect::Oauth2app => json!({"error": error, "error_description": description}),
                ErrorDialect::Drf => json!({"detail": detail}),
            };
            assert_eq!((answer.status, answer.json()), (status, body), "{token:?} {dialect:?}");
            assert_eq!(answer.header("www-authenticate"), challenge);
        }
    }
}

#[tokio::test]
async fn scopes_per_route() {
    let world = World::new().await;
    let orgs = "GET /api/v2/orgs/".to_owned();
    let orders = format!("GET /api/v2/orgs/{MAIN_ORG}/contacts/{ANA_FIRST}/orders/");
    let table = [
        (orgs.clone(), TOKEN, 200),
        (orgs, NO_CONTACT_TOKEN, 200),
        (format!("PATCH /api/v2/orgs/{MAIN_ORG}/"), TOKEN, 403),
        (contacts(""), READ_ONLY_TOKEN, 200),
        (contacts(""), NO_CONTACT_TOKEN, 403),
        (contact("GET", JO), READ_ONLY_TOKEN, 200),
        (contact("PATCH", JO), READ_ONLY_TOKEN, 403),
        (contact("DELETE", JO), READ_ONLY_TOKEN, 403),
        // The scope is looked at before the object: this proves a missing permission without harm.
        (MISSING.to_owned(), READ_ONLY_TOKEN, 403),
        (MISSING.to_owned(), TOKEN, 404),
        (orders.clone(), TOKEN, 403),
        (orders, ORDERS_TOKEN, 200),
        (format!("GET /api/v2/orgs/{MAIN_ORG}/orders/"), ORDERS_TOKEN, 200),
        (format!("GET /api/v2/orgs/{MAIN_ORG}/orders/"), TOKEN, 403),
    ];
    for (call, token, status) in table {
        assert_eq!(world.call_as(token, &call).await.status, status, "{call} with {token}");
    }
    assert!(world.readycloud().contact(JO).is_some());
}

#[tokio::test]
async fn the_scope_comes_before_the_expiry() {
    let world = World::new().await;
    let spec = TokenSpec { expires_in: Some(0), ..TokenSpec::new("old", &["company"]) };
    world.readycloud().add_token(spec).unwrap();
    assert_eq!(world.call_as("old", &contacts("")).await.status, 403);
    assert_eq!(world.call_as("old", "GET /api/v2/orgs/").await.status, 401);
}

#[tokio::test]
async fn the_header_wins_over_the_query() {
    let world = World::new().await;
    let table = [
        (Some("Bearer rc-demo-token"), "?bearer_token=what", 200),
        (Some("bEARER rc-demo-token"), "", 200),
        (Some("Bearer what"), "?bearer_token=rc-demo-token", 401),
        (None, "?bearer_token=rc-demo-token", 200),
        (None, "", 401),
    ];
    for (header, query, status) in table {
        let mut request = world.request(&format!("GET /api/v2/orgs/{query}"));
        if let Some(value) = header {
            request = request.header("authorization", value);
        }
        assert_eq!(send(request).await.status, status, "{header:?} {query}");
    }
}

#[tokio::test]
async fn tokens_expire_with_the_clock_and_can_be_taken_away() {
    let world = World::new().await;
    let spec = TokenSpec { expires_in: Some(60), ..TokenSpec::new("short", &["company-read_only"]) };
    world.readycloud().add_token(spec).unwrap();
    assert_eq!(world.call_as("short", "GET /api/v2/orgs/").await.status, 200);
    world.sandbox.clock().advance(std::time::Duration::from_secs(61));
    assert_eq!(
        world.call_as("short", "GET /api/v2/orgs/").await.json()["error_description"],
        "Token is expired"
    );

    assert!(world.readycloud().expire_token(TOKEN));
    assert_eq!(world.call("GET /api/v2/orgs/").await.json()["error_description"], "Token is expired");
    assert!(world.readycloud().revoke_token(TOKEN));
    assert_eq!(world.call("GET /api/v2/orgs/").await.json()["error_description"], "Token doesn't exist");
    assert!(!world.readycloud().revoke_token(TOKEN));
}

#[tokio::test]
async fn a_token_sees_its_organisations_only() {
    let world = World::new().await;
    let list = world.call("GET /api/v2/orgs/").await;
    assert_eq!(list.keys(), [MAIN_ORG, SECOND_ORG, DELETED_ORG]);
    let deleted: Vec<_> =
        list.json()["results"].as_array().unwrap().iter().map(|org| org["deleted_at"].is_null()).collect();
    assert_eq!(deleted, [true, true, false]);

    let list = world.call_as(NO_ORG_TOKEN, "GET /api/v2/orgs/").await;
    assert_eq!(list.keys(), [DELETED_ORG]);
    assert!(list.json()["results"][0]["deleted_at"].is_string());
    assert_eq!(world.call_as(NO_ORG_TOKEN, &contacts("")).await.status, 404);
}
