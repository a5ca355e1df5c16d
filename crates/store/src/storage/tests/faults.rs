//! A bucket whose server is gone, slow, or refuses; and how many calls it takes.

use std::time::Duration;

use http::StatusCode;

use super::*;

fn opened(bucket: &Bucket) -> Storage {
    Storage::in_bucket(bucket).unwrap()
}

fn unreachable<T: std::fmt::Debug>(outcome: Result<T, StorageError>) -> String {
    match outcome {
        Err(StorageError::Unreachable(why)) => why,
        other => panic!("{other:?}"),
    }
}

async fn read_blocking(storage: &Storage, id: ObjectId, key: &DataKey) -> Vec<u8> {
    blocking(storage, (id, key), |mut reader| {
        let mut whole = Vec::new();
        reader.read_to_end(&mut whole).unwrap();
        whole
    })
    .await
}

#[tokio::test]
async fn a_large_object_is_read_with_few_calls_and_nothing_is_read_for_nothing() {
    let server = S3Server::start();
    let (storage, key) = (opened(&bucket(&server)), key("a"));
    let bytes = plain(20_000_000);
    put(&storage, id(1), &key, &bytes).await;
    let written = server.take_calls();
    assert_eq!(written.len(), 6, "four parts, a beginning and an end: {written:?}");
    assert!(read_blocking(&storage, id(1), &key).await == bytes);
    let calls = server.take_calls();
    assert!(calls.iter().all(|call| call == "GET"), "{calls:?}");
    assert_eq!(calls.len(), 15, "306 pieces: the first, the last, then 2, 4, 8, 16, and 32 at a time");
    // Who jumps to the end pays for the end.
    let end = get(&storage, id(1), &key, bytes.len() as u64 - 9).await.unwrap();
    assert_eq!(end, bytes[bytes.len() - 9..]);
    assert_eq!(server.take_calls().len(), 2);
}

#[tokio::test]
async fn objects_lie_below_the_prefix_under_names_that_tell_nothing() {
    let server = S3Server::start();
    let (storage, key) = (opened(&bucket(&server)), key("a"));
    put(&storage, id(1), &key, b"something").await;
    assert_eq!(server.objects(), [format!("privacy/packages/{}", id(1))]);
    let at_the_top = Bucket { prefix: String::new(), ..bucket(&server) };
    put(&opened(&at_the_top), id(2), &key, b"something").await;
    assert_eq!(server.objects(), [id(2).to_string(), format!("privacy/packages/{}", id(1))]);
    storage.delete(id(1)).await.unwrap();
    storage.delete(id(1)).await.unwrap();
    assert_eq!(server.objects(), [id(2).to_string()]);
}

#[tokio::test]
async fn an_upload_that_is_given_up_takes_no_room() {
    let server = S3Server::start();
    let (storage, key) = (opened(&bucket(&server)), key("a"));
    let mut writer = storage.writer(&environment(), id(1), &key);
    writer.write(&plain(6 << 20)).await.unwrap();
    assert!(server.has_unfinished_uploads());
    assert_eq!(get(&storage, id(1), &key, 0).await, Err(StorageError::Missing));
    drop(writer);
    while server.has_unfinished_uploads() {
        tokio::task::yield_now().await;
    }
    assert!(server.take_calls().contains(&"DELETE ?uploadId".to_owned()));
    assert_eq!(server.objects(), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_goes_in_the_middle_of_an_upload_leaves_nothing_that_can_be_read() {
    let server = S3Server::start();
    let (storage, key) = (opened(&bucket(&server)), key("a"));
    let bytes = plain(11 << 20);
    // After its beginning, after a part, after all parts.
    for calls in [1, 2, 4] {
        server.leave_after(calls);
        let mut writer = storage.writer(&environment(), id(1), &key);
        let outcome = match writer.write(&bytes).await {
            Ok(()) => writer.finish().await.map(drop),
            refused => refused,
        };
        unreachable(outcome);
        assert!(!storage.works());
        unreachable(get(&storage, id(1), &key, 0).await);
        server.come_back();
        assert_eq!(get(&storage, id(1), &key, 0).await, Err(StorageError::Missing), "after {calls}");
    }
    put(&storage, id(1), &key, &bytes).await;
    assert!(storage.works());
    assert!(get(&storage, id(1), &key, 0).await.unwrap() == bytes);
}

#[tokio::test]
async fn a_server_that_goes_while_it_is_read_is_told_and_the_rest_is_read_later() {
    let server = S3Server::start();
    let (storage, key) = (opened(&bucket(&server)), key("a"));
    let bytes = plain(6 << 20);
    put(&storage, id(1), &key, &bytes).await;
    let mut reader = storage.reader(id(1), &key, 0).await.unwrap();
    let mut read = reader.try_next().await.unwrap().unwrap().to_vec();
    server.leave();
    let broken = loop {
        match reader.try_next().await {
            Ok(Some(more)) => read.extend_from_slice(&more),
            Ok(None) => panic!("what is missing was taken for the end"),
            Err(error) => break error,
        }
    };
    assert_eq!(unreachable::<()>(Err(broken)), "there is no connection to it");
    server.come_back();
    let rest = get(&storage, id(1), &key, read.len() as u64).await.unwrap();
    assert!([read, rest].concat() == bytes);
    // Also for who waits on a thread: the same reader goes on where it was.
    let expected = bytes.clone();
    let (server, outcome) = blocking(&storage, (id(1), &key), move |mut reader| {
        let mut start = vec![0; PIECE];
        reader.read_exact(&mut start).unwrap();
        server.leave();
        let refused = reader.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(refused.to_string().contains("cannot be reached"), "{refused}");
        server.come_back();
        reader.seek(SeekFrom::Start(0)).unwrap();
        let mut whole = Vec::new();
        reader.read_to_end(&mut whole).unwrap();
        (server, whole == expected)
    })
    .await;
    assert!(outcome && storage.works());
    drop(server);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_waited_for_without_end() {
    let server = S3Server::start();
    for number in [1, 3] {
        put(&opened(&bucket(&server)), id(number), &key("a"), b"something").await;
    }
    let impatient = Bucket { timeout: Duration::from_millis(400), ..bucket(&server) };
    let (storage, key) = (opened(&impatient), key("a"));
    server.answer_nobody();
    let clock = Arc::clone(Environment::system().clock());
    let before = clock.monotonic();
    assert_eq!(unreachable(get(&storage, id(1), &key, 0).await), "it did not answer in time");
    let mut writer = storage.writer(&environment(), id(2), &key);
    writer.write(b"something").await.unwrap();
    assert_eq!(unreachable(writer.finish().await), "it did not answer in time");
    assert_eq!(unreachable(storage.delete(id(3)).await), "it did not answer in time");
    // Three calls of twice 400 ms, with pauses.
    let waited = clock.monotonic().saturating_sub(before);
    assert!(waited < Duration::from_secs(12), "{waited:?}");
    server.answer_again();
    let patient = opened(&bucket(&server));
    assert_eq!(get(&patient, id(1), &key, 0).await.unwrap(), b"something");
}

#[rstest]
#[case::permission(StatusCode::FORBIDDEN, StorageError::Refused(Refusal::Permission))]
#[case::full(StatusCode::INSUFFICIENT_STORAGE, StorageError::Full)]
#[case::busy(StatusCode::SERVICE_UNAVAILABLE, StorageError::Unreachable("it answered with status 503".to_owned()))]
#[tokio::test]
async fn what_the_server_says_is_passed_on(#[case] status: StatusCode, #[case] expected: StorageError) {
    let server = S3Server::start();
    let (storage, key) = (opened(&bucket(&server)), key("a"));
    server.refuse_with(status);
    let mut writer = storage.writer(&environment(), id(1), &key);
    writer.write(b"something").await.unwrap();
    assert_eq!(writer.finish().await.unwrap_err(), expected);
    let mut writer = storage.writer(&environment(), id(1), &key);
    let large = async {
        writer.write(&plain(6 << 20)).await?;
        writer.finish().await
    };
    assert_eq!(large.await.unwrap_err(), expected);
    assert_eq!(get(&storage, id(1), &key, 0).await.unwrap_err(), expected);
    assert_eq!(storage.delete(id(1)).await.unwrap_err(), expected);
    server.answer_again();
    put(&storage, id(1), &key, b"something").await;
}

#[tokio::test]
async fn who_may_not_enter_is_told_why() {
    let server = S3Server::start();
    let with = |id: &str, secret: &str| Bucket {
        access: Access::Key { id: id.to_owned(), secret: secret.into(), session_token: None },
        ..bucket(&server)
    };
    let refused = StorageError::Refused(Refusal::AccessKey);
    for bucket in
        [with("AKIANOBODY", S3Server::SECRET_ACCESS_KEY), with(S3Server::ACCESS_KEY_ID, "another-secret")]
    {
        let storage = opened(&bucket);
        assert_eq!(storage.ready(&environment()).await, Err(refused.clone()));
        assert_eq!(get(&storage, id(1), &key("a"), 0).await, Err(refused.clone()));
        assert!(!format!("{bucket:?} {storage:?}").contains("secret"), "{bucket:?}");
    }
    let elsewhere = opened(&Bucket { name: "nobody-has-this".to_owned(), ..bucket(&server) });
    let refused = StorageError::Refused(Refusal::NoBucket);
    assert_eq!(elsewhere.ready(&environment()).await, Err(refused.clone()));
    assert_eq!(get(&elsewhere, id(1), &key("a"), 0).await, Err(refused.clone()));
    assert_eq!(elsewhere.delete(id(1)).await, Err(refused), "not taken for an object that is gone");
}

#[tokio::test]
async fn more_parts_than_a_bucket_takes_are_not_begun() {
    let server = S3Server::start();
    let mut storage = opened(&bucket(&server));
    storage.place.most_parts = 1;
    let mut writer = storage.writer(&environment(), id(1), &key("a"));
    let refused = writer.write(&plain(11 << 20)).await.unwrap_err();
    assert_eq!(refused, StorageError::TooLarge);
}
