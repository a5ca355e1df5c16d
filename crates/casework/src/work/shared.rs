//! What failed for everyone who shares it: a pass, or the following of a connection's jobs.

use std::collections::BTreeSet;

use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::run::{RunAction, RunDetail};
use habeas_domain::{OperationId, Phase, RequestId, RunId};
use habeas_store::due_work::{self, Lease, Postponement};
use habeas_store::operations::{self, Member, Operation, Which};
use habeas_store::runs::{self, Run};
use habeas_store::{StoreError, Unit};
use serde_json::json;

use super::Finding;
use super::sealer::Sealer;
use crate::changes::Changes;
use crate::error::CaseworkError;

/// The operations whose runs are told of a failure: the pass itself, or the jobs that are followed.
async fn concerned(unit: &mut Unit, operation: &Operation) -> Result<Vec<OperationId>, CaseworkError> {
    if operation.kind != OperationKind::Follow {
        return Ok(vec![operation.id]);
    }
    let accepted = operations::accepted(unit.connection(), operation.connection).await?;
    Ok(accepted.into_iter().map(|accepted| accepted.id).collect())
}

pub(super) async fn fail(
    unit: &mut Unit,
    changes: &mut Changes,
    lease: &Lease,
    operation: Operation,
    finding: Finding,
) -> Result<(), CaseworkError> {
    let concerned = concerned(unit, &operation).await?;
    let which = if operation.kind == OperationKind::Scan { Which::TakenUp } else { Which::All };
    let mut waiting = operations::members(unit.connection(), concerned.iter().copied(), which).await?;
    changes.lock(unit, waiting.iter().map(|member| member.request).collect::<BTreeSet<_>>()).await?;
    // Whoever was handed over or stopped meanwhile has left: that decision stands.
    let served = operations::served(unit.connection(), concerned.iter().copied()).await?;
    waiting.retain(|member| served.contains(&(member.operation, member.run)));
    let Lease { id, fence, attempts, .. } = *lease;
    let (failure, held) = match &finding {
        Finding::Failed(failure) => (Some(failure), due_work::held(unit.connection(), [(id, fence)]).await?),
        Finding::Retry { failure, at, .. } => {
            let later = Postponement { id, fence, next_at: *at, attempts: attempts + 1 };
            (Some(failure), due_work::postpone(unit.connection(), [later]).await?)
        }
        Finding::Released { at } => {
            let later = Postponement { id, fence, next_at: *at, attempts };
            (None, due_work::postpone(unit.connection(), [later]).await?)
        }
        _ => return Err(StoreError::UnitBroken.into()),
    };
    let (Some(failure), false) = (failure, held.is_empty()) else { return Ok(()) };
    for run in runs::by_ids(unit.connection(), waiting.iter().map(|member| member.run)).await? {
        changes.runs.insert(run.id, run);
    }
    let requests: BTreeSet<RequestId> = changes.requests.keys().copied().collect();
    let sealer = Sealer::with(unit, &requests, false, true).await?;
    let attempt = u32::try_from(attempts).unwrap_or(u32::MAX).saturating_add(1);
    for member in &waiting {
        let sealed = sealer.failure(unit, (member.run, member.request), failure)?;
        let run = changes.run(member.run)?;
        if run.status.is_settled() {
            continue;
        }
        run.failure = Some(sealed);
        run.attempts = attempt;
        if let Finding::Retry { at, .. } = &finding {
            run.next_at = Some(*at);
            run.detail = RunDetail::Retrying { attempt: attempt + 1, at: *at };
        } else {
            let data = json!({"code": failure.code});
            changes.move_run(unit, member.run, RunAction::Fail, RunDetail::Failed, data)?;
        }
    }
    if matches!(finding, Finding::Failed(_)) {
        if operation.kind == OperationKind::Follow {
            give_up_jobs(unit, changes, lease, &operation, concerned).await?;
        } else {
            leave_pass(unit, changes, lease, operation, &waiting).await?;
        }
    }
    Ok(())
}

/// Whoever retries opens a new pass; the runs leave this one.
async fn leave_pass(
    unit: &mut Unit,
    changes: &Changes,
    lease: &Lease,
    mut operation: Operation,
    waiting: &[Member],
) -> Result<(), CaseworkError> {
    let leaving = waiting.iter().map(|member| (member.operation, member.run));
    operations::leave(unit.connection(), leaving).await?;
    operations::lock(unit.connection(), [operation.id]).await?;
    if !operations::serves_anybody(unit.connection(), operation.id).await? {
        due_work::finish(unit.connection(), [(lease.id, lease.fence)]).await?;
        operation.status = OperationStatus::Failed;
        operation.finished_at = Some(changes.now);
        operations::save(unit.connection(), [&operation]).await?;
        return Ok(());
    }
    // Whoever joined while this was being written, or had no room, has been told nothing: the pass goes on for them.
    go_on(unit, changes, lease).await
}

/// The vendor's jobs are kept: whoever retries has them followed again.
async fn give_up_jobs(
    unit: &mut Unit,
    changes: &Changes,
    lease: &Lease,
    operation: &Operation,
    concerned: Vec<OperationId>,
) -> Result<(), CaseworkError> {
    let mut given_up = operations::lock(unit.connection(), concerned).await?;
    given_up.retain(|job| job.status == OperationStatus::Accepted);
    for job in &mut given_up {
        job.status = OperationStatus::Failed;
        job.finished_at = Some(changes.now);
    }
    operations::save(unit.connection(), &given_up).await?;
    if operations::accepted(unit.connection(), operation.connection).await?.is_empty() {
        due_work::finish(unit.connection(), [(lease.id, lease.fence)]).await?;
        return Ok(());
    }
    go_on(unit, changes, lease).await
}

async fn go_on(unit: &mut Unit, changes: &Changes, lease: &Lease) -> Result<(), CaseworkError> {
    let now = Postponement { id: lease.id, fence: lease.fence, next_at: changes.now, attempts: 0 };
    due_work::postpone(unit.connection(), [now]).await?;
    Ok(())
}

/// A failure that has passed is not shown any more.
pub(super) fn no_longer_retrying(changes: &mut Changes) -> Result<(), CaseworkError> {
    let retrying = |run: &&Run| matches!(run.detail, RunDetail::Retrying { .. }) && !run.status.is_settled();
    let ids: Vec<RunId> = changes.runs.values().filter(retrying).map(|run| run.id).collect();
    for id in ids {
        let run = changes.run(id)?;
        run.detail = match run.phase {
            Phase::Collect => RunDetail::Scanning,
            Phase::Erase if run.vendor_job.is_some() => RunDetail::Submitted,
            Phase::Erase => RunDetail::Verifying,
        };
        (run.failure, run.next_at) = (None, None);
    }
    Ok(())
}
