//! Connectors, paced and bounded: where settings, limits and the operator's overrides meet.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use habeas_casework::connections::ConnectionAccess;
use habeas_casework::{Casework, CaseworkError, ConnectorSource};
use habeas_domain::ConnectionId;
use habeas_integrations::client::{ClientOptions, Transport};
use habeas_integrations::{
    Catalogue, Connector, ErrorKind, Integration, Manifest, Permits, Polling, Residual, Retry, Settings,
    Unlimited, VendorClient, VendorError,
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
    /// Another host than that of the vendor's newer API; counts only with `base_url`.
    pub public_base_url: Option<Url>,
    /// Hosts, with or without a port, that may be called although they lie in a private network or do not speak TLS; counts
    /// for integrations whose address is a setting.
    pub private_hosts: Vec<String>,
    /// First wait after a passing failure.
    pub retry_min: Option<Duration>,
    /// Longest wait after a passing failure.
    pub retry_max: Option<Duration>,
    /// Share of the vendor's limit to use; above 1 only with `base_url`.
    pub budget: Option<f64>,
    /// Shortest wait between two looks at a vendor's jobs.
    pub poll_min: Option<Duration>,
    /// Longest wait between two looks at a vendor's jobs.
    pub poll_max: Option<Duration>,
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
    /// The operator's address in place of the vendor's.
    overridden: Option<Url>,
    /// The operator's address in place of that of the vendor's newer API.
    newer_overridden: Option<Url>,
    private_hosts: Vec<String>,
    share: f64,
    backoff: Backoff,
    polling: Option<Polling>,
    timeout: Duration,
}

impl Way {
    /// Whether the operator allowed this host, private or not. Only addresses that people enter can name it.
    fn allows(&self, address: &Url) -> bool {
        let host = address.host_str().unwrap_or_default();
        let port = address.port_or_known_default().unwrap_or_default();
        self.private_hosts.iter().any(|allowed| {
            allowed.eq_ignore_ascii_case(host) || allowed.eq_ignore_ascii_case(&format!("{host}:{port}"))
        })
    }
}

type Kept = HashMap<ConnectionId, (Duration, Arc<ConnectionAccess>)>;

/// A connection's voice at its vendor, for work under a lease.
pub(crate) struct Reached {
    pub(crate) connector: Box<dyn Connector>,
    pub(crate) manifest: &'static Manifest,
    /// What a deletion leaves behind or does besides.
    pub(crate) residuals_of_deletion: Vec<Residual>,
    pub(crate) backoff: Backoff,
    /// How the vendor's jobs are followed, with the operator's times.
    pub(crate) polling: Polling,
}

/// For a vendor that declares none: it has no jobs.
const NO_POLLING: Polling =
    Polling { min: Duration::from_secs(60), max: Duration::from_secs(3600), deadline: Duration::MAX };

/// Makes connectors.
#[derive(Debug)]
pub struct Vendors {
    store: Store,
    catalogue: Arc<Catalogue>,
    transport: Transport,
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
            ways.insert(name, way(integration, &chosen, lease)?);
        }
        let made = Self { store, catalogue, transport, ways, settings: Mutex::default() };
        for (name, way) in &made.ways {
            if let Some(base_url) = &way.overridden {
                let permits: Arc<dyn Permits> = Arc::new(Unlimited);
                let newer_api = way.newer_overridden.clone();
                made.client(name, way, (base_url.clone(), newer_api), permits).map_err(client_error(name))?;
            }
        }
        Ok(Arc::new(made))
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
    ) -> Result<Reached, CaseworkError> {
        let access = self.access(casework, connection).await?;
        let (integration, way) = self.way(&access.integration).map_err(CaseworkError::Vendor)?;
        let permits = LeasedPermits {
            permits: self.permits(integration, way, &access.account),
            lease,
            timeout: way.timeout,
        };
        let connector = self
            .connector(integration, way, &access.settings, Arc::new(permits))
            .map_err(CaseworkError::Vendor)?;
        Ok(Reached {
            connector,
            manifest: integration.manifest(),
            residuals_of_deletion: integration.residuals_of_deletion(),
            backoff: way.backoff,
            polling: way.polling.unwrap_or(NO_POLLING),
        })
    }

    fn connector(
        &self,
        integration: &dyn Integration,
        way: &Way,
        settings: &Settings,
        permits: Arc<dyn Permits>,
    ) -> Result<Box<dyn Connector>, VendorError> {
        let manifest = integration.manifest();
        // An overridden integration never calls the real host, also not that of the newer API.
        let addresses = match &way.overridden {
            Some(overridden) => (overridden.clone(), way.newer_overridden.clone()),
            None => addresses(manifest, settings)?,
        };
        let client = self.client(manifest.name, way, addresses, permits)?;
        integration.connect(settings, client)
    }

    fn client(
        &self,
        integration: &'static str,
        way: &Way,
        (base_url, newer_api): (Url, Option<Url>),
        permits: Arc<dyn Permits>,
    ) -> Result<VendorClient, VendorError> {
        let options = ClientOptions {
            newer_api,
            overridden: way.overridden.is_some() || way.allows(&base_url),
            timeout: way.timeout,
            permits,
            ..ClientOptions::new(integration, base_url, self.store.environment().clone())
        };
        VendorClient::new(options, self.transport.clone())
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

    /// How many operations of one connection this process works on at once, one of `processes` that do: together enough
    /// to use the vendor's limit, and always one more than the pass that may be under way.
    pub(crate) fn width(&self, integration: &str, processes: usize) -> usize {
        let Ok((integration, way)) = self.way(integration) else { return 1 };
        let limits = integration.manifest().rate_limits;
        if limits.is_empty() {
            return WIDEST;
        }
        // On the average of its classes: more would mostly wait for the narrowest.
        let per_minute = limits.iter().map(|limit| limit.per_minute).sum::<u32>() / limits.len() as u32;
        // Two seconds' worth of calls.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a small count"
        )]
        let wanted = (f64::from(per_minute) * way.share / 30.0).ceil() as usize;
        wanted.clamp(3, WIDEST).div_ceil(processes.max(1)).max(2)
    }
}

/// Operations of one connection at once where the vendor has no limit.
const WIDEST: usize = 128;

fn way(
    integration: &dyn Integration,
    options: &IntegrationOptions,
    lease: Duration,
) -> Result<Way, VendorsError> {
    let manifest = integration.manifest();
    let share = options.budget.unwrap_or(DEFAULT_SHARE);
    let allowed = share > 0.0 && share.is_finite() && (share <= LARGEST_SHARE || options.base_url.is_some());
    if !allowed {
        return Err(VendorsError::Budget { name: manifest.name.to_owned() });
    }
    let min = options.retry_min.unwrap_or(manifest.retry_min);
    let max = options.retry_max.unwrap_or(manifest.retry_max).max(min);
    let polling = manifest.polling.map(|polling| {
        let min = options.poll_min.unwrap_or(polling.min);
        Polling { min, max: options.poll_max.unwrap_or(polling.max).max(min), ..polling }
    });
    Ok(Way {
        overridden: options.base_url.clone(),
        newer_overridden: options.public_base_url.clone(),
        private_hosts: options.private_hosts.clone(),
        share,
        backoff: Backoff { min, max },
        polling,
        timeout: ClientOptions::TIMEOUT.min(lease / 2),
    })
}

/// The vendor's own addresses for a connection: of its API, and of its newer one.
fn addresses(manifest: &Manifest, settings: &Settings) -> Result<(Url, Option<Url>), VendorError> {
    let unusable = |message: String| {
        VendorError::new(
            ErrorKind::Configuration,
            Retry::Never,
            message,
            "edit the connection and enter the setting again",
        )
    };
    let address = manifest
        .address(settings)
        .map_err(|setting| unusable(format!("the setting `{setting}` cannot be part of a host name")))?;
    // Where nobody is called, an address that nobody has: a call would fail, not stray.
    let address = address.as_deref().unwrap_or("https://no-vendor.invalid");
    let parse = |address| {
        Url::parse(address).map_err(|_| unusable("the vendor's address cannot be built".to_owned()))
    };
    Ok((parse(address)?, manifest.newer_address(settings).map(parse).transpose()?))
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
        self.connector(integration, way, settings, permits)
    }

    fn forget(&self, connection: ConnectionId) {
        self.kept().remove(&connection);
    }
}
