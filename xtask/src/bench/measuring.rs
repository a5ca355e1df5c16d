//! Running `habeas bench` on a fresh database each time.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::postgres::Server;

/// The databases that are measured.
pub(super) struct Databases<'s> {
    server: &'s Server,
    made: Cell<usize>,
}

impl<'s> Databases<'s> {
    pub(super) fn new(server: &'s Server) -> Self {
        Self { server, made: Cell::new(0) }
    }

    pub(super) fn kinds(&self) -> [&'static str; 2] {
        ["sqlite", "postgres"]
    }

    /// Gives `work` what names a fresh database of a kind on the command line.
    fn with_fresh<T>(
        &self,
        kind: &str,
        work: impl FnOnce(Vec<String>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        if kind == "sqlite" {
            return work(Vec::new());
        }
        let name = format!("bench_{}", self.made.replace(self.made.get() + 1));
        let address = self.server.create_database(&name)?;
        let outcome = work(vec!["--database".to_owned(), address]);
        self.server.drop_database(&name)?;
        outcome
    }
}

/// The product as it is released.
pub(super) struct Program(PathBuf);

impl Program {
    pub(super) fn new(path: PathBuf) -> anyhow::Result<Self> {
        ensure!(path.exists(), "{} was not built", path.display());
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Runs one measurement.
    pub(super) fn bench(
        &self,
        databases: &Databases<'_>,
        kind: &str,
        arguments: &[String],
    ) -> anyhow::Result<Value> {
        eprintln!("habeas bench {} ({kind})", arguments.join(" "));
        databases.with_fresh(kind, |database| {
            result(Command::new(&self.0).arg("bench").args(arguments).args(database))
        })
    }
}

/// What a measurement printed.
pub(super) fn result(command: &mut Command) -> anyhow::Result<Value> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    ensure!(output.status.success(), "the measurement failed ({}); its message stands above", output.status);
    serde_json::from_slice(&output.stdout).context("the measurement printed no result")
}
