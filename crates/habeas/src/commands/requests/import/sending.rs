//! A batch of rows on its way: read, sent, and what came back for each row.

use std::io::BufRead;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use habeas_environment::Environment;
use serde::Deserialize;
use serde_json::Value;

use super::columns::{Columns, Misfit};
use super::source::{Rows, Splitter, Unreadable};
use crate::client::problem::Problem;
use crate::client::{Call, Client};

/// Rows sent at once: two units of the server. Changing it changes where batches begin, and so their keys.
const ROWS: usize = 1_000;
/// Bytes of a batch, after which no further row is added to it.
const BYTES: usize = 512 << 10;
/// How often a batch is sent before the import gives up.
const ATTEMPTS: u32 = 8;
/// The wait before the second attempt; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Rows that are sent together.
#[derive(Debug)]
pub(super) struct Batch {
    /// The line of the file on which it begins; stands for it in its key.
    pub(super) first_line: u64,
    /// The line and the byte of the file behind it.
    pub(super) end: (u64, u64),
    pub(super) rows: Vec<BatchRow>,
    body: Bytes,
}

/// A row and what became of it.
#[derive(Debug)]
pub(super) struct BatchRow {
    pub(super) line: u64,
    /// As it stands in the file.
    pub(super) bytes: Vec<u8>,
    pub(super) outcome: Result<Accepted, Refusal>,
}

/// What the server says of a row that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    /// It was taken in, or would be.
    Now,
    /// A check found that this very import took it in.
    Before,
}

/// Why a row was refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) problem: String,
}

impl From<Misfit> for Refusal {
    fn from(misfit: Misfit) -> Self {
        Self { code: misfit.code.to_owned(), problem: misfit.problem }
    }
}

#[derive(Deserialize)]
struct BulkAnswer {
    items: Vec<BulkItem>,
    dry_run: Option<bool>,
}

#[derive(Deserialize)]
struct BulkItem {
    id: Option<String>,
    problem: Option<Value>,
}

/// Reads the next batch; `None` at the end of the file.
pub(super) fn read<R: BufRead>(
    rows: &mut Rows<R>,
    columns: &Columns,
    splitter: &mut Splitter,
) -> Result<Option<Batch>, Unreadable> {
    let mut read = Vec::new();
    let mut body = Vec::new();
    let mut size = 0;
    while read.len() < ROWS && size < BYTES {
        let Some(row) = rows.next()? else { break };
        size += row.bytes.len();
        let outcome = columns.write(&row.bytes, splitter, &mut body).map_err(Refusal::from);
        read.push(BatchRow { line: row.line, bytes: row.bytes, outcome: outcome.map(|()| Accepted::Now) });
    }
    let Some(first_line) = read.first().map(|row| row.line) else { return Ok(None) };
    Ok(Some(Batch { first_line, end: rows.place(), rows: read, body: body.into() }))
}

impl Batch {
    /// Sends it until there is an answer; the rows with what became of them.
    pub(super) async fn send(
        mut self,
        client: &Client,
        environment: &Environment,
        key: String,
        dry_run: bool,
    ) -> anyhow::Result<Self> {
        if self.body.is_empty() {
            return Ok(self);
        }
        let call = Call::post(&["requests", "bulk"])
            .query("dry_run", dry_run.then_some(true))
            .lines(std::mem::take(&mut self.body))
            .once(key);
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            match self.answer(client.call(call.clone()).await, dry_run) {
                Ok(()) => break,
                Err(error) if attempt < ATTEMPTS && may_pass(&error) => {
                    environment.clock().sleep(wait).await;
                    wait = LONGEST_WAIT.min(wait * 2);
                }
                Err(error) => {
                    return Err(
                        error.context(format!("the rows from line {} on have no answer", self.first_line))
                    );
                }
            }
        }
        Ok(self)
    }

    fn answer(&mut self, answer: anyhow::Result<crate::client::Answer>, dry_run: bool) -> anyhow::Result<()> {
        let strange =
            "the server answered with something that is no list of results; is this a Habeas server?";
        let answer: BulkAnswer = serde_json::from_slice(answer?.bytes()).context(strange)?;
        ensure!(
            answer.dry_run == Some(dry_run),
            "the server is of another version and does not know dry runs"
        );
        let sent = self.rows.iter_mut().filter(|row| row.outcome.is_ok());
        let mut items = answer.items.into_iter();
        let mut outcomes = Vec::new();
        for _ in sent {
            let Some(item) = items.next() else { bail!(strange) };
            outcomes.push(match (item.problem, item.id) {
                (None, Some(_)) if dry_run => Ok(Accepted::Before),
                (None, _) => Ok(Accepted::Now),
                (Some(document), _) => {
                    let problem = Problem::of_document(document);
                    // Whatever failed on the server's side is no fault of the row.
                    if problem.may_pass() {
                        return Err(problem.into());
                    }
                    Err(Refusal { code: problem.code().to_owned(), problem: problem.detail().to_owned() })
                }
            });
        }
        ensure!(items.next().is_none(), strange);
        let sent = self.rows.iter_mut().filter(|row| row.outcome.is_ok());
        for (row, outcome) in sent.zip(outcomes) {
            row.outcome = outcome;
        }
        Ok(())
    }
}

/// Whether the same batch may be answered later: always, unless the server said why not.
fn may_pass(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<Problem>() {
        Some(problem) => problem.may_pass(),
        None => error.downcast_ref::<serde_json::Error>().is_none(),
    }
}
