//! Where settings come from, as one flat list: dotted path, value, source.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::{DEFAULT_FILE, FILE_NAME};

const PREFIX: &str = "HABEAS_";
const PREFIX_OF_AMAZON: &str = "AWS_";
/// Variables of that prefix that are no settings: they belong to the command line and to the tests.
const NO_SETTINGS: [&str; 4] = ["HABEAS_KEY", "HABEAS_DATA", "HABEAS_TEST_POSTGRES", "HABEAS_TEST_SMTP"];

/// Which layer a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Default,
    File(PathBuf),
    Variable(String),
}

/// How a message names the key: where the operator wrote it.
impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("the defaults"),
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Variable(name) => write!(formatter, "the environment variable {name}"),
        }
    }
}

/// A value as it was written.
#[derive(Clone, Debug)]
pub(super) enum Raw {
    /// From a file, with the type it has there.
    Toml(toml::Value),
    /// From the environment, where everything is text.
    Text(String),
}

/// The value in force for each path, and where it came from.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) entries: BTreeMap<String, (Raw, Source)>,
    /// What is set for Amazon's own tools: never an error, and asked only where nothing of ours is said.
    pub(super) of_amazon: BTreeMap<String, String>,
}

impl Layers {
    pub(super) fn read(
        data: &Path,
        file: Option<&Path>,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Vec<String>> {
        let mut layers = Self::default();
        let mut faults = Vec::new();
        layers.add_file(DEFAULT_FILE, &Source::Default).unwrap_or_else(|fault| faults.push(fault));
        let (path, required) =
            file.map_or_else(|| (data.join(FILE_NAME), false), |file| (file.to_owned(), true));
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let source = Source::File(path);
                layers.add_file(&text, &source).unwrap_or_else(|fault| faults.push(fault));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => {}
            Err(error) => faults.push(format!("{} cannot be read: {error}", path.display())),
        }
        for (name, value) in environment {
            layers.add_variable(&name, &value).unwrap_or_else(|fault| faults.push(fault));
        }
        if faults.is_empty() { Ok(layers) } else { Err(faults) }
    }

    fn add_file(&mut self, text: &str, source: &Source) -> Result<(), String> {
        let table: toml::Table = toml::from_str(text).map_err(|error| {
            // The error's own text repeats the line, which may hold a secret.
            let line =
                error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
            format!("{source} is not TOML: line {line}: {}", error.message())
        })?;
        self.add_table("", table, source);
        Ok(())
    }

    fn add_table(&mut self, path: &str, table: toml::Table, source: &Source) {
        for (key, value) in table {
            let path = if path.is_empty() { key } else { format!("{path}.{key}") };
            match value {
                toml::Value::Table(inner) if !inner.is_empty() => self.add_table(&path, inner, source),
                value => {
                    self.entries.insert(path, (Raw::Toml(value), source.clone()));
                }
            }
        }
    }

    fn add_variable(&mut self, name: &OsString, value: &OsString) -> Result<(), String> {
        if let (Some(name), Some(value)) = (name.to_str(), value.to_str())
            && name.starts_with(PREFIX_OF_AMAZON)
            && !value.is_empty()
        {
            self.of_amazon.insert(name.to_owned(), value.to_owned());
        }
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { return Ok(()) };
        if NO_SETTINGS.contains(&name) {
            return Ok(());
        }
        let source = Source::Variable(name.to_owned());
        let value = value.to_str().ok_or_else(|| format!("{source} is not UTF-8 text"))?;
        let path = name[PREFIX.len()..].to_lowercase().replace("__", ".");
        self.entries.insert(path, (Raw::Text(value.to_owned()), source));
        Ok(())
    }
}
