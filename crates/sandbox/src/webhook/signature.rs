//! Signatures as Standard Webhooks writes them, for messages in both directions.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::fmt;

use aws_lc_rs::hmac;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Names the message.
pub(super) const ID: HeaderName = HeaderName::from_static("webhook-id");
/// When it was sent, in seconds since the epoch.
pub(super) const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// One or more signatures, separated by spaces.
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

const SECRET_PREFIX: &str = "whsec_";
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// How far a message's time may lie from the clock, in either direction.
const WINDOW_MS: u64 = 300_000;

/// A signing secret: `whsec_` and the Base64 of 24 to 64 bytes. It does not print itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Secret {
    text: String,
    key: Vec<u8>,
}

/// Why a text is not a signing secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret is `whsec_` and the Base64 of 24 to 64 bytes")]
pub struct InvalidSecret;

impl TryFrom<String> for Secret {
    type Error = InvalidSecret;

    fn try_from(text: String) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(SECRET_PREFIX).ok_or(InvalidSecret)?;
        let key = STANDARD.decode(encoded).ok().filter(|key| KEY_BYTES.contains(&key.len()));
        Ok(Self { key: key.ok_or(InvalidSecret)?, text })
    }
}

impl std::str::FromStr for Secret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        text.to_owned().try_into()
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret([redacted])")
    }
}

impl Secret {
    pub(super) fn of_key(key: &[u8]) -> Self {
        Self { text: format!("{SECRET_PREFIX}{}", STANDARD.encode(key)), key: key.to_vec() }
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.key)
    }
}

/// A message ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedMessage {
    /// The three headers of the signature, or those that are left of them.
    pub headers: HeaderMap,
    /// To be sent byte for byte.
    pub body: Bytes,
}

/// Signs a message with each of the secrets, as a system does whose secret is about to be replaced.
#[must_use]
pub fn sign(secrets: &[&Secret], id: &str, timestamp: u64, body: impl Into<Bytes>) -> SignedMessage {
    let body = body.into();
    let timestamp = timestamp.to_string();
    let content = signed_content(id, &timestamp, &body);
    let signature =
        |secret: &&Secret| format!("v1,{}", STANDARD.encode(hmac::sign(&secret.key(), &content).as_ref()));
    let signatures = secrets.iter().map(signature).collect::<Vec<_>>().join(" ");
    let mut headers = HeaderMap::new();
    for (name, value) in [(ID, id), (TIMESTAMP, timestamp.as_str()), (SIGNATURE, signatures.as_str())] {
        // An id that no header can hold is left out, and the message thereby refused.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    SignedMessage { headers, body }
}

/// Why a message is not taken for genuine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// One of the three headers is missing or not readable as text.
    #[error("the header webhook-id, webhook-timestamp or webhook-signature is missing")]
    HeaderMissing,
    /// The timestamp is not a number of seconds.
    #[error("webhook-timestamp is not a number of seconds since 1970-01-01")]
    TimestampIllegal,
    /// No signature of a known version fits headers, body and secret.
    #[error("no signature fits")]
    SignatureWrong,
    /// The message is too old, or from the future.
    #[error("webhook-timestamp is more than five minutes away from this system's clock")]
    OutOfTime,
}

/// What the headers of a genuine message say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sending {
    pub(super) id: String,
    /// The sender's time, in seconds since the epoch.
    pub(super) timestamp: u64,
}

/// Checks a message against any of the secrets; with a time, also that it was sent less than five minutes away from it.
///
/// # Errors
/// When it is not genuine.
pub fn verify(
    secrets: &[&Secret],
    headers: &HeaderMap,
    body: &[u8],
    now_ms: Option<u64>,
) -> Result<(), Rejection> {
    open(secrets, headers, body, now_ms).map(drop)
}

/// The same, with what the headers say.
pub(super) fn open(
    secrets: &[&Secret],
    headers: &HeaderMap,
    body: &[u8],
    now_ms: Option<u64>,
) -> Result<Sending, Rejection> {
    let (id, time) = (text(headers, &ID)?, text(headers, &TIMESTAMP)?);
    let signatures = text(headers, &SIGNATURE)?;
    // `parse` alone would let a sign pass.
    let digits = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    let timestamp = time.parse().ok().filter(|_| digits).ok_or(Rejection::TimestampIllegal)?;
    let content = signed_content(id, time, body);
    let given = signatures.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
    let fits = |tag: Vec<u8>| {
        // Compares in constant time.
        secrets.iter().any(|secret| hmac::verify(&secret.key(), &content, &tag).is_ok())
    };
    if !given.into_iter().any(fits) {
        return Err(Rejection::SignatureWrong);
    }
    if now_ms.is_some_and(|now_ms| distance_ms(timestamp, now_ms) > WINDOW_MS) {
        return Err(Rejection::OutOfTime);
    }
    Ok(Sending { id: id.to_owned(), timestamp })
}

/// The second as such has no more exact place than its whole width, so a message is as near as its nearest moment.
fn distance_ms(timestamp: u64, now_ms: u64) -> u64 {
    let first = timestamp.saturating_mul(1000);
    let last = first.saturating_add(999);
    first.saturating_sub(now_ms).max(now_ms.saturating_sub(last))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Rejection> {
    headers.get(name).and_then(|value| value.to_str().ok()).ok_or(Rejection::HeaderMissing)
}

fn signed_content(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}
