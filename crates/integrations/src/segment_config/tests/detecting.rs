//! Which systems a workspace shows: the Config API's lists, and what several spellings of one system come to.

use rstest::rstest;

use super::super::detection::{Entry, Role, Seen, systems};
use super::*;
use crate::connector::{Confidence, DetectedSystem, SystemKind};
use crate::error::ErrorKind;

fn entry(name: &str, website: &str, categories: &[&str]) -> Option<Entry> {
    Some(Entry {
        name: name.to_owned(),
        website: website.to_owned(),
        categories: categories.iter().map(|one| (*one).to_owned()).collect(),
    })
}

fn seen(role: Role, slug: &str, entry: Option<Entry>) -> Seen {
    let is_enabled = Some(true);
    Seen { role, slug: slug.to_owned(), name: slug.to_owned(), entry, source: None, is_enabled }
}

fn keys(seen: Vec<Seen>) -> Vec<String> {
    systems(seen, true).systems.into_iter().map(|one| one.key).collect()
}

#[rstest]
#[case::variants(&["braze", "actions-braze-cloud", "actions-braze-web", "actions-braze-cohorts"], 1)]
#[case::other_spelling(&["activecampaign", "active-campaign"], 1)]
#[case::a_dot(&["customer.io", "actions-customerio"], 1)]
#[case::two_vendors(&["mixpanel", "amplitude"], 2)]
fn spellings_of_one_system(#[case] slugs: &[&str], #[case] count: usize) {
    let all = slugs.iter().map(|slug| seen(Role::Destination, slug, entry(slug, "", &[]))).collect();
    assert_eq!(keys(all).len(), count);
}

#[test]
fn one_web_site_is_one_system_and_a_warehouse_is_not_a_destination() {
    let site = "https://www.twilio.example.test/segment";
    let merged = keys(vec![
        seen(Role::Destination, "engage", entry("Engage", site, &[])),
        seen(Role::Destination, "sendgrid", entry("SendGrid", "https://twilio.example.test", &[])),
        seen(Role::Destination, "postgres", entry("Postgres", "", &[])),
        seen(Role::Warehouse, "postgres", entry("Postgres", "", &[])),
    ]);
    assert_eq!(merged, ["engage", "postgres", "warehouse/postgres"]);
}

#[test]
fn the_order_in_which_things_are_listed_changes_nothing() {
    let braze = |role, name: &str, website: &str| Seen {
        name: name.to_owned(),
        ..seen(role, "braze", entry(name, website, &[]))
    };
    let mut all = vec![
        braze(Role::Source, "Braze", ""),
        braze(Role::Destination, "Braze (Legacy)", "https://braze.example.test"),
        seen(
            Role::Destination,
            "actions-braze-cloud",
            entry("Braze by Post", "https://braze.example.test", &[]),
        ),
        seen(Role::Destination, "old-braze", entry("Old Braze", "https://www.braze.example.test/old", &[])),
    ];
    let expected = systems(all.clone(), true).systems;
    assert_eq!(expected.len(), 1);
    assert_eq!(
        expected[0].website.as_deref(),
        Some("https://braze.example.test"),
        "though the source names none"
    );
    for _ in 0..all.len() {
        all.rotate_left(1);
        assert_eq!(systems(all.clone(), true).systems, expected);
    }
    all.reverse();
    assert_eq!(systems(all, true).systems, expected);
}

fn only(seen: Seen) -> DetectedSystem {
    systems(vec![seen], true).systems.remove(0)
}

#[test]
fn confidence_says_what_is_known() {
    let known = || entry("Amplitude", "https://amplitude.com", &["Analytics"]);
    let on = only(seen(Role::Destination, "amplitude", known()));
    assert_eq!((on.confidence, on.kind), (Confidence::High, SystemKind::Service));
    let off = only(Seen { is_enabled: Some(false), ..seen(Role::Destination, "amplitude", known()) });
    assert_eq!(off.confidence, Confidence::Medium);
    assert_eq!(only(seen(Role::Destination, "in-house", None)).confidence, Confidence::Low);
}

#[rstest]
#[case(&["Website"], SystemKind::OwnApplication)]
#[case(&["Mobile"], SystemKind::OwnApplication)]
#[case(&["Warehouse"], SystemKind::Warehouse)]
#[case(&["CRM"], SystemKind::Service)]
#[case(&[], SystemKind::Service)]
fn sources_are_told_apart_by_their_category(#[case] categories: &[&str], #[case] kind: SystemKind) {
    assert_eq!(only(seen(Role::Source, "shop", entry("Shop", "", categories))).kind, kind);
}

#[test]
fn two_own_applications_of_one_kind_stay_two() {
    let app = |name: &str| Seen {
        name: name.to_owned(),
        ..seen(Role::Source, "ios", entry("iOS", "", &["Mobile"]))
    };
    let found = systems(vec![app("shop"), app("courier")], true).systems;
    let names: Vec<_> = found.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["courier (iOS)", "shop (iOS)"]);
}

#[test]
fn a_name_that_could_be_a_person_is_not_shown() {
    let odd = only(Seen { name: "ana@example.test".to_owned(), ..seen(Role::Destination, "x@y", None) });
    assert!(!format!("{odd:?}").contains('@'), "{odd:?}");
}

#[tokio::test]
async fn the_older_api_is_read_source_by_source_and_says_what_it_cannot_show() {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(|_, asked| {
        let page = |key: &str, items: Value, next: &str| Some(Act::json(200, json!({key: items, "next_page_token": next})));
        let second = asked.query("page_token").is_some();
        match asked.path().strip_prefix("/v1beta").unwrap() {
            "/catalog/sources" => page("sources", json!([{"name": "catalog/sources/javascript", "display_name": "Javascript", "categories": ["Website"]}]), ""),
            "/catalog/destinations" => page("destinations", json!([{"name": "catalog/destinations/customer.io", "display_name": "Customer.io",
                "website": "https://customer.io", "categories": {"primary": "Email Marketing", "secondary": "", "additional": null}}]), ""),
            "/workspaces/acme.shop/sources" if !second => page("sources", json!([{"name": "workspaces/acme.shop/sources/web.prod",
                "catalog_name": "catalog/sources/javascript", "write_keys": ["wk-secret"]}]), "2"),
            "/workspaces/acme.shop/sources" => page("sources", json!([]), ""),
            "/workspaces/acme.shop/sources/web.prod/destinations" => page("destinations", json!([{
                "name": "workspaces/acme.shop/sources/web.prod/destinations/customer.io", "display_name": "Customer.io", "enabled": false,
                "config": [{"name": "apiKey", "value": "config-secret"}]}]), ""),
            _ => None,
        }
    });
    let detection = vendor.connector().detect().await.unwrap();
    let names: Vec<_> = detection.systems.iter().map(|one| (one.name.as_str(), one.confidence)).collect();
    assert_eq!(names, [("Customer.io", Confidence::Medium), ("web.prod (Javascript)", Confidence::High)]);
    assert_eq!(detection.systems[0].categories, ["Email Marketing"]);
    assert_eq!(detection.unseen.len(), 1);
    assert!(!format!("{detection:?}").contains("secret"));
    assert_eq!(vendor.server.asked().len(), 5);
}

#[rstest]
#[case::left_out(json!({"next_page_token": ""}), true)]
#[case::null(json!({"sources": null, "destinations": null, "total": 0}), true)]
#[case::nothing(json!({}), true)]
#[case::another_thing(json!({"workspaces": []}), false)]
#[case::an_error(json!({"error": "not found", "code": 5}), false)]
#[case::an_array(json!([[]]), false)]
#[case::no_entries(json!({"sources": {}, "destinations": {}}), false)]
#[tokio::test]
async fn an_answer_of_another_shape_is_no_empty_list(#[case] body: Value, #[case] is_empty_list: bool) {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |_, _| Some(Act::json(200, &body)));
    match vendor.connector().detect().await {
        Ok(detection) => assert!(is_empty_list && detection.systems.is_empty()),
        Err(error) => assert_eq!((is_empty_list, error.kind), (false, ErrorKind::BadAnswer)),
    }
}

#[tokio::test]
async fn a_list_that_leads_back_to_itself_is_given_up() {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(|_, _| Some(Act::json(200, json!({"sources": [], "next_page_token": "again"}))));
    assert_eq!(vendor.connector().detect().await.unwrap_err().kind, ErrorKind::BadAnswer);
    assert_eq!(vendor.server.asked().len(), 2);
}
