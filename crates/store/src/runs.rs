//! Runs. Whoever writes a run holds its request's lock.

use habeas_domain::run::RunDetail;
use habeas_domain::{ConnectionId, Phase, RequestId, RunId, RunStatus};
use jiff::Timestamp;

use crate::connection::{Batch, Connection, Row};
use crate::dialect::sql;
use crate::error::StoreError;
use crate::keyring::Sealed;

/// A stored run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Of which request.
    pub request: RequestId,
    /// Of which connection.
    pub connection: ConnectionId,
    /// In which phase.
    pub phase: Phase,
    /// Where it stands.
    pub status: RunStatus,
    /// The line people read.
    pub detail: RunDetail,
    /// Whether the reviewer left the connection selected.
    pub selected: bool,
    /// Records found; `None` where access was skipped or is not over.
    pub records_found: Option<u64>,
    /// Records deleted.
    pub deleted: Option<u64>,
    /// What the plan expected of it before it began: records to be found or deleted, or people to be deleted (0 or 1).
    pub expected: Option<u64>,
    /// Failed attempts in a row.
    pub attempts: u32,
    /// When work goes on.
    pub next_at: Option<Timestamp>,
    /// What stays out of reach or behind: JSON, no personal data.
    pub residuals: serde_json::Value,
    /// What went wrong, sealed with the case key.
    pub failure: Option<Sealed>,
    /// A person's reason, sealed with the case key.
    pub note: Option<Sealed>,
    /// When it was planned.
    pub created_at: Timestamp,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
    /// The vendor's own id of the job that serves it.
    pub vendor_job: Option<String>,
    /// Whom it was handed over to, sealed with the case key; `None` where the connection's contact answers.
    pub contact: Option<Sealed>,
    /// What a contact answered, sealed with the case key.
    pub answer: Option<Sealed>,
}

macro_rules! columns {
    () => {
        "id, request_id, connection_id, phase, status, detail, selected, records_found, deleted, attempts, next_at,
         residuals, failure, note, created_at, settled_at, vendor_job, contact, answer, expected"
    };
}

impl Run {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed(0, "runs.id")?,
            request: row.parsed(1, "runs.request_id")?,
            connection: row.parsed(2, "runs.connection_id")?,
            phase: row.parsed(3, "runs.phase")?,
            status: row.parsed(4, "runs.status")?,
            detail: row.json(5, "runs.detail")?,
            selected: row.flag(6)?,
            records_found: optional_count(row.optional_integer(7)?)?,
            deleted: optional_count(row.optional_integer(8)?)?,
            attempts: u32::try_from(row.integer(9)?).map_err(|_| StoreError::Corrupt("runs.attempts"))?,
            next_at: row.optional_time(10)?,
            residuals: row.json(11, "runs.residuals")?,
            failure: row.optional_bytes(12)?.map(Sealed::from_stored),
            note: row.optional_bytes(13)?.map(Sealed::from_stored),
            created_at: row.time(14)?,
            settled_at: row.optional_time(15)?,
            vendor_job: row.optional_text(16)?,
            contact: row.optional_bytes(17)?.map(Sealed::from_stored),
            answer: row.optional_bytes(18)?.map(Sealed::from_stored),
            expected: optional_count(row.optional_integer(19)?)?,
        })
    }

    fn write(&self, rows: &mut Batch) {
        let count = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok());
        rows.row()
            .text(self.id)
            .text(self.request)
            .text(self.connection)
            .text(self.phase)
            .text(self.status)
            .text(serde_json::json!(self.detail))
            .integer(i64::from(self.selected))
            .integer(count(self.records_found))
            .integer(count(self.deleted))
            .integer(i64::from(self.attempts))
            .time(self.next_at)
            .text(&self.residuals)
            .optional_bytes(self.failure.as_ref().map(Sealed::as_bytes))
            .optional_bytes(self.note.as_ref().map(Sealed::as_bytes))
            .time(self.created_at)
            .time(self.settled_at)
            .optional_text(self.vendor_job.as_ref())
            .optional_bytes(self.contact.as_ref().map(Sealed::as_bytes))
            .optional_bytes(self.answer.as_ref().map(Sealed::as_bytes))
            .integer(count(self.expected));
    }
}

fn optional_count(value: Option<i64>) -> Result<Option<u64>, StoreError> {
    value.map(|value| u64::try_from(value).map_err(|_| StoreError::Corrupt("a count"))).transpose()
}

/// Adds runs, or writes back those that this unit changed.
///
/// # Errors
/// If the database fails.
pub async fn save<'r>(
    connection: &mut Connection,
    runs: impl IntoIterator<Item = &'r Run>,
) -> Result<(), StoreError> {
    let mut rows = Batch::default();
    for run in runs {
        run.write(&mut rows);
    }
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!(
            "INSERT INTO runs (id, request_id, connection_id, phase, status, detail, selected, records_found, deleted,
                 attempts, next_at, residuals, failure, note, created_at, settled_at, vendor_job, contact, answer,
                 expected)
             SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, CAST(value->>6 AS BIGINT),
                 CAST(value->>7 AS BIGINT), CAST(value->>8 AS BIGINT), CAST(value->>9 AS BIGINT),
                 CAST(value->>10 AS BIGINT), value->>11, unhex(value->>12), unhex(value->>13),
                 CAST(value->>14 AS BIGINT), CAST(value->>15 AS BIGINT), value->>16, unhex(value->>17),
                 unhex(value->>18), CAST(value->>19 AS BIGINT)
             FROM {batch} WHERE true
             ON CONFLICT (id) DO UPDATE SET status = excluded.status, detail = excluded.detail,
                 selected = excluded.selected, records_found = excluded.records_found, deleted = excluded.deleted,
                 attempts = excluded.attempts, next_at = excluded.next_at, residuals = excluded.residuals,
                 failure = excluded.failure, note = excluded.note, settled_at = excluded.settled_at,
                 vendor_job = excluded.vendor_job, contact = excluded.contact, answer = excluded.answer,
                 expected = excluded.expected"
        ))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// The runs of requests, in the order in which they were planned.
///
/// # Errors
/// If the database fails.
pub async fn of_requests(
    connection: &mut Connection,
    requests: impl IntoIterator<Item = RequestId>,
) -> Result<Vec<Run>, StoreError> {
    connection
        .sql(sql!(concat!(
            "SELECT ",
            columns!(),
            " FROM runs WHERE request_id IN (SELECT value->>0 FROM {batch}) ORDER BY request_id, id"
        )))
        .batch(&Batch::of(requests))
        .rows()
        .await?
        .iter()
        .map(Run::read)
        .collect()
}

/// Runs by their ids.
///
/// # Errors
/// If the database fails.
pub async fn by_ids(
    connection: &mut Connection,
    ids: impl IntoIterator<Item = RunId>,
) -> Result<Vec<Run>, StoreError> {
    connection
        .sql(sql!(concat!(
            "SELECT ",
            columns!(),
            " FROM runs WHERE id IN (SELECT value->>0 FROM {batch}) ORDER BY id"
        )))
        .batch(&Batch::of(ids))
        .rows()
        .await?
        .iter()
        .map(Run::read)
        .collect()
}

/// The runs that still need a connection: those that are not settled, and those of a deletion whose review is not over,
/// which the connection is to carry out.
///
/// # Errors
/// If the database fails.
pub async fn open(
    connection: &mut Connection,
    of: ConnectionId,
) -> Result<Vec<(RequestId, RunId)>, StoreError> {
    let rows = connection
        .sql(sql!(
            "SELECT runs.request_id, runs.id FROM runs LEFT JOIN requests ON requests.id = runs.request_id
             WHERE runs.connection_id = $1
               AND (runs.status IN ('not_started', 'processing', 'attention')
                    OR (requests.right_name = 'deletion' AND requests.state IN ('collecting', 'review')
                        AND runs.status = 'complete' AND runs.selected = 1))
             ORDER BY runs.id"
        ))
        .text(of)
        .rows()
        .await?;
    rows.iter().map(|row| Ok((row.parsed(0, "runs.request_id")?, row.parsed(1, "runs.id")?))).collect()
}

/// How many runs of each request need a person.
///
/// # Errors
/// If the database fails.
pub async fn count_attention(
    connection: &mut Connection,
    requests: impl IntoIterator<Item = RequestId>,
) -> Result<std::collections::HashMap<RequestId, u64>, StoreError> {
    connection
        .sql(sql!(
            "SELECT request_id, CAST(count(*) AS BIGINT) FROM runs
             WHERE status = 'attention' AND request_id IN (SELECT value->>0 FROM {batch}) GROUP BY request_id"
        ))
        .batch(&Batch::of(requests))
        .rows()
        .await?
        .iter()
        .map(|row| Ok((row.parsed(0, "runs.request_id")?, row.count(1)?)))
        .collect()
}
