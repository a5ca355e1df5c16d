//! Forgetting: keys are destroyed when their time has come; what remains is the skeleton that the law wants.

use habeas_domain::{Actor, RequestId};
use habeas_store::audit::Stream;
use habeas_store::requests::{self, Forgetting};
use habeas_store::{KeyPurpose, StoreError, Unit, data_keys, idempotency, records};
use jiff::Span;
use serde_json::json;

use crate::Casework;
use crate::error::CaseworkError;

/// Requests forgotten in one unit.
const BATCH: i64 = 200;
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
        self.store
            .write(|unit| {
                Box::pin(async move {
                    let now = unit.now();
                    let content =
                        requests::to_forget(unit.connection(), Forgetting::Content, now, BATCH).await?;
                    let case = requests::to_forget(unit.connection(), Forgetting::Case, now, BATCH).await?;
                    let mut locked = requests::lock(
                        unit.connection(),
                        content.iter().chain(&case).copied().collect::<std::collections::BTreeSet<_>>(),
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
                    for id in case {
                        let actor = Actor::system();
                        unit.record(Stream::Request(id), &actor, "request.case_destroyed", id, json!({}));
                    }
                    let oldest = now.checked_sub(Span::new().hours(IDEMPOTENCY_HOURS)).unwrap_or(now);
                    idempotency::forget(unit.connection(), oldest).await?;
                    Ok(locked.len())
                })
            })
            .await
    }
}
