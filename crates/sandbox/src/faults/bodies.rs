//! Bodies that are made while they are sent, so that their size costs no memory.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

const CHUNK: usize = 16 * 1024;

/// A piece of a lazily made body.
enum Piece {
    Text(Bytes),
    /// The chunk over and over until this many bytes are sent.
    Repeat(Bytes, u64),
}

/// Sends its pieces one after the other.
pub(super) struct Lazy(VecDeque<Piece>);

impl Lazy {
    /// A valid JSON document of exactly `bytes` bytes (or a little more for very small sizes): one long string.
    pub(super) fn oversized(bytes: u64) -> Self {
        let (head, tail) = (r#"{"count":1,"next":null,"previous":null,"results":[""#, r#""]}"#);
        let filling = bytes.saturating_sub((head.len() + tail.len()) as u64);
        Self(VecDeque::from([
            Piece::Text(Bytes::from_static(head.as_bytes())),
            Piece::Repeat(Bytes::from_static(&[b'x'; CHUNK]), filling),
            Piece::Text(Bytes::from_static(tail.as_bytes())),
        ]))
    }

    /// Arrays within arrays.
    pub(super) fn deep_json(depth: u64) -> Self {
        Self(VecDeque::from([
            Piece::Text(Bytes::from_static(br#"{"results":"#)),
            Piece::Repeat(Bytes::from_static(&[b'['; CHUNK]), depth),
            Piece::Repeat(Bytes::from_static(&[b']'; CHUNK]), depth),
            Piece::Text(Bytes::from_static(b"}")),
        ]))
    }

    pub(super) fn len(&self) -> u64 {
        let length = |piece: &Piece| match piece {
            Piece::Text(text) => text.len() as u64,
            Piece::Repeat(_, left) => *left,
        };
        self.0.iter().map(length).sum()
    }
}

impl HttpBody for Lazy {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            match self.0.pop_front() {
                None => return Poll::Ready(None),
                Some(Piece::Text(text)) => return Poll::Ready(Some(Ok(Frame::data(text)))),
                Some(Piece::Repeat(_, 0)) => {}
                Some(Piece::Repeat(chunk, left)) => {
                    let size = usize::try_from(left).unwrap_or(CHUNK).min(chunk.len());
                    let frame = chunk.slice(..size);
                    self.0.push_front(Piece::Repeat(chunk, left - size as u64));
                    return Poll::Ready(Some(Ok(Frame::data(frame))));
                }
            }
        }
    }

    /// Unknown on purpose: whether the length is announced is for the headers to say.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// The first half of a body, then an error that makes hyper close the connection.
pub(super) struct Truncated {
    half: Option<Bytes>,
    flushed: bool,
}

impl Truncated {
    pub(super) fn body(whole: &Bytes) -> Body {
        Body::new(Self { half: Some(whole.slice(..whole.len() / 2)), flushed: false })
    }
}

/// Ends a body early.
#[derive(Debug, thiserror::Error)]
#[error("the simulator cut the body on purpose")]
pub(super) struct Cut;

impl HttpBody for Truncated {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        if !self.flushed {
            // hyper writes out what it has buffered only when the body is not ready; without this pause the
            // headers and the first half would be thrown away together with the connection.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Cut)))
    }
}
