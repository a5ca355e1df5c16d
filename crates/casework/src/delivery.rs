//! Handing the package over: to whoever may read it over the API, and to the subject by a link and a one-time code.

mod by_link;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt as _, Stream, StreamExt as _};
use habeas_domain::lifecycle::{Action, RequestState};
use habeas_domain::{Actor, Permission, RequestId};
use habeas_store::audit::Stream as EventStream;
use habeas_store::links;
use habeas_store::packages::{self, Package, PackagePlace};
use habeas_store::requests::{self, Request};
use habeas_store::{Place, StoreError, Unit};
use serde_json::json;
use tracing::Instrument as _;

pub use by_link::{DownloadPage, Grant};

use crate::changes::Changes;
use crate::error::CaseworkError;
use crate::letters::Body;
use crate::links::Purpose;
use crate::package;
use crate::together::Together;
use crate::{Casework, Rules};

/// Bytes handed to the transport at a time.
const PIECE: usize = 64 * 1024;

/// Who takes a package.
#[derive(Clone, Debug)]
enum Taker {
    /// A caller of the API.
    Caller(Actor),
    /// The subject, by a link.
    Subject,
}

impl Taker {
    fn actor(&self) -> Actor {
        match self {
            Self::Caller(actor) => actor.clone(),
            Self::Subject => Actor::with_roles("subject", []),
        }
    }

    /// Which requests wait for it.
    const fn delivery(&self) -> &'static str {
        match self {
            Self::Caller(_) => "api",
            Self::Subject => "mail",
        }
    }
}

/// A package that is being handed over.
pub struct PackageReading {
    /// Of which request.
    pub request: RequestId,
    /// Length of the whole package.
    pub bytes: u64,
    /// SHA-256 of the whole package, in hexadecimal digits.
    pub sha256: String,
    /// The first byte that is handed over.
    pub from: u64,
    /// The byte after the last one.
    to: u64,
    casework: Casework,
    taker: Taker,
    content: BoxStream<'static, Result<Bytes, CaseworkError>>,
}

impl std::fmt::Debug for PackageReading {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PackageReading({}, {}..{} of {})", self.request, self.from, self.to, self.bytes)
    }
}

/// How far a handing over has come; what a broken one has reached is noted when this is dropped.
struct Progress {
    casework: Casework,
    request: RequestId,
    taker: Taker,
    from: u64,
    at: u64,
    whole: u64,
    told: bool,
    span: tracing::Span,
}

impl PackageReading {
    /// Hands over no further than to before byte `to`.
    #[must_use]
    pub fn until(mut self, to: u64) -> Self {
        self.to = to.clamp(self.from, self.bytes);
        self
    }

    /// The bytes, the last one of the package alone. When the transport asks for that byte it has taken everything before
    /// it; the delivery is then recorded, and only after that the byte goes out. A transport that knows the length asks
    /// for nothing after the last byte, so recording it later would be too late.
    pub fn stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let Self { request, bytes, from, to, casework, taker, content, .. } = self;
        let span = tracing::Span::current();
        let progress = Progress { casework, request, taker, from, at: from, whole: bytes, told: false, span };
        futures::stream::try_unfold(
            (content, Bytes::new(), progress),
            move |(mut content, mut rest, mut progress)| async move {
                if progress.at == to {
                    return Ok(None);
                }
                while rest.is_empty() {
                    match content.next().await {
                        Some(Ok(piece)) => rest = piece,
                        Some(Err(error)) => {
                            tracing::error!(parent: &progress.span, %error, "a package cannot be read on; its delivery is broken off");
                            return Err(io::Error::other("the package cannot be read"));
                        }
                        None => return Err(io::Error::other("the package is shorter than it should be")),
                    }
                }
                let left = to - progress.at;
                let is_last = progress.at + 1 == progress.whole;
                let mut most = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE).min(rest.len());
                if !is_last && to == progress.whole {
                    // The last byte goes alone.
                    most = most.min(usize::try_from(left - 1).unwrap_or(usize::MAX));
                }
                if is_last {
                    // Lets the transport write out what it has; if the client is gone, this stream is dropped here.
                    tokio::task::yield_now().await;
                    progress.complete().await?;
                }
                let piece = rest.split_to(most.max(1));
                progress.at += piece.len() as u64;
                Ok(Some((piece, (content, rest, progress))))
            },
        )
    }
}

impl Progress {
    async fn complete(&mut self) -> io::Result<()> {
        let (casework, taker, request, from) =
            (self.casework.clone(), self.taker.clone(), self.request, self.from);
        // On a task of its own: a client that goes away now must not leave the recording half done.
        let recording = async move { casework.package_delivered(taker, request, from).await };
        match tokio::spawn(recording.instrument(self.span.clone())).await {
            Ok(Ok(())) => {
                self.told = true;
                Ok(())
            }
            Ok(Err(error)) => {
                tracing::error!(parent: &self.span, %error, "a delivery could not be recorded; it is broken off");
                Err(io::Error::other("the delivery could not be recorded"))
            }
            Err(_) => Err(io::Error::other("the delivery could not be recorded")),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.told || self.at == self.from {
            return;
        }
        let (casework, request, handed) = (self.casework.clone(), self.request, (self.from, self.at));
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let noting = async move {
            let noted = casework.store.write(move |unit| {
                Box::pin(async move { packages::note_handed(unit.connection(), request, handed).await })
            });
            if let Err(error) = noted.await {
                tracing::warn!(%error, "how far a download came was not noted");
            }
        };
        runtime.spawn(noting.instrument(self.span.clone()));
    }
}

impl Changes {
    /// The package lies ready: the subject gets a link, unless whoever asked fetches it over the API.
    pub(crate) fn offer_download(&mut self, unit: &Unit, id: RequestId) -> Result<(), CaseworkError> {
        if self.requests.get(&id).is_none_or(|request| request.delivery != "mail") {
            return Ok(());
        }
        let expires_at = self.usual_end();
        let link = self.make_link(unit, Purpose::Download, (id, None), expires_at)?;
        self.tell_subject(id, Body::DownloadReady { link, expires_at });
        Ok(())
    }
}

impl Casework {
    /// The package of a request that delivers, from a byte on. The reading is written into the audit log.
    ///
    /// # Errors
    /// If there is no such request, no package yet, or the actor may not read records.
    pub async fn package(
        &self,
        actor: &Actor,
        id: RequestId,
        from: u64,
    ) -> Result<PackageReading, CaseworkError> {
        actor.require(Permission::ReadRecords)?;
        let request = self.stored_request(id).await?;
        let package = self.built_package(&request).await?;
        let reading = self.open_package(package, Taker::Caller(actor.clone()), from).await?;
        self.record_reading(actor, id, from).await?;
        Ok(reading)
    }

    /// Length and SHA-256 of the package of a request, without reading it.
    ///
    /// # Errors
    /// Like [`Casework::package`].
    pub async fn package_length(&self, actor: &Actor, id: RequestId) -> Result<(u64, String), CaseworkError> {
        actor.require(Permission::ReadRecords)?;
        let request = self.stored_request(id).await?;
        length(&self.built_package(&request).await?)
    }

    async fn record_reading(&self, actor: &Actor, id: RequestId, from: u64) -> Result<(), CaseworkError> {
        self.handing_over.readings.submit(self, Reading { actor: actor.clone(), request: id, from }).await
    }

    pub(crate) async fn stored_request(&self, id: RequestId) -> Result<Request, CaseworkError> {
        let mut reader = self.store.reader().await?;
        requests::find(&mut reader, id).await?.ok_or_else(|| CaseworkError::not_found("request", id))
    }

    /// The package, if it can be handed over. One that an older version of the program left is made anew.
    async fn built_package(&self, request: &Request) -> Result<Package, CaseworkError> {
        let found = packages::find(&mut self.store.reader().await?, request.id).await?;
        match found {
            Some(package) if package.bytes.is_some() => Ok(package),
            Some(Package { place: PackagePlace::Object(_), problem, .. }) => {
                Err(CaseworkError::PackageNotReady { problem })
            }
            Some(_) => {
                self.rebuild(request.id).await?;
                let again = packages::find(&mut self.store.reader().await?, request.id).await?;
                again
                    .filter(|package| package.bytes.is_some())
                    .ok_or(CaseworkError::PackageNotReady { problem: None })
            }
            None if request.state == RequestState::Closed => {
                Err(StoreError::Forgotten("the package of this request").into())
            }
            None => Err(CaseworkError::not_found("package of request", request.id)),
        }
    }

    async fn rebuild(&self, id: RequestId) -> Result<(), CaseworkError> {
        let rules = Arc::clone(&self.rules);
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &Actor::system(), &rules);
                    changes.lock(unit, [id]).await?;
                    changes.load_runs(unit, id).await?;
                    package::build(&mut changes, unit, &[id], package::Offer::No).await?;
                    changes.finish(unit).await
                })
            })
            .await?;
        self.announce_work();
        Ok(())
    }

    async fn open_package(
        &self,
        package: Package,
        taker: Taker,
        from: u64,
    ) -> Result<PackageReading, CaseworkError> {
        let Package { request, place, bytes, sha256, .. } = package;
        let (Some(bytes), Some(sha256)) = (bytes, sha256) else {
            return Err(CaseworkError::PackageNotReady { problem: None });
        };
        let from = from.min(bytes);
        let key = self.content_key(request).await?;
        let content = match place {
            PackagePlace::Row(sealed) => {
                let place = Place { column: package::COLUMN, row: &request.to_string() };
                // Wiped from memory when the last of it has been sent.
                let mut plain = Bytes::from_owner(key.open(place, &sealed)?);
                let rest = plain.split_off(usize::try_from(from).unwrap_or(usize::MAX).min(plain.len()));
                futures::stream::iter([Ok(rest)]).boxed()
            }
            PackagePlace::Object(Some(object)) => {
                let reader = self.storage.reader(object, &key, from).await?;
                reader.map(|piece| piece.map_err(CaseworkError::from)).boxed()
            }
            PackagePlace::Object(None) => return Err(CaseworkError::PackageNotReady { problem: None }),
        };
        let sha256 = hex::encode(sha256);
        Ok(PackageReading { request, bytes, sha256, from, to: bytes, casework: self.clone(), taker, content })
    }

    /// The package was handed over to its last byte: that closes a request which waits for this taker, if the bytes
    /// before were handed over as well. Anything else is left as it is.
    async fn package_delivered(&self, taker: Taker, id: RequestId, from: u64) -> Result<(), CaseworkError> {
        self.handing_over.ends.submit(self, HandedOver { taker, request: id, from }).await?;
        self.announce_change();
        Ok(())
    }

    /// Sends the subject a new download link, in place of those before.
    ///
    /// # Errors
    /// If the request has nothing to download any more, or is not delivered by mail.
    pub async fn send_download_link(&self, actor: &Actor, id: RequestId) -> Result<(), CaseworkError> {
        self.on_request(actor, id, move |unit, changes| {
            Box::pin(async move {
                changes.advance(unit, id, Action::SendAgain, None, json!({}))?;
                if changes.request(id)?.delivery != "mail" {
                    return Err(CaseworkError::field(
                        "delivery",
                        "is `api`: the package is fetched with `GET /api/v1/requests/{id}/package`",
                    ));
                }
                let Some(package) = packages::find(unit.connection(), id).await? else {
                    return Err(StoreError::Forgotten("the package of this request").into());
                };
                links::use_up(unit.connection(), Purpose::Download.as_str(), (id, None), changes.now).await?;
                if package.bytes.is_some() { changes.offer_download(unit, id) } else { Ok(()) }
            })
        })
        .await
    }
}

/// What is written of packages that are handed over: many are fetched at the same time, and one unit serves them.
#[derive(Debug)]
pub(crate) struct HandingOver {
    readings: Together<Reading>,
    ends: Together<HandedOver>,
}

impl Default for HandingOver {
    fn default() -> Self {
        Self {
            readings: Together::new(|casework, readings| casework.record_readings(readings).boxed()),
            ends: Together::new(|casework, ends| casework.packages_delivered(ends).boxed()),
        }
    }
}

/// Somebody begins to read a package.
#[derive(Clone, Debug)]
struct Reading {
    actor: Actor,
    request: RequestId,
    from: u64,
}

/// A package was handed over to its last byte.
#[derive(Clone, Debug)]
struct HandedOver {
    taker: Taker,
    request: RequestId,
    from: u64,
}

impl Casework {
    async fn record_readings(self, readings: Vec<Reading>) -> Result<(), CaseworkError> {
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    for Reading { actor, request, from } in readings {
                        let data = if from == 0 { json!({}) } else { json!({"from": from}) };
                        unit.record(EventStream::Request(request), &actor, "package.read", request, data);
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn packages_delivered(self, mut ends: Vec<HandedOver>) -> Result<(), CaseworkError> {
        let rules = Arc::clone(&self.rules);
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    // Requests are locked in the order of their ids, whoever took their packages.
                    ends.sort_by_key(|one| one.request);
                    requests::lock(unit.connection(), ends.iter().map(|one| one.request)).await?;
                    for by_taker in parted_by_actor(ends) {
                        close_delivered(unit, &rules, by_taker).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

fn parted_by_actor(ends: Vec<HandedOver>) -> Vec<Vec<HandedOver>> {
    let mut parts: BTreeMap<String, Vec<HandedOver>> = BTreeMap::new();
    for one in ends {
        parts.entry(one.taker.actor().name).or_default().push(one);
    }
    parts.into_values().collect()
}

/// Closes the requests that waited for these takers and whose packages were handed over as a whole.
async fn close_delivered(
    unit: &mut Unit,
    rules: &Arc<Rules>,
    ends: Vec<HandedOver>,
) -> Result<(), CaseworkError> {
    let Some(actor) = ends.first().map(|one| one.taker.actor()) else { return Ok(()) };
    let mut changes = Changes::new(unit, &actor, rules);
    let ids: BTreeSet<RequestId> = ends.iter().map(|one| one.request).collect();
    changes.lock(unit, ids.iter().copied()).await?;
    let handed = packages::handed(unit.connection(), ids).await?;
    let delivered: BTreeSet<RequestId> = ends
        .into_iter()
        .filter(|one| {
            let waits = changes.requests.get(&one.request).is_some_and(|request| {
                request.state == RequestState::Delivering && request.delivery == one.taker.delivery()
            });
            // Whoever asks for the end alone does not have it all.
            waits && handed.get(&one.request).is_some_and(|handed| one.from <= *handed)
        })
        .map(|one| one.request)
        .collect();
    if delivered.is_empty() {
        return changes.finish(unit).await;
    }
    packages::note_delivered(unit.connection(), delivered.iter().copied(), changes.now).await?;
    for id in &delivered {
        changes.advance(unit, *id, Action::Download, None, json!({}))?;
    }
    links::use_up_all(unit.connection(), Purpose::Download.as_str(), delivered, changes.now).await?;
    changes.finish(unit).await
}

fn length(package: &Package) -> Result<(u64, String), CaseworkError> {
    match (package.bytes, &package.sha256) {
        (Some(bytes), Some(sha256)) => Ok((bytes, hex::encode(sha256))),
        _ => Err(CaseworkError::PackageNotReady { problem: package.problem.clone() }),
    }
}
