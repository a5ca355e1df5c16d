//! TLS and credentials.

use std::process::Command;

use habeas_testing::MailServer;
use rstest::rstest;

use crate::support::{mail, refused, sent, settings, smtp};

/// Tells the test program that it was started again with the authority of a test's server in its store.
const AGAIN: &str = "HABEAS_TEST_MAIL_URL";

fn url(scheme: &str, password: Option<&str>, server: &MailServer, parameters: &str) -> String {
    let user = password.map(|password| format!("{}:{password}@", MailServer::USER)).unwrap_or_default();
    format!("{scheme}://{user}127.0.0.1:{}{parameters}", server.port())
}

#[rstest]
#[case::any(&["starttls", "login"], true)]
#[case::only_login(&["starttls", "login", "only-login"], true)]
#[case::starttls_demanded(&["starttls", "only-starttls", "tls-login", "login"], true)]
#[case::no_tls_on_this_machine(&["login"], false)]
#[tokio::test]
async fn who_has_credentials_logs_in(#[case] options: &[&str], #[case] encrypted: bool) {
    let server = MailServer::start(options);
    let mailer = smtp(&settings(&url("smtp", Some(MailServer::PASSWORD), &server, "")));
    sent(&mailer, &mail(1, "ada@example.test")).await;
    let received = server.received().remove(0);
    assert_eq!(received.user.as_deref(), Some(MailServer::USER));
    assert_eq!(received.encrypted, encrypted);
}

#[tokio::test]
async fn tls_is_used_when_it_is_offered_and_left_when_it_is_not_wanted() {
    let server = MailServer::start(&["starttls", "other-name"]);
    sent(&smtp(&settings(&url("smtp", None, &server, ""))), &mail(1, "ada@example.test")).await;
    sent(&smtp(&settings(&url("smtp", None, &server, "?tls=never"))), &mail(2, "ada@example.test")).await;
    let encrypted: Vec<_> = server.received().iter().map(|mail| mail.encrypted).collect();
    assert_eq!(encrypted, [true, false]);
}

#[rstest]
#[case::wrong(&["login"], Some("wrong%20horse"), "does not accept the credentials (535 5.7.8)")]
#[case::missing(&["login"], None, "wants to know who sends (530 5.7.0)")]
#[case::not_offered(&["tls-login"], Some("x"), "offers no way of logging in")]
#[tokio::test]
async fn credentials_that_are_not_accepted_are_the_operators_to_correct(
    #[case] options: &[&str],
    #[case] password: Option<&str>,
    #[case] said: &str,
) {
    let server = MailServer::start(options);
    let mailer = smtp(&settings(&url("smtp", password, &server, "")));
    let failure = refused(&mailer, &mail(1, "ada@example.test")).await;
    assert_eq!((failure.lasting, failure.code), (false, "mail_credentials_rejected"), "{failure}");
    assert!(failure.message.contains(said), "{failure}");
    assert!(server.received().is_empty());
}

#[rstest]
#[case::stranger(&["starttls"], "smtp", "?tls=required", "its certificate is not trusted")]
#[case::not_offered(&[], "smtp", "?tls=required", "it does not offer STARTTLS")]
#[case::from_the_start(&["smtps"], "smtps", "", "its certificate is not trusted")]
#[case::no_tls_there(&[], "smtps", "", "it does not speak TLS")]
#[case::not_wanted(&["starttls", "only-starttls"], "smtp", "?tls=never", "it demands STARTTLS (530)")]
#[tokio::test]
async fn what_is_not_protected_as_agreed_does_not_leave(
    #[case] options: &[&str],
    #[case] scheme: &str,
    #[case] parameters: &str,
    #[case] said: &str,
) {
    let server = MailServer::start(options);
    let mailer = smtp(&settings(&url(scheme, None, &server, parameters)));
    let failure = refused(&mailer, &mail(1, "ada@example.test")).await;
    assert_eq!((failure.lasting, failure.code), (false, "mail_tls_failed"), "{failure}");
    assert!(failure.message.contains(said), "{failure}");
    assert!(server.received().is_empty());
}

/// The machine's store of authorities can only be another one for a program of its own.
#[rstest]
#[case::smtps("smtps", &["smtps", "login"], "", true)]
#[case::starttls("smtp", &["starttls", "login"], "?tls=required", true)]
#[case::other_name("smtps", &["smtps", "login", "other-name"], "", false)]
#[tokio::test]
async fn a_server_is_believed_whose_name_a_trusted_authority_confirms(
    #[case] scheme: &str,
    #[case] options: &[&str],
    #[case] parameters: &str,
    #[case] believed: bool,
) {
    let server = MailServer::start(options);
    let end = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "protection::send_one_mail", "--ignored"])
        .env("SSL_CERT_FILE", server.authority())
        .env(AGAIN, url(scheme, Some(MailServer::PASSWORD), &server, parameters))
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&end.stdout);
    assert_eq!(end.status.success(), believed, "{output}");
    assert!(output.contains("running 1 test"), "{output}");
    let received: Vec<_> =
        server.received().iter().map(|mail| (mail.encrypted, mail.user.clone().unwrap())).collect();
    let expected = believed.then(|| (true, MailServer::USER.to_owned()));
    assert_eq!(received, Vec::from_iter(expected));
}

#[tokio::test]
#[ignore = "a part of the test above, in a program of its own"]
async fn send_one_mail() {
    let url = std::env::var(AGAIN).expect("the address of a mail server");
    sent(&smtp(&settings(&url)), &mail(1, "ada@example.test")).await;
}
