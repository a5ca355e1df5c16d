//! What follows when the last run of a phase is settled.

use crate::lifecycle::{Action, Outcome};
use crate::right::Right;
use crate::run::RunStatus;

/// How one run of the phase ended.
#[derive(Clone, Copy, Debug)]
pub struct SettledRun {
    /// Where it ended.
    pub status: RunStatus,
    /// Records found, `None` where access was skipped.
    pub records_found: Option<u64>,
    /// Whether something was deliberately left out (a deselected connection or record).
    pub left_out: bool,
}

impl SettledRun {
    /// Whether the system gave its answer.
    fn was_asked(self) -> bool {
        self.status == RunStatus::Complete
    }
}

/// What follows when every `collect` run is settled; `None` as long as one is not.
///
/// Nothing found anywhere ends the request, but only if every system gave its answer: a system that was skipped
/// may hold something, so a person looks.
#[must_use]
pub fn after_collecting(runs: &[SettledRun]) -> Option<Action> {
    if !runs.iter().all(|run| run.status.is_settled()) {
        return None;
    }
    let nothing_anywhere = runs.iter().all(|run| run.was_asked() && run.records_found == Some(0));
    Some(if nothing_anywhere { Action::FindNothing } else { Action::FinishCollecting })
}

/// How a deletion ends when every `erase` run is settled; `None` as long as one is not.
///
/// `collected` are the runs of the phase before: what a reviewer deselected there is an exception.
#[must_use]
pub fn after_erasing(collected: &[SettledRun], erased: &[SettledRun]) -> Option<Outcome> {
    if !erased.iter().all(|run| run.status.is_settled()) {
        return None;
    }
    let complete = collected.iter().chain(erased).all(|run| run.was_asked() && !run.left_out);
    Some(if complete { Outcome::Erased } else { Outcome::ErasedWithExceptions })
}

/// The move that ends a review.
#[must_use]
pub const fn after_review(right: Right) -> Action {
    match right {
        Right::Access | Right::AccessCategories => Action::Deliver,
        Right::Deletion => Action::Erase,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_run() -> impl Strategy<Value = SettledRun> {
        (proptest::sample::select(RunStatus::ALL), proptest::option::of(0_u64..3), any::<bool>())
            .prop_map(|(status, records_found, left_out)| SettledRun { status, records_found, left_out })
    }

    fn any_runs() -> impl Strategy<Value = Vec<SettledRun>> {
        proptest::collection::vec(any_run(), 1..6)
    }

    proptest! {
        #[test]
        fn a_request_leaves_collecting_exactly_when_all_runs_are_settled(runs in any_runs()) {
            let settled = runs.iter().all(|run| run.status.is_settled());
            prop_assert_eq!(after_collecting(&runs).is_some(), settled);
        }

        #[test]
        fn a_request_leaves_erasing_exactly_when_all_runs_are_settled(collected in any_runs(), erased in any_runs()) {
            let settled = erased.iter().all(|run| run.status.is_settled());
            prop_assert_eq!(after_erasing(&collected, &erased).is_some(), settled);
        }

        #[test]
        fn nothing_found_is_never_said_of_a_system_that_was_not_asked(runs in any_runs()) {
            if after_collecting(&runs) == Some(Action::FindNothing) {
                prop_assert!(runs.iter().all(|run| run.status == RunStatus::Complete && run.records_found == Some(0)));
            }
        }

        #[test]
        fn erased_is_never_said_when_something_was_left_out(collected in any_runs(), erased in any_runs()) {
            if after_erasing(&collected, &erased) == Some(Outcome::Erased) {
                prop_assert!(collected.iter().chain(&erased).all(|run| run.status == RunStatus::Complete && !run.left_out));
            }
        }
    }
}
