//! What a person enters, and what is kept of it.

use url::Url;

use super::signature::SigningKey;
use crate::connector::{SettingError, Settings};

/// Where messages go.
pub(super) const ENDPOINT_URL: &str = "endpoint_url";
/// What messages and callbacks are signed with.
pub(super) const SIGNING_SECRET: &str = "signing_secret";

const LONGEST_ADDRESS: usize = 500;

/// Brings what was entered into the form that is kept; applied again it changes nothing.
pub(super) fn normalise(settings: &Settings) -> Result<Settings, Vec<SettingError>> {
    let mut kept = Settings::default();
    let mut wrong = Vec::new();
    let mut keep = |key: &str, value: Result<String, &str>| match value {
        Ok(value) => kept.set(key, value),
        Err(message) => wrong.push(SettingError { key: key.to_owned(), message: message.to_owned() }),
    };
    keep(ENDPOINT_URL, address(settings.text(ENDPOINT_URL)));
    let secret = settings.text(SIGNING_SECRET).trim();
    keep(SIGNING_SECRET, SigningKey::read(secret).map(|_| secret.to_owned()));
    if wrong.is_empty() { Ok(kept) } else { Err(wrong) }
}

/// Whether the host may be called is decided where it is called: an operator may have allowed a private one.
fn address(input: &str) -> Result<String, &'static str> {
    let input = input.trim();
    if input.len() > LONGEST_ADDRESS {
        return Err("is too long for an address (500 characters at most)");
    }
    let Ok(url) = Url::parse(input) else {
        return Err("is not an address; enter it whole, for example https://crm.example.com/habeas");
    };
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        Err("must begin with https:// and name a host")
    } else if !url.username().is_empty() || url.password().is_some() {
        Err("must hold no user name or password: the signature proves who sends")
    } else if url.query().is_some() || url.fragment().is_some() {
        Err("must end with its path: leave out what follows `?` or `#`")
    } else {
        Ok(url.into())
    }
}
