//! What a claim hands out: the intent on record, the runs served, their subjects, and what is to be deleted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::{ConnectionId, DueWorkId, IdentifierType, OperationId, RequestId, RunId};
use habeas_integrations::{Batch, Job, Subject};
use habeas_store::due_work::{self, DueWorkKind, Lease, NewDueWork};
use habeas_store::operations::{self, Operation, Which};
use habeas_store::{KeyPurpose, StoreError, Unit, data_keys, records, runs};
use jiff::Timestamp;
use serde_json::json;

use super::{Assignment, FollowedJob, Member, Target};
use crate::Rules;
use crate::details::{self, RequestDetails};
use crate::error::CaseworkError;
use crate::files::KeptRecord;
use crate::lanes::Lane;
use crate::phases::by_request;
use crate::profiles::Profiles;

/// Runs that one pass serves at a time.
const MOST_IN_A_PASS: usize = 10_000;

pub(super) async fn assign(
    unit: &mut Unit,
    rules: &Rules,
    leases: Vec<Lease>,
    claimed_at: Duration,
) -> Result<Vec<Assignment>, CaseworkError> {
    if leases.is_empty() {
        return Ok(Vec::new());
    }
    let mut by_operation: BTreeMap<OperationId, Lease> = leases
        .into_iter()
        .map(|lease| Ok((lease.object.parse::<OperationId>().map_err(StoreError::from)?, lease)))
        .collect::<Result<_, CaseworkError>>()?;
    let ids: Vec<OperationId> = by_operation.keys().copied().collect();
    let mut found = operations::lock(unit.connection(), ids).await?;
    let (passes, others): (Vec<_>, Vec<_>) =
        found.iter().partition(|operation| operation.kind == OperationKind::Scan);
    let mut served = members(unit, others.iter().map(|operation| operation.id).collect(), Which::All).await?;
    for pass in passes {
        take_up(unit, pass).await?;
        served.extend(members(unit, vec![pass.id], Which::TakenUp).await?);
    }
    let mut members = served;
    for operation in found.iter().filter(|operation| operation.kind.needs_verified_identifiers()) {
        for member in members.get_mut(&operation.id).into_iter().flatten() {
            member.subject = member.subject.verified();
        }
    }
    cut_to_size(unit, rules, &mut found, &mut members, &by_operation).await?;
    let now = unit.now();
    let mut effects = Vec::new();
    for operation in found.iter_mut().filter(|operation| operation.kind.has_effect()) {
        // The intent is on record before anything is sent.
        operation.status = match operation.status.when_taken_over() {
            OperationStatus::Intended => OperationStatus::Sent,
            other => other,
        };
        operation.sent_at = operation.sent_at.or(Some(now));
        effects.push(operation.clone());
    }
    operations::save(unit.connection(), &effects).await?;
    let mut targets = targets(unit, &effects, &members).await?;
    let mut assignments = Vec::new();
    let mut pointless = Vec::new();
    for operation in found {
        let Some(lease) = by_operation.remove(&operation.id) else { continue };
        let members = members.remove(&operation.id).unwrap_or_default();
        let jobs = match operation.kind {
            OperationKind::Follow => followed(unit, operation.connection).await?,
            _ => Vec::new(),
        };
        // Everyone whom it served was stopped or settled; a pass ends by itself. What the vendor has is followed, not sent.
        let is_with_the_vendor = operation.kind == OperationKind::Erase
            && matches!(operation.status, OperationStatus::Accepted | OperationStatus::Done);
        let is_served = operation.kind == OperationKind::Scan || !members.is_empty() || !jobs.is_empty();
        if is_with_the_vendor || !is_served {
            pointless.push((operation, lease));
            continue;
        }
        let targets = targets.remove(&operation.id).unwrap_or_default();
        assignments.push(Assignment { lease, operation, members, targets, jobs, claimed_at });
    }
    end(unit, pointless).await?;
    Ok(assignments)
}

async fn end(unit: &mut Unit, pointless: Vec<(Operation, Lease)>) -> Result<(), CaseworkError> {
    let now = unit.now();
    due_work::finish(unit.connection(), pointless.iter().map(|(_, lease)| (lease.id, lease.fence))).await?;
    // What follows jobs is never over: it waits for the next one.
    let ended: Vec<Operation> = pointless
        .into_iter()
        .map(|(operation, _)| operation)
        .filter(|operation| {
            operation.kind != OperationKind::Follow && operation.status != OperationStatus::Accepted
        })
        .map(|operation| Operation { status: OperationStatus::Done, finished_at: Some(now), ..operation })
        .collect();
    operations::save(unit.connection(), &ended).await?;
    Ok(())
}

async fn followed(unit: &mut Unit, connection: ConnectionId) -> Result<Vec<FollowedJob>, CaseworkError> {
    let now = unit.now();
    operations::end_abandoned(unit.connection(), connection, now).await?;
    let accepted = operations::accepted(unit.connection(), connection).await?;
    Ok(accepted
        .into_iter()
        .filter_map(|operation| {
            let job = Job::new(operation.job?)?;
            let accepted_at = operation.accepted_at.unwrap_or(operation.created_at);
            Some(FollowedJob { operation: operation.id, job, accepted_at })
        })
        .collect())
}

/// What gathered for one deletion may be more than one call carries: the rest goes out in further ones. A deletion that may
/// have been sent keeps whom it was sent for.
async fn cut_to_size(
    unit: &mut Unit,
    rules: &Rules,
    found: &mut [Operation],
    members: &mut HashMap<OperationId, Vec<Member>>,
    leases: &BTreeMap<OperationId, Lease>,
) -> Result<(), CaseworkError> {
    let fresh = |operation: &&mut Operation| {
        operation.kind == OperationKind::Erase && operation.status == OperationStatus::Intended
    };
    let mut rests = Vec::new();
    let mut work = Vec::new();
    let mut profiles = None;
    for operation in found.iter_mut().filter(fresh) {
        let Some(gathered) = members.get_mut(&operation.id) else { continue };
        let profiles = match &mut profiles {
            Some(loaded) => loaded,
            empty => empty.insert(Profiles::load(unit.connection(), &rules.catalogue).await?),
        };
        let capabilities = &profiles.get(operation.connection)?.manifest.capabilities;
        let batch = capabilities.deletion.map_or(Batch::SINGLE, |deletion| deletion.batch);
        let kinds = capabilities.identifiers;
        let mut rest = std::mem::take(gathered);
        let (fits, identifiers) = fitting(batch, kinds, &rest);
        let mut further = rest.split_off(fits);
        operation.identifiers = identifiers;
        operation.sent_for = rest.len() as u64;
        *gathered = rest;
        while !further.is_empty() {
            let (fits, _) = fitting(batch, kinds, &further);
            let next = further.split_off(fits);
            let id = OperationId::new(unit.environment().unique());
            let runs = further.iter().map(|member| member.run);
            operations::transfer(unit.connection(), operation.id, id, runs).await?;
            rests.push(Operation { id, identifiers: 0, sent_for: 0, ..operation.clone() });
            work.push(NewDueWork {
                id: DueWorkId::new(unit.environment().unique()),
                kind: DueWorkKind::Operation,
                object: id.to_string(),
                lane: Lane::of(operation.connection).to_string(),
                due_at: leases.get(&operation.id).map_or(Timestamp::MAX, |lease| lease.due_at),
                next_at: unit.now(),
            });
            further = next;
        }
    }
    operations::insert(unit.connection(), &rests).await?;
    due_work::insert(unit.connection(), &work).await?;
    Ok(())
}

/// How many of the members one call carries, and how many identifiers that makes.
fn fitting(batch: Batch, kinds: &[IdentifierType], members: &[Member]) -> (usize, u64) {
    let (mut identifiers, mut bytes) = (0, 0);
    for (at, member) in members.iter().enumerate() {
        let values = kinds.iter().flat_map(|kind| member.subject.values(*kind));
        let (own, size) = values
            .fold((0, 0), |(count, size), value| (count + 1, size + json!(value).to_string().len() + 1));
        // Whoever is too large alone goes alone; the vendor has the last word.
        if at > 0 && (identifiers + own > batch.identifiers || bytes + size > batch.bytes) {
            return (at, identifiers as u64);
        }
        (identifiers, bytes) = (identifiers + own, bytes + size);
    }
    (members.len(), identifiers as u64)
}

pub(crate) async fn members(
    unit: &mut Unit,
    operations: Vec<OperationId>,
    which: Which,
) -> Result<HashMap<OperationId, Vec<Member>>, CaseworkError> {
    let found = operations::members(unit.connection(), operations, which).await?;
    opened(unit, found).await
}

/// Takes newcomers of a pass up before its next page, as many as there is room for: a pass holds everyone whom it looks for
/// in memory, and a failure is written for each of them. Who has no room waits for whoever is done.
pub(super) async fn take_up(unit: &mut Unit, pass: &Operation) -> Result<Vec<Member>, CaseworkError> {
    let taken = operations::taken_up(unit.connection(), pass.id).await?.len();
    let room = MOST_IN_A_PASS.saturating_sub(taken);
    let found = operations::newcomers(unit.connection(), pass.id, room).await?;
    let runs: Vec<RunId> = found.iter().map(|member| member.run).collect();
    let mut newcomers = opened(unit, found).await?.remove(&pass.id).unwrap_or_default();
    for member in &mut newcomers {
        (member.joined_pass, member.joined_page) = (pass.pass, pass.page);
    }
    operations::take_up(unit.connection(), pass.id, (pass.pass, pass.page), runs).await?;
    Ok(newcomers)
}

async fn opened(
    unit: &mut Unit,
    found: Vec<operations::Member>,
) -> Result<HashMap<OperationId, Vec<Member>>, CaseworkError> {
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
            acknowledged: details.acknowledged,
        });
    }
    Ok(members)
}

/// At which connection each run of some requests works.
pub(super) async fn connections_of_runs(
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
            let content: KeptRecord = details::open(key, &record.id, &record.content)?;
            let target = Target { record: record.id, vendor_id: content.vendor_id };
            targets.entry(operation.id).or_default().push(target);
        }
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use habeas_domain::{Identifier, IdentifierSource};
    use habeas_environment::{Environment, TestClock};

    fn member(environment: &Environment, values: &[&str]) -> Member {
        let identifiers = values.iter().map(|value| Identifier {
            kind: if value.contains('@') { IdentifierType::Email } else { IdentifierType::UserId },
            value: (*value).to_owned(),
            source: IdentifierSource::Request,
            verified: true,
            attested_by: None,
        });
        Member {
            run: RunId::new(environment.unique()),
            request: RequestId::new(environment.unique()),
            joined_pass: 0,
            joined_page: 0,
            subject: Subject::new(identifiers.collect()),
            acknowledged: BTreeSet::new(),
        }
    }

    #[test]
    fn a_call_carries_whole_people_and_no_more_than_the_vendor_takes() {
        let environment = Environment::for_test(&TestClock::at("2026-03-01T00:00:00Z"), 1);
        let people = [
            member(&environment, &["ana@example.test", "u-1"]),
            member(&environment, &["rui@example.test"]),
            member(&environment, &["eva@example.test", "u-3"]),
        ];
        let both = [IdentifierType::Email, IdentifierType::UserId];
        let batch = |identifiers, bytes| Batch { identifiers, bytes };
        assert_eq!(fitting(batch(100, 10_000), &both, &people), (3, 5));
        assert_eq!(fitting(batch(4, 10_000), &both, &people), (2, 3), "nobody is cut in two");
        assert_eq!(
            fitting(batch(100, 10_000), &both[..1], &people),
            (3, 3),
            "only what the vendor takes counts"
        );
        assert_eq!(
            fitting(batch(100, 50), &both, &people),
            (2, 3),
            r#""ana@example.test","u-1","rui@example.test","#
        );
        assert_eq!(fitting(batch(1, 1), &both, &people), (1, 2), "whoever is too large goes alone");
        assert_eq!(fitting(batch(1, 1), &both, &[]), (0, 0));
    }
}
