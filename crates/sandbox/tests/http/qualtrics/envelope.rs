//! The envelope, and what faults say in it.

use habeas_sandbox::qualtrics::fixtures::*;
use reqwest::header::HOST;
use serde_json::{Value, json};

use super::{Brand, ERASE, contacts, error};
use crate::support::send;

#[tokio::test]
async fn meta_and_its_knobs() {
    let brand = Brand::new().await;
    let answer = brand.call("GET /whoami").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!((answer.header("x-frame-options"), answer.header("request-time")), ("DENY", "3"));
    let meta = answer.json()["meta"].clone();
    assert_eq!(meta, json!({"httpStatus": "200 - OK", "requestId": meta["requestId"]}));
    assert_eq!(meta["requestId"].as_str().unwrap().len(), 36);
    let again = brand.call("GET /whoami").await.json()["meta"]["requestId"].clone();
    assert_ne!(meta["requestId"], again);
    for (knob, expected) in [("null", Some(json!(null))), ("empty", Some(json!(""))), ("absent", None)] {
        brand.turn(json!({ "request_id": knob }));
        for path in ["/whoami", "/nothing"] {
            let meta = brand.call(&format!("GET {path}")).await.json()["meta"].clone();
            assert_eq!(meta.get("requestId"), expected.as_ref(), "{knob} {path}");
        }
    }
    brand.turn(json!({"http_status": "200 - OK"}));
    let missing = brand.call("GET /nothing").await;
    assert_eq!((missing.status, &missing.json()["meta"]["httpStatus"]), (404, &json!("200 - OK")));
    brand.turn(json!({"notice": "Be careful."}));
    assert_eq!(brand.call("GET /whoami").await.json()["meta"]["notice"], "Be careful.");
}

#[tokio::test]
async fn faults_speak_the_vendors_language() {
    let brand = Brand::new().await;
    let table = [
        (json!({"kind": "status", "code": 500}), 500, "500 - Internal Server Error"),
        (json!({"kind": "status", "code": 503}), 503, "503 - Temporary Internal Server Error"),
        (json!({"kind": "status", "code": 404}), 404, "404 - Not Found"),
        (json!({"kind": "rate_limited", "retry_after": 7}), 429, "429 - Too Many Requests"),
        (json!({"kind": "token_expired"}), 401, "401 - Unauthorized"),
        (json!({"kind": "scope_missing", "scope": "read:users"}), 403, "403 - Forbidden"),
    ];
    for (fault, status, words) in table {
        brand.fault(json!({"times": 1, "fault": fault}));
        let answer = brand.call("GET /users").await;
        let meta = answer.json()["meta"].clone();
        assert_eq!((answer.status, meta["httpStatus"].as_str()), (status, Some(words)), "{fault}");
        assert_eq!(meta["error"]["instanceId"].is_string(), status >= 500, "{fault}");
    }
    brand.fault(json!({"times": 1, "fault": {"kind": "token_expired"}}));
    assert_eq!(error(&brand.call("GET /users").await).1, "AUTH_6.0");
    brand.fault(json!({"times": 1, "fault": {"kind": "rate_limited"}}));
    assert_eq!(brand.call("GET /users").await.header("retry-after"), "");
    brand.fault(json!({"times": 1, "fault": {"kind": "html", "code": 502}}));
    assert!(brand.call("GET /users").await.text.starts_with("<!doctype html>"));
}

#[tokio::test]
async fn links_use_the_host_of_the_call_and_can_be_hostile() {
    let brand = Brand::with_people(20).await;
    let request = brand.request(&contacts("GET", "?pageSize=10&x=1")).header(HOST, "fra1.example.test:81");
    let page = send(request.bearer_auth(TOKEN)).await.json();
    let base = format!("http://fra1.example.test:81/API/v3/directories/{DIRECTORY}/contacts?pageSize=10&x=1");
    assert_eq!(page["result"]["nextPage"], format!("{base}&skipToken=MTA%3D"));

    brand.fault(json!({"times": 2, "fault": {"kind": "foreign_next", "base": "http://evil.test"}}));
    let next = |answer: crate::support::Answer| answer.json()["result"]["nextPage"].clone();
    let listed = next(brand.call(&format!("GET {ERASE}")).await);
    assert_eq!(listed, "http://evil.test/API/v3/op-erase-personal-data?offset=100");
    let listed = next(brand.call(&contacts("GET", "?pageSize=10")).await);
    assert!(listed.as_str().unwrap().starts_with("http://evil.test/API/v3/directories/"));

    brand.fault(json!({"fault": {"kind": "endless_next"}}));
    let mut visited = Vec::new();
    for first in [
        "GET /users".to_owned(),
        contacts("GET", ""),
        contacts("GET", "?useNewPaginationScheme=true"),
        contacts("GET", &format!("/{ANA}/history?type=email")),
    ] {
        let mut call = first;
        for _ in 0..3 {
            let Value::String(link) = next(brand.call(&call).await) else { panic!("{call} ends") };
            assert!(!visited.contains(&link), "{link}");
            visited.push(link.clone());
            call = format!("GET {link}");
        }
    }
}
