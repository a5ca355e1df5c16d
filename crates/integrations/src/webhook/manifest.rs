//! What the integration is and can do.

use std::time::Duration;

use habeas_domain::IdentifierType;
use habeas_domain::capability::{AccessType, Capability, DeletionMethod, DeletionTiming};

use super::settings;
use crate::manifest::{
    Access, AccessMethod, Batch, Capabilities, Deletion, EndpointClass, Manifest, NeededPermission, Polling,
    Setting, Trouble, Verification,
};

pub(super) const TITLE: &str = "Webhook";
/// Every message.
pub(super) const MESSAGES: EndpointClass = EndpointClass("messages");
/// That the system answers access requests.
pub(super) const ACCESS: &str = "access";
/// That the system carries deletions out.
pub(super) const DELETION: &str = "deletion";

const HOUR: Duration = Duration::from_secs(3600);

pub(super) static MANIFEST: Manifest = Manifest {
    name: "webhook",
    title: TITLE,
    summary: "A system of your own that has no integration: it takes signed messages and answers, at once or later.",
    base_url: None,
    endpoint_setting: Some(settings::ENDPOINT_URL),
    calls_back: true,
    newer_api: None,
    api_version: Some("Habeas's webhook protocol, signed by the conventions of Standard Webhooks"),
    authorize_url: None,
    vendor_role: None,
    account_type: Some("A system that speaks the protocol (docs/webhook-protocol.md)"),
    capabilities: Capabilities {
        access: Some(Access { kind: AccessType::Asynchronous, method: AccessMethod::Job }),
        deletion: Some(Deletion {
            timing: DeletionTiming::Asynchronous,
            method: DeletionMethod::WholeRecord,
            verification: Verification::Answer,
            batch: Batch::SINGLE,
        }),
        detects_systems: false,
        identifiers: IdentifierType::ALL,
    },
    settings: &[
        Setting {
            key: settings::ENDPOINT_URL,
            label: "Endpoint",
            help: "The address that takes the messages, for example https://crm.example.com/habeas. A host in a private network \
                   must be allowed by the server's operator (`private_hosts`)",
            found_at: "From whoever runs the system",
            pattern: Some("https?://.+"),
            secret: false,
            optional: false,
        },
        Setting {
            key: settings::SIGNING_SECRET,
            label: "Signing secret",
            help: "`whsec_` and the Base64 of 24 to 64 random bytes; messages in both directions are signed with it",
            found_at: "Made by either side: printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\"",
            pattern: Some("whsec_[A-Za-z0-9+/]{32,}={0,2}"),
            secret: true,
            optional: false,
        },
    ],
    permissions: &[
        NeededPermission {
            permission: ACCESS,
            needed_for: "Answering what the system holds about a person",
            capability: Some(Capability::Access),
            optional: false,
        },
        NeededPermission {
            permission: DELETION,
            needed_for: "Deleting what the system holds about a person",
            capability: Some(Capability::Deletion),
            optional: false,
        },
    ],
    guide: &[
        "Have the system speak the protocol: one address that takes signed messages (docs/webhook-protocol.md).",
        "Make a signing secret and give it to both sides, over a way that you trust.",
        "If the system is in a private network, have the operator of this server allow its host: `private_hosts` in \
         [integrations.webhook].",
        "Enter the endpoint and the secret. The system is asked what it can do; nothing else happens there.",
        "Give the system the address for its callbacks, which the connection then shows. Without it the system is asked from \
         time to time.",
    ],
    troubleshooting: &[
        Trouble {
            code: "credentials_rejected",
            meaning: "The system does not accept the signature",
            remedy: "Enter the secret that the system checks; compare the clocks of both machines",
        },
        Trouble {
            code: "permissions_missing",
            meaning: "The system says that it cannot answer access requests, or not carry deletions out",
            remedy: "Have it offer them (`connection.check`), or hand that capability to a direct contact, or switch it off",
        },
        Trouble {
            code: "connection_misconfigured",
            meaning: "Nothing takes messages at that address, or the address leads into a private network",
            remedy: "Check the address, path included; a private host must be allowed by the server's operator",
        },
        Trouble {
            code: "vendor_unavailable",
            meaning: "The system does not answer, too slowly, or not as the protocol says",
            remedy: "Look at the system's own log, then try again; nothing was saved",
        },
    ],
    rate_limits: &[],
    retry_min: Duration::from_secs(5),
    retry_max: Duration::from_secs(3600),
    polling: Some(Polling {
        min: Duration::from_secs(60),
        max: HOUR.saturating_mul(6),
        deadline: HOUR.saturating_mul(24 * 30),
    }),
    quota: None,
};
