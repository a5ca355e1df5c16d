//! Calls by which a system tells that it is done.

use super::jobs::{Erased, Job};
use super::records::Collected;
use crate::connector::SettingError;
use crate::error::VendorError;

/// The headers of a callback that say who sent it and when.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallbackHead<'h> {
    /// The message's name.
    pub id: Option<&'h str>,
    /// When it was sent.
    pub timestamp: Option<&'h str>,
    /// What proves both, and the body.
    pub signature: Option<&'h str>,
}

/// A callback that is genuine and can be read.
#[derive(Debug)]
pub struct Callback {
    /// The message's name: one that was taken before is not taken again.
    pub message_id: String,
    /// Which job it is about.
    pub job: Job,
    /// How it ended.
    pub end: CallbackEnd,
}

/// How a job ended, as its system tells by itself.
#[derive(Debug)]
pub enum CallbackEnd {
    /// This was collected.
    Collected(Collected),
    /// The person was deleted, as far as it says.
    Erased(Erased),
    /// It failed.
    Failed(VendorError),
}

/// Why a callback was not taken. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackRefused {
    /// The integration takes none.
    NotOffered,
    /// A header is missing, or no signature fits.
    Forged,
    /// It was sent too long ago, or is from the future.
    OutOfTime,
    /// It is genuine and cannot be read: what is wrong with which field.
    Unreadable(Vec<SettingError>),
}
