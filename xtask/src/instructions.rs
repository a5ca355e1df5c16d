//! `cargo xtask instructions`: how many instructions the hot path takes, compared with the kept count.
//!
//! A count says the same on a busy machine as on a quiet one, so a few per cent more are seen at once. The workload
//! (`crates/engine/benches/hot_path.rs`) is run twice with different numbers of requests; the difference is what
//! requests cost, without what starting costs.

mod callgrind;
mod groups;
mod record;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use crate::process::{self, cargo, run_quietly, succeeds};
use groups::Counts;
use record::{Record, Verdict};

/// Rights, and requests of their two runs: enough that every batch of the engine is filled, few enough for a minute. A
/// deletion takes half of what an access takes.
const RUNS: [(&str, u64, u64); 2] = [("access", 64, 256), ("deletion", 64, 512)];

const USAGE: &str = "usage: cargo xtask instructions [--accept]\n\
    --accept   keep the new counts in xtask/instructions.json, because the change was meant";

/// `cargo xtask instructions`.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let accept = match arguments {
        [] => false,
        [one] if one == "--accept" => true,
        _ => bail!("unknown arguments\n{USAGE}"),
    };
    if !succeeds(Command::new("valgrind").arg("--version")) {
        eprintln!("valgrind is not installed; installing Debian's `valgrind`");
        process::install("valgrind")?;
    }
    let program = build()?;
    let directory = tempfile::tempdir()?;
    let mut counted = Record::here()?;
    for (right, few, many) in RUNS {
        let started = count(&program, directory.path(), right, few)?;
        let counts = count(&program, directory.path(), right, many)?;
        counted.rights.insert(right.to_owned(), counts.less(&started).each(many - few));
    }
    let kept = Record::kept()?;
    print!("{}", record::table(&counted, kept.as_ref()));
    if accept {
        counted.keep()?;
        println!("\nkept in {}", record::path().display());
        return Ok(());
    }
    let Some(kept) = kept else {
        bail!(
            "there is no kept count to compare with; keep this one with `cargo xtask instructions --accept`"
        );
    };
    match counted.against(&kept) {
        Verdict::Same => Ok(()),
        Verdict::Fewer => {
            println!("\nfewer than the kept count: hold on to it with `cargo xtask instructions --accept`");
            Ok(())
        }
        Verdict::More(what) => bail!(
            "more instructions than the kept count allows: {}. Look for the cause in the groups above and with \
             `callgrind_annotate`; if the change is worth it, say why in the commit and keep the new count with \
             `cargo xtask instructions --accept`",
            what.join("; ")
        ),
        Verdict::Incomparable(why) => bail!(
            "the kept count cannot be compared with: {why}. Count at the commit before the change too, and compare by \
             eye, or keep the new count with `cargo xtask instructions --accept`"
        ),
    }
}

/// Builds the workload as it is released, but with the names of its functions.
fn build() -> anyhow::Result<PathBuf> {
    let built = cargo(&["rustc", "--release", "--locked", "-p", "habeas-engine", "--bench", "hot_path"])
        .args(["--message-format=json-render-diagnostics", "--", "-C", "strip=none"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cargo does not start")?;
    ensure!(built.status.success(), "the workload does not build; the message stands above");
    let messages = String::from_utf8_lossy(&built.stdout);
    let executable = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message["executable"].as_str()?))
    });
    executable.context("cargo did not say where the workload lies")
}

/// Runs the workload with `requests` requests under callgrind.
fn count(program: &Path, directory: &Path, right: &str, requests: u64) -> anyhow::Result<Counts> {
    let output = directory.join(format!("{right}-{requests}"));
    eprintln!("counting {requests} {right} requests");
    let (access, deletion) = if right == "access" { (requests, 0) } else { (0, requests) };
    run_quietly(
        Command::new("valgrind")
            .args(["--tool=callgrind", "--quiet"])
            .args(["--compress-strings=no", "--compress-pos=no", "--dump-line=no"])
            // Threads take turns, so that who waits for whom is nearly the same every time.
            .arg("--fair-sched=yes")
            .arg(format!("--callgrind-out-file={}", output.display()))
            .arg(program)
            .args([access.to_string(), deletion.to_string()])
            .env("TMPDIR", directory),
    )
    .context("the workload failed under callgrind")?;
    let text = std::fs::read_to_string(&output).context("callgrind wrote nothing")?;
    Ok(Counts::of(callgrind::functions(&text)?))
}
