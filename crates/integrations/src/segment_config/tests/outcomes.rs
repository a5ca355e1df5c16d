//! What the end of a regulation means.

use rstest::rstest;

use super::*;
use crate::connector::{ErasureException, Progress};
use crate::error::{ErrorKind, Retry, VendorError};

/// Follows one regulation with these parts.
async fn progress(status: &str, streams: Value) -> Progress {
    let regulation = Regulation::new("r1", NOW, &["u-1"]).with_status(status).with_streams(streams);
    let vendor = Vendor::with(vec![regulation]).await;
    vendor.connector().follow(&jobs(&["r1"])).await.unwrap().remove(0)
}

async fn exceptions(status: &str, streams: Value) -> Vec<ErasureException> {
    match progress(status, streams).await {
        Progress::Done(erased) => erased.exceptions,
        other => panic!("{other:?}"),
    }
}

async fn failure_of(status: &str, streams: Value) -> VendorError {
    match progress(status, streams).await {
        Progress::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

fn named(exceptions: &[ErasureException]) -> Vec<(&str, &str)> {
    exceptions.iter().map(|one| (one.system.as_str(), one.status.as_str())).collect()
}

#[rstest]
#[case(json!([]))]
#[case(json!([stream("s1", &[("Segment", "finished"), ("Amplitude", "finished")])]))]
#[case(json!([stream("s1", &[("Segment", "finished"), ("Odd", "not_supported")])]))]
#[tokio::test]
async fn finished_is_done_without_exceptions(#[case] streams: Value) {
    assert!(exceptions("finished", streams).await.is_empty());
}

#[tokio::test]
async fn finished_does_not_hide_who_did_not_delete() {
    let streams = json!([stream(
        "s1",
        &[("Segment", "finished"), ("Odd", "failed"), ("Braze", "partial_success"), ("Late", "running")]
    )]);
    let found = exceptions("finished", streams).await;
    assert_eq!(named(&found), [("Odd", "failed"), ("Braze", "partial_success")]);
}

#[rstest]
#[case("failed")]
#[case("partial_success")]
#[case("FAILED")]
#[tokio::test]
async fn what_segment_did_counts_and_who_did_not_is_named(#[case] status: &str) {
    let streams = json!([stream(
        "s1",
        &[
            ("Amplitude", "FINISHED"),
            ("Odd", "failed"),
            ("SEGMENT", "Finished"),
            ("Braze", "not_supported"),
            ("Late", "running"),
            ("Strange", "exploded"),
        ]
    )]);
    let found = exceptions(status, streams).await;
    let expected =
        [("Odd", "failed"), ("Braze", "not_supported"), ("Late", "running"), ("Strange", "unknown")];
    assert_eq!(named(&found), expected);
}

#[tokio::test]
async fn the_source_is_named_where_there_are_several() {
    let streams = json!([
        stream("abc123", &[("Segment", "finished"), ("Odd", "failed")]),
        stream("def456", &[("Segment", "finished"), ("Odd", "invalid"), ("Amplitude", "finished")]),
    ]);
    let found = exceptions("failed", streams).await;
    assert_eq!(named(&found), [("Odd (source abc123)", "failed"), ("Odd (source def456)", "invalid")]);
}

#[rstest]
#[case::short("no such user", "no such user")]
#[case::controls(" a\u{0}b\r\nc\u{1b}[31m ", "abc[31m")]
#[case::long(&"é".repeat(1000), &"é".repeat(300))]
#[tokio::test]
async fn a_destinations_text_is_shortened_and_never_printed(#[case] text: &str, #[case] kept: &str) {
    let mut streams = json!([stream("s1", &[("Segment", "finished"), ("Odd", "failed")])]);
    streams[0]["destination_status"][1]["err_string"] = json!(text);
    let progress = progress("failed", streams).await;
    assert!(!format!("{progress:?}").contains("such user"));
    let Progress::Done(erased) = progress else { panic!("{progress:?}") };
    assert_eq!(erased.exceptions[0].vendor_text, kept);
}

#[rstest]
#[case::address("ana@example.test", "a destination without a usable name")]
#[case::markup("<script>", "a destination without a usable name")]
#[case::break_in_it("a\nb", "a destination without a usable name")]
#[case::turned("a\u{202e}b", "a destination without a usable name")]
#[case::nothing("  ", "a destination without a usable name")]
#[case::usual(" Google Analytics 4 (Web) ", "Google Analytics 4 (Web)")]
#[tokio::test]
async fn a_name_that_is_shown_can_be_one(#[case] name: &str, #[case] shown: &str) {
    let found =
        exceptions("failed", json!([stream("s1", &[("Segment", "finished"), (name, "failed")])])).await;
    assert_eq!(found[0].system, shown);
}

#[tokio::test]
async fn a_name_may_stand_in_the_id_alone() {
    let streams = json!([{"id": "s1", "destination_status": [
        {"id": "segment", "status": "finished"}, {"id": "odd", "name": null, "status": "failed"}]}]);
    assert_eq!(named(&exceptions("failed", streams).await), [("odd", "failed")]);
}

#[tokio::test]
async fn more_destinations_than_anybody_reads_are_counted() {
    let many: Vec<(&str, &str)> =
        std::iter::once(("Segment", "finished")).chain(vec![("Odd", "failed"); 700]).collect();
    let found = exceptions("failed", json!([stream("s1", &many)])).await;
    assert_eq!(found.len(), 501);
    assert!(found[500].system.starts_with("200 further destinations"), "{}", found[500].system);
}

#[rstest]
#[case::own_part_failed(
    "failed",
    json!([stream("s1", &[("Segment", "failed"), ("Odd", "failed"), ("Amplitude", "finished")])]),
    "its own part is not finished; 1 destination behind it"
)]
#[case::in_one_of_two(
    "partial_success",
    json!([stream("s1", &[("Segment", "finished")]), stream("s2", &[("Segment", "failed"), ("A", "failed"), ("B", "failed")])]),
    "not finished in 1 of 2 sources; 2 destinations behind it"
)]
#[case::missing_in_one(
    "failed",
    json!([stream("s1", &[("Segment", "finished")]), stream("s2", &[("A", "finished")])]),
    "not finished in 1 of 2 sources; no destination"
)]
#[case::no_entry("failed", json!([stream("s1", &[("Segment Profiles", "failed")])]), "its own part is not finished")]
#[case::no_sources("failed", json!([]), "says nothing about its own part")]
#[case::no_destinations("partial_success", json!([stream("s1", &[])]), "its own part is not finished")]
#[case::two_entries_of_its_own(
    "failed",
    json!([stream("s1", &[("Segment", "finished"), ("Segment", "not_supported")])]),
    "its own part is not finished"
)]
#[case::contradiction("finished", json!([stream("s1", &[("Segment", "failed")])]), "its own part is not finished")]
#[case::invalid("invalid", json!([stream("s1", &[("Segment", "finished")])]), "calls the deletion invalid")]
#[case::not_supported("not_supported", json!([]), "does not support the deletion")]
#[tokio::test]
async fn without_segments_own_part_it_failed(
    #[case] status: &str,
    #[case] streams: Value,
    #[case] says: &str,
) {
    let error = failure_of(status, streams).await;
    assert_eq!((error.kind, error.retry), (ErrorKind::JobFailed, Retry::Never));
    assert!(error.message.contains(says), "{error}");
    assert!(error.remedy.contains("Segment") && error.remedy.contains("retry"));
}

#[tokio::test]
async fn a_failure_repeats_nothing_that_the_vendor_wrote() {
    let mut streams =
        json!([stream("ana@example.test", &[("Segment", "failed"), ("ana@example.test", "failed")])]);
    streams[0]["destination_status"][0]["err_string"] = json!("no user ana@example.test");
    let error = failure_of("failed", streams).await;
    assert!(!format!("{error:?}").contains("ana"), "{error:?}");
}

#[rstest]
#[case(&[("Segment", "running"), ("Odd", "failed")])]
#[case(&[("Segment", "initialized"), ("Odd", "failed")])]
#[case(&[("Segment", "pondering"), ("Odd", "not_supported")])]
#[tokio::test]
async fn a_destination_that_fails_early_does_not_end_segments_part(#[case] parts: &[(&str, &str)]) {
    assert!(matches!(progress("failed", json!([stream("s1", parts)])).await, Progress::Pending));
}
