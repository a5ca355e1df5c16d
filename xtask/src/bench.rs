//! `cargo xtask bench`: every figure of `docs/performance.md`, measured on this machine and printed as Markdown.

mod measuring;
mod options;
mod report;
mod syscalls;

use serde_json::Value;

use crate::postgres::{Server, Use};
use crate::process::{cargo, run as run_command, target};
use measuring::{Databases, Program};
use options::Options;
use report::Report;

/// `cargo xtask bench`.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let Some(options) = Options::parse(arguments)? else {
        println!("{}", options::USAGE);
        return Ok(());
    };
    run_command(&mut cargo(&["build", "--release", "--locked", "-p", "habeas"]))?;
    let server = Server::start(Use::Benchmarks)?;
    let program = Program::new(target().join("release/habeas"))?;
    let databases = Databases::new(&server);
    let mut report = Report::begin(&server.version()?, program.path())?;

    report.title("Throughput");
    for right in ["access", "deletion"] {
        for database in databases.kinds() {
            let runs = (0..options.runs)
                .map(|_| program.bench(&databases, database, &options.throughput(right)))
                .collect::<anyhow::Result<Vec<Value>>>()?;
            let mut median = median(runs);
            if database == "sqlite" {
                syscalls::count(&program, &options.traced(right))?.enter(&mut median);
            }
            report.throughput(&median);
        }
    }
    report.title("Several processes on one database");
    for processes in &options.processes {
        report.throughput(&program.bench(&databases, "postgres", &options.shared(*processes))?);
    }
    report.title("Requests that arrive evenly");
    for database in databases.kinds() {
        for rate in &options.rates {
            let measured = program.bench(&databases, database, &options.rate(*rate));
            report.rate(database, *rate, measured);
        }
    }
    report.title("Memory with open requests");
    for open in &options.open {
        report.open(&program.bench(&databases, "sqlite", &options::open(*open))?);
    }
    report.title("Parts");
    for (package, name) in [("habeas-store", "store"), ("habeas-engine", "work")] {
        let mut parts = cargo(&["bench", "--locked", "-p", package, "--bench", name, "--"]);
        report.parts(package, name, parts.args(options.of_parts()))?;
    }
    report.end(&options);
    Ok(())
}

/// The run in the middle by requests a second.
fn median(mut runs: Vec<Value>) -> Value {
    let speed = |run: &Value| run["requests_per_second"].as_f64().unwrap_or(0.0);
    runs.sort_by(|one, other| speed(one).total_cmp(&speed(other)));
    runs.swap_remove(runs.len() / 2)
}
