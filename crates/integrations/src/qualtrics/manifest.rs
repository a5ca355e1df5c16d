//! What the integration is and can do.

use std::time::Duration;

use habeas_domain::IdentifierType;
use habeas_domain::capability::{AccessType, Capability, DeletionMethod, DeletionTiming};

use super::settings::{CLIENT_ID, CLIENT_SECRET, DATACENTER_ID};
use crate::manifest::{
    Access, AccessMethod, Batch, Capabilities, Deletion, EndpointClass, Manifest, NeededPermission, Polling,
    RateLimit, Setting, Trouble, Verification,
};

/// Everything that has no cap of its own: token, whoami, directories, contact history, users.
pub(super) const GENERAL: EndpointClass = EndpointClass("general");
/// `POST /directories/{id}/contacts/search`.
pub(super) const SEARCH: EndpointClass = EndpointClass("contact_search");
/// `POST /op-erase-personal-data`.
pub(super) const ERASURE: EndpointClass = EndpointClass("erasure");
/// `GET /op-erase-personal-data`.
pub(super) const ERASURE_LIST: EndpointClass = EndpointClass("erasure_list");
/// `POST /customer-data-requests`.
pub(super) const DATA_JOB: EndpointClass = EndpointClass("customer_data");
/// `GET /customer-data-requests/{id}`.
pub(super) const DATA_PROGRESS: EndpointClass = EndpointClass("customer_data_progress");
/// `GET /customer-data-requests/{id}/files/{id}`.
pub(super) const DATA_FILE: EndpointClass = EndpointClass("customer_data_file");

/// Start and read customer-data jobs.
pub(super) const DATA_SCOPE: &str = "manage:customer_data_requests";
/// Start and list erasures.
pub(super) const ERASURE_SCOPE: &str = "manage:erasure_requests";
/// List directories.
pub(super) const DIRECTORIES_SCOPE: &str = "read:directories";
/// Search contacts and read their history.
pub(super) const CONTACTS_SCOPE: &str = "read:directory_contacts";
/// List the brand's users.
pub(super) const USERS_SCOPE: &str = "read:users";
/// The scopes that a token is asked for.
pub(super) const SCOPES: [&str; 5] =
    [DATA_SCOPE, ERASURE_SCOPE, DIRECTORIES_SCOPE, CONTACTS_SCOPE, USERS_SCOPE];
/// Not a scope but the role without which customer data and erasures are refused.
pub(super) const BRAND_ADMINISTRATOR: &str = "Brand Administrator";

/// How far the contact search may lag behind. A public test of the vendor's API waits a minute; a loaded index
/// may take longer, and a deletion that is called incomplete too early costs a person's time.
const INDEX_LAG: Duration = Duration::from_secs(15 * 60);

pub(super) static MANIFEST: Manifest = Manifest {
    name: "qualtrics",
    title: "Qualtrics",
    summary: "Surveys: responses, contacts of the XM Directory with their history, and user accounts.",
    base_url: Some("https://{datacenter_id}.qualtrics.com"),
    endpoint_setting: None,
    calls_back: false,
    newer_api: None,
    api_version: Some("API v3"),
    authorize_url: None,
    vendor_role: Some("Brand Administrator"),
    account_type: Some("A user account of the type Brand Administrator, whose client it is"),
    capabilities: CAPABILITIES,
    settings: &[
        Setting {
            key: DATACENTER_ID,
            label: "Datacenter ID",
            help: "The Datacenter ID of the section Qualtrics IDs, for example fra1; not the whole address",
            found_at: "Account Settings, Qualtrics IDs, section IDs",
            pattern: Some("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"),
            secret: false,
            optional: false,
        },
        Setting {
            key: CLIENT_ID,
            label: "Client ID",
            help: "The Client ID that the OAuth Client Manager shows for the client made for Habeas",
            found_at: "Account Settings, Qualtrics IDs, section OAuth Client Manager, in the list of clients",
            pattern: None,
            secret: false,
            optional: false,
        },
        Setting {
            key: CLIENT_SECRET,
            label: "Client Secret",
            help: "The Client Secret; Qualtrics shows it once, when the client is made",
            found_at: "Shown once after Create Client; if it is lost, make a new client",
            pattern: None,
            secret: true,
            optional: false,
        },
    ],
    permissions: &[
        NeededPermission {
            permission: DATA_SCOPE,
            needed_for: "Having Qualtrics collect a person's survey responses for an access request",
            capability: Some(Capability::Access),
            optional: false,
        },
        NeededPermission {
            permission: ERASURE_SCOPE,
            needed_for: "Having Qualtrics erase a person and following the erasure",
            capability: Some(Capability::Deletion),
            optional: false,
        },
        NeededPermission {
            permission: DIRECTORIES_SCOPE,
            needed_for: "Finding the directories in which a person's contacts are searched",
            capability: None,
            optional: false,
        },
        NeededPermission {
            permission: CONTACTS_SCOPE,
            needed_for: "Finding a person's contacts with their history, and proving that an erased person is gone",
            capability: None,
            optional: false,
        },
        NeededPermission {
            permission: USERS_SCOPE,
            needed_for: "Finding a person's user account, which an erasure would delete as well",
            capability: None,
            optional: false,
        },
        NeededPermission {
            permission: BRAND_ADMINISTRATOR,
            needed_for: "Customer data and erasures: Qualtrics offers both to Brand Administrators only (a role, not a scope)",
            capability: None,
            optional: false,
        },
    ],
    guide: &[
        "Log in to Qualtrics as a Brand Administrator and choose Account Settings in the menu at the top right.",
        "Open the section Qualtrics IDs.",
        "In the section IDs, copy the Datacenter ID (for example ca1, iad1, sjc1, fra1 or syd).",
        "Open the section OAuth Client Manager and choose Create Client.",
        "Enter the name Habeas.",
        "Choose the scopes manage:customer_data_requests, manage:erasure_requests, read:directories, \
         read:directory_contacts and read:users.",
        "Choose the grant type Client Credentials, then Create Client.",
        "Copy the Client ID and the Client Secret and keep them in a safe, temporary place: the secret is shown once.",
        "Enter the Datacenter ID, the Client ID and the Client Secret here.",
        "Choose when a deletion counts as complete: when Qualtrics has accepted it, or (the default) when Qualtrics \
         says that it is done.",
    ],
    troubleshooting: &[
        Trouble {
            code: "credentials_rejected",
            meaning: "Client ID or Client Secret are wrong, the client is gone or has another grant type, or it lives in \
                      another data centre: the message says which",
            remedy: "Compare the three values with the OAuth Client Manager; if the grant type is not Client \
                     Credentials, make a new client",
        },
        Trouble {
            code: "permissions_missing",
            meaning: "The client lacks the scopes that are named, or whoever made it is no Brand Administrator",
            remedy: "Make a new client as a Brand Administrator with all five scopes: an existing one keeps its own",
        },
        Trouble {
            code: "connection_misconfigured",
            meaning: "There is no Qualtrics at that Datacenter ID",
            remedy: "Copy the Datacenter ID again; it is a short word such as fra1, not an address",
        },
        Trouble {
            code: "vendor_unavailable",
            meaning: "Qualtrics does not answer, or too slowly, or asks to slow down",
            remedy: "Try again in a few minutes; nothing was saved",
        },
    ],
    rate_limits: &[
        // A brand has 3000 calls a minute in all; what the capped endpoints may use is left to them.
        RateLimit { class: GENERAL, per_minute: 2160 },
        RateLimit { class: SEARCH, per_minute: 500 },
        RateLimit { class: ERASURE, per_minute: 20 },
        RateLimit { class: ERASURE_LIST, per_minute: 20 },
        RateLimit { class: DATA_JOB, per_minute: 100 },
        RateLimit { class: DATA_PROGRESS, per_minute: 100 },
        RateLimit { class: DATA_FILE, per_minute: 100 },
    ],
    retry_min: Duration::from_secs(1),
    retry_max: Duration::from_secs(60),
    // No duration is promised: minutes to days.
    polling: Some(Polling {
        min: Duration::from_secs(60),
        max: Duration::from_secs(3600),
        deadline: Duration::from_secs(14 * 86_400),
    }),
    quota: None,
};

const CAPABILITIES: Capabilities = Capabilities {
    access: Some(Access { kind: AccessType::Asynchronous, method: AccessMethod::Job }),
    deletion: Some(Deletion {
        timing: DeletionTiming::Asynchronous,
        method: DeletionMethod::WholeRecord,
        verification: Verification::Search { lag: INDEX_LAG },
        // How many addresses one call takes is not documented; the vendor's own page takes a list of up to 500.
        batch: Batch { identifiers: 100, bytes: 1_000_000 },
    }),
    detects_systems: false,
    identifiers: &[IdentifierType::Email],
};
