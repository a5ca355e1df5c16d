//! The figures as Markdown, on the terminal.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use super::options::Options;
use crate::process::root;

/// A report that is being written.
pub(super) struct Report {
    bars: Vec<Bar>,
    /// Whose columns were named last.
    table: &'static str,
}

/// A quality bar (DESIGN §7) and what was measured.
struct Bar {
    what: String,
    bar: &'static str,
    figure: f64,
    is_met: bool,
}

const THROUGHPUT: &str = "\
| | requests/s | CPU ms | database's CPU ms | statements | commits | fsyncs | log bytes | database bytes | vendor calls | \
single, ms | queue p50 / p95 / p99, s | peak RSS, MiB |\n\
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";
const RATE: &str = "\
| | arriving/s | done/s | latency p50 / p95 / p99, ms | intake p50 / p99, ms | CPU ms | database's CPU ms | statements | \
commits |\n\
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";
const OPEN: &str = "\
| open | RSS, MiB | RSS before, MiB | peak RSS, MiB | database bytes each | intake, s | until all wait, s | idle CPU, % |\n\
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

impl Report {
    /// Says what is measured, and where.
    pub(super) fn begin(postgres: &str, program: &Path) -> anyhow::Result<Self> {
        let said = |program: &str, arguments: &[&str]| -> anyhow::Result<String> {
            let output = Command::new(program).args(arguments).current_dir(root()).output();
            let output = output.with_context(|| format!("`{program}` does not start"))?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let commit = said("git", &["rev-parse", "--short", "HEAD"])?;
        let is_changed = !said("git", &["status", "--porcelain"])?.is_empty();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let bytes = program.metadata().context("the program is gone")?.len();
        println!(
            "Commit {commit}{}, {}, {postgres}, {cores} cores ({}), Linux {}, binary of {:.1} MB.\n\
             Load when it began: {}.",
            if is_changed { " with changes" } else { "" },
            said("rustc", &["--version"])?,
            processor(),
            said("uname", &["-r"])?,
            number(bytes) / 1e6,
            std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim(),
        );
        Ok(Self { bars: Vec::new(), table: "" })
    }

    pub(super) fn title(&mut self, title: &str) {
        println!("\n### {title}\n");
        self.table = "";
    }

    fn row(&mut self, columns: &'static str, cells: &[String]) {
        if self.table != columns {
            println!("{columns}");
            self.table = columns;
        }
        println!("| {} |", cells.join(" | "));
    }

    /// A run of throughput.
    pub(super) fn throughput(&mut self, run: &Value) {
        let requests = run["requests"].as_f64().unwrap_or(1.0);
        let each = |name: &str| format!("{:.3}", run[name].as_f64().unwrap_or(0.0) / requests);
        let seconds = |percentile: &str| run["latency_ms"][percentile].as_f64().unwrap_or(0.0) / 1_000.0;
        let processes = run["processes"].as_u64().unwrap_or(1);
        let by = if processes > 1 { format!(", {processes} processes") } else { String::new() };
        let name = format!("{}, {}{by}", word(run, "right"), word(run, "database"));
        self.row(
            THROUGHPUT,
            &[
                name.clone(),
                shown(&run["requests_per_second"]),
                shown(&run["cpu_ms_per_request"]),
                shown(&run["database_cpu_ms_per_request"]),
                shown(&run["statements_per_request"]),
                each("commits"),
                shown(&run["fsyncs_per_request"]),
                shown(&run["wal_bytes_per_request"]),
                shown(&run["database_bytes_per_request"]),
                each("vendor_calls"),
                shown(&run["single_request_ms"]),
                format!("{:.1} / {:.1} / {:.1}", seconds("p50"), seconds("p95"), seconds("p99")),
                shown(&run["peak_rss_mib"]),
            ],
        );
        let figure = |field: &str| run[field].as_f64().unwrap_or(0.0);
        let speed = figure("requests_per_second");
        if run["database"] == "sqlite" {
            self.bar(format!("{name}: requests/s"), ">= 1,000", speed, speed >= 1_000.0);
            let cpu = figure("cpu_ms_per_request");
            self.bar(format!("{name}: CPU ms for each"), "<= 1", cpu, cpu <= 1.0);
            let single = figure("single_request_ms");
            // The vendor takes 20 ms of it.
            self.bar(format!("{name}: a single request, ms"), "<= 45", single, single <= 45.0);
        } else if processes == 1 {
            self.bar(format!("{name}: requests/s, server included"), ">= 500", speed, speed >= 500.0);
        }
    }

    fn bar(&mut self, what: String, bar: &'static str, figure: f64, is_met: bool) {
        self.bars.push(Bar { what, bar, figure, is_met });
    }

    /// Requests at a rate, or why that could not be measured.
    pub(super) fn rate(&mut self, database: &str, rate: usize, measured: anyhow::Result<Value>) {
        let run = match measured {
            Ok(run) => run,
            // A machine that is too slow for a rate is a finding; the message stands on the terminal.
            Err(_) => {
                let mut cells = vec![database.to_owned(), rate.to_string(), "not kept up with".to_owned()];
                cells.resize(9, String::new());
                self.row(RATE, &cells);
                return;
            }
        };
        let requests = run["requests"].as_f64().unwrap_or(1.0);
        let (latency, intake) = (&run["latency_ms"], &run["intake_ms"]);
        self.row(
            RATE,
            &[
                database.to_owned(),
                rate.to_string(),
                shown(&run["requests_per_second"]),
                format!(
                    "{} / {} / {}",
                    shown(&latency["p50"]),
                    shown(&latency["p95"]),
                    shown(&latency["p99"])
                ),
                format!("{} / {}", shown(&intake["p50"]), shown(&intake["p99"])),
                shown(&run["cpu_ms_per_request"]),
                shown(&run["database_cpu_ms_per_request"]),
                shown(&run["statements_per_request"]),
                format!("{:.2}", run["commits"].as_f64().unwrap_or(0.0) / requests),
            ],
        );
    }

    /// Open requests.
    pub(super) fn open(&mut self, run: &Value) {
        let cells: Vec<String> = [
            "open",
            "rss_mib",
            "rss_mib_before",
            "peak_rss_mib",
            "database_bytes_per_request",
            "intake_seconds",
            "seconds",
            "idle_cpu_percent",
        ]
        .iter()
        .map(|name| shown(&run[*name]))
        .collect();
        self.row(OPEN, &cells);
        if run["open"] == 100_000 {
            let rss = run["rss_mib"].as_f64().unwrap_or(0.0);
            self.bar("100,000 open: resident MiB".to_owned(), "<= 64", rss, rss <= 64.0);
        }
    }

    /// The micro benchmarks of one crate.
    pub(super) fn parts(&mut self, package: &str, name: &str, command: &mut Command) -> anyhow::Result<()> {
        eprintln!("cargo bench -p {package} --bench {name}");
        let output = command.stderr(std::process::Stdio::inherit()).output()?;
        anyhow::ensure!(output.status.success(), "the micro benchmarks of {package} failed");
        let text = String::from_utf8_lossy(&output.stdout);
        println!("`cargo bench -p {package} --bench {name}`\n\n```text\n{}\n```\n", text.trim_end());
        Ok(())
    }

    /// The bars, and how to do it again.
    pub(super) fn end(&self, options: &Options) {
        println!("\n### Quality bars\n\n| | bar | measured | met |\n| --- | ---: | ---: | --- |");
        for Bar { what, bar, figure, is_met } in &self.bars {
            println!("| {what} | {bar} | {figure} | {} |", if *is_met { "yes" } else { "no" });
        }
        println!("\nMeasured with `{}`.", options.command());
    }
}

/// A number as people write it; what was not measured is a dash.
fn shown(value: &Value) -> String {
    let Some(value) = value.as_f64() else { return "-".to_owned() };
    if value >= 100.0 { grouped(value) } else { format!("{value}") }
}

fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or("-")
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find(|line| line.starts_with("model name"));
    model.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown processor").to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        for (value, expected) in [
            (serde_json::json!(1_234_567), "1,234,567"),
            (serde_json::json!(1016.4), "1,016"),
            (serde_json::json!(0.62), "0.62"),
            (serde_json::json!(100), "100"),
            (Value::Null, "-"),
        ] {
            assert_eq!(shown(&value), expected);
        }
    }
}
