//! Signatures by the conventions of Standard Webhooks (specification, "Signature scheme"): HMAC-SHA256 over
//! `{id}.{timestamp}.{body}`, in Base64, behind `v1,`.
//!
//! The convention's own crate reads the machine's clock to judge a message's age and keeps its key in clear, so the few lines
//! stand here, over the cryptography that is in the tree; the tests hold them against that crate.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// The version of the scheme, in front of each signature.
const VERSION: &str = "v1,";
/// How many bytes a key may have (specification, "Signing secret").
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Signatures that are looked at; a system that replaces its secret sends two.
const MOST_SIGNATURES: usize = 8;

/// The key of a connection. It does not print.
pub(super) struct SigningKey(hmac::Key);

impl SigningKey {
    /// The key in a secret (`whsec_...`).
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(secret: &str) -> Result<Self, &'static str> {
        let Some(encoded) = secret.strip_prefix(PREFIX) else {
            return Err(
                "does not begin with `whsec_`; a new one: printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\"",
            );
        };
        let key = Zeroizing::new(
            STANDARD
                .decode(encoded)
                .map_err(|_| "is not Base64 behind `whsec_`; copy the whole secret again")?,
        );
        if !KEY_BYTES.contains(&key.len()) {
            return Err("must hold 24 to 64 bytes behind `whsec_`, in Base64; 32 are usual");
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The signature of a message.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("{VERSION}{}", STANDARD.encode(context.sign()))
    }

    /// Whether one of `signatures` is that of the message. Takes the same time for every wrong one.
    pub(super) fn verifies(&self, id: &str, timestamp: i64, body: &[u8], signatures: &str) -> bool {
        let message = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
        signatures
            .split(' ')
            .take(MOST_SIGNATURES)
            .filter_map(|one| STANDARD.decode(one.strip_prefix(VERSION)?).ok())
            .any(|one| hmac::verify(&self.0, &message, &one).is_ok())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey")
    }
}
