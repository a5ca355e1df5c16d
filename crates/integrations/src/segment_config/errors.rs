//! The vendor's errors in our words. The HTTP status decides, because a refusal may come as JSON
//! (`{"error": "...", "code": 7}`), as plain text or as a web page; of the text only one sentence is recognised.

use serde::Deserialize;

use super::manifest::{OWNER, READ};
use super::regulation::Status;
use crate::client::VendorAnswer;
use crate::connector::SettingError;
use crate::error::{ErrorKind, Retry, VendorError};

const RENEW: &str =
    "enter a token that a Workspace Owner made (Settings, Workspace settings, Access Management, Tokens)";
const RENEW_ELSEWHERE: &str = "enter a token that a Workspace Owner made (Settings, Workspace settings, Access Management, \
                               Tokens); if the workspace is kept in the European Union, set the region to `eu`";
const REPORT: &str = "try again; if it stays, Segment has changed its API: please report it";

/// What was asked for when the vendor refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Workspace,
    /// Sources, destinations, warehouses and the catalogue.
    Systems,
    Regulations,
    Regulation,
    Creation,
    /// The proof of the write permission.
    Probe,
}

impl Asked {
    const fn is_effect(self) -> bool {
        matches!(self, Self::Creation | Self::Probe)
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Workspace => "reading the workspace",
            Self::Systems => "listing what is connected to the workspace",
            Self::Regulations => "listing the workspace's deletions",
            Self::Regulation => "reading a deletion",
            Self::Creation => "creating a deletion",
            Self::Probe => "proving that deletions may be created",
        }
    }
}

/// Which of Segment's two APIs is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The older one (v1beta), whose tokens are no longer made.
    Config,
    /// The newer one.
    Public,
}

impl Which {
    /// How it is kept in the settings.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Public => "public",
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
pub(super) fn refused(answer: &VendorAnswer, asked: Asked, which: Which, look: TokenLook) -> VendorError {
    let status = answer.status.as_u16();
    let what = asked.words();
    let error = match status {
        // The newer API says the same to a token that is not valid and to one that lacks a permission.
        401 if which == Which::Public && asked.is_effect() => lacking_owner(
            "Segment does not let this API token create deletions: it lacks the permission, or was revoked",
        ),
        401 => credentials(which, look),
        403 => forbidden(answer, asked, which, look),
        // There the workspace is the token's own and in no address, so it is the call that is not there.
        404 if which == Which::Public => not_offered(status, asked),
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
        "ask Segment's support whether the API that the token opens still serves this workspace; until then delete the \
         person in Segment by hand (Privacy, Deletion and Suppression) and settle the run",
    )
}

fn credentials(which: Which, look: TokenLook) -> VendorError {
    let (message, remedy) = match (which, look) {
        (Which::Config, TokenLook::Public) => (
            "Segment's Config API does not accept the API token, which looks like a token of the newer Public API (it \
             begins with `sgp_`)",
            "enter a token of the Config API, or have the server's operator set `public_base_url` beside `base_url`, \
             so that the Public API can be tried",
        ),
        (Which::Config, TokenLook::Other) => {
            ("Segment does not accept the API token (mistyped, revoked or of another workspace)", RENEW)
        }
        (Which::Public, _) => (
            "Segment's Public API does not accept the API token (mistyped, revoked, or of a workspace in another region)",
            RENEW_ELSEWHERE,
        ),
    };
    VendorError::new(ErrorKind::Credentials, Retry::Never, message, remedy)
}

/// Both APIs were asked.
pub(super) fn accepted_by_neither() -> VendorError {
    VendorError::new(
        ErrorKind::Credentials,
        Retry::Never,
        "Segment accepts the API token neither at its Config API nor at its Public API (mistyped, revoked, or of a \
         workspace in another region)",
        RENEW_ELSEWHERE,
    )
}

/// The token is right, but of another workspace than the one that was named.
pub(super) fn another_workspace() -> VendorError {
    VendorError::new(
        ErrorKind::Configuration,
        Retry::Never,
        "the API token opens another Segment workspace than the one that was named",
        "enter the slug of the token's own workspace, as it stands in the address of Segment's app, or a token of the \
         workspace that was named",
    )
}

/// The vendor's table says 401 for a token that is not valid, a client of its own takes 403 for the same. So only a
/// write is believed to lack the permission; a read that is forbidden without an explanation is a bad token.
fn forbidden(answer: &VendorAnswer, asked: Asked, which: Which, look: TokenLook) -> VendorError {
    let lacks_scope = says_insufficient_scope(answer);
    match asked {
        Asked::Creation | Asked::Probe if lacks_scope => {
            lacking_owner("the API token may read Segment's workspace but not create deletions")
        }
        Asked::Creation | Asked::Probe => {
            lacking_owner("Segment does not allow creating deletions with this API token")
        }
        Asked::Regulations | Asked::Regulation | Asked::Systems if lacks_scope => {
            lacking(READ, "the API token may not read Segment's workspace")
        }
        Asked::Workspace | Asked::Regulations | Asked::Regulation | Asked::Systems => {
            credentials(which, look)
        }
    }
}

fn lacking_owner(message: &'static str) -> VendorError {
    lacking(OWNER, message)
}

fn lacking(permission: &'static str, message: &'static str) -> VendorError {
    let remedy = format!("enter a token that a {OWNER} made");
    VendorError::new(ErrorKind::Permission, Retry::Never, message, remedy).lacking(permission)
}

/// The body of a refusal of the Config API.
#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

impl Failure {
    /// The vendor's sentence: only ever compared, never shown.
    fn text(self) -> String {
        self.error.or(self.message).unwrap_or_default()
    }
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
    bad_answer("a list cannot be understood")
}

pub(super) fn not_a_workspace() -> VendorError {
    bad_answer("the workspace cannot be understood")
}

pub(super) fn endless_list() -> VendorError {
    bad_answer("a list has no end: a page leads to one that was read before")
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
