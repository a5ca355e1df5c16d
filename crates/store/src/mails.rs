//! Mails to people: what was written to whom, and what became of it.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

use habeas_domain::{ConnectionId, MailId, RequestId};
use jiff::Timestamp;

use crate::audit::Stream;
use crate::connection::{Batch, Connection, Row};
use crate::dialect::sql;
use crate::error::StoreError;
use crate::keyring::Sealed;

/// A mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Its id.
    pub id: MailId,
    /// What it is about.
    pub about: About,
    /// What it says (`download_ready`).
    pub kind: String,
    /// Whom it is for (`subject`, `contact`, `team`).
    pub audience: String,
    /// What became of it (`queued`, `sending`, `sent`, `written`, `failed`, `dropped`).
    pub state: String,
    /// Attempts that failed.
    pub attempts: u64,
    /// Recipient, subject and text, sealed with the request's case key or the connection's key. Empty once that is destroyed.
    pub content: Sealed,
    /// Why it did not leave the last time: a stable code, and words for people.
    pub problem: Option<(String, String)>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it left.
    pub sent_at: Option<Timestamp>,
}

/// What a mail is about. Its text is the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum About {
    /// A request.
    Request(RequestId),
    /// A connection.
    Connection(ConnectionId),
}

impl About {
    /// Whose history tells of the mail.
    #[must_use]
    pub const fn stream(self) -> Stream {
        match self {
            Self::Request(id) => Stream::Request(id),
            Self::Connection(id) => Stream::Connection(id),
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(id) => id.fmt(formatter),
            Self::Connection(id) => id.fmt(formatter),
        }
    }
}

impl FromStr for About {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(id) => Ok(Self::Request(id)),
            Err(_) => Ok(Self::Connection(text.parse()?)),
        }
    }
}

macro_rules! columns {
    () => {
        "id, about, kind, audience, state, attempts, content, problem_code, problem,
         created_at, sent_at"
    };
}

impl Mail {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed(0, "mails.id")?,
            about: row.parsed(1, "mails.about")?,
            kind: row.text(2)?,
            audience: row.text(3)?,
            state: row.text(4)?,
            attempts: row.count(5)?,
            content: Sealed::from_stored(row.bytes(6)?),
            problem: row.optional_text(7)?.zip(row.optional_text(8)?),
            created_at: row.time(9)?,
            sent_at: row.optional_time(10)?,
        })
    }
}

/// Adds mails.
///
/// # Errors
/// If the database fails.
pub async fn insert(connection: &mut Connection, mails: &[Mail]) -> Result<(), StoreError> {
    let mut rows = Batch::default();
    for mail in mails {
        rows.row()
            .text(mail.id)
            .text(mail.about)
            .text(&mail.kind)
            .text(&mail.audience)
            .text(&mail.state)
            .bytes(mail.content.as_bytes())
            .time(mail.created_at);
    }
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!(
            "INSERT INTO mails (id, about, kind, audience, state, attempts, content, created_at)
             SELECT value->>0, value->>1, value->>2, value->>3, value->>4, 0, unhex(value->>5),
                 CAST(value->>6 AS BIGINT)
             FROM {batch}"
        ))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// Mails by their ids, locked until the unit ends.
///
/// # Errors
/// If the database fails.
pub async fn lock(
    connection: &mut Connection,
    ids: impl IntoIterator<Item = MailId>,
) -> Result<Vec<Mail>, StoreError> {
    connection
        .sql(sql!(concat!(
            "SELECT ",
            columns!(),
            " FROM mails WHERE id IN (SELECT value->>0 FROM {batch}) ORDER BY id {for_update}"
        )))
        .batch(&Batch::of(ids))
        .rows()
        .await?
        .iter()
        .map(Mail::read)
        .collect()
}

/// Writes back what may change of mails.
///
/// # Errors
/// If the database fails.
pub async fn save<'m>(
    connection: &mut Connection,
    mails: impl IntoIterator<Item = &'m Mail>,
) -> Result<(), StoreError> {
    let mut rows = Batch::default();
    for mail in mails {
        rows.row()
            .text(mail.id)
            .text(&mail.state)
            .integer(i64::try_from(mail.attempts).unwrap_or(i64::MAX))
            .bytes(mail.content.as_bytes())
            .optional_text(mail.problem.as_ref().map(|(code, _)| code))
            .optional_text(mail.problem.as_ref().map(|(_, message)| message))
            .time(mail.sent_at);
    }
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!(
            "UPDATE mails SET state = value->>1, attempts = CAST(value->>2 AS BIGINT), content = unhex(value->>3),
                 problem_code = value->>4, problem = value->>5, sent_at = CAST(value->>6 AS BIGINT)
             FROM {batch} WHERE mails.id = value->>0"
        ))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// Notes that mails may leave from now on.
///
/// # Errors
/// If the database fails.
pub async fn note_sending(
    connection: &mut Connection,
    ids: impl IntoIterator<Item = MailId>,
) -> Result<(), StoreError> {
    let rows = Batch::of(ids);
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .sql(sql!("UPDATE mails SET state = 'sending' WHERE id IN (SELECT value->>0 FROM {batch})"))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// Drops what waits to leave for one audience of a request: it is not wanted any more.
///
/// # Errors
/// If the database fails.
pub async fn drop_queued(
    connection: &mut Connection,
    request: RequestId,
    audience: &str,
) -> Result<(), StoreError> {
    connection
        .sql(sql!(
            "UPDATE mails SET state = 'dropped' WHERE about = $1 AND audience = $2 AND state = 'queued'"
        ))
        .text(request)
        .text(audience)
        .execute()
        .await?;
    Ok(())
}

/// A request's mails, oldest first.
///
/// # Errors
/// If the database fails.
pub async fn of_request(connection: &mut Connection, request: RequestId) -> Result<Vec<Mail>, StoreError> {
    connection
        .sql(sql!(concat!("SELECT ", columns!(), " FROM mails WHERE about = $1 ORDER BY id")))
        .text(request)
        .rows()
        .await?
        .iter()
        .map(Mail::read)
        .collect()
}

/// How many mails of each request did not reach anybody.
///
/// # Errors
/// If the database fails.
pub async fn count_failed(
    connection: &mut Connection,
    requests: impl IntoIterator<Item = RequestId>,
) -> Result<HashMap<RequestId, u64>, StoreError> {
    connection
        .sql(sql!(
            "SELECT about, CAST(count(*) AS BIGINT) FROM mails
             WHERE state = 'failed' AND about IN (SELECT value->>0 FROM {batch}) GROUP BY about"
        ))
        .batch(&Batch::of(requests))
        .rows()
        .await?
        .iter()
        .map(|row| Ok((row.parsed(0, "mails.about")?, row.count(1)?)))
        .collect()
}

/// How many mails wait to leave.
///
/// # Errors
/// If the database fails.
pub async fn count_queued(connection: &mut Connection) -> Result<u64, StoreError> {
    let row = connection
        .sql(sql!("SELECT CAST(count(*) AS BIGINT) FROM mails WHERE state IN ('queued', 'sending')"))
        .first()
        .await?;
    row.map_or(Ok(0), |row| row.count(0))
}

/// Whether a mail of this kind was written about it since then.
///
/// # Errors
/// If the database fails.
pub async fn was_written(
    connection: &mut Connection,
    about: About,
    kind: &str,
    since: Timestamp,
) -> Result<bool, StoreError> {
    let row = connection
        .sql(sql!("SELECT id FROM mails WHERE about = $1 AND kind = $2 AND created_at >= $3 LIMIT 1"))
        .text(about)
        .text(kind)
        .time(since)
        .first()
        .await?;
    Ok(row.is_some())
}

/// Which of these mails nothing may be left of: their requests were forgotten, or nobody knows them.
///
/// # Errors
/// If the database fails.
pub async fn forgotten(
    connection: &mut Connection,
    ids: impl IntoIterator<Item = MailId>,
) -> Result<BTreeSet<MailId>, StoreError> {
    let rows = connection
        .sql(sql!(
            "SELECT value->>0 FROM {batch} WHERE NOT EXISTS (
                 SELECT 1 FROM mails WHERE mails.id = value->>0 AND length(mails.content) > 0)"
        ))
        .batch(&Batch::of(ids))
        .rows()
        .await?;
    rows.iter().map(|row| row.parsed(0, "a mail's id")).collect()
}

/// Takes away what mails about these requests or connections said and to whom, after their keys were destroyed; that they
/// were sent stays.
/// What had not left by then never leaves.
///
/// # Errors
/// If the database fails.
pub async fn forget(
    connection: &mut Connection,
    about: impl IntoIterator<Item = About>,
) -> Result<(), StoreError> {
    let requests = Batch::of(about);
    connection
        .sql(sql!(
            "DELETE FROM due_work WHERE kind = 'mail' AND object_id IN (
                 SELECT id FROM mails WHERE about IN (SELECT value->>0 FROM {batch}))"
        ))
        .batch(&requests)
        .execute()
        .await?;
    connection
        .sql(sql!(
            "UPDATE mails SET content = unhex(''),
                 state = CASE WHEN state IN ('queued', 'sending') THEN 'failed' ELSE state END
             WHERE about IN (SELECT value->>0 FROM {batch})"
        ))
        .batch(&requests)
        .execute()
        .await?;
    Ok(())
}
