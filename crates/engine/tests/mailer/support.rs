//! Mails, and mailers that point at a test's server.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use habeas_casework::mails::OutgoingMail;
use habeas_domain::MailId;
use habeas_engine::mailer::{Handed, MailFailure, MailSettings, Mailer, mailer};
use habeas_environment::{Environment, TestClock};

pub(crate) const FROM: &str = "Zoë's privacy team <privacy@habeas.example.test>";
/// A link as they are mailed: longer than a line of quoted-printable.
pub(crate) const LINK: &str =
    "https://privacy.example.test/verify/0192f3c4d5e6_kJ8sL2mN5pQ7rT9vW1xY3zA5bC7dE9fG=1&more=0192f3c4d5e6";

pub(crate) fn environment() -> Environment {
    Environment::for_test(&TestClock::at("2026-06-01T09:00:00Z"), 1)
}

pub(crate) fn settings(url: &str) -> MailSettings {
    MailSettings {
        url: url.parse().unwrap(),
        from: FROM.to_owned(),
        reply_to: None,
        timeout: Duration::from_secs(20),
    }
}

/// A mailer that needs no data directory.
pub(crate) fn smtp(settings: &MailSettings) -> Arc<dyn Mailer> {
    mailer(settings, Path::new("/nowhere"), &environment()).unwrap()
}

/// A mailer without TLS and without credentials.
pub(crate) fn plain(port: u16) -> Arc<dyn Mailer> {
    smtp(&settings(&format!("smtp://127.0.0.1:{port}")))
}

pub(crate) fn mail(number: u128, to: &str) -> OutgoingMail {
    OutgoingMail {
        id: id(number),
        to: to.to_owned(),
        subject: "Bitte bestätigen Sie Ihre Anfrage".to_owned(),
        text: format!("Grüß Gott,\n\nbestätigen Sie bitte hier:\n\n{LINK}\n\nVielen Dank\n"),
        html: format!("<p>Grüß Gott,</p>\n<p><a href=\"{LINK}\">bestätigen</a></p>\n"),
        created_at: "2026-06-01T08:59:58.123Z".parse().unwrap(),
    }
}

pub(crate) fn id(number: u128) -> MailId {
    format!("mai_{:032x}", 0x0192_0000_0000_7000_8000_0000_0000_0000 + number).parse().unwrap()
}

pub(crate) async fn sent(mailer: &Arc<dyn Mailer>, mail: &OutgoingMail) {
    assert_eq!(mailer.send(mail).await, Ok(Handed::Sent));
}

/// Sends and fails; whatever is said about it names neither the person nor the password.
pub(crate) async fn refused(mailer: &Arc<dyn Mailer>, mail: &OutgoingMail) -> MailFailure {
    let failure = mailer.send(mail).await.unwrap_err();
    let said = format!("{failure} {failure:?} {mail:?} {mailer:?}");
    for secret in ["@example.test", "Grüß", "bestätigen", "horse", mail.to.as_str()] {
        assert!(!said.contains(secret), "`{secret}` is in {said}");
    }
    failure
}
