//! Tokens, scopes, data centres, Brand Administrators, and the order of the checks.

use habeas_sandbox::qualtrics::fixtures::*;
use habeas_sandbox::qualtrics::{TokenKindSpec, TokenSpec};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Brand, DATA, ERASE, contacts, error};
use crate::support::send;

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

#[tokio::test]
async fn a_token_is_minted_and_works() {
    let brand = Brand::new().await;
    let minted = brand.mint(CLIENT_ID, &[GRANT, ("scope", &SCOPES.join(" "))]).await;
    assert_eq!((minted.status, minted.header("cache-control")), (200, "no-store"));
    let token = minted.json();
    assert_eq!((&token["token_type"], &token["expires_in"]), (&json!("Bearer"), &json!(3599)));
    assert_eq!(token["scope"], SCOPES.join(" "));
    assert!(token.get("refresh_token").is_none());
    let token = token["access_token"].as_str().unwrap();
    assert_eq!(brand.call_as(token, "GET /whoami", None).await.status, 200);
    brand.advance(3600);
    let expired = brand.call_as(token, "GET /whoami", None).await;
    assert_eq!(error(&expired), (401, "AUTH_6.0".to_owned(), "invalid_client".to_owned()));
}

#[tokio::test]
async fn minting_is_refused_in_both_shapes() {
    let brand = Brand::new().await;
    let cases = [
        ("nobody", vec![GRANT], 401, "invalid_client"),
        (CLIENT_ID, vec![("grant", "x")], 400, "invalid_request"),
        (CLIENT_ID, vec![("grant_type", "password")], 400, "unsupported_grant_type"),
        (NO_GRANT_CLIENT, vec![GRANT], 400, "unauthorized_client"),
        (CLIENT_ID, vec![GRANT, ("scope", "read:users manage:all")], 400, "invalid_scope"),
        (CLIENT_ID, vec![GRANT, ("scope", "nonsense")], 400, "invalid_scope"),
    ];
    for shape in ["plain", "envelope"] {
        brand.turn(json!({ "token_errors": shape }));
        for (client, form, status, name) in &cases {
            let refused = brand.mint(client, form).await;
            assert_eq!(refused.status, *status, "{client} {form:?}");
            if shape == "plain" {
                assert_eq!(refused.json()["error"], *name, "{client} {form:?}");
                assert!(refused.json().get("meta").is_none());
            } else {
                assert_eq!(error(&refused).2, *name, "{client} {form:?}");
            }
        }
    }
    let wrong = brand.http.post(format!("{}/oauth2/token", brand.sandbox.addresses().qualtrics));
    let wrong = send(wrong.basic_auth(CLIENT_ID, Some("wrong")).form(&[GRANT])).await;
    assert_eq!((wrong.status, wrong.header("www-authenticate")), (401, "Basic"));
}

#[tokio::test]
async fn one_client_lacks_each_scope() {
    let brand = Brand::new().await;
    let clients = [
        NO_CUSTOMER_DATA_CLIENT,
        NO_ERASURE_CLIENT,
        NO_DIRECTORIES_CLIENT,
        NO_CONTACTS_CLIENT,
        NO_USERS_CLIENT,
    ];
    let calls = [
        format!("POST {DATA}"),
        format!("GET {ERASE}"),
        "GET /directories".to_owned(),
        contacts("GET", ""),
        "GET /users".to_owned(),
    ];
    let all = SCOPES.join(" ");
    for (lacking, client) in clients.into_iter().enumerate() {
        assert_eq!(brand.mint(client, &[GRANT, ("scope", &all)]).await.json()["error"], "invalid_scope");
        let minted = brand.mint(client, &[GRANT]).await.json();
        let token = minted["access_token"].as_str().unwrap();
        for (position, call) in calls.iter().enumerate() {
            let body = json!({"emails": [NOBODY_EMAIL]});
            let answer = brand.call_as(token, call, call.starts_with("POST").then_some(&body)).await;
            let expected = if position == lacking { 403 } else { 200 };
            assert_eq!(answer.status, expected, "{client}: {call}");
        }
    }
    brand.turn(json!({"excess_scope": "dropped", "missing_scope": "unauthorized"}));
    let minted = brand.mint(NO_USERS_CLIENT, &[GRANT, ("scope", &all)]).await.json();
    assert!(!minted["scope"].as_str().unwrap().contains("read:users"));
    let token = minted["access_token"].as_str().unwrap();
    let refused = brand.call_as(token, "GET /users", None).await;
    let message = "The access token does not have the scope read:users.";
    assert_eq!(error(&refused), (401, String::new(), message.to_owned()));
    assert_eq!(brand.call_as(token, "GET /whoami", None).await.status, 401);
    brand.turn(json!({ "whoami_scope": null }));
    assert_eq!(brand.call_as(token, "GET /whoami", None).await.status, 200);
}

#[tokio::test]
async fn token_knobs() {
    let brand = Brand::new().await;
    let url = format!("{}/oauth2/token", brand.sandbox.addresses().qualtrics);
    let in_form = [GRANT, ("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
    assert_eq!(send(brand.http.post(&url).form(&in_form)).await.status, 401);
    brand.turn(json!({"form_credentials": true, "omitted_scope": "nothing", "token_seconds": 60,
        "token_type": "bearer"}));
    let minted = send(brand.http.post(&url).form(&in_form)).await.json();
    assert_eq!(
        (&minted["scope"], &minted["expires_in"], &minted["token_type"]),
        (&json!(""), &json!(60), &json!("bearer"))
    );
    let token = minted["access_token"].as_str().unwrap();
    assert_eq!(brand.call_as(token, "GET /directories", None).await.status, 403);
    brand.advance(60);
    assert_eq!(brand.call_as(token, "GET /directories", None).await.status, 401);
}

#[tokio::test]
async fn credentials_that_do_not_do() {
    let brand = Brand::new().await;
    let none = send(brand.request("GET /whoami")).await;
    let message = "Expected authorization in headers, but none provided.";
    assert_eq!(error(&none), (400, "ATP_2".to_owned(), message.to_owned()));
    for token in [EXPIRED_TOKEN, "unknown", API_TOKEN] {
        let refused = brand.call_as(token, "GET /whoami", None).await;
        assert_eq!(error(&refused), (401, "AUTH_6.0".to_owned(), "invalid_client".to_owned()), "{token}");
    }
    let foreign = brand.call_as(FOREIGN_TOKEN, "GET /whoami", None).await;
    assert_eq!(error(&foreign), (401, "DCD_7".to_owned(), "Unrecognized X-API-TOKEN.".to_owned()));
    assert_eq!(foreign.json()["meta"]["requestId"], "");
    let unknown = send(brand.request("GET /whoami").header("x-api-token", "unknown")).await;
    assert_eq!(error(&unknown).1, "DCD_7");
}

#[tokio::test]
async fn data_centres() {
    let brand = Brand::new().await;
    let minted = brand.mint(FOREIGN_CLIENT, &[GRANT]).await.json();
    let token = minted["access_token"].as_str().unwrap();
    assert_eq!(error(&brand.call_as(token, "GET /whoami", None).await).1, "DCD_7");

    let with_api_token = async |token| send(brand.request("GET /whoami").header("x-api-token", token)).await;
    let own = with_api_token(API_TOKEN).await.json();
    assert_eq!((&own["result"]["datacenter"], own["meta"].get("notice")), (&json!("fra1"), None));
    let proxied = with_api_token(FOREIGN_API_TOKEN).await.json();
    let notice = proxied["meta"]["notice"].as_str().unwrap();
    assert!(notice.ends_with("use this host instead: iad1.qualtrics.com"), "{notice}");
    brand.turn(json!({"foreign_api_token": "refused"}));
    assert_eq!(error(&with_api_token(FOREIGN_API_TOKEN).await).1, "DCD_7");

    brand.turn(json!({"datacenter": "iad1"}));
    assert_eq!(error(&brand.call("GET /whoami").await).1, "DCD_7");
    assert_eq!(brand.call_as(token, "GET /whoami", None).await.json()["result"]["datacenter"], "iad1");
}

#[tokio::test]
async fn brand_administrators_only() {
    let brand = Brand::new().await;
    let minted = brand.mint(MEMBER_CLIENT, &[GRANT]).await.json();
    let member = minted["access_token"].as_str().unwrap();
    let body = json!({"emails": [ANA_EMAIL]});
    let closed = [
        (format!("POST {ERASE}"), Some(&body)),
        (format!("GET {ERASE}"), None),
        (format!("GET {ERASE}/OP-none"), None),
        (format!("POST {DATA}"), Some(&body)),
        (format!("GET {DATA}/none"), None),
        (format!("GET {DATA}/none/files/none"), None),
    ];
    for (call, body) in &closed {
        let refused = brand.call_as(member, call, *body).await;
        let message = "The requested operation is forbidden.";
        assert_eq!(error(&refused), (403, "QMST_2.1".to_owned(), message.to_owned()), "{call}");
    }
    for call in ["GET /directories", "GET /users"] {
        assert_eq!(brand.call_as(member, call, None).await.status, 200);
    }
    let whoami = brand.call_as(member, "GET /whoami", None).await.json();
    assert_eq!(whoami["result"]["accountType"], "UT_PARTICIPANT");
    assert!(brand.vendor().erasures().is_empty());

    brand.turn(json!({"brand_administrators": "everybody"}));
    assert_eq!(brand.call_as(member, &closed[1].0, None).await.status, 200);
    brand.turn(json!({"brand_administrators": "nobody"}));
    assert_eq!(brand.call(&closed[1].0).await.status, 403);
}

#[tokio::test]
async fn whoami_shows_the_administrator() {
    let brand = Brand::new().await;
    assert_eq!(
        brand.call("GET /whoami").await.json()["result"],
        json!({"brandId": "exampleco", "userId": ADMIN_USER, "userName": "privacy.bot@example.test#exampleco",
            "firstName": "Priva", "lastName": "Bot", "email": "privacy.bot@example.test",
            "accountType": "UT_BRANDADMIN", "language": "EN", "datacenter": "fra1"})
    );
}

#[tokio::test]
async fn the_order_of_the_checks() {
    let brand = Brand::new().await;
    // Each call is wrong in everything that is checked after what it is refused for.
    let nothing = bare(&brand, "POST /API/v3/nothing").await;
    assert!(nothing.starts_with("HTTP/1.1 404 ") && !nothing.contains("errorCode"), "{nothing}");
    let other_method = brand.call("PATCH /users").await;
    let message = "The requested resource does not exist.".to_owned();
    assert_eq!(error(&other_method), (404, String::new(), message));
    for path in ["/API/v3/op-erase-personal-data", "/oauth2/token"] {
        let answer = bare(&brand, &format!("POST {path}")).await;
        assert!(answer.starts_with("HTTP/1.1 411 ") && answer.contains("411 - Length Required"), "{answer}");
    }
    assert!(bare(&brand, "GET /API/v3/whoami").await.contains("ATP_2"));

    brand.turn(json!({"limits_enforced": true, "endpoint_limits": {"POST /op-erase-personal-data": 0}}));
    let call = format!("POST {ERASE}");
    let broken = json!({"emails": []});
    assert_eq!(send(brand.request(&call).json(&broken)).await.status, 400);
    assert_eq!(brand.call_as("unknown", &call, Some(&broken)).await.status, 401);
    let poor = TokenSpec { user: Some(MEMBER_USER.to_owned()), ..TokenSpec::new("poor", &["read:users"]) };
    brand.vendor().add_token(poor).unwrap();
    assert_eq!(brand.call_as("poor", &call, Some(&broken)).await.status, 429);
    brand.turn(json!({"endpoint_limits": {}}));
    let no_scope = error(&brand.call_as("poor", &call, Some(&broken)).await);
    assert_eq!((no_scope.0, no_scope.1.as_str()), (403, ""));
    let member = TokenSpec { user: Some(MEMBER_USER.to_owned()), ..TokenSpec::new("member", &SCOPES) };
    brand.vendor().add_token(member).unwrap();
    assert_eq!(error(&brand.call_as("member", &call, Some(&broken)).await).1, "QMST_2.1");
    assert_eq!(brand.call_with(&call, &broken).await.status, 400);

    let search = "POST /directories/POOL_none/contacts/search";
    assert_eq!(brand.call_with(search, &json!({})).await.status, 400);
    assert_eq!(brand.call_with(search, &super::by_email("a@b")).await.status, 404);
}

/// The answer to a call with no header but the host.
async fn bare(brand: &Brand, call: &str) -> String {
    let address = brand.sandbox.addresses().qualtrics.replace("http://", "");
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let request = format!("{call} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn users_who_are_gone_let_nobody_in() {
    let brand = Brand::new().await;
    assert_eq!(brand.call("GET /users").await.status, 200);
    assert!(brand.vendor().remove_user(ADMIN_USER));
    assert_eq!(error(&brand.call("GET /users").await).1, "AUTH_6.0");
    assert_eq!(brand.mint(CLIENT_ID, &[GRANT]).await.status, 401);
}

#[tokio::test]
async fn tokens_are_expired_and_taken_away() {
    let brand = Brand::new().await;
    let minted = brand.mint(CLIENT_ID, &[GRANT]).await.json();
    let token = minted["access_token"].as_str().unwrap();
    let other = TokenSpec { kind: TokenKindSpec::Api, ..TokenSpec::new("api", &[]) };
    brand.vendor().add_token(other).unwrap();
    assert!(brand.vendor().revoke_token(TOKEN));
    assert_eq!(brand.call("GET /users").await.status, 401);
    assert_eq!(brand.call_as(token, "GET /users", None).await.status, 200);
    assert!(brand.vendor().expire_tokens() >= 2);
    assert_eq!(error(&brand.call_as(token, "GET /users", None).await).1, "AUTH_6.0");
    let fresh = brand.mint(CLIENT_ID, &[GRANT]).await.json();
    let fresh = fresh["access_token"].as_str().unwrap();
    assert_eq!(brand.call_as(fresh, "GET /users", None).await.status, 200);
    assert!(brand.vendor().revoke_client(CLIENT_ID));
    assert_eq!(brand.call_as(fresh, "GET /users", None).await.status, 401);
    assert_eq!(brand.mint(CLIENT_ID, &[GRANT]).await.status, 401);
}
