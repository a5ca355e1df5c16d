//! Calls by which a connected system tells that it is done.
//!
//! Whether a call is genuine is for its integration to say. What it brings is settled like what a worker brings: the work is
//! taken over from whoever holds it, so that a look under way at the same moment changes nothing.

use std::sync::Arc;

use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::{Actor, ConnectionId, RequestId};
use habeas_integrations::{Callback, CallbackEnd, CallbackHead, CallbackRefused};
use habeas_store::audit::Stream;
use habeas_store::due_work;
use habeas_store::operations::{self, Operation, Which};
use habeas_store::{StoreError, Unit, callbacks};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::Casework;
use crate::changes::Changes;
use crate::details::RunFailure;
use crate::error::{CaseworkError, FieldError};
use crate::files::LargeFiles;
use crate::work::assign::members;
use crate::work::{Assignment, Finding, JobEnd, Report, follow, settle};

/// How long a message is remembered: longer than one could pass as new, whichever way clocks differ.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// Why a callback was not taken. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallbackProblem {
    /// Not signed with the connection's secret.
    #[error(
        "the callback is not signed with this connection's secret, or a header is missing; sign the body exactly as it is \
         sent"
    )]
    Forged,
    /// Too old, or from the future.
    #[error(
        "the callback's time is more than five minutes away from ours; set the clock, and sign each sending anew"
    )]
    OutOfTime,
    /// Taken before.
    #[error(
        "a callback of this webhook-id was taken before; nothing was changed, and it need not be sent again"
    )]
    Repeated,
    /// No such job here.
    #[error(
        "this connection has no such job; check that the callback goes to the connection that asked. If the job was named \
         only a moment ago, send it again"
    )]
    JobUnknown,
    /// The job is over.
    #[error("the job is over: it was answered before, stopped, or handed to a person; nothing was changed")]
    TooLate,
    /// Nothing is taken for the request now.
    #[error(
        "the request behind the job is on hold, so nothing is taken for it now; send the callback again later"
    )]
    OnHold,
}

impl Casework {
    /// Takes a call by which a connection's system tells that a job is over. Who sends it is proven by its signature alone.
    ///
    /// # Errors
    /// If it is not genuine, was taken before, or is about nothing that waits for it; nothing was changed then.
    pub async fn take_callback(
        &self,
        connection: ConnectionId,
        head: CallbackHead<'_>,
        body: &[u8],
    ) -> Result<(), CaseworkError> {
        let callback = self.genuine(connection, head, body).await?;
        let found = {
            let mut reader = self.store.reader().await?;
            if callbacks::was_taken(&mut reader, connection, &callback.message_id).await? {
                return Err(CallbackProblem::Repeated.into());
            }
            operations::with_job(&mut reader, connection, callback.job.as_str()).await?
        };
        let waiting = found.iter().find(|operation| operation.status == OperationStatus::Accepted);
        let operation = match (waiting, found.is_empty()) {
            (Some(operation), _) => operation.clone(),
            (None, true) => return Err(CallbackProblem::JobUnknown.into()),
            (None, false) => return Err(CallbackProblem::TooLate.into()),
        };
        let Callback { message_id, end, .. } = callback;
        let (ending, large) = self.ending(&operation, end).await?;
        let rules = Arc::clone(&self.rules);
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &Actor::system(), &rules);
                    let now = changes.now;
                    if !callbacks::take(unit.connection(), connection, &message_id, now).await? {
                        return Err(CallbackProblem::Repeated.into());
                    }
                    let old = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
                    callbacks::forget_before(unit.connection(), old).await?;
                    settle_callback(unit, &mut changes, operation, ending, large).await?;
                    changes.finish(unit).await
                })
            })
            .await?;
        self.announce_work();
        Ok(())
    }

    /// The callback, if it is what it says. Whether the connection exists is not told to whoever cannot sign.
    async fn genuine(
        &self,
        connection: ConnectionId,
        head: CallbackHead<'_>,
        body: &[u8],
    ) -> Result<Callback, CaseworkError> {
        let access = match self.connection_access(connection).await {
            Err(CaseworkError::NotFound { .. } | CaseworkError::Forgotten(_)) => {
                return Err(CallbackProblem::Forged.into());
            }
            other => other?,
        };
        let integration = self
            .rules
            .catalogue
            .find(&access.integration)
            .ok_or(StoreError::Corrupt("connections.integration"))?;
        let now = self.store.environment().now();
        integration.callback(&access.settings, head, body, now).map_err(|refused| match refused {
            CallbackRefused::NotOffered | CallbackRefused::Forged => CallbackProblem::Forged.into(),
            CallbackRefused::OutOfTime => CallbackProblem::OutOfTime.into(),
            CallbackRefused::Unreadable(wrong) => CaseworkError::Validation(
                wrong.into_iter().map(|one| FieldError::new(one.key, one.message)).collect(),
            ),
        })
    }

    /// What the callback comes to, and its large files, which are stored before anything is decided.
    async fn ending(
        &self,
        operation: &Operation,
        end: CallbackEnd,
    ) -> Result<(Ending, LargeFiles), CaseworkError> {
        let does_not_fit = || {
            let message = "does not fit the job: a collection ends with `access.completed`, a deletion with \
                           `deletion.completed`, either with `job.failed`";
            CaseworkError::field("type", message)
        };
        let collects = operation.kind == OperationKind::Export;
        let ending = match (end, collects) {
            (CallbackEnd::Collected(found), true) => Ending::Finding(Finding::Collected(found)),
            (CallbackEnd::Failed(error), true) => Ending::Finding(Finding::Failed(RunFailure::from(&error))),
            (CallbackEnd::Erased(erased), false) => Ending::Job(JobEnd::Done(erased)),
            (CallbackEnd::Failed(error), false) => Ending::Job(JobEnd::Failed(RunFailure::from(&error))),
            (CallbackEnd::Collected(_), false) | (CallbackEnd::Erased(_), true) => return Err(does_not_fit()),
        };
        let large = match &ending {
            Ending::Finding(finding @ Finding::Collected(_)) => {
                let assignment = self.assignment(operation.clone()).await?;
                self.store_large_files(&[Report::whole(assignment, finding.clone())]).await?
            }
            _ => LargeFiles::default(),
        };
        Ok((ending, large))
    }

    async fn assignment(&self, operation: Operation) -> Result<Assignment, CaseworkError> {
        self.store.write(move |unit| Box::pin(async move { assigned(unit, operation).await })).await
    }
}

/// What a callback comes to.
enum Ending {
    /// Of a collection.
    Finding(Finding),
    /// Of a deletion.
    Job(JobEnd),
}

/// The operation with whom it serves, as if it had been claimed.
async fn assigned(unit: &mut Unit, operation: Operation) -> Result<Assignment, CaseworkError> {
    let mut members = members(unit, vec![operation.id], Which::All).await?;
    let members = members.remove(&operation.id).unwrap_or_default();
    let lease = due_work::Lease {
        id: habeas_domain::DueWorkId::new(unit.environment().unique()),
        kind: due_work::DueWorkKind::Operation,
        object: operation.id.to_string(),
        fence: 0,
        attempts: 0,
        due_at: Timestamp::MAX,
    };
    let claimed_at = unit.environment().clock().monotonic();
    Ok(Assignment { lease, operation, members, targets: Vec::new(), jobs: Vec::new(), claimed_at })
}

async fn settle_callback(
    unit: &mut Unit,
    changes: &mut Changes,
    operation: Operation,
    ending: Ending,
    large: LargeFiles,
) -> Result<(), CaseworkError> {
    let assignment = assigned(unit, operation).await?;
    let served: Vec<RequestId> = assignment.members.iter().map(|member| member.request).collect();
    changes.lock(unit, served.iter().copied()).await?;
    if served.iter().any(|id| changes.requests.get(id).is_some_and(|request| request.hold.is_some())) {
        return Err(CallbackProblem::OnHold.into());
    }
    let id = assignment.operation.id;
    for request in &served {
        let data = json!({"vendor_job": assignment.operation.job});
        unit.record(Stream::Request(*request), &changes.actor, "callback.received", id, data);
    }
    match ending {
        Ending::Finding(finding) => {
            let Some(lease) = due_work::take_over(unit.connection(), &id.to_string()).await? else {
                return Err(CallbackProblem::TooLate.into());
            };
            let current = operations::lock(unit.connection(), [id]).await?.pop();
            let operation = current
                .filter(|operation| operation.status == OperationStatus::Accepted)
                .ok_or(CallbackProblem::TooLate)?;
            let report = Report::whole(Assignment { lease, operation, ..assignment }, finding);
            let reports = settle::whose_lease_is_held(unit, vec![report]).await?;
            settle::settle(unit, changes, reports, large).await
        }
        Ending::Job(end) => {
            // The follower's due work is left alone: it finds nothing more to look at by itself.
            let ended = follow::end_one(unit, changes, &assignment.operation, end).await?;
            if ended { Ok(()) } else { Err(CallbackProblem::TooLate.into()) }
        }
    }
}
