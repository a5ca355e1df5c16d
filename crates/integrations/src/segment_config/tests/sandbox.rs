//! The connector against the sandbox: another hand's reading of the same reference. The sandbox shows one workspace
//! through both of Segment's APIs, so whatever is promised of the one is asked of the other as well.

mod checking;
mod detecting;
mod ending;
mod erasing;
mod limits;
mod others;
mod reconciling;
mod two_apis;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use habeas_sandbox::calls::RouteCounts;
use habeas_sandbox::faults::{Fault, Rule};
use habeas_sandbox::segment_config::fixtures::{
    ANA, ANA_EMAIL, JO, JO_EMAIL, KIM, KIM_EMAIL, MEMBER_TOKEN, OTHER_TOKEN, OTHER_WORKSPACE,
    PUBLIC_MEMBER_TOKEN, PUBLIC_OTHER_TOKEN, PUBLIC_READ_ONLY_TOKEN, PUBLIC_REVOKED_TOKEN, PUBLIC_TOKEN,
    READ_ONLY_TOKEN, REVOKED_TOKEN, TOKEN, WORKSPACE,
};
use habeas_sandbox::segment_config::{
    Access, BadToken, EndOfList, KnobsPatch, LastPage, PartTime, Permission, PublicKnobsPatch, SubjectTypes,
    TokenSpec, UnsetTime,
};
use habeas_sandbox::{Sandbox, SandboxOptions};
use jiff::Timestamp;
use rstest::rstest;

use super::{person, settings, subject};
use crate::client::{ClientOptions, VendorClient};
use crate::connector::{CheckReport, Connector, Integration, Job, PermissionState, Subject};
use crate::error::{ErrorKind, Retry, VendorError};
use crate::segment_config::SegmentConfig;
use crate::testing::{NOW, client_with, options};
use Face::{Config, Public};
use PermissionState::{Granted, Missing, NotYetProven};
use habeas_domain::IdentifierType::UserId;

/// By default a regulation is initialized for one minute and running for four.
const ALL_DONE: Duration = Duration::from_secs(300);
const HOUR: Duration = Duration::from_secs(3600);

/// One of the two APIs through which the workspace is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Face {
    Config,
    Public,
}

/// How an API is called, as the call log names it.
struct Routes {
    home: &'static str,
    list: &'static str,
    look: &'static str,
    create: &'static str,
    /// Taking a regulation back: the proof of the write permission.
    withdraw: &'static str,
}

/// The fixtures' tokens of an API.
struct Tokens {
    owner: &'static str,
    read_only: &'static str,
    member: &'static str,
    other: &'static str,
}

impl Face {
    /// Its name in faults and in the call log.
    const fn vendor(self) -> &'static str {
        match self {
            Config => "segment_config",
            Public => "segment_public",
        }
    }

    /// How the settings name it.
    const fn word(self) -> &'static str {
        match self {
            Config => "config",
            Public => "public",
        }
    }

    const fn other(self) -> Self {
        match self {
            Config => Public,
            Public => Config,
        }
    }

    const fn routes(self) -> Routes {
        match self {
            Config => Routes {
                home: "GET /v1beta/workspaces/{workspace}",
                list: "GET /v1beta/workspaces/{workspace}/regulations",
                look: "GET /v1beta/workspaces/{workspace}/regulations/{regulation}",
                create: "POST /v1beta/workspaces/{workspace}/regulations",
                withdraw: "DELETE /v1beta/workspaces/{workspace}/regulations/{regulation}",
            },
            Public => Routes {
                home: "GET /",
                list: "GET /regulations",
                look: "GET /regulations/{regulation}",
                create: "POST /regulations",
                withdraw: "DELETE /regulations/{regulation}",
            },
        }
    }

    const fn tokens(self) -> Tokens {
        match self {
            Config => {
                Tokens { owner: TOKEN, read_only: READ_ONLY_TOKEN, member: MEMBER_TOKEN, other: OTHER_TOKEN }
            }
            Public => Tokens {
                owner: PUBLIC_TOKEN,
                read_only: PUBLIC_READ_ONLY_TOKEN,
                member: PUBLIC_MEMBER_TOKEN,
                other: PUBLIC_OTHER_TOKEN,
            },
        }
    }

    /// A token of the main workspace for it.
    fn token(self, token: &str, access: Access) -> TokenSpec {
        match self {
            Config => TokenSpec::new(token, access),
            Public => TokenSpec::public(token, access),
        }
    }
}

/// How something is told that there is not.
#[derive(Clone, Copy, Debug)]
enum Unset {
    /// By an empty text, a null, a time that is none.
    Written,
    LeftOut,
}

/// Where the reference leaves open how answers are spelt.
#[derive(Clone, Copy)]
struct Spelling {
    end_of_list: Unset,
    finished_at: Unset,
    /// Whether what may be told besides is told.
    details: bool,
}

impl Default for Spelling {
    fn default() -> Self {
        Self { end_of_list: Unset::Written, finished_at: Unset::Written, details: false }
    }
}

/// A sandbox, looked at through one of its faces.
struct Stage {
    sandbox: Sandbox,
    face: Face,
}

impl Deref for Stage {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Stage {
    async fn at(face: Face) -> Self {
        let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
        sandbox.segment_config().set_limit(None);
        sandbox.segment_public().turn(PublicKnobsPatch {
            regulation_creates_per_minute: Some(None),
            ..PublicKnobsPatch::default()
        });
        Self { sandbox, face }
    }

    async fn with(face: Face, patch: KnobsPatch) -> Self {
        let stage = Self::at(face).await;
        stage.segment_config().turn(patch);
        stage
    }

    /// With one of the ways in which a missing permission is refused.
    async fn refusing(permission: Permission) -> Self {
        let stage = Self::at(Public).await;
        stage.turn(PublicKnobsPatch { missing_permission: Some(permission), ..PublicKnobsPatch::default() });
        stage
    }

    /// Turns knobs of the Public API.
    fn turn(&self, patch: PublicKnobsPatch) {
        self.segment_public().turn(patch);
    }

    /// Has both APIs spell their answers so.
    fn spell(&self, spelling: Spelling) {
        let Spelling { end_of_list, finished_at, details } = spelling;
        let (end, next) = match end_of_list {
            Unset::Written => (EndOfList::Empty, LastPage::Null),
            Unset::LeftOut => (EndOfList::Absent, LastPage::Absent),
        };
        let (time, part_time) = match finished_at {
            Unset::Written => (UnsetTime::Zero, PartTime::Zero),
            Unset::LeftOut => (UnsetTime::Absent, PartTime::Empty),
        };
        self.segment_config().turn(KnobsPatch {
            end_of_list: Some(end),
            unset_finished_at: Some(time),
            regulation_details: Some(details),
            ..KnobsPatch::default()
        });
        let subject_types = if details { SubjectTypes::Right } else { SubjectTypes::AsInSamples };
        self.turn(PublicKnobsPatch {
            last_page: Some(next),
            unset_finished_at: Some(time),
            unset_part_finished_at: Some(part_time),
            total_entries: Some(details),
            bare_errors: Some(!details),
            subject_types: Some(subject_types),
            ..PublicKnobsPatch::default()
        });
    }

    /// The way to both hosts, as the engine makes it.
    fn client(&self) -> VendorClient {
        let addresses = self.addresses();
        let newer_api = Some(addresses.segment_public.parse().unwrap());
        client_with(ClientOptions { newer_api, ..self.options() })
    }

    /// The way to the Config API alone, as it is where the operator set nothing else.
    fn older_client(&self) -> VendorClient {
        client_with(self.options())
    }

    fn options(&self) -> ClientOptions {
        let base = self.addresses().segment_config.parse().unwrap();
        ClientOptions { max_body_bytes: 8 << 20, ..options(&base) }
    }

    /// A connector that was found to speak this face's API.
    fn connector(&self) -> Box<dyn Connector> {
        self.connector_with(self.face.tokens().owner, WORKSPACE)
    }

    fn connector_with(&self, token: &str, workspace: &str) -> Box<dyn Connector> {
        let mut kept = settings(token, workspace);
        kept.set("api", self.face.word());
        SegmentConfig.connect(&kept, self.client()).unwrap()
    }

    /// A rule that strikes at this face.
    fn rule(&self, fault: Fault) -> Rule {
        Rule::new(self.face.vendor(), fault)
    }

    fn fault(&self, rule: Rule) {
        self.faults().add(rule).unwrap();
    }

    /// The vendor's time, which is the machine's and not that of the connector's tests.
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(i64::try_from(self.clock().now_ms()).unwrap()).unwrap()
    }

    /// Calls of this face by route since the last time this was asked.
    fn calls(&self) -> BTreeMap<String, u64> {
        self.calls_of_both().remove(self.face.vendor()).unwrap_or_default()
    }

    /// Calls of both faces by vendor and route since the last time calls were asked for.
    fn calls_of_both(&self) -> BTreeMap<&'static str, BTreeMap<String, u64>> {
        let summary = self.sandbox.calls().summary();
        self.sandbox.calls().reset();
        let called = summary.vendors.into_iter().filter(|(_, calls)| calls.total > 0);
        let arrived = |routes: BTreeMap<String, RouteCounts>| {
            routes.into_iter().map(|(route, counts)| (route, counts.arrived)).collect()
        };
        called.map(|(vendor, calls)| (vendor, arrived(calls.routes))).collect()
    }
}

fn ana() -> Subject {
    person(ANA_EMAIL, ANA)
}

fn jo() -> Subject {
    person(JO_EMAIL, JO)
}

fn kim() -> Subject {
    person(KIM_EMAIL, KIM)
}

fn counted(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected.iter().map(|(route, count)| ((*route).to_owned(), *count)).collect()
}

async fn check(connector: &dyn Connector) -> Result<CheckReport, VendorError> {
    connector.check(NOW.parse().unwrap()).await
}

/// The permissions that were found missing.
fn missing(report: &CheckReport) -> Vec<&str> {
    let missing = report.permissions.iter().filter(|one| one.state == Missing);
    missing.map(|one| one.permission.as_str()).collect()
}

fn refusal(code: u16, body: Option<&str>) -> Fault {
    Fault::Status { code, body: body.map(Into::into), retry_after: None }
}
