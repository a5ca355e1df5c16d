//! The file of refused rows: each as it came, behind its line and what is wrong with it. Made when there is a first one,
//! for its owner only: what stands in it is personal data.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek as _, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::columns::NOTES;
use super::source::behind;

/// Where refused rows go.
#[derive(Debug)]
pub(super) struct Refusals {
    path: PathBuf,
    /// The first line of the source.
    header: Vec<u8>,
    /// Cells at the beginning of each row that are notes of an earlier import.
    notes: usize,
    file: Option<BufWriter<File>>,
    length: u64,
}

impl Refusals {
    /// A file that begins with its first refused row; one that an earlier import left there is gone then, or at the end.
    pub(super) const fn new(path: PathBuf, header: Vec<u8>, notes: usize) -> Self {
        Self { path, header, notes, file: None, length: 0 }
    }

    /// Goes on behind the first `length` bytes: what a killed import wrote after them is written again.
    pub(super) fn resume(&mut self, length: u64) -> anyhow::Result<()> {
        if length == 0 {
            return Ok(());
        }
        let unusable = || format!("the refused rows of the import so far are gone: {}", self.path.display());
        let mut file = OpenOptions::new().write(true).open(&self.path).with_context(unusable)?;
        anyhow::ensure!(file.metadata().with_context(unusable)?.len() >= length, unusable());
        file.set_len(length)?;
        file.seek(SeekFrom::End(0))?;
        (self.file, self.length) = (Some(BufWriter::new(file)), length);
        Ok(())
    }

    /// Adds a row.
    pub(super) fn add(&mut self, line: u64, row: &[u8], code: &str, problem: &str) -> anyhow::Result<()> {
        let mut text = Vec::with_capacity(row.len() + problem.len() + 64);
        if self.file.is_none() {
            self.file = Some(BufWriter::new(create(&self.path)?));
            self.length = 0;
            text.extend_from_slice(NOTES.join(",").as_bytes());
            text.push(b',');
            text.extend_from_slice(behind(&self.header, self.notes));
            text.push(b'\n');
        }
        write!(text, "{line},{code},\"{}\",", problem.replace('"', "\"\"").replace(['\n', '\r'], " "))?;
        text.extend_from_slice(behind(row, self.notes));
        text.push(b'\n');
        let file = self.file.as_mut().context("the file of refused rows is not open")?;
        file.write_all(&text).with_context(|| format!("{} cannot be written", self.path.display()))?;
        self.length += u64::try_from(text.len())?;
        Ok(())
    }

    /// How long the file is, once everything is in it.
    pub(super) fn flush(&mut self) -> anyhow::Result<u64> {
        if let Some(file) = &mut self.file {
            file.flush().with_context(|| format!("{} cannot be written", self.path.display()))?;
        }
        Ok(self.length)
    }

    /// The file, if any row was refused; without one, an earlier import's is taken away.
    pub(super) fn finish(mut self) -> anyhow::Result<Option<PathBuf>> {
        self.flush()?;
        if self.file.is_some() {
            return Ok(Some(self.path));
        }
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{} is of an earlier import", self.path.display()))
            }
            _ => Ok(None),
        }
    }
}

/// A new file in place of one that is there: whoever may read that one must not read this one.
fn create(path: &Path) -> anyhow::Result<File> {
    let failed = || format!("the refused rows cannot be written to {}", path.display());
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).with_context(failed),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(failed)
}
