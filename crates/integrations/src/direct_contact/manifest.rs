//! What the integration is and can do.

use std::time::Duration;

use habeas_domain::IdentifierType;
use habeas_domain::capability::{AccessType, DeletionMethod, DeletionTiming};

use crate::manifest::{
    Access, AccessMethod, Batch, Capabilities, Deletion, Manifest, Setting, Trouble, Verification,
};

/// The setting that names the person who answers.
pub(super) const PROCESSOR_EMAIL: &str = "processor_email";

pub(super) static MANIFEST: Manifest = Manifest {
    name: "direct_contact",
    title: "Direct Contact",
    summary: "A system without an API: a person at its owner is asked and answers.",
    base_url: None,
    endpoint_setting: None,
    calls_back: false,
    newer_api: None,
    api_version: None,
    authorize_url: None,
    vendor_role: None,
    account_type: None,
    capabilities: Capabilities {
        access: Some(Access { kind: AccessType::DirectContact, method: AccessMethod::Contact }),
        deletion: Some(Deletion {
            timing: DeletionTiming::DirectContact,
            method: DeletionMethod::WholeRecord,
            verification: Verification::Answer,
            batch: Batch::SINGLE,
        }),
        detects_systems: false,
        identifiers: &[IdentifierType::Email],
    },
    settings: &[Setting {
        key: PROCESSOR_EMAIL,
        label: "Processor e-mail",
        help: "The address of the person or team that answers for the system, for example privacy@shop.example.test",
        found_at: "From the system's owner",
        pattern: Some("[^@\\s]+@[^@\\s]+"),
        secret: false,
        optional: false,
    }],
    permissions: &[],
    guide: &[
        "Find out who answers for the system: its owner in your company, or the processor that runs it for you.",
        "Agree with them on one address that is read every day, and on how long they may take.",
        "Enter the address. For each request they are asked, reminded, and their answer becomes part of the request.",
    ],
    troubleshooting: &[Trouble {
        code: "validation",
        meaning: "The address is not one mailbox",
        remedy: "Enter one address without a name and without line breaks",
    }],
    rate_limits: &[],
    retry_min: Duration::from_secs(60),
    retry_max: Duration::from_secs(3600),
    polling: None,
    quota: None,
};
