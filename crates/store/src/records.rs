//! What was found about subjects: sealed with the content key.

use habeas_domain::{ConnectionId, RecordId, RequestId, RunId};

use crate::connection::{Batch, Connection, LARGEST_IN_A_BATCH, Row};
use crate::dialect::sql;
use crate::error::StoreError;
use crate::keyring::Sealed;

/// A stored record.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its id.
    pub id: RecordId,
    /// Of which request.
    pub request: RequestId,
    /// Found by which run.
    pub run: RunId,
    /// Keyed hash of the vendor's id: tells a record found twice.
    pub vendor_key: Vec<u8>,
    /// Kind, vendor's id, title and fields, sealed with the content key.
    pub content: Sealed,
    /// Whether the reviewer left it selected.
    pub selected: bool,
    /// Why it was left out, if a reason was given.
    pub exception: Option<String>,
    /// What its deletion did, once tried.
    pub deletion: Option<String>,
}

impl Record {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed(0, "records.id")?,
            request: row.parsed(1, "records.request_id")?,
            run: row.parsed(2, "records.run_id")?,
            vendor_key: row.bytes(3)?,
            content: Sealed::from_stored(row.bytes(4)?),
            selected: row.flag(5)?,
            exception: row.optional_text(6)?,
            deletion: row.optional_text(7)?,
        })
    }
}

macro_rules! columns {
    () => {
        "id, request_id, run_id, vendor_key, content, selected, exception, deletion"
    };
}

/// Adds records; one that the same run found before is left as it is.
///
/// # Errors
/// If the database fails.
pub async fn insert(connection: &mut Connection, records: &[Record]) -> Result<(), StoreError> {
    let is_large = |record: &&Record| record.content.as_bytes().len() > LARGEST_IN_A_BATCH;
    for record in records.iter().filter(is_large) {
        connection
            .sql(sql!(
                "INSERT INTO records (id, request_id, run_id, vendor_key, content, selected)
                 VALUES ($1, $2, $3, $4, $5, 1) ON CONFLICT (run_id, vendor_key) DO NOTHING"
            ))
            .text(record.id)
            .text(record.request)
            .text(record.run)
            .bytes(record.vendor_key.clone())
            .bytes(record.content.as_bytes().to_vec())
            .execute()
            .await?;
    }
    let mut rows = Batch::default();
    for record in records.iter().filter(|record| !is_large(record)) {
        rows.row()
            .text(record.id)
            .text(record.request)
            .text(record.run)
            .bytes(&record.vendor_key)
            .bytes(record.content.as_bytes());
    }
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!(
            "INSERT INTO records (id, request_id, run_id, vendor_key, content, selected)
             SELECT value->>0, value->>1, value->>2, unhex(value->>3), unhex(value->>4), 1 FROM {batch} WHERE true
             ON CONFLICT (run_id, vendor_key) DO NOTHING"
        ))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// A request's records after `after`, in the order in which they were found.
///
/// # Errors
/// If the database fails.
pub async fn of_request(
    connection: &mut Connection,
    request: RequestId,
    after: Option<RecordId>,
    limit: i64,
) -> Result<Vec<Record>, StoreError> {
    connection
        .sql(sql!(concat!(
            "SELECT ",
            columns!(),
            " FROM records WHERE request_id = $1 AND id > $2 ORDER BY id LIMIT $3"
        )))
        .text(request)
        .text(after.map_or_else(String::new, |id| id.to_string()))
        .integer(limit)
        .rows()
        .await?
        .iter()
        .map(Record::read)
        .collect()
}

/// All records of several requests.
///
/// # Errors
/// If the database fails.
pub async fn of_requests(
    connection: &mut Connection,
    requests: impl IntoIterator<Item = RequestId>,
) -> Result<Vec<Record>, StoreError> {
    connection
        .sql(sql!(concat!(
            "SELECT ",
            columns!(),
            " FROM records WHERE request_id IN (SELECT value->>0 FROM {batch}) ORDER BY request_id, id"
        )))
        .batch(&Batch::of(requests))
        .rows()
        .await?
        .iter()
        .map(Record::read)
        .collect()
}

/// One record of a request.
///
/// # Errors
/// If the database fails.
pub async fn find(
    connection: &mut Connection,
    request: RequestId,
    record: RecordId,
) -> Result<Option<Record>, StoreError> {
    let row = connection
        .sql(sql!(concat!("SELECT ", columns!(), " FROM records WHERE id = $2 AND request_id = $1")))
        .text(request)
        .text(record)
        .first()
        .await?;
    row.as_ref().map(Record::read).transpose()
}

/// The selected records of a run after `after`, in the order in which they were found.
///
/// # Errors
/// If the database fails.
pub async fn selected_of_run(
    connection: &mut Connection,
    (request, run): (RequestId, RunId),
    after: Option<RecordId>,
    limit: i64,
) -> Result<Vec<Record>, StoreError> {
    connection
        .sql(sql!(concat!(
            "SELECT ",
            columns!(),
            " FROM records WHERE request_id = $1 AND id > $2 AND run_id = $3 AND selected <> 0
              ORDER BY id LIMIT $4"
        )))
        .text(request)
        .text(after.map_or_else(String::new, |id| id.to_string()))
        .text(run)
        .integer(limit)
        .rows()
        .await?
        .iter()
        .map(Record::read)
        .collect()
}

/// What a reviewer left out of requests: `(request, run, reason, how many)`.
///
/// # Errors
/// If the database fails.
pub async fn count_left_out(
    connection: &mut Connection,
    requests: impl IntoIterator<Item = RequestId>,
) -> Result<Vec<(RequestId, RunId, Option<String>, u64)>, StoreError> {
    connection
        .sql(sql!(
            "SELECT request_id, run_id, exception, CAST(count(*) AS BIGINT) FROM records
             WHERE selected = 0 AND request_id IN (SELECT value->>0 FROM {batch})
             GROUP BY request_id, run_id, exception"
        ))
        .batch(&Batch::of(requests))
        .rows()
        .await?
        .iter()
        .map(|row| {
            let (request, run) = (row.parsed(0, "records.request_id")?, row.parsed(1, "records.run_id")?);
            Ok((request, run, row.optional_text(2)?, row.count(3)?))
        })
        .collect()
}

/// How many records each run found: `(run, all, selected)`.
///
/// # Errors
/// If the database fails.
pub async fn count_by_run(
    connection: &mut Connection,
    runs: impl IntoIterator<Item = RunId>,
) -> Result<std::collections::HashMap<RunId, (u64, u64)>, StoreError> {
    connection
        .sql(sql!(
            "SELECT run_id, CAST(count(*) AS BIGINT), CAST(coalesce(sum(selected), 0) AS BIGINT) FROM records
             WHERE run_id IN (SELECT value->>0 FROM {batch}) GROUP BY run_id"
        ))
        .batch(&Batch::of(runs))
        .rows()
        .await?
        .iter()
        .map(|row| Ok((row.parsed(0, "records.run_id")?, (row.count(1)?, row.count(2)?))))
        .collect()
}

/// Sets what the reviewer decided about a record; whether there is such a record.
///
/// # Errors
/// If the database fails.
pub async fn select(
    connection: &mut Connection,
    request: RequestId,
    record: RecordId,
    selected: bool,
    exception: Option<&str>,
) -> Result<bool, StoreError> {
    let changed = connection
        .sql(sql!("UPDATE records SET selected = $3, exception = $4 WHERE id = $2 AND request_id = $1"))
        .text(request)
        .text(record)
        .integer(i64::from(selected))
        .optional_text(exception)
        .execute()
        .await?;
    Ok(changed == 1)
}

/// Notes what the deletion of records did.
///
/// # Errors
/// If the database fails.
pub async fn note_deletions(
    connection: &mut Connection,
    deletions: impl IntoIterator<Item = (RecordId, &'static str)>,
) -> Result<(), StoreError> {
    let mut rows = Batch::default();
    for (record, deletion) in deletions {
        rows.row().text(record).text(deletion);
    }
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!("UPDATE records SET deletion = value->>1 FROM {batch} WHERE records.id = value->>0"))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// Puts what runs had found, and what was found again after its deletion, back to be deleted; how many records.
///
/// # Errors
/// If the database fails.
pub async fn reopen_leftovers(
    connection: &mut Connection,
    runs: impl IntoIterator<Item = RunId>,
) -> Result<u64, StoreError> {
    connection
        .sql(sql!(
            "UPDATE records SET deletion = NULL
             WHERE run_id IN (SELECT value->>0 FROM {batch}) AND deletion = 'still_there'"
        ))
        .batch(&Batch::of(runs))
        .execute()
        .await
}

/// How many records of each request and connection are known to be gone.
///
/// # Errors
/// If the database fails.
pub async fn count_deleted(
    connection: &mut Connection,
    requests: impl IntoIterator<Item = RequestId>,
) -> Result<std::collections::HashMap<(RequestId, ConnectionId), u64>, StoreError> {
    connection
        .sql(sql!(
            "SELECT records.request_id, runs.connection_id, CAST(count(*) AS BIGINT)
             FROM records JOIN runs ON runs.id = records.run_id
             WHERE records.deletion IN ('deleted', 'already_gone')
               AND records.request_id IN (SELECT value->>0 FROM {batch})
             GROUP BY records.request_id, runs.connection_id"
        ))
        .batch(&Batch::of(requests))
        .rows()
        .await?
        .iter()
        .map(|row| {
            let key = (row.parsed(0, "records.request_id")?, row.parsed(1, "runs.connection_id")?);
            Ok((key, row.count(2)?))
        })
        .collect()
}

/// Removes the records and the packages of requests, after their content keys were destroyed.
///
/// # Errors
/// If the database fails.
pub async fn delete_content(
    connection: &mut Connection,
    requests: impl IntoIterator<Item = RequestId>,
) -> Result<(), StoreError> {
    let requests = Batch::of(requests);
    connection
        .sql(sql!("DELETE FROM records WHERE request_id IN (SELECT value->>0 FROM {batch})"))
        .batch(&requests)
        .execute()
        .await?;
    connection
        .sql(sql!("DELETE FROM packages WHERE request_id IN (SELECT value->>0 FROM {batch})"))
        .batch(&requests)
        .execute()
        .await?;
    Ok(())
}
