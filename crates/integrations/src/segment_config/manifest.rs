//! What the integration is and can do.

use std::time::Duration;

use habeas_domain::IdentifierType;
use habeas_domain::capability::{AccessType, Capability, DeletionMethod, DeletionTiming};

use super::errors::Which;
use super::settings;
use crate::manifest::{
    Access, AccessMethod, Batch, Capabilities, Deletion, EndpointClass, Manifest, MonthlyQuota,
    NeededPermission, NewerApi, Polling, RateLimit, Setting, Trouble, Verification,
};

/// Every call of the API (200 requests a minute, rate limiting page).
pub(super) const API: EndpointClass = EndpointClass("api");

/// Reading the workspace and its regulations, as the scope of a token is spelt.
pub(super) const READ: &str = "workspace:read";
/// Creating regulations, as the role is spelt.
pub(super) const OWNER: &str = "Workspace Owner";

const HOUR: Duration = Duration::from_secs(3600);

/// The longest body that the vendor takes.
pub(super) const LONGEST_BODY: usize = 4_000_000;
/// What a creation's body holds besides the list of identifiers, generously.
pub(super) const ENVELOPE: usize = 200;

pub(super) static MANIFEST: Manifest = Manifest {
    name: "segment_config",
    title: "Segment Config",
    summary: "Events and traits of a Segment workspace's users, and the destinations that they are handed on to.",
    base_url: Some("https://platform.segmentapis.com"),
    endpoint_setting: None,
    calls_back: false,
    newer_api: Some(NewerApi {
        version: "Public API",
        region_setting: settings::REGION,
        learned: (settings::API, Which::Public.word()),
        hosts: &[
            (settings::US, "https://api.segmentapis.com"),
            (settings::EU, "https://eu1.api.segmentapis.com"),
        ],
    }),
    api_version: Some("Config API v1beta, or the newer Public API: whichever the token opens"),
    authorize_url: None,
    vendor_role: Some("Workspace Owner"),
    account_type: Some(
        "A workspace whose plan offers tokens (Team or Business for the Public API); the Config API serves the United States only",
    ),
    capabilities: CAPABILITIES,
    settings: &[
        Setting {
            key: settings::API_TOKEN,
            label: "API token",
            help: "A token that a Workspace Owner made, of Segment's Public API or of its older Config API; which one it is, \
                   is found out",
            found_at: "Settings, Workspace settings, Access Management, Tokens, Create Token; it is shown once",
            pattern: None,
            secret: true,
            optional: false,
        },
        Setting {
            key: settings::WORKSPACE_NAME,
            label: "Workspace name",
            help: "The workspace's slug, as it stands in the address of Segment's app (`my-space` or \
                   `workspaces/my-space`), not its display name",
            found_at: "Settings, Workspace settings, General Settings: the slug",
            pattern: None,
            secret: false,
            optional: false,
        },
        Setting {
            key: settings::REGION,
            label: "Region",
            help: "Where the workspace is kept: `us` (if left out) or `eu`; the Public API has a host for each",
            found_at: "Settings, Workspace settings, General Settings: the region",
            pattern: Some("us|eu"),
            secret: false,
            optional: true,
        },
    ],
    permissions: &[
        NeededPermission {
            permission: READ,
            needed_for: "Reading the workspace: seeing when Segment has finished a deletion, and which systems are connected",
            capability: None,
            optional: false,
        },
        NeededPermission {
            permission: OWNER,
            needed_for: "Creating deletions (regulations); only a token that a Workspace Owner made may",
            capability: Some(Capability::Deletion),
            optional: false,
        },
    ],
    guide: &[
        "In Habeas you need the role super admin or connections manager; in Segment you need the role Workspace Owner.",
        "Log in to Segment.",
        "Open Settings in the menu on the left, then Workspace settings.",
        "In the tab General Settings, copy the workspace's slug: the name as it stands in the address of Segment's app. \
         The display name may differ and does not work.",
        "Open the tab Access Management, then Tokens, and choose Create Token. Add a description, select Workspace Owner, \
         choose Create. Since February 2024 this makes a token of the Public API; a Config API token that you have already \
         works as well.",
        "Store the token in a safe place; Segment shows it once.",
        "In Habeas, enter API token and workspace name; also the region, if the workspace is kept in the European Union.",
        "Choose when a deletion counts as complete: when Segment has accepted it, or when Segment has finished it (the default).",
        "Choose Configure integration.",
    ],
    troubleshooting: &[
        Trouble {
            code: "credentials_rejected",
            meaning: "Neither of Segment's APIs accepts the token: it is unknown or revoked, or of a workspace in another region",
            remedy: "Make a token as a Workspace Owner (Access Management, Tokens); for a workspace in the European Union set \
                     the region to `eu`",
        },
        Trouble {
            code: "permissions_missing",
            meaning: "The token may not create deletions, or not read them",
            remedy: "Have a Workspace Owner make the token",
        },
        Trouble {
            code: "connection_misconfigured",
            meaning: "Segment knows no workspace of that name, or the token is of another workspace",
            remedy: "Enter the slug, as it stands in the address of Segment's app, not the display name, and a token of that \
                     workspace",
        },
        Trouble {
            code: "vendor_unavailable",
            meaning: "Segment does not answer, or too slowly, or asks to slow down",
            remedy: "Try again in a few minutes; nothing was saved",
        },
    ],
    rate_limits: &[RateLimit { class: API, per_minute: 200 }],
    retry_min: Duration::from_secs(2),
    retry_max: Duration::from_secs(300),
    // Most deletions are done within 7 days; Segment promises 30, so after 35 a person is asked.
    polling: Some(Polling {
        min: Duration::from_secs(300),
        max: HOUR.saturating_mul(6),
        deadline: HOUR.saturating_mul(24 * 35),
    }),
    // Counted by the family "Segment & Destination"; Segment's support cannot raise it.
    quota: Some(MonthlyQuota { what: "identifiers deleted and suppressed", limit: 110_000 }),
};

const CAPABILITIES: Capabilities = Capabilities {
    access: Some(Access { kind: AccessType::DirectContact, method: AccessMethod::Contact }),
    deletion: Some(Deletion {
        timing: DeletionTiming::Asynchronous,
        method: DeletionMethod::WholeRecord,
        verification: Verification::Answer,
        batch: Batch { identifiers: 5_000, bytes: LONGEST_BODY - ENVELOPE },
    }),
    detects_systems: true,
    identifiers: &[IdentifierType::Email, IdentifierType::UserId],
};
