//! How far an import has come, beside its file: whoever runs the same command again goes on there. Holds numbers and
//! hashes, nothing of anybody.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// What became of the rows so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// Rows looked at.
    pub(super) rows: u64,
    /// Rows taken in, or that would be.
    pub(super) accepted: u64,
    /// Rows of which the server knew already that this import took them in.
    pub(super) known: u64,
    /// Rows refused, by code.
    pub(super) refused: BTreeMap<String, u64>,
}

impl Tally {
    /// All refused rows.
    pub(super) fn refused(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// Where an import stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Journal {
    /// Which import: the file's content, the command line and the server.
    pub(super) import: String,
    /// When the file was to be imported once more, in seconds; 0 if it was not.
    pub(super) round: i64,
    /// Whether every row has its answer.
    pub(super) finished: bool,
    /// Up to where, in bytes of the file; a batch ends there.
    pub(super) offset: u64,
    /// The line that comes next.
    pub(super) line: u64,
    /// How long the file of refused rows is.
    pub(super) refusals: u64,
    /// What became of the rows.
    pub(super) tally: Tally,
}

impl Journal {
    /// What is known of imports of this file.
    pub(super) fn load(path: &Path) -> anyhow::Result<Option<Self>> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let unusable = || {
            format!(
                "{} does not say how far the import has come; if the file was never imported, remove it",
                path.display()
            )
        };
        serde_json::from_slice(&bytes).map(Some).with_context(unusable)
    }

    /// Keeps it, as a whole or not at all.
    pub(super) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let failed = || format!("how far the import has come cannot be written to {}", path.display());
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        let mut file = tempfile::NamedTempFile::new_in(directory).with_context(failed)?;
        file.write_all(&serde_json::to_vec(self)?).with_context(failed)?;
        file.persist(path).with_context(failed)?;
        Ok(())
    }
}
