use scraper::Html;

use super::*;

const LINK: &str = "https://privacy.example.test/a-long-path-of-an-installation/download/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";

fn all() -> Vec<Mail<'static>> {
    let request = "req_0192a0000000700080000000000000ab".parse().unwrap();
    let at: Timestamp = "2026-12-03T10:00:00Z".parse().unwrap();
    let exceptions: &'static [(String, String)] = Box::leak(
        vec![("shop\nBcc: x".to_owned(), "a law obliges us to keep it".to_owned())].into_boxed_slice(),
    );
    let (right, link, expires_at, until, system) = (Right::Access, LINK, at, at, "archive\r\nX: y <b>");
    vec![
        Mail::VerifyIdentity { request, right, link, expires_at },
        Mail::VerifyReminder { request, right, link, expires_at },
        Mail::VerificationExpired { request, right, link: Some(link), until: Some(at) },
        Mail::RequestStarted { request, right, due_on: "2026-12-28".parse().unwrap() },
        Mail::DownloadReady { request, link, expires_at },
        Mail::DownloadCode { request, code: "123456", minutes: 15 },
        Mail::DownloadExpired { request },
        Mail::NothingFound { request, right: Right::Deletion },
        Mail::Erased { request, systems: 3, blocked_future: true },
        Mail::ErasedWithExceptions { request, systems: 1, exceptions, blocked_future: false },
        Mail::Denied { request, right, reason: DenialReason::LegalClaims, text: Some("See you in court.") },
        Mail::ContactAsked { request, system, link, until, asks: ContactAsks::Data },
        Mail::ContactReminder { request, system, link, until, asks: ContactAsks::Deletion },
        Mail::ContactOverdue { request, system, until },
    ]
}

fn rendered(mail: &Mail<'_>) -> Rendered {
    let company = Company {
        name: "Acme\r\nBcc: someone@example.test".to_owned(),
        contact: Some("privacy@example.test".to_owned()),
        ..Company::default()
    };
    mail.render(&Letterhead { company: &company, time_zone: TimeZone::UTC })
}

#[test]
fn every_mail_says_the_same_in_both_forms() {
    for mail in all() {
        let Rendered { subject, text, html } = rendered(&mail);
        assert!(!subject.is_empty() && !subject.chars().any(char::is_control), "{}", mail.kind());
        let page: String = Html::parse_document(&html).root_element().text().collect();
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let page = squeezed(&page);
        for word in
            text.split_whitespace().filter(|word| word.len() > 3 && word.chars().all(char::is_alphanumeric))
        {
            assert!(page.contains(word), "{}: `{word}` is not in the HTML", mail.kind());
        }
        assert!(text.contains("000000AB"), "{}", mail.kind());
        assert!(!html.contains("<b>") && !html.contains("http-equiv"), "{}", mail.kind());
    }
}

#[test]
fn links_stand_alone_on_their_line_and_other_lines_are_short() {
    let mut links = 0;
    for mail in all() {
        for line in rendered(&mail).text.lines() {
            if line.contains("https://") {
                assert_eq!(line, LINK, "{}", mail.kind());
                links += 1;
            } else {
                assert!(line.chars().count() <= LINE, "{}: {line}", mail.kind());
            }
        }
    }
    assert_eq!(links, 6);
}

#[test]
fn the_code_stands_alone() {
    let text = rendered(&all()[5]).text;
    assert!(text.lines().any(|line| line.trim() == "123456"));
}

#[test]
fn a_failing_connection_is_described_without_a_request() {
    let company = Company { name: "Acme".to_owned(), ..Company::default() };
    let letterhead = Letterhead { company: &company, time_zone: TimeZone::UTC };
    let since = "2026-12-03T10:00:00Z".parse().unwrap();
    let problem = "the token was rejected\r\nBcc: eve@example.test";
    let mail = connection_failing(&letterhead, "web\nshop", "ReadyCloud", since, problem);
    assert_eq!(mail.subject, "\"web shop\" has not worked since 3 December 2026, 10:00 UTC");
    assert!(mail.text.contains("the token was rejected Bcc"), "{}", mail.text);
    assert!(mail.html.contains("habeas connections edit"));
}

#[test]
fn credentials_that_end_are_told_with_the_way_to_new_ones() {
    let company = Company { name: "Acme".to_owned(), ..Company::default() };
    let letterhead = Letterhead { company: &company, time_zone: TimeZone::UTC };
    let ends = "2026-12-03T10:00:00Z".parse().unwrap();
    let mail = connection_expiring(&letterhead, "web shop", ("ReadyCloud", "readycloud"), ends);
    assert_eq!(mail.subject, "The credentials of \"web shop\" end on 3 December 2026, 10:00 UTC");
    assert!(mail.text.contains("habeas integrations show readycloud"), "{}", mail.text);
}
