//! What is written to people: gathered while a unit decides, composed and queued when it is written.

use std::collections::{BTreeSet, HashMap};

use habeas_documents::mail::{ContactAsks, Letterhead, Mail as Wording, Rendered};
use habeas_domain::reason::DenialReason;
use habeas_domain::{Actor, ConnectionId, IdentifierType, RequestId, Right, RunId};
use habeas_store::audit::Stream;
use habeas_store::mails::{self, About};
use habeas_store::{DataKey, KeyPurpose, Place, StoreError, Unit, data_keys};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use crate::changes::Changes;
use crate::connections::CONTACT_COLUMN;
use crate::details::{self, MailContent, RequestDetails, RunContact};
use crate::error::CaseworkError;
use crate::lanes::BULK;
use crate::links::MadeLink;
use crate::mails::{handing_over, queued};

/// Something to be written to somebody.
pub(crate) struct Letter {
    pub(crate) request: RequestId,
    pub(crate) audience: Audience,
    pub(crate) body: Body,
}

/// Whom a letter is for.
pub(crate) enum Audience {
    /// The person whose request it is.
    Subject,
    /// Whoever answers for a run's system.
    Contact(RunId),
    /// The privacy team.
    Team,
}

impl Audience {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Contact(_) => "contact",
            Self::Team => "team",
        }
    }
}

/// What it says.
pub(crate) enum Body {
    VerifyIdentity { link: MadeLink, expires_at: Timestamp },
    VerifyReminder { link: MadeLink, expires_at: Timestamp },
    VerificationExpired { again: Option<(MadeLink, Timestamp)> },
    RequestStarted { due_on: Date },
    DownloadReady { link: MadeLink, expires_at: Timestamp },
    DownloadCode { code: String, minutes: u64 },
    DownloadExpired,
    NothingFound,
    Erased { systems: u64, exceptions: Vec<(String, String)>, blocked_future: bool },
    Denied { reason: DenialReason, text: Option<String> },
    ContactAsked { link: MadeLink, system: String, until: Timestamp, asks: ContactAsks, reminders: u32 },
    ContactOverdue { system: String, until: Timestamp },
}

impl Body {
    /// What is taken out of the copy that is kept, once the mail has left.
    fn secret(&self) -> Option<String> {
        match self {
            Self::VerifyIdentity { link, .. }
            | Self::VerifyReminder { link, .. }
            | Self::VerificationExpired { again: Some((link, _)) }
            | Self::DownloadReady { link, .. }
            | Self::ContactAsked { link, .. } => Some(link.token.clone()),
            Self::DownloadCode { code, .. } => Some(code.clone()),
            _ => None,
        }
    }

    fn render(
        &self,
        request: RequestId,
        right: Right,
        letterhead: &Letterhead<'_>,
    ) -> (&'static str, Rendered) {
        let address = |link: &MadeLink| link.address.clone();
        let links: Vec<String> = match self {
            Self::VerifyIdentity { link, .. }
            | Self::VerifyReminder { link, .. }
            | Self::VerificationExpired { again: Some((link, _)) }
            | Self::DownloadReady { link, .. }
            | Self::ContactAsked { link, .. } => vec![address(link)],
            _ => Vec::new(),
        };
        let link = links.first().map(String::as_str).unwrap_or_default();
        let wording = match self {
            Self::VerifyIdentity { expires_at, .. } => {
                Wording::VerifyIdentity { request, right, link, expires_at: *expires_at }
            }
            Self::VerifyReminder { expires_at, .. } => {
                Wording::VerifyReminder { request, right, link, expires_at: *expires_at }
            }
            Self::VerificationExpired { again } => Wording::VerificationExpired {
                request,
                right,
                link: again.as_ref().map(|_| link),
                until: again.as_ref().map(|(_, until)| *until),
            },
            Self::RequestStarted { due_on } => Wording::RequestStarted { request, right, due_on: *due_on },
            Self::DownloadReady { expires_at, .. } => {
                Wording::DownloadReady { request, link, expires_at: *expires_at }
            }
            Self::DownloadCode { code, minutes } => {
                Wording::DownloadCode { request, code, minutes: *minutes }
            }
            Self::DownloadExpired => Wording::DownloadExpired { request },
            Self::NothingFound => Wording::NothingFound { request, right },
            Self::Erased { systems, exceptions, blocked_future } if exceptions.is_empty() => {
                Wording::Erased { request, systems: *systems, blocked_future: *blocked_future }
            }
            Self::Erased { systems, exceptions, blocked_future } => Wording::ErasedWithExceptions {
                request,
                systems: *systems,
                exceptions,
                blocked_future: *blocked_future,
            },
            Self::Denied { reason, text } => {
                Wording::Denied { request, right, reason: *reason, text: text.as_deref() }
            }
            Self::ContactAsked { system, until, asks, reminders: 0, .. } => {
                Wording::ContactAsked { request, system, link, until: *until, asks: *asks }
            }
            Self::ContactAsked { system, until, asks, .. } => {
                Wording::ContactReminder { request, system, link, until: *until, asks: *asks }
            }
            Self::ContactOverdue { system, until } => {
                Wording::ContactOverdue { request, system, until: *until }
            }
        };
        (wording.kind(), wording.render(letterhead))
    }
}

impl Changes {
    /// Writes to the subject, if this request's subject is written to at all: whoever asked for the package over the API
    /// tells them.
    pub(crate) fn tell_subject(&mut self, request: RequestId, body: Body) {
        let told = self
            .requests
            .get(&request)
            .is_some_and(|request| !request.right.delivers() || request.delivery == "mail");
        if told {
            self.letters.push(Letter { request, audience: Audience::Subject, body });
        }
    }

    /// Writes to the subject, however the request is delivered.
    pub(crate) fn tell_subject_always(&mut self, request: RequestId, body: Body) {
        self.letters.push(Letter { request, audience: Audience::Subject, body });
    }

    /// Composes what was gathered, seals it and queues it.
    pub(crate) async fn write_letters(&mut self, unit: &mut Unit) -> Result<(), CaseworkError> {
        let letters = std::mem::take(&mut self.letters);
        if letters.is_empty() {
            return Ok(());
        }
        let requests: BTreeSet<RequestId> = letters.iter().map(|letter| letter.request).collect();
        let keyring = unit.keyring();
        let keys = data_keys::load(unit.connection(), &keyring, requests, KeyPurpose::Case).await?;
        let contacts = self.connection_contacts(unit, &letters).await?;
        let mut written = Vec::with_capacity(letters.len());
        for letter in letters {
            let Some(key) = keys.get(&letter.request.to_string()) else { continue };
            let right = self.right_of(letter.request)?;
            let letterhead = Letterhead {
                company: &self.rules.settings.company,
                time_zone: self.rules.settings.time_zone.clone(),
            };
            let (kind, rendered) = letter.body.render(letter.request, right, &letterhead);
            let Some(to) = self.address_of(key, &letter, &contacts)? else {
                // Without an address nobody can be written to: the log says so, and the API shows how it went.
                let data = json!({"mail": kind, "audience": letter.audience.as_str()});
                unit.record(
                    Stream::Request(letter.request),
                    &Actor::system(),
                    "mail.no_address",
                    letter.request,
                    data,
                );
                continue;
            };
            let content = MailContent::new(to, rendered, letter.body.secret());
            let (about, audience) = (About::Request(letter.request), letter.audience.as_str());
            let mail = queued(unit, key, about, audience, kind, &content)?;
            let bulk = self.requests.get(&letter.request).is_some_and(|request| request.source == BULK);
            self.work.push(handing_over(unit, mail.id, bulk));
            written.push(mail);
        }
        mails::insert(unit.connection(), &written).await?;
        Ok(())
    }

    fn right_of(&self, request: RequestId) -> Result<Right, CaseworkError> {
        let found =
            self.requests.get(&request).ok_or_else(|| CaseworkError::not_found("request", request))?;
        Ok(found.right)
    }

    fn address_of(
        &self,
        key: &DataKey,
        letter: &Letter,
        contacts: &HashMap<ConnectionId, String>,
    ) -> Result<Option<String>, CaseworkError> {
        Ok(match &letter.audience {
            Audience::Team => self.rules.settings.team.clone(),
            Audience::Subject => {
                let Some(request) = self.requests.get(&letter.request) else { return Ok(None) };
                let details: RequestDetails = details::open(key, &request.id, &request.details)?;
                details.address()
            }
            Audience::Contact(run) => {
                let Some(run) = self.runs.get(run) else { return Ok(None) };
                match &run.contact {
                    Some(sealed) => Some(details::open::<_, RunContact>(key, &run.id, sealed)?.email),
                    None => contacts.get(&run.connection).cloned(),
                }
            }
        })
    }

    /// The addresses of the contacts that letters go to, by connection.
    async fn connection_contacts(
        &mut self,
        unit: &mut Unit,
        letters: &[Letter],
    ) -> Result<HashMap<ConnectionId, String>, CaseworkError> {
        let wanted: BTreeSet<ConnectionId> = letters
            .iter()
            .filter_map(|letter| match letter.audience {
                Audience::Contact(run) => self.runs.get(&run),
                _ => None,
            })
            .filter(|run| run.contact.is_none())
            .map(|run| run.connection)
            .collect();
        let mut contacts = HashMap::new();
        if wanted.is_empty() {
            return Ok(contacts);
        }
        let profiles = self.profiles(unit).await?;
        let keyring = unit.keyring();
        let keys = data_keys::load(unit.connection(), &keyring, wanted.iter().copied(), KeyPurpose::Settings)
            .await?;
        for id in wanted {
            let Some(sealed) = &profiles.get(id)?.stored.contact else { continue };
            let Some(key) = keys.get(&id.to_string()) else { continue };
            let place = Place { column: CONTACT_COLUMN, row: &id.to_string() };
            let address = String::from_utf8(key.open(place, sealed)?.to_vec())
                .map_err(|_| StoreError::Corrupt(CONTACT_COLUMN))?;
            contacts.insert(id, address);
        }
        Ok(contacts)
    }
}

impl RequestDetails {
    /// Where the subject can be written to: rather an address that is known to be theirs.
    pub(crate) fn address(&self) -> Option<String> {
        let mut addresses: Vec<_> =
            self.identifiers.iter().filter(|one| one.kind == IdentifierType::Email).collect();
        addresses.sort_by_key(|one| !one.verified);
        addresses.first().map(|one| one.value.clone())
    }
}
