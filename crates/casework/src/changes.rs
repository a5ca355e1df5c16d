//! What a unit is about to write, gathered so that a thousand requests cost as many statements as one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use habeas_domain::lifecycle::{self, Action, Outcome, RequestState};
use habeas_domain::operation::OperationKind;
use habeas_domain::policy::Policy;
use habeas_domain::run::{RunAction, RunDetail};
use habeas_domain::{Actor, ConnectionId, DueWorkId, OperationId, RequestId, Right, RunId, run};
use habeas_store::Unit;
use habeas_store::audit::Stream;
use habeas_store::counts::Counted;
use habeas_store::due_work::{self, DueWorkKind, NewDueWork};
use habeas_store::links::{self, Link};
use habeas_store::operations::{self, Operation};
use habeas_store::packages::{self, Package};
use habeas_store::requests::{self, Request};
use habeas_store::runs::{self, Run};
use jiff::{Span, Timestamp};
use serde_json::json;

use crate::Rules;
use crate::contacts::{CONTACT_LANE, Waiting};
use crate::error::CaseworkError;
use crate::forgetting;
use crate::lanes::{BULK, Lane};
use crate::letters::Letter;
use crate::profiles::Profiles;

/// Pending writes of one unit, and what it knows of the cases it changes.
pub(crate) struct Changes {
    pub(crate) actor: Actor,
    pub(crate) rules: Arc<Rules>,
    pub(crate) now: Timestamp,
    pub(crate) requests: BTreeMap<RequestId, Request>,
    pub(crate) runs: BTreeMap<RunId, Run>,
    pub(crate) packages: Vec<Package>,
    pub(crate) links: Vec<Link>,
    pub(crate) letters: Vec<Letter>,
    profiles: Option<Arc<Profiles>>,
    operations: Vec<Operation>,
    members: Vec<(OperationId, RunId)>,
    pub(crate) work: Vec<NewDueWork>,
    /// Connections whose jobs are to be looked at: when, and the nearest legal due date behind them.
    following: BTreeMap<ConnectionId, (Timestamp, Timestamp)>,
    changed_requests: BTreeSet<RequestId>,
    changed_runs: BTreeSet<RunId>,
    joining_passes: Vec<RunId>,
    joining_erasures: Vec<RunId>,
    newly_settled: BTreeMap<RequestId, i64>,
    /// Requests whose phase may be over although no run was settled in this unit.
    pub(crate) possibly_over: Vec<RequestId>,
    forget_content: BTreeSet<RequestId>,
}

impl Changes {
    pub(crate) fn new(unit: &Unit, actor: &Actor, rules: &Arc<Rules>) -> Self {
        Self {
            actor: actor.clone(),
            rules: Arc::clone(rules),
            now: unit.now(),
            requests: BTreeMap::new(),
            runs: BTreeMap::new(),
            packages: Vec::new(),
            links: Vec::new(),
            letters: Vec::new(),
            profiles: None,
            operations: Vec::new(),
            members: Vec::new(),
            work: Vec::new(),
            following: BTreeMap::new(),
            changed_requests: BTreeSet::new(),
            changed_runs: BTreeSet::new(),
            joining_passes: Vec::new(),
            joining_erasures: Vec::new(),
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

    /// Every connection, loaded once per unit.
    pub(crate) async fn profiles(&mut self, unit: &mut Unit) -> Result<Arc<Profiles>, CaseworkError> {
        if self.profiles.is_none() {
            let loaded = Profiles::load(unit.connection(), &self.rules.catalogue).await?;
            self.profiles = Some(Arc::new(loaded));
        }
        self.loaded_profiles()
    }

    /// Every connection, after [`Changes::profiles`].
    pub(crate) fn loaded_profiles(&self) -> Result<Arc<Profiles>, CaseworkError> {
        self.profiles.clone().ok_or_else(|| habeas_store::StoreError::UnitBroken.into())
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
        let to = lifecycle::target(request.standing(), action)?;
        request.state = to;
        unit.count(Some(Counted::Request(from)), Counted::Request(to));
        if from == RequestState::Closed {
            // Whoever was late is there after all.
            (request.outcome, request.closed_at) = (None, None);
            (request.forget_content_at, request.forget_case_at) = (None, None);
        }
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

    /// The end of the last day on which a request may be answered.
    pub(crate) fn due_at(&self, id: RequestId) -> Result<Timestamp, CaseworkError> {
        let request = self.requests.get(&id).ok_or_else(|| CaseworkError::not_found("request", id))?;
        Ok(request.due_at)
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
        let from = run.status;
        run.status = run::target(from, action)?;
        unit.count(Some(Counted::Run(from)), Counted::Run(run.status));
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
    pub(crate) fn add_run(&mut self, unit: &mut Unit, run: Run) {
        unit.count(None, Counted::Run(run.status));
        self.changed_runs.insert(run.id);
        self.runs.insert(run.id, run);
    }

    /// Gives a run the operation that does its part: its own, the pass over its vendor's data, or the deletion that
    /// gathers at its connection.
    pub(crate) fn open_operation(
        &mut self,
        unit: &mut Unit,
        kind: OperationKind,
        run: RunId,
    ) -> Result<(), CaseworkError> {
        match kind {
            OperationKind::Scan => self.joining_passes.push(run),
            OperationKind::Erase => self.joining_erasures.push(run),
            OperationKind::Contact => self.ask_contact(unit, run)?,
            _ => {
                let (connection, due_at) = self.place_of(run)?;
                let id = self.add_operation(unit, connection, kind);
                self.members.push((id, run));
                let lane = Lane::Operations { connection, bulk: self.is_bulk(run) };
                self.queue(unit, id, lane, due_at, self.now);
            }
        }
        Ok(())
    }

    fn add_operation(&mut self, unit: &Unit, connection: ConnectionId, kind: OperationKind) -> OperationId {
        let id = OperationId::new(unit.environment().unique());
        self.operations.push(Operation::new(id, connection, kind, self.now));
        id
    }

    /// Adds an operation that serves one run from a time on, in a lane of its own.
    pub(crate) fn add_waiting(
        &mut self,
        unit: &Unit,
        run: RunId,
        waiting: Waiting,
    ) -> Result<(), CaseworkError> {
        let (connection, _) = self.place_of(run)?;
        let id = self.add_operation(unit, connection, OperationKind::Contact);
        if let Some(added) = self.operations.last_mut() {
            added.position = Some(waiting.position);
        }
        self.members.push((id, run));
        self.queue_contact(unit, run, id, waiting.next_at)
    }

    /// Has a contact reminded, or given up, at a time.
    pub(crate) fn queue_contact(
        &mut self,
        unit: &Unit,
        run: RunId,
        operation: OperationId,
        next_at: Timestamp,
    ) -> Result<(), CaseworkError> {
        let (_, due_at) = self.place_of(run)?;
        self.work.push(NewDueWork {
            id: DueWorkId::new(unit.environment().unique()),
            kind: DueWorkKind::Contact,
            object: operation.to_string(),
            lane: CONTACT_LANE.to_owned(),
            due_at,
            next_at,
        });
        Ok(())
    }

    /// Adds an operation that takes over some of another one's runs, and moves them.
    pub(crate) async fn split_off(
        &mut self,
        unit: &mut Unit,
        from: &Operation,
        runs: &[RunId],
    ) -> Result<Operation, CaseworkError> {
        let id = OperationId::new(unit.environment().unique());
        // What it carries is counted where it is accepted, once.
        let split = Operation { id, identifiers: 0, ..from.clone() };
        operations::transfer(unit.connection(), from.id, id, runs.iter().copied()).await?;
        Ok(split)
    }

    /// Adds an operation that [`Changes::split_off`] made, after whatever came of it; with due work if it goes on.
    pub(crate) fn add_split(
        &mut self,
        unit: &Unit,
        split: Operation,
        runs: &[RunId],
        next_at: Option<Timestamp>,
    ) -> Result<(), CaseworkError> {
        if let Some(next_at) = next_at {
            let mut due_at = Timestamp::MAX;
            for run in runs {
                due_at = due_at.min(self.place_of(*run)?.1);
            }
            let bulk = split.kind != OperationKind::Erase && runs.iter().all(|run| self.is_bulk(*run));
            let lane = Lane::Operations { connection: split.connection, bulk };
            self.queue(unit, split.id, lane, due_at, next_at);
        }
        self.operations.push(split);
        Ok(())
    }

    /// Has the jobs of a run's connection looked at, not later than `look_at`.
    pub(crate) fn follow(&mut self, run: RunId, look_at: Timestamp) -> Result<(), CaseworkError> {
        let (connection, due_at) = self.place_of(run)?;
        let (look, due) = self.following.entry(connection).or_insert((look_at, due_at));
        (*look, *due) = (look_at.min(*look), due_at.min(*due));
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
        // A person acts on it: it goes before what came by the thousand.
        self.queue(unit, operation, Lane::of(connection), due_at, self.now);
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

    /// Whether the run's request came many at a time.
    fn is_bulk(&self, run: RunId) -> bool {
        let request = self.runs.get(&run).and_then(|run| self.requests.get(&run.request));
        request.is_some_and(|request| request.source == BULK)
    }

    fn queue(
        &mut self,
        unit: &Unit,
        operation: OperationId,
        lane: Lane,
        due_at: Timestamp,
        next_at: Timestamp,
    ) {
        self.work.push(NewDueWork {
            id: DueWorkId::new(unit.environment().unique()),
            kind: DueWorkKind::Operation,
            object: operation.to_string(),
            lane: lane.to_string(),
            due_at,
            next_at,
        });
    }

    /// Groups runs by connection, each group with its nearest legal due date.
    fn by_connection(
        &self,
        runs: Vec<RunId>,
    ) -> Result<BTreeMap<ConnectionId, (Timestamp, Vec<RunId>)>, CaseworkError> {
        let mut groups: BTreeMap<ConnectionId, (Timestamp, Vec<RunId>)> = BTreeMap::new();
        for run in runs {
            let (connection, due_at) = self.place_of(run)?;
            let (earliest, runs) = groups.entry(connection).or_insert_with(|| (due_at, Vec::new()));
            *earliest = due_at.min(*earliest);
            runs.push(run);
        }
        Ok(groups)
    }

    /// A thousand runs of one unit join one pass: it is opened once per connection.
    async fn join_passes(&mut self, unit: &mut Unit) -> Result<(), CaseworkError> {
        let joining = std::mem::take(&mut self.joining_passes);
        for (connection, (due_at, runs)) in self.by_connection(joining)? {
            let id = OperationId::new(unit.environment().unique());
            let (scan, opened) = operations::open_scan(unit.connection(), id, connection, self.now).await?;
            self.members.extend(runs.into_iter().map(|run| (scan, run)));
            // A pass that is under way keeps its due work as it is: a wait that its vendor asked for is not cut short
            // by whoever arrives, and its worker, which locks that row before the pass, is not waited for.
            if opened {
                self.queue(unit, scan, Lane::of(connection), due_at, self.now);
            }
        }
        Ok(())
    }

    /// What is to be deleted at one connection goes out together: it joins the deletion that waits for its turn there,
    /// or opens one. How much of it fits into one call is decided when it is taken up.
    async fn join_erasures(&mut self, unit: &mut Unit) -> Result<(), CaseworkError> {
        let joining = std::mem::take(&mut self.joining_erasures);
        for (connection, (due_at, runs)) in self.by_connection(joining)? {
            let gathering = operations::gathering(unit.connection(), connection).await?;
            let operation = match gathering {
                Some(operation) => operation,
                None => {
                    let opened = self.add_operation(unit, connection, OperationKind::Erase);
                    self.queue(unit, opened, Lane::of(connection), due_at, self.now);
                    opened
                }
            };
            self.members.extend(runs.into_iter().map(|run| (operation, run)));
        }
        Ok(())
    }

    async fn plan_looks(&mut self, unit: &mut Unit) -> Result<(), CaseworkError> {
        for (connection, (look_at, due_at)) in std::mem::take(&mut self.following) {
            let id = OperationId::new(unit.environment().unique());
            let following = operations::following(unit.connection(), id, connection, self.now).await?;
            // A look that is planned already comes sooner if need be, never later. Whoever looks at this moment holds
            // that row: it is there, or it is put there again.
            self.queue(unit, following, Lane::of(connection), due_at, look_at);
        }
        Ok(())
    }

    /// Counts runs that a request gets in addition.
    pub(crate) fn expect_runs(&mut self, request: RequestId, runs: i64) {
        *self.newly_settled.entry(request).or_default() -= runs;
    }

    /// Writes everything gathered; the requests whose last open run was settled by it.
    async fn write(&mut self, unit: &mut Unit) -> Result<Vec<RequestId>, CaseworkError> {
        self.join_passes(unit).await?;
        self.join_erasures(unit).await?;
        self.plan_looks(unit).await?;
        let changed = std::mem::take(&mut self.changed_requests);
        let changed = changed.iter().filter_map(|id| self.requests.get(id));
        requests::save(unit.connection(), changed).await?;
        let changed = std::mem::take(&mut self.changed_runs);
        runs::save(unit.connection(), changed.iter().filter_map(|id| self.runs.get(id))).await?;
        operations::insert(unit.connection(), &std::mem::take(&mut self.operations)).await?;
        operations::join(unit.connection(), std::mem::take(&mut self.members)).await?;
        links::insert(unit.connection(), &std::mem::take(&mut self.links)).await?;
        self.write_letters(unit).await?;
        due_work::insert(unit.connection(), &std::mem::take(&mut self.work)).await?;
        packages::save(unit.connection(), &std::mem::take(&mut self.packages)).await?;
        if !self.forget_content.is_empty() {
            self.rules.forgotten.store(true, Ordering::SeqCst);
        }
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
