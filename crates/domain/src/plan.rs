//! Which connection has which part in a request.

use std::collections::BTreeSet;

use crate::capability::{AccessType, DeletionMethod, Handling};
use crate::id::ConnectionId;
use crate::identifier::IdentifierType;
use crate::right::Right;
use crate::run::{Phase, RunStatus};

/// What the plan needs to know of a connection.
#[derive(Clone, Debug)]
pub struct Participant {
    /// Which connection.
    pub connection: ConnectionId,
    /// Its name, for messages.
    pub name: String,
    /// Who serves access, and how the vendor would.
    pub access: (Handling, Option<AccessType>),
    /// Who serves deletion, and how the vendor would.
    pub deletion: (Handling, Option<DeletionMethod>),
    /// Identifiers that find a person there; any one is enough.
    pub identifiers: &'static [IdentifierType],
}

/// How a planned run works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The vendor is asked what it holds.
    Collect,
    /// Settles at once: all or nothing, there is nothing to select.
    SkipAccess,
    /// The reviewer's selection is deleted, record by record.
    EraseRecords,
    /// Everything about the subject is deleted.
    EraseSubject,
    /// A person at the system's owner is asked what it holds.
    AskContact,
    /// A person at the system's owner is asked to delete.
    EraseByContact,
}

/// A run to be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedRun {
    /// Of which connection.
    pub connection: ConnectionId,
    /// What it does.
    pub part: Part,
}

/// Why no plan can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanRefused {
    /// Nothing would be asked.
    #[error(
        "no connection can serve `{right}`; add one with that capability, or switch the capability on \
         (`habeas integrations list` shows which integrations have it)"
    )]
    NoConnection {
        /// What was asked.
        right: Right,
    },
    /// A connection could not find the person.
    #[error(
        "connection `{connection}` finds people by {wanted}, and the request has none of these; add one to the request"
    )]
    IdentifierMissing {
        /// The connection's name.
        connection: String,
        /// What would do.
        wanted: String,
    },
}

/// The runs of the `collect` phase. On access every able connection is asked; on deletion those that delete by
/// record are asked, so that a person can choose, and the others settle at once.
///
/// # Errors
/// If nobody can serve the right, or a connection that must take part could not find the person.
pub fn collect(
    right: Right,
    participants: &[Participant],
    identifiers: &BTreeSet<IdentifierType>,
) -> Result<Vec<PlannedRun>, PlanRefused> {
    let mut runs = Vec::new();
    for participant in participants {
        let Some(part) = first_part(right, participant) else { continue };
        if !participant.identifiers.iter().any(|kind| identifiers.contains(kind)) {
            return Err(PlanRefused::IdentifierMissing {
                connection: participant.name.clone(),
                wanted: participant
                    .identifiers
                    .iter()
                    .map(|kind| kind.as_str())
                    .collect::<Vec<_>>()
                    .join(" or "),
            });
        }
        runs.push(PlannedRun { connection: participant.connection, part });
    }
    if runs.is_empty() { Err(PlanRefused::NoConnection { right }) } else { Ok(runs) }
}

/// What a connection does first about a request; `None` if it has no part in it.
#[must_use]
pub fn first_part(right: Right, participant: &Participant) -> Option<Part> {
    match right {
        Right::Access | Right::AccessCategories => match participant.access {
            (Handling::Api, Some(AccessType::Synchronous | AccessType::Asynchronous)) => Some(Part::Collect),
            (Handling::DirectContact, _) => Some(Part::AskContact),
            _ => None,
        },
        Right::Deletion => match participant.deletion {
            (Handling::Api, Some(DeletionMethod::Standard)) => Some(Part::Collect),
            (Handling::Api, Some(DeletionMethod::WholeRecord)) | (Handling::DirectContact, _) => {
                Some(Part::SkipAccess)
            }
            _ => None,
        },
    }
}

/// How what was done differs from what the plan expected, in words; `None` if it does not, or nobody could know.
#[must_use]
pub fn difference(phase: Phase, expected: Option<u64>, done: Option<u64>) -> Option<String> {
    let (expected, done) = expected.zip(done).filter(|(expected, done)| expected != done)?;
    let verb = match phase {
        Phase::Collect => "found",
        Phase::Erase => "deleted",
    };
    Some(format!("the plan expected {expected}, {done} {} {verb}", if done == 1 { "was" } else { "were" }))
}

/// What a `collect` run found, as far as the `erase` phase needs it.
#[derive(Clone, Copy, Debug)]
pub struct Collected {
    /// Of which connection.
    pub connection: ConnectionId,
    /// Who deletes there.
    pub handling: Handling,
    /// How the connection's vendor deletes.
    pub method: DeletionMethod,
    /// Where the run ended.
    pub status: RunStatus,
    /// Whether the reviewer left the connection selected.
    pub selected: bool,
    /// Records that the reviewer left selected.
    pub records_selected: u64,
}

/// The runs of the `erase` phase: what the reviewer left selected. Empty if nothing is to be deleted.
#[must_use]
pub fn erase(collected: &[Collected]) -> Vec<PlannedRun> {
    collected
        .iter()
        .filter(|run| run.selected && run.status == RunStatus::Complete)
        .filter_map(|run| {
            let part = match (run.handling, run.method) {
                (Handling::DirectContact, _) => Part::EraseByContact,
                (_, DeletionMethod::Standard) if run.records_selected > 0 => Part::EraseRecords,
                (_, DeletionMethod::Standard) => return None,
                (_, DeletionMethod::WholeRecord) => Part::EraseSubject,
            };
            Some(PlannedRun { connection: run.connection, part })
        })
        .collect()
}

impl Part {
    /// The phase in which such a run works.
    #[must_use]
    pub const fn phase(self) -> Phase {
        match self {
            Self::Collect | Self::SkipAccess | Self::AskContact => Phase::Collect,
            Self::EraseRecords | Self::EraseSubject | Self::EraseByContact => Phase::Erase,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn participant(access: Handling, deletion: Handling, method: DeletionMethod) -> Participant {
        Participant {
            connection: ConnectionId::new(uuid::Uuid::nil()),
            name: "shop".to_owned(),
            access: (access, Some(AccessType::Synchronous)),
            deletion: (deletion, Some(method)),
            identifiers: &[IdentifierType::Email],
        }
    }

    #[rstest]
    #[case::access(Right::Access, Handling::Api, DeletionMethod::Standard, Part::Collect)]
    #[case::standard(Right::Deletion, Handling::Off, DeletionMethod::Standard, Part::Collect)]
    #[case::whole(Right::Deletion, Handling::Off, DeletionMethod::WholeRecord, Part::SkipAccess)]
    #[case::contact(Right::Access, Handling::DirectContact, DeletionMethod::Standard, Part::AskContact)]
    fn a_connection_takes_part_as_its_vendor_works(
        #[case] right: Right,
        #[case] access: Handling,
        #[case] method: DeletionMethod,
        #[case] part: Part,
    ) {
        let runs = collect(
            right,
            &[participant(access, Handling::Api, method)],
            &BTreeSet::from([IdentifierType::Email]),
        );
        assert_eq!(runs.unwrap()[0].part, part);
    }

    #[test]
    fn a_contact_that_deletes_is_asked_nothing_before() {
        let owner = participant(Handling::Off, Handling::DirectContact, DeletionMethod::Standard);
        let emails = BTreeSet::from([IdentifierType::Email]);
        assert_eq!(collect(Right::Deletion, &[owner], &emails).unwrap()[0].part, Part::SkipAccess);
    }

    #[rstest]
    #[case(Right::Access)]
    #[case(Right::Deletion)]
    fn without_an_able_connection_there_is_no_plan(#[case] right: Right) {
        let idle = participant(Handling::Off, Handling::Off, DeletionMethod::Standard);
        let emails = BTreeSet::from([IdentifierType::Email]);
        assert_eq!(collect(right, &[idle], &emails), Err(PlanRefused::NoConnection { right }));
        assert_eq!(collect(right, &[], &emails), Err(PlanRefused::NoConnection { right }));
    }

    #[test]
    fn a_missing_identifier_blocks_and_names_the_connection() {
        let shop = participant(Handling::Api, Handling::Api, DeletionMethod::Standard);
        let refusal = collect(Right::Access, &[shop], &BTreeSet::from([IdentifierType::UserId])).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "connection `shop` finds people by email, and the request has none of these; add one to the request"
        );
    }

    #[rstest]
    #[case(Phase::Erase, Some(3), Some(2), Some("the plan expected 3, 2 were deleted"))]
    #[case(Phase::Collect, Some(0), Some(1), Some("the plan expected 0, 1 was found"))]
    #[case(Phase::Erase, Some(2), Some(2), None)]
    #[case(Phase::Erase, None, Some(2), None)]
    #[case(Phase::Erase, Some(2), None, None)]
    fn a_difference_is_told_where_both_sides_are_known(
        #[case] phase: Phase,
        #[case] expected: Option<u64>,
        #[case] done: Option<u64>,
        #[case] told: Option<&str>,
    ) {
        assert_eq!(difference(phase, expected, done).as_deref(), told);
    }

    #[rstest]
    #[case::selected(
        Handling::Api,
        true,
        RunStatus::Complete,
        DeletionMethod::Standard,
        2,
        Some(Part::EraseRecords)
    )]
    #[case::none_selected(Handling::Api, true, RunStatus::Complete, DeletionMethod::Standard, 0, None)]
    #[case::deselected(Handling::Api, false, RunStatus::Complete, DeletionMethod::Standard, 2, None)]
    #[case::skipped(Handling::Api, true, RunStatus::Skipped, DeletionMethod::Standard, 0, None)]
    #[case::whole(
        Handling::Api,
        true,
        RunStatus::Complete,
        DeletionMethod::WholeRecord,
        0,
        Some(Part::EraseSubject)
    )]
    #[case::contact(
        Handling::DirectContact,
        true,
        RunStatus::Complete,
        DeletionMethod::Standard,
        0,
        Some(Part::EraseByContact)
    )]
    #[case::contact_left_out(
        Handling::DirectContact,
        false,
        RunStatus::Complete,
        DeletionMethod::WholeRecord,
        0,
        None
    )]
    fn only_what_was_left_selected_is_erased(
        #[case] handling: Handling,
        #[case] selected: bool,
        #[case] status: RunStatus,
        #[case] method: DeletionMethod,
        #[case] records_selected: u64,
        #[case] part: Option<Part>,
    ) {
        let connection = ConnectionId::new(uuid::Uuid::nil());
        let runs = erase(&[Collected { connection, handling, method, status, selected, records_selected }]);
        assert_eq!(runs.first().map(|run| run.part), part);
    }
}
