//! Contact search and its quirks.

use habeas_sandbox::qualtrics::ContactSpec;
use habeas_sandbox::qualtrics::fixtures::*;
use serde_json::{Value, json};

use super::{Brand, by_email, contacts, elements, error, ids};

fn everybody() -> Value {
    json!({"filter": {"filterType": "email", "comparison": "neq", "value": "none@example.test"}})
}

#[tokio::test]
async fn by_email_in_each_directory() {
    let brand = Brand::with_people(50).await;
    assert_eq!(brand.found(DIRECTORY, " ANA.Silva@example.test ").await, [ANA]);
    assert_eq!(brand.found(SECOND_DIRECTORY, ANA_EMAIL).await, [ANA_SECOND]);
    assert_eq!(brand.found(DIRECTORY, SHARED_EMAIL).await, [SHARED_FIRST, SHARED_SECOND]);
    assert_eq!(brand.found(DIRECTORY, JO_EMAIL).await, [JO]);
    let nobody = brand.call_with(&contacts("POST", "/search"), &by_email(NOBODY_EMAIL)).await;
    assert_eq!(nobody.json()["result"], json!({"elements": []}));
}

#[tokio::test]
async fn the_fields_of_a_hit() {
    let brand = Brand::new().await;
    let search = async |query: &str| {
        let call = contacts("POST", &format!("/search{query}"));
        elements(&brand.call_with(&call, &by_email(ANA_EMAIL)).await)[0].clone()
    };
    let hit = search("").await;
    assert_eq!(
        hit,
        json!({"id": ANA, "creationDate": "2025-03-30T00:00:16Z", "lastModified": "2025-03-30T00:00:16Z",
            "firstName": "Ana", "lastName": "Silva", "email": ANA_EMAIL, "phoneNumber": "+351555010203",
            "externalDataReference": "cust-42", "language": "pt", "unsubscribed": false,
            "unsubscribeDate": null, "stats": hit["stats"], "embeddedData": null, "segmentMembership": null})
    );
    assert_eq!(hit["stats"]["EmailCount"], "2");
    let hit = search("?includeEmbedded=true&includeSegments=true").await;
    assert_eq!((&hit["embeddedData"], &hit["segmentMembership"]), (&json!({"tier": "gold"}), &json!({})));
}

#[tokio::test]
async fn tokens_are_offsets_and_a_full_last_page_has_one() {
    let brand = Brand::with_people(200 - DIRECTORY_CONTACTS).await;
    let mut token = String::new();
    for (expected, rows) in [(Some("MTAw"), 100), (Some("MjAw"), 100), (None, 0)] {
        let query = if token.is_empty() { String::new() } else { format!("?skipToken={token}") };
        let page = brand.call_with(&contacts("POST", &format!("/search{query}")), &everybody()).await;
        assert_eq!(elements(&page).len(), rows);
        let result = &page.json()["result"];
        assert_eq!(result.get("skipToken").and_then(Value::as_str), expected);
        assert!(result.get("nextPage").is_none());
        token = expected.unwrap_or_default().to_owned();
    }
    let short = brand.call_with(&contacts("POST", "/search?pageSize=150&skipToken=MTAw"), &everybody()).await;
    assert_eq!((elements(&short).len(), short.json()["result"].get("skipToken").cloned()), (100, None));
    for query in ["?skipToken=%21", "?pageSize=0"] {
        let refused = brand.call_with(&contacts("POST", &format!("/search{query}")), &everybody()).await;
        assert_eq!(error(&refused).0, 400, "{query}");
    }
}

#[tokio::test]
async fn searches_end_at_their_depth() {
    let brand = Brand::new().await;
    brand.turn(json!({"search_depth": 4}));
    let token = |text| match text {
        2 => "Mg==",
        _ => "NA==",
    };
    let page = async |offset| {
        let call = contacts("POST", &format!("/search?pageSize=2&skipToken={}", token(offset)));
        brand.call_with(&call, &everybody()).await
    };
    assert_eq!(page(2).await.json()["result"]["skipToken"], token(4));
    assert_eq!(error(&page(4).await).0, 400);
}

#[tokio::test]
async fn filters_over_http() {
    let brand = Brand::new().await;
    let condition = |kind: &str, value: &str| json!({"filterType": kind, "comparison": "eq", "value": value});
    let and = |filters: Vec<Value>| json!({"filter": {"conjunction": "and", "filters": filters}});
    let call = contacts("POST", "/search");
    let both = and(vec![condition("firstName", "SAM"), condition("email", SHARED_EMAIL)]);
    assert_eq!(ids(&brand.call_with(&call, &both).await, "id"), [SHARED_SECOND]);
    let listed = json!({"filterType": "inList", "comparison": false, "mailingListId": CUSTOMER_LIST});
    let unlisted = brand.call_with(&call, &json!({ "filter": listed })).await;
    assert_eq!(ids(&unlisted, "id"), [NO_EMAIL]);
    let too_many = and(vec![condition("email", ANA_EMAIL); 6]);
    assert_eq!(error(&brand.call_with(&call, &too_many).await).0, 400);
    assert_eq!(error(&brand.call_with(&call, &json!({})).await).0, 400);
}

#[tokio::test]
async fn the_index_lags_behind() {
    let brand = Brand::new().await;
    brand.turn(json!({"index_lag_ms": 60_000}));
    let spec = ContactSpec { email: Some("lou@example.test".to_owned()), ..ContactSpec::default() };
    let new = brand.vendor().add_contact(spec).unwrap();
    assert!(brand.vendor().remove_contact(ANA));
    assert_eq!(brand.found(DIRECTORY, "lou@example.test").await, [""; 0]);
    assert_eq!(brand.found(DIRECTORY, ANA_EMAIL).await, [ANA]);
    assert_eq!(brand.call(&contacts("GET", &format!("/{new}"))).await.status, 200, "only searches lag");
    assert_eq!(brand.call(&contacts("GET", &format!("/{ANA}"))).await.status, 404);
    brand.advance(60);
    assert_eq!(brand.found(DIRECTORY, "lou@example.test").await, [new]);
    assert_eq!(brand.found(DIRECTORY, ANA_EMAIL).await, [""; 0]);

    let short = brand.vendor();
    let spec = ContactSpec { email: Some("eve@example.test".to_owned()), ..ContactSpec::default() };
    assert!(short.remove_contact(&short.add_contact(spec).unwrap()));
    assert_eq!(brand.found(DIRECTORY, "eve@example.test").await, [""; 0], "it was never known");
}

#[tokio::test]
async fn lite_directories_have_neither_list_nor_search() {
    let brand = Brand::new().await;
    assert!(brand.vendor().set_lite(SECOND_DIRECTORY, true));
    assert!(!brand.vendor().set_lite("POOL_none", true));
    let path = format!("/directories/{SECOND_DIRECTORY}/contacts");
    for (knob, status) in [("forbidden", 403), ("bad_request", 400)] {
        brand.turn(json!({ "lite_directory": knob }));
        assert_eq!(brand.call(&format!("GET {path}")).await.status, status);
        let search = brand.call_with(&format!("POST {path}/search"), &by_email(ANA_EMAIL)).await;
        assert_eq!(search.status, status);
    }
    assert_eq!(brand.call(&format!("GET {path}/{KIM}")).await.status, 200);
    assert_eq!(brand.found(DIRECTORY, ANA_EMAIL).await, [ANA]);
}
