//! The call log: what arrived, what was answered, and what took effect.
//!
//! It is the evidence that tests of a client rely on, so it is written when a call arrives (not when it is
//! answered) and keeps calls that never got an answer. Counters are kept for ever, single calls only for
//! the newest [`KEPT_CALLS`].

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

use crate::clock::Clock;

/// How many single calls are remembered; the counters go on beyond it.
pub const KEPT_CALLS: usize = 100_000;

/// How many different objects the per-object deletion counters cover before newcomers are left out.
const KEPT_DELETION_TARGETS: usize = 1_000_000;

/// The width of the sliding window in which peaks are measured.
pub const WINDOW_MS: u64 = 60_000;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Not answered yet.
    InFlight,
    /// An answer was handed to the connection.
    Answered,
    /// The connection was dropped on purpose.
    Dropped,
    /// The client closed the connection before there was an answer.
    Abandoned,
}

/// One received call.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// Position in the order of arrival, over all vendors.
    pub sequence: u64,
    /// The vendor it was sent to.
    pub vendor: &'static str,
    /// Method and route template, for example `DELETE /api/v2/orgs/{org}/contacts/{contact}/`.
    pub route: String,
    /// The path as it came, without the query (a query may hold a credential).
    pub path: String,
    /// Whose rate limit it counts against, where the vendor could tell.
    pub account: Option<String>,
    /// The rate limit class, for example `get` or `other`.
    pub class: Option<&'static str>,
    /// Arrival by the sandbox's clock.
    pub arrived_ms: u64,
    /// The status of the answer, where one was made.
    pub status: Option<u16>,
    /// Whether the call changed something at the vendor.
    pub effect: bool,
    /// The faults that touched it.
    pub faults: Vec<&'static str>,
    /// What became of it.
    pub outcome: Outcome,
}

/// Counters of one route template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RouteCounts {
    /// Calls that arrived.
    pub arrived: u64,
    /// Calls that changed something.
    pub effects: u64,
    /// Answers by status code.
    pub statuses: BTreeMap<u16, u64>,
    /// Calls whose connection was dropped on purpose.
    pub dropped: u64,
    /// Calls whose client went away first.
    pub abandoned: u64,
}

/// What happened to one object that someone asked to delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeletionCounts {
    /// DELETE calls that arrived for it.
    pub arrived: u64,
    /// DELETE calls that took effect: 1 when it was deleted, and never more.
    pub effects: u64,
}

/// The most calls seen in any sliding window of [`WINDOW_MS`], by rate limit class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Peaks {
    /// Over all accounts together.
    pub classes: BTreeMap<&'static str, usize>,
    /// By account: what the vendor's limit applies to. Calls without a known credential count as `unknown`.
    pub accounts: BTreeMap<String, BTreeMap<&'static str, usize>>,
}

/// Everything counted for one vendor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VendorSummary {
    /// Calls that arrived.
    pub total: u64,
    /// By method and route template.
    pub routes: BTreeMap<String, RouteCounts>,
}

/// Everything counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Calls that arrived.
    pub total: u64,
    /// By vendor; a vendor nobody called is absent.
    pub vendors: BTreeMap<&'static str, VendorSummary>,
}

/// The log; clones write to the same one.
#[derive(Clone, Debug)]
pub struct CallLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    next_sequence: u64,
    /// How often the log was reset: a call from before a reset is not counted when it ends.
    resets: u64,
    recent: VecDeque<Call>,
    vendors: BTreeMap<&'static str, VendorState>,
}

#[derive(Debug, Default)]
struct VendorState {
    counts: VendorSummary,
    deletions: HashMap<String, DeletionCounts>,
    class_windows: BTreeMap<&'static str, Window>,
    account_windows: HashMap<String, BTreeMap<&'static str, Window>>,
}

/// Arrival times of the last window, and the most there ever were.
#[derive(Debug, Default)]
struct Window {
    arrivals: VecDeque<u64>,
    peak: usize,
}

impl Window {
    fn add(&mut self, now_ms: u64) {
        while self.arrivals.front().is_some_and(|first| first + WINDOW_MS <= now_ms) {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(now_ms);
        self.peak = self.peak.max(self.arrivals.len());
    }
}

/// What is known about a call the moment it arrives.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) vendor: &'static str,
    pub(crate) route: String,
    pub(crate) path: String,
    pub(crate) account: Option<String>,
    pub(crate) class: Option<&'static str>,
    pub(crate) deletion_target: Option<String>,
}

impl CallLog {
    pub(crate) fn new(clock: Clock) -> Self {
        Self(Arc::new(Inner { clock, state: Mutex::default(), changes: watch::Sender::new(0) }))
    }

    /// Calls that arrived at a vendor's route template, for example `GET /api/v2/orgs/`.
    #[must_use]
    pub fn count(&self, vendor: &str, route: &str) -> u64 {
        self.route(vendor, route).arrived
    }

    /// All counters of a vendor's route template.
    #[must_use]
    pub fn route(&self, vendor: &str, route: &str) -> RouteCounts {
        let state = self.state();
        state
            .vendors
            .get(vendor)
            .and_then(|vendor| vendor.counts.routes.get(route))
            .cloned()
            .unwrap_or_default()
    }

    /// The counters of everything.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let state = self.state();
        let vendors: BTreeMap<_, _> =
            state.vendors.iter().map(|(name, vendor)| (*name, vendor.counts.clone())).collect();
        Summary { total: vendors.values().map(|vendor| vendor.total).sum(), vendors }
    }

    /// Deletions by vendor and key of the object.
    #[must_use]
    pub fn deletions(&self) -> BTreeMap<&'static str, BTreeMap<String, DeletionCounts>> {
        let state = self.state();
        let sorted =
            |vendor: &VendorState| vendor.deletions.iter().map(|(key, n)| (key.clone(), *n)).collect();
        state.vendors.iter().map(|(name, vendor)| (*name, sorted(vendor))).collect()
    }

    /// Deletions of one object.
    #[must_use]
    pub fn deletions_of(&self, vendor: &str, key: &str) -> DeletionCounts {
        let state = self.state();
        state.vendors.get(vendor).and_then(|vendor| vendor.deletions.get(key)).copied().unwrap_or_default()
    }

    /// The busiest window by vendor. Every call that arrived counts, refused ones too.
    #[must_use]
    pub fn peaks(&self) -> BTreeMap<&'static str, Peaks> {
        let state = self.state();
        let read = |windows: &BTreeMap<&'static str, Window>| {
            windows.iter().map(|(class, window)| (*class, window.peak)).collect::<BTreeMap<_, _>>()
        };
        let peaks = |vendor: &VendorState| Peaks {
            classes: read(&vendor.class_windows),
            accounts: vendor.account_windows.iter().map(|(name, all)| (name.clone(), read(all))).collect(),
        };
        state.vendors.iter().map(|(name, vendor)| (*name, peaks(vendor))).collect()
    }

    /// The newest calls, oldest of them first.
    #[must_use]
    pub fn recent(&self, at_most: usize) -> Vec<Call> {
        let state = self.state();
        let from = state.recent.len().saturating_sub(at_most);
        state.recent.range(from..).cloned().collect()
    }

    /// Forgets everything. Calls still under way are not counted when they end.
    pub fn reset(&self) {
        {
            let mut state = self.state();
            let (next_sequence, resets) = (state.next_sequence, state.resets + 1);
            *state = State { next_sequence, resets, ..State::default() };
        }
        self.changed();
    }

    /// Waits until the log satisfies `condition`; looks again whenever a call arrives, takes effect or ends.
    pub async fn wait_until(&self, mut condition: impl FnMut(&Self) -> bool) {
        let mut changes = self.0.changes.subscribe();
        while !condition(self) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    pub(crate) fn arrived(&self, arrival: Arrival) -> CallHandle {
        let now_ms = self.0.clock.now_ms();
        let (sequence, resets) = {
            let mut guard = self.state();
            let state = &mut *guard;
            let sequence = state.next_sequence;
            state.next_sequence += 1;
            let vendor = state.vendors.entry(arrival.vendor).or_default();
            vendor.note_arrival(&arrival, now_ms);
            if state.recent.len() == KEPT_CALLS {
                state.recent.pop_front();
            }
            state.recent.push_back(Call {
                sequence,
                vendor: arrival.vendor,
                route: arrival.route.clone(),
                path: arrival.path,
                account: arrival.account,
                class: arrival.class,
                arrived_ms: now_ms,
                status: None,
                effect: false,
                faults: Vec::new(),
                outcome: Outcome::InFlight,
            });
            (sequence, state.resets)
        };
        self.changed();
        CallHandle(Arc::new(Handle {
            log: self.clone(),
            sequence,
            resets,
            vendor: arrival.vendor,
            route: arrival.route,
            deletion_target: arrival.deletion_target,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.0.changes.send_modify(|version| *version = version.wrapping_add(1));
    }
}

impl VendorState {
    fn note_arrival(&mut self, arrival: &Arrival, now_ms: u64) {
        self.counts.total += 1;
        match self.counts.routes.get_mut(&arrival.route) {
            Some(counts) => counts.arrived += 1,
            None => {
                self.counts
                    .routes
                    .insert(arrival.route.clone(), RouteCounts { arrived: 1, ..RouteCounts::default() });
            }
        }
        if let Some(class) = arrival.class {
            self.class_windows.entry(class).or_default().add(now_ms);
            let account = arrival.account.as_deref().unwrap_or("unknown");
            if !self.account_windows.contains_key(account) {
                self.account_windows.insert(account.to_owned(), BTreeMap::new());
            }
            if let Some(windows) = self.account_windows.get_mut(account) {
                windows.entry(class).or_default().add(now_ms);
            }
        }
        if let Some(key) = &arrival.deletion_target {
            if let Some(counts) = self.deletions.get_mut(key) {
                counts.arrived += 1;
            } else if self.deletions.len() < KEPT_DELETION_TARGETS {
                self.deletions.insert(key.clone(), DeletionCounts { arrived: 1, effects: 0 });
            }
        }
    }
}

/// A call under way. Routes and faults write down through it what they did.
#[derive(Clone, Debug)]
pub(crate) struct CallHandle(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    log: CallLog,
    sequence: u64,
    resets: u64,
    vendor: &'static str,
    route: String,
    deletion_target: Option<String>,
}

impl CallHandle {
    /// The call has changed something. To be called in the same breath as the change itself.
    pub(crate) fn took_effect(&self) {
        self.update(
            |vendor| {
                if let Some(counts) = vendor.counts.routes.get_mut(&self.0.route) {
                    counts.effects += 1;
                }
                let target = self.0.deletion_target.as_ref();
                if let Some(counts) = target.and_then(|key| vendor.deletions.get_mut(key)) {
                    counts.effects += 1;
                }
            },
            |call| call.effect = true,
        );
    }

    pub(crate) fn fault(&self, name: &'static str) {
        self.update(|_| {}, |call| call.faults.push(name));
    }

    pub(crate) fn finish(&self, outcome: Outcome, status: Option<u16>) {
        self.update(
            |vendor| {
                let Some(counts) = vendor.counts.routes.get_mut(&self.0.route) else { return };
                match outcome {
                    Outcome::Answered => *counts.statuses.entry(status.unwrap_or(0)).or_default() += 1,
                    Outcome::Dropped => counts.dropped += 1,
                    Outcome::Abandoned => counts.abandoned += 1,
                    Outcome::InFlight => {}
                }
            },
            |call| {
                call.outcome = outcome;
                call.status = status;
            },
        );
    }

    /// Counters always learn of a change, the single call only while it is among those kept.
    fn update(&self, count: impl FnOnce(&mut VendorState), note: impl FnOnce(&mut Call)) {
        {
            let mut guard = self.0.log.state();
            let state = &mut *guard;
            if state.resets != self.0.resets {
                return;
            }
            if let Some(vendor) = state.vendors.get_mut(self.0.vendor) {
                count(vendor);
            }
            // Calls are numbered without gaps, so the position follows from the first one kept.
            let first = state.recent.front().map_or(0, |call| call.sequence);
            let position = self.0.sequence.checked_sub(first).and_then(|n| usize::try_from(n).ok());
            if let Some(call) = position.and_then(|n| state.recent.get_mut(n)) {
                note(call);
            }
        }
        self.0.log.changed();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn arrival(account: &str, class: &'static str, target: Option<&str>) -> Arrival {
        Arrival {
            vendor: "vendor",
            route: "DELETE /things/{thing}/".to_owned(),
            path: "/things/1/".to_owned(),
            account: Some(account.to_owned()),
            class: Some(class),
            deletion_target: target.map(str::to_owned),
        }
    }

    #[test]
    fn peaks_slide_with_the_clock_and_are_kept_per_account() {
        let clock = Clock::start();
        let log = CallLog::new(clock.clone());
        for _ in 0..3 {
            log.arrived(arrival("a", "get", None));
        }
        clock.advance(Duration::from_secs(30));
        log.arrived(arrival("b", "get", None));
        clock.advance(Duration::from_secs(31));
        // The first three are out of the window now, so the peak stays.
        log.arrived(arrival("a", "get", None));
        let peaks = log.peaks().remove("vendor").unwrap();
        assert_eq!(peaks.classes, BTreeMap::from([("get", 4)]));
        assert_eq!(peaks.accounts["a"], BTreeMap::from([("get", 3)]));
        assert_eq!(peaks.accounts["b"], BTreeMap::from([("get", 1)]));
    }

    #[test]
    fn effects_belong_to_the_object_and_the_route() {
        let log = CallLog::new(Clock::start());
        let first = log.arrived(arrival("a", "other", Some("k")));
        first.took_effect();
        first.finish(Outcome::Dropped, None);
        let second = log.arrived(arrival("a", "other", Some("k")));
        second.finish(Outcome::Answered, Some(404));
        assert_eq!(log.deletions_of("vendor", "k"), DeletionCounts { arrived: 2, effects: 1 });
        let counts = log.route("vendor", "DELETE /things/{thing}/");
        assert_eq!((counts.arrived, counts.effects, counts.dropped), (2, 1, 1));
        assert_eq!(counts.statuses, BTreeMap::from([(404, 1)]));
    }

    #[test]
    fn old_calls_make_room_and_counters_go_on() {
        let log = CallLog::new(Clock::start());
        let oldest = log.arrived(arrival("a", "get", None));
        for _ in 0..KEPT_CALLS {
            log.arrived(arrival("a", "get", None));
        }
        oldest.finish(Outcome::Answered, Some(200));
        assert_eq!(log.recent(usize::MAX).len(), KEPT_CALLS);
        assert_eq!(log.recent(usize::MAX)[0].sequence, 1);
        assert_eq!(log.summary().total, KEPT_CALLS as u64 + 1);
    }

    #[test]
    fn a_reset_forgets_calls_under_way() {
        let log = CallLog::new(Clock::start());
        let before = log.arrived(arrival("a", "get", None));
        log.reset();
        let after = log.arrived(arrival("a", "get", None));
        before.finish(Outcome::Answered, Some(500));
        after.finish(Outcome::Answered, Some(200));
        assert_eq!(log.route("vendor", "DELETE /things/{thing}/").statuses, BTreeMap::from([(200, 1)]));
    }
}
