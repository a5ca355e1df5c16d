//! What may be entered, and what is kept of it.

use rstest::rstest;

use super::*;
use crate::connector::SettingError;
use crate::error::{ErrorKind, Retry};

fn enter(fields: &[(&str, &str)]) -> Result<Settings, Vec<SettingError>> {
    SegmentConfig.normalise(fields.iter().copied().collect(), NOW.parse().unwrap())
}

#[rstest]
#[case("my-space", "my-space")]
#[case("workspaces/my-space", "my-space")]
#[case("  workspaces/my-space\n", "my-space")]
#[case("workspaces", "workspaces")]
#[case("My.Space_2", "My.Space_2")]
fn the_slug_is_kept(#[case] input: &str, #[case] slug: &str) {
    let kept = enter(&[("api_token", " t1\r\n"), ("workspace_name", input)]).unwrap();
    assert_eq!((kept.text("api_token"), kept.text("workspace_name")), ("t1", slug));
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["api_token", "workspace_name"]);
    let again = SegmentConfig.normalise(kept.clone(), NOW.parse().unwrap()).unwrap();
    assert_eq!(again.to_sealable(), kept.to_sealable());
}

#[rstest]
#[case("us", Some("us"))]
#[case(" EU ", Some("eu"))]
#[case("", None)]
#[case("  ", None)]
fn the_region_may_be_left_out(#[case] input: &str, #[case] region: Option<&str>) {
    let kept = enter(&[("api_token", "t1"), ("workspace_name", "a"), ("region", input)]).unwrap();
    assert_eq!(kept.get("region").map(|_| kept.text("region")), region);
}

#[rstest]
#[case::no_token("api_token", "", "empty")]
#[case::blank_token("api_token", " \n ", "empty")]
#[case::inner_space("api_token", "se cret", "space")]
#[case::with_scheme("api_token", "Bearer secret", "without `Bearer`")]
#[case::line_break("api_token", "se\ncret", "line break")]
#[case::header_injection("api_token", "secret\r\nX-Evil: 1", "line break")]
#[case::control("api_token", "se\u{7}cret", "control")]
#[case::no_ascii("api_token", "secrèt", "no API token has")]
#[case::too_long("api_token", &"secret".repeat(100), "too long")]
#[case::no_workspace("workspace_name", " ", "empty")]
#[case::only_the_prefix("workspace_name", "workspaces/", "empty")]
#[case::an_address("workspace_name", "https://app.segment.com/secret/overview", "slash")]
#[case::two_parts("workspace_name", "workspaces/secret/sources", "slash")]
#[case::twice("workspace_name", "workspaces/workspaces/secret", "slash")]
#[case::display_name("workspace_name", "Secret Shop", "display name")]
#[case::line_break_in_it("workspace_name", "secret\nshop", "control")]
#[case::no_break_space("workspace_name", "secret\u{a0}shop", "display name")]
#[case::nul("workspace_name", "secret\0", "control")]
#[case::a_step("workspace_name", "..", "no workspace")]
#[case::long("workspace_name", &"secret".repeat(40), "too long")]
#[case::region("region", "secret", "`us` or `eu`")]
#[case::unknown("client_secret", "secret", "not a setting")]
fn what_cannot_be_used_is_refused(#[case] key: &str, #[case] input: &str, #[case] says: &str) {
    let mut entered = Settings::from_iter([("api_token", "t1"), ("workspace_name", "a")]);
    entered.set(key, input);
    let errors = SegmentConfig.normalise(entered, NOW.parse().unwrap()).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].key, key);
    assert!(errors[0].message.contains(says), "{}", errors[0].message);
    assert!(!format!("{errors:?}").replace("client_secret", "").contains("secret"), "{errors:?}");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let errors = enter(&[("region", "mars"), ("x", "1")]).unwrap_err();
    let mut keys: Vec<&str> = errors.iter().map(|error| error.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["api_token", "region", "workspace_name", "x"]);
}

#[tokio::test]
async fn without_usable_settings_nothing_is_connected() {
    let vendor = Vendor::with(vec![]).await;
    for settings in [
        Settings::default(),
        Settings::from_iter([("api_token", "t1")]),
        Settings::from_iter([("api_token", "t1"), ("workspace_name", "a/b")]),
    ] {
        let error = SegmentConfig.connect(&settings, vendor.client()).err().unwrap();
        assert_eq!((error.kind, error.retry), (ErrorKind::Configuration, Retry::Never));
        assert!(error.message.contains("workspace_name"), "{error}");
    }
}

#[tokio::test]
async fn a_slug_cannot_leave_its_place_in_the_address() {
    let vendor = Vendor::with(vec![]).await;
    for (slug, sent) in [
        ("a?b=c", "/v1beta/workspaces/a%3Fb=c"),
        ("a#b", "/v1beta/workspaces/a%23b"),
        ("a%2Fb", "/v1beta/workspaces/a%252Fb"),
        (".net", "/v1beta/workspaces/.net"),
    ] {
        let connector = SegmentConfig.connect(&settings(TOKEN, slug), vendor.client()).unwrap();
        assert!(connector.check(NOW.parse().unwrap()).await.is_err());
        assert_eq!(vendor.server.asked().last().unwrap().target, sent);
    }
}

#[test]
fn settings_do_not_print() {
    assert!(!format!("{:?}", settings("t0ps3cr3t", "acme-shop")).contains("t0ps3cr3t"));
}
