//! Files that are too large for the database: kept beside it, delivered, and swept when nobody needs them.

use std::time::Duration;

use futures::StreamExt as _;
use habeas_casework::CaseworkError;
use habeas_casework::contacts::{Answer, ContactAnswer};
use habeas_casework::files::StoredFile;
use habeas_casework::intake::{Delivery, NewRequest};
use habeas_casework::package::PACKAGE_LANE;
use habeas_domain::{DueWorkId, Outcome, RequestId, RequestState, Right};
use habeas_sandbox::faults::Rule;
use habeas_store::due_work::{self, DueWorkKind, NewDueWork};
use habeas_store::storage::StorageError;
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{ANA, Company, Room, Setup, System, asking, operator, status};

on_both_databases![
    only_a_large_file_lies_in_the_storage,
    a_full_storage_is_shown_and_the_work_goes_on_when_there_is_room,
    a_file_that_does_not_fit_is_refused_and_leaves_nothing,
    a_package_that_is_made_again_is_the_same,
    what_was_begun_and_given_up_is_swept_after_a_day,
    what_was_swept_is_not_taken_for_an_answer,
    what_is_forgotten_is_swept,
];

const HOUR: Duration = Duration::from_secs(3_600);
/// Bytes of the largest file that lies in its record.
const LARGEST_IN_A_RECORD: usize = 256 << 10;
const LARGE: usize = 1_000_000;

async fn company(database: TestDatabase, room: &Room) -> Company {
    Company::with_room(database, Setup::at(System::DirectContact), room).await
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 % 251) as u8).collect()
}

async fn upload(company: &Company, id: RequestId, length: usize) -> Result<StoredFile, CaseworkError> {
    let mut upload = company.casework.begin_upload(&operator(), id).await?;
    for piece in content(length).chunks(100_003) {
        upload.write(piece).await?;
    }
    upload.finish("scan.pdf", "application/pdf").await
}

async fn answer(company: &Company, id: RequestId, files: Vec<StoredFile>) -> Result<(), CaseworkError> {
    let run = company.last_run(id).await.run.id;
    let given = ContactAnswer { answer: Answer::Data, name: None, note: None, records: Vec::new(), files };
    company.casework.answer_run(&operator(), id, run, given).await
}

/// What went wrong at the storage, if that is why it went wrong.
fn at_the_storage<T>(result: &Result<T, CaseworkError>) -> Option<&StorageError> {
    match result {
        Err(CaseworkError::Storage(error)) => Some(error),
        _ => None,
    }
}

async fn sweep(company: &Company) -> usize {
    company.casework.sweep_storage().await.unwrap()
}

async fn problem(company: &Company, id: RequestId) -> Option<String> {
    match company.casework.package_length(&operator(), id).await {
        Err(CaseworkError::PackageNotReady { problem }) => problem,
        other => panic!("{other:?}"),
    }
}

async fn only_a_large_file_lies_in_the_storage(database: TestDatabase) {
    let room = Room::default();
    let company = company(database, &room).await;
    let id = company.ask_with_review(Right::Access, ANA).await;
    let small = upload(&company, id, LARGEST_IN_A_RECORD).await.unwrap();
    assert_eq!(room.objects().await, 0);
    let large = upload(&company, id, LARGEST_IN_A_RECORD + 1).await.unwrap();
    assert_eq!(room.objects().await, 1);
    assert!(matches!((&small, &large), (StoredFile::Inline(_), StoredFile::Object(_))));
    assert_eq!((small.size(), large.size()), (262_144, 262_145));
    answer(&company, id, vec![small, large]).await.unwrap();
    assert_eq!(company.state(id).await, RequestState::Review);
    let mut sizes = Vec::new();
    for record in company.records(id).await {
        let reading = company.casework.record_file(&operator(), id, record.record.id).await.unwrap();
        let pieces: Vec<_> = reading.content.map(Result::unwrap).collect().await;
        let bytes = pieces.concat();
        assert_eq!(bytes, content(bytes.len()));
        sizes.push(bytes.len());
    }
    sizes.sort_unstable();
    assert_eq!(sizes, [LARGEST_IN_A_RECORD, LARGEST_IN_A_RECORD + 1]);
    assert!(!company.dump().await.iter().any(|row| row.contains("scan.pdf")), "its name is sealed");
}

async fn a_full_storage_is_shown_and_the_work_goes_on_when_there_is_room(database: TestDatabase) {
    let room = Room::default();
    let company = company(database, &room).await;
    let new = NewRequest { delivery: Some(Delivery::Mail), ..asking(Right::Access, ANA, false) };
    let id = company.casework.create_request(&operator(), new, None).await.unwrap();
    let file = upload(&company, id, LARGE).await.unwrap();
    answer(&company, id, vec![file]).await.unwrap();
    assert_eq!(company.state(id).await, RequestState::Delivering);
    assert_eq!(problem(&company, id).await, None, "nobody has tried yet");
    room.fill();
    for _ in 0..3 {
        company.engine.work_until_idle().await;
        assert!(problem(&company, id).await.unwrap().contains("is full"));
        company.time.advance(HOUR);
    }
    let subject = company.outside.mailbox.received().into_iter().filter(|mail| mail.to == ANA).count();
    assert_eq!(subject, 0, "nobody is sent to a package that is not there");
    room.free();
    company.engine.work_until_idle().await;
    let token = company.outside.mailbox.token(ANA, "download");
    let page = company.casework.download_page(&token, None).await.unwrap();
    assert!(page.bytes.is_some_and(|bytes| bytes > 0));
    assert_eq!(company.package(id).await["shop/files/scan.pdf"], content(LARGE));
    assert_eq!(sweep(&company).await, 3, "what the failures left");
    assert_eq!(room.objects().await, 2);
    let built = company.history(id).await.iter().filter(|kind| *kind == "package.built").count();
    assert_eq!(built, 1);
}

async fn a_file_that_does_not_fit_is_refused_and_leaves_nothing(database: TestDatabase) {
    let room = Room::default();
    let company = company(database, &room).await;
    let id = company.ask_with_review(Right::Access, ANA).await;
    room.fill();
    let refused = upload(&company, id, LARGE).await;
    assert!(matches!(at_the_storage(&refused), Some(StorageError::Full)), "{refused:?}");
    // A small one needs no room there.
    upload(&company, id, 1_000).await.unwrap();
    room.free();
    let file = upload(&company, id, LARGE).await.unwrap();
    answer(&company, id, vec![file]).await.unwrap();
    company.time.advance(25 * HOUR);
    assert_eq!(sweep(&company).await, 1);
    assert_eq!(room.objects().await, 1, "what the answer brought is kept");
}

async fn a_package_that_is_made_again_is_the_same(database: TestDatabase) {
    let room = Room::default();
    let company = company(database, &room).await;
    let id = company.ask(Right::Access, ANA).await;
    let files = vec![upload(&company, id, LARGE).await.unwrap(), upload(&company, id, 5).await.unwrap()];
    answer(&company, id, files).await.unwrap();
    company.engine.work_until_idle().await;
    let first = company.casework.package_length(&operator(), id).await.unwrap();
    assert!(first.0 > 0);
    // As if it had been lost before anybody could fetch it.
    let lost = "UPDATE packages SET bytes = NULL, sha256 = NULL, object_id = NULL";
    assert_eq!(company.database.raw().await.run(lost).await, 1);
    company.time.advance_days(3);
    let work = NewDueWork {
        id: DueWorkId::new(company.environment.unique()),
        kind: DueWorkKind::Package,
        object: id.to_string(),
        lane: PACKAGE_LANE.to_owned(),
        due_at: company.time.now(),
        next_at: company.time.now(),
    };
    let store = company.casework.store();
    store
        .write(move |unit| Box::pin(async move { due_work::insert(unit.connection(), &[work]).await }))
        .await
        .unwrap();
    assert_eq!(problem(&company, id).await, None);
    company.engine.work_until_idle().await;
    assert_eq!(company.casework.package_length(&operator(), id).await.unwrap(), first, "also days later");
    assert_eq!(room.objects().await, 3, "the file and two packages, of which one is nobody's");
}

async fn what_was_begun_and_given_up_is_swept_after_a_day(database: TestDatabase) {
    let room = Room::default();
    let company = company(database, &room).await;
    let id = company.ask_with_review(Right::Access, ANA).await;
    let mut broken_off = company.casework.begin_upload(&operator(), id).await.unwrap();
    broken_off.write(&content(LARGE)).await.unwrap();
    drop(broken_off);
    upload(&company, id, LARGE).await.unwrap();
    let discarded = upload(&company, id, LARGE).await.unwrap();
    let kept = upload(&company, id, LARGE).await.unwrap();
    assert_eq!(room.objects().await, 3, "what is not finished is not there");
    company.casework.discard_files([discarded]).await;
    assert_eq!(sweep(&company).await, 1, "what was given up goes at once, the rest may still be sent");
    company.time.advance(23 * HOUR);
    assert_eq!(sweep(&company).await, 0);
    answer(&company, id, vec![kept.clone()]).await.unwrap();
    company.time.advance(2 * HOUR);
    assert_eq!(sweep(&company).await, 2);
    // What a record refers to cannot be given up any more.
    company.casework.discard_files([kept]).await;
    assert_eq!((sweep(&company).await, room.objects().await), (0, 1));
    let record = company.records(id).await.remove(0).record.id;
    assert!(company.casework.record_file(&operator(), id, record).await.is_ok());
}

async fn what_was_swept_is_not_taken_for_an_answer(database: TestDatabase) {
    let room = Room::default();
    let company = company(database, &room).await;
    let id = company.ask_with_review(Right::Access, ANA).await;
    let late = upload(&company, id, LARGE).await.unwrap();
    company.time.advance(25 * HOUR);
    assert_eq!((sweep(&company).await, room.objects().await), (1, 0));
    let before = company.dump().await;
    let refused = answer(&company, id, vec![late]).await;
    assert!(matches!(at_the_storage(&refused), Some(StorageError::Missing)), "{refused:?}");
    assert_eq!(company.dump().await, before, "the answer is not half taken");
    let again = upload(&company, id, LARGE).await.unwrap();
    answer(&company, id, vec![again]).await.unwrap();
    assert_eq!(company.state(id).await, RequestState::Review);
}

async fn what_is_forgotten_is_swept(database: TestDatabase) {
    let room = Room::default();
    let company = Company::with_room(database, Setup::USUAL, &room).await;
    company.fault(Rule::new("readycloud", status(405)).times(1));
    let deletion = company.ask_with_review(Right::Deletion, ANA).await;
    company.work().await;
    let run = company.last_run(deletion).await.run.id;
    company.casework.hand_over_run(&operator(), deletion, run, "owner@shop.example.test").await.unwrap();
    let file = upload(&company, deletion, LARGE).await.unwrap();
    let unused = upload(&company, deletion, LARGE).await.unwrap();
    answer(&company, deletion, vec![file]).await.unwrap();
    let record = company.records(deletion).await.remove(0).record.id;
    company.casework.withdraw(&operator(), deletion).await.unwrap();
    assert_eq!(company.outcome(deletion).await, Some(Outcome::Withdrawn));
    let read = company.casework.record_file(&operator(), deletion, record).await;
    assert!(matches!(read, Err(CaseworkError::NotFound { .. })), "{read:?}");
    let begun = company.casework.begin_upload(&operator(), deletion).await;
    assert!(matches!(begun, Err(CaseworkError::Forgotten(_))));
    assert!(unused.size() > 0);
    assert_eq!(room.objects().await, 2, "the storage is swept later");
    assert_eq!((sweep(&company).await, room.objects().await), (2, 0), "also what no answer brought");
    assert_eq!(sweep(&company).await, 0);
    assert!(company.audit_is_whole().await);
}
