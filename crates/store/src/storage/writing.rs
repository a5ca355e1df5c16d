//! Writing an object piece by piece.

use aead_stream::{StreamBE32, StreamPrimitive as _, aead::Payload};
use aws_lc_rs::digest::{self, SHA256};
use chacha20poly1305::XChaCha20Poly1305;
use habeas_domain::ObjectId;

use super::parts::Parts;
use super::place::Place;
use super::{HEADER, MAGIC, NONCE, PIECE, StorageError, TAG, context, path_of, sealing};
use crate::keyring::DataKey;

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Plain bytes.
    pub bytes: u64,
    /// SHA-256 of the plain bytes.
    pub sha256: [u8; 32],
}

/// An object that is being written. Dropped before it is finished, nothing can be read of it.
pub struct ObjectWriter {
    out: Parts,
    sealing: StreamBE32<XChaCha20Poly1305>,
    context: String,
    header: Option<[u8; HEADER]>,
    piece: Vec<u8>,
    position: u32,
    bytes: u64,
    digest: digest::Context,
}

impl std::fmt::Debug for ObjectWriter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ObjectWriter({}, {} bytes)", self.context, self.bytes)
    }
}

impl ObjectWriter {
    pub(super) fn new(place: Place, nonce: [u8; NONCE], id: ObjectId, key: &DataKey) -> Self {
        let mut header = [0; HEADER];
        header[..MAGIC.len()].copy_from_slice(MAGIC);
        header[MAGIC.len()..].copy_from_slice(&nonce);
        Self {
            out: Parts::new(place, path_of(id)),
            sealing: sealing(key, &nonce),
            context: context(id),
            header: Some(header),
            piece: Vec::with_capacity(PIECE + TAG),
            position: 0,
            bytes: 0,
            digest: digest::Context::new(&SHA256),
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// If the storage cannot take them.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), StorageError> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            // A full piece waits until more comes: only then it is known not to be the last.
            if self.piece.len() == PIECE {
                self.put(false).await?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.piece.len()));
            self.piece.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    async fn put(&mut self, is_last: bool) -> Result<(), StorageError> {
        if let Some(header) = self.header.take() {
            self.out.write(&header).await?;
        }
        let payload = Payload { msg: &self.piece, aad: self.context.as_bytes() };
        let sealed =
            self.sealing.encrypt(self.position, is_last, payload).map_err(|_| StorageError::TooLarge)?;
        self.piece.clear();
        self.position = self.position.checked_add(1).ok_or(StorageError::TooLarge)?;
        self.out.write(&sealed).await
    }

    /// Everything was written: from now on it can be read.
    ///
    /// # Errors
    /// If the storage cannot take it; nothing can be read then.
    pub async fn finish(mut self) -> Result<Stored, StorageError> {
        self.put(true).await?;
        self.out.finish().await?;
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.digest.finish().as_ref());
        Ok(Stored { bytes: self.bytes, sha256 })
    }
}
