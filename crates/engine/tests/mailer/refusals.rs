//! What a refusal means depends on when it comes.

use std::time::Duration;

use habeas_testing::MailServer;
use rstest::rstest;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::support::{mail, plain, refused, sent, settings, smtp};

#[rstest]
#[case::unknown("unknown", true, "mail_refused", "(550 5.1.1)")]
#[case::unknown_called_relay("relay", true, "mail_refused", "(550 5.1.1)")]
#[case::no_enhanced_code("old", true, "mail_refused", "(550)")]
#[case::relay_denied("elsewhere", false, "mail_relay_refused", "(554 5.7.1)")]
#[case::greylisted("greylisted", false, "mail_deferred", "(451 4.7.1)")]
#[case::content("unwanted", true, "mail_refused", "(554 5.7.1)")]
#[case::full("full", false, "mail_deferred", "(452 4.2.2)")]
#[case::dropped("dropped", false, "mail_server_unreachable", "broke the connection off")]
#[tokio::test]
async fn the_server_says_no(
    #[case] person: &str,
    #[case] lasting: bool,
    #[case] code: &str,
    #[case] said: &str,
) {
    let server = MailServer::start(&[]);
    let mailer = plain(server.port());
    let failure = refused(&mailer, &mail(1, &format!("{person}@example.test"))).await;
    assert_eq!((failure.lasting, failure.code), (lasting, code), "{failure}");
    assert!(failure.message.contains(said), "{failure}");
    assert!(failure.message.contains("tried again") != lasting, "{failure}");
    // The next mail is not in its way.
    sent(&mailer, &mail(2, "ada@example.test")).await;
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn a_sender_that_is_refused_is_not_the_fault_of_the_mail() {
    let server = MailServer::start(&[]);
    let mut settings = settings(&format!("smtp://127.0.0.1:{}", server.port()));
    settings.from = "stranger@example.test".to_owned();
    let failure = refused(&smtp(&settings), &mail(1, "ada@example.test")).await;
    assert_eq!((failure.lasting, failure.code), (false, "mail_sender_refused"));
    assert!(failure.message.contains("(553 5.7.1)") && failure.message.contains("`mail.from`"), "{failure}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_passing() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let failure = refused(&plain(port), &mail(1, "ada@example.test")).await;
    assert_eq!((failure.lasting, failure.code), (false, "mail_server_unreachable"));
    let failure = refused(&smtp(&settings("smtp://nobody.invalid")), &mail(1, "ada@example.test")).await;
    assert_eq!((failure.lasting, failure.code), (false, "mail_server_unreachable"));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_longer_than_agreed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings(&format!("smtp://{}", listener.local_addr().unwrap()));
    settings.timeout = Duration::from_millis(200);
    let failure = refused(&smtp(&settings), &mail(1, "ada@example.test")).await;
    assert_eq!((failure.lasting, failure.code), (false, "mail_server_unreachable"));
    assert!(failure.message.contains("within 0.2 s"), "{failure}");
}

#[rstest]
#[case::not_served(b"554 5.3.2 no service for ada@example.test\r\n", "(554 5.3.2)")]
#[case::busy(b"421 too many connections\r\n", "(421)")]
#[case::no_smtp(b"HTTP/1.1 400 Bad Request\r\n\r\n", "cannot be reached")]
#[tokio::test]
async fn a_greeting_that_is_none_is_passing(#[case] greeting: &'static [u8], #[case] said: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mailer = plain(listener.local_addr().unwrap().port());
    let answer = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        connection.write_all(greeting).await.unwrap();
    };
    let mail = mail(1, "ada@example.test");
    let (failure, ()) = tokio::join!(refused(&mailer, &mail), answer);
    assert_eq!((failure.lasting, failure.code), (false, "mail_server_unreachable"));
    assert!(failure.message.contains(said), "{failure}");
}
