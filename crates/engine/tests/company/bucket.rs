//! Large contents in a bucket of a real S3-compatible server, which may be gone.

use std::time::Duration;

use habeas_casework::CaseworkError;
use habeas_casework::contacts::{Answer, ContactAnswer};
use habeas_casework::files::StoredFile;
use habeas_domain::{RequestId, RequestState, Right};
use habeas_store::storage::{Access, Bucket, Storage, StorageError};
use habeas_testing::{S3Server, TestDatabase, on_both_databases};

use crate::support::{ANA, Company, Setup, System, operator};

on_both_databases![
    a_large_package_is_made_and_fetched,
    while_the_bucket_is_gone_nothing_is_lost_and_afterwards_the_work_goes_on,
    what_nobody_needs_is_swept_when_the_bucket_is_there_again,
];

const HOUR: Duration = Duration::from_secs(3_600);
/// More than one part of an upload.
const SEVERAL_PARTS: usize = 6_000_000;
const LARGE: usize = 1_000_000;

async fn company(database: TestDatabase, server: &S3Server) -> Company {
    let bucket = Bucket {
        name: S3Server::BUCKET.to_owned(),
        prefix: "habeas".to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: Some(server.endpoint()),
        path_style: true,
        access: Access::Key {
            id: S3Server::ACCESS_KEY_ID.to_owned(),
            secret: S3Server::SECRET_ACCESS_KEY.into(),
            session_token: None,
        },
        timeout: Duration::from_secs(30),
    };
    let storage = Storage::in_bucket(&bucket).unwrap();
    Company::with_storage(database, Setup::at(System::DirectContact), storage).await
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 % 251) as u8).collect()
}

async fn upload(company: &Company, id: RequestId, length: usize) -> Result<StoredFile, CaseworkError> {
    let mut upload = company.casework.begin_upload(&operator(), id).await?;
    for piece in content(length).chunks(1_000_003) {
        upload.write(piece).await?;
    }
    upload.finish("scan.pdf", "application/pdf").await
}

async fn answer(company: &Company, id: RequestId, files: Vec<StoredFile>) {
    let run = company.last_run(id).await.run.id;
    let given = ContactAnswer { answer: Answer::Data, name: None, note: None, records: Vec::new(), files };
    company.casework.answer_run(&operator(), id, run, given).await.unwrap();
}

fn is_unreachable<T>(outcome: &Result<T, CaseworkError>) -> bool {
    matches!(outcome, Err(CaseworkError::Storage(error)) if matches!(**error, StorageError::Unreachable(_)))
}

async fn problem(company: &Company, id: RequestId) -> Option<String> {
    match company.casework.package_length(&operator(), id).await {
        Err(CaseworkError::PackageNotReady { problem }) => problem,
        other => panic!("{other:?}"),
    }
}

async fn a_large_package_is_made_and_fetched(database: TestDatabase) {
    let server = S3Server::start();
    let company = company(database, &server).await;
    let id = company.ask(Right::Access, ANA).await;
    let file = upload(&company, id, SEVERAL_PARTS).await.unwrap();
    answer(&company, id, vec![file]).await;
    company.engine.work_until_idle().await;
    let objects = server.objects();
    assert_eq!(objects.len(), 2, "the file and the package: {objects:?}");
    assert!(objects.iter().all(|name| name.starts_with("habeas/obj_")), "{objects:?}");
    assert!(company.package(id).await["shop/files/scan.pdf"] == content(SEVERAL_PARTS));
    assert_eq!(company.state(id).await, RequestState::Closed);
    // A month later it is forgotten, and so is what lies in the bucket.
    company.time.advance_days(31);
    company.engine.forget().await;
    assert_eq!(server.objects(), Vec::<String>::new());
    assert!(company.audit_is_whole().await);
}

async fn while_the_bucket_is_gone_nothing_is_lost_and_afterwards_the_work_goes_on(database: TestDatabase) {
    let server = S3Server::start();
    let company = company(database, &server).await;
    let id = company.ask(Right::Access, ANA).await;
    server.leave_after(0);
    let refused = upload(&company, id, LARGE).await;
    assert!(is_unreachable(&refused), "{refused:?}");
    assert!(is_unreachable(&company.casework.ready().await), "the server says so");
    // A small one needs no bucket.
    upload(&company, id, 1_000).await.unwrap();
    server.come_back();
    let file = upload(&company, id, LARGE).await.unwrap();
    answer(&company, id, vec![file]).await;
    assert_eq!(company.state(id).await, RequestState::Delivering);

    // Gone while the file is read, then when the package is written, then altogether.
    for (calls, made) in [(2, ["GET", "GET"].as_slice()), (5, &["GET"; 5]), (0, &[])] {
        drop(server.take_calls());
        server.leave_after(calls);
        company.engine.work_until_idle().await;
        let told = problem(&company, id).await.unwrap();
        assert!(told.contains("cannot be reached"), "{told}");
        assert_eq!(server.take_calls(), made);
        server.come_back();
        company.time.advance(HOUR);
    }
    company.engine.work_until_idle().await;
    assert!(company.package(id).await["shop/files/scan.pdf"] == content(LARGE));
    let built = company.history(id).await.iter().filter(|kind| *kind == "package.built").count();
    assert_eq!(built, 1);
    company.casework.ready().await.unwrap();
}

async fn what_nobody_needs_is_swept_when_the_bucket_is_there_again(database: TestDatabase) {
    let server = S3Server::start();
    let company = company(database, &server).await;
    let id = company.ask_with_review(Right::Access, ANA).await;
    let mut broken_off = company.casework.begin_upload(&operator(), id).await.unwrap();
    broken_off.write(&content(SEVERAL_PARTS)).await.unwrap();
    assert!(server.has_unfinished_uploads());
    drop(broken_off);
    upload(&company, id, 300_000).await.unwrap();
    let kept = upload(&company, id, 300_000).await.unwrap();
    answer(&company, id, vec![kept]).await;
    while server.has_unfinished_uploads() {
        tokio::task::yield_now().await;
    }
    company.time.advance(25 * HOUR);
    server.leave();
    let refused = company.casework.sweep_storage().await;
    assert!(is_unreachable(&refused), "{refused:?}");
    server.come_back();
    assert_eq!(server.objects().len(), 2);
    assert_eq!(
        company.casework.sweep_storage().await.unwrap(),
        2,
        "what broke off, and what no answer brought"
    );
    assert_eq!(server.objects().len(), 1, "what an answer brought stays");
    assert_eq!(company.casework.sweep_storage().await.unwrap(), 0);
}
