//! What a database says about itself, for sizing machines.

use crate::database::Store;
use crate::dialect::sql;
use crate::error::StoreError;

/// What a database says about itself at one moment. Counts run since an arbitrary beginning: take differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatabaseFigures {
    /// How large the database is, in bytes, logs apart.
    pub bytes: u64,
    /// Bytes written to the write-ahead log; SQLite does not count them.
    pub log_bytes: Option<u64>,
    /// How often the write-ahead log was forced to disk. The server's processes tell it about once a second; SQLite does
    /// not count it, nor does PostgreSQL from version 18 on in this place.
    pub log_syncs: Option<u64>,
    /// The process of the server that answered, by its id on the server's machine; SQLite has none.
    pub server_process: Option<u64>,
}

impl Store {
    /// What the database says about itself.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn figures(&self) -> Result<DatabaseFigures, StoreError> {
        let mut reader = self.reader().await?;
        let row = reader
            .sql(sql!("SELECT {database_bytes}, {log_bytes}, {log_syncs}, {server_process}"))
            .first()
            .await?
            .ok_or(StoreError::Corrupt("the figures of the database"))?;
        let count =
            |at| Ok::<_, StoreError>(row.optional_integer(at)?.and_then(|count| u64::try_from(count).ok()));
        Ok(DatabaseFigures {
            bytes: row.count(0)?,
            log_bytes: count(1)?,
            log_syncs: count(2)?,
            server_process: count(3)?,
        })
    }
}
