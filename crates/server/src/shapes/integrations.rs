//! Integrations: the manifest as it is.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What an integration is and can do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Integration)]
pub(crate) struct IntegrationShape {
    /// How it is named in the API, the CLI and the configuration.
    #[schema(example = "readycloud")]
    name: String,
    /// How people read it.
    title: String,
    /// What the system holds.
    summary: String,
    /// The vendor's address in production, with `{setting}` where a setting of the connection stands in the host name;
    /// null where no vendor is called.
    base_url: Option<String>,
    /// The vendor's API and its version; null where no vendor is called.
    api_version: Option<String>,
    /// The vendor's page on which a person allows access to an app of theirs, with `{app_id}` in place of its id.
    authorize_url: Option<String>,
    /// The role at the vendor of whoever makes the credentials.
    vendor_role: Option<String>,
    /// What the account at the vendor must be, where not every account will do.
    account_type: Option<String>,
    /// What it can do: `access`, `deletion`, `detects_systems`, `identifiers`.
    #[schema(value_type = Object)]
    capabilities: Value,
    /// The fields of a connection.
    settings: Vec<SettingShape>,
    /// Permissions at the vendor and what each is used for.
    permissions: Vec<NeededPermissionShape>,
    /// Where to click at the vendor, step by step.
    guide: Vec<String>,
    /// What goes wrong when connecting, and what to do then.
    troubleshooting: Vec<TroubleShape>,
    /// Calls per minute that the vendor allows, by endpoint class.
    #[schema(value_type = Vec<Object>)]
    rate_limits: Vec<Value>,
    /// First wait after a passing failure, in milliseconds.
    retry_min: u64,
    /// Longest wait between two attempts, in milliseconds.
    retry_max: u64,
    /// How the vendor's jobs are followed: `min`, `max` and `deadline` in milliseconds; null where it has none.
    #[schema(value_type = Option<Object>)]
    polling: Option<Value>,
    /// What the vendor counts by the month: `what` and `limit`.
    #[schema(value_type = Option<Object>)]
    quota: Option<Value>,
}

/// A field of a connection.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Setting)]
pub(crate) struct SettingShape {
    /// Name in `settings`.
    key: String,
    /// Label on a form.
    label: String,
    /// What to enter.
    help: String,
    /// Where it is found at the vendor.
    found_at: String,
    /// What it looks like, as a regular expression over the whole text.
    pattern: Option<String>,
    /// Whether it is sealed and never shown again.
    secret: bool,
    /// Whether it may be left out.
    optional: bool,
}

/// Something that goes wrong when connecting.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Trouble)]
pub(crate) struct TroubleShape {
    /// The code of the problem that is shown.
    code: String,
    /// What it means at this vendor.
    meaning: String,
    /// What to do.
    remedy: String,
}

/// A permission at the vendor.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NeededPermission)]
pub(crate) struct NeededPermissionShape {
    /// As the vendor spells it.
    permission: String,
    /// What it would be used for.
    needed_for: String,
    /// The capability that does not work without it; null if nothing works without it.
    capability: Option<String>,
    /// Whether a connection without it is still made, with a warning.
    optional: bool,
}
