//! Forgetting: keys are destroyed when their time has come; what remains is the skeleton that the law wants.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use habeas_domain::{Actor, MailId, RequestId};
use habeas_store::audit::Stream;
use habeas_store::mails::About;
use habeas_store::requests::{self, Forgetting};
use habeas_store::{
    KeyPurpose, StoreError, Unit, bulk_answers, data_keys, idempotency, links, mails, objects, records,
};
use jiff::Span;
use serde_json::json;

use crate::Casework;
use crate::error::CaseworkError;

/// Requests forgotten in one unit.
const BATCH: i64 = 200;
/// Objects that are removed from the storage side by side.
const REMOVALS_AT_ONCE: usize = 8;
/// Hours after which what was begun in the storage is not finished any more.
const UNFINISHED_HOURS: i64 = 24;
/// Hours for which an `Idempotency-Key` is remembered.
const IDEMPOTENCY_HOURS: i64 = 48;

/// Destroys content keys and removes what they sealed.
pub(crate) async fn destroy_content(
    unit: &mut Unit,
    ids: impl IntoIterator<Item = RequestId>,
) -> Result<(), StoreError> {
    let ids: Vec<RequestId> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(());
    }
    data_keys::destroy(unit.connection(), &ids, KeyPurpose::Content).await?;
    records::delete_content(unit.connection(), ids.iter().copied()).await?;
    objects::doom(unit.connection(), ids.iter().copied()).await?;
    for id in ids {
        unit.record(Stream::Request(id), &Actor::system(), "request.content_destroyed", id, json!({}));
    }
    Ok(())
}

impl Casework {
    /// Forgets what is due to be forgotten; how many requests were touched. Takes no input: it selects by date.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn forget_what_is_due(&self) -> Result<usize, CaseworkError> {
        let forgotten = self
            .store
            .write(|unit| {
                Box::pin(async move {
                    let now = unit.now();
                    let content =
                        requests::to_forget(unit.connection(), Forgetting::Content, now, BATCH).await?;
                    let case = requests::to_forget(unit.connection(), Forgetting::Case, now, BATCH).await?;
                    let mut locked = requests::lock(
                        unit.connection(),
                        content.iter().chain(&case).copied().collect::<BTreeSet<_>>(),
                    )
                    .await?;
                    for request in &mut locked {
                        if content.contains(&request.id) {
                            request.forget_content_at = None;
                        }
                        if case.contains(&request.id) {
                            request.forget_case_at = None;
                        }
                    }
                    requests::save(unit.connection(), &locked).await?;
                    destroy_content(unit, content).await?;
                    data_keys::destroy(unit.connection(), &case, KeyPurpose::Case).await?;
                    requests::delete_identifiers(unit.connection(), case.iter().copied()).await?;
                    mails::forget(unit.connection(), case.iter().copied().map(About::Request)).await?;
                    links::forget(unit.connection(), case.iter().copied()).await?;
                    for id in case {
                        let actor = Actor::system();
                        unit.record(Stream::Request(id), &actor, "request.case_destroyed", id, json!({}));
                    }
                    let oldest = now.checked_sub(Span::new().hours(IDEMPOTENCY_HOURS)).unwrap_or(now);
                    idempotency::forget(unit.connection(), oldest).await?;
                    bulk_answers::forget(unit.connection(), oldest).await?;
                    Ok::<_, CaseworkError>(locked.len())
                })
            })
            .await?;
        if forgotten > 0 {
            self.remember_to_forget();
        }
        Ok(forgotten)
    }

    /// Which of these mails were forgotten, so that no copy of them may be kept. Changes nothing.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn forgotten_mails(&self, ids: BTreeSet<MailId>) -> Result<BTreeSet<MailId>, CaseworkError> {
        Ok(mails::forgotten(&mut self.store.reader().await?, ids).await?)
    }

    /// Removes what lies in the storage and belongs to nobody any more: of forgotten requests, and what was begun but never
    /// finished; how many objects. Takes no input.
    ///
    /// # Errors
    /// If the store or the storage fails.
    pub async fn sweep_storage(&self) -> Result<usize, CaseworkError> {
        let now = self.store.environment().now();
        let abandoned = now.checked_sub(Span::new().hours(UNFINISHED_HOURS)).unwrap_or(now);
        let mut reader = self.store.reader().await?;
        let found = objects::to_sweep(&mut reader, abandoned, BATCH).await?;
        drop(reader);
        let mut swept = Vec::new();
        let mut outcome = Ok(());
        let mut removing = futures::stream::iter(found)
            .map(|id| async move { self.storage.delete(id).await.map(|()| id) })
            .buffer_unordered(REMOVALS_AT_ONCE);
        while let Some(removed) = removing.next().await {
            match removed {
                Ok(id) => swept.push(id),
                // What is left is tried again; what is gone is noted all the same.
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        drop(removing);
        let count = swept.len();
        if count > 0 {
            self.store
                .write(move |unit| Box::pin(async move { objects::remove(unit.connection(), swept).await }))
                .await?;
        }
        outcome?;
        Ok(count)
    }
}
