//! How long one request takes when requests arrive at a given rate.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::product::Product;
use super::{Around, BenchArguments, Usage, number, percentiles, rounded, used};

/// How often packages are looked for: what a latency may be too long by.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
/// What is taken in but not yet answered. Beyond it the machine is far behind, and waiting longer shows nothing new.
const MOST_UNANSWERED: usize = 10_000;

/// Lets requests arrive evenly, each by a call of its own. A latency counts from the moment at which the request was to
/// arrive, however late its call was made: a machine that falls behind cannot hide it.
pub(super) async fn measure(
    product: &Product,
    around: &Around,
    arguments: &BenchArguments,
    rate: f64,
) -> anyhow::Result<Value> {
    let clock = product.environment().clock();
    product.carry_out("warmup", arguments.warmup).await?;
    let before = Usage::now(product, around).await?;
    let (started, from) = (clock.monotonic(), product.environment().now());
    let arriving = arrive(product, arguments.requests, rate);
    let arrived = if arguments.right == "access" {
        tokio::select! {
            arrived = arriving => arrived?,
            Err(error) = fetch_packages(product) => return Err(error),
        }
    } else {
        // Nothing is fetched, so nobody looks: looking costs statements that are not the product's.
        arriving.await?
    };
    while product.fetch_what_waits().await? > 0 || product.is_under_way().await? {
        clock.sleep(BETWEEN_LOOKS).await;
    }
    let elapsed = clock.monotonic().saturating_sub(started).as_secs_f64();
    let until = product.environment().now();
    let after = Usage::now(product, around).await?;
    let times = product.times(arguments.requests).await?;
    let began = u64::try_from(from.as_millisecond())?;
    let closed = arrived.iter().map(|(id, arrival)| {
        let (_, closed) = times.get(id).context("a request is missing")?;
        ensure!(*closed > 0, "a request was not closed");
        Ok(closed.saturating_sub(began + arrival.due))
    });
    let latencies = closed.collect::<anyhow::Result<_>>()?;
    let answers = arrived.values().map(|arrival| arrival.answered.saturating_sub(arrival.due)).collect();
    let mut result = json!({
        "requests": arguments.requests,
        "right": arguments.right,
        "database": product.database(),
        "rate": rate,
        "seconds": rounded(elapsed),
        "requests_per_second": rounded(number(arguments.requests as u64) / elapsed),
        "latency_ms": percentiles(latencies),
        "intake_ms": percentiles(answers),
        "measured_ms": [from.as_millisecond(), until.as_millisecond()],
    });
    for (name, value) in used(&before, &after, arguments.requests)? {
        result[name] = value;
    }
    Ok(result)
}

/// The subjects' part, for as long as requests arrive.
async fn fetch_packages(product: &Product) -> anyhow::Result<Infallible> {
    loop {
        if product.fetch_what_waits().await? == 0 {
            product.environment().clock().sleep(BETWEEN_LOOKS).await;
        }
    }
}

/// When a request was to arrive and when the API had taken it in, in milliseconds since the start.
struct Arrival {
    due: u64,
    answered: u64,
}

/// Makes `count` requests, each at its moment; by id.
async fn arrive(product: &Product, count: usize, rate: f64) -> anyhow::Result<BTreeMap<String, Arrival>> {
    let clock = product.environment().clock();
    let started = clock.monotonic();
    let mut calls = JoinSet::new();
    let mut arrived = BTreeMap::new();
    for number in 0..count {
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let due = Duration::from_secs_f64(number as f64 / rate);
        let early = due.saturating_sub(clock.monotonic().saturating_sub(started));
        if !early.is_zero() {
            clock.sleep(early).await;
        }
        let product = product.clone();
        calls.spawn(async move {
            let id = product.take_in_one("rate", number).await?;
            let answered = product.environment().clock().monotonic().saturating_sub(started);
            let arrival = Arrival { due: milliseconds(due), answered: milliseconds(answered) };
            anyhow::Ok((id, arrival))
        });
        while let Some(answered) = calls.try_join_next() {
            arrived.extend([answered??]);
        }
        ensure!(
            calls.len() < MOST_UNANSWERED,
            "{MOST_UNANSWERED} requests are not yet taken in: this machine cannot keep up with --rate {rate}; \
             give a lower one"
        );
    }
    while let Some(answered) = calls.join_next().await {
        arrived.extend([answered??]);
    }
    Ok(arrived)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
