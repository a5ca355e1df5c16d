//! Permits to call a vendor, taken from the row that all workers share.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use habeas_integrations::{EndpointClass, Permits, RateLimit};
use habeas_store::pace::{self, Permitted, Spacing};
use habeas_store::{Store, StoreError};

use crate::lease::HeldLease;

/// A permit due later than this is not waited for: the work goes back to its row.
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// How long to keep away when the shared row cannot be read.
const WITHOUT_ROW: Duration = Duration::from_secs(1);

/// How calls are spread so that rate and burst together stay within `share` of the limit in any 60 seconds.
pub(crate) fn spacing(limit: RateLimit, share: f64) -> Spacing {
    let budget = (f64::from(limit.per_minute) * share).floor().max(1.0);
    // A fortieth may come at once; the rest is spread evenly. One call may straddle the window's edge.
    let burst = (budget / 40.0).floor();
    let steady = (budget - burst - 1.0).max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most a minute in microseconds, and a small count"
    )]
    Spacing { interval: (60_000_000.0 / steady).ceil() as i64, burst: burst as i64 }
}

/// Permits of one vendor account.
#[derive(Clone, Debug)]
pub(crate) struct AccountPermits {
    store: Store,
    account: Arc<str>,
    limits: Arc<[(EndpointClass, Spacing)]>,
}

impl AccountPermits {
    pub(crate) fn new(store: Store, account: &str, limits: &[RateLimit], share: f64) -> Self {
        let limits = limits.iter().map(|limit| (limit.class, spacing(*limit, share))).collect();
        Self { store, account: Arc::from(account), limits }
    }

    async fn take(&self, class: EndpointClass, spacing: Spacing) -> Result<Permitted, StoreError> {
        let (account, now) = (Arc::clone(&self.account), self.store.shared_now());
        let horizon = microseconds(LONGEST_WAIT);
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    pace::take(unit.connection(), (&account, class.0), now, spacing, 1, horizon).await
                })
            })
            .await
    }
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn duration(microseconds: i64) -> Duration {
    Duration::from_micros(u64::try_from(microseconds).unwrap_or(0))
}

#[async_trait]
impl Permits for AccountPermits {
    async fn acquire(&self, class: EndpointClass) -> Result<(), Duration> {
        let Some((_, spacing)) = self.limits.iter().find(|(known, _)| *known == class) else { return Ok(()) };
        match self.take(class, *spacing).await {
            Ok(Permitted::From { wait }) => {
                metrics::counter!("habeas_permits_used_total", "class" => class.0).increment(1);
                if wait > 0 {
                    self.store.environment().clock().sleep(duration(wait)).await;
                }
                Ok(())
            }
            Ok(Permitted::NotBefore { wait }) => Err(duration(wait)),
            Err(error) => {
                tracing::error!(%error, class = class.0, "no permit could be taken; nothing is sent");
                Err(WITHOUT_ROW)
            }
        }
    }

    async fn pushed_back(&self, class: EndpointClass, wait: Duration) {
        let (account, now) = (Arc::clone(&self.account), self.store.shared_now());
        let wait = microseconds(wait);
        let pushed: Result<(), StoreError> = self
            .store
            .write(move |unit| {
                Box::pin(
                    async move { pace::push_back(unit.connection(), (&account, class.0), now, wait).await },
                )
            })
            .await;
        if let Err(error) = pushed {
            tracing::error!(%error, class = class.0, "the other workers could not be told to slow down");
        }
    }
}

/// Permits for work under a lease: nothing is sent that could outlast it.
#[derive(Debug)]
pub(crate) struct LeasedPermits {
    pub(crate) permits: AccountPermits,
    pub(crate) lease: Arc<HeldLease>,
    /// How long one call may take.
    pub(crate) timeout: Duration,
}

#[async_trait]
impl Permits for LeasedPermits {
    async fn acquire(&self, class: EndpointClass) -> Result<(), Duration> {
        self.permits.acquire(class).await?;
        if self.lease.outlasts(self.timeout) { Ok(()) } else { Err(Duration::ZERO) }
    }

    async fn pushed_back(&self, class: EndpointClass, wait: Duration) {
        self.permits.pushed_back(class, wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_burst_stay_within_the_share_and_use_almost_all_of_it() {
        for per_minute in [10, 30, 60, 200, 600, 3_000, 100_000] {
            for share in [0.5, 0.8, 0.95] {
                let Spacing { interval, burst } =
                    spacing(RateLimit { class: EndpointClass("read"), per_minute }, share);
                let budget = (f64::from(per_minute) * share).floor();
                // Calls at 0, i, 2i ... within one window, plus those that had been saved up.
                let most = 60_000_000 / interval + 1 + burst;
                #[expect(clippy::cast_precision_loss, reason = "small counts")]
                let (most, steady) = (most as f64, 60_000_000.0 / interval as f64);
                assert!(most <= budget, "{per_minute} x {share}: {most} > {budget}");
                if budget >= 20.0 {
                    assert!(steady >= budget * 0.95, "{per_minute} x {share}: {steady} of {budget}");
                }
            }
        }
    }
}
