//! Calls by which the system tells that it is done. Nothing in them is believed before the signature is.

use jiff::{SignedDuration, Timestamp};

use super::errors;
use super::settings::SIGNING_SECRET;
use super::signature::SigningKey;
use super::wire::{self, Told};
use crate::connector::{
    Callback, CallbackEnd, CallbackHead, CallbackRefused, NotHeld, SettingError, Settings,
};

/// How far the sender's clock and ours may be apart, and how long a message may be on its way.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);
/// Longest name of a message.
const LONGEST_ID: usize = 256;

pub(super) fn read(
    settings: &Settings,
    head: CallbackHead<'_>,
    body: &[u8],
    now: Timestamp,
) -> Result<Callback, CallbackRefused> {
    let CallbackHead { id: Some(id), timestamp: Some(timestamp), signature: Some(signature) } = head else {
        return Err(CallbackRefused::Forged);
    };
    let is_id = (1..=LONGEST_ID).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    // Written in one way only: `+1` and `01` would be other messages under the same signature's number.
    let seconds = timestamp.parse::<i64>().ok().filter(|seconds| seconds.to_string() == timestamp);
    let (true, Some(seconds)) = (is_id, seconds) else { return Err(CallbackRefused::Forged) };
    let key = SigningKey::read(settings.text(SIGNING_SECRET)).map_err(|_| CallbackRefused::Forged)?;
    if !key.verifies(id, seconds, body, signature) {
        return Err(CallbackRefused::Forged);
    }
    let sent_at = Timestamp::from_second(seconds).map_err(|_| CallbackRefused::OutOfTime)?;
    if now.duration_since(sent_at).abs() > WINDOW {
        return Err(CallbackRefused::OutOfTime);
    }
    told(id, body)
}

fn told(id: &str, body: &[u8]) -> Result<Callback, CallbackRefused> {
    let told: Told = serde_json::from_slice(body).map_err(|error| {
        // The place, never the content.
        let message =
            format!("is not as the webhook protocol says (line {}, column {})", error.line(), error.column());
        unreadable("body", message)
    })?;
    let job = wire::job(Some(&told.data.job)).ok_or_else(|| {
        unreadable("data.job", "is not a job's name: 1 to 256 of A-Z a-z 0-9 - _ . : ~ = + /")
    })?;
    let end = match told.kind.as_str() {
        "access.completed" => {
            let collected = told.data.result.collected();
            CallbackEnd::Collected(
                collected.map_err(|_| unreadable("data.files", "hold a content that is not Base64"))?,
            )
        }
        "deletion.completed" => CallbackEnd::Erased(told.data.result.erased(NotHeld::everything)),
        "job.failed" => CallbackEnd::Failed(errors::job_failed(told.data.result.gives_reason())),
        _ => {
            let known = "is none that is known: access.completed, deletion.completed, job.failed";
            return Err(unreadable("type", known));
        }
    };
    Ok(Callback { message_id: id.to_owned(), job, end })
}

fn unreadable(key: &str, message: impl Into<String>) -> CallbackRefused {
    CallbackRefused::Unreadable(vec![SettingError { key: key.to_owned(), message: message.into() }])
}
