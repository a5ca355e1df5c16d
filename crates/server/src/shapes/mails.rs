//! Mails.

use habeas_casework::mails::MailCase;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A mail to a person.
#[derive(Serialize, ToSchema)]
#[schema(as = Mail)]
pub(crate) struct MailShape {
    /// Its id.
    id: String,
    /// What it says (`download_ready`).
    #[schema(example = "download_ready")]
    kind: String,
    /// Whom it is for: `subject`, `contact` or `team`.
    audience: String,
    /// What became of it: `queued`, `sending`, `sent`, `written` (to the outbox directory: nobody
    /// receives it), `failed`, or `dropped` (it was not needed any more).
    state: String,
    /// The address; null once the request's personal data was destroyed.
    to: Option<String>,
    /// The subject line.
    subject: Option<String>,
    /// The plain text, without what only its recipient may know.
    text: Option<String>,
    /// Attempts that failed.
    attempts: u64,
    /// Why the last one did.
    problem: Option<MailProblemShape>,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it left.
    #[schema(value_type = Option<String>, format = DateTime)]
    sent_at: Option<Timestamp>,
    /// When the next attempt is due.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
}

/// Shows neither address nor text.
impl std::fmt::Debug for MailShape {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "MailShape({})", self.id)
    }
}

/// Why a mail did not leave.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MailProblem)]
pub(crate) struct MailProblemShape {
    /// Stable code; each has a page at `/docs/errors/CODE`.
    code: String,
    /// What happened and what to do.
    message: String,
}

/// The mails of a request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MailList)]
pub(crate) struct MailListShape {
    /// They, oldest first.
    items: Vec<MailShape>,
    /// There are never more.
    next_cursor: Option<String>,
    /// Said while no mail server is configured.
    banner: Option<&'static str>,
}

impl MailListShape {
    pub(crate) fn new(mails: Vec<MailCase>, are_sent: bool) -> Self {
        let banner = "No mail server is configured (`mail.url`): mails are only written to the outbox directory, and nobody \
                      receives them.";
        Self {
            items: mails.into_iter().map(MailShape::from).collect(),
            next_cursor: None,
            banner: (!are_sent).then_some(banner),
        }
    }
}

impl From<MailCase> for MailShape {
    fn from(case: MailCase) -> Self {
        let MailCase { mail, content, next_at } = case;
        let (to, subject, text) =
            content.map(|it| (Some(it.to), Some(it.subject), Some(it.text))).unwrap_or_default();
        Self {
            id: mail.id.to_string(),
            kind: mail.kind,
            audience: mail.audience,
            state: mail.state,
            to,
            subject,
            text,
            attempts: mail.attempts,
            problem: mail.problem.map(|(code, message)| MailProblemShape { code, message }),
            created_at: mail.created_at,
            sent_at: mail.sent_at,
            next_at,
        }
    }
}
