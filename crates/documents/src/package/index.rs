//! `index.html`: what a worried person reads first, offline.

use std::io;

use askama::Template;
use jiff::tz::TimeZone;

use super::names::Names;
use super::{Answer, Contents, Record, System, values};
use crate::style::STYLE;
use crate::words;

/// What of a system's records the page shows.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) items: Vec<Item>,
    /// How many records there are besides.
    pub(super) more: u64,
}

/// A record on the page.
pub(super) struct Item {
    heading: String,
    kind: String,
    fields: String,
    file: Option<(String, String)>,
}

impl Item {
    pub(super) fn new(record: &Record, path: Option<&str>, zone: &TimeZone) -> Self {
        let kind = words::label(&record.kind);
        let heading = if record.title.trim().is_empty() { kind.clone() } else { record.title.clone() };
        let file = record
            .file
            .as_ref()
            .zip(path)
            .map(|(file, path)| (link(path), format!("{} ({})", file.name, words::size(file.bytes))));
        // Of a file that is nothing but a file, the link says it all.
        let fields = if file.is_some() && record.kind == "file" {
            String::new()
        } else {
            values::html(&record.fields, zone)
        };
        Self { heading, kind, fields, file }
    }
}

/// A path within the package as an address.
fn link(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 8);
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[derive(Template)]
#[template(path = "index.html")]
struct Index<'p> {
    style: &'static str,
    company: &'p str,
    reach: String,
    reference: String,
    received: String,
    created: String,
    law: &'static str,
    found: String,
    systems: Vec<Part<'p>>,
    silent: Vec<&'p str>,
    nothing: Vec<&'p str>,
    left_out: Vec<&'p str>,
    gaps: bool,
}

struct Part<'p> {
    name: &'p str,
    integration: &'p str,
    records: String,
    folder: String,
    shown: &'p Shown,
    left_out: String,
    exceptions: &'p [String],
    not_included: Vec<&'p super::NotIncluded>,
}

pub(super) fn html(contents: &Contents<'_>, names: &Names, shown: &[Shown]) -> io::Result<String> {
    let named = |wanted: fn(&Answer) -> bool| -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for system in contents.systems.iter().filter(|system| wanted(&system.answer)) {
            all.push(&system.connection);
        }
        all
    };
    let has_gaps = |system: &&System| system.left_out > 0 || !system.not_included.is_empty();
    let records: u64 = contents.systems.iter().map(records_of).sum();
    let with_records =
        named(|answer| matches!(answer, Answer::Records(records) if *records > 0)).len() as u64;
    let found = match records {
        0 => "We found nothing about you in the systems that we asked.".to_owned(),
        _ => format!(
            "We found {} about you in {}.",
            words::counted(records, "record", "records"),
            words::counted(with_records, "system", "systems")
        ),
    };
    let systems = contents
        .systems
        .iter()
        .enumerate()
        .filter(|(_, system)| matches!(system.answer, Answer::Records(_)) || has_gaps(system))
        .zip_shown(shown)
        .map(|(at, system, shown)| Part {
            name: &system.connection,
            integration: &system.integration,
            records: words::counted(records_of(system), "record", "records"),
            folder: if matches!(system.answer, Answer::Records(_)) {
                link(names.folder(at))
            } else {
                String::new()
            },
            shown,
            left_out: match system.left_out {
                0 => String::new(),
                count => words::counted(count, "record was", "records were"),
            },
            exceptions: &system.exceptions,
            not_included: system.not_included.iter().collect(),
        })
        .collect();
    let silent = named(|answer| *answer == Answer::NotAnswered);
    let left_out = named(|answer| *answer == Answer::LeftOut);
    let page = Index {
        style: STYLE,
        company: &contents.company.name,
        reach: contents.company.reach(),
        reference: crate::mail::reference(contents.request),
        received: words::date(contents.received_on),
        created: words::day(contents.created_at, &contents.time_zone),
        law: contents.policy.name,
        found,
        gaps: !silent.is_empty() || !left_out.is_empty() || contents.systems.iter().any(|it| has_gaps(&it)),
        systems,
        silent,
        nothing: named(|answer| *answer == Answer::NothingHeld),
        left_out,
    };
    page.render().map_err(io::Error::other)
}

fn records_of(system: &System) -> u64 {
    match system.answer {
        Answer::Records(records) => records,
        _ => 0,
    }
}

/// Puts what is shown of each system beside it.
trait ZipShown<'p>: Iterator<Item = (usize, &'p System)> + Sized {
    fn zip_shown(self, shown: &'p [Shown]) -> impl Iterator<Item = (usize, &'p System, &'p Shown)> {
        self.filter_map(move |(at, system)| shown.get(at).map(|shown| (at, system, shown)))
    }
}

impl<'p, I: Iterator<Item = (usize, &'p System)>> ZipShown<'p> for I {}
