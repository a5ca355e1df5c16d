//! The tables that a move carries, and the statements that carry them: made from the schema as it is, so that no table
//! and no column can be forgotten.

use super::end::Role;
use super::error::MoveError;
use crate::connection::Connection;
use crate::dialect::Sql;
use crate::schema::{self, Kind, Table};

/// What belongs to a database and not to the installation in it.
const OWN: [&str; 3] = ["schema_versions", "moves", "moved_tables"];

/// A table with its statements.
pub(super) struct Carried {
    pub(super) table: Table,
    pub(super) count: &'static Sql,
    pub(super) clear: &'static Sql,
    /// Every row, in the key's order.
    pub(super) read: &'static Sql,
    /// The rows behind a key, in its order.
    pub(super) read_on: &'static Sql,
    /// Many rows in one parameter.
    pub(super) insert_batch: &'static Sql,
    /// One row, each value in a parameter of its own.
    pub(super) insert_one: &'static Sql,
}

impl Carried {
    pub(super) fn name(&self) -> &str {
        &self.table.name
    }

    /// How many rows it has.
    pub(super) async fn count(&self, connection: &mut Connection, role: Role) -> Result<u64, MoveError> {
        let row = connection.sql(self.count).first().await.map_err(|error| role.failed(error))?;
        row.map_or(Ok(0), |row| row.count(0)).map_err(|error| role.failed(error))
    }
}

/// The tables that an installation has, if both databases have the same.
pub(super) async fn carried(
    source: &mut Connection,
    target: &mut Connection,
) -> Result<Vec<Carried>, MoveError> {
    let source = of(source, Role::Source).await?;
    let target = of(target, Role::Target).await?;
    if let Some(table) = first_difference(&source, &target) {
        return Err(MoveError::SchemaDiffers { table });
    }
    source.into_iter().map(with_statements).collect()
}

/// The tables of one database that hold an installation.
pub(super) async fn of(connection: &mut Connection, role: Role) -> Result<Vec<Table>, MoveError> {
    let mut tables = schema::tables(connection).await.map_err(|error| role.failed(error))?;
    tables.retain(|table| !OWN.contains(&table.name.as_str()));
    Ok(tables)
}

fn first_difference(source: &[Table], target: &[Table]) -> Option<String> {
    let all = source.iter().chain(target);
    all.into_iter()
        .find(|table| !(source.contains(table) && target.contains(table)))
        .map(|table| table.name.clone())
}

/// The statement that counts a table's rows.
pub(super) fn counting(table: &Table) -> Result<&'static Sql, MoveError> {
    let name = quoted(&table.name).ok_or_else(|| differs(table))?;
    Ok(made(format!("SELECT CAST(count(*) AS BIGINT) FROM {name}")))
}

fn with_statements(table: Table) -> Result<Carried, MoveError> {
    let made_of = |table: &Table| {
        let name = quoted(&table.name)?;
        let columns = table.columns.iter().map(|column| quoted(&column.name)).collect::<Option<Vec<_>>>()?;
        let kinds = table.columns.iter().map(|column| column.kind).collect::<Option<Vec<_>>>()?;
        Some((name, columns, kinds))
    };
    let (name, columns, kinds) =
        made_of(&table).filter(|_| !table.key.is_empty()).ok_or_else(|| differs(&table))?;
    let all = columns.join(", ");
    let key = table.key.iter().filter_map(|at| columns.get(*at).cloned()).collect::<Vec<_>>().join(", ");
    let numbered = |count: usize| (1..=count).map(|at| format!("${at}")).collect::<Vec<_>>().join(", ");
    let behind = numbered(table.key.len());
    let values: Vec<String> = kinds
        .iter()
        .enumerate()
        .map(|(at, kind)| match kind {
            Kind::Integer => format!("CAST(value->>{at} AS BIGINT)"),
            Kind::Text => format!("value->>{at}"),
            Kind::Bytes => format!("unhex(value->>{at})"),
        })
        .collect();
    let (values, places) = (values.join(", "), numbered(columns.len()));
    Ok(Carried {
        count: counting(&table)?,
        clear: made(format!("DELETE FROM {name}")),
        read: made(format!("SELECT {all} FROM {name} ORDER BY {key}")),
        read_on: made(format!("SELECT {all} FROM {name} WHERE ({key}) > ({behind}) ORDER BY {key}")),
        insert_batch: made(format!("INSERT INTO {name} ({all}) SELECT {values} FROM {{batch}}")),
        insert_one: made(format!("INSERT INTO {name} ({all}) VALUES ({places})")),
        table,
    })
}

fn differs(table: &Table) -> MoveError {
    MoveError::SchemaDiffers { table: table.name.clone() }
}

/// A name of ours, so that it can stand in a statement; nothing else is let through.
fn quoted(name: &str) -> Option<String> {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    (plain && !name.is_empty()).then(|| format!("\"{name}\""))
}

/// A process moves one installation, so what is leaked is bounded by the number of its tables.
fn made(text: String) -> &'static Sql {
    Box::leak(Box::new(Sql::new(Box::leak(text.into_boxed_str()))))
}
