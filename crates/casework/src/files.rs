//! Files of records: a small one lies sealed in its record, a large one in the storage.

use std::collections::HashMap;
use std::io::Read;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use habeas_domain::{Actor, ObjectId, Permission, RecordId, RequestId, RunId};
use habeas_integrations::{FoundFile, FoundRecord};
use habeas_store::storage::{ObjectWriter, StorageError};
use habeas_store::{DataKey, KeyPurpose, Unit, data_keys, objects, requests};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Casework;
use crate::error::CaseworkError;
use crate::work::{Finding, Report};

/// Bytes of a file that still lies in its record.
pub(crate) const LARGEST_IN_A_RECORD: usize = 256 << 10;

/// A record as it is kept: what was found, with its file in the record or in the storage.
#[derive(Clone, Serialize, Deserialize)]
pub struct KeptRecord {
    /// What it is (`contact`).
    pub kind: String,
    /// The vendor's own id.
    pub vendor_id: String,
    /// How a reviewer recognises it.
    pub title: String,
    /// The name of the person that the record is about, where it names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// What is held.
    pub fields: Map<String, Value>,
    /// Its file, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<StoredFile>,
}

/// Never prints contents.
impl std::fmt::Debug for KeptRecord {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "KeptRecord({}, {} fields)", self.kind, self.fields.len())
    }
}

impl KeptRecord {
    /// A record as it was found, whose file was put into the storage before.
    pub(crate) fn with_file(found: &FoundRecord, file: StoredFile) -> Self {
        let FoundRecord { kind, vendor_id, title, person, fields, file: _ } = found.clone();
        Self { kind, vendor_id, title, person, fields, file: Some(file) }
    }
}

/// A file of a record.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StoredFile {
    /// In the record.
    Inline(FoundFile),
    /// In the storage.
    Object(ObjectFile),
}

/// A file in the storage.
#[derive(Clone, Serialize, Deserialize)]
pub struct ObjectFile {
    /// A plain file name, without a path.
    pub name: String,
    /// Its media type, as far as it is known.
    pub media_type: String,
    /// Where it lies.
    pub object: ObjectId,
    /// Its length in bytes.
    pub size: u64,
}

/// Never prints name or contents.
impl std::fmt::Debug for StoredFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "StoredFile({} bytes)", self.size())
    }
}

/// Never prints the name.
impl std::fmt::Debug for ObjectFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ObjectFile({})", self.object)
    }
}

impl StoredFile {
    /// A plain file name, without a path.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Inline(file) => &file.name,
            Self::Object(file) => &file.name,
        }
    }

    /// Its media type, as far as it is known.
    #[must_use]
    pub fn media_type(&self) -> &str {
        match self {
            Self::Inline(file) => &file.media_type,
            Self::Object(file) => &file.media_type,
        }
    }

    /// Its length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(file) => file.bytes.len() as u64,
            Self::Object(file) => file.size,
        }
    }

    pub(crate) const fn object(&self) -> Option<(ObjectId, u64)> {
        match self {
            Self::Inline(_) => None,
            Self::Object(file) => Some((file.object, file.size)),
        }
    }
}

/// Keeps the objects that records refer to from now on. What the sweep took meanwhile fails the unit.
pub(crate) async fn keep(unit: &mut Unit, files: &[StoredFile]) -> Result<(), CaseworkError> {
    let kept: Vec<_> = files.iter().filter_map(|file| file.object()).collect();
    if kept.is_empty() {
        return Ok(());
    }
    let wanted = kept.len() as u64;
    if objects::keep(unit.connection(), kept).await? < wanted {
        return Err(StorageError::Missing.into());
    }
    Ok(())
}

/// A file on its way in, piece by piece. Dropped unfinished, it leaves nothing that can be read, and what lies in the
/// storage is swept.
pub struct Upload {
    casework: Casework,
    request: RequestId,
    key: DataKey,
    buffered: Vec<u8>,
    writing: Option<(ObjectId, ObjectWriter)>,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Upload({})", self.request)
    }
}

impl Upload {
    /// Which request it is for.
    #[must_use]
    pub const fn request(&self) -> RequestId {
        self.request
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// If the storage cannot be written; the file is lost then.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), CaseworkError> {
        if let Some((_, writer)) = &mut self.writing {
            return Ok(writer.write(bytes).await?);
        }
        self.buffered.extend_from_slice(bytes);
        if self.buffered.len() > LARGEST_IN_A_RECORD {
            let store = self.casework.store();
            let id = ObjectId::new(store.environment().unique());
            let request = self.request;
            // The intent first: whatever becomes of this process, the sweep finds what it left.
            store
                .write(move |unit| {
                    Box::pin(async move {
                        let now = unit.now();
                        objects::intend(unit.connection(), &[(id, request)], now).await
                    })
                })
                .await?;
            let mut writer = self.casework.storage.writer(store.environment(), id, &self.key);
            writer.write(&std::mem::take(&mut self.buffered)).await?;
            self.writing = Some((id, writer));
        }
        Ok(())
    }

    /// The whole file is there.
    ///
    /// # Errors
    /// If the storage cannot be written; the file is lost then.
    pub async fn finish(self, name: &str, media_type: &str) -> Result<StoredFile, CaseworkError> {
        let Some((object, writer)) = self.writing else {
            return Ok(StoredFile::Inline(FoundFile::new(name, media_type, self.buffered)));
        };
        let stored = writer.finish().await?;
        let FoundFile { name, media_type, .. } = FoundFile::new(name, media_type, Vec::new());
        Ok(StoredFile::Object(ObjectFile { name, media_type, object, size: stored.bytes }))
    }
}

/// A file on its way out.
pub struct FileReading {
    /// Its name and type.
    pub file: StoredFile,
    /// Its bytes.
    pub content: BoxStream<'static, Result<Bytes, CaseworkError>>,
}

impl std::fmt::Debug for FileReading {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "FileReading({} bytes)", self.file.size())
    }
}

impl Casework {
    /// Begins to take in a file that a person who works on a request enters.
    ///
    /// # Errors
    /// If there is no such request, its content was destroyed, or the actor may not work on requests.
    pub async fn begin_upload(&self, actor: &Actor, request: RequestId) -> Result<Upload, CaseworkError> {
        actor.require(Permission::WorkOnRequests)?;
        if requests::find(&mut self.store.reader().await?, request).await?.is_none() {
            return Err(CaseworkError::not_found("request", request));
        }
        self.upload(request).await
    }

    pub(crate) async fn upload(&self, request: RequestId) -> Result<Upload, CaseworkError> {
        let key = self.content_key(request).await?;
        Ok(Upload { casework: self.clone(), request, key, buffered: Vec::new(), writing: None })
    }

    pub(crate) async fn content_key(&self, request: RequestId) -> Result<DataKey, CaseworkError> {
        let mut reader = self.store.reader().await?;
        Ok(data_keys::load_one(&mut reader, self.store.keyring(), request, KeyPurpose::Content).await?)
    }

    /// Gives up files that were taken in but are not part of any record. What cannot be removed now is swept later.
    pub async fn discard_files(&self, files: impl IntoIterator<Item = StoredFile> + Send) {
        let ids: Vec<ObjectId> =
            files.into_iter().filter_map(|file| file.object()).map(|(id, _)| id).collect();
        if ids.is_empty() {
            return;
        }
        let doomed = self
            .store
            .write(move |unit| Box::pin(async move { objects::doom_objects(unit.connection(), ids).await }))
            .await;
        if let Err(error) = doomed {
            tracing::warn!(%error, "files that nobody needs are swept later");
        }
    }

    /// The bytes of a file as something to read and to seek in, on a thread that may wait.
    ///
    /// # Errors
    /// If the request's content was destroyed.
    pub async fn open_upload(
        &self,
        request: RequestId,
        file: &StoredFile,
    ) -> Result<Box<dyn ReadSeek>, CaseworkError> {
        Ok(match file {
            StoredFile::Inline(file) => Box::new(std::io::Cursor::new(file.bytes.clone())),
            StoredFile::Object(file) => {
                let key = self.content_key(request).await?;
                let handle = tokio::runtime::Handle::current();
                Box::new(self.storage.blocking_reader(handle, file.object, &key))
            }
        })
    }

    /// The file of a record. The reading is written into the audit log.
    ///
    /// # Errors
    /// If there is no such record or it has no file, its content was destroyed, or the actor may not read records.
    pub async fn record_file(
        &self,
        actor: &Actor,
        request: RequestId,
        record: RecordId,
    ) -> Result<FileReading, CaseworkError> {
        let found = self.record(actor, request, record).await?;
        let file = found.content.file.ok_or_else(|| CaseworkError::not_found("file of record", record))?;
        let content = match &file {
            StoredFile::Inline(inline) => {
                futures::stream::iter([Ok(Bytes::from(inline.bytes.clone()))]).boxed()
            }
            StoredFile::Object(object) => {
                let key = self.content_key(request).await?;
                let reader = self.storage.reader(object.object, &key, 0).await?;
                reader.map(|piece| piece.map_err(CaseworkError::from)).boxed()
            }
        };
        Ok(FileReading { file, content })
    }

    /// Puts the large files of reports into the storage, before the unit that refers to them.
    pub(crate) async fn store_large_files(&self, reports: &[Report]) -> Result<LargeFiles, CaseworkError> {
        let mut large = LargeFiles::default();
        for report in reports {
            for part in &report.parts {
                let Finding::Collected(found) = &part.finding else { continue };
                for run in &part.runs {
                    let request = report.assignment.members.iter().find(|member| member.run == *run);
                    let Some(member) = request else { continue };
                    for record in &found.records {
                        self.store_large_file(&mut large, (*run, member.request), record).await?;
                    }
                }
            }
        }
        Ok(large)
    }

    async fn store_large_file(
        &self,
        large: &mut LargeFiles,
        (run, request): (RunId, RequestId),
        record: &FoundRecord,
    ) -> Result<(), CaseworkError> {
        let Some(file) = record.file.as_ref().filter(|file| file.bytes.len() > LARGEST_IN_A_RECORD) else {
            return Ok(());
        };
        let mut upload = match self.upload(request).await {
            // The request was closed meanwhile; nothing of it is kept any more.
            Err(CaseworkError::Forgotten(_)) => return Ok(()),
            other => other?,
        };
        upload.write(&file.bytes).await?;
        let stored = upload.finish(&file.name, &file.media_type).await?;
        large.by_record.insert((run, record.vendor_id.clone()), stored);
        Ok(())
    }
}

/// Something to read and to seek in.
pub trait ReadSeek: Read + std::io::Seek + Send {}

impl<T: Read + std::io::Seek + Send> ReadSeek for T {}

/// Files that were put into the storage before the unit that keeps their records.
#[derive(Debug, Default)]
pub(crate) struct LargeFiles {
    by_record: HashMap<(RunId, String), StoredFile>,
}

impl LargeFiles {
    pub(crate) fn of(&self, run: RunId, vendor_id: &str) -> Option<StoredFile> {
        if self.by_record.is_empty() {
            return None;
        }
        self.by_record.get(&(run, vendor_id.to_owned())).cloned()
    }
}
