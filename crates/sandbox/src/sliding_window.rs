//! A limit on calls per minute whose window slides: the strictest reading of "per minute". Refused calls do not count.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

const WINDOW_MS: u64 = 60_000;

/// The admitted calls of the last minute, by what shares a counter.
#[derive(Debug)]
pub(crate) struct SlidingWindows<K>(HashMap<K, VecDeque<u64>>);

impl<K> Default for SlidingWindows<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> SlidingWindows<K> {
    /// Admits the call, or says after how many seconds the next one will be.
    pub(crate) fn admit(&mut self, counter: K, limit: Option<u32>, now_ms: u64) -> Result<(), u64> {
        if limit.is_some() {
            self.check(&counter, limit, now_ms).map_err(|wait_ms| wait_ms.div_ceil(1000))?;
            self.record(counter, now_ms);
        }
        Ok(())
    }

    /// Whether a call would be admitted now; if not, after how many milliseconds.
    pub(crate) fn check(&mut self, counter: &K, limit: Option<u32>, now_ms: u64) -> Result<(), u64> {
        let Some(limit) = limit else { return Ok(()) };
        let Some(admitted) = self.current(counter, now_ms).filter(|it| it.len() >= limit as usize) else {
            return if limit == 0 { Err(WINDOW_MS) } else { Ok(()) };
        };
        // With a limit that was lowered meanwhile, more than one has to leave the window first.
        let leaving = admitted.get(admitted.len() - limit as usize).or(admitted.back()).copied();
        let free_at = leaving.unwrap_or(now_ms) + WINDOW_MS;
        Err(free_at.saturating_sub(now_ms))
    }

    /// Counts a call, whatever the limit.
    pub(crate) fn record(&mut self, counter: K, now_ms: u64) {
        self.0.entry(counter).or_default().push_back(now_ms);
    }

    /// How many calls count now, and when the last of them leaves the window.
    pub(crate) fn usage(&mut self, counter: &K, now_ms: u64) -> (usize, u64) {
        let admitted = self.current(counter, now_ms);
        admitted.map_or((0, now_ms), |it| (it.len(), it.back().map_or(now_ms, |last| last + WINDOW_MS)))
    }

    /// The counter without the calls that have left the window.
    fn current(&mut self, counter: &K, now_ms: u64) -> Option<&mut VecDeque<u64>> {
        let admitted = self.0.get_mut(counter)?;
        while admitted.front().is_some_and(|first| first + WINDOW_MS <= now_ms) {
            admitted.pop_front();
        }
        Some(admitted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides_and_counters_are_separate() {
        let mut limits = SlidingWindows::default();
        assert_eq!(limits.admit("a", Some(2), 0), Ok(()));
        assert_eq!(limits.admit("a", Some(2), 30_000), Ok(()));
        assert_eq!(limits.admit("a", Some(2), 59_999), Err(1));
        assert_eq!(limits.admit("b", Some(2), 59_999), Ok(()));
        assert_eq!(limits.admit("a", Some(2), 60_000), Ok(()));
        assert_eq!(limits.admit("a", Some(2), 60_001), Err(30), "refused calls do not count");
        assert_eq!(limits.admit("a", Some(1), 60_001), Err(60));
        assert_eq!(limits.admit("a", Some(0), 60_001), Err(60));
        assert_eq!(limits.admit("a", None, 60_001), Ok(()));
        assert_eq!(limits.admit("new", Some(0), 60_001), Err(60));
    }

    #[test]
    fn looking_counts_nothing() {
        let mut limits = SlidingWindows::default();
        assert_eq!((limits.usage(&"a", 7), limits.check(&"a", Some(1), 7)), ((0, 7), Ok(())));
        limits.record("a", 1_000);
        limits.record("a", 1_500);
        assert_eq!(limits.usage(&"a", 2_000), (2, 61_500));
        assert_eq!(limits.check(&"a", Some(2), 2_000), Err(59_000));
        assert_eq!(limits.check(&"a", None, 2_000), Ok(()));
        assert_eq!(limits.usage(&"a", 61_000), (1, 61_500));
    }
}
