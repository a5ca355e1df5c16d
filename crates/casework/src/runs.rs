//! What people do to runs: try again, leave out, break off.

use habeas_domain::moment::after;
use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::run::{RunAction, RunDetail};
use habeas_domain::{Actor, Phase, RequestId, RunId};
use habeas_store::operations::Operation;
use habeas_store::{KeyPurpose, Unit, data_keys, due_work, operations, records, runs};
use serde_json::json;

use crate::Casework;
use crate::changes::Changes;
use crate::details;
use crate::error::CaseworkError;
use crate::phases::{erase_operation, resumed_operation};
use crate::work;

impl Casework {
    /// Tries a run again, now.
    ///
    /// # Errors
    /// If the run is settled, or the request is on hold.
    pub async fn retry_run(&self, actor: &Actor, id: RequestId, run: RunId) -> Result<(), CaseworkError> {
        self.on_request(actor, id, move |unit, changes| {
            Box::pin(async move {
                changes.refuse_under_hold(id)?;
                changes.load_run(unit, id, run).await?;
                changes.retry(unit, run).await
            })
        })
        .await
    }

    /// Goes on without a run's system, with a reason.
    ///
    /// # Errors
    /// If the run is settled.
    pub async fn skip_run(
        &self,
        actor: &Actor,
        id: RequestId,
        run: RunId,
        reason: String,
    ) -> Result<(), CaseworkError> {
        self.give_up_run(actor, id, run, RunAction::Skip, reason).await
    }

    /// Breaks a run off, with a reason.
    ///
    /// # Errors
    /// If the run is settled.
    pub async fn stop_run(
        &self,
        actor: &Actor,
        id: RequestId,
        run: RunId,
        reason: String,
    ) -> Result<(), CaseworkError> {
        self.give_up_run(actor, id, run, RunAction::Stop, reason).await
    }

    async fn give_up_run(
        &self,
        actor: &Actor,
        id: RequestId,
        run: RunId,
        action: RunAction,
        reason: String,
    ) -> Result<(), CaseworkError> {
        let reason = reason.trim().to_owned();
        if reason.is_empty() {
            return Err(CaseworkError::field(
                "reason",
                "is empty; say why, for whoever reads the case later",
            ));
        }
        self.on_request(actor, id, move |unit, changes| {
            Box::pin(async move {
                changes.load_run(unit, id, run).await?;
                changes.give_up(unit, id, run, action, &reason).await
            })
        })
        .await
    }
}

impl Changes {
    /// Skips or stops a loaded run, with a reason that is kept with it.
    pub(crate) async fn give_up(
        &mut self,
        unit: &mut Unit,
        id: RequestId,
        run: RunId,
        action: RunAction,
        reason: &String,
    ) -> Result<(), CaseworkError> {
        let keyring = unit.keyring();
        let key = data_keys::load_one(unit.connection(), &keyring, id, KeyPurpose::Case).await?;
        self.run(run)?.note = Some(details::seal(unit, &key, &run, reason)?);
        self.detach(unit, vec![run]).await?;
        let actor = self.actor.name.clone();
        let detail = if action == RunAction::Skip {
            RunDetail::SkippedBy { actor }
        } else {
            RunDetail::StoppedBy { actor }
        };
        self.move_run(unit, run, action, detail, json!({}))
    }

    pub(crate) fn refuse_under_hold(&self, id: RequestId) -> Result<(), CaseworkError> {
        match self.requests.get(&id).and_then(|request| request.hold) {
            Some(reason) => Err(CaseworkError::field(
                "hold",
                format!("lies on the request ({reason}), so nothing may be sent; resume it first"),
            )),
            None => Ok(()),
        }
    }

    pub(crate) async fn load_run(
        &mut self,
        unit: &mut Unit,
        request: RequestId,
        run: RunId,
    ) -> Result<(), CaseworkError> {
        let found = runs::by_ids(unit.connection(), [run]).await?;
        match found.into_iter().find(|found| found.request == request) {
            Some(found) => {
                self.runs.insert(run, found);
                Ok(())
            }
            None => Err(CaseworkError::not_found("run", run)),
        }
    }

    /// Takes runs out of the operations that serve them, for good. One of their own ends; what a worker that holds it
    /// writes later finds no due work and changes nothing.
    pub(crate) async fn detach(&mut self, unit: &mut Unit, runs: Vec<RunId>) -> Result<(), CaseworkError> {
        let serving = operations::serving(unit.connection(), runs.iter().copied()).await?;
        let own: Vec<_> = serving
            .iter()
            .filter(|(_, kind, _, _)| !kind.is_shared())
            .map(|(operation, _, _, _)| *operation)
            .collect();
        due_work::remove(unit.connection(), own.iter().copied()).await?;
        operations::end(unit.connection(), own, self.now).await?;
        // By run: a worker that cuts a deletion to size may be moving them to another operation at this moment.
        operations::leave_all(unit.connection(), runs).await?;
        Ok(())
    }

    /// Stops the work on runs for the time of a hold: they leave what they share, and keep what is their own, with the
    /// vendor's job and the time that a contact has.
    pub(crate) async fn pause(&mut self, unit: &mut Unit, runs: Vec<RunId>) -> Result<(), CaseworkError> {
        let serving = operations::serving(unit.connection(), runs).await?;
        let (shared, own): (Vec<_>, Vec<_>) =
            serving.into_iter().partition(|(_, kind, _, _)| kind.is_shared());
        due_work::remove(unit.connection(), own.into_iter().map(|(operation, ..)| operation)).await?;
        let leaving = shared.into_iter().map(|(operation, _, _, run)| (operation, run));
        operations::leave(unit.connection(), leaving).await?;
        Ok(())
    }

    /// Goes on with a run after a hold, where it was.
    pub(crate) async fn go_on(&mut self, unit: &mut Unit, id: RunId) -> Result<(), CaseworkError> {
        let serving = operations::serving(unit.connection(), [id]).await?;
        let Some((operation, kind, _, _)) = serving.first().copied() else {
            let kind = self.operation_for_retry(unit, id).await?;
            return self.open_operation(unit, kind, id);
        };
        if kind == OperationKind::Contact {
            let waiting = operations::lock(unit.connection(), [operation]).await?.pop();
            self.profiles(unit).await?;
            let waiting = self.wait_further(unit, id, waiting)?;
            operations::save(unit.connection(), [&waiting]).await?;
            return Ok(());
        }
        self.reopen_operation(unit, operation, id)
    }

    /// Puts a run back to work. A deletion goes on with the operation it had, so that what may have been sent is
    /// asked about before anything is sent again.
    pub(crate) async fn retry(&mut self, unit: &mut Unit, id: RunId) -> Result<(), CaseworkError> {
        let due = self.run(id)?.next_at;
        self.move_run(unit, id, RunAction::Retry, RunDetail::Queued, json!({}))?;
        let run = self.run(id)?;
        run.failure = None;
        run.attempts = 0;
        let serving = operations::serving(unit.connection(), [id]).await?;
        let Some((operation, kind, status, _)) = serving.first().copied() else {
            let kind = self.operation_for_retry(unit, id).await?;
            return self.open_operation(unit, kind, id);
        };
        // One that has not failed may be in a worker's hands, who locks its due work first: it is not locked here, and
        // only comes sooner.
        if kind == OperationKind::Erase && status == OperationStatus::Accepted {
            self.run(id)?.detail = RunDetail::Submitted;
            return self.follow(id, self.now);
        }
        // Asked sooner, the vendor might not show yet what it has, and would be sent it again.
        if let (OperationKind::Erase, OperationStatus::Unknown, Some(at)) = (kind, status, due) {
            let run = self.run(id)?;
            (run.detail, run.next_at) = (RunDetail::Reconciling { at }, Some(at));
            return Ok(());
        }
        if status != OperationStatus::Failed && kind != OperationKind::Contact {
            return self.reopen_operation(unit, operation, id);
        }
        let operation = operations::lock(unit.connection(), [operation]).await?.pop();
        let mut operation = operation.ok_or(habeas_store::StoreError::UnitBroken)?;
        match kind {
            OperationKind::Contact => self.ask_contact_again(unit, id, &operation).await,
            OperationKind::Erase => self.retry_erasure(unit, id, operation).await,
            // The deletion was reported as done and was not: asking for it again is what helps.
            OperationKind::Verify if work::is_still_held(&operation) => {
                operations::leave(unit.connection(), [(operation.id, id)]).await?;
                self.open_operation(unit, OperationKind::Erase, id)
            }
            _ => {
                self.reopen(&mut operation);
                operations::save(unit.connection(), [&operation]).await?;
                self.reopen_operation(unit, operation.id, id)
            }
        }
    }

    /// The run's part of a deletion that failed, maybe for several, goes on by itself.
    async fn retry_erasure(
        &mut self,
        unit: &mut Unit,
        id: RunId,
        failed: Operation,
    ) -> Result<(), CaseworkError> {
        let mut own = self.split_off(unit, &failed, &[id]).await?;
        self.reopen(&mut own);
        let now = self.now;
        match own.status {
            OperationStatus::Accepted => {
                self.add_split(unit, own, &[id], None)?;
                self.run(id)?.detail = RunDetail::Submitted;
                self.follow(id, now)
            }
            OperationStatus::Unknown => {
                // For the same reason not at once.
                let profiles = self.profiles(unit).await?;
                let lag = profiles.get(own.connection)?.manifest.retry_max;
                let at = failed.finished_at.map_or(now, |failed| after(failed, lag)).max(now);
                self.run(id)?.next_at = Some(at);
                self.add_split(unit, own, &[id], Some(at))
            }
            _ => self.add_split(unit, own, &[id], Some(now)),
        }
    }

    fn reopen(&self, operation: &mut Operation) {
        operation.finished_at = None;
        operation.status = if operation.job.is_some() {
            // The vendor has it: it gets its whole time again.
            (operation.accepted_at, operation.sent_at) = (Some(self.now), Some(self.now));
            OperationStatus::Accepted
        } else if operation.kind == OperationKind::Erase && operation.sent_at.is_none() {
            OperationStatus::Intended
        } else if operation.kind.has_effect() {
            // Another export is begun; only a deletion asks about the time when it was sent.
            if operation.kind == OperationKind::Export {
                operation.sent_at = None;
            }
            OperationStatus::Unknown
        } else {
            OperationStatus::Intended
        };
    }

    /// What a run whose operations are all over does when it is tried again.
    async fn operation_for_retry(
        &mut self,
        unit: &mut Unit,
        id: RunId,
    ) -> Result<OperationKind, CaseworkError> {
        let profiles = self.profiles(unit).await?;
        let run = self.run(id)?.clone();
        if run.phase == Phase::Collect {
            let right = self.request(run.request)?.right;
            return resumed_operation(&profiles, &run, right);
        }
        if erase_operation(&profiles, run.connection)? == OperationKind::Erase {
            return Ok(OperationKind::Erase);
        }
        // The deletion was confirmed. What the proof found all the same is deleted again; if only the pass failed, it
        // alone is repeated.
        let collected = runs::of_requests(unit.connection(), [run.request]).await?;
        let here = collected.into_iter().filter(|one| one.connection == run.connection).map(|one| one.id);
        Ok(match records::reopen_leftovers(unit.connection(), here).await? {
            0 => OperationKind::Scan,
            _ => OperationKind::DeleteRecords,
        })
    }
}
