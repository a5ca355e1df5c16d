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

impl Dialect {
    pub(crate) fn render(self, text: &str) -> String {
        let (batch, blob, greatest, skip_locked, for_update, database_time) = match self {
            Self::Sqlite => (
                "json_each($1) AS batch",
                "BLOB",
                "max",
                "",
                "",
                "CAST(unixepoch('subsec') * 1000 AS BIGINT)",
            ),
            Self::Postgres => (
                "jsonb_array_elements(CAST($1 AS jsonb)) AS batch(value)",
                "BYTEA",
                "greatest",
                "FOR UPDATE SKIP LOCKED",
                "FOR UPDATE",
                "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
            ),
        };
        text.replace("{batch}", batch)
            .replace("{blob}", blob)
            .replace("{greatest}", greatest)
            .replace("{skip_locked}", skip_locked)
            .replace("{for_update}", for_update)
            .replace("{database_time}", database_time)
    }
}

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
