//! What may be entered, and what is kept of it.

use rstest::rstest;

use super::*;
use crate::error::ErrorKind;

fn enter(key: &str, value: &str) -> Result<Settings, Vec<crate::connector::SettingError>> {
    let mut settings = entered();
    settings.set(key, value);
    Qualtrics::default().normalise(settings, NOW.parse().unwrap())
}

#[rstest]
#[case("datacenter_id", "", "empty")]
#[case("datacenter_id", "  ", "empty")]
#[case("datacenter_id", "a.b", "several parts")]
#[case("datacenter_id", "fra1.qualtrics.com", "several parts")]
#[case("datacenter_id", "https://fra1", "several parts")]
#[case("datacenter_id", "fra1/x", "several parts")]
#[case("datacenter_id", "evil.test#", "several parts")]
#[case("datacenter_id", "FRA1", "capital")]
#[case("datacenter_id", "fra1\n", "line break")]
#[case("datacenter_id", "fra 1", "space")]
#[case("datacenter_id", "-fra1", "inner hyphens")]
#[case("datacenter_id", "fra1-", "inner hyphens")]
#[case("datacenter_id", "fra_1", "inner hyphens")]
#[case("datacenter_id", "fra1@evil", "inner hyphens")]
#[case("datacenter_id", &"a".repeat(64), "63 characters")]
#[case("client_id", "", "empty")]
#[case("client_id", " \n ", "empty")]
#[case("client_id", "a:b", "colon")]
#[case("client_id", "a\r\nX-Evil: 1", "line break")]
#[case("client_id", &"a".repeat(513), "too long")]
#[case("client_secret", "", "empty")]
#[case("client_secret", "t0ps3cr3t\nX-Evil: 1", "line break")]
#[case("client_secret", "t0ps3cr3t\0", "control character")]
#[case("client_secret", &"a".repeat(513), "too long")]
#[case("api_token", "x", "not a setting")]
fn what_cannot_be_used_is_refused(#[case] key: &str, #[case] value: &str, #[case] says: &str) {
    let errors = enter(key, value).unwrap_err();
    assert_eq!(errors.iter().map(|error| error.key.as_str()).collect::<Vec<_>>(), [key]);
    assert!(errors[0].message.contains(says), "{}", errors[0].message);
    assert!(!format!("{errors:?}").contains("t0ps3cr3t") && !format!("{errors:?}").contains("evil"));
}

#[test]
fn everything_wrong_is_said_at_once() {
    let errors = Qualtrics::default().normalise(Settings::default(), NOW.parse().unwrap()).unwrap_err();
    let keys: Vec<&str> = errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, ["datacenter_id", "client_id", "client_secret"]);
}

#[rstest]
#[case("datacenter_id", "yul1", "yul1")]
#[case("datacenter_id", "a-b", "a-b")]
#[case("client_id", "  id \n", "id")]
#[case("client_secret", "\t s3cr3t \r\n", "s3cr3t")]
#[case("client_secret", "with: a space", "with: a space")]
fn what_can_be_used_is_kept_trimmed(#[case] key: &str, #[case] value: &str, #[case] kept: &str) {
    let settings = enter(key, value).unwrap();
    assert_eq!(settings.text(key), kept);
    // What is kept is entered again when a connection is edited.
    let again = Qualtrics::default().normalise(settings, NOW.parse().unwrap()).unwrap();
    assert_eq!(again.text(key), kept);
    assert!(!format!("{again:?}").contains("s3cr3t"));
}

#[rstest]
#[case("datacenter_id", "")]
#[case("datacenter_id", "a.b")]
#[case("client_id", "")]
#[case("client_secret", "")]
#[tokio::test]
async fn a_connection_without_its_settings_cannot_be_made(#[case] key: &str, #[case] value: &str) {
    let vendor = Vendor::new().await;
    let mut settings = settings();
    settings.set(key, value);
    let error = vendor.integration.connect(&settings, client_with(vendor.options())).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Configuration);
}
