//! One connection to either database, and rows of the three types that we store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt as _;
use futures::stream::BoxStream;
use jiff::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Executor, Postgres, Row as _, Sqlite};

use crate::dialect::{Dialect, Sql};
use crate::error::StoreError;

/// What is larger is written by itself, as bytes: in a batch it would travel as text of twice its size, and PostgreSQL
/// bounds that text.
pub(crate) const LARGEST_IN_A_BATCH: usize = 256 << 10;

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

/// A row; columns are read by position.
#[derive(Debug)]
pub enum Row {
    #[doc(hidden)]
    Sqlite(SqliteRow),
    #[doc(hidden)]
    Postgres(PgRow),
}

macro_rules! column {
    ($row:expr, $at:expr, $kind:ty) => {
        match $row {
            Row::Sqlite(row) => row.try_get::<$kind, _>($at)?,
            Row::Postgres(row) => row.try_get::<$kind, _>($at)?,
        }
    };
}

impl Row {
    /// A whole number.
    ///
    /// # Errors
    /// If the column is of another type or empty.
    pub fn integer(&self, at: usize) -> Result<i64, StoreError> {
        Ok(column!(self, at, i64))
    }

    /// A whole number or nothing.
    ///
    /// # Errors
    /// If the column is of another type.
    pub fn optional_integer(&self, at: usize) -> Result<Option<i64>, StoreError> {
        Ok(column!(self, at, Option<i64>))
    }

    /// A count or another number that is never negative.
    ///
    /// # Errors
    /// If the column is of another type, empty or negative.
    pub fn count(&self, at: usize) -> Result<u64, StoreError> {
        u64::try_from(self.integer(at)?).map_err(|_| StoreError::Corrupt("a count"))
    }

    /// A yes or no.
    ///
    /// # Errors
    /// If the column is of another type or empty.
    pub fn flag(&self, at: usize) -> Result<bool, StoreError> {
        Ok(self.integer(at)? != 0)
    }

    /// A moment.
    ///
    /// # Errors
    /// If the column is of another type or empty.
    pub fn time(&self, at: usize) -> Result<Timestamp, StoreError> {
        timestamp(self.integer(at)?)
    }

    /// A moment or nothing.
    ///
    /// # Errors
    /// If the column is of another type.
    pub fn optional_time(&self, at: usize) -> Result<Option<Timestamp>, StoreError> {
        self.optional_integer(at)?.map(timestamp).transpose()
    }

    /// Text.
    ///
    /// # Errors
    /// If the column is of another type or empty.
    pub fn text(&self, at: usize) -> Result<String, StoreError> {
        Ok(column!(self, at, String))
    }

    /// Text or nothing.
    ///
    /// # Errors
    /// If the column is of another type.
    pub fn optional_text(&self, at: usize) -> Result<Option<String>, StoreError> {
        Ok(column!(self, at, Option<String>))
    }

    /// A word, an id or a date.
    ///
    /// # Errors
    /// If the text cannot be read as one.
    pub fn parsed<T: std::str::FromStr>(&self, at: usize, what: &'static str) -> Result<T, StoreError> {
        self.text(at)?.parse().map_err(|_| StoreError::Corrupt(what))
    }

    /// A word, an id or a date, or nothing.
    ///
    /// # Errors
    /// If the text cannot be read as one.
    pub fn optional_parsed<T: std::str::FromStr>(
        &self,
        at: usize,
        what: &'static str,
    ) -> Result<Option<T>, StoreError> {
        self.optional_text(at)?.map(|text| text.parse().map_err(|_| StoreError::Corrupt(what))).transpose()
    }

    /// A stored JSON value.
    ///
    /// # Errors
    /// If the text is not such JSON.
    pub fn json<T: serde::de::DeserializeOwned>(
        &self,
        at: usize,
        what: &'static str,
    ) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(at)?).map_err(|_| StoreError::Corrupt(what))
    }

    /// Bytes.
    ///
    /// # Errors
    /// If the column is of another type or empty.
    pub fn bytes(&self, at: usize) -> Result<Vec<u8>, StoreError> {
        Ok(column!(self, at, Vec<u8>))
    }

    /// Bytes or nothing.
    ///
    /// # Errors
    /// If the column is of another type.
    pub fn optional_bytes(&self, at: usize) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(column!(self, at, Option<Vec<u8>>))
    }
}

fn timestamp(milliseconds: i64) -> Result<Timestamp, StoreError> {
    // The end of time does not come back through its own milliseconds.
    if milliseconds == Timestamp::MAX.as_millisecond() {
        return Ok(Timestamp::MAX);
    }
    // By second and part: `from_millisecond` refuses the rest of the last second.
    let nanoseconds = i32::try_from(milliseconds % 1_000).unwrap_or_default() * 1_000_000;
    Timestamp::new(milliseconds / 1_000, nanoseconds).map_err(|_| StoreError::Corrupt("a time"))
}

/// Many rows in one parameter: a JSON array of arrays, built without intermediate values.
#[derive(Debug)]
pub struct Batch {
    json: String,
    rows: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self { json: "[]".to_owned(), rows: 0 }
    }
}

impl Batch {
    /// A batch of single-column rows.
    pub fn of<T: ToString>(values: impl IntoIterator<Item = T>) -> Self {
        let mut batch = Self::default();
        for value in values {
            batch.row().text(value);
        }
        batch
    }

    /// Starts the next row.
    pub fn row(&mut self) -> BatchRow<'_> {
        self.json.pop();
        if self.rows > 0 {
            self.json.push(',');
        }
        self.rows += 1;
        self.json.push('[');
        BatchRow { batch: self, columns: 0 }
    }

    /// How many rows there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows == 0
    }
}

/// A row being written; it is complete when dropped.
#[derive(Debug)]
pub struct BatchRow<'b> {
    batch: &'b mut Batch,
    columns: usize,
}

impl BatchRow<'_> {
    fn next(&mut self) -> &mut String {
        if self.columns > 0 {
            self.batch.json.push(',');
        }
        self.columns += 1;
        &mut self.batch.json
    }

    /// A whole number or nothing.
    pub fn integer(&mut self, value: impl Into<Option<i64>>) -> &mut Self {
        use std::fmt::Write as _;
        match value.into() {
            Some(value) => {
                let _ = write!(self.next(), "{value}");
            }
            None => self.next().push_str("null"),
        }
        self
    }

    /// A moment or nothing.
    pub fn time(&mut self, value: impl Into<Option<Timestamp>>) -> &mut Self {
        self.integer(value.into().map(Timestamp::as_millisecond))
    }

    /// Text.
    pub fn text(&mut self, value: impl ToString) -> &mut Self {
        // A string always serialises.
        let quoted = serde_json::to_string(&value.to_string()).unwrap_or_default();
        self.next().push_str(&quoted);
        self
    }

    /// Text or nothing.
    pub fn optional_text<T: ToString>(&mut self, value: Option<T>) -> &mut Self {
        match value {
            Some(value) => self.text(value),
            None => self.integer(None),
        }
    }

    /// Bytes, as hexadecimal text for `unhex`.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        // Into a slice: `hex::encode` goes digit by digit, and this was a twelfth of what an access costs.
        let mut digits = vec![0; value.len() * 2];
        let written = hex::encode_to_slice(value, &mut digits);
        debug_assert!(written.is_ok(), "two digits for each byte");
        let json = self.next();
        json.push('"');
        json.push_str(&String::from_utf8_lossy(&digits));
        json.push('"');
        self
    }

    /// Bytes or nothing.
    pub fn optional_bytes(&mut self, value: Option<&[u8]>) -> &mut Self {
        match value {
            Some(value) => self.bytes(value),
            None => self.integer(None),
        }
    }
}

impl Drop for BatchRow<'_> {
    fn drop(&mut self) {
        self.batch.json.push_str("]]");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_json() {
        let mut batch = Batch::default();
        assert_eq!(batch.json, "[]");
        batch.row().text("a\"b").integer(1).integer(None).bytes(&[0, 255]);
        batch.row().optional_text::<&str>(None).optional_bytes(None).bytes(&[]);
        assert_eq!(batch.json, r#"[["a\"b",1,null,"00ff"],[null,null,""]]"#);
    }
}
