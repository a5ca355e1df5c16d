//! What a claim hands out: the intent on record, the runs served, their subjects, and what is to be deleted.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use habeas_domain::operation::{OperationKind, OperationStatus};
use habeas_domain::{ConnectionId, OperationId, RequestId, RunId};
use habeas_integrations::{FoundRecord, Subject};
use habeas_store::due_work::Lease;
use habeas_store::operations::{self, Operation, Which};
use habeas_store::{KeyPurpose, StoreError, Unit, data_keys, records, runs};

use super::{Assignment, Member, Target};
use crate::details::{self, RequestDetails};
use crate::error::CaseworkError;
use crate::phases::by_request;

pub(super) async fn assign(
    unit: &mut Unit,
    leases: Vec<Lease>,
    claimed_at: Duration,
) -> Result<Vec<Assignment>, CaseworkError> {
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
                claimed_at,
            })
        })
        .collect())
}

pub(super) async fn members(
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
            let content: FoundRecord = details::open(key, &record.id, &record.content)?;
            let target = Target { record: record.id, vendor_id: content.vendor_id };
            targets.entry(operation.id).or_default().push(target);
        }
    }
    Ok(targets)
}
