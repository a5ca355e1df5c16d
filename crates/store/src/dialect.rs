//! The only place that knows how SQLite and PostgreSQL differ.
//!
//! SQL is written once, with `$1` placeholders, and a few words in braces:
//!
//! | word | SQLite | PostgreSQL |
//! | --- | --- | --- |
//! | `{batch}` | rows of the JSON array in `$1`, as `value` | the same |
//! | `{blob}` | the type of bytes | the same |
//! | `{greatest}` | `max` of several values | `greatest` |
//! | `{skip_locked}` | nothing (one writer) | rows another worker holds are left to it |
//! | `{for_update}` | nothing | rows are locked until the unit ends |
//! | `{database_time}` | the machine's clock, ms | the database's clock, ms |
//! | `{columns}` | every column of every table: `table_name`, `column_name`, `kind`, `key_position` (0: not in the primary key) | the same |
//! | `{database_bytes}` | pages in the file | what the server says |
//! | `{log_bytes}`, `{log_syncs}`, `{server_process}` | nothing (not counted) | what the server counts |
//!
//! In a batch, `value->>0` is the first element of each row; bytes travel as hexadecimal text (`unhex`, which
//! PostgreSQL learns in the first migration).

use std::sync::OnceLock;

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Embedded.
    Sqlite,
    /// A server, shared by many workers.
    Postgres,
}

const SQLITE: &[(&str, &str)] = &[
    ("{batch}", "json_each($1) AS batch"),
    ("{blob}", "BLOB"),
    ("{greatest}", "max"),
    ("{skip_locked}", ""),
    ("{for_update}", ""),
    ("{database_time}", "CAST(unixepoch('subsec') * 1000 AS BIGINT)"),
    ("{database_bytes}", "(SELECT page_count * page_size FROM pragma_page_count, pragma_page_size)"),
    ("{log_bytes}", "CAST(NULL AS BIGINT)"),
    ("{log_syncs}", "CAST(NULL AS BIGINT)"),
    ("{server_process}", "CAST(NULL AS BIGINT)"),
    ("{columns}", SQLITE_COLUMNS),
];

const POSTGRES: &[(&str, &str)] = &[
    ("{batch}", "jsonb_array_elements(CAST($1 AS jsonb)) AS batch(value)"),
    ("{blob}", "BYTEA"),
    ("{greatest}", "greatest"),
    ("{skip_locked}", "FOR UPDATE SKIP LOCKED"),
    ("{for_update}", "FOR UPDATE"),
    ("{database_time}", "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"),
    ("{database_bytes}", "pg_database_size(current_database())"),
    ("{log_bytes}", "CAST(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS BIGINT)"),
    // By name, because version 18 moved the column to another view: missing is NULL, not an error.
    ("{log_syncs}", "(SELECT CAST(to_jsonb(wal)->>'wal_sync' AS BIGINT) FROM pg_stat_wal AS wal)"),
    ("{server_process}", "CAST(pg_backend_pid() AS BIGINT)"),
    ("{columns}", POSTGRES_COLUMNS),
];

impl Dialect {
    pub(crate) fn render(self, text: &str) -> String {
        let words: &[(&str, &str)] = match self {
            Self::Sqlite => SQLITE,
            Self::Postgres => POSTGRES,
        };
        words.iter().fold(text.to_owned(), |text, (word, meaning)| text.replace(word, meaning))
    }

    /// Whether text may hold the character NUL, as SQLite's may and PostgreSQL's may not.
    pub(crate) const fn keeps_nul(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// As a word for events and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

const SQLITE_COLUMNS: &str = "(
    SELECT t.name AS table_name, c.name AS column_name, upper(c.type) AS kind, c.pk AS key_position
    FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c
    WHERE t.type = 'table' AND substr(t.name, 1, 7) <> 'sqlite_'
) AS columns_of_tables";

// `int2vector` counts from 0.
const POSTGRES_COLUMNS: &str = "(
    SELECT CAST(t.relname AS TEXT) AS table_name, CAST(c.attname AS TEXT) AS column_name,
           upper(format_type(c.atttypid, c.atttypmod)) AS kind,
           coalesce(array_position(CAST(k.indkey AS SMALLINT[]), c.attnum) + 1, 0) AS key_position
    FROM pg_class AS t
    JOIN pg_attribute AS c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped
    LEFT JOIN pg_index AS k ON k.indrelid = t.oid AND k.indisprimary
    WHERE t.relkind IN ('r', 'p')
      AND t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
) AS columns_of_tables";

/// One statement, rendered for each database once.
#[derive(Debug)]
pub struct Sql {
    text: &'static str,
    sqlite: OnceLock<&'static str>,
    postgres: OnceLock<&'static str>,
}

impl Sql {
    /// A statement. Keep it in a `static`: each distinct one is rendered and prepared once.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text, sqlite: OnceLock::new(), postgres: OnceLock::new() }
    }

    pub(crate) fn text(&self, dialect: Dialect) -> &'static str {
        let cell = match dialect {
            Dialect::Sqlite => &self.sqlite,
            Dialect::Postgres => &self.postgres,
        };
        // Statements are statics, so what is leaked is bounded by the source code.
        cell.get_or_init(|| Box::leak(dialect.render(self.text).into_boxed_str()))
    }
}

/// Declares a statement and uses it in place.
macro_rules! sql {
    ($text:expr) => {{
        static STATEMENT: $crate::dialect::Sql = $crate::dialect::Sql::new($text);
        &STATEMENT
    }};
}
pub(crate) use sql;
