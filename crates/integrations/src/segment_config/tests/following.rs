//! Where deletions stand.

use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::connector::Progress;
use crate::error::{ErrorKind, Retry, VendorError};
use crate::testing::ListedPermits;

fn words(progress: &[Progress]) -> Vec<&'static str> {
    progress
        .iter()
        .map(|one| match one {
            Progress::Pending => "pending",
            Progress::Done(erased) if erased.exceptions.is_empty() => "done",
            Progress::Done(_) => "done with exceptions",
            Progress::Failed(_) => "failed",
            Progress::Forgotten => "forgotten",
        })
        .collect()
}

async fn follow(vendor: &Vendor, ids: &[&str]) -> Result<Vec<&'static str>, VendorError> {
    vendor.connector().follow(&jobs(ids)).await.map(|progress| words(&progress))
}

fn regulation(id: &str, status: &str) -> Regulation {
    let segment = if status == "failed" { "finished" } else { status };
    let streams = json!([stream("s1", &[("Segment", segment), ("Amplitude", status)])]);
    Regulation::new(id, NOW, &["u-1"]).with_status(status).with_streams(streams)
}

#[rstest]
#[case("initialized", "pending")]
#[case("running", "pending")]
#[case("RUNNING", "pending")]
#[case("resting", "pending")]
#[case("", "pending")]
#[case("finished", "done")]
#[case("Finished", "done")]
#[case("FINISHED", "done")]
#[case("failed", "done with exceptions")]
#[case("partial_success", "failed")]
#[case("invalid", "failed")]
#[case("NOT_SUPPORTED", "failed")]
#[tokio::test]
async fn a_single_job_is_asked_for_directly(#[case] status: &str, #[case] expected: &str) {
    let vendor = Vendor::with(vec![regulation("r1", status), regulation("r0", "running")]).await;
    assert_eq!(follow(&vendor, &["r1"]).await.unwrap(), [expected]);
    assert_eq!(vendor.asked(), ["GET /regulations/r1"]);
}

#[tokio::test]
async fn of_several_only_those_that_are_over_are_asked_for() {
    let all = ["running", "finished", "initialized", "failed", "odd", "invalid"];
    let all = all.iter().enumerate().map(|(at, status)| regulation(&format!("r{at}"), status)).collect();
    let vendor = Vendor::with(all).await;
    assert_eq!(
        follow(&vendor, &["r3", "r0", "r1", "r2", "r4", "r5"]).await.unwrap(),
        ["done with exceptions", "pending", "done", "pending", "pending", "failed"]
    );
    assert_eq!(
        vendor.asked(),
        ["GET /regulations", "GET /regulations/r3", "GET /regulations/r1", "GET /regulations/r5"]
    );
    let asked = vendor.server.asked();
    assert_eq!(asked[0].query("regulation_types").as_deref(), Some("Suppress_With_Delete"));
    assert_eq!(asked[0].query("page_token"), None);
}

#[tokio::test]
async fn the_list_is_read_only_as_far_as_it_saves_calls() {
    let all = (0..40).map(|at| regulation(&format!("r{at}"), "running")).collect();
    let vendor = Vendor::with(all).await;
    vendor.change(|state| state.cap = 10);
    // Two jobs: one page, the other job by its id.
    assert_eq!(follow(&vendor, &["r0", "r39"]).await.unwrap(), ["pending"; 2]);
    assert_eq!(vendor.asked(), ["GET /regulations", "GET /regulations/r39"]);
    // Six jobs: three pages, and no more than are needed.
    let ids = ["r0", "r1", "r2", "r3", "r4", "r15"];
    assert_eq!(follow(&vendor, &ids).await.unwrap(), ["pending"; 6]);
    assert_eq!(vendor.asked()[2..], ["GET /regulations", "GET /regulations"]);
    assert_eq!(vendor.server.asked()[3].query("page_token").as_deref(), Some("after 10"));
}

#[tokio::test]
async fn a_job_that_the_vendor_forgot_is_told_apart() {
    let vendor = Vendor::with(vec![regulation("r1", "finished"), regulation("r2", "running")]).await;
    assert_eq!(follow(&vendor, &["gone"]).await.unwrap(), ["forgotten"]);
    assert_eq!(follow(&vendor, &["r1", "gone", "r2"]).await.unwrap(), ["done", "forgotten", "pending"]);
    // Listed as over and gone a moment later.
    vendor.fault(|_, asked| asked.path().ends_with("/r1").then(|| Act::answer(404, &[], "not found")));
    assert_eq!(follow(&vendor, &["r1", "r2"]).await.unwrap(), ["forgotten", "pending"]);
}

#[rstest]
#[case(json!({"status": "finished"}), "done")]
#[case(json!({"overall_status": "FINISHED", "stream_status": null, "attributes": {"name": "userId"}}), "done")]
#[case(json!({"id": "r1", "overall_status": "running", "stream_status": [{}]}), "pending")]
#[case(json!({"regulate_id": "r1", "overall_status": "finished", "parent": "workspaces/a"}), "done")]
#[case(
    json!({"overall_status": "failed", "stream_status": [{"id": null, "destination_status": null}]}),
    "failed"
)]
#[case(
    json!({"overall_status": "failed", "stream_status": [{"destination_status": [
        {"id": "Segment", "status": "FINISHED", "err_string": null, "finished_at": null}, {"name": "x"}]}]}),
    "done with exceptions"
)]
#[tokio::test]
async fn every_shape_of_a_regulation_is_read(#[case] body: Value, #[case] expected: &str) {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |_, _| Some(Act::json(200, &body)));
    assert_eq!(follow(&vendor, &["r1"]).await.unwrap(), [expected]);
}

#[rstest]
#[case::no_status(Act::json(200, "{}"))]
#[case::another(Act::json(200, json!({"regulate_id": "r2", "overall_status": "finished"})))]
#[case::page(Act::html(200))]
#[case::list(Act::json(200, "[]"))]
#[case::odd(Act::json(200, json!({"overall_status": {"secret@example.test": 1}})))]
#[tokio::test]
async fn an_answer_that_cannot_be_used_is_never_done(#[case] act: Act) {
    let vendor = Vendor::with(vec![regulation("r1", "finished"), regulation("r2", "finished")]).await;
    vendor.fault(move |_, asked| asked.path().ends_with("/r1").then(|| act.clone()));
    let error = follow(&vendor, &["r1"]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadAnswer);
    assert!(!format!("{error:?}").contains("secret@"));
    // It does not hold up the others.
    assert_eq!(follow(&vendor, &["r1", "r2"]).await.unwrap(), ["pending", "done"]);
}

#[rstest]
#[case::page(Act::html(200))]
#[case::another_shape(Act::json(200, json!({"items": []})))]
#[case::refused(failure(400, 3, "bad page_size"))]
#[case::no_entries(Act::json(200, json!({"entries": null})))]
#[case::empty(Act::json(200, "{}"))]
#[case::token_of_its_own(Act::json(200, json!({"entries": [], "next_page_token": "x"})))]
#[tokio::test]
async fn a_list_that_cannot_be_used_is_done_without(#[case] act: Act) {
    let all = (0..8).map(|at| regulation(&format!("r{at}"), "finished")).collect();
    let vendor = Vendor::with(all).await;
    vendor.fault(move |_, asked| asked.path().ends_with("/regulations").then(|| act.clone()));
    let ids = ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"];
    assert_eq!(follow(&vendor, &ids).await.unwrap(), ["done"; 8]);
    let lists = vendor.asked().iter().filter(|asked| *asked == "GET /regulations").count();
    assert!(lists <= 2, "{lists}");
}

#[rstest]
#[case::revoked(failure(401, 16, ""), ErrorKind::Credentials, None)]
#[case::revoked_as_403(failure(403, 7, "invalid"), ErrorKind::Credentials, None)]
#[case::scope(failure(403, 7, "insufficient scope"), ErrorKind::Permission, Some("workspace:read"))]
#[tokio::test]
async fn a_token_that_is_refused_midway_ends_the_look(
    #[case] act: Act,
    #[case] kind: ErrorKind,
    #[case] permission: Option<&str>,
    #[values("/regulations", "/r1")] path: &'static str,
) {
    let vendor = Vendor::with(vec![regulation("r1", "finished"), regulation("r2", "finished")]).await;
    vendor.fault(move |_, asked| asked.path().ends_with(path).then(|| act.clone()));
    let error = follow(&vendor, &["r2", "r1"]).await.unwrap_err();
    assert_eq!((error.kind, error.retry, error.permission), (kind, Retry::Never, permission));
}

#[rstest]
#[case::limited(failure(429, 8, ""))]
#[case::down(failure(503, 14, ""))]
#[case::down_as_text(Act::answer(503, &[], "upstream connect error"))]
#[tokio::test]
async fn a_vendor_that_stops_answering_midway_leaves_the_rest_pending(#[case] act: Act) {
    let all = ["r1", "r2", "r3"].map(|id| regulation(id, "finished")).to_vec();
    let vendor = Vendor::with(all).await;
    vendor.fault(move |_, asked| asked.path().ends_with("/r2").then(|| act.clone()));
    assert_eq!(follow(&vendor, &["r1", "r2", "r3"]).await.unwrap(), ["done", "pending", "pending"]);
    assert_eq!(vendor.asked().last().unwrap(), "GET /regulations/r2", "nobody asks on");
}

#[tokio::test]
async fn without_leave_midway_the_rest_is_pending() {
    let all = ["r1", "r2", "r3"].map(|id| regulation(id, "finished")).to_vec();
    let vendor = Vendor::with(all).await;
    let permits = Arc::new(ListedPermits::default());
    let connector = connector(vendor.client().with_permits(permits.clone()));
    permits.next(&[None, None, Some(Duration::from_secs(4))]);
    let progress = connector.follow(&jobs(&["r1", "r2", "r3"])).await.unwrap();
    assert_eq!(words(&progress), ["done", "pending", "pending"]);
    // The list alone has shown that some are not over, or that some are.
    permits.next(&[None, Some(Duration::from_secs(4))]);
    let progress = connector.follow(&jobs(&["r1", "r2"])).await.unwrap();
    assert_eq!(words(&progress), ["pending", "pending"]);
    // Nothing was learnt at all.
    permits.next(&[Some(Duration::from_secs(4))]);
    let error = connector.follow(&jobs(&["r1", "r2"])).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Paced, Retry::After(Some(Duration::from_secs(4)))));
}

#[tokio::test]
async fn a_vendor_that_is_down_is_an_error_after_one_call() {
    for act in [Act::html(503), Act::Raw(Vec::new())] {
        let vendor = Vendor::with(vec![]).await;
        vendor.fault(move |_, _| Some(act.clone()));
        assert_eq!(follow(&vendor, &["r1", "r2", "r3"]).await.unwrap_err().kind, ErrorKind::Unavailable);
        assert_eq!(vendor.asked().len(), 1);
    }
}

#[tokio::test]
async fn nothing_to_follow_asks_nothing() {
    let vendor = Vendor::with(vec![]).await;
    assert!(follow(&vendor, &[]).await.unwrap().is_empty());
    assert!(vendor.asked().is_empty());
}

#[tokio::test]
async fn an_id_stays_one_part_of_the_address() {
    let vendor = Vendor::with(vec![]).await;
    assert_eq!(follow(&vendor, &["a/../b"]).await.unwrap(), ["forgotten"]);
    assert_eq!(vendor.asked(), ["GET /regulations/a%2F..%2Fb"]);
    let error = follow(&vendor, &[".."]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
}
