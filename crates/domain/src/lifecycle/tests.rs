use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn any_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(all)
}

fn any_hold() -> impl Strategy<Value = Option<HoldReason>> {
    proptest::option::of(any_of(HoldReason::ALL))
}

/// The table of the product's documents, written a second time as plain sentences, so that a slip in one of
/// the two shows.
const MAY_HOLD: [RequestState; 3] = [S::Triage, S::Collecting, S::Review];
const MAY_DENY: [RequestState; 3] = MAY_HOLD;

fn standing(state: RequestState, hold: Option<HoldReason>) -> Standing {
    Standing { state, hold, outcome: None }
}

proptest! {
    #[test]
    fn no_illegal_move_is_ever_accepted(
        state in any_of(S::ALL),
        action in any_of(A::ALL),
        hold in any_hold(),
        outcome in proptest::option::of(any_of(Outcome::ALL)),
    ) {
        let standing = Standing { state, hold, outcome };
        let allowed = allowed(standing);
        match target(standing, action) {
            Ok(to) if state == S::Closed => {
                let late = [(Outcome::Unverified, A::Verify, S::Triage), (Outcome::NotDownloaded, A::SendAgain, S::Delivering)];
                let reopened = late.iter().any(|(after, by, back)| outcome == Some(*after) && action == *by && to == *back);
                prop_assert!(reopened, "a closed request moves only if its person was late");
            }
            Ok(to) => {
                prop_assert!(allowed.contains(&action));
                prop_assert_eq!(action == A::Deny, action == A::Deny && MAY_DENY.contains(&state));
                if action == A::Hold { prop_assert!(MAY_HOLD.contains(&state) && hold.is_none() && to == state); }
                if action == A::Resume { prop_assert!(hold.is_some() && to == state); }
                if hold.is_some() && !matches!(action, A::Resume) && state != S::Verifying
                    && !matches!(state, S::Erasing | S::Delivering)
                {
                    prop_assert_eq!(to, S::Closed, "under a hold a request can only end");
                }
            }
            Err(refusal) => {
                prop_assert!(!allowed.contains(&action));
                prop_assert_eq!(refusal.allowed, allowed);
            }
        }
    }

    #[test]
    fn a_walk_of_legal_moves_never_leaves_the_vocabulary_and_can_always_end(
        choices in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let (mut state, mut hold) = (S::Verifying, None);
        for choice in choices {
            let moves = allowed(standing(state, hold));
            if moves.is_empty() { break; }
            let action = *choice.get(&moves);
            state = target(standing(state, hold), action).expect("an allowed move");
            hold = match action {
                A::Hold => Some(HoldReason::LegalHold),
                A::Resume => None,
                _ => hold,
            };
        }
        prop_assert!(reachable(state, hold).contains(&S::Closed));
    }
}

fn reachable(from: RequestState, hold: Option<HoldReason>) -> BTreeSet<RequestState> {
    let mut seen = BTreeSet::from([from]);
    let mut todo = vec![(from, hold), (from, None)];
    while let Some((state, hold)) = todo.pop() {
        for action in allowed(standing(state, hold)) {
            let to = target(standing(state, hold), action).expect("an allowed move");
            if seen.insert(to) {
                todo.push((to, None));
            }
        }
    }
    seen
}

#[test]
fn every_state_reaches_closed_and_every_state_is_reached() {
    for state in S::ALL {
        assert!(reachable(*state, None).contains(&S::Closed), "{state} is a dead end");
    }
    assert_eq!(reachable(S::Verifying, None), S::ALL.iter().copied().collect());
}

#[test]
fn every_outcome_but_the_works_own_is_decided_by_one_action() {
    let decided: Vec<_> = A::ALL.iter().filter_map(|action| action.outcome()).collect();
    for outcome in Outcome::ALL {
        let times = decided.iter().filter(|decided| *decided == outcome).count();
        let expected = usize::from(!matches!(outcome, Outcome::Erased | Outcome::ErasedWithExceptions));
        assert_eq!(times, expected, "{outcome}");
    }
}

#[test]
fn no_row_is_written_twice() {
    for state in S::ALL {
        for hold in [None, Some(HoldReason::Other)] {
            let moves = allowed(standing(*state, hold));
            let distinct: BTreeSet<_> = moves.iter().collect();
            assert_eq!(moves.len(), distinct.len(), "{state}");
        }
    }
}

#[test]
fn a_refusal_says_what_is_possible() {
    let refusal = target(standing(S::Review, Some(HoldReason::LegalHold)), A::Start).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "`start` is not possible while the request is review and on hold (legal_hold); \
         possible now: deny, withdraw, resume"
    );
}
