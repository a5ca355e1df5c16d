//! Which deletions Segment has, after an answer was lost: there is no idempotency key, so the list is searched for one
//! with the same people before anything is sent again.
//!
//! The list is newest first and is read until it is older than what is looked for. Should a server order it otherwise,
//! it is read to its end: "there is none" must be certain.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::api::{self, Api};
use super::connector::values;
use super::regulation::{Listed, Page, Status};
use super::{errors, outcome};
use crate::connector::{Job, Progress, Subject};
use crate::error::VendorError;

/// How far the vendor's clock may be behind ours.
const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_mins(10);
/// Most pages that are read.
const MOST_PAGES: usize = 200;

/// The newest deletion of each subject that was accepted at `since` or later and has not failed.
pub(super) async fn find(
    api: &dyn Api,
    subjects: &[Subject],
    since: Timestamp,
) -> Result<Vec<Option<Job>>, VendorError> {
    let since = since.checked_sub(CLOCK_DIFFERENCE).unwrap_or(Timestamp::MIN);
    let mut search = Search {
        api,
        since,
        wanted: subjects.iter().map(values).collect(),
        found: vec![None; subjects.len()],
        verdicts: HashMap::new(),
        is_unclear: false,
    };
    let mut order = Order::default();
    let mut places: HashSet<String> = HashSet::new();
    let mut place: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let patience = if place.is_none() { Duration::ZERO } else { api::PATIENCE };
        let page = api.regulations(place.as_deref(), patience).await?;
        let is_past = order.is_past(&page, since);
        for entry in &page.entries {
            search.consider(entry).await?;
        }
        if search.is_over() || is_past {
            return search.end();
        }
        let Some(next) = page.next else { return search.end() };
        if !places.insert(next.clone()) {
            return Err(errors::endless_list());
        }
        place = Some(next);
    }
    Err(errors::list_too_long())
}

struct Search<'a> {
    api: &'a dyn Api,
    since: Timestamp,
    wanted: Vec<Vec<&'a str>>,
    found: Vec<Option<Job>>,
    /// Whether regulations that are over did the deletion, whatever they are called.
    verdicts: HashMap<String, bool>,
    /// Whether an entry could be one of those that are looked for and cannot be understood.
    is_unclear: bool,
}

impl Search<'_> {
    async fn consider(&mut self, entry: &Listed) -> Result<(), VendorError> {
        let is_older = entry.created_at.is_some_and(|created_at| created_at < self.since);
        if !entry.is_ours || is_older || matches!(entry.status, Status::Invalid | Status::NotSupported) {
            return Ok(());
        }
        let Some(values) = &entry.values else {
            self.is_unclear = true;
            return Ok(());
        };
        let held: HashSet<&str> = values.iter().map(String::as_str).collect();
        let theirs: Vec<usize> = (0..self.wanted.len())
            .filter(|at| {
                let wanted = &self.wanted[*at];
                self.found[*at].is_none()
                    && !wanted.is_empty()
                    && wanted.iter().all(|value| held.contains(value))
            })
            .collect();
        if theirs.is_empty() {
            return Ok(());
        }
        // Without an id it cannot be followed, without a time it may be one of long ago.
        let Some(job) = entry.job.as_ref().filter(|_| entry.created_at.is_some()) else {
            self.is_unclear = true;
            return Ok(());
        };
        let is_over = matches!(entry.status, Status::Failed | Status::PartialSuccess | Status::Finished);
        if is_over && !self.did_delete(job).await? {
            return Ok(());
        }
        for at in theirs {
            self.found[at] = Some(job.clone());
        }
        Ok(())
    }

    /// What a regulation is called misleads: see [`outcome`]. One that did the deletion is not sent again; one that did
    /// not, is.
    async fn did_delete(&mut self, job: &Job) -> Result<bool, VendorError> {
        if let Some(verdict) = self.verdicts.get(job.as_str()) {
            return Ok(*verdict);
        }
        let verdict = match self.api.regulation(job, api::PATIENCE).await? {
            Some(regulation) => !matches!(outcome::progress(&regulation), Progress::Failed(_)),
            None => false,
        };
        self.verdicts.insert(job.as_str().to_owned(), verdict);
        Ok(verdict)
    }

    fn is_over(&self) -> bool {
        self.found.iter().zip(&self.wanted).all(|(found, wanted)| found.is_some() || wanted.is_empty())
    }

    fn end(self) -> Result<Vec<Option<Job>>, VendorError> {
        if self.is_unclear && !self.is_over() { Err(errors::entry_not_understood()) } else { Ok(self.found) }
    }
}

/// Whether the list can be believed to be newest first.
#[derive(Default)]
struct Order {
    last: Option<Timestamp>,
    is_broken: bool,
}

impl Order {
    /// Takes a page in and says whether everything behind it is older than `since`.
    fn is_past(&mut self, page: &Page, since: Timestamp) -> bool {
        for created_at in page.entries.iter().filter_map(|entry| entry.created_at) {
            self.is_broken |= self.last.is_some_and(|last| created_at > last);
            self.last = Some(created_at);
        }
        !self.is_broken && self.last.is_some_and(|last| last < since)
    }
}
