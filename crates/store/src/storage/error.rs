//! What may go wrong with large contents.

use std::error::Error;
use std::io;

/// Why a large content could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// No room is left.
    #[error("the storage for packages and files is full; free space there, and the work goes on by itself")]
    Full,
    /// It cannot be reached or written.
    #[error(
        "the storage for packages and files cannot be reached ({0}); look at `storage.url` and its permissions"
    )]
    Unreachable(String),
    /// There is no such object.
    #[error("a stored file is missing; it was removed outside of the program, or its time was over")]
    Missing,
    /// What is there is not what was written.
    #[error("a stored file was altered or sealed with another key; restore it from a backup")]
    Altered,
    /// More than can be sealed.
    #[error("a file is larger than can be stored (256 TiB)")]
    TooLarge,
    /// The program stops.
    #[error("the work with a stored file was interrupted")]
    Interrupted,
}

impl StorageError {
    /// Tells a full disk apart from everything else. Only the kind of an error is repeated: its text may name paths.
    pub(super) fn unreachable(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full
            }
            kind => Self::Unreachable(kind.to_string()),
        }
    }
}

impl From<object_store::Error> for StorageError {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return Self::Missing;
        }
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(one) = cause {
            if let Some(error) = one.downcast_ref::<io::Error>() {
                return Self::unreachable(error);
            }
            cause = one.source();
        }
        Self::Unreachable("it refused".to_owned())
    }
}
