//! Opening a database, reading from it, and writing to it in units.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use habeas_environment::Environment;
use jiff::Timestamp;
use sqlx::postgres::PgPool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use crate::connection::{Connection, Counters};
use crate::dialect::{Dialect, sql};
use crate::error::StoreError;
use crate::keyring::Keyring;
use crate::unit::{Unit, Work};
use crate::writer::Writer;
use crate::{installation, migrate, moving, opening, schema};

/// How long a SQLite file may be locked by another starter.
const OPENING_WAITS: Duration = Duration::from_secs(10);

/// How long a unit or a reader waits for a database that is away, for example while it restarts.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts to begin a unit.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);
/// Nobody needs a key to ask whether the database works, and each proof is a write.
const PROOF_LASTS: Duration = Duration::from_secs(1);
/// Bytes that there has to be room for after the disk was full.
const ROOM: usize = 256 << 10;
/// How long the proof that the database works may take.
const PROOF: Duration = Duration::from_secs(3);

/// How long the forgetting of traces waits for readers: writers wait as long.
const FORGETTING_WAITS: Duration = Duration::from_millis(200);

/// A database that is up to date and opened with the right keys.
#[derive(Clone, Debug)]
pub struct Store {
    pools: Pools,
    environment: Environment,
    keyring: Arc<Keyring>,
    counters: Arc<Counters>,
    /// When it was last proven that the database works, on the clock that never jumps.
    proven: Arc<tokio::sync::Mutex<Option<Duration>>>,
    /// How often the disk had been full when there was last room.
    room_proven: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
enum Pools {
    Sqlite { readers: SqlitePool, writer: Writer },
    Postgres(PgPool),
}

/// A database that can be reached; its schema and keys are not yet looked at.
#[derive(Debug)]
pub struct Database {
    pools: OpenPools,
    environment: Environment,
    counters: Arc<Counters>,
}

#[derive(Debug)]
enum OpenPools {
    Sqlite(Box<SqliteConnectOptions>),
    Postgres(PgPool),
}

impl Database {
    /// Reaches the database at `url`: `sqlite://FILE` (created if missing) or `postgres://...`.
    ///
    /// # Errors
    /// If it cannot be reached.
    pub async fn open(url: &str, environment: &Environment) -> Result<Self, StoreError> {
        let scheme = url.split(':').next().unwrap_or_default();
        let pools = match scheme {
            "sqlite" => OpenPools::Sqlite(Box::new(opening::sqlite_options(url)?)),
            "postgres" | "postgresql" => OpenPools::Postgres(opening::postgres_pool(url).await?),
            other => return Err(StoreError::UnknownDatabase { scheme: other.to_owned() }),
        };
        Ok(Self { pools, environment: environment.clone(), counters: Arc::default() })
    }

    /// SQLite does not wait while another starter turns the write-ahead log on, whatever its timeout says: it answers
    /// that the file is locked. So it is asked again, for about ten seconds; who has the file longer has it to himself.
    async fn first(&self, options: &SqliteConnectOptions) -> Result<sqlx::SqliteConnection, StoreError> {
        let clock = self.environment.clock();
        let started = clock.monotonic();
        loop {
            match options.connect().await {
                Err(error) if opening::is_busy(&error) => {
                    if clock.monotonic().saturating_sub(started) >= OPENING_WAITS {
                        return Err(StoreError::BeingMoved);
                    }
                    clock.sleep(Duration::from_millis(10)).await;
                }
                other => return Ok(other?),
            }
        }
    }

    async fn connection(&self) -> Result<Connection, StoreError> {
        let counters = Arc::clone(&self.counters);
        Ok(match &self.pools {
            OpenPools::Sqlite(options) => Connection::sqlite_writer(self.first(options).await?, counters),
            OpenPools::Postgres(pool) => Connection::postgres(pool.acquire().await?, counters),
        })
    }

    /// Whether an installation lives here already: then only its own master key will do, and none may be made up.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn is_installed(&self) -> Result<bool, StoreError> {
        let mut connection = self.connection().await?;
        if !schema::has_table(&mut connection, "installation").await? {
            return Ok(false);
        }
        Ok(connection.sql(sql!("SELECT id FROM installation")).first().await?.is_some())
    }

    /// Brings the schema up to date; the version before and after. Keys are not looked at.
    ///
    /// # Errors
    /// If a newer program was here, or the database fails. Nothing is changed then.
    pub async fn migrate(&self) -> Result<(i64, i64), StoreError> {
        self.migrate_to(migrate::NEWEST).await
    }

    /// Brings the schema to an older version, as the program did that knew no newer one; for tests of upgrading.
    ///
    /// # Errors
    /// If a newer program was here, or the database fails. Nothing is changed then.
    pub async fn migrate_to(&self, version: i64) -> Result<(i64, i64), StoreError> {
        let mut connection = self.connection().await?;
        moving::admit(&mut connection).await?;
        migrate::migrate(&mut connection, &self.environment, None, version).await
    }

    /// Migrates, proves that the keys belong to this database, and opens it for work.
    ///
    /// # Errors
    /// If a newer program was here, the installation is being moved or was, or the master key is another one. Nothing is
    /// changed then.
    pub async fn into_store(self, keyring: Keyring) -> Result<Store, StoreError> {
        let mut connection = self.connection().await?;
        moving::admit(&mut connection).await?;
        migrate::migrate(&mut connection, &self.environment, Some(&keyring), migrate::NEWEST).await?;
        installation::claim(&mut connection, &keyring, &self.environment).await?;
        moving::give_up(&mut connection).await?;
        let keyring = Arc::new(keyring);
        let pools = match self.pools {
            OpenPools::Sqlite(options) => {
                let readers = SqlitePoolOptions::new()
                    .max_connections(4)
                    .acquire_timeout(PATIENCE)
                    .connect_lazy_with((*options).clone().read_only(true).create_if_missing(false));
                let unit = Unit::new(connection, self.environment.clone(), Arc::clone(&keyring));
                Pools::Sqlite { readers, writer: Writer::start(unit, self.environment.clock()) }
            }
            OpenPools::Postgres(pool) => Pools::Postgres(pool),
        };
        let store = Store {
            pools,
            environment: self.environment,
            keyring,
            counters: self.counters,
            proven: Arc::default(),
            room_proven: Arc::default(),
        };
        // A machine whose clock is wrong must not date or delay anything in a database that others share.
        store.environment.clock().set(store.reference_time().await?);
        Ok(store)
    }
}

impl Store {
    /// Clock and randomness.
    #[must_use]
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The keys.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// How much the database was asked.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Which database it is.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match self.pools {
            Pools::Sqlite { .. } => Dialect::Sqlite,
            Pools::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The time to judge leases and pace by: `None` lets a shared database use its own clock, so that workers on
    /// machines with different clocks agree.
    #[must_use]
    pub fn shared_now(&self) -> Option<i64> {
        let own_clock = matches!(self.pools, Pools::Sqlite { .. }) || !self.environment.clock().is_system();
        own_clock.then(|| self.environment.now().as_millisecond())
    }

    /// Whether this process is the only one that works on the database.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        matches!(self.pools, Pools::Sqlite { .. })
    }

    /// What the clock that counts shows: the database's where it is shared, else the machine's.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn reference_time(&self) -> Result<Timestamp, StoreError> {
        match &self.pools {
            Pools::Postgres(_) if self.environment.clock().is_system() => {
                let row = self.reader().await?.sql(sql!("SELECT {database_time}")).first().await?;
                row.ok_or(StoreError::Corrupt("the database's time"))?.time(0)
            }
            _ => Ok(self.environment.clock().outside()),
        }
    }

    /// A connection for reading.
    ///
    /// # Errors
    /// If none is to be had in time.
    pub async fn reader(&self) -> Result<Connection, StoreError> {
        let counters = Arc::clone(&self.counters);
        Ok(match &self.pools {
            Pools::Sqlite { readers, .. } => Connection::sqlite(readers.acquire().await?, counters),
            Pools::Postgres(pool) => Connection::postgres(pool.acquire().await?, counters),
        })
    }

    /// Runs a unit of work: when this returns `Ok`, everything in it and its events are on disk; otherwise nothing is.
    ///
    /// # Errors
    /// The unit's own, or the store's.
    pub async fn write<T, E, W>(&self, work: W) -> Result<T, E>
    where
        W: for<'u> FnOnce(&'u mut Unit) -> BoxFuture<'u, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.pools {
            Pools::Sqlite { writer, .. } => writer.write(Box::new(work)).await,
            Pools::Postgres(pool) => {
                let connection = self.begin(pool).await?;
                let unit = Unit::new(connection, self.environment.clone(), Arc::clone(&self.keyring));
                // On a task of its own: a caller that goes away must not leave a transaction open in the pool.
                tokio::spawn(transaction(unit, Box::new(work))).await.map_err(|_| StoreError::UnitBroken)?
            }
        }
    }

    /// A connection in a transaction. A server that restarts is waited for: nothing of the unit has run yet.
    async fn begin(&self, pool: &PgPool) -> Result<Connection, StoreError> {
        let clock = self.environment.clock();
        let started = clock.monotonic();
        loop {
            let mut connection = Connection::postgres(pool.acquire().await?, Arc::clone(&self.counters));
            // The settling of runs rests on seeing what others committed while it waited for their locks.
            match connection.run("BEGIN ISOLATION LEVEL READ COMMITTED").await {
                Ok(()) => return Ok(connection),
                Err(error) if clock.monotonic().saturating_sub(started) >= PATIENCE => return Err(error),
                Err(_) => clock.sleep(BETWEEN_ATTEMPTS).await,
            }
        }
    }

    /// Proves that the database answers, can be written and its keys open.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn ready(&self) -> Result<(), StoreError> {
        let now = self.environment.clock().monotonic();
        let mut proven = self.proven.lock().await;
        if proven.is_some_and(|at| now.saturating_sub(at) < PROOF_LASTS) {
            return Ok(());
        }
        let outcome = tokio::time::timeout(PROOF, self.prove()).await.unwrap_or(Err(StoreError::NoAnswer));
        *proven = outcome.is_ok().then_some(now);
        outcome
    }

    async fn prove(&self) -> Result<(), StoreError> {
        // Sessions that a restart of the server broke are found one by one.
        let mut broken = 0;
        let belongs = loop {
            match installation::check(&mut self.reader().await?, &self.keyring).await {
                Err(StoreError::Database(_)) if broken < opening::SESSIONS => broken += 1,
                other => break other?,
            }
        };
        if !belongs {
            return Err(StoreError::Corrupt("installation"));
        }
        // A full disk still reads, and may have room for a little: after it was full there has to be some again.
        let wants = self.counters.wants_of_room.load(Ordering::Relaxed);
        if wants != self.room_proven.load(Ordering::Relaxed) {
            self.write(|unit| Box::pin(installation::fill(unit.connection(), ROOM))).await?;
            self.room_proven.store(wants, Ordering::Relaxed);
        }
        self.write(|unit| Box::pin(installation::fill(unit.connection(), 0))).await
    }

    /// Copies what the write-ahead log holds into the database file, away from the writer.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        match &self.pools {
            Pools::Sqlite { readers, .. } => {
                let options = (*readers.connect_options()).clone().read_only(false);
                let mut connection = options.connect().await?;
                sqlx::raw_sql("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut connection).await?;
                connection.close().await?;
                Ok(())
            }
            Pools::Postgres(_) => Ok(()),
        }
    }

    /// Takes what was destroyed off the disk: SQLite's write-ahead log still holds pages as they were before. Whether it
    /// could; if somebody reads at this moment, it cannot. PostgreSQL leaves old rows to its own vacuuming, and archives of
    /// its log to whoever keeps them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn forget_traces(&self) -> Result<bool, StoreError> {
        match &self.pools {
            Pools::Sqlite { readers, .. } => {
                let options = (*readers.connect_options()).clone().read_only(false);
                let mut connection = options.busy_timeout(FORGETTING_WAITS).connect().await?;
                let row = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await?;
                connection.close().await?;
                Ok(row.try_get::<i64, _>(0)? == 0)
            }
            Pools::Postgres(_) => Ok(true),
        }
    }

    /// Waits until what was begun is on disk, then closes every connection.
    pub async fn close(self) {
        match self.pools {
            Pools::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

/// A unit in the transaction that its connection is in.
async fn transaction<T: Send, E: From<StoreError> + Send>(mut unit: Unit, work: Work<T, E>) -> Result<T, E> {
    let outcome = AssertUnwindSafe(work(&mut unit)).catch_unwind().await;
    let failed = unit.connection().take_failed();
    let outcome = match outcome {
        Ok(Ok(_)) if failed => Err(StoreError::UnitBroken.into()),
        Ok(Ok(value)) => match unit.append_events().await {
            Ok(()) => Ok(value),
            Err(error) => Err(error.into()),
        },
        Ok(Err(error)) => Err(error),
        Err(_) => Err(StoreError::UnitBroken.into()),
    };
    if outcome.is_ok() {
        unit.connection().run("COMMIT").await?;
        unit.connection().counters().commits.fetch_add(1, Ordering::Relaxed);
    } else {
        unit.connection().run("ROLLBACK").await?;
    }
    outcome
}
