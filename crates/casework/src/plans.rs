//! The plan of a request: what each system would do, and, once it is done, how that differs from what was planned.
//!
//! As long as nothing was collected, the systems themselves are asked (`looking`), without touching anything. From the
//! review on the plan is what was collected and left selected; from then on what was expected of a run stands beside what
//! it did.

mod looking;

use std::collections::BTreeMap;
use std::time::Duration;

use habeas_domain::lifecycle::RequestState;
use habeas_domain::plan::{self, Part, Participant};
use habeas_domain::{Actor, ConnectionId, Permission, Phase, RequestId, Right, RunId, RunStatus};
use habeas_integrations::{Residual, Subject};
use habeas_store::audit::Stream;
use jiff::Timestamp;
use serde_json::json;

use crate::Casework;
use crate::error::CaseworkError;
use crate::profiles::{Profile, Profiles};
use crate::queries::{RequestCase, RunCase};
use looking::Look;

/// What each system would do about a request, or did.
#[derive(Debug)]
pub struct PlanCase {
    /// Of which request.
    pub request: RequestId,
    /// What was asked for.
    pub right: Right,
    /// Where it stands.
    pub state: RequestState,
    /// When this was put together.
    pub made_at: Timestamp,
    /// One entry per system.
    pub items: Vec<PlanItem>,
}

/// One system's part.
#[derive(Debug)]
pub struct PlanItem {
    /// Its id.
    pub connection: ConnectionId,
    /// Its name.
    pub name: String,
    /// Its integration.
    pub integration: String,
    /// What it would do.
    pub would: Would,
    /// How many records there are, where that is known.
    pub found: Option<u64>,
    /// The same by kind, where the systems were asked for this plan.
    pub by_kind: BTreeMap<String, u64>,
    /// Whether the person is held at all, where that alone is known.
    pub held: Option<bool>,
    /// Where that is known from.
    pub source: Source,
    /// How many records, or people, would be deleted; what was expected, once the deletion began.
    pub would_delete: Option<u64>,
    /// What cannot be known, and why.
    pub unknown: Vec<Residual>,
    /// What stays behind, or happens besides.
    pub residuals: Vec<Residual>,
    /// What was done, once something was.
    pub done: Option<Done>,
    /// How that differs from what was expected.
    pub difference: Option<String>,
}

/// What a system would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Would {
    /// Collect what it holds.
    Collect,
    /// Have a person at its owner answer.
    AskContact,
    /// Delete the records that were left selected.
    DeleteRecords,
    /// Delete everything about the person.
    DeletePerson,
    /// Have a person at its owner delete.
    DeleteByContact,
    /// Nothing: it has no part.
    Nothing,
}

impl Would {
    /// For programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Collect => "collect",
            Self::AskContact => "ask_contact",
            Self::DeleteRecords => "delete_records",
            Self::DeletePerson => "delete_person",
            Self::DeleteByContact => "delete_by_contact",
            Self::Nothing => "nothing",
        }
    }

    fn of(right: Right, participant: &Participant) -> Self {
        match (plan::first_part(right, participant), right) {
            (None, _) => Self::Nothing,
            (Some(Part::AskContact), _) => Self::AskContact,
            (Some(Part::Collect), Right::Deletion) => Self::DeleteRecords,
            (Some(Part::Collect), _) => Self::Collect,
            (Some(_), _) if participant.deletion.0 == habeas_domain::capability::Handling::DirectContact => {
                Self::DeleteByContact
            }
            (Some(_), _) => Self::DeletePerson,
        }
    }

    const fn is_by_contact(self) -> bool {
        matches!(self, Self::AskContact | Self::DeleteByContact)
    }
}

/// Where an item's numbers are known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// They are not known.
    Nowhere,
    /// The system was asked for this plan.
    Looked,
    /// It is what was collected.
    Collected,
}

impl Source {
    /// For programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nowhere => "nowhere",
            Self::Looked => "looked",
            Self::Collected => "collected",
        }
    }
}

/// What a system did.
#[derive(Debug)]
pub struct Done {
    /// Where its run stands.
    pub status: RunStatus,
    /// Records found.
    pub found: Option<u64>,
    /// Records, or people, deleted.
    pub deleted: Option<u64>,
}

impl Casework {
    /// What each system would do about a request. Where nothing was collected yet, the systems are asked, for at most
    /// `longest`; nothing is touched there.
    ///
    /// # Errors
    /// If there is no such request, or the actor may not read requests. A system that cannot be asked is no error: the plan
    /// says so.
    pub async fn plan(
        &self,
        actor: &Actor,
        id: RequestId,
        longest: Duration,
    ) -> Result<PlanCase, CaseworkError> {
        let case = self.request(actor, id).await?;
        let runs = self.runs(actor, id).await?;
        let profiles = Profiles::load(&mut self.store.reader().await?, &self.rules.catalogue).await?;
        let now = self.store.environment().now();
        let mut items = Vec::new();
        for profile in profiles.iter() {
            let mine: Vec<&RunCase> =
                runs.iter().filter(|run| run.run.connection == profile.stored.id).collect();
            if profile.stored.removed_at.is_some() && mine.is_empty() {
                continue;
            }
            let mut item = self.item(&case, profile, &mine);
            if matches!(item.would, Would::DeleteRecords | Would::DeletePerson) {
                let known = item.residuals.clone();
                let residuals =
                    profiles.residuals_of_deletion(&self.rules.catalogue, item.connection, now)?;
                // Some are known to the run already.
                item.residuals.extend(residuals.into_iter().filter(|one| !known.contains(one)));
            }
            items.push(item);
        }
        self.look_ahead(actor, &case, &runs, &mut items, longest).await?;
        let request = case.request;
        Ok(PlanCase { request: id, right: request.right, state: request.state, made_at: now, items })
    }

    /// What is known of a system's part without asking it.
    fn item(&self, case: &RequestCase, profile: &Profile, runs: &[&RunCase]) -> PlanItem {
        let right = case.request.right;
        let planned_at = runs.first().map(|run| run.run.created_at);
        let participant = planned_at.map_or_else(|| profile.participant(), |at| profile.participant_at(at));
        let would = Would::of(right, &participant);
        let of = |phase: Phase| runs.iter().find(|run| run.run.phase == phase).copied();
        let (collect, erase) = (of(Phase::Collect), of(Phase::Erase));
        let mut item = PlanItem {
            connection: profile.stored.id,
            name: profile.stored.name.clone(),
            integration: profile.stored.integration.clone(),
            // A connection that had a part when the request began keeps it.
            would: if runs.is_empty() && !is_early(case) { Would::Nothing } else { would },
            found: None,
            by_kind: BTreeMap::new(),
            held: None,
            source: Source::Nowhere,
            would_delete: None,
            unknown: Vec::new(),
            residuals: Vec::new(),
            done: None,
            difference: None,
        };
        if let Some(collect) = collect {
            if collect.run.status == RunStatus::Complete && collect.run.records_found.is_some() {
                item.found = collect.run.records_found;
                item.source = Source::Collected;
                if right == Right::Deletion {
                    item.would_delete = if collect.run.selected { collect.records_selected } else { Some(0) };
                }
            }
            if !collect.run.selected {
                item.unknown.push(residual("this system", "the reviewer left it out: nothing is done there"));
            }
            item.residuals = serde_json::from_value(collect.run.residuals.clone()).unwrap_or_default();
        }
        let last = erase.or_else(|| collect.filter(|_| right.delivers()));
        if let Some(last) = last {
            let done = match last.run.phase {
                Phase::Collect => last.run.records_found,
                Phase::Erase => last.run.deleted,
            };
            if last.run.phase == Phase::Erase {
                item.would_delete = last.run.expected;
            }
            item.difference = plan::difference(last.run.phase, last.run.expected, done);
            item.done = Some(Done {
                status: last.run.status,
                found: last.run.records_found.or(item.found),
                deleted: last.run.deleted,
            });
        }
        item
    }

    /// Asks the systems of which nothing is known yet, and keeps what they said, to be compared with what is done later.
    async fn look_ahead(
        &self,
        actor: &Actor,
        case: &RequestCase,
        runs: &[RunCase],
        items: &mut [PlanItem],
        longest: Duration,
    ) -> Result<(), CaseworkError> {
        let why_not = reason_not_to_look(actor, case);
        let subject = case.details.as_ref().map(|details| {
            let subject = Subject::new(details.identifiers.clone());
            // What would not reach a deletion is not asked about either.
            if case.request.right == Right::Deletion { subject.verified() } else { subject }
        });
        let mut looks = Vec::new();
        for item in items.iter_mut().filter(|item| is_open(case, item)) {
            if item.would.is_by_contact() {
                let why = "a person at the system's owner answers; nobody can know beforehand what";
                item.unknown.push(residual("what is held", why));
                continue;
            }
            match (&subject, why_not) {
                (Some(subject), None) => looks.push(self.look(item, subject, longest)),
                (_, why) => {
                    let why = why.unwrap_or("the personal data of this request was destroyed");
                    item.unknown.push(residual("what is held", why));
                }
            }
        }
        if looks.is_empty() {
            return Ok(());
        }
        let looks: Vec<(ConnectionId, Look)> = futures::future::join_all(looks).await;
        let mut expected: BTreeMap<RunId, u64> = BTreeMap::new();
        for (connection, look) in looks {
            let Some(item) = items.iter_mut().find(|item| item.connection == connection) else { continue };
            look.tell(item);
            let collect =
                runs.iter().find(|run| run.run.connection == connection && run.run.phase == Phase::Collect);
            let count = item.would_delete.or(item.found);
            if let Some((run, count)) = collect.zip(count) {
                expected.insert(run.run.id, count);
            }
        }
        let asked = items.iter().filter(|item| item.source == Source::Looked).count();
        let id = case.request.id;
        self.on_request(actor, id, move |unit, changes| {
            Box::pin(async move {
                changes.load_runs(unit, id).await?;
                for (run, count) in expected {
                    changes.run(run)?.expected = Some(count);
                }
                let data = json!({"systems": asked});
                unit.record(Stream::Request(id), &changes.actor, "request.looked_ahead", id, data);
                Ok(())
            })
        })
        .await
    }
}

/// Whether the request is where every able connection still may get a part.
fn is_early(case: &RequestCase) -> bool {
    matches!(case.request.state, RequestState::Verifying | RequestState::Triage)
}

/// Whether a system's part is not known yet and not begun.
fn is_open(case: &RequestCase, item: &PlanItem) -> bool {
    let may_still_change = matches!(
        case.request.state,
        RequestState::Verifying | RequestState::Triage | RequestState::Collecting | RequestState::Review
    );
    let is_known = item.source == Source::Collected;
    let is_over = item.done.as_ref().is_some_and(|done| done.status.is_settled());
    may_still_change && item.would != Would::Nothing && !is_known && !is_over && item.unknown.is_empty()
}

/// Why the systems are not asked, if they are not.
fn reason_not_to_look(actor: &Actor, case: &RequestCase) -> Option<&'static str> {
    if actor.require(Permission::WorkOnRequests).is_err() {
        return Some("the systems are asked only for people who work on requests");
    }
    if case.request.hold.is_some() {
        return Some("the request is on hold, so nothing is asked");
    }
    (case.request.state == RequestState::Verifying)
        .then_some("nothing is asked before the person has confirmed the request")
}

fn residual(what: &str, why: impl Into<String>) -> Residual {
    Residual { what: what.to_owned(), why: why.into() }
}
