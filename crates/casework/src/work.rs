//! What workers do: take work under a lease, and write what came of it.
//!
//! Every write names the lease's fence first; a worker that lost its lease changes nothing.

use std::collections::{BTreeSet, HashMap, HashSet};

use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::run::{RunAction, RunDetail};
use habeas_domain::{Actor, ConnectionId, DueWorkId, OperationId, Phase, RecordId, RequestId, RunId};
use habeas_integrations::{Deleted, FoundRecord, Residual, Subject};
use habeas_store::due_work::{self, DueWorkKind, Lease, Postponement};
use habeas_store::operations::{self, Operation, Which};
use habeas_store::records::{self, Record};
use habeas_store::{DataKey, KeyPurpose, StoreError, Unit, data_keys, runs};
use jiff::Timestamp;
use serde_json::json;

use crate::Casework;
use crate::changes::Changes;
use crate::details::{self, RequestDetails, RunFailure};
use crate::error::CaseworkError;
use crate::phases::by_request;

/// A run that an operation serves, with its subject.
#[derive(Clone, Debug)]
pub struct Member {
    /// The run.
    pub run: RunId,
    /// Its request.
    pub request: RequestId,
    /// During which pass it joined.
    pub joined_pass: u64,
    /// Before which page it joined.
    pub joined_page: u64,
    /// Who it is about.
    pub subject: Subject,
}

/// A record to be deleted.
#[derive(Clone, Debug)]
pub struct Target {
    /// Our record.
    pub record: RecordId,
    /// The vendor's id of it.
    pub vendor_id: String,
}

/// A claimed operation with everything that is needed to do it.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The lease.
    pub lease: Lease,
    /// The operation. Its status is what was written with the claim: `sent` for effects (the intent is on record),
    /// `unknown` if an earlier worker may have sent it.
    pub operation: Operation,
    /// The runs it serves.
    pub members: Vec<Member>,
    /// What to delete, for [`OperationKind::DeleteRecords`].
    pub targets: Vec<Target>,
}

/// What was claimed.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// Operations.
    pub assignments: Vec<Assignment>,
    /// Checks of connections.
    pub checks: Vec<Lease>,
}

/// What came of an operation.
#[derive(Clone, Debug)]
pub enum Finding {
    /// The subject's records were collected.
    Collected(Vec<FoundRecord>),
    /// Everything that was to be deleted is deleted, on the vendor's word.
    Deleted {
        /// Whether a pass over the vendor's data has to prove it.
        prove: bool,
        /// What stays behind.
        residuals: Vec<Residual>,
    },
    /// A passing failure.
    Retry {
        /// What happened.
        failure: RunFailure,
        /// When to try again.
        at: Timestamp,
        /// Whether an effect may have taken place.
        unknown: bool,
    },
    /// A person must decide.
    Failed(RunFailure),
    /// Nothing was sent, and it is nobody's fault: pacing, or the worker stops.
    Released {
        /// When it may be sent.
        at: Timestamp,
    },
}

/// What came of one claimed operation that serves one run.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was claimed.
    pub assignment: Assignment,
    /// What came of it.
    pub finding: Finding,
}

/// What one page of a pass showed.
#[derive(Debug)]
pub struct PageReport {
    /// The lease.
    pub lease: Lease,
    /// The operation, standing where the pass goes on.
    pub operation: Operation,
    /// What was found, and for whom.
    pub matches: Vec<(RunId, FoundRecord)>,
    /// What could not be read.
    pub residuals: Vec<Residual>,
    /// Runs that have now seen everything.
    pub finished: Vec<RunId>,
    /// How long the lease is to last from now, milliseconds.
    pub lease_milliseconds: i64,
}

/// How a pass goes on.
#[derive(Debug)]
pub enum PassContinues {
    /// The lease was lost: stop.
    LeaseLost,
    /// Nobody waits any more: the pass is over.
    Over,
    /// Read the next page, for these newcomers as well.
    With {
        /// Runs that joined meanwhile, taken up before the next page.
        newcomers: Vec<Member>,
        /// Everyone who waits now; whoever is missing left meanwhile (stopped, on hold, closed).
        waiting: HashSet<RunId>,
    },
}

impl Casework {
    /// Claims due work of one lane. Effects are on record as `sent` when this returns.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn claim(
        &self,
        lane: &str,
        lease_milliseconds: i64,
        limit: i64,
    ) -> Result<Claimed, CaseworkError> {
        let (lane, now) = (lane.to_owned(), self.store.shared_now());
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let leases =
                        due_work::claim(unit.connection(), &lane, now, lease_milliseconds, limit).await?;
                    let (checks, leases): (Vec<_>, Vec<_>) =
                        leases.into_iter().partition(|lease| lease.kind == DueWorkKind::Check);
                    Ok(Claimed { assignments: assign(unit, leases).await?, checks })
                })
            })
            .await
    }

    /// Extends leases of work that takes longer; those still held.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn extend_leases(
        &self,
        leases: Vec<(DueWorkId, i64)>,
        lease_milliseconds: i64,
    ) -> Result<Vec<DueWorkId>, CaseworkError> {
        let now = self.store.shared_now();
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    Ok(due_work::extend(unit.connection(), leases, now, lease_milliseconds).await?)
                })
            })
            .await
    }

    /// Notes what the deletion of one record did and extends the lease; whether it is still held.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn note_deletion(
        &self,
        lease: &Lease,
        record: RecordId,
        deleted: Deleted,
        lease_milliseconds: i64,
    ) -> Result<bool, CaseworkError> {
        let (key, now) = ((lease.id, lease.fence), self.store.shared_now());
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let held = due_work::extend(unit.connection(), [key], now, lease_milliseconds).await?;
                    if !held.is_empty() {
                        let noted = [(record, deletion_word(deleted))];
                        records::note_deletions(unit.connection(), noted).await?;
                    }
                    Ok(!held.is_empty())
                })
            })
            .await
    }

    /// Writes what came of operations that serve one run each, and moves on the requests whose phase is over.
    ///
    /// # Errors
    /// If the store fails; the leases then run out and the work is taken up again.
    pub async fn settle(&self, reports: Vec<Report>) -> Result<(), CaseworkError> {
        let catalogue = self.catalogue_arc();
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &Actor::system(), &catalogue);
                    let requests: BTreeSet<RequestId> = reports
                        .iter()
                        .flat_map(|report| &report.assignment.members)
                        .map(|member| member.request)
                        .collect();
                    changes.lock(unit, requests).await?;
                    let reports = still_held(unit, reports).await?;
                    settle(unit, &mut changes, reports).await?;
                    changes.finish(unit).await
                })
            })
            .await?;
        self.announce_work();
        Ok(())
    }

    /// Writes what a page of a pass showed: found records, runs that have seen everything, where the pass stands.
    ///
    /// # Errors
    /// If the store fails; the page is then read again.
    pub async fn report_page(&self, page: PageReport) -> Result<PassContinues, CaseworkError> {
        let (catalogue, now) = (self.catalogue_arc(), self.store.shared_now());
        let continues = self
            .store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &Actor::system(), &catalogue);
                    report_page(unit, &mut changes, page, now).await
                })
            })
            .await?;
        self.announce_work();
        Ok(continues)
    }

    /// A pass failed for now, or needs a person: every run that waits for it says so.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn report_failed_pass(
        &self,
        lease: Lease,
        operation: Operation,
        finding: Finding,
    ) -> Result<(), CaseworkError> {
        let catalogue = self.catalogue_arc();
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &Actor::system(), &catalogue);
                    fail_pass(unit, &mut changes, &lease, operation, finding).await?;
                    changes.finish(unit).await
                })
            })
            .await?;
        self.announce_change();
        Ok(())
    }
}

const fn deletion_word(deleted: Deleted) -> &'static str {
    match deleted {
        Deleted::Deleted => "deleted",
        Deleted::AlreadyGone => "already_gone",
        Deleted::NotTheirs => "not_theirs",
    }
}

/// Found again by the pass that was to prove its deletion.
const STILL_THERE: &str = "still_there";

async fn assign(unit: &mut Unit, leases: Vec<Lease>) -> Result<Vec<Assignment>, CaseworkError> {
    if leases.is_empty() {
        return Ok(Vec::new());
    }
    let ids = leases
        .iter()
        .map(|lease| lease.object.parse::<OperationId>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(StoreError::from)?;
    let mut found = operations::lock(unit.connection(), ids.iter().copied()).await?;
    let mut effects = Vec::new();
    for operation in &mut found {
        if operation.kind.has_effect() {
            // The intent is on record before anything is sent.
            operation.status = match operation.status.when_taken_over() {
                OperationStatus::Intended => OperationStatus::Sent,
                other => other,
            };
            effects.push(operation.clone());
        } else if operation.kind == OperationKind::Scan {
            operations::take_up(unit.connection(), operation.id, operation.pass, operation.page).await?;
        }
    }
    operations::save(unit.connection(), &effects).await?;
    let mut members = members(unit, ids, Which::All).await?;
    let mut targets = targets(unit, &effects, &members).await?;
    let mut found: HashMap<OperationId, Operation> =
        found.into_iter().map(|operation| (operation.id, operation)).collect();
    Ok(leases
        .into_iter()
        .filter_map(|lease| {
            let operation = found.remove(&lease.object.parse().ok()?)?;
            Some(Assignment {
                lease,
                members: members.remove(&operation.id).unwrap_or_default(),
                targets: targets.remove(&operation.id).unwrap_or_default(),
                operation,
            })
        })
        .collect())
}

async fn members(
    unit: &mut Unit,
    operations: Vec<OperationId>,
    which: Which,
) -> Result<HashMap<OperationId, Vec<Member>>, CaseworkError> {
    let found = operations::members(unit.connection(), operations, which).await?;
    let owners: BTreeSet<RequestId> = found.iter().map(|member| member.request).collect();
    let keyring = unit.keyring();
    let keys = data_keys::load(unit.connection(), &keyring, owners, KeyPurpose::Case).await?;
    let mut members: HashMap<OperationId, Vec<Member>> = HashMap::new();
    for one in found {
        let key = keys
            .get(&one.request.to_string())
            .ok_or(StoreError::Forgotten("the personal data of this request"))?;
        let details: RequestDetails = details::open(key, &one.request, &one.details)?;
        members.entry(one.operation).or_default().push(Member {
            run: one.run,
            request: one.request,
            joined_pass: one.joined_pass.unwrap_or(0),
            joined_page: one.joined_page.unwrap_or(0),
            subject: Subject::new(details.identifiers),
        });
    }
    Ok(members)
}

/// At which connection each run of some requests works.
async fn connections_of_runs(
    unit: &mut Unit,
    requests: &BTreeSet<RequestId>,
) -> Result<HashMap<RunId, ConnectionId>, CaseworkError> {
    let found = runs::of_requests(unit.connection(), requests.iter().copied()).await?;
    Ok(found.into_iter().map(|run| (run.id, run.connection)).collect())
}

/// What each deletion by record still has to delete.
async fn targets(
    unit: &mut Unit,
    effects: &[Operation],
    members: &HashMap<OperationId, Vec<Member>>,
) -> Result<HashMap<OperationId, Vec<Target>>, CaseworkError> {
    let by_record: Vec<(&Operation, &Member)> = effects
        .iter()
        .filter(|operation| operation.kind == OperationKind::DeleteRecords)
        .filter_map(|operation| Some((operation, members.get(&operation.id)?.first()?)))
        .collect();
    if by_record.is_empty() {
        return Ok(HashMap::new());
    }
    let requests: BTreeSet<RequestId> = by_record.iter().map(|(_, member)| member.request).collect();
    let keyring = unit.keyring();
    let keys = data_keys::load(unit.connection(), &keyring, &requests, KeyPurpose::Content).await?;
    let connection_of = connections_of_runs(unit, &requests).await?;
    let found = records::of_requests(unit.connection(), requests.iter().copied()).await?;
    let found = by_request(found, |record| record.request);
    let mut targets: HashMap<OperationId, Vec<Target>> = HashMap::new();
    for (operation, member) in by_record {
        let key = keys
            .get(&member.request.to_string())
            .ok_or(StoreError::Forgotten("the content of this request"))?;
        let mine = found.get(&member.request).into_iter().flatten().filter(|record| {
            record.selected
                && record.deletion.is_none()
                && connection_of.get(&record.run) == Some(&operation.connection)
        });
        for record in mine {
            let content: FoundRecord = details::open(key, &record.id, &record.content)?;
            let target = Target { record: record.id, vendor_id: content.vendor_id };
            targets.entry(operation.id).or_default().push(target);
        }
    }
    Ok(targets)
}

/// Ends or postpones the due work of the reports; those whose lease was still held.
async fn still_held(unit: &mut Unit, reports: Vec<Report>) -> Result<Vec<Report>, CaseworkError> {
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

async fn settle(unit: &mut Unit, changes: &mut Changes, reports: Vec<Report>) -> Result<(), CaseworkError> {
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

fn complete_collected(
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

fn add_residuals(stored: &mut serde_json::Value, residuals: &[Residual]) {
    let mut known: BTreeSet<Residual> = serde_json::from_value(stored.take()).unwrap_or_default();
    known.extend(residuals.iter().cloned());
    *stored = json!(known);
}

/// Seals what is written about the subjects of one batch.
struct Sealer {
    content: HashMap<String, DataKey>,
    case: HashMap<String, DataKey>,
    new_records: Vec<Record>,
}

impl Sealer {
    async fn load(
        unit: &mut Unit,
        reports: &[Report],
        members: &[(RunId, RequestId)],
    ) -> Result<Self, CaseworkError> {
        let requests: BTreeSet<RequestId> = members.iter().map(|(_, request)| *request).collect();
        let any = |wanted: fn(&Finding) -> bool| reports.iter().any(|report| wanted(&report.finding));
        let records = any(|finding| matches!(finding, Finding::Collected(found) if !found.is_empty()));
        let failures = any(|finding| matches!(finding, Finding::Retry { .. } | Finding::Failed(_)));
        Self::with(unit, &requests, records, failures).await
    }

    async fn with(
        unit: &mut Unit,
        requests: &BTreeSet<RequestId>,
        records: bool,
        failures: bool,
    ) -> Result<Self, CaseworkError> {
        let keyring = unit.keyring();
        let mut sealer = Self { content: HashMap::new(), case: HashMap::new(), new_records: Vec::new() };
        if records {
            sealer.content =
                data_keys::load(unit.connection(), &keyring, requests, KeyPurpose::Content).await?;
        }
        if failures {
            sealer.case = data_keys::load(unit.connection(), &keyring, requests, KeyPurpose::Case).await?;
        }
        Ok(sealer)
    }

    fn content_key(&self, request: RequestId) -> Result<&DataKey, StoreError> {
        self.content.get(&request.to_string()).ok_or(StoreError::Forgotten("the content of this request"))
    }

    /// Keeps records for one run; how many different ones there are.
    fn records(&mut self, unit: &Unit, member: &Member, found: &[FoundRecord]) -> Result<u64, CaseworkError> {
        let mut distinct = HashSet::new();
        for one in found {
            if distinct.insert(one.vendor_id.as_str()) {
                let record = self.record(unit, member.request, member.run, one)?;
                self.new_records.push(record);
            }
        }
        Ok(distinct.len() as u64)
    }

    fn record(
        &self,
        unit: &Unit,
        request: RequestId,
        run: RunId,
        found: &FoundRecord,
    ) -> Result<Record, CaseworkError> {
        let key = self.content_key(request)?;
        let id = RecordId::new(unit.environment().unique());
        Ok(Record {
            id,
            request,
            run,
            vendor_key: key.fingerprint(&found.vendor_id),
            content: details::seal(unit, key, &id, found)?,
            selected: true,
            exception: None,
            deletion: None,
        })
    }

    fn failure(
        &self,
        unit: &Unit,
        member: &Member,
        failure: &RunFailure,
    ) -> Result<habeas_store::Sealed, CaseworkError> {
        let key = self
            .case
            .get(&member.request.to_string())
            .ok_or(StoreError::Forgotten("the personal data of this request"))?;
        Ok(details::seal(unit, key, &member.run, failure)?)
    }
}

async fn report_page(
    unit: &mut Unit,
    changes: &mut Changes,
    page: PageReport,
    now: Option<i64>,
) -> Result<PassContinues, CaseworkError> {
    let PageReport { lease, mut operation, matches, residuals, finished, lease_milliseconds } = page;
    // Requests are locked before anything else, in every unit: two units cannot wait for each other.
    let touched: BTreeSet<RunId> =
        matches.iter().map(|(run, _)| *run).chain(finished.iter().copied()).collect();
    let known = runs::by_ids(unit.connection(), touched.iter().copied()).await?;
    changes.lock(unit, known.iter().map(|run| run.request).collect::<BTreeSet<_>>()).await?;
    let key = (lease.id, lease.fence);
    if due_work::extend(unit.connection(), [key], now, lease_milliseconds).await?.is_empty() {
        return Ok(PassContinues::LeaseLost);
    }
    operations::lock(unit.connection(), [operation.id]).await?;
    // Read again under the lock.
    for run in runs::by_ids(unit.connection(), touched).await? {
        changes.runs.insert(run.id, run);
    }
    write_matches(unit, changes, matches).await?;
    finish_runs(unit, changes, &finished, &residuals).await?;
    operations::leave(unit.connection(), finished.iter().map(|run| (operation.id, *run))).await?;
    let changes =
        std::mem::replace(changes, Changes::new(unit, &Actor::system(), &changes.catalogue.clone()));
    changes.finish(unit).await?;

    let mut newcomers =
        members(unit, vec![operation.id], Which::New).await?.remove(&operation.id).unwrap_or_default();
    for member in &mut newcomers {
        (member.joined_pass, member.joined_page) = (operation.pass, operation.page);
    }
    operations::take_up(unit.connection(), operation.id, operation.pass, operation.page).await?;
    let waiting = operations::waiting(unit.connection(), operation.id).await?;
    if waiting.is_empty() {
        operation.status = OperationStatus::Done;
        operation.finished_at = Some(unit.now());
        due_work::finish(unit.connection(), [key]).await?;
    }
    operations::save(unit.connection(), [&operation]).await?;
    if waiting.is_empty() {
        return Ok(PassContinues::Over);
    }
    Ok(PassContinues::With { newcomers, waiting })
}

/// Collecting keeps what was found; proving notes what is still there.
async fn write_matches(
    unit: &mut Unit,
    changes: &mut Changes,
    matches: Vec<(RunId, FoundRecord)>,
) -> Result<(), CaseworkError> {
    if matches.is_empty() {
        return Ok(());
    }
    let requests: BTreeSet<RequestId> = changes.requests.keys().copied().collect();
    let mut sealer = Sealer::with(unit, &requests, true, false).await?;
    let mut proving = Vec::new();
    for (run, found) in matches {
        let Some(stored) = changes.runs.get(&run).filter(|run| !run.status.is_settled()) else { continue };
        match stored.phase {
            Phase::Collect => {
                let record = sealer.record(unit, stored.request, run, &found)?;
                sealer.new_records.push(record);
            }
            Phase::Erase => {
                let vendor_key = sealer.content_key(stored.request)?.fingerprint(&found.vendor_id);
                proving.push((run, stored.request, vendor_key));
            }
        }
    }
    records::insert(unit.connection(), &sealer.new_records).await?;
    note_leftovers(unit, changes, proving).await
}

async fn note_leftovers(
    unit: &mut Unit,
    changes: &mut Changes,
    proving: Vec<(RunId, RequestId, Vec<u8>)>,
) -> Result<(), CaseworkError> {
    if proving.is_empty() {
        return Ok(());
    }
    let requests: BTreeSet<RequestId> = proving.iter().map(|(_, request, _)| *request).collect();
    let found_at = connections_of_runs(unit, &requests).await?;
    let known = by_request(records::of_requests(unit.connection(), requests).await?, |record| record.request);
    let mut leftovers = Vec::new();
    for (run, request, vendor_key) in proving {
        let here = changes.runs.get(&run).map(|run| run.connection);
        let record = known
            .get(&request)
            .into_iter()
            .flatten()
            .find(|record| record.vendor_key == vendor_key && found_at.get(&record.run) == here.as_ref());
        match record {
            Some(record) if record.selected && record.deletion.as_deref() != Some("not_theirs") => {
                leftovers.push((record.id, STILL_THERE));
            }
            // Left out by the reviewer: it is meant to be there.
            Some(_) => {}
            None => add_residuals(
                &mut changes.run(run)?.residuals,
                &[Residual {
                    what: "a record that appeared after the review".to_owned(),
                    why: "the system holds a record of this person that was not there when it was asked; make a \
                          new request to have it deleted"
                        .to_owned(),
                }],
            ),
        }
    }
    records::note_deletions(unit.connection(), leftovers).await?;
    Ok(())
}

/// Settles the runs that have seen a whole pass.
async fn finish_runs(
    unit: &mut Unit,
    changes: &mut Changes,
    finished: &[RunId],
    residuals: &[Residual],
) -> Result<(), CaseworkError> {
    let counts = records::count_by_run(unit.connection(), finished.iter().copied()).await?;
    let proving: BTreeSet<RequestId> = finished
        .iter()
        .filter_map(|run| changes.runs.get(run))
        .filter(|run| run.phase == Phase::Erase)
        .map(|run| run.request)
        .collect();
    // By system: what one of them still holds is no fault of another.
    let mut leftovers: HashMap<(RequestId, ConnectionId), u64> = HashMap::new();
    if !proving.is_empty() {
        let found_at = connections_of_runs(unit, &proving).await?;
        for record in records::of_requests(unit.connection(), proving.iter().copied()).await? {
            if record.deletion.as_deref() == Some(STILL_THERE)
                && let Some(connection) = found_at.get(&record.run)
            {
                *leftovers.entry((record.request, *connection)).or_default() += 1;
            }
        }
    }
    for id in finished {
        let Some(run) = changes.runs.get(id).filter(|run| !run.status.is_settled()).cloned() else {
            continue;
        };
        let stored = changes.run(*id)?;
        stored.failure = None;
        if run.phase == Phase::Collect {
            let records = counts.get(id).map_or(0, |(all, _)| *all);
            stored.records_found = Some(records);
            if records > 0 {
                add_residuals(&mut stored.residuals, residuals);
            }
            complete_collected(unit, changes, *id, records)?;
            continue;
        }
        let left = leftovers.get(&(run.request, run.connection)).copied().unwrap_or(0);
        if left > 0 {
            let failure = RunFailure {
                code: "still_there".to_owned(),
                message: format!(
                    "the system confirmed the deletion but still shows {left} of the deleted records"
                ),
                vendor_request_id: None,
                remedy:
                    "retry to delete them again and verify once more, or delete them in the system yourself and \
                         skip with a reason"
                        .to_owned(),
            };
            let keyring = unit.keyring();
            let key = data_keys::load_one(unit.connection(), &keyring, run.request, KeyPurpose::Case).await?;
            changes.run(*id)?.failure = Some(details::seal(unit, &key, id, &failure)?);
            let data = json!({"code": failure.code, "records": left});
            changes.move_run(unit, *id, RunAction::Fail, RunDetail::Failed, data)?;
            continue;
        }
        let detail = match run.deleted.unwrap_or(0) {
            0 => RunDetail::NothingToDelete,
            records => RunDetail::VerifiedGone { records },
        };
        changes.move_run(unit, *id, RunAction::Complete, detail, json!({"deleted": run.deleted}))?;
    }
    Ok(())
}

async fn fail_pass(
    unit: &mut Unit,
    changes: &mut Changes,
    lease: &Lease,
    mut operation: Operation,
    finding: Finding,
) -> Result<(), CaseworkError> {
    let waiting = operations::members(unit.connection(), [operation.id], Which::All).await?;
    changes.lock(unit, waiting.iter().map(|member| member.request).collect::<BTreeSet<_>>()).await?;
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
        Finding::Collected(_) | Finding::Deleted { .. } => return Err(StoreError::UnitBroken.into()),
    };
    let (Some(failure), false) = (failure, held.is_empty()) else { return Ok(()) };
    for run in runs::by_ids(unit.connection(), waiting.iter().map(|member| member.run)).await? {
        changes.runs.insert(run.id, run);
    }
    let requests: BTreeSet<RequestId> = changes.requests.keys().copied().collect();
    let sealer = Sealer::with(unit, &requests, false, true).await?;
    let attempt = u32::try_from(attempts).unwrap_or(u32::MAX).saturating_add(1);
    for member in &waiting {
        let key = sealer
            .case
            .get(&member.request.to_string())
            .ok_or(StoreError::Forgotten("the personal data of this request"))?;
        let sealed = details::seal(unit, key, &member.run, failure)?;
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
        // Whoever retries opens a new pass; the runs leave this one.
        let leaving = waiting.iter().map(|member| (member.operation, member.run));
        operations::leave(unit.connection(), leaving).await?;
        operations::lock(unit.connection(), [operation.id]).await?;
        if operations::waiting(unit.connection(), operation.id).await?.is_empty() {
            due_work::finish(unit.connection(), [(id, fence)]).await?;
            operation.status = OperationStatus::Failed;
            operation.finished_at = Some(changes.now);
            operations::save(unit.connection(), [&operation]).await?;
        } else {
            // Whoever joined while this was being written has been told nothing: the pass goes on for them.
            let now = Postponement { id, fence, next_at: changes.now, attempts: 0 };
            due_work::postpone(unit.connection(), [now]).await?;
        }
    }
    Ok(())
}
