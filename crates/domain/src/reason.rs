//! Catalogues of reasons.

use crate::vocabulary::vocabulary;

vocabulary! {
    /// Why a request is on hold.
    HoldReason("hold reason") {
        /// People inside the company are talking about it.
        InternalDiscussion = "internal_discussion",
        /// The data must be kept for a dispute.
        LegalHold = "legal_hold",
        /// The subject was asked something.
        NeedsClarification = "needs_clarification",
        /// See the note.
        Other = "other",
    }
}

vocabulary! {
    /// Why a request, a system or a record is refused: the law's catalogue.
    DenialReason("reason code") {
        /// The person could not be identified (GDPR Art. 12(2); 11 CCR 7060).
        IdentityNotVerified = "identity_not_verified",
        /// The law does not cover this person.
        NotACoveredPerson = "not_a_covered_person",
        /// The law obliges the company to keep the data (GDPR Art. 17(3)(b)).
        LegalObligation = "legal_obligation",
        /// The data is needed for legal claims (GDPR Art. 17(3)(e)).
        LegalClaims = "legal_claims",
        /// Freedom of expression and information (GDPR Art. 17(3)(a)).
        FreedomOfExpression = "freedom_of_expression",
        /// Manifestly unfounded or excessive (GDPR Art. 12(5)).
        ExcessiveOrRepetitive = "excessive_or_repetitive",
        /// The company holds nothing about the person.
        NoDataHeld = "no_data_held",
        /// See the text.
        Other = "other",
    }
}

vocabulary! {
    /// What a person acknowledges before a deletion goes out.
    Acknowledgement("acknowledgement") {
        /// The subject has an account of the company's own at the vendor, which would be deleted too.
        BrandUser = "brand_user",
        /// The vendor will also block what it would receive about the person in future.
        FutureDataBlocked = "future_data_blocked",
    }
}

vocabulary! {
    /// In which role the company holds the data (GDPR Art. 4(7), 4(8)).
    Relationship("relationship") {
        /// The company decides why and how.
        Controller = "controller",
        /// The company works on another's behalf.
        Processor = "processor",
    }
}

impl DenialReason {
    /// As the person who is refused reads it.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::IdentityNotVerified => "we could not make sure who is asking",
            Self::NotACoveredPerson => "the law that you refer to does not cover this case",
            Self::LegalObligation => "a law obliges us to keep it",
            Self::LegalClaims => "it is needed for legal claims",
            Self::FreedomOfExpression => "it is protected by freedom of expression and information",
            Self::ExcessiveOrRepetitive => "the request is excessive or repeats an earlier one",
            Self::NoDataHeld => "we hold no such data",
            Self::Other => "another reason",
        }
    }
}
