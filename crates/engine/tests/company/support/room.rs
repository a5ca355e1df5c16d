//! A place for large contents that may be full.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use futures::stream::BoxStream;
use habeas_store::storage::Storage;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Takes what is written, unless it is full; what lies in it can be read and removed all the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Room {
    objects: Arc<InMemory>,
    is_full: Arc<AtomicBool>,
}

impl Room {
    pub(crate) fn storage(&self) -> Storage {
        Storage::over(Arc::new(self.clone()))
    }

    pub(crate) fn fill(&self) {
        self.is_full.store(true, Ordering::SeqCst);
    }

    pub(crate) fn free(&self) {
        self.is_full.store(false, Ordering::SeqCst);
    }

    /// How many objects lie in it.
    pub(crate) async fn objects(&self) -> usize {
        self.objects.list(None).count().await
    }

    fn take(&self) -> Result<()> {
        if self.is_full.load(Ordering::SeqCst) {
            let source = Box::new(io::Error::from(io::ErrorKind::StorageFull));
            return Err(object_store::Error::Generic { store: "room", source });
        }
        Ok(())
    }
}

impl std::fmt::Display for Room {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Room")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Room {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.take()?;
        self.objects.put_opts(at, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.take()?;
        self.objects.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.objects.get_opts(at, options).await
    }

    fn delete_stream(&self, places: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.objects.delete_stream(places)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}
