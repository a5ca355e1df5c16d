//! Requests and the keyed hashes that find them.

use std::collections::BTreeMap;

use habeas_domain::lifecycle::{Outcome, RequestState, Standing};
use habeas_domain::reason::{HoldReason, Relationship};
use habeas_domain::{IdentifierType, RequestId, Right};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::connection::{Batch, Connection, Row};
use crate::dialect::sql;
use crate::error::StoreError;
use crate::keyring::Sealed;

pub use listing::{Filter, Position, list};

/// A stored request. `open_runs` is kept by [`settle`] alone.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// What is asked.
    pub right: Right,
    /// Under which policy.
    pub policy: String,
    /// Where it stands.
    pub state: RequestState,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The hold that lies on it.
    pub hold: Option<HoldReason>,
    /// How it came in (`api`).
    pub source: String,
    /// In which role the company holds the data.
    pub relationship: Option<Relationship>,
    /// Whether a person looks before anything is delivered or deleted.
    pub review: bool,
    /// How an access ends (`api`, `mail`).
    pub delivery: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// On which local date the clock started.
    pub received_on: Date,
    /// Last day to answer.
    pub due_on: Date,
    /// The end of that day: what due work is ordered by.
    pub due_at: Timestamp,
    /// Last day to acknowledge, where the law asks for it.
    pub acknowledge_due_on: Option<Date>,
    /// Which legal clock runs.
    pub clock_key: String,
    /// In which version.
    pub clock_version: i64,
    /// Last day on which an extension is accepted.
    pub cutoff_on: Option<Date>,
    /// Whether it was extended.
    pub extended: bool,
    /// Whether an identifier is not yet known to be the subject's.
    pub unverified: bool,
    /// Runs of the current phase that are not settled.
    pub open_runs: i64,
    /// Identifiers and the like, sealed with the case key.
    pub details: Sealed,
    /// Who took it in.
    pub created_by: String,
    /// When it was taken in.
    pub created_at: Timestamp,
    /// When it closed.
    pub closed_at: Option<Timestamp>,
    /// When the content key is to be destroyed; `None` before it closes and after it is done.
    pub forget_content_at: Option<Timestamp>,
    /// When the case key is to be destroyed.
    pub forget_case_at: Option<Timestamp>,
}

impl Request {
    /// What its moves depend on.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        Standing { state: self.state, hold: self.hold, outcome: self.outcome }
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed(0, "requests.id")?,
            right: row.parsed(1, "requests.right_name")?,
            policy: row.text(2)?,
            state: row.parsed(3, "requests.state")?,
            outcome: row.optional_parsed(4, "requests.outcome")?,
            hold: row.optional_parsed(5, "requests.hold")?,
            source: row.text(6)?,
            relationship: row.optional_parsed(7, "requests.relationship")?,
            review: row.flag(8)?,
            delivery: row.text(9)?,
            received_at: row.time(10)?,
            received_on: row.parsed(11, "requests.received_on")?,
            due_on: row.parsed(12, "requests.due_on")?,
            due_at: row.time(13)?,
            acknowledge_due_on: row.optional_parsed(14, "requests.acknowledge_due_on")?,
            clock_key: row.text(15)?,
            clock_version: row.integer(16)?,
            cutoff_on: row.optional_parsed(17, "requests.cutoff_on")?,
            extended: row.flag(18)?,
            unverified: row.flag(19)?,
            open_runs: row.integer(20)?,
            details: Sealed::from_stored(row.bytes(21)?),
            created_by: row.text(22)?,
            created_at: row.time(23)?,
            closed_at: row.optional_time(24)?,
            forget_content_at: row.optional_time(25)?,
            forget_case_at: row.optional_time(26)?,
        })
    }
}

macro_rules! columns {
    () => {
        "id, right_name, policy, state, outcome, hold, source, relationship, review, delivery, received_at,
         received_on, due_on, due_at, acknowledge_due_on, clock_key, clock_version, cutoff_on, extended, unverified,
         open_runs, details, created_by, created_at, closed_at, forget_content_at, forget_case_at"
    };
}

mod listing;

/// Adds requests.
///
/// # Errors
/// If the database fails.
pub async fn insert(connection: &mut Connection, requests: &[Request]) -> Result<(), StoreError> {
    let mut rows = Batch::default();
    for request in requests {
        rows.row()
            .text(request.id)
            .text(request.right)
            .text(&request.policy)
            .text(request.state)
            .optional_text(request.outcome)
            .optional_text(request.hold)
            .text(&request.source)
            .optional_text(request.relationship)
            .integer(i64::from(request.review))
            .text(&request.delivery)
            .time(request.received_at)
            .text(request.received_on)
            .text(request.due_on)
            .time(request.due_at)
            .optional_text(request.acknowledge_due_on)
            .text(&request.clock_key)
            .integer(request.clock_version)
            .optional_text(request.cutoff_on)
            .integer(i64::from(request.extended))
            .integer(i64::from(request.unverified))
            .integer(request.open_runs)
            .bytes(request.details.as_bytes())
            .text(&request.created_by)
            .time(request.created_at);
    }
    connection
        .sql(sql!(
            "INSERT INTO requests (id, right_name, policy, state, outcome, hold, source, relationship, review,
                 delivery, received_at, received_on, due_on, due_at, acknowledge_due_on, clock_key, clock_version,
                 cutoff_on, extended, unverified, open_runs, details, created_by, created_at)
             SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7,
                 CAST(value->>8 AS BIGINT), value->>9, CAST(value->>10 AS BIGINT), value->>11, value->>12,
                 CAST(value->>13 AS BIGINT), value->>14, value->>15, CAST(value->>16 AS BIGINT), value->>17,
                 CAST(value->>18 AS BIGINT), CAST(value->>19 AS BIGINT), CAST(value->>20 AS BIGINT),
                 unhex(value->>21), value->>22, CAST(value->>23 AS BIGINT)
             FROM {batch}"
        ))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// Writes back what may change of requests that this unit has locked; not `open_runs`.
///
/// # Errors
/// If the database fails.
pub async fn save<'r>(
    connection: &mut Connection,
    requests: impl IntoIterator<Item = &'r Request>,
) -> Result<(), StoreError> {
    let mut rows = Batch::default();
    for request in requests {
        rows.row()
            .text(request.id)
            .text(request.right)
            .text(&request.policy)
            .text(request.state)
            .optional_text(request.outcome)
            .optional_text(request.hold)
            .optional_text(request.relationship)
            .text(request.due_on)
            .time(request.due_at)
            .optional_text(request.acknowledge_due_on)
            .text(&request.clock_key)
            .integer(request.clock_version)
            .optional_text(request.cutoff_on)
            .integer(i64::from(request.extended))
            .integer(i64::from(request.unverified))
            .bytes(request.details.as_bytes())
            .time(request.closed_at)
            .time(request.forget_content_at)
            .time(request.forget_case_at);
    }
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!(
            "UPDATE requests SET right_name = value->>1, policy = value->>2, state = value->>3, outcome = value->>4,
                 hold = value->>5, relationship = value->>6, due_on = value->>7, due_at = CAST(value->>8 AS BIGINT),
                 acknowledge_due_on = value->>9, clock_key = value->>10, clock_version = CAST(value->>11 AS BIGINT),
                 cutoff_on = value->>12, extended = CAST(value->>13 AS BIGINT), unverified = CAST(value->>14 AS BIGINT),
                 details = unhex(value->>15), closed_at = CAST(value->>16 AS BIGINT),
                 forget_content_at = CAST(value->>17 AS BIGINT), forget_case_at = CAST(value->>18 AS BIGINT)
             FROM {batch} WHERE requests.id = value->>0"
        ))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// Takes `settled` runs off each request's count of open ones (a negative number adds); the counts that remain.
/// Whoever reads zero moves the request on, and nobody else does. A unit that settles several requests has locked them
/// ([`lock`]), or two such units could wait for each other.
///
/// # Errors
/// If the database fails, or more runs would be settled than were open.
pub async fn settle(
    connection: &mut Connection,
    settled: impl IntoIterator<Item = (RequestId, i64)>,
) -> Result<Vec<(RequestId, i64)>, StoreError> {
    // A statement changes a row once, so what is settled of one request goes in as one number.
    let mut by_request: BTreeMap<RequestId, i64> = BTreeMap::new();
    for (request, runs) in settled {
        *by_request.entry(request).or_default() += runs;
    }
    let mut rows = Batch::default();
    for (request, runs) in by_request {
        rows.row().text(request).integer(runs);
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    connection
        .sql(sql!(
            "UPDATE requests SET open_runs = open_runs - CAST(value->>1 AS BIGINT)
             FROM {batch} WHERE requests.id = value->>0 RETURNING id, open_runs"
        ))
        .batch(&rows)
        .rows()
        .await?
        .iter()
        .map(|row| Ok((row.parsed(0, "requests.id")?, row.integer(1)?)))
        .collect()
}

/// One request.
///
/// # Errors
/// If the database fails.
pub async fn find(connection: &mut Connection, id: RequestId) -> Result<Option<Request>, StoreError> {
    let row = connection
        .sql(sql!(concat!("SELECT ", columns!(), " FROM requests WHERE id = $1")))
        .text(id)
        .first()
        .await?;
    row.as_ref().map(Request::read).transpose()
}

/// Requests, locked until the unit ends, in the order of their ids so that two units cannot wait for each other.
///
/// # Errors
/// If the database fails.
pub async fn lock(
    connection: &mut Connection,
    ids: impl IntoIterator<Item = RequestId>,
) -> Result<Vec<Request>, StoreError> {
    connection
        .sql(sql!(concat!(
            "SELECT ",
            columns!(),
            " FROM requests WHERE id IN (SELECT value->>0 FROM {batch}) ORDER BY id {for_update}"
        )))
        .batch(&Batch::of(ids))
        .rows()
        .await?
        .iter()
        .map(Request::read)
        .collect()
}

/// Files requests under keyed hashes of their identifiers.
///
/// # Errors
/// If the database fails.
pub async fn insert_identifiers(
    connection: &mut Connection,
    identifiers: impl IntoIterator<Item = (RequestId, IdentifierType, Vec<u8>)>,
) -> Result<(), StoreError> {
    let mut rows = Batch::default();
    for (request, kind, lookup) in identifiers {
        rows.row().bytes(&lookup).text(request).text(kind);
    }
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!(
            "INSERT INTO request_identifiers (lookup, request_id, kind)
             SELECT unhex(value->>0), value->>1, value->>2 FROM {batch} WHERE true
             ON CONFLICT (lookup, request_id) DO NOTHING"
        ))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// Takes requests out of the index of identifiers: part of forgetting.
///
/// # Errors
/// If the database fails.
pub async fn delete_identifiers(
    connection: &mut Connection,
    requests: impl IntoIterator<Item = RequestId>,
) -> Result<(), StoreError> {
    connection
        .sql(sql!("DELETE FROM request_identifiers WHERE request_id IN (SELECT value->>0 FROM {batch})"))
        .batch(&Batch::of(requests))
        .execute()
        .await?;
    Ok(())
}

/// Open requests of the given rights that are filed under the given hashes: `(right, lookup, request)`.
///
/// # Errors
/// If the database fails.
pub async fn open_with(
    connection: &mut Connection,
    wanted: impl IntoIterator<Item = (Right, Vec<u8>)>,
) -> Result<Vec<(Right, Vec<u8>, RequestId)>, StoreError> {
    let mut rows = Batch::default();
    for (right, lookup) in wanted {
        rows.row().text(right).bytes(&lookup);
    }
    connection
        .sql(sql!(
            "SELECT requests.right_name, request_identifiers.lookup, requests.id
             FROM {batch}
             JOIN request_identifiers ON request_identifiers.lookup = unhex(value->>1)
             JOIN requests ON requests.id = request_identifiers.request_id
             WHERE requests.right_name = value->>0 AND requests.state <> 'closed'
             ORDER BY requests.id"
        ))
        .batch(&rows)
        .rows()
        .await?
        .iter()
        .map(|row| Ok((row.parsed(0, "requests.right_name")?, row.bytes(1)?, row.parsed(2, "requests.id")?)))
        .collect()
}

/// What is to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgetting {
    /// Records and package.
    Content,
    /// Identifiers, notes.
    Case,
}

/// Requests whose time to be forgotten has come.
///
/// # Errors
/// If the database fails.
pub async fn to_forget(
    connection: &mut Connection,
    what: Forgetting,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<RequestId>, StoreError> {
    let statement = match what {
        Forgetting::Content => {
            sql!("SELECT id FROM requests WHERE forget_content_at <= $1 ORDER BY forget_content_at LIMIT $2")
        }
        Forgetting::Case => {
            sql!("SELECT id FROM requests WHERE forget_case_at <= $1 ORDER BY forget_case_at LIMIT $2")
        }
    };
    connection
        .sql(statement)
        .time(now)
        .integer(limit)
        .rows()
        .await?
        .iter()
        .map(|row| row.parsed(0, "requests.id"))
        .collect()
}
