//! Taking requests in, one or ten thousand at a time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use habeas_domain::identifier::{Identifier, IdentifierSource};
use habeas_domain::legal_clock::{HolidayCalendar, LegalClock, local_date};
use habeas_domain::plan;
use habeas_domain::policy::Policy;
use habeas_domain::{Actor, IdentifierType, Permission, RequestId, RequestState, Right};
use habeas_store::audit::Stream;
use habeas_store::data_keys::NewDataKeys;
use habeas_store::idempotency::{self, Remembered};
use habeas_store::requests::{self, Request};
use habeas_store::{KeyPurpose, StoreError, Unit};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::Casework;
use crate::changes::Changes;
use crate::details::{self, RequestDetails};
use crate::error::{CaseworkError, FieldError};
use crate::lanes::BULK;
use crate::phases::{any_unverified, kinds};

/// Requests that one call may bring.
pub const MOST_REQUESTS: usize = 10_000;
/// Requests taken in by one unit: large enough to share its statements, small enough not to hold up others.
const PER_UNIT: usize = 500;
/// From so many in one call on, requests wait in lanes of their own: a single one does not wait behind them.
const MANY: usize = 100;
/// `source` of a request that came alone, or with a few.
const SINGLE: &str = "api";
/// Identifiers of one subject.
const MOST_IDENTIFIERS: usize = 20;

/// An identifier as it was sent.
#[derive(Clone, Debug)]
pub struct GivenIdentifier {
    /// Where it stood in what was sent, for messages.
    pub field: String,
    /// What kind it is.
    pub kind: IdentifierType,
    /// Its value.
    pub value: String,
    /// Whether the sender vouches for it; `None` leaves it to the sender's roles.
    pub verified: Option<bool>,
}

/// How an access request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A link is mailed to the subject.
    Mail,
    /// The first complete download over the API closes the request.
    Api,
}

impl Delivery {
    /// As it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Api => "api",
        }
    }
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct NewRequest {
    /// What is asked.
    pub right: Right,
    /// Under which policy; without one a person decides in triage.
    pub policy: Option<String>,
    /// What finds the subject.
    pub identifiers: Vec<GivenIdentifier>,
    /// Whether a person looks before anything is delivered or deleted.
    pub review: Option<bool>,
    /// How an access ends.
    pub delivery: Option<Delivery>,
    /// When it reached the company, if that was earlier.
    pub received_at: Option<Timestamp>,
    /// Whether it is meant although the subject has an open one of the same right.
    pub force: bool,
}

/// The key under which a creation happens once, and a fingerprint of what was asked.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    /// As it was sent.
    pub key: String,
    /// Hash of what was sent with it.
    pub fingerprint: Vec<u8>,
}

/// A request that passed every check that needs no database.
#[derive(Clone, Debug)]
struct Accepted {
    new: NewRequest,
    policy: &'static Policy,
    clock: &'static LegalClock,
    identifiers: Vec<Identifier>,
    review: bool,
    delivery: Delivery,
    /// Whether the person confirms it first.
    verifies: bool,
    received_at: Timestamp,
}

impl Casework {
    /// Takes one request in.
    ///
    /// # Errors
    /// Whatever is wrong with it; nothing was stored then.
    pub async fn create_request(
        &self,
        actor: &Actor,
        new: NewRequest,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<RequestId, CaseworkError> {
        let accepted = self.accept(actor, new)?;
        let (actor, rules) = (actor.clone(), Arc::clone(&self.rules));
        let created = self
            .store
            .write(move |unit| {
                Box::pin(async move {
                    if let Some(given) = &idempotency
                        && let Some(before) =
                            idempotency::find(unit.connection(), &actor.name, &given.key).await?
                    {
                        return same_as_before(&before, given);
                    }
                    let mut changes = Changes::new(unit, &actor, &rules);
                    let mut created = take_in(unit, &mut changes, vec![accepted], SINGLE).await?;
                    let id = created.pop().unwrap_or(Err(StoreError::UnitBroken.into()))?;
                    changes.finish(unit).await?;
                    if let Some(given) = idempotency {
                        let remembered =
                            Remembered { fingerprint: given.fingerprint, object: id.to_string() };
                        let now = unit.now();
                        idempotency::remember(unit.connection(), &actor.name, &given.key, &remembered, now)
                            .await
                            .map_err(|_| CaseworkError::IdempotencyRace)?;
                    }
                    Ok(id)
                })
            })
            .await?;
        self.announce_work();
        Ok(created)
    }

    /// Takes many requests in; each stands for itself.
    ///
    /// # Errors
    /// Only if the actor may not take requests in, or there are too many.
    pub async fn create_requests(
        &self,
        actor: &Actor,
        new: Vec<NewRequest>,
    ) -> Result<Vec<Result<RequestId, CaseworkError>>, CaseworkError> {
        actor.require(Permission::CreateRequests)?;
        if new.len() > MOST_REQUESTS {
            return Err(CaseworkError::field("", format!("one call takes at most {MOST_REQUESTS} requests")));
        }
        let source = if new.len() >= MANY { BULK } else { SINGLE };
        let checked: Vec<_> = new.into_iter().map(|one| self.accept(actor, one)).collect();
        let mut results = Vec::with_capacity(checked.len());
        let mut checked = checked.into_iter();
        loop {
            let chunk: Vec<_> = checked.by_ref().take(PER_UNIT).collect();
            if chunk.is_empty() {
                break;
            }
            let accepted: Vec<Accepted> = chunk.iter().filter_map(|one| one.clone().ok()).collect();
            let (actor, rules) = (actor.clone(), Arc::clone(&self.rules));
            let created = self
                .store
                .write(move |unit| {
                    Box::pin(async move {
                        let mut changes = Changes::new(unit, &actor, &rules);
                        let created = take_in(unit, &mut changes, accepted, source).await?;
                        changes.finish(unit).await?;
                        Ok::<_, CaseworkError>(created)
                    })
                })
                .await;
            let mut created = match created {
                Ok(created) => created.into_iter(),
                Err(error) => {
                    results
                        .extend(chunk.into_iter().map(|one| Err(one.err().unwrap_or_else(|| error.clone()))));
                    continue;
                }
            };
            for one in chunk {
                results.push(match one {
                    Ok(_) => created.next().unwrap_or(Err(StoreError::UnitBroken.into())),
                    Err(error) => Err(error),
                });
            }
            self.announce_work();
        }
        Ok(results)
    }

    /// Every check that needs no database.
    fn accept(&self, actor: &Actor, new: NewRequest) -> Result<Accepted, CaseworkError> {
        actor.require(Permission::CreateRequests)?;
        if new.review == Some(false) && !actor.may(Permission::SkipReview) {
            return Err(CaseworkError::ReviewRequired);
        }
        let now = self.store.environment().now();
        let mut errors = Vec::new();
        let policy_key = new.policy.as_deref().unwrap_or(&self.rules.settings.default_policy);
        let policy = Policy::find(policy_key)
            .map_err(|unknown| errors.push(FieldError::new("policy", unknown.to_string())))
            .ok();
        if let Some(policy) = policy.filter(|policy| !policy.grants(new.right)) {
            let message = format!("`{}` is not a right under the policy `{}`", new.right, policy.key);
            errors.push(FieldError::new("right", message));
        }
        let received_at = new.received_at.unwrap_or(now);
        if received_at > now {
            errors.push(FieldError::new(
                "received_at",
                "lies in the future; give when the request reached you",
            ));
        }
        let received_on = local_date(received_at, &self.rules.settings.time_zone);
        let clock = policy.and_then(|policy| LegalClock::in_force(policy.clock, received_on));
        if policy.is_some() && clock.is_none() {
            errors.push(FieldError::new("received_at", "lies before the policy's law was in force"));
        }
        if new.right == Right::Deletion && new.delivery.is_some() {
            errors.push(FieldError::new("delivery", "has no meaning for a deletion; leave it out"));
        }
        let identifiers = accept_identifiers(actor, &new.identifiers, &mut errors);
        let address = identifiers.iter().find(|one| one.kind == IdentifierType::Email);
        if new.delivery == Some(Delivery::Mail) && address.is_none() && errors.is_empty() {
            let message = "`mail` needs an e-mail address of the person; give `email`, or use `api`";
            errors.push(FieldError::new("delivery", message));
        }
        let (Some(policy), Some(clock), true) = (policy, clock, errors.is_empty()) else {
            return Err(CaseworkError::Validation(errors));
        };
        let review = new.review.unwrap_or(self.rules.settings.require_review);
        let by_mail = if address.is_some() { Delivery::Mail } else { Delivery::Api };
        let delivery = new.delivery.unwrap_or(by_mail);
        // Without an address nobody can confirm by a link: a person makes sure in triage, as ever.
        let verifies =
            self.rules.settings.require_verification && address.is_some_and(|address| !address.verified);
        Ok(Accepted { new, policy, clock, identifiers, review, delivery, verifies, received_at })
    }
}

pub(crate) fn accept_identifiers(
    actor: &Actor,
    given: &[GivenIdentifier],
    errors: &mut Vec<FieldError>,
) -> Vec<Identifier> {
    if given.is_empty() {
        errors.push(FieldError::new("subject", "has no identifier; give at least `email`"));
    }
    if given.len() > MOST_IDENTIFIERS {
        let message = format!("has more than {MOST_IDENTIFIERS} identifiers");
        errors.push(FieldError::new("subject.identifiers", message));
    }
    let vouches = actor.may(Permission::AttestIdentifiers);
    let mut seen = HashSet::new();
    let mut accepted = Vec::new();
    for one in given {
        match one.kind.accept(&one.value) {
            // The same value twice is one identifier.
            Ok(value) if !seen.insert((one.kind, one.kind.comparable(&value))) => {}
            Ok(value) => {
                let verified = one.verified.unwrap_or(vouches);
                accepted.push(Identifier {
                    kind: one.kind,
                    value,
                    source: IdentifierSource::Request,
                    verified,
                    attested_by: verified.then(|| actor.name.clone()),
                });
            }
            Err(invalid) => errors.push(FieldError::new(&one.field, invalid.to_string())),
        }
    }
    accepted
}

fn same_as_before(before: &Remembered, given: &IdempotencyKey) -> Result<RequestId, CaseworkError> {
    if before.fingerprint != given.fingerprint {
        return Err(CaseworkError::IdempotencyMismatch);
    }
    before.object.parse().map_err(|_| StoreError::Corrupt("idempotency_keys.object_id").into())
}

/// Stores the accepted requests and begins those that need no triage.
async fn take_in(
    unit: &mut Unit,
    changes: &mut Changes,
    accepted: Vec<Accepted>,
    source: &'static str,
) -> Result<Vec<Result<RequestId, CaseworkError>>, CaseworkError> {
    let keyring = unit.keyring();
    let environment = unit.environment().clone();
    let profiles = changes.profiles(unit).await?;
    let participants = profiles.participants();
    let mut open = open_requests(unit, &accepted).await?;
    let mut keys = NewDataKeys::default();
    let mut lookups = Vec::new();
    let mut stored = Vec::new();
    let mut results = Vec::with_capacity(accepted.len());
    for one in accepted {
        let hashes: Vec<_> = one
            .identifiers
            .iter()
            .map(|identifier| (identifier.kind, keyring.lookup(identifier.kind, &identifier.value)))
            .collect();
        if !one.new.force
            && let Some(request) =
                hashes.iter().find_map(|(_, hash)| open.get(&(one.new.right, hash.clone())))
        {
            results.push(Err(CaseworkError::Duplicate { request: *request }));
            continue;
        }
        // Right and policy are named: nothing is left for triage to decide.
        let planned = match one.new.policy {
            Some(_) => match plan::collect(one.new.right, &participants, &kinds(&one.identifiers)) {
                Ok(planned) => Some(planned),
                Err(refused) => {
                    results.push(Err(refused.into()));
                    continue;
                }
            },
            None => None,
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

/// The last moment of a date where the company is established.
pub(crate) fn end_of(date: jiff::civil::Date, zone: &TimeZone) -> Timestamp {
    date.tomorrow()
        .and_then(|next| next.to_zoned(zone.clone()))
        .map_or(Timestamp::MAX, |midnight| midnight.timestamp())
}

/// Open requests that share an identifier and a right with the new ones.
async fn open_requests(
    unit: &mut Unit,
    accepted: &[Accepted],
) -> Result<HashMap<(Right, Vec<u8>), RequestId>, CaseworkError> {
    let keyring = unit.keyring();
    let mut current = HashMap::new();
    let mut wanted = Vec::new();
    for one in accepted {
        for identifier in &one.identifiers {
            let now = keyring.lookup(identifier.kind, &identifier.value);
            for hash in keyring.lookups(identifier.kind, &identifier.value) {
                current.insert(hash.clone(), now.clone());
                wanted.push((one.new.right, hash));
            }
        }
    }
    let found = requests::open_with(unit.connection(), wanted).await?;
    Ok(found
        .into_iter()
        .filter_map(|(right, hash, request)| Some(((right, current.get(&hash)?.clone()), request)))
        .collect())
}
