//! Callbacks: the messages this system sends when a job has ended, and what can be wrong with them.

use axum::http::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::calling::CallbackAddress;
use super::fixtures;
use super::jobs::Job;
use super::signature::{ID, SIGNATURE, SignedMessage, TIMESTAMP, sign};
use super::state::{State, milliseconds};

/// How far beside the clock a callback out of time is.
const OUT_OF_TIME_SECONDS: u64 = 600;
const LONGEST_WAIT_SECONDS: u64 = 6 * 3600;

/// What is wrong with a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forgery {
    /// Signed with [`fixtures::STRANGERS_SECRET`].
    WrongSecret,
    /// Another content than what was signed.
    AlteredBody,
    /// The same content than what was signed, but with a space more: not the same bytes.
    ReformattedBody,
    /// Properly signed, but ten minutes ago.
    OldTimestamp,
    /// Properly signed, ten minutes from now.
    FutureTimestamp,
    /// The timestamp is now, the signature is of one ten minutes ago: an old message warmed up.
    AlteredTimestamp,
    /// The id is another one than what was signed.
    AlteredId,
    /// The signature is of a version that does not exist.
    OtherVersion,
    /// Without `webhook-id`.
    WithoutId,
    /// Without `webhook-timestamp`.
    WithoutTimestamp,
    /// Without `webhook-signature`.
    WithoutSignature,
    /// Properly signed, about a job that does not exist.
    OtherJob,
    /// Properly signed, with a body that is not as the protocol says.
    WrongShape,
    /// Properly signed, under the id of the callback that was sent last, whatever job that was about.
    RepeatedId,
    /// Nothing is wrong with it, but it has another id each time.
    NewId,
}

/// A callback that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The job it was about.
    pub job: String,
    /// Its `webhook-id`, where it had one.
    pub id: Option<String>,
    /// What was wrong with it.
    pub forgery: Option<Forgery>,
    /// Whether the system called back by itself.
    pub automatic: bool,
    /// When it was answered, or given up, in milliseconds since the epoch by the sandbox's clock.
    pub answered_ms: u64,
    /// What it was answered with; `None` when there was no answer.
    pub status: Option<u16>,
    /// The `code` of the answer, where it is a problem document.
    pub code: Option<String>,
    /// Why there was no answer.
    pub error: Option<String>,
}

/// What there is to call back next.
#[derive(Debug)]
pub(super) enum NextCallback {
    Now { job: String, to: CallbackAddress },
    At(u64),
    Never,
}

impl State {
    /// Signs the callback of a job that has ended. Own choice: callbacks have a `timestamp` in the body as messages to
    /// this system do, and it says when the job ended; so the body stays the same when it is sent again.
    pub(super) fn callback(
        &mut self,
        name: &str,
        forgery: Option<Forgery>,
        now_ms: u64,
    ) -> Option<SignedMessage> {
        let empty_lists = self.knobs.empty_lists;
        let job = self.known(name)?;
        let mut about = job.name.clone();
        let mut id = job.calling_back.id.clone();
        match forgery {
            Some(Forgery::OtherJob) => about = self.draw_name(now_ms),
            Some(Forgery::NewId) => id = self.draw_id("callback", now_ms),
            Some(Forgery::RepeatedId) => {
                id = self.deliveries.iter().rev().find_map(|sent| sent.id.clone()).unwrap_or(id);
            }
            _ => {}
        }
        let mut body = self.known(name)?.callback_body(&about, empty_lists)?;
        if forgery == Some(Forgery::WrongShape) {
            body["data"]["job"] = json!(7);
        }
        let now = now_ms / 1000;
        let signed_at = match forgery {
            Some(Forgery::OldTimestamp | Forgery::AlteredTimestamp) => now - OUT_OF_TIME_SECONDS.min(now),
            Some(Forgery::FutureTimestamp) => now + OUT_OF_TIME_SECONDS,
            _ => now,
        };
        let strangers = fixtures::strangers_secret();
        let secrets = match forgery {
            Some(Forgery::WrongSecret) => vec![&strangers],
            _ => self.knobs.secrets(),
        };
        let mut message = sign(&secrets, &id, signed_at, body.to_string());
        if let Some(forgery) = forgery {
            alter(&mut message, forgery, now, body);
        }
        Some(message)
    }

    /// What is to be called back now, or else when there may be something.
    pub(super) fn next_callback(&self, now_ms: u64) -> NextCallback {
        let Some(to) = self.knobs.callback_to.clone() else { return NextCallback::Never };
        let moment = |job: &Job| match job.ended {
            _ if job.forgotten => None,
            Some(_) => Some(job.calling_back.next_ms),
            None => job.due_ms,
        };
        let moments = self.untold.iter().filter_map(|at| Some((moment(&self.jobs[*at])?, *at)));
        match moments.min() {
            None => NextCallback::Never,
            Some((at_ms, _)) if at_ms > now_ms => NextCallback::At(at_ms),
            Some((_, position)) => NextCallback::Now { job: self.jobs[position].name.clone(), to },
        }
    }

    /// Writes down what a callback was answered. One the system sent by itself is sent again unless the answer ends it.
    pub(super) fn delivered(&mut self, delivery: Delivery, now_ms: u64) {
        if delivery.automatic
            && let Some(place) = self.untold.iter().position(|at| self.jobs[*at].name == delivery.job)
        {
            let calling_back = &mut self.jobs[self.untold[place]].calling_back;
            if matches!(delivery.status, Some(202 | 404 | 409 | 422)) {
                self.untold.remove(place);
            } else {
                let wait_ms = milliseconds(wait_seconds(calling_back.failures));
                calling_back.failures = calling_back.failures.saturating_add(1);
                calling_back.next_ms = now_ms.saturating_add(wait_ms);
            }
        }
        self.deliveries.push(delivery);
    }
}

/// How long to wait after one more attempt that failed: one second at first, then twice as long each time.
fn wait_seconds(failures_before: u32) -> u64 {
    2_u64.checked_pow(failures_before).unwrap_or(u64::MAX).min(LONGEST_WAIT_SECONDS)
}

/// Does to a signed message what its signature does not know of.
fn alter(message: &mut SignedMessage, forgery: Forgery, now: u64, mut body: Value) {
    let headers = &mut message.headers;
    match forgery {
        Forgery::AlteredBody => {
            body["type"] = json!("job.failed");
            body["data"]["message"] = json!("it was not me");
            message.body = body.to_string().into();
        }
        Forgery::ReformattedBody => message.body = [message.body.as_ref(), b" "].concat().into(),
        Forgery::AlteredTimestamp => drop(headers.insert(TIMESTAMP, HeaderValue::from(now))),
        Forgery::AlteredId => drop(headers.insert(ID, HeaderValue::from_static("callback-altered"))),
        Forgery::OtherVersion => {
            let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            if let Ok(value) = HeaderValue::from_str(&signature.replace("v1,", "v0,")) {
                headers.insert(SIGNATURE, value);
            }
        }
        Forgery::WithoutId => drop(headers.remove(ID)),
        Forgery::WithoutTimestamp => drop(headers.remove(TIMESTAMP)),
        Forgery::WithoutSignature => drop(headers.remove(SIGNATURE)),
        Forgery::WrongSecret
        | Forgery::OldTimestamp
        | Forgery::FutureTimestamp
        | Forgery::OtherJob
        | Forgery::WrongShape
        | Forgery::RepeatedId
        | Forgery::NewId => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_six_hours() {
        let waits = [0, 1, 2, 3, 14, 15, 63, 64, u32::MAX].map(wait_seconds);
        assert_eq!(waits, [1, 2, 4, 8, 16_384, 21_600, 21_600, 21_600, 21_600]);
    }
}
