//! What may be pasted as an access token, and what is kept of it.

use rstest::rstest;

use super::*;
use crate::connector::SettingError;

const PAGE: &str = "https://www.readycloud.com/api/v1/oauth2/auth_code";

fn paste(input: &str) -> Result<Settings, Vec<SettingError>> {
    ReadyCloud.normalise(Settings::from_iter([("access_token", input)]), NOW.parse().unwrap())
}

#[rstest]
#[case::bare("9c0f4e7b12", "9c0f4e7b12", None)]
#[case::bare_with_space_around("  9c0f4e7b12\n", "9c0f4e7b12", None)]
#[case::not_hexadecimal("aB-._~+/=", "aB-._~+/=", None)]
#[case::whole(
    "{page}#access_token=9c0f4e7b12&expires_in=31536000&token_type=bearer&user=jo%40example.test&scope=contact+company-read_only&refresh_token=77ad1b0c",
    "9c0f4e7b12",
    Some("2027-03-01T12:00:00Z")
)]
#[case::another_order(
    "{page}?state=x#refresh_token=77ad1b0c&scope=contact&expires_in=60&access_token=9c0f4e7b12",
    "9c0f4e7b12",
    Some("2026-03-01T12:01:00Z")
)]
#[case::own_redirect_page("https://intranet.example.test/back#access_token=t1", "t1", None)]
#[case::fragment_alone("#access_token=t1&expires_in=60", "t1", Some("2026-03-01T12:01:00Z"))]
#[case::fragment_without_sign("expires_in=60&access_token=t1", "t1", Some("2026-03-01T12:01:00Z"))]
#[case::in_the_query("{page}?access_token=t1&expires_in=60", "t1", Some("2026-03-01T12:01:00Z"))]
#[case::encoded("{page}#access_token=a%2Bb", "a+b", None)]
#[case::no_number("{page}#access_token=t1&expires_in=soon", "t1", None)]
#[case::negative("{page}#access_token=t1&expires_in=-1", "t1", None)]
#[case::absurd("{page}#access_token=t1&expires_in=99999999999999999999", "t1", None)]
#[case::absurd_but_a_number("{page}#access_token=t1&expires_in=999999999999", "t1", None)]
fn a_token_is_taken_out(#[case] input: &str, #[case] token: &str, #[case] expires_at: Option<&str>) {
    let kept = paste(&input.replace("{page}", PAGE)).unwrap();
    assert_eq!(kept.text("access_token"), token);
    assert_eq!(kept.get("token_expires_at").map(|_| kept.text("token_expires_at")), expires_at);
    let sealed = String::from_utf8(kept.to_sealable().to_vec()).unwrap();
    for dropped in ["77ad1b0c", "example.test", "refresh", "bearer"] {
        assert!(!sealed.contains(dropped), "{dropped} was kept");
    }
}

#[rstest]
#[case::empty("", "empty")]
#[case::blank(" \n ", "empty")]
#[case::inner_space("9c0f 4e7b", "space")]
#[case::line_break("9c0f\n4e7b", "line break")]
#[case::header_injection("9c0f\r\nX-Evil: 1", "line break")]
#[case::control("9c0f\u{7}4e7b", "control")]
#[case::no_ascii("tökén", "ASCII")]
#[case::too_long(&"a".repeat(513), "too long")]
#[case::far_too_long(&"a".repeat(9000), "far too long")]
#[case::placeholder("YOUR_ACCESS_TOKEN", "placeholder")]
#[case::empty_in_the_address("https://www.readycloud.com/x#access_token=&expires_in=60", "empty")]
#[case::encoded_line_break("https://www.readycloud.com/x#access_token=a%0D%0Ab", "line break")]
#[case::encoded_space("https://www.readycloud.com/x#access_token=a+b", "space")]
#[case::refused("https://www.readycloud.com/x#error=access_denied&state=1", "refusal")]
#[case::a_code("https://www.readycloud.com/x?code=0123456789", "a code instead")]
#[case::other_page("https://www.readycloud.com/home", "no access_token")]
#[case::only_refresh("https://www.readycloud.com/x#refresh_token=77ad1b0c", "no access_token")]
fn what_is_no_token_is_refused(#[case] input: &str, #[case] says: &str) {
    let errors = paste(input).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].key, "access_token");
    assert!(errors[0].message.contains(says), "{}", errors[0].message);
    assert!(!format!("{errors:?}").contains("77ad1b0c") && !format!("{errors:?}").contains("9c0f"));
}

#[test]
fn an_unknown_setting_is_refused() {
    let pasted = Settings::from_iter([("access_token", "t1"), ("client_secret", "s")]);
    let errors = ReadyCloud.normalise(pasted, NOW.parse().unwrap()).unwrap_err();
    assert_eq!(errors[0].key, "client_secret");
}

#[test]
fn the_expiry_stays_with_its_token() {
    let now = NOW.parse().unwrap();
    let mut kept = paste("https://www.readycloud.com/x#access_token=t1&expires_in=60").unwrap();
    kept = ReadyCloud.normalise(kept, now).unwrap();
    assert_eq!(kept.text("token_expires_at"), "2026-03-01T12:01:00Z");
    kept.set("access_token", "t2");
    assert!(super::super::settings::token_expires_at(&kept).is_none());
    kept = ReadyCloud.normalise(kept, now).unwrap();
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["access_token"]);
}

#[test]
fn settings_do_not_print() {
    let kept = paste("https://www.readycloud.com/x#access_token=t0ps3cr3t&expires_in=60").unwrap();
    assert!(!format!("{kept:?}").contains("t0ps3cr3t"));
    assert!(!format!("{kept:?}").contains("2026"));
}

#[rstest]
#[case("Ab-_.~9", true)]
#[case(" 42 ", true)]
#[case("", false)]
#[case("a&scope=order", false)]
#[case("a b", false)]
fn the_authorisation_page_is_built_from_an_app_id(#[case] app_id: &str, #[case] fits: bool) {
    let url = super::super::manifest::MANIFEST.authorize_page(app_id);
    let expected = format!(
        "https://www.readycloud.com/api/v1/oauth2/authorize?scope=contact%20company-read_only&response_type=token&client_id={}",
        app_id.trim()
    );
    assert_eq!(url, fits.then_some(expected));
}
