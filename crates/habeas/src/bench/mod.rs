//! `habeas bench`: what the engine does in a second, on this machine, measured from outside the vendor.
//!
//! Requests come in through the bulk API, every subject costs one vendor call of a fixed time, every mail goes to a mail
//! server, and every request is carried to `closed`: an access request until its package was fetched.

mod integration;
mod stub;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::Body;
use futures::{StreamExt as _, stream};
use habeas_casework::connections::{NewConnection, NewContact};
use habeas_casework::{CapabilityChoices, Casework, CaseworkSettings};
use habeas_domain::Actor;
use habeas_engine::mailer::{MailSettings, mailer};
use habeas_engine::{Engine, EngineOptions, IntegrationOptions, Vendors};
use habeas_environment::Environment;
use habeas_integrations::{Catalogue, Settings};
use habeas_store::storage::Storage;
use habeas_store::{Database, Keyring, MasterKey};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Requests that one bulk call brings.
const PER_CALL: usize = 5_000;
/// Packages fetched at once.
const FETCHED_AT_ONCE: usize = 64;
/// Requests that are looked for at once when packages are fetched.
const PAGE: usize = 200;
/// Looking costs CPU that is not the engine's.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// Requests made one after the other to learn what a single one costs.
const SINGLES: usize = 25;

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArguments {
    /// How many requests are measured.
    #[arg(long, default_value_t = 20_000)]
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
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Serve the stub instead (started by the benchmark itself).
    #[arg(long, hide = true)]
    stub: bool,
}

/// Runs the benchmark and prints its result as JSON.
pub(crate) async fn run(arguments: BenchArguments) -> anyhow::Result<()> {
    let latency = Duration::from_millis(arguments.vendor_latency_ms);
    if arguments.stub {
        return stub::serve(latency).await;
    }
    let directory = tempfile::tempdir().context("no place for the benchmark's database")?;
    let stub = StubProcess::start(arguments.vendor_latency_ms).await?;
    let bench = Bench::open(&arguments, directory.path(), &stub).await?;
    let stop = CancellationToken::new();
    let engine = tokio::spawn({
        let (engine, stop) = (bench.engine.clone(), stop.clone());
        async move { engine.run(stop).await }
    });
    bench.carry_out("warmup", arguments.warmup).await?;
    let before = Usage::now(&bench, &stub).await?;
    let started = bench.environment.clock().monotonic();
    bench.carry_out("measured", arguments.requests).await?;
    let elapsed = bench.environment.clock().monotonic().saturating_sub(started);
    let after = Usage::now(&bench, &stub).await?;
    let latencies = bench.latencies(arguments.requests).await?;
    let single = bench.singles().await?;
    stop.cancel();
    engine.await.context("the engine stopped early")?;
    let result = result(&arguments, elapsed, &before, &after, &latencies, single);
    crate::output::line(&result.to_string())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn result(
    arguments: &BenchArguments,
    elapsed: Duration,
    before: &Usage,
    after: &Usage,
    latencies: &[u64],
    single: u64,
) -> Value {
    let requests = arguments.requests.max(1) as f64;
    let rounded = |value: f64| (value * 100.0).round() / 100.0;
    let database = if arguments.database.is_some() { "postgres" } else { "sqlite" };
    json!({
        "requests": arguments.requests,
        "right": arguments.right,
        "database": database,
        "seconds": rounded(elapsed.as_secs_f64()),
        "requests_per_second": rounded(requests / elapsed.as_secs_f64()),
        "latency_ms": {
            "p50": percentile(latencies, 50), "p95": percentile(latencies, 95), "p99": percentile(latencies, 99),
        },
        "single_request_ms": single,
        "cpu_ms_per_request": rounded((after.cpu_milliseconds - before.cpu_milliseconds) as f64 / requests),
        "peak_rss_mib": rounded(after.peak_rss_kib as f64 / 1024.0),
        "vendor_calls": after.vendor_calls - before.vendor_calls,
        "statements_per_request": rounded((after.statements - before.statements) as f64 / requests),
        "commits": after.commits - before.commits,
    })
}

fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or(0)
}

/// The stub's process; it ends with this value.
struct StubProcess {
    _child: Child,
    address: String,
    mail_address: String,
}

impl StubProcess {
    async fn start(latency: u64) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["bench", "--stub", "--vendor-latency-ms", &latency.to_string()])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the stub could not be started")?;
        let output = child.stdout.take().context("the stub has no output")?;
        let mut lines = BufReader::new(output).lines();
        let mut line = async || lines.next_line().await?.context("the stub said nothing");
        Ok(Self { address: line().await?, mail_address: line().await?, _child: child })
    }

    #[expect(clippy::disallowed_methods, reason = "asks our own stub, not a vendor")]
    async fn calls(&self) -> anyhow::Result<u64> {
        Ok(reqwest::get(format!("{}/calls", self.address)).await?.json().await?)
    }
}

struct Bench {
    casework: Casework,
    engine: Engine,
    environment: Environment,
    api: Router,
    right: String,
}

impl Bench {
    async fn open(arguments: &BenchArguments, directory: &Path, stub: &StubProcess) -> anyhow::Result<Self> {
        let environment = Environment::system();
        let url = arguments
            .database
            .clone()
            .unwrap_or_else(|| format!("sqlite://{}", directory.join("bench.db").display()));
        let database = Database::open(&url, &environment).await?;
        ensure!(!database.is_installed().await?, "the benchmark needs an empty database; this one is in use");
        let keyring = Keyring::new(&MasterKey::generate(&environment), &[])?;
        let store = database.into_store(keyring).await?;
        let storage = Storage::open(&directory.join("packages"))?;
        let catalogue = Arc::new(Catalogue::default().with(Box::new(integration::BenchStub)));
        let engine_options = EngineOptions { workers: arguments.workers, ..EngineOptions::default() };
        let options =
            IntegrationOptions { base_url: Some(stub.address.parse()?), ..IntegrationOptions::default() };
        let options = BTreeMap::from([(integration::NAME.to_owned(), options)]);
        let vendors = Vendors::new(store.clone(), Arc::clone(&catalogue), &options, engine_options.lease)?;
        let casework = Casework::new(store, storage, catalogue, vendors.clone(), CaseworkSettings::default());
        let connection = NewConnection {
            integration: integration::NAME.to_owned(),
            name: "stub".to_owned(),
            settings: Settings::default(),
            deletion_completion: None,
            capabilities: CapabilityChoices::new(),
            contact: NewContact::default(),
        };
        casework.add_connection(&Actor::local_operator(), connection).await?;
        let mails = MailSettings { url: stub.mail_address.parse()?, ..MailSettings::default() };
        let mailer = mailer(&mails, directory, &environment)?;
        let engine = Engine::new(casework.clone(), vendors, mailer, engine_options);
        let state =
            habeas_server::ServerState::new(casework.clone(), habeas_server::ServerOptions::default());
        let api = habeas_server::local_router(state);
        Ok(Self { casework, engine, environment, api, right: arguments.right.clone() })
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> anyhow::Result<(StatusCode, Vec<u8>)> {
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from))?;
        let response = self.api.clone().oneshot(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes().to_vec()))
    }

    /// Takes `count` requests in and waits until all of them are closed.
    async fn carry_out(&self, label: &str, count: usize) -> anyhow::Result<()> {
        let mut taken = 0;
        while taken < count {
            let now = PER_CALL.min(count - taken);
            self.take_in(label, taken..taken + now).await?;
            taken += now;
        }
        loop {
            // Fetching packages is the subject's part; it goes on while the engine works.
            let waiting = self.ids("delivering", PAGE).await?;
            let fetched = stream::iter(&waiting).map(|id| self.fetch(id)).buffer_unordered(FETCHED_AT_ONCE);
            let fetched: Vec<anyhow::Result<()>> = fetched.collect().await;
            fetched.into_iter().collect::<anyhow::Result<Vec<()>>>()?;
            if waiting.is_empty() {
                // In this order: a request moves from left to right and is not missed.
                let mut under_way = false;
                for state in ["collecting", "erasing", "delivering"] {
                    under_way = under_way || !self.ids(state, 1).await?.is_empty();
                }
                if !under_way {
                    return Ok(());
                }
                self.environment.clock().sleep(BETWEEN_LOOKS).await;
            }
        }
    }

    async fn take_in(&self, label: &str, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
        let requests: Vec<Value> = numbers
            .map(|number| {
                let mut request = json!({
                    "right": self.right, "policy": "eu-gdpr", "review": false,
                    "subject": {"email": format!("person.{number}@{label}.example.test")},
                });
                if self.right == "access" {
                    request["delivery"] = json!("api");
                }
                request
            })
            .collect();
        let body = Some(Value::Array(requests).to_string());
        let (status, answer) = self.call(Method::POST, "/api/v1/requests/bulk", body).await?;
        ensure!(status.is_success(), "bulk intake answered {status}: {}", String::from_utf8_lossy(&answer));
        let answer: Value = serde_json::from_slice(&answer)?;
        let refused = answer["items"].as_array().into_iter().flatten().find(|item| item["id"].is_null());
        ensure!(refused.is_none(), "a request was refused: {refused:?}");
        Ok(())
    }

    async fn ids(&self, state: &str, limit: usize) -> anyhow::Result<Vec<String>> {
        let path = format!("/api/v1/requests?state={state}&limit={limit}");
        let (status, answer) = self.call(Method::GET, &path, None).await?;
        ensure!(status.is_success(), "the list answered {status}");
        let answer: Value = serde_json::from_slice(&answer)?;
        let items = answer["items"].as_array().cloned().unwrap_or_default();
        Ok(items.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)).collect())
    }

    async fn fetch(&self, id: &str) -> anyhow::Result<()> {
        let (status, package) =
            self.call(Method::GET, &format!("/api/v1/requests/{id}/package"), None).await?;
        ensure!(status.is_success() && !package.is_empty(), "a package answered {status}");
        Ok(())
    }

    /// Milliseconds from intake to closing of the newest `count` requests, sorted.
    async fn latencies(&self, count: usize) -> anyhow::Result<Vec<u64>> {
        use habeas_store::dialect::Sql;
        static LATENCIES: Sql = Sql::new(
            "SELECT closed_at - created_at FROM (SELECT closed_at, created_at FROM requests ORDER BY id DESC LIMIT $1)
             AS newest ORDER BY 1",
        );
        let mut reader = self.casework.store().reader().await?;
        let rows = reader.sql(&LATENCIES).integer(i64::try_from(count)?).rows().await?;
        rows.iter().map(|row| Ok(row.count(0)?)).collect()
    }

    /// The median of requests made one after the other: intake to closed, in milliseconds.
    async fn singles(&self) -> anyhow::Result<u64> {
        let clock = self.environment.clock();
        let mut times = Vec::new();
        for number in 0..SINGLES {
            let body = json!({
                "right": self.right, "policy": "eu-gdpr", "review": false,
                "subject": {"email": format!("person.{number}@single.example.test")},
            });
            let started = clock.monotonic();
            let (status, answer) =
                self.call(Method::POST, "/api/v1/requests", Some(body.to_string())).await?;
            ensure!(status.is_success(), "intake answered {status}");
            let answer: Value = serde_json::from_slice(&answer)?;
            let id = answer["id"].as_str().context("no id")?;
            let (_, answer) = self.call(Method::GET, &format!("/api/v1/requests/{id}?wait=30"), None).await?;
            let answer: Value = serde_json::from_slice(&answer)?;
            if answer["state"] == "delivering" {
                self.fetch(id).await?;
            }
            times.push(u64::try_from(clock.monotonic().saturating_sub(started).as_millis())?);
        }
        times.sort_unstable();
        Ok(percentile(&times, 50))
    }
}

/// What the product had used at one moment.
struct Usage {
    cpu_milliseconds: u64,
    peak_rss_kib: u64,
    vendor_calls: u64,
    statements: u64,
    commits: u64,
}

impl Usage {
    async fn now(bench: &Bench, stub: &StubProcess) -> anyhow::Result<Self> {
        let counters = bench.casework.store().counters();
        let (cpu_milliseconds, peak_rss_kib) = process_usage()?;
        Ok(Self {
            cpu_milliseconds,
            peak_rss_kib,
            vendor_calls: stub.calls().await?,
            statements: counters.statements.load(Ordering::Relaxed),
            commits: counters.commits.load(Ordering::Relaxed),
        })
    }
}

/// CPU time of this process in milliseconds and its largest resident size in KiB, as Linux tells them.
fn process_usage() -> anyhow::Result<(u64, u64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("CPU time is known on Linux only")?;
    // The command's name may hold spaces; what follows its bracket does not. utime and stime are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields
        .get(11..13)
        .context("an unusual /proc/self/stat")?
        .iter()
        .filter_map(|one| one.parse::<u64>().ok())
        .sum();
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    let peak = peak.trim().trim_end_matches(" kB").parse().unwrap_or(0);
    // The kernel counts in hundredths of a second on every platform we build for.
    Ok((ticks * 10, peak))
}
