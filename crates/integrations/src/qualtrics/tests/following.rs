//! The list of erasures: following jobs and finding those whose answer was lost.

use rstest::rstest;

use super::*;
use crate::connector::{Job, Progress};
use crate::error::{ErrorKind, VendorError};

fn entry(id: &str, status: &str, emails: &[&str]) -> Value {
    json!({
        "requestid": id, "status": status, "user": "UR_0", "numEmailsRequested": emails.len().to_string(),
        "emailsNotFound": [], "emailList": emails, "searchOnly": "false", "failureReason": null, "created": NOW,
    })
}

/// A finished erasure of somebody else.
fn other(number: usize) -> Value {
    entry(&format!("OP-x{number}"), "Completed", &[&format!("p{number}@example.test")])
}

fn changed(mut entry: Value, changes: &Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        entry[key] = value.clone();
    }
    entry
}

fn job(id: &str) -> Job {
    Job::new(id).unwrap()
}

async fn follow(vendor: &Vendor, ids: &[&str]) -> Result<Vec<Progress>, VendorError> {
    let jobs: Vec<Job> = ids.iter().map(|id| job(id)).collect();
    vendor.connector().follow(&jobs).await
}

fn word(progress: &Progress) -> &'static str {
    match progress {
        Progress::Pending => "pending",
        Progress::Done(_) => "done",
        Progress::Failed(_) => "failed",
        Progress::Forgotten => "forgotten",
    }
}

async fn words(vendor: &Vendor, ids: &[&str]) -> Vec<&'static str> {
    follow(vendor, ids).await.unwrap().iter().map(word).collect()
}

#[rstest]
#[case("Completed", json!(null), "done")]
#[case("complete", json!(""), "done")]
#[case("DONE", json!("null"), "done")]
#[case(" Suc cess_", json!([]), "done")]
#[case("Failed", json!(null), "failed")]
#[case("error", json!(null), "failed")]
#[case("cancelled", json!(null), "failed")]
#[case("Completed", json!("no mailbox secret@example.test"), "failed")]
#[case("InProgress", json!({"code": 7}), "failed")]
#[case("InProgress", json!(null), "pending")]
#[case("Queued", json!(null), "pending")]
#[case("not completed", json!(null), "pending")]
#[case("", json!(false), "pending")]
#[tokio::test]
async fn a_status_word_is_understood(#[case] status: &str, #[case] reason: Value, #[case] expected: &str) {
    let vendor = Vendor::new().await;
    let changes = json!({"failureReason": reason});
    vendor.change(|state| state.erasures = vec![changed(entry("OP-1", status, &[ANA]), &changes)]);
    let progress = follow(&vendor, &["OP-1"]).await.unwrap();
    assert_eq!(word(&progress[0]), expected);
    if let Progress::Failed(error) = &progress[0] {
        assert_eq!(
            (error.kind, error.vendor_request_id.as_deref()),
            (ErrorKind::JobFailed, Some(REQUEST_ID))
        );
        assert!(!format!("{error:?} {}", error.explanation()).contains("secret@"));
    }
}

#[tokio::test]
async fn one_reading_serves_all_and_ends_when_all_are_found() {
    let vendor = Vendor::new().await;
    vendor.change(|state| {
        state.cap = 10;
        state.erasures = (0..95).map(other).collect();
        state.erasures[3] = entry("OP-a", "Completed", &[ANA]);
        state.erasures[14] = entry("OP-b", "InProgress", &[ANA]);
        state.erasures[25] =
            changed(entry("x", "Failed", &[ANA]), &json!({"requestid": null, "requestId": "OP-c"}));
    });
    assert_eq!(
        words(&vendor, &["OP-c", "OP-a", "OP-b", "OP-a"]).await,
        ["failed", "done", "pending", "done"]
    );
    assert_eq!(vendor.calls("GET", "/op-erase-personal-data").len(), 3);
    // What is not there (yet) is pending; then the whole list was read.
    assert_eq!(words(&vendor, &["OP-a", "OP-new"]).await, ["done", "pending"]);
    assert_eq!(vendor.calls("GET", "/op-erase-personal-data").len(), 13);
    assert!(words(&vendor, &[]).await.is_empty());
    assert_eq!(vendor.calls("GET", "/op-erase-personal-data").len(), 13);
}

#[rstest]
#[case::array(json!([" ANA.Silva@example.test "]), true, false)]
#[case::both(json!([ANA, "b@example.test"]), true, true)]
#[case::scalar(json!(ANA), true, false)]
#[case::scalar_list(json!("ana.silva@example.test, b@example.test"), true, true)]
#[case::written_list(json!("[\"ana.silva@example.test\"]"), true, false)]
#[case::all_counted(json!(2), true, true)]
#[case::all_counted_as_text(json!("2"), true, true)]
#[case::one_counted(json!(1), false, false)]
#[case::none_counted(json!("0"), false, false)]
#[case::empty(json!([]), false, false)]
#[case::null(json!(null), false, false)]
#[case::empty_text(json!(""), false, false)]
#[tokio::test]
async fn nothing_held_is_told_by_address(#[case] not_found: Value, #[case] ana: bool, #[case] both: bool) {
    let vendor = Vendor::new().await;
    let changes = json!({"emailsNotFound": not_found});
    let entry = changed(entry("OP-1", "Completed", &[ANA, "b@example.test"]), &changes);
    vendor.change(|state| state.erasures = vec![entry]);
    let progress = follow(&vendor, &["OP-1"]).await.unwrap();
    let Progress::Done(erased) = &progress[0] else { panic!("it is done") };
    let covers = |emails: &[&str]| erased.nothing_held_for.covers(&subject(emails), &[IdentifierType::Email]);
    assert_eq!((covers(&[ANA]), covers(&[ANA, "b@example.test"])), (ana, both));
    assert!(erased.exceptions.is_empty() && !format!("{progress:?}").contains("example"));
}

#[rstest]
#[case(Act::html(503), ErrorKind::Unavailable)]
#[case(Act::json(429, "{}"), ErrorKind::RateLimited)]
#[case(Act::html(200), ErrorKind::BadAnswer)]
#[tokio::test]
async fn what_was_learnt_before_a_failure_is_told(#[case] act: Act, #[case] kind: ErrorKind) {
    let vendor = Vendor::new().await;
    vendor.change(|state| {
        state.cap = 1;
        state.erasures = vec![entry("OP-a", "Completed", &[ANA]), entry("OP-b", "Completed", &[ANA])];
    });
    vendor.fault(move |_, asked| asked.query("offset").is_some().then(|| act.clone()));
    assert_eq!(words(&vendor, &["OP-b", "OP-a"]).await, ["pending", "done"]);
    assert_eq!(follow(&vendor, &["OP-b"]).await.unwrap_err().kind, kind);
}

async fn find(vendor: &Vendor, subjects: &[Subject]) -> Result<Vec<Option<String>>, VendorError> {
    let found = vendor.connector().find_erasures(subjects, NOW.parse().unwrap()).await?;
    Ok(found.into_iter().map(|one| one.map(|job| job.as_str().to_owned())).collect())
}

#[rstest]
#[case::as_sent(json!({}), true)]
#[case::done(json!({"status": "Completed"}), true)]
#[case::unknown_word(json!({"status": "Whatever"}), true)]
#[case::other_spelling(json!({"emailList": [" ANA.SILVA@EXAMPLE.TEST "]}), true)]
#[case::among_others(json!({"emailList": ["x@example.test", ANA]}), true)]
#[case::scalar(json!({"emailList": ANA}), true)]
#[case::flag(json!({"searchOnly": false}), true)]
#[case::within_the_clocks_difference(json!({"created": "2026-03-01T11:50:00Z"}), true)]
#[case::other_zone(json!({"created": "2026-03-01T13:00:00+01:00"}), true)]
#[case::offset_without_colon(json!({"created": "2026-03-01T13:00:00.000+0100"}), true)]
#[case::plain(json!({"created": "2026-03-01 12:00:00"}), true)]
#[case::milliseconds(json!({"created": 1_772_366_400_000_u64}), true)]
#[case::too_old(json!({"created": "2026-03-01T11:49:59Z"}), false)]
#[case::plain_and_too_old(json!({"created": "2026-03-01 11:00:00"}), false)]
#[case::no_time(json!({"created": null}), false)]
#[case::odd_time(json!({"created": "yesterday"}), false)]
#[case::dry_run(json!({"searchOnly": "TRUE"}), false)]
#[case::dry_run_flag(json!({"searchOnly": true}), false)]
#[case::failed(json!({"status": "Failed"}), false)]
#[case::with_a_reason(json!({"failureReason": "x"}), false)]
#[case::somebody_else(json!({"emailList": ["diana.silva@example.test"]}), false)]
#[case::nobody(json!({"emailList": null}), false)]
#[case::no_id(json!({"requestid": null}), false)]
#[tokio::test]
async fn an_erasure_whose_answer_was_lost_is_found(#[case] changes: Value, #[case] is_found: bool) {
    let vendor = Vendor::new().await;
    vendor.change(|state| state.erasures = vec![changed(entry("OP-1", "InProgress", &[ANA]), &changes)]);
    let found = find(&vendor, &[subject(&[ANA])]).await.unwrap();
    assert_eq!(found, [is_found.then(|| "OP-1".to_owned())]);
}

#[tokio::test]
async fn a_subject_is_covered_by_one_job_or_not_at_all() {
    let vendor = Vendor::new().await;
    vendor.change(|state| {
        state.cap = 2;
        state.erasures = vec![
            entry("OP-old", "Completed", &["z@example.test"]),
            entry("OP-1", "InProgress", &["a@example.test"]),
            entry("OP-2", "InProgress", &["b@example.test", "c@example.test"]),
            other(1),
            entry("OP-3", "InProgress", &["a@example.test", "d@example.test"]),
        ];
        state.erasures[0]["created"] = json!("2020-01-01T00:00:00Z");
    });
    let subjects = [
        subject(&["a@example.test", "B@example.test"]),
        subject(&["c@example.test", "b@example.test"]),
        subject(&["d@example.test"]),
        subject(&["z@example.test"]),
        subject(&[]),
    ];
    let found = find(&vendor, &subjects).await.unwrap();
    let found: Vec<Option<&str>> = found.iter().map(Option::as_deref).collect();
    assert_eq!(found, [None, Some("OP-2"), Some("OP-3"), None, None]);
    // Old entries do not end the reading: the list's order is not documented.
    assert_eq!(vendor.calls("GET", "/op-erase-personal-data").len(), 3);
}

#[rstest]
#[case(Act::html(503), ErrorKind::Unavailable)]
#[case(refusal(403, Some("QMST_2.1"), "forbidden"), ErrorKind::Permission)]
#[case(Act::json(200, json!({"result": {"elements": null}})), ErrorKind::BadAnswer)]
#[tokio::test]
async fn none_is_said_only_of_a_list_that_was_read(#[case] act: Act, #[case] kind: ErrorKind) {
    let vendor = Vendor::new().await;
    vendor.change(|state| {
        state.cap = 1;
        state.erasures = vec![other(1), other(2)];
    });
    vendor.fault(move |_, asked| asked.query("offset").is_some().then(|| act.clone()));
    assert_eq!(find(&vendor, &[subject(&[ANA])]).await.unwrap_err().kind, kind);
}
