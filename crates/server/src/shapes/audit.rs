//! The audit log.

use habeas_store::audit::{Event, Seal, Verification};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventShape {
    /// Its id.
    id: String,
    /// Place in the whole log, from 1.
    position: i64,
    /// The chain it belongs to: a request, a connection, or `system`.
    stream: String,
    /// Place in its chain, from 1.
    stream_position: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who.
    actor: String,
    /// What (`request.created`).
    #[schema(example = "request.created")]
    kind: String,
    /// To what.
    object_id: String,
    /// Particulars; no personal data.
    #[schema(value_type = Object)]
    data: Value,
    /// HMAC over everything in it and the hash before it, in hexadecimal.
    hash: String,
    /// The hash before it in its chain.
    previous_hash: String,
}

impl From<Event> for EventShape {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            position: event.position,
            stream: event.stream,
            stream_position: event.stream_position,
            at: Timestamp::from_millisecond(event.at).unwrap_or_default(),
            actor: event.actor,
            kind: event.kind,
            object_id: event.object_id,
            // What cannot be read is shown as it is: whoever looks at a tampered log must see it.
            data: serde_json::from_str(&event.data).unwrap_or(Value::String(event.data)),
            hash: hex::encode(event.hash),
            previous_hash: hex::encode(event.previous_hash),
        }
    }
}

/// Whether the log is whole.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Verification)]
pub(crate) struct VerificationShape {
    /// How many events were read.
    events: i64,
    /// Whether all of them are as they were written, and none is missing.
    valid: bool,
    /// Where the first fault is.
    first_bad: Option<FaultShape>,
    /// The newest seal: keep it elsewhere to be able to notice a log that was rolled back.
    #[schema(value_type = Option<SealShape>)]
    seal: Option<Seal>,
}

/// A place where the log is not what it was.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Fault)]
pub(crate) struct FaultShape {
    /// Position in the log, if the fault has one.
    position: Option<i64>,
    /// The event, seal or stream concerned.
    object: String,
    /// What is wrong with it.
    problem: String,
}

impl From<Verification> for VerificationShape {
    fn from(verification: Verification) -> Self {
        Self {
            events: verification.events,
            valid: verification.valid,
            first_bad: verification.first_bad.map(|fault| FaultShape {
                position: fault.position,
                object: fault.object,
                problem: fault.problem,
            }),
            seal: verification.seal,
        }
    }
}

/// A signed statement that the log up to a position is what it is. Kept as it is, it serves as an anchor.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Seal)]
pub(crate) struct SealShape {
    /// Number, from 1.
    number: i64,
    /// First position covered.
    first_position: i64,
    /// Last position covered.
    last_position: i64,
    /// When it was made, epoch milliseconds (part of what is signed).
    at: i64,
    /// Merkle root over the hashes of the covered events, in hexadecimal.
    root: String,
    /// Hash of the seal before.
    previous_hash: String,
    /// SHA-256 over everything above.
    hash: String,
    /// Ed25519 key that signed.
    public_key: String,
    /// Ed25519 signature over `hash`.
    signature: String,
}
