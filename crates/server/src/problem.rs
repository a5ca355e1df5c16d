//! Errors as they leave the server: problem documents (RFC 9457) with a stable code.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use habeas_casework::api_keys::KeyRefused;
use habeas_casework::callbacks::CallbackProblem;
use habeas_casework::{CaseworkError, FieldError};
use habeas_domain::plan::PlanRefused;
use habeas_integrations::{ErrorKind, VendorError};
use habeas_store::StoreError;
use serde_json::{Map, Value, json};

use crate::codes::{self, Code};

/// Requests that a refusal names at most.
const MOST_SHOWN: usize = 100;

/// The media type of problem documents.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// A problem document.
#[derive(Clone, Debug)]
pub(crate) struct Problem(Box<Parts>);

/// On the heap: a refusal is rare and its room would be paid for by every result.
#[derive(Clone, Debug)]
struct Parts {
    code: Code,
    detail: String,
    errors: Vec<FieldError>,
    extensions: Map<String, Value>,
    /// For the log only.
    cause: Option<String>,
}

impl Problem {
    /// A problem of `code`; `detail` says what happened here and what to do, without repeating values.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let (errors, extensions) = (Vec::new(), Map::new());
        Self(Box::new(Parts { code, detail: detail.into(), errors, extensions, cause: None }))
    }

    /// Fields that cannot be used.
    pub(crate) fn validation(errors: Vec<FieldError>) -> Self {
        let detail: Vec<_> = errors
            .iter()
            .map(|error| match error.field.as_str() {
                "" => error.message.clone(),
                field => format!("`{field}` {}", error.message),
            })
            .collect();
        Self::new(codes::VALIDATION, detail.join("; ")).naming(errors)
    }

    /// One field that cannot be used.
    pub(crate) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::validation(vec![FieldError::new(field, message)])
    }

    /// There is no such thing. What was asked for is not repeated: it may be anything.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(codes::NOT_FOUND, format!("there is no such {what}, or it is not yours to see"))
    }

    /// A fault of ours; `cause` goes to the log, never to the client.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let detail = "something failed on our side and was logged; nothing was changed unless the answer to an \
                      earlier call said so. Try again; if it stays, give the administrator the request id";
        Self::new(codes::INTERNAL, detail).because(cause)
    }

    /// With a further member.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.extensions.insert(name.to_owned(), value.into());
        self
    }

    fn naming(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    fn because(mut self, cause: impl Into<String>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The code.
    pub(crate) const fn code(&self) -> Code {
        self.0.code
    }

    /// What the log should know besides the code.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    fn status(&self) -> StatusCode {
        self.0.code.status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The document.
    pub(crate) fn document(&self) -> Value {
        let mut document = json!({
            "type": format!("/docs/errors/{}", self.0.code.name),
            "title": self.0.code.title,
            "status": self.status().as_u16(),
            "detail": self.0.detail,
            "code": self.0.code.name,
            "errors": self.0.errors.iter().map(field_document).collect::<Vec<_>>(),
        });
        if let Some(document) = document.as_object_mut() {
            document.extend(self.0.extensions.clone());
        }
        document
    }
}

fn field_document(error: &FieldError) -> Value {
    json!({"field": error.field, "message": error.message})
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), self.document().to_string()).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.0.code.name == codes::KEY_INVALID.name {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // Whoever logs the response, or completes it with the request id, finds the problem here.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<FieldError> for Problem {
    fn from(error: FieldError) -> Self {
        Self::validation(vec![error])
    }
}

impl From<KeyRefused> for Problem {
    fn from(refused: KeyRefused) -> Self {
        match refused {
            KeyRefused::Casework(error) => error.into(),
            refused => Self::new(codes::KEY_INVALID, refused.to_string()),
        }
    }
}

impl From<CaseworkError> for Problem {
    fn from(error: CaseworkError) -> Self {
        let detail = error.to_string();
        match error {
            CaseworkError::Validation(errors) => Self::validation(errors),
            CaseworkError::RoleMissing(missing) => Self::new(codes::ROLE_MISSING, detail)
                .with("permission", missing.permission.as_str())
                .with("roles", missing.giving.iter().map(|role| role.as_str()).collect::<Vec<_>>()),
            CaseworkError::NotFound { what, .. } => Self::not_found(what),
            CaseworkError::IllegalMove(illegal) => Self::new(codes::ILLEGAL_MOVE, detail)
                .with("state", illegal.standing.state.as_str())
                .with("hold", json!(illegal.standing.hold))
                .with("allowed", illegal.allowed.iter().map(|action| action.as_str()).collect::<Vec<_>>()),
            CaseworkError::NotWaitingForAnswer { allowed } => Self::new(codes::ILLEGAL_MOVE, detail)
                .with("allowed", allowed.iter().map(|action| action.as_str()).collect::<Vec<_>>()),
            CaseworkError::IllegalRunMove(illegal) => Self::new(codes::ILLEGAL_MOVE, detail)
                .with("status_of_run", illegal.status.as_str())
                .with("allowed", illegal.allowed.iter().map(|action| action.as_str()).collect::<Vec<_>>()),
            CaseworkError::Duplicate { request } => {
                Self::new(codes::DUPLICATE_REQUEST, detail).with("request_id", request.to_string())
            }
            CaseworkError::RepeatedInCall => Self::new(codes::DUPLICATE_REQUEST, detail),
            CaseworkError::PlanRefused(PlanRefused::NoConnection { right }) => {
                Self::new(codes::NO_CONNECTION, detail).with("right", right.as_str())
            }
            CaseworkError::PlanRefused(PlanRefused::IdentifierMissing { .. }) => {
                let errors = vec![FieldError::new("subject.identifiers", detail.clone())];
                Self::new(codes::VALIDATION, detail).naming(errors)
            }
            CaseworkError::ReviewRequired => Self::new(codes::REVIEW_REQUIRED, detail),
            CaseworkError::PermissionsMissing(missing) => {
                let missing: Vec<_> = missing
                    .iter()
                    .map(|one| json!({"permission": one.permission, "needed_for": one.needed_for}))
                    .collect();
                Self::new(codes::PERMISSIONS_MISSING, detail).with("missing", missing)
            }
            CaseworkError::Vendor(error) => Self::from_vendor(&error, detail),
            CaseworkError::ConnectionInUse { runs, requests, .. } => {
                let shown: Vec<_> = requests.iter().take(MOST_SHOWN).map(ToString::to_string).collect();
                Self::new(codes::CONNECTION_IN_USE, detail).with("runs", runs).with("requests", shown)
            }
            CaseworkError::ConnectionChanged { .. } => Self::new(codes::CONNECTION_CHANGED, detail),
            CaseworkError::Callback(problem) => Self::new(callback_code(problem), detail),
            CaseworkError::NoDetection { .. } => Self::new(codes::NO_DETECTION, detail),
            CaseworkError::NameTaken { id, .. } => {
                Self::new(codes::NAME_TAKEN, detail).with("connection_id", id.to_string())
            }
            CaseworkError::IdempotencyMismatch => Self::new(codes::IDEMPOTENCY_MISMATCH, detail),
            CaseworkError::IdempotencyRace => Self::new(codes::IDEMPOTENCY_RACE, detail),
            CaseworkError::LinkUnusable => Self::new(codes::NOT_FOUND, detail),
            CaseworkError::CodeWrong { left } => Self::new(codes::CODE_WRONG, detail).with("left", left),
            CaseworkError::TooManyCodes { retry_at } => {
                Self::new(codes::RATE_LIMITED, detail).with("retry_at", retry_at.to_string())
            }
            CaseworkError::PackageNotReady { .. } => Self::new(codes::PACKAGE_NOT_READY, detail),
            CaseworkError::StillOpen { state } => {
                Self::new(codes::STILL_OPEN, detail).with("state", state.as_str())
            }
            CaseworkError::MailHasLeft => Self::new(codes::MAIL_HAS_LEFT, detail),
            CaseworkError::Storage(_) => Self::new(codes::STORAGE_UNAVAILABLE, detail),
            CaseworkError::Forgotten(_) => Self::new(codes::FORGOTTEN, detail),
            CaseworkError::Store(error) => Self::from_store(&error),
        }
    }
}

const fn callback_code(problem: CallbackProblem) -> Code {
    match problem {
        CallbackProblem::Forged => codes::CALLBACK_FORGED,
        CallbackProblem::OutOfTime => codes::CALLBACK_OUT_OF_TIME,
        CallbackProblem::Repeated => codes::CALLBACK_REPEATED,
        CallbackProblem::JobUnknown => codes::CALLBACK_JOB_UNKNOWN,
        CallbackProblem::TooLate => codes::CALLBACK_TOO_LATE,
        CallbackProblem::OnHold => codes::CALLBACK_ON_HOLD,
    }
}

impl Problem {
    fn from_vendor(error: &VendorError, detail: String) -> Self {
        let code = match error.kind {
            ErrorKind::Credentials => codes::CREDENTIALS_REJECTED,
            ErrorKind::Permission => codes::PERMISSIONS_MISSING,
            ErrorKind::NotAllowed | ErrorKind::BadRequest | ErrorKind::JobFailed => codes::VENDOR_REFUSED,
            ErrorKind::Configuration => codes::CONNECTION_MISCONFIGURED,
            ErrorKind::Unavailable
            | ErrorKind::BadAnswer
            | ErrorKind::TooLarge
            | ErrorKind::RateLimited
            | ErrorKind::Paced => codes::VENDOR_UNAVAILABLE,
        };
        let mut problem = Self::new(code, detail).with(
            "vendor",
            json!({"code": error.kind.code(), "status": error.status, "request_id": error.vendor_request_id}),
        );
        if error.kind == ErrorKind::Permission {
            let missing: Vec<_> = error
                .permission
                .iter()
                .map(|permission| json!({"permission": permission, "needed_for": error.message}))
                .collect();
            problem = problem.with("missing", missing);
        }
        problem
    }

    /// A failure of the store. Its text may name files and hosts, so it goes to the log only.
    pub(crate) fn from_store(error: &StoreError) -> Self {
        match error {
            StoreError::Forgotten(_) => Self::new(codes::FORGOTTEN, error.to_string()),
            StoreError::Closed
            | StoreError::Database(_)
            | StoreError::NoAnswer
            | StoreError::NotWritten(_) => {
                let detail = "the database does not answer, so nothing was changed; try again in a moment";
                Self::new(codes::STORE_UNAVAILABLE, detail).because(error.to_string())
            }
            other => Self::internal(other.to_string()),
        }
    }
}
