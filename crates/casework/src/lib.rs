//! Everything a person, a timer or a worker may do to a request or a connection, one function each: authorise,
//! load, ask the domain, write the change and its event in one unit.
//!
//! Server, CLI and engine change cases only through [`Casework`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use habeas_documents::company::Company;
use habeas_domain::ConnectionId;
use habeas_integrations::{Catalogue, Connector, Settings, VendorError};
use habeas_store::Store;
use habeas_store::storage::Storage;
use jiff::tz::TimeZone;
use tokio::sync::Notify;

pub mod api_keys;
pub mod audit;
pub mod callbacks;
pub mod certificate;
mod changes;
mod clock;
pub mod connections;
pub mod contacts;
pub mod delivery;
pub mod details;
pub mod error;
pub mod figures;
pub mod files;
pub mod forgetting;
pub mod intake;
pub mod lanes;
mod letters;
pub mod links;
pub mod mails;
mod names;
pub mod package;
mod phases;
pub mod plans;
mod profiles;
pub mod queries;
pub mod requests;
pub mod runs;
mod together;
pub mod verification;
pub mod work;
pub mod workers;

pub use details::{RequestDetails, RunFailure};
pub use error::{CaseworkError, FieldError};

/// Where connectors come from. The engine's implementation paces their calls; tests may give doubles.
pub trait ConnectorSource: std::fmt::Debug + Send + Sync {
    /// A connector of `integration` for normalised settings; `account` is the key under which its vendor's limits are
    /// shared.
    ///
    /// # Errors
    /// If the settings cannot be used.
    fn connect(
        &self,
        integration: &str,
        settings: &Settings,
        account: &str,
    ) -> Result<Box<dyn Connector>, VendorError>;

    /// The connection was edited or removed: nothing that is known of it counts any more.
    fn forget(&self, connection: ConnectionId) {
        let _ = connection;
    }
}

/// What the operator decided once for all requests.
#[derive(Clone, Debug)]
pub struct CaseworkSettings {
    /// Whether a person looks before anything is delivered or deleted, unless a request says otherwise.
    pub require_review: bool,
    /// The policy of a request that names none.
    pub default_policy: String,
    /// Where the company is established: whose calendar dates count.
    pub time_zone: TimeZone,
    /// How long people at a system's owner have to answer.
    pub contacts: ContactTimes,
    /// Whether a request whose e-mail address nobody vouched for is confirmed by the person first.
    pub require_verification: bool,
    /// How long links in mails can be used.
    pub links: Duration,
    /// The address under which people reach the server, without a slash at its end.
    pub public_url: String,
    /// What the company says about itself.
    pub company: Company,
    /// The privacy team's address, for notices; without one there are none.
    pub team: Option<String>,
}

/// How long people at a system's owner have to answer, unless their connection says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactTimes {
    /// From being asked to the deadline.
    pub deadline: Duration,
    /// Between two reminders.
    pub reminder: Duration,
}

impl Default for ContactTimes {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(14 * DAY), reminder: Duration::from_secs(5 * DAY) }
    }
}

impl Default for CaseworkSettings {
    fn default() -> Self {
        Self {
            require_review: true,
            default_policy: "eu-gdpr".to_owned(),
            time_zone: TimeZone::UTC,
            contacts: ContactTimes::default(),
            require_verification: false,
            links: Duration::from_secs(7 * DAY),
            public_url: "http://127.0.0.1:7070".to_owned(),
            company: Company::default(),
            team: None,
        }
    }
}

const DAY: u64 = 86_400;

/// The one door to requests and connections.
#[derive(Clone, Debug)]
pub struct Casework {
    store: Store,
    storage: Storage,
    connectors: Arc<dyn ConnectorSource>,
    rules: Arc<Rules>,
    work_arrived: Arc<Notify>,
    changed: Arc<Notify>,
    handing_over: Arc<delivery::HandingOver>,
}

/// What does not change while the process runs.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) settings: CaseworkSettings,
    /// Whether keys were destroyed whose traces may still be on the disk. At the start nobody knows.
    pub(crate) forgotten: AtomicBool,
}

impl Casework {
    /// Casework over a store, and a storage for what is too large for it.
    #[must_use]
    pub fn new(
        store: Store,
        storage: Storage,
        catalogue: Arc<Catalogue>,
        connectors: Arc<dyn ConnectorSource>,
        settings: CaseworkSettings,
    ) -> Self {
        Self {
            store,
            storage,
            connectors,
            rules: Arc::new(Rules { catalogue, settings, forgotten: AtomicBool::new(true) }),
            work_arrived: Arc::default(),
            changed: Arc::default(),
            handing_over: Arc::default(),
        }
    }

    /// The store underneath, for health checks and metrics.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Where large contents lie, for health checks.
    #[must_use]
    pub const fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Proves that database and storage answer, within a few seconds; may be asked often.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub async fn ready(&self) -> Result<(), CaseworkError> {
        self.store.ready().await?;
        self.storage.ready(self.store.environment()).await?;
        Ok(())
    }

    /// What the company says about itself.
    #[must_use]
    pub fn company(&self) -> &Company {
        &self.rules.settings.company
    }

    /// Whose calendar dates count.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.rules.settings.time_zone
    }

    /// The integrations there are.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.rules.catalogue
    }

    /// Whether keys were destroyed since this was last asked: their traces are to be taken off the disk.
    #[must_use]
    pub fn has_forgotten(&self) -> bool {
        self.rules.forgotten.swap(false, Ordering::SeqCst)
    }

    /// The traces are still there.
    pub fn remember_to_forget(&self) {
        self.rules.forgotten.store(true, Ordering::SeqCst);
    }

    /// Resolves when somebody in this process made work due. A hint: polling is the truth.
    pub async fn work_arrived(&self) {
        self.work_arrived.notified().await;
    }

    /// Resolves when somebody in this process changed a request. A hint, like [`Casework::work_arrived`].
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    fn announce_work(&self) {
        self.work_arrived.notify_one();
        self.announce_change();
    }

    fn announce_change(&self) {
        self.changed.notify_waiters();
    }
}

/// Who serves each capability of a connection.
pub type CapabilityChoices =
    BTreeMap<habeas_domain::capability::Capability, habeas_domain::capability::Handling>;
