//! What a system would find, asked without touching anything.

use std::collections::BTreeMap;

use super::jobs::Job;

/// What a system would find.
#[derive(Debug)]
pub enum Preview {
    /// This many records, by kind.
    Records(BTreeMap<String, u64>),
    /// Whether it holds anything; how much, it does not say.
    Held(bool),
    /// The system is still looking.
    Pending(Job),
    /// It cannot be known beforehand, and why.
    Unknown(String),
}
