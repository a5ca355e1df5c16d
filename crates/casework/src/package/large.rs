//! Packages that are too large to be made in a unit: made on a thread of their own, into the storage.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use habeas_documents::package::{self as document, Written};
use habeas_domain::lifecycle::RequestState;
use habeas_domain::{Actor, ObjectId, RequestId};
use habeas_store::audit::Stream;
use habeas_store::due_work::{self, Lease, Postponement};
use habeas_store::packages::{self, Package, PackagePlace};
use habeas_store::requests::Request;
use habeas_store::runs::Run;
use habeas_store::storage::StorageError;
use habeas_store::{StoreError, Unit, objects};
use jiff::Timestamp;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::source::Streaming;
use super::{LeftOut, Names, contents};
use crate::Casework;
use crate::changes::Changes;
use crate::error::CaseworkError;

/// Bytes between the thread that makes a package and the storage that takes it.
const PIECE: usize = 64 << 10;
/// Pieces that may wait there.
const PIECES: usize = 8;

/// A package that is to be made.
struct Order {
    request: Request,
    runs: Vec<Run>,
    names: Names,
    left_out: LeftOut,
    created_at: Timestamp,
}

impl Casework {
    /// Makes a large package and keeps it in the storage.
    ///
    /// # Errors
    /// If the storage or the store fails: [`Casework::package_failed`] says when to try again.
    pub async fn build_package(&self, lease: &Lease) -> Result<(), CaseworkError> {
        let id: RequestId = lease.object.parse().map_err(StoreError::from)?;
        let Some(order) = self.order(id).await? else {
            return self.end_package_work(lease).await;
        };
        let object = ObjectId::new(self.store.environment().unique());
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let now = unit.now();
                    objects::intend(unit.connection(), &[(object, id)], now).await
                })
            })
            .await?;
        let created_at = order.created_at;
        match self.write_package(order, object).await {
            Ok(written) => self.keep_package(lease, created_at, object, written).await,
            Err(error) => {
                self.drop_object(object).await;
                Err(error)
            }
        }
    }

    /// What is to be made; `None` if it is not wanted any more.
    async fn order(&self, id: RequestId) -> Result<Option<Order>, CaseworkError> {
        let rules = Arc::clone(&self.rules);
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &Actor::system(), &rules);
                    changes.lock(unit, [id]).await?;
                    changes.load_runs(unit, id).await?;
                    let Some(request) = changes.requests.get(&id).cloned() else { return Ok(None) };
                    let package = packages::find(unit.connection(), id).await?;
                    let wanted = package.filter(|package| {
                        package.bytes.is_none() && request.state == RequestState::Delivering
                    });
                    let Some(package) = wanted else { return Ok(None) };
                    let left_out = LeftOut::load(unit, [id]).await?;
                    let names = Names::load(unit, &changes, &[id]).await?;
                    let runs = super::collecting(&changes, id).cloned().collect();
                    Ok::<_, CaseworkError>(Some(Order {
                        request,
                        runs,
                        names,
                        left_out,
                        created_at: package.created_at,
                    }))
                })
            })
            .await
    }

    async fn write_package(&self, order: Order, object: ObjectId) -> Result<Written, CaseworkError> {
        let id = order.request.id;
        let key = self.content_key(id).await?;
        let mut source = Streaming {
            casework: self.clone(),
            handle: Handle::current(),
            key: key.clone(),
            request: id,
            runs: order.runs.iter().map(|run| run.selected.then_some(run.id)).collect(),
        };
        let rules = Arc::clone(&self.rules);
        let (sender, mut pieces) = mpsc::channel(PIECES);
        let making = tokio::task::spawn_blocking(move || {
            let runs: Vec<&Run> = order.runs.iter().collect();
            let contents =
                contents(&rules, &order.request, order.created_at, &runs, &order.names, &order.left_out)
                    .map_err(io::Error::other)?;
            let mut out = Pieces { buffer: Vec::with_capacity(PIECE), sender };
            let written = document::write(&contents, &mut source, &mut out)?;
            out.flush()?;
            Ok::<_, io::Error>(written)
        });
        let mut writer = self.storage.writer(self.store.environment(), object, &key);
        while let Some(piece) = pieces.recv().await {
            // Dropping the receiver ends the thread with its next piece.
            writer.write(&piece).await?;
        }
        let written = making.await.map_err(|_| StoreError::UnitBroken)?.map_err(|error| {
            // A file that cannot be read says more than that the package could not be made.
            match error.downcast::<StorageError>() {
                Ok(error) => CaseworkError::from(error),
                Err(error) => {
                    tracing::error!(request = %id, %error, "a package could not be made");
                    StoreError::Corrupt("records.content").into()
                }
            }
        })?;
        writer.finish().await?;
        Ok(written)
    }

    async fn keep_package(
        &self,
        lease: &Lease,
        created_at: Timestamp,
        object: ObjectId,
        written: Written,
    ) -> Result<(), CaseworkError> {
        let id: RequestId = lease.object.parse().map_err(StoreError::from)?;
        let (rules, key) = (Arc::clone(&self.rules), (lease.id, lease.fence));
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    let mut changes = Changes::new(unit, &Actor::system(), &rules);
                    changes.lock(unit, [id]).await?;
                    if due_work::finish(unit.connection(), [key]).await?.is_empty() {
                        // Somebody else makes it, or made it.
                        return doom(unit, object).await;
                    }
                    let waits =
                        changes.requests.get(&id).is_some_and(|it| it.state == RequestState::Delivering);
                    if !waits {
                        return doom(unit, object).await;
                    }
                    if objects::keep(unit.connection(), [(object, written.bytes)]).await? == 0 {
                        return Err(StorageError::Missing.into());
                    }
                    let package = Package {
                        request: id,
                        created_at,
                        place: PackagePlace::Object(Some(object)),
                        bytes: Some(written.bytes),
                        sha256: Some(written.sha256.to_vec()),
                        problem: None,
                        handed: 0,
                        delivered_at: None,
                    };
                    changes.packages.push(package);
                    let data = json!({"bytes": written.bytes, "sha256": hex::encode(written.sha256)});
                    unit.record(Stream::Request(id), &changes.actor, "package.built", id, data);
                    changes.offer_download(unit, id)?;
                    changes.finish(unit).await
                })
            })
            .await?;
        self.announce_work();
        Ok(())
    }

    /// A package could not be made for now.
    ///
    /// # Errors
    /// If the store fails; the lease then runs out and it is tried again.
    pub async fn package_failed(
        &self,
        lease: &Lease,
        error: &CaseworkError,
        next_at: Timestamp,
    ) -> Result<(), CaseworkError> {
        let id: RequestId = lease.object.parse().map_err(StoreError::from)?;
        let problem = match error {
            CaseworkError::Storage(error) => error.to_string(),
            _ => "the package could not be made; the log of the server says why, and it is tried again"
                .to_owned(),
        };
        let later = Postponement { id: lease.id, fence: lease.fence, next_at, attempts: lease.attempts + 1 };
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    if due_work::postpone(unit.connection(), [later]).await?.is_empty() {
                        return Ok(());
                    }
                    packages::note_problem(unit.connection(), id, &problem).await
                })
            })
            .await?;
        self.announce_change();
        Ok(())
    }

    async fn end_package_work(&self, lease: &Lease) -> Result<(), CaseworkError> {
        let key = (lease.id, lease.fence);
        self.store
            .write(move |unit| {
                Box::pin(async move {
                    due_work::finish(unit.connection(), [key]).await?;
                    Ok::<_, CaseworkError>(())
                })
            })
            .await
    }

    async fn drop_object(&self, object: ObjectId) {
        let doomed = self
            .store
            .write(move |unit| {
                Box::pin(async move { objects::doom_objects(unit.connection(), [object]).await })
            })
            .await;
        if let Err(error) = doomed {
            tracing::warn!(%error, "what is left of a package is swept later");
        }
    }
}

async fn doom(unit: &mut Unit, object: ObjectId) -> Result<(), CaseworkError> {
    Ok(objects::doom_objects(unit.connection(), [object]).await?)
}

/// What is written goes to the storage in pieces; whoever writes waits while the storage is slower.
struct Pieces {
    buffer: Vec<u8>,
    sender: mpsc::Sender<Bytes>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == PIECE {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE)));
        self.sender.blocking_send(piece).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}
