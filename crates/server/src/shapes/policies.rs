//! Policies.

use habeas_domain::policy::Policy;
use serde::Serialize;
use utoipa::ToSchema;

use super::words::{RightWord, Word};

/// A legal framework under which requests are answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Policy)]
pub(crate) struct PolicyShape {
    /// How it is named in the API and the CLI.
    #[schema(example = "eu-gdpr")]
    pub(crate) key: &'static str,
    /// How people read it.
    name: &'static str,
    /// Rights that may be exercised under it.
    rights: Vec<RightWord>,
    /// The legal clock.
    clock: &'static str,
    /// Months after closing until identifiers and notes are destroyed.
    retention_months: u8,
    /// Days after an access closes until what was found is destroyed.
    content_days: u8,
}

impl From<&Policy> for PolicyShape {
    fn from(policy: &Policy) -> Self {
        Self {
            key: policy.key,
            name: policy.name,
            rights: policy.rights.iter().copied().map(Word).collect(),
            clock: policy.clock,
            retention_months: policy.retention_months,
            content_days: policy.content_days,
        }
    }
}
