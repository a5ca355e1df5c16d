//! Many requests in one call, and what would become of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use habeas_domain::plan::PlanRefused;
use habeas_domain::{Actor, Permission, RequestId, Right};
use habeas_store::bulk_answers::{self, BulkAnswer};
use habeas_store::{Keyring, StoreError, Unit};
use serde::{Deserialize, Serialize};

use super::taking::{open_requests, take_in};
use super::{Accepted, IdempotencyKey, MOST_REQUESTS, NewRequest};
use crate::changes::Changes;
use crate::error::{CaseworkError, FieldError};
use crate::profiles::Profiles;
use crate::{Casework, Rules};

/// Requests taken in by one unit: large enough to share its statements, small enough not to hold up others.
const PER_UNIT: usize = 500;

/// What became of a request.
type Taken = Result<RequestId, CaseworkError>;

/// A call whose answer is remembered.
#[derive(Clone)]
struct Remembering {
    key_hash: Vec<u8>,
    fingerprint: Vec<u8>,
}

/// What became of a request, as it is remembered. Ids, our own words and names of fields: nothing personal.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    TakenIn(RequestId),
    Duplicate(RequestId),
    NoConnection(Right),
    IdentifierMissing { connection: String, wanted: String },
    ReviewRequired,
    Validation(Vec<(String, String)>),
}

impl Casework {
    /// Takes many requests in; each stands for itself. With a key, what became of them is remembered part by part: sent
    /// again, those parts are answered the same and only the others are taken in.
    ///
    /// # Errors
    /// If the actor may not take requests in, there are too many, or the key was used for something else.
    pub async fn create_requests(
        &self,
        actor: &Actor,
        new: Vec<NewRequest>,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Vec<Taken>, CaseworkError> {
        let (remembering, mut known) = self.before(actor, &new, idempotency).await?;
        let mut results = Vec::with_capacity(new.len());
        for (part, chunk) in chunks(new).enumerate() {
            if let Some(answers) = known.remove(&part) {
                results.extend(answers);
                continue;
            }
            let checked: Vec<_> = chunk.into_iter().map(|one| self.accept(actor, one)).collect();
            let count = checked.len();
            let (actor, rules, remembering) = (actor.clone(), Arc::clone(&self.rules), remembering.clone());
            let taken = self
                .store
                .write(move |unit| {
                    Box::pin(
                        async move { take_part(unit, (&actor, &rules), checked, part, remembering).await },
                    )
                })
                .await;
            match taken {
                Ok(taken) => results.extend(taken),
                Err(CaseworkError::IdempotencyRace) => return Err(CaseworkError::IdempotencyRace),
                // Nothing of this part was kept; the others stand for themselves.
                Err(error) => results.extend(std::iter::repeat_n(Err(error), count)),
            }
            self.announce_work();
        }
        Ok(results)
    }

    /// What would become of many requests, each as if it came after those before it; nothing is written. `None` = it would
    /// be taken in; an id = it was, under this key.
    ///
    /// # Errors
    /// As [`Casework::create_requests`].
    pub async fn check_requests(
        &self,
        actor: &Actor,
        new: Vec<NewRequest>,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Vec<Result<Option<RequestId>, CaseworkError>>, CaseworkError> {
        let (_, mut known) = self.before(actor, &new, idempotency).await?;
        let keyring = self.store.keyring();
        let mut reader = self.store.reader().await?;
        let participants = Profiles::load(&mut reader, &self.rules.catalogue).await?.participants();
        let mut earlier = HashSet::new();
        let mut results = Vec::with_capacity(new.len());
        for (part, chunk) in chunks(new).enumerate() {
            if let Some(answers) = known.remove(&part) {
                results.extend(answers.into_iter().map(|answer| answer.map(Some)));
                continue;
            }
            let (places, accepted) = apart(chunk.into_iter().map(|one| self.accept(actor, one)));
            let open = open_requests(&mut reader, keyring, &accepted).await?;
            let mut checked = accepted.into_iter().map(|one| {
                let hashes: Vec<_> =
                    one.hashes(keyring).into_iter().map(|(_, hash)| (one.new.right, hash)).collect();
                if !one.new.force {
                    if let Some(request) = hashes.iter().find_map(|hash| open.get(hash)) {
                        return Err(CaseworkError::Duplicate { request: *request });
                    }
                    if hashes.iter().any(|hash| earlier.contains(hash)) {
                        return Err(CaseworkError::RepeatedInCall);
                    }
                }
                one.planned(&participants)?;
                earlier.extend(hashes);
                Ok(None)
            });
            results.extend(together(places, &mut checked));
        }
        Ok(results)
    }

    /// What holds for both, and what is remembered of the call: the parts that are over.
    async fn before(
        &self,
        actor: &Actor,
        new: &[NewRequest],
        idempotency: Option<IdempotencyKey>,
    ) -> Result<(Option<Remembering>, HashMap<usize, Vec<Taken>>), CaseworkError> {
        actor.require(Permission::CreateRequests)?;
        if new.len() > MOST_REQUESTS {
            return Err(CaseworkError::field("", format!("one call takes at most {MOST_REQUESTS} requests")));
        }
        let Some(given) = idempotency else { return Ok((None, HashMap::new())) };
        let remembering = Remembering {
            key_hash: key_hash(self.store.keyring(), actor, &given.key),
            fingerprint: given.fingerprint,
        };
        let mut known = HashMap::new();
        for before in bulk_answers::find(&mut self.store.reader().await?, &remembering.key_hash).await? {
            if before.fingerprint != remembering.fingerprint {
                return Err(CaseworkError::IdempotencyMismatch);
            }
            let corrupt = || StoreError::Corrupt("bulk_answers.answer");
            let kept: Vec<Kept> = serde_json::from_slice(&before.answer).map_err(|_| corrupt())?;
            let part = usize::try_from(before.part).map_err(|_| corrupt())?;
            known.insert(part, kept.into_iter().map(Kept::answer).collect());
        }
        Ok((Some(remembering), known))
    }
}

/// Length before each text, so that no two callers and keys make the same text.
fn key_hash(keyring: &Keyring, actor: &Actor, key: &str) -> Vec<u8> {
    keyring.fingerprint("bulk", format!("{}:{}{key}", actor.name.len(), actor.name).as_bytes())
}

fn chunks(new: Vec<NewRequest>) -> impl Iterator<Item = Vec<NewRequest>> {
    let mut rest = new.into_iter();
    std::iter::from_fn(move || {
        let chunk: Vec<_> = rest.by_ref().take(PER_UNIT).collect();
        if chunk.is_empty() { None } else { Some(chunk) }
    })
}

/// The accepted ones, and for each place what is known of it already.
fn apart(
    checked: impl IntoIterator<Item = Result<Accepted, CaseworkError>>,
) -> (Vec<Option<CaseworkError>>, Vec<Accepted>) {
    let (mut places, mut accepted) = (Vec::new(), Vec::new());
    for one in checked {
        places.push(one.map(|one| accepted.push(one)).err());
    }
    (places, accepted)
}

/// The reverse of [`apart`].
fn together<T>(
    places: Vec<Option<CaseworkError>>,
    results: &mut impl Iterator<Item = Result<T, CaseworkError>>,
) -> Vec<Result<T, CaseworkError>> {
    places
        .into_iter()
        .map(|refused| match refused {
            Some(refused) => Err(refused),
            None => results.next().unwrap_or(Err(StoreError::UnitBroken.into())),
        })
        .collect()
}

async fn take_part(
    unit: &mut Unit,
    (actor, rules): (&Actor, &Arc<Rules>),
    checked: Vec<Result<Accepted, CaseworkError>>,
    part: usize,
    remembering: Option<Remembering>,
) -> Result<Vec<Taken>, CaseworkError> {
    let (places, accepted) = apart(checked);
    let mut changes = Changes::new(unit, actor, rules);
    let taken = take_in(unit, &mut changes, accepted).await?;
    changes.finish(unit).await?;
    let results = together(places, &mut taken.into_iter());
    if let Some(Remembering { key_hash, fingerprint }) = remembering {
        let kept = results.iter().map(Kept::of).collect::<Result<Vec<_>, _>>()?;
        let answer = serde_json::to_vec(&kept).map_err(|_| StoreError::Corrupt("bulk_answers.answer"))?;
        let part = i64::try_from(part).unwrap_or(i64::MAX);
        let (answer, now) = (BulkAnswer { part, fingerprint, answer }, unit.now());
        bulk_answers::remember(unit.connection(), &key_hash, &answer, now)
            .await
            .map_err(|_| CaseworkError::IdempotencyRace)?;
    }
    Ok(results)
}

impl Kept {
    /// What cannot be remembered is a failure of the whole part.
    fn of(taken: &Taken) -> Result<Self, CaseworkError> {
        let pairs = |errors: &[FieldError]| {
            errors.iter().map(|error| (error.field.clone(), error.message.clone())).collect()
        };
        Ok(match taken {
            Ok(id) => Self::TakenIn(*id),
            Err(CaseworkError::Duplicate { request }) => Self::Duplicate(*request),
            Err(CaseworkError::PlanRefused(PlanRefused::NoConnection { right })) => {
                Self::NoConnection(*right)
            }
            Err(CaseworkError::PlanRefused(PlanRefused::IdentifierMissing { connection, wanted })) => {
                Self::IdentifierMissing { connection: connection.clone(), wanted: wanted.clone() }
            }
            Err(CaseworkError::ReviewRequired) => Self::ReviewRequired,
            Err(CaseworkError::Validation(errors)) => Self::Validation(pairs(errors)),
            Err(other) => return Err(other.clone()),
        })
    }

    fn answer(self) -> Taken {
        Err(match self {
            Self::TakenIn(id) => return Ok(id),
            Self::Duplicate(request) => CaseworkError::Duplicate { request },
            Self::NoConnection(right) => PlanRefused::NoConnection { right }.into(),
            Self::IdentifierMissing { connection, wanted } => {
                PlanRefused::IdentifierMissing { connection, wanted }.into()
            }
            Self::ReviewRequired => CaseworkError::ReviewRequired,
            Self::Validation(errors) => CaseworkError::Validation(
                errors.into_iter().map(|(field, message)| FieldError::new(field, message)).collect(),
            ),
        })
    }
}
