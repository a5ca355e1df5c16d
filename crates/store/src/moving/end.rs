//! One end of a move: a database that this process has to itself.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::SqliteLockingMode;
use sqlx::{ConnectOptions as _, Connection as _};

use super::error::MoveError;
use crate::connection::Connection;
use crate::error::StoreError;
use crate::opening;

/// How long a file may be in use before it counts as such: a server that ends is still writing.
const PATIENCE: Duration = Duration::from_secs(3);
/// Rows that the SQLite driver reads ahead: each may be large.
const ROWS_AHEAD: usize = 16;

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Source,
    Target,
}

impl Role {
    /// The option of the command line that names it.
    pub(super) const fn option(self) -> &'static str {
        match self {
            Self::Source => "--from",
            Self::Target => "--to",
        }
    }

    pub(super) fn failed(self, error: StoreError) -> MoveError {
        MoveError::Database { end: self.option(), error }
    }

    fn refused(self, error: sqlx::Error) -> MoveError {
        if opening::is_busy(&error) {
            MoveError::Busy { end: self.option() }
        } else {
            self.failed(error.into())
        }
    }
}

/// An open end.
pub(super) struct End {
    pub(super) connection: Connection,
    /// Where it is, without user and password.
    pub(super) place: String,
    /// The same for two URLs of one database.
    identity: String,
    pool: Option<PgPool>,
}

impl End {
    /// Opens a database for this process alone. `other` is the end that is open already.
    pub(super) async fn open(url: &str, role: Role, other: Option<&Self>) -> Result<Self, MoveError> {
        let scheme = url.split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" => sqlite(url, role, other).await,
            "postgres" | "postgresql" => postgres(url, role, other).await,
            unknown => Err(role.failed(StoreError::UnknownDatabase { scheme: unknown.to_owned() })),
        }
    }

    /// Lets the database go.
    pub(super) async fn close(self) {
        self.connection.close().await;
        if let Some(pool) = self.pool {
            pool.close().await;
        }
    }
}

async fn sqlite(url: &str, role: Role, other: Option<&End>) -> Result<End, MoveError> {
    let options = opening::sqlite_options(url)
        .map_err(|error| role.failed(error))?
        .create_if_missing(role == Role::Target)
        .locking_mode(SqliteLockingMode::Exclusive)
        .busy_timeout(PATIENCE)
        .row_buffer_size(ROWS_AHEAD);
    let file = options.get_filename().to_owned();
    // Asked before the file is opened: this process has the other end's file locked.
    if let (Some(other), Some(identity)) = (other, file_identity(&file))
        && other.identity == identity
    {
        return Err(MoveError::SamePlace);
    }
    let mut connection = options.connect().await.map_err(|error| role.refused(error))?;
    // The exclusive locking mode begins with the first transaction, and stays.
    sqlx::raw_sql("BEGIN EXCLUSIVE; COMMIT")
        .execute(&mut connection)
        .await
        .map_err(|error| role.refused(error))?;
    let identity = file_identity(&file).unwrap_or_default();
    let connection = Connection::sqlite_writer(connection, Arc::default());
    Ok(End { connection, place: format!("sqlite://{}", file.display()), identity, pool: None })
}

/// Whether there is something at `url` that could hold a part of an installation, without making it.
pub(super) fn exists(url: &str) -> bool {
    !url.starts_with("sqlite:")
        || opening::sqlite_options(url).is_ok_and(|options| options.get_filename().exists())
}

/// The file itself, whatever path leads to it.
fn file_identity(file: &Path) -> Option<String> {
    let found = std::fs::metadata(file).ok()?;
    Some(format!("{}/{}", found.dev(), found.ino()))
}

async fn postgres(url: &str, role: Role, other: Option<&End>) -> Result<End, MoveError> {
    let refused = |error| role.refused(error);
    let options = opening::postgres_options(url).map_err(|error| role.failed(error))?;
    let place = format!(
        "postgres://{}:{}/{}",
        options.get_host(),
        options.get_port(),
        options.get_database().unwrap_or(options.get_username())
    );
    let mut session = options.connect().await.map_err(refused)?;
    let identity: String = sqlx::query_scalar(
        "SELECT CAST(extract(epoch FROM pg_postmaster_start_time()) AS TEXT) || '/' || CAST(oid AS TEXT)
         FROM pg_database WHERE datname = current_database()",
    )
    .fetch_one(&mut session)
    .await
    .map_err(refused)?;
    drop(session.close().await);
    if other.is_some_and(|other| other.identity == identity) {
        return Err(MoveError::SamePlace);
    }
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.map_err(refused)?;
    // Never given back: a lock lives and dies with its session, and so does the move.
    let mut session = pool.acquire().await.map_err(refused)?;
    if !opening::take(&mut session).await.map_err(|error| role.failed(error))? {
        return Err(MoveError::Busy { end: role.option() });
    }
    let connection = Connection::postgres(session, Arc::default());
    Ok(End { connection, place, identity, pool: Some(pool) })
}
