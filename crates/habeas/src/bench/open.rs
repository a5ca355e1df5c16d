//! What open requests cost that wait for somebody: memory and room on the disk.

use std::time::Duration;

use serde_json::{Value, json};

use super::product::{BETWEEN_LOOKS, Product};
use super::{Around, Usage, Waiting, number, rounded, usage, used};

/// How long the product is left alone before its memory is read: a few of its regular looks.
const SETTLING: Duration = Duration::from_secs(2);

/// Takes `count` requests in, waits until nothing is left to do for any of them, and looks at what the product holds.
pub(super) async fn measure(
    product: &Product,
    around: &Around,
    count: usize,
    waiting: Waiting,
) -> anyhow::Result<Value> {
    let clock = product.environment().clock();
    let before = Usage::now(product, around).await?;
    let (empty, _) = usage::memory()?;
    let started = clock.monotonic();
    product.take_in("open", count).await?;
    let taken_in = clock.monotonic().saturating_sub(started).as_secs_f64();
    while product.due().await? > 0 {
        clock.sleep(BETWEEN_LOOKS * 10).await;
    }
    let elapsed = clock.monotonic().saturating_sub(started).as_secs_f64();
    let idle_before = Usage::now(product, around).await?;
    clock.sleep(SETTLING).await;
    let after = Usage::now(product, around).await?;
    let idle = after.cpu_milliseconds - idle_before.cpu_milliseconds;
    let mut result = json!({
        "open": count,
        "waiting_for": match waiting { Waiting::Contact => "contact", Waiting::Review => "review" },
        "database": product.database(),
        "seconds": rounded(elapsed),
        "intake_seconds": rounded(taken_in),
        "requests_per_second": rounded(number(count as u64) / elapsed),
        "rss_mib_before": rounded(number(empty) / 1024.0),
        "idle_cpu_percent": rounded(number(idle) / SETTLING.as_secs_f64() / 10.0),
    });
    for (name, value) in used(&before, &after, count)? {
        result[name] = value;
    }
    Ok(result)
}
