//! Large sealed contents outside of the database: in a directory, or in a bucket.
//!
//! An object is a header and pieces of 64 KiB, sealed one by one by the STREAM construction with a key that is derived
//! from the request's content key. A piece that was altered, moved, cut off or taken from another object does not open,
//! and a reader may begin at any piece. Destroying the content key is the erasure of every object it sealed.

mod bucket;
mod error;
mod parts;
mod place;
mod readiness;
mod reading;
mod window;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aead_stream::{NewStream as _, StreamBE32};
use chacha20poly1305::XChaCha20Poly1305;
use habeas_domain::ObjectId;
use habeas_environment::Environment;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{ObjectStore, path};

use crate::keyring::DataKey;
use place::Place;
use readiness::Readiness;

pub use bucket::{Access, Bucket};
pub use error::{Refusal, StorageError};
pub use reading::{BlockingReader, ObjectReader};
pub use writing::{ObjectWriter, Stored};

/// Plain bytes of a piece. The last one of an object is shorter, and may be empty.
const PIECE: usize = 64 << 10;
/// What sealing adds to a piece.
const TAG: usize = 16;
/// What every object begins with: the format's name.
const MAGIC: &[u8; 4] = b"HBO1";
/// Random bytes that make the nonces of an object its own.
const NONCE: usize = 19;
/// Bytes before the first piece.
const HEADER: usize = MAGIC.len() + NONCE;

/// Where large sealed contents lie. Cheap to clone.
#[derive(Clone)]
pub struct Storage {
    place: Place,
    readiness: Readiness,
    /// The directory, if it is one: unfinished files are looked for there.
    directory: Option<PathBuf>,
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Storage({:?})", self.place)
    }
}

impl Storage {
    /// Opens the storage in a directory. It is made if it is missing, readable by this user only.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(directory: &Path) -> Result<Self, StorageError> {
        make_directory(directory).map_err(|error| StorageError::unreachable(&error))?;
        let objects = LocalFileSystem::new_with_prefix(directory)?.with_fsync(true);
        Ok(Self { directory: Some(directory.to_owned()), ..Self::over(Arc::new(objects)) })
    }

    /// Opens the storage in a bucket. No call is made: [`Storage::ready`] tells whether it can be used.
    ///
    /// # Errors
    /// If the settings contradict themselves.
    pub fn in_bucket(bucket: &Bucket) -> Result<Self, StorageError> {
        let opened = bucket.open()?;
        let place = Place::new(opened.work, bucket::MOST_PARTS);
        let readiness = Readiness::new(place.through(opened.looking));
        Ok(Self { place, readiness, directory: None })
    }

    /// A storage in memory, for tests.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::over(Arc::new(InMemory::new()))
    }

    /// Over any object store, for tests of its failures.
    #[must_use]
    pub fn over(objects: Arc<dyn ObjectStore>) -> Self {
        let place = Place::new(objects, u32::MAX);
        Self { readiness: Readiness::new(place.clone()), place, directory: None }
    }

    /// Whether it can be used. What was seen is believed for five seconds, so it may be asked often; the answer takes a
    /// few seconds at most. That it goes and that it comes back is logged once.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn ready(&self, environment: &Environment) -> Result<(), StorageError> {
        self.readiness.ask(environment).await
    }

    /// Whether it worked when it was last used, without asking it.
    #[must_use]
    pub fn works(&self) -> bool {
        !self.place.health().is_in_trouble()
    }

    /// Begins to write an object. Nothing can be read under its id before [`ObjectWriter::finish`].
    #[must_use]
    pub fn writer(&self, environment: &Environment, id: ObjectId, key: &DataKey) -> ObjectWriter {
        ObjectWriter::new(self.place.clone(), environment.random(), id, key)
    }

    /// Reads an object from plain byte `from` on.
    ///
    /// # Errors
    /// If it is not there, cannot be reached, or was not sealed with this key.
    pub async fn reader(&self, id: ObjectId, key: &DataKey, from: u64) -> Result<ObjectReader, StorageError> {
        reading::open(self.place.clone(), id, key, from).await
    }

    /// Reads an object on a thread that may wait.
    #[must_use]
    pub fn blocking_reader(
        &self,
        runtime: tokio::runtime::Handle,
        id: ObjectId,
        key: &DataKey,
    ) -> BlockingReader {
        BlockingReader::new(self.place.clone(), runtime, id, key)
    }

    /// Removes an object, with what unfinished writing left of it. One that is not there is fine.
    ///
    /// # Errors
    /// If the storage cannot be reached.
    pub async fn delete(&self, id: ObjectId) -> Result<(), StorageError> {
        self.place.delete(&path_of(id)).await?;
        let Some(directory) = self.directory.clone() else { return Ok(()) };
        // A process that was killed while it wrote leaves its file under the object's name and a number.
        let unfinished = format!("{id}#");
        let removed =
            tokio::task::spawn_blocking(move || remove_beginning_with(&directory, &unfinished)).await;
        match removed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(StorageError::unreachable(&error)),
            Err(_) => Err(StorageError::Interrupted),
        }
    }
}

fn make_directory(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

fn remove_beginning_with(directory: &Path, beginning: &str) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(beginning) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn path_of(id: ObjectId) -> path::Path {
    path::Path::from(id.to_string())
}

/// What binds a piece to its object.
fn context(id: ObjectId) -> String {
    format!("objects/{id}")
}

fn sealing(key: &DataKey, nonce: &[u8; NONCE]) -> StreamBE32<XChaCha20Poly1305> {
    StreamBE32::from_aead(key.stream_cipher(), &(*nonce).into())
}

#[cfg(test)]
mod tests;
