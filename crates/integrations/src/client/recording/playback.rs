//! A recording in the vendor's place.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::written::{Body, Recording, Requested, Turn};
use crate::client::in_memory::{Answer, Loss, Sent};
use crate::client::transport::Transport;

/// Answers as the recording says, as long as it is asked what the recording says.
#[derive(Clone)]
pub struct Playback {
    state: Arc<Mutex<State>>,
}

struct State {
    turns: Vec<Turn>,
    next: usize,
    problems: Vec<String>,
}

impl Playback {
    /// A playback from the recording's beginning.
    #[must_use]
    pub fn of(recording: &Recording) -> Self {
        let state = State { turns: recording.turns.clone(), next: 0, problems: Vec::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// The transport whose vendor is the recording.
    #[must_use]
    pub fn transport(&self) -> Transport {
        let playback = self.clone();
        Transport::in_memory(move |sent| playback.answer(sent))
    }

    /// Where what was asked differs from the recording, and what was not asked for.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let state = self.state();
        let unplayed = state.turns[state.next..].iter().map(|turn| {
            let Requested { method, path, .. } = &turn.requested;
            format!("not asked: {method} {path}")
        });
        state.problems.iter().cloned().chain(unplayed).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, sent: &Sent) -> Result<Answer, Loss> {
        let state = &mut *self.state();
        let asked = Requested::of(sent);
        let Some(turn) = state.turns.get(state.next) else {
            state.problems.push(format!("asked for more: {} {}", asked.method, asked.path));
            return Err(Loss::NotConnected);
        };
        if let Some(difference) = difference(&turn.requested, &asked) {
            let Requested { method, path, .. } = &turn.requested;
            state.problems.push(format!("request {} ({method} {path}): {difference}", state.next + 1));
            return Err(Loss::NotConnected);
        }
        state.next += 1;
        Ok(turn.replied.answer())
    }
}

/// Shows how far it came.
impl fmt::Debug for Playback {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        write!(formatter, "Playback({} of {})", state.next, state.turns.len())
    }
}

fn difference(recorded: &Requested, asked: &Requested) -> Option<String> {
    let differs = |what: &str, recorded: &str, asked: &str| {
        (recorded != asked).then(|| format!("{what} is {asked}, recorded is {recorded}"))
    };
    differs("the method", &recorded.method, &asked.method)
        .or_else(|| differs("the path", &recorded.path, &asked.path))
        .or_else(|| differs("the query", &recorded.query.join("&"), &asked.query.join("&")))
        .or_else(|| {
            let named = |accept: &Option<String>| accept.clone().unwrap_or_default();
            differs("the accepted type", &named(&recorded.accept), &named(&asked.accept))
        })
        .or_else(|| {
            (!is_same_body(&recorded.body, &asked.body)).then(|| "the body has another shape".to_owned())
        })
}

fn is_same_body(recorded: &Body, asked: &Body) -> bool {
    match (recorded, asked) {
        (Body::Json(recorded), Body::Json(asked)) => is_same_shape(recorded, asked),
        (Body::Form(recorded), Body::Form(asked)) => {
            recorded.len() == asked.len()
                && recorded
                    .iter()
                    .zip(asked)
                    .all(|((key, value), (other, now))| key == other && is_same_text(value, now))
        }
        (recorded, asked) => recorded == asked,
    }
}

fn is_same_shape(recorded: &Value, asked: &Value) -> bool {
    match (recorded, asked) {
        (Value::String(recorded), Value::String(asked)) => is_same_text(recorded, asked),
        (Value::Array(recorded), Value::Array(asked)) => {
            recorded.len() == asked.len()
                && recorded.iter().zip(asked).all(|(one, other)| is_same_shape(one, other))
        }
        (Value::Object(recorded), Value::Object(asked)) => {
            recorded.len() == asked.len()
                && recorded
                    .iter()
                    .all(|(key, one)| asked.get(key).is_some_and(|other| is_same_shape(one, other)))
        }
        (recorded, asked) => recorded == asked,
    }
}

/// A text that was replaced may be any.
fn is_same_text(recorded: &str, asked: &str) -> bool {
    recorded == asked || recorded.starts_with("text-") || recorded.starts_with("person-")
}
