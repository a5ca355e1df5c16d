//! What a person pastes, and what is kept of it.
//!
//! The vendor hands the token out in the fragment of an address:
//! `...auth_code#access_token=..&expires_in=31536000&token_type=bearer&user=..&scope=..&refresh_token=..`,
//! in no fixed order (ReadyCloud OAuth2, implicit grant). Of that only the token and its expiry are kept;
//! the refresh token and the user's e-mail address are dropped at once.

use std::time::Duration;

use jiff::Timestamp;
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::connector::{SettingError, Settings};

/// The token.
pub(super) const ACCESS_TOKEN: &str = "access_token";
/// Derived: when the token of [`TOKEN_MARK`] expires (RFC 3339).
pub(super) const TOKEN_EXPIRES_AT: &str = "token_expires_at";
/// Derived: which token the expiry belongs to, so that it is not believed of the token that replaces it.
pub(super) const TOKEN_MARK: &str = "token_mark";

/// The vendor's code makes 10 characters, its samples 32; a token is opaque, so the bound is only against
/// accidents.
const LONGEST_TOKEN: usize = 512;
/// A pasted address with everything in it.
const LONGEST_INPUT: usize = 8192;
/// Longer lifetimes are not believed (the documented one is a year).
const LONGEST_LIFETIME: Duration = Duration::from_secs(100 * 366 * 86_400);

/// Brings what was entered into the form that is kept.
pub(super) fn normalise(settings: &Settings, now: Timestamp) -> Result<Settings, Vec<SettingError>> {
    let unknown: Vec<SettingError> = settings
        .keys()
        .filter(|key| ![ACCESS_TOKEN, TOKEN_EXPIRES_AT, TOKEN_MARK].contains(key))
        .map(|key| wrong(key, "is not a setting of ReadyCloud; the only one is `access_token`"))
        .collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let Pasted { token, lifetime } =
        read(settings.text(ACCESS_TOKEN)).map_err(|message| vec![wrong(ACCESS_TOKEN, message)])?;
    let mark = mark(&token);
    let expires_at = match lifetime {
        Some(lifetime) => now.checked_add(lifetime).ok(),
        // The same token again, for example because only the connection's name was edited.
        None if settings.text(TOKEN_MARK) == mark => settings.text(TOKEN_EXPIRES_AT).parse().ok(),
        None => None,
    };
    let mut kept = Settings::default();
    kept.set(ACCESS_TOKEN, token.as_str());
    if let Some(expires_at) = expires_at {
        kept.set(TOKEN_EXPIRES_AT, expires_at.to_string());
        kept.set(TOKEN_MARK, mark);
    }
    Ok(kept)
}

/// When the token expires, as far as it is known.
pub(super) fn token_expires_at(settings: &Settings) -> Option<Timestamp> {
    (settings.text(TOKEN_MARK) == mark(settings.text(ACCESS_TOKEN)))
        .then(|| settings.text(TOKEN_EXPIRES_AT).parse().ok())
        .flatten()
}

struct Pasted {
    token: Zeroizing<String>,
    lifetime: Option<Duration>,
}

/// Takes the token out of what was pasted: a bare token, a whole address, or the part of it behind the `#`.
fn read(input: &str) -> Result<Pasted, &'static str> {
    let input = input.trim();
    if input.is_empty() {
        return Err("is empty; paste the access token or the whole address that contains it");
    }
    if input.len() > LONGEST_INPUT {
        return Err(
            "is far too long; paste the access token or the whole address that contains it, nothing else",
        );
    }
    if input.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Err("contains a space, a line break or a control character; paste the access token alone");
    }
    let is_address = input.contains("://");
    if !is_address && !input.contains("access_token=") {
        return token(input).map(|token| Pasted { token, lifetime: None });
    }
    let parts =
        [input.split_once('#').map(|(_, fragment)| fragment), input.split_once('?').map(|(_, query)| query)];
    // Without either sign only the part behind the `#` was copied.
    let parts = if is_address || parts.iter().any(Option::is_some) { parts } else { [Some(input), None] };
    let Some(fields) = parts.into_iter().flatten().find(|part| value(part, "access_token").is_some()) else {
        return Err(explain_missing(parts));
    };
    let pasted = value(fields, "access_token").unwrap_or_default();
    let lifetime = value(fields, "expires_in")
        .and_then(|seconds| seconds.parse().ok().map(Duration::from_secs))
        .filter(|lifetime| *lifetime <= LONGEST_LIFETIME);
    token(&pasted).map(|token| Pasted { token, lifetime })
}

/// Which of the ways to get no token it was: each has another remedy.
fn explain_missing(parts: [Option<&str>; 2]) -> &'static str {
    let has = |name| parts.iter().flatten().any(|part| value(part, name).is_some());
    if has("error") {
        "is the address of a refusal, it holds no token; open the authorisation page again and choose Allow Access"
    } else if has("code") {
        "holds a code instead of a token; open the authorisation page again with response_type=token"
    } else {
        "holds no access_token; copy the whole address that the browser shows after Allow Access"
    }
}

fn value(fields: &str, name: &str) -> Option<Zeroizing<String>> {
    // Only what stands in front of the fragment belongs to a query.
    let fields = fields.split('#').next().unwrap_or_default();
    form_urlencoded::parse(fields.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| Zeroizing::new(value.into_owned()))
}

/// A token as RFC 6750 § 2.1 allows it in a header, and a little more: whatever is visible ASCII.
fn token(text: &str) -> Result<Zeroizing<String>, &'static str> {
    match text {
        "" => Err("holds an empty access_token; copy the whole address again"),
        "YOUR_ACCESS_TOKEN" => Err("is the placeholder of the instructions, not a token"),
        _ if text.len() > LONGEST_TOKEN => Err("is too long for an access token (512 characters at most)"),
        _ if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err("contains a space, a line break or a character outside ASCII, which no access token has")
        }
        _ => Ok(Zeroizing::new(text.to_owned())),
    }
}

fn mark(token: &str) -> String {
    format!("{:016x}", super::api::fingerprint(token))
}

fn wrong(key: &str, message: &str) -> SettingError {
    SettingError { key: key.to_owned(), message: message.to_owned() }
}
