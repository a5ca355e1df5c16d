//! Refusals of the system in our words. The HTTP status decides; nothing that the system writes is repeated.

use super::manifest::TITLE;
use crate::client::VendorAnswer;
use crate::error::{ErrorKind, Retry, VendorError};

const REPORT: &str =
    "have whoever runs the system compare its answer with Habeas's page on the webhook protocol";

/// The error for a refusal (4xx without 408 and 429) of a message of this type.
pub(super) fn refused(answer: &VendorAnswer, kind: &str) -> VendorError {
    let status = answer.status.as_u16();
    let error = match status {
        401 | 403 => VendorError::new(
            ErrorKind::Credentials,
            Retry::Never,
            format!("the system does not accept our signature (HTTP {status} on `{kind}`)"),
            "enter the signing secret that the system checks, and see that the system's clock is right",
        ),
        404 | 405 | 410 => VendorError::new(
            ErrorKind::Configuration,
            Retry::Never,
            format!("the system takes no such message at the endpoint (HTTP {status} on `{kind}`)"),
            "check the endpoint's address, path included, and that the system answers this type of message",
        ),
        _ => VendorError::new(
            ErrorKind::BadRequest,
            Retry::Never,
            format!("the system refused the message (HTTP {status} on `{kind}`)"),
            "ask whoever runs the system for the reason, with the time of the message; then retry, or skip with a reason",
        ),
    };
    error.answered(status, answer.vendor_request_id.clone())
}

pub(super) fn unusable_settings(setting: &str) -> VendorError {
    VendorError::new(
        ErrorKind::Configuration,
        Retry::Never,
        format!("the connection's setting `{setting}` cannot be used"),
        "edit the connection and enter it again",
    )
}

pub(super) fn nobody() -> VendorError {
    VendorError::new(
        ErrorKind::BadRequest,
        Retry::Never,
        "a person has no identifier that may be used, so nothing was sent to the system",
        "add an identifier to the request, or skip this connection with a reason",
    )
}

/// The system accepted a deletion and did not name its job: it is asked what it has.
pub(super) fn deletion_without_job() -> VendorError {
    VendorError::new(
        ErrorKind::BadAnswer,
        Retry::UnknownOutcome,
        "the system accepted a deletion without naming its job",
        "nothing needs to be done now: the system is asked what it has before anything is sent again",
    )
}

pub(super) fn no_job_and_no_result() -> VendorError {
    bad_answer("it names neither a job nor a result")
}

pub(super) fn unusable_job() -> VendorError {
    bad_answer("the name of the job cannot be used")
}

pub(super) fn unknown_status() -> VendorError {
    bad_answer("a job has a status that the protocol does not know")
}

pub(super) fn file_not_readable() -> VendorError {
    bad_answer("a file's content is not Base64")
}

/// An access job that the system does not know: a new one is begun.
pub(super) fn job_forgotten() -> VendorError {
    VendorError::new(
        ErrorKind::JobFailed,
        Retry::After(None),
        "the system no longer knows the collection that it accepted",
        "nothing needs to be done: a new one is begun",
    )
}

/// The system says that a job failed. Its words may name a person: they are not repeated.
pub(super) fn job_failed(gives_reason: bool) -> VendorError {
    let reason = if gives_reason { "; it gave a reason, which it can show" } else { " and gave no reason" };
    VendorError::new(
        ErrorKind::JobFailed,
        Retry::Never,
        format!("the system says that the job failed{reason}"),
        "ask whoever runs the system, with the job's name; then retry the run, or skip it with a reason",
    )
}

fn bad_answer(what: &str) -> VendorError {
    VendorError::new(
        ErrorKind::BadAnswer,
        Retry::Never,
        format!("the answer of the {TITLE} system cannot be used: {what}"),
        REPORT,
    )
}
