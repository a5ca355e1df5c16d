//! The Public API: the same workspaces, people and regulations, shown on another host in another language.
//!
//! Here lies only what this API has of its own: its knobs and its rate limits. Everything else is the state of
//! [`SegmentConfig`], so that whoever is deleted through either of the two is deleted.

mod catalogue;
mod control;
mod echo;
mod envelope;
mod knobs;
mod limits;
mod paging;
mod query;
mod regulations;
mod routes;
mod vendor;
mod views;
mod words;
mod workspaces;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::SegmentConfig;
use crate::vendors::Environment;

pub use knobs::{LastPage, PartTime, Permission, PublicKnobs, PublicKnobsPatch, QuotaHeaders, SubjectTypes};

use limits::Limits;

/// The Public API of the simulator, seen from within the process. Clones are the same API.
///
/// What the vendor holds, its tokens and how regulations go are looked into and changed through [`SegmentConfig`].
#[derive(Clone, Debug)]
pub struct SegmentPublic(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    segment: SegmentConfig,
    /// Never locked before the state of the vendor is, where both are.
    own: Mutex<Own>,
}

/// What the two APIs do not share.
#[derive(Debug, Default)]
struct Own {
    knobs: PublicKnobs,
    limits: Limits,
}

impl SegmentPublic {
    pub(crate) fn new(_: &Environment, segment: &SegmentConfig) -> Self {
        Self(Arc::new(Inner { segment: segment.clone(), own: Mutex::default() }))
    }

    /// How this API behaves where the vendor reference leaves it open. What concerns both APIs is among
    /// [`SegmentConfig::knobs`].
    #[must_use]
    pub fn knobs(&self) -> PublicKnobs {
        self.own().knobs
    }

    /// Changes some of the knobs.
    pub fn turn(&self, patch: PublicKnobsPatch) {
        self.own().knobs.apply(patch);
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.0.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
