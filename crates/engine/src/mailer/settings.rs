//! Where mails go, as the operator wrote it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::{Host, Url};

/// How mails leave and whose name they bear.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// Where they go.
    pub url: MailUrl,
    /// Who writes them: `a@b`, or `Name <a@b>`.
    pub from: String,
    /// Who gets the answers, if that is not the sender; a mailbox too.
    pub reply_to: Option<String>,
    /// How long handing one over may take altogether: at most half a lease, so that nothing is under way any more
    /// when another worker takes the work over.
    pub timeout: Duration,
}

impl MailSettings {
    /// The longest that a mail server is waited for.
    pub const LONGEST: Duration = Duration::from_secs(30);
}

impl Default for MailSettings {
    /// Files that nobody receives.
    fn default() -> Self {
        Self {
            url: MailUrl::Outbox,
            from: "privacy@localhost".to_owned(),
            reply_to: None,
            timeout: Self::LONGEST,
        }
    }
}

/// What cannot be used about the settings. Repeats no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailSetupError {
    /// The address of the server.
    #[error(
        "the address of the mail server cannot be used; expected \"outbox\", \
         \"smtp://USER:PASSWORD@HOST:PORT\" (with \"?tls=required\", \"?tls=opportunistic\" or \"?tls=never\" \
         behind it if need be) or \"smtps://USER:PASSWORD@HOST:PORT\", with special characters of the password \
         percent-encoded"
    )]
    Url,
    /// The sender.
    #[error("the sender of mails is no mailbox; expected \"a@b\" or \"Name <a@b>\"")]
    From,
    /// The address for answers.
    #[error("the address for answers to mails is no mailbox; expected \"a@b\" or \"Name <a@b>\"")]
    ReplyTo,
    /// The certificates by which servers are recognised.
    #[error(
        "the certificate authorities of this machine cannot be used to recognise the mail server; look at its \
         certificate store (package `ca-certificates`) or at the variable SSL_CERT_FILE"
    )]
    Certificates,
}

/// Where mails go.
#[derive(Clone, Debug)]
pub enum MailUrl {
    /// Files in the data directory; nobody receives them.
    Outbox,
    /// A server that takes them.
    Smtp(SmtpServer),
}

/// An SMTP server and how to speak to it. Its password does not print.
#[derive(Clone)]
pub struct SmtpServer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) credentials: Option<(String, SecretString)>,
}

impl fmt::Debug for SmtpServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SmtpServer")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("security", &self.security)
            .field("logs_in", &self.credentials.is_some())
            .finish()
    }
}

/// How the connection to the server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte, the server's certificate checked.
    FromTheStart,
    /// STARTTLS before anything else, the server's certificate checked; without it nothing is sent.
    Required,
    /// STARTTLS if the server offers it, whoever's certificate it shows. Keeps out who only listens: whoever can change
    /// what is on the wire could take the offer away, so checking the certificate would gain nothing
    /// (RFC 7435, opportunistic security).
    Opportunistic,
    /// No TLS.
    Never,
}

impl FromStr for MailUrl {
    type Err = MailSetupError;

    fn from_str(text: &str) -> Result<Self, MailSetupError> {
        if text == "outbox" {
            return Ok(Self::Outbox);
        }
        SmtpServer::parse(text).map(Self::Smtp).ok_or(MailSetupError::Url)
    }
}

impl SmtpServer {
    /// Ports by RFC 8314: 465 for TLS from the start; 587 for who logs in, 25 for a relay that asks for nothing.
    fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        // The parser leaves the hosts of schemes other than the web's as they are written.
        let host = Host::parse(url.host_str()?).ok()?;
        if url.fragment().is_some() || !matches!(url.path(), "" | "/") {
            return None;
        }
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            ("", Some(_)) | (_, None) => return None,
            (user, Some(password)) => Some((decoded(user)?, decoded(password)?.into())),
        };
        let mut tls = None;
        for (key, value) in url.query_pairs() {
            if key != "tls" || tls.replace(value).is_some() {
                return None;
            }
        }
        let (security, port) = match (url.scheme(), tls.as_deref()) {
            ("smtps", None | Some("required")) => (Security::FromTheStart, 465),
            ("smtp", tls) => {
                let security = match tls {
                    Some("required") => Security::Required,
                    Some("opportunistic") => Security::Opportunistic,
                    Some("never") => Security::Never,
                    None if credentials.is_some() && !is_loopback(&host) => Security::Required,
                    None => Security::Opportunistic,
                    Some(_) => return None,
                };
                (security, if credentials.is_some() { 587 } else { 25 })
            }
            _ => return None,
        };
        // Brackets belong to the URL, not to the address.
        let host = match host {
            Host::Ipv6(address) => address.to_string(),
            host => host.to_string(),
        };
        Some(Self { host, port: url.port().unwrap_or(port), security, credentials })
    }
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

/// Whether what is sent there does not leave the machine.
fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn server(text: &str) -> SmtpServer {
        match text.parse() {
            Ok(MailUrl::Smtp(server)) => server,
            other => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case::relay("smtp://mail.example.test", "mail.example.test", 25, Security::Opportunistic)]
    #[case::credentials("smtp://u:p@mail.example.test", "mail.example.test", 587, Security::Required)]
    #[case::port("smtp://u:p@mail.example.test:2525/", "mail.example.test", 2525, Security::Required)]
    #[case::loopback("smtp://u:p@127.0.0.1:1025", "127.0.0.1", 1025, Security::Opportunistic)]
    #[case::loopback_name("smtp://u:p@localhost:1025", "localhost", 1025, Security::Opportunistic)]
    #[case::loopback_six("smtp://u:p@[::1]:1025", "::1", 1025, Security::Opportunistic)]
    #[case::required("smtp://127.0.0.1?tls=required", "127.0.0.1", 25, Security::Required)]
    #[case::never("smtp://u:p@mail.example.test?tls=never", "mail.example.test", 587, Security::Never)]
    #[case::asked("smtp://u:p@10.0.0.1?tls=opportunistic", "10.0.0.1", 587, Security::Opportunistic)]
    #[case::from_the_start("smtps://u:p@mail.example.test", "mail.example.test", 465, Security::FromTheStart)]
    fn an_address_says_how_to_speak(
        #[case] text: &str,
        #[case] host: &str,
        #[case] port: u16,
        #[case] security: Security,
    ) {
        let server = server(text);
        assert_eq!((server.host.as_str(), server.port, server.security), (host, port, security));
        assert_eq!(server.credentials.is_some(), text.contains("u:p@"));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::other_word("Outbox")]
    #[case::web("https://mail.example.test")]
    #[case::no_host("smtp:///path")]
    #[case::path("smtp://mail.example.test/name")]
    #[case::no_password("smtp://user@mail.example.test")]
    #[case::no_user("smtp://:secret@mail.example.test")]
    #[case::tls("smtp://mail.example.test?tls=maybe")]
    #[case::twice("smtp://mail.example.test?tls=never&tls=required")]
    #[case::unencrypted("smtps://mail.example.test?tls=never")]
    #[case::key("smtp://mail.example.test?timeout=3")]
    #[case::fragment("smtp://mail.example.test#x")]
    fn what_cannot_be_meant_is_refused_without_repeating_it(#[case] text: &str) {
        let error = text.parse::<MailUrl>().unwrap_err();
        assert_eq!(error, MailSetupError::Url);
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn special_characters_of_a_password_are_decoded_and_never_printed() {
        let server = server("smtp://a%40b:p%2Fs%C3%A9cret@mail.example.test");
        let (user, password) = server.credentials.as_ref().unwrap();
        assert_eq!((user.as_str(), password.expose_secret()), ("a@b", "p/sécret"));
        let printed = format!("{server:?}");
        assert!(!printed.contains("cret") && !printed.contains("a@b"), "{printed}");
    }
}
