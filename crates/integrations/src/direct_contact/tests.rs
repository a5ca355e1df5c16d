//! Nobody is called; what matters is the address.

use rstest::rstest;

use super::DirectContact;
use crate::connector::{Integration as _, Settings};
use crate::testing::{NOW, client};

fn given(email: &str) -> Settings {
    Settings::from_iter([("processor_email", email)])
}

#[test]
fn the_address_is_the_contact() {
    let settings =
        DirectContact.normalise(given("  privacy@shop.example.test "), NOW.parse().unwrap()).unwrap();
    assert_eq!(DirectContact.contact(&settings).as_deref(), Some("privacy@shop.example.test"));
}

#[rstest]
#[case("")]
#[case("privacy")]
#[case("privacy@shop.example.test\nBcc: all@example.test")]
#[case("a@b@example.test")]
fn what_is_no_address_is_refused_without_being_repeated(#[case] email: &str) {
    let errors = DirectContact.normalise(given(email), NOW.parse().unwrap()).unwrap_err();
    assert_eq!(errors[0].key, "processor_email");
    assert!(!errors[0].message.contains("shop") && !errors[0].message.contains("Bcc"));
}

#[tokio::test]
async fn there_is_nothing_to_check() {
    let nowhere = "https://nowhere.example.test".parse().unwrap();
    let connector = DirectContact.connect(&given("privacy@shop.example.test"), client(&nowhere)).unwrap();
    let report = connector.check(NOW.parse().unwrap()).await.unwrap();
    assert!(report.permissions.is_empty() && report.warnings.is_empty());
}
