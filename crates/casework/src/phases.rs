//! What follows when a phase is over: the arrows of a request's life that no person draws.

use std::collections::BTreeMap;

use habeas_domain::capability::{Capability, DeletionMethod, DeletionTiming, Handling};
use habeas_domain::lifecycle::{Action, Outcome, RequestState};
use habeas_domain::operation::OperationKind;
use habeas_domain::plan::{self, Collected, Part};
use habeas_domain::run::RunDetail;
use habeas_domain::settlement::{self, SettledRun};
use habeas_domain::{Phase, RequestId, Right, RunId, RunStatus};
use habeas_integrations::{AccessMethod, FUTURE_DATA};
use habeas_store::counts::Counted;
use habeas_store::runs::{self, Run};
use habeas_store::{KeyPurpose, Unit, data_keys, records};
use serde_json::json;

use crate::changes::Changes;
use crate::details::{self, RunContact};
use crate::error::CaseworkError;
use crate::letters::Body;
use crate::names;
use crate::package::{self, LeftOut, Offer};
use crate::profiles::Profiles;

impl Changes {
    /// Moves on the requests among `ids` whose runs are all settled and that are not on hold.
    pub(crate) async fn conclude(
        &mut self,
        unit: &mut Unit,
        ids: Vec<RequestId>,
    ) -> Result<(), CaseworkError> {
        let ids: Vec<RequestId> = ids
            .into_iter()
            .filter(|id| {
                self.requests
                    .get(id)
                    .is_some_and(|request| request.hold.is_none() && request.state.waits_for_runs())
            })
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        for run in runs::of_requests(unit.connection(), ids.iter().copied()).await? {
            self.runs.insert(run.id, run);
        }
        let mut to_process = Vec::new();
        let mut erased = Vec::new();
        for id in ids {
            match self.requests.get(&id).map(|request| request.state) {
                Some(RequestState::Collecting) if self.finish_collecting(unit, id)? => to_process.push(id),
                Some(RequestState::Erasing) => erased.push(id),
                _ => {}
            }
        }
        if !erased.is_empty() {
            self.finish_erasing(unit, erased).await?;
        }
        if !to_process.is_empty() {
            self.process(unit, to_process).await?;
        }
        Ok(())
    }

    fn runs_of(&self, request: RequestId, phase: Phase) -> impl Iterator<Item = &Run> {
        self.runs.values().filter(move |run| run.request == request && run.phase == phase)
    }

    /// Whether the request goes on without a person.
    fn finish_collecting(&mut self, unit: &mut Unit, id: RequestId) -> Result<bool, CaseworkError> {
        let settled: Vec<SettledRun> = self
            .runs_of(id, Phase::Collect)
            .map(|run| SettledRun { status: run.status, records_found: run.records_found, left_out: false })
            .collect();
        let Some(action) = settlement::after_collecting(&settled) else { return Ok(false) };
        match self.advance(unit, id, action, None, json!({}))? {
            RequestState::Review => {}
            RequestState::Closed => {
                self.tell_subject(id, Body::NothingFound);
                return Ok(false);
            }
            _ => return Ok(false),
        }
        if self.runs_of(id, Phase::Collect).any(|run| names::is_flagged(&run.residuals)) {
            return Ok(false);
        }
        let request = self.requests.get(&id).ok_or_else(|| CaseworkError::not_found("request", id))?;
        // An identifier that nobody vouched for needs a person before a deletion.
        Ok(!request.review && (request.right.delivers() || !request.unverified))
    }

    /// Ends the review of requests: packages for those that deliver, `erase` runs for those that delete.
    pub(crate) async fn process(
        &mut self,
        unit: &mut Unit,
        ids: Vec<RequestId>,
    ) -> Result<(), CaseworkError> {
        let (delivering, erasing): (Vec<_>, Vec<_>) = ids
            .into_iter()
            .partition(|id| self.requests.get(id).is_some_and(|request| request.right.delivers()));
        if !delivering.is_empty() {
            package::build(self, unit, &delivering, Offer::Yes).await?;
        }
        for id in &delivering {
            let evidence = package::evidence(self.packages.iter().find(|package| package.request == *id));
            self.advance(unit, *id, Action::Deliver, None, evidence)?;
        }
        if !erasing.is_empty() {
            self.begin_erasing(unit, erasing).await?;
        }
        Ok(())
    }

    async fn begin_erasing(&mut self, unit: &mut Unit, ids: Vec<RequestId>) -> Result<(), CaseworkError> {
        let profiles = self.profiles(unit).await?;
        let collect_runs: Vec<RunId> =
            ids.iter().flat_map(|id| self.runs_of(*id, Phase::Collect)).map(|run| run.id).collect();
        let counts = records::count_by_run(unit.connection(), collect_runs).await?;
        let mut nothing_to_do = Vec::new();
        for id in ids {
            let collected: Vec<Collected> = self
                .runs_of(id, Phase::Collect)
                .map(|run| {
                    Ok(Collected {
                        connection: run.connection,
                        handling: match run.contact {
                            // Whoever was asked what the system holds is asked to delete it.
                            Some(_) => Handling::DirectContact,
                            None => profiles
                                .get(run.connection)?
                                .handling_at(Capability::Deletion, run.created_at),
                        },
                        method: profiles
                            .get(run.connection)?
                            .deletion_method()
                            .unwrap_or(DeletionMethod::Standard),
                        status: run.status,
                        selected: run.selected,
                        records_selected: counts.get(&run.id).map_or(0, |(_, selected)| *selected),
                    })
                })
                .collect::<Result<_, CaseworkError>>()?;
            let planned = plan::erase(&collected);
            self.advance(unit, id, Action::Erase, None, json!({"runs": planned.len()}))?;
            if planned.is_empty() {
                nothing_to_do.push(id);
            }
            self.expect_runs(id, i64::try_from(planned.len()).unwrap_or(i64::MAX));
            for one in planned {
                let run = self.new_run(unit, id, one.connection, Phase::Erase, RunDetail::Deleting);
                let before = self.runs_of(id, Phase::Collect).find(|run| run.connection == one.connection);
                self.run(run)?.expected = match one.part {
                    Part::EraseRecords => {
                        before.and_then(|run| counts.get(&run.id)).map(|(_, selected)| *selected)
                    }
                    // What a look ahead showed of the person.
                    Part::EraseSubject => before.and_then(|run| run.expected),
                    _ => None,
                };
                if one.part == Part::EraseByContact {
                    self.keep_contact(unit, id, one.connection, run).await?;
                }
                let kind = match one.part {
                    Part::EraseByContact => OperationKind::Contact,
                    Part::EraseSubject => erase_operation(&profiles, one.connection)?,
                    _ => OperationKind::DeleteRecords,
                };
                self.open_operation(unit, kind, run)?;
            }
        }
        self.possibly_over.extend(nothing_to_do);
        Ok(())
    }

    /// The contact to whom a system's part was handed over before the review goes on to answer for it.
    async fn keep_contact(
        &mut self,
        unit: &mut Unit,
        id: RequestId,
        connection: habeas_domain::ConnectionId,
        erase: RunId,
    ) -> Result<(), CaseworkError> {
        let handed = self.runs_of(id, Phase::Collect).find(|run| run.connection == connection);
        let Some((collect, Some(sealed))) = handed.map(|run| (run.id, run.contact.clone())) else {
            return Ok(());
        };
        let keyring = unit.keyring();
        let key = data_keys::load_one(unit.connection(), &keyring, id, KeyPurpose::Case).await?;
        let contact: RunContact = details::open(&key, &collect, &sealed)?;
        self.run(erase)?.contact = Some(details::seal(unit, &key, &erase, &contact)?);
        Ok(())
    }

    async fn finish_erasing(&mut self, unit: &mut Unit, ids: Vec<RequestId>) -> Result<(), CaseworkError> {
        let collect_runs: Vec<RunId> =
            ids.iter().flat_map(|id| self.runs_of(*id, Phase::Collect)).map(|run| run.id).collect();
        let counts = records::count_by_run(unit.connection(), collect_runs).await?;
        let mut told = Vec::new();
        for id in ids {
            let settled = |run: &Run| SettledRun {
                status: run.status,
                records_found: run.records_found,
                left_out: matches!(run.detail, RunDetail::PersonDeletedExcept { .. })
                    || (run.phase == Phase::Collect
                        && (!run.selected
                            || counts.get(&run.id).is_some_and(|(all, selected)| selected < all))),
            };
            let collected: Vec<_> = self.runs_of(id, Phase::Collect).map(settled).collect();
            let erased: Vec<_> = self.runs_of(id, Phase::Erase).map(settled).collect();
            if let Some(outcome) = settlement::after_erasing(&collected, &erased) {
                self.advance(unit, id, Action::FinishErasing, Some(outcome), json!({}))?;
                told.push((id, outcome));
            }
        }
        self.tell_of_erasing(unit, told).await
    }

    /// Tells subjects what was deleted, and what was not.
    async fn tell_of_erasing(
        &mut self,
        unit: &mut Unit,
        told: Vec<(RequestId, Outcome)>,
    ) -> Result<(), CaseworkError> {
        let with_exceptions =
            |(id, outcome): &(RequestId, Outcome)| (*outcome == Outcome::ErasedWithExceptions).then_some(*id);
        let excepted: Vec<RequestId> = told.iter().filter_map(with_exceptions).collect();
        let (left_out, profiles) = if excepted.is_empty() {
            (LeftOut::default(), None)
        } else {
            (LeftOut::load(unit, excepted).await?, Some(self.profiles(unit).await?))
        };
        for (id, outcome) in told {
            let body = match outcome {
                Outcome::NothingFound => Body::NothingFound,
                _ => {
                    let erased = self.runs_of(id, Phase::Erase);
                    let systems = erased.filter(|run| run.status == RunStatus::Complete).count() as u64;
                    let exceptions = match &profiles {
                        Some(profiles) if outcome == Outcome::ErasedWithExceptions => {
                            exceptions(self.requests_runs(id), &left_out, profiles)?
                        }
                        _ => Vec::new(),
                    };
                    let blocked_future = self.runs_of(id, Phase::Collect).any(blocks_future);
                    Body::Erased { systems, exceptions, blocked_future }
                }
            };
            self.tell_subject(id, body);
        }
        Ok(())
    }

    fn requests_runs(&self, request: RequestId) -> impl Iterator<Item = &Run> {
        self.runs.values().filter(move |run| run.request == request)
    }

    /// A run that work begins on at once.
    pub(crate) fn new_run(
        &mut self,
        unit: &mut Unit,
        request: RequestId,
        connection: habeas_domain::ConnectionId,
        phase: Phase,
        detail: RunDetail,
    ) -> RunId {
        let id = RunId::new(unit.environment().unique());
        let run = Run {
            id,
            request,
            connection,
            phase,
            status: RunStatus::Processing,
            detail,
            selected: true,
            records_found: None,
            deleted: None,
            expected: None,
            attempts: 0,
            next_at: None,
            residuals: json!([]),
            failure: None,
            note: None,
            created_at: self.now,
            settled_at: None,
            vendor_job: None,
            contact: None,
            answer: None,
        };
        self.add_run(unit, run);
        id
    }

    /// Begins the `collect` phase of requests that stand in it already: plans runs, settles what needs no asking,
    /// opens operations for the rest. How many runs the request now waits for.
    pub(crate) fn begin_collecting(
        &mut self,
        unit: &mut Unit,
        profiles: &Profiles,
        id: RequestId,
        planned: &[plan::PlannedRun],
    ) -> Result<i64, CaseworkError> {
        let mut open = 0;
        for one in planned {
            if one.part == Part::SkipAccess {
                let run = self.new_run(unit, id, one.connection, Phase::Collect, RunDetail::AccessSkipped);
                let now = self.now;
                // What a deletion does besides, and what it leaves, is known before anybody decides.
                let residuals =
                    profiles.residuals_of_deletion(&self.rules.catalogue, one.connection, self.now)?;
                let run = self.run(run)?;
                run.residuals = json!(residuals);
                unit.count(Some(Counted::Run(run.status)), Counted::Run(RunStatus::Complete));
                run.status = RunStatus::Complete;
                run.settled_at = Some(now);
                continue;
            }
            open += 1;
            let method = match one.part {
                Part::AskContact => OperationKind::Contact,
                _ => collect_operation(profiles, one.connection)?,
            };
            let detail = if method == OperationKind::Scan { RunDetail::Scanning } else { RunDetail::Queued };
            let run = self.new_run(unit, id, one.connection, Phase::Collect, detail);
            self.open_operation(unit, method, run)?;
        }
        if open == 0 {
            self.possibly_over.push(id);
        }
        Ok(open)
    }
}

/// What stayed behind, by system, as the person who asked is told.
fn exceptions<'r>(
    runs: impl Iterator<Item = &'r Run>,
    left_out: &LeftOut,
    profiles: &Profiles,
) -> Result<Vec<(String, String)>, CaseworkError> {
    let mut exceptions = Vec::new();
    for run in runs {
        let name = profiles.get(run.connection)?.stored.name.clone();
        let reason = match (run.phase, run.status, &run.detail) {
            (Phase::Collect, RunStatus::Skipped | RunStatus::Stopped, _) => {
                "this system was not asked what it holds".to_owned()
            }
            (Phase::Collect, ..) if !run.selected => "this system was left out after a review".to_owned(),
            (Phase::Collect, ..) => match left_out.of(run.id) {
                (0, _) => continue,
                (records, reasons) => {
                    let reasons: Vec<&str> = reasons.iter().map(|reason| reason.in_words()).collect();
                    let why =
                        if reasons.is_empty() { "after a review".to_owned() } else { reasons.join("; ") };
                    let what = if records == 1 {
                        "1 record was kept".to_owned()
                    } else {
                        format!("{records} records were kept")
                    };
                    format!("{what}: {why}")
                }
            },
            (Phase::Erase, RunStatus::Skipped | RunStatus::Stopped, _) => {
                "this system did not delete what it holds".to_owned()
            }
            (Phase::Erase, _, RunDetail::PersonDeletedExcept { systems }) => {
                format!("deleted, but not in {systems} of the systems that it passes data on to")
            }
            (Phase::Erase, ..) => continue,
        };
        exceptions.push((name, reason));
    }
    Ok(exceptions)
}

/// Whether a system also blocks what it would receive about the person in future.
fn blocks_future(run: &Run) -> bool {
    run.residuals.as_array().into_iter().flatten().any(|residual| residual["what"] == FUTURE_DATA)
}

/// How a connection's vendor is asked for a subject's data.
fn collect_operation(
    profiles: &Profiles,
    connection: habeas_domain::ConnectionId,
) -> Result<OperationKind, CaseworkError> {
    let access = profiles.get(connection)?.manifest.capabilities.access;
    Ok(match access.map(|access| access.method) {
        Some(AccessMethod::Scan) => OperationKind::Scan,
        Some(AccessMethod::Job) => OperationKind::Export,
        Some(AccessMethod::Lookup | AccessMethod::Contact) | None => OperationKind::Lookup,
    })
}

/// How a run that collects goes on after a hold or a failure: as it began.
pub(crate) fn resumed_operation(
    profiles: &Profiles,
    run: &Run,
    right: Right,
) -> Result<OperationKind, CaseworkError> {
    let asked = right.delivers()
        && profiles.get(run.connection)?.handling_at(Capability::Access, run.created_at)
            == Handling::DirectContact;
    if asked || run.contact.is_some() {
        return Ok(OperationKind::Contact);
    }
    collect_operation(profiles, run.connection)
}

/// How a connection's vendor deletes everything about a subject.
pub(crate) fn erase_operation(
    profiles: &Profiles,
    connection: habeas_domain::ConnectionId,
) -> Result<OperationKind, CaseworkError> {
    let timing = profiles.get(connection)?.manifest.capabilities.deletion.map(|deletion| deletion.timing);
    Ok(match timing {
        Some(DeletionTiming::Asynchronous) => OperationKind::Erase,
        _ => OperationKind::DeleteSubject,
    })
}

/// Identifier types that a request offers, grouped for the plan.
pub(crate) fn kinds(
    identifiers: &[habeas_domain::Identifier],
) -> std::collections::BTreeSet<habeas_domain::IdentifierType> {
    identifiers.iter().map(|identifier| identifier.kind).collect()
}

/// Whether a person must look before anything is deleted.
pub(crate) fn any_unverified(identifiers: &[habeas_domain::Identifier]) -> bool {
    identifiers.iter().any(|identifier| !identifier.verified)
}

/// Groups values by request.
pub(crate) fn by_request<T>(
    values: impl IntoIterator<Item = T>,
    request: impl Fn(&T) -> RequestId,
) -> BTreeMap<RequestId, Vec<T>> {
    let mut groups: BTreeMap<RequestId, Vec<T>> = BTreeMap::new();
    for value in values {
        groups.entry(request(&value)).or_default().push(value);
    }
    groups
}
