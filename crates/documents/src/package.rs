//! The package: what an access request delivers, as a ZIP.
//!
//! `index.html` is for the person, `information.html` and `.json` say what the law wants said (GDPR Art. 15(1)), each
//! system has `records.json`, `records.csv` and its files as they came, and `manifest.json` lists everything with its hash.
//! It is written in one go, whatever its size: records are read again for each file that needs them, never kept.

mod index;
mod information;
mod names;
mod table;
mod values;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use aws_lc_rs::digest::{Context, SHA256};
use habeas_domain::policy::Policy;
use habeas_domain::{RecordId, RequestId, Right};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::company::Company;
use names::Names;
use table::Columns;

/// Records of one system that `index.html` shows; the rest is in the files.
const SHOWN: usize = 200;
/// From which length on a file may need the larger form of an entry.
const LARGE: u64 = u32::MAX as u64 / 2;

/// Everything about a package but its records.
#[derive(Clone, Debug)]
pub struct Contents<'c> {
    /// The request.
    pub request: RequestId,
    /// What was asked.
    pub right: Right,
    /// Under which law.
    pub policy: &'static Policy,
    /// When it was received.
    pub received_on: Date,
    /// When the review ended: the package's time, and that of everything in it.
    pub created_at: Timestamp,
    /// Whose calendar dates count.
    pub time_zone: TimeZone,
    /// Who answers.
    pub company: &'c Company,
    /// Every system that had a part.
    pub systems: Vec<System>,
}

/// A system's part.
#[derive(Clone, Debug)]
pub struct System {
    /// What the company calls it.
    pub connection: String,
    /// What it is (`Qualtrics`).
    pub integration: String,
    /// What it answered.
    pub answer: Answer,
    /// Records that a reviewer left out.
    pub left_out: u64,
    /// Why, in words.
    pub exceptions: Vec<String>,
    /// What could not be included.
    pub not_included: Vec<NotIncluded>,
}

/// Something that a package does not hold, said plainly.
#[derive(Clone, Debug, Serialize)]
pub struct NotIncluded {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// What a system answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It holds something, and so many records of it are in the package.
    Records(u64),
    /// It holds nothing.
    NothingHeld,
    /// It was not asked, or did not answer.
    NotAnswered,
    /// A reviewer left all of it out.
    LeftOut,
}

/// One thing that was found.
#[derive(Clone)]
pub struct Record {
    /// Our id of it.
    pub id: RecordId,
    /// What it is (`contact`).
    pub kind: String,
    /// How one recognises it.
    pub title: String,
    /// What is held.
    pub fields: Map<String, Value>,
    /// Its file, where it has one.
    pub file: Option<RecordFile>,
}

/// Never prints contents.
impl std::fmt::Debug for Record {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Record({}, {} fields)", self.id, self.fields.len())
    }
}

/// A file of a record, as it came.
#[derive(Clone)]
pub struct RecordFile {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its length.
    pub bytes: u64,
}

/// Never prints the name.
impl std::fmt::Debug for RecordFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "RecordFile({} bytes)", self.bytes)
    }
}

/// Where the records come from. The same records in the same order give the same package.
pub trait Source {
    /// Every record of a system (its place in [`Contents::systems`]), in a fixed order. Asked several times.
    ///
    /// # Errors
    /// If they cannot be read, or `each` fails.
    fn records(&mut self, system: usize, each: &mut dyn FnMut(Record) -> io::Result<()>) -> io::Result<()>;

    /// The file of a record.
    ///
    /// # Errors
    /// If it cannot be read.
    fn file(&mut self, record: RecordId) -> io::Result<Box<dyn Read + '_>>;
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes of the package.
    pub bytes: u64,
    /// SHA-256 of them.
    pub sha256: [u8; 32],
}

/// Writes a package.
///
/// # Errors
/// If the source cannot be read or `out` not be written.
pub fn write(contents: &Contents<'_>, source: &mut dyn Source, out: impl Write) -> io::Result<Written> {
    let mut archive = Archive::new(contents, Hashing::new(out));
    let names = Names::of_systems(contents);
    let mut shown = Vec::with_capacity(contents.systems.len());
    for (at, system) in contents.systems.iter().enumerate() {
        if matches!(system.answer, Answer::Records(_)) {
            shown.push(write_system(&mut archive, source, at, names.folder(at))?);
        } else {
            shown.push(index::Shown::default());
        }
    }
    archive.text("information.json", None, 0, &information::json(contents)?)?;
    archive.text("information.html", None, 0, &information::html(contents)?)?;
    archive.text("index.html", None, 0, &index::html(contents, &names, &shown)?)?;
    archive.finish()
}

/// The files of one system; what of it `index.html` shows.
fn write_system(
    archive: &mut Archive<'_, impl Write>,
    source: &mut dyn Source,
    system: usize,
    folder: &str,
) -> io::Result<index::Shown> {
    let zone = archive.contents.time_zone.clone();
    let mut columns = Columns::default();
    let mut shown = index::Shown::default();
    let mut files = BTreeMap::new();
    let mut taken = names::Taken::default();
    let connection = Some(system);

    let mut entry = archive.begin(&format!("{folder}/records.json"), connection)?;
    let mut count = 0;
    entry.write_all(b"[")?;
    source.records(system, &mut |record| {
        columns.learn(&record);
        let path = record.file.as_ref().map(|file| {
            let name = taken.unique(&names::safe(&file.name, "file"));
            format!("{folder}/files/{name}")
        });
        entry.write_all(if count == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut entry, &JsonRecord::new(&record, path.as_deref()))?;
        if shown.items.len() < SHOWN {
            shown.items.push(index::Item::new(&record, path.as_deref(), &zone));
        } else {
            shown.more += 1;
        }
        if let Some(path) = path {
            files.insert(record.id, path);
        }
        count += 1;
        Ok(())
    })?;
    entry.write_all(b"\n]\n")?;
    entry.end(count)?;

    let mut entry = archive.begin(&format!("{folder}/records.csv"), connection)?;
    table::write(&mut entry, &columns, &files, |each| source.records(system, each))?;
    entry.end(count)?;

    for (record, path) in files {
        let mut entry = archive.begin_file(&path, connection)?;
        io::copy(&mut source.file(record)?, &mut entry)?;
        entry.end(1)?;
    }
    Ok(shown)
}

/// A record as `records.json` holds it.
#[derive(Serialize)]
struct JsonRecord<'r> {
    id: RecordId,
    kind: &'r str,
    title: &'r str,
    fields: &'r Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'r str>,
}

impl<'r> JsonRecord<'r> {
    fn new(record: &'r Record, file: Option<&'r str>) -> Self {
        Self { id: record.id, kind: &record.kind, title: &record.title, fields: &record.fields, file }
    }
}

/// What `manifest.json` says of a file.
#[derive(Serialize)]
struct Listed {
    path: String,
    connection: Option<String>,
    records: u64,
    sha256: String,
}

#[derive(Serialize)]
struct Manifest<'m> {
    request_id: RequestId,
    created_at: Timestamp,
    files: &'m [Listed],
}

/// The ZIP under way.
struct Archive<'c, W: Write> {
    contents: &'c Contents<'c>,
    zip: ZipWriter<StreamWriter<Hashing<W>>>,
    time: DateTime,
    listed: Vec<Listed>,
}

/// A file under way; its bytes are hashed as they go by.
struct Entry<'a, 'c, W: Write> {
    archive: &'a mut Archive<'c, W>,
    path: String,
    connection: Option<usize>,
    hash: Context,
}

impl<'c, W: Write> Archive<'c, W> {
    fn new(contents: &'c Contents<'c>, out: Hashing<W>) -> Self {
        let at = contents.created_at.to_zoned(TimeZone::UTC);
        let part = |number: i8| number.unsigned_abs();
        let year = at.year().unsigned_abs();
        let time = DateTime::from_date_and_time(
            year,
            part(at.month()),
            part(at.day()),
            part(at.hour()),
            part(at.minute()),
            part(at.second()),
        );
        Self {
            contents,
            zip: ZipWriter::new_stream(out),
            // A ZIP knows the years 1980 to 2107.
            time: time.unwrap_or_default(),
            listed: Vec::new(),
        }
    }

    fn options(&self) -> SimpleFileOptions {
        SimpleFileOptions::default().last_modified_time(self.time).unix_permissions(0o644)
    }

    fn begin(&mut self, path: &str, connection: Option<usize>) -> io::Result<Entry<'_, 'c, W>> {
        let options = self
            .options()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(1))
            .large_file(connection.is_some() && self.may_be_large());
        self.zip.start_file(path, options).map_err(io::Error::other)?;
        Ok(self.entry(path, connection))
    }

    /// A file that goes in as it is: most are compressed already.
    fn begin_file(&mut self, path: &str, connection: Option<usize>) -> io::Result<Entry<'_, 'c, W>> {
        let options = self.options().compression_method(CompressionMethod::Stored).large_file(true);
        self.zip.start_file(path, options).map_err(io::Error::other)?;
        Ok(self.entry(path, connection))
    }

    /// Whether a system's records may be longer than a plain entry takes.
    fn may_be_large(&self) -> bool {
        let records = |system: &System| match system.answer {
            Answer::Records(records) => records,
            _ => 0,
        };
        // A record has at most a few megabytes.
        self.contents.systems.iter().map(records).max().unwrap_or(0) > LARGE / (4 << 20)
    }

    fn entry(&mut self, path: &str, connection: Option<usize>) -> Entry<'_, 'c, W> {
        Entry { archive: self, path: path.to_owned(), connection, hash: Context::new(&SHA256) }
    }

    fn text(&mut self, path: &str, connection: Option<usize>, records: u64, text: &str) -> io::Result<()> {
        let mut entry = self.begin(path, connection)?;
        entry.write_all(text.as_bytes())?;
        entry.end(records)
    }

    fn finish(mut self) -> io::Result<Written> {
        let Contents { request, created_at, .. } = *self.contents;
        let listed = std::mem::take(&mut self.listed);
        let manifest = Manifest { request_id: request, created_at, files: &listed };
        let options =
            self.options().compression_method(CompressionMethod::Deflated).compression_level(Some(1));
        self.zip.start_file("manifest.json", options).map_err(io::Error::other)?;
        serde_json::to_writer_pretty(&mut self.zip, &manifest)?;
        let mut out = self.zip.finish().map_err(io::Error::other)?.into_inner();
        out.flush()?;
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(out.hash.finish().as_ref());
        Ok(Written { bytes: out.bytes, sha256 })
    }
}

impl<W: Write> Write for Entry<'_, '_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.archive.zip.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.archive.zip.flush()
    }
}

impl<W: Write> Entry<'_, '_, W> {
    fn end(self, records: u64) -> io::Result<()> {
        let Self { archive, path, connection, hash } = self;
        let connection = connection.and_then(|at| archive.contents.systems.get(at));
        archive.listed.push(Listed {
            path,
            connection: connection.map(|system| system.connection.clone()),
            records,
            sha256: hex::encode(hash.finish()),
        });
        Ok(())
    }
}

/// Counts and hashes everything that is written.
struct Hashing<W> {
    out: W,
    hash: Context,
    bytes: u64,
}

impl<W> Hashing<W> {
    fn new(out: W) -> Self {
        Self { out, hash: Context::new(&SHA256), bytes: 0 }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
