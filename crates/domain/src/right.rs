//! What a person may ask for.

use crate::vocabulary::vocabulary;

vocabulary! {
    /// The right that a request exercises.
    Right("right") {
        /// A copy of the data (GDPR Art. 15; CCPA § 1798.110, specific pieces).
        Access = "access",
        /// The categories of data only (CCPA § 1798.110(a)(1)).
        AccessCategories = "access_categories",
        /// Erasure (GDPR Art. 17; CCPA § 1798.105).
        Deletion = "deletion",
    }
}

impl Right {
    /// Whether the person is sent a package at the end.
    #[must_use]
    pub const fn delivers(self) -> bool {
        matches!(self, Self::Access | Self::AccessCategories)
    }
}
