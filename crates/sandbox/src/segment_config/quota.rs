//! How much a workspace may ask for in regulations per calendar month: users, or with
//! [`QuotaCounts::Regulations`](super::QuotaCounts) calls.

use serde::Serialize;

use super::regulation::Family;
use super::times;

/// What was used up since the month began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QuotaUse {
    /// By regulations that stay inside Segment.
    pub segment_only: u64,
    /// By regulations that are forwarded to destinations.
    pub segment_and_destination: u64,
}

/// Own choices: months are those of UTC; a regulation that would go beyond is refused as a whole and uses
/// nothing up; equal values in one regulation count once; a deleted regulation gives nothing back.
#[derive(Debug, Default)]
pub(super) struct Quota {
    month: String,
    used: QuotaUse,
}

impl QuotaUse {
    pub(super) fn of(&self, family: Family) -> u64 {
        match family {
            Family::SegmentOnly => self.segment_only,
            Family::SegmentAndDestination => self.segment_and_destination,
        }
    }
}

impl Quota {
    pub(super) fn used(&self, now_ms: u64) -> QuotaUse {
        if self.month == times::month(now_ms) { self.used } else { QuotaUse::default() }
    }

    /// Takes `amount` from the quota; false when less is left.
    pub(super) fn take(&mut self, family: Family, amount: u64, limit: Option<u64>, now_ms: u64) -> bool {
        self.used = self.used(now_ms);
        self.month = times::month(now_ms);
        let used = match family {
            Family::SegmentOnly => &mut self.used.segment_only,
            Family::SegmentAndDestination => &mut self.used.segment_and_destination,
        };
        let after = used.saturating_add(amount);
        let fits = limit.is_none_or(|limit| after <= limit);
        if fits {
            *used = after;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_its_own_quota_per_family() {
        // 2026-03-31T23:59:59Z
        let march = 1_775_001_599_000;
        let mut quota = Quota::default();
        let both = Family::SegmentAndDestination;
        assert!(quota.take(both, 3, Some(3), march));
        assert!(!quota.take(both, 1, Some(3), march));
        assert!(quota.take(Family::SegmentOnly, 3, Some(3), march));
        assert!(quota.take(both, 5, None, march));
        assert_eq!(quota.used(march), QuotaUse { segment_only: 3, segment_and_destination: 8 });
        let april = march + 1000;
        assert_eq!(quota.used(april), QuotaUse::default());
        assert!(quota.take(both, 3, Some(3), april));
    }
}
