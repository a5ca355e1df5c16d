//! That a run fails where it has to: connectors with one fault each.

use async_trait::async_trait;
use jiff::Timestamp;
use rstest::rstest;
use secrecy::SecretString;
use serde_json::Map;

use super::vendor::tried;
use crate::{
    CheckReport, Collected, Connector, EndpointClass, ErrorKind, FoundRecord, Integration, Manifest,
    Residual, Retry, SettingError, Settings, Subject, VendorClient, VendorError,
};

/// What is wrong with the connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    RepeatsTheVendor,
    RepeatsTheSetting,
    NeverGivesUp,
    FindsTooMuch,
    NamesThePerson,
    KeepsAnotherSetting,
    Panics,
}

#[derive(Debug)]
struct Faulty(Fault);

struct FaultyConnector {
    fault: Fault,
    client: VendorClient,
}

impl Integration for Faulty {
    fn manifest(&self) -> &'static Manifest {
        crate::readycloud::ReadyCloud.manifest()
    }

    fn normalise(&self, settings: Settings, _: Timestamp) -> Result<Settings, Vec<SettingError>> {
        let token = settings.text("access_token").to_owned();
        match self.0 {
            Fault::KeepsAnotherSetting => Ok(Settings::from_iter([("access_token", format!("{token}x"))])),
            Fault::RepeatsTheSetting if token.contains("wrong") => {
                Err(vec![SettingError { key: "access_token".to_owned(), message: format!("is {token}") }])
            }
            _ => Ok(settings),
        }
    }

    fn account(&self, _: &Settings) -> SecretString {
        SecretString::from("")
    }

    fn connect(&self, _: &Settings, client: VendorClient) -> Result<Box<dyn Connector>, VendorError> {
        Ok(Box::new(FaultyConnector { fault: self.0, client }))
    }
}

#[async_trait]
impl Connector for FaultyConnector {
    async fn check(&self, _: Timestamp) -> Result<CheckReport, VendorError> {
        let call = || self.client.get(EndpointClass("test")).path(["x"]).send();
        if self.fault == Fault::NeverGivesUp {
            loop {
                let _ = call().await;
            }
        }
        let answer = call().await?;
        assert_ne!(self.fault, Fault::Panics, "a panic");
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        let message = if self.fault == Fault::RepeatsTheVendor { said } else { "no".to_owned() };
        Err(VendorError::new(ErrorKind::BadAnswer, Retry::Never, message, "nothing"))
    }

    async fn lookup(&self, subject: &Subject) -> Result<Collected, VendorError> {
        let answer = self.client.get(EndpointClass("test")).path(["x"]).send().await?;
        let found = if self.fault == Fault::FindsTooMuch { 200 } else { 1 };
        let person = subject.identifiers().map(|(_, value)| value).collect::<String>();
        let why = if self.fault == Fault::NamesThePerson { person } else { "nobody knows".to_owned() };
        let record = |number: usize| FoundRecord {
            kind: "thing".to_owned(),
            vendor_id: number.to_string(),
            title: String::from_utf8_lossy(&answer.body).into_owned(),
            person: None,
            fields: Map::new(),
            file: None,
        };
        let residuals = vec![Residual { what: "something".to_owned(), why }];
        Ok(Collected { records: (0..found).map(record).collect(), residuals })
    }
}

/// Checks against an answer that repeats the credential and the person.
const CHECK: &[u8] = b"\x00\x00\x1e\x00\x00planted|s3cret person-1@example.test";
const LOOKUP: &[u8] = b"\x03\x00\x1e\x00\x00some text";
const NORMALISE: &[u8] = b"\x0c\x00wrong";

#[rstest]
#[case::check(CHECK)]
#[case::lookup(LOOKUP)]
#[case::normalise(NORMALISE)]
#[case::nothing(b"")]
fn what_is_right_passes(#[case] data: &[u8]) {
    tried(&Faulty(Fault::None), data);
}

#[rstest]
#[case::repeats_the_vendor(Fault::RepeatsTheVendor, CHECK, "a planted value is told")]
#[case::never_gives_up(Fault::NeverGivesUp, CHECK, "called again and again")]
#[case::panics(Fault::Panics, CHECK, "a panic")]
#[case::finds_too_much(Fault::FindsTooMuch, LOOKUP, "more is found than there was")]
#[case::names_the_person(Fault::NamesThePerson, LOOKUP, "a planted value is told")]
#[case::repeats_the_setting(Fault::RepeatsTheSetting, NORMALISE, "a planted value is told")]
#[case::keeps_another_setting(Fault::KeepsAnotherSetting, NORMALISE, "what was kept is changed")]
fn what_is_wrong_is_found(#[case] fault: Fault, #[case] data: &[u8], #[case] says: &str) {
    let panic = std::panic::catch_unwind(|| tried(&Faulty(fault), data)).unwrap_err();
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap();
    assert!(text.contains(says), "{text}");
}
