//! One piece of work at a vendor: what is sent, retried and reconciled.

use crate::vocabulary::vocabulary;

vocabulary! {
    /// What an operation does.
    OperationKind("operation kind") {
        /// One pass over everything a vendor holds; serves every run that waits for it.
        Scan = "scan",
        /// Asks for one subject's data.
        Lookup = "lookup",
        /// Deletes the records of one run, one by one.
        DeleteRecords = "delete_records",
        /// Deletes everything about one subject, in the call itself.
        DeleteSubject = "delete_subject",
        /// Collects one subject's data through a job of the vendor's.
        Export = "export",
        /// Asks the vendor to delete everything about the subjects of its runs: one job serves them all.
        Erase = "erase",
        /// Looks at every deletion job that is under way at a connection.
        Follow = "follow",
        /// Searches for a subject whose deletion the vendor reported as done.
        Verify = "verify",
        /// Waits for a person at the system's owner.
        Contact = "contact",
    }
}

vocabulary! {
    /// Where an operation stands.
    OperationStatus("operation status") {
        /// To be done; nothing has been sent.
        Intended = "intended",
        /// Being done: from here on an effect may have taken place.
        Sent = "sent",
        /// The vendor accepted it and works on it.
        Accepted = "accepted",
        /// Done.
        Done = "done",
        /// The answer was lost; the vendor must be asked before anything is sent again.
        Unknown = "unknown",
        /// A person must decide.
        Failed = "failed",
    }
}

impl OperationKind {
    /// Whether it changes something at the vendor, so that the intent is recorded before it is sent.
    #[must_use]
    pub const fn has_effect(self) -> bool {
        matches!(self, Self::DeleteRecords | Self::DeleteSubject | Self::Export | Self::Erase)
    }

    /// Whether only verified identifiers may be used: it deletes whatever an identifier leads to, without a person having
    /// seen it, or proves such a deletion.
    #[must_use]
    pub const fn needs_verified_identifiers(self) -> bool {
        matches!(self, Self::DeleteSubject | Self::Erase | Self::Verify)
    }

    /// Whether runs of several requests may share one, so that it outlives a run that leaves it.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Scan | Self::Erase | Self::Follow)
    }
}

use OperationStatus as S;

/// Every allowed change of an operation's status. Reads go from `intended` to their end directly.
const TRANSITIONS: &[(OperationStatus, OperationStatus)] = &[
    (S::Intended, S::Sent),
    (S::Intended, S::Done),
    (S::Intended, S::Failed),
    // Nothing was sent after all (refused by pacing, or by the vendor before any effect).
    (S::Sent, S::Intended),
    (S::Sent, S::Accepted),
    (S::Sent, S::Done),
    (S::Sent, S::Unknown),
    (S::Sent, S::Failed),
    (S::Accepted, S::Done),
    (S::Accepted, S::Unknown),
    (S::Accepted, S::Failed),
    // The vendor was asked: it is there, it is not there, or it is there and unfinished.
    (S::Unknown, S::Done),
    (S::Unknown, S::Intended),
    (S::Unknown, S::Accepted),
    (S::Unknown, S::Failed),
    // A person retries; a job that is only late is followed further.
    (S::Failed, S::Intended),
    (S::Failed, S::Unknown),
    (S::Failed, S::Accepted),
];

impl OperationStatus {
    /// Whether the table allows going from here to `to`; staying is always allowed.
    #[must_use]
    pub fn may_become(self, to: Self) -> bool {
        self == to || TRANSITIONS.contains(&(self, to))
    }

    /// What a worker that finds the operation without an owner must do: `sent` means that the worker before it
    /// died in between, so nobody knows.
    #[must_use]
    pub const fn when_taken_over(self) -> Self {
        match self {
            Self::Sent => Self::Unknown,
            other => other,
        }
    }

    /// Whether it is over.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_taken_effect_never_goes_back_to_intended_without_asking() {
        assert_eq!(S::Sent.when_taken_over(), S::Unknown);
        assert!(!S::Accepted.may_become(S::Intended));
        assert!(!S::Done.may_become(S::Intended) && !S::Done.may_become(S::Sent));
    }

    #[test]
    fn every_status_reaches_done_but_through_a_person_when_failed() {
        for status in S::ALL.iter().filter(|status| !status.is_over()) {
            assert!(S::ALL.iter().any(|to| to != status && status.may_become(*to)), "{status} is a dead end");
        }
    }
}
