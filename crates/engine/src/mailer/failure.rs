//! What a mail server's refusal means for the mail and for the people who wait.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::response::{Code, Severity};

/// Why a mail did not leave, in words for people. Names nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailFailure {
    /// The server refused this mail for good: a bounce. Otherwise it is tried again.
    pub lasting: bool,
    /// A stable name of the failure.
    pub code: &'static str,
    /// What happened and what to do. Of the server's answer only the reply code and the enhanced status code
    /// (RFC 3463): the rest may name somebody.
    pub message: String,
}

impl fmt::Display for MailFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for MailFailure {}

/// Where in the conversation it failed: the same reply means something else for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Until the server greets; with TLS from the start that includes the handshake.
    Connect,
    /// STARTTLS.
    Secure,
    /// AUTH.
    LogIn,
    /// MAIL: the server looks at who sends.
    Sender,
    /// RCPT: the server looks at who gets it.
    Recipient,
    /// DATA: the server looks at what is in it.
    Content,
}

impl MailFailure {
    /// Every code there is.
    pub const CODES: &[&str] = &[
        "mail_address_unusable",
        "mail_credentials_rejected",
        "mail_deferred",
        "mail_outbox_unwritable",
        "mail_refused",
        "mail_relay_refused",
        "mail_sender_refused",
        "mail_server_unreachable",
        "mail_tls_failed",
    ];

    fn new(lasting: bool, code: &'static str, message: impl Into<String>) -> Self {
        Self { lasting, code, message: message.into() }
    }

    /// The mail is for nobody.
    pub(super) fn unusable_address() -> Self {
        Self::new(
            true,
            "mail_address_unusable",
            "the address cannot be written to; correct it, or reach the person in another way",
        )
    }

    /// The server cannot carry an address with letters outside of ASCII.
    pub(super) fn needs_smtputf8() -> Self {
        Self::new(
            true,
            "mail_address_unusable",
            "the address has letters that the mail server cannot carry (it does not offer SMTPUTF8); use another \
             address of the person, or another mail server",
        )
    }

    /// It took too long.
    pub(super) fn timed_out(limit: Duration) -> Self {
        Self::unreachable(&format!("did not take the mail within {} s", limit.as_secs_f32()))
    }

    /// The outbox cannot be written.
    pub(super) fn unwritable(error: &io::Error) -> Self {
        Self::new(
            false,
            "mail_outbox_unwritable",
            format!(
                "the mail could not be written into the outbox ({}); look at the space and the rights of the \
                 directory `outbox` in the data directory; it is tried again",
                error.kind()
            ),
        )
    }

    fn unreachable(what: &str) -> Self {
        Self::new(
            false,
            "mail_server_unreachable",
            format!(
                "the mail server {what}; check `mail.url` (port 465 needs smtps://) and the network; it is tried again"
            ),
        )
    }

    fn tls(what: &str) -> Self {
        Self::new(
            false,
            "mail_tls_failed",
            format!(
                "no encrypted connection to the mail server: {what}; check `mail.url` and the server's certificate; \
                 it is tried again"
            ),
        )
    }

    fn credentials(what: &str) -> Self {
        Self::new(
            false,
            "mail_credentials_rejected",
            format!(
                "the mail server {what}; correct the user and the password in `mail.url`; it is tried again"
            ),
        )
    }

    /// What a failure at `step` means.
    pub(super) fn at(step: Step, error: &Error) -> Self {
        let Some(reply) = error.status() else {
            return Self::without_reply(step, error);
        };
        let reply = Reply::new(reply, error);
        if step != Step::Secure && reply.demands_tls() {
            return Self::tls(&format!("it demands STARTTLS ({reply}), which `mail.url` rules out"));
        }
        if matches!(step, Step::Sender | Step::Recipient | Step::Content) && reply.asks_for_credentials() {
            return Self::credentials(&format!("wants to know who sends ({reply})"));
        }
        let refused = reply.code.severity == Severity::PermanentNegativeCompletion;
        match step {
            Step::Connect => Self::unreachable(&format!("does not serve this machine ({reply})")),
            Step::Secure => Self::tls(&format!("it does not begin TLS ({reply})")),
            Step::LogIn if refused => {
                Self::credentials(&format!("does not accept the credentials ({reply})"))
            }
            Step::LogIn => Self::unreachable(&format!("cannot check the credentials now ({reply})")),
            Step::Sender | Step::Recipient | Step::Content if !refused => Self::new(
                false,
                "mail_deferred",
                format!("the mail server does not take the mail now ({reply}); it is tried again"),
            ),
            Step::Sender => Self::new(
                false,
                "mail_sender_refused",
                format!(
                    "the mail server does not accept the sender ({reply}); set `mail.from` to an address it sends \
                     for; it is tried again"
                ),
            ),
            Step::Recipient if reply.refuses_to_relay() => Self::new(
                false,
                "mail_relay_refused",
                format!(
                    "the mail server does not pass mails on for this machine ({reply}); allow it there, or give \
                     credentials in `mail.url`; it is tried again"
                ),
            ),
            Step::Recipient => Self::new(
                true,
                "mail_refused",
                format!(
                    "the mail server refused the recipient for good ({reply}); correct the address, or reach the \
                     person in another way"
                ),
            ),
            Step::Content => Self::new(
                true,
                "mail_refused",
                format!(
                    "the mail server refused the mail for good ({reply}); ask its operator why, or reach the person \
                     in another way"
                ),
            ),
        }
    }

    /// The server said nothing that could be understood.
    fn without_reply(step: Step, error: &Error) -> Self {
        match step {
            Step::Connect if failed_in_tls(error) => {
                Self::tls("it does not speak TLS on this port, or its certificate is not trusted")
            }
            Step::Connect => Self::unreachable("cannot be reached"),
            Step::Secure if error.is_client() => Self::tls("it does not offer STARTTLS"),
            Step::Secure => Self::tls("its certificate is not trusted, or it broke the handshake off"),
            Step::LogIn if error.is_client() => {
                Self::credentials("offers no way of logging in that is known here (PLAIN, LOGIN)")
            }
            // After the content it is not known whether the server took the mail. It is sent again, under the same
            // Message-ID: twice is better than never.
            _ => Self::unreachable("broke the connection off"),
        }
    }
}

/// TLS reports what is wrong with the other side as invalid data, wherever it stands in the chain of causes.
fn failed_in_tls(error: &Error) -> bool {
    std::iter::successors(error.source(), |cause| (*cause).source())
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::InvalidData)
}

/// A negative answer of the server.
struct Reply {
    code: Code,
    enhanced: Option<String>,
    /// In lower case; may name somebody.
    text: String,
}

impl Reply {
    fn new(code: Code, error: &Error) -> Self {
        let text = error.source().map(ToString::to_string).unwrap_or_default();
        let enhanced = text.split_whitespace().next().filter(|word| is_enhanced(word)).map(str::to_owned);
        Self { code, enhanced, text: text.to_lowercase() }
    }

    /// RFC 4954, section 6 (538), and RFC 3207, section 4, which has the words but no code of its own.
    fn demands_tls(&self) -> bool {
        match u16::from(self.code) {
            538 => true,
            530 => self.text.contains("starttls"),
            _ => false,
        }
    }

    /// RFC 4954, section 6.
    fn asks_for_credentials(&self) -> bool {
        matches!(u16::from(self.code), 530 | 534 | 535)
    }

    /// There is no code for it: the usual servers say 550 or 554 with 5.7.x or nothing, and the word. What stands in
    /// angle brackets is the address.
    fn refuses_to_relay(&self) -> bool {
        let says_relay = self
            .text
            .split('<')
            .enumerate()
            .map(
                |(index, piece)| {
                    if index == 0 { piece } else { piece.split_once('>').map_or("", |(_, rest)| rest) }
                },
            )
            .any(|piece| piece.contains("relay"));
        says_relay && self.enhanced.as_ref().is_none_or(|enhanced| enhanced.starts_with("5.7."))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.enhanced {
            Some(enhanced) => write!(formatter, "{} {enhanced}", self.code),
            None => write!(formatter, "{}", self.code),
        }
    }
}

/// `class.subject.detail` of RFC 3463, for the classes of failures.
fn is_enhanced(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    matches!(parts.as_slice(), ["4" | "5", rest @ ..] if rest.len() == 2
        && rest.iter().all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rstest::rstest;

    use super::*;

    #[test]
    fn every_code_has_a_page() {
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
        for code in MailFailure::CODES {
            let page = std::fs::read_to_string(pages.join(format!("{code}.md"))).unwrap();
            assert!(page.starts_with(&format!("# {code}\n")));
        }
    }

    #[rstest]
    #[case::class_of_success("2.0.0", false)]
    #[case::lasting("5.1.1", true)]
    #[case::passing("4.7.650", true)]
    #[case::address("5.1.ada", false)]
    #[case::short("5.1", false)]
    #[case::long("5.1.1.1", false)]
    #[case::network_address("5.1.1024", false)]
    fn only_an_enhanced_status_code_is_repeated(#[case] word: &str, #[case] repeated: bool) {
        assert_eq!(is_enhanced(word), repeated);
    }
}
