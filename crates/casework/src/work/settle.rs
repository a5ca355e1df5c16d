//! What came of operations that serve one run each.

use std::collections::{BTreeSet, HashMap, HashSet};

use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::run::{RunAction, RunDetail};
use habeas_domain::{DueWorkId, OperationId, RequestId, RunId};
use habeas_integrations::Residual;
use habeas_store::due_work::{self, Lease, Postponement};
use habeas_store::operations::{self, Operation};
use habeas_store::{Unit, records, runs};
use serde_json::json;

use super::sealer::Sealer;
use super::{Finding, Report};
use crate::changes::Changes;
use crate::error::CaseworkError;
use crate::names;

/// Ends or postpones the due work of the reports; those whose lease was still held.
pub(super) async fn still_held(unit: &mut Unit, reports: Vec<Report>) -> Result<Vec<Report>, CaseworkError> {
    let mut over = Vec::new();
    let mut later = Vec::new();
    for Report { assignment, finding } in &reports {
        let Lease { id, fence, attempts, .. } = assignment.lease;
        match finding {
            Finding::Collected(_) | Finding::Deleted { .. } | Finding::Failed(_) => over.push((id, fence)),
            Finding::Retry { at, .. } => {
                later.push(Postponement { id, fence, next_at: *at, attempts: attempts + 1 });
            }
            Finding::Released { at } => later.push(Postponement { id, fence, next_at: *at, attempts }),
        }
    }
    let mut held: HashSet<DueWorkId> = due_work::finish(unit.connection(), over).await?.into_iter().collect();
    held.extend(due_work::postpone(unit.connection(), later).await?);
    Ok(reports.into_iter().filter(|report| held.contains(&report.assignment.lease.id)).collect())
}

pub(super) async fn settle(
    unit: &mut Unit,
    changes: &mut Changes,
    reports: Vec<Report>,
) -> Result<(), CaseworkError> {
    let members: Vec<(RunId, RequestId)> = reports
        .iter()
        .flat_map(|report| &report.assignment.members)
        .map(|member| (member.run, member.request))
        .collect();
    for run in runs::by_ids(unit.connection(), members.iter().map(|(run, _)| *run)).await? {
        changes.runs.insert(run.id, run);
    }
    let mut sealer = Sealer::load(unit, &reports, &members).await?;
    let deleted = count_deleted(unit, &reports).await?;
    let mut ended = Vec::new();
    for Report { assignment, finding } in reports {
        let mut operation = assignment.operation;
        let attempts = u32::try_from(assignment.lease.attempts).unwrap_or(u32::MAX);
        operation.status = status_after(&finding, &operation);
        operation.finished_at = operation.status.is_over().then_some(changes.now);
        for member in &assignment.members {
            let run = changes.run(member.run)?;
            // Settled by a person while the call was under way: that decision stands.
            if run.status.is_settled() {
                continue;
            }
            match &finding {
                Finding::Collected(found) => {
                    let kept = sealer.records(unit, member, found)?;
                    let run = changes.run(member.run)?;
                    run.records_found = Some(kept);
                    run.failure = None;
                    add_residuals(&mut run.residuals, names::flag(found).as_slice());
                    complete_collected(unit, changes, member.run, kept)?;
                }
                Finding::Deleted { prove, residuals } => {
                    let count = deleted.get(&operation.id).copied().unwrap_or(0);
                    run.deleted = Some(count);
                    run.failure = None;
                    add_residuals(&mut run.residuals, residuals);
                    if *prove {
                        run.detail = RunDetail::Verifying;
                        changes.open_operation(unit, OperationKind::Scan, member.run)?;
                    } else {
                        let detail = match count {
                            0 => RunDetail::NothingToDelete,
                            records => RunDetail::RecordsDeleted { records },
                        };
                        changes.move_run(unit, member.run, RunAction::Complete, detail, json!({}))?;
                    }
                }
                Finding::Retry { failure, at, unknown } => {
                    run.attempts = attempts + 1;
                    run.next_at = Some(*at);
                    run.detail = if *unknown {
                        RunDetail::Reconciling { at: *at }
                    } else {
                        RunDetail::Retrying { attempt: attempts + 2, at: *at }
                    };
                    run.failure = Some(sealer.failure(unit, member, failure)?);
                }
                Finding::Failed(failure) => {
                    run.attempts = attempts + 1;
                    run.failure = Some(sealer.failure(unit, member, failure)?);
                    let data = json!({"code": failure.code});
                    changes.move_run(unit, member.run, RunAction::Fail, RunDetail::Failed, data)?;
                }
                Finding::Released { at } => run.next_at = Some(*at),
            }
        }
        ended.push(operation);
    }
    operations::save(unit.connection(), &ended).await?;
    records::insert(unit.connection(), &sealer.new_records).await?;
    Ok(())
}

/// How much each finished deletion removed: records by what was noted of each, a whole subject as one.
async fn count_deleted(
    unit: &mut Unit,
    reports: &[Report],
) -> Result<HashMap<OperationId, u64>, CaseworkError> {
    let finished: Vec<_> = reports
        .iter()
        .filter(|report| matches!(report.finding, Finding::Deleted { .. }))
        .map(|report| &report.assignment)
        .collect();
    let mut counts: HashMap<OperationId, u64> = finished
        .iter()
        .filter(|one| one.operation.kind == OperationKind::DeleteSubject)
        .map(|one| (one.operation.id, 1))
        .collect();
    let by_record: Vec<_> =
        finished.into_iter().filter(|one| one.operation.kind == OperationKind::DeleteRecords).collect();
    if by_record.is_empty() {
        return Ok(counts);
    }
    let requests: BTreeSet<RequestId> =
        by_record.iter().flat_map(|one| &one.members).map(|member| member.request).collect();
    let noted = records::count_deleted(unit.connection(), requests).await?;
    for one in by_record {
        let mine = one
            .members
            .iter()
            .filter_map(|member| noted.get(&(member.request, one.operation.connection)).copied());
        counts.insert(one.operation.id, mine.sum());
    }
    Ok(counts)
}

pub(super) fn complete_collected(
    unit: &mut Unit,
    changes: &mut Changes,
    run: RunId,
    records: u64,
) -> Result<(), CaseworkError> {
    let detail = match records {
        0 => RunDetail::NoneFound,
        records => RunDetail::RecordsFound { records },
    };
    changes.move_run(unit, run, RunAction::Complete, detail, json!({"records": records}))
}

/// What an operation's status becomes. A failed effect that may have been sent stays `unknown`, so that whoever
/// retries it asks first.
fn status_after(finding: &Finding, operation: &Operation) -> OperationStatus {
    let became = match finding {
        Finding::Collected(_) | Finding::Deleted { .. } => OperationStatus::Done,
        Finding::Failed(_) => OperationStatus::Failed,
        Finding::Retry { unknown: true, .. } => OperationStatus::Unknown,
        // An earlier unknown outcome is not resolved by a later refusal.
        Finding::Retry { .. } | Finding::Released { .. } if operation.status == OperationStatus::Unknown => {
            OperationStatus::Unknown
        }
        Finding::Retry { .. } | Finding::Released { .. } => OperationStatus::Intended,
    };
    debug_assert!(operation.status.may_become(became), "{} -> {became}", operation.status);
    became
}

pub(super) fn add_residuals(stored: &mut serde_json::Value, residuals: &[Residual]) {
    let mut known: BTreeSet<Residual> = serde_json::from_value(stored.take()).unwrap_or_default();
    known.extend(residuals.iter().cloned());
    *stored = json!(known);
}
