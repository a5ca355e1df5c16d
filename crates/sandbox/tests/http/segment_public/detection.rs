//! What is connected, and the catalogue.

use habeas_sandbox::segment_config::fixtures::*;
use habeas_sandbox::segment_config::{DestinationSpec, EventSpec, SourceSpec, SpecRefused, WarehouseSpec};
use serde_json::{Value, json};

use super::{Segment, each};

const MASK: &str = "••••••••••••••••";

#[tokio::test]
async fn sources() {
    let segment = Segment::new().await;
    let id = segment.source_id(WEB_PROD).await;
    let mut data = segment.data(&format!("/sources/{id}")).await;
    assert_eq!(data.get("trackingPlanId"), Some(&Value::Null));
    let mut source = data["source"].take();
    let metadata = source["metadata"].take();
    assert_eq!(
        source,
        json!({"id": id, "slug": "web-prod", "name": "Web (production)", "metadata": null,
            "workspaceId": WORKSPACE_ID, "enabled": true, "writeKeys": [WRITE_KEYS[0]], "settings": {},
            "labels": [{"key": "environment", "value": "prod"}]})
    );
    assert_eq!(
        metadata,
        json!({"id": "IqDTy1TpoU", "name": "Javascript", "slug": "javascript",
            "description": "Collects events from Javascript.",
            "logos": {"default": "https://cdn.example.test/logos/javascript.svg",
                "mark": "https://cdn.example.test/marks/javascript.svg", "alt": null},
            "options": [], "categories": ["Website"], "isCloudEventSource": false, "status": "PUBLIC",
            "partnerOwned": false})
    );
    segment.turn(json!({"names": false}));
    assert_eq!(segment.data(&format!("/sources/{id}")).await["source"].get("name"), None);
}

#[tokio::test]
async fn write_keys_are_for_owners() {
    let segment = Segment::new().await;
    let all = segment.data("/sources").await.to_string();
    assert!(WRITE_KEYS[..3].iter().all(|key| all.contains(key)) && !all.contains(WRITE_KEYS[3]));
    let warehouse = segment.data("/warehouses").await["warehouses"][0]["id"].as_str().unwrap().to_owned();
    let id = segment.source_id(IOS_APP).await;
    for token in [PUBLIC_READ_ONLY_TOKEN, PUBLIC_MEMBER_TOKEN] {
        for path in
            ["/sources", &format!("/sources/{id}"), &format!("/warehouses/{warehouse}/connected-sources")]
        {
            let answer = segment.call_as(token, &format!("GET {path}")).await;
            assert!(answer.text.contains(r#""writeKeys":[]"#), "{token} {path}");
            assert!(!answer.text.contains("wk-example"), "{token} {path}");
        }
    }
}

#[tokio::test]
async fn destinations_of_the_workspace_and_of_a_source() {
    let segment = Segment::new().await;
    let all = segment.data("/destinations").await["destinations"].take();
    let slugs: Vec<_> = all.as_array().unwrap().iter().map(|it| it["metadata"]["slug"].clone()).collect();
    let expected = json!([
        "amplitude",
        "google-analytics",
        "webhooks",
        "customer.io",
        "amplitude",
        "braze",
        "appsflyer"
    ]);
    assert_eq!(Value::from(slugs), expected);
    let ios = segment.source_id(IOS_APP).await;
    let of_ios = segment.data(&format!("/sources/{ios}/connected-destinations")).await["destinations"].take();
    assert_eq!(of_ios.as_array().unwrap()[..], all.as_array().unwrap()[4..]);
    assert_eq!(each(&of_ios, "sourceId"), [ios.as_str(); 3]);
    let enabled: Vec<_> = of_ios.as_array().unwrap().iter().map(|it| it["enabled"].clone()).collect();
    assert_eq!(Value::from(enabled), json!([true, true, false]));
    let mut ids = each(&all, "id");
    assert!(ids.iter().all(|id| id.len() == 24 && id.bytes().all(|digit| digit.is_ascii_hexdigit())));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 7, "two of one kind are two");
    let one = segment.data(&format!("/destinations/{}", ids[0])).await["destination"].take();
    assert!(all.as_array().unwrap().contains(&one));

    let metadata = &of_ios[0]["metadata"];
    assert_eq!(
        (&metadata["id"], &metadata["name"]),
        (&json!("54521fd525e721e32a72ee91"), &json!("Amplitude"))
    );
    assert_eq!(
        (&metadata["website"], &metadata["status"]),
        (&json!("https://amplitude.com"), &json!("PUBLIC"))
    );
    assert_eq!((&metadata["categories"], &metadata["previousNames"]), (&json!(["Analytics"]), &json!([])));
    let server = json!({"type": "SERVER", "code": "https://code.example.test/amplitude", "owner": "SEGMENT"});
    assert_eq!(metadata["components"][0], server);
    assert_eq!(metadata["supportedPlatforms"]["mobile"], true);
    assert_eq!(metadata["options"][1]["type"], "password");
}

#[tokio::test]
async fn secrets_are_masked_where_they_are_known() {
    let segment = Segment::new().await;
    let all = segment.data("/destinations").await["destinations"].take();
    let settings = |position: usize| &all[position]["settings"];
    assert_eq!(settings(0), &json!({"apiKey": MASK, "secretKey": MASK}));
    // What nobody declared a secret lies in the open: a client must not keep it either.
    assert_eq!(settings(1), &json!({"trackingId": "config-secret-google-analytics-trackingId"}));
    assert_eq!(settings(2)["sharedSecret"], MASK);
    assert_eq!(settings(2)["hooks"][0]["token"], "config-secret-webhooks-hooks");
    let warehouse = segment.data("/warehouses").await["warehouses"][0]["settings"].take();
    let expected =
        json!({"name": "Snowflake", "hostname": "config-secret-snowflake-hostname", "password": MASK});
    assert_eq!(warehouse, expected);
}

#[tokio::test]
async fn warehouses_and_their_sources() {
    let segment = Segment::new().await;
    let all = segment.data("/warehouses").await["warehouses"].take();
    assert_eq!(all.as_array().unwrap().len(), WAREHOUSES.len());
    for (warehouse, slug) in all.as_array().unwrap().iter().zip(WAREHOUSES) {
        assert_eq!(
            (&warehouse["metadata"]["slug"], &warehouse["workspaceId"]),
            (&json!(slug), &json!(WORKSPACE_ID))
        );
    }
    assert_eq!((&all[0]["enabled"], &all[1]["enabled"]), (&json!(true), &json!(false)));
    let id = all[0]["id"].as_str().unwrap();
    assert_eq!(segment.data(&format!("/warehouses/{id}")).await["warehouse"], all[0]);
    let sources = segment.data(&format!("/warehouses/{id}/connected-sources")).await["sources"].take();
    assert_eq!(each(&sources, "slug"), [WEB_PROD, IOS_APP]);
    let sales = segment.source_id(SALESFORCE).await;
    let of_sales = segment.data(&format!("/sources/{sales}/connected-warehouses")).await;
    assert_eq!(of_sales["warehouses"], json!([all[1]]));
    assert_eq!(all[1]["settings"]["name"], "Sales");
    let other = segment.call_as(PUBLIC_OTHER_TOKEN, "GET /warehouses").await.json();
    assert_eq!(other["data"]["warehouses"][0]["metadata"]["slug"], OTHER_WAREHOUSE);
}

#[tokio::test]
async fn the_catalogue_goes_by_ids() {
    let segment = Segment::new().await;
    for (kind, list, one, known) in [
        ("sources", "sourcesCatalog", "sourceMetadata", ("L8TEm5Z8UV", "braze")),
        ("destinations", "destinationsCatalog", "destinationMetadata", ("54efbf12db31d978f14aa8b5", "braze")),
        ("warehouses", "warehousesCatalog", "warehouseMetadata", ("aea3c55dsz", "redshift")),
    ] {
        let all = segment.data(&format!("/catalog/{kind}")).await[list].take();
        let (id, slug) = known;
        let found = segment.data(&format!("/catalog/{kind}/{id}")).await[one].take();
        assert_eq!(found["slug"], slug, "{kind}");
        assert!(all.as_array().unwrap().contains(&found), "{kind}");
        for property in ["id", "name", "slug", "description"] {
            assert!(each(&all, property).iter().all(|text| !text.is_empty()), "{kind} {property}");
        }
        assert!(found["logos"]["default"].is_string() && found["options"].is_array(), "{kind}");
    }
    let sources = segment.data("/catalog/sources").await["sourcesCatalog"].take();
    let events = sources.as_array().unwrap().iter().filter(|it| it["isCloudEventSource"] == true);
    assert_eq!(events.count(), 1, "systems that send events are few");
    let kinesis = segment.data("/catalog/destinations/57da359580412f644ff33fb9").await;
    assert_eq!(kinesis["destinationMetadata"]["status"], "PUBLIC_BETA");
    assert_eq!(kinesis["destinationMetadata"]["supportedFeatures"]["deviceModeInstances"], "NONE");
}

#[tokio::test]
async fn more_can_be_connected() {
    let segment = Segment::new().await;
    let vendor = segment.vendor();
    let spec =
        SourceSpec { slug: "help".to_owned(), catalogue: "zendesk".to_owned(), ..SourceSpec::default() };
    vendor.add_source(SourceSpec { enabled: Some(false), ..spec }).unwrap();
    vendor.add_destination(DestinationSpec::new("help", "intercom")).unwrap();
    let id = segment.source_id("help").await;
    assert_eq!(segment.data(&format!("/sources/{id}")).await["source"]["enabled"], false);
    let of_help = segment.data(&format!("/sources/{id}/connected-destinations")).await;
    assert_eq!(each(&of_help["destinations"], "name"), ["Intercom"]);
    let event =
        EventSpec { source: Some("help".to_owned()), user_id: "u-9".to_owned(), ..EventSpec::default() };
    assert!(!vendor.receive(&event).unwrap(), "a source that is not enabled takes nothing in");

    let warehouse = vendor.add_warehouse(WarehouseSpec::new("redshift", &["help"])).unwrap();
    let shown = segment.data(&format!("/warehouses/{warehouse}")).await;
    assert_eq!(shown["warehouse"]["metadata"]["name"], "Redshift");
    let none = || "none".to_owned();
    let refused = vendor.add_warehouse(WarehouseSpec::new("none", &[]));
    assert_eq!(refused, Err(SpecRefused::NotInCatalogue(none())));
    let refused = vendor.add_warehouse(WarehouseSpec::new("db2", &[WEB_PROD, "none"]));
    assert_eq!(refused, Err(SpecRefused::UnknownSource(none())));
    let nowhere = WarehouseSpec { workspace: Some(none()), ..WarehouseSpec::new("db2", &[]) };
    assert_eq!(vendor.add_warehouse(nowhere), Err(SpecRefused::UnknownWorkspace(none())));
}
