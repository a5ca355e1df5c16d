//! Values as the vendor spells them, read tolerantly: the same thing comes as a string here and as a number, a list or
//! a scalar there.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::errors;
use crate::client::VendorAnswer;
use crate::error::VendorError;

/// An object, whole: what is delivered is what the vendor holds, not what this crate knows of it.
pub(super) type Fields = Map<String, Value>;

#[derive(Deserialize)]
struct Envelope<T> {
    result: Option<T>,
}

/// The `result` of a success.
pub(super) fn result<T: DeserializeOwned>(answer: &VendorAnswer) -> Result<T, VendorError> {
    match answer.json::<Envelope<T>>() {
        Ok(envelope) => envelope.result.ok_or_else(|| errors::no_result(answer)),
        Err(mut error) => {
            error.vendor_request_id = errors::request_id(answer);
            Err(error)
        }
    }
}

/// A string without outer white space, or a number as text; `None` if there is nothing in it.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The first of `keys` that has a text.
pub(super) fn first_text(fields: &Fields, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| text(fields.get(*key)?))
}

/// A number, also one in a string.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// `true`, also as a string.
pub(super) fn is_true(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text.trim().eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// A moment: RFC 3339, `yyyy-MM-dd HH:mm:ss` in UTC, or milliseconds since 1970.
pub(super) fn moment(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => Timestamp::from_millisecond(number.as_i64()?).ok(),
        Value::String(text) => {
            let text = text.trim();
            if let Ok(milliseconds) = text.parse() {
                return Timestamp::from_millisecond(milliseconds).ok();
            }
            text.parse().ok().or_else(|| {
                let civil: DateTime = text.parse().ok()?;
                Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
            })
        }
        _ => None,
    }
}

/// E-mail addresses of a list or of a scalar that holds one or several.
pub(super) fn emails(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().flat_map(emails).collect(),
        Value::String(text) => text
            .split(|character: char| character.is_whitespace() || ",;[]\"".contains(character))
            .filter(|part| part.contains('@'))
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

/// How far a job of the vendor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Every word that is not known, too: the deadline ends the waiting.
    Pending,
    Complete,
    Failed,
}

impl Standing {
    /// The standing that a status word means.
    pub(super) fn of_word(word: &str) -> Self {
        let plain: String = word
            .chars()
            .filter(|character| !character.is_whitespace() && *character != '_')
            .flat_map(char::to_lowercase)
            .collect();
        match plain.as_str() {
            "completed" | "complete" | "done" | "success" => Self::Complete,
            "failed" | "error" | "cancelled" => Self::Failed,
            _ => Self::Pending,
        }
    }
}

/// Whether `text` looks like one of the vendor's ids (`POOL_1aB2`, `R_0a1b`, a UUID).
pub(super) fn is_id(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
