//! The connection check.

use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;

use super::super::api::IMPOSSIBLE_REGULATION;
use super::*;
use crate::connector::{CheckReport, PermissionState};
use crate::error::{ErrorKind, Retry, VendorError};
use crate::testing::ListedPermits;
use PermissionState::{Granted, Missing, NotYetProven};

async fn check(vendor: &Vendor) -> Result<CheckReport, VendorError> {
    vendor.connector().check(NOW.parse().unwrap()).await
}

fn states(report: &CheckReport) -> Vec<(&str, PermissionState)> {
    report.permissions.iter().map(|one| (one.permission.as_str(), one.state)).collect()
}

#[rstest]
#[case::owner(true, true, Granted, Granted)]
#[case::reading_only(true, false, Granted, Missing)]
#[case::creating_only(false, true, Missing, Granted)]
#[case::neither(false, false, Missing, Missing)]
#[tokio::test]
async fn every_permission_is_reported(
    #[case] may_read: bool,
    #[case] may_write: bool,
    #[case] read: PermissionState,
    #[case] owner: PermissionState,
) {
    let vendor = Vendor::with(vec![Regulation::new("r1", NOW, &["u-1"])]).await;
    vendor.change(|state| (state.may_read, state.may_write) = (may_read, may_write));
    let report = check(&vendor).await.unwrap();
    assert_eq!(states(&report), [("workspace:read", read), ("Workspace Owner", owner)]);
    assert!(report.permissions.iter().all(|one| !one.needed_for.is_empty()));
    assert!(report.warnings.is_empty());
}

#[tokio::test]
async fn creating_is_proven_by_withdrawing_what_cannot_exist() {
    let vendor = Vendor::with(vec![]).await;
    check(&vendor).await.unwrap();
    let deletion = format!("DELETE /regulations/{IMPOSSIBLE_REGULATION}");
    assert_eq!(vendor.asked(), ["GET ", "GET /regulations", deletion.as_str()]);
    assert_eq!(vendor.server.asked()[1].query("page_size").as_deref(), Some("1"));
    assert_eq!(IMPOSSIBLE_REGULATION.len(), 27);
}

#[rstest]
#[case::json_without_sentence(failure(403, 7, "permission denied for ana@example.test"), Missing)]
#[case::plain_text(Act::answer(403, &[("Content-Type", "text/plain")], "no"), Missing)]
#[case::page(Act::html(403), Missing)]
#[case::not_found_as_text(Act::answer(404, &[], "404 page not found"), Granted)]
#[case::wrong_state(failure(400, 3, "wrong state"), NotYetProven)]
#[case::not_offered(failure(405, 12, ""), NotYetProven)]
#[case::success(Act::json(200, "{}"), NotYetProven)]
#[case::no_content(Act::answer(204, &[], ""), NotYetProven)]
#[case::broken(Act::html(500), NotYetProven)]
#[case::unimplemented(failure(501, 12, ""), NotYetProven)]
#[case::hang_up(Act::Raw(Vec::new()), NotYetProven)]
#[tokio::test]
async fn only_a_clear_answer_proves(#[case] act: Act, #[case] owner: PermissionState) {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |_, asked| (asked.method == "DELETE").then(|| act.clone()));
    let report = check(&vendor).await.unwrap();
    assert_eq!(states(&report), [("workspace:read", Granted), ("Workspace Owner", owner)]);
}

#[rstest]
#[case::by_the_table(failure(401, 16, "invalid token secret@example.test"))]
#[case::by_the_vendors_client(failure(403, 7, "insufficient scope"))]
#[case::as_text(Act::answer(401, &[("Content-Type", "text/plain")], "secret@example.test"))]
#[case::as_page(Act::html(403))]
#[tokio::test]
async fn rejected_credentials_end_the_check(#[case] act: Act) {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |_, _| Some(act.clone()));
    let error = check(&vendor).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Credentials, Retry::Never));
    assert!(!error.explanation().contains("sgp_"));
    assert!(!format!("{error:?}").contains("secret@") && !error.remedy.is_empty());
    assert_eq!(vendor.asked().len(), 1, "a rejected token is not tried again");
}

#[rstest]
#[case("GET")]
#[case("DELETE")]
#[tokio::test]
async fn a_token_that_is_revoked_during_the_check_is_rejected(#[case] method: &'static str) {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |_, asked| {
        (asked.method == method && asked.path().contains("regulations")).then(|| failure(401, 16, ""))
    });
    assert_eq!(check(&vendor).await.unwrap_err().kind, ErrorKind::Credentials);
}

#[tokio::test]
async fn a_public_token_is_explained_once_it_is_refused_and_not_before() {
    let public = format!("sgp_{}", "a1B2".repeat(16));
    let vendor = Vendor::with(vec![]).await;
    let connector = SegmentConfig.connect(&settings(&public, WORKSPACE), vendor.client()).unwrap();
    let error = connector.check(NOW.parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Credentials);
    assert!(error.message.contains("Public API") && error.remedy.contains("public_base_url"), "{error}");
    assert!(!format!("{error:?}").contains("a1B2"));

    // A scanner of secrets says that this API takes such tokens: if it does, all is well.
    vendor.fault(|state, asked| {
        let head = asked.head.replace(asked.header("authorization").unwrap(), &format!("Bearer {TOKEN}"));
        Some(state.answer(&Asked { head, ..asked.clone() }))
    });
    let report = connector.check(NOW.parse().unwrap()).await.unwrap();
    assert_eq!(states(&report), [("workspace:read", Granted), ("Workspace Owner", Granted)]);
    assert!(report.warnings.is_empty());
}

#[tokio::test]
async fn another_workspace_is_a_matter_of_the_settings() {
    let vendor = Vendor::with(vec![]).await;
    let connector = SegmentConfig.connect(&settings(TOKEN, "other"), vendor.client()).unwrap();
    let error = connector.check(NOW.parse().unwrap()).await.unwrap_err();
    assert_eq!((error.kind, error.retry, error.status), (ErrorKind::Configuration, Retry::Never, Some(404)));
    assert!(error.remedy.contains("slug") && error.remedy.contains("display name"), "{error:?}");
}

#[rstest]
#[case::prefixed(json!({"name": "workspaces/acme.shop", "display_name": "A", "id": "1"}))]
#[case::bare(json!({"name": "acme.shop"}))]
#[case::more(json!({"name": null, "new_field": [1, {"a": 2}]}))]
#[tokio::test]
async fn every_shape_of_a_workspace_is_accepted(#[case] body: Value) {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |_, asked| (asked.path() == ROOT).then(|| Act::json(200, &body)));
    assert!(check(&vendor).await.is_ok());
}

#[rstest]
#[case::text_503(
    Act::answer(503, &[("Content-Type", "text/plain")], "upstream connect error or disconnect/reset before headers"),
    ErrorKind::Unavailable
)]
#[case::json_503(failure(503, 14, "unavailable"), ErrorKind::Unavailable)]
#[case::internal(failure(500, 13, "internal"), ErrorKind::Unavailable)]
#[case::page(Act::html(200), ErrorKind::BadAnswer)]
#[case::limited(failure(429, 8, "quota exceeded"), ErrorKind::RateLimited)]
#[case::unimplemented(failure(501, 12, ""), ErrorKind::NotAllowed)]
#[tokio::test]
async fn a_vendor_that_cannot_be_asked_is_an_error(
    #[case] act: Act,
    #[case] kind: ErrorKind,
    #[values("", "/regulations")] path: &'static str,
) {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |_, asked| {
        (asked.method == "GET" && asked.path() == format!("{ROOT}{path}")).then(|| act.clone())
    });
    assert_eq!(check(&vendor).await.unwrap_err().kind, kind);
}

#[tokio::test]
async fn a_probe_that_is_not_our_turn_repeats_the_check() {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(|_, asked| (asked.method == "DELETE").then(|| failure(429, 8, "")));
    assert_eq!(check(&vendor).await.unwrap_err().kind, ErrorKind::RateLimited);

    let permits = Arc::new(ListedPermits::default());
    let client = vendor.client().with_permits(permits.clone());
    permits.next(&[None, Some(Duration::from_secs(2)), None, Some(Duration::from_secs(60))]);
    let error = connector(client).check(NOW.parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Paced, "later calls wait a little for their turn, not for ever");
    assert!(permits.acquired.lock().unwrap().iter().all(|class| class.0 == "api"));
}

#[rstest]
#[case("eu", 1)]
#[case("us", 0)]
#[case("", 0)]
#[tokio::test]
async fn the_european_region_is_warned_about(#[case] region: &str, #[case] warnings: usize) {
    let vendor = Vendor::with(vec![]).await;
    let mut settings = settings(TOKEN, WORKSPACE);
    settings.set("region", region);
    let connector = SegmentConfig.connect(&settings, vendor.client()).unwrap();
    let report = connector.check(NOW.parse().unwrap()).await.unwrap();
    assert_eq!(report.warnings.len(), warnings);
    assert!(report.warnings.iter().all(|warning| warning.contains("United States")));
}
