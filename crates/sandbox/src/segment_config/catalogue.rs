//! The vendor's catalogue: what can be connected at all. A small part of the real one.

/// An entry for sources.
#[derive(Debug)]
pub(super) struct SourceEntry {
    /// Under which the Public API knows it.
    pub(super) id: &'static str,
    pub(super) slug: &'static str,
    pub(super) display_name: &'static str,
    pub(super) categories: &'static [&'static str],
    /// A system of another company, with objects instead of people's events.
    pub(super) is_cloud: bool,
    /// A system of another company that sends events.
    pub(super) is_event_cloud: bool,
}

/// An entry for destinations.
#[derive(Debug)]
pub(super) struct DestinationEntry {
    /// Under which the Public API knows it.
    pub(super) id: &'static str,
    pub(super) slug: &'static str,
    pub(super) display_name: &'static str,
    pub(super) website: &'static str,
    pub(super) category: &'static str,
    pub(super) components: &'static [&'static str],
    pub(super) status: &'static str,
    /// Whether it acts on deletions that are forwarded to it.
    pub(super) takes_deletions: bool,
    pub(super) settings: &'static [SettingEntry],
}

/// Something that can be configured.
#[derive(Debug)]
pub(super) struct SettingEntry {
    pub(super) name: &'static str,
    pub(super) display_name: &'static str,
    pub(super) kind: &'static str,
    pub(super) required: bool,
    /// Whether the vendor knows that its value is a secret. Own choice, entry by entry.
    pub(super) secret: bool,
}

/// An entry for warehouses.
#[derive(Debug)]
pub(super) struct WarehouseEntry {
    /// Under which the Public API knows it.
    pub(super) id: &'static str,
    pub(super) slug: &'static str,
    pub(super) display_name: &'static str,
}

const fn source(
    id: &'static str,
    slug: &'static str,
    display_name: &'static str,
    categories: &'static [&'static str],
    is_cloud: bool,
) -> SourceEntry {
    SourceEntry { id, slug, display_name, categories, is_cloud, is_event_cloud: false }
}

pub(super) const SOURCES: &[SourceEntry] = &[
    source("8HWbgPTt3k", ".net", ".NET", &["Server"], false),
    source("vMJ2qLpXx7", "active-campaign", "ActiveCampaign", &["Email Marketing"], true),
    source("AR24U1zBBM", "android", "Android", &["Mobile"], false),
    SourceEntry {
        is_event_cloud: true,
        ..source("L8TEm5Z8UV", "braze", "Braze", &["Marketing Automation"], false)
    },
    source("yOVmHaFLhq", "hubspot", "HubSpot", &["CRM"], true),
    source("UBrsG9RVzw", "ios", "iOS", &["Mobile"], false),
    source("IqDTy1TpoU", "javascript", "Javascript", &["Website"], false),
    source("aX4tfvJd0s", "node.js", "Node.js", &["Server"], false),
    source("pOlDwMv2eF", "roku", "Roku", &["Ott"], false),
    source("2baks93n", "salesforce", "Salesforce", &["CRM"], true),
    source("3yUQcUAKJd", "snowflake", "Snowflake", &["Warehouse"], true),
    source("Nf1HfKYcRS", "stripe", "Stripe", &["Payments"], true),
    source("TwdXs6Ki5u", "youbora", "Youbora", &["Video"], true),
    source("kZl5w0DIBj", "zendesk", "Zendesk", &["Helpdesk"], true),
];

const fn setting(
    name: &'static str,
    display_name: &'static str,
    kind: &'static str,
    required: bool,
    secret: bool,
) -> SettingEntry {
    SettingEntry { name, display_name, kind, required, secret }
}

const KEY: SettingEntry = setting("apiKey", "API Key", "STRING", true, true);
const SECRET: SettingEntry = setting("secretKey", "Secret Key", "PASSWORD", false, true);
const TRACKING_ID: SettingEntry = setting("trackingId", "Tracking ID", "STRING", true, false);
/// Holds secrets, which nobody would guess from its name.
const HOOKS: SettingEntry = setting("hooks", "Webhooks", "MIXED", true, false);
const SHARED_SECRET: SettingEntry = setting("sharedSecret", "Shared Secret", "PASSWORD", false, true);

/// Own choice: what every warehouse is configured with, besides its name.
pub(super) const WAREHOUSE_SETTINGS: &[SettingEntry] = &[
    setting("hostname", "Host name", "STRING", true, false),
    setting("password", "Password", "PASSWORD", true, true),
];

const ALL: &[&str] = &["CLOUD", "WEB", "IOS", "ANDROID"];
const CLOUD: &[&str] = &["CLOUD"];

const fn destination(
    id: &'static str,
    slug: &'static str,
    display_name: &'static str,
    website: &'static str,
    category: &'static str,
    takes_deletions: bool,
) -> DestinationEntry {
    DestinationEntry {
        id,
        slug,
        display_name,
        website,
        category,
        components: ALL,
        status: "PUBLIC",
        takes_deletions,
        settings: &[KEY, SECRET],
    }
}

pub(super) const DESTINATIONS: &[DestinationEntry] = &[
    destination(
        "60fb01aec459242d3b6f20c1",
        "actions-braze-cloud",
        "Braze Cloud Mode (Actions)",
        "https://www.braze.com/",
        "Marketing Automation",
        true,
    ),
    destination(
        "5c6f52f2037dcf00014f7c29",
        "adroll",
        "AdRoll",
        "https://www.adroll.com/",
        "Advertising",
        false,
    ),
    DestinationEntry {
        components: CLOUD,
        status: "PUBLIC_BETA",
        ..destination(
            "57da359580412f644ff33fb9",
            "amazon-kinesis",
            "Amazon Kinesis",
            "https://aws.amazon.com/kinesis/",
            "Raw Data",
            false,
        )
    },
    destination(
        "54521fd525e721e32a72ee91",
        "amplitude",
        "Amplitude",
        "https://amplitude.com",
        "Analytics",
        true,
    ),
    destination(
        "554926390a20f4e22f0fb38a",
        "appcues",
        "Appcues",
        "https://www.appcues.com",
        "Personalization",
        true,
    ),
    destination(
        "54521fd525e721e32a72ee92",
        "appsflyer",
        "AppsFlyer",
        "https://www.appsflyer.com",
        "Attribution",
        false,
    ),
    destination(
        "54efbf12db31d978f14aa8b5",
        "braze",
        "Braze",
        "https://www.braze.com/",
        "Marketing Automation",
        true,
    ),
    destination(
        "54521fd525e721e32a72eea8",
        "customer.io",
        "Customer.io",
        "https://customer.io",
        "Email Marketing",
        true,
    ),
    DestinationEntry {
        settings: &[TRACKING_ID],
        ..destination(
            "54521fd725e721e32a72eebb",
            "google-analytics",
            "Google Analytics",
            "https://marketingplatform.google.com/about/analytics/",
            "Analytics",
            true,
        )
    },
    destination(
        "54521fd725e721e32a72eec6",
        "intercom",
        "Intercom",
        "https://www.intercom.com",
        "Livechat",
        true,
    ),
    destination(
        "55a5dd24eb4e0f9d3b6f20c2",
        "iterable",
        "Iterable",
        "https://iterable.com",
        "Marketing Automation",
        true,
    ),
    destination(
        "54521fd925e721e32a72eed6",
        "mixpanel",
        "Mixpanel",
        "https://mixpanel.com",
        "Analytics",
        false,
    ),
    destination(
        "54521fdb25e721e32a72ef01",
        "vero",
        "Vero",
        "https://www.getvero.com",
        "Email Marketing",
        true,
    ),
    DestinationEntry {
        components: CLOUD,
        settings: &[HOOKS, SHARED_SECRET],
        ..destination(
            "614a3c7d791c91c41bae7599",
            "webhooks",
            "Webhooks",
            "https://en.wikipedia.org/wiki/Webhook",
            "Raw Data",
            true,
        )
    },
];

const fn warehouse(id: &'static str, slug: &'static str, display_name: &'static str) -> WarehouseEntry {
    WarehouseEntry { id, slug, display_name }
}

pub(super) const WAREHOUSES: &[WarehouseEntry] = &[
    warehouse("WcjBCzUGff", "azuresqldb", "Azure SQL Database"),
    warehouse("FrPzA3dLyb", "azuresqldw", "Azure SQL Data Warehouse"),
    warehouse("FsZ3Hq0uNR", "bigquery", "BigQuery"),
    warehouse("EtB1Jg7FzQ", "db2", "IBM Db2"),
    warehouse("CSE54Nf2zP", "postgres", "Postgres"),
    warehouse("aea3c55dsz", "redshift", "Redshift"),
    warehouse("XmkvRU9kqd", "snowflake", "Snowflake"),
];

pub(super) fn find_source(slug: &str) -> Option<&'static SourceEntry> {
    SOURCES.iter().find(|entry| entry.slug == slug)
}

pub(super) fn find_warehouse(slug: &str) -> Option<&'static WarehouseEntry> {
    WAREHOUSES.iter().find(|entry| entry.slug == slug)
}

pub(super) fn find_destination(slug: &str) -> Option<&'static DestinationEntry> {
    DESTINATIONS.iter().find(|entry| entry.slug == slug)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_among_their_kind() {
        let unique = |ids: Vec<&'static str>| ids.len() == ids.into_iter().collect::<BTreeSet<_>>().len();
        assert!(unique(SOURCES.iter().map(|entry| entry.id).collect()));
        assert!(unique(DESTINATIONS.iter().map(|entry| entry.id).collect()));
        assert!(unique(WAREHOUSES.iter().map(|entry| entry.id).collect()));
        let is_hex = |id: &str| id.len() == 24 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
        assert!(DESTINATIONS.iter().all(|entry| is_hex(entry.id)));
    }
}
