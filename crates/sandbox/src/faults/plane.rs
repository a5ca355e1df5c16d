//! The rules in force and the decision which of them strike at a call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::Method;
use serde::Serialize;

use super::{Fault, Rule, When};
use crate::random::Random;

/// Why a rule was not taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRule(String);

/// A rule in force, with what it has done so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActiveRule {
    /// To remove it again.
    pub id: u64,
    /// Calls that matched it.
    pub matched: u64,
    /// Calls it struck.
    pub struck: u64,
    /// The rule as it was given.
    pub rule: Rule,
}

/// The rules in force; clones share them.
#[derive(Clone, Debug)]
pub struct FaultPlane(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    vendors: Vec<&'static str>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next_id: u64,
    rules: Vec<ActiveRule>,
    dice: Random,
}

/// What a call has to go through.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) delay_before: Duration,
    pub(super) delay_after: Duration,
    pub(super) fault: Option<(Fault, When)>,
}

impl Plan {
    pub(super) fn is_empty(&self) -> bool {
        self.fault.is_none() && self.delay_before.is_zero() && self.delay_after.is_zero()
    }
}

impl FaultPlane {
    pub(crate) fn new(vendors: Vec<&'static str>, seed: u64) -> Self {
        let dice = Random::for_purpose(seed, "faults");
        Self(Arc::new(Inner { vendors, state: Mutex::new(State { next_id: 1, rules: Vec::new(), dice }) }))
    }

    /// Puts a rule in force behind those that are, and answers its id.
    ///
    /// # Errors
    /// When the rule cannot work: an unknown vendor, a status outside 200..=599, and the like.
    pub fn add(&self, rule: Rule) -> Result<u64, InvalidRule> {
        rule.check(&self.0.vendors).map_err(InvalidRule)?;
        let mut state = self.state();
        let id = state.next_id;
        state.next_id += 1;
        state.rules.push(ActiveRule { id, matched: 0, struck: 0, rule });
        Ok(id)
    }

    /// The rules in force, those that are used up included.
    #[must_use]
    pub fn rules(&self) -> Vec<ActiveRule> {
        self.state().rules.clone()
    }

    /// Takes one rule out of force; false when there is no such rule.
    pub fn remove(&self, id: u64) -> bool {
        let mut state = self.state();
        let before = state.rules.len();
        state.rules.retain(|active| active.id != id);
        state.rules.len() != before
    }

    /// Takes every rule out of force.
    pub fn clear(&self) {
        self.state().rules.clear();
    }

    pub(super) fn plan(&self, vendor: &str, method: &Method, path_and_query: &str) -> Plan {
        let mut guard = self.state();
        let state = &mut *guard;
        let mut plan = Plan::default();
        for active in &mut state.rules {
            let rule = &active.rule;
            let is_delay = matches!(rule.fault, Fault::Latency { .. });
            if (plan.fault.is_some() && !is_delay) || !rule.matches(vendor, method, path_and_query) {
                continue;
            }
            active.matched += 1;
            let due = active.matched > rule.skip && rule.times.is_none_or(|times| active.struck < times);
            if !due || !rule.probability.is_none_or(|probability| state.dice.chance(probability)) {
                continue;
            }
            active.struck += 1;
            match (&rule.fault, rule.side()) {
                (Fault::Latency { ms }, side) => {
                    let delay =
                        if side == When::Before { &mut plan.delay_before } else { &mut plan.delay_after };
                    *delay = delay.saturating_add(Duration::from_millis(*ms));
                }
                (fault, side) => plan.fault = Some((fault.clone(), side)),
            }
        }
        plan
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane() -> FaultPlane {
        FaultPlane::new(vec!["shop"], 1)
    }

    fn strikes(plane: &FaultPlane, calls: usize) -> Vec<bool> {
        (0..calls).map(|_| !plane.plan("shop", &Method::GET, "/things/?page=2").is_empty()).collect()
    }

    fn status(code: u16) -> Fault {
        Fault::Status { code, body: None, retry_after: None }
    }

    #[test]
    fn skip_and_times_count_matching_calls_only() {
        let plane = plane();
        plane
            .add(Rule::new("shop", status(500)).method("get").path_contains("page=2").skip(1).times(2))
            .unwrap();
        assert!(plane.plan("shop", &Method::POST, "/things/?page=2").is_empty());
        assert!(plane.plan("shop", &Method::GET, "/things/").is_empty());
        assert!(plane.plan("other", &Method::GET, "/things/?page=2").is_empty());
        assert_eq!(strikes(&plane, 5), [false, true, true, false, false]);
        let rule = &plane.rules()[0];
        assert_eq!((rule.matched, rule.struck), (5, 2));
    }

    #[test]
    fn delays_add_up_and_the_first_other_fault_wins() {
        let plane = plane();
        plane.add(Rule::new("shop", Fault::Latency { ms: 5 })).unwrap();
        plane.add(Rule::new("shop", status(500))).unwrap();
        plane.add(Rule::new("shop", status(400)).times(1)).unwrap();
        plane.add(Rule::new("shop", Fault::Latency { ms: 7 })).unwrap();
        plane.add(Rule::new("shop", Fault::Latency { ms: 3 }).when(When::After)).unwrap();
        let plan = plane.plan("shop", &Method::GET, "/");
        assert_eq!(plan.delay_before, Duration::from_millis(12));
        assert_eq!(plan.delay_after, Duration::from_millis(3));
        assert_eq!(plan.fault, Some((status(500), When::Before)));
        assert_eq!(plane.rules()[2].matched, 0, "the rule behind the winner is not used up");
    }

    #[test]
    fn dice_follow_the_seed() {
        let roll = |seed| {
            let plane = FaultPlane::new(vec!["shop"], seed);
            plane.add(Rule::new("shop", status(500)).probability(0.5)).unwrap();
            strikes(&plane, 64)
        };
        assert_eq!(roll(9), roll(9));
        assert_ne!(roll(9), roll(10));
        assert!(roll(9).contains(&true) && roll(9).contains(&false));
    }

    #[test]
    fn rules_that_cannot_work_are_refused() {
        let refused = [
            (Rule::new("nobody", status(500)), "there is no vendor `nobody`; known: shop"),
            (Rule::new("shop", status(99)), "`code` must lie between 200 and 599, not 99"),
            (Rule::new("shop", status(500)).method("GET IT"), "`GET IT` is not an HTTP method"),
            (Rule::new("shop", status(500)).probability(1.5), "`probability` must lie between 0 and 1"),
            (
                Rule::new("shop", Fault::AnswerLost {}).when(When::Before),
                "`answer_lost` cannot be moved to the other side of processing with `when`",
            ),
        ];
        for (rule, message) in refused {
            assert_eq!(plane().add(rule).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn removing_and_clearing() {
        let plane = plane();
        let first = plane.add(Rule::new("shop", status(500))).unwrap();
        plane.add(Rule::new("shop", status(501))).unwrap();
        assert!(plane.remove(first));
        assert!(!plane.remove(first));
        assert_eq!(plane.rules().len(), 1);
        plane.clear();
        assert_eq!(strikes(&plane, 1), [false]);
    }
}
