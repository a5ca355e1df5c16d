//! More processes that work on the same database, as `habeas worker` does on more machines.

use std::os::fd::AsFd as _;
use std::process::Stdio;
use std::sync::atomic::Ordering;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_util::sync::CancellationToken;

use super::product::{Product, Site};
use super::usage;

/// What a process had used at one moment.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Used {
    /// CPU time.
    pub(super) cpu_milliseconds: u64,
    /// Statements sent.
    pub(super) statements: u64,
    /// Transactions committed.
    pub(super) commits: u64,
}

impl Used {
    /// By this process.
    pub(super) fn here(product: &Product) -> anyhow::Result<Self> {
        let counters = product.store().counters();
        Ok(Self {
            cpu_milliseconds: usage::cpu_milliseconds()?,
            statements: counters.statements.load(Ordering::Relaxed) - product.looks(),
            commits: counters.commits.load(Ordering::Relaxed),
        })
    }

    /// Both together.
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            cpu_milliseconds: self.cpu_milliseconds + other.cpu_milliseconds,
            statements: self.statements + other.statements,
            commits: self.commits + other.commits,
        }
    }
}

/// Another process; it ends with this value.
pub(super) struct Colleague {
    _child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Colleague {
    /// Starts it and waits until it works.
    pub(super) async fn start(site: &Site) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["bench", "--colleague"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("another process could not be started")?;
        let mut questions = child.stdin.take().context("the other process has no input")?;
        let answers = child.stdout.take().context("the other process has no output")?;
        // Through the pipe, because the key of a database has no place on a command line.
        questions.write_all(format!("{}\n", serde_json::to_string(site)?).as_bytes()).await?;
        let mut colleague = Self { _child: child, questions, answers: BufReader::new(answers).lines() };
        colleague.used().await?;
        Ok(colleague)
    }

    /// What it has used so far.
    pub(super) async fn used(&mut self) -> anyhow::Result<Used> {
        self.questions.write_all(b"\n").await?;
        let answer = self.answers.next_line().await?.context("the other process is gone")?;
        Ok(serde_json::from_str(&answer)?)
    }
}

/// The other process: works until its input ends, and answers each further line with what it has used.
pub(super) async fn serve() -> anyhow::Result<()> {
    let input = std::io::stdin().as_fd().try_clone_to_owned()?;
    let mut questions = BufReader::new(pipe::Receiver::from_owned_fd(input)?).lines();
    let site = questions.next_line().await?.context("`--colleague` is for the benchmark itself")?;
    let site: Site = serde_json::from_str(&site).context("`--colleague` is for the benchmark itself")?;
    let directory = tempfile::tempdir().context("no place for files")?;
    let product = Product::open(&site, directory.path()).await?;
    let stop = CancellationToken::new();
    let engine = product.start(&stop);
    while questions.next_line().await?.is_some() {
        crate::output::line(&serde_json::to_string(&Used::here(&product)?)?)?;
    }
    stop.cancel();
    engine.await.context("the engine stopped early")
}
