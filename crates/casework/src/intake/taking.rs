//! Writing what was accepted: one JSON batch per table, whether one request came or five hundred.

use std::collections::HashMap;

use habeas_domain::legal_clock::{HolidayCalendar, local_date};
use habeas_domain::plan::{self, Participant, PlanRefused, PlannedRun};
use habeas_domain::{IdentifierType, RequestId, RequestState, Right};
use habeas_store::audit::Stream;
use habeas_store::counts::Counted;
use habeas_store::data_keys::NewDataKeys;
use habeas_store::requests::{self, Request};
use habeas_store::{Connection, KeyPurpose, Keyring, Unit};
use serde_json::json;

use super::{Accepted, end_of};
use crate::changes::Changes;
use crate::details::{self, RequestDetails};
use crate::error::CaseworkError;
use crate::lanes::BULK;
use crate::phases::{any_unverified, kinds};

/// From so many at once on, requests wait in lanes of their own: a single one does not wait behind them.
const MANY: usize = 100;
/// `source` of a request that came alone, or with a few.
const SINGLE: &str = "api";

/// Stores the accepted requests and begins those that need no triage.
pub(super) async fn take_in(
    unit: &mut Unit,
    changes: &mut Changes,
    accepted: Vec<Accepted>,
) -> Result<Vec<Result<RequestId, CaseworkError>>, CaseworkError> {
    let source = if accepted.len() >= MANY { BULK } else { SINGLE };
    let keyring = unit.keyring();
    let environment = unit.environment().clone();
    let profiles = changes.profiles(unit).await?;
    let participants = profiles.participants();
    let mut open = open_requests(unit.connection(), &keyring, &accepted).await?;
    let mut keys = NewDataKeys::default();
    let mut lookups = Vec::new();
    let mut stored = Vec::new();
    let mut results = Vec::with_capacity(accepted.len());
    for one in accepted {
        let hashes = one.hashes(&keyring);
        if !one.new.force
            && let Some(request) =
                hashes.iter().find_map(|(_, hash)| open.get(&(one.new.right, hash.clone())))
        {
            results.push(Err(CaseworkError::Duplicate { request: *request }));
            continue;
        }
        let planned = match one.planned(&participants) {
            Ok(planned) => planned,
            Err(refused) => {
                results.push(Err(refused.into()));
                continue;
            }
        };
        let id = RequestId::new(environment.unique());
        let owner = id.to_string();
        let case = keys.make(&keyring, &environment, &owner, KeyPurpose::Case)?;
        keys.make(&keyring, &environment, &owner, KeyPurpose::Content)?;
        let details = RequestDetails {
            identifiers: one.identifiers.clone(),
            skips_triage: one.verifies && planned.is_some(),
            ..RequestDetails::default()
        };
        let details = details::seal(unit, &case, &id, &details)?;
        let mut request = new_request(unit, changes, &one, (id, source), details);
        for (kind, hash) in hashes {
            open.insert((one.new.right, hash.clone()), id);
            lookups.push((id, kind, hash));
        }
        let runs = planned.as_ref().map_or(0, Vec::len);
        unit.record(
            Stream::Request(id),
            &changes.actor,
            "request.created",
            id,
            json!({"right": request.right, "policy": request.policy, "due_on": request.due_on, "runs": runs,
                   "review": request.review, "unverified_identifiers": request.unverified}),
        );
        request.state = match planned {
            _ if one.verifies => RequestState::Verifying,
            Some(_) => RequestState::Collecting,
            None => RequestState::Triage,
        };
        unit.count(None, Counted::Request(request.state));
        changes.requests.insert(id, request.clone());
        if one.verifies {
            changes.ask_for_verification(unit, id)?;
        } else if let Some(planned) = planned {
            request.open_runs = changes.begin_collecting(unit, &profiles, id, &planned)?;
        }
        stored.push(request);
        results.push(Ok(id));
    }
    if !stored.is_empty() {
        keys.store(unit.connection()).await?;
        requests::insert(unit.connection(), &stored).await?;
        requests::insert_identifiers(unit.connection(), lookups).await?;
    }
    Ok(results)
}

fn new_request(
    unit: &Unit,
    changes: &Changes,
    one: &Accepted,
    (id, source): (RequestId, &str),
    details: habeas_store::Sealed,
) -> Request {
    let received_on = local_date(one.received_at, &changes.rules.settings.time_zone);
    let deadlines = one.clock.deadlines(received_on, &HolidayCalendar::default());
    Request {
        id,
        right: one.new.right,
        policy: one.policy.key.to_owned(),
        state: RequestState::Triage,
        outcome: None,
        hold: None,
        source: source.to_owned(),
        relationship: None,
        review: one.review,
        delivery: one.delivery.as_str().to_owned(),
        received_at: one.received_at,
        received_on,
        due_on: deadlines.due_on,
        due_at: end_of(deadlines.due_on, &changes.rules.settings.time_zone),
        acknowledge_due_on: deadlines.acknowledge_due_on,
        clock_key: one.clock.key.to_owned(),
        clock_version: i64::from(one.clock.version),
        cutoff_on: deadlines.cutoff_on,
        extended: false,
        unverified: any_unverified(&one.identifiers),
        open_runs: 0,
        details,
        created_by: changes.actor.name.clone(),
        created_at: unit.now(),
        closed_at: None,
        forget_content_at: None,
        forget_case_at: None,
    }
}

/// Open requests that share an identifier and a right with the new ones.
pub(super) async fn open_requests(
    connection: &mut Connection,
    keyring: &Keyring,
    accepted: &[Accepted],
) -> Result<HashMap<(Right, Vec<u8>), RequestId>, CaseworkError> {
    let mut current = HashMap::new();
    let mut wanted = Vec::new();
    for one in accepted.iter().filter(|one| !one.new.force) {
        for identifier in &one.identifiers {
            let now = keyring.lookup(identifier.kind, &identifier.value);
            for hash in keyring.lookups(identifier.kind, &identifier.value) {
                current.insert(hash.clone(), now.clone());
                wanted.push((one.new.right, hash));
            }
        }
    }
    let found = requests::open_with(connection, wanted).await?;
    Ok(found
        .into_iter()
        .filter_map(|(right, hash, request)| Some(((right, current.get(&hash)?.clone()), request)))
        .collect())
}

impl Accepted {
    /// Under which hashes it is filed.
    pub(super) fn hashes(&self, keyring: &Keyring) -> Vec<(IdentifierType, Vec<u8>)> {
        self.identifiers
            .iter()
            .map(|identifier| (identifier.kind, keyring.lookup(identifier.kind, &identifier.value)))
            .collect()
    }

    /// What is asked first; `None` if a person decides in triage. With right and policy named, nothing is left to decide.
    pub(super) fn planned(
        &self,
        participants: &[Participant],
    ) -> Result<Option<Vec<PlannedRun>>, PlanRefused> {
        match self.new.policy {
            Some(_) => plan::collect(self.new.right, participants, &kinds(&self.identifiers)).map(Some),
            None => Ok(None),
        }
    }
}
