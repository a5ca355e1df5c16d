//! The vendor's catalogue: what can be connected at all. A small part of the real one.

/// An entry for sources.
#[derive(Debug)]
pub(super) struct SourceEntry {
    pub(super) slug: &'static str,
    pub(super) display_name: &'static str,
    pub(super) categories: &'static [&'static str],
    /// A system of another company, with objects instead of people's events.
    pub(super) is_cloud: bool,
}

/// An entry for destinations.
#[derive(Debug)]
pub(super) struct DestinationEntry {
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
}

const fn source(
    slug: &'static str,
    display_name: &'static str,
    categories: &'static [&'static str],
    is_cloud: bool,
) -> SourceEntry {
    SourceEntry { slug, display_name, categories, is_cloud }
}

pub(super) const SOURCES: &[SourceEntry] = &[
    source(".net", ".NET", &["Server"], false),
    source("active-campaign", "ActiveCampaign", &["Email Marketing"], true),
    source("android", "Android", &["Mobile"], false),
    source("hubspot", "HubSpot", &["CRM"], true),
    source("ios", "iOS", &["Mobile"], false),
    source("javascript", "Javascript", &["Website"], false),
    source("node.js", "Node.js", &["Server"], false),
    source("roku", "Roku", &["Ott"], false),
    source("salesforce", "Salesforce", &["CRM"], true),
    source("snowflake", "Snowflake", &["Warehouse"], true),
    source("stripe", "Stripe", &["Payments"], true),
    source("youbora", "Youbora", &["Video"], true),
    source("zendesk", "Zendesk", &["Helpdesk"], true),
];

const KEY: SettingEntry =
    SettingEntry { name: "apiKey", display_name: "API Key", kind: "STRING", required: true };
const SECRET: SettingEntry =
    SettingEntry { name: "secretKey", display_name: "Secret Key", kind: "PASSWORD", required: false };
const TRACKING_ID: SettingEntry =
    SettingEntry { name: "trackingId", display_name: "Tracking ID", kind: "STRING", required: true };
const HOOKS: SettingEntry =
    SettingEntry { name: "hooks", display_name: "Webhooks", kind: "MIXED", required: true };
const SHARED_SECRET: SettingEntry =
    SettingEntry { name: "sharedSecret", display_name: "Shared Secret", kind: "PASSWORD", required: false };

const ALL: &[&str] = &["CLOUD", "WEB", "IOS", "ANDROID"];
const CLOUD: &[&str] = &["CLOUD"];

const fn destination(
    slug: &'static str,
    display_name: &'static str,
    website: &'static str,
    category: &'static str,
    takes_deletions: bool,
) -> DestinationEntry {
    DestinationEntry {
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
        "actions-braze-cloud",
        "Braze Cloud Mode (Actions)",
        "https://www.braze.com/",
        "Marketing Automation",
        true,
    ),
    destination("adroll", "AdRoll", "https://www.adroll.com/", "Advertising", false),
    DestinationEntry {
        components: CLOUD,
        status: "PUBLIC_BETA",
        ..destination(
            "amazon-kinesis",
            "Amazon Kinesis",
            "https://aws.amazon.com/kinesis/",
            "Raw Data",
            false,
        )
    },
    destination("amplitude", "Amplitude", "https://amplitude.com", "Analytics", true),
    destination("appcues", "Appcues", "https://www.appcues.com", "Personalization", true),
    destination("appsflyer", "AppsFlyer", "https://www.appsflyer.com", "Attribution", false),
    destination("braze", "Braze", "https://www.braze.com/", "Marketing Automation", true),
    destination("customer.io", "Customer.io", "https://customer.io", "Email Marketing", true),
    DestinationEntry {
        settings: &[TRACKING_ID],
        ..destination(
            "google-analytics",
            "Google Analytics",
            "https://marketingplatform.google.com/about/analytics/",
            "Analytics",
            true,
        )
    },
    destination("intercom", "Intercom", "https://www.intercom.com", "Livechat", true),
    destination("iterable", "Iterable", "https://iterable.com", "Marketing Automation", true),
    destination("mixpanel", "Mixpanel", "https://mixpanel.com", "Analytics", false),
    destination("vero", "Vero", "https://www.getvero.com", "Email Marketing", true),
    DestinationEntry {
        components: CLOUD,
        settings: &[HOOKS, SHARED_SECRET],
        ..destination("webhooks", "Webhooks", "https://en.wikipedia.org/wiki/Webhook", "Raw Data", true)
    },
];

pub(super) fn find_source(slug: &str) -> Option<&'static SourceEntry> {
    SOURCES.iter().find(|entry| entry.slug == slug)
}

pub(super) fn find_destination(slug: &str) -> Option<&'static DestinationEntry> {
    DESTINATIONS.iter().find(|entry| entry.slug == slug)
}
