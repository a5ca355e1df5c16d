//! Mails: written with what they are about, handed over once, and never lost.

use std::time::Duration;

use habeas_casework::contacts::{Answer, ContactAnswer};
use habeas_casework::intake::{Delivery, NewRequest};
use habeas_casework::mails::MAIL_LANE;
use habeas_casework::{CaseworkError, mails::MailCase};
use habeas_domain::reason::DenialReason;
use habeas_domain::{IdentifierType, Outcome, RequestId, RequestState, Right, RunStatus};
use habeas_engine::mailer::MailFailure;
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{ANA, Company, LEASE, LEASE_MS, Setup, System, TEAM, asking, operator};

on_both_databases![
    the_person_is_told_how_a_deletion_ended,
    a_mail_server_that_is_away_for_a_day_loses_nothing,
    a_refused_mail_is_shown_and_can_be_tried_again,
    a_worker_that_dies_hands_the_same_mail_over_again,
    a_contact_answers_through_the_link_and_uses_it_up,
    the_team_is_told_of_a_silent_contact,
    a_mail_is_given_up_after_five_days,
    a_mail_whose_address_is_forgotten_cannot_be_sent,
    whoever_has_no_address_gets_no_mail,
    what_is_kept_of_the_mails_of_an_access_opens_nothing,
];

const HOUR: Duration = Duration::from_secs(3_600);
const OWNER: &str = "owner@shop.example.test";

async fn mails(company: &Company, id: RequestId) -> Vec<MailCase> {
    company.casework.mails(&operator(), id).await.unwrap()
}

async fn states(company: &Company, id: RequestId) -> Vec<(String, String)> {
    mails(company, id).await.into_iter().map(|case| (case.mail.kind, case.mail.state)).collect()
}

fn away() -> MailFailure {
    MailFailure { lasting: false, code: "mail_server_unreachable", message: "away".to_owned() }
}

async fn the_person_is_told_how_a_deletion_ended(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = company.ask(Right::Deletion, ANA).await;
    company.work().await;
    assert_eq!(states(&company, id).await, [("erased".to_owned(), "sent".to_owned())]);
    let mail = company.outside.mailbox.newest(ANA);
    for said in [&mail.subject, &mail.text, &mail.html] {
        assert!(!said.contains("ana.silva") && !said.contains("Silva"), "{said}");
    }
    // Whoever fetches over the API tells the person themselves.
    let access = company.ask(Right::Access, "nobody@example.test").await;
    company.work().await;
    assert_eq!(company.outcome(access).await, Some(Outcome::NothingFound));
    assert!(mails(&company, access).await.is_empty());
}

async fn a_mail_server_that_is_away_for_a_day_loses_nothing(database: TestDatabase) {
    let company = Company::new(database).await;
    company.outside.mailbox.refuse(Some(away()));
    let id = company.ask(Right::Deletion, ANA).await;
    company.work().await;
    for _ in 0..24 {
        company.time.advance(HOUR);
        company.work().await;
    }
    let waiting = mails(&company, id).await.remove(0);
    assert_eq!(waiting.mail.state, "queued");
    assert!(waiting.mail.attempts > 20 && waiting.next_at.is_some(), "{}", waiting.mail.attempts);
    assert_eq!(waiting.mail.problem.unwrap().0, "mail_server_unreachable");
    company.outside.mailbox.refuse(None);
    company.time.advance(HOUR);
    company.work().await;
    assert_eq!(states(&company, id).await, [("erased".to_owned(), "sent".to_owned())]);
    assert_eq!(company.outside.mailbox.received().len(), 1);
}

async fn a_refused_mail_is_shown_and_can_be_tried_again(database: TestDatabase) {
    let company = Company::new(database).await;
    let refused = MailFailure { lasting: true, code: "mail_refused", message: "refused".to_owned() };
    company.outside.mailbox.refuse(Some(refused));
    let id = company.ask(Right::Deletion, ANA).await;
    company.work().await;
    assert_eq!(company.request(id).await.undelivered_mails, 1);
    let mail = mails(&company, id).await.remove(0).mail;
    assert_eq!(mail.state, "failed");
    let events = company.casework.events(&operator(), id, 0, 200).await.unwrap().items;
    let failed: Vec<_> = events.iter().filter(|event| event.kind == "mail.failed").collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].data.contains(r#""attempts":1"#), "it was handed over once: {}", failed[0].data);
    company.outside.mailbox.refuse(None);
    company.casework.retry_mail(&operator(), id, mail.id).await.unwrap();
    company.work().await;
    assert_eq!(company.request(id).await.undelivered_mails, 0);
    let again = company.casework.retry_mail(&operator(), id, mail.id).await;
    assert!(matches!(again, Err(CaseworkError::MailHasLeft)));
    assert_eq!(company.outside.mailbox.received().len(), 1);
}

async fn a_worker_that_dies_hands_the_same_mail_over_again(database: TestDatabase) {
    let company = Company::with(database, Setup::at(System::DirectContact)).await;
    let id = company.ask(Right::Access, ANA).await;
    let claimed = company.casework.claim(MAIL_LANE, LEASE_MS, 10).await.unwrap();
    assert_eq!(claimed.mails.len(), 1);
    let first = claimed.mails[0].1.clone();
    assert_eq!(mails(&company, id).await[0].mail.state, "sending", "that it may leave is on record");
    drop(claimed);
    company.time.advance(LEASE);
    company.engine.work_until_idle().await;
    let again = company.outside.mailbox.newest(OWNER);
    assert_eq!((again.id, again.text), (first.id, first.text));
    assert!(
        !mails(&company, id).await[0]
            .content
            .as_ref()
            .unwrap()
            .text
            .contains(&company.outside.mailbox.token(OWNER, "contact"))
    );
}

async fn a_contact_answers_through_the_link_and_uses_it_up(database: TestDatabase) {
    let company = Company::with(database, Setup::at(System::DirectContact)).await;
    let id = company.ask(Right::Access, ANA).await;
    company.engine.work_until_idle().await;
    let mail = company.outside.mailbox.newest(OWNER);
    assert!(!mail.text.contains(ANA) && !mail.html.contains(ANA), "only the form says whom it is about");
    let first = company.outside.mailbox.token(OWNER, "contact");
    company.time.advance_days(5);
    company.engine.work_until_idle().await;
    let second = company.outside.mailbox.token(OWNER, "contact");
    assert_ne!(first, second, "a reminder has a link of its own");
    let page = company.casework.contact_page(&first).await.unwrap();
    assert_eq!((page.system.as_str(), page.identifiers[0].1.as_str()), ("shop", ANA));
    let mut upload = company.casework.begin_upload_by_link(&second).await.unwrap();
    upload.write(b"Dear Ana").await.unwrap();
    let file = upload.finish("letter.txt", "text/plain").await.unwrap();
    let answer = |name: Option<&str>| ContactAnswer {
        answer: Answer::Data,
        name: name.map(str::to_owned),
        note: None,
        records: Vec::new(),
        files: vec![file.clone()],
    };
    let nameless = company.casework.answer_by_link(&second, answer(None)).await;
    assert!(matches!(nameless, Err(CaseworkError::Validation(_))));
    company.casework.answer_by_link(&second, answer(Some("Pat Owner"))).await.unwrap();
    for used in [&first, &second] {
        assert!(matches!(company.casework.contact_page(used).await, Err(CaseworkError::LinkUnusable)));
        let again = company.casework.answer_by_link(used, answer(Some("Pat Owner"))).await;
        assert!(matches!(again, Err(CaseworkError::LinkUnusable)));
    }
    company.engine.work_until_idle().await;
    assert_eq!(company.state(id).await, RequestState::Delivering);
    assert_eq!(company.package(id).await["shop/files/letter.txt"], b"Dear Ana");
}

async fn the_team_is_told_of_a_silent_contact(database: TestDatabase) {
    let company = Company::with(database, Setup::at(System::DirectContact)).await;
    let id = company.ask(Right::Access, ANA).await;
    for _ in 0..14 {
        company.time.advance_days(1);
        company.engine.work_until_idle().await;
    }
    let late = company.outside.mailbox.token(OWNER, "contact");
    assert!(matches!(company.casework.contact_page(&late).await, Err(CaseworkError::LinkUnusable)));
    assert_eq!(company.last_run(id).await.run.status, RunStatus::Attention);
    let told = company.outside.mailbox.newest(TEAM);
    assert!(told.text.contains("shop") && !told.text.contains(ANA), "{}", told.text);
    // Asked again, the contact gets a new link.
    let run = company.last_run(id).await.run.id;
    company.casework.retry_run(&operator(), id, run).await.unwrap();
    company.engine.work_until_idle().await;
    let fresh = company.outside.mailbox.token(OWNER, "contact");
    assert!(company.casework.contact_page(&fresh).await.is_ok());
}

async fn a_mail_is_given_up_after_five_days(database: TestDatabase) {
    let company = Company::new(database).await;
    company.outside.mailbox.refuse(Some(away()));
    let id = company.ask(Right::Deletion, ANA).await;
    company.work().await;
    let mut waits = Vec::new();
    let mut days = 0;
    while let Some(next) = mails(&company, id).await[0].next_at {
        waits.push(next.duration_since(company.time.now()));
        company.time.advance_to(next);
        company.engine.work_until_idle().await;
        days =
            company.time.now().duration_since(mails(&company, id).await[0].mail.created_at).as_hours() / 24;
    }
    assert!(waits[0].as_secs() <= 60 && waits[7].as_secs() >= 1_800, "{:?}", &waits[..8]);
    assert!(waits.iter().all(|wait| wait.as_secs() <= 3_600));
    assert_eq!(days, 4, "it was tried until the fifth day was over");
    assert_eq!(states(&company, id).await, [("erased".to_owned(), "failed".to_owned())]);
    assert_eq!(company.request(id).await.undelivered_mails, 1);
    assert!(company.outside.mailbox.received().is_empty());
}

async fn a_mail_whose_address_is_forgotten_cannot_be_sent(database: TestDatabase) {
    let company = Company::new(database).await;
    company.outside.mailbox.refuse(Some(MailFailure { lasting: true, ..away() }));
    let id = company.ask(Right::Deletion, ANA).await;
    company.work().await;
    let mail = mails(&company, id).await.remove(0).mail.id;
    company.time.advance_days(800);
    company.casework.forget_what_is_due().await.unwrap();
    assert!(mails(&company, id).await[0].content.is_none());
    company.outside.mailbox.refuse(None);
    let refused = company.casework.retry_mail(&operator(), id, mail).await;
    assert!(matches!(refused, Err(CaseworkError::Forgotten(_))), "{refused:?}");
    company.work().await;
    assert_eq!(states(&company, id).await, [("erased".to_owned(), "failed".to_owned())]);
    assert_eq!(company.casework.queued_mails(&operator()).await.unwrap(), 0);
}

async fn whoever_has_no_address_gets_no_mail(database: TestDatabase) {
    let company = Company::with(database, Setup::at(System::SegmentConfig)).await;
    let mut nameless = asking(Right::Deletion, "customer-4711-0815", true);
    nameless.identifiers[0].field = "subject.customer_id".to_owned();
    nameless.identifiers[0].kind = IdentifierType::UserId;
    let id = company.casework.create_request(&operator(), nameless, None).await.unwrap();
    let reason = DenialReason::NotACoveredPerson;
    company.casework.deny(&operator(), id, reason, None, true).await.unwrap();
    company.engine.work_until_idle().await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Denied));
    assert!(company.outside.mailbox.received().is_empty());
    assert!(company.history(id).await.contains(&"mail.no_address".to_owned()));
    let events = company.casework.events(&operator(), id, 0, 200).await.unwrap().items;
    assert!(events.iter().all(|event| !event.data.contains("4711-0815")));
}

async fn what_is_kept_of_the_mails_of_an_access_opens_nothing(database: TestDatabase) {
    let company = Company::new(database).await;
    let new = NewRequest { delivery: Some(Delivery::Mail), ..asking(Right::Access, ANA, false) };
    let id = company.casework.create_request(&operator(), new, None).await.unwrap();
    company.work().await;
    let token = company.outside.mailbox.token(ANA, "download");
    company.casework.send_code(&token).await.unwrap();
    company.work().await;
    let code = company.outside.mailbox.newest(ANA);
    let digits = code.text.split_whitespace().find(|word| word.len() == 6 && word.parse::<u32>().is_ok());
    let digits = digits.unwrap().to_owned();
    let records = company.records(id).await;
    for mail in company.outside.mailbox.received() {
        for text in [&mail.subject, &mail.text, &mail.html] {
            assert!(!text.contains("ana.silva") && !text.contains("Silva"), "{text}");
            assert!(records.iter().all(|record| !text.contains(&record.content.vendor_id)), "{text}");
        }
    }
    let kept = mails(&company, id).await;
    assert!(kept.len() >= 2);
    for case in kept {
        assert_eq!((case.mail.audience.as_str(), case.mail.state.as_str()), ("subject", "sent"));
        let content = case.content.unwrap();
        assert_eq!(content.to, ANA);
        for text in [&content.text, &content.html] {
            assert!(!text.contains(&token) && !text.contains(&digits), "{}", case.mail.kind);
        }
    }
}
