//! Requests and answers as the Public API spells them. Everything stands in an envelope: `{"data": ...}`. The shapes are
//! the vendor's published ones; what an answer leaves out or sets to null is accepted all the same.

use serde::{Deserialize, Serialize};

use super::super::lenient::{LONGEST_PLACE, nullable, time};
use super::super::regulation::{Destination, Listed, Page, Regulation, Status, Stream};
use crate::connector::Job;

const SUPPRESS_WITH_DELETE: &str = "SUPPRESS_WITH_DELETE";
/// The kind of subject that holds both user ids and e-mail addresses.
const USER_ID: &str = "USER_ID";

/// What a success is wrapped in.
#[derive(Deserialize)]
pub(super) struct Envelope<T> {
    pub(super) data: T,
}

#[derive(Deserialize)]
pub(super) struct WorkspaceData {
    pub(super) workspace: Workspace,
}

#[derive(Deserialize)]
pub(super) struct Workspace {
    #[serde(default, deserialize_with = "nullable")]
    pub(super) slug: String,
}

/// The body of a creation.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Creation<'a> {
    regulation_type: &'static str,
    subject_type: &'static str,
    /// Left out only where the creation is to be refused: see the proof of the write permission.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_ids: Option<&'a [&'a str]>,
}

impl<'a> Creation<'a> {
    pub(super) const fn of(values: &'a [&'a str]) -> Self {
        Self { subject_ids: Some(values), ..Self::of_nobody() }
    }

    /// One without the list of people, which is required: it can never be accepted.
    pub(super) const fn of_nobody() -> Self {
        Self { regulation_type: SUPPRESS_WITH_DELETE, subject_type: USER_ID, subject_ids: None }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Created {
    #[serde(default, deserialize_with = "nullable")]
    regulate_id: String,
}

impl Created {
    pub(super) fn job(&self) -> Option<Job> {
        job(&self.regulate_id)
    }
}

/// A step in a path could never be asked for again.
fn job(id: &str) -> Option<Job> {
    Job::new(id).filter(|job| !matches!(job.as_str(), "." | ".."))
}

#[derive(Deserialize)]
pub(super) struct RegulationData {
    pub(super) regulation: Detail,
}

/// A regulation that was asked for by its id.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Detail {
    #[serde(default, deserialize_with = "nullable")]
    id: String,
    #[serde(default)]
    overall_status: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    stream_status: Vec<StreamDetail>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StreamDetail {
    #[serde(default, deserialize_with = "nullable")]
    id: String,
    #[serde(default, deserialize_with = "nullable")]
    destination_status: Vec<DestinationDetail>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DestinationDetail {
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    id: String,
    #[serde(default, deserialize_with = "nullable")]
    status: String,
    #[serde(default, deserialize_with = "nullable")]
    err_string: String,
}

impl Detail {
    /// Whether the answer says that it is about another regulation.
    pub(super) fn is_of_another(&self, job: &Job) -> bool {
        !self.id.is_empty() && self.id != job.as_str()
    }

    pub(super) const fn has_status(&self) -> bool {
        self.overall_status.is_some()
    }

    pub(super) fn into_regulation(self) -> Regulation {
        let streams = self.stream_status.into_iter().map(|stream| Stream {
            source: stream.id,
            destinations: stream
                .destination_status
                .into_iter()
                .map(DestinationDetail::into_destination)
                .collect(),
        });
        Regulation {
            status: Status::read(&self.overall_status.unwrap_or_default()),
            streams: streams.collect(),
        }
    }
}

impl DestinationDetail {
    fn into_destination(self) -> Destination {
        Destination::of(self.name, self.id, &self.status, self.err_string)
    }
}

/// One page of the list of regulations.
#[derive(Deserialize)]
pub(super) struct RegulationsData {
    regulations: Vec<Entry>,
    #[serde(default, deserialize_with = "nullable")]
    pagination: Pagination,
}

/// Where a list goes on.
#[derive(Default, Deserialize)]
pub(super) struct Pagination {
    #[serde(default, deserialize_with = "nullable")]
    next: String,
}

impl Pagination {
    /// Where the next page begins; an error if that cannot be a place.
    pub(super) fn place(self) -> Result<Option<String>, ()> {
        match self.next {
            next if next.is_empty() => Ok(None),
            next if next.len() > LONGEST_PLACE => Err(()),
            next => Ok(Some(next)),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default, deserialize_with = "nullable")]
    id: String,
    #[serde(default, deserialize_with = "nullable")]
    status: String,
    #[serde(default, deserialize_with = "nullable")]
    created_at: String,
    #[serde(default)]
    regulation_type: Option<String>,
    #[serde(default)]
    subjects: Option<Vec<String>>,
}

impl RegulationsData {
    pub(super) fn into_page(self) -> Result<Page, ()> {
        let next = self.pagination.place()?;
        Ok(Page { entries: self.regulations.into_iter().map(Entry::into_listed).collect(), next })
    }
}

impl Entry {
    /// The kind of subject is not believed: the vendor's own samples mix them up.
    fn into_listed(self) -> Listed {
        Listed {
            job: job(&self.id),
            status: Status::read(&self.status),
            created_at: time(&self.created_at),
            is_ours: self
                .regulation_type
                .is_none_or(|kind| kind.trim().eq_ignore_ascii_case(SUPPRESS_WITH_DELETE)),
            values: self.subjects,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct SourcesData {
    pub(super) sources: Vec<Connected>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) pagination: Pagination,
}

#[derive(Deserialize)]
pub(super) struct DestinationsData {
    pub(super) destinations: Vec<Connected>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) pagination: Pagination,
}

#[derive(Deserialize)]
pub(super) struct WarehousesData {
    pub(super) warehouses: Vec<Connected>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) pagination: Pagination,
}

/// A source, destination or warehouse. Write keys and settings hold secrets and are not even read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connected {
    #[serde(default, deserialize_with = "nullable")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) slug: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) name: String,
    #[serde(default)]
    pub(super) enabled: Option<bool>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) source_id: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) metadata: Metadata,
}

/// What Segment's catalogue says, as it stands in the answer itself.
#[derive(Default, Deserialize)]
pub(super) struct Metadata {
    #[serde(default, deserialize_with = "nullable")]
    pub(super) slug: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) website: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) categories: Vec<String>,
}
