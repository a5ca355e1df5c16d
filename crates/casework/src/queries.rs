//! Looking at requests. Reading what was collected about a person is itself an event.

use std::collections::HashMap;

use habeas_domain::lifecycle::RequestState;
use habeas_domain::run::RunDetail;
use habeas_domain::{Actor, ConnectionId, IdentifierType, Permission, RecordId, RequestId, Right, RunId};
use habeas_store::audit::{self, Event, Stream};
use habeas_store::records::Record;
use habeas_store::requests::{self, Filter, Position, Request};
use habeas_store::runs::{self, Run};
use habeas_store::{Connection, KeyPurpose, StoreError, connections, data_keys, mails, operations, records};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use crate::Casework;
use crate::details::{self, GivenAnswer, RequestDetails, RunFailure};
use crate::error::CaseworkError;
use crate::files::KeptRecord;

/// A request as a person sees it.
#[derive(Clone, Debug)]
pub struct RequestCase {
    /// What is stored.
    pub request: Request,
    /// Identifiers and notes; `None` once the case key was destroyed.
    pub details: Option<RequestDetails>,
    /// Runs that need a person.
    pub attention: u64,
    /// Mails that reached nobody.
    pub undelivered_mails: u64,
}

/// A run as a person sees it.
#[derive(Clone, Debug)]
pub struct RunCase {
    /// What is stored.
    pub run: Run,
    /// Name of its connection.
    pub connection_name: String,
    /// Integration of its connection.
    pub integration: String,
    /// What went wrong.
    pub failure: Option<RunFailure>,
    /// Why a person left it out.
    pub note: Option<String>,
    /// What a contact answered.
    pub answer: Option<GivenAnswer>,
    /// Records found and left selected.
    pub records_selected: Option<u64>,
}

/// A record as a person sees it.
#[derive(Clone, Debug)]
pub struct RecordCase {
    /// What is stored.
    pub record: Record,
    /// What was found.
    pub content: KeptRecord,
}

/// Which requests to list.
#[derive(Clone, Debug, Default)]
pub struct RequestFilter {
    /// Only those in this state.
    pub state: Option<RequestState>,
    /// Only those of this right.
    pub right: Option<Right>,
    /// Only open ones due before this date, the nearest date first.
    pub due_before: Option<Date>,
    /// Only those of the subject with this identifier.
    pub identifier: Option<(IdentifierType, String)>,
    /// Only those after this place.
    pub after: Option<Position>,
}

/// A page of a list and where the next one begins.
#[derive(Clone, Debug)]
pub struct Page<T, Id> {
    /// What is on it.
    pub items: Vec<T>,
    /// The last item's id, if there are more.
    pub next: Option<Id>,
}

/// Items of a page at most.
pub const MOST_ITEMS: usize = 200;

impl Casework {
    /// One request.
    ///
    /// # Errors
    /// If there is none, or the actor may not read requests.
    pub async fn request(&self, actor: &Actor, id: RequestId) -> Result<RequestCase, CaseworkError> {
        actor.require(Permission::ReadRequests)?;
        let mut reader = self.store.reader().await?;
        let request =
            requests::find(&mut reader, id).await?.ok_or_else(|| CaseworkError::not_found("request", id))?;
        let mut cases = self.cases(&mut reader, vec![request]).await?;
        cases.pop().ok_or_else(|| CaseworkError::not_found("request", id))
    }

    /// Requests in the order in which they were taken in; with `due_before` the nearest due date first.
    ///
    /// # Errors
    /// If the actor may not read requests, or the place is none of such a list.
    pub async fn requests(
        &self,
        actor: &Actor,
        filter: RequestFilter,
        limit: usize,
    ) -> Result<Page<RequestCase, Position>, CaseworkError> {
        actor.require(Permission::ReadRequests)?;
        let by_due_date = filter.due_before.is_some();
        if filter.after.is_some_and(|place| place.due_on.is_some() != by_due_date) {
            return Err(CaseworkError::field("cursor", "is of a list with another filter; leave it out"));
        }
        let limit = limit.clamp(1, MOST_ITEMS);
        let lookups = match &filter.identifier {
            Some((kind, value)) => {
                let value = kind
                    .accept(value)
                    .map_err(|invalid| CaseworkError::field(kind.as_str(), invalid.to_string()))?;
                Some(self.store.keyring().lookups(*kind, &value))
            }
            None => None,
        };
        let stored = Filter {
            state: filter.state,
            right: filter.right,
            due_before: filter.due_before,
            lookups,
            after: filter.after,
        };
        let mut reader = self.store.reader().await?;
        let mut found = requests::list(&mut reader, &stored, wanted(limit)).await?;
        let next = cut(&mut found, limit, |request| Position {
            due_on: by_due_date.then_some(request.due_on),
            id: request.id,
        });
        Ok(Page { items: self.cases(&mut reader, found).await?, next })
    }

    async fn cases(
        &self,
        reader: &mut Connection,
        found: Vec<Request>,
    ) -> Result<Vec<RequestCase>, CaseworkError> {
        let ids: Vec<RequestId> = found.iter().map(|request| request.id).collect();
        let keys = data_keys::load(reader, self.store.keyring(), &ids, KeyPurpose::Case).await?;
        let undelivered = mails::count_failed(reader, ids.iter().copied()).await?;
        let attention = runs::count_attention(reader, ids).await?;
        found
            .into_iter()
            .map(|request| {
                let details = keys
                    .get(&request.id.to_string())
                    .map(|key| details::open(key, &request.id, &request.details))
                    .transpose()?;
                let attention = attention.get(&request.id).copied().unwrap_or(0);
                let undelivered_mails = undelivered.get(&request.id).copied().unwrap_or(0);
                Ok(RequestCase { request, details, attention, undelivered_mails })
            })
            .collect()
    }

    /// A request's runs, in the order in which they were planned.
    ///
    /// # Errors
    /// If there is no such request, or the actor may not read requests.
    pub async fn runs(&self, actor: &Actor, id: RequestId) -> Result<Vec<RunCase>, CaseworkError> {
        self.request(actor, id).await?;
        let mut reader = self.store.reader().await?;
        let found = runs::of_requests(&mut reader, [id]).await?;
        let key = data_keys::load(&mut reader, self.store.keyring(), [id], KeyPurpose::Case)
            .await?
            .remove(&id.to_string());
        let counts = records::count_by_run(&mut reader, found.iter().map(|run| run.id)).await?;
        let names = connection_names(&mut reader, found.iter().map(|run| run.connection).collect()).await?;
        let submitted = found.iter().filter(|run| run.detail == RunDetail::Submitted).map(|run| run.id);
        let next_looks: HashMap<RunId, Timestamp> =
            operations::next_looks(&mut reader, submitted.collect::<Vec<_>>()).await?.into_iter().collect();
        found
            .into_iter()
            .map(|mut run| {
                run.next_at = run.next_at.or_else(|| next_looks.get(&run.id).copied());
                let (connection_name, integration) = names.get(&run.connection).cloned().unwrap_or_default();
                let (mut failure, mut note, mut answer) = (None, None, None);
                if let Some(key) = &key {
                    failure = run.failure.as_ref().map(|one| details::open(key, &run.id, one)).transpose()?;
                    note = run.note.as_ref().map(|one| details::open(key, &run.id, one)).transpose()?;
                    answer = run.answer.as_ref().map(|one| details::open(key, &run.id, one)).transpose()?;
                }
                let records_selected = run
                    .records_found
                    .map(|found| counts.get(&run.id).map_or(found, |(_, selected)| *selected));
                Ok(RunCase { run, connection_name, integration, failure, note, answer, records_selected })
            })
            .collect()
    }

    /// What was found about the subject. The reading is written into the audit log.
    ///
    /// # Errors
    /// If there is no such request, its content was destroyed, or the actor may not read records.
    pub async fn records(
        &self,
        actor: &Actor,
        id: RequestId,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Page<RecordCase, RecordId>, CaseworkError> {
        actor.require(Permission::ReadRecords)?;
        let limit = limit.clamp(1, MOST_ITEMS);
        let (key, mut found) = {
            let mut reader = self.store.reader().await?;
            if requests::find(&mut reader, id).await?.is_none() {
                return Err(CaseworkError::not_found("request", id));
            }
            let key = data_keys::load_one(&mut reader, self.store.keyring(), id, KeyPurpose::Content).await?;
            (key, records::of_request(&mut reader, id, after, wanted(limit)).await?)
        };
        let next = cut(&mut found, limit, |record| record.id);
        let items = found
            .into_iter()
            .map(|record| {
                let content = details::open(&key, &record.id, &record.content)?;
                Ok(RecordCase { record, content })
            })
            .collect::<Result<Vec<_>, CaseworkError>>()?;
        let (actor, count) = (actor.clone(), items.len());
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    unit.record(Stream::Request(id), &actor, "records.read", id, json!({"records": count}));
                    Ok::<_, CaseworkError>(())
                })
            })
            .await?;
        Ok(Page { items, next })
    }

    /// One record of a request. The reading is written into the audit log.
    ///
    /// # Errors
    /// If there is no such record, its content was destroyed, or the actor may not read records.
    pub async fn record(
        &self,
        actor: &Actor,
        id: RequestId,
        record: RecordId,
    ) -> Result<RecordCase, CaseworkError> {
        actor.require(Permission::ReadRecords)?;
        let mut reader = self.store.reader().await?;
        let record = records::find(&mut reader, id, record)
            .await?
            .ok_or_else(|| CaseworkError::not_found("record", record))?;
        let key = data_keys::load_one(&mut reader, self.store.keyring(), id, KeyPurpose::Content).await?;
        let content = details::open(&key, &record.id, &record.content)?;
        drop(reader);
        let actor = actor.clone();
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    unit.record(Stream::Request(id), &actor, "records.read", id, json!({"records": 1}));
                    Ok::<_, CaseworkError>(())
                })
            })
            .await?;
        Ok(RecordCase { record, content })
    }

    /// A request's history, oldest first.
    ///
    /// # Errors
    /// If there is no such request, or the actor may not read requests.
    pub async fn events(
        &self,
        actor: &Actor,
        id: RequestId,
        after: i64,
        limit: usize,
    ) -> Result<Page<Event, i64>, CaseworkError> {
        self.request(actor, id).await?;
        let limit = limit.clamp(1, MOST_ITEMS);
        let mut reader = self.store.reader().await?;
        let mut found = audit::list(&mut reader, Some(&id.to_string()), after, wanted(limit)).await?;
        let next = cut(&mut found, limit, |event| event.position);
        Ok(Page { items: found, next })
    }
}

fn wanted(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

/// Cuts the one item too many; the last item's id if there was one.
fn cut<T, Id>(found: &mut Vec<T>, limit: usize, id: impl Fn(&T) -> Id) -> Option<Id> {
    if found.len() <= limit {
        return None;
    }
    found.truncate(limit);
    found.last().map(id)
}

async fn connection_names(
    reader: &mut Connection,
    ids: Vec<ConnectionId>,
) -> Result<HashMap<ConnectionId, (String, String)>, StoreError> {
    Ok(connections::names(reader, ids)
        .await?
        .into_iter()
        .map(|(id, name, integration)| (id, (name, integration)))
        .collect())
}
