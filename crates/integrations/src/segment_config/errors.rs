//! The vendor's errors in our words. The HTTP status decides, because a refusal may come as JSON
//! (`{"error": "...", "code": 7}`), as plain text or as a web page; of the text only one sentence is recognised.

use super::manifest::{OWNER, READ};
use super::regulation::Status;
use super::wire::Failure;
use crate::client::VendorAnswer;
use crate::connector::SettingError;
use crate::error::{ErrorKind, Retry, VendorError};

const RENEW: &str = "enter a token of Segment's Config API that a Workspace Owner made; Segment's app creates no such \
                     tokens any more, so ask Segment's support if you have none";
const REPORT: &str = "try again; if it stays, Segment has changed its API: please report it";

/// What was asked for when the vendor refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Workspace,
    Regulations,
    Regulation,
    Creation,
    /// The proof of the write permission.
    Probe,
}

impl Asked {
    const fn words(self) -> &'static str {
        match self {
            Self::Workspace => "reading the workspace",
            Self::Regulations => "listing the workspace's deletions",
            Self::Regulation => "reading a deletion",
            Self::Creation => "creating a deletion",
            Self::Probe => "proving that deletions may be created",
        }
    }
}

/// How the token begins. Never believed alone: it only explains a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenLook {
    /// Like those of the newer Public API.
    Public,
    Other,
}

impl TokenLook {
    pub(super) fn of(token: &str) -> Self {
        if token.starts_with("sgp_") { Self::Public } else { Self::Other }
    }
}

/// The error for a refusal (4xx without 408 and 429) of what was asked.
pub(super) fn refused(answer: &VendorAnswer, asked: Asked, look: TokenLook) -> VendorError {
    let status = answer.status.as_u16();
    let what = asked.words();
    let error = match status {
        401 => credentials(look),
        403 => forbidden(answer, asked, look),
        404 => VendorError::new(
            ErrorKind::Configuration,
            Retry::Never,
            format!("Segment knows no such workspace (HTTP 404 on {what})"),
            "enter the workspace's slug, as it stands in the address of Segment's app, not its display name; the token \
             must belong to that workspace",
        ),
        400 | 413 | 422 if asked == Asked::Creation => VendorError::new(
            ErrorKind::BadRequest,
            Retry::Never,
            format!("Segment refused the deletion because of what is in it (HTTP {status})"),
            "check the person's e-mail address and user id in the request; if they are right, delete the person in \
             Segment by hand (Privacy, Deletion and Suppression) and settle the run",
        ),
        405 | 409 => not_offered(status, asked),
        _ => VendorError::new(
            ErrorKind::BadRequest,
            Retry::Never,
            format!("Segment rejected our call on {what} (HTTP {status})"),
            REPORT,
        ),
    };
    error.answered(status, answer.vendor_request_id.clone())
}

/// What the client gave instead of an answer, where this vendor means more by it.
pub(super) fn explained(mut error: VendorError, asked: Asked) -> VendorError {
    match error.status {
        // "Method not supported": the call was not carried out, and asking again gives the same.
        Some(501) => not_offered(501, asked).answered(501, error.vendor_request_id),
        Some(429) if asked == Asked::Creation => {
            "nothing needs to be done: it is tried again by itself. If it lasts, the monthly quota of deletions may be \
             used up, which Segment reports in the same way; deletions go on when the next month begins"
                .clone_into(&mut error.remedy);
            error
        }
        _ => error,
    }
}

fn not_offered(status: u16, asked: Asked) -> VendorError {
    VendorError::new(
        ErrorKind::NotAllowed,
        Retry::Never,
        format!("Segment does not offer {} (HTTP {status})", asked.words()),
        "ask Segment's support whether the Config API still serves this workspace; until then delete the person in \
         Segment by hand (Privacy, Deletion and Suppression) and settle the run",
    )
}

fn credentials(look: TokenLook) -> VendorError {
    let (message, remedy) = match look {
        TokenLook::Public => (
            "Segment's Config API does not accept the API token, which looks like a token of the newer Public API (it \
             begins with `sgp_`)",
            "enter a token of the Config API; what Segment's app creates under Access Management is a Public API token, \
             so ask Segment's support for a Config API token",
        ),
        TokenLook::Other => {
            ("Segment does not accept the API token (mistyped, revoked or of another workspace)", RENEW)
        }
    };
    VendorError::new(ErrorKind::Credentials, Retry::Never, message, remedy)
}

/// The vendor's table says 401 for a token that is not valid, a client of its own takes 403 for the same. So only a
/// write is believed to lack the permission; a read that is forbidden without an explanation is a bad token.
fn forbidden(answer: &VendorAnswer, asked: Asked, look: TokenLook) -> VendorError {
    let lacks_scope = says_insufficient_scope(answer);
    let (permission, message) = match asked {
        Asked::Creation | Asked::Probe if lacks_scope => {
            (OWNER, "the API token may read Segment's workspace but not create deletions")
        }
        Asked::Creation | Asked::Probe => {
            (OWNER, "Segment does not allow creating deletions with this API token")
        }
        Asked::Regulations | Asked::Regulation if lacks_scope => {
            (READ, "the API token may not read the deletions of Segment's workspace")
        }
        Asked::Workspace | Asked::Regulations | Asked::Regulation => return credentials(look),
    };
    let remedy = format!(
        "enter a token of Segment's Config API that a {OWNER} made; Segment's support makes one if the app offers none"
    );
    VendorError::new(ErrorKind::Permission, Retry::Never, message, remedy).lacking(permission)
}

fn says_insufficient_scope(answer: &VendorAnswer) -> bool {
    let failure = serde_json::from_slice::<Failure>(&answer.body).ok();
    failure.is_some_and(|failure| failure.text().trim().eq_ignore_ascii_case("insufficient scope"))
}

/// A regulation that is over and in which Segment's own part is not finished. `own` of `sources` sources are affected.
pub(super) fn deletion_failed(
    status: Status,
    sources: usize,
    own: usize,
    destinations: usize,
) -> VendorError {
    let own = match (status, sources) {
        (Status::Invalid, _) => "it calls the deletion invalid".to_owned(),
        (Status::NotSupported, _) => "it does not support the deletion".to_owned(),
        (_, 0) => "it says nothing about its own part".to_owned(),
        (_, 1) => "its own part is not finished".to_owned(),
        (_, sources) => format!("its own part is not finished in {own} of {sources} sources"),
    };
    let destinations = match destinations {
        0 => "no destination behind it is reported as failed".to_owned(),
        1 => "1 destination behind it did not finish either".to_owned(),
        more => format!("{more} destinations behind it did not finish either"),
    };
    VendorError::new(
        ErrorKind::JobFailed,
        Retry::Never,
        format!("Segment did not carry out the deletion: {own}; {destinations}"),
        "look the deletion up in Segment (Privacy, Deletion and Suppression) and ask Segment's support for the reason; \
         then retry the run, or delete the person there by hand and skip it with a reason",
    )
}

/// The vendor accepted a creation and nobody can tell which: the list shows it.
pub(super) fn creation_without_id() -> VendorError {
    VendorError::new(
        ErrorKind::BadAnswer,
        Retry::UnknownOutcome,
        "Segment accepted a deletion without naming its id",
        "nothing needs to be done now: Segment is asked what it has before anything is sent again",
    )
}

pub(super) fn nobody_to_delete() -> VendorError {
    VendorError::new(
        ErrorKind::BadRequest,
        Retry::Never,
        "a person has neither an e-mail address nor a user id that may be used, so nothing was sent to Segment",
        "add an identifier to the request, or skip this connection with a reason",
    )
}

pub(super) fn another_regulation() -> VendorError {
    bad_answer("it is about another deletion than the one that was asked for")
}

pub(super) fn regulation_without_status() -> VendorError {
    bad_answer("a deletion has no status")
}

pub(super) fn not_a_list() -> VendorError {
    bad_answer("the list of deletions cannot be understood")
}

pub(super) fn endless_list() -> VendorError {
    bad_answer("the list of deletions has no end: a page leads to one that was read before")
}

pub(super) fn list_too_long() -> VendorError {
    cannot_be_told("there are more newer deletions than are read in one go")
}

pub(super) fn entry_not_understood() -> VendorError {
    cannot_be_told("the list does not say of every deletion what it is about")
}

/// "There is none" must be certain, so this is an error and a person has to look.
fn cannot_be_told(why: &str) -> VendorError {
    VendorError::new(
        ErrorKind::BadAnswer,
        Retry::Never,
        format!("Segment cannot be asked whether it has the deletion: {why}"),
        "look in Segment (Privacy, Deletion and Suppression) whether the deletion is there, then settle the run",
    )
}

pub(super) fn unusable_settings(wrong: &[SettingError]) -> VendorError {
    let fields: Vec<&str> = wrong.iter().map(|error| error.key.as_str()).collect();
    VendorError::new(
        ErrorKind::Configuration,
        Retry::Never,
        format!("the connection's settings cannot be used: {}", fields.join(", ")),
        "edit the connection and enter API token and workspace name again",
    )
}

/// Asking again gives the same, so a person has to look.
fn bad_answer(what: &str) -> VendorError {
    VendorError::new(
        ErrorKind::BadAnswer,
        Retry::Never,
        format!("Segment's answer cannot be used: {what}"),
        REPORT,
    )
}
