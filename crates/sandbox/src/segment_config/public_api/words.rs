//! The words of this API for what the state calls by others.

use crate::segment_config::regulation::{
    Attribute, FAILED, FINISHED, INITIALIZED, INVALID, NOT_SUPPORTED, PARTIAL_SUCCESS, RUNNING,
    RegulationType,
};

const TYPES: [(&str, RegulationType); 7] = [
    ("DELETE_INTERNAL", RegulationType::DeleteInternal),
    ("DELETE_ONLY", RegulationType::Delete),
    ("SUPPRESS_ONLY", RegulationType::Suppress),
    ("SUPPRESS_WITH_DELETE", RegulationType::SuppressWithDelete),
    ("SUPPRESS_WITH_DELETE_INTERNAL", RegulationType::SuppressWithDeleteInternal),
    ("UNSUPPRESS", RegulationType::Unsuppress),
    ("DELETE_ARCHIVE_ONLY", RegulationType::DeleteArchiveOnly),
];

const SUBJECT_TYPES: [(&str, Attribute); 3] = [
    ("USER_ID", Attribute::UserId),
    ("OBJECT_ID", Attribute::ObjectId),
    ("ANONYMOUS_ID", Attribute::AnonymousId),
];

const STATUSES: [&str; 7] = [INITIALIZED, INVALID, NOT_SUPPORTED, RUNNING, PARTIAL_SUCCESS, FAILED, FINISHED];

/// The type a word means; words are in capitals.
pub(super) fn kind(word: &str) -> Option<RegulationType> {
    TYPES.into_iter().find(|(name, _)| *name == word).map(|(_, kind)| kind)
}

pub(super) fn of_kind(kind: RegulationType) -> &'static str {
    TYPES.into_iter().find(|(_, found)| *found == kind).map_or("", |(name, _)| name)
}

pub(super) fn subject_type(word: &str) -> Option<Attribute> {
    SUBJECT_TYPES.into_iter().find(|(name, _)| *name == word).map(|(_, attribute)| attribute)
}

pub(super) fn of_subject_type(attribute: Attribute) -> &'static str {
    SUBJECT_TYPES.into_iter().find(|(_, found)| *found == attribute).map_or("", |(name, _)| name)
}

/// The state's word for a status.
pub(super) fn status(word: &str) -> Option<&'static str> {
    STATUSES.into_iter().find(|name| name.to_ascii_uppercase() == word)
}

/// Words the vendor is made to say that nobody knows are in capitals as well.
pub(super) fn of_status(word: &str) -> String {
    word.to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_leads_back() {
        for (name, found) in TYPES {
            assert_eq!((kind(name), of_kind(found)), (Some(found), name));
        }
        for (name, attribute) in SUBJECT_TYPES {
            assert_eq!((subject_type(name), of_subject_type(attribute)), (Some(attribute), name));
        }
        for word in STATUSES {
            assert_eq!(status(&of_status(word)), Some(word));
        }
        assert_eq!((kind("Delete"), subject_type("userId"), status("finished")), (None, None, None));
    }
}
