//! How databases are reached: for work, by many at once, or for a move, by nobody else.
//!
//! A move must have a database to itself. With SQLite its exclusive locking mode sees to that: it cannot be had while
//! anybody has the file open, and while it is held nobody can open the file. With PostgreSQL every session for work
//! holds a shared advisory lock, and a move holds the exclusive one. Both end with their process, however that ends.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::database::PATIENCE;
use crate::error::StoreError;
use crate::moving::refusal;

const PREPARED_STATEMENTS: usize = 256;
/// Sessions of one process at most.
pub(crate) const SESSIONS: u32 = 16;
/// How long a session that lay idle is taken for a working one.
const BELIEVED_ALIVE: Duration = Duration::from_secs(1);

/// How a SQLite file is opened for writing.
pub(crate) fn sqlite_options(url: &str) -> Result<SqliteConnectOptions, StoreError> {
    Ok(SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("secure_delete", "ON")
        .pragma("temp_store", "MEMORY")
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .statement_cache_capacity(PREPARED_STATEMENTS)
        .disable_statement_logging())
}

/// How a session of PostgreSQL is begun.
pub(crate) fn postgres_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    Ok(PgConnectOptions::from_str(url)?
        .application_name("habeas")
        .statement_cache_capacity(PREPARED_STATEMENTS)
        .disable_statement_logging())
}

/// Sessions for work. None of them begins while a move has the database, or after one has left it.
pub(crate) async fn postgres_pool(url: &str) -> Result<PgPool, StoreError> {
    let options = postgres_options(url)?;
    let pool = || PgPoolOptions::new().acquire_timeout(PATIENCE);
    // A pool asks again and again when a session is refused; a starter is told at once, and why. (Also here a pool,
    // because that one waits for a database that is itself about to start.)
    let first = pool().max_connections(1).connect_with(options.clone()).await?;
    let answer = async {
        let mut probe = first.acquire().await?;
        // A move that was killed holds its lock until the database has noticed.
        sqlx::query("SET lock_timeout = '2s'").execute(&mut *probe).await?;
        let waited = sqlx::query("SELECT pg_advisory_lock_shared($1)").bind(LOCK).execute(&mut *probe).await;
        match waited {
            Err(error) if is_lock_timeout(&error) => Err(StoreError::BeingMoved),
            Err(error) => Err(error.into()),
            Ok(_) => has_not_left(&mut probe).await.map(drop),
        }
    };
    let answer = answer.await;
    first.close().await;
    answer?;
    let sessions = pool()
        .max_connections(SESSIONS)
        // Beginning a transaction proves a session as well; only one that lay idle is asked first, so that what a restart
        // of the server broke is not handed out for reading.
        .test_before_acquire(false)
        .before_acquire(|session, meta| {
            Box::pin(async move {
                if meta.idle_for > BELIEVED_ALIVE {
                    session.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|session, _| {
            Box::pin(async move {
                join(session).await.map_err(|error| match error {
                    StoreError::Database(error) => error,
                    refused => sqlx::Error::Configuration(Box::new(refused)),
                })
            })
        })
        .connect_with(options)
        .await?;
    Ok(sessions)
}

/// Which advisory lock tells who works on the database.
const LOCK: i64 = 4_881_672_351;

/// Every statement for work is answered by an index, a few rows at a time. The planner does not know how many a batch
/// holds, guesses a hundred, and reads whole tables for one of them while they are small or not yet analysed.
const BY_INDEX: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET random_page_cost = 1.1; SET jit = off";

async fn join(session: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::raw_sql(BY_INDEX).execute(&mut *session).await?;
    let joined: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock_shared($1)")
        .bind(LOCK)
        .fetch_one(&mut *session)
        .await?;
    if !joined {
        return Err(StoreError::BeingMoved);
    }
    // A server that lost its sessions during a move must not go on after its end; and if the move broke off, what was
    // copied is stale as soon as that server works again.
    if has_not_left(session).await? {
        sqlx::query("DELETE FROM moves WHERE state = 'leaving'").execute(session).await?;
    }
    Ok(())
}

/// Refuses a database whose installation has left or has not wholly arrived; whether there is another mark.
async fn has_not_left(session: &mut PgConnection) -> Result<bool, StoreError> {
    let knows_moves: bool =
        sqlx::query_scalar("SELECT to_regclass('moves') IS NOT NULL").fetch_one(&mut *session).await?;
    if !knows_moves {
        return Ok(false);
    }
    let mark: Option<(String, String, i64)> =
        sqlx::query_as("SELECT state, place, at FROM moves").fetch_optional(session).await?;
    match mark {
        Some((state, place, at)) => refusal(&state, place, at).map(|()| true),
        None => Ok(false),
    }
}

/// Takes the database for this session alone; `false` if others work on it.
pub(crate) async fn take(session: &mut PgConnection) -> Result<bool, StoreError> {
    // A server that has just ended may still have sessions that the database has not noticed to be over.
    sqlx::query("SET lock_timeout = '5s'").execute(&mut *session).await?;
    let waited = sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut *session).await;
    match waited {
        Err(error) if is_lock_timeout(&error) => return Ok(false),
        Err(error) => return Err(error.into()),
        Ok(_) => {}
    }
    sqlx::query("SET lock_timeout = 0").execute(session).await?;
    Ok(true)
}

/// `lock_not_available` of PostgreSQL's appendix of error codes.
fn is_lock_timeout(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some("55P03"))
}

/// SQLITE_BUSY: somebody else has the file.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    let code = |error: &dyn sqlx::error::DatabaseError| {
        // Extended codes carry the plain one in their last byte.
        error.code().and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| code & 0xff == 5)
    };
    matches!(error, sqlx::Error::Database(error) if code(error.as_ref()))
}
