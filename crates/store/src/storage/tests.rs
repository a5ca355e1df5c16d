use std::io::{self, Read as _, Seek as _, SeekFrom};

use futures::TryStreamExt as _;
use habeas_environment::TestClock;
use habeas_testing::S3Server;
use object_store::ObjectStoreExt as _;
use proptest::prelude::*;
use rstest::rstest;
use tempfile::TempDir;

use super::*;
use crate::keyring::{Keyring, MasterKey};

mod faults;
mod full;
mod readiness;

/// Where objects may lie.
#[derive(Clone, Copy, Debug)]
enum In {
    Memory,
    Directory,
    Bucket,
}

/// A storage, and the same objects as somebody from outside sees them.
struct Lying {
    storage: Storage,
    outside: Arc<dyn ObjectStore>,
    _directory: Option<TempDir>,
    _server: Option<S3Server>,
}

impl In {
    fn open(self) -> Lying {
        match self {
            Self::Memory => {
                let outside: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
                let storage = Storage::over(Arc::clone(&outside));
                Lying { storage, outside, _directory: None, _server: None }
            }
            Self::Directory => {
                let directory = tempfile::tempdir().unwrap();
                let storage = Storage::open(directory.path()).unwrap();
                let outside = Arc::new(LocalFileSystem::new_with_prefix(directory.path()).unwrap());
                Lying { storage, outside, _directory: Some(directory), _server: None }
            }
            Self::Bucket => {
                let server = S3Server::start();
                let bucket = bucket(&server);
                let storage = Storage::in_bucket(&bucket).unwrap();
                let outside = bucket.open().unwrap().work;
                Lying { storage, outside, _directory: None, _server: Some(server) }
            }
        }
    }
}

impl Lying {
    async fn sealed(&self, id: ObjectId) -> Vec<u8> {
        self.outside.get(&path_of(id)).await.unwrap().bytes().await.unwrap().to_vec()
    }

    async fn replace(&self, id: ObjectId, bytes: &[u8]) {
        self.outside.put(&path_of(id), bytes.to_vec().into()).await.unwrap();
    }
}

/// The bucket of a test's server.
fn bucket(server: &S3Server) -> Bucket {
    Bucket {
        name: S3Server::BUCKET.to_owned(),
        prefix: "privacy/packages".to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: Some(server.endpoint()),
        path_style: true,
        access: Access::Key {
            id: S3Server::ACCESS_KEY_ID.to_owned(),
            secret: S3Server::SECRET_ACCESS_KEY.into(),
            session_token: None,
        },
        timeout: std::time::Duration::from_secs(30),
    }
}

fn environment() -> Environment {
    Environment::for_test(&TestClock::at("2026-03-01T00:00:00Z"), 1)
}

fn key(number: &str) -> DataKey {
    let keyring = Keyring::new(&MasterKey::parse(&"ab".repeat(32)).unwrap(), &[]).unwrap();
    keyring
        .new_data_key(
            &Environment::for_test(&TestClock::at("2026-03-01T00:00:00Z"), number.len() as u64),
            number,
            "content",
        )
        .unwrap()
        .0
}

fn id(number: u8) -> ObjectId {
    format!("obj_{}", hex::encode([number; 16])).parse().unwrap()
}

fn plain(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

async fn put(storage: &Storage, id: ObjectId, key: &DataKey, bytes: &[u8]) -> Stored {
    let mut writer = storage.writer(&environment(), id, key);
    for piece in bytes.chunks(10_007) {
        writer.write(piece).await.unwrap();
    }
    writer.finish().await.unwrap()
}

async fn get(storage: &Storage, id: ObjectId, key: &DataKey, from: u64) -> Result<Vec<u8>, StorageError> {
    let pieces: Vec<_> = storage.reader(id, key, from).await?.try_collect().await?;
    Ok(pieces.concat())
}

#[rstest]
#[tokio::test]
async fn what_was_written_is_read_from_any_byte_on(
    #[values(In::Memory, In::Directory, In::Bucket)] place: In,
) {
    let lying = place.open();
    let (storage, key) = (&lying.storage, key("a"));
    for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 17] {
        let bytes = plain(length);
        let stored = put(storage, id(1), &key, &bytes).await;
        assert_eq!(stored.bytes, length as u64);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
        assert_eq!(stored.sha256, digest.as_ref());
        for from in [0, 1, PIECE - 1, PIECE, PIECE + 1, length.saturating_sub(1), length, length + 1] {
            let expected = bytes.get(from..).unwrap_or_default();
            assert_eq!(
                get(storage, id(1), &key, from as u64).await.unwrap(),
                expected,
                "{length} from {from}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_part_of_any_object_is_read_as_it_was(length in 0..12 * PIECE, from in 0..12 * PIECE, take in 0..9 * PIECE) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (key, bytes) = (key("a"), plain(length));
        for place in [In::Memory, In::Directory, In::Bucket] {
            let lying = place.open();
            runtime.block_on(put(&lying.storage, id(1), &key, &bytes));
            let mut reader = lying.storage.blocking_reader(runtime.handle().clone(), id(1), &key);
            reader.seek(SeekFrom::Start(from as u64)).unwrap();
            let mut read = Vec::new();
            reader.take(take as u64).read_to_end(&mut read).unwrap();
            let rest = bytes.get(from..).unwrap_or_default();
            prop_assert_eq!(&read[..], &rest[..take.min(rest.len())]);
        }
    }
}

#[rstest]
#[tokio::test]
async fn what_was_altered_moved_or_cut_off_does_not_open(
    #[values(In::Memory, In::Directory, In::Bucket)] place: In,
) {
    let lying = place.open();
    let (storage, key, other) = (&lying.storage, key("a"), key("another"));
    put(storage, id(1), &key, &plain(2 * PIECE + 5)).await;
    let sealed = lying.sealed(id(1)).await;
    let is_refused = async |bytes: Vec<u8>, id: ObjectId, key: &DataKey| {
        lying.replace(id, &bytes).await;
        matches!(get(storage, id, key, 0).await, Err(StorageError::Altered))
    };
    for at in [0, MAGIC.len(), HEADER, HEADER + PIECE, sealed.len() - 1] {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert!(is_refused(altered, id(2), &key).await, "altered at {at}");
        // Under its own name, so that nothing but the change is wrong.
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert!(is_refused(altered, id(1), &key).await, "altered at {at}");
    }
    let piece = PIECE + TAG;
    assert!(is_refused(sealed[..HEADER + piece].to_vec(), id(1), &key).await, "a piece is missing");
    assert!(is_refused(sealed[..HEADER + 3].to_vec(), id(1), &key).await, "cut off within a piece");
    assert!(is_refused(sealed[..3].to_vec(), id(1), &key).await, "cut off within the header");
    assert!(is_refused(Vec::new(), id(1), &key).await, "cut off to nothing");
    assert!(is_refused(sealed[..HEADER].to_vec(), id(1), &key).await, "cut off after the header");
    // As long as an object without content: it must not pass for one.
    assert!(is_refused(sealed[..HEADER + TAG].to_vec(), id(1), &key).await, "cut off to look empty");
    assert!(is_refused([sealed.as_slice(), &[0; 40]].concat(), id(1), &key).await, "something was appended");
    let swapped = [
        &sealed[..HEADER],
        &sealed[HEADER + piece..HEADER + 2 * piece],
        &sealed[HEADER..HEADER + piece],
        &sealed[HEADER + 2 * piece..],
    ];
    assert!(is_refused(swapped.concat(), id(1), &key).await, "pieces changed places");
    assert!(is_refused(sealed.clone(), id(3), &key).await, "it is another object's");
    assert!(is_refused(sealed, id(1), &other).await, "sealed with another key");
    assert!(matches!(get(storage, id(9), &key, 0).await, Err(StorageError::Missing)));
}

#[rstest]
#[tokio::test]
async fn what_was_cut_off_is_refused_also_beyond_its_new_end(
    #[values(In::Memory, In::Directory, In::Bucket)] place: In,
) {
    let lying = place.open();
    let (storage, key) = (&lying.storage, key("a"));
    put(storage, id(1), &key, &plain(3 * PIECE)).await;
    let sealed = lying.sealed(id(1)).await;
    for left in [HEADER + TAG, HEADER + PIECE + TAG, HEADER + PIECE + 2 * TAG, HEADER + 2 * (PIECE + TAG)] {
        lying.replace(id(1), &sealed[..left]).await;
        for from in [0, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE - 1, 3 * PIECE, 9 * PIECE] {
            let read = get(storage, id(1), &key, from as u64).await;
            assert!(matches!(read, Err(StorageError::Altered)), "{left} bytes left, read from {from}");
        }
    }
}

/// Does something with a blocking reader where it may wait.
async fn blocking<T: Send + 'static>(
    storage: &Storage,
    (id, key): (ObjectId, &DataKey),
    work: impl FnOnce(BlockingReader) -> T + Send + 'static,
) -> T {
    let reader = storage.blocking_reader(tokio::runtime::Handle::current(), id, key);
    tokio::task::spawn_blocking(move || work(reader)).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn a_blocking_reader_seeks_like_a_file(#[values(In::Memory, In::Directory, In::Bucket)] place: In) {
    let lying = place.open();
    let (storage, key) = (&lying.storage, key("a"));
    let bytes = plain(2 * PIECE + 9);
    put(storage, id(1), &key, &bytes).await;
    blocking(storage, (id(1), &key), move |mut reader| {
        let length = bytes.len() as u64;
        assert_eq!(reader.seek(SeekFrom::End(-4)).unwrap(), length - 4);
        let mut end = Vec::new();
        reader.read_to_end(&mut end).unwrap();
        assert_eq!(end, bytes[bytes.len() - 4..]);
        assert_eq!(reader.stream_position().unwrap(), length);
        assert_eq!(reader.seek(SeekFrom::Current(-(PIECE as i64) - 9)).unwrap(), PIECE as u64);
        let mut across = vec![0; PIECE + 3];
        reader.read_exact(&mut across).unwrap();
        assert_eq!(across, bytes[PIECE..2 * PIECE + 3], "over the border of two pieces");
        for before in [SeekFrom::Current(-(3 * PIECE as i64)), SeekFrom::End(-(3 * PIECE as i64))] {
            assert_eq!(reader.seek(before).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        assert_eq!(reader.stream_position().unwrap(), (2 * PIECE + 3) as u64, "a refused move moves nothing");
        assert_eq!(reader.seek(SeekFrom::End(5)).unwrap(), length + 5);
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0, "nothing is behind the end");
        assert_eq!(reader.seek(SeekFrom::Start(0)).unwrap(), 0);
        assert_eq!(reader.read(&mut []).unwrap(), 0);
        let mut whole = Vec::new();
        reader.read_to_end(&mut whole).unwrap();
        assert_eq!(whole, bytes);
    })
    .await;
}

#[rstest]
#[tokio::test]
async fn a_blocking_reader_refuses_what_was_altered_or_is_missing(
    #[values(In::Memory, In::Directory, In::Bucket)] place: In,
) {
    let lying = place.open();
    let (storage, key, other) = (&lying.storage, key("a"), key("another"));
    let refusal = async |id: ObjectId, key: &DataKey| -> String {
        let read = move |mut reader: BlockingReader| reader.read_to_end(&mut Vec::new());
        blocking(storage, (id, key), read).await.unwrap_err().to_string()
    };
    put(storage, id(1), &key, &plain(2 * PIECE)).await;
    put(storage, id(2), &key, b"").await;
    let altered = StorageError::Altered.to_string();
    assert_eq!(refusal(id(1), &other).await, altered);
    assert_eq!(refusal(id(2), &other).await, altered, "also of nothing");
    assert_eq!(refusal(id(9), &key).await, StorageError::Missing.to_string());
    let sealed = lying.sealed(id(1)).await;
    for left in [HEADER + TAG, HEADER + PIECE + TAG, sealed.len() - 1] {
        lying.replace(id(1), &sealed[..left]).await;
        assert_eq!(refusal(id(1), &key).await, altered, "{left} bytes are left");
        // Its end, by which the whole is found, must not be believed either.
        let end = blocking(storage, (id(1), &key), |mut reader| reader.seek(SeekFrom::End(0))).await;
        assert_eq!(end.unwrap_err().to_string(), altered, "{left} bytes are left");
    }
}

#[rstest]
#[tokio::test]
async fn many_parts_are_written_and_read_back(#[values(In::Memory, In::Directory, In::Bucket)] place: In) {
    let lying = place.open();
    let (storage, key) = (&lying.storage, key("a"));
    let bytes = plain((11 << 20) + 3);
    let stored = put(storage, id(1), &key, &bytes).await;
    assert_eq!(stored.bytes, bytes.len() as u64);
    for from in [0, (5 << 20) + PIECE + 1, bytes.len() - 1] {
        let read = get(storage, id(1), &key, from as u64).await.unwrap();
        assert!(read == bytes[from..], "from {from}");
    }
    // What lies there does not show how it begins.
    let sealed = lying.sealed(id(1)).await;
    assert!(!sealed[..3 * PIECE].windows(64).any(|part| part == &bytes[..64]));
}

#[tokio::test]
async fn what_is_not_finished_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Storage::open(&directory.path().join("packages")).unwrap();
    let key = key("a");
    let mut writer = storage.writer(&environment(), id(1), &key);
    writer.write(&plain(12 << 20)).await.unwrap();
    assert!(matches!(get(&storage, id(1), &key, 0).await, Err(StorageError::Missing)));
    drop(writer);
    assert!(matches!(get(&storage, id(1), &key, 0).await, Err(StorageError::Missing)));
    // A process that was killed leaves its file behind.
    let stray = directory.path().join("packages").join(format!("{}#7", id(1)));
    std::fs::write(&stray, b"half").unwrap();
    let anothers = directory.path().join("packages").join(format!("{}#7", id(2)));
    std::fs::write(&anothers, b"half").unwrap();
    put(&storage, id(2), &key, b"whole").await;
    storage.delete(id(1)).await.unwrap();
    assert!(!stray.exists() && anothers.exists(), "what is another's stays");
    assert_eq!(get(&storage, id(2), &key, 0).await.unwrap(), b"whole");
    storage.delete(id(2)).await.unwrap();
    storage.delete(id(2)).await.unwrap();
    assert_eq!(std::fs::read_dir(directory.path().join("packages")).unwrap().count(), 0);
}
