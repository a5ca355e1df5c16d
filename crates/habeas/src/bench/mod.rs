//! `habeas bench`: what the engine does in a second, on this machine, measured from outside the vendor.
//!
//! Every subject costs one vendor call of a fixed time, every mail goes to a mail server, and every request is carried to
//! `closed`: an access request until its package was fetched. Three things can be measured: how much is done in a second
//! when there is always more to do ([`throughput`]), how long one request takes at a given rate ([`rate`]), and what open
//! requests cost that wait for somebody ([`open`]).

mod colleague;
mod integration;
mod open;
mod product;
mod rate;
mod stub;
mod stub_process;
mod throughput;
mod usage;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use habeas_environment::Environment;
use habeas_store::MasterKey;
use habeas_store::dialect::Dialect;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use colleague::Colleague;
use product::{Product, Site};
use stub_process::StubProcess;
use usage::Usage;

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArguments {
    /// How many requests are measured.
    #[arg(long, default_value = "20000", value_parser = at_least_one)]
    requests: usize,
    /// How many go before them, unmeasured.
    #[arg(long, default_value_t = 2_000)]
    warmup: usize,
    /// `access` or `deletion`.
    #[arg(long, default_value = "access", value_parser = ["access", "deletion"])]
    right: String,
    /// How long the vendor takes to answer, in milliseconds.
    #[arg(long, default_value_t = 20)]
    vendor_latency_ms: u64,
    /// Another database than a new SQLite file; it must be empty.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// How many workers.
    #[arg(long, default_value = "2", value_parser = at_least_one)]
    workers: usize,
    /// Let the requests arrive one by one, evenly, this many a second, and measure how long each takes.
    #[arg(long, value_name = "PER_SECOND", value_parser = a_rate)]
    rate: Option<f64>,
    /// Instead, take in this many requests that stay open, and measure the memory.
    #[arg(
        long,
        value_name = "N",
        value_parser = at_least_one,
        conflicts_with_all = ["rate", "requests", "warmup"]
    )]
    open: Option<usize>,
    /// For whom open requests wait: a contact who is asked by mail, or a person who reviews what was found.
    #[arg(long, value_enum, default_value_t = Waiting::Contact, requires = "open")]
    waiting_for: Waiting,
    /// How many processes share the work; more than one need PostgreSQL.
    #[arg(long, default_value = "1", value_parser = at_least_one)]
    processes: usize,
    /// Be one of these processes (started by the benchmark itself).
    #[arg(long, hide = true)]
    colleague: bool,
    /// Serve the stub instead (started by the benchmark itself).
    #[arg(long, hide = true)]
    stub: bool,
}

/// For whom open requests wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Waiting {
    /// A contact who was asked by mail.
    Contact,
    /// Whoever reviews what was found.
    Review,
}

/// More requests a second than anybody's machine takes in one by one.
const HIGHEST_RATE: f64 = 100_000.0;

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "give a whole number of at least 1".to_owned())
}

fn a_rate(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|rate: &f64| *rate > 0.0 && *rate <= HIGHEST_RATE)
        .ok_or_else(|| format!("give requests a second: a number above 0 and up to {HIGHEST_RATE}"))
}

/// Runs the benchmark and prints its result as JSON.
pub(crate) async fn run(arguments: BenchArguments) -> anyhow::Result<()> {
    if arguments.stub {
        return stub::serve(Duration::from_millis(arguments.vendor_latency_ms)).await;
    }
    if arguments.colleague {
        return colleague::serve().await;
    }
    let directory = tempfile::tempdir().context("no place for the benchmark's database")?;
    let stub = StubProcess::start(arguments.vendor_latency_ms).await?;
    let site = site(&arguments, directory.path(), &stub);
    ensure!(
        !Product::is_installed(&site.database).await?,
        "the benchmark needs an empty database; the one of --database is in use (nothing was changed)"
    );
    let product = Product::open(&site, directory.path()).await?;
    ensure!(
        arguments.processes == 1 || product.store().dialect() == Dialect::Postgres,
        "SQLite belongs to one process; for --processes name a PostgreSQL database with --database"
    );
    product.connect(arguments.open.map(|_| arguments.waiting_for)).await?;
    let mut colleagues = Vec::new();
    for _ in 1..arguments.processes {
        colleagues.push(Colleague::start(&site).await?);
    }
    let around = Around { stub, colleagues: Mutex::new(colleagues) };
    let stop = CancellationToken::new();
    let engine = product.start(&stop);
    let result = match (arguments.open, arguments.rate) {
        (Some(count), _) => open::measure(&product, &around, count, arguments.waiting_for).await?,
        (None, Some(rate)) => rate::measure(&product, &around, &arguments, rate).await?,
        (None, None) => throughput::measure(&product, &around, &arguments).await?,
    };
    stop.cancel();
    engine.await.context("the engine stopped early")?;
    crate::output::line(&result.to_string())
}

/// What the product works with.
struct Around {
    stub: StubProcess,
    /// More processes of the product.
    colleagues: Mutex<Vec<Colleague>>,
}

fn site(arguments: &BenchArguments, directory: &Path, stub: &StubProcess) -> Site {
    let file = || format!("sqlite://{}", directory.join("bench.db").display());
    Site {
        database: arguments.database.clone().unwrap_or_else(file),
        key: MasterKey::generate(&Environment::system()).to_text().to_string(),
        vendor: stub.address.clone(),
        mails: stub.mail_address.clone(),
        workers: arguments.workers,
        right: arguments.right.clone(),
        review: arguments.open.is_some() && arguments.waiting_for == Waiting::Review,
    }
}

/// What every kind of measurement tells: what was used between two moments, for one of `requests`.
fn used(before: &Usage, after: &Usage, requests: usize) -> anyhow::Result<Vec<(&'static str, Value)>> {
    let each = |difference: u64| rounded(number(difference) / number(requests as u64));
    let differing = |before: Option<u64>, after: Option<u64>| {
        json!(before.zip(after).map(|(before, after)| each(after.saturating_sub(before))))
    };
    let (rss, peak_rss) = usage::memory()?;
    let grown = after.database.bytes.saturating_sub(before.database.bytes);
    Ok(vec![
        ("cpu_ms_per_request", json!(each(after.cpu_milliseconds - before.cpu_milliseconds))),
        (
            "database_cpu_ms_per_request",
            differing(before.server_cpu_milliseconds, after.server_cpu_milliseconds),
        ),
        ("rss_mib", json!(rounded(number(rss) / 1024.0))),
        ("peak_rss_mib", json!(rounded(number(peak_rss) / 1024.0))),
        ("vendor_calls", json!(after.vendor_calls - before.vendor_calls)),
        ("statements_per_request", json!(each(after.statements - before.statements))),
        ("commits", json!(after.commits - before.commits)),
        ("fsyncs_per_request", differing(before.database.log_syncs, after.database.log_syncs)),
        ("wal_bytes_per_request", differing(before.database.log_bytes, after.database.log_bytes)),
        ("disk_bytes_per_request", differing(before.disk_bytes, after.disk_bytes)),
        ("database_bytes", json!(after.database.bytes)),
        ("database_bytes_per_request", json!(each(grown))),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn number(count: u64) -> f64 {
    count as f64
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// p50, p95 and p99 of what was measured.
fn percentiles(mut values: Vec<u64>) -> Value {
    values.sort_unstable();
    let at = |percent: usize| percentile(&values, percent);
    json!({"p50": at(50), "p95": at(95), "p99": at(99)})
}

fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let measured = (1..=200).rev().collect();
        assert_eq!(percentiles(measured), json!({"p50": 100, "p95": 190, "p99": 198}));
        assert_eq!(percentiles(vec![7]), json!({"p50": 7, "p95": 7, "p99": 7}));
        assert_eq!(percentiles(Vec::new()), json!({"p50": 0, "p95": 0, "p99": 0}));
    }

    #[test]
    fn a_rate_is_a_number_that_means_something() {
        assert_eq!(a_rate("0.5"), Ok(0.5));
        for wrong in ["0", "-1", "NaN", "inf", "1e9", "many"] {
            assert!(a_rate(wrong).unwrap_err().contains("above 0"), "{wrong}");
        }
        assert!(at_least_one("0").is_err());
    }
}
