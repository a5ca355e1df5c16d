//! The calls to wherever objects lie, and what they show of its health.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload};

use super::StorageError;

/// An object store whose calls are watched. Cheap to clone.
#[derive(Clone)]
pub(super) struct Place {
    objects: Arc<dyn ObjectStore>,
    health: Arc<Health>,
    /// How many parts an object may be put together from.
    pub(super) most_parts: u32,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.objects)
    }
}

impl Place {
    pub(super) fn new(objects: Arc<dyn ObjectStore>, most_parts: u32) -> Self {
        Self { objects, health: Arc::default(), most_parts }
    }

    /// The same objects, asked in another way.
    pub(super) fn through(&self, objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, ..self.clone() }
    }

    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    /// A part of an object, as far as there is something, and the length of the whole.
    pub(super) async fn get(&self, at: &Path, range: Range<u64>) -> Result<(u64, Bytes), StorageError> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let got = async {
            let answer = self.objects.get_opts(at, options).await?;
            let size = answer.meta.size;
            Ok((size, answer.bytes().await?))
        };
        self.health.note(Doing::Reading, got.await)
    }

    /// The length of an object.
    pub(super) async fn size(&self, at: &Path) -> Result<u64, StorageError> {
        self.health.note(Doing::Reading, self.objects.head(at).await.map(|found| found.size))
    }

    pub(super) async fn put(&self, at: &Path, bytes: PutPayload) -> Result<(), StorageError> {
        self.health.note(Doing::Writing, self.objects.put(at, bytes).await.map(drop))
    }

    pub(super) async fn begin_parts(&self, at: &Path) -> Result<Box<dyn MultipartUpload>, StorageError> {
        self.health.note(Doing::Writing, self.objects.put_multipart(at).await)
    }

    /// Removes an object; one that is not there is fine.
    pub(super) async fn delete(&self, at: &Path) -> Result<(), StorageError> {
        match self.objects.delete(at).await {
            Err(object_store::Error::NotFound { source, path }) => {
                // A bucket that is not there is not fine.
                let error = StorageError::from(object_store::Error::NotFound { source, path });
                if error == StorageError::Missing {
                    Ok(())
                } else {
                    Err(self.health.failed(Doing::Writing, error))
                }
            }
            outcome => self.health.note(Doing::Writing, outcome),
        }
    }
}

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Reading,
    Writing,
}

/// Whether the storage works, as the last calls showed. Says so in the log when it changes, not at each call.
#[derive(Debug, Default)]
pub(super) struct Health {
    trouble: Mutex<Option<Doing>>,
}

impl Health {
    pub(super) fn note<T>(&self, doing: Doing, outcome: object_store::Result<T>) -> Result<T, StorageError> {
        match outcome {
            Ok(value) => {
                self.works(doing);
                Ok(value)
            }
            Err(error) => Err(self.failed(doing, error.into())),
        }
    }

    fn works(&self, doing: Doing) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        // That something can be read says nothing about a disk that is full.
        if *trouble == Some(Doing::Reading) || (trouble.is_some() && doing == Doing::Writing) {
            *trouble = None;
            tracing::info!("the storage for packages and files works again");
        }
    }

    fn failed(&self, doing: Doing, error: StorageError) -> StorageError {
        if error.is_about_the_storage() {
            let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            if trouble.is_none() {
                tracing::error!(%error, "the storage does not work");
            }
            if *trouble != Some(Doing::Writing) {
                *trouble = Some(doing);
            }
        }
        error
    }

    /// Whether the last calls failed.
    pub(super) fn is_in_trouble(&self) -> bool {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}
