//! The wiring: from a data directory and a configuration to everything that runs on them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use axum::Router;
use habeas_casework::{Casework, CaseworkError, CaseworkSettings};
use habeas_engine::mailer::{Mailer, mailer};
use habeas_engine::{Engine, EngineOptions, Vendors};
use habeas_environment::Environment;
use habeas_integrations::Catalogue;
use habeas_server::{ServerOptions, ServerState};
use habeas_store::moving::{Moved, Route, Watch, move_installation};
use habeas_store::storage::{Storage, StorageError};
use habeas_store::{Database, Store, StoreError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::configuration::{Configuration, StorageChoice};
use crate::data_directory::{DataDirectory, Lock};
use crate::master_key;

/// An installation that is open for work.
#[derive(Debug)]
pub(crate) struct Installation {
    casework: Casework,
    vendors: Arc<Vendors>,
    mailer: Arc<dyn Mailer>,
    engine: EngineOptions,
    server: ServerState,
    /// The directory is ours until everything above is closed.
    lock: Option<Lock>,
}

impl Installation {
    /// Migrates and opens the database with its keys, and wires everything to it.
    ///
    /// # Errors
    /// If the key or the database cannot be used; nothing was changed then.
    pub(crate) async fn open(
        configuration: &Configuration,
        data_directory: &Path,
        server: ServerOptions,
        lock: Option<Lock>,
    ) -> anyhow::Result<Self> {
        let environment = Environment::system();
        let may_generate = lock.is_some();
        let store = open_store(configuration, &environment, may_generate).await?;
        let catalogue = Arc::new(Catalogue::default());
        let mut integrations = configuration.integrations.clone();
        integrations.retain(|name, _| catalogue.find(name).is_some());
        let workers = configuration.workers;
        let vendors = Vendors::new(store.clone(), Arc::clone(&catalogue), &integrations, workers.lease)?;
        let connectors: Arc<Vendors> = Arc::clone(&vendors);
        let storage = match &configuration.storage {
            StorageChoice::Directory(directory) => Storage::open(directory),
            StorageChoice::Bucket(bucket) => Storage::in_bucket(bucket),
        };
        let storage = storage.context("`[storage]` cannot be used")?;
        let mailer =
            mailer(&configuration.mail, data_directory, &environment).context("`[mail]` cannot be used")?;
        if !mailer.delivers() {
            tracing::warn!(
                "no mail server is configured (`mail.url`): mails are written to the outbox directory, and nobody receives them"
            );
        }
        let settings = CaseworkSettings {
            public_url: configuration.reached_at(server.address),
            ..configuration.casework.clone()
        };
        let server = ServerOptions {
            trusted_proxies: configuration.trusted_proxies.clone(),
            secure_cookies: settings.public_url.starts_with("https:"),
            mails_are_sent: mailer.delivers(),
            ..server
        };
        let casework = Casework::new(store, storage, catalogue, connectors, settings);
        let server = ServerState::new(casework.clone(), server);
        let engine = EngineOptions {
            name: configuration.worker_name.clone(),
            workers: workers.count,
            lease: workers.lease,
            poll_interval: workers.poll_interval,
        };
        Ok(Self { casework, vendors, mailer, engine, server, lock })
    }

    /// The API for callers with keys.
    pub(crate) fn router(&self) -> Router {
        habeas_server::router(self.server.clone())
    }

    /// The API for whoever can open the data directory.
    pub(crate) fn local_router(&self) -> Router {
        habeas_server::local_router(self.server.clone())
    }

    /// Proves that everything that is needed answers. A storage that is only away is waited for at work: most of it needs
    /// none, and `GET /readyz` says so meanwhile.
    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        match self.casework.ready().await {
            Err(CaseworkError::Storage(error)) if !matches!(*error, StorageError::Refused(_)) => Ok(()),
            Err(error @ CaseworkError::Storage(_)) => Err(error).context("`[storage]` cannot be used"),
            other => Ok(other?),
        }
    }

    /// Runs the workers until `stop`, or until the handle is dropped.
    pub(crate) fn start_engine(&self, stop: CancellationToken) -> AbortOnDropHandle<()> {
        let engine = Engine::new(
            self.casework.clone(),
            Arc::clone(&self.vendors),
            Arc::clone(&self.mailer),
            self.engine.clone(),
        );
        AbortOnDropHandle::new(tokio::spawn(async move { engine.run(stop).await }))
    }

    /// Waits until everything is on disk and lets the directory go.
    pub(crate) async fn close(self) {
        let Self { casework, vendors, mailer: _, server, engine: _, lock } = self;
        let store = casework.store().clone();
        // The store's writer ends with the last handle to it.
        drop((casework, vendors, server));
        store.close().await;
        drop(lock);
    }
}

/// Brings the schema up to date without touching keys; the version before and after.
pub(crate) async fn migrate(configuration: &Configuration) -> anyhow::Result<(i64, i64)> {
    let database = reach(configuration, &Environment::system()).await?;
    Ok(database.migrate().await?)
}

/// Moves the installation whose master key is configured from one database to another.
///
/// # Errors
/// What stands in the way.
pub(crate) async fn relocate(
    configuration: &Configuration,
    route: Route<'_>,
    watch: &mut Watch<'_>,
) -> anyhow::Result<Moved> {
    let provider = master_key::provider(&configuration.encryption);
    let Some(key) = provider.load()? else {
        bail!(
            "the master key file {} is missing; the installation can only be moved with its own key (encryption.key_file, \
             HABEAS_ENCRYPTION__KEY), which stays the same (nothing was changed)",
            provider.describe()
        );
    };
    let keyring = master_key::keyring(&key, &configuration.encryption)?;
    Ok(move_installation(route, &keyring, &Environment::system(), watch).await?)
}

/// Takes `directory` for this process.
pub(crate) fn take(directory: &DataDirectory) -> anyhow::Result<Lock> {
    directory.prepare()?;
    directory.lock()
}

async fn reach(configuration: &Configuration, environment: &Environment) -> anyhow::Result<Database> {
    Database::open(&configuration.database_url.0, environment)
        .await
        .context("cannot reach the database of `database.url`")
}

async fn open_store(
    configuration: &Configuration,
    environment: &Environment,
    may_generate: bool,
) -> anyhow::Result<Store> {
    let provider = master_key::provider(&configuration.encryption);
    // Read before the database is touched, so that a bad key leaves no trace.
    let found = provider.load()?;
    let database = reach(configuration, environment).await?;
    let (key, is_new) = match found {
        Some(key) => (key, false),
        None if database.is_installed().await? => bail!(
            "the master key file {} is missing, but the database was set up with one; put the file back from where \
             you keep its copy. A new key could read nothing, so none is made (nothing was changed)",
            provider.describe()
        ),
        None if !may_generate => bail!(
            "there is no master key file {}; a worker uses the key of its server: start that first, or name its key \
             in encryption.key_file or HABEAS_ENCRYPTION__KEY",
            provider.describe()
        ),
        None => (master_key::generate(provider.as_ref(), environment)?, true),
    };
    let keyring = master_key::keyring(&key, &configuration.encryption)?;
    let opened = database.into_store(keyring).await;
    if is_new && matches!(opened, Err(StoreError::MasterKeyMismatch { .. })) {
        // Another server set the database up a moment ago; our key sealed nothing.
        provider.discard();
    }
    Ok(opened?)
}
