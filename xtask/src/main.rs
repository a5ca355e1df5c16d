//! Developer commands: `cargo xtask <command>`. One module per command, one line in [`COMMANDS`].
#![allow(clippy::print_stdout, reason = "these commands talk to the developer on the terminal")]

mod bench;
mod browser;
mod demo;
mod fuzz;
mod instructions;
mod mail_server;
mod people;
mod postgres;
mod process;
mod rows;
mod test;

use std::process::ExitCode;

struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> anyhow::Result<()>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "bench",
        about: "measures everything in docs/performance.md and prints it; --quick, --help for the rest",
        run: bench::run,
    },
    Command {
        name: "demo",
        about: "runs the product with simulated vendors; --once ends after the requests are closed",
        run: demo::run,
    },
    Command {
        name: "fuzz",
        about: "answers in the vendors' place, --seconds N for each TARGET (60, all)",
        run: fuzz::run,
    },
    Command { name: "rows", about: "prints a CSV file of N invented requests to import", run: rows::run },
    Command {
        name: "instructions",
        about: "counts the instructions of the hot path and compares; --accept keeps the new count",
        run: instructions::run,
    },
    Command { name: "test", about: "installs what the tests need and runs all of them", run: test::run },
    Command {
        name: "postgres",
        about: "keeps a throw-away PostgreSQL running for tests until Ctrl-C",
        run: postgres::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        return usage();
    };
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return usage();
    };
    match (command.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ncargo xtask {name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: cargo xtask <command>\n");
    for command in COMMANDS {
        eprintln!("  {:<13} {}", command.name, command.about);
    }
    ExitCode::from(2)
}
