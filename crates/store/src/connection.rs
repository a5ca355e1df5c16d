//! One connection to either database, and statements with values of the three types that we store.

mod batch;
mod row;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt as _;
use futures::stream::BoxStream;
use jiff::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Executor, Postgres, Row as _, Sqlite};

use crate::dialect::{Dialect, Sql};
use crate::error::StoreError;

pub(crate) use batch::LARGEST_IN_A_BATCH;
pub use batch::{Batch, BatchRow};
pub use row::Row;

/// How much the database was asked, for metrics and benchmarks.
#[derive(Debug, Default)]
pub struct Counters {
    /// Statements sent.
    pub statements: AtomicU64,
    /// Transactions committed.
    pub commits: AtomicU64,
    /// Statements that failed because the disk was full or could not be written.
    pub wants_of_room: AtomicU64,
}

/// Whether the disk was full, or could not be written: SQLite's codes 10 and 13, extended ones in their last byte;
/// PostgreSQL's class 53 and `io_error`.
fn wants_room(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    let code = error.code().unwrap_or_default();
    match code.parse::<i32>() {
        Ok(number) if code.len() < 5 => matches!(number & 0xff, 10 | 13),
        _ => code.starts_with("53") || code == "58030",
    }
}

/// A connection, inside or outside of a transaction.
#[derive(Debug)]
pub struct Connection {
    inner: Inner,
    counters: Arc<Counters>,
    /// Whether a statement failed since this was last asked.
    failed: bool,
    /// How the statements since [`Connection::watch_plans`] are carried out, if somebody wants to know.
    plans: Option<Vec<Plan>>,
}

/// How the database carries a statement out.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The statement.
    pub statement: &'static str,
    /// The database's own words.
    pub steps: Vec<String>,
}

#[derive(Debug)]
enum Inner {
    SqliteWriter(SqliteConnection),
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

macro_rules! bound {
    ($query:expr, $values:expr) => {
        $values.into_iter().fold($query, |query, value| match value {
            Value::Integer(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        })
    };
}

impl Connection {
    pub(crate) fn sqlite_writer(connection: SqliteConnection, counters: Arc<Counters>) -> Self {
        Self { inner: Inner::SqliteWriter(connection), counters, failed: false, plans: None }
    }

    pub(crate) fn sqlite(connection: PoolConnection<Sqlite>, counters: Arc<Counters>) -> Self {
        Self { inner: Inner::Sqlite(connection), counters, failed: false, plans: None }
    }

    pub(crate) fn postgres(connection: PoolConnection<Postgres>, counters: Arc<Counters>) -> Self {
        Self { inner: Inner::Postgres(connection), counters, failed: false, plans: None }
    }

    /// Which database this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self.inner {
            Inner::SqliteWriter(_) | Inner::Sqlite(_) => Dialect::Sqlite,
            Inner::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Starts a statement.
    #[must_use]
    pub fn sql<'c>(&'c mut self, statement: &'static Sql) -> Query<'c> {
        let text = statement.text(self.dialect());
        Query { connection: self, text, values: Vec::new() }
    }

    /// Runs text that is not worth preparing: transaction control and migrations.
    pub(crate) async fn run(&mut self, text: &'static str) -> Result<(), StoreError> {
        self.counters.statements.fetch_add(1, Ordering::Relaxed);
        let done = match &mut self.inner {
            Inner::SqliteWriter(connection) => connection.execute(sqlx::raw_sql(text)).await.map(drop),
            Inner::Sqlite(connection) => connection.execute(sqlx::raw_sql(text)).await.map(drop),
            Inner::Postgres(connection) => connection.execute(sqlx::raw_sql(text)).await.map(drop),
        };
        if let Err(error) = &done {
            self.note_want_of_room(error);
        }
        Ok(done?)
    }

    fn note_want_of_room(&self, error: &sqlx::Error) {
        if wants_room(error) {
            self.counters.wants_of_room.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether a statement failed since this was last asked. PostgreSQL keeps nothing of such a transaction, and
    /// answers its COMMIT as if it had.
    pub(crate) fn take_failed(&mut self) -> bool {
        std::mem::take(&mut self.failed)
    }

    /// From now on asks how each statement is carried out before it is: twice the work, for whoever measures.
    pub fn watch_plans(&mut self) {
        self.plans = Some(Vec::new());
    }

    /// How the statements since [`Connection::watch_plans`] were carried out.
    pub fn take_plans(&mut self) -> Vec<Plan> {
        self.plans.take().unwrap_or_default()
    }

    async fn explain(&mut self, statement: &'static str, values: Vec<Value>) -> Result<(), StoreError> {
        let words = if self.dialect() == Dialect::Sqlite { "EXPLAIN QUERY PLAN" } else { "EXPLAIN" };
        let text = AssertSqlSafe(format!("{words} {statement}"));
        let steps = match &mut self.inner {
            Inner::SqliteWriter(connection) => {
                let rows = bound!(sqlx::query(text), values).fetch_all(connection).await?;
                rows.iter().map(|row| row.try_get::<String, _>(3)).collect::<Result<_, _>>()?
            }
            Inner::Sqlite(connection) => {
                let rows = bound!(sqlx::query(text), values).fetch_all(&mut **connection).await?;
                rows.iter().map(|row| row.try_get::<String, _>(3)).collect::<Result<_, _>>()?
            }
            Inner::Postgres(connection) => {
                let rows = bound!(sqlx::query(text), values).fetch_all(&mut **connection).await?;
                rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<_, _>>()?
            }
        };
        self.plans.get_or_insert_default().push(Plan { statement, steps });
        Ok(())
    }

    pub(crate) async fn close(self) {
        if let Inner::SqliteWriter(connection) = self.inner
            && let Err(error) = sqlx::Connection::close(connection).await
        {
            tracing::warn!(%error, "the database file was not closed properly; nothing is lost");
        }
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }
}

/// A value of one of the three types that we store.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Integer(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// A statement with its values.
#[derive(Debug)]
pub struct Query<'c> {
    connection: &'c mut Connection,
    text: &'static str,
    values: Vec<Value>,
}

impl Query<'_> {
    /// Binds a whole number or nothing.
    #[must_use]
    pub fn integer(mut self, value: impl Into<Option<i64>>) -> Self {
        self.values.push(Value::Integer(value.into()));
        self
    }

    /// Binds a moment or nothing, as epoch milliseconds.
    #[must_use]
    pub fn time(self, value: impl Into<Option<Timestamp>>) -> Self {
        self.integer(value.into().map(Timestamp::as_millisecond))
    }

    /// Binds text (ids and words print themselves).
    #[must_use]
    pub fn text(mut self, value: impl ToString) -> Self {
        self.values.push(Value::Text(Some(value.to_string())));
        self
    }

    /// Binds text or nothing.
    #[must_use]
    pub fn optional_text<T: ToString>(mut self, value: Option<T>) -> Self {
        self.values.push(Value::Text(value.map(|value| value.to_string())));
        self
    }

    /// Binds bytes or nothing.
    #[must_use]
    pub fn bytes(mut self, value: impl Into<Option<Vec<u8>>>) -> Self {
        self.values.push(Value::Bytes(value.into()));
        self
    }

    /// Binds values whose types are known only when the program runs.
    #[must_use]
    pub(crate) fn values(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        self.values.extend(values);
        self
    }

    /// Binds a batch (`{batch}`); must come first.
    #[must_use]
    pub fn batch(self, batch: &Batch) -> Self {
        debug_assert!(self.values.is_empty(), "the batch is $1");
        self.text(&batch.json)
    }

    /// Runs the statement; how many rows it changed.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn execute(self) -> Result<u64, StoreError> {
        self.connection.counters.statements.fetch_add(1, Ordering::Relaxed);
        let (text, values) = (self.text, self.values);
        if self.connection.plans.is_some() {
            self.connection.explain(text, values.clone()).await?;
        }
        let changed = match &mut self.connection.inner {
            Inner::SqliteWriter(connection) => {
                bound!(sqlx::query(text), values).execute(connection).await.map(|done| done.rows_affected())
            }
            Inner::Sqlite(connection) => bound!(sqlx::query(text), values)
                .execute(&mut **connection)
                .await
                .map(|done| done.rows_affected()),
            Inner::Postgres(connection) => bound!(sqlx::query(text), values)
                .execute(&mut **connection)
                .await
                .map(|done| done.rows_affected()),
        };
        if let Err(error) = &changed {
            self.connection.failed = true;
            self.connection.note_want_of_room(error);
        }
        Ok(changed?)
    }

    /// Runs the statement; its rows.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn rows(self) -> Result<Vec<Row>, StoreError> {
        self.connection.counters.statements.fetch_add(1, Ordering::Relaxed);
        let (text, values) = (self.text, self.values);
        if self.connection.plans.is_some() {
            self.connection.explain(text, values.clone()).await?;
        }
        let rows = match &mut self.connection.inner {
            Inner::SqliteWriter(connection) => {
                let rows = bound!(sqlx::query(text), values).fetch_all(connection).await;
                rows.map(|rows| wrap(rows, Row::Sqlite))
            }
            Inner::Sqlite(connection) => {
                let rows = bound!(sqlx::query(text), values).fetch_all(&mut **connection).await;
                rows.map(|rows| wrap(rows, Row::Sqlite))
            }
            Inner::Postgres(connection) => {
                let rows = bound!(sqlx::query(text), values).fetch_all(&mut **connection).await;
                rows.map(|rows| wrap(rows, Row::Postgres))
            }
        };
        if let Err(error) = &rows {
            self.connection.failed = true;
            self.connection.note_want_of_room(error);
        }
        Ok(rows?)
    }

    /// Runs the statement; its first row, if any.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn first(self) -> Result<Option<Row>, StoreError> {
        Ok(self.rows().await?.into_iter().next())
    }
}

impl<'c> Query<'c> {
    /// Runs the statement; its rows one after the other, for more of them than memory holds. A failure is the stream's
    /// alone: the unit around it does not notice.
    pub(crate) fn stream(self) -> BoxStream<'c, Result<Row, StoreError>> {
        self.connection.counters.statements.fetch_add(1, Ordering::Relaxed);
        let (text, values) = (self.text, self.values);
        match &mut self.connection.inner {
            Inner::SqliteWriter(connection) => {
                bound!(sqlx::query(text), values).fetch(connection).map(|row| Ok(Row::Sqlite(row?))).boxed()
            }
            Inner::Sqlite(connection) => bound!(sqlx::query(text), values)
                .fetch(&mut **connection)
                .map(|row| Ok(Row::Sqlite(row?)))
                .boxed(),
            Inner::Postgres(connection) => bound!(sqlx::query(text), values)
                .fetch(&mut **connection)
                .map(|row| Ok(Row::Postgres(row?)))
                .boxed(),
        }
    }
}

fn wrap<R>(rows: Vec<R>, row: impl Fn(R) -> Row) -> Vec<Row> {
    rows.into_iter().map(row).collect()
}
