//! A vendor that needs no network: it knows everybody, and answers at once.

use std::time::Duration;

use async_trait::async_trait;
use habeas_domain::IdentifierType;
use habeas_domain::capability::{AccessType, DeletionMethod, DeletionTiming};
use habeas_integrations::{
    Access, AccessMethod, Batch, Capabilities, CheckReport, Collected, Connector, Deleted, Deletion,
    FoundRecord, Integration, Manifest, Presence, SettingError, Settings, Subject, VendorClient, VendorError,
    Verification,
};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};

pub(crate) const NAME: &str = "memory";

static MANIFEST: Manifest = Manifest {
    name: NAME,
    title: "Memory",
    summary: "Answers out of memory.",
    base_url: Some("https://memory.example.test"),
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

#[derive(Debug)]
pub(crate) struct MemoryVendor;

impl Integration for MemoryVendor {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    fn normalise(&self, settings: Settings, _: Timestamp) -> Result<Settings, Vec<SettingError>> {
        Ok(settings)
    }

    fn account(&self, _: &Settings) -> SecretString {
        SecretString::from("memory")
    }

    fn connect(&self, _: &Settings, _: VendorClient) -> Result<Box<dyn Connector>, VendorError> {
        Ok(Box::new(MemoryConnector))
    }
}

struct MemoryConnector;

/// What the vendor holds of everybody.
pub(crate) fn found(subject: &Subject) -> Collected {
    let email = subject.values(IdentifierType::Email).next().unwrap_or_default();
    let fields = json!({
        "id": "1", "email": email, "first_name": "Ana", "last_name": "Silva",
        "address": {"street": "1 Main St", "city": "Porto", "country": "Portugal"}, "phone": "5550100",
    });
    let Value::Object(fields) = fields else { unreachable!("an object was written") };
    let record = FoundRecord {
        kind: "contact".to_owned(),
        vendor_id: "1".to_owned(),
        title: "contact".to_owned(),
        person: None,
        fields,
        file: None,
    };
    Collected { records: vec![record], residuals: Vec::new() }
}

#[async_trait]
impl Connector for MemoryConnector {
    async fn check(&self, _: Timestamp) -> Result<CheckReport, VendorError> {
        Ok(CheckReport::default())
    }

    async fn lookup(&self, subject: &Subject) -> Result<Collected, VendorError> {
        Ok(found(subject))
    }

    async fn delete_subject(&self, _: &Subject) -> Result<Deleted, VendorError> {
        Ok(Deleted::Deleted)
    }

    async fn presence(&self, _: &Subject) -> Result<Presence, VendorError> {
        Ok(Presence::Held)
    }
}
