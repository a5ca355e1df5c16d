//! A place that has no room left.

use std::io;

use futures::stream::BoxStream;
use object_store::path::Path as Place;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, PutMultipartOptions,
    PutOptions, PutPayload, PutResult,
};

use super::*;

/// A disk without room.
#[derive(Debug)]
struct Full(InMemory);

impl std::fmt::Display for Full {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Full")
    }
}

fn no_room() -> object_store::Error {
    let source = Box::new(io::Error::from(io::ErrorKind::StorageFull));
    object_store::Error::Generic { store: "full", source }
}

#[async_trait::async_trait]
impl ObjectStore for Full {
    async fn put_opts(&self, _: &Place, _: PutPayload, _: PutOptions) -> object_store::Result<PutResult> {
        Err(no_room())
    }

    async fn put_multipart_opts(
        &self,
        _: &Place,
        _: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        Err(no_room())
    }

    async fn get_opts(&self, at: &Place, options: GetOptions) -> object_store::Result<GetResult> {
        self.0.get_opts(at, options).await
    }

    fn delete_stream(
        &self,
        places: BoxStream<'static, object_store::Result<Place>>,
    ) -> BoxStream<'static, object_store::Result<Place>> {
        self.0.delete_stream(places)
    }

    fn list(&self, prefix: Option<&Place>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Place>) -> object_store::Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Place, to: &Place, options: CopyOptions) -> object_store::Result<()> {
        self.0.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn a_full_disk_is_told_apart() {
    let storage = Storage::over(Arc::new(Full(InMemory::new())));
    assert!(matches!(storage.ready(&environment()).await, Err(StorageError::Full)));
    let mut writer = storage.writer(&environment(), id(1), &key("a"));
    writer.write(b"something").await.unwrap();
    let refused = writer.finish().await.unwrap_err();
    assert!(matches!(refused, StorageError::Full), "{refused}");
    assert!(refused.to_string().contains("free space"));
    // Larger than what is kept back until the end: the disk refuses while more is being written.
    let mut writer = storage.writer(&environment(), id(1), &key("a"));
    assert!(matches!(writer.write(&plain(12 << 20)).await, Err(StorageError::Full)));
    assert!(matches!(get(&storage, id(1), &key("a"), 0).await, Err(StorageError::Missing)));
}
