//! Proving who is asking: by the link that only the person gets, or by hand.

use habeas_domain::lifecycle::{self, Action, Standing};
use habeas_domain::{Actor, IdentifierType, RequestId, Right, plan};
use habeas_store::audit::Stream;
use habeas_store::data_keys::NewDataKeys;
use habeas_store::{KeyPurpose, Unit, data_keys, links};
use jiff::Timestamp;
use serde_json::json;

use crate::Casework;
use crate::changes::Changes;
use crate::details::{self, RequestDetails};
use crate::error::CaseworkError;
use crate::letters::Body;
use crate::links::Purpose;
use crate::phases::{any_unverified, kinds};

/// What a person with a verification link sees before they press the button.
#[derive(Clone, Debug)]
pub struct VerificationPage {
    /// What was asked in their name.
    pub right: Right,
    /// Until when they can confirm.
    pub expires_at: Timestamp,
}

impl Changes {
    /// Asks the subject to confirm the request.
    pub(crate) fn ask_for_verification(&mut self, unit: &Unit, id: RequestId) -> Result<(), CaseworkError> {
        let expires_at = self.usual_end();
        let link = self.make_link(unit, Purpose::Verify, (id, None), expires_at)?;
        self.tell_subject_always(id, Body::VerifyIdentity { link, expires_at });
        Ok(())
    }

    /// Identity is proven: triage, or on to the systems if the request named everything when it came in.
    async fn go_on_verified(
        &mut self,
        unit: &mut Unit,
        id: RequestId,
        how: &'static str,
        note: Option<String>,
    ) -> Result<(), CaseworkError> {
        self.advance(unit, id, Action::Verify, None, json!({"how": how}))?;
        links::use_up(unit.connection(), Purpose::Verify.as_str(), (id, None), self.now).await?;
        let keyring = unit.keyring();
        let key = data_keys::load_one(unit.connection(), &keyring, id, KeyPurpose::Case).await?;
        // Closed as unverified, a deletion has lost its content key: there was no content.
        if data_keys::load(unit.connection(), &keyring, [id], KeyPurpose::Content).await?.is_empty() {
            let mut keys = NewDataKeys::default();
            keys.make(&keyring, unit.environment(), &id.to_string(), KeyPurpose::Content)?;
            keys.store(unit.connection()).await?;
        }
        let by = self.actor.name.clone();
        let request = self.request(id)?;
        let mut details: RequestDetails = details::open(&key, &id, &request.details)?;
        for identifier in &mut details.identifiers {
            // By link, the address is proven and nothing else; by hand, the person answers for all of it.
            if !identifier.verified && (how == BY_HAND || identifier.kind == IdentifierType::Email) {
                identifier.verified = true;
                identifier.attested_by = Some(by.clone());
            }
        }
        if note.is_some() {
            details.verification_note = note;
        }
        let starts = details.skips_triage;
        request.unverified = any_unverified(&details.identifiers);
        request.details = details::seal(unit, &key, &id, &details)?;
        let (right, due_on) = (request.right, request.due_on);
        self.tell_subject(id, Body::RequestStarted { due_on });
        if !starts {
            return Ok(());
        }
        let profiles = self.profiles(unit).await?;
        // What was possible when it came in may not be any more: then a person looks, in triage.
        let Ok(planned) = plan::collect(right, &profiles.participants(), &kinds(&details.identifiers)) else {
            return Ok(());
        };
        self.advance(unit, id, Action::Start, None, json!({"runs": planned.len(), "right": right}))?;
        let open_runs = self.begin_collecting(unit, &profiles, id, &planned)?;
        self.expect_runs(id, open_runs);
        Ok(())
    }
}

/// As the event says how identity was proven.
const BY_LINK: &str = "link";
const BY_HAND: &str = "hand";

impl Casework {
    /// What a verification link shows. Looking changes nothing.
    ///
    /// # Errors
    /// [`CaseworkError::LinkUnusable`], whatever is wrong with the link.
    pub async fn verification_page(&self, token: &str) -> Result<VerificationPage, CaseworkError> {
        let link = self.usable_link(Purpose::Verify, token).await?;
        let request = self.stored_request(link.request).await?;
        // Overtaken by what happened to the request: there is nothing to confirm any more.
        lifecycle::target(request.standing(), Action::Verify).map_err(|_| CaseworkError::LinkUnusable)?;
        Ok(VerificationPage { right: request.right, expires_at: link.expires_at })
    }

    /// The subject confirms that the request is theirs.
    ///
    /// # Errors
    /// [`CaseworkError::LinkUnusable`], whatever is wrong with the link.
    pub async fn confirm_identity(&self, token: &str) -> Result<(), CaseworkError> {
        self.by_link(Purpose::Verify, token, |unit, changes, link| {
            Box::pin(async move {
                let confirmed = changes.go_on_verified(unit, link.request, BY_LINK, None).await;
                match confirmed {
                    // Overtaken by what a person did to the request.
                    Err(CaseworkError::IllegalMove(_)) => Err(CaseworkError::LinkUnusable),
                    other => other,
                }
            })
        })
        .await
    }

    /// A person has made sure who is asking, in another way. It cannot be taken back.
    ///
    /// # Errors
    /// If the request does not wait for verification, or the note is empty.
    pub async fn verify_request(
        &self,
        actor: &Actor,
        id: RequestId,
        note: String,
    ) -> Result<(), CaseworkError> {
        let note = note.trim().to_owned();
        if note.is_empty() {
            return Err(CaseworkError::field("note", "is missing; say how you made sure who is asking"));
        }
        self.on_request(actor, id, move |unit, changes| {
            Box::pin(async move {
                // Of a request that is closed only whoever holds the link may still say that it is theirs.
                let standing = Standing { outcome: None, ..changes.request(id)?.standing() };
                lifecycle::target(standing, Action::Verify)?;
                unit.record(Stream::Request(id), &changes.actor, "request.verified_by_hand", id, json!({}));
                changes.go_on_verified(unit, id, BY_HAND, Some(note)).await
            })
        })
        .await
    }
}
