//! Proves that the log is whole, or says where it is not.

use std::collections::HashMap;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use serde::Serialize;

use super::seal::{Seal, merkle_root};
use super::{Event, NO_HASH, head_message};
use crate::connection::Connection;
use crate::dialect::sql;
use crate::error::StoreError;
use crate::keyring::Keyring;

/// Events read at a time.
const PAGE: i64 = 5_000;

/// A seal that was kept elsewhere (a seal's JSON, or a certificate's, which carries one as `seal`).
#[derive(Clone, Debug)]
pub struct Anchor(pub Seal);

/// Text that holds no seal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the anchor file holds no seal; give the JSON of a seal or of a certificate")]
pub struct InvalidAnchor;

impl Anchor {
    /// Reads a seal, or the seal inside a certificate.
    ///
    /// # Errors
    /// If there is none.
    pub fn parse(text: &str) -> Result<Self, InvalidAnchor> {
        let mut value: serde_json::Value = serde_json::from_str(text).map_err(|_| InvalidAnchor)?;
        if let Some(inner) = value.get_mut("seal") {
            value = inner.take();
        }
        serde_json::from_value(value).map(Self).map_err(|_| InvalidAnchor)
    }
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// How many events were read.
    pub events: i64,
    /// Whether all of them are as they were written, and none is missing.
    pub valid: bool,
    /// Where the first fault is.
    pub first_bad: Option<Fault>,
    /// The newest seal: keep it elsewhere to be able to notice a log that was rolled back.
    pub seal: Option<Seal>,
}

/// A place where the log is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Position in the log, if the fault has one.
    pub position: Option<i64>,
    /// The event, seal or stream concerned.
    pub object: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Fault {
    fn new(position: impl Into<Option<i64>>, object: impl ToString, problem: impl ToString) -> Self {
        Self { position: position.into(), object: object.to_string(), problem: problem.to_string() }
    }
}

struct StreamState {
    events: i64,
    head: Vec<u8>,
}

/// Walks the log once, in the order of its positions.
struct Walk<'k> {
    keyring: &'k Keyring,
    next_position: i64,
    streams: HashMap<String, StreamState>,
    seals: std::iter::Peekable<std::vec::IntoIter<Seal>>,
    unsealed: Vec<Vec<u8>>,
}

impl Walk<'_> {
    fn event(&mut self, event: &Event) -> Result<Option<Fault>, StoreError> {
        let at = event.position;
        if at != self.next_position {
            return Ok(Some(Fault::new(self.next_position, "event", "is missing")));
        }
        self.next_position += 1;
        if !self.keyring.audit_mac_is(&event.key_id, &event.message(), &event.hash)? {
            return Ok(Some(Fault::new(at, &event.id, "was altered")));
        }
        let state = self
            .streams
            .entry(event.stream.clone())
            .or_insert_with(|| StreamState { events: 0, head: NO_HASH.to_vec() });
        if event.stream_position != state.events + 1 || event.previous_hash != state.head {
            return Ok(Some(Fault::new(at, &event.id, "does not follow the event before it in its stream")));
        }
        state.events += 1;
        state.head.clone_from(&event.hash);
        self.unsealed.push(event.hash.clone());
        match self.seals.peek() {
            Some(seal) if seal.last_position == at => Ok(self.close_seal()),
            _ => Ok(None),
        }
    }

    fn close_seal(&mut self) -> Option<Fault> {
        let seal = self.seals.next()?;
        let covered = std::mem::take(&mut self.unsealed);
        (merkle_root(&covered) != seal.root)
            .then(|| Fault::new(seal.last_position, seal_name(seal.number), "does not match its events"))
    }
}

fn seal_name(number: i64) -> String {
    format!("seal {number}")
}

/// Checks every event, every stream and every seal; with an anchor, also that nothing before it changed.
///
/// # Errors
/// If the database fails or an event was authenticated by a key that is not configured.
pub async fn verify(
    connection: &mut Connection,
    keyring: &Keyring,
    anchor: Option<&Anchor>,
) -> Result<Verification, StoreError> {
    let seals = seals(connection).await?;
    let newest = seals.last().cloned();
    let mut first_bad = check_seals(keyring, &seals).or_else(|| check_anchor(anchor, &seals));
    let mut walk = Walk {
        keyring,
        next_position: 1,
        streams: HashMap::new(),
        seals: seals.into_iter().peekable(),
        unsealed: Vec::new(),
    };
    let (mut events, mut after) = (0, 0);
    'pages: while first_bad.is_none() {
        let page = super::list(connection, None, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        for event in &page {
            events += 1;
            first_bad = walk.event(event)?;
            if first_bad.is_some() {
                break 'pages;
            }
        }
    }
    if first_bad.is_none() {
        first_bad = check_end(connection, &mut walk).await?;
    }
    if first_bad.is_none() {
        first_bad = check_heads(connection, &walk).await?;
    }
    Ok(Verification { events, valid: first_bad.is_none(), first_bad, seal: newest })
}

fn check_seals(keyring: &Keyring, seals: &[Seal]) -> Option<Fault> {
    let mut previous = (0, 0, NO_HASH.to_vec());
    for seal in seals {
        let (number, last_position, hash) = previous;
        let at = seal.last_position;
        let name = seal_name(seal.number);
        if seal.number != number + 1 || seal.first_position != last_position + 1 || seal.previous_hash != hash
        {
            return Some(Fault::new(at, name, "does not follow the seal before it"));
        }
        let signed = UnparsedPublicKey::new(&ED25519, &seal.public_key).verify(&seal.hash, &seal.signature);
        if seal.hash != seal.expected_hash() || signed.is_err() || !keyring.is_ours(&seal.public_key) {
            return Some(Fault::new(at, name, "was altered or not made by this installation"));
        }
        previous = (seal.number, seal.last_position, seal.hash.clone());
    }
    None
}

fn check_anchor(anchor: Option<&Anchor>, seals: &[Seal]) -> Option<Fault> {
    let Anchor(kept) = anchor?;
    let found = usize::try_from(kept.number - 1).ok().and_then(|at| seals.get(at));
    let problem = match found {
        Some(found) if found == kept => return None,
        Some(_) => "differs from the anchor: the log was rewritten",
        None => "is in the anchor but not in the log: the log was rolled back",
    };
    Some(Fault::new(kept.last_position, seal_name(kept.number), problem))
}

async fn check_end(connection: &mut Connection, walk: &mut Walk<'_>) -> Result<Option<Fault>, StoreError> {
    if let Some(seal) = walk.seals.next() {
        let problem = "covers events that are missing at the end of the log";
        return Ok(Some(Fault::new(seal.last_position, seal_name(seal.number), problem)));
    }
    let row = connection.sql(sql!("SELECT events FROM audit_log WHERE id = 1")).first().await?;
    let counted = row.map_or(Ok(0), |row| row.integer(0))?;
    Ok((counted != walk.next_position - 1)
        .then(|| Fault::new(walk.next_position, "event", "is missing at the end of the log")))
}

async fn check_heads(connection: &mut Connection, walk: &Walk<'_>) -> Result<Option<Fault>, StoreError> {
    let mut after = String::new();
    let mut seen = 0_usize;
    loop {
        let rows = connection
            .sql(sql!(
                "SELECT stream, events, head, key_id, mac FROM audit_streams WHERE stream > $1
                 ORDER BY stream LIMIT $2"
            ))
            .text(&after)
            .integer(PAGE)
            .rows()
            .await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let (stream, events, head) = (row.text(0)?, row.integer(1)?, row.bytes(2)?);
            let message = head_message(&stream, events, &head);
            let walked = walk.streams.get(&stream);
            if !walk.keyring.audit_mac_is(&row.text(3)?, &message, &row.bytes(4)?)? {
                return Ok(Some(Fault::new(None, stream, "has a head that was altered")));
            }
            if walked.is_none_or(|walked| walked.events != events || walked.head != head) {
                return Ok(Some(Fault::new(None, stream, "does not end where its head says")));
            }
            seen += 1;
            after = stream;
        }
    }
    Ok((seen != walk.streams.len()).then(|| Fault::new(None, "streams", "a stream's head is missing")))
}

async fn seals(connection: &mut Connection) -> Result<Vec<Seal>, StoreError> {
    connection
        .sql(sql!(
            "SELECT number, first_position, last_position, at, root, previous_hash, hash, public_key, signature
             FROM audit_seals ORDER BY number"
        ))
        .rows()
        .await?
        .iter()
        .map(Seal::read)
        .collect()
}
