//! How a regulation goes on with the clock, and what it does.

use habeas_sandbox::segment_config::fixtures::*;
use habeas_sandbox::segment_config::{DestinationSpec, RegulationPlan, SpecRefused};
use serde_json::{Value, json};

use super::{REGULATIONS, Segment};
use crate::support::send;

const ZERO: &str = "0001-01-01T00:00:00Z";
const DAY: u64 = 86_400;

/// Status words by the name of the destination, of the stream at this position.
fn words(regulation: &Value, stream: usize) -> Vec<(String, String)> {
    let parts = regulation["stream_status"][stream]["destination_status"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    parts.map(|part| (text(&part["name"]), text(&part["status"]))).collect()
}

fn all(words: &[(&str, &str)]) -> Vec<(String, String)> {
    words.iter().map(|(name, word)| ((*name).to_owned(), (*word).to_owned())).collect()
}

#[tokio::test]
async fn from_initialized_to_finished() {
    let segment = Segment::new().await;
    let id = segment.regulate("Suppress_With_Delete", &[ANA, ANA_EMAIL]).await;
    let (_, regulation) = segment.regulation(&id).await;
    assert_eq!(
        (&regulation["workspace_id"], &regulation["overall_status"]),
        (&json!(WORKSPACE_ID), &json!("initialized"))
    );
    assert_eq!(regulation["finished_at"], ZERO);
    assert_eq!(regulation.get("attributes"), None);
    assert_eq!(regulation["stream_status"].as_array().unwrap().len(), 3, "one per source");
    assert!(segment.has_data(ANA) && segment.vendor().suppressed(WORKSPACE).is_empty());

    segment.advance(60);
    let (_, regulation) = segment.regulation(&id).await;
    assert_eq!(regulation["overall_status"], "running");
    assert!(segment.has_data(ANA));
    assert_eq!(segment.vendor().suppressed(WORKSPACE), [ANA.to_owned(), ANA_EMAIL.to_owned()].into());

    segment.advance(120);
    let (_, regulation) = segment.regulation(&id).await;
    assert_eq!(regulation["overall_status"], "running");
    let expected = [("Segment", "finished"), ("Amplitude", "running"), ("Braze", "running")];
    assert_eq!(words(&regulation, 1), all(&expected), "a destination that is not enabled takes no part");
    let parts = &regulation["stream_status"][1]["destination_status"];
    assert_ne!(parts[0]["finished_at"], ZERO);
    assert_eq!((&parts[1]["finished_at"], &parts[1]["err_string"]), (&json!(ZERO), &json!("")));
    assert!(!segment.has_data(ANA), "Segment's own part is done");

    segment.advance(120);
    let (_, regulation) = segment.regulation(&id).await;
    assert_eq!(regulation["overall_status"], "finished");
    assert_ne!(regulation["finished_at"], ZERO);
    let record = segment.record(&id);
    assert_eq!(record.finished_ms, Some(record.created_ms + 300_000));
    assert_eq!(segment.vendor().user_ids_with_email(WORKSPACE, ANA_EMAIL), [""; 0]);
    assert!(segment.vendor().has_data(OTHER_WORKSPACE, OTHER_ANA), "another workspace is another customer");
    assert!(segment.has_data(JO));
}

#[tokio::test]
async fn only_the_ids_that_were_named_are_reached() {
    let segment = Segment::new().await;
    segment.turn(json!({"initialized_seconds": 0, "running_seconds": 0}));
    segment.regulate("Delete", &[ANA_EMAIL, "ANA.SILVA@EXAMPLE.TEST", NOBODY_EMAIL]).await;
    assert_eq!(segment.vendor().user_ids_with_email(WORKSPACE, ANA_EMAIL), [ANA]);
    segment.regulate("Delete", &["U-1001"]).await;
    assert!(segment.has_data(ANA), "user ids are compared exactly");
    segment.regulate("Delete", &[ANA]).await;
    assert!(!segment.has_data(ANA));
}

#[tokio::test]
async fn slow_for_days() {
    let segment = Segment::new().await;
    segment.turn(json!({"initialized_seconds": 5 * DAY, "running_seconds": 2 * DAY}));
    let id = segment.regulate("Suppress_With_Delete", &[JO]).await;
    for (day, word) in [(0, "initialized"), (4, "initialized"), (6, "running"), (7, "finished")] {
        let age = (segment.sandbox.clock().now_ms() - segment.record(&id).created_ms) / 1000;
        segment.advance((day * DAY).saturating_sub(age));
        assert_eq!(segment.status(&id).await, word, "day {day}");
    }
    assert!(!segment.has_data(JO));
}

#[tokio::test]
async fn one_failed_destination_makes_a_failure_of_the_whole() {
    let segment = Segment::new().await;
    let plan = RegulationPlan::immediate().outcome("amplitude", "failed", "rate limited by amplitude");
    segment.vendor().plan_next(plan).unwrap();
    let id = segment.regulate("Suppress_With_Delete", &[ANA]).await;
    let (_, regulation) = segment.regulation(&id).await;
    assert_eq!(regulation["overall_status"], "failed");
    assert_eq!(
        words(&regulation, 1),
        all(&[("Segment", "finished"), ("Amplitude", "failed"), ("Braze", "finished")])
    );
    let part = &regulation["stream_status"][1]["destination_status"][1];
    assert_eq!(part["err_string"], "rate limited by amplitude");
    assert!(!segment.has_data(ANA), "the failure hides a deletion that took place");
    let next = segment.regulate("Delete", &[JO]).await;
    assert_eq!(segment.status(&next).await, "initialized", "a plan is for one regulation");
}

#[tokio::test]
async fn other_outcomes() {
    let segment = Segment::new().await;
    let now = RegulationPlan::immediate;
    let word = |word: &str| Some(word.to_owned());
    let table = [
        (now().outcome("braze", "not_supported", "no"), "finished", true),
        (now().outcome("braze", "partial_success", ""), "partial_success", true),
        (now().outcome("ios-app/amplitude", "running", ""), "running", true),
        (now().outcome("webhooks", "on_hold", ""), "running", true),
        (now().outcome("segment", "failed", "internal"), "failed", false),
        (RegulationPlan { final_status: word("invalid"), ..now() }, "invalid", true),
        (RegulationPlan { final_status: word("partial_success"), ..now() }, "partial_success", true),
        (RegulationPlan { shown_status: word("paused"), ..RegulationPlan::default() }, "paused", false),
    ];
    for (plan, overall, erased) in table {
        let segment_fresh = Segment::new().await;
        segment_fresh.vendor().plan_next(plan.clone()).unwrap();
        let id = segment_fresh.regulate("Suppress_With_Delete", &[KIM]).await;
        assert_eq!(segment_fresh.status(&id).await, overall, "{plan:?}");
        assert_eq!(!segment_fresh.has_data(KIM), erased, "{plan:?}");
    }

    let id = segment.regulate("Suppress_With_Delete", &[KIM]).await;
    let stuck = RegulationPlan::default().outcome("web-prod/amplitude", "running", "");
    segment.vendor().amend_regulation(&id, &stuck).unwrap();
    segment.advance(DAY);
    assert_eq!(segment.status(&id).await, "running");
    assert_eq!(segment.record(&id).destinations["ios-app/amplitude"], "finished");
    let free = RegulationPlan::default().outcome("amplitude", "finished", "");
    segment.vendor().amend_regulation(&id, &free).unwrap();
    assert_eq!(segment.status(&id).await, "finished");

    let typo = RegulationPlan::default().outcome("amplitud", "failed", "");
    let refused = Err(SpecRefused::UnknownDestination("amplitud".to_owned()));
    assert_eq!(segment.vendor().plan_next(typo.clone()), refused);
    assert_eq!(segment.vendor().amend_regulation(&id, &typo), refused);
    let nothing = Err(SpecRefused::UnknownRegulation("none".to_owned()));
    assert_eq!(segment.vendor().amend_regulation("none", &now()), nothing);
}

#[tokio::test]
async fn segment_may_make_up_for_its_failure() {
    let segment = Segment::new().await;
    let failed = RegulationPlan::immediate().outcome("segment", "failed", "internal");
    segment.vendor().plan_next(failed).unwrap();
    let id = segment.regulate("Delete", &[PIA]).await;
    assert!(segment.has_data(PIA));
    segment
        .vendor()
        .amend_regulation(&id, &RegulationPlan::default().outcome("segment", "finished", ""))
        .unwrap();
    assert!(!segment.has_data(PIA));
    assert_eq!(segment.status(&id).await, "finished");
}

#[tokio::test]
async fn destinations_that_take_no_deletions() {
    for (mode, overall, braze) in [
        ("failed", "failed", Some("failed")),
        ("not_supported", "finished", Some("not_supported")),
        ("left_out", "finished", None),
    ] {
        let segment = Segment::new().await;
        segment.turn(json!({"unsupported_destinations": mode}));
        segment.vendor().add_destination(DestinationSpec::new(WEB_PROD, "mixpanel")).unwrap();
        let id = segment.regulate("Delete", &[PIA]).await;
        segment.advance(300);
        assert_eq!(segment.status(&id).await, overall, "{mode}");
        let record = segment.record(&id);
        assert_eq!(record.destinations.get("web-prod/mixpanel").map(String::as_str), braze, "{mode}");
        assert!(!segment.has_data(PIA), "{mode}");
    }
}

#[tokio::test]
async fn what_stays_inside_segment_names_no_destinations() {
    let segment = Segment::new().await;
    for kind in ["Suppress", "Unsuppress", "Delete_Internal"] {
        let id = segment.regulate(kind, &[OLA]).await;
        let (_, regulation) = segment.regulation(&id).await;
        for stream in 0..3 {
            assert_eq!(words(&regulation, stream), all(&[("Segment", "initialized")]), "{kind}");
        }
    }
    segment.advance(300);
    assert!(!segment.has_data(OLA), "by Delete_Internal");
}

#[tokio::test]
async fn details_and_unset_times_are_knobs() {
    let segment = Segment::new().await;
    segment.turn(json!({"regulation_details": true, "unset_finished_at": "absent"}));
    let id = segment.regulate("Delete", &[OLA]).await;
    let (_, regulation) = segment.regulation(&id).await;
    assert_eq!(regulation.get("finished_at"), None);
    assert_eq!(
        (&regulation["regulate_id"], &regulation["parent"]),
        (&json!(id), &json!("workspaces/acme-shop"))
    );
    assert_eq!(regulation["regulation_type"], "Delete");
    assert_eq!(regulation["attributes"], json!({"name": "userId", "values": [OLA]}));
    segment.advance(300);
    assert!(segment.regulation(&id).await.1["finished_at"].is_string());
}

#[tokio::test]
async fn forgotten_after_ninety_days() {
    let segment = Segment::new().await;
    let id = segment.regulate("Delete", &[OLA]).await;
    segment.advance(90 * DAY - 60);
    assert_eq!(segment.status(&id).await, "finished");
    segment.advance(60);
    assert_eq!(segment.regulation(&id).await.0, 404);
    assert_eq!(segment.get(REGULATIONS).await.1["entries"], json!([]));
    let delete = segment.request(&format!("DELETE {REGULATIONS}/{id}")).bearer_auth(TOKEN);
    assert_eq!(send(delete).await.status, 404);
    assert_eq!(segment.record(&id).status, "finished", "the evidence stays");
    segment.turn(json!({"remembered_days": null}));
    assert_eq!(segment.regulation(&id).await.0, 200);
}
