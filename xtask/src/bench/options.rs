//! What to measure.

use anyhow::{Context as _, bail, ensure};

pub(super) const USAGE: &str = "usage: cargo xtask bench [--quick] [--runs N] [--requests N] [--million]\n\
    --quick       a smoke run of a minute: one run, few requests; its figures say nothing\n\
    --runs N      runs of each throughput, of which the median is told (3)\n\
    --requests N  requests of each run (20000)\n\
    --million     memory with 1,000,000 open requests too (about half an hour)";

/// Requests whose system calls are counted: counting slows them down.
const TRACED: usize = 4_000;
/// How long requests arrive at each rate, in seconds.
const SECONDS_AT_A_RATE: usize = 20;

/// What to measure.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) runs: usize,
    pub(super) requests: usize,
    pub(super) rates: Vec<usize>,
    pub(super) open: Vec<usize>,
    pub(super) processes: Vec<usize>,
    quick: bool,
    given: String,
}

impl Options {
    /// `None` if help was asked for.
    pub(super) fn parse(arguments: &[String]) -> anyhow::Result<Option<Self>> {
        let is_quick = arguments.iter().any(|argument| argument == "--quick");
        let mut options = Self {
            runs: if is_quick { 1 } else { 3 },
            requests: if is_quick { 500 } else { 20_000 },
            rates: if is_quick { vec![20] } else { vec![10, 100, 1_000] },
            open: if is_quick { vec![100, 1_000] } else { vec![1_000, 100_000] },
            processes: if is_quick { vec![2] } else { vec![2, 4] },
            quick: is_quick,
            given: arguments.iter().map(|argument| format!(" {argument}")).collect(),
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => {}
                "--million" => options.open.push(1_000_000),
                "--runs" => options.runs = count(argument, arguments.next())?,
                "--requests" => options.requests = count(argument, arguments.next())?,
                "--help" | "-h" => return Ok(None),
                other => bail!("unknown argument `{other}`\n{USAGE}"),
            }
        }
        Ok(Some(options))
    }

    /// Arguments of `habeas bench` for a run of throughput.
    pub(super) fn throughput(&self, right: &str) -> Vec<String> {
        let warmup = (self.requests / 10).max(100);
        words(&format!("--right {right} --requests {} --warmup {warmup}", self.requests))
    }

    /// The same for a run that several processes share.
    pub(super) fn shared(&self, processes: usize) -> Vec<String> {
        [self.throughput("access"), words(&format!("--processes {processes}"))].concat()
    }

    /// The same for a run whose system calls are counted.
    pub(super) fn traced(&self, right: &str) -> Vec<String> {
        words(&format!("--right {right} --requests {} --warmup 200", self.requests.min(TRACED)))
    }

    /// Arguments of `habeas bench` for requests that arrive at `rate` a second.
    pub(super) fn rate(&self, rate: usize) -> Vec<String> {
        let seconds = if self.quick { 2 } else { SECONDS_AT_A_RATE };
        words(&format!("--right access --rate {rate} --requests {} --warmup 200", rate * seconds))
    }

    /// Arguments of the micro benchmarks.
    pub(super) fn of_parts(&self) -> Vec<String> {
        if self.quick { words("--sample-count 2") } else { Vec::new() }
    }

    /// The command that gives the same report.
    pub(super) fn command(&self) -> String {
        format!("cargo xtask bench{}", self.given)
    }
}

/// Arguments of `habeas bench` for `count` open requests.
pub(super) fn open(count: usize) -> Vec<String> {
    words(&format!("--open {count}"))
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn count(name: &str, value: Option<&String>) -> anyhow::Result<usize> {
    let value = value.with_context(|| format!("`{name}` wants a number\n{USAGE}"))?;
    let count = value.parse().with_context(|| format!("`{name}` wants a number, not `{value}`\n{USAGE}"))?;
    ensure!(count > 0, "`{name}` wants at least 1\n{USAGE}");
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> anyhow::Result<Option<Options>> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        let usual = parse("").unwrap().unwrap();
        assert_eq!((usual.runs, usual.requests, usual.open.len()), (3, 20_000, 2));
        let given = parse("--runs 1 --million --requests 5000").unwrap().unwrap();
        assert_eq!((given.runs, given.requests, given.open.last()), (1, 5_000, Some(&1_000_000)));
        assert_eq!(given.command(), "cargo xtask bench --runs 1 --million --requests 5000");
        assert!(parse("--quick").unwrap().unwrap().requests < 1_000);
        assert_eq!(parse("--help").unwrap(), None);
        for wrong in ["--runs", "--runs 0", "--runs many", "--fast"] {
            assert!(parse(wrong).unwrap_err().to_string().contains("usage:"), "{wrong}");
        }
    }
}
