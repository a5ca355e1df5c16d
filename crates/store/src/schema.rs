//! Which tables and columns the database really has. Asked when it matters, so that no second list can go stale.

use std::collections::BTreeMap;

use crate::connection::Connection;
use crate::dialect::sql;
use crate::error::StoreError;

/// The three types that we store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Numbers, flags and times.
    Integer,
    /// Ids, words, dates and JSON.
    Text,
    /// Hashes and sealed values.
    Bytes,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// `None`: of a type that no migration of ours uses.
    pub(crate) kind: Option<Kind>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// By name, because the order of columns may differ between databases.
    pub(crate) columns: Vec<Column>,
    /// Places in `columns` of what makes up the primary key, in the key's order.
    pub(crate) key: Vec<usize>,
}

/// Every table, by name.
pub(crate) async fn tables(connection: &mut Connection) -> Result<Vec<Table>, StoreError> {
    let rows = connection
        .sql(sql!("SELECT table_name, column_name, kind, CAST(key_position AS BIGINT) FROM {columns}"))
        .rows()
        .await?;
    let mut tables: BTreeMap<String, BTreeMap<String, (Option<Kind>, i64)>> = BTreeMap::new();
    for row in &rows {
        let columns = tables.entry(row.text(0)?).or_default();
        columns.insert(row.text(1)?, (kind(&row.text(2)?), row.integer(3)?));
    }
    Ok(tables.into_iter().map(|(name, columns)| table(name, columns)).collect())
}

/// Whether there is a table of this name.
pub(crate) async fn has_table(connection: &mut Connection, name: &str) -> Result<bool, StoreError> {
    let row = connection
        .sql(sql!("SELECT CAST(count(*) AS BIGINT) FROM {columns} WHERE table_name = $1"))
        .text(name)
        .first()
        .await?;
    Ok(row.map_or(Ok(0), |row| row.integer(0))? > 0)
}

fn table(name: String, columns: BTreeMap<String, (Option<Kind>, i64)>) -> Table {
    let mut key: Vec<(i64, usize)> = columns
        .values()
        .enumerate()
        .filter(|(_, (_, position))| *position > 0)
        .map(|(at, (_, position))| (*position, at))
        .collect();
    key.sort_unstable();
    Table {
        name,
        columns: columns.into_iter().map(|(name, (kind, _))| Column { name, kind }).collect(),
        key: key.into_iter().map(|(_, at)| at).collect(),
    }
}

fn kind(word: &str) -> Option<Kind> {
    match word {
        "BIGINT" => Some(Kind::Integer),
        "TEXT" => Some(Kind::Text),
        "BLOB" | "BYTEA" => Some(Kind::Bytes),
        _ => None,
    }
}
