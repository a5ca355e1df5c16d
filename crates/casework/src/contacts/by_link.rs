//! A contact answers through the link that was mailed to them.

use habeas_documents::mail::ContactAsks;
use habeas_domain::{IdentifierType, Right, RunId};
use habeas_store::links::Link;
use habeas_store::{KeyPurpose, StoreError, data_keys, operations, runs};
use jiff::Timestamp;

use super::{ContactAnswer, accept_texts, asks, fits, take_answer};
use crate::Casework;
use crate::details::{self, RequestDetails};
use crate::error::CaseworkError;
use crate::files::Upload;
use crate::links::Purpose;

/// What a contact with a link sees.
#[derive(Clone)]
pub struct ContactPage {
    /// The system that they answer for.
    pub system: String,
    /// What the person asked.
    pub right: Right,
    /// What is asked of the contact.
    pub asks: ContactAsks,
    /// Whom it is about.
    pub identifiers: Vec<(IdentifierType, String)>,
    /// Until when an answer is waited for.
    pub until: Timestamp,
    /// How the request is called in mails.
    pub reference: String,
}

/// Never prints whom it is about.
impl std::fmt::Debug for ContactPage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ContactPage({}, {})", self.reference, self.system)
    }
}

fn run_of(link: &Link) -> Result<RunId, CaseworkError> {
    link.run.ok_or_else(|| StoreError::Corrupt("links.run_id").into())
}

impl Casework {
    /// What a contact's link shows. Looking changes nothing.
    ///
    /// # Errors
    /// [`CaseworkError::LinkUnusable`], whatever is wrong with the link.
    pub async fn contact_page(&self, token: &str) -> Result<ContactPage, CaseworkError> {
        let link = self.waiting_link(token).await?;
        let request = self.stored_request(link.request).await?;
        let mut reader = self.store.reader().await?;
        let run = runs::by_ids(&mut reader, [run_of(&link)?]).await?.pop();
        let run = run.ok_or(CaseworkError::LinkUnusable)?;
        let names = habeas_store::connections::names(&mut reader, [run.connection]).await?;
        let key = data_keys::load(&mut reader, self.store.keyring(), [request.id], KeyPurpose::Case)
            .await?
            .remove(&request.id.to_string())
            .ok_or(CaseworkError::LinkUnusable)?;
        let details: RequestDetails = details::open(&key, &request.id, &request.details)?;
        Ok(ContactPage {
            system: names.into_iter().next().map(|(_, name, _)| name).unwrap_or_default(),
            right: request.right,
            asks: asks(run.phase),
            identifiers: details.identifiers.into_iter().map(|one| (one.kind, one.value)).collect(),
            until: link.expires_at,
            reference: habeas_documents::mail::reference(request.id),
        })
    }

    /// A contact's link whose run still waits for an answer.
    async fn waiting_link(&self, token: &str) -> Result<Link, CaseworkError> {
        let link = self.usable_link(Purpose::Contact, token).await?;
        let mut reader = self.store.reader().await?;
        let serving = operations::serving(&mut reader, [run_of(&link)?]).await?;
        let waits = serving.iter().any(|one| one.1 == habeas_domain::operation::OperationKind::Contact);
        if waits { Ok(link) } else { Err(CaseworkError::LinkUnusable) }
    }

    /// Begins to take in a file that a contact sends.
    ///
    /// # Errors
    /// [`CaseworkError::LinkUnusable`], whatever is wrong with the link.
    pub async fn begin_upload_by_link(&self, token: &str) -> Result<Upload, CaseworkError> {
        let link = self.waiting_link(token).await?;
        self.upload(link.request).await.map_err(|error| match error {
            CaseworkError::Forgotten(_) => CaseworkError::LinkUnusable,
            other => other,
        })
    }

    /// Takes a contact's answer. Their links are used up by it.
    ///
    /// # Errors
    /// [`CaseworkError::LinkUnusable`], whatever is wrong with the link, or what does not fit about the answer.
    pub async fn answer_by_link(&self, token: &str, answer: ContactAnswer) -> Result<(), CaseworkError> {
        let answer = accept_texts(answer)?;
        if answer.name.is_none() {
            return Err(CaseworkError::field("name", "is missing; say who answers"));
        }
        self.by_link(Purpose::Contact, token, move |unit, changes, link| {
            Box::pin(async move {
                let run = run_of(&link)?;
                changes.load_run(unit, link.request, run).await?;
                let waiting = changes.waiting_operation(unit, run).await?;
                let operation = waiting.ok_or(CaseworkError::LinkUnusable)?;
                fits(&answer, changes.run(run)?.phase)?;
                changes.end_waiting(unit, &operation).await?;
                take_answer(unit, changes, link.request, run, answer).await
            })
        })
        .await
    }
}
