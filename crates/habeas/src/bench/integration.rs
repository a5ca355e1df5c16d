//! The integration that speaks to the benchmark's stub: one call per subject, nothing shared.

use std::time::Duration;

use async_trait::async_trait;
use habeas_domain::IdentifierType;
use habeas_domain::capability::{AccessType, DeletionMethod, DeletionTiming};
use habeas_integrations::client::Reply;
use habeas_integrations::{
    Access, AccessMethod, Batch, Capabilities, CheckReport, Collected, Connector, Deleted, Deletion,
    EndpointClass, ErrorKind, FoundRecord, Integration, Manifest, Presence, Retry, SettingError, Settings,
    Subject, VendorClient, VendorError, Verification,
};
use http::Method;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};

pub(crate) const NAME: &str = "bench_stub";

static MANIFEST: Manifest = Manifest {
    name: NAME,
    title: "Benchmark stub",
    summary: "Answers every call after a fixed time.",
    base_url: Some("https://stub.example.test"),
    endpoint_setting: None,
    calls_back: false,
    newer_api: None,
    api_version: None,
    authorize_url: None,
    vendor_role: None,
    account_type: None,
    capabilities: Capabilities {
        access: Some(Access { kind: AccessType::Synchronous, method: AccessMethod::Lookup }),
        deletion: Some(Deletion {
            timing: DeletionTiming::Synchronous,
            method: DeletionMethod::WholeRecord,
            verification: Verification::Answer,
            batch: Batch::SINGLE,
        }),
        detects_systems: false,
        identifiers: &[IdentifierType::Email],
    },
    settings: &[],
    permissions: &[],
    guide: &[],
    troubleshooting: &[],
    rate_limits: &[],
    retry_min: Duration::from_millis(50),
    retry_max: Duration::from_secs(5),
    polling: None,
    quota: None,
};

const CLASS: EndpointClass = EndpointClass("any");

#[derive(Debug)]
pub(crate) struct BenchStub;

impl Integration for BenchStub {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    fn normalise(&self, settings: Settings, _: Timestamp) -> Result<Settings, Vec<SettingError>> {
        Ok(settings)
    }

    fn account(&self, _: &Settings) -> SecretString {
        SecretString::from("bench")
    }

    fn connect(&self, _: &Settings, client: VendorClient) -> Result<Box<dyn Connector>, VendorError> {
        Ok(Box::new(StubConnector { client }))
    }
}

struct StubConnector {
    client: VendorClient,
}

impl StubConnector {
    async fn ask(&self, path: &str, subject: &Subject, effect: bool) -> Result<Value, VendorError> {
        let email = subject.values(IdentifierType::Email).next().unwrap_or_default();
        let call = self.client.call(CLASS, Method::POST).path([path]).json(&json!({"email": email}));
        let call = if effect { call.effect() } else { call };
        match call.send_json::<Value>().await? {
            Reply::Value(value) => Ok(value),
            Reply::Refused(answer) => Err(VendorError::new(
                ErrorKind::BadAnswer,
                Retry::Never,
                "the stub refused a call",
                "this is a fault of the benchmark; please report it",
            )
            .answered(answer.status.as_u16(), None)),
        }
    }
}

#[async_trait]
impl Connector for StubConnector {
    async fn check(&self, _: Timestamp) -> Result<CheckReport, VendorError> {
        Ok(CheckReport::default())
    }

    async fn lookup(&self, subject: &Subject) -> Result<Collected, VendorError> {
        let mut answer = self.ask("lookup", subject, false).await?;
        let records = answer["records"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let records = records
            .into_iter()
            .filter_map(|record| match record {
                Value::Object(fields) => Some(FoundRecord {
                    kind: "contact".to_owned(),
                    vendor_id: fields.get("id")?.as_str()?.to_owned(),
                    title: "contact".to_owned(),
                    person: None,
                    fields,
                    file: None,
                }),
                _ => None,
            })
            .collect();
        Ok(Collected { records, residuals: Vec::new() })
    }

    async fn delete_subject(&self, subject: &Subject) -> Result<Deleted, VendorError> {
        self.ask("delete", subject, true).await.map(|_| Deleted::Deleted)
    }

    async fn presence(&self, subject: &Subject) -> Result<Presence, VendorError> {
        let answer = self.ask("lookup", subject, false).await?;
        Ok(if answer["records"][0].is_object() { Presence::Held } else { Presence::GONE })
    }
}
