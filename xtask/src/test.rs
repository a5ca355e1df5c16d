//! `cargo xtask test`: everything that must hold before a change is taken in.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::mail_server;
use crate::postgres::{self, Server, Use};
use crate::process::{cargo, run as run_command, succeeds};

/// What was done, for the summary.
struct Steps {
    done: Vec<(&'static str, Duration)>,
    skipped: Vec<(&'static str, &'static str)>,
}

impl Steps {
    fn step<T>(&mut self, name: &'static str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        println!("\n== {name}");
        #[expect(clippy::disallowed_methods, reason = "a stopwatch on the terminal, not the product's time")]
        let started = Instant::now();
        let value = work().with_context(|| format!("step `{name}` failed"))?;
        let taken = started.elapsed();
        println!("== {name}: {:.1} s", taken.as_secs_f64());
        self.done.push((name, taken));
        Ok(value)
    }

    fn command(&mut self, name: &'static str, command: &mut Command) -> anyhow::Result<()> {
        self.step(name, || run_command(command))
    }

    fn skip(&mut self, name: &'static str, reason: &'static str) {
        println!("\n== {name}: skipped, {reason}");
        self.skipped.push((name, reason));
    }

    fn summarise(&self) {
        println!("\n== summary");
        for (name, taken) in &self.done {
            println!("  {name:<22} {:>7.1} s", taken.as_secs_f64());
        }
        for (name, reason) in &self.skipped {
            println!("  {name:<22} skipped: {reason}");
        }
        let total: Duration = self.done.iter().map(|(_, taken)| *taken).sum();
        println!("  {:<22} {:>7.1} s", "all", total.as_secs_f64());
    }
}

/// `cargo xtask test`.
pub(crate) fn run(_: &[String]) -> anyhow::Result<()> {
    let mut steps = Steps { done: Vec::new(), skipped: Vec::new() };
    // Kept until the end of this function, so the server is stopped whatever happens.
    let server = steps.step("start PostgreSQL", || Server::start(Use::Tests))?;
    let python = steps.step("prepare the mail server", mail_server::prepare)?;
    let surroundings = [(postgres::VARIABLE, server.url()), (mail_server::VARIABLE, python)];

    steps.command("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    steps.command(
        "lint",
        &mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
    )?;
    tests(&mut steps, surroundings)?;
    steps.command(
        "documentation",
        cargo(&["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    if succeeds(&mut cargo(&["deny", "--version"])) {
        steps.command("dependencies", &mut cargo(&["deny", "check"]))?;
    } else {
        steps.skip("dependencies", "cargo-deny is not installed (`cargo install --locked cargo-deny`)");
    }
    steps.summarise();
    Ok(())
}

fn tests(steps: &mut Steps, surroundings: [(&str, String); 2]) -> anyhow::Result<()> {
    let mut tests = if succeeds(&mut cargo(&["nextest", "--version"])) {
        cargo(&["nextest", "run", "--workspace", "--locked"])
    } else {
        println!("\ncargo-nextest is not installed; `cargo test` does the same more slowly");
        cargo(&["test", "--workspace", "--all-targets", "--locked"])
    };
    steps.command("tests", tests.envs(surroundings.clone()))?;
    steps.command(
        "examples in documents",
        cargo(&["test", "--doc", "--workspace", "--locked"]).envs(surroundings),
    )
}
