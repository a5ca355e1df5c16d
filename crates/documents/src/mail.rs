//! Mails: one wording each, as plain text and as HTML with the same content.
//!
//! A wording is a file in `templates/mails`: its first line is the subject, then come paragraphs. A line that begins with
//! `=> ` is a link, with what it does after a bar; one with `# ` is a code; lines with `- ` are a list.

use askama::Template;
use habeas_domain::reason::DenialReason;
use habeas_domain::{RequestId, Right};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::company::Company;
use crate::words;

/// Characters of a line of plain text, links aside.
const LINE: usize = 76;

/// Who writes, and whose calendar dates count.
#[derive(Clone, Debug)]
pub struct Letterhead<'c> {
    /// The company.
    pub company: &'c Company,
    /// Its time zone.
    pub time_zone: TimeZone,
}

/// A mail, ready to be sent.
#[derive(Clone)]
pub struct Rendered {
    /// The subject line, without line breaks.
    pub subject: String,
    /// Plain text; every link alone on a line of its own.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// Never prints the text: it may hold a link that only its recipient may know.
impl std::fmt::Debug for Rendered {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Rendered({})", self.subject)
    }
}

/// How a request is called in mails and pages: short enough to be read out on the telephone, and nobody's data.
#[must_use]
pub fn reference(request: RequestId) -> String {
    let id = request.to_string();
    id[id.len() - 8..].to_uppercase()
}

/// What is asked of a system's contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactAsks {
    /// What the system holds about a person.
    Data,
    /// To delete it.
    Deletion,
}

macro_rules! mails {
    ($($(#[$meta:meta])* $kind:ident, $word:literal, $path:tt { $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? })+) => {
        /// A mail before it is worded. None holds a name, an identifier or anything that was found.
        pub enum Mail<'m> {
            $($(#[$meta])* $kind {
                /// Which request it is about.
                request: RequestId,
                $($(#[$field_meta])* $field: $type,)*
            },)+
        }

        $(
            #[derive(Template)]
            #[template(path = $path, escape = "none")]
            struct $kind<'a, 'm> {
                head: &'a Head<'a>,
                reference: String,
                $($field: &'a $type,)*
                marker: std::marker::PhantomData<&'m ()>,
            }
        )+

        impl<'m> Mail<'m> {
            /// As it is stored and shown (`download_ready`).
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$kind { .. } => $word,)+ }
            }

            fn worded(&self, head: &Head<'_>) -> askama::Result<String> {
                match self { $(
                    Self::$kind { request, $($field,)* } => $kind::<'_, 'm> {
                        head,
                        reference: reference(*request),
                        $($field,)*
                        marker: std::marker::PhantomData,
                    }
                    .render(),
                )+ }
            }
        }
    };
}

mails! {
    /// Asks the subject to confirm that the request is theirs.
    VerifyIdentity, "verify_identity", "mails/verify_identity.txt" {
        /// What was asked.
        right: Right,
        /// Where to confirm it.
        link: &'m str,
        /// Until when.
        expires_at: Timestamp,
    }
    /// The same once more, a day later.
    VerifyReminder, "verify_reminder", "mails/verify_reminder.txt" {
        /// What was asked.
        right: Right,
        /// Where to confirm it.
        link: &'m str,
        /// Until when.
        expires_at: Timestamp,
    }
    /// Nobody confirmed the request.
    VerificationExpired, "verification_expired", "mails/verification_expired.txt" {
        /// What was asked.
        right: Right,
        /// Where it can still be confirmed.
        link: Option<&'m str>,
        /// Until when.
        until: Option<Timestamp>,
    }
    /// Work begins.
    RequestStarted, "request_started", "mails/request_started.txt" {
        /// What was asked.
        right: Right,
        /// The last day to answer.
        due_on: Date,
    }
    /// The package lies ready.
    DownloadReady, "download_ready", "mails/download_ready.txt" {
        /// Where to fetch it.
        link: &'m str,
        /// Until when.
        expires_at: Timestamp,
    }
    /// A one-time code.
    DownloadCode, "download_code", "mails/download_code.txt" {
        /// The code.
        code: &'m str,
        /// For how many minutes it can be used.
        minutes: u64,
    }
    /// The package was not fetched in time.
    DownloadExpired, "download_expired", "mails/download_expired.txt" {}
    /// No system holds anything.
    NothingFound, "nothing_found", "mails/nothing_found.txt" {
        /// What was asked.
        right: Right,
    }
    /// Everything was deleted.
    Erased, "erased", "mails/erased.txt" {
        /// In how many systems.
        systems: u64,
        /// Whether a system also blocks what it would receive about the person in future.
        blocked_future: bool,
    }
    /// Not everything was deleted.
    ErasedWithExceptions, "erased_with_exceptions", "mails/erased_with_exceptions.txt" {
        /// In how many systems.
        systems: u64,
        /// What stayed, and why.
        exceptions: &'m [(String, String)],
        /// Whether a system also blocks what it would receive about the person in future.
        blocked_future: bool,
    }
    /// The request is refused.
    Denied, "denied", "mails/denied.txt" {
        /// What was asked.
        right: Right,
        /// Why.
        reason: DenialReason,
        /// More about it.
        text: Option<&'m str>,
    }
    /// Asks the contact of a system.
    ContactAsked, "contact_asked", "mails/contact_asked.txt" {
        /// The system.
        system: &'m str,
        /// Where to answer.
        link: &'m str,
        /// Until when.
        until: Timestamp,
        /// What is asked.
        asks: ContactAsks,
    }
    /// Reminds the contact of a system.
    ContactReminder, "contact_reminder", "mails/contact_reminder.txt" {
        /// The system.
        system: &'m str,
        /// Where to answer.
        link: &'m str,
        /// Until when.
        until: Timestamp,
        /// What is asked.
        asks: ContactAsks,
    }
    /// Tells the privacy team that a contact did not answer.
    ContactOverdue, "contact_overdue", "mails/contact_overdue.txt" {
        /// The system.
        system: &'m str,
        /// When the answer was due.
        until: Timestamp,
    }
}

/// Never prints what it carries.
impl std::fmt::Debug for Mail<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Mail({})", self.kind())
    }
}

/// What every wording may say about the company.
struct Head<'h> {
    company: &'h str,
    reach: String,
    time_zone: &'h TimeZone,
    complaints: Option<&'h str>,
}

impl Head<'_> {
    fn moment(&self, at: &Timestamp) -> String {
        words::moment(*at, self.time_zone)
    }
}

/// What a right is called in a sentence: "your request ...".
fn asked(right: &Right) -> &'static str {
    if right.delivers() { "for a copy of your data" } else { "to have your data deleted" }
}

/// How to reach the company, as a sentence of its own.
fn sentence(reach: &str) -> String {
    let mut letters = reach.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

fn date(date: &Date) -> String {
    words::date(*date)
}

fn counted(systems: &u64) -> String {
    words::counted(*systems, "system", "systems")
}

fn line(text: &str) -> String {
    one_line(text)
}

impl Mail<'_> {
    /// The mail in both its forms.
    #[must_use]
    pub fn render(&self, letterhead: &Letterhead<'_>) -> Rendered {
        letterhead.written(|head| self.worded(head))
    }
}

/// Tells the privacy team that a connection does not work. Mails about connections are about no request.
#[derive(Template)]
#[template(path = "mails/connection_failing.txt", escape = "none")]
struct ConnectionFailing<'a> {
    head: &'a Head<'a>,
    connection: &'a str,
    integration: &'a str,
    since: &'a Timestamp,
    problem: &'a str,
}

/// Tells the privacy team that a connection does not work, since when, and what its last check said.
#[must_use]
pub fn connection_failing(
    letterhead: &Letterhead<'_>,
    connection: &str,
    integration: &str,
    since: Timestamp,
    problem: &str,
) -> Rendered {
    letterhead
        .written(|head| ConnectionFailing { head, connection, integration, since: &since, problem }.render())
}

/// Tells the privacy team that a connection's credentials end.
#[derive(Template)]
#[template(path = "mails/connection_expiring.txt", escape = "none")]
struct ConnectionExpiring<'a> {
    head: &'a Head<'a>,
    connection: &'a str,
    integration: &'a str,
    name: &'a str,
    expires_at: &'a Timestamp,
}

/// Tells the privacy team when a connection's credentials end. `integration` is its title and its name.
#[must_use]
pub fn connection_expiring(
    letterhead: &Letterhead<'_>,
    connection: &str,
    (integration, name): (&str, &str),
    expires_at: Timestamp,
) -> Rendered {
    letterhead.written(|head| {
        ConnectionExpiring { head, connection, integration, name, expires_at: &expires_at }.render()
    })
}

impl Letterhead<'_> {
    fn written(&self, worded: impl FnOnce(&Head<'_>) -> askama::Result<String>) -> Rendered {
        let company = one_line(&self.company.name);
        let head = Head {
            company: &company,
            reach: self.company.reach(),
            time_zone: &self.time_zone,
            complaints: self.company.supervisory_authority.as_deref(),
        };
        // A template that was checked when the program was built fails only if memory does.
        let worded = worded(&head).unwrap_or_default();
        let (subject, body) = worded.split_once('\n').unwrap_or((&worded, ""));
        let blocks = blocks(body);
        let subject = one_line(subject);
        let html = as_html(&subject, &blocks, &company);
        Rendered { subject, text: as_text(&blocks), html }
    }
}

/// Text that cannot begin a new line or a new header.
fn one_line(text: &str) -> String {
    text.split(char::is_control).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A part of a mail.
enum Block {
    Paragraph(String),
    Item(String),
    Link { address: String, label: String },
    Code(String),
}

fn blocks(body: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut paragraph = String::new();
    for line in body.lines().map(str::trim).chain([""]) {
        let special = line.starts_with("=> ") || line.starts_with("- ") || line.starts_with("# ");
        if !paragraph.is_empty() && (line.is_empty() || special) {
            blocks.push(Block::Paragraph(std::mem::take(&mut paragraph)));
        }
        if let Some(link) = line.strip_prefix("=> ") {
            let (address, label) = link.split_once(" | ").unwrap_or((link, link));
            blocks.push(Block::Link { address: address.to_owned(), label: label.to_owned() });
        } else if let Some(item) = line.strip_prefix("- ") {
            blocks.push(Block::Item(item.to_owned()));
        } else if let Some(code) = line.strip_prefix("# ") {
            blocks.push(Block::Code(code.to_owned()));
        } else if !line.is_empty() {
            if !paragraph.is_empty() {
                paragraph.push(' ');
            }
            paragraph.push_str(line);
        }
    }
    blocks
}

fn as_text(blocks: &[Block]) -> String {
    let mut out = String::new();
    let mut after_item = false;
    for block in blocks {
        let is_item = matches!(block, Block::Item(_));
        let goes_on = after_item && is_item;
        if !out.is_empty() && !goes_on {
            out.push('\n');
        }
        match block {
            Block::Paragraph(text) => out.push_str(&textwrap::fill(text, LINE)),
            Block::Item(text) => {
                let options = textwrap::Options::new(LINE).initial_indent("- ").subsequent_indent("  ");
                out.push_str(&textwrap::fill(text, options));
            }
            Block::Link { address, label } => {
                out.push_str(label);
                out.push_str(":\n");
                out.push_str(address);
            }
            Block::Code(code) => {
                out.push_str("    ");
                out.push_str(code);
            }
        }
        out.push('\n');
        after_item = is_item;
    }
    out
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'h> {
    subject: &'h str,
    blocks: &'h [Block],
    company: &'h str,
}

fn as_html(subject: &str, blocks: &[Block], company: &str) -> String {
    Html { subject, blocks, company }.render().unwrap_or_default()
}

#[cfg(test)]
mod tests;
