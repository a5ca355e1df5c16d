//! What SQLite does not count itself: how often it forces the disk, and how much it writes, seen by strace.

use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::measuring::{Program, result};
use crate::process::{self, succeeds};

/// Counts for one request.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Syscalls {
    syncs: u64,
    log_bytes: u64,
    requests: u64,
}

impl Syscalls {
    /// Puts the counts into the result of a run that was not slowed down.
    pub(super) fn enter(&self, result: &mut Value) {
        result["fsyncs_per_request"] = json!(each(self.syncs, self.requests));
        result["wal_bytes_per_request"] = json!(each(self.log_bytes, self.requests));
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn each(count: u64, requests: u64) -> f64 {
    (count as f64 / requests.max(1) as f64 * 100.0).round() / 100.0
}

/// Runs `habeas bench` on SQLite and counts during its measured part.
pub(super) fn count(program: &Program, arguments: &[String]) -> anyhow::Result<Syscalls> {
    if !succeeds(Command::new("strace").arg("-V")) {
        eprintln!("strace is not installed; installing Debian's `strace`");
        process::install("strace")?;
    }
    eprintln!("habeas bench {} (sqlite, under strace)", arguments.join(" "));
    let directory = tempfile::tempdir()?;
    let trace = directory.path().join("trace");
    let measured = result(
        Command::new("strace")
            // All threads; names of files; times since 1970; only the calls that count are stopped at.
            .args(["-f", "-y", "-ttt", "-qq", "-s", "0", "--seccomp-bpf", "-e", "signal=none"])
            .args(["-e", "trace=fsync,fdatasync,pwrite64", "-o"])
            .arg(&trace)
            .arg(program.path())
            .arg("bench")
            .args(arguments),
    )
    .context("under strace, which must be allowed to trace")?;
    let moment = |at: usize| measured["measured_ms"][at].as_f64().context("no measured_ms");
    let (from, until) = (moment(0)? / 1_000.0, moment(1)? / 1_000.0);
    let text = std::fs::read_to_string(&trace).context("strace wrote nothing")?;
    let mut counted = between(&text, from, until);
    counted.requests = measured["requests"].as_u64().context("no requests")?;
    ensure!(counted.syncs > 0, "strace saw nothing forced to disk; is the temporary directory on a disk?");
    Ok(counted)
}

/// Counts calls that began between two moments, in seconds since 1970.
fn between(trace: &str, from: f64, until: f64) -> Syscalls {
    let mut counted = Syscalls::default();
    for line in trace.lines() {
        // `PID TIME call(FD<FILE>, ...`; a call that another thread interrupts goes on in a line without its arguments.
        let mut words = line.split_whitespace().skip(1);
        let at = words.next().and_then(|time| time.parse::<f64>().ok());
        if !at.is_some_and(|at| at >= from && at <= until) {
            continue;
        }
        let call = words.next().unwrap_or_default();
        if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
            counted.syncs += 1;
        } else if call.starts_with("pwrite64(") && call.contains("-wal>") {
            let bytes = line.split(", ").nth(2).and_then(|bytes| bytes.parse::<u64>().ok());
            counted.log_bytes += bytes.unwrap_or(0);
        }
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_the_measured_part_are_counted_once() {
        let trace = "\
            7 99.000000 fdatasync(9</tmp/x/bench.db-wal>) = 0\n\
            7 100.000001 pwrite64(9</tmp/x/bench.db-wal>, \"\"..., 24, 32) = 24\n\
            7 100.000002 pwrite64(9</tmp/x/bench.db-wal>, \"\"..., 4096, 56 <unfinished ...>\n\
            8 100.000003 pwrite64(8</tmp/x/bench.db>, \"\"..., 4096, 0) = 4096\n\
            7 100.000004 <... pwrite64 resumed>) = 4096\n\
            7 100.000005 fdatasync(9</tmp/x/bench.db-wal> <unfinished ...>\n\
            7 100.000006 <... fdatasync resumed>) = 0\n\
            8 100.000007 fsync(8</tmp/x/bench.db>) = 0\n";
        let counted = between(trace, 100.0, 101.0);
        assert_eq!(counted, Syscalls { syncs: 2, log_bytes: 4_120, requests: 0 });
        let mut result = json!({});
        Syscalls { requests: 10, ..counted }.enter(&mut result);
        assert_eq!(result, json!({"fsyncs_per_request": 0.2, "wal_bytes_per_request": 412.0}));
    }
}
