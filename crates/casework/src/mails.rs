//! Mails to people.

use std::fmt;

use habeas_domain::MailId;
use jiff::Timestamp;

/// A mail that is due to leave. Names a person, so it does not print its contents.
#[derive(Clone)]
pub struct OutgoingMail {
    /// Which mail; the same at every attempt.
    pub id: MailId,
    /// The address of the one who gets it, without a name.
    pub to: String,
    /// What stands in its list of mails.
    pub subject: String,
    /// The plain text: links are absolute and stand on lines of their own.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// When it was written.
    pub created_at: Timestamp,
}

impl fmt::Debug for OutgoingMail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OutgoingMail").field("id", &self.id).finish_non_exhaustive()
    }
}
