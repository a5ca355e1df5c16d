//! What may go wrong with large contents.

use std::error::Error;
use std::fmt;
use std::io;

use object_store::client::{HttpError, HttpErrorKind};

/// Why a large content could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// No room is left.
    #[error("the storage for packages and files is full; free space there, and the work goes on by itself")]
    Full,
    /// It cannot be reached or written for now.
    #[error(
        "the storage for packages and files cannot be reached ({0}); look at `[storage]` in the configuration and at \
         its permissions; what waits for it goes on by itself"
    )]
    Unreachable(String),
    /// The bucket does not let us in, and will not until somebody changes something.
    #[error("the storage for packages and files refuses the server: {0}")]
    Refused(Refusal),
    /// There is no such object.
    #[error("a stored file is missing; it was removed outside of the program, or its time was over")]
    Missing,
    /// What is there is not what was written.
    #[error("a stored file was altered or sealed with another key; restore it from a backup")]
    Altered,
    /// More than can be sealed, or than the storage takes.
    #[error("a file is larger than can be stored (48 GiB in a bucket, 256 TiB in a directory)")]
    TooLarge,
    /// The program stops.
    #[error("the work with a stored file was interrupted")]
    Interrupted,
}

/// Why a bucket refuses, and so what a person has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no access key at all.
    NoAccessKey,
    /// The access key is unknown, expired, or does not fit its secret.
    AccessKey,
    /// The access key is not allowed to do this.
    Permission,
    /// There is no such bucket.
    NoBucket,
    /// The bucket is in another region.
    Region,
    /// This machine's clock and the storage's differ too much.
    Clock,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoAccessKey => {
                "no access key was given and this machine has no role of its own; set `storage.access_key_id` and \
                 `storage.secret_access_key`"
            }
            Self::AccessKey => {
                "its access key is unknown, has expired, or does not fit the secret; look at `storage.access_key_id` \
                 and `storage.secret_access_key`"
            }
            Self::Permission => {
                "its access key may not do this; docs/storage.md lists the permissions that are needed"
            }
            Self::NoBucket => "there is no such bucket; make it, or name another one in `storage.url`",
            Self::Region => "the bucket is in another region; set `storage.region` to where it is",
            Self::Clock => "the clock of this machine is wrong; set it",
        })
    }
}

/// What an unclear refusal is called.
pub(super) const UNCLEAR: &str = "it refused";

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

    /// Whether the storage as a whole is in trouble, and not one object.
    pub(super) const fn is_about_the_storage(&self) -> bool {
        matches!(self, Self::Full | Self::Unreachable(_) | Self::Refused(_))
    }

    /// What S3 means by the code of an error.
    fn of_code(code: &str) -> Option<Self> {
        Some(match code {
            "NoSuchKey" => Self::Missing,
            "InvalidRange" => Self::Altered,
            "NoSuchBucket" | "InvalidBucketName" => Self::Refused(Refusal::NoBucket),
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "InvalidToken"
            | "TokenRefreshRequired"
            | "NotSignedUp" => Self::Refused(Refusal::AccessKey),
            "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => Self::Refused(Refusal::Permission),
            "RequestTimeTooSkewed" => Self::Refused(Refusal::Clock),
            "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
                Self::Refused(Refusal::Region)
            }
            "XMinioStorageFull" | "InsufficientStorage" | "QuotaExceeded" => Self::Full,
            "NoSuchUpload" => Self::Unreachable("an upload was given up meanwhile".to_owned()),
            _ => return None,
        })
    }

    /// What an answer over HTTP means. Its text names bucket and object, so only what is known of it is repeated.
    fn of_answer(text: &str) -> Option<Self> {
        let code = between(text, "<Code>", "</Code>");
        if let Some(known) = code.and_then(Self::of_code) {
            return Some(known);
        }
        if text.contains("/latest/api/token") || text.contains("/latest/meta-data/") {
            return Some(Self::Refused(Refusal::NoAccessKey));
        }
        if text.contains("redirect without LOCATION") {
            return Some(Self::Refused(Refusal::Region));
        }
        let status = between(text, "non-2xx status code: ", ":")?;
        let status: u16 = status.get(..3)?.parse().ok()?;
        Some(match status {
            401 => Self::Refused(Refusal::AccessKey),
            403 => Self::Refused(Refusal::Permission),
            404 => Self::Missing,
            416 => Self::Altered,
            507 => Self::Full,
            _ => Self::Unreachable(format!("it answered with status {status}")),
        })
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

impl From<object_store::Error> for StorageError {
    fn from(error: object_store::Error) -> Self {
        // The library's own type of an answer is not public, its text is.
        if let Some(known) = Self::of_answer(&error.to_string()) {
            return known;
        }
        match error {
            object_store::Error::NotFound { .. } => return Self::Missing,
            object_store::Error::PermissionDenied { .. } => return Self::Refused(Refusal::Permission),
            object_store::Error::Unauthenticated { .. } => return Self::Refused(Refusal::AccessKey),
            _ => {}
        }
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(one) = cause {
            if let Some(error) = one.downcast_ref::<HttpError>() {
                return Self::Unreachable(
                    match error.kind() {
                        HttpErrorKind::Connect => "there is no connection to it",
                        HttpErrorKind::Timeout => "it did not answer in time",
                        HttpErrorKind::Decode => "its answer cannot be read",
                        _ => "the connection broke off",
                    }
                    .to_owned(),
                );
            }
            if let Some(error) = one.downcast_ref::<io::Error>() {
                return Self::unreachable(error);
            }
            cause = one.source();
        }
        Self::Unreachable(UNCLEAR.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// As the library words an answer, with names that must not come through.
    fn answer(status: &str, body: &str) -> object_store::Error {
        let text = format!(
            "Error performing PUT https://s3.example.test/private-bucket/obj_1 in 1ms - Server returned non-2xx status \
             code: {status}: {body}"
        );
        object_store::Error::Generic { store: "S3", source: text.into() }
    }

    #[rstest]
    #[case("403 Forbidden", "<Code>InvalidAccessKeyId</Code>", StorageError::Refused(Refusal::AccessKey))]
    #[case("403 Forbidden", "<Code>SignatureDoesNotMatch</Code>", StorageError::Refused(Refusal::AccessKey))]
    #[case("400 Bad Request", "<Code>ExpiredToken</Code>", StorageError::Refused(Refusal::AccessKey))]
    #[case("401 Unauthorized", "", StorageError::Refused(Refusal::AccessKey))]
    #[case("403 Forbidden", "<Code>AccessDenied</Code>", StorageError::Refused(Refusal::Permission))]
    #[case("403 Forbidden", "", StorageError::Refused(Refusal::Permission))]
    #[case("403 Forbidden", "<Code>RequestTimeTooSkewed</Code>", StorageError::Refused(Refusal::Clock))]
    #[case("404 Not Found", "<Code>NoSuchBucket</Code>", StorageError::Refused(Refusal::NoBucket))]
    #[case("404 Not Found", "<Code>NoSuchKey</Code>", StorageError::Missing)]
    #[case("404 Not Found", "", StorageError::Missing)]
    #[case("301 Moved Permanently", "<Code>PermanentRedirect</Code>", StorageError::Refused(Refusal::Region))]
    #[case(
        "400 Bad Request",
        "<Code>AuthorizationHeaderMalformed</Code>",
        StorageError::Refused(Refusal::Region)
    )]
    #[case("416 Range Not Satisfiable", "<Code>InvalidRange</Code>", StorageError::Altered)]
    #[case("507 Insufficient Storage", "<Code>XMinioStorageFull</Code>", StorageError::Full)]
    #[case("507 Insufficient Storage", "", StorageError::Full)]
    #[case("503 Service Unavailable", "<Code>SlowDown</Code>", StorageError::Unreachable("it answered with status 503".to_owned()))]
    fn an_answer_is_understood_by_its_code_then_by_its_status(
        #[case] status: &str,
        #[case] body: &str,
        #[case] expected: StorageError,
    ) {
        let found = StorageError::from(answer(status, body));
        assert_eq!(found, expected);
        assert!(
            !found.to_string().contains("private-bucket") && !found.to_string().contains("obj_1"),
            "{found}"
        );
    }

    #[test]
    fn a_machine_without_a_role_is_told_to_set_an_access_key() {
        let text = "Error performing PUT http://169.254.169.254/latest/api/token in 3s - HTTP error";
        let found = StorageError::from(object_store::Error::Generic { store: "S3", source: text.into() });
        assert_eq!(found, StorageError::Refused(Refusal::NoAccessKey));
        assert!(found.to_string().contains("storage.access_key_id"));
    }
}
