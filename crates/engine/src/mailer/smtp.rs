//! Mails over SMTP.
//!
//! The conversation is led step by step over lettre's connection, not by its transport: whether a refusal is the
//! mail's fault or the operator's depends on the step at which it comes.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use habeas_casework::mails::OutgoingMail;
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use secrecy::ExposeSecret as _;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::failure::Step;
use super::message::{Carries, Writer, recipient};
use super::{Handed, MailFailure, MailSettings, MailSetupError, Mailer, Security, SmtpServer};

/// Connections at once. A mail server takes a mail in milliseconds, and many limit how often one client may connect.
const CONNECTIONS: usize = 2;
/// How long a connection that nobody needs is kept, at least; at most twice as long. Shorter than the five minutes after
/// which servers may hang up (RFC 5321, section 4.5.3.2.7).
const KEPT: Duration = Duration::from_secs(15);
/// How long an answer to a question without content may take. Something on the way may have forgotten the connection, and
/// then nobody ever answers.
const SHORT_ANSWER: Duration = Duration::from_secs(2);

/// Hands each mail to an SMTP server.
pub struct SmtpMailer {
    writer: Writer,
    server: SmtpServer,
    /// How the server's certificate is judged; none without TLS.
    tls: Option<TlsParameters>,
    greeting: ClientId,
    timeout: Duration,
    permits: Arc<Semaphore>,
    kept: Arc<Kept>,
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SmtpMailer").field("server", &self.server).finish_non_exhaustive()
    }
}

impl SmtpMailer {
    /// A way to `server`. Nothing is connected before the first mail.
    ///
    /// # Errors
    /// If the sender or the address for answers is no mailbox, or the machine's certificates cannot be used.
    pub fn new(settings: &MailSettings, server: &SmtpServer) -> Result<Self, MailSetupError> {
        let writer = Writer::new(settings)?;
        let parameters = TlsParameters::builder(server.host.clone());
        let tls = match server.security {
            Security::Never => None,
            Security::FromTheStart | Security::Required => Some(parameters),
            Security::Opportunistic => Some(
                parameters
                    .certificate_store(CertificateStore::None)
                    .dangerous_accept_invalid_certs(true)
                    .dangerous_accept_invalid_hostnames(true),
            ),
        };
        let tls = tls.map(|tls| tls.build()).transpose().map_err(|_| MailSetupError::Certificates)?;
        Ok(Self {
            greeting: ClientId::Domain(writer.host().to_owned()),
            writer,
            server: server.clone(),
            tls,
            timeout: settings.timeout,
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
            kept: Arc::default(),
        })
    }

    async fn hand_over(&self, mail: &OutgoingMail) -> Result<(), MailFailure> {
        let to = recipient(mail)?;
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let mut connection = match self.kept.take().await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        match self.converse(&mut connection, to, mail).await {
            Ok(()) => {
                self.kept.put(connection);
                Ok(())
            }
            Err(failure) => {
                // Where the conversation stands is not worth finding out. What is known about the mail does not wait for
                // the goodbye, but the next connection does.
                tokio::spawn(async move {
                    leave(connection).await;
                    drop(permit);
                });
                Err(failure)
            }
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, MailFailure> {
        let at = |step| move |error: Error| MailFailure::at(step, &error);
        let from_the_start =
            (self.server.security == Security::FromTheStart).then(|| self.tls.clone()).flatten();
        let address = (self.server.host.as_str(), self.server.port);
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            address,
            Some(self.timeout),
            &self.greeting,
            from_the_start,
            None,
        )
        .await
        .map_err(at(Step::Connect))?;
        if let Some(tls) = &self.tls {
            let wanted = match self.server.security {
                Security::Required => true,
                Security::Opportunistic => connection.can_starttls(),
                Security::FromTheStart | Security::Never => false,
            };
            if wanted {
                connection.starttls(tls.clone(), &self.greeting).await.map_err(at(Step::Secure))?;
            }
        }
        if let Some((user, password)) = &self.server.credentials {
            let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
            connection
                .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
                .await
                .map_err(at(Step::LogIn))?;
        }
        Ok(connection)
    }

    async fn converse(
        &self,
        connection: &mut AsyncSmtpConnection,
        to: Address,
        mail: &OutgoingMail,
    ) -> Result<(), MailFailure> {
        let at = |step| move |error: Error| MailFailure::at(step, &error);
        let mut parameters = Vec::new();
        let sender = self.writer.sender();
        if !(sender.user().is_ascii() && to.user().is_ascii()) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(MailFailure::needs_smtputf8());
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let carries = if connection.server_info().supports_feature(Extension::EightBitMime) {
            Carries::EightBits
        } else {
            Carries::SevenBits
        };
        let message = self.writer.write(mail, carries)?;
        if !message.is_ascii() {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        connection.command(Mail::new(Some(sender.clone()), parameters)).await.map_err(at(Step::Sender))?;
        connection.command(Rcpt::new(to, Vec::new())).await.map_err(at(Step::Recipient))?;
        connection.command(Data).await.map_err(at(Step::Content))?;
        connection.command(Content(&message)).await.map_err(at(Step::Content))?;
        Ok(())
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &OutgoingMail) -> Result<Handed, MailFailure> {
        match timeout(self.timeout, self.hand_over(mail)).await {
            Ok(outcome) => outcome.map(|()| Handed::Sent),
            Err(_) => Err(MailFailure::timed_out(self.timeout)),
        }
    }

    fn delivers(&self) -> bool {
        true
    }
}

/// A message as it follows DATA (RFC 5321, section 4.5.2): what begins with a dot gets another one, a lone dot is the
/// end. All in one write: lettre's own way writes the end apart, and then the network holds it back until the other side
/// has acknowledged the rest, which it delays by 40 ms.
struct Content<'message>(&'message str);

impl fmt::Display for Content<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The first line is a header.
        formatter.write_str(&self.0.replace("\r\n.", "\r\n.."))?;
        formatter.write_str(if self.0.ends_with("\r\n") { ".\r\n" } else { "\r\n.\r\n" })
    }
}

/// Connections that wait for the next mail: connecting, TLS and logging in take longer than a mail.
#[derive(Default)]
struct Kept {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// The longest unused first.
    connections: VecDeque<Idle>,
    /// Whether somebody looks after them.
    watched: bool,
}

struct Idle {
    connection: AsyncSmtpConnection,
    /// Whether it was there already when somebody last looked.
    seen: bool,
}

impl Kept {
    /// A connection on which the server still answers.
    async fn take(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let mut connection = self.lock().connections.pop_back()?.connection;
            if timeout(SHORT_ANSWER, connection.test_connected()).await == Ok(true) {
                return Some(connection);
            }
        }
    }

    fn put(self: &Arc<Self>, connection: AsyncSmtpConnection) {
        let mut waiting = self.lock();
        waiting.connections.push_back(Idle { connection, seen: false });
        if !std::mem::replace(&mut waiting.watched, true) {
            tokio::spawn(watch(Arc::downgrade(self)));
        }
    }

    /// Takes out what nobody needed since the last look. `None`: there is nothing left to look after.
    fn unused(&self) -> Option<Vec<AsyncSmtpConnection>> {
        let mut waiting = self.lock();
        if waiting.connections.is_empty() {
            waiting.watched = false;
            return None;
        }
        let mut unused = Vec::new();
        while waiting.connections.front().is_some_and(|idle| idle.seen) {
            unused.extend(waiting.connections.pop_front().map(|idle| idle.connection));
        }
        waiting.connections.iter_mut().for_each(|idle| idle.seen = true);
        Some(unused)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes what nobody needs, until nothing is left. Not work that is due, so no row remembers it.
async fn watch(kept: std::sync::Weak<Kept>) {
    loop {
        drop(timeout(KEPT, std::future::pending::<()>()).await);
        let Some(unused) = kept.upgrade().and_then(|kept| kept.unused()) else { return };
        futures::future::join_all(unused.into_iter().map(leave)).await;
    }
}

/// Says goodbye and closes; a server that does not answer is left without.
async fn leave(mut connection: AsyncSmtpConnection) {
    drop(timeout(SHORT_ANSWER, connection.abort()).await);
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// A connection to a server that agrees to everything, and what the server is told until the connection is closed.
    async fn connection(
        listener: &TcpListener,
    ) -> (AsyncSmtpConnection, tokio::task::JoinHandle<Vec<String>>) {
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (other, _) = listener.accept().await.unwrap();
        let told = tokio::spawn(async move {
            let (input, mut output) = other.into_split();
            let mut lines = BufReader::new(input).lines();
            let mut told = Vec::new();
            output.write_all(b"220 ready\r\n").await.unwrap();
            while let Ok(Some(line)) = lines.next_line().await {
                told.push(line);
                output.write_all(b"250 fine\r\n").await.unwrap();
            }
            told
        });
        let greeting = ClientId::Domain("habeas.example.test".to_owned());
        let connection =
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), &greeting).await.unwrap();
        (connection, told)
    }

    #[tokio::test]
    async fn what_nobody_needs_between_two_looks_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (unused, told) = connection(&listener).await;
        let (used, _told) = connection(&listener).await;
        let kept = Arc::new(Kept::default());
        kept.put(unused);
        kept.put(used);
        assert!(kept.unused().is_some_and(|unused| unused.is_empty()), "both have just come");
        let used = kept.take().await.expect("the one that was used last");
        kept.put(used);
        let mut given_up = kept.unused().expect("one is left to look after");
        assert_eq!(given_up.len(), 1);
        leave(given_up.remove(0)).await;
        assert_eq!(told.await.unwrap(), ["EHLO habeas.example.test", "QUIT"]);
        assert_eq!(kept.unused().map(|unused| unused.len()), Some(1));
        assert!(kept.unused().is_none(), "nothing is left to look after");
        assert!(!kept.lock().watched, "the next connection is looked after again");
    }

    #[tokio::test]
    async fn a_connection_on_which_nobody_answers_is_not_used() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (connection, told) = connection(&listener).await;
        told.abort();
        assert!(told.await.is_err());
        let kept = Arc::new(Kept::default());
        kept.put(connection);
        assert!(kept.take().await.is_none());
    }
}
