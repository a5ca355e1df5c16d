//! The connection check.

use rstest::rstest;

use super::super::check::IMPOSSIBLE_CONTACT;
use super::*;
use crate::connector::{CheckReport, PermissionState};
use crate::error::{ErrorKind, Retry};
use PermissionState::{Granted, Missing, NotYetProven};

fn team() -> Organisation {
    Organisation::new("H6j").with("3mrRD", &[Some("ana@example.test")])
}

async fn check(vendor: &Vendor) -> Result<CheckReport, VendorError> {
    vendor.connector().check(NOW.parse().unwrap()).await
}

fn states(report: &CheckReport) -> Vec<(&str, PermissionState)> {
    report.permissions.iter().map(|one| (one.permission.as_str(), one.state)).collect()
}

#[rstest]
#[case::usual(&["contact", "company-read_only"], Granted, Granted, Missing)]
#[case::orders_too(&["contact", "company", "order-read_only"], Granted, Granted, Granted)]
#[case::reading_only(&["contact-read_only", "company-read_only"], Granted, Missing, Missing)]
#[case::no_contacts(&["company-read_only"], Granted, Missing, NotYetProven)]
#[case::no_organisations(&["contact"], Missing, NotYetProven, NotYetProven)]
#[case::nothing(&[], Missing, NotYetProven, NotYetProven)]
#[tokio::test]
async fn every_permission_is_reported(
    #[case] scopes: &[&'static str],
    #[case] company: PermissionState,
    #[case] contact: PermissionState,
    #[case] orders: PermissionState,
) {
    let vendor = Vendor::with(vec![team()]).await;
    vendor.change(|state| state.scopes = scopes.to_vec());
    let report = check(&vendor).await.unwrap();
    let expected = [("company-read_only", company), ("contact", contact), ("order-read_only", orders)];
    assert_eq!(states(&report), expected);
    assert!(report.permissions.iter().all(|one| !one.needed_for.is_empty()));
    assert!(vendor.holds("3mrRD"), "a check changes nothing");
}

#[tokio::test]
async fn writing_is_proven_by_deleting_what_cannot_exist() {
    let vendor = Vendor::with(vec![team()]).await;
    check(&vendor).await.unwrap();
    let deletions: Vec<String> =
        vendor.asked().into_iter().filter(|asked| asked.starts_with("DELETE")).collect();
    assert_eq!(deletions, [format!("DELETE /api/v2/orgs/H6j/contacts/{IMPOSSIBLE_CONTACT}/")]);
    assert!(super::super::api::is_key(IMPOSSIBLE_CONTACT) && IMPOSSIBLE_CONTACT.len() == 32);
}

#[rstest]
#[case(Act::json(400, "{}"))]
#[case(Act::json(405, "{}"))]
#[case(Act::html(500))]
#[case(Act::answer(204, &[], ""))]
#[tokio::test]
async fn a_probe_that_shows_nothing_proves_nothing(#[case] act: Act) {
    let vendor = Vendor::with(vec![team()]).await;
    vendor.fault(move |_, asked| (asked.method == "DELETE").then(|| act.clone()));
    let report = check(&vendor).await.unwrap();
    assert_eq!(states(&report)[1], ("contact", NotYetProven));
}

#[tokio::test]
async fn without_contacts_orders_stay_unproven() {
    let vendor = Vendor::with(vec![Organisation::new("H6j")]).await;
    let report = check(&vendor).await.unwrap();
    assert_eq!(states(&report)[1..], [("contact", Granted), ("order-read_only", NotYetProven)]);
}

#[rstest]
#[case("{\"error\":\"invalid_token\",\"error_description\":\"Token is expired\"}", "has expired")]
#[case("{\"error\":\"invalid_token\",\"error_description\":\"Token doesn't exist\"}", "does not know")]
#[case("{\"detail\":\"Invalid bearer secret@example.test\"}", "does not accept")]
#[case("<html>secret@example.test</html>", "does not accept")]
#[tokio::test]
async fn rejected_credentials_end_the_check(#[case] body: &'static str, #[case] says: &str) {
    let vendor = Vendor::with(vec![team()]).await;
    vendor.fault(move |_, _| Some(Act::json(401, body)));
    let error = check(&vendor).await.unwrap_err();
    assert_eq!((error.kind, error.retry, error.status), (ErrorKind::Credentials, Retry::Never, Some(401)));
    assert!(error.message.contains(says), "{error}");
    assert!(!error.remedy.is_empty() && !format!("{error:?}").contains("secret@"));
    assert_eq!(vendor.asked().len(), 1, "a rejected token is not tried again");
}

#[tokio::test]
async fn a_token_that_is_revoked_during_the_check_is_rejected() {
    let vendor = Vendor::with(vec![team()]).await;
    vendor.fault(|_, asked| (asked.method == "DELETE").then(|| Act::json(401, "{}")));
    assert_eq!(check(&vendor).await.unwrap_err().kind, ErrorKind::Credentials);
}

#[rstest]
#[case(vec![])]
#[case(vec![Organisation { is_deleted: true, ..team() }])]
#[tokio::test]
async fn without_a_usable_organisation_the_connection_cannot_work(#[case] organisations: Vec<Organisation>) {
    let vendor = Vendor::with(organisations).await;
    let error = check(&vendor).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Configuration, Retry::Never));
}

#[tokio::test]
async fn a_permission_must_hold_in_every_organisation() {
    let vendor =
        Vendor::with(vec![team(), Organisation::new("B~.7"), Organisation { is_deleted: true, ..team() }])
            .await;
    vendor.fault(|_, asked| asked.path().contains("B~.7").then(|| Act::json(403, "{}")));
    let report = check(&vendor).await.unwrap();
    assert_eq!(
        states(&report),
        [("company-read_only", Granted), ("contact", Missing), ("order-read_only", Missing)]
    );
}

#[rstest]
#[case(Act::html(502), ErrorKind::Unavailable)]
#[case(Act::html(200), ErrorKind::BadAnswer)]
#[case(Act::json(429, "{}"), ErrorKind::RateLimited)]
#[tokio::test]
async fn a_vendor_that_cannot_be_asked_is_an_error(#[case] act: Act, #[case] kind: ErrorKind) {
    let vendor = Vendor::with(vec![team()]).await;
    vendor.fault(move |_, _| Some(act.clone()));
    assert_eq!(check(&vendor).await.unwrap_err().kind, kind);
}

#[rstest]
#[case(40, "2026-03-01T12:00:00Z", None)]
#[case(31_536_000, "2026-03-01T12:00:00Z", None)]
#[case(31_536_000, "2027-01-29T12:00:00Z", None)]
#[case(31_536_000, "2027-01-31T12:00:00Z", Some("expires on 2027-03-01"))]
#[case(31_536_000, "2027-03-01T12:00:00Z", Some("should have expired on 2027-03-01"))]
#[tokio::test]
async fn a_token_near_its_expiry_is_warned_about(
    #[case] lifetime: u64,
    #[case] now: &str,
    #[case] says: Option<&str>,
) {
    let vendor = Vendor::with(vec![team()]).await;
    let pasted = match lifetime {
        // Without a lifetime nothing is known and nothing is said.
        40 => TOKEN.to_owned(),
        _ => format!("https://www.readycloud.com/x#access_token={TOKEN}&expires_in={lifetime}"),
    };
    let connector = ReadyCloud.connect(&settings(&pasted), vendor.client()).unwrap();
    let warnings = connector.check(now.parse().unwrap()).await.unwrap().warnings;
    assert_eq!(warnings.len(), usize::from(says.is_some()));
    assert!(warnings.iter().all(|warning| warning.contains(says.unwrap())), "{warnings:?}");
}

#[tokio::test]
async fn a_connection_without_a_token_cannot_be_made() {
    let vendor = Vendor::with(vec![]).await;
    let error = ReadyCloud.connect(&Settings::default(), vendor.client()).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Configuration);
}
