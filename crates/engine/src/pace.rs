//! Permits to call a vendor, taken from the row that all workers share.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use habeas_integrations::{EndpointClass, NotNow, Permits, RateLimit};
use habeas_store::pace::{self, Permitted, Spacing};
use habeas_store::{Store, StoreError};

use crate::lease::HeldLease;

/// A permit due later than this is not waited for: the work goes back to its row.
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// How long to keep away when the shared row cannot be read.
const WITHOUT_ROW: Duration = Duration::from_secs(1);

/// Permits of one vendor account.
#[derive(Clone, Debug)]
pub(crate) struct AccountPermits {
    store: Store,
    account: Arc<str>,
    limits: Arc<[(EndpointClass, Spacing)]>,
}

impl AccountPermits {
    pub(crate) fn new(store: Store, account: &str, limits: &[RateLimit], share: f64) -> Self {
        let limits =
            limits.iter().map(|limit| (limit.class, Spacing::within(limit.per_minute, share))).collect();
        Self { store, account: Arc::from(account), limits }
    }

    async fn take(
        &self,
        class: EndpointClass,
        spacing: Spacing,
        horizon: Duration,
    ) -> Result<Permitted, StoreError> {
        let (account, now) = (Arc::clone(&self.account), self.store.shared_now());
        let horizon = microseconds(horizon);
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

impl AccountPermits {
    /// Takes one permit that is due within `horizon`, and waits for it.
    async fn acquire_within(&self, class: EndpointClass, horizon: Duration) -> Result<(), NotNow> {
        let Some((_, spacing)) = self.limits.iter().find(|(known, _)| *known == class) else { return Ok(()) };
        match self.take(class, *spacing, horizon).await {
            Ok(Permitted::From { wait }) => {
                metrics::counter!("habeas_permits_used_total", "class" => class.0).increment(1);
                if wait > 0 {
                    self.store.environment().clock().sleep(duration(wait)).await;
                }
                Ok(())
            }
            Ok(Permitted::NotBefore { wait }) => Err(NotNow::After(duration(wait))),
            Err(error) => {
                tracing::error!(%error, class = class.0, "no permit could be taken; nothing is sent");
                Err(NotNow::After(WITHOUT_ROW))
            }
        }
    }
}

#[async_trait]
impl Permits for AccountPermits {
    async fn acquire(&self, class: EndpointClass) -> Result<(), NotNow> {
        self.acquire_within(class, LONGEST_WAIT).await
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
    async fn acquire(&self, class: EndpointClass) -> Result<(), NotNow> {
        // Asked before the permit is taken: one that is not used is lost to everybody.
        let Some(spare) = self.lease.left().checked_sub(self.timeout) else { return Err(NotNow::GiveBack) };
        self.permits.acquire_within(class, spare.min(LONGEST_WAIT)).await?;
        if self.lease.left() >= self.timeout { Ok(()) } else { Err(NotNow::GiveBack) }
    }

    async fn pushed_back(&self, class: EndpointClass, wait: Duration) {
        self.permits.pushed_back(class, wait).await;
    }
}
