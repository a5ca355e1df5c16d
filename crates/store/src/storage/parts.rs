//! How the bytes of an object get to its place: at once if they are few, in parts if they are many.

use bytes::BytesMut;
use object_store::MultipartUpload;
use object_store::path::Path;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::StorageError;
use super::place::{Doing, Place};

/// Bytes of a part. All but the last are equally long, because not every S3 takes others; none may be shorter than 5 MiB
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const PART: usize = 5 << 20;

/// Bytes on their way. Dropped before [`Parts::finish`], what has arrived is given up and nothing can be read.
pub(super) struct Parts {
    place: Place,
    at: Path,
    waiting: BytesMut,
    upload: Option<Box<dyn MultipartUpload>>,
    /// The part under way: one, while the next is filled.
    sending: JoinSet<object_store::Result<()>>,
    sent: u32,
}

impl Parts {
    pub(super) fn new(place: Place, at: Path) -> Self {
        Self { place, at, waiting: BytesMut::new(), upload: None, sending: JoinSet::new(), sent: 0 }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.waiting.extend_from_slice(bytes);
        while self.waiting.len() >= PART {
            self.send(PART).await?;
        }
        Ok(())
    }

    async fn send(&mut self, length: usize) -> Result<(), StorageError> {
        if self.sent == self.place.most_parts {
            return Err(StorageError::TooLarge);
        }
        self.arrived().await?;
        let upload = match self.upload.take() {
            Some(upload) => upload,
            None => self.place.begin_parts(&self.at).await?,
        };
        let upload = self.upload.insert(upload);
        let part = self.waiting.split_to(length).freeze();
        self.sending.spawn(upload.put_part(part.into()));
        self.sent += 1;
        Ok(())
    }

    /// Waits for the part that is under way.
    async fn arrived(&mut self) -> Result<(), StorageError> {
        match self.sending.join_next().await {
            None => Ok(()),
            Some(Ok(outcome)) => self.place.health().note(Doing::Writing, outcome),
            Some(Err(_)) => Err(StorageError::Interrupted),
        }
    }

    /// Everything was written: from now on it can be read.
    pub(super) async fn finish(mut self) -> Result<(), StorageError> {
        if self.upload.is_none() {
            let whole = std::mem::take(&mut self.waiting).freeze();
            return self.place.put(&self.at, whole.into()).await;
        }
        if !self.waiting.is_empty() {
            self.send(self.waiting.len()).await?;
        }
        self.arrived().await?;
        let Some(upload) = &mut self.upload else { return Err(StorageError::Interrupted) };
        let outcome = upload.complete().await;
        self.place.health().note(Doing::Writing, outcome)?;
        self.upload = None;
        Ok(())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let (Some(mut upload), Ok(runtime)) = (self.upload.take(), Handle::try_current()) else { return };
        let mut sending = std::mem::take(&mut self.sending);
        // What arrives after the end of an upload would stay, so the part under way is stopped first.
        runtime.spawn(async move {
            sending.shutdown().await;
            if let Err(error) = upload.abort().await {
                let error = StorageError::from(error);
                tracing::warn!(%error, "an unfinished upload could not be given up; the bucket's lifecycle rule removes it");
            }
        });
    }
}
