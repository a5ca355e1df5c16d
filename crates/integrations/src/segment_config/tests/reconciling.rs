//! Which deletions Segment has, after an answer was lost.

use std::sync::Arc;

use habeas_domain::IdentifierType;
use rstest::rstest;

use super::*;
use crate::client::ClientOptions;
use crate::error::{ErrorKind, Retry, VendorError};
use crate::testing::{ListedPermits, client_with, options};

const SINCE: &str = "2026-03-01T12:00:00Z";

async fn find(vendor: &Vendor, subjects: &[Subject]) -> Result<Vec<Option<String>>, VendorError> {
    let found = vendor.connector().find_erasures(subjects, SINCE.parse().unwrap()).await?;
    Ok(found.into_iter().map(|job| job.map(|job| job.as_str().to_owned())).collect())
}

fn ana() -> Subject {
    person("ana@example.test", "u-1")
}

fn found(id: &str) -> Option<String> {
    Some(id.to_owned())
}

#[tokio::test]
async fn everybody_is_found_in_the_newest_deletion_that_holds_all_of_them() {
    let vendor = Vendor::with(vec![
        Regulation::new("r5", "2026-03-01T12:05:00Z", &["jo@example.test"]),
        Regulation::new("r4", "2026-03-01T12:04:00Z", &["ana@example.test"]),
        Regulation::new("r3", "2026-03-01T12:03:00Z", &["x", "u-1", "ana@example.test", "u-2"]),
        Regulation::new("r2", "2026-03-01T12:02:00Z", &["ana@example.test", "u-1"]),
        Regulation::new("r1", "2026-03-01T11:00:00Z", &["kim@example.test", "u-3"]),
    ])
    .await;
    let subjects = [
        ana(),
        person("jo@example.test", "u-2"),
        subject(&[(IdentifierType::UserId, "u-2")]),
        person("kim@example.test", "u-3"),
        subject(&[]),
    ];
    assert_eq!(find(&vendor, &subjects).await.unwrap(), [found("r3"), None, found("r3"), None, None]);
    let asked = vendor.server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].query("regulation_types").as_deref(), Some("Suppress_With_Delete"));
}

#[rstest]
#[case("2026-03-01T12:00:00Z", true)]
#[case("2026-03-01T11:50:00Z", true)]
#[case("2026-03-01T11:50:00.123456Z", true)]
#[case("2026-03-01T11:49:59.999Z", false)]
#[case("2026-03-01T13:49:59+02:00", false)]
#[case("2026-03-01T13:51:00+02:00", true)]
#[case("2027-01-01T00:00:00Z", true)]
#[tokio::test]
async fn clocks_may_differ_by_ten_minutes(#[case] created_at: &str, #[case] is_found: bool) {
    let vendor = Vendor::with(vec![Regulation::new("r1", created_at, &["ana@example.test", "u-1"])]).await;
    assert_eq!(find(&vendor, &[ana()]).await.unwrap(), [is_found.then(|| "r1".to_owned())]);
}

#[rstest]
#[case("initialized", true)]
#[case("RUNNING", true)]
#[case("something new", true)]
#[case("invalid", false)]
#[case("NOT_SUPPORTED", false)]
#[tokio::test]
async fn what_has_failed_does_not_count(#[case] status: &str, #[case] is_found: bool) {
    let regulation = Regulation::new("r1", SINCE, &["ana@example.test", "u-1"]).with_status(status);
    let vendor = Vendor::with(vec![regulation]).await;
    assert_eq!(find(&vendor, &[ana()]).await.unwrap(), [is_found.then(|| "r1".to_owned())]);
    assert_eq!(vendor.asked(), ["GET /regulations"]);
}

/// "failed" may hide a deletion that Segment did carry out; repeating it would fail in the same way.
#[rstest]
#[case::segment_did(json!([stream("s1", &[("Segment", "finished"), ("Odd", "failed")])]), "r1")]
#[case::segment_does(json!([stream("s1", &[("Segment", "running"), ("Odd", "failed")])]), "r1")]
#[case::segment_did_not(json!([stream("s1", &[("Segment", "failed")])]), "r0")]
#[tokio::test]
async fn one_that_is_over_is_looked_at_once(
    #[values("failed", "partial_success", "finished")] status: &str,
    #[case] streams: Value,
    #[case] expected: &str,
) {
    let values = ["ana@example.test", "u-1", "jo@example.test", "u-2"];
    let vendor = Vendor::with(vec![
        Regulation::new("r1", "2026-03-01T12:01:00Z", &values).with_status(status).with_streams(streams),
        Regulation::new("r0", SINCE, &values),
    ])
    .await;
    let subjects = [ana(), person("jo@example.test", "u-2")];
    assert_eq!(find(&vendor, &subjects).await.unwrap(), [found(expected), found(expected)]);
    assert_eq!(vendor.asked(), ["GET /regulations", "GET /regulations/r1"]);
}

#[tokio::test]
async fn a_failed_one_that_is_gone_does_not_count() {
    let regulation = Regulation::new("r1", SINCE, &["ana@example.test", "u-1"]).with_status("failed");
    let vendor = Vendor::with(vec![regulation]).await;
    vendor.fault(|_, asked| asked.path().ends_with("/r1").then(|| failure(404, 5, "")));
    assert_eq!(find(&vendor, &[ana()]).await.unwrap(), [None]);
}

#[rstest]
#[case(json!({"regulation_type": "Suppress_With_Delete"}), true)]
#[case(json!({"regulation_type": "SUPPRESS_WITH_DELETE"}), true)]
#[case(json!({"regulationType": "suppress_with_delete"}), true)]
#[case(json!({"regulation_type": null}), true)]
#[case(json!({"regulation_type": "Suppress"}), false)]
#[case(json!({"regulation_type": "Unsuppress"}), false)]
#[case(json!({"regulation_type": "Delete"}), false)]
#[case(json!({"attributes": {"name": "objectId", "values": ["ana@example.test", "u-1"]}}), false)]
#[case(json!({"attributes": {"name": "UserId", "values": ["ana@example.test", "u-1"]}}), true)]
#[case(json!({"attributes": {"values": ["ana@example.test", "u-1"]}}), true)]
#[case(json!({"attributes": {"name": "userId", "values": ["ANA@example.test", "u-1"]}}), false)]
#[case(json!({"overall_status": "running", "status": null}), true)]
#[case(json!({"regulate_id": null, "id": "r1"}), true)]
#[tokio::test]
async fn only_a_deletion_of_our_kind_counts(
    #[case] change: Value,
    #[case] is_found: bool,
    #[values("entries", "regulations")] key: &'static str,
) {
    let vendor = Vendor::with(vec![]).await;
    let mut entry = Regulation::new("r1", SINCE, &["ana@example.test", "u-1"]).listed();
    entry.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    vendor.fault(move |_, _| Some(Act::json(200, json!({key: [entry]}))));
    assert_eq!(find(&vendor, &[ana()]).await.unwrap(), [is_found.then(|| "r1".to_owned())]);
}

#[rstest]
#[case::entries(json!({"entries": [], "next_page_token": ""}))]
#[case::no_token(json!({"entries": []}))]
#[case::nulls(json!({"entries": null, "next_page_token": null}))]
#[case::left_out(json!({}))]
#[case::only_the_token(json!({"next_page_token": ""}))]
#[tokio::test]
async fn an_empty_list_is_one(#[case] body: Value) {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |_, _| Some(Act::json(200, &body)));
    assert_eq!(find(&vendor, &[ana()]).await.unwrap(), [None]);
}

/// Deletions of nobody who is looked for, one a minute, the newest first.
fn others(count: usize, newest: &str) -> Vec<Regulation> {
    let newest: jiff::Timestamp = newest.parse().unwrap();
    let at = |minutes: usize| newest - jiff::SignedDuration::from_mins(i64::try_from(minutes).unwrap());
    (0..count).map(|one| Regulation::new(&format!("o{one}"), &at(one).to_string(), &["x"])).collect()
}

#[rstest]
#[case(1, 32)]
#[case(10, 4)]
#[case(100, 1)]
#[tokio::test]
async fn the_list_is_read_to_where_it_is_older(#[case] cap: usize, #[case] pages: usize) {
    let vendor = Vendor::with(others(200, "2026-03-01T12:20:00Z")).await;
    vendor.change(|state| state.cap = cap);
    assert_eq!(find(&vendor, &[ana()]).await.unwrap(), [None]);
    // From 12:20 back to 11:49.
    assert_eq!(vendor.asked().len(), pages);
}

#[tokio::test]
async fn reading_ends_with_the_last_of_those_who_are_looked_for() {
    let mut all = others(60, "2026-03-01T12:40:00Z");
    all.insert(15, Regulation::new("r1", "2026-03-01T12:25:30Z", &["ana@example.test", "u-1"]));
    let vendor = Vendor::with(all).await;
    vendor.change(|state| state.cap = 10);
    assert_eq!(find(&vendor, &[ana()]).await.unwrap(), [found("r1")]);
    assert_eq!(vendor.asked().len(), 2);
    assert_eq!(vendor.server.asked()[1].query("page_token").as_deref(), Some("after 10"));
}

#[tokio::test]
async fn a_list_in_another_order_is_read_to_its_end() {
    let mut all = others(35, "2026-03-01T11:00:00Z");
    all.reverse();
    all.push(Regulation::new("r1", SINCE, &["ana@example.test", "u-1"]));
    let vendor = Vendor::with(all).await;
    vendor.change(|state| state.cap = 10);
    assert_eq!(find(&vendor, &[ana()]).await.unwrap(), [found("r1")]);
}

#[rstest]
#[case::same(vec!["a"])]
#[case::ring(vec!["a", "b", "c"])]
#[case::ever_new(vec![])]
#[tokio::test]
async fn a_list_without_end_is_an_error(#[case] tokens: Vec<&'static str>) {
    let vendor = Vendor::with(vec![]).await;
    let mut page = 0_usize;
    vendor.fault(move |_, _| {
        page += 1;
        let token = match tokens.len() {
            0 => format!("t{page}"),
            count => tokens[page % count].to_owned(),
        };
        Some(Act::json(200, json!({"entries": [], "next_page_token": token})))
    });
    let error = find(&vendor, &[ana()]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::BadAnswer, Retry::Never));
    assert!(vendor.asked().len() <= 200, "{}", vendor.asked().len());
}

#[rstest]
#[case::no_values(json!({"attributes": {"name": "userId"}}))]
#[case::no_attributes(json!({"attributes": null}))]
#[case::no_time(json!({"created_at": null}))]
#[case::unset_time(json!({"created_at": "0001-01-01T00:00:00Z"}))]
#[case::odd_time(json!({"created_at": "yesterday"}))]
#[case::no_id(json!({"regulate_id": null}))]
#[case::odd_id(json!({"regulate_id": "a b"}))]
#[tokio::test]
async fn an_entry_that_may_be_theirs_and_cannot_be_understood_is_an_error(#[case] change: Value) {
    let vendor = Vendor::with(vec![]).await;
    let good = Regulation::new("r0", SINCE, &["jo@example.test", "u-2"]).listed();
    let mut entry = Regulation::new("r1", SINCE, &["ana@example.test", "u-1"]).listed();
    entry.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    vendor.fault(move |_, _| Some(Act::json(200, json!({"entries": [entry, good]}))));
    let error = find(&vendor, &[ana()]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::BadAnswer, Retry::Never));
    assert!(error.remedy.contains("look in Segment"), "{error:?}");
    // Who is found without it need not care.
    assert_eq!(find(&vendor, &[person("jo@example.test", "u-2")]).await.unwrap(), [found("r0")]);
}

#[rstest]
#[case::page(Act::html(200))]
#[case::list(Act::json(200, "[]"))]
#[case::other_list(Act::json(200, json!({"data": {"regulations": []}})))]
#[case::odd_values(Act::json(200, json!({"entries": [{"attributes": {"values": [{"secret@example.test": 1}]}}]})))]
#[case::long_token(Act::json(200, json!({"entries": [], "next_page_token": "t".repeat(5000)})))]
#[case::token_is_a_number(Act::json(200, json!({"entries": [], "next_page_token": 5})))]
#[tokio::test]
async fn a_list_that_cannot_be_read_never_means_none(#[case] act: Act) {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |_, _| Some(act.clone()));
    let error = find(&vendor, &[ana()]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadAnswer);
    assert!(!format!("{error:?}").contains("secret@"));
}

#[tokio::test]
async fn a_page_that_fails_later_is_an_error() {
    let vendor = Vendor::with(others(100, "2026-03-01T13:00:00Z")).await;
    vendor.change(|state| state.cap = 10);
    vendor.fault(|_, asked| asked.query("page_token").is_some().then(|| failure(503, 14, "")));
    assert_eq!(find(&vendor, &[ana()]).await.unwrap_err().kind, ErrorKind::Unavailable);
    let vendor = Vendor::with(others(100, "2026-03-01T13:00:00Z")).await;
    let small = ClientOptions { max_body_bytes: 500, ..options(&vendor.server.base) };
    let error =
        connector(client_with(small)).find_erasures(&[ana()], SINCE.parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_search_under_way_waits_for_its_turn() {
    let vendor = Vendor::with(others(40, "2026-03-01T12:10:00Z")).await;
    vendor.change(|state| state.cap = 10);
    let permits = Arc::new(ListedPermits::default());
    let connector = connector(vendor.client().with_permits(permits.clone()));
    let seconds = std::time::Duration::from_secs;
    permits.next(&[None, Some(seconds(5)), None, Some(seconds(9)), None]);
    let found = connector.find_erasures(&[ana()], SINCE.parse().unwrap()).await.unwrap();
    assert_eq!((found, vendor.asked().len()), (vec![None], 3));
    permits.next(&[Some(seconds(5))]);
    let error = connector.find_erasures(&[ana()], SINCE.parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Paced);
}

#[tokio::test]
async fn the_beginning_of_time_may_be_asked_for() {
    let vendor = Vendor::with(vec![]).await;
    let connector = vendor.connector();
    assert_eq!(connector.find_erasures(&[ana()], jiff::Timestamp::MIN).await.unwrap(), [None]);
    assert!(connector.find_erasures(&[], jiff::Timestamp::MIN).await.unwrap().is_empty());
}
