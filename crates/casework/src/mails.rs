//! Mails on their way, and what became of them.

use std::collections::{BTreeSet, HashMap};

use habeas_domain::{Actor, DueWorkId, MailId, Permission, RequestId};
use habeas_store::audit::Stream;
use habeas_store::due_work::{self, DueWorkKind, Lease, NewDueWork, Postponement};
use habeas_store::mails::{self, About, Mail};
use habeas_store::{DataKey, KeyPurpose, StoreError, Unit, data_keys};
use jiff::Timestamp;
use serde_json::json;

use crate::Casework;
use crate::details::{self, MailContent};
use crate::error::CaseworkError;
use crate::lanes::Lane;

/// The lane of mails: they never wait behind vendors.
pub const MAIL_LANE: &str = "mails";

/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// It waits to leave.
    Queued,
    /// It is being handed over: it may have left.
    Sending,
    /// The mail server has it.
    Sent,
    /// It lies in the outbox directory; nobody receives it.
    Written,
    /// The mail server refused it for good, or could not be reached for days.
    Failed,
}

impl MailState {
    /// As it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Written => "written",
            Self::Failed => "failed",
        }
    }
}

/// A mail that is due to leave.
#[derive(Clone)]
pub struct OutgoingMail {
    /// Its id: the same over all attempts.
    pub id: MailId,
    /// The address.
    pub to: String,
    /// Its subject line.
    pub subject: String,
    /// Its plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// When it was written.
    pub created_at: Timestamp,
}

/// Never prints address or text.
impl std::fmt::Debug for OutgoingMail {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "OutgoingMail({})", self.id)
    }
}

/// Why a mail did not leave. Names nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailProblem {
    /// Stable code.
    pub code: String,
    /// What happened and what to do, in words for people.
    pub message: String,
}

/// What came of handing a mail over.
#[derive(Clone, Debug)]
pub enum MailOutcome {
    /// The mail server has it.
    Sent,
    /// It was written as a file.
    Written,
    /// A passing failure.
    Retry {
        /// What happened.
        problem: MailProblem,
        /// When to try again.
        at: Timestamp,
    },
    /// It will not leave.
    Failed {
        /// What happened.
        problem: MailProblem,
    },
}

/// A mail as a person sees it.
#[derive(Clone, Debug)]
pub struct MailCase {
    /// What is stored.
    pub mail: Mail,
    /// What it said to whom; `None` once the case key was destroyed.
    pub content: Option<MailContent>,
    /// When the next attempt is due, while it waits.
    pub next_at: Option<Timestamp>,
}

/// Takes claimed mails up: that each may leave from now on is on record with this unit.
pub(crate) async fn take_up(
    unit: &mut Unit,
    leases: Vec<Lease>,
) -> Result<Vec<(Lease, OutgoingMail)>, CaseworkError> {
    if leases.is_empty() {
        return Ok(Vec::new());
    }
    let ids = leases.iter().filter_map(|lease| lease.object.parse::<MailId>().ok());
    let mut found = mails::lock(unit.connection(), ids).await?;
    let keys = keys_of(unit, &found).await?;
    let (mut outgoing, mut over) = (Vec::new(), Vec::new());
    for lease in leases {
        let mail = found.iter_mut().find(|mail| mail.id.to_string() == lease.object);
        let waits = |mail: &&mut Mail| {
            mail.state == MailState::Queued.as_str() || mail.state == MailState::Sending.as_str()
        };
        let Some((mail, key)) =
            mail.filter(waits).and_then(|mail| keys.get(&mail.about.to_string()).map(|key| (mail, key)))
        else {
            over.push((lease.id, lease.fence));
            continue;
        };
        mail.state = MailState::Sending.as_str().to_owned();
        let content: MailContent = details::open(key, &mail.id, &mail.content)?;
        outgoing.push((
            lease,
            OutgoingMail {
                id: mail.id,
                to: content.to,
                subject: content.subject,
                text: content.text,
                html: content.html,
                created_at: mail.created_at,
            },
        ));
    }
    due_work::finish(unit.connection(), over).await?;
    let sending = found.iter().filter(|mail| mail.state == MailState::Sending.as_str());
    mails::note_sending(unit.connection(), sending.map(|mail| mail.id)).await?;
    Ok(outgoing)
}

/// The keys that open these mails, by what each is about.
async fn keys_of(unit: &mut Unit, mails: &[Mail]) -> Result<HashMap<String, DataKey>, CaseworkError> {
    let (mut requests, mut connections) = (BTreeSet::new(), BTreeSet::new());
    for mail in mails {
        match mail.about {
            About::Request(id) => drop(requests.insert(id)),
            About::Connection(id) => drop(connections.insert(id)),
        }
    }
    let keyring = unit.keyring();
    let mut keys = data_keys::load(unit.connection(), &keyring, requests, KeyPurpose::Case).await?;
    if !connections.is_empty() {
        let of_connections =
            data_keys::load(unit.connection(), &keyring, connections, KeyPurpose::Settings).await?;
        keys.extend(of_connections);
    }
    Ok(keys)
}

/// A mail that waits to leave, sealed with the key of what it is about.
pub(crate) fn queued(
    unit: &Unit,
    key: &DataKey,
    about: About,
    audience: &str,
    kind: &str,
    content: &MailContent,
) -> Result<Mail, StoreError> {
    let id = MailId::new(unit.environment().unique());
    Ok(Mail {
        id,
        about,
        kind: kind.to_owned(),
        audience: audience.to_owned(),
        state: MailState::Queued.as_str().to_owned(),
        attempts: 0,
        content: details::seal(unit, key, &id, content)?,
        problem: None,
        created_at: unit.now(),
        sent_at: None,
    })
}

/// The work of handing a mail over, due now. Whoever waits longest comes first: legal dates have no say in it.
pub(crate) fn handing_over(unit: &Unit, mail: MailId, bulk: bool) -> NewDueWork {
    let now = unit.now();
    NewDueWork {
        id: DueWorkId::new(unit.environment().unique()),
        kind: DueWorkKind::Mail,
        object: mail.to_string(),
        lane: Lane::Mails { bulk }.to_string(),
        due_at: now,
        next_at: now,
    }
}

impl Casework {
    /// Writes what came of handing mails over.
    ///
    /// # Errors
    /// If the store fails; the leases then run out and the mails are handed over again, under the same ids.
    pub async fn report_mails(&self, reports: Vec<(Lease, MailOutcome)>) -> Result<(), CaseworkError> {
        self.store.write(move |unit| Box::pin(report(unit, reports))).await?;
        self.announce_change();
        Ok(())
    }

    /// A request's mails, oldest first.
    ///
    /// # Errors
    /// If there is no such request, or the actor may not read requests.
    pub async fn mails(&self, actor: &Actor, id: RequestId) -> Result<Vec<MailCase>, CaseworkError> {
        self.request(actor, id).await?;
        let mut reader = self.store.reader().await?;
        let found = mails::of_request(&mut reader, id).await?;
        let key = data_keys::load(&mut reader, self.store.keyring(), [id], KeyPurpose::Case)
            .await?
            .remove(&id.to_string());
        let mut cases = Vec::with_capacity(found.len());
        for mail in found {
            let content = match &key {
                Some(key) if !mail.content.as_bytes().is_empty() => {
                    let content: MailContent = details::open(key, &mail.id, &mail.content)?;
                    // Whoever may look at a request may not use the person's link.
                    Some(content.without_secret())
                }
                _ => None,
            };
            let next_at = due_work::next_of(&mut reader, mail.id).await?;
            cases.push(MailCase { mail, content, next_at });
        }
        Ok(cases)
    }

    /// Has a mail that failed, or waits for its next attempt, handed over now.
    ///
    /// # Errors
    /// If there is no such mail, it has left already, whom it was for is forgotten, or the actor may not work on requests.
    pub async fn retry_mail(&self, actor: &Actor, id: RequestId, mail: MailId) -> Result<(), CaseworkError> {
        self.on_request(actor, id, move |unit, changes| {
            Box::pin(async move {
                let found = mails::lock(unit.connection(), [mail]).await?.pop();
                let Some(mut found) = found.filter(|found| found.about == About::Request(id)) else {
                    return Err(CaseworkError::not_found("mail", mail));
                };
                let has_left = [MailState::Sent, MailState::Written].map(MailState::as_str);
                if has_left.contains(&found.state.as_str()) {
                    return Err(CaseworkError::MailHasLeft);
                }
                let keyring = unit.keyring();
                if data_keys::load(unit.connection(), &keyring, [id], KeyPurpose::Case).await?.is_empty() {
                    return Err(StoreError::Forgotten("the personal data of this request").into());
                }
                found.state = MailState::Queued.as_str().to_owned();
                mails::save(unit.connection(), [&found]).await?;
                changes.work.push(handing_over(unit, mail, false));
                unit.record(Stream::Request(id), &changes.actor, "mail.retried", mail, json!({}));
                Ok(())
            })
        })
        .await
    }

    /// How many mails wait to leave.
    ///
    /// # Errors
    /// If the store fails, or the actor may not read requests.
    pub async fn queued_mails(&self, actor: &Actor) -> Result<u64, CaseworkError> {
        actor.require(Permission::ReadRequests)?;
        Ok(mails::count_queued(&mut self.store.reader().await?).await?)
    }
}

async fn report(unit: &mut Unit, reports: Vec<(Lease, MailOutcome)>) -> Result<(), CaseworkError> {
    let (mut over, mut later) = (Vec::new(), Vec::new());
    for (lease, outcome) in &reports {
        match outcome {
            MailOutcome::Retry { at, .. } => later.push(Postponement {
                id: lease.id,
                fence: lease.fence,
                next_at: *at,
                attempts: lease.attempts + 1,
            }),
            _ => over.push((lease.id, lease.fence)),
        }
    }
    let mut held: BTreeSet<DueWorkId> =
        due_work::finish(unit.connection(), over).await?.into_iter().collect();
    held.extend(due_work::postpone(unit.connection(), later).await?);
    let reports: Vec<_> = reports.into_iter().filter(|(lease, _)| held.contains(&lease.id)).collect();
    let ids = reports.iter().filter_map(|(lease, _)| lease.object.parse::<MailId>().ok());
    let mut found = mails::lock(unit.connection(), ids).await?;
    let keys = keys_of(unit, &found).await?;
    let now = unit.now();
    for (lease, outcome) in reports {
        let Some(mail) = found.iter_mut().find(|mail| mail.id.to_string() == lease.object) else { continue };
        let attempts = mail.attempts + 1;
        let state = match outcome {
            MailOutcome::Sent => MailState::Sent,
            MailOutcome::Written => MailState::Written,
            MailOutcome::Retry { problem, .. } => {
                mail.attempts += 1;
                mail.problem = Some((problem.code, problem.message));
                mail.state = MailState::Queued.as_str().to_owned();
                continue;
            }
            MailOutcome::Failed { problem } => {
                mail.attempts += 1;
                mail.problem = Some((problem.code, problem.message));
                MailState::Failed
            }
        };
        mail.state = state.as_str().to_owned();
        if state != MailState::Failed {
            (mail.sent_at, mail.problem) = (Some(now), None);
            if let Some(key) = keys.get(&mail.about.to_string()) {
                let content: MailContent = details::open(key, &mail.id, &mail.content)?;
                if content.secret.is_some() {
                    mail.content = details::seal(unit, key, &mail.id, &content.without_secret())?;
                }
            }
        }
        let kind = match state {
            MailState::Sent => "mail.sent",
            MailState::Written => "mail.written",
            _ => "mail.failed",
        };
        let data = json!({"mail": mail.kind, "audience": mail.audience, "attempts": attempts});
        unit.record(mail.about.stream(), &Actor::system(), kind, mail.id, data);
    }
    mails::save(unit.connection(), &found).await?;
    Ok(())
}
