//! The connector against the sandbox: another hand's reading of the same reference.

mod checking;
mod erasing;
mod exporting;
mod reconciling;

use std::collections::BTreeMap;
use std::time::Duration;

use habeas_environment::{Environment, TestClock};
use habeas_sandbox::faults::{Fault, Rule};
use habeas_sandbox::qualtrics::KnobsPatch;
use habeas_sandbox::qualtrics::fixtures::{
    ANA_EMAIL, CLIENT_ID, CLIENT_SECRET, DATACENTER, DIRECTORY, JO_EMAIL, KIM_EMAIL, NOBODY_EMAIL,
    OWNER_EMAIL, SECOND_DIRECTORY, SHARED_EMAIL,
};
use habeas_sandbox::{Sandbox, SandboxOptions};
use jiff::Timestamp;
use rstest::rstest;
use serde_json::json;

use super::subject;
use crate::client::ClientOptions;
use crate::connector::{Connector, Integration, Job, Settings, Subject};
use crate::error::{ErrorKind, Retry, VendorError};
use crate::qualtrics::Qualtrics;
use crate::testing::{client_with, options};

const VENDOR: &str = "qualtrics";
const MINT: &str = "POST /oauth2/token";
const WHOAMI: &str = "GET /API/v3/whoami";
const USERS: &str = "GET /API/v3/users";
const DIRECTORIES: &str = "GET /API/v3/directories";
const SEARCH: &str = "POST /API/v3/directories/{directory}/contacts/search";
const HISTORY: &str = "GET /API/v3/directories/{directory}/contacts/{contact}/history";
const ERASE: &str = "POST /API/v3/op-erase-personal-data";
const ERASURES: &str = "GET /API/v3/op-erase-personal-data";
const DATA_JOB: &str = "POST /API/v3/customer-data-requests";
const DATA_PROGRESS: &str = "GET /API/v3/customer-data-requests/{request}";
const DATA_FILE: &str = "GET /API/v3/customer-data-requests/{request}/files/{file}";

/// A brand of the sandbox, and an integration with tokens of its own.
struct Brand {
    sandbox: Sandbox,
    clock: TestClock,
    integration: Qualtrics,
}

impl Brand {
    async fn new() -> Self {
        Self::with(KnobsPatch::default()).await
    }

    /// Without limits unless the knobs say otherwise: real ones are for tests about them.
    async fn with(patch: KnobsPatch) -> Self {
        Self::of(0, patch).await
    }

    async fn of(people: usize, patch: KnobsPatch) -> Self {
        let sandbox = Sandbox::start(SandboxOptions { people, ..SandboxOptions::default() }).await.unwrap();
        sandbox.qualtrics().lift_limits();
        sandbox.qualtrics().turn(patch).unwrap();
        let clock = TestClock::at(&time_of(&sandbox).to_string());
        Self { sandbox, clock, integration: Qualtrics::default() }
    }

    fn vendor(&self) -> &habeas_sandbox::Qualtrics {
        self.sandbox.qualtrics()
    }

    fn turn(&self, patch: KnobsPatch) {
        self.vendor().turn(patch).unwrap();
    }

    fn connector(&self) -> Box<dyn Connector> {
        self.connector_of(CLIENT_ID, CLIENT_SECRET)
    }

    fn connector_of(&self, client_id: &str, client_secret: &str) -> Box<dyn Connector> {
        let settings = Settings::from_iter([
            ("datacenter_id", DATACENTER),
            ("client_id", client_id),
            ("client_secret", client_secret),
        ]);
        let settings = self.integration.normalise(settings, self.now()).unwrap();
        let base = self.sandbox.addresses().qualtrics.parse().unwrap();
        let environment = Environment::for_test(&self.clock, 1);
        let options = ClientOptions { environment, max_body_bytes: 1 << 20, ..options(&base) };
        self.integration.connect(&settings, client_with(options)).unwrap()
    }

    /// The vendor's time, with which the connector's clock begins.
    fn now(&self) -> Timestamp {
        time_of(&self.sandbox)
    }

    /// Lets time pass at the vendor.
    fn wait(&self, seconds: u64) {
        self.sandbox.clock().advance(Duration::from_secs(seconds));
    }

    fn fault(&self, rule: Rule) {
        self.sandbox.faults().add(rule).unwrap();
    }

    /// Calls by route since the last time this was asked.
    fn calls(&self) -> BTreeMap<String, u64> {
        let summary = self.sandbox.calls().summary();
        self.sandbox.calls().reset();
        let routes = summary.vendors.get(VENDOR).map(|vendor| vendor.routes.clone()).unwrap_or_default();
        routes.into_iter().map(|(route, counts)| (route, counts.arrived)).collect()
    }
}

fn time_of(sandbox: &Sandbox) -> Timestamp {
    Timestamp::from_millisecond(i64::try_from(sandbox.clock().now_ms()).unwrap()).unwrap()
}

fn counted(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected.iter().map(|(route, count)| ((*route).to_owned(), *count)).collect()
}

fn rule(fault: Fault) -> Rule {
    Rule::new(VENDOR, fault)
}

fn status(code: u16) -> Fault {
    Fault::Status { code, body: None, retry_after: None }
}

fn foreign_next() -> Fault {
    Fault::ForeignNext { base: "http://127.0.0.1:9".to_owned() }
}
