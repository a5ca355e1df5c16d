//! What arrived at the endpoint, and how it was answered the first time.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use serde::Serialize;

use super::answers::Answer;
use super::protocol::MessageType;
use super::signature::Rejection;

/// How many single messages are remembered; the counters go on beyond it.
const KEPT_MESSAGES: usize = 100_000;

/// How a message that came before has come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeated {
    /// With the same body.
    Same,
    /// With another body under the same `webhook-id`, which the protocol does not know. It was answered as the first
    /// one all the same.
    Altered,
}

/// A message that arrived, genuine or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessageRecord {
    /// The `webhook-id`, where there was one.
    pub id: Option<String>,
    /// What the body says it is; `None` when nothing the protocol knows.
    #[serde(rename = "type")]
    pub kind: Option<MessageType>,
    /// Why it was not taken for genuine; `None` when it was.
    pub rejection: Option<Rejection>,
    /// Whether it had come before.
    pub repeated: Option<Repeated>,
    /// Whether a job was taken on for it.
    pub effect: bool,
    /// What it was answered with.
    pub status: u16,
    /// Milliseconds since the epoch, by the sandbox's clock.
    pub arrived_ms: u64,
}

impl MessageRecord {
    /// Whether the signature was right and in time.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.rejection.is_none()
    }
}

/// Messages of one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MessageCounts {
    /// All that arrived.
    pub arrived: u64,
    /// Those among them that were not taken for genuine.
    pub rejected: u64,
    /// Those that had come before.
    pub repeated: u64,
    /// Those for which a job was taken on.
    pub effects: u64,
}

#[derive(Debug, Default)]
pub(super) struct Messages {
    recent: VecDeque<MessageRecord>,
    counts: BTreeMap<MessageType, MessageCounts>,
    /// By `webhook-id`: the body, and what it was answered.
    answered: HashMap<String, (Bytes, Answer)>,
}

impl Messages {
    /// The answer that the message of this id got before.
    pub(super) fn answered(&self, id: &str, body: &Bytes) -> Option<(Answer, Repeated)> {
        let (first, answer) = self.answered.get(id)?;
        let repeated = if first == body { Repeated::Same } else { Repeated::Altered };
        Some((answer.clone(), repeated))
    }

    pub(super) fn remember(&mut self, id: String, body: Bytes, answer: Answer) {
        self.answered.insert(id, (body, answer));
    }

    pub(super) fn note(&mut self, record: MessageRecord) {
        if let Some(kind) = record.kind {
            let counts = self.counts.entry(kind).or_default();
            counts.arrived += 1;
            counts.rejected += u64::from(!record.is_verified());
            counts.repeated += u64::from(record.repeated.is_some());
            counts.effects += u64::from(record.effect);
        }
        if self.recent.len() == KEPT_MESSAGES {
            self.recent.pop_front();
        }
        self.recent.push_back(record);
    }

    pub(super) fn recent(&self) -> Vec<MessageRecord> {
        self.recent.iter().cloned().collect()
    }

    pub(super) fn counts(&self, kind: MessageType) -> MessageCounts {
        self.counts.get(&kind).copied().unwrap_or_default()
    }
}
