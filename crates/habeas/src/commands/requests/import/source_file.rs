//! The file that is imported: what it is, what it says first, and that it stays as it is.

use std::fs::{File, Metadata};
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use aws_lc_rs::digest::{Context as Digest, SHA256};

use super::columns::Columns;
use super::refusals::Refusals;
use super::source::{Rows, Unreadable};
use crate::cli::Import;
use crate::ending::Usage;

/// Bytes read at once.
const BUFFER: usize = 64 << 10;

/// A file with a header that can be used.
#[derive(Debug)]
pub(super) struct SourceFile {
    path: PathBuf,
    file: File,
    /// How long it was and when it was changed last, when its content was looked at.
    state: (u64, Option<SystemTime>),
    content: Vec<u8>,
    header: Vec<u8>,
    columns: Columns,
    /// The line and the byte behind the header.
    begin: (u64, u64),
}

impl SourceFile {
    /// Looks at the whole file, and reads its first line.
    pub(super) fn open(arguments: &Import) -> anyhow::Result<Self> {
        let path = arguments.file.clone();
        let named = |what: &str| Usage::new(format!("{}: {what}", path.display()));
        let file = File::open(&path).map_err(|error| named(&format!("cannot be opened: {error}")))?;
        let metadata = file.metadata().with_context(|| path.display().to_string())?;
        if !metadata.is_file() {
            bail!(named("is no file that can be read twice; save the rows in one"));
        }
        let content = hash(&file).with_context(|| format!("{} cannot be read", path.display()))?;
        let mut rows = Rows::new(reader(&file, 0)?, 1, 0);
        rows.skip_mark().with_context(|| format!("{} cannot be read", path.display()))?;
        let first = rows.next().map_err(|error| unreadable(&path, &error))?;
        let Some(header) = first else { bail!(named("is empty; the first line must name the columns")) };
        let columns = Columns::read(&header.bytes, arguments).map_err(|usage| named(&usage.to_string()))?;
        let begin = rows.place();
        drop(rows);
        Ok(Self { path, state: state(&metadata), file, content, header: header.bytes, columns, begin })
    }

    /// Which import this is: the same rows, meant the same, for the same server.
    pub(super) fn identity(&self, arguments: &Import, target: &str) -> String {
        let Import { right, policy, delivery, no_review, unverified, .. } = arguments;
        let meant = format!("{:?}", (right, policy, delivery, no_review, unverified, target));
        let mut digest = Digest::new(&SHA256);
        digest.update(&self.content);
        digest.update(meant.as_bytes());
        hex::encode(digest.finish())
    }

    /// Its length in bytes.
    pub(super) const fn length(&self) -> u64 {
        self.state.0
    }

    pub(super) const fn columns(&self) -> &Columns {
        &self.columns
    }

    /// A file for refused rows with this one's columns.
    pub(super) fn refusals(&self, path: PathBuf) -> Refusals {
        Refusals::new(path, self.header.clone(), self.columns.leading_notes())
    }

    /// The rows from a place on; from the beginning if nothing was read yet.
    pub(super) fn rows_from(&self, place: (u64, u64)) -> anyhow::Result<Rows<BufReader<&File>>> {
        let (line, offset) = if place.1 == 0 { self.begin } else { place };
        Ok(Rows::new(reader(&self.file, offset)?, line, offset))
    }

    /// Fails if somebody wrote into it since its content was looked at.
    pub(super) fn is_unchanged(&self) -> anyhow::Result<()> {
        let now = self.file.metadata().with_context(|| format!("{} cannot be read", self.path.display()))?;
        if state(&now) != self.state {
            bail!(
                "{} was changed while it was read; let nobody write into it and run the command again. Rows that were \
                 imported before are refused as duplicates then",
                self.path.display()
            );
        }
        Ok(())
    }

    /// Why it cannot be read on.
    pub(super) fn unreadable(&self, error: &Unreadable) -> anyhow::Error {
        unreadable(&self.path, error)
    }
}

fn unreadable(path: &Path, error: &Unreadable) -> anyhow::Error {
    anyhow::anyhow!("{}: {error}", path.display())
}

fn state(metadata: &Metadata) -> (u64, Option<SystemTime>) {
    (metadata.len(), metadata.modified().ok())
}

fn reader(mut file: &File, offset: u64) -> anyhow::Result<BufReader<&File>> {
    file.seek(SeekFrom::Start(offset)).context("the file cannot be read again")?;
    Ok(BufReader::with_capacity(BUFFER, file))
}

fn hash(mut file: &File) -> std::io::Result<Vec<u8>> {
    let mut digest = Digest::new(&SHA256);
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.finish().as_ref().to_vec()),
            read => digest.update(&buffer[..read]),
        }
    }
}
