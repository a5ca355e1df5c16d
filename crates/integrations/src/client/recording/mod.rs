//! Exchanges with a vendor written down without anybody's secrets, and played back. Only with the feature `testing`.
//!
//! A [`Recorder`] keeps what went over the wire as it was, in memory. A [`Recording`] is what may be kept of it for
//! good. It is made through a [`Redaction`], which lets through what it knows to be harmless and replaces everything
//! else, the same by the same, so that a connector finds in the recording what it found at the vendor.

mod playback;
mod recorder;
mod redaction;
mod written;

pub use playback::Playback;
pub use recorder::{Exchange, Recorder};
pub use redaction::{Redaction, Structure};
pub use written::{BASE, Body, Recording, Replied, Requested, Turn};
