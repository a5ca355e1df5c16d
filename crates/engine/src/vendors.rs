//! Connectors, paced and bounded: where settings, limits and the operator's overrides meet.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use habeas_casework::connections::ConnectionAccess;
use habeas_casework::{Casework, CaseworkError, ConnectorSource};
use habeas_domain::ConnectionId;
use habeas_integrations::client::{ClientOptions, Transport};
use habeas_integrations::{
    Catalogue, Connector, ErrorKind, Integration, Permits, Retry, Settings, VendorClient, VendorError,
};
use habeas_store::Store;
use url::Url;

use crate::backoff::Backoff;
use crate::lease::HeldLease;
use crate::pace::{AccountPermits, LeasedPermits};

/// Share of a vendor's limit that we use unless the operator says otherwise: the company's own programs need the rest.
const DEFAULT_SHARE: f64 = 0.8;
/// The largest share at a real vendor.
const LARGEST_SHARE: f64 = 0.95;
/// How long a connection's opened settings are kept.
const SETTINGS_KEPT: Duration = Duration::from_secs(30);

/// What the operator set for one integration.
#[derive(Clone, Debug, Default)]
pub struct IntegrationOptions {
    /// Another host than the vendor's: a sandbox.
    pub base_url: Option<Url>,
    /// First wait after a passing failure.
    pub retry_min: Option<Duration>,
    /// Longest wait after a passing failure.
    pub retry_max: Option<Duration>,
    /// Share of the vendor's limit to use; above 1 only with `base_url`.
    pub budget: Option<f64>,
}

/// Why the integrations cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum VendorsError {
    /// The configuration names an integration that does not exist.
    #[error("`integrations.{name}` is not an integration; known are: {known}")]
    UnknownIntegration {
        /// What was named.
        name: String,
        /// What could be.
        known: String,
    },
    /// A share that would break the vendor's limit.
    #[error(
        "`integrations.{name}.budget` must be above 0 and at most 0.95 (a share of the vendor's limit); more is \
         possible only together with `base_url`"
    )]
    Budget {
        /// Of which integration.
        name: String,
    },
    /// No HTTP client can be made, or an override is unusable.
    #[error("`integrations.{name}`: {}", .error.explanation())]
    Client {
        /// Of which integration.
        name: String,
        /// Why.
        error: Box<VendorError>,
    },
}

#[derive(Debug)]
struct Way {
    client: VendorClient,
    share: f64,
    backoff: Backoff,
    timeout: Duration,
}

type Kept = HashMap<ConnectionId, (Duration, Arc<ConnectionAccess>)>;

/// Makes connectors.
#[derive(Debug)]
pub struct Vendors {
    store: Store,
    catalogue: Arc<Catalogue>,
    ways: BTreeMap<&'static str, Way>,
    settings: Mutex<Kept>,
}

impl Vendors {
    /// Prepares the way to every vendor of the catalogue. No call takes longer than half a lease.
    ///
    /// # Errors
    /// If the operator's options cannot be used.
    pub fn new(
        store: Store,
        catalogue: Arc<Catalogue>,
        options: &BTreeMap<String, IntegrationOptions>,
        lease: Duration,
    ) -> Result<Arc<Self>, VendorsError> {
        if let Some(name) = options.keys().find(|name| catalogue.find(name).is_none()) {
            let known: Vec<_> = catalogue.iter().map(|one| one.manifest().name).collect();
            return Err(VendorsError::UnknownIntegration { name: name.clone(), known: known.join(", ") });
        }
        let client_error = |name: &str| {
            let name = name.to_owned();
            move |error| VendorsError::Client { name, error: Box::new(error) }
        };
        let transport = VendorClient::transport().map_err(client_error("*"))?;
        let mut ways = BTreeMap::new();
        for integration in catalogue.iter() {
            let name = integration.manifest().name;
            let chosen = options.get(name).cloned().unwrap_or_default();
            let way = way(integration, &chosen, &store, transport.clone(), lease)?;
            ways.insert(name, way);
        }
        Ok(Arc::new(Self { store, catalogue, ways, settings: Mutex::default() }))
    }

    fn way(&self, integration: &str) -> Result<(&dyn Integration, &Way), VendorError> {
        self.catalogue.find(integration).zip(self.ways.get(integration)).ok_or_else(|| {
            VendorError::new(
                ErrorKind::Configuration,
                Retry::Never,
                "the connection's integration is not part of this program",
                "install the version of the program that made the connection",
            )
        })
    }

    fn permits(&self, integration: &dyn Integration, way: &Way, account: &str) -> AccountPermits {
        AccountPermits::new(self.store.clone(), account, integration.manifest().rate_limits, way.share)
    }

    /// A connector for work under a lease.
    pub(crate) async fn for_work(
        &self,
        casework: &Casework,
        connection: ConnectionId,
        lease: Arc<HeldLease>,
    ) -> Result<(Box<dyn Connector>, Backoff), CaseworkError> {
        let access = self.access(casework, connection).await?;
        let (integration, way) = self.way(&access.integration).map_err(CaseworkError::Vendor)?;
        let permits = LeasedPermits {
            permits: self.permits(integration, way, &access.account),
            lease,
            timeout: way.timeout,
        };
        let client = way.client.with_permits(Arc::new(permits));
        let connector = integration.connect(&access.settings, client).map_err(CaseworkError::Vendor)?;
        Ok((connector, way.backoff))
    }

    async fn access(
        &self,
        casework: &Casework,
        connection: ConnectionId,
    ) -> Result<Arc<ConnectionAccess>, CaseworkError> {
        let now = self.store.environment().clock().monotonic();
        if let Some((at, access)) = self.kept().get(&connection)
            && now.saturating_sub(*at) < SETTINGS_KEPT
        {
            return Ok(Arc::clone(access));
        }
        let access = Arc::new(casework.connection_access(connection).await?);
        self.kept().insert(connection, (now, Arc::clone(&access)));
        Ok(access)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations of one connection this process works on at once: enough to use the vendor's limit, and
    /// always one more than the pass that may be under way.
    pub(crate) fn width(&self, integration: &str) -> usize {
        let Ok((integration, way)) = self.way(integration) else { return 1 };
        let per_minute: u32 = integration.manifest().rate_limits.iter().map(|limit| limit.per_minute).sum();
        if per_minute == 0 {
            return WIDEST;
        }
        // Two seconds' worth of calls.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a small count"
        )]
        let wanted = (f64::from(per_minute) * way.share / 30.0).ceil() as usize;
        wanted.clamp(3, WIDEST)
    }
}

/// Operations of one connection at once where the vendor has no limit.
const WIDEST: usize = 128;

fn way(
    integration: &dyn Integration,
    options: &IntegrationOptions,
    store: &Store,
    transport: Transport,
    lease: Duration,
) -> Result<Way, VendorsError> {
    let manifest = integration.manifest();
    let share = options.budget.unwrap_or(DEFAULT_SHARE);
    let allowed = share > 0.0 && share.is_finite() && (share <= LARGEST_SHARE || options.base_url.is_some());
    if !allowed {
        return Err(VendorsError::Budget { name: manifest.name.to_owned() });
    }
    let failed = |error| VendorsError::Client { name: manifest.name.to_owned(), error: Box::new(error) };
    let base_url = match &options.base_url {
        Some(url) => url.clone(),
        None => Url::parse(manifest.base_url).map_err(|_| {
            failed(VendorError::new(
                ErrorKind::Configuration,
                Retry::Never,
                "the integration's own address cannot be used",
                "this is a fault of the product; please report it",
            ))
        })?,
    };
    let timeout = ClientOptions::TIMEOUT.min(lease / 2);
    let client = ClientOptions {
        overridden: options.base_url.is_some(),
        timeout,
        ..ClientOptions::new(manifest.name, base_url, store.environment().clone())
    };
    let min = options.retry_min.unwrap_or(manifest.retry_min);
    let max = options.retry_max.unwrap_or(manifest.retry_max).max(min);
    Ok(Way {
        client: VendorClient::new(client, transport).map_err(failed)?,
        share,
        backoff: Backoff { min, max },
        timeout,
    })
}

impl ConnectorSource for Vendors {
    fn connect(
        &self,
        integration: &str,
        settings: &Settings,
        account: &str,
    ) -> Result<Box<dyn Connector>, VendorError> {
        let (integration, way) = self.way(integration)?;
        let permits: Arc<dyn Permits> = Arc::new(self.permits(integration, way, account));
        integration.connect(settings, way.client.with_permits(permits))
    }
}
