//! Leave to call: who may send how often is decided outside, and asked for here.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::manifest::EndpointClass;

/// Leave to call. The engine gives one that is shared by all workers; tests may give [`Unlimited`].
#[async_trait]
pub trait Permits: fmt::Debug + Send + Sync {
    /// Takes one permit of `class`, waiting a moment if that is enough.
    ///
    /// # Errors
    /// How long to wait, if it would be longer than a moment: nothing may be sent now.
    async fn acquire(&self, class: EndpointClass) -> Result<(), Duration>;

    /// The vendor said "too many requests" for `class`: nobody calls before `wait` is over.
    async fn pushed_back(&self, class: EndpointClass, wait: Duration);
}

/// Leave without limit.
#[derive(Debug)]
pub struct Unlimited;

#[async_trait]
impl Permits for Unlimited {
    async fn acquire(&self, _: EndpointClass) -> Result<(), Duration> {
        Ok(())
    }

    async fn pushed_back(&self, _: EndpointClass, _: Duration) {}
}
