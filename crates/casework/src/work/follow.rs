//! What a look at a connection's deletion jobs showed.

use std::collections::{BTreeSet, HashMap};

use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::run::{RunAction, RunDetail};
use habeas_domain::{ConnectionId, OperationId, RequestId};
use habeas_integrations::{Erased, ErasureException, Manifest, Residual, Verification};
use habeas_store::due_work::{self, Postponement};
use habeas_store::operations::{self, Operation, Which};
use habeas_store::{Unit, runs};
use serde_json::json;

use super::assign::members;
use super::sealer::Sealer;
use super::settle::add_residuals;
use super::{FollowReport, JobEnd, Member, shared};
use crate::changes::Changes;
use crate::details::RunFailure;
use crate::error::CaseworkError;

/// Systems behind the vendor did not delete; stands in the `error` of a run that is complete all the same.
const PARTLY_DELETED: &str = "partly_deleted";

pub(super) async fn report(
    unit: &mut Unit,
    changes: &mut Changes,
    report: FollowReport,
) -> Result<(), CaseworkError> {
    let FollowReport { lease, operation, looked_at, ended, next_at, soonest } = report;
    let recovered = lease.attempts > 0;
    let mut told: BTreeSet<OperationId> = ended.iter().map(|(id, _)| *id).collect();
    if recovered {
        // Whoever was told of the failure is told that it has passed.
        let accepted = operations::accepted(unit.connection(), operation.connection).await?;
        told.extend(accepted.iter().map(|accepted| accepted.id));
    }
    let members = members(unit, told.iter().copied().collect(), Which::All).await?;
    let requests: BTreeSet<RequestId> = members.values().flatten().map(|member| member.request).collect();
    changes.lock(unit, requests.iter().copied()).await?;
    let key = (lease.id, lease.fence);
    if due_work::held(unit.connection(), [key]).await?.is_empty() {
        return Ok(());
    }
    end_jobs(unit, changes, operation.connection, Ended { told, ended, members, recovered }).await?;
    let left = operations::accepted(unit.connection(), operation.connection).await?;
    if left.is_empty() {
        // Whoever accepts a job at this moment waits for this row, and puts it there again.
        due_work::finish(unit.connection(), [key]).await?;
    } else {
        let is_new = left.iter().any(|job| !looked_at.contains(&job.id));
        let next_at = if is_new { next_at.min(soonest) } else { next_at };
        let later = Postponement { id: lease.id, fence: lease.fence, next_at, attempts: 0 };
        due_work::postpone(unit.connection(), [later]).await?;
    }
    Ok(())
}

/// Jobs that are over, and everyone who is to hear of it.
struct Ended {
    told: BTreeSet<OperationId>,
    ended: Vec<(OperationId, JobEnd)>,
    members: HashMap<OperationId, Vec<Member>>,
    /// Whether an earlier look failed.
    recovered: bool,
}

/// Ends accepted deletions of a connection; its requests are locked.
async fn end_jobs(
    unit: &mut Unit,
    changes: &mut Changes,
    connection: ConnectionId,
    Ended { told, ended, mut members, recovered }: Ended,
) -> Result<bool, CaseworkError> {
    let requests: BTreeSet<RequestId> = members.values().flatten().map(|member| member.request).collect();
    // Whoever was handed over or stopped meanwhile has left: that decision stands.
    let served = operations::served(unit.connection(), told.iter().copied()).await?;
    for (id, members) in &mut members {
        members.retain(|member| served.contains(&(*id, member.run)));
    }
    let mut jobs: HashMap<OperationId, Operation> = operations::lock(unit.connection(), told)
        .await?
        .into_iter()
        .filter(|job| job.status == OperationStatus::Accepted)
        .map(|job| (job.id, job))
        .collect();
    let waiting: Vec<_> = members.values().flatten().map(|member| member.run).collect();
    for run in runs::by_ids(unit.connection(), waiting).await? {
        changes.runs.insert(run.id, run);
    }
    if recovered {
        shared::no_longer_retrying(changes)?;
    }
    let manifest = changes.profiles(unit).await?.get(connection)?.manifest;
    let sealer = Sealer::with(unit, &requests, false, true).await?;
    let mut saved = Vec::new();
    for (id, end) in ended {
        let Some(mut job) = jobs.remove(&id) else { continue };
        job.status = match end {
            JobEnd::Done(_) => OperationStatus::Done,
            JobEnd::Failed(_) | JobEnd::Overdue(_) => OperationStatus::Failed,
        };
        if matches!(end, JobEnd::Failed(_)) {
            job.job = None;
        }
        job.finished_at = Some(changes.now);
        let shared = job.sent_for > 1;
        for member in members.remove(&id).unwrap_or_default() {
            if changes.run(member.run)?.status.is_settled() {
                continue;
            }
            match &end {
                JobEnd::Done(erased) => done(unit, changes, &sealer, manifest, &member, erased, shared)?,
                JobEnd::Failed(failure) | JobEnd::Overdue(failure) => {
                    let sealed = sealer.failure(unit, (member.run, member.request), failure)?;
                    changes.run(member.run)?.failure = Some(sealed);
                    let data = json!({"code": failure.code});
                    changes.move_run(unit, member.run, RunAction::Fail, RunDetail::Failed, data)?;
                }
            }
        }
        saved.push(job);
    }
    operations::save(unit.connection(), &saved).await?;
    Ok(!saved.is_empty())
}

/// Ends one accepted deletion of which its system told by itself; its requests are locked. False if it was over before.
pub(crate) async fn end_one(
    unit: &mut Unit,
    changes: &mut Changes,
    operation: &Operation,
    end: JobEnd,
) -> Result<bool, CaseworkError> {
    let members = members(unit, vec![operation.id], Which::All).await?;
    let (told, ended) = ([operation.id].into(), vec![(operation.id, end)]);
    end_jobs(unit, changes, operation.connection, Ended { told, ended, members, recovered: false }).await
}

/// The job is over: what that means for one of the people it served, maybe among others.
fn done(
    unit: &mut Unit,
    changes: &mut Changes,
    sealer: &Sealer,
    manifest: &Manifest,
    member: &Member,
    erased: &Erased,
    shared: bool,
) -> Result<(), CaseworkError> {
    let run = changes.run(member.run)?;
    run.failure = None;
    if erased.nothing_held_for.covers(&member.subject.verified(), manifest.capabilities.identifiers) {
        run.deleted = Some(0);
        let detail = RunDetail::NothingToDelete;
        return changes.move_run(unit, member.run, RunAction::Complete, detail, json!({"deleted": 0}));
    }
    run.deleted = Some(1);
    if !erased.exceptions.is_empty() {
        let failure = partly_deleted(manifest, &erased.exceptions, shared);
        let sealed = sealer.failure(unit, (member.run, member.request), &failure)?;
        let run = changes.run(member.run)?;
        run.failure = Some(sealed);
        let residuals: Vec<Residual> = erased.exceptions.iter().map(residual).collect();
        add_residuals(&mut run.residuals, &residuals);
        let systems = erased.exceptions.len() as u64;
        let detail = RunDetail::PersonDeletedExcept { systems };
        let data = json!({"code": failure.code, "exceptions": systems});
        return changes.move_run(unit, member.run, RunAction::Complete, detail, data);
    }
    let verification = manifest.capabilities.deletion.map(|deletion| deletion.verification);
    if let Some(Verification::Search { .. }) = verification {
        run.detail = RunDetail::Verifying;
        return changes.open_operation(unit, OperationKind::Verify, member.run);
    }
    let detail = RunDetail::PersonDeleted { verified: false };
    changes.move_run(unit, member.run, RunAction::Complete, detail, json!({"deleted": 1}))
}

fn residual(exception: &ErasureException) -> Residual {
    Residual {
        what: exception.system.clone(),
        why: format!(
            "this system did not delete (status `{}`); delete the person there, or note why it stays",
            exception.status
        ),
    }
}

/// Names every system, with the vendor's own text. That may name a person: the failure is sealed, and the text is left
/// out where it may be about somebody else whom the job served.
fn partly_deleted(manifest: &Manifest, exceptions: &[ErasureException], shared: bool) -> RunFailure {
    let systems: Vec<String> = exceptions
        .iter()
        .map(|one| match one.vendor_text.as_str() {
            text if text.is_empty() || shared => format!("{} ({})", one.system, one.status),
            text => format!("{} ({}: {text})", one.system, one.status),
        })
        .collect();
    RunFailure {
        code: PARTLY_DELETED.to_owned(),
        message: format!("{} deleted the person, but not in {}", manifest.title, systems.join(", ")),
        vendor_request_id: None,
        remedy: "delete the person in each of these systems, by a direct contact or by hand".to_owned(),
    }
}
