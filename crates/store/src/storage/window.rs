//! The pieces of one object, fetched some at a time and opened one by one.

use aead_stream::{StreamBE32, StreamPrimitive as _, aead::Payload};
use bytes::Bytes;
use chacha20poly1305::XChaCha20Poly1305;
use habeas_domain::ObjectId;
use object_store::path::Path;

use super::error::UNCLEAR;
use super::place::Place;
use super::{HEADER, MAGIC, NONCE, PIECE, StorageError, TAG, context, path_of, sealing};
use crate::keyring::DataKey;

/// Bytes of a piece as it lies there.
const SEALED: usize = PIECE + TAG;
/// Most pieces that are fetched by one call, and held: 2 MiB.
const MOST_AHEAD: u64 = 32;

/// An object that is open for reading. Whoever reads on gets twice as many pieces with each call, whoever jumps gets one.
pub(super) struct Window {
    place: Place,
    at: Path,
    sealing: StreamBE32<XChaCha20Poly1305>,
    context: String,
    /// Length of the object as it lies there.
    size: u64,
    /// The pieces at hand, sealed, and the number of the first.
    sealed: Bytes,
    first: u64,
    /// How many pieces were fetched last.
    ahead: u64,
}

impl Window {
    /// Reads the header, and with it the first piece.
    pub(super) async fn open(place: Place, id: ObjectId, key: &DataKey) -> Result<Self, StorageError> {
        let at = path_of(id);
        let (size, beginning) = match place.get(&at, 0..start(1)).await {
            // Of an object of no length nothing can be fetched, and not every store says so clearly.
            Err(StorageError::Unreachable(why)) if why == UNCLEAR && place.size(&at).await? == 0 => {
                return Err(StorageError::Altered);
            }
            other => other?,
        };
        if size < (HEADER + TAG) as u64 {
            return Err(StorageError::Altered);
        }
        let header = beginning.get(..HEADER).ok_or(StorageError::Altered)?;
        let (magic, nonce) = header.split_at_checked(MAGIC.len()).ok_or(StorageError::Altered)?;
        let nonce: &[u8; NONCE] = nonce.try_into().map_err(|_| StorageError::Altered)?;
        if magic != MAGIC {
            return Err(StorageError::Altered);
        }
        let (sealing, context) = (sealing(key, nonce), context(id));
        Ok(Self { place, at, sealing, context, size, sealed: beginning.slice(HEADER..), first: 0, ahead: 1 })
    }

    /// Number of the last piece.
    pub(super) fn last(&self) -> u64 {
        (self.size - HEADER as u64).div_ceil(SEALED as u64).saturating_sub(1)
    }

    /// Plain length of the whole.
    pub(super) fn length(&self) -> Result<u64, StorageError> {
        let tags = (self.last() + 1) * TAG as u64;
        (self.size - HEADER as u64).checked_sub(tags).ok_or(StorageError::Altered)
    }

    /// The plain bytes of a piece.
    pub(super) async fn piece(&mut self, piece: u64) -> Result<Vec<u8>, StorageError> {
        let next = self.first + self.ahead;
        if !(self.first..next).contains(&piece) {
            let ahead = if piece == next { (self.ahead * 2).clamp(1, MOST_AHEAD) } else { 1 };
            // What was read is let go before more comes; if nothing comes, nothing is at hand.
            (self.sealed, self.first, self.ahead) = (Bytes::new(), piece, 0);
            self.sealed = self.fetch(piece, ahead).await?;
            self.ahead = ahead;
        }
        let from = usize::try_from((piece - self.first) * SEALED as u64).unwrap_or(usize::MAX);
        let sealed = self.sealed.get(from..).ok_or(StorageError::Altered)?;
        self.unseal(piece, &sealed[..sealed.len().min(SEALED)])
    }

    /// The plain bytes of the last piece, by a call of their own.
    pub(super) async fn last_piece(&mut self) -> Result<Vec<u8>, StorageError> {
        let last = self.last();
        if last == 0 {
            return self.piece(0).await;
        }
        let sealed = self.fetch(last, 1).await?;
        self.unseal(last, &sealed)
    }

    async fn fetch(&self, piece: u64, count: u64) -> Result<Bytes, StorageError> {
        let range = start(piece)..start(piece + count).min(self.size);
        Ok(self.place.get(&self.at, range).await?.1)
    }

    fn unseal(&self, piece: u64, sealed: &[u8]) -> Result<Vec<u8>, StorageError> {
        let position = u32::try_from(piece).map_err(|_| StorageError::TooLarge)?;
        let payload = Payload { msg: sealed, aad: self.context.as_bytes() };
        self.sealing.decrypt(position, piece == self.last(), payload).map_err(|_| StorageError::Altered)
    }
}

/// Where a piece begins.
const fn start(piece: u64) -> u64 {
    HEADER as u64 + piece * SEALED as u64
}
