//! Reading an object from any byte on.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use aead_stream::{StreamBE32, StreamPrimitive as _, aead::Payload};
use bytes::{Bytes, BytesMut};
use chacha20poly1305::XChaCha20Poly1305;
use futures::stream::{BoxStream, StreamExt as _};
use habeas_domain::ObjectId;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _};
use tokio::runtime::Handle;

use super::{HEADER, MAGIC, NONCE, PIECE, StorageError, TAG, context, place, sealing};
use crate::keyring::DataKey;

const SEALED: usize = PIECE + TAG;

/// An object's plain bytes, as a stream.
pub type ObjectReader = BoxStream<'static, Result<Bytes, StorageError>>;

/// What opens the pieces of one object.
struct Opening {
    sealing: StreamBE32<XChaCha20Poly1305>,
    context: String,
    /// Length of the object as it lies there.
    size: u64,
}

impl Opening {
    async fn of(objects: &dyn ObjectStore, id: ObjectId, key: &DataKey) -> Result<Self, StorageError> {
        let place = place(id);
        let size = objects.head(&place).await?.size;
        if size < (HEADER + TAG) as u64 {
            return Err(StorageError::Altered);
        }
        let header = objects.get_range(&place, 0..HEADER as u64).await?;
        let (magic, nonce) = header.split_at_checked(MAGIC.len()).ok_or(StorageError::Altered)?;
        let nonce: &[u8; NONCE] = nonce.try_into().map_err(|_| StorageError::Altered)?;
        if magic != MAGIC {
            return Err(StorageError::Altered);
        }
        Ok(Self { sealing: sealing(key, nonce), context: context(id), size })
    }

    /// Number of the last piece.
    fn last(&self) -> u64 {
        (self.size - HEADER as u64).div_ceil(SEALED as u64).saturating_sub(1)
    }

    /// Plain length of the whole.
    fn length(&self) -> Result<u64, StorageError> {
        let tags = (self.last() + 1) * TAG as u64;
        (self.size - HEADER as u64).checked_sub(tags).ok_or(StorageError::Altered)
    }

    fn start(piece: u64) -> u64 {
        HEADER as u64 + piece * SEALED as u64
    }

    fn open(&self, piece: u64, sealed: &[u8]) -> Result<Vec<u8>, StorageError> {
        let position = u32::try_from(piece).map_err(|_| StorageError::TooLarge)?;
        let payload = Payload { msg: sealed, aad: self.context.as_bytes() };
        self.sealing.decrypt(position, piece == self.last(), payload).map_err(|_| StorageError::Altered)
    }
}

pub(super) async fn open(
    objects: Arc<dyn ObjectStore>,
    id: ObjectId,
    key: &DataKey,
    from: u64,
) -> Result<ObjectReader, StorageError> {
    let opening = Opening::of(&*objects, id, key).await?;
    // Also who asks for nothing gets the last piece opened: an object that was cut off must not pass for a shorter one.
    let first = (from / PIECE as u64).min(opening.last());
    let skipped = usize::try_from(from - first * PIECE as u64).unwrap_or(usize::MAX);
    let options = GetOptions {
        range: Some(GetRange::Bounded(Opening::start(first)..opening.size)),
        ..GetOptions::default()
    };
    let sealed = objects.get_opts(&place(id), options).await?.into_stream();
    let reading = Reading { opening, sealed, waiting: BytesMut::new(), piece: first, skipped };
    Ok(futures::stream::try_unfold(reading, |mut reading| async move {
        Ok(reading.next().await?.map(|plain| (plain, reading)))
    })
    .boxed())
}

struct Reading {
    opening: Opening,
    sealed: BoxStream<'static, object_store::Result<Bytes>>,
    waiting: BytesMut,
    piece: u64,
    /// Bytes of the first piece that nobody asked for.
    skipped: usize,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        let last = self.opening.last();
        if self.piece > last {
            return Ok(None);
        }
        let end = Opening::start(self.piece + 1).min(self.opening.size);
        let wanted = usize::try_from(end - Opening::start(self.piece)).unwrap_or(SEALED);
        while self.waiting.len() < wanted {
            match self.sealed.next().await {
                Some(more) => self.waiting.extend_from_slice(&more?),
                None => return Err(StorageError::Altered),
            }
        }
        let sealed = self.waiting.split_to(wanted);
        let mut plain = Bytes::from(self.opening.open(self.piece, &sealed)?);
        self.piece += 1;
        let skipped = std::mem::take(&mut self.skipped).min(plain.len());
        let wanted = plain.split_off(skipped);
        // Only of the last piece is nothing left.
        Ok(Some(wanted).filter(|wanted| !wanted.is_empty()))
    }
}

/// An object as something to read and to seek in, for a thread that may wait. Holds one piece at a time.
pub struct BlockingReader {
    objects: Arc<dyn ObjectStore>,
    runtime: Handle,
    id: ObjectId,
    key: DataKey,
    opening: Option<Opening>,
    /// The piece at hand.
    piece: Option<(u64, Vec<u8>)>,
    at: u64,
}

impl std::fmt::Debug for BlockingReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "BlockingReader({}, at {})", self.id, self.at)
    }
}

impl BlockingReader {
    pub(super) fn new(objects: Arc<dyn ObjectStore>, runtime: Handle, id: ObjectId, key: &DataKey) -> Self {
        Self { objects, runtime, id, key: key.clone(), opening: None, piece: None, at: 0 }
    }

    /// What opens the object, once its last piece did: its length is not to be believed before.
    fn opening(&mut self) -> Result<&Opening, StorageError> {
        let opening = match self.opening.take() {
            Some(opening) => opening,
            None => {
                let opening = self.runtime.block_on(Opening::of(&*self.objects, self.id, &self.key))?;
                let last = opening.last();
                self.piece = Some((last, self.fetch(&opening, last)?));
                opening
            }
        };
        Ok(self.opening.insert(opening))
    }

    fn fetch(&self, opening: &Opening, piece: u64) -> Result<Vec<u8>, StorageError> {
        let range = Opening::start(piece)..Opening::start(piece + 1).min(opening.size);
        let sealed = self.runtime.block_on(self.objects.get_range(&place(self.id), range))?;
        opening.open(piece, &sealed)
    }

    fn load(&mut self, piece: u64) -> Result<(), StorageError> {
        if self.piece.as_ref().is_some_and(|(at, _)| *at == piece) {
            return Ok(());
        }
        let opening = self.opening.as_ref().ok_or(StorageError::Interrupted)?;
        self.piece = Some((piece, self.fetch(opening, piece)?));
        Ok(())
    }
}

impl Read for BlockingReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = self.opening().and_then(Opening::length).map_err(io::Error::other)?;
        if self.at >= length || out.is_empty() {
            return Ok(0);
        }
        let within = usize::try_from(self.at % PIECE as u64).unwrap_or_default();
        self.load(self.at / PIECE as u64).map_err(io::Error::other)?;
        let rest = self.piece.as_ref().and_then(|(_, plain)| plain.get(within..)).unwrap_or_default();
        let taken = rest.len().min(out.len());
        out[..taken].copy_from_slice(&rest[..taken]);
        self.at += taken as u64;
        Ok(taken)
    }
}

impl Seek for BlockingReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let length = self.opening().and_then(Opening::length).map_err(io::Error::other)?;
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
