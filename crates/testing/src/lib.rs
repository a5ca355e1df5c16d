//! Databases and other doubles for the tests of every crate.
//!
//! A test body takes a [`TestDatabase`] and runs on both kinds:
//!
//! ```no_run
//! use habeas_testing::{TestDatabase, environment, on_both_databases};
//!
//! on_both_databases![it_opens];
//!
//! async fn it_opens(database: TestDatabase) {
//!     let (_clock, environment) = environment();
//!     let store = database.open(&environment).await;
//!     assert!(store.ready().await.is_ok());
//! }
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test support: whatever fails here fails the test"
)]

mod archive;
mod mail_server;
mod postgres;
mod raw;
mod s3_server;

use habeas_environment::{Environment, TestClock};
use habeas_store::{Database, Keyring, MasterKey, Store};
use tempfile::TempDir;

pub use archive::unpack;
pub use mail_server::{MailServer, ReceivedMail};
pub use raw::RawConnection;
pub use s3_server::S3Server;

/// When every test's clock starts: a Monday, in the European summer.
pub const START: &str = "2026-06-01T09:00:00Z";

/// A clock that stands at [`START`] and an environment made of it and repeatable randomness.
#[must_use]
pub fn environment() -> (TestClock, Environment) {
    let clock = TestClock::at(START);
    let environment = Environment::for_test(&clock, 1);
    (clock, environment)
}

/// A master key that is the same every time; different numbers give different keys.
#[must_use]
pub fn master_key(number: u8) -> MasterKey {
    MasterKey::parse(&format!("{number:02x}").repeat(32)).expect("64 hexadecimal digits")
}

/// The keyring with which [`TestDatabase::open`] opens: master key 1, no previous ones.
#[must_use]
pub fn keyring() -> Keyring {
    Keyring::new(&master_key(1), &[]).expect("a keyring")
}

/// A database of a test's own, gone when dropped.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Sqlite(TempDir),
    #[expect(dead_code, reason = "dropping it drops the database")]
    Postgres(postgres::OwnDatabase),
}

impl TestDatabase {
    /// A file in a directory of its own; the file is made on opening.
    #[must_use]
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let url = format!("sqlite://{}", directory.path().join("habeas.db").display());
        Self { url, place: Place::Sqlite(directory) }
    }

    /// A database copied from a migrated template, in the server that `HABEAS_TEST_POSTGRES` names.
    ///
    /// # Panics
    /// If the variable is missing: start the server with `cargo xtask postgres`, or run `cargo xtask test`.
    pub async fn postgres() -> Self {
        let own = postgres::OwnDatabase::create().await;
        Self { url: own.url(), place: Place::Postgres(own) }
    }

    /// Takes away the schema that PostgreSQL's template brings, for tests of the very first start.
    pub async fn without_schema(self) -> Self {
        if matches!(self.place, Place::Postgres(_)) {
            let mut raw = self.raw().await;
            raw.run("DROP SCHEMA IF EXISTS public CASCADE").await;
            raw.run("CREATE SCHEMA public").await;
        }
        self
    }

    /// What [`Database::open`] takes.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The directory with the database's files, if it is SQLite.
    #[must_use]
    pub fn directory(&self) -> Option<&std::path::Path> {
        match &self.place {
            Place::Sqlite(directory) => Some(directory.path()),
            Place::Postgres(_) => None,
        }
    }

    /// Whether it is SQLite, for the few statements about one database only.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.directory().is_some()
    }

    /// Opens the store with [`keyring`]; also a second time.
    pub async fn open(&self, environment: &Environment) -> Store {
        self.open_with(environment, keyring()).await
    }

    /// Opens the store with other keys.
    pub async fn open_with(&self, environment: &Environment, keyring: Keyring) -> Store {
        let database = Database::open(&self.url, environment).await.expect("a database that can be reached");
        database.into_store(keyring).await.expect("a database that opens")
    }

    /// A connection behind the store's back.
    pub async fn raw(&self) -> RawConnection {
        RawConnection::open(&self.url).await
    }
}

/// Makes two tests, `name::sqlite` and `name::postgres`, of each `async fn name(database: TestDatabase)` listed.
#[macro_export]
macro_rules! on_both_databases {
    ($($body:ident),+ $(,)?) => {$(
        mod $body {
            #[test]
            fn sqlite() {
                $crate::block_on(async { super::$body($crate::TestDatabase::sqlite()).await });
            }

            #[test]
            fn postgres() {
                $crate::block_on(async { super::$body($crate::TestDatabase::postgres().await).await });
            }
        }
    )+};
}

/// Runs a test on a runtime of several threads, as the product does.
pub fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test);
}
