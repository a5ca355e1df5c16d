//! What the integration is and can do.

use std::time::Duration;

use habeas_domain::IdentifierType;
use habeas_domain::capability::{AccessType, DeletionMethod, DeletionTiming};

use crate::manifest::{
    Access, AccessMethod, Batch, Capabilities, Deletion, EndpointClass, Manifest, NeededPermission,
    RateLimit, Setting, Trouble, Verification,
};

/// GET calls (ReadyCloud API V2, rate limiting page).
pub(super) const READ: EndpointClass = EndpointClass("read");
/// POST, PATCH and DELETE calls, counted apart from GET (same page).
pub(super) const WRITE: EndpointClass = EndpointClass("write");

/// Read the organisations ("View team details").
pub(super) const COMPANY_SCOPE: &str = "company-read_only";
/// Read, change and delete contacts ("Manage contacts").
pub(super) const CONTACT_SCOPE: &str = "contact";
/// Read orders. Not part of the usual grant.
pub(super) const ORDER_SCOPE: &str = "order-read_only";

pub(super) static MANIFEST: Manifest = Manifest {
    name: "readycloud",
    title: "ReadyCloud",
    summary: "Shipping contacts of a team: names, postal and e-mail addresses, telephone numbers and notes.",
    base_url: Some("https://www.readycloud.com"),
    endpoint_setting: None,
    calls_back: false,
    newer_api: None,
    api_version: Some("API V2"),
    // Its path has no slash at the end, unlike everything else at ReadyCloud.
    authorize_url: Some(
        "https://www.readycloud.com/api/v1/oauth2/authorize?scope=contact%20company-read_only&response_type=token&client_id={app_id}",
    ),
    vendor_role: Some("Admin"),
    account_type: None,
    capabilities: CAPABILITIES,
    settings: &[Setting {
        key: super::settings::ACCESS_TOKEN,
        label: "Access token",
        help: "The access token, or the whole address of the page that ReadyCloud showed after Allow Access; \
               everything but the token and its expiry is thrown away",
        found_at: "In the address bar of the browser after Allow Access, behind `access_token=`",
        pattern: None,
        secret: true,
        optional: false,
    }],
    permissions: &[
        NeededPermission {
            permission: COMPANY_SCOPE,
            needed_for: "View team details: finding the organisations whose contacts are searched, and naming them as detected systems",
            capability: None,
            optional: false,
        },
        NeededPermission {
            permission: CONTACT_SCOPE,
            needed_for: "Manage contacts: finding a person's contacts and deleting them",
            capability: None,
            optional: false,
        },
        NeededPermission {
            permission: ORDER_SCOPE,
            needed_for: "Including the orders of a person's contacts in an access request",
            capability: Some(habeas_domain::capability::Capability::Access),
            optional: true,
        },
    ],
    guide: &[
        "Log in to ReadyCloud as a user with the role Admin.",
        "Open Settings, then Clients.",
        "Under My Apps, enter a name for the app (for example the name of this installation) and choose Add App.",
        "Copy the App ID. The App Secret is not needed and is never entered here.",
        "Open ReadyCloud's page for allowing access in the same browser, with the App ID in place of {app_id} \
         (`habeas integrations authorize readycloud APP_ID` prints the address).",
        "Choose Allow Access. The page asks for View team details and Manage contacts.",
        "The browser now shows an address that contains access_token=... Copy the whole address from the address bar.",
        "Paste it into the field Access token. The token is valid for about a year; you are warned before it expires.",
    ],
    troubleshooting: &[
        Trouble {
            code: "credentials_rejected",
            meaning: "ReadyCloud does not know the token, or it has expired or was revoked",
            remedy: "Open the address with your App ID again, allow access and paste the new address",
        },
        Trouble {
            code: "permissions_missing",
            meaning: "The token was made without one of the scopes, or by a user who is not an Admin",
            remedy: "Log in as an Admin and allow access again over the address above, which names both scopes",
        },
        Trouble {
            code: "connection_misconfigured",
            meaning: "The token opens no organisation that is in use",
            remedy: "Make the token as a user of the organisation whose contacts are meant",
        },
        Trouble {
            code: "vendor_unavailable",
            meaning: "ReadyCloud does not answer, or too slowly, or asks to slow down",
            remedy: "Try again in a few minutes; nothing was saved",
        },
    ],
    rate_limits: &[RateLimit { class: READ, per_minute: 30 }, RateLimit { class: WRITE, per_minute: 30 }],
    // The rate limiting page advises 1, 2, 4 ... 128 seconds with random jitter.
    retry_min: Duration::from_secs(1),
    retry_max: Duration::from_secs(128),
    polling: None,
    quota: None,
};

const CAPABILITIES: Capabilities = Capabilities {
    access: Some(Access { kind: AccessType::Synchronous, method: AccessMethod::Scan }),
    deletion: Some(Deletion {
        timing: DeletionTiming::Synchronous,
        method: DeletionMethod::Standard,
        verification: Verification::Scan,
        batch: Batch::SINGLE,
    }),
    detects_systems: true,
    identifiers: &[IdentifierType::Email],
};
