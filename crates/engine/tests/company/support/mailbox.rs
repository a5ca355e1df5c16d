//! A mail server that is a list.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use habeas_casework::mails::OutgoingMail;
use habeas_domain::MailId;
use habeas_engine::mailer::{Handed, MailFailure, Mailer};

use super::PUBLIC_URL;

/// Takes mails, or refuses them in a certain way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mailbox {
    received: Arc<Mutex<Vec<OutgoingMail>>>,
    refusal: Arc<Mutex<Option<MailFailure>>>,
}

impl Mailbox {
    pub(crate) fn refuse(&self, refusal: Option<MailFailure>) {
        *self.refusal.lock().unwrap() = refusal;
    }

    pub(crate) fn received(&self) -> Vec<OutgoingMail> {
        self.received.lock().unwrap().clone()
    }

    /// The newest mail to an address.
    pub(crate) fn newest(&self, to: &str) -> OutgoingMail {
        self.received().into_iter().rfind(|mail| mail.to == to).expect("a mail to this address")
    }

    /// The token of the link in the newest mail to an address.
    pub(crate) fn token(&self, to: &str, purpose: &str) -> String {
        let text = self.newest(to).text;
        let address = format!("{PUBLIC_URL}/{purpose}/");
        text.lines().find_map(|line| line.strip_prefix(&address)).expect("a link").to_owned()
    }
}

#[async_trait::async_trait]
impl Mailer for Mailbox {
    async fn send(&self, mail: &OutgoingMail) -> Result<Handed, MailFailure> {
        if let Some(refusal) = self.refusal.lock().unwrap().clone() {
            return Err(refusal);
        }
        self.received.lock().unwrap().push(mail.clone());
        Ok(Handed::Sent)
    }

    fn delivers(&self) -> bool {
        true
    }

    async fn copies(&self) -> std::io::Result<BTreeSet<MailId>> {
        Ok(self.received.lock().unwrap().iter().map(|mail| mail.id).collect())
    }

    async fn remove_copies(&self, mails: BTreeSet<MailId>) -> std::io::Result<()> {
        self.received.lock().unwrap().retain(|mail| !mails.contains(&mail.id));
        Ok(())
    }
}
