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

/// What is known of a stream on the way through the log.
#[derive(Default)]
struct StreamState {
    /// Events that came by, and the hash of the last one.
    walked: i64,
    hash: Vec<u8>,
    /// What the stream's head says; nothing if it has none.
    counted: i64,
    head: Vec<u8>,
}

/// Walks the log once, in the order of its positions. Events may be appended meanwhile: the log's count was read
/// first, then the heads, then the events, so every counted event is in its stream's head, and every event that a head
/// counts comes by.
struct Walk<'k> {
    keyring: &'k Keyring,
    counted: i64,
    next_position: i64,
    streams: HashMap<String, StreamState>,
    seals: std::iter::Peekable<std::vec::IntoIter<Seal>>,
    unsealed: Vec<Vec<u8>>,
}

impl Walk<'_> {
    fn event(&mut self, event: &Event) -> Result<(), Fault> {
        let at = event.position;
        if at != self.next_position {
            return Err(Fault::new(self.next_position, "event", "is missing"));
        }
        authentic(self.keyring, &event.key_id, &event.message(), &event.hash)
            .map_err(|problem| Fault::new(at, &event.id, problem))?;
        let state = self.streams.entry(event.stream.clone()).or_default();
        let previous: &[u8] = if state.walked == 0 { &NO_HASH } else { &state.hash };
        if event.stream_position != state.walked + 1 || event.previous_hash != previous {
            return Err(Fault::new(at, &event.id, "does not follow the event before it in its stream"));
        }
        state.walked += 1;
        state.hash.clone_from(&event.hash);
        let beyond = state.walked > state.counted && at <= self.counted;
        if beyond || (state.walked == state.counted && state.hash != state.head) {
            return Err(Fault::new(at, &event.stream, NOT_AT_HEAD));
        }
        self.next_position += 1;
        self.unsealed.push(event.hash.clone());
        match self.seals.next_if(|seal| seal.last_position == at) {
            Some(seal) if merkle_root(&std::mem::take(&mut self.unsealed)) != seal.root => {
                Err(Fault::new(at, seal_name(seal.number), "does not match its events"))
            }
            _ => Ok(()),
        }
    }

    /// After the last event; `counted` is the log's count as it is now.
    fn end(&mut self, counted: i64) -> Result<(), Fault> {
        if let Some(seal) = self.seals.next() {
            let problem = "covers events that are missing at the end of the log";
            return Err(Fault::new(seal.last_position, seal_name(seal.number), problem));
        }
        if self.counted >= self.next_position || counted < self.next_position - 1 {
            let problem = "is missing at the end of the log, or the log's count was altered";
            return Err(Fault::new(self.next_position, "event", problem));
        }
        let short = self.streams.iter().filter(|(_, state)| state.walked < state.counted);
        match short.map(|(stream, _)| stream).min() {
            Some(stream) => Err(Fault::new(None, stream, NOT_AT_HEAD)),
            None => Ok(()),
        }
    }
}

const NOT_AT_HEAD: &str = "does not end where its head says";

/// Whether `mac` is ours. A key id that we do not know is a fault like any other: it may have been altered.
fn authentic(keyring: &Keyring, key_id: &str, message: &[u8], mac: &[u8]) -> Result<(), String> {
    match keyring.audit_mac_is(key_id, message, mac) {
        Ok(true) => Ok(()),
        Ok(false) => Err("was altered".to_owned()),
        Err(_) => Err(format!(
            "was altered, or written under master key {key_id}, which is missing from `[encryption] previous`"
        )),
    }
}

fn seal_name(number: i64) -> String {
    format!("seal {number}")
}

/// Checks every event, every stream and every seal; with an anchor, also that nothing before it changed. Others may go
/// on writing.
///
/// # Errors
/// If the database fails.
pub async fn verify(
    connection: &mut Connection,
    keyring: &Keyring,
    anchor: Option<&Anchor>,
) -> Result<Verification, StoreError> {
    let seals = seals(connection).await?;
    let newest = seals.last().cloned();
    let counted = count(connection).await?;
    let mut walk = Walk {
        keyring,
        counted,
        next_position: 1,
        streams: HashMap::new(),
        seals: Vec::new().into_iter().peekable(),
        unsealed: Vec::new(),
    };
    let mut verdict = check_seals(keyring, &seals).and_then(|()| check_anchor(anchor, &seals));
    walk.seals = seals.into_iter().peekable();
    if verdict.is_ok() {
        verdict = read_heads(connection, &mut walk).await?;
    }
    let (mut events, mut after) = (0, i64::MIN);
    while verdict.is_ok() {
        let page = super::list(connection, None, after, PAGE).await?;
        let Some(last) = page.last() else {
            verdict = walk.end(count(connection).await?);
            break;
        };
        after = last.position;
        for event in &page {
            events += 1;
            verdict = walk.event(event);
            if verdict.is_err() {
                break;
            }
        }
    }
    Ok(Verification { events, valid: verdict.is_ok(), first_bad: verdict.err(), seal: newest })
}

/// How many events the log says it has.
async fn count(connection: &mut Connection) -> Result<i64, StoreError> {
    let row = connection.sql(sql!("SELECT events FROM audit_log WHERE id = 1")).first().await?;
    row.map_or(Ok(0), |row| row.integer(0))
}

fn check_seals(keyring: &Keyring, seals: &[Seal]) -> Result<(), Fault> {
    let mut previous = (0, 0, NO_HASH.as_slice());
    for seal in seals {
        let (number, last_position, hash) = previous;
        let at = seal.last_position;
        let name = seal_name(seal.number);
        if seal.number != number + 1 || seal.first_position != last_position + 1 || seal.previous_hash != hash
        {
            return Err(Fault::new(at, name, "does not follow the seal before it"));
        }
        let signed = UnparsedPublicKey::new(&ED25519, &seal.public_key).verify(&seal.hash, &seal.signature);
        if seal.hash != seal.expected_hash() || signed.is_err() || !keyring.is_ours(&seal.public_key) {
            return Err(Fault::new(at, name, "was altered or not made by this installation"));
        }
        previous = (seal.number, seal.last_position, &seal.hash);
    }
    Ok(())
}

fn check_anchor(anchor: Option<&Anchor>, seals: &[Seal]) -> Result<(), Fault> {
    let Some(Anchor(kept)) = anchor else { return Ok(()) };
    let found = kept.number.checked_sub(1).and_then(|at| seals.get(usize::try_from(at).ok()?));
    let problem = match found {
        Some(found) if found == kept => return Ok(()),
        Some(_) => "differs from the anchor: the log was rewritten",
        None => "is in the anchor but not in the log: the log was rolled back",
    };
    Err(Fault::new(kept.last_position, seal_name(kept.number), problem))
}

/// Reads the heads of all streams.
async fn read_heads(
    connection: &mut Connection,
    walk: &mut Walk<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    let mut after = String::new();
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
            return Ok(Ok(()));
        }
        for row in &rows {
            let (stream, counted, head) = (row.text(0)?, row.integer(1)?, row.bytes(2)?);
            let message = head_message(&stream, counted, &head);
            if let Err(problem) = authentic(walk.keyring, &row.text(3)?, &message, &row.bytes(4)?) {
                return Ok(Err(Fault::new(None, stream, format!("has a head that {problem}"))));
            }
            after.clone_from(&stream);
            let state = StreamState { counted, head, ..StreamState::default() };
            walk.streams.insert(stream, state);
        }
    }
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
