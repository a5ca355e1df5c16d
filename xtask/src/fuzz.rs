//! `cargo xtask fuzz [--seconds N] [TARGET]`: lets libFuzzer answer in the vendors' place (`fuzz/`).
//!
//! It works with the stable toolchain: the instrumentation that libFuzzer goes by is part of the compiler, and without
//! an address sanitizer, which finds nothing in a product without unsafe code, nothing unstable is needed.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use crate::process::{cargo, root, run as run_command, succeeds, target};

/// How long each target runs unless somebody says otherwise.
const SECONDS: u32 = 60;
/// One input that takes longer, in seconds, is a finding.
const LONGEST_INPUT: u32 = 20;
/// A run that takes up more memory, in MiB, is one too.
const MOST_MEMORY: u32 = 1024;

/// `cargo xtask fuzz`.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let known = targets()?;
    let chosen = Chosen::read(arguments, &known)?;
    if !succeeds(&mut cargo(&["fuzz", "--version"])) {
        println!("\n== cargo-fuzz is not installed; installing it");
        run_command(&mut cargo(&["install", "--locked", "cargo-fuzz"]))?;
    }
    let place = target().join("fuzz");
    let seeds = place.join("seeds");
    println!("\n== inputs out of the recordings");
    let example =
        ["run", "--quiet", "--locked", "-p", "habeas-integrations", "--example", "fuzz_seeds", "--"];
    run_command(cargo(&example).arg(&seeds))?;
    for target in chosen.targets {
        println!("\n== {target}, {} seconds", chosen.seconds);
        let corpus = place.join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        run_command(&mut fuzz(&place, target, chosen.seconds, &[&corpus, &seeds.join(target)])).with_context(|| {
            format!(
                "`{target}` failed; if the output above names a test unit, that file is the input: make a test of it, \
                 and try it again with `cargo fuzz run --sanitizer none --target-dir {} {target} FILE`",
                place.join("build").display()
            )
        })?;
    }
    Ok(())
}

struct Chosen<'a> {
    seconds: u32,
    targets: Vec<&'a str>,
}

impl<'a> Chosen<'a> {
    fn read(arguments: &[String], known: &'a [String]) -> anyhow::Result<Self> {
        let (mut seconds, mut targets) = (SECONDS, Vec::new());
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if argument == "--seconds" {
                let number = arguments.next().and_then(|number| number.parse().ok());
                seconds = number.filter(|number| *number > 0).context("`--seconds` needs a number")?;
            } else if let Some(target) = known.iter().find(|target| *target == argument) {
                targets.push(target.as_str());
            } else {
                bail!("`{argument}` is no target; there are {}", known.join(", "));
            }
        }
        if targets.is_empty() {
            targets = known.iter().map(String::as_str).collect();
        }
        Ok(Self { seconds, targets })
    }
}

/// Every target, by its file.
fn targets() -> anyhow::Result<Vec<String>> {
    let mut targets = Vec::new();
    for file in fs::read_dir(root().join("fuzz/fuzz_targets"))? {
        let file = file?.path();
        targets.extend(file.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    targets.sort();
    ensure!(!targets.is_empty(), "`fuzz/fuzz_targets` is empty");
    Ok(targets)
}

fn fuzz(place: &Path, target: &str, seconds: u32, corpora: &[&Path]) -> Command {
    let mut command = cargo(&["fuzz", "run", "--sanitizer", "none", "--target-dir"]);
    command.arg(place.join("build")).arg(target).args(corpora).arg("--");
    let dictionary = place.join("seeds").join(format!("{target}.dictionary"));
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={LONGEST_INPUT}"))
        .arg(format!("-rss_limit_mb={MOST_MEMORY}"))
        .arg(format!("-dict={}", dictionary.display()))
        .arg("-print_final_stats=1");
    command
}
