//! Creating, listing and deleting regulations; limits on them.

use habeas_sandbox::segment_config::fixtures::*;
use habeas_sandbox::segment_config::{Attribute, QuotaUse, RegulationPlan, RegulationType};
use serde_json::{Value, json};

use super::{REGULATIONS, Segment, error, people};
use crate::support::send;

/// The ids in a list of regulations, over all its pages.
async fn walk(segment: &Segment, query: &str) -> Vec<String> {
    let (mut ids, mut token) = (Vec::new(), String::new());
    loop {
        let (status, page) = segment.get(&format!("{REGULATIONS}?{query}&page_token={token}")).await;
        assert_eq!(status, 200, "{page}");
        let entries = page["entries"].as_array().unwrap();
        ids.extend(entries.iter().map(|entry| entry["regulate_id"].as_str().unwrap().to_owned()));
        match page["next_page_token"].as_str().unwrap() {
            "" => return ids,
            next => token = next.to_owned(),
        }
    }
}

#[tokio::test]
async fn a_regulation_is_taken_in() {
    let segment = Segment::new().await;
    let id = segment.regulate("Suppress_With_Delete", &[ANA, ANA_EMAIL, ANA]).await;
    assert_eq!(id.len(), 27);
    let record = segment.record(&id);
    assert_eq!((record.kind, record.attribute), (RegulationType::SuppressWithDelete, Attribute::UserId));
    assert_eq!(record.values, [ANA, ANA_EMAIL, ANA]);
    assert_eq!(
        (record.workspace.as_str(), record.source, record.status.as_str()),
        (WORKSPACE, None, "initialized")
    );
    assert_eq!(segment.vendor().accepted_for_deletion(ANA), 1, "equal values count once");
    let again = segment.regulate("Suppress_With_Delete", &[ANA_EMAIL]).await;
    assert_ne!(again, id, "a repeat is a second regulation");
    segment.regulate("Suppress", &[ANA_EMAIL]).await;
    assert_eq!(segment.vendor().accepted_for_deletion(ANA_EMAIL), 2);
    assert_eq!(segment.vendor().accepted_for_deletion(JO_EMAIL), 0);
    let create =
        segment.sandbox.calls().route("segment_config", "POST /v1beta/workspaces/{workspace}/regulations");
    assert_eq!((create.arrived, create.effects), (3, 3));
}

#[tokio::test]
async fn bodies_that_are_refused() {
    let segment = Segment::new().await;
    let contacts = "workspaces/acme-shop/sources/salesforce/contacts";
    let objects = |kind: &str, collection: &str| json!({"regulation_type": kind, "attributes": {"name": "objectId", "values": ["1"]}, "collection": collection});
    for body in [
        json!({}),
        json!([]),
        json!({"regulation_type": "Delete"}),
        json!({"regulation_type": "Delete", "attributes": {"name": "userId", "values": "u-1"}}),
        json!({"regulation_type": "Delete", "attributes": {"name": "userId", "values": [1]}}),
        json!({"regulation_type": "Delete", "attributes": {"name": "email", "values": ["a"]}}),
        people("Delete", &[]),
        people("Delete", &[""]),
        people("delete", &[JO]),
        people("SUPPRESS_WITH_DELETE", &[JO]),
        people("Suppress_With_Delete_Internal", &[JO]),
        people("Delete_Archive_Only", &[JO]),
        objects("Suppress", contacts),
        objects("delete", ""),
        objects("delete", "workspaces/acme-shop/sources/web-prod/contacts"),
        objects("delete", "workspaces/other-shop/sources/salesforce/contacts"),
    ] {
        let (status, answer) = segment.post(REGULATIONS, &body).await;
        assert_eq!((status, &answer["code"]), (400, &json!(3)), "{body}");
    }
    for body in ["", "{", "null"] {
        let request = segment.request(&format!("POST {REGULATIONS}")).bearer_auth(TOKEN).body(body);
        assert_eq!(send(request).await.json()["code"], 3, "{body}");
    }
    assert!(segment.vendor().regulations().is_empty());
    segment.turn(json!({"any_case_types": true}));
    segment.regulate("suppress_with_delete", &[JO]).await;
}

#[tokio::test]
async fn for_one_source_and_for_objects() {
    let segment = Segment::new().await;
    let of_source = "/v1beta/workspaces/acme-shop/sources/ios-app/regulations/";
    let (status, body) = segment.post(of_source, &people("Delete", &[KIM])).await;
    assert_eq!(status, 200);
    let id = body["regulate_id"].as_str().unwrap();
    segment.advance(300);
    assert_eq!(segment.status(id).await, "finished");
    let profile = segment.vendor().profile(WORKSPACE, KIM).unwrap();
    assert_eq!(profile.sources, [WEB_PROD.to_owned()].into(), "only that source forgets");
    let none = "/v1beta/workspaces/acme-shop/sources/none/regulations";
    assert_eq!(segment.post(none, &people("Delete", &[KIM])).await.0, 404);

    for path in [REGULATIONS, "/v1beta/workspaces/acme-shop/sources/salesforce/regulations"] {
        let body = json!({"regulation_type": "delete", "collection": "workspaces/acme-shop/sources/salesforce/contacts",
            "attributes": {"name": "objectId", "values": [JO]}});
        let (status, answer) = segment.post(path, &body).await;
        assert_eq!(status, 200, "{path}");
        let record = segment.record(answer["regulate_id"].as_str().unwrap());
        assert_eq!((record.attribute, record.source.as_deref()), (Attribute::ObjectId, Some(SALESFORCE)));
    }
    segment.advance(300);
    assert!(segment.has_data(JO), "an object is not a person");
    assert_eq!(segment.vendor().accepted_for_deletion(JO), 0);
}

#[tokio::test]
async fn lists_come_newest_first_in_pages_and_filtered() {
    let segment = Segment::new().await;
    let mut ids = Vec::new();
    for number in 0..12 {
        let kind = if number % 3 == 0 { "Suppress" } else { "Delete" };
        ids.push(segment.regulate(kind, &[&format!("x-{number}")]).await);
    }
    ids.reverse();
    for query in ["", "page_size=1", "page_size=5", "page_size=100"] {
        assert_eq!(walk(&segment, query).await, ids, "{query}");
    }
    assert_eq!(walk(&segment, "regulation_types=Suppress").await.len(), 4);
    assert_eq!(walk(&segment, "regulation_types=Suppress&regulation_types=Delete&page_size=3").await, ids);
    assert_eq!(walk(&segment, "regulation_types=Unsuppress").await.len(), 0);
    let failed = RegulationPlan::immediate().outcome("segment", "failed", "");
    segment.vendor().amend_regulation(&ids[3], &failed).unwrap();
    segment.vendor().amend_regulation(&ids[7], &RegulationPlan::immediate()).unwrap();
    assert_eq!(walk(&segment, "status=failed").await, [ids[3].clone()]);
    assert_eq!(walk(&segment, "status=finished").await, [ids[7].clone()]);
    assert_eq!(walk(&segment, "status=initialized&page_size=4").await.len(), 10);
    for query in ["status=done", "regulation_types=None", "page_token=position-1"] {
        let (status, body) = segment.get(&format!("{REGULATIONS}?{query}")).await;
        assert_eq!((status, &body["code"]), (400, &json!(3)), "{query}");
    }

    let (_, page) = segment.get(&format!("{REGULATIONS}?page_size=1")).await;
    let entry = &page["entries"][0];
    assert_eq!(entry["attributes"], json!({"name": "userId", "values": ["x-11"]}));
    assert_eq!((&entry["status"], entry.get("finished_at")), (&json!("initialized"), None));
    let token = page["next_page_token"].as_str().unwrap();
    assert!(token.ends_with('Z') && token.len() == 27, "{token}");
}

#[tokio::test]
async fn new_regulations_do_not_disturb_a_reader() {
    let segment = Segment::new().await;
    let first = segment.regulate("Delete", &["x-1"]).await;
    let second = segment.regulate("Delete", &["x-2"]).await;
    let (_, page) = segment.get(&format!("{REGULATIONS}?page_size=1")).await;
    assert_eq!(page["entries"][0]["regulate_id"], second);
    segment.regulate("Delete", &["x-3"]).await;
    let token = page["next_page_token"].as_str().unwrap();
    let (_, page) = segment.get(&format!("{REGULATIONS}?page_size=1&page_token={token}")).await;
    assert_eq!((&page["entries"][0]["regulate_id"], &page["next_page_token"]), (&json!(first), &json!("")));
}

#[tokio::test]
async fn only_an_initialized_regulation_can_be_deleted() {
    let segment = Segment::new().await;
    let id = segment.regulate("Suppress_With_Delete", &[ANA]).await;
    let delete = format!("DELETE {REGULATIONS}/{id}");
    let deleted = segment.call(&delete).await;
    assert_eq!((deleted.status, deleted.json()), (200, json!({})));
    assert_eq!(segment.call(&delete).await.status, 404);
    assert_eq!(segment.regulation(&id).await.0, 404);
    assert_eq!(walk(&segment, "").await.len(), 0);
    segment.advance(86_400);
    assert!(segment.has_data(ANA) && segment.vendor().suppressed(WORKSPACE).is_empty());
    assert!(segment.record(&id).deleted);
    let counts = segment.sandbox.calls().deletions_of("segment_config", &id);
    assert_eq!((counts.arrived, counts.effects), (2, 1));

    let id = segment.regulate("Suppress_With_Delete", &[ANA]).await;
    segment.advance(60);
    let refused = segment.call(&format!("DELETE {REGULATIONS}/{id}")).await;
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!(3)));
    assert_eq!(segment.status(&id).await, "running");
}

#[tokio::test]
async fn too_many_values_and_too_many_bytes() {
    let segment = Segment::new().await;
    let values = |count: usize, length: usize| -> Value {
        let values: Vec<_> = (0..count).map(|n| format!("{n:0length$}")).collect();
        json!({"regulation_type": "Delete", "attributes": {"name": "userId", "values": values}})
    };
    assert_eq!(segment.post(REGULATIONS, &values(5_000, 8)).await.0, 200);
    let (status, body) = segment.post(REGULATIONS, &values(5_001, 8)).await;
    assert_eq!((status, &body["code"]), (400, &json!(3)));
    assert_eq!(segment.post(REGULATIONS, &values(5_000, 780)).await.0, 200, "3.9 MB");
    for length in [810, 2_000] {
        let (status, body) = segment.post(REGULATIONS, &values(5_000, length)).await;
        assert_eq!((status, body), (400, error("the payload is too large", 3)), "{length}");
    }
    segment.turn(json!({"oversize": "resource_exhausted", "max_values": 2, "max_body_bytes": 200}));
    assert_eq!(segment.post(REGULATIONS, &values(3, 8)).await.0, 429);
    let (status, body) = segment.post(REGULATIONS, &values(2, 100)).await;
    assert_eq!((status, body), (429, error("the payload is too large", 8)));
    assert_eq!(segment.post(REGULATIONS, &values(2, 8)).await.0, 200);
}

#[tokio::test]
async fn a_quota_of_users_per_month_and_family() {
    let segment = Segment::new().await;
    segment.turn(json!({"monthly_users": 3, "monthly_users_segment_only": 1}));
    segment.regulate("Suppress_With_Delete", &[ANA, ANA_EMAIL, ANA]).await;
    let (status, body) = segment.post(REGULATIONS, &people("Delete", &[JO, JO_EMAIL])).await;
    assert_eq!((status, body), (429, error("monthly regulation quota exceeded", 8)));
    segment.regulate("Delete", &[JO]).await;
    segment.regulate("Delete_Internal", &[JO]).await;
    assert_eq!(segment.post(REGULATIONS, &people("Suppress", &[JO])).await.0, 429);
    let used = QuotaUse { segment_only: 1, segment_and_destination: 3 };
    assert_eq!(segment.vendor().quota_used(WORKSPACE), Some(used));
    assert_eq!(segment.vendor().quota_used(OTHER_WORKSPACE), Some(QuotaUse::default()));
    assert_eq!(segment.vendor().accepted_for_deletion(JO_EMAIL), 0);
    segment.advance(31 * 86_400);
    assert_eq!(segment.vendor().quota_used(WORKSPACE), Some(QuotaUse::default()));
    segment.regulate("Delete", &[JO, JO_EMAIL]).await;
    segment.turn(json!({"monthly_users": null}));
    segment.regulate("Delete", &["a", "b", "c", "d"]).await;
}
