//! What people do to requests.

use std::collections::BTreeSet;
use std::sync::Arc;

use habeas_domain::legal_clock::{HolidayCalendar, LegalClock};
use habeas_domain::lifecycle::{self, Action, RequestState};
use habeas_domain::plan;
use habeas_domain::policy::Policy;
use habeas_domain::reason::{Acknowledgement, DenialReason, HoldReason, Relationship};
use habeas_domain::run::{RunAction, RunDetail};
use habeas_domain::settlement;
use habeas_domain::{Actor, Permission, Phase, RecordId, RequestId, Right, RunId, RunStatus};
use habeas_store::audit::Stream;
use habeas_store::requests;
use habeas_store::runs::{self, Run};
use habeas_store::{KeyPurpose, Unit, data_keys, links, mails, records};
use serde_json::json;

use crate::Casework;
use crate::changes::Changes;
use crate::details::{self, RequestDetails, RunFailure};
use crate::error::{CaseworkError, FieldError};
use crate::intake::{GivenIdentifier, accept_identifiers, end_of};
use crate::letters::Body;
use crate::links::Purpose;
use crate::phases::{any_unverified, kinds};

/// What a person decides when starting a request in triage.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Another policy than the one it came with.
    pub policy: Option<String>,
    /// Another right.
    pub right: Option<Right>,
    /// In which role the company holds the data.
    pub relationship: Option<Relationship>,
    /// Identifiers in place of those it came with.
    pub identifiers: Option<Vec<GivenIdentifier>>,
}

impl Casework {
    /// Runs `work` on one locked request and writes what it changed.
    pub(crate) async fn on_request<W>(
        &self,
        actor: &Actor,
        id: RequestId,
        work: W,
    ) -> Result<(), CaseworkError>
    where
        W: for<'w> FnOnce(
                &'w mut Unit,
                &'w mut Changes,
            ) -> futures::future::BoxFuture<'w, Result<(), CaseworkError>>
            + Send
            + 'static,
    {
        actor.require(Permission::WorkOnRequests)?;
        let (actor, rules) = (actor.clone(), Arc::clone(&self.rules));
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &actor, &rules);
                    changes.lock(unit, [id]).await?;
                    if changes.requests.is_empty() {
                        return Err(CaseworkError::not_found("request", id));
                    }
                    work(unit, &mut changes).await?;
                    changes.finish(unit).await
                })
            })
            .await?;
        self.announce_work();
        Ok(())
    }

    /// Ends triage: policy, right and identifiers are confirmed, and the systems are asked.
    ///
    /// # Errors
    /// If the request is not in triage, or no plan can be made.
    pub async fn start(&self, actor: &Actor, id: RequestId, start: Start) -> Result<(), CaseworkError> {
        let zone = self.rules.settings.time_zone.clone();
        self.on_request(actor, id, move |unit, changes| {
            Box::pin(async move {
                let keyring = unit.keyring();
                let key = data_keys::load_one(unit.connection(), &keyring, id, KeyPurpose::Case).await?;
                let request = changes.request(id)?;
                let mut details: RequestDetails = details::open(&key, &id, &request.details)?;
                let mut errors = Vec::new();
                if let Some(right) = start.right {
                    request.right = right;
                }
                if let Some(policy) = &start.policy {
                    request.policy.clone_from(policy);
                }
                if start.relationship.is_some() {
                    request.relationship = start.relationship;
                }
                match Policy::find(&request.policy) {
                    Ok(policy) if policy.grants(request.right) => {
                        if let Some(clock) = LegalClock::in_force(policy.clock, request.received_on) {
                            let deadlines = clock.deadlines(request.received_on, &HolidayCalendar::default());
                            request.clock_key = clock.key.to_owned();
                            request.clock_version = i64::from(clock.version);
                            request.due_on = deadlines.due_on;
                            request.due_at = end_of(deadlines.due_on, &zone);
                            request.acknowledge_due_on = deadlines.acknowledge_due_on;
                            request.cutoff_on = deadlines.cutoff_on;
                        }
                    }
                    Ok(policy) => errors.push(FieldError::new(
                        "right",
                        format!("`{}` is not a right under the policy `{}`", request.right, policy.key),
                    )),
                    Err(unknown) => errors.push(FieldError::new("policy", unknown.to_string())),
                }
                let (right, actor) = (request.right, changes.actor.clone());
                if let Some(given) = &start.identifiers {
                    details.identifiers = accept_identifiers(&actor, given, &mut errors);
                    let lookups: Vec<_> = details
                        .identifiers
                        .iter()
                        .map(|one| (id, one.kind, keyring.lookup(one.kind, &one.value)))
                        .collect();
                    requests::delete_identifiers(unit.connection(), [id]).await?;
                    requests::insert_identifiers(unit.connection(), lookups).await?;
                }
                if !errors.is_empty() {
                    return Err(CaseworkError::Validation(errors));
                }
                let profiles = changes.profiles(unit).await?;
                let planned = plan::collect(right, &profiles.participants(), &kinds(&details.identifiers))?;
                let request = changes.request(id)?;
                request.unverified = any_unverified(&details.identifiers);
                request.details = details::seal(unit, &key, &id, &details)?;
                changes.advance(
                    unit,
                    id,
                    Action::Start,
                    None,
                    json!({"runs": planned.len(), "right": right}),
                )?;
                let open_runs = changes.begin_collecting(unit, &profiles, id, &planned)?;
                changes.expect_runs(id, open_runs);
                Ok(())
            })
        })
        .await
    }

    /// Ends the review: the package is built, or the systems delete what was left selected. What is acknowledged may
    /// also come later, for runs that wait for it while the request is being erased.
    ///
    /// # Errors
    /// If the request is not in review, and no run waits for what is acknowledged.
    pub async fn process(
        &self,
        actor: &Actor,
        id: RequestId,
        acknowledged: BTreeSet<Acknowledgement>,
    ) -> Result<(), CaseworkError> {
        self.on_request(actor, id, move |unit, changes| {
            Box::pin(async move {
                let request = changes.request(id)?;
                let (state, standing, right) = (request.state, request.standing(), request.right);
                if right.delivers() && !acknowledged.is_empty() {
                    return Err(CaseworkError::field("acknowledge", "is for deletions; leave it out"));
                }
                changes.load_runs(unit, id).await?;
                let waiting = if state == RequestState::Erasing {
                    changes.waiting_for(unit, id, &acknowledged).await?
                } else {
                    Vec::new()
                };
                if waiting.is_empty() {
                    // Asked first so that the refusal comes before any work.
                    lifecycle::target(standing, settlement::after_review(right))?;
                }
                if !acknowledged.is_empty() {
                    let words = acknowledged.iter().map(|word| word.as_str().to_owned());
                    let words: BTreeSet<String> = words.collect();
                    let data = json!({"acknowledge": words});
                    unit.record(Stream::Request(id), &changes.actor, "request.acknowledged", id, data);
                    changes.edit_details(unit, id, |details| details.acknowledged.extend(words)).await?;
                }
                if waiting.is_empty() {
                    return changes.process(unit, vec![id]).await;
                }
                for run in waiting {
                    changes.retry(unit, run).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Refuses the request with a reason from the law's catalogue. Work under way is broken off.
    ///
    /// # Errors
    /// If the request cannot be refused now.
    pub async fn deny(
        &self,
        actor: &Actor,
        id: RequestId,
        reason: DenialReason,
        text: Option<String>,
        notify: bool,
    ) -> Result<(), CaseworkError> {
        self.on_request(actor, id, move |unit, changes| {
            Box::pin(async move {
                changes.advance(unit, id, Action::Deny, None, json!({"reason_code": reason}))?;
                if text.is_some() {
                    let text = text.clone();
                    changes.edit_details(unit, id, |details| details.denial_text = text).await?;
                }
                if notify {
                    changes.tell_subject(id, Body::Denied { reason, text });
                }
                changes.break_off(unit, id).await
            })
        })
        .await
    }

    /// The subject takes the request back. Work under way is broken off.
    ///
    /// # Errors
    /// If it is too late.
    pub async fn withdraw(&self, actor: &Actor, id: RequestId) -> Result<(), CaseworkError> {
        self.on_request(actor, id, move |unit, changes| {
            Box::pin(async move {
                changes.advance(unit, id, Action::Withdraw, None, json!({}))?;
                // The links in the subject's mails lead nowhere from now on.
                for purpose in [Purpose::Verify, Purpose::Download] {
                    links::use_up(unit.connection(), purpose.as_str(), (id, None), changes.now).await?;
                }
                changes.break_off(unit, id).await
            })
        })
        .await
    }

    /// Lays a hold: nothing is sent while it lies.
    ///
    /// # Errors
    /// If the request cannot be held now.
    pub async fn hold(
        &self,
        actor: &Actor,
        id: RequestId,
        reason: HoldReason,
        note: Option<String>,
    ) -> Result<(), CaseworkError> {
        self.on_request(actor, id, move |unit, changes| {
            Box::pin(async move {
                changes.advance(unit, id, Action::Hold, None, json!({"reason": reason}))?;
                changes.request(id)?.hold = Some(reason);
                changes.edit_details(unit, id, |details| details.hold_note = note).await?;
                changes.load_runs(unit, id).await?;
                let open = changes.open_run_ids(id);
                changes.pause(unit, open.clone()).await?;
                for run in open {
                    let held = changes.run(run)?;
                    (held.detail, held.next_at) = (RunDetail::Held, None);
                }
                Ok(())
            })
        })
        .await
    }

    /// Lifts the hold; work goes on where it was.
    ///
    /// # Errors
    /// If there is no hold.
    pub async fn resume(&self, actor: &Actor, id: RequestId) -> Result<(), CaseworkError> {
        self.on_request(actor, id, move |unit, changes| {
            Box::pin(async move {
                changes.advance(unit, id, Action::Resume, None, json!({}))?;
                changes.request(id)?.hold = None;
                if changes.request(id)?.state != RequestState::Collecting {
                    return Ok(());
                }
                changes.profiles(unit).await?;
                changes.load_runs(unit, id).await?;
                for run in changes.open_run_ids(id) {
                    changes.run(run)?.detail = RunDetail::Queued;
                    changes.go_on(unit, run).await?;
                }
                // Everything may have been settled before the hold was laid.
                changes.possibly_over.push(id);
                Ok(())
            })
        })
        .await
    }

    /// Sets whether a record is part of what is delivered or deleted.
    ///
    /// # Errors
    /// If the request is not in review or has no such record.
    pub async fn select_record(
        &self,
        actor: &Actor,
        id: RequestId,
        record: RecordId,
        selected: bool,
        exception: Option<DenialReason>,
    ) -> Result<(), CaseworkError> {
        if selected && exception.is_some() {
            return Err(CaseworkError::field(
                "exception",
                "explains why a record is left out; it is selected",
            ));
        }
        self.on_request(actor, id, move |unit, changes| {
            Box::pin(async move {
                changes.require_review(id)?;
                let exception = exception.map(DenialReason::as_str);
                let found = records::select(unit.connection(), id, record, selected, exception).await?;
                if !found {
                    return Err(CaseworkError::not_found("record", record));
                }
                let data = json!({"selected": selected, "exception": exception});
                unit.record(Stream::Request(id), &changes.actor, "record.selected", record, data);
                Ok(())
            })
        })
        .await
    }

    /// Sets whether a whole connection is part of what is delivered or deleted.
    ///
    /// # Errors
    /// If the request is not in review or has no such run.
    pub async fn select_run(
        &self,
        actor: &Actor,
        id: RequestId,
        run: RunId,
        selected: bool,
    ) -> Result<(), CaseworkError> {
        self.on_request(actor, id, move |unit, changes| {
            Box::pin(async move {
                changes.require_review(id)?;
                changes.load_run(unit, id, run).await?;
                let found = changes.run(run)?;
                if found.phase != Phase::Collect {
                    return Err(CaseworkError::not_found("run", run));
                }
                found.selected = selected;
                let data = json!({"selected": selected});
                unit.record(Stream::Request(id), &changes.actor, "run.selected", run, data);
                Ok(())
            })
        })
        .await
    }
}

impl Changes {
    fn require_review(&self, id: RequestId) -> Result<(), CaseworkError> {
        let request = self.requests.get(&id).ok_or_else(|| CaseworkError::not_found("request", id))?;
        // Selecting is part of the review: it is possible exactly where processing is.
        let action = settlement::after_review(request.right);
        lifecycle::target(request.standing(), action)?;
        Ok(())
    }

    /// Runs that wait for one of these acknowledgements.
    async fn waiting_for(
        &self,
        unit: &mut Unit,
        id: RequestId,
        acknowledged: &BTreeSet<Acknowledgement>,
    ) -> Result<Vec<RunId>, CaseworkError> {
        let keyring = unit.keyring();
        let key = data_keys::load_one(unit.connection(), &keyring, id, KeyPurpose::Case).await?;
        let mut waiting = Vec::new();
        let in_attention = |run: &&Run| run.request == id && run.status == RunStatus::Attention;
        for run in self.runs.values().filter(in_attention) {
            let Some(sealed) = &run.failure else { continue };
            let failure: RunFailure = details::open(&key, &run.id, sealed)?;
            if acknowledged.iter().any(|word| word.as_str() == failure.code) {
                waiting.push(run.id);
            }
        }
        Ok(waiting)
    }

    fn open_run_ids(&self, request: RequestId) -> Vec<RunId> {
        self.runs
            .values()
            .filter(|run| run.request == request && run.status == habeas_domain::RunStatus::Processing)
            .map(|run| run.id)
            .collect()
    }

    async fn edit_details(
        &mut self,
        unit: &mut Unit,
        id: RequestId,
        edit: impl FnOnce(&mut RequestDetails) + Send,
    ) -> Result<(), CaseworkError> {
        let keyring = unit.keyring();
        let key = data_keys::load_one(unit.connection(), &keyring, id, KeyPurpose::Case).await?;
        let request = self.request(id)?;
        let mut details: RequestDetails = details::open(&key, &id, &request.details)?;
        edit(&mut details);
        request.details = details::seal(unit, &key, &id, &details)?;
        Ok(())
    }

    pub(crate) async fn load_runs(&mut self, unit: &mut Unit, id: RequestId) -> Result<(), CaseworkError> {
        let found = runs::of_requests(unit.connection(), [id]).await?;
        self.runs.extend(found.into_iter().map(|run| (run.id, run)));
        Ok(())
    }

    /// Stops every open run of a request that was closed by a person.
    async fn break_off(&mut self, unit: &mut Unit, id: RequestId) -> Result<(), CaseworkError> {
        self.load_runs(unit, id).await?;
        let open: Vec<RunId> = self
            .runs
            .values()
            .filter(|run| run.request == id && !run.status.is_settled())
            .map(|run| run.id)
            .collect();
        self.detach(unit, open.clone()).await?;
        // Nobody at a system is asked about what is over.
        mails::drop_queued(unit.connection(), id, "contact").await?;
        for run in open {
            let detail = RunDetail::StoppedBy { actor: self.actor.name.clone() };
            self.move_run(unit, run, RunAction::Stop, detail, json!({}))?;
        }
        Ok(())
    }
}
