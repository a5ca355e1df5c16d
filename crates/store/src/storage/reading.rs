//! Reading an object from any byte on.

use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _};
use habeas_domain::ObjectId;
use tokio::runtime::Handle;

use super::place::Place;
use super::window::Window;
use super::{PIECE, StorageError};
use crate::keyring::DataKey;

/// An object's plain bytes, as a stream. However slowly it is read, no call to the storage waits for the reader.
pub type ObjectReader = BoxStream<'static, Result<Bytes, StorageError>>;

pub(super) async fn open(
    place: Place,
    id: ObjectId,
    key: &DataKey,
    from: u64,
) -> Result<ObjectReader, StorageError> {
    let window = Window::open(place, id, key).await?;
    // Also who asks for nothing gets the last piece opened: an object that was cut off must not pass for a shorter one.
    let first = (from / PIECE as u64).min(window.last());
    let skipped = usize::try_from(from - first * PIECE as u64).unwrap_or(usize::MAX);
    let reading = Reading { window, piece: first, skipped };
    Ok(futures::stream::try_unfold(reading, |mut reading| async move {
        Ok(reading.next().await?.map(|plain| (plain, reading)))
    })
    .boxed())
}

struct Reading {
    window: Window,
    piece: u64,
    /// Bytes of the first piece that nobody asked for.
    skipped: usize,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        if self.piece > self.window.last() {
            return Ok(None);
        }
        let mut plain = Bytes::from(self.window.piece(self.piece).await?);
        self.piece += 1;
        let skipped = std::mem::take(&mut self.skipped).min(plain.len());
        let wanted = plain.split_off(skipped);
        // Only of the last piece is nothing left.
        Ok(Some(wanted).filter(|wanted| !wanted.is_empty()))
    }
}

/// An object as something to read and to seek in, for a thread that may wait. Holds one open piece, and up to 2 MiB of
/// sealed ones that come next.
pub struct BlockingReader {
    place: Place,
    runtime: Handle,
    id: ObjectId,
    key: DataKey,
    window: Option<Window>,
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
    pub(super) fn new(place: Place, runtime: Handle, id: ObjectId, key: &DataKey) -> Self {
        Self { place, runtime, id, key: key.clone(), window: None, piece: None, at: 0 }
    }

    /// The object, once its last piece did open: its length is not to be believed before.
    fn window(&mut self) -> Result<&mut Window, StorageError> {
        let window = match self.window.take() {
            Some(window) => window,
            None => {
                let opening = async {
                    let mut window = Window::open(self.place.clone(), self.id, &self.key).await?;
                    let plain = window.last_piece().await?;
                    Ok::<_, StorageError>((window, plain))
                };
                let (window, plain) = self.runtime.block_on(opening)?;
                self.piece = Some((window.last(), plain));
                window
            }
        };
        Ok(self.window.insert(window))
    }

    fn length(&mut self) -> Result<u64, StorageError> {
        self.window()?.length()
    }

    fn load(&mut self, piece: u64) -> Result<(), StorageError> {
        if self.piece.as_ref().is_some_and(|(at, _)| *at == piece) {
            return Ok(());
        }
        let runtime = self.runtime.clone();
        let plain = runtime.block_on(self.window()?.piece(piece))?;
        self.piece = Some((piece, plain));
        Ok(())
    }
}

impl Read for BlockingReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = self.length().map_err(io::Error::other)?;
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
        let length = self.length().map_err(io::Error::other)?;
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
