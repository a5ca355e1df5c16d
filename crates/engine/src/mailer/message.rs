//! A mail as the bytes of RFC 5322.

use std::str::FromStr as _;
use std::time::SystemTime;

use habeas_casework::mails::OutgoingMail;
use jiff::Timestamp;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use url::Host;

use super::failure::MailFailure;
use super::settings::{MailSettings, MailSetupError};

/// The most bytes of a line that is left as it is: RFC 5322 allows 998, a dot may be put in front of it on the way.
const LONGEST_LINE: usize = 990;

/// What all mails have in common.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    from: Mailbox,
    reply_to: Option<Mailbox>,
}

/// What the way to the reader carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carries {
    /// Bytes above 127 too (8BITMIME, RFC 6152, or a file).
    EightBits,
    /// ASCII only.
    SevenBits,
}

impl Writer {
    pub(super) fn new(settings: &MailSettings) -> Result<Self, MailSetupError> {
        let from = mailbox(&settings.from).ok_or(MailSetupError::From)?;
        let reply_to = match &settings.reply_to {
            Some(reply_to) => Some(mailbox(reply_to).ok_or(MailSetupError::ReplyTo)?),
            None => None,
        };
        Ok(Self { from, reply_to })
    }

    /// Who sends, as the server is told.
    pub(super) const fn sender(&self) -> &Address {
        &self.from.email
    }

    /// What stands behind the `@` of the sender.
    pub(super) fn host(&self) -> &str {
        self.from.email.domain()
    }

    /// The whole message, the same whenever it is asked for.
    ///
    /// # Errors
    /// If there is no way to write to the address.
    pub(super) fn write(&self, mail: &OutgoingMail, carries: Carries) -> Result<String, MailFailure> {
        let to = recipient(mail)?;
        let name = HeaderName::new_from_ascii_str;
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(to.into())
            .subject(one_line(&mail.subject))
            // Nothing is written before 1970, and a date before it has no form in lettre.
            .date(SystemTime::from(mail.created_at.max(Timestamp::UNIX_EPOCH)))
            .message_id(Some(format!("<{}@{}>", mail.id, self.host())))
            // RFC 3834: neither out-of-office notes nor other programs should answer.
            .raw_header(HeaderValue::new(name("Auto-Submitted"), "auto-generated".to_owned()))
            // The same for Exchange ([MS-OXCMAIL] 2.1.3.2.20).
            .raw_header(HeaderValue::new(name("X-Auto-Response-Suppress"), "All".to_owned()));
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        let parts = MultiPart::alternative()
            // Made of the id, which nothing else in the mail names, so that a repeated message has the same bytes.
            .boundary(format!("=_{}", mail.id))
            .singlepart(part(ContentType::TEXT_PLAIN, &mail.text, carries))
            .singlepart(part(ContentType::TEXT_HTML, &mail.html, carries));
        let message = builder.multipart(parts).map_err(|_| MailFailure::unusable_address())?;
        // Made of texts only, so nothing is lost.
        Ok(String::from_utf8_lossy(&message.formatted()).into_owned())
    }
}

/// The one who gets the mail, as the server is told.
///
/// # Errors
/// If that is no address.
pub(super) fn recipient(mail: &OutgoingMail) -> Result<Address, MailFailure> {
    address(&mail.to).ok_or_else(MailFailure::unusable_address)
}

/// Whether `text` is a mailbox in the form `a@b` or `Name <a@b>`.
#[must_use]
pub fn is_mailbox(text: &str) -> bool {
    mailbox(text).is_some()
}

fn mailbox(text: &str) -> Option<Mailbox> {
    // A line break in a name would begin another header.
    let parsed = Mailbox::from_str(text.trim()).ok().filter(|_| !text.contains(char::is_control))?;
    let email = address(parsed.email.as_ref())?;
    Some(Mailbox::new(parsed.name, email))
}

/// An address whose domain is spelt in ASCII (IDNA), as every server understands it.
fn address(text: &str) -> Option<Address> {
    let address = Address::from_str(text).ok()?;
    // Quoted local parts may hold blanks and angle brackets. Nobody has such an address, but they would stand in a
    // command of SMTP.
    if text.contains(|one: char| one.is_control() || one.is_whitespace() || matches!(one, '<' | '>')) {
        return None;
    }
    if address.domain().is_ascii() {
        return Some(address);
    }
    let Host::Domain(domain) = Host::parse(address.domain()).ok()? else { return None };
    Address::new(address.user(), domain).ok()
}

/// Without line breaks and other controls, which have no place in a header.
fn one_line(text: &str) -> String {
    text.split(char::is_control)
        .map(str::trim)
        .filter(|piece| !piece.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// One form of the text. Its lines stay as they are wherever the way allows that, also in the middle of text that is
/// not ASCII: a link is then found by programs that decode nothing.
fn part(kind: ContentType, text: &str, carries: Carries) -> SinglePart {
    let text = canonical(text);
    let short = text.split("\r\n").all(|line| line.len() <= LONGEST_LINE);
    let body = match (short, text.is_ascii(), carries) {
        (true, true, _) => Body::dangerous_pre_encoded(text.into(), ContentTransferEncoding::SevenBit),
        (true, false, Carries::EightBits) => {
            Body::dangerous_pre_encoded(text.into(), ContentTransferEncoding::EightBit)
        }
        // Quoted-printable or base64, whichever is shorter.
        _ => Body::new(text),
    };
    SinglePart::builder().content_type(kind).body(body)
}

/// With the line ends of mails and without the one character that they may not have.
fn canonical(text: &str) -> String {
    text.replace('\0', "").replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::super::MailUrl;
    use super::*;

    const LINK: &str =
        "https://privacy.example.test/download/0192f3c4d5e6_kJ8sL2mN5pQ7rT9vW1xY3zA5bC7dE9fG=1&more=0";

    fn written(text: &str, carries: Carries) -> String {
        let settings = MailSettings {
            url: MailUrl::Outbox,
            from: "privacy@example.test".to_owned(),
            reply_to: None,
            timeout: Duration::ZERO,
        };
        let mail = OutgoingMail {
            id: "mai_01920000000070008000000000000001".parse().unwrap(),
            to: "ada@example.test".to_owned(),
            subject: "Your link".to_owned(),
            text: text.to_owned(),
            html: "<p>See the text.</p>".to_owned(),
            created_at: "1969-12-31T23:59:59Z".parse().unwrap(),
        };
        Writer::new(&settings).unwrap().write(&mail, carries).unwrap()
    }

    #[rstest]
    #[case::ascii(format!("Hello,\n\n{LINK}\n"), Carries::SevenBits, "7bit", true)]
    #[case::letters(format!("Grüß Gott,\n\n{LINK}\n"), Carries::EightBits, "8bit", true)]
    #[case::longest_line(format!("{}\n{LINK}\n", "x".repeat(990)), Carries::SevenBits, "7bit", true)]
    #[case::too_long_a_line(format!("{}\n{LINK}\n", "x".repeat(991)), Carries::EightBits, "quoted-printable", false)]
    #[case::letters_on_an_old_way(format!("Grüß Gott,\n\n{LINK}\n"), Carries::SevenBits, "quoted-printable", false)]
    #[case::old_line_ends(format!("Hello,\r{LINK}\r\n"), Carries::SevenBits, "7bit", true)]
    #[case::a_zero(format!("\0{LINK}\n"), Carries::SevenBits, "7bit", true)]
    fn lines_stay_as_they_are_where_the_way_allows_it(
        #[case] text: String,
        #[case] carries: Carries,
        #[case] encoding: &str,
        #[case] whole: bool,
    ) {
        let message = written(&text, carries);
        assert!(message.contains(&format!("Content-Transfer-Encoding: {encoding}\r\n")), "{message}");
        assert_eq!(message.split("\r\n").any(|line| line == LINK), whole, "{message}");
        assert!(message.split("\r\n").all(|line| line.len() <= 998));
        assert!(carries == Carries::EightBits || message.is_ascii());
    }

    #[test]
    fn a_time_that_has_no_form_is_the_earliest_that_has_one() {
        assert!(written("x", Carries::SevenBits).contains("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"));
    }

    #[rstest]
    #[case::bare("privacy@example.test", true)]
    #[case::name("Privacy team <privacy@example.test>", true)]
    #[case::letters("Zoë <privacy@bücher.example.test>", true)]
    #[case::quoted("\"Team, privacy\" <privacy@example.test>", true)]
    #[case::this_machine("privacy@localhost", true)]
    #[case::nothing("", false)]
    #[case::word("privacy", false)]
    #[case::line_break("Team\r\nBcc: a@example.test <privacy@example.test>", false)]
    #[case::bare_line_break("privacy@example.test\nBcc: a@example.test", false)]
    #[case::two("a@example.test, b@example.test", false)]
    #[case::open("Team <privacy@example.test", false)]
    fn a_mailbox_is_told_from_what_is_none(#[case] text: &str, #[case] usable: bool) {
        assert_eq!(is_mailbox(text), usable);
    }
}
