//! Customer data requests in each of their shapes.

use habeas_sandbox::qualtrics::fixtures::*;
use habeas_sandbox::qualtrics::{Completion, CustomerDataTemplate, FileFormat, JobStatus};
use serde_json::{Value, json};

use super::{Brand, DATA, error};
use crate::support::{Answer, send};

async fn create(brand: &Brand, body: &Value) -> Value {
    let answer = brand.call_with(&format!("POST {DATA}"), body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["result"].clone()
}

async fn progress(brand: &Brand, id: &str) -> Value {
    brand.call(&format!("GET {DATA}/{id}")).await.json()["result"].clone()
}

async fn download(brand: &Brand, id: &str, file: &Value) -> Answer {
    brand.call(&format!("GET {DATA}/{id}/files/{}", file.as_str().unwrap())).await
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn the_guess() {
    let brand = Brand::new().await;
    let created = create(&brand, &json!({"emails": [ANA_EMAIL]})).await;
    let id = text(&created["customerDataRequestId"]);
    assert_eq!(created, json!({"customerDataRequestId": id, "status": "inProgress", "percentComplete": 0.0}));
    assert_eq!(progress(&brand, id).await, json!({"percentComplete": 0.0, "status": "inProgress"}));
    assert_eq!(progress(&brand, id).await, json!({"percentComplete": 50.0, "status": "inProgress"}));
    let done = progress(&brand, id).await;
    assert_eq!(done, json!({"percentComplete": 100.0, "status": "complete", "fileId": done["fileId"]}));

    let file = download(&brand, id, &done["fileId"]).await;
    assert_eq!((file.status, file.header("content-type")), (200, "application/json"));
    let data = file.json();
    assert!(data.get("meta").is_none());
    assert_eq!(data["emails"], json!([ANA_EMAIL]));
    let ids = |section: &str, field: &str| -> Vec<Value> {
        data[section].as_array().unwrap().iter().map(|item| item[field].clone()).collect()
    };
    assert_eq!(ids("contacts", "contactId"), [ANA, ANA_SECOND]);
    assert_eq!(ids("surveyResponses", "responseId").len(), 3);
    assert_eq!(ids("tickets", "ticketId").len(), 1);
    assert_eq!(ids("users", "id"), [Value::Null; 0]);
    assert!(!file.text.contains(JO_EMAIL));
    let requests = brand.vendor().customer_data_requests();
    assert_eq!((requests[0].downloads, requests[0].polls, requests[0].status), (1, 2, JobStatus::Completed));
}

#[tokio::test]
async fn the_analogues() {
    let brand = Brand::new().await;
    brand.complete(Completion::Polls(0));
    brand.turn(json!({"customer_data": "export_job"}));
    let created = create(&brand, &json!({"emails": [ANA_EMAIL]})).await;
    let id = text(&created["jobId"]);
    let done = progress(&brand, id).await;
    let files = done["fileIds"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    let first = download(&brand, id, &files[0]).await.json();
    let second = download(&brand, id, &files[1]).await.json();
    assert_eq!(first["surveyResponses"].as_array().unwrap().len(), 3);
    assert!(first.get("contacts").is_none() && second.get("surveyResponses").is_none());
    assert_eq!(second["contacts"].as_array().unwrap().len(), 2);

    brand.turn(json!({"customer_data": "export_progress"}));
    let created = create(&brand, &json!({"emails": [ANA_EMAIL]})).await;
    let id = text(&created["progressId"]);
    let done = progress(&brand, id).await;
    let file = brand.request(&format!("GET {DATA}/{id}/files/{}", text(&done["files"][0]["fileId"])));
    let file = file.bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(file.headers()["content-type"], "application/zip");
    assert!(file.bytes().await.unwrap().starts_with(b"PK\x03\x04"));
}

#[tokio::test]
async fn any_shape_at_all() {
    let brand = Brand::new().await;
    let template = json!({
        "emails_field": "email", "created": {"id": "$id"}, "pending": {"state": "queued"},
        "completed": {"state": "$reason", "file": {"id": "$fileId"}}, "failed": {"why": "$reason"},
        "files": 1, "file_format": "enveloped",
    });
    brand.turn(json!({"customer_data": template, "customer_data_completion": "manual"}));
    let refused = brand.call_with(&format!("POST {DATA}"), &json!({"emails": [ANA_EMAIL]})).await;
    assert_eq!(error(&refused).0, 400);
    let created = create(&brand, &json!({"email": ANA_EMAIL})).await;
    let id = text(&created["id"]);
    assert_eq!(progress(&brand, id).await, json!({"state": "queued"}));
    assert!(brand.vendor().finish_customer_data_request(id, None));
    assert!(!brand.vendor().finish_customer_data_request(id, None));
    let done = progress(&brand, id).await;
    let file = download(&brand, id, &done["file"]["id"]).await.json();
    assert_eq!(file["result"]["emails"], json!([ANA_EMAIL]));
    assert_eq!(file["meta"]["httpStatus"], "200 - OK");

    let created = create(&brand, &json!({"email": ANA_EMAIL})).await;
    let id = text(&created["id"]);
    assert!(brand.vendor().finish_customer_data_request(id, Some("no luck")));
    assert_eq!(progress(&brand, id).await, json!({"why": "no luck"}));

    let gzip = CustomerDataTemplate { file_format: FileFormat::Gzip, ..CustomerDataTemplate::guess() };
    brand.turn(json!({"customer_data": gzip, "customer_data_completion": {"polls": 0}}));
    let created = create(&brand, &json!({"emails": [ANA_EMAIL]})).await;
    let id = text(&created["customerDataRequestId"]);
    let done = progress(&brand, id).await;
    let file = brand.request(&format!("GET {DATA}/{id}/files/{}", text(&done["fileId"])));
    let file = send_bytes(file.bearer_auth(TOKEN)).await;
    assert!(file.starts_with(&[0x1f, 0x8b]));
}

async fn send_bytes(request: reqwest::RequestBuilder) -> Vec<u8> {
    request.send().await.unwrap().bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn failure_time_and_retention() {
    let brand = Brand::new().await;
    brand.turn(json!({"customer_data_failure": "x", "customer_data_completion": {"ms": 60_000}}));
    let created = create(&brand, &json!({"emails": [ANA_EMAIL]})).await;
    let id = text(&created["customerDataRequestId"]);
    brand.advance(30);
    let half = progress(&brand, id).await["percentComplete"].as_f64().unwrap();
    assert!((50.0..60.0).contains(&half), "{half}");
    brand.advance(30);
    assert_eq!(progress(&brand, id).await, json!({"percentComplete": 100.0, "status": "failed"}));

    brand.turn(json!({"customer_data_failure": null, "file_lifetime_ms": 60_000}));
    let created = create(&brand, &json!({"emails": [NOBODY_EMAIL]})).await;
    let id = text(&created["customerDataRequestId"]);
    brand.advance(60);
    let file = progress(&brand, id).await["fileId"].clone();
    let data = download(&brand, id, &file).await.json();
    assert_eq!((&data["contacts"], &data["surveyResponses"]), (&json!([]), &json!([])));
    brand.advance(60);
    assert_eq!(error(&download(&brand, id, &file).await).0, 404);
}

#[tokio::test]
async fn what_is_not_there() {
    let brand = Brand::new().await;
    assert_eq!(brand.call(&format!("GET {DATA}/CDR-none")).await.status, 404);
    assert_eq!(brand.call(&format!("GET {DATA}")).await.status, 404, "there is no list");
    let created = create(&brand, &json!({"emails": [ANA_EMAIL]})).await;
    let id = text(&created["customerDataRequestId"]);
    assert_eq!(download(&brand, id, &json!("none")).await.status, 404);
    for body in [json!({}), json!({"emails": []}), json!({"emails": ["x"]})] {
        assert_eq!(brand.call_with(&format!("POST {DATA}"), &body).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn the_file_is_as_of_the_end_of_the_job() {
    let brand = Brand::new().await;
    brand.complete(Completion::Polls(0));
    let created = create(&brand, &json!({"emails": [JO_EMAIL]})).await;
    brand.erase(JO_EMAIL).await;
    let id = text(&created["customerDataRequestId"]);
    let file = progress(&brand, id).await["fileId"].clone();
    assert_eq!(download(&brand, id, &file).await.json()["contacts"][0]["contactId"], JO);
}

#[tokio::test]
async fn a_file_that_breaks_off() {
    let brand = Brand::new().await;
    brand.complete(Completion::Polls(0));
    let created = create(&brand, &json!({"emails": [ANA_EMAIL]})).await;
    let id = text(&created["customerDataRequestId"]);
    let file = progress(&brand, id).await["fileId"].clone();
    brand.fault(json!({"path_contains": "/files/", "times": 1, "fault": {"kind": "truncated"}}));
    let call = brand.request(&format!("GET {DATA}/{id}/files/{}", text(&file))).bearer_auth(TOKEN);
    assert!(crate::support::try_send(call).await.is_err());
    let call = brand.request(&format!("GET {DATA}/{id}/files/{}", text(&file))).bearer_auth(TOKEN);
    assert_eq!(send(call).await.status, 200);
    let effects = brand.sandbox.calls().route("qualtrics", "POST /API/v3/customer-data-requests").effects;
    assert_eq!(effects, 1);
}
