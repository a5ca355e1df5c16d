//! Reading and changing a database behind the store's back.

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _,
    SqliteConnection,
};

/// A connection that takes any SQL: what somebody with the database's password could do.
#[derive(Debug)]
pub enum RawConnection {
    /// To a SQLite file.
    Sqlite(SqliteConnection),
    /// To PostgreSQL.
    Postgres(PgConnection),
}

impl RawConnection {
    pub(crate) async fn open(url: &str) -> Self {
        if url.starts_with("sqlite:") {
            let options: sqlx::sqlite::SqliteConnectOptions = url.parse().expect("a SQLite URL");
            let options = options
                .create_if_missing(true)
                .foreign_keys(true)
                .busy_timeout(std::time::Duration::from_secs(10));
            Self::Sqlite(options.connect().await.expect("a SQLite file"))
        } else {
            Self::Postgres(PgConnection::connect(url).await.expect("a PostgreSQL database"))
        }
    }

    /// Runs one or several statements; how many rows they changed.
    pub async fn run(&mut self, statements: impl Into<String>) -> u64 {
        let text = sqlx::raw_sql(AssertSqlSafe(statements.into()));
        match self {
            Self::Sqlite(connection) => connection.execute(text).await.expect("SQL").rows_affected(),
            Self::Postgres(connection) => connection.execute(text).await.expect("SQL").rows_affected(),
        }
    }

    /// The first column, which must be text, of every row.
    pub async fn texts(&mut self, query: impl Into<String>) -> Vec<String> {
        let text = sqlx::raw_sql(AssertSqlSafe(query.into()));
        match self {
            Self::Sqlite(connection) => {
                connection.fetch_all(text).await.expect("SQL").iter().map(|row| row.get(0)).collect()
            }
            Self::Postgres(connection) => {
                connection.fetch_all(text).await.expect("SQL").iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// The first column, which must be a whole number of 64 bits, of the first row.
    pub async fn number(&mut self, query: impl Into<String>) -> i64 {
        let text = sqlx::raw_sql(AssertSqlSafe(query.into()));
        match self {
            Self::Sqlite(connection) => connection.fetch_one(text).await.expect("SQL").get(0),
            Self::Postgres(connection) => connection.fetch_one(text).await.expect("SQL").get(0),
        }
    }

    /// `bytes` as this database spells them in SQL.
    #[must_use]
    pub fn bytes(&self, bytes: &[u8]) -> String {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Sqlite(_) => format!("x'{digits}'"),
            Self::Postgres(_) => format!("CAST('\\x{digits}' AS bytea)"),
        }
    }

    /// The names of all tables.
    pub async fn tables(&mut self) -> Vec<String> {
        let query = match self {
            Self::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
            Self::Postgres(_) => {
                "SELECT CAST(tablename AS text) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
            }
        };
        self.texts(query).await
    }

    /// The names of a table's columns.
    pub async fn columns(&mut self, table: &str) -> Vec<String> {
        let query = match self {
            Self::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"),
            Self::Postgres(_) => format!(
                "SELECT CAST(column_name AS text) FROM information_schema.columns
                 WHERE table_schema = 'public' AND table_name = '{table}' ORDER BY ordinal_position"
            ),
        };
        self.texts(query).await
    }

    /// Some columns of every row of a table, each row as text (bytes as hexadecimal digits).
    pub async fn rows(&mut self, table: &str, columns: &[String]) -> Vec<String> {
        let quoted = columns.iter().map(|column| format!("\"{column}\""));
        let query = match self {
            Self::Sqlite(_) => {
                let columns: Vec<_> = quoted.map(|column| format!("quote({column})")).collect();
                format!("SELECT {} FROM \"{table}\" ORDER BY 1", columns.join(" || ',' || "))
            }
            Self::Postgres(_) => {
                let row = format!("CAST(ROW({}) AS text)", quoted.collect::<Vec<_>>().join(", "));
                format!("SELECT {row} FROM \"{table}\" ORDER BY {row} COLLATE \"C\"")
            }
        };
        self.texts(query).await
    }

    /// Every row of every table as text: equal before and after if nothing changed.
    pub async fn dump(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for table in self.tables().await {
            let columns = self.columns(&table).await;
            let rows = self.rows(&table, &columns).await;
            lines.push(format!("== {table}"));
            lines.extend(rows);
        }
        lines
    }
}
