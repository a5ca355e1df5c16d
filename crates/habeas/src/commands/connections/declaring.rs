//! A file that declares connections: read as a whole, with every fault and its line.

mod fields;
mod tree;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use habeas_integrations::Catalogue;
use serde_json::Value;

use crate::ending::Usage;

/// The list of connections, and the first part of every path below it.
const CONNECTIONS: &str = "connections";

/// What a file declares.
pub(super) struct Declared {
    file: PathBuf,
    /// Each as the API takes it. What cannot be used of it is left out, and what must not be missing is made up: then
    /// there are faults, and it serves only to learn what else the server finds.
    connections: Vec<Value>,
    faults: Vec<Fault>,
    /// Where each field stands, by its path (`connections.0.settings`).
    lines: BTreeMap<String, u64>,
    /// Settings whose value stands in the file itself.
    in_clear: Vec<(usize, String)>,
}

/// A field that cannot be used. Never holds the value.
struct Fault {
    field: String,
    line: Option<u64>,
    message: String,
}

impl Declared {
    /// Reads a file; what is wrong in it is kept for [`Declared::refusal`].
    pub(super) fn read(file: &Path) -> Result<Self, Usage> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Usage::new(format!("{} cannot be read: {error}", file.display())))?;
        let mut declared = Self {
            file: file.to_owned(),
            connections: Vec::new(),
            faults: Vec::new(),
            lines: BTreeMap::new(),
            in_clear: Vec::new(),
        };
        match tree::read(&text) {
            Ok(node) => declared.take_all(&node),
            Err(unreadable) => {
                let (line, message) = (unreadable.line, unreadable.message);
                declared.faults.push(Fault { field: String::new(), line, message });
            }
        }
        Ok(declared)
    }

    /// What is declared, as the API takes it.
    pub(super) fn connections(&self) -> &[Value] {
        &self.connections
    }

    /// Whether anything in the file cannot be used.
    pub(super) fn is_faulty(&self) -> bool {
        !self.faults.is_empty()
    }

    /// Notes what the server found, unless something is known of that field, or of what it is in, already.
    pub(super) fn blame(&mut self, field: &str, message: &str) {
        let lies_in = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let is_known = |fault: &Fault| lies_in(field, &fault.field) || lies_in(&fault.field, field);
        if !self.faults.iter().any(is_known) {
            self.fault(field, message);
        }
    }

    /// Everything that is wrong in the file.
    pub(super) fn refusal(mut self) -> Usage {
        let mut text = format!("{} cannot be used; nothing was changed", self.file.display());
        self.faults.sort_by_key(|fault| fault.line.unwrap_or(u64::MAX));
        for fault in &self.faults {
            let line = fault.line.map(|line| format!("line {line}")).unwrap_or_default();
            let (connection, field) = self.place(&fault.field);
            let places = [line, connection, field];
            let places: Vec<_> = places.into_iter().filter(|place| !place.is_empty()).collect();
            let colon = if places.is_empty() { "" } else { ": " };
            let _ = write!(text, "\n  - {}{colon}{}", places.join(", "), fault.message);
        }
        Usage::new(text)
    }

    /// Secrets that stand in the file: which connection, which setting, never the value.
    pub(super) fn warnings(&self) -> Vec<String> {
        let catalogue = Catalogue::default();
        let is_secret = |at: usize, key: &str| {
            let integration = self.connections.get(at).and_then(|one| one["integration"].as_str());
            let settings =
                integration.and_then(|name| catalogue.find(name)).map(|one| one.manifest().settings);
            settings.into_iter().flatten().any(|setting| setting.key == key && setting.secret)
        };
        let secrets = self.in_clear.iter().filter(|(at, key)| is_secret(*at, key));
        secrets
            .map(|(at, key)| {
                let line = self.line_of(&format!("{CONNECTIONS}.{at}.settings.{key}")).unwrap_or_default();
                let (connection, _) = self.place(&format!("{CONNECTIONS}.{at}"));
                format!(
                    "{}, line {line}, {connection}: {key} is a secret and stands there in clear; use env:NAME or \
                     file:PATH",
                    self.file.display()
                )
            })
            .collect()
    }

    /// A path as people read it: which connection, which of its fields.
    fn place(&self, field: &str) -> (String, String) {
        let Some(below) = field.strip_prefix(CONNECTIONS).and_then(|rest| rest.strip_prefix('.')) else {
            return (String::new(), field.to_owned());
        };
        let (at, rest) = below.split_once('.').unwrap_or((below, ""));
        let name = at.parse().ok().and_then(|at: usize| {
            let given = self.connections.get(at)?["name"].as_str().filter(|name| !name.trim().is_empty());
            let has_name = !self.faults.iter().any(|fault| fault.field == format!("{CONNECTIONS}.{at}.name"));
            given
                .filter(|_| has_name)
                .map_or_else(|| Some(format!("connection {}", at + 1)), |name| Some(name.to_owned()))
        });
        (name.unwrap_or_default(), rest.to_owned())
    }

    /// The line of a field, or of what it is missing in.
    fn line_of(&self, field: &str) -> Option<u64> {
        let mut field = field;
        loop {
            if let Some(line) = self.lines.get(field) {
                return Some(*line);
            }
            field = field.rsplit_once('.')?.0;
        }
    }

    fn fault(&mut self, field: &str, message: impl Into<String>) {
        let (field, line, message) = (field.to_owned(), self.line_of(field), message.into());
        self.faults.push(Fault { field, line, message });
    }
}

#[cfg(test)]
mod tests;
