//! Where the master key comes from, and the one moment when it may be made.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use habeas_environment::Environment;
use habeas_store::{Keyring, MasterKey};
use zeroize::Zeroizing;

use crate::configuration::{Encryption, PreviousKey};

/// A place that holds the master key.
pub(crate) trait KeyProvider {
    /// The key, or `None` if the place is empty.
    ///
    /// # Errors
    /// If something is there that must not be used.
    fn load(&self) -> anyhow::Result<Option<MasterKey>>;

    /// Puts a new key there, durably, before anything is sealed with it.
    ///
    /// # Errors
    /// If the place takes no keys, or has one.
    fn keep(&self, key: &MasterKey) -> anyhow::Result<()>;

    /// Takes back a key that nothing was sealed with.
    fn discard(&self);

    /// How messages name the place.
    fn describe(&self) -> String;
}

/// A file that only its owner can read.
#[derive(Debug)]
pub(crate) struct KeyFile(PathBuf);

/// The environment variable `HABEAS_ENCRYPTION__KEY`.
#[derive(Debug)]
pub(crate) struct EnvironmentKey(MasterKey);

/// The place that the operator chose.
pub(crate) fn provider(encryption: &Encryption) -> Box<dyn KeyProvider> {
    match &encryption.key {
        Some(key) => Box::new(EnvironmentKey(key.clone())),
        None => Box::new(KeyFile(encryption.key_file.clone())),
    }
}

/// The keyring of `current` and of the keys that were in use before.
pub(crate) fn keyring(current: &MasterKey, encryption: &Encryption) -> anyhow::Result<Keyring> {
    let previous = encryption
        .previous
        .iter()
        .map(|place| match place {
            PreviousKey::Key(key) => Ok(key.clone()),
            PreviousKey::File(path) => read(path)?.with_context(|| {
                format!("there is no master key file {} (encryption.previous)", path.display())
            }),
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Keyring::new(current, &previous)?)
}

/// A new key, kept by `provider`. Only for a database that nothing was written to yet.
pub(crate) fn generate(provider: &dyn KeyProvider, environment: &Environment) -> anyhow::Result<MasterKey> {
    let key = MasterKey::generate(environment);
    provider.keep(&key)?;
    tracing::info!(
        "made a master key in {}: keep a copy outside the backups of the data, nothing can be read without it",
        provider.describe()
    );
    Ok(key)
}

impl KeyProvider for KeyFile {
    fn load(&self) -> anyhow::Result<Option<MasterKey>> {
        read(&self.0)
    }

    fn keep(&self, key: &MasterKey) -> anyhow::Result<()> {
        let written = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.0)?;
            file.write_all(key.to_text().as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            // The name must survive a crash as well: what will be sealed is worthless without it.
            File::open(
                self.0.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")),
            )?
            .sync_all()
        };
        written().with_context(|| format!("cannot write the master key file {}", self.0.display()))
    }

    fn discard(&self) {
        drop(std::fs::remove_file(&self.0));
    }

    fn describe(&self) -> String {
        self.0.display().to_string()
    }
}

impl KeyProvider for EnvironmentKey {
    fn load(&self) -> anyhow::Result<Option<MasterKey>> {
        Ok(Some(self.0.clone()))
    }

    fn keep(&self, _: &MasterKey) -> anyhow::Result<()> {
        bail!("the environment keeps no keys")
    }

    fn discard(&self) {}

    fn describe(&self) -> String {
        "HABEAS_ENCRYPTION__KEY".to_owned()
    }
}

fn read(path: &Path) -> anyhow::Result<Option<MasterKey>> {
    let mode = match std::fs::metadata(path) {
        Ok(found) => found.permissions().mode(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error)
                .with_context(|| format!("the master key file {} cannot be read", path.display()));
        }
    };
    if mode & 0o077 != 0 {
        bail!(
            "the master key file {path} can be read by others (mode {:03o}); whoever reads it can read everything. Run: \
             chmod 600 {path} (nothing was changed)",
            mode & 0o777,
            path = path.display()
        );
    }
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .with_context(|| format!("the master key file {} cannot be read", path.display()))?;
    let key = MasterKey::parse(&text).with_context(|| {
        format!("the master key file {} cannot be used (nothing was changed)", path.display())
    })?;
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_key_is_private_and_found_again() {
        let place = tempfile::tempdir().unwrap();
        let provider = KeyFile(place.path().join("master.key"));
        assert!(provider.load().unwrap().is_none());
        let made = generate(&provider, &Environment::system()).unwrap();
        assert_eq!(provider.load().unwrap().unwrap().to_text(), made.to_text());
        let mode = std::fs::metadata(&provider.0).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(generate(&provider, &Environment::system()).is_err(), "a key is never overwritten");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_command_that_helps() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("master.key");
        std::fs::write(&path, "ab".repeat(32)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refusal = KeyFile(path.clone()).load().unwrap_err().to_string();
        assert!(refusal.contains(&format!("chmod 600 {}", path.display())), "{refusal}");
    }

    #[test]
    fn a_broken_key_is_not_repeated() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("master.key");
        std::fs::write(&path, "almost-a-secret").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let refusal = format!("{:#}", KeyFile(path).load().unwrap_err());
        assert!(refusal.contains("64 hexadecimal digits") && !refusal.contains("almost"), "{refusal}");
    }
}
