//! Links that people were sent: only keyed hashes of their tokens are kept.

use habeas_domain::{LinkId, RequestId, RunId};
use jiff::Timestamp;

use crate::connection::{Batch, Connection, Row};
use crate::dialect::sql;
use crate::error::StoreError;

/// A link.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its id.
    pub id: LinkId,
    /// Keyed hash of its token and purpose.
    pub token_hash: Vec<u8>,
    /// What it is for (`verify`, `contact`, `download`).
    pub purpose: String,
    /// Of which request.
    pub request: RequestId,
    /// Which run a contact answers for.
    pub run: Option<RunId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it can be used.
    pub expires_at: Timestamp,
    /// When it was used up.
    pub used_at: Option<Timestamp>,
    /// Keyed hash of the one-time code that was mailed last.
    pub code_hash: Option<Vec<u8>>,
    /// Until when that code can be used.
    pub code_until: Option<Timestamp>,
    /// Wrong codes since the last one was mailed.
    pub codes_tried: u64,
    /// Codes mailed since `codes_since`.
    pub codes_sent: u64,
    /// From when the codes that were mailed are counted.
    pub codes_since: Option<Timestamp>,
    /// Keyed hash of what lets a browser download after it gave the code.
    pub grant_hash: Option<Vec<u8>>,
    /// Until when.
    pub grant_until: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "id, token_hash, purpose, request_id, run_id, created_at, expires_at, used_at, code_hash, code_until,
         codes_tried, codes_sent, codes_since, grant_hash, grant_until"
    };
}

impl Link {
    /// A link that nobody used yet.
    #[must_use]
    pub fn new(
        id: LinkId,
        token_hash: Vec<u8>,
        purpose: &str,
        (request, run): (RequestId, Option<RunId>),
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> Self {
        Self {
            id,
            token_hash,
            purpose: purpose.to_owned(),
            request,
            run,
            created_at,
            expires_at,
            used_at: None,
            code_hash: None,
            code_until: None,
            codes_tried: 0,
            codes_sent: 0,
            codes_since: None,
            grant_hash: None,
            grant_until: None,
        }
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed(0, "links.id")?,
            token_hash: row.bytes(1)?,
            purpose: row.text(2)?,
            request: row.parsed(3, "links.request_id")?,
            run: row.optional_parsed(4, "links.run_id")?,
            created_at: row.time(5)?,
            expires_at: row.time(6)?,
            used_at: row.optional_time(7)?,
            code_hash: row.optional_bytes(8)?,
            code_until: row.optional_time(9)?,
            codes_tried: row.count(10)?,
            codes_sent: row.count(11)?,
            codes_since: row.optional_time(12)?,
            grant_hash: row.optional_bytes(13)?,
            grant_until: row.optional_time(14)?,
        })
    }
}

/// Adds links.
///
/// # Errors
/// If the database fails.
pub async fn insert(connection: &mut Connection, links: &[Link]) -> Result<(), StoreError> {
    let mut rows = Batch::default();
    for link in links {
        rows.row()
            .text(link.id)
            .bytes(&link.token_hash)
            .text(&link.purpose)
            .text(link.request)
            .optional_text(link.run)
            .time(link.created_at)
            .time(link.expires_at);
    }
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!(
            "INSERT INTO links (id, token_hash, purpose, request_id, run_id, created_at, expires_at)
             SELECT value->>0, unhex(value->>1), value->>2, value->>3, value->>4, CAST(value->>5 AS BIGINT),
                 CAST(value->>6 AS BIGINT)
             FROM {batch}"
        ))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// The link with one of these hashes.
///
/// # Errors
/// If the database fails.
pub async fn find(connection: &mut Connection, token_hashes: &[Vec<u8>]) -> Result<Option<Link>, StoreError> {
    let row = connection
        .sql(sql!(concat!(
            "SELECT ",
            columns!(),
            " FROM links WHERE token_hash IN (SELECT unhex(value->>0) FROM {batch}) LIMIT 1"
        )))
        .batch(&Batch::of(token_hashes.iter().map(hex::encode)))
        .first()
        .await?;
    row.as_ref().map(Link::read).transpose()
}

/// Which request a link belongs to.
///
/// # Errors
/// If the database fails.
pub async fn request_of(connection: &mut Connection, id: LinkId) -> Result<Option<RequestId>, StoreError> {
    let row = connection.sql(sql!("SELECT request_id FROM links WHERE id = $1")).text(id).first().await?;
    row.map(|row| row.parsed(0, "links.request_id")).transpose()
}

/// Until when the newest unused link of a purpose of a request can be used.
///
/// # Errors
/// If the database fails.
pub async fn newest_end(
    connection: &mut Connection,
    purpose: &str,
    request: RequestId,
) -> Result<Option<Timestamp>, StoreError> {
    let row = connection
        .sql(sql!(
            "SELECT max(expires_at) FROM links WHERE request_id = $1 AND purpose = $2 AND used_at IS NULL"
        ))
        .text(request)
        .text(purpose)
        .first()
        .await?;
    row.map_or(Ok(None), |row| row.optional_time(0))
}

/// One link, locked until the unit ends. Its request is locked before.
///
/// # Errors
/// If the database fails.
pub async fn lock(connection: &mut Connection, id: LinkId) -> Result<Option<Link>, StoreError> {
    let row = connection
        .sql(sql!(concat!("SELECT ", columns!(), " FROM links WHERE id = $1 {for_update}")))
        .text(id)
        .first()
        .await?;
    row.as_ref().map(Link::read).transpose()
}

/// Writes back what may change of a link.
///
/// # Errors
/// If the database fails.
pub async fn save(connection: &mut Connection, link: &Link) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "UPDATE links SET expires_at = $2, used_at = $3, code_hash = $4, code_until = $5, codes_tried = $6,
                 codes_sent = $7, codes_since = $8, grant_hash = $9, grant_until = $10
             WHERE id = $1"
        ))
        .text(link.id)
        .time(link.expires_at)
        .time(link.used_at)
        .bytes(link.code_hash.clone())
        .time(link.code_until)
        .integer(i64::try_from(link.codes_tried).unwrap_or(i64::MAX))
        .integer(i64::try_from(link.codes_sent).unwrap_or(i64::MAX))
        .time(link.codes_since)
        .bytes(link.grant_hash.clone())
        .time(link.grant_until)
        .execute()
        .await?;
    Ok(())
}

/// Uses up every unused link of a purpose: of a request, or of one of its runs.
///
/// # Errors
/// If the database fails.
pub async fn use_up(
    connection: &mut Connection,
    purpose: &str,
    (request, run): (RequestId, Option<RunId>),
    at: Timestamp,
) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "UPDATE links SET used_at = $4
             WHERE request_id = $2 AND purpose = $1 AND (CAST($3 AS TEXT) IS NULL OR run_id = $3) AND used_at IS NULL"
        ))
        .text(purpose)
        .text(request)
        .optional_text(run)
        .time(at)
        .execute()
        .await?;
    Ok(())
}

/// Uses up what is left of the links that were made for a purpose in several requests.
///
/// # Errors
/// If the database fails.
pub async fn use_up_all(
    connection: &mut Connection,
    purpose: &str,
    requests: impl IntoIterator<Item = RequestId>,
    at: Timestamp,
) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "UPDATE links SET used_at = $3
             WHERE purpose = $2 AND used_at IS NULL AND request_id IN (SELECT value->>0 FROM {batch})"
        ))
        .batch(&Batch::of(requests))
        .text(purpose)
        .time(at)
        .execute()
        .await?;
    Ok(())
}

/// The links of a request, oldest first.
///
/// # Errors
/// If the database fails.
pub async fn of_request(connection: &mut Connection, request: RequestId) -> Result<Vec<Link>, StoreError> {
    connection
        .sql(sql!(concat!("SELECT ", columns!(), " FROM links WHERE request_id = $1 ORDER BY id")))
        .text(request)
        .rows()
        .await?
        .iter()
        .map(Link::read)
        .collect()
}

/// Removes the links of requests, with the work that waits for them.
///
/// # Errors
/// If the database fails.
pub async fn forget(
    connection: &mut Connection,
    requests: impl IntoIterator<Item = RequestId>,
) -> Result<(), StoreError> {
    let requests = Batch::of(requests);
    connection
        .sql(sql!(
            "DELETE FROM due_work WHERE kind = 'link' AND object_id IN (
                 SELECT id FROM links WHERE request_id IN (SELECT value->>0 FROM {batch}))"
        ))
        .batch(&requests)
        .execute()
        .await?;
    connection
        .sql(sql!("DELETE FROM links WHERE request_id IN (SELECT value->>0 FROM {batch})"))
        .batch(&requests)
        .execute()
        .await?;
    Ok(())
}
