//! The subject fetches the package: by a link and a one-time code that is mailed to them.

use std::time::Duration;

use habeas_domain::RequestId;
use habeas_domain::lifecycle::{Outcome, RequestState};
use habeas_domain::moment::after;
use habeas_store::Unit;
use habeas_store::audit::Stream as EventStream;
use habeas_store::links::{self, Link};
use habeas_store::packages::{self, Package};
use jiff::Timestamp;
use serde_json::json;

use super::{PackageReading, Taker, length};
use crate::Casework;
use crate::changes::Changes;
use crate::error::CaseworkError;
use crate::letters::Body;
use crate::links::{Purpose, new_secret};

/// How long a one-time code can be used.
const CODE: Duration = Duration::from_secs(15 * 60);
/// Digits of a code.
const DIGITS: u32 = 6;
/// Wrong codes after which a new one must be mailed.
const MOST_TRIES: u64 = 5;
/// Codes mailed in one window.
const MOST_CODES: u64 = 5;
/// How long that window is.
const WINDOW: Duration = Duration::from_secs(3_600);
/// How long a download that has begun may be continued (PRODUCT, `delivering`).
const GRANT: Duration = Duration::from_secs(24 * 3_600);

/// What a person with a download link sees.
#[derive(Clone, Debug)]
pub struct DownloadPage {
    /// Until when the link can be used.
    pub expires_at: Timestamp,
    /// The package's length; `None` while it is being prepared.
    pub bytes: Option<u64>,
    /// Until when the code that was mailed last can be used.
    pub code_until: Option<Timestamp>,
    /// Until when this browser, which gave the code, may download.
    pub granted_until: Option<Timestamp>,
    /// Which request it is, for the name of the file.
    pub request: RequestId,
}

/// What lets a browser download after it gave the code.
#[derive(Clone)]
pub struct Grant {
    /// To be shown again with each call.
    pub secret: String,
    /// Until when.
    pub until: Timestamp,
}

/// Never prints the secret.
impl std::fmt::Debug for Grant {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Grant(until {})", self.until)
    }
}

impl Casework {
    /// The same for a browser that gave the code.
    ///
    /// # Errors
    /// Like [`Casework::package_by_link`].
    pub async fn package_length_by_link(
        &self,
        token: &str,
        grant: &str,
    ) -> Result<(u64, String), CaseworkError> {
        let link = self.known_link(Purpose::Download, token).await?;
        let now = self.store.environment().now();
        if self.granted(&link, grant, now).is_none() {
            return Err(CaseworkError::LinkUnusable);
        }
        length(&self.package_of_link(&link).await?)
    }

    /// The package that a link leads to; whatever else is wrong with it is nobody's business.
    async fn package_of_link(&self, link: &Link) -> Result<Package, CaseworkError> {
        let request = self.stored_request(link.request).await?;
        // What was begun may be continued after it closed the request; what was withdrawn is not handed over.
        if request.state != RequestState::Delivering && request.outcome != Some(Outcome::Downloaded) {
            return Err(CaseworkError::LinkUnusable);
        }
        self.built_package(&request).await.map_err(|error| match error {
            CaseworkError::PackageNotReady { .. } => error,
            _ => CaseworkError::LinkUnusable,
        })
    }

    /// What a download link shows; `grant` is what the browser got for the code. Looking changes nothing.
    ///
    /// # Errors
    /// [`CaseworkError::LinkUnusable`], whatever is wrong with the link.
    pub async fn download_page(
        &self,
        token: &str,
        grant: Option<&str>,
    ) -> Result<DownloadPage, CaseworkError> {
        let link = self.usable_link(Purpose::Download, token).await?;
        if self.stored_request(link.request).await?.state != RequestState::Delivering {
            return Err(CaseworkError::LinkUnusable);
        }
        let now = self.store.environment().now();
        let package = packages::find(&mut self.store.reader().await?, link.request).await?;
        Ok(DownloadPage {
            expires_at: link.expires_at,
            bytes: package.and_then(|package| package.bytes),
            code_until: link.code_until.filter(|until| now < *until && link.codes_tried < MOST_TRIES),
            granted_until: grant.and_then(|grant| self.granted(&link, grant, now)),
            request: link.request,
        })
    }

    fn granted(&self, link: &Link, grant: &str, now: Timestamp) -> Option<Timestamp> {
        let hash = link.grant_hash.as_ref()?;
        let until = link.grant_until.filter(|until| now < *until)?;
        self.store.keyring().fingerprints("grant", grant.as_bytes()).contains(hash).then_some(until)
    }

    /// Mails a new one-time code to the subject.
    ///
    /// # Errors
    /// [`CaseworkError::LinkUnusable`], or [`CaseworkError::TooManyCodes`] if it was asked for too often.
    pub async fn send_code(&self, token: &str) -> Result<(), CaseworkError> {
        self.by_link(Purpose::Download, token, |unit, changes, mut link| {
            Box::pin(async move {
                refuse_unless_delivering(changes, &link)?;
                let now = changes.now;
                match link.codes_since.map(|since| after(since, WINDOW)) {
                    Some(until) if now < until => {
                        if link.codes_sent >= MOST_CODES {
                            return Err(CaseworkError::TooManyCodes { retry_at: until });
                        }
                        link.codes_sent += 1;
                    }
                    _ => (link.codes_since, link.codes_sent) = (Some(now), 1),
                }
                let code = new_code(unit);
                link.code_hash = Some(code_hash(unit, &link, &code));
                link.code_until = Some(after(now, CODE));
                link.codes_tried = 0;
                links::save(unit.connection(), &link).await?;
                let minutes = CODE.as_secs() / 60;
                changes.tell_subject(link.request, Body::DownloadCode { code, minutes });
                let stream = EventStream::Request(link.request);
                unit.record(stream, &changes.actor, "download.code_sent", link.id, json!({}));
                Ok(())
            })
        })
        .await
    }

    /// Takes the one-time code; what lets this browser download from now on.
    ///
    /// # Errors
    /// [`CaseworkError::LinkUnusable`], or [`CaseworkError::CodeWrong`].
    pub async fn give_code(&self, token: &str, code: &str) -> Result<Grant, CaseworkError> {
        let code: String = code.chars().filter(|character| !character.is_whitespace()).collect();
        // A wrong try is counted by a unit that succeeds, or it would be undone.
        self.by_link(Purpose::Download, token, move |unit, changes, mut link| {
            Box::pin(async move {
                refuse_unless_delivering(changes, &link)?;
                let now = changes.now;
                let is_open =
                    link.code_until.is_some_and(|until| now < until) && link.codes_tried < MOST_TRIES;
                if !is_open {
                    return Ok(Err(CaseworkError::CodeWrong { left: 0 }));
                }
                if link.code_hash.as_ref() != Some(&code_hash(unit, &link, &code)) {
                    link.codes_tried += 1;
                    links::save(unit.connection(), &link).await?;
                    let stream = EventStream::Request(link.request);
                    unit.record(stream, &changes.actor, "download.code_wrong", link.id, json!({}));
                    return Ok(Err(CaseworkError::CodeWrong { left: MOST_TRIES - link.codes_tried }));
                }
                let grant = Grant { secret: new_secret(unit), until: after(now, GRANT) };
                (link.code_hash, link.code_until) = (None, None);
                link.grant_hash = Some(unit.keyring().fingerprint("grant", grant.secret.as_bytes()));
                link.grant_until = Some(grant.until);
                links::save(unit.connection(), &link).await?;
                let stream = EventStream::Request(link.request);
                unit.record(
                    stream,
                    &changes.actor,
                    "download.allowed",
                    link.id,
                    json!({"until": grant.until}),
                );
                Ok(Ok(grant))
            })
        })
        .await?
    }

    /// The package for a browser that gave the code, from a byte on. A download that has begun may be continued for its
    /// time, also after the link's end.
    ///
    /// # Errors
    /// [`CaseworkError::LinkUnusable`] if it may not, [`CaseworkError::PackageNotReady`].
    pub async fn package_by_link(
        &self,
        token: &str,
        grant: &str,
        from: u64,
    ) -> Result<PackageReading, CaseworkError> {
        let link = self.known_link(Purpose::Download, token).await?;
        let now = self.store.environment().now();
        // Used up by the first complete download: from then on it can only be continued.
        let may = self.granted(&link, grant, now).is_some() && (link.used_at.is_none() || from > 0);
        if !may {
            return Err(CaseworkError::LinkUnusable);
        }
        let package = self.package_of_link(&link).await?;
        let id = link.request;
        let reading = self.open_package(package, Taker::Subject, from).await?;
        self.record_reading(&Taker::Subject.actor(), id, from).await?;
        Ok(reading)
    }
}

/// A link outlives a request that was withdrawn, but leads nowhere then.
fn refuse_unless_delivering(changes: &Changes, link: &Link) -> Result<(), CaseworkError> {
    match changes.requests.get(&link.request).map(|request| request.state) {
        Some(RequestState::Delivering) => Ok(()),
        _ => Err(CaseworkError::LinkUnusable),
    }
}

fn new_code(unit: &Unit) -> String {
    // The remainder's bias over 2^64 is far below anything that could be noticed.
    let number = u64::from_le_bytes(unit.environment().random::<8>()) % 10_u64.pow(DIGITS);
    format!("{number:0width$}", width = DIGITS as usize)
}

fn code_hash(unit: &Unit, link: &Link, code: &str) -> Vec<u8> {
    unit.keyring().fingerprint("code", format!("{}/{code}", link.id).as_bytes())
}
