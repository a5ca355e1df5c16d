//! The subject fetches the package: by a link, and a code that is mailed as well.

use std::time::Duration;

use futures::StreamExt as _;
use habeas_casework::CaseworkError;
use habeas_casework::contacts::{Answer, ContactAnswer};
use habeas_casework::delivery::{Grant, PackageReading};
use habeas_casework::intake::{Delivery, NewRequest};
use habeas_domain::{Outcome, RequestId, RequestState, Right};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{ANA, Company, Setup, System, asking, operator};

on_both_databases![
    a_code_opens_the_download_and_the_first_complete_one_uses_it_up,
    a_download_that_broke_off_is_continued,
    codes_are_counted,
    what_is_not_fetched_in_time_may_be_sent_again,
    a_download_that_has_begun_outlives_its_link,
    a_large_package_is_made_in_the_background,
    a_link_to_what_was_taken_back_opens_nothing,
];

const HOUR: Duration = Duration::from_secs(3_600);

async fn delivering(company: &Company) -> RequestId {
    let new = NewRequest { delivery: Some(Delivery::Mail), ..asking(Right::Access, ANA, false) };
    let id = company.casework.create_request(&operator(), new, None).await.unwrap();
    company.work().await;
    assert_eq!(company.state(id).await, RequestState::Delivering);
    id
}

fn token(company: &Company) -> String {
    company.outside.mailbox.token(ANA, "download")
}

async fn code(company: &Company, token: &str) -> String {
    company.casework.send_code(token).await.unwrap();
    company.work().await;
    let mail = company.outside.mailbox.newest(ANA);
    mail.text
        .lines()
        .map(str::trim)
        .find(|line| line.len() == 6 && line.parse::<u32>().is_ok())
        .unwrap()
        .to_owned()
}

async fn grant(company: &Company, token: &str) -> Grant {
    let code = code(company, token).await;
    company.casework.give_code(token, &format!("{} {}", &code[..3], &code[3..])).await.unwrap()
}

/// Takes so many bytes, then goes away.
async fn take(reading: PackageReading, bytes: usize) -> Vec<u8> {
    let mut taken = Vec::new();
    let mut stream = Box::pin(reading.stream());
    while taken.len() < bytes
        && let Some(piece) = stream.next().await
    {
        taken.extend(piece.unwrap());
    }
    drop(stream);
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    taken
}

fn unusable<T>(result: Result<T, CaseworkError>) -> bool {
    matches!(result, Err(CaseworkError::LinkUnusable))
}

async fn a_code_opens_the_download_and_the_first_complete_one_uses_it_up(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = delivering(&company).await;
    let token = token(&company);
    let page = company.casework.download_page(&token, None).await.unwrap();
    assert!(page.bytes.is_some() && page.code_until.is_none() && page.granted_until.is_none());
    let (casework, none) = (&company.casework, String::new());
    assert!(unusable(casework.package_by_link(&token, &none, 0).await), "nothing without the code");
    let first = grant(&company, &token).await;
    let second = grant(&company, &token).await;
    assert!(
        unusable(casework.package_by_link(&token, &first.secret, 0).await),
        "the newer browser takes over"
    );
    let page = casework.download_page(&token, Some(&second.secret)).await.unwrap();
    assert_eq!(page.granted_until, Some(second.until));
    let reading = casework.package_by_link(&token, &second.secret, 0).await.unwrap();
    let (bytes, sha256) = (reading.bytes, reading.sha256.clone());
    let package = take(reading, usize::MAX).await;
    assert_eq!(package.len() as u64, bytes);
    assert!(habeas_testing::unpack(&package).contains_key("index.html"));
    assert_eq!(company.outcome(id).await, Some(Outcome::Downloaded));
    assert!(unusable(casework.download_page(&token, Some(&second.secret)).await));
    assert!(unusable(casework.package_by_link(&token, &second.secret, 0).await), "used up");
    // Whoever lost the end of it can still have that.
    let rest = take(casework.package_by_link(&token, &second.secret, 10).await.unwrap(), usize::MAX).await;
    assert_eq!(rest, package[10..]);
    company.time.advance(25 * HOUR);
    assert!(unusable(casework.package_by_link(&token, &second.secret, 10).await));
    let certificate = casework.certificate(&operator(), id).await.unwrap();
    assert_eq!(certificate.package.unwrap().sha256, sha256);
}

async fn a_download_that_broke_off_is_continued(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = delivering(&company).await;
    let token = token(&company);
    let grant = grant(&company, &token).await;
    let by_link = async |from| company.casework.package_by_link(&token, &grant.secret, from).await.unwrap();
    let bytes = by_link(0).await.bytes;
    // The end alone is not all of it.
    take(by_link(bytes - 1).await, usize::MAX).await;
    assert_eq!(company.state(id).await, RequestState::Delivering);
    let nine_tenths = by_link(0).await.until(bytes * 9 / 10);
    let begun = take(nine_tenths, usize::MAX).await;
    assert_eq!(company.state(id).await, RequestState::Delivering);
    let rest = take(by_link(begun.len() as u64).await, usize::MAX).await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Downloaded));
    assert!(habeas_testing::unpack(&[begun, rest].concat()).contains_key("manifest.json"));
}

async fn codes_are_counted(database: TestDatabase) {
    let company = Company::new(database).await;
    delivering(&company).await;
    let token = token(&company);
    let right = code(&company, &token).await;
    let wrong = if right == "000000" { "111111" } else { "000000" };
    for left in [4, 3, 2, 1, 0] {
        let refused = company.casework.give_code(&token, wrong).await;
        assert!(matches!(refused, Err(CaseworkError::CodeWrong { left: at }) if at == left), "{refused:?}");
    }
    assert!(company.casework.give_code(&token, &right).await.is_err(), "tried too often");
    for _ in 0..4 {
        company.casework.send_code(&token).await.unwrap();
    }
    assert!(matches!(company.casework.send_code(&token).await, Err(CaseworkError::TooManyCodes { .. })));
    company.time.advance(HOUR);
    let late = code(&company, &token).await;
    company.time.advance(HOUR / 4);
    assert!(matches!(
        company.casework.give_code(&token, &late).await,
        Err(CaseworkError::CodeWrong { left: 0 })
    ));
    assert!(company.casework.give_code(&token, &code(&company, &token).await).await.is_ok());
}

async fn what_is_not_fetched_in_time_may_be_sent_again(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = delivering(&company).await;
    let first = token(&company);
    company.time.advance_days(7);
    company.work().await;
    assert_eq!(company.outcome(id).await, Some(Outcome::NotDownloaded));
    assert!(unusable(company.casework.download_page(&first, None).await));
    assert!(company.outside.mailbox.newest(ANA).text.contains("not downloaded"));
    company.casework.send_download_link(&operator(), id).await.unwrap();
    company.work().await;
    let second = token(&company);
    let grant = grant(&company, &second).await;
    take(company.casework.package_by_link(&second, &grant.secret, 0).await.unwrap(), usize::MAX).await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Downloaded));
    let refused = company.casework.send_download_link(&operator(), id).await;
    assert!(matches!(refused, Err(CaseworkError::IllegalMove(_))));
    assert!(company.audit_is_whole().await);
}

async fn a_download_that_has_begun_outlives_its_link(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = delivering(&company).await;
    let token = token(&company);
    company.time.advance(7 * 24 * HOUR - HOUR);
    let grant = grant(&company, &token).await;
    company.time.advance(2 * HOUR);
    company.work().await;
    assert_eq!(company.state(id).await, RequestState::Delivering, "it has begun");
    take(company.casework.package_by_link(&token, &grant.secret, 0).await.unwrap(), usize::MAX).await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Downloaded));
}

async fn a_large_package_is_made_in_the_background(database: TestDatabase) {
    let company = Company::with(database, Setup::at(System::DirectContact)).await;
    let id = company.ask(Right::Access, ANA).await;
    let run = company.last_run(id).await.run.id;
    let content: Vec<u8> = (0..1_000_000_u32).map(|at| (at * 7 % 251) as u8).collect();
    let mut upload = company.casework.begin_upload(&operator(), id).await.unwrap();
    upload.write(&content).await.unwrap();
    let file = upload.finish("../scan.pdf", "application/pdf").await.unwrap();
    let mut unused = company.casework.begin_upload(&operator(), id).await.unwrap();
    unused.write(&content).await.unwrap();
    let unused = unused.finish("unused.pdf", "application/pdf").await.unwrap();
    let answer = ContactAnswer {
        answer: Answer::Data,
        name: None,
        note: None,
        records: Vec::new(),
        files: vec![file],
    };
    company.casework.answer_run(&operator(), id, run, answer).await.unwrap();
    let refused = company.casework.package_length(&operator(), id).await;
    assert!(matches!(refused, Err(CaseworkError::PackageNotReady { .. })), "{refused:?}");
    company.engine.work_until_idle().await;
    let package = company.package(id).await;
    assert_eq!(package["shop/files/scan.pdf"], content);
    // What nobody needs is swept, and what was forgotten.
    company.casework.discard_files([unused]).await;
    assert_eq!(company.casework.sweep_storage().await.unwrap(), 1);
    company.time.advance_days(31);
    company.casework.forget_what_is_due().await.unwrap();
    assert_eq!(company.casework.sweep_storage().await.unwrap(), 2, "the file and the package");
    assert_eq!(company.casework.sweep_storage().await.unwrap(), 0);
}

async fn a_link_to_what_was_taken_back_opens_nothing(database: TestDatabase) {
    let company = Company::new(database).await;
    let id = delivering(&company).await;
    let token = token(&company);
    let grant = grant(&company, &token).await;
    company.casework.withdraw(&operator(), id).await.unwrap();
    let casework = &company.casework;
    assert!(unusable(casework.download_page(&token, Some(&grant.secret)).await));
    assert!(unusable(casework.send_code(&token).await));
    for from in [0, 10] {
        assert!(unusable(casework.package_by_link(&token, &grant.secret, from).await), "from {from}");
    }
    assert!(unusable(casework.package_length_by_link(&token, &grant.secret).await));
    assert_eq!(company.outcome(id).await, Some(Outcome::Withdrawn));
}
