//! Getting tokens.

use std::collections::BTreeMap;
use std::time::Duration;

use habeas_sandbox::readycloud::fixtures::*;
use habeas_sandbox::readycloud::{Consent, KnobsPatch};
use reqwest::Url;
use serde_json::json;

use crate::support::{Answer, World, send};

const GUIDE: &str = "response_type=token&client_id=rc-demo-client&scope=contact%20company-read_only";

fn pairs(text: Option<&str>) -> BTreeMap<String, String> {
    let url = Url::parse(&format!("http://x/?{}", text.unwrap_or_default())).unwrap();
    url.query_pairs().into_owned().collect()
}

async fn authorize(world: &World, query: &str) -> Answer {
    send(world.request(&format!("GET /api/v1/oauth2/authorize?{query}"))).await
}

async fn authorized(world: &World, query: &str) -> Url {
    let answer = authorize(world, query).await;
    assert_eq!(answer.status, 302, "{}", answer.text);
    Url::parse(answer.header("location")).unwrap()
}

async fn exchange(world: &World, form: &[(&str, &str)]) -> Answer {
    send(world.request("POST /api/v1/oauth2/token/").form(form)).await
}

#[tokio::test]
async fn the_implicit_flow_gives_a_token_that_works() {
    let world = World::new().await;
    let place = authorized(&world, &format!("{GUIDE}&state=s1")).await;
    assert!(place.as_str().starts_with(&world.sandbox.addresses().readycloud), "never to the real vendor");
    assert_eq!(place.path(), STOCK_REDIRECT);
    assert_eq!(pairs(place.query()), BTreeMap::from([("state".to_owned(), "s1".to_owned())]));
    let given = pairs(place.fragment());
    assert_eq!((given["expires_in"].as_str(), given["token_type"].as_str()), ("31536000", "bearer"));
    assert_eq!(
        (given["user"].as_str(), given["scope"].as_str()),
        ("jo@example.test", "contact company-read_only")
    );
    assert!(place.fragment().unwrap().contains("scope=contact+company-read_only"));
    assert!(given.contains_key("refresh_token"));
    assert_eq!(world.call_as(&given["access_token"], "GET /api/v2/orgs/").await.status, 200);
    assert_eq!(send(world.request(&format!("GET {STOCK_REDIRECT}"))).await.status, 200);

    world.sandbox.clock().advance(Duration::from_secs(31_536_001));
    assert_eq!(world.call_as(&given["access_token"], "GET /api/v2/orgs/").await.status, 401);
}

#[tokio::test]
async fn without_scope_all_are_granted_and_none_is_echoed() {
    let world = World::new().await;
    let place = authorized(&world, "response_type=token&client_id=rc-demo-client").await;
    let given = pairs(place.fragment());
    assert!(!given.contains_key("scope"));
    let orders = format!("GET /api/v2/orgs/{MAIN_ORG}/orders/");
    assert_eq!(world.call_as(&given["access_token"], &orders).await.status, 200);
}

#[tokio::test]
async fn authorize_refusals() {
    let world = World::new().await;
    let to = "redirect_uri=https://habeas.example.test/oauth/readycloud";
    let table = [
        (format!("response_type=code&{to}"), "invalid_request", "No client_id"),
        (format!("response_type=code&client_id=who&{to}"), "invalid_client", "client_id who doesn't exist"),
        ("client_id=rc-demo-client".to_owned(), "invalid_request", "response_type is a required parameter."),
        (
            "client_id=rc-demo-client&response_type=magic".to_owned(),
            "invalid_request",
            "No such response type magic",
        ),
        (
            "client_id=rc-other-client&response_type=code".to_owned(),
            "unauthorized_client",
            "Response type code not allowed.",
        ),
        (
            "client_id=rc-demo-client&response_type=code&redirect_uri=https://evil.test/".to_owned(),
            "invalid_request",
            "Registered redirect_uri doesn't match provided redirect_uri.",
        ),
        (
            "client_id=rc-demo-client&response_type=code&scope=contact%20b%20a".to_owned(),
            "invalid_scope",
            "The following scopes do not exist: a, b",
        ),
    ];
    for (query, error, description) in table {
        let place = authorized(&world, &format!("{query}&state=s")).await;
        let told = pairs(place.query());
        assert_eq!(
            (told["error"].as_str(), told["error_description"].as_str()),
            (error, description),
            "{query}"
        );
        assert_eq!(told["state"], "s");
        assert_ne!(place.host_str(), Some("evil.test"));
    }
    let place = authorized(&world, "client_id=rc-demo-client&response_type=token&scope=x").await;
    assert_eq!(pairs(place.fragment())["error"], "invalid_scope", "in the fragment for the implicit flow");
    assert_eq!(pairs(place.fragment())["app_name"], "Example App");
    assert_eq!(authorize(&world, "response_type=token").await.status, 500, "nowhere to redirect to");
}

#[tokio::test]
async fn consent_is_a_knob_and_a_parameter() {
    let world = World::new().await;
    world.readycloud().turn(KnobsPatch { consent: Some(Consent::Ask), ..KnobsPatch::default() });
    let page = authorize(&world, &format!("{GUIDE}&state=%22%3E%3Cscript%3E")).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("sandbox_consent=allow") && page.text.contains("sandbox_consent=deny"));
    assert!(!page.text.contains("<script>"));
    let denied = authorized(&world, &format!("{GUIDE}&sandbox_consent=deny")).await;
    assert_eq!(pairs(denied.fragment())["error"], "access_denied");
    let allowed = authorized(&world, &format!("{GUIDE}&sandbox_consent=allow")).await;
    assert!(pairs(allowed.fragment()).contains_key("access_token"));
}

#[tokio::test]
async fn a_code_is_exchanged_once_and_soon() {
    let world = World::new().await;
    let query = "response_type=code&client_id=rc-demo-client&scope=contact&state=s2";
    let place = authorized(&world, query).await;
    let (code, state) = (pairs(place.query())["code"].clone(), pairs(place.query())["state"].clone());
    assert_eq!((code.len(), state.as_str()), (30, "s2"));
    let form = |code| {
        [
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT_ID),
            ("client_secret", CLIENT_SECRET),
            ("code", code),
        ]
    };
    let granted = exchange(&world, &form(&code)).await;
    assert_eq!((granted.status, granted.header("cache-control")), (200, "no-store"));
    assert_eq!(granted.json()["scope"], "contact");
    let again = exchange(&world, &form(&code)).await;
    assert_eq!(again.json()["error_description"], format!("No such code: {code}"));

    let late = pairs(authorized(&world, query).await.query())["code"].clone();
    world.sandbox.clock().advance(Duration::from_secs(121));
    let expired = exchange(&world, &form(&late)).await;
    assert_eq!(
        expired.json(),
        json!({"error": "invalid_grant", "error_description": "Provided code is expired"})
    );
}

#[tokio::test]
async fn refreshing_keeps_the_token_and_replaces_the_refresh_token() {
    let world = World::new().await;
    assert!(world.readycloud().expire_token(TOKEN));
    let form = |refresh| {
        [
            ("grant_type", "refresh_token"),
            ("client_id", CLIENT_ID),
            ("client_secret", CLIENT_SECRET),
            ("refresh_token", refresh),
        ]
    };
    let granted = exchange(&world, &form(REFRESH_TOKEN)).await.json();
    assert_eq!((&granted["access_token"], &granted["expires_in"]), (&json!(TOKEN), &json!(31_536_000)));
    assert!(granted.get("scope").is_none(), "told only when asked for");
    assert_eq!(world.call("GET /api/v2/orgs/").await.status, 200);
    let old = exchange(&world, &form(REFRESH_TOKEN)).await;
    let description = format!("No such refresh token: {REFRESH_TOKEN}");
    assert_eq!(
        (old.status, old.json()),
        (400, json!({"error": "invalid_request", "error_description": description}))
    );
    let new = granted["refresh_token"].as_str().unwrap();
    assert_eq!(exchange(&world, &form(new)).await.status, 200);
}

#[tokio::test]
async fn token_refusals() {
    let world = World::new().await;
    let secret = ("client_secret", CLIENT_SECRET);
    let client = ("client_id", CLIENT_ID);
    let refresh = ("grant_type", "refresh_token");
    let token = ("refresh_token", REFRESH_TOKEN);
    type Case<'a> = (&'a [(&'a str, &'a str)], u16, &'a str, &'a str);
    let table: [Case<'_>; 9] = [
        (&[], 400, "invalid_request", "No grant_type provided."),
        (&[("grant_type", "magic")], 400, "unsupported_grant_type", "No grant type: magic"),
        (&[refresh], 400, "invalid_request", "No client_id"),
        (&[refresh, ("client_id", "who")], 401, "invalid_client", "client_id who doesn't exist"),
        (&[refresh, client], 401, "invalid_client", "Client authentication failed."),
        (&[refresh, client, secret], 400, "invalid_request", "No refresh_token"),
        (
            &[refresh, client, secret, token, ("scope", "zzz")],
            400,
            "invalid_scope",
            "Following access ranges doesn't exist: zzz",
        ),
        (
            &[refresh, client, secret, token, ("scope", "order")],
            400,
            "invalid_scope",
            "Refresh request requested scopes beyond initial grant: {'order'}",
        ),
        (
            &[("grant_type", "authorization_code"), client, secret, ("code", "c")],
            400,
            "invalid_request",
            "No such code: c",
        ),
    ];
    for (form, status, error, description) in table {
        let answer = exchange(&world, form).await;
        let expected = json!({"error": error, "error_description": description});
        assert_eq!((answer.status, answer.json()), (status, expected), "{form:?}");
    }
    let script = exchange(&world, &[("callback", "f")]).await;
    assert_eq!(script.status, 200);
    assert!(script.text.starts_with("f({") && script.text.ends_with(");"));
    assert_eq!(send(world.request("POST /api/v1/oauth2/token")).await.status, 500);
}
