//! Brings a database up to date. Safe with many starters: they wait for one another.

use habeas_environment::Environment;

use crate::connection::Connection;
use crate::dialect::{Dialect, sql};
use crate::error::StoreError;
use crate::installation;
use crate::keyring::Keyring;

/// Every step, in order: its number and its text in [`crate::dialect`]; a step never changes once released.
pub const MIGRATIONS: &[(i64, &str)] = &[
    (1, include_str!("migrations/0001_foundation.sql")),
    (2, include_str!("migrations/0002_jobs_and_contacts.sql")),
    (3, include_str!("migrations/0003_mails_links_and_packages.sql")),
    (4, include_str!("migrations/0004_connection_edits.sql")),
    (5, include_str!("migrations/0005_plans_and_callbacks.sql")),
    (6, include_str!("migrations/0006_workers.sql")),
    (7, include_str!("migrations/0007_import.sql")),
    (8, include_str!("migrations/0008_waiting_work.sql")),
    (9, include_str!("migrations/0009_moves.sql")),
];

/// The newest version that this program knows.
pub const NEWEST: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// What PostgreSQL has to learn so that one SQL text serves both.
const POSTGRES_PRELUDE: &str = "
    CREATE FUNCTION unhex(digits TEXT) RETURNS BYTEA LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN decode(digits, 'hex');
";

/// Applies what is missing up to version `to`; the version before and after. With a keyring, only to a database that
/// it belongs to.
pub(crate) async fn migrate(
    connection: &mut Connection,
    environment: &Environment,
    keyring: Option<&Keyring>,
    to: i64,
) -> Result<(i64, i64), StoreError> {
    let dialect = connection.dialect();
    // SQLite's write lock, and an advisory lock on PostgreSQL, make the second starter wait for the first.
    match dialect {
        Dialect::Sqlite => connection.run("BEGIN IMMEDIATE").await?,
        Dialect::Postgres => connection.run("BEGIN; SELECT pg_advisory_xact_lock(4881672350)").await?,
    }
    let outcome = apply(connection, environment, keyring, dialect, to).await;
    connection.run(if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
    outcome
}

async fn apply(
    connection: &mut Connection,
    environment: &Environment,
    keyring: Option<&Keyring>,
    dialect: Dialect,
    to: i64,
) -> Result<(i64, i64), StoreError> {
    connection
        .run(
            "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL)",
        )
        .await?;
    let version = version(connection).await?;
    let found = version.unwrap_or(0);
    if found > to {
        return Err(StoreError::NewerSchema { found, known: to });
    }
    if let (Some(_), Some(keyring)) = (version, keyring)
        && found < to
    {
        installation::check(connection, keyring).await?;
    }
    for (number, text) in MIGRATIONS.iter().filter(|(number, _)| *number > found && *number <= to) {
        if *number == 1 && dialect == Dialect::Postgres {
            connection.run(POSTGRES_PRELUDE).await?;
        }
        // Runs once per process at most, so the leaked text is bounded.
        connection.run(Box::leak(dialect.render(text).into_boxed_str())).await?;
        connection
            .sql(sql!("INSERT INTO schema_versions (version, applied_at) VALUES ($1, $2)"))
            .integer(*number)
            .time(environment.now())
            .execute()
            .await?;
    }
    Ok((found, to))
}

/// The newest version that was applied; `None` if none was. The table of versions must be there.
pub(crate) async fn version(connection: &mut Connection) -> Result<Option<i64>, StoreError> {
    let row = connection.sql(sql!("SELECT max(version) FROM schema_versions")).first().await?;
    row.map_or(Ok(None), |row| row.optional_integer(0))
}
