//! What a regulation's end means.
//!
//! **`failed` misleads.** Segment calls a whole regulation `failed` when one destination behind it failed, although
//! Segment itself has deleted everything. So Segment's own entry in each source decides whether the deletion happened,
//! and every destination that did not finish is named: somebody has to see to it there. `finished` covers Segment and
//! the destinations that it handed the deletion on to, so there only those are named that did not delete all the same.

use super::errors;
use super::regulation::{Destination, Regulation, Status, Stream};
use crate::connector::{Erased, ErasureException, Progress, harmless};

/// Longest text of a destination that is kept, in characters.
const LONGEST_TEXT: usize = 300;
/// Most destinations that are named one by one; what is beyond is counted.
const MOST_EXCEPTIONS: usize = 500;

/// Where the deletion stands.
pub(super) fn progress(regulation: &Regulation) -> Progress {
    match regulation.status {
        Status::Initialized | Status::Running | Status::Unknown => Progress::Pending,
        // A contradiction: Segment's own part is what counts.
        Status::Finished if own_entries(regulation).any(|own| own.status.is_unsuccessful()) => {
            failed(regulation)
        }
        Status::Finished => {
            Progress::Done(Erased { exceptions: exceptions(regulation), ..Erased::default() })
        }
        Status::Failed | Status::PartialSuccess => match segment(regulation) {
            OwnPart::Finished => {
                Progress::Done(Erased { exceptions: exceptions(regulation), ..Erased::default() })
            }
            OwnPart::UnderWay => Progress::Pending,
            OwnPart::FailedOrAbsent => failed(regulation),
        },
        Status::Invalid | Status::NotSupported => failed(regulation),
    }
}

/// What Segment did itself, over all sources.
#[derive(Debug, PartialEq, Eq)]
enum OwnPart {
    Finished,
    /// It has not failed anywhere and is not finished everywhere. The destination that failed was only quicker.
    UnderWay,
    FailedOrAbsent,
}

fn segment(regulation: &Regulation) -> OwnPart {
    let sources = &regulation.streams;
    let is_absent =
        sources.is_empty() || sources.iter().any(|source| own_entries_of(source).next().is_none());
    if is_absent || own_entries(regulation).any(|own| own.status.is_unsuccessful()) {
        OwnPart::FailedOrAbsent
    } else if own_entries(regulation).all(|own| own.status == Status::Finished) {
        OwnPart::Finished
    } else {
        OwnPart::UnderWay
    }
}

fn own_entries(regulation: &Regulation) -> impl Iterator<Item = &Destination> {
    regulation.streams.iter().flat_map(own_entries_of)
}

fn own_entries_of(source: &Stream) -> impl Iterator<Item = &Destination> {
    source.destinations.iter().filter(|destination| destination.is_segment)
}

/// The destinations behind Segment that did not finish, with their source.
fn unfinished(regulation: &Regulation) -> impl Iterator<Item = (&Stream, &Destination)> {
    regulation.streams.iter().flat_map(|source| {
        source
            .destinations
            .iter()
            .filter(|destination| !destination.is_segment && is_left(regulation.status, destination.status))
            .map(move |destination| (source, destination))
    })
}

/// Whether a destination is left to people, under what the whole regulation is called.
fn is_left(overall: Status, destination: Status) -> bool {
    match overall {
        Status::Finished => {
            matches!(destination, Status::Failed | Status::PartialSuccess | Status::Invalid)
        }
        _ => destination != Status::Finished,
    }
}

fn failed(regulation: &Regulation) -> Progress {
    let sources = regulation.streams.len();
    let own = regulation
        .streams
        .iter()
        .filter(|source| {
            let mut own = own_entries_of(source).peekable();
            own.peek().is_none() || own.any(|own| own.status != Status::Finished)
        })
        .count();
    Progress::Failed(errors::deletion_failed(regulation.status, sources, own, unfinished(regulation).count()))
}

fn exceptions(regulation: &Regulation) -> Vec<ErasureException> {
    let has_several_sources = regulation.streams.len() > 1;
    let mut exceptions: Vec<ErasureException> = unfinished(regulation)
        .take(MOST_EXCEPTIONS)
        .map(|(source, destination)| ErasureException {
            system: system(source, destination, has_several_sources),
            status: destination.status.word().to_owned(),
            vendor_text: shortened(&destination.text),
        })
        .collect();
    let beyond = unfinished(regulation).count().saturating_sub(exceptions.len());
    if beyond > 0 {
        exceptions.push(ErasureException {
            system: format!("{beyond} further destinations; look them up in Segment"),
            status: Status::Failed.word().to_owned(),
            vendor_text: String::new(),
        });
    }
    exceptions
}

fn system(source: &Stream, destination: &Destination, has_several_sources: bool) -> String {
    let name = harmless(&destination.name).unwrap_or("a destination without a usable name");
    match harmless(&source.source).filter(|_| has_several_sources) {
        Some(source) => format!("{name} (source {source})"),
        None => name.to_owned(),
    }
}

fn shortened(text: &str) -> String {
    let text: String = text.chars().filter(|character| !character.is_control()).take(LONGEST_TEXT).collect();
    text.trim().to_owned()
}
