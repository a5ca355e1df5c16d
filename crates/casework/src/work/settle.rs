//! What came of operations: for each run that one served, and for the operation itself.

use std::collections::{BTreeSet, HashMap, HashSet};

use habeas_domain::capability::DeletionCompletion;
use habeas_domain::operation::{OperationKind, OperationStatus, OperationStatus as S};
use habeas_domain::reason::Acknowledgement;
use habeas_domain::run::{RunAction, RunDetail};
use habeas_domain::{ConnectionId, DueWorkId, OperationId, RequestId, RunId};
use habeas_integrations::{ErrorKind, Job, Residual};
use habeas_store::audit::Stream;
use habeas_store::due_work::{self, Lease, Postponement};
use habeas_store::operations::{self, Operation};
use habeas_store::{Unit, records, runs};
use jiff::Timestamp;
use serde_json::json;

use super::page::STILL_THERE;
use super::sealer::Sealer;
use super::{Finding, Member, Part, Report};
use crate::changes::Changes;
use crate::details::RunFailure;
use crate::error::CaseworkError;
use crate::files::{self, LargeFiles};
use crate::names;

/// Ends or postpones the due work of the reports; those whose lease was still held.
pub(crate) async fn whose_lease_is_held(
    unit: &mut Unit,
    reports: Vec<Report>,
) -> Result<Vec<Report>, CaseworkError> {
    let mut over = Vec::new();
    let mut later = Vec::new();
    let now = unit.now();
    for Report { assignment, parts } in &reports {
        let Lease { id, fence, attempts, .. } = assignment.lease;
        let Some(first) = parts.first() else { continue };
        match (goes_on_at(&first.finding, now), &first.finding) {
            (None, _) => over.push((id, fence)),
            (Some(next_at), finding) => {
                let attempts = match finding {
                    Finding::Retry { .. } => attempts + 1,
                    Finding::Released { .. } => attempts,
                    _ => 0,
                };
                later.push(Postponement { id, fence, next_at, attempts });
            }
        }
    }
    let mut held: HashSet<DueWorkId> = due_work::finish(unit.connection(), over).await?.into_iter().collect();
    held.extend(due_work::postpone(unit.connection(), later).await?);
    Ok(reports.into_iter().filter(|report| held.contains(&report.assignment.lease.id)).collect())
}

/// When the operation is due again; `None` if nothing of it is left for a worker to do.
fn goes_on_at(finding: &Finding, now: Timestamp) -> Option<Timestamp> {
    match finding {
        Finding::Collected(_)
        | Finding::Deleted { .. }
        | Finding::Accepted { .. }
        | Finding::VerifiedGone { .. }
        | Finding::StillHeld
        | Finding::Failed(_) => None,
        Finding::Divided => Some(now),
        Finding::Pending { at, .. }
        | Finding::NotYetGone { at }
        | Finding::Retry { at, .. }
        | Finding::Released { at } => Some(*at),
    }
}

pub(crate) async fn settle(
    unit: &mut Unit,
    changes: &mut Changes,
    reports: Vec<Report>,
    large: LargeFiles,
) -> Result<(), CaseworkError> {
    let members: Vec<(RunId, RequestId)> = reports
        .iter()
        .flat_map(|report| &report.assignment.members)
        .map(|member| (member.run, member.request))
        .collect();
    for run in runs::by_ids(unit.connection(), members.iter().map(|(run, _)| *run)).await? {
        changes.runs.insert(run.id, run);
    }
    let operations = reports.iter().map(|report| report.assignment.operation.id);
    let served = operations::served(unit.connection(), operations).await?;
    let accepts = |part: &Part| matches!(part.finding, Finding::Accepted { .. });
    if reports.iter().flat_map(|report| &report.parts).any(accepts) {
        changes.profiles(unit).await?;
    }
    let mut sealer = Sealer::load(unit, &reports, &members).await?;
    sealer.large = large;
    let deleted = count_deleted(unit, &reports).await?;
    let mut ended = Vec::new();
    for Report { assignment, parts } in reports {
        let attempts = u32::try_from(assignment.lease.attempts).unwrap_or(u32::MAX);
        let whole = parts.len() == 1;
        let mut members: HashMap<RunId, Member> =
            assignment.members.into_iter().map(|member| (member.run, member)).collect();
        for (at, Part { runs, finding }) in parts.into_iter().enumerate() {
            let mut operation = match at {
                0 => assignment.operation.clone(),
                _ => changes.split_off(unit, &assignment.operation, &runs).await?,
            };
            move_operation(&mut operation, &finding, changes)?;
            if !whole {
                operation.identifiers = identifiers(changes, &operation, &runs, &members)?;
            }
            let deleted = deleted.get(&operation.id).copied().unwrap_or(0);
            let told = Told { attempts, deleted, connection: operation.connection };
            let mut waiting = false;
            for member in runs.iter().filter_map(|run| members.remove(run)) {
                let is_served = served.contains(&(assignment.operation.id, member.run));
                // Settled or handed over by a person while the call was under way: that decision stands.
                if is_served && !changes.run(member.run)?.status.is_settled() {
                    waiting = true;
                    tell(unit, changes, &mut sealer, &member, &finding, told)?;
                } else if let Finding::Accepted { job, .. } | Finding::Pending { job, .. } = &finding {
                    // What was sent all the same belongs to the evidence.
                    changes.run(member.run)?.vendor_job = Some(job.as_str().to_owned());
                    record_submitted(unit, changes, &member, job);
                }
            }
            if !waiting && operation.status == S::Accepted {
                operation.status = S::Done;
                operation.finished_at = Some(changes.now);
            }
            if at == 0 {
                ended.push(operation);
            } else {
                let next_at = goes_on_at(&finding, changes.now);
                changes.add_split(unit, operation, &runs, next_at)?;
            }
        }
    }
    operations::save(unit.connection(), &ended).await?;
    records::insert(unit.connection(), &sealer.new_records).await?;
    files::keep(unit, &sealer.new_files).await
}

/// Where an operation stands after what came of it.
fn move_operation(
    operation: &mut Operation,
    finding: &Finding,
    changes: &Changes,
) -> Result<(), CaseworkError> {
    let was = operation.status;
    operation.status = status_after(finding, operation);
    match finding {
        Finding::Accepted { job, .. } => {
            operation.job = Some(job.as_str().to_owned());
            operation.accepted_at = Some(changes.now);
            if completes_on_submit(changes, operation.connection)? {
                operation.status = OperationStatus::Done;
            }
        }
        Finding::Pending { job, .. } => {
            operation.job = Some(job.as_str().to_owned());
            operation.accepted_at = operation.accepted_at.or(Some(changes.now));
        }
        // Whoever tries again begins another one; a person who does begins to count anew.
        Finding::Failed(failure) if is_job_failed(failure) => {
            (operation.job, operation.accepted_at, operation.position) = (None, None, None);
        }
        Finding::Retry { failure, .. } if is_job_failed(failure) => {
            (operation.job, operation.accepted_at) = (None, None);
            operation.position = Some(json!({FAILED_JOBS: failed_jobs(operation) + 1}));
        }
        Finding::Divided => operation.position = Some(json!({"divided": true})),
        Finding::StillHeld => operation.position = Some(json!({STILL_HELD: true})),
        _ => {}
    }
    // Known not to be sent: when it is, the vendor is asked about that time.
    let waits_for_person = matches!(finding, Finding::Failed(failure) if is_caution(failure));
    if operation.status == S::Intended || (was == S::Sent && waits_for_person) {
        operation.sent_at = None;
    }
    operation.finished_at = operation.status.is_over().then_some(changes.now);
    Ok(())
}

/// How many identifiers a part of a batch carries.
fn identifiers(
    changes: &Changes,
    operation: &Operation,
    runs: &[RunId],
    members: &HashMap<RunId, Member>,
) -> Result<u64, CaseworkError> {
    if operation.kind != OperationKind::Erase || !matches!(operation.status, S::Accepted | S::Done) {
        return Ok(0);
    }
    let profiles = changes.loaded_profiles()?;
    let kinds = profiles.get(operation.connection)?.manifest.capabilities.identifiers;
    let of = |member: &Member| kinds.iter().map(|kind| member.subject.values(*kind).count()).sum::<usize>();
    Ok(runs.iter().filter_map(|run| members.get(run)).map(of).sum::<usize>() as u64)
}

fn completes_on_submit(changes: &Changes, connection: ConnectionId) -> Result<bool, CaseworkError> {
    let profiles = changes.loaded_profiles()?;
    let chosen = profiles.get(connection)?.stored.deletion_completion.as_deref();
    Ok(chosen == Some(DeletionCompletion::OnSubmit.as_str()))
}

/// What else a run is told.
#[derive(Clone, Copy)]
struct Told {
    /// Attempts that failed before.
    attempts: u32,
    /// How much was deleted.
    deleted: u64,
    /// At which connection.
    connection: ConnectionId,
}

/// Tells a run what came of the operation that serves it.
fn tell(
    unit: &mut Unit,
    changes: &mut Changes,
    sealer: &mut Sealer,
    member: &Member,
    finding: &Finding,
    told: Told,
) -> Result<(), CaseworkError> {
    let id = (member.run, member.request);
    match finding {
        Finding::Collected(found) => {
            let kept = sealer.records(unit, member, &found.records)?;
            let run = changes.run(member.run)?;
            run.records_found = Some(kept);
            run.failure = None;
            add_residuals(&mut run.residuals, &found.residuals);
            let people = found.records.iter().map(|record| record.person.as_deref());
            add_residuals(&mut run.residuals, names::flag(people).as_slice());
            complete_collected(unit, changes, member.run, kept)
        }
        Finding::Pending { job, at } => {
            let run = changes.run(member.run)?;
            let is_new = run.vendor_job.as_deref() != Some(job.as_str());
            run.vendor_job = Some(job.as_str().to_owned());
            (run.failure, run.attempts) = (None, 0);
            run.next_at = Some(*at);
            run.detail = RunDetail::Polling { at: *at };
            if is_new {
                record_submitted(unit, changes, member, job);
            }
            Ok(())
        }
        Finding::Accepted { job, look_at, residuals } => {
            let run = changes.run(member.run)?;
            run.vendor_job = Some(job.as_str().to_owned());
            (run.failure, run.attempts, run.next_at) = (None, 0, None);
            add_residuals(&mut run.residuals, residuals);
            record_submitted(unit, changes, member, job);
            if completes_on_submit(changes, told.connection)? {
                let data = json!({"vendor_job": job});
                return changes.move_run(
                    unit,
                    member.run,
                    RunAction::Complete,
                    RunDetail::DeletionSubmitted,
                    data,
                );
            }
            changes.run(member.run)?.detail = RunDetail::Submitted;
            changes.follow(member.run, *look_at)
        }
        Finding::Deleted { prove, residuals } => {
            let run = changes.run(member.run)?;
            run.deleted = Some(told.deleted);
            run.failure = None;
            add_residuals(&mut run.residuals, residuals);
            if *prove {
                run.detail = RunDetail::Verifying;
                return changes.open_operation(unit, OperationKind::Scan, member.run);
            }
            let detail = match told.deleted {
                0 => RunDetail::NothingToDelete,
                records => RunDetail::RecordsDeleted { records },
            };
            changes.move_run(unit, member.run, RunAction::Complete, detail, json!({}))
        }
        Finding::VerifiedGone { unsearched } => {
            let run = changes.run(member.run)?;
            run.failure = None;
            add_residuals(&mut run.residuals, unsearched);
            let detail = RunDetail::PersonDeleted { verified: unsearched.is_empty() };
            changes.move_run(unit, member.run, RunAction::Complete, detail, json!({}))
        }
        Finding::NotYetGone { at } => {
            let run = changes.run(member.run)?;
            (run.failure, run.attempts, run.next_at) = (None, 0, Some(*at));
            run.detail = RunDetail::Verifying;
            Ok(())
        }
        Finding::StillHeld => {
            let failure = still_held_failure();
            changes.run(member.run)?.failure = Some(sealer.failure(unit, id, &failure)?);
            let data = json!({"code": failure.code});
            changes.move_run(unit, member.run, RunAction::Fail, RunDetail::Failed, data)
        }
        Finding::Retry { failure, at, unknown } => {
            let run = changes.run(member.run)?;
            run.attempts = told.attempts + 1;
            run.next_at = Some(*at);
            run.detail = if *unknown {
                RunDetail::Reconciling { at: *at }
            } else {
                RunDetail::Retrying { attempt: told.attempts + 2, at: *at }
            };
            run.failure = Some(sealer.failure(unit, id, failure)?);
            Ok(())
        }
        Finding::Failed(failure) => {
            let run = changes.run(member.run)?;
            run.attempts = told.attempts + 1;
            run.failure = Some(sealer.failure(unit, id, failure)?);
            let data = json!({"code": failure.code});
            changes.move_run(unit, member.run, RunAction::Fail, RunDetail::Failed, data)
        }
        Finding::Released { at } => {
            changes.run(member.run)?.next_at = Some(*at);
            Ok(())
        }
        Finding::Divided => Ok(()),
    }
}

/// The vendor's own id of its job is evidence: it is what its support can look up.
fn record_submitted(unit: &mut Unit, changes: &Changes, member: &Member, job: &Job) {
    let stream = Stream::Request(member.request);
    unit.record(stream, &changes.actor, "run.submitted", member.run, json!({"vendor_job": job}));
}

/// Stands in the position of a collection whose jobs failed: attempts begin anew with each job, so they cannot count them.
const FAILED_JOBS: &str = "failed_jobs";

/// How many jobs of an operation failed since a person last looked at it.
#[must_use]
pub fn failed_jobs(operation: &Operation) -> u64 {
    let count = operation.position.as_ref().map(|position| &position[FAILED_JOBS]);
    count.and_then(serde_json::Value::as_u64).unwrap_or(0)
}

/// Set in the position of a search that found the person although its index had time.
const STILL_HELD: &str = "still_held";

/// Whether a search ended with the person still there.
pub(crate) fn is_still_held(operation: &Operation) -> bool {
    operation.position.as_ref().is_some_and(|position| position[STILL_HELD] == true)
}

fn still_held_failure() -> RunFailure {
    RunFailure {
        code: STILL_THERE.to_owned(),
        message: "the system reported the deletion as done but still finds the person".to_owned(),
        vendor_request_id: None,
        remedy: "look the person up in the system; then retry to ask for the deletion again, or delete what is left \
                 there by hand and skip with a reason"
            .to_owned(),
    }
}

/// How much each finished deletion removed: records by what was noted of each, a whole subject as one.
async fn count_deleted(
    unit: &mut Unit,
    reports: &[Report],
) -> Result<HashMap<OperationId, u64>, CaseworkError> {
    let is_deleted = |part: &Part| matches!(part.finding, Finding::Deleted { .. });
    let finished: Vec<_> = reports
        .iter()
        .filter(|report| report.parts.iter().any(is_deleted))
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
    let detail = RunDetail::of_found(records);
    changes.move_run(unit, run, RunAction::Complete, detail, json!({"records": records}))
}

/// Whether a person has to acknowledge something before anything is sent.
fn is_caution(failure: &RunFailure) -> bool {
    failure.code.parse::<Acknowledgement>().is_ok()
}

/// Whether the vendor says that the job itself failed, so that there is nothing left to look at.
fn is_job_failed(failure: &RunFailure) -> bool {
    failure.code == ErrorKind::JobFailed.code()
}

/// What an operation's status becomes. A failed effect that may have been sent stays `unknown`, so that whoever
/// retries it asks first.
fn status_after(finding: &Finding, operation: &Operation) -> OperationStatus {
    let became = match finding {
        Finding::Collected(_) | Finding::Deleted { .. } | Finding::VerifiedGone { .. } => S::Done,
        Finding::Pending { .. } | Finding::Accepted { .. } => S::Accepted,
        Finding::Failed(_) | Finding::StillHeld => S::Failed,
        Finding::Retry { unknown: true, .. } => S::Unknown,
        Finding::Retry { failure, .. } if is_job_failed(failure) && operation.status == S::Accepted => {
            S::Unknown
        }
        // An earlier unknown outcome is not resolved by a later refusal, nor is an accepted job given up by one.
        Finding::Retry { .. } | Finding::Released { .. }
            if matches!(operation.status, S::Unknown | S::Accepted) =>
        {
            operation.status
        }
        Finding::Retry { .. } | Finding::Released { .. } | Finding::Divided | Finding::NotYetGone { .. } => {
            S::Intended
        }
    };
    debug_assert!(operation.status.may_become(became), "{} -> {became}", operation.status);
    became
}

pub(super) fn add_residuals(stored: &mut serde_json::Value, residuals: &[Residual]) {
    let mut known: BTreeSet<Residual> = serde_json::from_value(stored.take()).unwrap_or_default();
    known.extend(residuals.iter().cloned());
    *stored = json!(known);
}
