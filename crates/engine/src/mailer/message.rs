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

    /// The whole message, the same bytes whenever it is asked for.
    ///
    /// # Errors
    /// If there is no way to write to the address.
    pub(super) fn write(&self, mail: &OutgoingMail, carries: Carries) -> Result<Vec<u8>, MailFailure> {
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
        Ok(message.formatted())
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
    let text = with_network_line_ends(text);
    let plain = text.split("\r\n").all(|line| line.len() <= LONGEST_LINE) && !text.contains('\0');
    let body = match (plain, text.is_ascii(), carries) {
        (true, true, _) => Body::dangerous_pre_encoded(text.into(), ContentTransferEncoding::SevenBit),
        (true, false, Carries::EightBits) => {
            Body::dangerous_pre_encoded(text.into(), ContentTransferEncoding::EightBit)
        }
        // Quoted-printable or base64, whichever is shorter.
        _ => Body::new(text),
    };
    SinglePart::builder().content_type(kind).body(body)
}

fn with_network_line_ends(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}
