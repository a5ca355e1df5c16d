//! What a page of a pass showed: records for those who collect, leftovers for those who prove a deletion.

use std::collections::{BTreeSet, HashMap};

use habeas_domain::operation::OperationStatus;
use habeas_domain::run::{RunAction, RunDetail};
use habeas_domain::{Actor, ConnectionId, Phase, RequestId, RunId};
use habeas_integrations::{FoundRecord, Residual};
use habeas_store::due_work;
use habeas_store::operations;
use habeas_store::runs;
use habeas_store::{KeyPurpose, Unit, data_keys, records};
use serde_json::json;

use super::assign::{self, connections_of_runs};
use super::sealer::Sealer;
use super::settle::{add_residuals, complete_collected};
use super::{PageReport, PassContinues, shared};
use crate::changes::Changes;
use crate::details::{self, RunFailure};
use crate::error::CaseworkError;
use crate::files::KeptRecord;
use crate::names;
use crate::phases::by_request;

/// Found again by the pass that was to prove its deletion.
pub(super) const STILL_THERE: &str = "still_there";

pub(super) async fn report_page(
    unit: &mut Unit,
    changes: &mut Changes,
    page: PageReport,
    now: Option<i64>,
) -> Result<PassContinues, CaseworkError> {
    let PageReport { lease, mut operation, matches, residuals, finished, lease_milliseconds } = page;
    // Requests are locked before anything else, in every unit: two units cannot wait for each other.
    let mut touched: BTreeSet<RunId> =
        matches.iter().map(|(run, _)| *run).chain(finished.iter().copied()).collect();
    let recovered = lease.attempts > 0;
    if recovered {
        touched.extend(operations::taken_up(unit.connection(), operation.id).await?);
    }
    let known = runs::by_ids(unit.connection(), touched.iter().copied()).await?;
    changes.lock(unit, known.iter().map(|run| run.request).collect::<BTreeSet<_>>()).await?;
    let key = (lease.id, lease.fence);
    if !due_work::extend(unit.connection(), key, now, lease_milliseconds).await? {
        return Ok(PassContinues::LeaseLost);
    }
    operations::lock(unit.connection(), [operation.id]).await?;
    // Read again under the lock.
    for run in runs::by_ids(unit.connection(), touched).await? {
        changes.runs.insert(run.id, run);
    }
    if recovered {
        shared::no_longer_retrying(changes)?;
    }
    write_matches(unit, changes, matches).await?;
    finish_runs(unit, changes, &finished, &residuals).await?;
    operations::leave(unit.connection(), finished.iter().map(|run| (operation.id, *run))).await?;
    let changes = std::mem::replace(changes, Changes::new(unit, &Actor::system(), &changes.rules.clone()));
    changes.finish(unit).await?;

    let newcomers = assign::take_up(unit, &operation).await?;
    let waiting = operations::taken_up(unit.connection(), operation.id).await?;
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
                let record = sealer.record(unit, (stored.request, run), &found.vendor_id, &found)?;
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
    let flags = different_names(unit, changes, finished, &counts).await?;
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
            add_residuals(&mut stored.residuals, flags.get(id).map_or(&[], std::slice::from_ref));
            complete_collected(unit, changes, *id, records)?;
            continue;
        }
        let left = leftovers.get(&(run.request, run.connection)).copied().unwrap_or(0);
        if left > 0 {
            let failure = RunFailure {
                code: STILL_THERE.to_owned(),
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

/// Flags for the runs among `finished` whose records name different people.
async fn different_names(
    unit: &mut Unit,
    changes: &Changes,
    finished: &[RunId],
    counts: &HashMap<RunId, (u64, u64)>,
) -> Result<HashMap<RunId, Residual>, CaseworkError> {
    let several: BTreeSet<RequestId> = finished
        .iter()
        .filter(|run| counts.get(run).is_some_and(|(all, _)| *all > 1))
        .filter_map(|run| changes.runs.get(run))
        .filter(|run| run.phase == Phase::Collect)
        .map(|run| run.request)
        .collect();
    if several.is_empty() {
        return Ok(HashMap::new());
    }
    let sealer = Sealer::with(unit, &several, true, false).await?;
    let mut found: HashMap<RunId, Vec<KeptRecord>> = HashMap::new();
    for record in records::of_requests(unit.connection(), several.iter().copied()).await? {
        let content = details::open(sealer.content_key(record.request)?, &record.id, &record.content)?;
        found.entry(record.run).or_default().push(content);
    }
    let people = |records: &[KeptRecord]| names::flag(records.iter().map(|record| record.person.as_deref()));
    Ok(found.iter().filter_map(|(run, records)| Some((*run, people(records)?))).collect())
}
