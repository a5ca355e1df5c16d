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
        let Some(limit) = limit else { return Ok(()) };
        let admitted = self.0.entry(counter).or_default();
        while admitted.front().is_some_and(|first| first + WINDOW_MS <= now_ms) {
            admitted.pop_front();
        }
        if admitted.len() < limit as usize {
            admitted.push_back(now_ms);
            return Ok(());
        }
        // With a limit that was lowered meanwhile, more than one has to leave the window first.
        let leaving = admitted.get(admitted.len() - limit as usize).or(admitted.back()).copied();
        let free_at = leaving.unwrap_or(now_ms) + WINDOW_MS;
        Err(free_at.saturating_sub(now_ms).div_ceil(1000))
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
    }
}
