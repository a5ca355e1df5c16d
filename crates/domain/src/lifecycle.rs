//! The life of a request: every state and every allowed move, in one table.

use crate::reason::HoldReason;
use crate::vocabulary::vocabulary;

vocabulary! {
    /// Where a request stands.
    RequestState("request state") {
        /// The subject has yet to prove who is asking.
        Verifying = "verifying",
        /// A person confirms policy, right, relationship and identifiers.
        Triage = "triage",
        /// Connected systems are asked.
        Collecting = "collecting",
        /// A person looks at what was found.
        Review = "review",
        /// Connected systems delete.
        Erasing = "erasing",
        /// The package waits for the subject.
        Delivering = "delivering",
        /// Over; the outcome says how.
        Closed = "closed",
    }
}

vocabulary! {
    /// How a closed request ended.
    Outcome("outcome") {
        /// The subject fetched the package.
        Downloaded = "downloaded",
        /// The link ran out before the package was fetched.
        NotDownloaded = "not_downloaded",
        /// Everything asked for was deleted.
        Erased = "erased",
        /// Deleted, but for what the exceptions name.
        ErasedWithExceptions = "erased_with_exceptions",
        /// No system held anything.
        NothingFound = "nothing_found",
        /// The company only processes the data; its controller was told.
        ForwardedToController = "forwarded_to_controller",
        /// Identity was never proven.
        Unverified = "unverified",
        /// Refused, with a reason from the law.
        Denied = "denied",
        /// Not a request by a person.
        Spam = "spam",
        /// The subject did not answer questions.
        Nonresponsive = "nonresponsive",
        /// The subject took it back.
        Withdrawn = "withdrawn",
    }
}

vocabulary! {
    /// What is done to a request.
    Action("action") {
        /// Identity proven, by link or by hand.
        Verify = "verify",
        /// The verification link ran out.
        ExpireVerification = "expire_verification",
        /// Triage is over; systems are asked.
        Start = "start",
        /// Every `collect` run is settled and there is something to look at.
        FinishCollecting = "finish_collecting",
        /// Every `collect` run is settled and no system holds anything.
        FindNothing = "find_nothing",
        /// Ask the systems again.
        CollectAgain = "collect_again",
        /// Review is over: deliver.
        Deliver = "deliver",
        /// Review is over: erase.
        Erase = "erase",
        /// Every `erase` run is settled.
        FinishErasing = "finish_erasing",
        /// The package was fetched completely.
        Download = "download",
        /// The download link ran out.
        ExpireDownload = "expire_download",
        /// A new download link is sent.
        SendAgain = "send_again",
        /// Refuse.
        Deny = "deny",
        /// The subject takes the request back.
        Withdraw = "withdraw",
        /// Not a request at all.
        MarkSpam = "mark_spam",
        /// The subject never answered.
        MarkNonresponsive = "mark_nonresponsive",
        /// We only process; the controller must answer.
        ForwardToController = "forward_to_controller",
        /// Lay a hold.
        Hold = "hold",
        /// Lift the hold.
        Resume = "resume",
    }
}

/// What a hold does to a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UnderHold {
    /// Allowed whether held or not.
    Ignored,
    /// Refused while a hold lies.
    Refused,
    /// Allowed only while a hold lies.
    Required,
}

struct Transition {
    from: RequestState,
    action: Action,
    to: RequestState,
    under_hold: UnderHold,
    /// Only if the request was closed in this way.
    only_after: Option<Outcome>,
}

const fn row(from: RequestState, action: Action, to: RequestState, under_hold: UnderHold) -> Transition {
    Transition { from, action, to, under_hold, only_after: None }
}

/// A move out of `closed`: possible after one outcome only.
const fn reopen(after: Outcome, action: Action, to: RequestState) -> Transition {
    Transition { from: S::Closed, action, to, under_hold: Ignored, only_after: Some(after) }
}

use Action as A;
use RequestState as S;
use UnderHold::{Ignored, Refused, Required};

/// Every allowed move. A hold stops whatever would send something to a vendor or a person, and the engine's
/// own moves; taking back, refusing and lifting the hold stay possible.
const TRANSITIONS: &[Transition] = &[
    row(S::Verifying, A::Verify, S::Triage, Ignored),
    row(S::Verifying, A::ExpireVerification, S::Closed, Ignored),
    row(S::Verifying, A::Withdraw, S::Closed, Ignored),
    row(S::Verifying, A::MarkSpam, S::Closed, Ignored),
    row(S::Triage, A::Start, S::Collecting, Refused),
    row(S::Triage, A::Deny, S::Closed, Ignored),
    row(S::Triage, A::Withdraw, S::Closed, Ignored),
    row(S::Triage, A::MarkSpam, S::Closed, Ignored),
    row(S::Triage, A::MarkNonresponsive, S::Closed, Ignored),
    row(S::Triage, A::ForwardToController, S::Closed, Refused),
    row(S::Triage, A::Hold, S::Triage, Refused),
    row(S::Triage, A::Resume, S::Triage, Required),
    row(S::Collecting, A::FinishCollecting, S::Review, Refused),
    row(S::Collecting, A::FindNothing, S::Closed, Refused),
    row(S::Collecting, A::Deny, S::Closed, Ignored),
    row(S::Collecting, A::Withdraw, S::Closed, Ignored),
    row(S::Collecting, A::Hold, S::Collecting, Refused),
    row(S::Collecting, A::Resume, S::Collecting, Required),
    row(S::Review, A::CollectAgain, S::Collecting, Refused),
    row(S::Review, A::Deliver, S::Delivering, Refused),
    row(S::Review, A::Erase, S::Erasing, Refused),
    row(S::Review, A::Deny, S::Closed, Ignored),
    row(S::Review, A::Withdraw, S::Closed, Ignored),
    row(S::Review, A::Hold, S::Review, Refused),
    row(S::Review, A::Resume, S::Review, Required),
    row(S::Erasing, A::FinishErasing, S::Closed, Ignored),
    row(S::Delivering, A::Download, S::Closed, Ignored),
    row(S::Delivering, A::SendAgain, S::Delivering, Ignored),
    row(S::Delivering, A::ExpireDownload, S::Closed, Ignored),
    row(S::Delivering, A::Withdraw, S::Closed, Ignored),
    // Whoever was late may still prove who they are until the due date, or fetch the package until it is destroyed.
    reopen(Outcome::Unverified, A::Verify, S::Triage),
    reopen(Outcome::NotDownloaded, A::SendAgain, S::Delivering),
];

/// Where a request stands, as far as its moves depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The state.
    pub state: RequestState,
    /// The hold that lies on it.
    pub hold: Option<HoldReason>,
    /// How it ended, if it is closed.
    pub outcome: Option<Outcome>,
}

impl From<RequestState> for Standing {
    fn from(state: RequestState) -> Self {
        Self { state, hold: None, outcome: None }
    }
}

/// A move that the table does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{action}` is not possible while the request is {}; possible now: {}", situation(*.standing), list(.allowed))]
pub struct IllegalMove {
    /// Where the request stands.
    pub standing: Standing,
    /// What was tried.
    pub action: Action,
    /// What a person could do instead.
    pub allowed: Vec<Action>,
}

fn situation(standing: Standing) -> String {
    match standing {
        Standing { state, hold: Some(reason), .. } => format!("{state} and on hold ({reason})"),
        Standing { state, .. } => state.to_string(),
    }
}

fn list(actions: &[Action]) -> String {
    if actions.is_empty() {
        return "nothing, it is closed".to_owned();
    }
    actions.iter().map(|action| action.as_str()).collect::<Vec<_>>().join(", ")
}

impl UnderHold {
    const fn permits(self, held: bool) -> bool {
        match self {
            Ignored => true,
            Refused => !held,
            Required => held,
        }
    }
}

impl Transition {
    fn applies(&self, standing: Standing) -> bool {
        self.from == standing.state
            && self.under_hold.permits(standing.hold.is_some())
            && (self.only_after.is_none() || self.only_after == standing.outcome)
    }
}

/// Where `action` leads from where the request stands.
///
/// # Errors
/// If the table does not allow the move.
pub fn target(standing: impl Into<Standing>, action: Action) -> Result<RequestState, IllegalMove> {
    let standing = standing.into();
    TRANSITIONS
        .iter()
        .find(|row| row.action == action && row.applies(standing))
        .map(|row| row.to)
        .ok_or_else(|| IllegalMove { standing, action, allowed: allowed(standing) })
}

/// Every move that is possible now, in the table's order.
#[must_use]
pub fn allowed(standing: impl Into<Standing>) -> Vec<Action> {
    let standing = standing.into();
    TRANSITIONS.iter().filter(|row| row.applies(standing)).map(|row| row.action).collect()
}

impl RequestState {
    /// Whether the request still wants something from someone.
    #[must_use]
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Closed)
    }

    /// Whether work at vendors is under way, so that leaving the state waits for every run.
    #[must_use]
    pub const fn waits_for_runs(self) -> bool {
        matches!(self, Self::Collecting | Self::Erasing)
    }
}

impl Action {
    /// The outcome that the action itself decides; `None` where the result of the work decides it.
    #[must_use]
    pub const fn outcome(self) -> Option<Outcome> {
        match self {
            Self::ExpireVerification => Some(Outcome::Unverified),
            Self::FindNothing => Some(Outcome::NothingFound),
            Self::Download => Some(Outcome::Downloaded),
            Self::ExpireDownload => Some(Outcome::NotDownloaded),
            Self::Deny => Some(Outcome::Denied),
            Self::Withdraw => Some(Outcome::Withdrawn),
            Self::MarkSpam => Some(Outcome::Spam),
            Self::MarkNonresponsive => Some(Outcome::Nonresponsive),
            Self::ForwardToController => Some(Outcome::ForwardedToController),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
