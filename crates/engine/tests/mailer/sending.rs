//! What arrives.

use std::collections::BTreeSet;

use futures::future::join_all;
use habeas_testing::{MailServer, ReceivedMail};
use rstest::rstest;

use crate::support::{FROM, LINK, id, mail, plain, refused, sent, settings, smtp};

fn only(server: &MailServer) -> ReceivedMail {
    let mut received = server.received();
    assert_eq!(received.len(), 1);
    received.remove(0)
}

/// The lines of a message as a program sees it that decodes nothing.
fn lines(received: &ReceivedMail) -> Vec<String> {
    String::from_utf8_lossy(&received.bytes).split("\r\n").map(str::to_owned).collect()
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    let server = MailServer::start(&[]);
    let mut settings = settings(&format!("smtp://127.0.0.1:{}", server.port()));
    settings.reply_to = Some("Example <answers@example.test>".to_owned());
    let mailer = smtp(&settings);
    let mail = mail(1, "ada@example.test");
    sent(&mailer, &mail).await;
    assert!(mailer.delivers());

    let received = only(&server);
    assert_eq!(received.from, "privacy@habeas.example.test");
    assert_eq!(received.to, ["ada@example.test"]);
    assert_eq!(received.greeting, "habeas.example.test");
    assert_eq!(received.options, ["BODY=8BITMIME"]);
    assert!(!received.encrypted);
    for (name, value) in [
        ("From", FROM),
        ("To", "ada@example.test"),
        ("Reply-To", "Example <answers@example.test>"),
        ("Subject", mail.subject.as_str()),
        ("Date", "Mon, 01 Jun 2026 08:59:58 +0000"),
        ("Message-ID", &format!("<{}@habeas.example.test>", mail.id)),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("MIME-Version", "1.0"),
    ] {
        assert_eq!(received.header(name), value);
    }
    assert!(received.header("Content-Type").starts_with("multipart/alternative"));
    let [(plain, text), (html, page)] = &received.parts[..] else { panic!("{:?}", received.parts) };
    assert_eq!((plain.as_str(), html.as_str()), ("text/plain", "text/html"));
    assert_eq!((text, page), (&mail.text, &mail.html));
    assert!(received.defects.is_empty(), "{:?}", received.defects);
    assert!(lines(&received).iter().any(|line| line == LINK), "the link stands whole on a line of its own");
    assert!(lines(&received).iter().all(|line| line.len() <= 998));
}

#[tokio::test]
async fn a_server_that_carries_ascii_only_gets_ascii_only() {
    let server = MailServer::start(&["seven-bit"]);
    let mail = mail(1, "ada@example.test");
    sent(&plain(server.port()), &mail).await;
    let received = only(&server);
    assert!(received.bytes.is_ascii() && received.options.is_empty());
    assert_eq!((&received.parts[0].1, &received.parts[1].1), (&mail.text, &mail.html));
    assert!(received.defects.is_empty(), "{:?}", received.defects);
}

#[rstest]
#[case::dots("one\n.\n..\n.two\n")]
#[case::long_line(&format!("{}\n", "a word and ".repeat(200)))]
#[case::long_letters(&format!("{}\n", "ä".repeat(2_000)))]
#[case::no_end("no line end")]
#[case::equal_signs("a=3D=\nb\n")]
#[case::boundary("--=_mai_\n--=_mai_--\n")]
#[case::old_line_ends("one\r\ntwo\rthree\n")]
#[tokio::test]
async fn every_text_arrives_whole(#[case] text: &str, #[values("any", "seven-bit")] server: &str) {
    let server = MailServer::start(&[server]);
    let mut mail = mail(1, "ada@example.test");
    mail.text = text.to_owned();
    sent(&plain(server.port()), &mail).await;
    let received = only(&server);
    let expected = text.replace("\r\n", "\n").replace('\r', "\n");
    assert_eq!(received.parts[0].1.trim_end_matches('\n'), expected.trim_end_matches('\n'));
    assert_eq!(received.parts.len(), 2);
    assert!(received.defects.is_empty(), "{:?}", received.defects);
}

#[tokio::test]
async fn line_breaks_begin_no_header() {
    let server = MailServer::start(&[]);
    let mut mail = mail(1, "ada@example.test");
    mail.subject = "Hello\r\nBcc: eve@example.test\n\n<b>body</b>\u{85}\u{7f}end".to_owned();
    sent(&plain(server.port()), &mail).await;
    let received = only(&server);
    assert_eq!(received.header("Subject"), "Hello Bcc: eve@example.test <b>body</b> end");
    assert!(received.headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("bcc")));
    assert_eq!(received.to, ["ada@example.test"]);
}

#[rstest]
#[case::nothing("")]
#[case::no_address("ada")]
#[case::line_break("ada@example.test\r\nRCPT TO:<eve@example.test>")]
#[case::line_break_in_quotes("\"a\r\nDATA\"@example.test")]
#[case::brackets("\"ada>RCPT\"@example.test")]
#[case::two("ada@example.test, eve@example.test")]
#[case::name("Ada <ada@example.test>")]
#[case::domain("ada@exa mple.test")]
#[tokio::test]
async fn what_is_no_address_is_refused_before_a_server_is_asked(#[case] to: &str) {
    // Nothing listens there.
    let mut mail = mail(1, "ada@example.test");
    mail.to = to.to_owned();
    let failure = plain(1).send(&mail).await.unwrap_err();
    assert_eq!((failure.lasting, failure.code), (true, "mail_address_unusable"));
}

#[tokio::test]
async fn addresses_outside_of_ascii_are_written_as_the_server_understands_them() {
    let server = MailServer::start(&[]);
    let mailer = plain(server.port());
    sent(&mailer, &mail(1, "ada@bücher.example.test")).await;
    sent(&mailer, &mail(2, "jörg@example.test")).await;
    let received = server.received();
    assert_eq!(received[0].to, ["ada@xn--bcher-kva.example.test"]);
    assert_eq!(received[0].options, ["BODY=8BITMIME"]);
    assert_eq!(received[1].to, ["jörg@example.test"]);
    assert!(received[1].options.contains(&"SMTPUTF8".to_owned()));

    let server = MailServer::start(&["no-utf8"]);
    let failure = refused(&plain(server.port()), &mail(3, "jörg@example.test")).await;
    assert_eq!((failure.lasting, failure.code), (true, "mail_address_unusable"));
    assert!(failure.message.contains("SMTPUTF8"));
}

#[tokio::test]
async fn a_repeated_mail_is_the_same_message() {
    let server = MailServer::start(&[]);
    sent(&plain(server.port()), &mail(1, "ada@example.test")).await;
    sent(&plain(server.port()), &mail(1, "ada@example.test")).await;
    let received = server.received();
    assert_eq!(received[0].bytes, received[1].bytes);
}

#[tokio::test]
async fn many_mails_share_two_connections() {
    let server = MailServer::start(&[]);
    let mailer = plain(server.port());
    let mails: Vec<_> = (0..60).map(|number| mail(number, &format!("person{number}@example.test"))).collect();
    join_all(mails.iter().map(|mail| sent(&mailer, mail))).await;
    let received = server.received();
    let people: BTreeSet<_> = received.iter().flat_map(|mail| &mail.to).collect();
    let ids: BTreeSet<_> = received.iter().map(|mail| mail.header("Message-ID").to_owned()).collect();
    assert_eq!((received.len(), people.len(), ids.len()), (60, 60, 60));
    assert!(ids.contains(&format!("<{}@habeas.example.test>", id(59))));
    let connections: BTreeSet<_> = received.iter().map(|mail| mail.connection).collect();
    assert_eq!(connections.len(), 2);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_is_replaced() {
    let server = MailServer::start(&["forgetful"]);
    let mailer = plain(server.port());
    for number in 0..3 {
        sent(&mailer, &mail(number, "ada@example.test")).await;
    }
    let connections: BTreeSet<_> = server.received().iter().map(|mail| mail.connection).collect();
    assert_eq!(connections.len(), 3);
}
