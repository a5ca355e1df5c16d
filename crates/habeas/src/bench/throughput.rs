//! How much is done in a second when there is always more to do.

use serde_json::{Value, json};

use super::product::Product;
use super::{Around, BenchArguments, Usage, number, percentile, percentiles, rounded, used};

/// Requests made one after the other to learn what a single one costs.
const SINGLES: usize = 25;

/// Carries out all requests at once. The latencies are times in a queue: from intake to closed, with all the others in
/// front.
pub(super) async fn measure(
    product: &Product,
    around: &Around,
    arguments: &BenchArguments,
) -> anyhow::Result<Value> {
    let environment = product.environment();
    product.carry_out("warmup", arguments.warmup).await?;
    let before = Usage::now(product, around).await?;
    let (started, from) = (environment.clock().monotonic(), environment.now());
    product.carry_out("measured", arguments.requests).await?;
    let elapsed = environment.clock().monotonic().saturating_sub(started).as_secs_f64();
    let until = environment.now();
    let after = Usage::now(product, around).await?;
    let times = product.times(arguments.requests).await?;
    let latencies = times.values().map(|(created, closed)| closed.saturating_sub(*created)).collect();
    let mut result = json!({
        "requests": arguments.requests,
        "right": arguments.right,
        "database": product.database(),
        "processes": arguments.processes,
        "seconds": rounded(elapsed),
        "requests_per_second": rounded(number(arguments.requests as u64) / elapsed),
        "latency_ms": percentiles(latencies),
        "measured_ms": [from.as_millisecond(), until.as_millisecond()],
    });
    for (name, value) in used(&before, &after, arguments.requests)? {
        result[name] = value;
    }
    result["single_request_ms"] = singles(product).await?.into();
    Ok(result)
}

/// The median of requests made one after the other: intake to closed, in milliseconds.
async fn singles(product: &Product) -> anyhow::Result<u64> {
    let clock = product.environment().clock();
    let mut times = Vec::new();
    for number in 0..SINGLES {
        let started = clock.monotonic();
        let id = product.take_in_one("single", number).await?;
        product.see_through(&id).await?;
        times.push(u64::try_from(clock.monotonic().saturating_sub(started).as_millis())?);
    }
    times.sort_unstable();
    Ok(percentile(&times, 50))
}
