//! Deletions as this connector understands them, whichever of Segment's APIs they were read from.

use std::fmt;

use jiff::Timestamp;

use crate::connector::Job;

/// Where a regulation, or one destination's part of it, stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Status {
    Initialized,
    Running,
    Finished,
    Failed,
    PartialSuccess,
    Invalid,
    NotSupported,
    /// A word that is not documented, or none at all: taken as still running.
    #[default]
    Unknown,
}

impl Status {
    /// Both APIs use the same words, one in lower and one in upper case.
    pub(super) fn read(word: &str) -> Self {
        match word.trim().to_ascii_lowercase().as_str() {
            "initialized" => Self::Initialized,
            "running" => Self::Running,
            "finished" => Self::Finished,
            "failed" => Self::Failed,
            "partial_success" => Self::PartialSuccess,
            "invalid" => Self::Invalid,
            "not_supported" => Self::NotSupported,
            _ => Self::Unknown,
        }
    }

    /// The word, from a fixed list: what a vendor wrote instead is not repeated.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Initialized => "initialized",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::PartialSuccess => "partial_success",
            Self::Invalid => "invalid",
            Self::NotSupported => "not_supported",
            Self::Unknown => "unknown",
        }
    }

    /// Whether Segment does nothing more about it.
    pub(super) const fn is_final(self) -> bool {
        !matches!(self, Self::Initialized | Self::Running | Self::Unknown)
    }

    /// Whether it is over and not simply finished.
    pub(super) const fn is_unsuccessful(self) -> bool {
        self.is_final() && !matches!(self, Self::Finished)
    }
}

/// A regulation with what each destination did.
#[derive(Debug)]
pub(super) struct Regulation {
    pub(super) status: Status,
    /// One per source.
    pub(super) streams: Vec<Stream>,
}

/// One source's part.
#[derive(Debug)]
pub(super) struct Stream {
    /// The source's id at Segment.
    pub(super) source: String,
    pub(super) destinations: Vec<Destination>,
}

/// One destination's part.
pub(super) struct Destination {
    pub(super) name: String,
    /// Whether it is Segment's own entry.
    pub(super) is_segment: bool,
    pub(super) status: Status,
    /// What it says itself; it may name a person.
    pub(super) text: String,
}

/// The vendor's own entry among the destinations.
const SEGMENT: &str = "segment";

impl Destination {
    /// An entry as an API shows it; where it has no name, its id stands in.
    pub(super) fn of(name: String, id: String, status: &str, text: String) -> Self {
        let name = if name.trim().is_empty() { id } else { name };
        let is_segment = name.trim().eq_ignore_ascii_case(SEGMENT);
        Self { name, is_segment, status: Status::read(status), text }
    }
}

/// Never prints the destination's own text.
impl fmt::Debug for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Destination({})", self.status.word())
    }
}

/// One page of the list of regulations.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) entries: Vec<Listed>,
    /// Where the next page begins; `None` at the end of the list.
    pub(super) next: Option<String>,
}

/// A regulation in the list.
pub(super) struct Listed {
    pub(super) job: Option<Job>,
    pub(super) status: Status,
    pub(super) created_at: Option<Timestamp>,
    /// Whether it is of the kind that this connector creates; where the list does not say, its filter is believed.
    pub(super) is_ours: bool,
    /// Whom it is about; `None` where the list does not say.
    pub(super) values: Option<Vec<String>>,
}

/// Never prints an identifier.
impl fmt::Debug for Listed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.values.as_ref().map(Vec::len);
        write!(formatter, "Listed({}, {count:?} identifiers)", self.status.word())
    }
}
