//! Collecting everything about one person.

use rstest::rstest;

use super::*;
use crate::connector::{Collected, Export, Job};
use crate::error::{ErrorKind, Retry, VendorError};

fn job() -> Job {
    Job::new("CDR-1").unwrap()
}

async fn step(vendor: &Vendor, job: Option<&Job>) -> Result<Export, VendorError> {
    vendor.connector().export(&subject(&[ANA]), job).await
}

async fn collected_for(vendor: &Vendor, emails: &[&str]) -> Collected {
    match vendor.connector().export(&subject(emails), Some(&job())).await.unwrap() {
        Export::Collected(collected) => collected,
        Export::Pending(_) => panic!("the job is not over"),
    }
}

fn ids(collected: &Collected) -> Vec<&str> {
    collected.records.iter().map(|record| record.vendor_id.as_str()).collect()
}

#[tokio::test]
async fn a_job_is_begun_with_all_addresses_and_followed() {
    let vendor = Vendor::new().await;
    let person = subject(&[" Ana.Silva@Example.test ", "ana@example.test", ANA]);
    let export = vendor.connector().export(&person, None).await.unwrap();
    assert!(matches!(export, Export::Pending(job) if job.as_str() == "CDR-1"));
    let asked = &vendor.calls("POST", "/customer-data-requests")[0];
    assert_eq!(asked.body, r#"{"emails":["Ana.Silva@Example.test","ana@example.test"]}"#);
    vendor.change(|state| state.reports.insert(0, json!({"status": "inProgress", "percentComplete": 40.0})));
    assert!(matches!(step(&vendor, Some(&job())).await.unwrap(), Export::Pending(known) if known == job()));
    assert!(matches!(step(&vendor, Some(&job())).await.unwrap(), Export::Collected(_)));
}

#[rstest]
#[case(json!({"result": {"customerDataRequestId": "J-1", "requestId": "no"}}), "J-1")]
#[case(json!({"result": {"requestId": "J-1"}, "meta": {"requestId": "no"}}), "J-1")]
#[case(json!({"result": {"id": 17}}), "17")]
#[case(json!({"result": {"jobId": "J-1"}}), "J-1")]
#[case(json!({"result": {"progressId": "J-1", "status": "queued"}}), "J-1")]
#[case(json!({"result": "J-1"}), "J-1")]
#[case(json!({"jobId": "J-1", "meta": {"requestId": "no"}}), "J-1")]
#[tokio::test]
async fn a_jobs_id_is_found_wherever_it_is(#[case] body: Value, #[case] id: &str) {
    for status in [200, 202, 207] {
        let vendor = Vendor::new().await;
        vendor.answers("POST", "/customer-data-requests", Act::json(status, body.clone()));
        assert!(matches!(step(&vendor, None).await.unwrap(), Export::Pending(job) if job.as_str() == id));
    }
}

#[rstest]
#[case(json!({"result": {"status": "inProgress"}, "meta": {"requestId": REQUEST_ID}}))]
#[case(json!({"meta": {"requestId": REQUEST_ID}}))]
#[case(json!({"result": [1]}))]
#[case(json!({"result": {"id": "a b"}}))]
#[case(json!({"result": {"status": "complete", "fileId": "F1"}}))]
#[tokio::test]
async fn a_job_without_an_id_cannot_be_followed(#[case] body: Value) {
    let vendor = Vendor::new().await;
    vendor.answers("POST", "/customer-data-requests", Act::json(200, body));
    let error = step(&vendor, None).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::BadAnswer, Retry::Never));
}

#[tokio::test]
async fn a_job_that_is_over_at_once_needs_no_second_look() {
    let vendor = Vendor::with(vec![Directory::new("POOL_1").with("CID_1", ANA)]).await;
    let body = json!({"result": {"id": "CDR-1", "status": "COMPLETE", "files": []}});
    vendor.answers("POST", "/customer-data-requests", Act::json(200, body));
    let Export::Collected(collected) = step(&vendor, None).await.unwrap() else { panic!("it is over") };
    assert_eq!(ids(&collected), ["POOL_1/CID_1"]);
}

#[rstest]
#[case(json!({"status": "complete"}), true)]
#[case(json!({"status": "Completed"}), true)]
#[case(json!({"status": " DONE "}), true)]
#[case(json!({"status": "Suc_cess"}), true)]
#[case(json!({"percentComplete": 100}), true)]
#[case(json!({"percentComplete": "100.0"}), true)]
#[case(json!({"fileId": "F1"}), true)]
#[case(json!({"status": "inProgress", "fileId": "F1"}), false)]
#[case(json!({"status": "in_progress", "percentComplete": 100}), false)]
#[case(json!({"status": "whatever"}), false)]
#[case(json!({"percentComplete": 99.9}), false)]
#[case(json!({"status": null}), false)]
#[tokio::test]
async fn a_jobs_state_is_read_tolerantly(#[case] report: Value, #[case] is_over: bool) {
    let vendor = Vendor::new().await;
    vendor.change(|state| {
        state.reports = vec![report];
        state.files.insert("F1".to_owned(), bytes("application/json", b"[]"));
    });
    let export = step(&vendor, Some(&job())).await.unwrap();
    assert_eq!(matches!(export, Export::Collected(_)), is_over);
}

#[rstest]
#[case("failed")]
#[case("Error")]
#[case("CANCELLED")]
#[tokio::test]
async fn a_failed_job_is_one(#[case] word: &str) {
    let vendor = Vendor::new().await;
    vendor.change(|state| state.reports = vec![json!({"status": word, "reason": "secret@example.test"})]);
    let error = step(&vendor, Some(&job())).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::JobFailed);
    assert_eq!(error.vendor_request_id.as_deref(), Some(REQUEST_ID));
    assert!(!format!("{error:?}").contains("secret@"));
}

#[rstest]
#[case::job("CDR-9", json!({}))]
#[case::file("CDR-1", json!({"status": "complete", "fileId": "gone"}))]
#[tokio::test]
async fn what_the_vendor_no_longer_keeps_is_begun_anew(#[case] job: &str, #[case] report: Value) {
    let vendor = Vendor::new().await;
    vendor.change(|state| state.reports = vec![report]);
    let error = step(&vendor, Some(&Job::new(job).unwrap())).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::JobFailed, Some(404)));
}

#[rstest]
#[case(400, None, ErrorKind::BadRequest, None)]
#[case(403, None, ErrorKind::Permission, Some("manage:customer_data_requests"))]
#[case(403, Some("QMST_2.1"), ErrorKind::Permission, Some("Brand Administrator"))]
#[case(404, None, ErrorKind::BadAnswer, None)]
#[case(409, None, ErrorKind::NotAllowed, None)]
#[case(411, None, ErrorKind::BadRequest, None)]
#[case(413, None, ErrorKind::BadRequest, None)]
#[case(414, None, ErrorKind::BadRequest, None)]
#[case(415, None, ErrorKind::BadRequest, None)]
#[tokio::test]
async fn a_refusal_needs_a_person(
    #[case] status: u16,
    #[case] code: Option<&'static str>,
    #[case] kind: ErrorKind,
    #[case] permission: Option<&str>,
) {
    let vendor = Vendor::new().await;
    vendor.answers("POST", "/customer-data-requests", refusal(status, code, "secret@example.test"));
    let error = step(&vendor, None).await.unwrap_err();
    assert_eq!((error.kind, error.retry, error.permission), (kind, Retry::Never, permission));
    assert_eq!((error.status, error.vendor_request_id.as_deref()), (Some(status), Some(REQUEST_ID)));
    assert!(!format!("{error:?}").contains("secret@"));
}

#[rstest]
#[case(429, ErrorKind::RateLimited)]
#[case(500, ErrorKind::Unavailable)]
#[case(503, ErrorKind::Unavailable)]
#[case(504, ErrorKind::Unavailable)]
#[tokio::test]
async fn a_passing_failure_is_tried_again(#[case] status: u16, #[case] kind: ErrorKind) {
    let vendor = Vendor::new().await;
    let body = json!({"meta": {"error": {"errorCode": "SURVEYS_1.2", "instanceId": "x"}}});
    vendor.answers("POST", "/customer-data-requests", Act::json(status, body));
    let error = step(&vendor, None).await.unwrap_err();
    // Beginning a job twice does no harm, so its outcome is never "unknown".
    assert_eq!((error.kind, error.retry), (kind, Retry::After(None)));
}

#[tokio::test]
async fn everything_about_the_person_is_collected() {
    let main = Directory::new("POOL_1")
        .with("CID_1", " ANA.Silva@example.test ")
        .with("CID_2", "other@example.test")
        .with_history(
            "CID_1",
            "response",
            vec![
                json!({"responseId": "R_1", "surveyId": "SV_1"}),
                json!({"responseId": null, "distributionId": "EMD_1"}),
            ],
        )
        .with_history(
            "CID_1",
            "email",
            vec![
                json!({"distributionId": "EMD_1", "type": "Invite"}),
                json!({"distributionId": "EMD_1", "type": "Reminder"}),
                json!({}),
            ],
        );
    let second = Directory::new("POOL_2").with("CID_1", "ana@example.test");
    let vendor = Vendor::with(vec![main, second]).await;
    vendor.change(|state| {
        state.users = vec![user("UR_1", "Ana@example.test"), user("UR_2", "joana@example.test")];
        state.reports = vec![json!({"status": "complete", "fileId": "F1"})];
        let file = json!([{"responseId": "R_1", "q1": 5}, {"q1": 4}, {"ResponseId": "R_1"}]);
        state.files.insert("F1".to_owned(), bytes("application/json", file.to_string().as_bytes()));
    });
    let collected = collected_for(&vendor, &[ANA, "ana@example.test"]).await;
    let found: Vec<(&str, &str)> =
        collected.records.iter().map(|one| (one.kind.as_str(), one.vendor_id.as_str())).collect();
    assert_eq!(
        found,
        [
            ("response", "customer-data/response/R_1"),
            ("response", "customer-data/response/1-2"),
            ("response", "customer-data/response/R_1~2"),
            ("contact", "POOL_1/CID_1"),
            ("survey_history", "POOL_1/CID_1/survey_history/R_1"),
            ("survey_history", "POOL_1/CID_1/survey_history/EMD_1"),
            ("email_history", "POOL_1/CID_1/email_history/EMD_1"),
            ("email_history", "POOL_1/CID_1/email_history/EMD_1~2"),
            ("email_history", "POOL_1/CID_1/email_history/3"),
            ("contact", "POOL_2/CID_1"),
            ("user", "users/UR_1"),
        ]
    );
    assert!(collected.residuals.is_empty(), "{:?}", collected.residuals);
    let contact = &collected.records[3];
    assert_eq!((contact.title.as_str(), contact.person.as_deref()), ("Ana Silva", Some("Ana Silva")));
    assert_eq!(contact.fields["embeddedData"], json!({"tier": "gold"}));
    let with_person = collected.records.iter().filter(|one| one.person.is_some());
    assert!(with_person.clone().all(|one| one.kind == "contact" || one.kind == "user"));
    assert_eq!(with_person.count(), 3);
    // The same again gives the same ids.
    let again = collected_for(&vendor, &[ANA, "ana@example.test"]).await;
    assert_eq!(ids(&again), ids(&collected));
    assert!(!format!("{collected:?}").contains("Ana"));
    assert!(vendor.server.asked().iter().all(|asked| !asked.target.contains("example.test")));
}

#[tokio::test]
async fn a_search_that_ignores_its_filter_gives_nobody_the_others_data() {
    let vendor = Vendor::new().await;
    let all = json!({"elements": [
        {"id": "CID_1", "email": "other@example.test"}, {"id": "CID_2", "email": null}, {"id": "CID_3"},
        {"id": "CID_4", "email": ["ana.silva@example.test"]}, {"id": "CID_5", "email": "ANA.SILVA@EXAMPLE.TEST"},
        {"id": "CID_6", "email": "diana.silva@example.test"},
    ]});
    vendor.answers("POST", "/search", result(&all));
    assert_eq!(ids(&collected_for(&vendor, &[ANA]).await), ["POOL_1/CID_5"]);
}

#[rstest]
#[case(json!({"contactId": "CID_9", "email": ANA}), true)]
#[case(json!({"id": "../users", "email": ANA}), false)]
#[case(json!({"email": ANA}), false)]
#[tokio::test]
async fn a_matching_contact_needs_an_id(#[case] contact: Value, #[case] is_read: bool) {
    let vendor = Vendor::new().await;
    vendor.answers("POST", "/search", result(&json!({"elements": [contact]})));
    match step(&vendor, Some(&job())).await {
        Ok(_) => assert!(is_read),
        Err(error) => assert!(!is_read && error.kind == ErrorKind::BadAnswer),
    }
}

#[rstest]
#[case(400)]
#[case(403)]
#[case(404)]
#[tokio::test]
async fn a_directory_that_cannot_be_searched_is_a_residual(#[case] status: u16) {
    let directories =
        vec![Directory::new("POOL_L").refusing(status), Directory::new("POOL_1").with("CID_1", ANA)];
    let vendor = Vendor::with(directories).await;
    let collected = collected_for(&vendor, &[ANA]).await;
    assert_eq!(ids(&collected), ["POOL_1/CID_1"]);
    assert_eq!(collected.residuals.len(), 1);
    assert!(collected.residuals[0].what.contains("POOL_L") && collected.residuals[0].why.contains("Lite"));
}

#[rstest]
#[case(401, ErrorKind::Credentials)]
#[case(413, ErrorKind::BadRequest)]
#[tokio::test]
async fn another_refusal_of_a_search_is_an_error(#[case] status: u16, #[case] kind: ErrorKind) {
    let vendor = Vendor::with(vec![Directory::new("POOL_1").refusing(status)]).await;
    assert_eq!(step(&vendor, Some(&job())).await.unwrap_err().kind, kind);
}

#[tokio::test]
async fn a_search_without_the_scope_is_not_taken_for_a_lite_directory() {
    let vendor = Vendor::new().await;
    vendor.change(|state| state.scopes.retain(|scope| *scope != "read:directory_contacts"));
    let error = step(&vendor, Some(&job())).await.unwrap_err();
    assert_eq!((error.kind, error.permission), (ErrorKind::Permission, Some("read:directory_contacts")));
}

#[tokio::test]
async fn a_contact_that_vanishes_meanwhile_is_a_residual() {
    let vendor = Vendor::with(vec![Directory::new("POOL_1").with("CID_1", ANA)]).await;
    vendor.answers("GET", "/history", refusal(404, Some("ESSG_2"), "CID_1 not found"));
    let collected = collected_for(&vendor, &[ANA]).await;
    assert_eq!(ids(&collected), ["POOL_1/CID_1"]);
    assert_eq!(
        collected.residuals.iter().map(|one| one.what.as_str()).collect::<Vec<_>>(),
        ["history of a contact"]
    );
}

#[rstest]
#[case("/directories", 403, Some("read:directories"))]
#[case("/history", 403, Some("read:directory_contacts"))]
#[case("/users", 403, Some("read:users"))]
#[tokio::test]
async fn a_lost_permission_is_named(
    #[case] end: &'static str,
    #[case] status: u16,
    #[case] scope: Option<&str>,
) {
    let vendor = Vendor::with(vec![Directory::new("POOL_1").with("CID_1", ANA)]).await;
    vendor.answers("GET", end, refusal(status, Some("QMST_2.1"), "forbidden"));
    let error = step(&vendor, Some(&job())).await.unwrap_err();
    assert_eq!((error.kind, error.permission), (ErrorKind::Permission, scope));
}

#[rstest]
#[case(json!({"status": "complete"}), true)]
#[case(json!({"status": "complete", "fileId": null}), false)]
#[case(json!({"status": "complete", "files": []}), false)]
#[tokio::test]
async fn a_job_that_does_not_speak_of_files_is_told(#[case] report: Value, #[case] is_told: bool) {
    let vendor = Vendor::new().await;
    vendor.change(|state| state.reports = vec![report]);
    let collected = collected_for(&vendor, &[ANA]).await;
    assert_eq!(collected.residuals.len(), usize::from(is_told));
    assert!(collected.residuals.iter().all(|one| one.what == "survey responses"));
}

#[tokio::test]
async fn without_an_address_nothing_is_sent() {
    let vendor = Vendor::new().await;
    for job in [None, Some(&job())] {
        let error = vendor.connector().export(&subject(&[" "]), job).await.unwrap_err();
        assert_eq!((error.kind, error.retry), (ErrorKind::BadRequest, Retry::Never));
    }
    assert!(vendor.asked().is_empty());
}
