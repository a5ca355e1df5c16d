//! Which systems the sandbox's workspace shows, through both of its faces.

use habeas_sandbox::segment_config::fixtures::{CONFIG_SECRET_PREFIX, IOS_APP, WEB_PROD, WRITE_KEYS};
use habeas_sandbox::segment_config::{DestinationSpec, SourceSpec, WarehouseSpec};

use super::*;
use crate::connector::{Confidence, DetectedSystem, Detection, SystemKind};

async fn detected(stage: &Stage) -> Detection {
    stage.connector().detect().await.unwrap()
}

/// What both APIs show of what was detected: the Config API has no warehouses, and does not say whether a source is
/// switched on.
fn shown_by_both(detection: Detection) -> Vec<DetectedSystem> {
    let mut systems = detection.systems;
    for system in &mut systems {
        system.evidence.retain(|one| one.role != "warehouse");
        for one in system.evidence.iter_mut().filter(|one| one.role == "source") {
            one.is_enabled = None;
        }
    }
    systems.retain(|system| !system.evidence.is_empty());
    systems
}

fn source(slug: &str, catalogue: &str) -> SourceSpec {
    SourceSpec { slug: slug.to_owned(), catalogue: catalogue.to_owned(), ..SourceSpec::default() }
}

fn names(detection: &Detection) -> Vec<&str> {
    detection.systems.iter().map(|system| system.name.as_str()).collect()
}

/// A workspace with more variants than the fixtures: own applications, clouds, reverse ETL, several spellings of one
/// vendor, and what is switched off.
fn furnish(stage: &Stage) {
    let segment = stage.segment_config();
    for (slug, catalogue) in [
        ("android-app", "android"),
        ("api", "node.js"),
        ("mail", "active-campaign"),
        ("pushes", "braze"),
        ("etl", "snowflake"),
    ] {
        segment.add_source(source(slug, catalogue)).unwrap();
    }
    for slug in ["actions-braze-cloud", "braze", "intercom"] {
        segment.add_destination(DestinationSpec::new("api", slug)).unwrap();
    }
    let off = DestinationSpec { enabled: false, ..DestinationSpec::new("android-app", "mixpanel") };
    segment.add_destination(off).unwrap();
}

#[rstest]
#[tokio::test]
async fn both_apis_show_the_same_systems_but_for_warehouses(
    #[values(false, true)] is_furnished: bool,
    #[values(1, 2, 100)] page_cap: usize,
    #[values(Unset::Written, Unset::LeftOut)] end_of_list: Unset,
    #[values(false, true)] names_are_told: bool,
) {
    let mut stage =
        Stage::with(Config, KnobsPatch { page_cap: Some(page_cap), ..KnobsPatch::default() }).await;
    stage.spell(Spelling { end_of_list, details: names_are_told, ..Spelling::default() });
    stage.turn(PublicKnobsPatch { names: Some(names_are_told), ..PublicKnobsPatch::default() });
    if is_furnished {
        furnish(&stage);
    }
    let older = detected(&stage).await;
    stage.face = Public;
    let newer = detected(&stage).await;
    assert_eq!((older.unseen.len(), newer.unseen.len()), (1, 0));
    assert_eq!(older.unseen[0].what, "warehouses");
    let added: Vec<&DetectedSystem> = newer
        .systems
        .iter()
        .filter(|system| system.evidence.iter().all(|one| one.role == "warehouse"))
        .collect();
    assert!(added.iter().all(|system| system.kind == SystemKind::Warehouse));
    // With the furniture, Snowflake is read from as well as written to: one system, that both show.
    let expected: &[&str] = if is_furnished { &["Postgres"] } else { &["Postgres", "Snowflake"] };
    assert_eq!(added.iter().map(|system| system.name.as_str()).collect::<Vec<_>>(), expected);
    let (older, newer) = (shown_by_both(older), shown_by_both(newer));
    assert_eq!(older.len(), if is_furnished { 15 } else { 9 });
    let braze = older.iter().find(|system| system.key == "braze").unwrap();
    assert_eq!(
        braze.website.as_deref(),
        Some("https://braze.com"),
        "also where it is a source, which has none"
    );
    for (older, newer) in older.iter().zip(&newer) {
        assert_eq!(older, newer);
    }
    assert_eq!(older.len(), newer.len());
}

#[rstest]
#[tokio::test]
async fn the_fixtures_are_told_as_they_are(#[values(Config, Public)] face: Face) {
    let stage = Stage::at(face).await;
    let detection = detected(&stage).await;
    let mut expected = vec![
        "Amplitude",
        "AppsFlyer",
        "Braze",
        "Customer.io",
        "Google Analytics",
        "ios-app (iOS)",
        "Salesforce",
        "web-prod (Javascript)",
        "Webhooks",
    ];
    if face == Public {
        expected.extend(["Postgres", "Snowflake"]);
        expected.sort_by_key(|name| name.to_lowercase());
    }
    assert_eq!(names(&detection), expected);
    let amplitude = detection.systems.iter().find(|system| system.key == "amplitude").unwrap();
    let behind: Vec<_> = amplitude.evidence.iter().map(|one| one.source.as_deref()).collect();
    assert_eq!(behind, [Some(IOS_APP), Some(WEB_PROD)]);
    let off = detection.systems.iter().find(|system| system.key == "appsflyer").unwrap();
    assert_eq!(off.confidence, Confidence::Medium);
    if face == Public {
        let warehouse = |key: &str| detection.systems.iter().find(|system| system.key == key).unwrap();
        assert_eq!(warehouse("warehouse/snowflake").confidence, Confidence::High);
        assert_eq!(warehouse("warehouse/postgres").confidence, Confidence::Medium, "it is switched off");
    }
}

/// An owner's token is shown write keys, and not every secret among the settings is masked.
#[rstest]
#[tokio::test]
async fn no_secret_is_in_the_result(
    #[values(Config, Public)] face: Face,
    #[values(false, true)] is_owner: bool,
) {
    let stage = Stage::at(face).await;
    furnish(&stage);
    let tokens = face.tokens();
    let token = if is_owner { tokens.owner } else { tokens.read_only };
    let detection = stage.connector_with(token, WORKSPACE).detect().await.unwrap();
    let told = format!("{detection:?} {}", serde_json::to_string(&detection.systems).unwrap());
    for secret in WRITE_KEYS.iter().chain(&[CONFIG_SECRET_PREFIX, "wk-example", "•", token]) {
        assert!(!told.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn whether_a_source_is_switched_on_is_told_by_the_public_api_alone() {
    let mut stage = Stage::at(Config).await;
    let off = SourceSpec { enabled: Some(false), ..source("old-crm", "hubspot") };
    stage.segment_config().add_source(off).unwrap();
    for (face, is_enabled, confidence) in
        [(Config, None, Confidence::High), (Public, Some(false), Confidence::Medium)]
    {
        stage.face = face;
        let detection = detected(&stage).await;
        let crm = detection.systems.iter().find(|system| system.key == "hubspot").unwrap();
        assert_eq!((crm.evidence[0].is_enabled, crm.confidence), (is_enabled, confidence), "{face:?}");
    }
}

#[rstest]
#[tokio::test]
async fn long_lists_are_read_to_their_end(#[values(Config, Public)] face: Face) {
    const MANY: usize = 201;
    let stage = Stage::at(face).await;
    for number in 0..MANY {
        stage.segment_config().add_source(source(&format!("shop-{number}"), "node.js")).unwrap();
    }
    for slug in ["snowflake", "redshift"] {
        stage.segment_config().add_warehouse(WarehouseSpec::new(slug, &[])).unwrap();
    }
    stage.calls();
    let detection = detected(&stage).await;
    assert_eq!(names(&detection).iter().filter(|name| name.starts_with("shop-")).count(), MANY);
    let expected = match face {
        // 204 sources in three pages, and the destinations of each; the catalogue is read once.
        Config => counted(&[
            ("GET /v1beta/catalog/sources", 1),
            ("GET /v1beta/catalog/destinations", 1),
            ("GET /v1beta/workspaces/{workspace}/sources", 3),
            ("GET /v1beta/workspaces/{workspace}/sources/{source}/destinations", 204),
        ]),
        Public => counted(&[("GET /sources", 2), ("GET /destinations", 1), ("GET /warehouses", 1)]),
    };
    assert_eq!(stage.calls_of_both(), BTreeMap::from([(face.vendor(), expected)]));
}

#[rstest]
#[case::endless(Fault::EndlessNext {}, ErrorKind::BadAnswer)]
#[case::page(Fault::Html { code: 200 }, ErrorKind::BadAnswer)]
#[case::deep(Fault::DeepJson { depth: 100_000 }, ErrorKind::BadAnswer)]
#[case::oversized(Fault::Oversized { bytes: 16 << 20, announced: false }, ErrorKind::TooLarge)]
#[case::away(refusal(503, None), ErrorKind::Unavailable)]
#[case::rate(Fault::RateLimited { retry_after: None }, ErrorKind::RateLimited)]
#[case::revoked(Fault::TokenExpired {}, ErrorKind::Credentials)]
#[tokio::test]
async fn a_list_that_cannot_be_read_is_no_list_of_nothing(
    #[case] fault: Fault,
    #[case] kind: ErrorKind,
    #[values(Config, Public)] face: Face,
    #[values("/sources", "/destinations")] of: &str,
) {
    let stage = Stage::at(face).await;
    stage.fault(stage.rule(fault).path_contains(of));
    assert_eq!(stage.connector().detect().await.unwrap_err().kind, kind);
    assert!(stage.calls().values().sum::<u64>() <= 60);
}
