//! Mails as files, for an installation that has no mail server yet.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use habeas_casework::mails::OutgoingMail;
use habeas_domain::MailId;
use habeas_environment::Environment;

use super::message::{Carries, Writer};
use super::{Handed, MailFailure, MailSettings, MailSetupError, Mailer};

/// Writes each mail as `DATA/outbox/<id>.eml`, readable by this user only.
#[derive(Debug)]
pub struct OutboxMailer {
    writer: Writer,
    directory: PathBuf,
    environment: Environment,
}

impl OutboxMailer {
    /// An outbox in the data directory; the directory is made with the first mail.
    ///
    /// # Errors
    /// If the sender or the address for answers is no mailbox.
    pub fn new(
        settings: &MailSettings,
        data_directory: &Path,
        environment: &Environment,
    ) -> Result<Self, MailSetupError> {
        let writer = Writer::new(settings)?;
        Ok(Self { writer, directory: data_directory.join("outbox"), environment: environment.clone() })
    }
}

#[async_trait]
impl Mailer for OutboxMailer {
    async fn send(&self, mail: &OutgoingMail) -> Result<Handed, MailFailure> {
        let message = self.writer.write(mail, Carries::EightBits)?;
        let place = self.directory.join(format!("{}.eml", mail.id));
        // A name of its own for every attempt: two workers may write the same mail when a lease runs out.
        let draft = self.directory.join(format!(".{}-{}", mail.id, self.environment.unique().simple()));
        tokio::task::spawn_blocking(move || write(&draft, &place, &message))
            .await
            .map_err(io::Error::other)
            .flatten()
            .map_err(|error| MailFailure::unwritable(&error))?;
        Ok(Handed::Written)
    }

    fn delivers(&self) -> bool {
        false
    }

    async fn copies(&self) -> io::Result<BTreeSet<MailId>> {
        let directory = self.directory.clone();
        tokio::task::spawn_blocking(move || {
            files(&directory)?.map(|file| file.map(|(mail, _)| mail)).collect()
        })
        .await?
    }

    async fn remove_copies(&self, mails: BTreeSet<MailId>) -> io::Result<()> {
        let directory = self.directory.clone();
        tokio::task::spawn_blocking(move || {
            for file in files(&directory)? {
                let (mail, path) = file?;
                if mails.contains(&mail) {
                    std::fs::remove_file(path)?;
                }
            }
            Ok(())
        })
        .await?
    }
}

/// The mails' files and drafts; what is not ours is passed over.
fn files(directory: &Path) -> io::Result<impl Iterator<Item = io::Result<(MailId, PathBuf)>>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        entries => Some(entries?),
    };
    Ok(entries.into_iter().flatten().filter_map(|entry| {
        entry.map(|entry| Some((mail_of(entry.file_name().to_str()?)?, entry.path()))).transpose()
    }))
}

/// The mail that a file of this name holds.
fn mail_of(name: &str) -> Option<MailId> {
    let id = match name.strip_prefix('.') {
        Some(draft) => draft.split_once('-')?.0,
        None => name.strip_suffix(".eml")?,
    };
    id.parse().ok()
}

/// Whole or not at all: whoever reads the directory never sees a part of a mail. Not forced to the disk: that costs
/// more than everything else about a mail, the file is only for looking at, and the mail itself is in the database.
fn write(draft: &Path, place: &Path, message: &str) -> io::Result<()> {
    let open = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft);
    let mut file = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let directory = place.parent().unwrap_or(place);
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            open()?
        }
        opened => opened?,
    };
    file.write_all(message.as_bytes()).and_then(|()| std::fs::rename(draft, place)).inspect_err(|_| {
        // The failure is told anyway; a draft that stays is hidden and harmless.
        drop(std::fs::remove_file(draft));
    })
}
