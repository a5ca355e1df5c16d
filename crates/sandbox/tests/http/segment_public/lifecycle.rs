//! How a regulation looks while it goes on, and when it is forgotten.

use habeas_sandbox::segment_config::fixtures::*;
use habeas_sandbox::segment_config::{DestinationSpec, RegulationPlan};
use serde_json::{Value, json};

use super::Segment;

const ZERO: &str = "0001-01-01T00:00:00Z";
const DAY: u64 = 86_400;

fn has_microseconds(time: &Value) -> bool {
    let fraction = time.as_str().and_then(|text| text.split_once('.')).map(|(_, fraction)| fraction);
    fraction.is_some_and(|fraction| fraction.len() == 7 && fraction.ends_with('Z'))
}

/// Every part of every stream.
fn parts(regulation: &Value) -> Vec<&Value> {
    let streams = regulation["streamStatus"].as_array().unwrap().iter();
    streams.flat_map(|stream| stream["destinationStatus"].as_array().unwrap()).collect()
}

#[tokio::test]
async fn from_initialized_to_finished() {
    let segment = Segment::new().await;
    let id = segment.regulate("SUPPRESS_WITH_DELETE", &[ANA, ANA_EMAIL]).await;
    let ios = segment.source_id(IOS_APP).await;
    for (seconds, overall, own, others, erased) in [
        (0, "INITIALIZED", "INITIALIZED", "INITIALIZED", false),
        (60, "RUNNING", "RUNNING", "RUNNING", false),
        (120, "RUNNING", "FINISHED", "RUNNING", true),
        (120, "FINISHED", "FINISHED", "FINISHED", true),
    ] {
        segment.advance(seconds);
        let regulation = segment.regulation(&id).await;
        assert_eq!((&regulation["id"], &regulation["workspaceId"]), (&json!(id), &json!(WORKSPACE_ID)));
        assert_eq!(regulation["overallStatus"], overall);
        assert!(has_microseconds(&regulation["createdAt"]));
        let end = regulation.get("finishedAt");
        assert_eq!(end.is_some_and(has_microseconds), overall == "FINISHED", "{end:?}");
        let stream = &regulation["streamStatus"][1];
        assert_eq!(stream["id"], ios);
        let shown = stream["destinationStatus"].as_array().unwrap();
        let expected = [("Segment", own), ("Amplitude", others), ("Braze", others)];
        assert_eq!(shown.len(), expected.len(), "one that is not enabled takes no part");
        for (part, (name, word)) in shown.iter().zip(expected) {
            assert_eq!(
                (&part["name"], &part["id"], &part["status"]),
                (&json!(name), &json!(name), &json!(word))
            );
            let is_over = word == "FINISHED";
            assert!(if is_over { has_microseconds(&part["finishedAt"]) } else { part["finishedAt"] == ZERO });
        }
        assert_eq!(segment.has_data(ANA), !erased);
    }
}

#[tokio::test]
async fn every_part_is_five_strings_at_any_time() {
    for knob in ["zero", "empty"] {
        let segment = Segment::new().await;
        segment.turn(json!({ "unset_part_finished_at": knob }));
        let plan = RegulationPlan::default().outcome("braze", "failed", "no such user");
        segment.vendor().plan_next(plan).unwrap();
        let id = segment.regulate("SUPPRESS_WITH_DELETE", &[ANA]).await;
        for _ in 0..4 {
            let regulation = segment.regulation(&id).await;
            for part in parts(&regulation) {
                let part = part.as_object().unwrap();
                assert_eq!(part.len(), 5, "{part:?}");
                for property in ["name", "id", "status", "errString", "finishedAt"] {
                    assert!(part[property].is_string(), "{property} of {part:?}");
                }
            }
            let unset = parts(&regulation).iter().any(|part| part["finishedAt"] == ZERO);
            assert_eq!(unset, knob == "zero" && regulation["overallStatus"] != "FAILED");
            segment.advance(100);
        }
        assert_eq!(segment.status(&id).await, "FAILED");
    }
}

#[tokio::test]
async fn failed_misleads() {
    let segment = Segment::new().await;
    segment.vendor().add_destination(DestinationSpec::new(WEB_PROD, "mixpanel")).unwrap();
    let id = segment.regulate("SUPPRESS_WITH_DELETE", &[PIA]).await;
    segment.advance(300);
    let regulation = segment.regulation(&id).await;
    assert_eq!(regulation["overallStatus"], "FAILED");
    let failed: Vec<_> = parts(&regulation).into_iter().filter(|part| part["status"] != "FINISHED").collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(
        (&failed[0]["name"], &failed[0]["errString"]),
        (&json!("Mixpanel"), &json!("this destination does not support deletion"))
    );
    assert!(!segment.has_data(PIA), "Segment and all that can did their part");
    segment.turn_shared(json!({"unsupported_destinations": "not_supported"}));
    let id = segment.regulate("SUPPRESS_WITH_DELETE", &[PIA]).await;
    segment.advance(300);
    assert_eq!(segment.status(&id).await, "FINISHED");
    assert!(parts(&segment.regulation(&id).await).iter().any(|part| part["status"] == "NOT_SUPPORTED"));
}

#[tokio::test]
async fn other_words_at_the_end() {
    for (plan, word) in [
        (RegulationPlan::immediate().outcome("braze", "partial_success", ""), "PARTIAL_SUCCESS"),
        (
            RegulationPlan { final_status: Some("invalid".to_owned()), ..RegulationPlan::immediate() },
            "INVALID",
        ),
        (
            RegulationPlan { final_status: Some("not_supported".to_owned()), ..RegulationPlan::immediate() },
            "NOT_SUPPORTED",
        ),
    ] {
        let segment = Segment::new().await;
        segment.vendor().plan_next(plan).unwrap();
        let id = segment.regulate("DELETE_ONLY", &[KIM]).await;
        assert_eq!(segment.status(&id).await, word);
        let list = segment.data(&format!("/regulations?status={word}")).await;
        assert_eq!(list["regulations"][0]["id"], id, "{word}");
    }
}

#[tokio::test]
async fn a_time_that_is_not_set() {
    let segment = Segment::new().await;
    let id = segment.regulate("DELETE_ONLY", &[KIM]).await;
    assert_eq!(segment.regulation(&id).await.get("finishedAt"), None);
    segment.turn(json!({"unset_finished_at": "zero"}));
    assert_eq!(segment.regulation(&id).await["finishedAt"], ZERO);
}

#[tokio::test]
async fn slow_for_days() {
    let segment = Segment::new().await;
    segment.turn_shared(json!({"initialized_seconds": 5 * DAY, "running_seconds": 2 * DAY}));
    let id = segment.regulate("SUPPRESS_WITH_DELETE", &[JO]).await;
    for (days, word) in [(0, "INITIALIZED"), (4, "INITIALIZED"), (2, "RUNNING"), (1, "FINISHED")] {
        segment.advance(days * DAY);
        assert_eq!(segment.status(&id).await, word, "{days} days later");
    }
}

#[tokio::test]
async fn forgotten_after_ninety_days() {
    let segment = Segment::new().await;
    let id = segment.regulate("DELETE_ONLY", &[OLA]).await;
    let of_ios = format!("/regulations/sources/{}", segment.source_id(IOS_APP).await);
    segment.post(&of_ios, &super::people("DELETE_ONLY", &[OLA])).await;
    segment.advance(90 * DAY - 60);
    assert_eq!(segment.status(&id).await, "FINISHED");
    segment.advance(60);
    assert_eq!(segment.call(&format!("GET /regulations/{id}")).await.status, 404);
    for path in ["/regulations", &of_ios] {
        let list = segment.data(path).await;
        assert_eq!(
            (&list["regulations"], &list["pagination"]["totalEntries"]),
            (&json!([]), &json!(0)),
            "{path}"
        );
    }
    assert_eq!(segment.record(&id).status, "finished", "the evidence stays");
    segment.turn_shared(json!({"remembered_days": null}));
    assert_eq!(segment.status(&id).await, "FINISHED");
}
