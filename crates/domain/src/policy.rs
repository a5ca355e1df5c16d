//! Legal frameworks under which requests are answered.

use crate::right::Right;

/// A legal framework: which rights, which clock, how long the case is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Policy {
    /// How the policy is named in the API and the CLI.
    pub key: &'static str,
    /// How people read it.
    pub name: &'static str,
    /// Rights that may be exercised under it.
    pub rights: &'static [Right],
    /// Key of the legal clock (see [`crate::legal_clock`]).
    pub clock: &'static str,
    /// Months after closing until the case key is destroyed (11 CCR 7101: 24 months).
    pub retention_months: u8,
    /// Days after an access request closes until its content key is destroyed.
    pub content_days: u8,
}

/// The policies that ship with the product.
pub static POLICIES: &[Policy] = &[
    Policy {
        key: "eu-gdpr",
        name: "EU General Data Protection Regulation",
        rights: &[Right::Access, Right::Deletion],
        clock: "eu-gdpr",
        retention_months: 24,
        content_days: 30,
    },
    Policy {
        key: "us-ca",
        name: "California Consumer Privacy Act",
        rights: &[Right::Access, Right::Deletion],
        clock: "us-ca",
        retention_months: 24,
        content_days: 30,
    },
];

/// No policy of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a known policy; known are: {}", POLICIES.iter().map(|policy| policy.key).collect::<Vec<_>>().join(", "))]
pub struct UnknownPolicy {
    /// What was given.
    pub found: String,
}

impl Policy {
    /// The policy named `key`.
    ///
    /// # Errors
    /// If there is none; the message lists those there are.
    pub fn find(key: &str) -> Result<&'static Self, UnknownPolicy> {
        POLICIES
            .iter()
            .find(|policy| policy.key == key)
            .ok_or_else(|| UnknownPolicy { found: key.chars().take(64).collect() })
    }

    /// Whether `right` can be exercised under this policy.
    #[must_use]
    pub fn grants(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }
}
