//! The connection check.

use rstest::rstest;

use super::*;
use crate::connector::{CheckReport, PermissionState};
use crate::error::{ErrorKind, Retry, VendorError};
use PermissionState::{Granted, Missing, NotYetProven};

const DATA: &str = "manage:customer_data_requests";
const ERASURE: &str = "manage:erasure_requests";
const DIRECTORIES: &str = "read:directories";
const CONTACTS: &str = "read:directory_contacts";
const USERS: &str = "read:users";
const ROLE: &str = "Brand Administrator";

async fn check(vendor: &Vendor) -> Result<CheckReport, VendorError> {
    vendor.connector().check(NOW.parse().unwrap()).await
}

fn in_state(report: &CheckReport, state: PermissionState) -> Vec<&str> {
    let them = report.permissions.iter().filter(|one| one.state == state);
    them.map(|one| one.permission.as_str()).collect()
}

/// The vendor gives tokens without saying for what.
fn silent_about_scopes(vendor: &Vendor) {
    vendor.fault(|state, asked| {
        (asked.path() == "/oauth2/token").then(|| {
            state.minted += 1;
            state.tokens.push(format!("t0k3n-{}", state.minted));
            Act::json(200, json!({"access_token": format!("t0k3n-{}", state.minted)}))
        })
    });
}

#[tokio::test]
async fn a_good_connection_has_everything() {
    let vendor = Vendor::new().await;
    let report = check(&vendor).await.unwrap();
    assert_eq!(in_state(&report, Granted), [DATA, ERASURE, DIRECTORIES, CONTACTS, USERS, ROLE]);
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    assert!(report.permissions.iter().all(|one| !one.needed_for.is_empty()));
    let base = "/API/v3";
    assert_eq!(
        vendor.asked(),
        [
            "POST /oauth2/token".to_owned(),
            format!("GET {base}/whoami"),
            format!("GET {base}/directories"),
            format!("GET {base}/users"),
            format!("POST {base}/directories/POOL_1/contacts/search"),
            format!("GET {base}/op-erase-personal-data"),
            format!("GET {base}/customer-data-requests/CDR-00000000-0000-4000-8000-000000000000"),
        ]
    );
    assert!(vendor.calls("POST", "/search")[0].body.contains("nobody.invalid"));
}

#[rstest]
#[case(DATA, &[])]
#[case(ERASURE, &[])]
#[case(DIRECTORIES, &[])]
#[case(CONTACTS, &[])]
#[case(USERS, &[])]
#[tokio::test]
async fn a_missing_scope_is_named_exactly(#[case] scope: &str, #[case] unproven: &[&str]) {
    let vendor = Vendor::new().await;
    vendor.change(|state| state.scopes.retain(|one| *one != scope));
    let report = check(&vendor).await.unwrap();
    assert_eq!(in_state(&report, Missing), [scope]);
    assert_eq!(in_state(&report, NotYetProven), unproven);
}

#[rstest]
#[case(DATA, &[])]
#[case(ERASURE, &[])]
#[case(DIRECTORIES, &[CONTACTS])]
#[case(CONTACTS, &[])]
#[case(USERS, &[])]
#[tokio::test]
async fn a_missing_scope_shows_without_the_tokens_word(#[case] scope: &str, #[case] unproven: &[&str]) {
    for status in [403, 401] {
        let vendor = Vendor::new().await;
        silent_about_scopes(&vendor);
        vendor.change(|state| state.scopes.retain(|one| *one != scope));
        vendor.fault(move |state, asked| {
            let answer = state.answer(asked);
            let is_refusal = matches!(&answer, Act::Raw(bytes) if bytes.starts_with(b"HTTP/1.1 403"));
            Some(if is_refusal { refusal(status, Some("AUTH_6.0"), "no") } else { answer })
        });
        let report = check(&vendor).await.unwrap();
        assert_eq!(in_state(&report, Missing), [scope], "{status}");
        assert_eq!(in_state(&report, NotYetProven), unproven);
        assert_eq!(vendor.minted(), 1, "what is a missing scope costs no tokens");
    }
}

#[tokio::test]
async fn everything_missing_is_said_at_once() {
    let vendor = Vendor::new().await;
    vendor.change(|state| state.scopes = vec!["read:surveys"]);
    let report = check(&vendor).await.unwrap();
    assert_eq!(in_state(&report, Missing), [DATA, ERASURE, DIRECTORIES, CONTACTS, USERS]);
    assert_eq!(in_state(&report, NotYetProven), [ROLE]);
}

#[rstest]
#[case(json!("manage:all"))]
#[case(json!("manage:customer_data_requests,manage:erasure_requests, manage:directories manage:directory_contacts manage:users"))]
#[case(json!(["manage:all", 7]))]
#[tokio::test]
async fn a_wider_scope_covers_a_narrower_one(#[case] scope: Value) {
    let vendor = Vendor::new().await;
    vendor.change(|state| state.tokens.push("t".to_owned()));
    vendor.answers("POST", "/oauth2/token", Act::json(200, json!({"access_token": "t", "scope": scope})));
    assert_eq!(in_state(&check(&vendor).await.unwrap(), Granted).len(), 6);
}

#[rstest]
#[case::silent(true, &[DATA, ERASURE])]
#[case::with_the_tokens_word(false, &[])]
#[tokio::test]
async fn not_being_an_administrator_is_the_roles_fault(#[case] is_silent: bool, #[case] unproven: &[&str]) {
    let vendor = Vendor::new().await;
    if is_silent {
        silent_about_scopes(&vendor);
    }
    vendor.change(|state| {
        state.is_administrator = false;
        state.account["accountType"] = json!("UT_SELFENTERPRISE");
    });
    let report = check(&vendor).await.unwrap();
    assert_eq!(in_state(&report, Missing), [ROLE]);
    assert_eq!(in_state(&report, NotYetProven), unproven);
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
}

#[tokio::test]
async fn a_missing_scope_is_not_taken_for_the_role() {
    let vendor = Vendor::new().await;
    vendor.change(|state| state.scopes.retain(|scope| *scope != ERASURE));
    vendor.answers("GET", "/op-erase-personal-data", refusal(403, Some("QMST_2.1"), "forbidden"));
    let report = check(&vendor).await.unwrap();
    assert_eq!(in_state(&report, Missing), [ERASURE]);
    assert!(in_state(&report, Granted).contains(&ROLE));
}

#[rstest]
#[case::no_administrator(json!({"accountType": "UT_SELFENTERPRISE", "datacenter": "fra1"}), Some("type"))]
#[case::elsewhere(json!({"accountType": "UT_BRANDADMIN", "datacenter": "iad1"}), Some("data centre iad1"))]
#[case::upper_case(json!({"accountType": "ut_brandadmin", "datacenter": "FRA1"}), None)]
#[case::old_name(json!({"accountType": "UT_BRANDADMIN", "datacenter": "eu2"}), None)]
#[case::unknown(json!({}), None)]
#[case::odd(json!({"accountType": 7.5, "datacenter": ["x"]}), Some("type"))]
#[case::hostile(json!({"datacenter": "evil.test/ana@example.test"}), None)]
#[tokio::test]
async fn an_odd_account_is_a_warning(#[case] account: Value, #[case] says: Option<&str>) {
    let vendor = Vendor::new().await;
    vendor.change(|state| state.account = account);
    let report = check(&vendor).await.unwrap();
    assert_eq!(in_state(&report, Granted).len(), 6);
    assert_eq!(report.warnings.len(), usize::from(says.is_some()), "{:?}", report.warnings);
    assert!(report.warnings.iter().all(|warning| warning.contains(says.unwrap())), "{:?}", report.warnings);
}

#[tokio::test]
async fn calls_that_are_passed_on_are_warned_about() {
    let vendor = Vendor::new().await;
    let notice = "Request proxied. For faster response times, use this host instead: ana.qualtrics.com";
    let body = json!({"result": {"accountType": "UT_BRANDADMIN"}, "meta": {"notice": notice}});
    vendor.answers("GET", "/whoami", Act::json(200, body));
    let report = check(&vendor).await.unwrap();
    assert!(report.warnings[0].contains("another data centre") && !report.warnings[0].contains("ana"));
}

#[rstest]
#[case(403)]
#[case(404)]
#[tokio::test]
async fn an_account_that_is_not_told_is_a_warning(#[case] status: u16) {
    let vendor = Vendor::new().await;
    vendor.answers("GET", "/whoami", refusal(status, None, "no"));
    let report = check(&vendor).await.unwrap();
    assert_eq!(in_state(&report, Granted).len(), 6);
    assert!(report.warnings[0].contains("not known"));
}

#[rstest]
#[case(400)]
#[case(403)]
#[case(404)]
#[tokio::test]
async fn a_directory_that_cannot_be_searched_is_a_warning(#[case] status: u16) {
    let vendor = Vendor::with(vec![Directory::new("POOL_1").refusing(status)]).await;
    let report = check(&vendor).await.unwrap();
    assert_eq!(in_state(&report, Granted).len(), 6);
    assert!(report.warnings[0].contains("XM Directory Lite"));
    // Beside one that can be searched it is none.
    vendor.change(|state| state.directories.push(Directory::new("POOL_2")));
    assert!(check(&vendor).await.unwrap().warnings.is_empty());
}

#[rstest]
#[case(Act::json(400, "{}"))]
#[case(Act::html(500))]
#[case(Act::html(503))]
#[tokio::test]
async fn a_probe_that_shows_nothing_proves_nothing(#[case] act: Act) {
    let vendor = Vendor::new().await;
    silent_about_scopes(&vendor);
    vendor.fault(move |_, asked| asked.path().contains("customer-data").then(|| act.clone()));
    let report = check(&vendor).await.unwrap();
    assert_eq!(in_state(&report, NotYetProven), [DATA]);
    assert!(in_state(&report, Missing).is_empty());
}

#[rstest]
#[case(refusal(401, Some("AUTH_6.0"), "invalid_client"), 5, "does not accept")]
#[case(Act::html(401), 5, "does not accept")]
#[case(refusal(401, Some("DCD_7"), "Unrecognized X-API-TOKEN."), 2, "data centre")]
#[tokio::test]
async fn rejected_credentials_end_the_check(#[case] act: Act, #[case] calls: usize, #[case] says: &str) {
    let vendor = Vendor::new().await;
    vendor.fault(move |_, asked| asked.path().starts_with("/API").then(|| act.clone()));
    let error = check(&vendor).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Credentials, Retry::Never));
    assert!(error.message.contains(says), "{error}");
    assert_eq!(vendor.asked().len(), calls);
}

#[tokio::test]
async fn a_check_does_not_believe_an_old_token() {
    let vendor = Vendor::new().await;
    check(&vendor).await.unwrap();
    vendor.change(|state| state.scopes.retain(|scope| *scope != USERS));
    assert_eq!(in_state(&check(&vendor).await.unwrap(), Missing), [USERS]);
    vendor.answers("POST", "/oauth2/token", Act::json(401, json!({"error": "invalid_client"})));
    assert_eq!(check(&vendor).await.unwrap_err().kind, ErrorKind::Credentials);
}

#[rstest]
#[case(Act::html(502), ErrorKind::Unavailable)]
#[case(Act::html(200), ErrorKind::BadAnswer)]
#[case(Act::json(200, "{\"meta\":{}}"), ErrorKind::BadAnswer)]
#[case(Act::json(429, "{}"), ErrorKind::RateLimited)]
#[tokio::test]
async fn a_vendor_that_cannot_be_asked_is_an_error(#[case] act: Act, #[case] kind: ErrorKind) {
    for end in ["/whoami", "/directories", "/users", "/search", "/op-erase-personal-data"] {
        let vendor = Vendor::new().await;
        let act = act.clone();
        vendor.fault(move |_, asked| asked.path().ends_with(end).then(|| act.clone()));
        assert_eq!(check(&vendor).await.unwrap_err().kind, kind, "{end}");
    }
}

#[tokio::test]
async fn too_many_requests_for_the_last_probe_begin_the_check_anew() {
    let vendor = Vendor::new().await;
    vendor.fault(|_, asked| asked.path().contains("customer-data").then(|| Act::json(429, "{}")));
    assert_eq!(check(&vendor).await.unwrap_err().kind, ErrorKind::RateLimited);
}

#[tokio::test]
async fn what_works_is_believed_of_reading_but_not_of_changing() {
    let vendor = Vendor::new().await;
    vendor.change(|state| state.tokens.push("t".to_owned()));
    let token = json!({"access_token": "t", "scope": "openid"});
    vendor.answers("POST", "/oauth2/token", Act::json(200, token));
    let report = check(&vendor).await.unwrap();
    assert_eq!(in_state(&report, Granted), [DIRECTORIES, CONTACTS, USERS]);
    assert_eq!(in_state(&report, Missing), [DATA, ERASURE]);
}
