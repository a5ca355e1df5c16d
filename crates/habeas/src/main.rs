//! `habeas`: the command line, the configuration, and the wiring of everything else.

mod bench;
mod cli;
mod client;
mod commands;
mod configuration;
mod data_directory;
mod ending;
mod installation;
mod listener;
mod logging;
mod master_key;
mod metrics;
mod output;
mod progress;
mod serve;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // Whatever this program writes (database, socket, packages) is for its own user only.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let arguments = cli::Arguments::parse();
    logging::start(arguments.command.is_service());
    ending::report(commands::run(arguments))
}
