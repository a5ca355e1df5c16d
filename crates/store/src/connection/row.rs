//! A row of either database, read by position.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::error::StoreError;

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
