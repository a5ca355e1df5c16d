//! Who is suppressed, and what that does to data that comes in later.

use habeas_sandbox::segment_config::EventSpec;
use habeas_sandbox::segment_config::fixtures::*;
use serde_json::json;

use super::{Segment, people};

const SUPPRESSED: &str = "/v1beta/workspaces/acme-shop/suppressed-users";
const OF_IOS: &str = "/v1beta/workspaces/acme-shop/sources/ios-app/regulations";

fn event(source: &str, user_id: &str) -> EventSpec {
    EventSpec { source: Some(source.to_owned()), user_id: user_id.to_owned(), ..EventSpec::default() }
}

#[tokio::test]
async fn new_data_of_a_suppressed_person_is_thrown_away() {
    let segment = Segment::new().await;
    segment.regulate("Suppress_With_Delete", &[JO]).await;
    segment.regulate("Delete", &[PIA]).await;
    segment.advance(300);
    let receive = |user_id: &str| segment.vendor().receive(&event(WEB_PROD, user_id)).unwrap();
    assert!(!receive(JO) && !segment.has_data(JO));
    assert!(receive(PIA) && segment.has_data(PIA), "deleted alone is not suppressed");
    segment.regulate("Unsuppress", &[JO]).await;
    segment.advance(300);
    assert!(receive(JO) && segment.has_data(JO));
}

#[tokio::test]
async fn the_list() {
    let segment = Segment::new().await;
    segment.turn(json!({"initialized_seconds": 0}));
    let empty = json!({"attributes": {"name": "userId", "values": []}, "next_page_token": ""});
    assert_eq!(segment.get(SUPPRESSED).await, (200, empty));
    segment.regulate("Suppress", &["a", "b", "c"]).await;
    let (_, page) = segment.get(&format!("{SUPPRESSED}?page_size=2")).await;
    assert_eq!(page["attributes"]["values"], json!(["a", "b"]));
    let token = page["next_page_token"].as_str().unwrap();
    let (_, page) = segment.get(&format!("{SUPPRESSED}?page_size=2&page_token={token}")).await;
    assert_eq!(page, json!({"attributes": {"name": "userId", "values": ["c"]}, "next_page_token": ""}));
}

#[tokio::test]
async fn the_workspace_wins_over_a_source() {
    let segment = Segment::new().await;
    segment.post(OF_IOS, &people("Suppress", &[OLA])).await;
    segment.advance(300);
    let receive = |source: &str| segment.vendor().receive(&event(source, OLA)).unwrap();
    assert!(!receive(IOS_APP) && receive(WEB_PROD));
    assert!(segment.vendor().suppressed(WORKSPACE).is_empty(), "only for that source");
    segment.regulate("Suppress", &[OLA]).await;
    segment.advance(300);
    assert!(!receive(WEB_PROD));
    let (_, lift) = segment.post(OF_IOS, &people("Unsuppress", &[OLA])).await;
    segment.advance(300);
    let id = lift["regulate_id"].as_str().unwrap();
    assert_eq!(segment.status(id).await, "failed");
    assert!(!receive(IOS_APP));
}

#[tokio::test]
async fn what_becomes_due_together_is_carried_out_in_order() {
    let segment = Segment::new().await;
    segment.turn(json!({"initialized_seconds": 1000}));
    segment.regulate("Suppress", &[JO]).await;
    segment.turn(json!({"initialized_seconds": 10}));
    segment.regulate("Unsuppress", &[JO]).await;
    segment.advance(2000);
    assert!(segment.vendor().suppressed(WORKSPACE).contains(JO), "suppressing was due last");
}
