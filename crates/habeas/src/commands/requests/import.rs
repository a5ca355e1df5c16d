//! `habeas requests import`: a file of any length, checked as a whole by the server, then taken in batch by batch.
//!
//! Every batch carries a key that is made of the import and of the line on which it begins, so one whose answer got lost
//! is not taken in twice; how far the import has come stands beside the file.

mod bar;
mod columns;
mod journal;
mod refusals;
mod sending;
mod source;
mod source_file;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use futures::StreamExt as _;
use habeas_environment::Environment;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::with_client;
use crate::cli::{Global, Import};
use crate::client::{self, Client};
use crate::commands::connections::ask;
use crate::ending::{Ending, Usage};
use crate::{output, serve};
use bar::Bar;
use journal::{Journal, Tally};
use refusals::Refusals;
use sending::{Accepted, Batch};
use source::Splitter;
use source_file::SourceFile;

/// Batches under way at once: one is read by the server while another is written, and no more, so that whoever takes
/// single requests in finds the database free.
const AT_ONCE: usize = 2;

pub(super) async fn run(global: &Global, arguments: Import) -> anyhow::Result<Ending> {
    // Before anything is opened: a command line that cannot be used must leave no trace.
    let source = SourceFile::open(&arguments)?;
    let errors = arguments.errors.clone().unwrap_or_else(|| beside(&arguments.file, "errors.csv"));
    if same_file(&errors, &arguments.file) {
        bail!(Usage::new("--errors names the file that is to be imported; give another one"));
    }
    let journal = beside(&arguments.file, "import.json");
    with_client(global, false, async |client| {
        let environment = Environment::system();
        let interrupted = serve::stop_on_signals()?;
        let arguments = &arguments;
        let work = Importing { global, arguments, source, errors, journal, client, environment, interrupted };
        work.carry_out().await
    })
    .await
}

/// `people.csv` -> `people.errors.csv`.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let stem = match file.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("csv") => file.with_extension(""),
        _ => file.to_path_buf(),
    };
    let mut name = stem.into_os_string();
    name.push(".");
    name.push(ending);
    name.into()
}

fn same_file(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

struct Importing<'c> {
    global: &'c Global,
    arguments: &'c Import,
    source: SourceFile,
    errors: PathBuf,
    journal: PathBuf,
    client: &'c Client,
    environment: Environment,
    interrupted: CancellationToken,
}

/// One way through the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    Check,
    Import,
}

impl Importing<'_> {
    async fn carry_out(self) -> anyhow::Result<Ending> {
        let import = self.source.identity(self.arguments, &self.target());
        let before = Journal::load(&self.journal)?.filter(|before| before.import == import);
        // One that was broken off is gone on with first, or its rows would come twice.
        let again = self.arguments.again && before.as_ref().is_none_or(|before| before.finished);
        let known = before.as_ref().map_or(0, |before| before.round);
        let round = if again { self.environment.now().as_second() } else { known };
        let fresh = Journal {
            import,
            round,
            finished: false,
            offset: 0,
            line: 0,
            refusals: 0,
            tally: Tally::default(),
        };
        if let Some(before) = before.filter(|_| !again && !self.arguments.dry_run) {
            if before.finished {
                return self.was_imported(&before);
            }
            let done = before.tally.rows;
            self.say(&format!("An import of this file was broken off after {done} rows; going on."));
            return self.import(before).await;
        }
        let (tally, errors) = self.check(fresh.clone()).await?;
        if self.arguments.dry_run {
            return self.conclude(Pass::Check, &tally, errors, Duration::ZERO);
        }
        self.say(&checked(&tally, errors.as_deref()));
        if tally.accepted == 0 && tally.known == 0 {
            return self.conclude(Pass::Check, &tally, errors, Duration::ZERO);
        }
        if !self.arguments.yes {
            if !asks(self.global) {
                output::complain(
                    "Nothing was imported; run it again with --yes to import what was accepted.",
                );
                self.conclude(Pass::Check, &tally, errors, Duration::ZERO)?;
                return Ok(Ending::PersonNeeded);
            }
            let answer = ask(&format!("Import {} rows? [y/N]", tally.accepted))?;
            if !matches!(answer.trim(), "y" | "Y" | "yes") {
                output::complain("Nothing was imported.");
                return Ok(Ending::PersonNeeded);
            }
        }
        self.import(fresh).await
    }

    /// The server's address or the installation's place: the same file may be meant for two of them.
    fn target(&self) -> String {
        if let Some(server) = &self.global.server {
            return server.to_string();
        }
        let path = client::data_directory(self.global).path().to_path_buf();
        path.canonicalize().unwrap_or(path).display().to_string()
    }

    async fn check(&self, journal: Journal) -> anyhow::Result<(Tally, Option<PathBuf>)> {
        let mut refusals = self.source.refusals(self.errors.clone());
        let journal = self.go_through(Pass::Check, journal, &mut refusals).await?;
        Ok((journal.tally, refusals.finish()?))
    }

    async fn import(&self, journal: Journal) -> anyhow::Result<Ending> {
        let started = self.environment.clock().monotonic();
        let mut refusals = self.source.refusals(self.errors.clone());
        refusals.resume(journal.refusals)?;
        journal.save(&self.journal)?;
        let mut journal = self.go_through(Pass::Import, journal, &mut refusals).await?;
        let errors = refusals.finish()?;
        journal.finished = true;
        journal.save(&self.journal)?;
        let seconds = self.environment.clock().monotonic().saturating_sub(started);
        if journal.tally.accepted > 0 && !self.client.leaves_work_to_others() {
            self.say("No server runs here: start `habeas serve` to have the systems asked.");
        }
        self.conclude(Pass::Import, &journal.tally, errors, seconds)
    }

    /// Sends the rest of the file; where it then stands.
    async fn go_through(
        &self,
        pass: Pass,
        mut journal: Journal,
        refusals: &mut Refusals,
    ) -> anyhow::Result<Journal> {
        let (source, client, environment) = (&self.source, self.client, &self.environment);
        let interrupted = &self.interrupted;
        let dry_run = pass == Pass::Check;
        let what = if dry_run { "checking" } else { "importing" };
        let mut bar = Bar::new(environment, what, source.length(), journal.offset);
        let rows_before = journal.tally.rows;
        let prefix = format!("import-{}-{}", journal.import.get(..40).unwrap_or_default(), journal.round);
        let mut rows = source.rows_from((journal.line, journal.offset))?;
        let mut splitter = Splitter::default();
        let batches = std::iter::from_fn(|| match source.is_unchanged() {
            Err(error) => Some(Err(error)),
            Ok(()) => sending::read(&mut rows, source.columns(), &mut splitter)
                .map_err(|error| source.unreadable(&error))
                .transpose(),
        });
        let sent = futures::stream::iter(batches).map(|batch: anyhow::Result<Batch>| {
            let key = batch
                .as_ref()
                .map_or_else(|_| String::new(), |batch| format!("{prefix}-{}", batch.first_line));
            async move { batch?.send(client, environment, key, dry_run).await }
        });
        let mut answered = sent.buffered(AT_ONCE);
        loop {
            let batch = tokio::select! {
                biased;
                () = interrupted.cancelled() => {
                    bar.clear();
                    bail!("interrupted after {} rows; run the same command again to go on", journal.tally.rows);
                }
                batch = answered.next() => batch,
            };
            let Some(batch) = batch else { break };
            let batch = batch.inspect_err(|_| bar.clear())?;
            for row in &batch.rows {
                journal.tally.rows += 1;
                match &row.outcome {
                    Ok(Accepted::Now) => journal.tally.accepted += 1,
                    Ok(Accepted::Before) => journal.tally.known += 1,
                    Err(refusal) => {
                        *journal.tally.refused.entry(refusal.code.clone()).or_default() += 1;
                        refusals.add(row.line, &row.bytes, &refusal.code, &refusal.problem)?;
                    }
                }
            }
            (journal.line, journal.offset) = batch.end;
            if pass == Pass::Import {
                // First what was refused: what the journal says of it must be there.
                journal.refusals = refusals.flush()?;
                journal.save(&self.journal)?;
            }
            bar.show(journal.offset, journal.tally.rows - rows_before);
        }
        bar.clear();
        source.is_unchanged()?;
        Ok(journal)
    }

    fn was_imported(&self, before: &Journal) -> anyhow::Result<Ending> {
        self.say("This file was imported before; nothing was done. To import it once more, add --again.");
        let errors = (before.refusals > 0).then(|| self.errors.clone());
        self.conclude(Pass::Import, &before.tally, errors, Duration::ZERO)
    }

    /// For people only.
    fn say(&self, text: &str) {
        if !self.global.json {
            output::complain(text);
        }
    }

    fn conclude(
        &self,
        pass: Pass,
        tally: &Tally,
        errors: Option<PathBuf>,
        elapsed: Duration,
    ) -> anyhow::Result<Ending> {
        if self.global.json {
            output::json(&json!({
                "dry_run": pass == Pass::Check,
                "rows": tally.rows,
                "accepted": tally.accepted,
                "known": tally.known,
                "refused": tally.refused(),
                "codes": tally.refused,
                "errors": errors.map(|path| path.display().to_string()),
                "seconds": elapsed.as_secs_f64(),
            }))?;
        } else if pass == Pass::Check {
            output::line(&checked(tally, errors.as_deref()))?;
        } else {
            let text = format!("{} of {} rows were imported", tally.accepted, tally.rows);
            output::line(&format!("{text}{}", refused(tally, errors.as_deref())))?;
        }
        Ok(if tally.refused() == 0 { Ending::Done } else { Ending::PersonNeeded })
    }
}

/// Whether somebody sits there who can be asked.
fn asks(global: &Global) -> bool {
    use std::io::IsTerminal as _;
    !global.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn checked(tally: &Tally, errors: Option<&Path>) -> String {
    let known = match tally.known {
        0 => String::new(),
        known => format!(", {known} were imported already"),
    };
    format!("{} of {} rows can be imported{known}{}", tally.accepted, tally.rows, refused(tally, errors))
}

fn refused(tally: &Tally, errors: Option<&Path>) -> String {
    let codes: Vec<_> = tally.refused.iter().map(|(code, rows)| format!("{code} {rows}")).collect();
    match errors {
        Some(errors) if tally.refused() > 0 => format!(
            "; {} are refused ({}): see {}, mend them there and import that file",
            tally.refused(),
            codes.join(", "),
            errors.display()
        ),
        _ => ".".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("people.csv", "people.errors.csv")]
    #[case("dir/people.CSV", "dir/people.errors.csv")]
    #[case("people", "people.errors.csv")]
    #[case("people.2026.txt", "people.2026.txt.errors.csv")]
    fn files_beside_the_source_are_named_after_it(#[case] file: &str, #[case] expected: &str) {
        assert_eq!(beside(Path::new(file), "errors.csv"), Path::new(expected));
    }
}
