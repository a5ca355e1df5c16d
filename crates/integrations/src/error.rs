//! What can go wrong at a vendor: a kind (what a person reads) and a retry (what the engine does).

use std::time::Duration;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The vendor does not accept the credentials (unknown, expired, revoked).
    Credentials,
    /// A permission or scope is missing.
    Permission,
    /// The vendor understood and refuses this call for this account or object.
    NotAllowed,
    /// The vendor says that our call is wrong.
    BadRequest,
    /// The answer is not what the vendor documents: broken, cut, too large, another type, another host.
    BadAnswer,
    /// The answer is larger than is read.
    TooLarge,
    /// No answer, or an answer that says "not now".
    Unavailable,
    /// The vendor says that we call too often.
    RateLimited,
    /// Our own pacing says that the call must wait; nothing was sent.
    Paced,
    /// A setting of the connection cannot work.
    Configuration,
    /// The vendor accepted a job and says that it failed.
    JobFailed,
}

impl ErrorKind {
    /// The stable code that runs and problem documents carry.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Credentials => "credentials_rejected",
            Self::Permission => "permissions_missing",
            Self::NotAllowed => "vendor_refused",
            Self::BadRequest => "vendor_rejected_call",
            Self::BadAnswer | Self::TooLarge => "vendor_answer_unusable",
            Self::Unavailable => "vendor_unavailable",
            Self::RateLimited => "vendor_rate_limited",
            Self::Paced => "paced",
            Self::Configuration => "connection_misconfigured",
            Self::JobFailed => "vendor_job_failed",
        }
    }
}

/// What may be done about it without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Nothing: a person must act.
    Never,
    /// Try again, not before the given time if the vendor named one.
    After(Option<Duration>),
    /// The call may have taken effect: ask the vendor what it has before anything is sent again.
    UnknownOutcome,
}

/// A failed call. `message` and `remedy` are written for people and hold neither secrets nor identifiers; what
/// the vendor itself wrote stays out of them unless the connector knows the text to be harmless.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct VendorError {
    /// What kind of failure it was.
    pub kind: ErrorKind,
    /// What may be done about it without a person.
    pub retry: Retry,
    /// What happened, to what.
    pub message: String,
    /// What to do next.
    pub remedy: String,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The vendor's own id of the call, for its support.
    pub vendor_request_id: Option<String>,
    /// The permission that is missing, as the vendor spells it.
    pub permission: Option<&'static str>,
}

impl VendorError {
    /// A failure of `kind` with what happened and what to do.
    #[must_use]
    pub fn new(kind: ErrorKind, retry: Retry, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            kind,
            retry,
            message: message.into(),
            remedy: remedy.into(),
            status: None,
            vendor_request_id: None,
            permission: None,
        }
    }

    /// What happened and what to do, as two sentences.
    #[must_use]
    pub fn explanation(&self) -> String {
        let mut remedy = self.remedy.chars();
        let first = remedy.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        format!("{}. {first}{}", self.message, remedy.as_str())
    }

    /// With the permission that is missing.
    #[must_use]
    pub fn lacking(mut self, permission: &'static str) -> Self {
        self.permission = Some(permission);
        self
    }

    /// With the status and the vendor's own id of the answer it was made from.
    #[must_use]
    pub fn answered(mut self, status: u16, vendor_request_id: Option<String>) -> Self {
        self.status = Some(status);
        self.vendor_request_id = vendor_request_id;
        self
    }
}
