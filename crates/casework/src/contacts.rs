//! People at a system's owner: asking them, reminding them, and taking their answer.
//!
//! A run that waits for a person is served by an operation of kind `contact`. Its due work comes up for every reminder
//! and at the deadline; the answer ends it.

mod answers;
mod by_link;

use std::sync::Arc;
use std::time::Duration;

use habeas_documents::mail::ContactAsks;
use habeas_domain::moment::after;
use habeas_domain::operation::OperationStatus;
use habeas_domain::run::{RunAction, RunDetail};
use habeas_domain::{Actor, IdentifierType, Phase, RequestId, RunId, RunStatus};
use habeas_store::audit::Stream;
use habeas_store::due_work::{self, Lease, Postponement};
use habeas_store::operations::{self, Operation, Which};
use habeas_store::{KeyPurpose, StoreError, Unit, data_keys, links, runs};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use answers::{accept_texts, fits, take_answer};
pub use by_link::ContactPage;

use crate::Casework;
use crate::changes::Changes;
use crate::details::{self, RunContact, RunFailure};
use crate::error::{CaseworkError, FieldError};
use crate::files::StoredFile;
use crate::letters::{Audience, Body, Letter};
use crate::links::Purpose;

/// The lane of reminders and deadlines: they never wait behind vendors.
pub const CONTACT_LANE: &str = "contacts";
/// Records that one answer may bring.
pub const MOST_RECORDS: usize = 1_000;
/// Files that one answer may bring.
pub const MOST_FILES: usize = 50;

/// What happens when a contact does not answer in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExpiry {
    /// The run is skipped and the request goes on.
    Skip,
    /// A person decides.
    #[default]
    Hold,
}

impl OnExpiry {
    /// As it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Hold => "hold",
        }
    }

    pub(crate) fn read(stored: Option<&str>) -> Result<Self, StoreError> {
        match stored {
            None => Ok(Self::default()),
            Some("skip") => Ok(Self::Skip),
            Some("hold") => Ok(Self::Hold),
            Some(_) => Err(StoreError::Corrupt("connections.contact_on_expiry")),
        }
    }
}

/// What a contact says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Here is what the system holds.
    Data,
    /// The system holds nothing about the person.
    NothingHeld,
    /// It was deleted.
    Deleted,
}

impl Answer {
    /// As it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::NothingHeld => "nothing_held",
            Self::Deleted => "deleted",
        }
    }
}

/// A record that a contact brings.
#[derive(Clone)]
pub struct AnsweredRecord {
    /// What it is (`invoice`).
    pub kind: String,
    /// How a reviewer recognises it.
    pub title: String,
    /// What is held.
    pub fields: Map<String, Value>,
}

/// Never prints contents.
impl std::fmt::Debug for AnsweredRecord {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "AnsweredRecord({} fields)", self.fields.len())
    }
}

/// A contact's answer.
#[derive(Clone)]
pub struct ContactAnswer {
    /// What they say.
    pub answer: Answer,
    /// Who says so.
    pub name: Option<String>,
    /// What they add.
    pub note: Option<String>,
    /// What the system holds, as records.
    pub records: Vec<AnsweredRecord>,
    /// What the system holds, as files.
    pub files: Vec<StoredFile>,
}

/// Never prints what was written.
impl std::fmt::Debug for ContactAnswer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ContactAnswer").field("answer", &self.answer).finish_non_exhaustive()
    }
}

/// An operation that waits for a person.
pub(crate) struct Waiting {
    pub(crate) position: Value,
    pub(crate) next_at: Timestamp,
}

/// What is stored of the waiting.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    /// Until when an answer is waited for.
    until: Timestamp,
    /// How often the contact was reminded.
    reminders: u32,
    /// Whether there is somebody to remind.
    by_mail: bool,
}

impl Asked {
    fn detail(&self) -> RunDetail {
        if self.by_mail {
            RunDetail::WaitingForContact { until: self.until, reminders: self.reminders }
        } else {
            RunDetail::WaitingForAnswer { until: self.until }
        }
    }

    /// The next reminder, or the deadline.
    fn next(&self, now: Timestamp, reminder: Duration) -> Timestamp {
        if self.by_mail { after(now, reminder).min(self.until) } else { self.until }
    }

    fn position(&self) -> Value {
        json!(self)
    }
}

impl Changes {
    /// Asks the contact of a run: the one it was handed over to, else its connection's. Profiles are loaded.
    pub(crate) fn ask_contact(&mut self, unit: &mut Unit, id: RunId) -> Result<(), CaseworkError> {
        let profiles = self.loaded_profiles()?;
        let times = self.rules.settings.contacts;
        let now = self.now;
        let run = self.run(id)?;
        let stored = &profiles.get(run.connection)?.stored;
        let seconds = stored.contact_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let deadline = seconds.map_or(times.deadline, Duration::from_secs);
        let by_mail = run.contact.is_some() || stored.contact.is_some();
        let asked = Asked { until: after(now, deadline), reminders: 0, by_mail };
        let next_at = asked.next(now, times.reminder);
        run.detail = asked.detail();
        run.next_at = Some(next_at);
        let request = run.request;
        let data = json!({"until": asked.until, "by_mail": by_mail});
        unit.record(Stream::Request(request), &self.actor, "contact.asked", id, data);
        if by_mail {
            self.write_to_contact(unit, id, &asked)?;
        }
        self.add_waiting(unit, id, Waiting { position: asked.position(), next_at })
    }

    /// Mails the contact of a run a link to the form: each mail has one of its own. Profiles are loaded.
    fn write_to_contact(&mut self, unit: &Unit, id: RunId, asked: &Asked) -> Result<(), CaseworkError> {
        let profiles = self.loaded_profiles()?;
        let run = self.run(id)?;
        let (request, connection, phase) = (run.request, run.connection, run.phase);
        let link = self.make_link(unit, Purpose::Contact, (request, Some(id)), asked.until)?;
        let body = Body::ContactAsked {
            link,
            system: profiles.get(connection)?.stored.name.clone(),
            until: asked.until,
            asks: asks(phase),
            reminders: asked.reminders,
        };
        self.letters.push(Letter { request, audience: Audience::Contact(id), body });
        Ok(())
    }

    /// The operation of a run that waits for a person, if it does.
    async fn waiting_operation(
        &mut self,
        unit: &mut Unit,
        run: RunId,
    ) -> Result<Option<Operation>, CaseworkError> {
        let serving = operations::serving(unit.connection(), [run]).await?;
        let waiting = serving.iter().find(|one| one.1 == habeas_domain::operation::OperationKind::Contact);
        let Some((operation, ..)) = waiting else { return Ok(None) };
        Ok(operations::lock(unit.connection(), [*operation]).await?.pop())
    }

    /// Waits for a contact again after the deadline passed, or goes on waiting.
    pub(crate) async fn ask_contact_again(
        &mut self,
        unit: &mut Unit,
        run: RunId,
        operation: &Operation,
    ) -> Result<(), CaseworkError> {
        if operation.status != OperationStatus::Failed {
            let asked = read(operation)?;
            let next_at = due_work::next_of(unit.connection(), operation.id).await?;
            let waiting = self.run(run)?;
            (waiting.detail, waiting.next_at) = (asked.detail(), next_at);
            return Ok(());
        }
        self.end_waiting(unit, operation).await?;
        self.profiles(unit).await?;
        self.ask_contact(unit, run)
    }

    /// Waits on after a hold: what was left of the time is left, but not less than the contact is usually given before a
    /// reminder. Profiles are loaded.
    pub(crate) fn wait_further(
        &mut self,
        unit: &Unit,
        id: RunId,
        operation: Option<Operation>,
    ) -> Result<Operation, CaseworkError> {
        let mut operation = operation.ok_or(StoreError::UnitBroken)?;
        let reminder = self.rules.settings.contacts.reminder;
        let mut asked = read(&operation)?;
        let until = asked.until.max(after(self.now, reminder));
        if asked.by_mail && until > asked.until {
            // The links that were mailed end when the time ended.
            asked.reminders += 1;
            asked.until = until;
            self.write_to_contact(unit, id, &asked)?;
        }
        let next_at = asked.next(self.now, reminder);
        operation.position = Some(asked.position());
        let run = self.run(id)?;
        (run.detail, run.next_at) = (asked.detail(), Some(next_at));
        self.queue_contact(unit, id, operation.id, next_at)?;
        Ok(operation)
    }

    async fn end_waiting(&mut self, unit: &mut Unit, operation: &Operation) -> Result<(), CaseworkError> {
        let ended =
            Operation { status: OperationStatus::Done, finished_at: Some(self.now), ..operation.clone() };
        due_work::remove(unit.connection(), [operation.id]).await?;
        operations::save(unit.connection(), [&ended]).await?;
        Ok(())
    }

    async fn contact_is_silent(
        &mut self,
        unit: &mut Unit,
        id: RunId,
        mut operation: Operation,
    ) -> Result<(), CaseworkError> {
        let profiles = self.profiles(unit).await?;
        let run = self.run(id)?;
        let (request, connection, status) = (run.request, run.connection, run.status);
        let on_expiry = profiles.get(connection)?.stored.contact_on_expiry.as_deref();
        if OnExpiry::read(on_expiry)? == OnExpiry::Skip {
            self.end_waiting(unit, &operation).await?;
            return self.move_run(unit, id, RunAction::Skip, RunDetail::ContactSilent, json!({}));
        }
        operation.status = OperationStatus::Failed;
        operation.finished_at = Some(self.now);
        due_work::remove(unit.connection(), [operation.id]).await?;
        operations::save(unit.connection(), [&operation]).await?;
        // A person looks at it already.
        if status == RunStatus::Attention {
            return Ok(());
        }
        let failure = RunFailure {
            code: "contact_overdue".to_owned(),
            message: "the system's contact did not answer in time".to_owned(),
            vendor_request_id: None,
            remedy: "call the contact; then enter the answer, retry to ask again, hand the run over to somebody else, \
                     or skip it with a reason"
                .to_owned(),
        };
        let keyring = unit.keyring();
        let key = data_keys::load_one(unit.connection(), &keyring, request, KeyPurpose::Case).await?;
        self.run(id)?.failure = Some(details::seal(unit, &key, &id, &failure)?);
        if self.rules.settings.team.is_some() {
            let system = profiles.get(connection)?.stored.name.clone();
            let body = Body::ContactOverdue { system, until: read(&operation)?.until };
            self.letters.push(Letter { request, audience: Audience::Team, body });
        }
        self.move_run(unit, id, RunAction::Fail, RunDetail::Failed, json!({"code": failure.code}))
    }
}

const fn asks(phase: Phase) -> ContactAsks {
    match phase {
        Phase::Collect => ContactAsks::Data,
        Phase::Erase => ContactAsks::Deletion,
    }
}

fn read(operation: &Operation) -> Result<Asked, StoreError> {
    let position = operation.position.clone().ok_or(StoreError::Corrupt("operations.position"))?;
    serde_json::from_value(position).map_err(|_| StoreError::Corrupt("operations.position"))
}

impl Casework {
    /// Reminds a contact, or gives up waiting, when its time has come.
    ///
    /// # Errors
    /// If the store fails; the lease then runs out and the work is taken up again.
    pub async fn contact_due(&self, lease: &Lease) -> Result<(), CaseworkError> {
        let (rules, lease) = (Arc::clone(&self.rules), lease.clone());
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &Actor::system(), &rules);
                    carry_out_due(unit, &mut changes, &lease).await?;
                    changes.finish(unit).await
                })
            })
            .await?;
        self.announce_work();
        Ok(())
    }

    /// Takes the answer of a system's contact, as a person who works on the request enters it.
    ///
    /// # Errors
    /// If the run does not wait for one, or the answer does not fit it.
    pub async fn answer_run(
        &self,
        actor: &Actor,
        id: RequestId,
        run: RunId,
        answer: ContactAnswer,
    ) -> Result<(), CaseworkError> {
        let answer = accept_texts(answer)?;
        self.on_request(actor, id, move |unit, changes| {
            Box::pin(async move {
                changes.load_run(unit, id, run).await?;
                let Some(operation) = changes.waiting_operation(unit, run).await? else {
                    let status = changes.run(run)?.status;
                    return Err(CaseworkError::NotWaitingForAnswer {
                        allowed: habeas_domain::run::allowed(status),
                    });
                };
                fits(&answer, changes.run(run)?.phase)?;
                changes.end_waiting(unit, &operation).await?;
                take_answer(unit, changes, id, run, answer).await
            })
        })
        .await
    }

    /// Hands a run over to a person at the system's owner.
    ///
    /// # Errors
    /// If the run is settled, the request is on hold, or the address is none.
    pub async fn hand_over_run(
        &self,
        actor: &Actor,
        id: RequestId,
        run: RunId,
        email: &str,
    ) -> Result<(), CaseworkError> {
        let email = accept_address("email", email)?;
        self.on_request(actor, id, move |unit, changes| {
            Box::pin(async move {
                changes.refuse_under_hold(id)?;
                changes.load_run(unit, id, run).await?;
                changes.move_run(unit, run, RunAction::HandOver, RunDetail::Queued, json!({}))?;
                // Whoever was asked before is not asked any more.
                let purpose = Purpose::Contact.as_str();
                links::use_up(unit.connection(), purpose, (id, Some(run)), changes.now).await?;
                changes.detach(unit, vec![run]).await?;
                let keyring = unit.keyring();
                let key = data_keys::load_one(unit.connection(), &keyring, id, KeyPurpose::Case).await?;
                let sealed = details::seal(unit, &key, &run, &RunContact { email })?;
                let handed = changes.run(run)?;
                handed.contact = Some(sealed);
                handed.failure = None;
                handed.attempts = 0;
                changes.profiles(unit).await?;
                changes.ask_contact(unit, run)
            })
        })
        .await
    }
}

async fn carry_out_due(unit: &mut Unit, changes: &mut Changes, lease: &Lease) -> Result<(), CaseworkError> {
    let id = lease.object.parse().map_err(StoreError::from)?;
    let member = operations::members(unit.connection(), [id], Which::All).await?.pop();
    if let Some(member) = &member {
        changes.lock(unit, [member.request]).await?;
    }
    if due_work::held(unit.connection(), [(lease.id, lease.fence)]).await?.is_empty() {
        return Ok(());
    }
    let Some(mut operation) = operations::lock(unit.connection(), [id]).await?.pop() else { return Ok(()) };
    let run = match &member {
        Some(member) => runs::by_ids(unit.connection(), [member.run]).await?.pop(),
        None => None,
    };
    // Settled or taken back meanwhile.
    let Some(run) = run.filter(|run| !run.status.is_settled()) else {
        return changes.end_waiting(unit, &operation).await;
    };
    let (id, request) = (run.id, run.request);
    changes.runs.insert(id, run);
    let mut asked = read(&operation)?;
    if changes.now >= asked.until {
        return changes.contact_is_silent(unit, id, operation).await;
    }
    asked.reminders += 1;
    let next_at = asked.next(changes.now, changes.rules.settings.contacts.reminder);
    operation.position = Some(asked.position());
    operations::save(unit.connection(), [&operation]).await?;
    let later = Postponement { id: lease.id, fence: lease.fence, next_at, attempts: 0 };
    due_work::postpone(unit.connection(), [later]).await?;
    let run = changes.run(id)?;
    run.detail = asked.detail();
    run.next_at = Some(next_at);
    if asked.by_mail {
        changes.profiles(unit).await?;
        changes.write_to_contact(unit, id, &asked)?;
    }
    let data = json!({"reminders": asked.reminders, "until": asked.until});
    unit.record(Stream::Request(request), &changes.actor, "contact.reminded", id, data);
    Ok(())
}

/// An address as it is kept.
pub(crate) fn accept_address(field: &str, email: &str) -> Result<String, FieldError> {
    IdentifierType::Email.accept(email).map_err(|invalid| FieldError::new(field, invalid.to_string()))
}
