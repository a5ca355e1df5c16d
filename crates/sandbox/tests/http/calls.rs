//! The call log as evidence.

use std::collections::BTreeMap;
use std::time::Duration;

use habeas_sandbox::calls::Outcome;
use habeas_sandbox::readycloud::fixtures::*;

use crate::support::{World, contact, contacts};

#[tokio::test]
async fn calls_are_counted_by_route_template() {
    let world = World::new().await;
    world.call("GET /api/v2/orgs/").await;
    world.call(&contacts("?limit=1")).await;
    world.call(&contacts("?bearer_token=secret")).await;
    world.call(&contact("DELETE", JO)).await;
    world.call(&contact("DELETE", "none")).await;
    world.call(&contact("PUT", JO)).await;
    world.call("GET /nothing").await;
    let calls = world.sandbox.calls();
    let table = [
        ("GET /api/v2/orgs/", 1),
        ("GET /api/v2/orgs/{org}/contacts/", 2),
        ("DELETE /api/v2/orgs/{org}/contacts/{contact}/", 2),
        ("PUT /api/v2/orgs/{org}/contacts/{contact}/", 1),
        ("GET (no route)", 1),
        ("POST /api/v2/orgs/", 0),
    ];
    for (route, count) in table {
        assert_eq!(calls.count("readycloud", route), count, "{route}");
    }
    assert_eq!(calls.summary().total, 7);
    let deletions = calls.route("readycloud", "DELETE /api/v2/orgs/{org}/contacts/{contact}/");
    assert_eq!((deletions.effects, deletions.statuses), (1, BTreeMap::from([(204, 1), (404, 1)])));

    let recent = calls.recent(5);
    assert_eq!(recent.iter().map(|call| call.sequence).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
    assert_eq!(recent[0].path, format!("/api/v2/orgs/{MAIN_ORG}/contacts/"), "without the query");
    let deleted = &recent[1];
    assert_eq!((deleted.status, deleted.effect, deleted.outcome), (Some(204), true, Outcome::Answered));
    assert_eq!((deleted.account.as_deref(), deleted.class), (Some(CLIENT_ID), Some("other")));

    calls.reset();
    assert_eq!(calls.summary().total, 0);
}

#[tokio::test]
async fn peaks_are_kept_by_class_and_client() {
    let world = World::new().await;
    for _ in 0..4 {
        world.call("GET /api/v2/orgs/").await;
    }
    world.call(&contact("DELETE", "none")).await;
    world.call_as("unknown token", "GET /api/v2/orgs/").await;
    world.sandbox.clock().advance(Duration::from_secs(61));
    for _ in 0..3 {
        world.call("GET /api/v2/orgs/").await;
    }
    let peaks = world.sandbox.calls().peaks().remove("readycloud").unwrap();
    assert_eq!(peaks.classes, BTreeMap::from([("get", 5), ("other", 1)]));
    assert_eq!(peaks.accounts[CLIENT_ID], BTreeMap::from([("get", 4), ("other", 1)]));
    assert_eq!(peaks.accounts["unknown"], BTreeMap::from([("get", 1)]));
}

#[tokio::test]
async fn a_contact_that_vanishes_between_scan_and_deletion() {
    let world = World::new().await;
    assert!(world.call(&contacts("")).await.keys().contains(&JO.to_owned()));
    assert!(world.readycloud().remove_contact(JO));
    assert_eq!(world.call(&contact("DELETE", JO)).await.status, 404);
    let counts = world.sandbox.calls().deletions_of("readycloud", JO);
    assert_eq!((counts.arrived, counts.effects), (1, 0));
}
