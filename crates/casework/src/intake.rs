//! Taking requests in, one or ten thousand at a time.

mod bulk;
mod taking;

use std::collections::HashSet;
use std::sync::Arc;

use habeas_domain::identifier::{Identifier, IdentifierSource};
use habeas_domain::legal_clock::{LegalClock, local_date};
use habeas_domain::policy::Policy;
use habeas_domain::{Actor, IdentifierType, Permission, RequestId, Right};
use habeas_store::StoreError;
use habeas_store::idempotency::{self, Remembered};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::Casework;
use crate::changes::Changes;
use crate::error::{CaseworkError, FieldError};
use taking::take_in;

/// Requests that one call may bring.
pub const MOST_REQUESTS: usize = 10_000;
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
                    let mut created = take_in(unit, &mut changes, vec![accepted]).await?;
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

/// The last moment of a date where the company is established.
pub(crate) fn end_of(date: jiff::civil::Date, zone: &TimeZone) -> Timestamp {
    date.tomorrow()
        .and_then(|next| next.to_zoned(zone.clone()))
        .map_or(Timestamp::MAX, |midnight| midnight.timestamp())
}
