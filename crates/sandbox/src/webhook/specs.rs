//! What a test or the control plane says to have something put into the simulator, and why it was not.

use serde::Deserialize;

use super::calling::InvalidAddress;

/// A person to add. Everything but the user id has a default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PersonSpec {
    /// The company's own id.
    pub user_id: String,
    /// For the records; left out, there is no name in them.
    pub name: Option<String>,
    /// Where it is known.
    pub email: Option<String>,
    /// Where it is known.
    pub phone_number: Option<String>,
    /// How many orders there are.
    pub orders: usize,
    /// How many tickets.
    pub tickets: usize,
    /// How large the one file is; left out, a few lines.
    pub file_bytes: Option<usize>,
}

/// Why something was not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecRefused {
    /// Nobody has an empty user id.
    #[error("`user_id` must not be empty")]
    NoUserId,
    /// There is somebody with it.
    #[error("there is somebody with the user id `{0}` already")]
    UserIdTaken(String),
}

/// Why a callback was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackNotSent {
    /// No job of this name has ended.
    #[error("there is no job `{0}` that has ended")]
    NothingToTell(String),
    /// It has nowhere to go.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
}
