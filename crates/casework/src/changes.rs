//! What a unit is about to write, gathered so that a thousand requests cost as many statements as one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use habeas_domain::lifecycle::{self, Action, Outcome, RequestState};
use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::policy::Policy;
use habeas_domain::run::{RunAction, RunDetail};
use habeas_domain::{Actor, ConnectionId, DueWorkId, OperationId, RequestId, Right, RunId, run};
use habeas_integrations::Catalogue;
use habeas_store::audit::Stream;
use habeas_store::due_work::{self, DueWorkKind, NewDueWork};
use habeas_store::operations::{self, Operation};
use habeas_store::requests::{self, Request};
use habeas_store::runs::{self, Run};
use habeas_store::{Sealed, Unit, records};
use jiff::{Span, Timestamp};
use serde_json::json;

use crate::error::CaseworkError;
use crate::forgetting;

/// Pending writes of one unit, and what it knows of the cases it changes.
pub(crate) struct Changes {
    pub(crate) actor: Actor,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) now: Timestamp,
    pub(crate) requests: BTreeMap<RequestId, Request>,
    pub(crate) runs: BTreeMap<RunId, Run>,
    pub(crate) packages: Vec<(RequestId, Sealed)>,
    operations: Vec<Operation>,
    members: Vec<(OperationId, RunId)>,
    work: Vec<NewDueWork>,
    changed_requests: BTreeSet<RequestId>,
    changed_runs: BTreeSet<RunId>,
    joining: Vec<RunId>,
    newly_settled: BTreeMap<RequestId, i64>,
    /// Requests whose phase may be over although no run was settled in this unit.
    pub(crate) possibly_over: Vec<RequestId>,
    forget_content: BTreeSet<RequestId>,
}

impl Changes {
    pub(crate) fn new(unit: &Unit, actor: &Actor, catalogue: &Arc<Catalogue>) -> Self {
        Self {
            actor: actor.clone(),
            catalogue: Arc::clone(catalogue),
            now: unit.now(),
            requests: BTreeMap::new(),
            runs: BTreeMap::new(),
            packages: Vec::new(),
            operations: Vec::new(),
            members: Vec::new(),
            work: Vec::new(),
            changed_requests: BTreeSet::new(),
            changed_runs: BTreeSet::new(),
            joining: Vec::new(),
            newly_settled: BTreeMap::new(),
            possibly_over: Vec::new(),
            forget_content: BTreeSet::new(),
        }
    }

    /// Locks requests for change; ids that do not exist are simply not there afterwards.
    pub(crate) async fn lock(
        &mut self,
        unit: &mut Unit,
        ids: impl IntoIterator<Item = RequestId>,
    ) -> Result<(), CaseworkError> {
        let locked = requests::lock(unit.connection(), ids).await?;
        self.requests.extend(locked.into_iter().map(|request| (request.id, request)));
        Ok(())
    }

    /// A request to be changed.
    pub(crate) fn request(&mut self, id: RequestId) -> Result<&mut Request, CaseworkError> {
        self.changed_requests.insert(id);
        self.requests.get_mut(&id).ok_or_else(|| CaseworkError::not_found("request", id))
    }

    /// A run to be changed; its request is locked.
    pub(crate) fn run(&mut self, id: RunId) -> Result<&mut Run, CaseworkError> {
        self.changed_runs.insert(id);
        self.runs.get_mut(&id).ok_or_else(|| CaseworkError::not_found("run", id))
    }

    /// Moves a request along the table; closing sets the outcome and the dates of forgetting.
    pub(crate) fn advance(
        &mut self,
        unit: &mut Unit,
        id: RequestId,
        action: Action,
        outcome: Option<Outcome>,
        particulars: serde_json::Value,
    ) -> Result<RequestState, CaseworkError> {
        let now = self.now;
        self.changed_requests.insert(id);
        let request = self.requests.get_mut(&id).ok_or_else(|| CaseworkError::not_found("request", id))?;
        let from = request.state;
        let to = lifecycle::target(from, action, request.hold)?;
        request.state = to;
        let mut data = json!({"action": action, "from": from, "to": to});
        if let (Some(data), serde_json::Value::Object(more)) = (data.as_object_mut(), particulars) {
            data.extend(more);
        }
        if to == RequestState::Closed {
            let outcome = action.outcome().or(outcome);
            request.outcome = outcome;
            request.closed_at = Some(now);
            request.hold = None;
            let policy = Policy::find(&request.policy)
                .map_err(|unknown| CaseworkError::field("policy", unknown.to_string()))?;
            request.forget_case_at = Some(later(now, Span::new().months(policy.retention_months)));
            if request.right == Right::Deletion {
                self.forget_content.insert(id);
            } else {
                request.forget_content_at = Some(later(now, Span::new().days(policy.content_days)));
            }
            if let Some(data) = data.as_object_mut() {
                data.insert("outcome".to_owned(), json!(outcome));
            }
        }
        let kind = if to == RequestState::Closed { "request.closed" } else { "request.moved" };
        unit.record(Stream::Request(id), &self.actor, kind, id, data);
        Ok(to)
    }

    /// Settles a run or sends it to a person, with the event that says so.
    pub(crate) fn move_run(
        &mut self,
        unit: &mut Unit,
        id: RunId,
        action: RunAction,
        detail: RunDetail,
        particulars: serde_json::Value,
    ) -> Result<(), CaseworkError> {
        let now = self.now;
        let run = self.run(id)?;
        run.status = run::target(run.status, action)?;
        run.next_at = None;
        if run.status.is_settled() {
            run.settled_at = Some(now);
        }
        let (request, settled) = (run.request, run.status.is_settled());
        let mut data = json!({
            "action": action, "status": run.status, "phase": run.phase, "connection": run.connection,
            "detail": detail,
        });
        if let (Some(data), serde_json::Value::Object(more)) = (data.as_object_mut(), particulars) {
            data.extend(more);
        }
        run.detail = detail;
        if settled {
            *self.newly_settled.entry(request).or_default() += 1;
        }
        let kind = match (action, settled) {
            (_, true) => "run.settled",
            (RunAction::Fail, _) => "run.attention",
            _ => "run.moved",
        };
        unit.record(Stream::Request(request), &self.actor, kind, id, data);
        Ok(())
    }

    /// Adds a run that is already counted in its request's `open_runs` if it is open.
    pub(crate) fn add_run(&mut self, run: Run) {
        self.changed_runs.insert(run.id);
        self.runs.insert(run.id, run);
    }

    /// Gives a run the operation that does its part: its own, or the pass over its vendor's data.
    pub(crate) fn open_operation(
        &mut self,
        unit: &Unit,
        kind: OperationKind,
        run: RunId,
    ) -> Result<(), CaseworkError> {
        if kind == OperationKind::Scan {
            self.joining.push(run);
            return Ok(());
        }
        let (connection, due_at) = self.place_of(run)?;
        let id = OperationId::new(unit.environment().unique());
        self.operations.push(Operation {
            id,
            connection,
            kind,
            status: OperationStatus::Intended,
            position: None,
            pass: 0,
            page: 0,
            created_at: self.now,
            finished_at: None,
        });
        self.members.push((id, run));
        self.queue(unit, id, connection, due_at);
        Ok(())
    }

    /// Puts an operation that exists already back to work.
    pub(crate) fn reopen_operation(
        &mut self,
        unit: &Unit,
        operation: OperationId,
        run: RunId,
    ) -> Result<(), CaseworkError> {
        let (connection, due_at) = self.place_of(run)?;
        self.queue(unit, operation, connection, due_at);
        Ok(())
    }

    fn place_of(&self, run: RunId) -> Result<(ConnectionId, Timestamp), CaseworkError> {
        let run = self.runs.get(&run).ok_or_else(|| CaseworkError::not_found("run", run))?;
        let request = self
            .requests
            .get(&run.request)
            .ok_or_else(|| CaseworkError::not_found("request", run.request))?;
        Ok((run.connection, request.due_at))
    }

    fn queue(&mut self, unit: &Unit, operation: OperationId, lane: ConnectionId, due_at: Timestamp) {
        self.work.push(NewDueWork {
            id: DueWorkId::new(unit.environment().unique()),
            kind: DueWorkKind::Operation,
            object: operation.to_string(),
            lane: lane.to_string(),
            due_at,
            next_at: self.now,
        });
    }

    /// A thousand runs of one unit join one pass: it is opened once per connection.
    async fn join_scans(&mut self, unit: &mut Unit) -> Result<(), CaseworkError> {
        let mut waiting: BTreeMap<ConnectionId, (Timestamp, Vec<RunId>)> = BTreeMap::new();
        for run in std::mem::take(&mut self.joining) {
            let (connection, due_at) = self.place_of(run)?;
            let (earliest, runs) = waiting.entry(connection).or_insert_with(|| (due_at, Vec::new()));
            *earliest = due_at.min(*earliest);
            runs.push(run);
        }
        for (connection, (due_at, runs)) in waiting {
            let new = OperationId::new(unit.environment().unique());
            let (scan, opened) = operations::open_scan(unit.connection(), new, connection, self.now).await?;
            self.members.extend(runs.into_iter().map(|run| (scan, run)));
            // A pass that is under way keeps its due work as it is: a wait that its vendor asked for is not cut short
            // by whoever arrives, and its worker, which locks that row before the pass, is not waited for.
            if opened {
                self.queue(unit, scan, connection, due_at);
            }
        }
        Ok(())
    }

    /// Counts runs that a request gets in addition.
    pub(crate) fn expect_runs(&mut self, request: RequestId, runs: i64) {
        *self.newly_settled.entry(request).or_default() -= runs;
    }

    /// Writes everything gathered; the requests whose last open run was settled by it.
    async fn write(&mut self, unit: &mut Unit) -> Result<Vec<RequestId>, CaseworkError> {
        self.join_scans(unit).await?;
        let changed = std::mem::take(&mut self.changed_requests);
        let changed = changed.iter().filter_map(|id| self.requests.get(id));
        requests::save(unit.connection(), changed).await?;
        let changed = std::mem::take(&mut self.changed_runs);
        runs::save(unit.connection(), changed.iter().filter_map(|id| self.runs.get(id))).await?;
        operations::insert(unit.connection(), &std::mem::take(&mut self.operations)).await?;
        operations::join(unit.connection(), std::mem::take(&mut self.members)).await?;
        due_work::insert(unit.connection(), &std::mem::take(&mut self.work)).await?;
        records::save_packages(unit.connection(), &std::mem::take(&mut self.packages), self.now).await?;
        forgetting::destroy_content(unit, std::mem::take(&mut self.forget_content)).await?;
        let settled = std::mem::take(&mut self.newly_settled);
        let finished = requests::settle(unit.connection(), settled).await?;
        Ok(finished.into_iter().filter(|(_, open)| *open == 0).map(|(id, _)| id).collect())
    }

    /// Writes everything and moves on every request whose phase is over, until nothing moves any more.
    pub(crate) async fn finish(mut self, unit: &mut Unit) -> Result<(), CaseworkError> {
        loop {
            // A request without anything to wait for is named by both: its phase ends once.
            let mut over = BTreeSet::from_iter(self.write(unit).await?);
            over.extend(std::mem::take(&mut self.possibly_over));
            if over.is_empty() {
                return Ok(());
            }
            self.conclude(unit, over.into_iter().collect()).await?;
        }
    }
}

fn later(from: Timestamp, span: Span) -> Timestamp {
    from.in_tz("UTC")
        .and_then(|zoned| zoned.checked_add(span))
        .map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}
