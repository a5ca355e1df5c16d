//! The way mails leave: as a MIME message to an SMTP server, or as a file.
//!
//! A mailer makes one attempt and says what came of it. When the next one is due is for [`next_attempt`] to say and
//! for a row to remember: no task waits for a mail server. Handing over again what was handed over before (because a
//! worker died before it was on record) repeats the same message with the same `Message-ID`, so that it can be
//! recognised.

mod failure;
mod message;
mod outbox;
mod retry;
mod settings;
mod smtp;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::{fmt, io};

use async_trait::async_trait;
use habeas_casework::mails::OutgoingMail;
use habeas_domain::MailId;
use habeas_environment::Environment;

pub use failure::MailFailure;
pub use message::is_mailbox;
pub use outbox::OutboxMailer;
pub use retry::next_attempt;
pub use settings::{MailSettings, MailSetupError, MailUrl, Security, SmtpServer};
pub use smtp::SmtpMailer;

/// Takes mails out of the house.
#[async_trait]
pub trait Mailer: Send + Sync + fmt::Debug {
    /// Makes one attempt.
    ///
    /// # Errors
    /// If the mail did not leave, or nobody can say whether it did.
    async fn send(&self, mail: &OutgoingMail) -> Result<Handed, MailFailure>;

    /// Whether somebody receives what was handed over. `false`: it becomes a file and stays here.
    fn delivers(&self) -> bool;

    /// Mails of which a copy lies here.
    ///
    /// # Errors
    /// If the copies cannot be looked through.
    async fn copies(&self) -> io::Result<BTreeSet<MailId>> {
        Ok(BTreeSet::new())
    }

    /// Removes such copies.
    ///
    /// # Errors
    /// If one cannot be removed.
    async fn remove_copies(&self, _mails: BTreeSet<MailId>) -> io::Result<()> {
        Ok(())
    }
}

/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed {
    /// The mail server accepted it.
    Sent,
    /// It lies in the outbox as a file.
    Written,
}

/// The mailer that the operator chose. Neither calls a server nor writes a file yet.
///
/// # Errors
/// If the sender or the address for answers is no mailbox, or the machine's certificates cannot be used.
pub fn mailer(
    settings: &MailSettings,
    data_directory: &Path,
    environment: &Environment,
) -> Result<Arc<dyn Mailer>, MailSetupError> {
    Ok(match &settings.url {
        MailUrl::Outbox => Arc::new(OutboxMailer::new(settings, data_directory, environment)?),
        MailUrl::Smtp(server) => Arc::new(SmtpMailer::new(settings, server)?),
    })
}
