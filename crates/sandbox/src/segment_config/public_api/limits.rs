//! How many calls a token may make, and what the headers of an answer say about it.
//!
//! Own choices: a sliding window in which refused calls do not count; an answer tells of the limit of its
//! endpoint, and `X-RateLimit-Reset` is when all of that limit is free again; without a limit the number of
//! remaining calls is one that nobody uses up.

use axum::http::HeaderName;
use axum::response::Response;

use super::envelope::Failure;
use super::knobs::{PublicKnobs, QuotaHeaders};
use crate::answers::set_header;
use crate::segment_config::account::Workspace;
use crate::segment_config::knobs::Knobs;
use crate::segment_config::regulation::Family;
use crate::segment_config::times;
use crate::sliding_window::SlidingWindows;

/// What remains of no limit.
const PLENTY: u64 = i32::MAX as u64;

/// The calls that share a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Class {
    RegulationCreates,
    /// Everything else. Own choice: the deletion of a regulation too.
    Reads,
}

impl Class {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RegulationCreates => "regulation_creates",
            Self::Reads => "reads",
        }
    }

    fn limit(self, knobs: &PublicKnobs) -> Option<u32> {
        match self {
            Self::RegulationCreates => knobs.regulation_creates_per_minute,
            Self::Reads => knobs.reads_per_minute,
        }
    }
}

/// The admitted calls of the last minute: by token and class, and by token alone.
#[derive(Debug, Default)]
pub(super) struct Limits {
    endpoints: SlidingWindows<(String, Class)>,
    tokens: SlidingWindows<String>,
}

/// What a limit or a quota leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    consumed: u64,
    remaining: u64,
    reset_ms: u64,
    is_quota: bool,
}

impl Limits {
    /// Admits a call and counts it, or says why it comes too early.
    pub(super) fn admit(
        &mut self,
        token: &str,
        class: Class,
        knobs: &PublicKnobs,
        now_ms: u64,
    ) -> Result<Budget, Failure> {
        let (counter, limit) = ((token.to_owned(), class), class.limit(knobs));
        if let Err(wait_ms) = self.tokens.check(&counter.0, knobs.calls_per_minute, now_ms) {
            return Err(Failure::token_limited(knobs.retry_after.then_some(wait_ms.div_ceil(1000))));
        }
        if let Err(wait_ms) = self.endpoints.check(&counter, limit, now_ms) {
            let (consumed, _) = self.endpoints.usage(&counter, now_ms);
            return Err(Failure::points_used_up(consumed as u64, 0, wait_ms));
        }
        self.tokens.record(counter.0.clone(), now_ms);
        self.endpoints.record(counter.clone(), now_ms);
        let (consumed, reset_ms) = self.endpoints.usage(&counter, now_ms);
        let consumed = consumed as u64;
        let remaining = limit.map_or(PLENTY, u64::from).saturating_sub(consumed);
        Ok(Budget { consumed, remaining, reset_ms, is_quota: false })
    }
}

impl Budget {
    /// What a workspace has left to ask for this month.
    pub(super) fn of_quota(workspace: &Workspace, family: Family, knobs: &Knobs, now_ms: u64) -> Self {
        let consumed = workspace.quota.used(now_ms).of(family);
        let remaining = knobs.monthly_quota(family).unwrap_or(PLENTY).saturating_sub(consumed);
        Self { consumed, remaining, reset_ms: times::next_month_ms(now_ms), is_quota: true }
    }

    /// The refusal when it is used up. Own choice: this body, with the time until the next month.
    pub(super) fn used_up(&self, now_ms: u64) -> Failure {
        Failure::points_used_up(self.consumed, self.remaining, self.reset_ms.saturating_sub(now_ms))
    }

    pub(super) fn tell(&self, response: &mut Response, knobs: &PublicKnobs) {
        let mut set = |name, value: &str| set_header(response, HeaderName::from_static(name), value);
        let remaining = self.remaining.to_string();
        if self.is_quota && knobs.quota_headers == QuotaHeaders::Regulation {
            set("x-regulation-ratelimit-remaining", &remaining);
            set("x-regulation-quota-reset", &times::to_second(self.reset_ms));
            return;
        }
        set("x-ratelimit-consumed", &self.consumed.to_string());
        set("x-ratelimit-remaining", &remaining);
        set("x-ratelimit-reset", &times::rfc5322(self.reset_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_call_counts_nowhere() {
        let mut limits = Limits::default();
        let knobs = PublicKnobs {
            reads_per_minute: Some(1),
            calls_per_minute: Some(2),
            retry_after: true,
            ..PublicKnobs::default()
        };
        let mut admit = |class, now_ms| limits.admit("a", class, &knobs, now_ms);
        let budget = Budget { consumed: 1, remaining: 0, reset_ms: 61_000, is_quota: false };
        assert_eq!(admit(Class::Reads, 1_000), Ok(budget));
        assert_eq!(admit(Class::Reads, 2_000), Err(Failure::points_used_up(1, 0, 59_000)));
        let budget = Budget { consumed: 1, remaining: 599, reset_ms: 63_000, is_quota: false };
        assert_eq!(admit(Class::RegulationCreates, 3_000), Ok(budget), "the refused one did not count");
        assert_eq!(admit(Class::RegulationCreates, 4_000), Err(Failure::token_limited(Some(57))));
        assert!(admit(Class::RegulationCreates, 61_000).is_ok());
    }

    #[test]
    fn no_limit_leaves_plenty() {
        let mut limits = Limits::default();
        let budget = limits.admit("a", Class::Reads, &PublicKnobs::default(), 0).unwrap();
        assert_eq!((budget.consumed, budget.remaining), (1, PLENTY - 1));
    }
}
