//! The package, and when its download counts.

use axum::http::HeaderMap;
use habeas_domain::Role;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::ServiceExt as _;

use crate::world::{ANA, World, contacts, request};

async fn delivering(world: &World, delivery: &str, records: usize) -> String {
    let id = world.request(json!({"delivery": delivery, "review": false, "force": true})).await;
    world.work(&contacts(records)).await;
    assert_eq!(world.get(&format!("/requests/{id}")).await.good()["state"], "delivering");
    id
}

async fn state(world: &World, id: &str) -> Value {
    world.get(&format!("/requests/{id}")).await.good()["state"].clone()
}

fn package(id: &str) -> String {
    format!("/api/v1/requests/{id}/package")
}

/// Records whose package is made at once, and larger than several pieces.
const NOISY: usize = 400;

fn length(headers: &HeaderMap) -> usize {
    headers["content-length"].to_str().unwrap().parse().unwrap()
}

async fn fetch(world: &World, id: &str, headers: &[(&'static str, &str)]) -> (HeaderMap, Vec<u8>) {
    let mut call = request("GET", &package(id), None, None);
    for (name, value) in headers {
        call.headers_mut().insert(*name, value.parse().unwrap());
    }
    let answer = world.local.clone().oneshot(call).await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    let (parts, body) = answer.into_parts();
    (parts.headers, body.collect().await.unwrap().to_bytes().to_vec())
}

/// Whether so many bytes are on record as handed over.
async fn handed(world: &World, id: &str, bytes: usize) -> bool {
    let mut reader = world.casework.store().reader().await.unwrap();
    let package = habeas_store::packages::find(&mut reader, id.parse().unwrap()).await.unwrap().unwrap();
    package.handed >= bytes as u64
}

#[tokio::test]
async fn the_first_complete_download_closes_the_request() {
    let world = World::with_shop().await;
    let id = delivering(&world, "api", 2).await;
    let (headers, content) = fetch(&world, &id, &[]).await;
    assert_eq!(headers["content-type"], "application/zip");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["content-length"].to_str().unwrap(), content.len().to_string());
    let package = habeas_testing::unpack(&content);
    let manifest: Value = serde_json::from_slice(&package["manifest.json"]).unwrap();
    assert_eq!(manifest["request_id"], id.as_str());
    let records: Value = serde_json::from_slice(&package["shop/records.json"]).unwrap();
    assert_eq!(records.as_array().unwrap().len(), 2);
    assert_eq!(records[0]["fields"]["email"], ANA);
    let closed = world.get(&format!("/requests/{id}")).await.good();
    assert_eq!((&closed["state"], &closed["outcome"]), (&json!("closed"), &json!("downloaded")));
    // A second download is served and changes nothing but the log.
    let before = world.events().await;
    assert_eq!(fetch(&world, &id, &[]).await.1, content);
    assert_eq!(world.events().await, before + 1);
}

#[tokio::test]
async fn a_download_that_broke_off_is_continued_and_then_counts() {
    let world = World::with_shop().await;
    let id = delivering(&world, "api", NOISY).await;
    let response = world.local.clone().oneshot(request("GET", &package(&id), None, None)).await.unwrap();
    let (length, tag) = (length(response.headers()), response.headers()["etag"].to_str().unwrap().to_owned());
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    drop(body);
    assert!(first.len() < length);
    // Whoever asks for the end alone does not have it all.
    let (headers, end) = fetch(&world, &id, &[("range", "bytes=-1")]).await;
    assert_eq!(
        (headers["content-range"].to_str().unwrap(), end.len()),
        (&*format!("bytes {}-{}/{length}", length - 1, length - 1), 1)
    );
    assert_eq!(state(&world, &id).await, "delivering");
    // How far the first one came is noted in the background.
    while !handed(&world, &id, first.len()).await {
        tokio::task::yield_now().await;
    }
    let range = format!("bytes={}-", first.len());
    let (_, whole) = fetch(&world, &id, &[("range", &range), ("if-range", "\"another package\"")]).await;
    assert_eq!(whole.len(), length, "of another package nothing can be continued");
    assert_eq!(state(&world, &id).await, "closed", "and all of it was handed over");
    let (_, rest) = fetch(&world, &id, &[("range", &range), ("if-range", &tag)]).await;
    assert_eq!([first.to_vec(), rest].concat(), whole);
}

#[tokio::test]
async fn a_part_that_is_not_there_is_refused() {
    let world = World::with_shop().await;
    let id = delivering(&world, "api", 1).await;
    let mut call = request("GET", &package(&id), None, None);
    call.headers_mut().insert("range", "bytes=99999999-".parse().unwrap());
    let answer = world.local.clone().oneshot(call).await.unwrap();
    assert_eq!(answer.status(), 416);
}

#[tokio::test]
async fn whoever_has_the_last_byte_finds_the_request_closed() {
    let world = World::with_shop().await;
    // More than one piece.
    let id = delivering(&world, "api", NOISY).await;
    let response = world.local.clone().oneshot(request("GET", &package(&id), None, None)).await.unwrap();
    let length = length(response.headers());
    assert!(length > 128 * 1024, "{length}");
    let mut body = response.into_body();
    let mut received = 0;
    while received < length {
        assert_eq!(state(&world, &id).await, "delivering", "after {received} of {length} bytes");
        let frame = body.frame().await.unwrap().unwrap();
        received += frame.into_data().unwrap().len();
    }
    // The end of the stream was not even asked for.
    assert_eq!(state(&world, &id).await, "closed");
}

/// A real transport stops asking as soon as it has as many bytes as `Content-Length` says.
#[tokio::test]
async fn over_a_real_connection_the_last_byte_means_closed_too() {
    let world = World::with_shop().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, world.local.clone()).into_future());
    for records in [1, NOISY] {
        let id = delivering(&world, "api", records).await;
        let path = package(&id);
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        let call = format!("GET {path} HTTP/1.1\r\nHost: habeas.example.test\r\n\r\n");
        client.write_all(call.as_bytes()).await.unwrap();
        let (mut received, mut expected) = (Vec::new(), None);
        while expected.is_none_or(|expected| received.len() < expected) {
            assert!(client.read_buf(&mut received).await.unwrap() > 0, "the connection broke off");
            let text = String::from_utf8_lossy(&received);
            if let (None, Some((head, _))) = (expected, text.split_once("\r\n\r\n")) {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                expected = Some(head.len() + 4 + length.parse::<usize>().unwrap());
            }
        }
        assert_eq!(Some(received.len()), expected);
        assert_eq!(state(&world, &id).await, "closed", "{records} records");
    }
    server.abort();
}

#[tokio::test]
async fn a_download_that_breaks_off_closes_nothing() {
    let world = World::with_shop().await;
    let id = delivering(&world, "api", 2).await;
    let response = world.local.clone().oneshot(request("GET", &package(&id), None, None)).await.unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    tokio::task::yield_now().await;
    assert_eq!(state(&world, &id).await, "delivering");
    fetch(&world, &id, &[]).await;
    assert_eq!(state(&world, &id).await, "closed");
}

#[tokio::test]
async fn asking_for_the_headers_closes_nothing() {
    let world = World::with_shop().await;
    let id = delivering(&world, "api", 2).await;
    let head = world.operate("HEAD", &format!("/requests/{id}/package"), None).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    assert_eq!(state(&world, &id).await, "delivering");
    let (full, _) = fetch(&world, &id, &[]).await;
    assert_eq!(head.header("content-length"), full["content-length"].to_str().unwrap());
}

#[tokio::test]
async fn an_operators_look_at_a_mailed_package_closes_nothing() {
    let world = World::with_shop().await;
    let id = delivering(&world, "mail", 1).await;
    fetch(&world, &id, &[]).await;
    assert_eq!(state(&world, &id).await, "delivering");
}

#[tokio::test]
async fn there_is_no_package_before_review_is_over_and_none_after_forgetting() {
    let world = World::with_shop().await;
    let id = world.in_review(1).await;
    world.get(&format!("/requests/{id}/package")).await.refused(404, "not_found");
    world.operate("POST", &format!("/requests/{id}/process"), None).await.good();
    world.post(&format!("/requests/{id}/withdraw"), &json!({})).await.good();
    world.clock.advance(std::time::Duration::from_hours(24 * 31));
    world.casework.forget_what_is_due().await.unwrap();
    world.get(&format!("/requests/{id}/package")).await.refused(410, "forgotten");
    world.clock.advance(std::time::Duration::from_hours(24 * 800));
    world.casework.forget_what_is_due().await.unwrap();
    let forgotten = world.get(&format!("/requests/{id}")).await.good();
    assert_eq!((&forgotten["subject"], &forgotten["identifiers"]), (&Value::Null, &json!([])));
    assert_eq!(forgotten["forgotten"], true);
}

#[tokio::test]
async fn an_auditor_does_not_see_packages() {
    let world = World::with_shop().await;
    let id = delivering(&world, "api", 1).await;
    let key = world.key(&[Role::Auditor]).await;
    world.call(&key, "GET", &package(&id), None).await.refused(403, "role_missing");
    assert_eq!(state(&world, &id).await, "delivering");
}
