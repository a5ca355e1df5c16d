//! What a person enters, and what is kept of it.

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::connector::{SettingError, Settings};
use crate::manifest::is_host_label;

/// The data centre: the first part of the vendor's host name.
pub(super) const DATACENTER_ID: &str = "datacenter_id";
/// The OAuth client.
pub(super) const CLIENT_ID: &str = "client_id";
/// Its secret.
pub(super) const CLIENT_SECRET: &str = "client_secret";

/// Ids and secrets are opaque; the bound is only against accidents.
const LONGEST_CREDENTIAL: usize = 512;

/// An OAuth client of one data centre.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    pub(super) client_id: String,
    pub(super) client_secret: SecretString,
}

impl Credentials {
    /// The client of normalised settings; `None` if a part is missing.
    pub(super) fn read(settings: &Settings) -> Option<Self> {
        let client_id = settings.text(CLIENT_ID).to_owned();
        let client_secret = settings.get(CLIENT_SECRET)?.clone();
        let is_whole = !client_id.is_empty() && !client_secret.expose_secret().is_empty();
        is_whole.then_some(Self { client_id, client_secret })
    }
}

/// Brings what was entered into the form that is kept.
pub(super) fn normalise(settings: &Settings) -> Result<Settings, Vec<SettingError>> {
    let mut errors: Vec<SettingError> = settings
        .keys()
        .filter(|key| ![DATACENTER_ID, CLIENT_ID, CLIENT_SECRET].contains(key))
        .map(|key| {
            wrong(
                key,
                "is not a setting of Qualtrics; they are `datacenter_id`, `client_id` and `client_secret`",
            )
        })
        .collect();
    let mut kept = Settings::default();
    let datacenter_id = settings.text(DATACENTER_ID);
    if is_host_label(datacenter_id) {
        kept.set(DATACENTER_ID, datacenter_id);
    } else {
        errors.push(wrong(DATACENTER_ID, explain_datacenter(datacenter_id)));
    }
    for (key, judge) in [(CLIENT_ID, client_id as fn(&str) -> _), (CLIENT_SECRET, credential)] {
        let value = Zeroizing::new(settings.text(key).trim().to_owned());
        match judge(&value) {
            Ok(()) => kept.set(key, value.as_str()),
            Err(message) => errors.push(wrong(key, message)),
        }
    }
    if errors.is_empty() { Ok(kept) } else { Err(errors) }
}

/// Which of the ways not to be a data centre it is: each has another remedy.
fn explain_datacenter(text: &str) -> &'static str {
    if text.trim().is_empty() {
        "is empty; enter the Datacenter ID, for example fra1"
    } else if text.contains(['.', '/', ':']) {
        "is an address or has several parts; enter the Datacenter ID alone, for example fra1"
    } else if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
        "contains a space, a line break or a control character; enter the Datacenter ID alone, for example fra1"
    } else if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        "contains capital letters; Datacenter IDs are written in lower case, for example fra1"
    } else {
        "is not a Datacenter ID: lower-case letters, digits and inner hyphens, 63 characters at most, for example fra1"
    }
}

/// In Basic credentials a colon ends the id.
fn client_id(text: &str) -> Result<(), &'static str> {
    credential(text)?;
    if text.contains(':') { Err("contains a colon, which no Client ID has; copy it again") } else { Ok(()) }
}

fn credential(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        Err("is empty; copy it from the OAuth Client Manager")
    } else if text.len() > LONGEST_CREDENTIAL {
        Err("is too long (512 bytes at most); copy it alone")
    } else if text.chars().any(char::is_control) {
        Err("contains a line break or another control character; copy it again, alone")
    } else {
        Ok(())
    }
}

fn wrong(key: &str, message: &str) -> SettingError {
    SettingError { key: key.to_owned(), message: message.to_owned() }
}
