//! Requests and answers as the Config API spells them.
//!
//! The vendor's own JSON of regulations is known from copies and clients only, so this is the one place where shapes
//! that are not verified are read, and it reads them tolerantly: unknown fields are ignored, nulls and missing parts
//! accepted, and where two spellings are known (`status` and `overall_status`, `regulate_id` and `id`) both are.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::super::lenient::{LONGEST_PLACE, nullable, time};
use super::super::regulation::{Destination, Listed, Page, Regulation, Status, Stream};
use crate::connector::Job;

/// What this connector creates, in the spelling that is documented.
pub(super) const SUPPRESS_WITH_DELETE: &str = "Suppress_With_Delete";
/// The attribute that holds both user ids and e-mail addresses.
const USER_ID: &str = "userId";

/// The body of a creation.
#[derive(Serialize)]
pub(in super::super) struct Creation<'a> {
    regulation_type: &'static str,
    attributes: CreationAttributes<'a>,
}

#[derive(Serialize)]
struct CreationAttributes<'a> {
    name: &'static str,
    values: &'a [&'a str],
}

impl<'a> Creation<'a> {
    pub(in super::super) fn of(values: &'a [&'a str]) -> Self {
        Self {
            regulation_type: SUPPRESS_WITH_DELETE,
            attributes: CreationAttributes { name: USER_ID, values },
        }
    }
}

/// The answer to a creation.
#[derive(Deserialize)]
pub(super) struct Created {
    #[serde(flatten)]
    id: Id,
}

impl Created {
    pub(super) fn job(&self) -> Option<Job> {
        self.id.job()
    }
}

#[derive(Deserialize)]
struct Id {
    #[serde(default, alias = "regulateId")]
    regulate_id: Option<String>,
    #[serde(default)]
    id: Option<String>,
}

impl Id {
    fn text(&self) -> Option<&str> {
        [&self.regulate_id, &self.id].into_iter().flatten().map(String::as_str).find(|id| !id.is_empty())
    }

    fn job(&self) -> Option<Job> {
        // A step in a path could never be asked for again.
        let id = self.text().filter(|id| !matches!(*id, "." | ".."))?;
        Job::new(id)
    }
}

/// A regulation that was asked for by its id.
#[derive(Deserialize)]
pub(super) struct Detail {
    #[serde(default)]
    overall_status: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    stream_status: Vec<StreamDetail>,
    #[serde(default, alias = "regulateId")]
    regulate_id: Option<String>,
}

#[derive(Deserialize)]
struct StreamDetail {
    #[serde(default, deserialize_with = "nullable")]
    id: String,
    #[serde(default, deserialize_with = "nullable")]
    destination_status: Vec<DestinationDetail>,
}

#[derive(Deserialize)]
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
        self.regulate_id.as_deref().is_some_and(|id| !id.is_empty() && id != job.as_str())
    }

    /// Whether the answer says where the regulation stands at all.
    pub(super) fn has_status(&self) -> bool {
        self.overall_status.is_some() || self.status.is_some()
    }

    pub(super) fn into_regulation(self) -> Regulation {
        let status = self.overall_status.or(self.status).unwrap_or_default();
        let streams = self.stream_status.into_iter().map(StreamDetail::into_stream).collect();
        Regulation { status: Status::read(&status), streams }
    }
}

impl StreamDetail {
    fn into_stream(self) -> Stream {
        let destinations = self.destination_status.into_iter().map(DestinationDetail::into_destination);
        Stream { source: self.id, destinations: destinations.collect() }
    }
}

impl DestinationDetail {
    fn into_destination(self) -> Destination {
        Destination::of(self.name, self.id, &self.status, self.err_string)
    }
}

/// One page of the list.
#[derive(Deserialize)]
pub(super) struct List {
    #[serde(default)]
    entries: Option<Vec<Entry>>,
    #[serde(default)]
    regulations: Option<Vec<Entry>>,
    #[serde(default, deserialize_with = "nullable")]
    next_page_token: String,
    #[serde(flatten)]
    others: BTreeMap<String, IgnoredAny>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(flatten)]
    id: Id,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    overall_status: Option<String>,
    #[serde(default)]
    created_at: Option<String>,
    #[serde(default, alias = "regulationType")]
    regulation_type: Option<String>,
    #[serde(default)]
    attributes: Option<Attributes>,
}

#[derive(Deserialize)]
struct Attributes {
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    #[serde(default)]
    values: Option<Vec<String>>,
}

impl List {
    /// The page; `None` if it is no list of regulations. An empty list may be left out, as empty things are in this
    /// API, but then nothing else stands in its place.
    pub(super) fn into_page(self) -> Option<Page> {
        let is_list = self.entries.is_some() || self.regulations.is_some() || self.others.is_empty();
        if !is_list || self.next_page_token.len() > LONGEST_PLACE {
            return None;
        }
        let entries = self.entries.or(self.regulations).unwrap_or_default();
        Some(Page {
            entries: entries.into_iter().map(Entry::into_listed).collect(),
            next: Some(self.next_page_token).filter(|token| !token.is_empty()),
        })
    }
}

impl Entry {
    fn into_listed(self) -> Listed {
        let is_ours_by_kind =
            self.regulation_type.is_none_or(|kind| kind.trim().eq_ignore_ascii_case(SUPPRESS_WITH_DELETE));
        let is_about_users = self.attributes.as_ref().is_none_or(|attributes| {
            attributes.name.is_empty() || attributes.name.eq_ignore_ascii_case(USER_ID)
        });
        Listed {
            job: self.id.job(),
            status: Status::read(&self.status.or(self.overall_status).unwrap_or_default()),
            created_at: self.created_at.as_deref().and_then(time),
            is_ours: is_ours_by_kind && is_about_users,
            values: self.attributes.and_then(|attributes| attributes.values),
        }
    }
}
