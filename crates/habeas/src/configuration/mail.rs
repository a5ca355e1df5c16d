//! `[mail]`: how mails leave.

use std::time::Duration;

use habeas_engine::mailer::{MailSettings, MailUrl};

use super::reader::Reader;
use super::values;

/// Who writes what lies in the outbox, if nobody says otherwise: it goes nowhere, so it needs no domain of its own.
const OUTBOX_SENDER: &str = "privacy@localhost";

/// Reads the section; `lease` bounds how long a mail server is waited for.
pub(super) fn read(reader: &mut Reader, lease: Option<Duration>) -> Option<MailSettings> {
    let url = reader.required("mail.url", values::MAIL);
    let from = reader.optional("mail.from", values::MAILBOX);
    let reply_to = reader.optional("mail.reply_to", values::MAILBOX);
    let url = url?;
    let from = match (from, &url) {
        (Some(from), _) => from,
        (None, MailUrl::Outbox) => OUTBOX_SENDER.to_owned(),
        (None, MailUrl::Smtp(_)) => {
            if !reader.is_set("mail.from") {
                let message = "sends mails, and mails need a sender: set `mail.from`, for example \
                               \"Example privacy team <privacy@example.com>\"";
                reader.refuse("mail.url", message);
            }
            return None;
        }
    };
    Some(MailSettings { url, from, reply_to, timeout: MailSettings::LONGEST.min(lease? / 2) })
}
