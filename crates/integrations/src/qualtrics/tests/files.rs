//! What a customer-data job's files may be.

use rstest::rstest;

use super::*;
use crate::connector::{Collected, Export, Job};
use crate::error::{ErrorKind, Retry, VendorError};

/// Collects from a job with these files.
async fn collect(vendor: &Vendor, report: Value, files: Vec<(&str, Act)>) -> Result<Collected, VendorError> {
    collect_with(vendor, report, files, vendor.options()).await
}

async fn collect_with(
    vendor: &Vendor,
    report: Value,
    files: Vec<(&str, Act)>,
    options: ClientOptions,
) -> Result<Collected, VendorError> {
    vendor.change(|state| {
        state.reports = vec![report];
        state.files = files.into_iter().map(|(id, act)| (id.to_owned(), act)).collect();
    });
    let connector = vendor.connector_of(client_with(options));
    match connector.export(&subject(&[ANA]), Some(&Job::new("CDR-1").unwrap())).await? {
        Export::Collected(collected) => Ok(collected),
        Export::Pending(_) => panic!("the job is not over"),
    }
}

async fn collect_one(content_type: &str, body: &[u8]) -> Result<Collected, VendorError> {
    let vendor = Vendor::new().await;
    let report = json!({"status": "complete", "fileId": "F1"});
    collect(&vendor, report, vec![("F1", bytes(content_type, body))]).await
}

const JSON: &str = "application/json";

#[rstest]
#[case::array(r#"[{"responseId":"R_1"},{"responseId":"R_2"}]"#, &["response", "response"])]
#[case::empty_array("[]", &[])]
#[case::empty("", &[])]
#[case::blank(" \n", &[])]
#[case::nothing("null", &[])]
#[case::empty_object("{}", &[])]
#[case::numbers("[1,2]", &["customer_data"])]
#[case::nothing_between(r#"[{"a":1},null,{"a":2}]"#, &["response", "response"])]
#[case::named(r#"{"responses":[{"a":1}],"others":[{"a":1},{"a":2}]}"#, &["response", "customer_data"])]
#[case::named_and_empty(r#"{"responses":[]}"#, &[])]
#[case::survey_responses(r#"{"surveyResponses":[{"a":1}],"contacts":[{"a":1},{"a":2}]}"#, &["response", "customer_data"])]
#[case::no_survey_responses(r#"{"surveyResponses":[],"contacts":[{"a":1}]}"#, &["customer_data"])]
#[case::only_list(r#"{"x":[{"a":1},{"a":2}],"y":["a"]}"#, &["response", "response", "customer_data"])]
#[case::several_lists(r#"{"contacts":[{"a":1}],"users":[{"a":1},{"a":2}]}"#, &["customer_data"])]
#[case::beside_the_list(r#"{"elements":[{"a":1}],"nextPage":null,"language":"pt"}"#, &["response", "customer_data"])]
#[case::only_nulls_beside(r#"{"elements":[{"a":1}],"nextPage":null}"#, &["response"])]
#[case::no_list(r#"{"email":"x","tags":["a","b"]}"#, &["customer_data"])]
#[case::scalar("\"text\"", &["customer_data"])]
#[case::enveloped(r#"{"result":{"elements":[{"a":1},{"a":2}]},"meta":{"requestId":"x"}}"#, &["response", "response"])]
#[case::enveloped_list(r#"{"result":[{"a":1}],"meta":{}}"#, &["response"])]
#[case::enveloped_nothing(r#"{"result":null,"meta":{}}"#, &[])]
#[case::one_a_line("{\"a\":1}\n{\"a\":2}\n", &["response", "response"])]
#[case::indented("\n\t [{\"a\":1}]", &["response"])]
#[tokio::test]
async fn json_becomes_records(#[case] body: &str, #[case] kinds: &[&str]) {
    // What is neither object nor list is believed to be JSON only if the vendor says so.
    let is_plain = body.starts_with(['n', '"']);
    let others = ["application/octet-stream", "application/json; charset=utf-8"];
    for content_type in others.into_iter().skip(usize::from(is_plain)) {
        let collected = collect_one(content_type, body.as_bytes()).await.unwrap();
        let found: Vec<&str> = collected.records.iter().map(|record| record.kind.as_str()).collect();
        assert_eq!(found, kinds, "{content_type}");
        assert!(collected.records.iter().all(|record| !record.fields.is_empty() && record.file.is_none()));
    }
}

fn zip() -> Vec<u8> {
    [b"PK\x03\x04".as_slice(), &[0; 40], b"PK\x05\x06", &[0; 18]].concat()
}

#[rstest]
#[case::zip("application/zip", zip(), "zip", "application/zip")]
#[case::zip_by_its_bytes(JSON, zip(), "zip", "application/zip")]
#[case::empty_zip("application/octet-stream", [b"PK\x05\x06".as_slice(), &[0; 18]].concat(), "zip", "application/zip")]
#[case::gzip("application/octet-stream", vec![0x1F, 0x8B, 8, 0], "gz", "application/gzip")]
#[case::csv("text/csv; charset=utf-8", b"email,q1\nana,5".to_vec(), "csv", "text/csv")]
#[case::text("text/plain", b"hello".to_vec(), "txt", "text/plain")]
#[case::unknown("application/x-thing", vec![1, 2, 3], "bin", "application/octet-stream")]
#[case::no_json_after_all(JSON, b"{not json".to_vec(), "json", "application/json")]
#[case::too_many_values(JSON, [b"[".as_slice(), &b"{},".repeat(300_000), b"{}]"].concat(), "json", "application/json")]
#[case::too_deep(JSON, [vec![b'['; 300], vec![b']'; 300]].concat(), "json", "application/json")]
#[tokio::test]
async fn anything_else_is_handed_on_as_it_came(
    #[case] content_type: &str,
    #[case] body: Vec<u8>,
    #[case] extension: &str,
    #[case] media_type: &str,
) {
    let collected = collect_one(content_type, &body).await.unwrap();
    let record = &collected.records[0];
    assert_eq!((record.kind.as_str(), record.vendor_id.as_str()), ("file", "customer-data/file/1"));
    let file = record.file.as_ref().unwrap();
    assert_eq!(file.name, format!("qualtrics-customer-data-1.{extension}"));
    assert_eq!((file.media_type.as_str(), &file.bytes), (media_type, &body));
}

#[rstest]
#[case::web_page("text/html", b"<html>secret@example.test</html>".to_vec())]
#[case::web_page_by_its_bytes("application/octet-stream", b"  <!DOCTYPE HTML><p>secret@example.test".to_vec())]
#[case::half_json(JSON, b"[{\"email\": \"secret@example.test\"}".to_vec())]
#[case::half_zip("application/zip", b"PK\x03\x04 secret@example.test".to_vec())]
#[tokio::test]
async fn a_web_page_or_half_a_file_is_fetched_again(#[case] content_type: &str, #[case] body: Vec<u8>) {
    let error = collect_one(content_type, &body).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::BadAnswer, Retry::After(None)));
    assert!(!format!("{error:?}").contains("secret@"));
}

#[tokio::test]
async fn a_file_that_is_cut_off_is_fetched_again() {
    let vendor = Vendor::new().await;
    let cut = Act::Raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nContent-Length: 500\r\n\r\nPK".to_vec(),
    );
    let report = json!({"status": "complete", "fileId": "F1"});
    let error = collect(&vendor, report, vec![("F1", cut)]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::BadAnswer, Retry::After(None)));
}

#[rstest]
#[case(json!({"fileId": "F1"}), 1)]
#[case(json!({"fileId": 7}), 1)]
#[case(json!({"fileIds": ["F1", "F2"]}), 2)]
#[case(json!({"fileIds": "F1"}), 1)]
#[case(json!({"files": ["F1", {"fileId": "F2"}, {"id": "7"}, {"name": "x"}, null]}), 3)]
#[case(json!({"files": {"id": "F1"}}), 1)]
#[case(json!({"fileId": "F1", "fileIds": ["F1", "F2"]}), 2)]
#[case(json!({"fileId": "a b"}), 0)]
#[tokio::test]
async fn files_are_found_wherever_they_are_named(#[case] named: Value, #[case] count: usize) {
    let vendor = Vendor::new().await;
    let mut report = named;
    report["status"] = json!("complete");
    let file = || bytes(JSON, br#"[{"a":1}]"#);
    let collected =
        collect(&vendor, report, vec![("F1", file()), ("F2", file()), ("7", file())]).await.unwrap();
    assert_eq!(collected.records.len(), count);
    let ids: std::collections::HashSet<&str> =
        collected.records.iter().map(|record| record.vendor_id.as_str()).collect();
    assert_eq!(ids.len(), count);
}

#[tokio::test]
async fn a_file_that_is_too_large_is_named_and_the_rest_delivered() {
    let vendor = Vendor::with(vec![Directory::new("POOL_1").with("CID_1", ANA)]).await;
    let report = json!({"status": "complete", "fileIds": ["F1", "F2"]});
    let files = vec![("F1", bytes("application/zip", &[b' '; 5000])), ("F2", bytes(JSON, br#"[{"a":1}]"#))];
    let options = ClientOptions { max_body_bytes: 4096, ..vendor.options() };
    let collected = collect_with(&vendor, report, files, options).await.unwrap();
    let found: Vec<&str> = collected.records.iter().map(|record| record.vendor_id.as_str()).collect();
    assert_eq!(found, ["customer-data/response/2-1", "POOL_1/CID_1"]);
    assert_eq!(collected.residuals[0].what, "customer-data file 1");
    assert!(collected.residuals[0].why.contains("by hand"));
}

#[tokio::test]
async fn more_files_than_are_fetched_are_named() {
    let vendor = Vendor::new().await;
    let names: Vec<String> = (0..25).map(|number| format!("F{number}")).collect();
    let files = names.iter().map(|name| (name.as_str(), bytes(JSON, br#"[{"a":1}]"#))).collect();
    let collected = collect(&vendor, json!({"status": "complete", "fileIds": names}), files).await.unwrap();
    assert_eq!(collected.records.len(), 20);
    assert_eq!(collected.residuals[0].what, "further customer-data files");
}

#[tokio::test]
async fn more_records_than_are_kept_are_named() {
    let vendor = Vendor::new().await;
    let body = [b"[".as_slice(), &br#"{"a":1},"#.repeat(50_004), br#"{"a":1}]"#].concat();
    let report = json!({"status": "complete", "fileIds": ["F1", "F2"]});
    let files = vec![("F1", bytes(JSON, &body)), ("F2", bytes("application/zip", &zip()))];
    let collected = collect(&vendor, report, files).await.unwrap();
    assert_eq!(collected.records.len(), 50_000);
    assert!(
        collected.records.iter().all(|record| record.file.is_none()),
        "no file hangs on another's record"
    );
    let what: Vec<&str> = collected.residuals.iter().map(|one| one.what.as_str()).collect();
    assert!(what.contains(&"further records") && what.contains(&"customer-data file 2"), "{what:?}");
}
