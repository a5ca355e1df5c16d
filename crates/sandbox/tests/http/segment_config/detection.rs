//! Workspaces, sources, destinations and the catalogue.

use habeas_sandbox::segment_config::fixtures::*;
use habeas_sandbox::segment_config::{DestinationSpec, SourceSpec, SpecRefused};
use serde_json::{Value, json};

use super::Segment;

const SOURCES: &str = "/v1beta/workspaces/acme-shop/sources";

/// The last steps of the names in a list, over all its pages.
async fn walk(segment: &Segment, path: &str, key: &str, page_size: usize) -> Vec<String> {
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let url = format!("{path}?page_size={page_size}&page_token={token}");
        let (status, page) = segment.get(&url).await;
        assert_eq!(status, 200, "{url}");
        let items = page[key].as_array().unwrap();
        assert!(items.len() <= page_size);
        let last = |item: &Value| item["name"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        names.extend(items.iter().map(last));
        match page["next_page_token"].as_str() {
            None | Some("") => return names,
            Some(next) => token = next.to_owned(),
        }
    }
}

#[tokio::test]
async fn the_workspace() {
    let segment = Segment::new().await;
    let workspace = json!({"name": "workspaces/acme-shop", "display_name": "Acme Shop", "id": "e5bdb0902b",
        "create_time": "2018-08-08T13:24:02.651Z"});
    assert_eq!(segment.get("/v1beta/workspaces/acme-shop").await, (200, workspace.clone()));
    let list = json!({"workspaces": [workspace], "next_page_token": ""});
    assert_eq!(segment.get("/v1beta/workspaces").await, (200, list));
    segment.turn(json!({"workspace_name": "bare", "end_of_list": "absent"}));
    let (_, list) = segment.get("/v1beta/workspaces/").await;
    assert_eq!(list["workspaces"][0]["name"], "acme-shop");
    assert_eq!(list.get("next_page_token"), None);
    let (_, members) = segment.get("/v1beta/workspaces/acme-shop/users").await;
    assert_eq!(members["users"][0]["email"], "jo@example.test");
}

#[tokio::test]
async fn sources_with_their_secrets() {
    let segment = Segment::new().await;
    let (_, source) = segment.get(&format!("{SOURCES}/web-prod")).await;
    let config = json!({"metrics_enabled": false, "retry_queue": false, "cross_domain_id_enabled": false, "api_host": ""});
    assert_eq!(
        source,
        json!({"name": "workspaces/acme-shop/sources/web-prod", "parent": "workspaces/acme-shop",
            "catalog_name": "catalog/sources/javascript", "write_keys": [WRITE_KEYS[0]],
            "library_config": config, "create_time": "2025-01-02T03:04:05Z"})
    );
    segment.turn(json!({"library_config": "library_source_config", "source_details": true}));
    let (_, source) = segment.get(&format!("{SOURCES}/web-prod")).await;
    assert_eq!(source.get("library_config"), None);
    assert_eq!((&source["library_source_config"], &source["slug"]), (&config, &json!("web-prod")));
    for page_size in [1, 2, 100] {
        assert_eq!(
            walk(&segment, SOURCES, "sources", page_size).await,
            [WEB_PROD, IOS_APP, SALESFORCE],
            "{page_size}"
        );
    }
}

#[tokio::test]
async fn destinations_per_source() {
    let segment = Segment::new().await;
    for (source, expected) in [
        (WEB_PROD, vec!["amplitude", "google-analytics", "webhooks", DOTTED_DESTINATION]),
        (IOS_APP, vec!["amplitude", "braze", "appsflyer"]),
        (SALESFORCE, vec![]),
    ] {
        let path = format!("{SOURCES}/{source}/destinations");
        assert_eq!(walk(&segment, &path, "destinations", 2).await, expected);
    }
    let name = "workspaces/acme-shop/sources/ios-app/destinations/appsflyer";
    let (_, destination) = segment.get(&format!("/v1beta/{name}")).await;
    assert_eq!(
        destination,
        json!({"name": name, "parent": "workspaces/acme-shop/sources/ios-app", "display_name": "AppsFlyer",
            "enabled": false, "connection_mode": "CLOUD", "config": [
                {"name": format!("{name}/config/apiKey"), "display_name": "API Key",
                    "value": "config-secret-appsflyer-apiKey", "type": "string"},
                {"name": format!("{name}/config/secretKey"), "display_name": "Secret Key",
                    "value": "config-secret-appsflyer-secretKey", "type": "string"},
            ], "create_time": "2025-01-02T03:04:05Z", "update_time": "2025-01-02T03:04:05Z"})
    );
    let everything = segment.get(&format!("{SOURCES}/web-prod/destinations")).await.1.to_string();
    assert!(everything.matches(CONFIG_SECRET_PREFIX).count() >= 4, "every destination holds a secret");
    assert!(everything.contains(r#""connection_mode":"DEVICE""#));
    assert!(everything.contains(r#""connection_mode":"UNSPECIFIED""#));
}

#[tokio::test]
async fn the_catalogue_joins_on_slugs() {
    let segment = Segment::new().await;
    let sources = walk(&segment, "/v1beta/catalog/sources", "sources", 5).await;
    let destinations = walk(&segment, "/v1beta/catalog/destinations", "destinations", 5).await;
    for slug in ["javascript", "ios", "salesforce", ".net"] {
        assert!(sources.iter().any(|it| it == slug), "{slug}");
    }
    for slug in ["amplitude", "braze", "google-analytics", "webhooks", DOTTED_DESTINATION, "appsflyer"] {
        assert!(destinations.iter().any(|it| it == slug), "{slug}");
    }
    let (_, first) = segment.get("/v1beta/catalog/sources").await;
    assert_eq!(first["sources"].as_array().unwrap().len(), 10, "the default page");
    assert_ne!(first["next_page_token"], "");

    let (_, source) = segment.get("/v1beta/catalog/sources/salesforce").await;
    assert_eq!(
        (&source["name"], &source["categories"]),
        (&json!("catalog/sources/salesforce"), &json!(["CRM"]))
    );
    let (_, destination) = segment.get("/v1beta/catalog/destinations/amplitude").await;
    assert_eq!(destination["website"], "https://amplitude.com");
    assert_eq!((&destination["type"], &destination["status"]), (&json!("STREAMING"), &json!("PUBLIC")));
    assert_eq!(destination["categories"], json!({"primary": "Analytics", "secondary": "", "additional": []}));
    assert_eq!(destination["settings"][1]["type"], "PASSWORD");
    assert_eq!(destination["platforms"], json!({"browser": true, "server": true, "mobile": true}));
}

#[tokio::test]
async fn pages_that_make_no_sense() {
    let segment = Segment::new().await;
    segment.turn(json!({"page_cap": 2}));
    let (_, page) = segment.get(&format!("{SOURCES}?page_size=500")).await;
    assert_eq!(page["sources"].as_array().unwrap().len(), 2);
    for query in ["page_size=-1", "page_size=ten", "page_token=http%3A%2F%2Fevil.test"] {
        let (status, body) = segment.get(&format!("{SOURCES}?{query}")).await;
        assert_eq!((status, &body["code"]), (400, &json!(3)), "{query}");
    }
}

#[tokio::test]
async fn more_can_be_connected() {
    let segment = Segment::new().await;
    let vendor = segment.vendor();
    let source =
        SourceSpec { slug: "help".to_owned(), catalogue: "zendesk".to_owned(), ..SourceSpec::default() };
    vendor.add_source(source.clone()).unwrap();
    vendor.add_destination(DestinationSpec::new("help", "intercom")).unwrap();
    let path = format!("{SOURCES}/help/destinations/intercom");
    assert_eq!(segment.get(&path).await.1["display_name"], "Intercom");

    assert_eq!(vendor.add_source(source.clone()), Err(SpecRefused::SlugTaken("help".to_owned())));
    let nowhere = SourceSpec { workspace: Some("none".to_owned()), ..source.clone() };
    assert_eq!(vendor.add_source(nowhere), Err(SpecRefused::UnknownWorkspace("none".to_owned())));
    let slash = SourceSpec { slug: "a/b".to_owned(), ..source };
    assert_eq!(vendor.add_source(slash), Err(SpecRefused::IllegalSlug("a/b".to_owned())));
    let unknown = DestinationSpec::new("help", "none");
    assert_eq!(vendor.add_destination(unknown), Err(SpecRefused::NotInCatalogue("none".to_owned())));
    let homeless = DestinationSpec::new("none", "intercom");
    assert_eq!(vendor.add_destination(homeless), Err(SpecRefused::UnknownSource("none".to_owned())));
}
