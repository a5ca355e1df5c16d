//! How companies differ.

use habeas_domain::capability::DeletionCompletion;
use habeas_integrations::Settings;
use habeas_sandbox::{segment_config, webhook};

use super::{Pace, TOKEN};

/// Which system a company has connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    ReadyCloud,
    Qualtrics,
    /// Segment, with a token of its older API.
    SegmentConfig,
    /// Segment, with a token of its newer API: the same integration speaks another language.
    SegmentPublic,
    /// A system of the company's own.
    Webhook,
    /// Nothing that could be called: a person answers.
    DirectContact,
}

impl System {
    pub(crate) const fn integration(self) -> &'static str {
        match self {
            Self::ReadyCloud => "readycloud",
            Self::Qualtrics => "qualtrics",
            Self::SegmentConfig | Self::SegmentPublic => "segment_config",
            Self::Webhook => "webhook",
            Self::DirectContact => "direct_contact",
        }
    }

    /// Its name in the vendor's faults and in the call log.
    pub(crate) const fn vendor(self) -> &'static str {
        match self {
            Self::SegmentPublic => "segment_public",
            other => other.integration(),
        }
    }

    /// Settings that the vendor accepts.
    pub(crate) fn settings(self) -> Settings {
        match self {
            Self::ReadyCloud => Settings::from_iter([("access_token", TOKEN)]),
            Self::Qualtrics => Settings::from_iter([
                ("datacenter_id", "fra1"),
                ("client_id", "qx-demo-client"),
                ("client_secret", "qx-demo-secret"),
            ]),
            Self::SegmentConfig => {
                Settings::from_iter([("api_token", "sc-demo-token"), ("workspace_name", "acme-shop")])
            }
            Self::Webhook => Settings::from_iter([
                ("endpoint_url", "https://crm.example.test/habeas"),
                ("signing_secret", webhook::fixtures::SECRET),
            ]),
            Self::SegmentPublic => Settings::from_iter([
                ("api_token", segment_config::fixtures::PUBLIC_TOKEN),
                ("workspace_name", "acme-shop"),
            ]),
            Self::DirectContact => Settings::from_iter([("processor_email", "owner@shop.example.test")]),
        }
    }
}

/// How a company is set up where it differs from the usual.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// People that the vendor knows besides its fixtures.
    pub(crate) people: usize,
    /// The vendor's limit of each class per minute.
    pub(crate) limit: Option<u32>,
    /// Share of the limit that the engine uses; `None` = the product's default.
    pub(crate) budget: Option<f64>,
    /// In which time the company lives.
    pub(crate) pace: Pace,
    /// The system of the first connection.
    pub(crate) system: System,
    /// ReadyCloud's token of the first connection.
    pub(crate) token: &'static str,
    /// When the first connection's deletions count as complete; `None` = the product's default.
    pub(crate) completion: Option<DeletionCompletion>,
    /// Whether people confirm requests that nobody vouched for.
    pub(crate) verification: bool,
}

impl Setup {
    /// No limit worth speaking of, and a clock of the company's own that stands still.
    pub(crate) const USUAL: Self = Self {
        people: 0,
        limit: None,
        budget: Some(10_000.0),
        pace: Pace::StandingStill,
        system: System::ReadyCloud,
        token: TOKEN,
        completion: None,
        verification: false,
    };

    /// The usual, with another system.
    pub(crate) const fn at(system: System) -> Self {
        Self { system, ..Self::USUAL }
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::USUAL
    }
}

/// A budget at which every call for reading is due ten seconds after the one before: longer than a worker waits, so
/// an engine makes one call and gives the work back. A test can so look at a pass page by page.
pub(crate) const PAGE_BY_PAGE: f64 = 0.2;
