//! `habeas migrate`: brings a database up to date, or moves an installation to another one.

use std::io::{self, IsTerminal as _, Write as _};
use std::ops::ControlFlow;

use anyhow::{Context as _, bail};
use habeas_store::moving::{Moved, Route, Step};
use serde_json::json;

use crate::cli::{Global, Migrate};
use crate::client;
use crate::configuration::{Configuration, DatabaseUrl};
use crate::data_directory::DataDirectory;
use crate::ending::{Ending, Usage};
use crate::installation;
use crate::output::{self, Table};

pub(super) async fn run(global: &Global, arguments: &Migrate) -> anyhow::Result<Ending> {
    if global.server.is_some() {
        bail!(Usage::new("a server brings its own database up to date when it starts; leave --server out"));
    }
    let directory = client::data_directory(global);
    match (&arguments.from, &arguments.to) {
        (Some(from), Some(to)) => relocate(global, &directory, from, to).await,
        _ => bring_up_to_date(global, &directory).await,
    }
}

async fn bring_up_to_date(global: &Global, directory: &DataDirectory) -> anyhow::Result<Ending> {
    let configuration = Configuration::load(directory.path(), global.config.as_deref())?;
    let _lock = installation::take(directory)?;
    let (before, after) = installation::migrate(&configuration).await?;
    if global.json {
        output::json(&json!({"from": before, "to": after}))?;
    } else if before == after {
        output::line(&format!("the database is up to date (version {after})"))?;
    } else {
        output::line(&format!("the database was brought from version {before} to {after}"))?;
    }
    Ok(Ending::Done)
}

async fn relocate(
    global: &Global,
    directory: &DataDirectory,
    from: &str,
    to: &str,
) -> anyhow::Result<Ending> {
    let named = |option: &str, text: &str| {
        DatabaseUrl::named(text, directory.path()).ok_or_else(|| {
            Usage::new(format!(
                "{option} is no database that can be moved; expected sqlite://FILE or \
                 postgres://USER@HOST/DATABASE"
            ))
        })
    };
    let (from, to) = (named("--from", from)?, named("--to", to)?);
    let configuration = Configuration::load(directory.path(), global.config.as_deref())?;
    let _lock = if directory.exists() { Some(directory.lock()?) } else { None };
    let mut progress = Progress::new(global);
    let route = Route { from: &from.0, to: &to.0 };
    let outcome = installation::relocate(&configuration, route, &mut |step| {
        progress.show(step);
        ControlFlow::Continue(())
    })
    .await;
    progress.end();
    let moved = outcome?;
    if global.json {
        output::json(&serde_json::to_value(&moved).context("what was moved cannot be told")?)?;
    } else {
        print(&moved)?;
    }
    Ok(Ending::Done)
}

fn print(moved: &Moved) -> anyhow::Result<()> {
    let mut table = Table::new(&["table", "rows", "digest"]);
    for one in &moved.tables {
        // Enough to tell two apart; the whole digest is in the JSON.
        let digest = one.digest.chars().take(16).collect();
        table.cells(vec![one.name.clone(), one.rows.to_string(), digest]);
    }
    table.print("Nothing was moved.")?;
    let seal = moved
        .seal
        .as_ref()
        .map(|seal| format!(", up to the source's newest seal, number {}", seal.number))
        .unwrap_or_default();
    output::line(&format!(
        "Moved {} rows from {} to {}. Both sides are equal, and the audit log is whole: {} events{seal}.",
        moved.rows, moved.from, moved.to, moved.events
    ))?;
    output::line(
        "Now set `database.url` to the new database and start the server. The master key, `storage.url` and the outbox \
         stay as they are. The old database refuses to be used; docs/moving.md says how to go back.",
    )
}

/// How far the move has come, on stderr.
struct Progress {
    /// Nothing is shown to a program that wants the result.
    silent: bool,
    /// One line that is written anew.
    terminal: bool,
    rows: u64,
    compared: u64,
    said: String,
}

impl Progress {
    fn new(global: &Global) -> Self {
        Self {
            silent: global.json,
            terminal: io::stderr().is_terminal(),
            rows: 0,
            compared: 0,
            said: String::new(),
        }
    }

    fn show(&mut self, step: Step<'_>) {
        let line = match step {
            Step::Begun { resumed, rows, there } => {
                self.rows = rows;
                if resumed {
                    format!("going on with the move: {there} of {rows} rows are there")
                } else {
                    format!("moving {rows} rows")
                }
            }
            Step::Carried { table, there, .. } => {
                format!("copying {table}: {} %", self.percent(there))
            }
            Step::Compared { table, rows } => {
                self.compared += rows;
                format!("comparing {table}: {} %", self.percent(self.compared))
            }
            Step::Verified => "the audit log is whole".to_owned(),
            Step::Left => "the old database is closed".to_owned(),
            Step::Arrived => "the new database is open".to_owned(),
        };
        // A load of a large table is no news.
        if self.silent || line == self.said {
            return;
        }
        let mut stderr = io::stderr().lock();
        // Whoever does not look wants the move all the same.
        drop(if self.terminal {
            write!(stderr, "\r\u{1b}[K{line}").and_then(|()| stderr.flush())
        } else {
            writeln!(stderr, "{line}")
        });
        self.said = line;
    }

    /// Ends the line that is written anew.
    fn end(&self) {
        if self.terminal && !self.said.is_empty() {
            output::complain("");
        }
    }

    fn percent(&self, rows: u64) -> u64 {
        (rows.min(self.rows) * 100).checked_div(self.rows).unwrap_or(100)
    }
}
