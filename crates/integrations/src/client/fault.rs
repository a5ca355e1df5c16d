//! The failures that every vendor has in common, in words for people. Nothing that a vendor wrote gets into
//! them; of an address only the host is named.

use std::time::Duration;

use http::StatusCode;
use url::Url;

use super::answer::VendorAnswer;
use super::transport::Failure;
use crate::error::{ErrorKind, Retry, VendorError};

const WAIT: &str = "nothing needs to be done now; if it lasts, look at the vendor's status page";
const RECONCILE: &str =
    "nothing needs to be done now: the vendor is asked what it has before anything is sent again";
const REPORT: &str = "if it happens again, give the vendor's support the time of the call";

/// What may be done after a failure that came after the first byte was sent.
const fn after_sending(effect: bool) -> (Retry, &'static str) {
    if effect { (Retry::UnknownOutcome, RECONCILE) } else { (Retry::After(None), WAIT) }
}

pub(super) fn no_transport() -> VendorError {
    VendorError::new(
        ErrorKind::Configuration,
        Retry::Never,
        "no HTTPS client could be made on this machine",
        "install the system's certificate bundle (package ca-certificates) and start again",
    )
}

pub(super) fn unusable_base(overridden: bool) -> VendorError {
    let expected = if overridden {
        "`base_url` needs the form http(s)://host[:port][/path] without user, query and fragment"
    } else {
        "the vendor's address must be HTTPS to a public host name; check the connection's settings"
    };
    VendorError::new(ErrorKind::Configuration, Retry::Never, "the vendor's address cannot be used", expected)
}

/// A path or body that this crate itself built wrongly: nothing was sent.
pub(super) fn unsendable(what: &'static str) -> VendorError {
    VendorError::new(
        ErrorKind::BadRequest,
        Retry::Never,
        format!("the call could not be written: {what}"),
        "this is a fault of the product or of a value at the vendor; please report it",
    )
}

pub(super) fn unusable_secret() -> VendorError {
    VendorError::new(
        ErrorKind::Configuration,
        Retry::Never,
        "the credential holds characters that cannot be sent",
        "enter the credential again",
    )
}

pub(super) fn no_address() -> VendorError {
    VendorError::new(
        ErrorKind::BadAnswer,
        Retry::After(None),
        "the vendor's answer names an address that is none",
        REPORT,
    )
}

/// Asking again would not make it safer: a person has to find out why.
pub(super) fn another_host(url: &Url) -> VendorError {
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{}://{host}:{port}", url.scheme()),
        (Some(host), None) => format!("{}://{host}", url.scheme()),
        (None, _) => "no host at all".to_owned(),
    };
    VendorError::new(
        ErrorKind::BadAnswer,
        Retry::Never,
        format!("the vendor's answer points to another host ({}); nothing was sent there", shortened(&host)),
        "find out why the vendor's answer leads elsewhere before you go on; the credential was not sent",
    )
}

pub(super) fn another_tree() -> VendorError {
    VendorError::new(
        ErrorKind::BadAnswer,
        Retry::Never,
        "the vendor's answer points outside the vendor's own addresses; nothing was sent there",
        "if `base_url` is set, it must end where the vendor's paths begin",
    )
}

pub(super) fn redirected(status: StatusCode, target: Option<&Url>) -> VendorError {
    let host =
        target.and_then(Url::host_str).map_or_else(String::new, |host| format!(" to {}", shortened(host)));
    VendorError::new(
        ErrorKind::BadAnswer,
        Retry::After(None),
        format!("the vendor redirected the call{host}, which is not followed: the credential stays here"),
        "check the account's region and the vendor's address",
    )
    .answered(status.as_u16(), None)
}

pub(super) fn paced(wait: Duration) -> VendorError {
    VendorError::new(
        ErrorKind::Paced,
        Retry::After(Some(wait)),
        "the call waits for its turn within the vendor's limit; nothing was sent",
        "nothing needs to be done",
    )
}

pub(super) fn rate_limited(answer: &VendorAnswer) -> VendorError {
    VendorError::new(
        ErrorKind::RateLimited,
        Retry::After(answer.retry_after),
        "the vendor says that it is called too often",
        "nothing needs to be done; if it happens often, lower `budget` or find out who else uses the account",
    )
    .answered(answer.status.as_u16(), answer.vendor_request_id.clone())
}

pub(super) fn server_error(answer: &VendorAnswer) -> VendorError {
    let (retry, remedy) = match after_sending(answer.effect) {
        (Retry::After(_), remedy) => (Retry::After(answer.retry_after), remedy),
        unknown => unknown,
    };
    let message = format!("the vendor answered with a failure of its own (HTTP {})", answer.status.as_u16());
    VendorError::new(ErrorKind::Unavailable, retry, message, remedy)
        .answered(answer.status.as_u16(), answer.vendor_request_id.clone())
}

/// A failure below HTTP. Up to the end of the handshake nothing of the request has left the machine.
pub(super) fn transport(failure: Failure, effect: bool) -> VendorError {
    let message = match failure {
        Failure::Malformed => return unsendable("its address or a header is malformed"),
        Failure::LeadsInside => return leads_inside(),
        Failure::NotConnected => {
            return VendorError::new(
                ErrorKind::Unavailable,
                Retry::After(None),
                "no connection to the vendor could be made; nothing was sent",
                "if it lasts, check name resolution, firewall and certificates between this machine and the vendor",
            );
        }
        Failure::TimedOut => "the vendor did not answer in time",
        Failure::Broken => "the connection to the vendor broke before its answer was complete",
    };
    let (retry, remedy) = after_sending(effect);
    VendorError::new(ErrorKind::Unavailable, retry, message, remedy)
}

/// Waiting helps no more than with a mistyped name: either the name is wrong, or somebody has to allow it.
fn leads_inside() -> VendorError {
    VendorError::new(
        ErrorKind::Configuration,
        Retry::Never,
        "the vendor's host name leads into a private network; nothing was sent",
        "check the settings that the host name is made of, and what this server's name resolution says of it; only the \
         server's operator can allow an address in a private network, by setting the integration's `base_url`",
    )
}

/// An answer whose head came and whose body did not.
pub(super) fn cut(answer: &VendorAnswer, failure: Failure) -> VendorError {
    let mut fault = transport(failure, answer.effect);
    if !answer.effect && failure != Failure::TimedOut {
        fault.kind = ErrorKind::BadAnswer;
        "the vendor's answer was cut off".clone_into(&mut fault.message);
    }
    fault.answered(answer.status.as_u16(), answer.vendor_request_id.clone())
}

pub(super) fn too_large(answer: &VendorAnswer, bound: usize) -> VendorError {
    let (retry, _) = after_sending(answer.effect);
    let size = if bound >= 1 << 20 { format!("{} MiB", bound >> 20) } else { format!("{bound} bytes") };
    VendorError::new(ErrorKind::TooLarge, retry, format!("the vendor's answer is larger than {size}"), REPORT)
        .answered(answer.status.as_u16(), answer.vendor_request_id.clone())
}

pub(super) fn too_many_values(answer: &VendorAnswer) -> VendorError {
    let (retry, _) = after_sending(answer.effect);
    VendorError::new(
        ErrorKind::TooLarge,
        retry,
        "the vendor's answer holds more values than are read",
        REPORT,
    )
    .answered(answer.status.as_u16(), answer.vendor_request_id.clone())
}

pub(super) fn not_json(answer: &VendorAnswer) -> VendorError {
    let (retry, _) = after_sending(answer.effect);
    let kind = match answer.content_type.as_deref() {
        Some("text/html") => "a web page",
        Some(_) => "something else",
        None => "something without a type",
    };
    let message = format!("the vendor answered with {kind} where JSON was expected");
    VendorError::new(ErrorKind::BadAnswer, retry, message, REPORT)
        .answered(answer.status.as_u16(), answer.vendor_request_id.clone())
}

/// serde's own text quotes values; only the place is taken from it.
pub(super) fn unreadable_json(answer: &VendorAnswer, error: &serde_json::Error) -> VendorError {
    let (retry, _) = after_sending(answer.effect);
    let what = match error.classify() {
        serde_json::error::Category::Data => "has another shape than documented",
        serde_json::error::Category::Eof => "ends in the middle",
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "is not valid JSON",
    };
    let message = format!("the vendor's answer {what} (line {}, column {})", error.line(), error.column());
    VendorError::new(ErrorKind::BadAnswer, retry, message, REPORT)
        .answered(answer.status.as_u16(), answer.vendor_request_id.clone())
}

/// A host is at most 253 characters by the rules; a hostile one gets no more room than it needs to be
/// recognised.
fn shortened(host: &str) -> String {
    host.chars().filter(|character| !character.is_control()).take(100).collect()
}
