//! One state behind two APIs.

use habeas_sandbox::segment_config::fixtures::*;
use habeas_sandbox::segment_config::{EventSpec, QuotaUse, RegulationPlan};
use serde_json::{Value, json};

use super::{Segment, people};

const CONFIG_REGULATIONS: &str = "/v1beta/workspaces/acme-shop/regulations";

fn config_people(kind: &str, values: &[&str]) -> Value {
    json!({"regulation_type": kind, "attributes": {"name": "userId", "values": values}})
}

#[tokio::test]
async fn whoever_is_deleted_through_either_is_deleted() {
    let segment = Segment::new().await;
    segment.turn_shared(json!({"initialized_seconds": 0, "running_seconds": 0}));
    segment.regulate("SUPPRESS_WITH_DELETE", &[ANA, ANA_EMAIL]).await;
    let body = config_people("Suppress_With_Delete", &[JO]);
    let (status, _) = segment.config(&format!("POST {CONFIG_REGULATIONS}"), Some(&body)).await;
    assert_eq!(status, 200);
    for gone in [ANA, ANA_EMAIL, JO] {
        assert!(!segment.has_data(gone), "{gone}");
        assert_eq!(segment.vendor().accepted_for_deletion(gone), 1, "{gone}");
        let event = EventSpec { user_id: gone.to_owned(), ..EventSpec::default() };
        assert!(!segment.vendor().receive(&event).unwrap(), "{gone} is suppressed");
    }
    assert!(segment.has_data(JO_EMAIL));
    let (_, suppressed) = segment.config("GET /v1beta/workspaces/acme-shop/suppressed-users", None).await;
    let ids = json!([ANA_EMAIL, ANA, JO]);
    assert_eq!(suppressed["attributes"]["values"], ids);
    let suppressed = segment.data("/suppressions").await["suppressed"].take();
    assert_eq!(suppressed, json!([{"subjectType": "USER_ID", "subjectIds": ids}]));
}

#[tokio::test]
async fn a_regulation_is_seen_by_both_in_their_own_words() {
    let segment = Segment::new().await;
    let body = config_people("Suppress_With_Delete", &[KIM]);
    let (_, made) = segment.config(&format!("POST {CONFIG_REGULATIONS}"), Some(&body)).await;
    let of_config = made["regulate_id"].as_str().unwrap().to_owned();
    let of_public = segment.regulate("DELETE_INTERNAL", &[KIM_EMAIL]).await;
    assert_eq!((of_config.len(), of_public.len()), (27, 27));
    for (seconds, config, public) in
        [(0, "initialized", "INITIALIZED"), (60, "running", "RUNNING"), (240, "finished", "FINISHED")]
    {
        segment.advance(seconds);
        for id in [&of_config, &of_public] {
            let (status, shown) = segment.config(&format!("GET {CONFIG_REGULATIONS}/{id}"), None).await;
            assert_eq!((status, &shown["overall_status"]), (200, &json!(config)));
            assert_eq!(segment.status(id).await, public);
        }
    }
    let (_, list) = segment.config(&format!("GET {CONFIG_REGULATIONS}"), None).await;
    assert_eq!(super::each(&list["entries"], "regulate_id"), [of_public.as_str(), &of_config]);
    let list = segment.data("/regulations").await["regulations"].take();
    assert_eq!(super::each(&list, "id"), [of_public.as_str(), &of_config]);
    assert_eq!(super::each(&list, "regulationType"), ["DELETE_INTERNAL", "SUPPRESS_WITH_DELETE"]);
    // The stream is the same source under the same id.
    let (_, shown) = segment.config(&format!("GET {CONFIG_REGULATIONS}/{of_public}"), None).await;
    let stream = segment.regulation(&of_public).await["streamStatus"][0]["id"].take();
    assert_eq!(shown["stream_status"][0]["id"], stream);
    assert_eq!(stream, segment.source_id(WEB_PROD).await);
}

#[tokio::test]
async fn every_type_has_its_word_in_both() {
    let segment = Segment::new().await;
    segment.turn_shared(json!({"regulation_details": true}));
    let table = [
        ("DELETE_INTERNAL", "Delete_Internal"),
        ("DELETE_ONLY", "Delete"),
        ("SUPPRESS_ONLY", "Suppress"),
        ("SUPPRESS_WITH_DELETE", "Suppress_With_Delete"),
        ("UNSUPPRESS", "Unsuppress"),
        ("SUPPRESS_WITH_DELETE_INTERNAL", "Suppress_With_Delete_Internal"),
    ];
    for (public, config) in table {
        let id = segment.regulate(public, &[PIA]).await;
        let (_, shown) = segment.config(&format!("GET {CONFIG_REGULATIONS}/{id}"), None).await;
        assert_eq!(shown["regulation_type"], config);
    }
    let post = format!("POST {CONFIG_REGULATIONS}");
    for (_, config) in table {
        let (status, body) = segment.config(&post, Some(&config_people(config, &[PIA]))).await;
        if config == "Suppress_With_Delete_Internal" {
            assert_eq!((status, &body["code"]), (400, &json!(3)), "it came after that API was frozen");
            continue;
        }
        assert_eq!(status, 200, "{config}");
        let newest = segment.data("/regulations?pagination.count=1").await;
        let expected = table.iter().find(|(_, word)| *word == config).unwrap().0;
        assert_eq!(newest["regulations"][0]["regulationType"], expected);
    }
}

#[tokio::test]
async fn the_quota_is_shared() {
    let segment = Segment::new().await;
    segment.turn_shared(json!({"monthly_users": 3}));
    segment.regulate("DELETE_ONLY", &[ANA, ANA_EMAIL]).await;
    let post = format!("POST {CONFIG_REGULATIONS}");
    assert_eq!(segment.config(&post, Some(&config_people("Delete", &[JO]))).await.0, 200);
    assert_eq!(segment.config(&post, Some(&config_people("Delete", &[JO]))).await.0, 429);
    assert_eq!(segment.post("/regulations", &people("DELETE_ONLY", &[JO])).await.status, 429);
    let used = QuotaUse { segment_only: 0, segment_and_destination: 3 };
    assert_eq!(segment.vendor().quota_used(WORKSPACE), Some(used));
}

#[tokio::test]
async fn plans_go_with_the_next_regulation_of_either() {
    let segment = Segment::new().await;
    segment.vendor().plan_next(RegulationPlan::immediate()).unwrap();
    let id = segment.regulate("DELETE_ONLY", &[OLA]).await;
    assert_eq!(segment.status(&id).await, "FINISHED");
    assert!(!segment.has_data(OLA));
    let plan = RegulationPlan { shown_status: Some("paused".to_owned()), ..RegulationPlan::default() };
    segment.vendor().amend_regulation(&id, &plan).unwrap();
    assert_eq!(segment.status(&id).await, "PAUSED", "a word nobody knows");
}

#[tokio::test]
async fn a_regulation_taken_back_through_one_is_gone_in_the_other() {
    let segment = Segment::new().await;
    segment.turn(json!({"delete_regulations": true}));
    let id = segment.regulate("DELETE_ONLY", &[OLA]).await;
    assert_eq!(segment.config(&format!("DELETE {CONFIG_REGULATIONS}/{id}"), None).await.0, 200);
    assert_eq!(segment.call(&format!("GET /regulations/{id}")).await.status, 404);
    let id = segment.regulate("DELETE_ONLY", &[OLA]).await;
    assert_eq!(segment.call(&format!("DELETE /regulations/{id}")).await.status, 200);
    assert_eq!(segment.config(&format!("GET {CONFIG_REGULATIONS}/{id}"), None).await.0, 404);
    segment.advance(400);
    assert!(segment.has_data(OLA));
}

#[tokio::test]
async fn warehouses_are_shown_by_one_of_them() {
    let segment = Segment::new().await;
    assert_eq!(segment.config("GET /v1beta/workspaces/acme-shop/warehouses", None).await.0, 404);
    let (_, everything) = segment.config("GET /v1beta/workspaces/acme-shop/sources", None).await;
    assert!(!everything.to_string().contains("snowflake"));
    assert_eq!(segment.data("/warehouses").await["warehouses"].as_array().unwrap().len(), 2);
    let snapshot = segment.vendor().snapshot();
    assert_eq!(snapshot["workspaces"][0]["warehouses"][0]["sources"], json!([WEB_PROD, IOS_APP]));
}
