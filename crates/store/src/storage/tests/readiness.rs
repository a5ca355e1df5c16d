//! Whether the storage can be used: asked often, looked at seldom.

use std::time::Duration;

use super::*;

const PUT: &str = "PUT";
const GET: &str = "GET";

#[tokio::test]
async fn it_is_looked_at_seldom_and_written_less() {
    let (clock, environment) = habeas_testing::environment();
    let server = S3Server::start();
    let storage = Storage::in_bucket(&bucket(&server)).unwrap();
    for _ in 0..3 {
        storage.ready(&environment).await.unwrap();
    }
    assert_eq!(server.take_calls(), [PUT], "written once, at the start");
    for _ in 0..3 {
        clock.advance(Duration::from_secs(5));
        for _ in 0..3 {
            storage.ready(&environment).await.unwrap();
        }
    }
    assert_eq!(server.take_calls(), [GET, GET, GET]);
    assert_eq!(server.objects(), ["privacy/packages/probe"]);
}

#[tokio::test]
async fn many_who_ask_at_once_wait_for_one_look() {
    let (_, environment) = habeas_testing::environment();
    let server = S3Server::start();
    let storage = Storage::in_bucket(&bucket(&server)).unwrap();
    let all = (0..20).map(|_| storage.ready(&environment));
    assert!(futures::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(server.take_calls(), [PUT]);
}

#[tokio::test]
async fn it_goes_red_and_comes_back() {
    let (clock, environment) = habeas_testing::environment();
    let server = S3Server::start();
    let storage = Storage::in_bucket(&bucket(&server)).unwrap();
    storage.ready(&environment).await.unwrap();
    server.leave();
    storage.ready(&environment).await.unwrap();
    clock.advance(Duration::from_secs(5));
    let problem = storage.ready(&environment).await.unwrap_err();
    assert!(problem.to_string().contains("cannot be reached (there is no connection to it)"), "{problem}");
    assert!(!storage.works());
    server.come_back();
    assert_eq!(storage.ready(&environment).await, Err(problem), "it was looked at a moment ago");
    clock.advance(Duration::from_secs(5));
    drop(server.take_calls());
    storage.ready(&environment).await.unwrap();
    assert_eq!(server.take_calls(), [PUT], "after a failure it is proven that it can be written");
    assert!(storage.works());
    // It answers nobody: whoever asks gets an answer all the same.
    clock.advance(Duration::from_secs(5));
    server.answer_nobody();
    let problem = storage.ready(&environment).await.unwrap_err();
    assert!(problem.to_string().contains("did not answer in time"), "{problem}");
    server.answer_again();
    clock.advance(Duration::from_secs(5));
    storage.ready(&environment).await.unwrap();
}

#[tokio::test]
async fn what_work_ran_into_counts_at_once() {
    let (_, environment) = habeas_testing::environment();
    let server = S3Server::start();
    let storage = Storage::in_bucket(&bucket(&server)).unwrap();
    storage.ready(&environment).await.unwrap();
    server.refuse_with(http::StatusCode::INSUFFICIENT_STORAGE);
    let mut writer = storage.writer(&environment, id(1), &key("a"));
    writer.write(b"something").await.unwrap();
    assert_eq!(writer.finish().await.unwrap_err(), StorageError::Full);
    assert_eq!(storage.ready(&environment).await, Err(StorageError::Full));
    server.answer_again();
    assert_eq!(get(&storage, id(1), &key("a"), 0).await, Err(StorageError::Missing));
    assert!(!storage.works(), "a full storage can be read, so reading proves nothing");
    drop(server.take_calls());
    put(&storage, id(1), &key("a"), b"something").await;
    assert!(storage.works());
    storage.ready(&environment).await.unwrap();
    assert_eq!(server.take_calls(), [PUT, GET], "the work, and a look: that it can be written is known");
}

#[rstest]
#[tokio::test]
async fn a_probe_that_somebody_removed_is_written_again(
    #[values(In::Memory, In::Directory, In::Bucket)] place: In,
) {
    let (clock, environment) = habeas_testing::environment();
    let lying = place.open();
    lying.storage.ready(&environment).await.unwrap();
    let probe = path::Path::from("probe");
    lying.outside.delete(&probe).await.unwrap();
    clock.advance(Duration::from_secs(5));
    lying.storage.ready(&environment).await.unwrap();
    assert!(lying.outside.head(&probe).await.is_ok());
}

#[tokio::test]
async fn a_directory_that_is_not_writable_is_not_ready() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, environment) = habeas_testing::environment();
    let storage = Storage::open(&directory.path().join("packages")).unwrap();
    storage.ready(&environment).await.unwrap();
    // In place of the directory there is something else.
    std::fs::remove_dir_all(directory.path().join("packages")).unwrap();
    std::fs::write(directory.path().join("packages"), b"a file").unwrap();
    clock.advance(Duration::from_secs(5));
    let problem = storage.ready(&environment).await.unwrap_err();
    assert!(matches!(problem, StorageError::Unreachable(_)), "{problem}");
}
