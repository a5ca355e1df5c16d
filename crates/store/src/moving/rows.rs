//! Rows on their way: read one after the other, written many at once.

use futures::TryStreamExt as _;
use futures::stream::BoxStream;

use super::MovedTable;
use super::digest::Digest;
use super::end::Role;
use super::error::MoveError;
use super::tables::Carried;
use crate::connection::{Batch, Connection, LARGEST_IN_A_BATCH, Row, Value};
use crate::dialect::{Dialect, sql};
use crate::error::StoreError;
use crate::schema::Kind;

/// Rows that are written in one transaction at most, and bytes of content after which no more are taken in.
const MOST_ROWS: u64 = 5_000;
const MOST_BYTES: usize = 1 << 20;

/// How far a table has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Position {
    pub(super) rows: u64,
    pub(super) digest: Digest,
    /// The key of the last row, as JSON.
    pub(super) last_key: Option<String>,
    pub(super) complete: bool,
}

/// What is written in one transaction.
pub(super) struct Load {
    batch: Batch,
    /// Rows with a value that no batch takes.
    single: Vec<Vec<Value>>,
    /// Where the table stands afterwards.
    pub(super) position: Position,
}

/// The rows of one table behind a position.
pub(super) struct Reader<'c> {
    rows: BoxStream<'c, Result<Row, StoreError>>,
    carried: &'c Carried,
    role: Role,
    target: Dialect,
    position: Position,
}

impl<'c> Reader<'c> {
    /// Begins to read; `target` is where the rows will go.
    pub(super) fn begin(
        connection: &'c mut Connection,
        carried: &'c Carried,
        role: Role,
        target: Dialect,
        position: Position,
    ) -> Result<Self, MoveError> {
        let rows = match &position.last_key {
            None => connection.sql(carried.read).stream(),
            Some(key) => {
                let key = read_key(carried, key).map_err(|error| Role::Target.failed(error))?;
                connection.sql(carried.read_on).values(key).stream()
            }
        };
        Ok(Self { rows, carried, role, target, position })
    }

    /// The next rows; `None` after the last one.
    pub(super) async fn load(&mut self) -> Result<Option<Load>, MoveError> {
        let (mut batch, mut single) = (Batch::default(), Vec::new());
        let (mut rows, mut bytes, mut key) = (0, 0, None);
        while rows < MOST_ROWS && bytes < MOST_BYTES {
            let Some(row) = self.next().await? else { break };
            rows += 1;
            bytes += row.iter().map(size).sum::<usize>();
            key = Some(written_key(self.carried, &row));
            if row.iter().all(fits) { add(&mut batch, row) } else { single.push(row) }
        }
        let Some(key) = key else { return Ok(None) };
        self.position.last_key = Some(key);
        Ok(Some(Load { batch, single, position: self.position.clone() }))
    }

    /// Reads to the end without keeping anything; the position then.
    pub(super) async fn skim(mut self) -> Result<Position, MoveError> {
        while self.next().await?.is_some() {}
        Ok(self.position)
    }

    async fn next(&mut self) -> Result<Option<Vec<Value>>, MoveError> {
        let role = self.role;
        let failed = |error| role.failed(error);
        let Some(row) = self.rows.try_next().await.map_err(failed)? else { return Ok(None) };
        let columns = &self.carried.table.columns;
        let read = |(at, kind): (usize, Option<Kind>)| match kind {
            Some(Kind::Integer) => row.optional_integer(at).map(Value::Integer),
            Some(Kind::Text) => row.optional_text(at).map(Value::Text),
            Some(Kind::Bytes) => row.optional_bytes(at).map(Value::Bytes),
            None => Err(StoreError::Corrupt("a column of an unknown type")),
        };
        let kinds = columns.iter().map(|column| column.kind).enumerate();
        let row = kinds.map(read).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        if let Some(at) = row.iter().position(has_nul)
            && !self.target.keeps_nul()
        {
            let column = columns.get(at).map(|column| column.name.clone()).unwrap_or_default();
            return Err(MoveError::Nul { table: self.carried.name().to_owned(), column });
        }
        self.position.rows += 1;
        self.position.digest.add(&row);
        Ok(Some(row))
    }
}

/// Writes rows and how far the table has come with them; inside a transaction of the caller's.
pub(super) async fn write(target: &mut Connection, carried: &Carried, load: Load) -> Result<(), StoreError> {
    if !load.batch.is_empty() {
        target.sql(carried.insert_batch).batch(&load.batch).execute().await?;
    }
    for row in load.single {
        target.sql(carried.insert_one).values(row).execute().await?;
    }
    note(target, carried.name(), &load.position).await
}

/// Notes how far a table has come.
pub(super) async fn note(
    target: &mut Connection,
    table: &str,
    position: &Position,
) -> Result<(), StoreError> {
    target
        .sql(sql!(
            "INSERT INTO moved_tables (name, row_count, digest, last_key, complete) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (name) DO UPDATE SET row_count = excluded.row_count, digest = excluded.digest,
               last_key = excluded.last_key, complete = excluded.complete"
        ))
        .text(table)
        .integer(i64::try_from(position.rows).unwrap_or(i64::MAX))
        .bytes(position.digest.as_bytes().to_vec())
        .optional_text(position.last_key.as_ref())
        .integer(i64::from(position.complete))
        .execute()
        .await?;
    Ok(())
}

/// How far a table has come.
pub(super) async fn position(target: &mut Connection, table: &str) -> Result<Position, StoreError> {
    let row = target
        .sql(sql!("SELECT row_count, digest, last_key, complete FROM moved_tables WHERE name = $1"))
        .text(table)
        .first()
        .await?;
    let Some(row) = row else { return Ok(Position::default()) };
    Ok(Position {
        rows: row.count(0)?,
        digest: Digest::from_stored(&row.bytes(1)?).ok_or(StoreError::Corrupt("moved_tables.digest"))?,
        last_key: row.optional_text(2)?,
        complete: row.flag(3)?,
    })
}

/// Every table as it was when it had come.
pub(super) async fn noted(target: &mut Connection) -> Result<Vec<MovedTable>, StoreError> {
    let rows =
        target.sql(sql!("SELECT name, row_count, digest FROM moved_tables ORDER BY name")).rows().await?;
    rows.iter()
        .map(|row| {
            Ok(MovedTable { name: row.text(0)?, rows: row.count(1)?, digest: hex::encode(row.bytes(2)?) })
        })
        .collect()
}

fn size(value: &Value) -> usize {
    match value {
        Value::Integer(_) => 8,
        Value::Text(text) => text.as_ref().map_or(0, String::len),
        Value::Bytes(bytes) => bytes.as_ref().map_or(0, Vec::len),
    }
}

fn has_nul(value: &Value) -> bool {
    matches!(value, Value::Text(Some(text)) if text.contains('\0'))
}

/// Whether a batch takes the value. JSON knows NUL, but neither database reads it out of there.
fn fits(value: &Value) -> bool {
    size(value) <= LARGEST_IN_A_BATCH && !has_nul(value)
}

fn add(batch: &mut Batch, row: Vec<Value>) {
    let mut writing = batch.row();
    for value in row {
        match value {
            Value::Integer(number) => writing.integer(number),
            Value::Text(text) => writing.optional_text(text),
            Value::Bytes(bytes) => writing.optional_bytes(bytes.as_deref()),
        };
    }
}

/// A row's key as JSON.
fn written_key(carried: &Carried, row: &[Value]) -> String {
    let parts: Vec<serde_json::Value> = carried
        .table
        .key
        .iter()
        .map(|at| match row.get(*at) {
            Some(Value::Integer(number)) => (*number).into(),
            Some(Value::Text(text)) => text.clone().into(),
            Some(Value::Bytes(bytes)) => bytes.as_ref().map(hex::encode).into(),
            None => serde_json::Value::Null,
        })
        .collect();
    serde_json::Value::from(parts).to_string()
}

fn read_key(carried: &Carried, key: &str) -> Result<Vec<Value>, StoreError> {
    const UNREADABLE: StoreError = StoreError::Corrupt("moved_tables.last_key");
    let parts: Vec<serde_json::Value> = serde_json::from_str(key).map_err(|_| UNREADABLE)?;
    let kinds =
        carried.table.key.iter().map(|at| carried.table.columns.get(*at).and_then(|column| column.kind));
    if parts.len() != carried.table.key.len() {
        return Err(UNREADABLE);
    }
    kinds
        .zip(parts)
        .map(|(kind, part)| match (kind, part) {
            (Some(Kind::Integer), part) => part.as_i64().map(|number| Value::Integer(Some(number))),
            (Some(Kind::Text), serde_json::Value::String(text)) => Some(Value::Text(Some(text))),
            (Some(Kind::Bytes), serde_json::Value::String(digits)) => {
                hex::decode(digits).ok().map(|bytes| Value::Bytes(Some(bytes)))
            }
            _ => None,
        })
        .map(|value| value.ok_or(UNREADABLE))
        .collect()
}
