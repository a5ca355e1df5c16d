//! One connection's part in a request: its statuses and moves, in one table.

use jiff::Timestamp;

use crate::vocabulary::vocabulary;

vocabulary! {
    /// In which part of a request's life a run works.
    Phase("phase") {
        /// Asking what is held.
        Collect = "collect",
        /// Deleting.
        Erase = "erase",
    }
}

vocabulary! {
    /// Where a run stands.
    RunStatus("run status") {
        /// Planned.
        NotStarted = "not_started",
        /// Work is under way.
        Processing = "processing",
        /// Done.
        Complete = "complete",
        /// A person must act.
        Attention = "attention",
        /// Left out, by whom and why is recorded.
        Skipped = "skipped",
        /// Broken off, by whom and why is recorded.
        Stopped = "stopped",
    }
}

vocabulary! {
    /// What is done to a run.
    RunAction("run action") {
        /// Work begins.
        Begin = "begin",
        /// The system's part is done.
        Complete = "complete",
        /// Something went wrong that a person must decide about.
        Fail = "fail",
        /// Try again.
        Retry = "retry",
        /// Go on without this system.
        Skip = "skip",
        /// Break the work off.
        Stop = "stop",
        /// Ask a person at the system's owner instead.
        HandOver = "hand_over",
    }
}

use RunAction as A;
use RunStatus as S;

/// Every allowed move of a run. What is settled stays settled.
const TRANSITIONS: &[(RunStatus, RunAction, RunStatus)] = &[
    (S::NotStarted, A::Begin, S::Processing),
    (S::NotStarted, A::Complete, S::Complete),
    (S::NotStarted, A::Fail, S::Attention),
    (S::NotStarted, A::Skip, S::Skipped),
    (S::NotStarted, A::Stop, S::Stopped),
    (S::Processing, A::Complete, S::Complete),
    (S::Processing, A::Fail, S::Attention),
    (S::Processing, A::Retry, S::Processing),
    (S::Processing, A::Skip, S::Skipped),
    (S::Processing, A::Stop, S::Stopped),
    (S::Processing, A::HandOver, S::Processing),
    // A contact's answer counts, however late it comes.
    (S::Attention, A::Complete, S::Complete),
    (S::Attention, A::Retry, S::Processing),
    (S::Attention, A::Skip, S::Skipped),
    (S::Attention, A::Stop, S::Stopped),
    (S::Attention, A::HandOver, S::Processing),
];

/// A move that the table does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{action}` is not possible while the run is {status}; possible now: {}", list(.allowed))]
pub struct IllegalRunMove {
    /// Where the run stands.
    pub status: RunStatus,
    /// What was tried.
    pub action: RunAction,
    /// What a person could do instead.
    pub allowed: Vec<RunAction>,
}

fn list(actions: &[RunAction]) -> String {
    if actions.is_empty() {
        return "nothing, it is settled".to_owned();
    }
    actions.iter().map(|action| action.as_str()).collect::<Vec<_>>().join(", ")
}

/// Where `action` leads from `status`.
///
/// # Errors
/// If the table does not allow the move.
pub fn target(status: RunStatus, action: RunAction) -> Result<RunStatus, IllegalRunMove> {
    TRANSITIONS
        .iter()
        .find(|(from, by, _)| *from == status && *by == action)
        .map(|(_, _, to)| *to)
        .ok_or_else(|| IllegalRunMove { status, action, allowed: allowed(status) })
}

/// What a person may do to a run now.
#[must_use]
pub fn allowed(status: RunStatus) -> Vec<RunAction> {
    TRANSITIONS
        .iter()
        .filter(|(from, by, _)| *from == status && matches!(by, A::Retry | A::Skip | A::Stop | A::HandOver))
        .map(|(_, by, _)| *by)
        .collect()
}

impl RunStatus {
    /// Whether the run no longer holds its request back.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Complete | Self::Skipped | Self::Stopped)
    }
}

/// The line that people read below a run's status. Holds no personal data and no free text.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum RunDetail {
    /// Waiting for a worker.
    Queued,
    /// Joined a pass over the vendor's data.
    Scanning,
    /// The deletion is under way.
    Deleting,
    /// Deleted; a pass over the vendor's data must show that nothing came back.
    Verifying,
    /// A passing failure; the next attempt is set.
    Retrying {
        /// Which attempt comes next, from 2.
        attempt: u32,
        /// When.
        at: Timestamp,
    },
    /// An effect may have taken place although its answer was lost; the vendor is asked before anything is sent again.
    Reconciling {
        /// When the vendor is asked.
        at: Timestamp,
    },
    /// The vendor collects; it is asked again at a time.
    Polling {
        /// When the vendor is asked next.
        at: Timestamp,
    },
    /// The vendor accepted the deletion and works on it.
    Submitted,
    /// A person at the system's owner was asked.
    WaitingForContact {
        /// Until when an answer is waited for.
        until: Timestamp,
        /// How often the person was reminded.
        reminders: u32,
    },
    /// Nobody was asked, because the connection names no contact: somebody enters the answer by hand.
    WaitingForAnswer {
        /// Until when an answer is waited for.
        until: Timestamp,
    },
    /// The request is on hold.
    Held,
    /// Collected.
    RecordsFound {
        /// How many.
        records: u64,
    },
    /// The system holds nothing about the person.
    NoneFound,
    /// Nothing is collected here before a deletion: it is all or nothing.
    AccessSkipped,
    /// Deleted, and a pass over the vendor's data found none of it any more.
    VerifiedGone {
        /// How many records.
        records: u64,
    },
    /// Deleted, on the vendor's word.
    RecordsDeleted {
        /// How many records.
        records: u64,
    },
    /// The vendor accepted the deletion; that is all the connection waits for.
    DeletionSubmitted,
    /// Everything about the person was deleted.
    PersonDeleted {
        /// Whether a search afterwards found nothing any more; else it is the vendor's word.
        verified: bool,
    },
    /// Everything about the person was deleted in the system itself, but not in some systems behind it.
    PersonDeletedExcept {
        /// How many.
        systems: u64,
    },
    /// Deleted, on the contact's word.
    DeletedByContact,
    /// There was nothing to delete.
    NothingToDelete,
    /// Left out because the contact did not answer in time.
    ContactSilent,
    /// See the run's error.
    Failed,
    /// Left out by a person.
    SkippedBy {
        /// Who.
        actor: String,
    },
    /// Broken off.
    StoppedBy {
        /// Who.
        actor: String,
    },
}

impl RunDetail {
    /// What a system that was asked holds.
    #[must_use]
    pub const fn of_found(records: u64) -> Self {
        match records {
            0 => Self::NoneFound,
            records => Self::RecordsFound { records },
        }
    }

    /// The detail as a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Queued => "queued".to_owned(),
            Self::Scanning => "reading the system's records".to_owned(),
            Self::Deleting => "deleting".to_owned(),
            Self::Verifying => "deleted; verifying that nothing is left".to_owned(),
            Self::Retrying { attempt, at } => format!("retrying, attempt {attempt} at {at}"),
            Self::Reconciling { at } => {
                format!("the answer to a deletion was lost; asking the system what it holds at {at}")
            }
            Self::Polling { at } => format!("submitted; polling, next check at {at}"),
            Self::Submitted => "submitted; waiting for the system to finish".to_owned(),
            Self::WaitingForContact { until, reminders: 0 } => {
                format!("waiting for the system's contact, until {until}")
            }
            Self::WaitingForContact { until, reminders } => {
                format!("waiting for the system's contact, reminded {reminders} times, until {until}")
            }
            Self::WaitingForAnswer { until } => {
                format!("waiting for an answer entered by hand, until {until}")
            }
            Self::Held => "on hold".to_owned(),
            Self::RecordsFound { records } => format!("{} found", counted(*records)),
            Self::NoneFound => "none found".to_owned(),
            Self::AccessSkipped => "access skipped".to_owned(),
            Self::VerifiedGone { records } => format!("{} deleted; verified gone", counted(*records)),
            Self::RecordsDeleted { records } => format!("{} deleted", counted(*records)),
            Self::DeletionSubmitted => "deletion submitted".to_owned(),
            Self::PersonDeleted { verified: true } => "deleted; verified gone".to_owned(),
            Self::PersonDeleted { verified: false } => "deleted".to_owned(),
            Self::PersonDeletedExcept { systems: 1 } => "deleted, but not in 1 system behind it".to_owned(),
            Self::PersonDeletedExcept { systems } => {
                format!("deleted, but not in {systems} systems behind it")
            }
            Self::DeletedByContact => "deleted, as the system's contact says".to_owned(),
            Self::NothingToDelete => "nothing to delete".to_owned(),
            Self::ContactSilent => "skipped: the contact did not answer in time".to_owned(),
            Self::Failed => "failed".to_owned(),
            Self::SkippedBy { actor } => format!("skipped by {actor}"),
            Self::StoppedBy { actor } => format!("stopped by {actor}"),
        }
    }
}

fn counted(records: u64) -> String {
    if records == 1 { "1 record".to_owned() } else { format!("{records} records") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_illegal_move_is_ever_accepted(
            status in proptest::sample::select(S::ALL),
            action in proptest::sample::select(A::ALL),
        ) {
            match target(status, action) {
                Ok(to) => {
                    prop_assert!(!status.is_settled());
                    prop_assert_ne!(to, S::NotStarted);
                    prop_assert_eq!(action == A::Fail, to == S::Attention);
                }
                Err(refusal) => prop_assert_eq!(refusal.allowed, allowed(status)),
            }
        }
    }

    #[test]
    fn every_open_status_can_be_settled_by_a_person_and_no_settled_one_moves() {
        for status in S::ALL {
            assert_eq!(allowed(*status).contains(&A::Skip), !status.is_settled(), "{status}");
            assert_eq!(allowed(*status).contains(&A::Stop), !status.is_settled(), "{status}");
        }
    }

    #[test]
    fn details_read_as_sentences() {
        assert_eq!(RunDetail::RecordsFound { records: 1 }.sentence(), "1 record found");
        assert_eq!(RunDetail::VerifiedGone { records: 2 }.sentence(), "2 records deleted; verified gone");
    }
}
