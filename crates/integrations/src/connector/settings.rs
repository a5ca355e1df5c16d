//! The settings of a connection.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A field that cannot be used, and why. Never holds the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// The setting's key.
    pub key: String,
    /// What is wrong with it and what is expected.
    pub message: String,
}

/// A connection's settings: secrets do not print and are wiped from memory.
#[derive(Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, SecretString>,
}

impl Settings {
    /// The value of `key`, if given.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&SecretString> {
        self.values.get(key)
    }

    /// The value of `key` in clear, empty if it was not given.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        self.values.get(key).map_or("", |value| value.expose_secret())
    }

    /// Sets `key`.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.values.insert(key.into(), SecretString::from(value.into()));
    }

    /// Sets everything that `others` holds.
    pub fn replace(&mut self, others: &Self) {
        self.values.extend(others.values.iter().map(|(key, value)| (key.clone(), value.clone())));
    }

    /// Whether nothing was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The keys that were given.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// The JSON object in clear, for sealing only.
    #[must_use]
    pub fn to_sealable(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let plain: BTreeMap<&str, &str> =
            self.values.iter().map(|(key, value)| (key.as_str(), value.expose_secret())).collect();
        zeroize::Zeroizing::new(serde_json::to_vec(&plain).unwrap_or_default())
    }

    /// Back from what [`Settings::to_sealable`] gave.
    ///
    /// # Errors
    /// If the bytes are not such an object.
    pub fn from_sealed(plain: &[u8]) -> Result<Self, serde_json::Error> {
        let values: BTreeMap<String, String> = serde_json::from_slice(plain)?;
        Ok(values.into_iter().collect())
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Settings {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(values: I) -> Self {
        let mut settings = Self::default();
        for (key, value) in values {
            settings.set(key, value);
        }
        settings
    }
}

/// Shows which settings there are, never their values.
impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.values.keys()).finish()
    }
}
