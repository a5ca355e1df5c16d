//! The sandbox's vendors, each with planted credentials, and what their answers are made of.

use std::collections::BTreeMap;
use std::time::Duration;

use habeas_domain::IdentifierType;
use habeas_integrations::client::recording::{Recording, Structure};
use habeas_sandbox::qualtrics::ClientSpec;
use habeas_sandbox::segment_config::{Access, RegulationPlan};
use habeas_sandbox::{Sandbox, SandboxOptions, qualtrics, readycloud, segment_config};
use jiff::Timestamp;

/// The token of ReadyCloud and Segment.
const TOKEN: &str = "pl4nted-t0ken-4711";
/// The OAuth client of Qualtrics.
const CLIENT: &str = "pl4nted-cl1ent-4711";
/// Its secret.
const CLIENT_SECRET: &str = "pl4nted-s3cret-4711";
/// What must not be in any recording.
pub(crate) const PLANTED: [&str; 3] = [TOKEN, CLIENT, CLIENT_SECRET];

/// By default the sandbox is done with everything after two of these.
const WAIT: Duration = Duration::from_secs(160);

/// One vendor of a sandbox of its own.
pub(crate) struct Vendor {
    sandbox: Sandbox,
    integration: String,
}

impl Vendor {
    pub(crate) async fn start(integration: &str) -> Self {
        let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
        let scopes = ["contact", "company-read_only", "order-read_only"];
        sandbox.readycloud().add_token(readycloud::TokenSpec::new(TOKEN, &scopes)).unwrap();
        sandbox.qualtrics().add_client(ClientSpec::new(CLIENT, CLIENT_SECRET)).unwrap();
        let owner = segment_config::TokenSpec::new(TOKEN, Access::Owner);
        sandbox.segment_config().add_token(owner).unwrap();
        // Short pages, so that lists have several.
        let knobs = readycloud::KnobsPatch { page_cap: Some(2), ..readycloud::KnobsPatch::default() };
        sandbox.readycloud().turn(knobs);
        let knobs = qualtrics::KnobsPatch { offset_page_size: Some(2), ..qualtrics::KnobsPatch::default() };
        sandbox.qualtrics().turn(knobs).unwrap();
        Self { sandbox, integration: integration.to_owned() }
    }

    /// Has things be at the vendor as the recording is about.
    pub(crate) fn plan(&self, about: &str) {
        match about {
            // Credentials that may look and not touch.
            "missing" => {
                let scopes = ["contact-read_only", "company-read_only"];
                self.sandbox.readycloud().add_token(readycloud::TokenSpec::new(TOKEN, &scopes)).unwrap();
                let reading = ["read:directories", "read:directory_contacts", "read:users"];
                let scopes = reading.map(str::to_owned).to_vec();
                let client = ClientSpec { scopes, ..ClientSpec::new(CLIENT, CLIENT_SECRET) };
                self.sandbox.qualtrics().add_client(client).unwrap();
                let reader = segment_config::TokenSpec::new(TOKEN, Access::Read);
                self.sandbox.segment_config().add_token(reader).unwrap();
            }
            // One destination that failed and tells of whom, and one that cannot.
            "exceptions" => self.end(
                RegulationPlan::default().outcome("braze", "failed", "no profile of Ana Silva").outcome(
                    "amplitude",
                    "not_supported",
                    "",
                ),
            ),
            "failing" => {
                let failure = Some(Some("cannot erase Ana Silva".to_owned()));
                let knobs = qualtrics::KnobsPatch { erasure_failure: failure, ..Default::default() };
                self.sandbox.qualtrics().turn(knobs).unwrap();
                self.end(RegulationPlan::default().outcome("segment", "failed", "cannot delete Ana Silva"));
            }
            _ => {}
        }
    }

    fn end(&self, plan: RegulationPlan) {
        self.sandbox.segment_config().plan_next(plan).unwrap();
    }

    /// Where it listens.
    pub(crate) fn base(&self) -> String {
        let addresses = self.sandbox.addresses();
        let base = match self.integration.as_str() {
            "readycloud" => &addresses.readycloud,
            "qualtrics" => &addresses.qualtrics,
            _ => &addresses.segment_config,
        };
        base.clone()
    }

    /// Lets time pass there.
    pub(crate) fn wait(&self) {
        self.sandbox.clock().advance(WAIT);
    }

    /// A recording of a piece of work that is still to be done.
    pub(crate) fn asked_for(&self, about: &str) -> Recording {
        let settings: &[(&str, &str)] = match self.integration.as_str() {
            "readycloud" => &[("access_token", TOKEN)],
            "qualtrics" => {
                &[("datacenter_id", "fra1"), ("client_id", CLIENT), ("client_secret", CLIENT_SECRET)]
            }
            _ => &[("api_token", TOKEN), ("workspace_name", segment_config::fixtures::WORKSPACE)],
        };
        let settings: BTreeMap<String, String> =
            settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let person = |email: &str, user_id: &str| {
            let identifiers = [(IdentifierType::Email, email), (IdentifierType::UserId, user_id)];
            identifiers.map(|(kind, value)| (kind, value.to_owned())).to_vec()
        };
        use segment_config::fixtures::{ANA, ANA_EMAIL, JO, JO_EMAIL};
        Recording {
            integration: self.integration.clone(),
            about: about.to_owned(),
            now: Timestamp::from_millisecond(i64::try_from(self.sandbox.clock().now_ms()).unwrap()).unwrap(),
            settings,
            subjects: vec![person(ANA_EMAIL, ANA), person(JO_EMAIL, JO)],
            turns: Vec::new(),
            results: Vec::new(),
        }
    }

    /// What the vendor's answers are made of, so far as its connector goes by it.
    pub(crate) fn structure(&self) -> Structure {
        match self.integration.as_str() {
            "readycloud" => Structure { words: &[], keys: &["url", "next", "orders", "notes"] },
            "qualtrics" => Structure {
                words: &[
                    "Bearer",
                    "client_credentials",
                    "manage:customer_data_requests",
                    "manage:erasure_requests",
                    "read:directories",
                    "read:directory_contacts",
                    "read:users",
                    "UT_BRANDADMIN",
                    "fra1",
                    "inProgress",
                    "InProgress",
                    "complete",
                    "Completed",
                    "Failed",
                    "email",
                    "eq",
                    "false",
                    "invalid_scope",
                    "true",
                ],
                keys: &[
                    "contactId",
                    "customerDataRequestId",
                    "directoryId",
                    "distributionId",
                    "errorCode",
                    "fileId",
                    "id",
                    "nextPage",
                    "requestId",
                    "requestid",
                    "responseId",
                    "surveyId",
                ],
            },
            _ => Structure {
                words: &[
                    "Segment",
                    "Suppress_With_Delete",
                    "failed",
                    "finished",
                    "initialized",
                    "insufficient",
                    "not_supported",
                    "partial_success",
                    "running",
                    "scope",
                    "userId",
                ],
                keys: &["id", "regulate_id", "workspace_id"],
            },
        }
    }
}
