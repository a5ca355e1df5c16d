//! An integration whose vendor does what the test says.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use habeas_casework::ConnectorSource;
use habeas_domain::IdentifierType;
use habeas_domain::capability::{AccessType, Capability, DeletionMethod, DeletionTiming};
use habeas_integrations::{
    Access, AccessMethod, Batch, Capabilities, CheckReport, Connector, Deletion, ErrorKind, Integration,
    Manifest, NeededPermission, PermissionReport, PermissionState, Retry, Setting, SettingError, Settings,
    VendorClient, VendorError, Verification,
};
use jiff::Timestamp;
use secrecy::SecretString;

static MANIFEST: Manifest = Manifest {
    name: "stub",
    title: "Stub",
    summary: "What a test puts there.",
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
            method: DeletionMethod::Standard,
            verification: Verification::Answer,
            batch: Batch::SINGLE,
        }),
        detects_systems: false,
        identifiers: &[IdentifierType::Email],
    },
    settings: &[Setting {
        key: "token",
        label: "Token",
        help: "any text",
        found_at: "anywhere",
        pattern: None,
        secret: true,
        optional: false,
    }],
    permissions: &[NeededPermission {
        permission: "contacts",
        needed_for: "Finding a person's contacts and deleting them",
        capability: Some(Capability::Access),
        optional: false,
    }],
    guide: &["Enter a token."],
    troubleshooting: &[],
    rate_limits: &[],
    retry_min: std::time::Duration::from_secs(1),
    retry_max: std::time::Duration::from_secs(128),
    polling: None,
    quota: None,
};

/// The catalogue entry.
#[derive(Debug)]
pub(crate) struct Stub;

impl Integration for Stub {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    fn normalise(&self, settings: Settings, _: Timestamp) -> Result<Settings, Vec<SettingError>> {
        Ok(settings)
    }

    fn account(&self, settings: &Settings) -> SecretString {
        SecretString::from(settings.text("token").to_owned())
    }

    fn connect(&self, _: &Settings, _: VendorClient) -> Result<Box<dyn Connector>, VendorError> {
        Err(VendorError::new(ErrorKind::Configuration, Retry::Never, "the tests connect by themselves", ""))
    }
}

/// What the vendor answers to a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Fine,
    Warns,
    LacksPermission,
    RejectsCredentials,
    Down,
    RateLimits,
    TalksNonsense,
    Refuses,
    Misconfigured,
    Forbids,
    Panics,
}

/// The vendor of every connection of a test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vendor(Arc<Mutex<Mood>>);

impl Vendor {
    pub(crate) fn is(&self, mood: Mood) {
        *self.0.lock().unwrap() = mood;
    }
}

impl ConnectorSource for Vendor {
    fn connect(&self, _: &str, _: &Settings, _: &str) -> Result<Box<dyn Connector>, VendorError> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Connector for Vendor {
    async fn check(&self, _: Timestamp) -> Result<CheckReport, VendorError> {
        let mood = *self.0.lock().unwrap();
        let fails = |kind, status| {
            let remedy = "do something about it";
            let error = VendorError::new(kind, Retry::Never, "the stub does not want to", remedy);
            Err(error.answered(status, Some("vendor-call-1".to_owned())))
        };
        let permission = |state| PermissionReport {
            permission: "contacts".to_owned(),
            needed_for: "Finding a person's contacts and deleting them".to_owned(),
            state,
        };
        match mood {
            Mood::Fine | Mood::Warns => Ok(CheckReport {
                learned: Vec::new(),
                expires_at: None,
                permissions: vec![permission(PermissionState::Granted)],
                warnings: (mood == Mood::Warns)
                    .then(|| "the token expires soon".to_owned())
                    .into_iter()
                    .collect(),
            }),
            Mood::LacksPermission => Ok(CheckReport {
                learned: Vec::new(),
                expires_at: None,
                permissions: vec![permission(PermissionState::Missing)],
                warnings: Vec::new(),
            }),
            Mood::RejectsCredentials => fails(ErrorKind::Credentials, 401),
            Mood::Down => fails(ErrorKind::Unavailable, 503),
            Mood::RateLimits => fails(ErrorKind::RateLimited, 429),
            Mood::TalksNonsense => fails(ErrorKind::BadAnswer, 200),
            Mood::Refuses => fails(ErrorKind::NotAllowed, 403),
            Mood::Misconfigured => fails(ErrorKind::Configuration, 404),
            Mood::Forbids => {
                Err(VendorError::new(ErrorKind::Permission, Retry::Never, "no scope", "grant it")
                    .lacking("contacts"))
            }
            Mood::Panics => panic!("the stub panics"),
        }
    }
}
