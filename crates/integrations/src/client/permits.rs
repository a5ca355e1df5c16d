//! Leave to call: who may send how often is decided outside, and asked for here.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::manifest::EndpointClass;

/// Why no call may be made at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotNow {
    /// It may be made after this time, which is longer than a moment.
    After(Duration),
    /// Waiting does not help: the work has to be given back, because its lease would not outlast the call.
    GiveBack,
}

/// Leave to call. The engine gives one that is shared by all workers; tests may give [`Unlimited`].
#[async_trait]
pub trait Permits: fmt::Debug + Send + Sync {
    /// Takes one permit of `class`, waiting a moment if that is enough.
    ///
    /// # Errors
    /// Nothing may be sent now, and no permit was used.
    async fn acquire(&self, class: EndpointClass) -> Result<(), NotNow>;

    /// The vendor said "too many requests" for `class`: nobody calls before `wait` is over.
    async fn pushed_back(&self, class: EndpointClass, wait: Duration);
}

/// Leave without limit.
#[derive(Debug)]
pub struct Unlimited;

#[async_trait]
impl Permits for Unlimited {
    async fn acquire(&self, _: EndpointClass) -> Result<(), NotNow> {
        Ok(())
    }

    async fn pushed_back(&self, _: EndpointClass, _: Duration) {}
}
