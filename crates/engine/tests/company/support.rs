//! A company with one connected system, ReadyCloud unless it says otherwise: real store, real HTTP, a clock that stands
//! still.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use habeas_casework::connections::{ConnectionCase, NewConnection, NewContact};
use habeas_casework::intake::{Delivery, GivenIdentifier, NewRequest};
use habeas_casework::queries::{RecordCase, RequestCase, RequestFilter, RunCase};
use habeas_casework::work::Claimed;
use habeas_casework::{CapabilityChoices, Casework, CaseworkError, CaseworkSettings, ConnectorSource as _};
use habeas_domain::{Actor, IdentifierType, Outcome, Phase, RequestId, RequestState, Right};
use habeas_engine::{Engine, EngineOptions, IntegrationOptions, Vendors};
use habeas_environment::Environment;
use habeas_integrations::{Catalogue, Connector, Settings};
use habeas_sandbox::faults::{Fault, Rule};
use habeas_sandbox::readycloud::{ContactSpec, TokenSpec, fixtures};
use habeas_sandbox::segment_config::PublicKnobsPatch;
use habeas_sandbox::webhook;
use habeas_sandbox::{Sandbox, SandboxOptions};
use habeas_store::storage::Storage;
use habeas_testing::TestDatabase;

pub(crate) use mailbox::Mailbox;
pub(crate) use room::Room;
pub(crate) use setup::{PAGE_BY_PAGE, Setup, System};
pub(crate) use time::{Pace, Time};

mod mailbox;
mod room;
mod setup;
mod time;
mod work;

/// How long the engine of these tests leases work.
pub(crate) const LEASE: Duration = Duration::from_secs(60);
/// The same, as casework wants it.
pub(crate) const LEASE_MS: i64 = 60_000;
/// A token that sees everything.
pub(crate) const TOKEN: &str = "rc-demo-token";
/// A token that sees only the organisation `H6j`.
pub(crate) const MAIN_TOKEN: &str = "rc-main-token";
/// A token of another account that sees only the organisation `2Bx`.
pub(crate) const OUTLET_TOKEN: &str = "rc-outlet-token";

pub(crate) const CONTACTS: &str = "GET /api/v2/orgs/{org}/contacts/";
pub(crate) const CONTACT: &str = "GET /api/v2/orgs/{org}/contacts/{contact}/";
pub(crate) const DELETE: &str = "DELETE /api/v2/orgs/{org}/contacts/{contact}/";

/// One person with two contacts, one of them with the address in its second place and in upper case.
pub(crate) const ANA: &str = "ana.silva@example.test";

/// Where people reach the company's server.
pub(crate) const PUBLIC_URL: &str = "https://privacy.example.test";
/// The company's privacy team.
pub(crate) const TEAM: &str = "team@company.example.test";

/// What outlives a process: files, and mails that have left.
#[derive(Clone, Debug)]
pub(crate) struct Outside {
    pub(crate) storage: Storage,
    pub(crate) mailbox: Mailbox,
}

impl Default for Outside {
    fn default() -> Self {
        Self { storage: Storage::in_memory(), mailbox: Mailbox::default() }
    }
}

/// What one process of the product holds.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) casework: Casework,
    pub(crate) engine: Engine,
    pub(crate) vendors: Arc<Vendors>,
}

pub(crate) struct Company {
    pub(crate) time: Time,
    pub(crate) environment: Environment,
    pub(crate) sandbox: Sandbox,
    pub(crate) connection: ConnectionCase,
    pub(crate) database: TestDatabase,
    pub(crate) outside: Outside,
    setup: Setup,
    process: Process,
}

impl Deref for Company {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Company {
    pub(crate) async fn new(database: TestDatabase) -> Self {
        Self::with(database, Setup::default()).await
    }

    /// A company whose files lie beside its database.
    pub(crate) async fn with_files(database: TestDatabase, setup: Setup) -> Self {
        let directory = database.directory().expect("files").join("packages");
        let storage = Storage::open(&directory).unwrap();
        Self::with_outside(database, setup, Outside { storage, mailbox: Mailbox::default() }).await
    }

    pub(crate) async fn with(database: TestDatabase, setup: Setup) -> Self {
        Self::with_outside(database, setup, Outside::default()).await
    }

    /// A company whose large contents lie in a place that may be full.
    pub(crate) async fn with_room(database: TestDatabase, setup: Setup, room: &Room) -> Self {
        let outside = Outside { storage: room.storage(), mailbox: Mailbox::default() };
        Self::with_outside(database, setup, outside).await
    }

    /// A company whose large contents lie in a storage.
    pub(crate) async fn with_storage(database: TestDatabase, setup: Setup, storage: Storage) -> Self {
        Self::with_outside(database, setup, Outside { storage, mailbox: Mailbox::default() }).await
    }

    async fn with_outside(database: TestDatabase, setup: Setup, outside: Outside) -> Self {
        let options = SandboxOptions { people: setup.people, seed: 7, ..SandboxOptions::default() };
        let sandbox = Sandbox::start(options).await.unwrap();
        sandbox.readycloud().set_limits(setup.limit, setup.limit);
        sandbox.qualtrics().lift_limits();
        sandbox.segment_config().set_limit(setup.limit);
        let timestamps_checked = Some(setup.pace == Pace::SharedWithDates);
        sandbox.webhook().turn(webhook::KnobsPatch { timestamps_checked, ..webhook::KnobsPatch::default() });
        sandbox.segment_public().turn(PublicKnobsPatch {
            calls_per_minute: Some(setup.limit),
            regulation_creates_per_minute: Some(None),
            ..PublicKnobsPatch::default()
        });
        let (time, environment) = Time::of(setup.pace, &sandbox);
        for (token, client, organisation) in [
            (MAIN_TOKEN, fixtures::CLIENT_ID, fixtures::MAIN_ORG),
            (OUTLET_TOKEN, fixtures::OTHER_CLIENT_ID, fixtures::SECOND_ORG),
        ] {
            let spec = TokenSpec {
                client: client.to_owned(),
                orgs: Some(vec![organisation.to_owned()]),
                ..TokenSpec::new(token, &["contact", "company-read_only"])
            };
            sandbox.readycloud().add_token(spec).unwrap();
        }
        let process = open(&database, &environment, &sandbox, &outside, setup).await;
        let first = match setup.system {
            System::ReadyCloud => at_readycloud("shop", setup.token),
            other => NewConnection { deletion_completion: setup.completion, ..connection_to(other, "shop") },
        };
        let connection = process.casework.add_connection(&operator(), first).await.unwrap();
        sandbox.calls().reset();
        Self { time, environment, sandbox, connection, database, outside, setup, process }
    }

    /// Another process on the same database, as after a crash or on another machine.
    pub(crate) async fn another_process(&self) -> Process {
        open(&self.database, &self.environment, &self.sandbox, &self.outside, self.setup).await
    }

    /// Another connection of the company, with a token of its own.
    pub(crate) async fn connect(&self, name: &str, token: &str) -> Result<ConnectionCase, CaseworkError> {
        self.casework.add_connection(&operator(), at_readycloud(name, token)).await
    }

    /// Another connection of the company, to another system.
    pub(crate) async fn connect_to(&self, system: System, name: &str) -> ConnectionCase {
        self.casework.add_connection(&operator(), connection_to(system, name)).await.unwrap()
    }

    /// Two connections to two accounts, of which each sees one organisation.
    pub(crate) async fn of_two_accounts(database: TestDatabase) -> (Self, ConnectionCase) {
        let company = Self::with(database, Setup { token: MAIN_TOKEN, ..Setup::default() }).await;
        let outlet = company.connect("outlet", OUTLET_TOKEN).await.unwrap();
        company.sandbox.calls().reset();
        (company, outlet)
    }

    /// Has the vendor know this address in one more contact; the contact's key.
    pub(crate) fn add_contact(&self, email: &str) -> String {
        self.add_contact_in(fixtures::MAIN_ORG, email)
    }

    pub(crate) fn add_contact_in(&self, organisation: &str, email: &str) -> String {
        let spec = ContactSpec {
            org: Some(organisation.to_owned()),
            first_name: "Test".to_owned(),
            last_name: "Person".to_owned(),
            email: Some(email.to_owned()),
            ..ContactSpec::default()
        };
        self.sandbox.readycloud().add_contact(spec).unwrap()
    }

    /// As many people as asked for, each in one contact; their addresses.
    pub(crate) fn add_people(&self, group: &str, people: usize) -> Vec<String> {
        let emails: Vec<_> = (0..people).map(|number| format!("{group}.{number}@example.test")).collect();
        for email in &emails {
            self.add_contact(email);
        }
        emails
    }

    pub(crate) fn fault(&self, rule: Rule) {
        self.sandbox.faults().add(rule).unwrap();
    }

    pub(crate) async fn ask(&self, right: Right, email: &str) -> RequestId {
        self.try_ask(right, email, false).await.unwrap()
    }

    pub(crate) async fn ask_with_review(&self, right: Right, email: &str) -> RequestId {
        self.try_ask(right, email, true).await.unwrap()
    }

    pub(crate) async fn try_ask(
        &self,
        right: Right,
        email: &str,
        review: bool,
    ) -> Result<RequestId, CaseworkError> {
        self.casework.create_request(&operator(), asking(right, email, review), None).await
    }

    /// Asks for many people in one call.
    pub(crate) async fn ask_for_all(&self, right: Right, emails: &[String]) -> Vec<RequestId> {
        let asked = emails.iter().map(|email| asking(right, email, false)).collect();
        let created = self.casework.create_requests(&operator(), asked, None).await.unwrap();
        created.into_iter().map(Result::unwrap).collect()
    }

    /// Every request there is.
    pub(crate) async fn all_requests(&self) -> Vec<RequestCase> {
        let mut all = Vec::new();
        let mut filter = RequestFilter::default();
        loop {
            let page = self.casework.requests(&operator(), filter.clone(), 200).await.unwrap();
            all.extend(page.items);
            filter.after = page.next;
            if filter.after.is_none() {
                return all;
            }
        }
    }

    pub(crate) async fn request(&self, id: RequestId) -> RequestCase {
        self.casework.request(&operator(), id).await.unwrap()
    }

    pub(crate) async fn state(&self, id: RequestId) -> RequestState {
        self.request(id).await.request.state
    }

    pub(crate) async fn outcome(&self, id: RequestId) -> Option<Outcome> {
        self.request(id).await.request.outcome
    }

    pub(crate) async fn runs(&self, id: RequestId) -> Vec<RunCase> {
        self.casework.runs(&operator(), id).await.unwrap()
    }

    /// The run of the phase that is under way, where there is only one connection.
    pub(crate) async fn last_run(&self, id: RequestId) -> RunCase {
        let mut runs = self.runs(id).await;
        let erasing = runs.iter().position(|one| one.run.phase == Phase::Erase);
        runs.swap_remove(erasing.unwrap_or(0))
    }

    /// The run of a phase at a connection.
    pub(crate) async fn run_at(&self, id: RequestId, connection: &str, phase: Phase) -> RunCase {
        let runs = self.runs(id).await;
        let wanted = |run: &RunCase| run.connection_name == connection && run.run.phase == phase;
        runs.into_iter().find(wanted).unwrap()
    }

    /// The line that people read below the last run.
    pub(crate) async fn sentence(&self, id: RequestId) -> String {
        self.last_run(id).await.run.detail.sentence()
    }

    pub(crate) async fn records(&self, id: RequestId) -> Vec<RecordCase> {
        self.casework.records(&operator(), id, None, 200).await.unwrap().items
    }

    /// The package as a caller of the API fetches it, to its end: each file by its path.
    pub(crate) async fn package(&self, id: RequestId) -> BTreeMap<String, Vec<u8>> {
        let reading = self.casework.package(&operator(), id, 0).await.unwrap();
        let pieces: Vec<_> = reading.stream().map(Result::unwrap).collect().await;
        habeas_testing::unpack(&pieces.concat())
    }

    /// The records that a package holds of a system.
    pub(crate) async fn delivered(&self, id: RequestId, system: &str) -> Vec<serde_json::Value> {
        let package = self.package(id).await;
        serde_json::from_slice(&package[&format!("{system}/records.json")]).unwrap()
    }

    /// Requests of whoever has this address.
    pub(crate) async fn found_by(&self, email: &str) -> Vec<RequestId> {
        let identifier = Some((IdentifierType::Email, email.to_owned()));
        let filter = RequestFilter { identifier, ..RequestFilter::default() };
        let found = self.casework.requests(&operator(), filter, 200).await.unwrap().items;
        found.into_iter().map(|one| one.request.id).collect()
    }

    /// Kinds of the events in a request's history.
    pub(crate) async fn history(&self, id: RequestId) -> Vec<String> {
        let events = self.casework.events(&operator(), id, 0, 200).await.unwrap().items;
        events.into_iter().map(|event| event.kind).collect()
    }

    pub(crate) fn calls(&self, route: &str) -> u64 {
        self.sandbox.calls().count("readycloud", route)
    }

    pub(crate) fn all_calls(&self) -> u64 {
        self.sandbox.calls().summary().total
    }

    /// Deletions of a contact: how many arrived, and how many took effect.
    pub(crate) fn deletions_of(&self, contact: &str) -> (u64, u64) {
        let counts = self.sandbox.calls().deletions_of("readycloud", contact);
        (counts.arrived, counts.effects)
    }

    /// Every row of the database.
    pub(crate) async fn dump(&self) -> Vec<String> {
        self.database.raw().await.dump().await
    }

    /// What units counted is what there is.
    async fn counts_are_true(&self) {
        let mut raw = self.database.raw().await;
        for (thing, column, counted) in [
            ("requests", "state", "true"),
            ("runs", "status", "status IN ('not_started', 'processing', 'attention')"),
        ] {
            let there = format!(
                "SELECT {column} || ' ' || count(*) FROM {thing} WHERE {counted} GROUP BY {column} ORDER BY 1"
            );
            let kept = format!(
                "SELECT word || ' ' || amount FROM counts WHERE thing = '{thing}' AND amount <> 0 ORDER BY 1"
            );
            assert_eq!(raw.texts(kept).await, raw.texts(there).await, "{thing}");
        }
    }

    /// Claims what is due, as a worker does; whoever drops it is a worker that died.
    pub(crate) async fn claim(&self) -> Claimed {
        let lane = self.connection.stored.id.to_string();
        self.casework.claim(&lane, LEASE_MS, 100).await.unwrap()
    }

    /// What a worker calls the vendor with.
    pub(crate) async fn connector(&self) -> Box<dyn Connector> {
        let access = self.casework.connection_access(self.connection.stored.id).await.unwrap();
        self.vendors.connect(&access.integration, &access.settings, &access.account).unwrap()
    }

    pub(crate) async fn audit_is_whole(&self) -> bool {
        self.counts_are_true().await;
        self.casework.verify_audit(&operator(), None).await.unwrap().valid
    }
}

async fn open(
    database: &TestDatabase,
    environment: &Environment,
    sandbox: &Sandbox,
    outside: &Outside,
    setup: Setup,
) -> Process {
    let store = database.open(environment).await;
    let catalogue = Arc::new(Catalogue::default());
    let at = |address: &str| IntegrationOptions {
        base_url: Some(address.parse().unwrap()),
        budget: setup.budget,
        ..IntegrationOptions::default()
    };
    let addresses = sandbox.addresses();
    let public_base_url = Some(addresses.segment_public.parse().unwrap());
    let segment = IntegrationOptions { public_base_url, ..at(&addresses.segment_config) };
    let options = BTreeMap::from([
        ("readycloud".to_owned(), at(&addresses.readycloud)),
        ("qualtrics".to_owned(), at(&addresses.qualtrics)),
        ("segment_config".to_owned(), segment),
        ("webhook".to_owned(), at(&format!("{}/habeas", addresses.webhook))),
    ]);
    let vendors = Vendors::new(store.clone(), Arc::clone(&catalogue), &options, LEASE).unwrap();
    let settings = CaseworkSettings {
        require_verification: setup.verification,
        public_url: PUBLIC_URL.to_owned(),
        team: Some(TEAM.to_owned()),
        ..CaseworkSettings::default()
    };
    let casework = Casework::new(store, outside.storage.clone(), catalogue, vendors.clone(), settings);
    let options = EngineOptions { lease: LEASE, ..EngineOptions::default() };
    let engine =
        Engine::new(casework.clone(), Arc::clone(&vendors), Arc::new(outside.mailbox.clone()), options);
    Process { casework, engine, vendors }
}

pub(crate) fn connection_to(system: System, name: &str) -> NewConnection {
    NewConnection {
        integration: system.integration().to_owned(),
        name: name.to_owned(),
        settings: system.settings(),
        deletion_completion: None,
        capabilities: CapabilityChoices::new(),
        contact: NewContact::default(),
    }
}

fn at_readycloud(name: &str, token: &str) -> NewConnection {
    let settings = Settings::from_iter([("access_token", token)]);
    NewConnection { settings, ..connection_to(System::ReadyCloud, name) }
}

pub(crate) fn operator() -> Actor {
    Actor::local_operator()
}

pub(crate) fn asking(right: Right, email: &str, review: bool) -> NewRequest {
    NewRequest {
        right,
        policy: Some("eu-gdpr".to_owned()),
        identifiers: vec![GivenIdentifier {
            field: "subject.email".to_owned(),
            kind: IdentifierType::Email,
            value: email.to_owned(),
            verified: None,
        }],
        review: Some(review),
        delivery: (right == Right::Access).then_some(Delivery::Api),
        received_at: None,
        force: false,
    }
}

/// A rule that strikes at lists of contacts.
pub(crate) fn at_lists(fault: Fault) -> Rule {
    Rule::new("readycloud", fault).method("GET").path_contains("/contacts/?")
}

/// A rule that strikes at deletions.
pub(crate) fn at_deletions(fault: Fault) -> Rule {
    Rule::new("readycloud", fault).method("DELETE")
}

/// A failure of the vendor's own.
pub(crate) fn status(code: u16) -> Fault {
    Fault::Status { code, body: None, retry_after: None }
}
