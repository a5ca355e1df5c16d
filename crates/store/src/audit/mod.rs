//! The audit log: events in streams, each chained and authenticated; seals over all of them.
//!
//! An event's hash is an HMAC over every one of its columns and the hash before it in its stream, so altering,
//! removing or reordering breaks the stream. The stream's head carries the count and the newest hash under a
//! MAC of its own, so cutting a stream short shows. Seals sign a Merkle root over all events in the order of
//! their commits and chain to the seal before; a seal kept elsewhere shows a log that was rolled back.

use std::collections::BTreeMap;

use habeas_domain::{ConnectionId, EventId, RequestId};
use jiff::Timestamp;

use crate::connection::{Batch, Connection, Row};
use crate::dialect::sql;
use crate::error::StoreError;
use crate::keyring::Keyring;

pub mod seal;
pub mod verify;

pub use seal::Seal;
pub use verify::{Anchor, Verification};

/// Which chain an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// One request's history.
    Request(RequestId),
    /// One connection's history.
    Connection(ConnectionId),
    /// Everything else: keys, users, settings.
    System,
}

impl std::fmt::Display for Stream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Request(id) => id.fmt(formatter),
            Self::Connection(id) => id.fmt(formatter),
            Self::System => formatter.write_str("system"),
        }
    }
}

#[derive(Debug)]
pub(crate) struct NewEvent {
    pub(crate) id: EventId,
    pub(crate) stream: Stream,
    pub(crate) at: Timestamp,
    pub(crate) actor: String,
    pub(crate) kind: &'static str,
    pub(crate) object_id: String,
    pub(crate) data: String,
}

/// An event as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Place in the whole log, from 1, in the order of commits.
    pub position: i64,
    /// Its id.
    pub id: String,
    /// The chain it belongs to.
    pub stream: String,
    /// Place in its chain, from 1.
    pub stream_position: i64,
    /// When.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// What happened (`request.created`).
    pub kind: String,
    /// To what.
    pub object_id: String,
    /// Particulars, JSON.
    pub data: String,
    /// Which master key's audit key authenticates it.
    pub key_id: String,
    /// The hash before it in its chain; 32 zero bytes for the first.
    pub previous_hash: Vec<u8>,
    /// HMAC-SHA256 over everything above.
    pub hash: Vec<u8>,
}

pub(crate) const NO_HASH: [u8; 32] = [0; 32];

impl Event {
    pub(crate) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            position: row.integer(0)?,
            id: row.text(1)?,
            stream: row.text(2)?,
            stream_position: row.integer(3)?,
            at: row.integer(4)?,
            actor: row.text(5)?,
            kind: row.text(6)?,
            object_id: row.text(7)?,
            data: row.text(8)?,
            key_id: row.text(9)?,
            previous_hash: row.bytes(10)?,
            hash: row.bytes(11)?,
        })
    }

    /// Every column in one unambiguous text: each part is preceded by its length.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(256 + self.data.len());
        for number in [self.position, self.stream_position, self.at] {
            message.extend(number.to_be_bytes());
        }
        for text in
            [&self.id, &self.stream, &self.actor, &self.kind, &self.object_id, &self.data, &self.key_id]
        {
            message.extend((text.len() as u64).to_be_bytes());
            message.extend(text.as_bytes());
        }
        message.extend(&self.previous_hash);
        message
    }
}

pub(crate) fn head_message(stream: &str, events: i64, head: &[u8]) -> Vec<u8> {
    [b"head\0".as_slice(), stream.as_bytes(), &[0], &events.to_be_bytes(), head].concat()
}

struct Head {
    events: i64,
    hash: Vec<u8>,
}

/// Appends events. The row of `audit_log` is held from here until commit, which puts positions in the order of
/// commits and makes reading the heads safe.
pub(crate) async fn append(
    connection: &mut Connection,
    keyring: &Keyring,
    events: Vec<NewEvent>,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let row = connection
        .sql(sql!("UPDATE audit_log SET events = events + $1 WHERE id = 1 RETURNING events"))
        .integer(count)
        .first()
        .await?
        .ok_or(StoreError::Corrupt("audit_log"))?;
    let mut position = row.integer(0)? - count;

    let mut heads = heads(connection, &events).await?;
    let mut rows = Batch::default();
    for new in events {
        position += 1;
        let stream = new.stream.to_string();
        let head = heads.entry(stream.clone()).or_insert_with(|| Head { events: 0, hash: NO_HASH.to_vec() });
        head.events += 1;
        let mut event = Event {
            position,
            id: new.id.to_string(),
            stream,
            stream_position: head.events,
            at: new.at.as_millisecond(),
            actor: new.actor,
            kind: new.kind.to_owned(),
            object_id: new.object_id,
            data: new.data,
            key_id: keyring.key_id().to_owned(),
            previous_hash: std::mem::take(&mut head.hash),
            hash: Vec::new(),
        };
        event.hash = keyring.audit_mac(&event.message());
        head.hash.clone_from(&event.hash);
        rows.row()
            .integer(event.position)
            .text(&event.id)
            .text(&event.stream)
            .integer(event.stream_position)
            .integer(event.at)
            .text(&event.actor)
            .text(&event.kind)
            .text(&event.object_id)
            .text(&event.data)
            .text(&event.key_id)
            .bytes(&event.previous_hash)
            .bytes(&event.hash);
    }
    connection
        .sql(sql!(
            "INSERT INTO audit_events (position, id, stream, stream_position, at, actor, kind, object_id, data, \
             key_id, previous_hash, hash)
             SELECT CAST(value->>0 AS BIGINT), value->>1, value->>2, CAST(value->>3 AS BIGINT),
                    CAST(value->>4 AS BIGINT), value->>5, value->>6, value->>7, value->>8, value->>9,
                    unhex(value->>10), unhex(value->>11)
             FROM {batch}"
        ))
        .batch(&rows)
        .execute()
        .await?;
    save_heads(connection, keyring, &heads).await
}

async fn heads(
    connection: &mut Connection,
    events: &[NewEvent],
) -> Result<BTreeMap<String, Head>, StoreError> {
    let streams: std::collections::BTreeSet<Stream> = events.iter().map(|event| event.stream).collect();
    connection
        .sql(sql!(
            "SELECT stream, events, head FROM audit_streams WHERE stream IN (SELECT value->>0 FROM {batch})"
        ))
        .batch(&Batch::of(streams))
        .rows()
        .await?
        .iter()
        .map(|row| Ok((row.text(0)?, Head { events: row.integer(1)?, hash: row.bytes(2)? })))
        .collect()
}

async fn save_heads(
    connection: &mut Connection,
    keyring: &Keyring,
    heads: &BTreeMap<String, Head>,
) -> Result<(), StoreError> {
    let mut rows = Batch::default();
    for (stream, head) in heads {
        rows.row()
            .text(stream)
            .integer(head.events)
            .bytes(&head.hash)
            .text(keyring.key_id())
            .bytes(&keyring.audit_mac(&head_message(stream, head.events, &head.hash)));
    }
    connection
        .sql(sql!(
            "INSERT INTO audit_streams (stream, events, head, key_id, mac)
             SELECT value->>0, CAST(value->>1 AS BIGINT), unhex(value->>2), value->>3, unhex(value->>4)
             FROM {batch} WHERE true
             ON CONFLICT (stream) DO UPDATE SET events = excluded.events, head = excluded.head,
               key_id = excluded.key_id, mac = excluded.mac"
        ))
        .batch(&rows)
        .execute()
        .await?;
    Ok(())
}

/// Events of one stream (all streams if `None`) after `position`, oldest first.
///
/// # Errors
/// If the database fails.
pub async fn list(
    connection: &mut Connection,
    stream: Option<&str>,
    after: i64,
    limit: i64,
) -> Result<Vec<Event>, StoreError> {
    let rows = match stream {
        Some(stream) => {
            connection
                .sql(sql!(
                    "SELECT position, id, stream, stream_position, at, actor, kind, object_id, data, key_id,
                            previous_hash, hash
                     FROM audit_events WHERE stream = $1 AND position > $2 ORDER BY stream_position LIMIT $3"
                ))
                .text(stream)
                .integer(after)
                .integer(limit)
                .rows()
                .await?
        }
        None => {
            connection
                .sql(sql!(
                    "SELECT position, id, stream, stream_position, at, actor, kind, object_id, data, key_id,
                            previous_hash, hash
                     FROM audit_events WHERE position > $1 ORDER BY position LIMIT $2"
                ))
                .integer(after)
                .integer(limit)
                .rows()
                .await?
        }
    };
    rows.iter().map(Event::read).collect()
}
