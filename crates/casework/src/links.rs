//! Links that people are sent: random tokens, bound to one purpose, kept as keyed hashes, used up by the act.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::BoxFuture;
use habeas_domain::lifecycle::{Action, RequestState};
use habeas_domain::moment::after;
use habeas_domain::{Actor, DueWorkId, LinkId, RequestId, RunId};
use habeas_store::audit::Stream;
use habeas_store::due_work::{self, DueWorkKind, Lease, NewDueWork, Postponement};
use habeas_store::links::{self, Link};
use habeas_store::{Keyring, StoreError, Unit};
use jiff::Timestamp;
use serde_json::json;

use crate::Casework;
use crate::changes::Changes;
use crate::error::CaseworkError;
use crate::letters::{Audience, Body, Letter};

/// The lane of reminders and ends of links.
pub const LINK_LANE: &str = "links";
/// When somebody who has not pressed the button is reminded (PRODUCT, `verifying`).
const REMIND_AFTER: Duration = Duration::from_secs(24 * 3_600);
/// Bytes of a token.
const TOKEN: usize = 32;

/// What a link is for. A token of one purpose is nothing to the pages of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The subject proves who is asking.
    Verify,
    /// A system's contact answers.
    Contact,
    /// The subject fetches the package.
    Download,
}

impl Purpose {
    /// As it is stored, and the first part of the link's path.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Contact => "contact",
            Self::Download => "download",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Verify => "link/verify",
            Self::Contact => "link/contact",
            Self::Download => "link/download",
        }
    }
}

/// A link that was just made: the only time that its address is known.
#[derive(Clone)]
pub(crate) struct MadeLink {
    pub(crate) address: String,
    pub(crate) token: String,
}

/// Random text that nobody guesses.
pub(crate) fn new_secret(unit: &Unit) -> String {
    URL_SAFE_NO_PAD.encode(unit.environment().random::<TOKEN>())
}

/// The hashes under which the link of a token may stand; none if it cannot be a token.
fn hashes(keyring: &Keyring, purpose: Purpose, token: &str) -> Option<Vec<Vec<u8>>> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok().filter(|bytes| bytes.len() == TOKEN)?;
    Some(keyring.fingerprints(purpose.label(), &bytes))
}

impl Changes {
    /// Makes a link; with due work if something is to happen before or at its end.
    pub(crate) fn make_link(
        &mut self,
        unit: &Unit,
        purpose: Purpose,
        (request, run): (RequestId, Option<RunId>),
        expires_at: Timestamp,
    ) -> Result<MadeLink, CaseworkError> {
        let token = new_secret(unit);
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap_or_default();
        let hash = unit.keyring().fingerprint(purpose.label(), &bytes);
        let id = LinkId::new(unit.environment().unique());
        self.links.push(Link::new(id, hash, purpose.as_str(), (request, run), self.now, expires_at));
        let address = format!("{}/{}/{token}", self.rules.settings.public_url, purpose.as_str());
        // A contact's time is kept by its operation.
        if purpose != Purpose::Contact {
            let reminded = after(self.now, REMIND_AFTER);
            let reminds = purpose == Purpose::Verify && reminded < expires_at;
            self.work.push(NewDueWork {
                id: DueWorkId::new(unit.environment().unique()),
                kind: DueWorkKind::Link,
                object: id.to_string(),
                lane: LINK_LANE.to_owned(),
                due_at: self.due_at(request)?,
                next_at: if reminds { reminded } else { expires_at },
            });
        }
        Ok(MadeLink { address, token })
    }

    /// The same without anything happening at its end.
    fn make_spare_link(
        &mut self,
        unit: &Unit,
        purpose: Purpose,
        request: RequestId,
        expires_at: Timestamp,
    ) -> Result<MadeLink, CaseworkError> {
        let made = self.make_link(unit, purpose, (request, None), expires_at)?;
        self.work.pop();
        Ok(made)
    }

    /// A link that the mail about it carries, valid as long as links are.
    pub(crate) fn usual_end(&self) -> Timestamp {
        after(self.now, self.rules.settings.links)
    }
}

fn is_usable(link: &Link, now: Timestamp) -> bool {
    link.used_at.is_none() && now < link.expires_at
}

impl Casework {
    /// The link of a token, if it can be used: one answer for whatever is wrong with it.
    pub(crate) async fn usable_link(&self, purpose: Purpose, token: &str) -> Result<Link, CaseworkError> {
        let now = self.store.environment().now();
        let link = self.known_link(purpose, token).await?;
        if is_usable(&link, now) { Ok(link) } else { Err(CaseworkError::LinkUnusable) }
    }

    /// The link of a token, whether or not it can still be used.
    pub(crate) async fn known_link(&self, purpose: Purpose, token: &str) -> Result<Link, CaseworkError> {
        let hashes = hashes(self.store.keyring(), purpose, token).ok_or(CaseworkError::LinkUnusable)?;
        let mut reader = self.store.reader().await?;
        links::find(&mut reader, &hashes).await?.ok_or(CaseworkError::LinkUnusable)
    }

    /// Does what a link is for: the request and the link are locked, and the link can be used at that moment.
    pub(crate) async fn by_link<T, W>(
        &self,
        purpose: Purpose,
        token: &str,
        act: W,
    ) -> Result<T, CaseworkError>
    where
        T: Send + 'static,
        W: for<'u> FnOnce(&'u mut Unit, &'u mut Changes, Link) -> BoxFuture<'u, Result<T, CaseworkError>>
            + Send
            + 'static,
    {
        let found = self.usable_link(purpose, token).await?;
        let rules = Arc::clone(&self.rules);
        let done = self
            .store
            .write(move |unit| {
                Box::pin(async move {
                    let actor = Actor::with_roles(bearer(purpose), []);
                    let mut changes = Changes::new(unit, &actor, &rules);
                    changes.lock(unit, [found.request]).await?;
                    let link = links::lock(unit.connection(), found.id).await?;
                    let link = link
                        .filter(|link| is_usable(link, changes.now))
                        .ok_or(CaseworkError::LinkUnusable)?;
                    let done = act(unit, &mut changes, link).await?;
                    changes.finish(unit).await?;
                    Ok::<_, CaseworkError>(done)
                })
            })
            .await?;
        self.announce_work();
        Ok(done)
    }

    /// Reminds somebody of their link, or ends what waited for it, when its time has come.
    ///
    /// # Errors
    /// If the store fails; the lease then runs out and the work is taken up again.
    pub async fn link_due(&self, lease: &Lease) -> Result<(), CaseworkError> {
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
}

/// How the audit log names whoever holds a link.
const fn bearer(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Verify | Purpose::Download => "subject",
        Purpose::Contact => "contact",
    }
}

async fn carry_out_due(unit: &mut Unit, changes: &mut Changes, lease: &Lease) -> Result<(), CaseworkError> {
    let id: LinkId = lease.object.parse().map_err(StoreError::from)?;
    let Some(request) = links::request_of(unit.connection(), id).await? else {
        due_work::finish(unit.connection(), [(lease.id, lease.fence)]).await?;
        return Ok(());
    };
    changes.lock(unit, [request]).await?;
    if due_work::held(unit.connection(), [(lease.id, lease.fence)]).await?.is_empty() {
        return Ok(());
    }
    let link = links::lock(unit.connection(), id).await?;
    let next_at = match (link, changes.requests.get(&request).map(|request| request.state)) {
        (Some(link), Some(RequestState::Verifying)) if link.purpose == Purpose::Verify.as_str() => {
            verification_due(unit, changes, &link)?
        }
        (Some(link), Some(RequestState::Delivering))
            if link.purpose == Purpose::Download.as_str() && link.used_at.is_none() =>
        {
            download_due(unit, changes, &link).await?
        }
        // Used, or overtaken by what happened to the request.
        _ => None,
    };
    match next_at {
        Some(next_at) => {
            let later = Postponement { id: lease.id, fence: lease.fence, next_at, attempts: 0 };
            due_work::postpone(unit.connection(), [later]).await?;
        }
        None => {
            due_work::finish(unit.connection(), [(lease.id, lease.fence)]).await?;
        }
    }
    Ok(())
}

fn verification_due(
    unit: &mut Unit,
    changes: &mut Changes,
    link: &Link,
) -> Result<Option<Timestamp>, CaseworkError> {
    let request = link.request;
    if changes.now < link.expires_at {
        let made = changes.make_spare_link(unit, Purpose::Verify, request, link.expires_at)?;
        let body = Body::VerifyReminder { link: made, expires_at: link.expires_at };
        changes.letters.push(Letter { request, audience: Audience::Subject, body });
        unit.record(Stream::Request(request), &changes.actor, "verification.reminded", link.id, json!({}));
        return Ok(Some(link.expires_at));
    }
    changes.advance(unit, request, Action::ExpireVerification, None, json!({}))?;
    // Whoever was late may still confirm until the answer would be due.
    let until = changes.due_at(request)?;
    let again = if changes.now < until {
        Some((changes.make_spare_link(unit, Purpose::Verify, request, until)?, until))
    } else {
        None
    };
    let body = Body::VerificationExpired { again };
    changes.letters.push(Letter { request, audience: Audience::Subject, body });
    Ok(None)
}

async fn download_due(
    unit: &mut Unit,
    changes: &mut Changes,
    link: &Link,
) -> Result<Option<Timestamp>, CaseworkError> {
    // A download that has begun may be continued for its time.
    if let Some(until) = link.grant_until.filter(|until| changes.now < *until) {
        return Ok(Some(until));
    }
    if changes.now < link.expires_at {
        return Ok(Some(link.expires_at));
    }
    // A newer link is still valid.
    let newest = links::newest_end(unit.connection(), Purpose::Download.as_str(), link.request).await?;
    if newest.is_some_and(|newest| newest > link.expires_at) {
        return Ok(None);
    }
    changes.advance(unit, link.request, Action::ExpireDownload, None, json!({}))?;
    let letter = Letter { request: link.request, audience: Audience::Subject, body: Body::DownloadExpired };
    changes.letters.push(letter);
    Ok(None)
}
