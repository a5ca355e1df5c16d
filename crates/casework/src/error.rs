//! Why something was not done. Nothing was changed then.

use std::collections::BTreeSet;

use habeas_domain::lifecycle::IllegalMove;
use habeas_domain::plan::PlanRefused;
use habeas_domain::role::RoleMissing;
use habeas_domain::run::IllegalRunMove;
use habeas_domain::{ConnectionId, RequestId};
use habeas_integrations::{PermissionReport, VendorError};
use habeas_store::StoreError;
use habeas_store::storage::StorageError;

/// One field that cannot be used. Never holds the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Path of the field (`subject.email`).
    pub field: String,
    /// What is wrong with it and what is expected.
    pub message: String,
}

impl FieldError {
    /// An error of one field.
    #[must_use]
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Why something was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CaseworkError {
    /// The input cannot be used.
    #[error("{}", fields(.0))]
    Validation(Vec<FieldError>),
    /// The actor may not do this.
    #[error(transparent)]
    RoleMissing(#[from] RoleMissing),
    /// There is no such thing, or it is not the actor's to see.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Under which id or name.
        id: String,
    },
    /// The request cannot make this move now.
    #[error(transparent)]
    IllegalMove(#[from] IllegalMove),
    /// The run cannot make this move now.
    #[error(transparent)]
    IllegalRunMove(#[from] IllegalRunMove),
    /// Nobody was asked for an answer.
    #[error(
        "the run does not wait for an answer, so none can be entered; possible now: {}",
        actions(.allowed)
    )]
    NotWaitingForAnswer {
        /// What a person could do instead.
        allowed: Vec<habeas_domain::run::RunAction>,
    },
    /// The subject has an open request of the same right.
    #[error(
        "request {request} of the same person for the same right is still open; work on that one, or send \
         `force: true` if this is meant to be another"
    )]
    Duplicate {
        /// The open one.
        request: RequestId,
    },
    /// An earlier request of the same call is of the same person for the same right. Only a dry run says so: otherwise
    /// the earlier one has an id ([`CaseworkError::Duplicate`]).
    #[error(
        "an earlier request of this call is of the same person for the same right; leave one out, or send `force: true` if \
         this is meant to be another"
    )]
    RepeatedInCall,
    /// No plan can be made.
    #[error(transparent)]
    PlanRefused(#[from] PlanRefused),
    /// Only an administrator of requests may skip the review.
    #[error(
        "skipping the review needs the role request_admin or super_admin; leave `review` out, or set it to true"
    )]
    ReviewRequired,
    /// The vendor account lacks permissions; the connection was not made.
    #[error("the vendor account lacks {}; grant it there and try again. Nothing was saved", permissions(.0))]
    PermissionsMissing(Vec<PermissionReport>),
    /// The vendor could not be asked or said no; nothing was saved.
    #[error("{}", .0.explanation())]
    Vendor(VendorError),
    /// Runs still need the connection.
    #[error(
        "connection `{name}` still has {runs} unfinished runs; let them finish, or skip or stop them, then remove it. \
         A forced removal skips them all"
    )]
    ConnectionInUse {
        /// Its name.
        name: String,
        /// How many.
        runs: usize,
        /// Of which requests.
        requests: BTreeSet<RequestId>,
    },
    /// Somebody else changed the connection while this change was checked at the vendor.
    #[error(
        "connection `{name}` was changed by somebody else meanwhile; look at it and try again. Nothing was saved"
    )]
    ConnectionChanged {
        /// Its name.
        name: String,
    },
    /// The connection is not used for finding systems.
    #[error("connection `{connection}` shows no other systems: {}", no_detection(.integration, *.is_able))]
    NoDetection {
        /// Its name.
        connection: String,
        /// Its integration's title.
        integration: &'static str,
        /// Whether the integration could, if the capability were switched on.
        is_able: bool,
    },
    /// A system's call was not taken.
    #[error(transparent)]
    Callback(#[from] crate::callbacks::CallbackProblem),
    /// There is a connection of that name.
    #[error("there is a connection named `{name}` ({id}) already; choose another name")]
    NameTaken {
        /// The name.
        name: String,
        /// Who has it.
        id: ConnectionId,
    },
    /// The idempotency key was used for something else.
    #[error("this Idempotency-Key was used for a different request before; use a new key")]
    IdempotencyMismatch,
    /// The same creation is under way.
    #[error("a request with this Idempotency-Key is being made at this moment; ask again")]
    IdempotencyRace,
    /// A link that cannot be used: one answer for wrong, used, expired and foreign ones.
    #[error("this link cannot be used, or not any more; ask for a new one")]
    LinkUnusable,
    /// The one-time code is not the one that was mailed.
    #[error("{}", wrong_code(*.left))]
    CodeWrong {
        /// How often one may still try with the code that was mailed; 0 = a new code is needed.
        left: u64,
    },
    /// Too many codes were asked for.
    #[error("too many codes were asked for; ask again after {retry_at}")]
    TooManyCodes {
        /// From when one may ask again.
        retry_at: jiff::Timestamp,
    },
    /// The package is still being made.
    #[error(
        "the package is still being prepared; ask again in a moment{}",
        .problem.as_ref().map(|problem| format!(" (the last attempt failed: {problem})")).unwrap_or_default()
    )]
    PackageNotReady {
        /// Why the last attempt failed, if one did.
        problem: Option<String>,
    },
    /// There is no certificate of what is still under way.
    #[error("the request is still {state}; there is a certificate once it is closed")]
    StillOpen {
        /// Where it stands.
        state: habeas_domain::RequestState,
    },
    /// A mail that has left cannot be handed over again.
    #[error("this mail has left already; nothing was sent again")]
    MailHasLeft,
    /// A personal-data key was destroyed.
    #[error("{0}")]
    Forgotten(String),
    /// The storage of large contents failed.
    #[error("{0}")]
    Storage(std::sync::Arc<StorageError>),
    /// The store failed.
    #[error("{0}")]
    Store(std::sync::Arc<StoreError>),
}

fn fields(errors: &[FieldError]) -> String {
    errors.iter().map(|error| format!("`{}` {}", error.field, error.message)).collect::<Vec<_>>().join("; ")
}

fn wrong_code(left: u64) -> String {
    match left {
        0 => "this code cannot be used; ask for a new one".to_owned(),
        1 => "this is not the code; it can be tried once more".to_owned(),
        left => format!("this is not the code; it can be tried {left} more times"),
    }
}

fn no_detection(integration: &str, is_able: bool) -> String {
    if is_able {
        "its capability `system_detection` is off; edit the connection and set it to `api`".to_owned()
    } else {
        format!("{integration} has no API for it; add what you know of by hand")
    }
}

fn actions(allowed: &[habeas_domain::run::RunAction]) -> String {
    if allowed.is_empty() {
        return "nothing, it is settled".to_owned();
    }
    allowed.iter().map(|action| action.as_str()).collect::<Vec<_>>().join(", ")
}

fn permissions(missing: &[PermissionReport]) -> String {
    missing
        .iter()
        .map(|one| format!("`{}` ({})", one.permission, one.needed_for))
        .collect::<Vec<_>>()
        .join(", ")
}

impl From<StoreError> for CaseworkError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Forgotten(_) => Self::Forgotten(error.to_string()),
            other => Self::Store(std::sync::Arc::new(other)),
        }
    }
}

impl CaseworkError {
    /// One field that cannot be used.
    #[must_use]
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Validation(vec![FieldError::new(field, message)])
    }

    pub(crate) fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string().chars().take(64).collect() }
    }
}

impl From<FieldError> for CaseworkError {
    fn from(error: FieldError) -> Self {
        Self::Validation(vec![error])
    }
}

impl From<Vec<FieldError>> for CaseworkError {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::Validation(errors)
    }
}

impl From<StorageError> for CaseworkError {
    fn from(error: StorageError) -> Self {
        Self::Storage(std::sync::Arc::new(error))
    }
}
