//! Counts what the parts of the product measure, for `GET /metrics`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use habeas_environment::{Clock as _, SystemClock};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;
use tokio_util::sync::CancellationToken;

/// Seconds: from an answer out of memory to a vendor that takes its time.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// A gauge that is not set any more is left out after this: what a worker no longer has is not for ever.
const IDLE_GAUGE: Duration = Duration::from_secs(60);
/// How often measurements that nobody fetched are folded together.
const UPKEEP: Duration = Duration::from_secs(5);

/// Starts counting; ends with `stop`.
pub(crate) fn start(stop: &CancellationToken) -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .idle_timeout(MetricKindMask::GAUGE, Some(IDLE_GAUGE))
        .set_buckets(&BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .context("metrics cannot be counted")?;
    let (counting, stop, clock) = (handle.clone(), stop.clone(), Arc::new(SystemClock::default()));
    tokio::spawn(async move {
        while stop.run_until_cancelled(clock.sleep(UPKEEP)).await.is_some() {
            counting.run_upkeep();
        }
    });
    Ok(handle)
}
