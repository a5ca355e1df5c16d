//! The owner of a system answers for it.

use std::time::Duration;

use axum::body::Body;
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use rstest::rstest;
use serde_json::json;
use tower::ServiceExt as _;

use super::files::{Part, form, send_form};
use super::{attributes, get, is_page, owner_asked, post, seen, send, state, texts, unusable, world};
use crate::world::{ANA, World, request};

#[tokio::test]
async fn whom_it_is_about_stands_on_the_page_and_looking_changes_nothing() {
    let world = world().await;
    let (_, link) = owner_asked(&world, "access").await;
    let before = world.events().await;
    let page = get(&world, &link).await;
    is_page(&page, 200);
    assert_eq!(texts(&page, "h1"), ["What does “archive <b>&</b>” hold about this person?"]);
    assert_eq!(texts(&page, "dl dd"), [ANA]);
    assert!(page.text.contains("15 June 2026, 09:00 UTC"), "{}", page.text);
    assert_eq!(attributes(&page, "input[name=answer]", "value"), ["data", "nothing_held"]);
    assert_eq!(attributes(&page, "form", "enctype"), ["multipart/form-data"]);
    assert_eq!(texts(&page, "fieldset legend"), ["Your answer"]);
    send(&world, "HEAD", &link, &[], "").await;
    assert_eq!(world.events().await, before);
}

#[tokio::test]
async fn files_are_taken_counted_and_found_in_the_request() {
    let world = world().await;
    let (id, link) = owner_asked(&world, "access").await;
    // More than a record holds, so one goes into the storage.
    let large = vec![b'x'; 300 << 10];
    let parts = [
        Part::text("answer", "data"),
        Part::file("orders.csv", b"number;total\n7;12.00"),
        Part::file("log.txt", &large),
        Part::text("note", "from the paper archive"),
        Part::text("name", "Pat Owner"),
        Part::text("truthful", "yes"),
        Part::text("something new", "that a browser added"),
        Part::text("note", "twice"),
    ];
    let thanks = send_form(&world, &link, &parts).await;
    is_page(&thanks, 200);
    assert!(thanks.text.contains("with 2 files (307 kB)"), "{}", thanks.text);
    let runs = world.get(&format!("/requests/{id}/runs")).await.good();
    let answer = json!({"answer": "data", "name": "Pat Owner", "note": "from the paper archive"});
    assert_eq!(runs["items"][0]["answer"], answer);
    let records = world.get(&format!("/requests/{id}/records")).await.good();
    let records = records["items"].as_array().unwrap();
    let kept = records.iter().find(|one| one["title"] == "log.txt").unwrap()["id"].as_str().unwrap();
    let path = format!("/api/v1/requests/{id}/records/{kept}/file");
    let file = world.local.clone().oneshot(request("GET", &path, None, None)).await.unwrap();
    assert_eq!(file.into_body().collect().await.unwrap().to_bytes(), large);
    for again in [get(&world, &link).await, send_form(&world, &link, &parts).await] {
        assert_eq!(seen(&again), seen(&unusable(&world).await));
    }
}

#[tokio::test]
async fn a_form_without_files_may_be_plain() {
    let world = world().await;
    let (id, link) = owner_asked(&world, "access").await;
    is_page(&post(&world, &link, "answer=nothing_held&name=Pat&truthful=yes&mood=good").await, 200);
    assert_eq!(state(&world, &id).await, "closed");
    // What a browser sends where nobody chose a file.
    let (_, link) = owner_asked(&world, "access").await;
    let parts = [
        Part::text("answer", "nothing_held"),
        Part::file("", b""),
        Part::text("name", "Pat"),
        Part::text("truthful", "yes"),
    ];
    is_page(&send_form(&world, &link, &parts).await, 200);
}

#[tokio::test]
async fn a_deletion_asks_whether_it_is_done() {
    let world = world().await;
    let (id, link) = owner_asked(&world, "deletion").await;
    let page = get(&world, &link).await;
    is_page(&page, 200);
    assert_eq!(attributes(&page, "input[name=answer]", "value"), ["deleted", "nothing_held"]);
    assert!(attributes(&page, "input[type=file]", "name").is_empty());
    let wrong = post(&world, &link, "answer=data&name=Pat&truthful=yes").await;
    is_page(&wrong, 422);
    is_page(&post(&world, &link, "answer=deleted&name=Pat&truthful=yes").await, 200);
    let request = world.get(&format!("/requests/{id}")).await.good();
    assert_eq!((&request["state"], &request["outcome"]), (&json!("closed"), &json!("erased")));
}

#[rstest]
#[case::nothing("", &["answer", "name", "truthful"])]
#[case::no_files("answer=data&name=Pat&truthful=yes", &["files"])]
#[case::no_name("answer=nothing_held&name=+&truthful=yes", &["name"])]
#[case::not_ticked("answer=nothing_held&name=Pat", &["truthful"])]
#[case::other_answer("answer=maybe&name=Pat&truthful=yes", &["answer"])]
#[case::long_note(&format!("answer=nothing_held&name=Pat&truthful=yes&note={}", "n".repeat(4_001)), &["note"])]
#[case::name_of_two_lines("answer=nothing_held&name=Pat%0AOwner&truthful=yes", &["name"])]
#[tokio::test]
async fn what_is_missing_is_said_at_the_top_and_at_the_field(#[case] typed: &str, #[case] fields: &[&str]) {
    let world = world().await;
    let (_, link) = owner_asked(&world, "access").await;
    let before = world.events().await;
    let page = post(&world, &link, typed).await;
    is_page(&page, 422);
    let links = attributes(&page, "[role=alert] a", "href");
    assert_eq!(links, fields.iter().map(|field| format!("#{field}")).collect::<Vec<_>>());
    for field in fields {
        assert_eq!(texts(&page, &format!("[id={field}-error]")).len(), 1, "{field}");
        assert_eq!(attributes(&page, &format!("[id={field}]"), "id").len(), 1, "{field}");
    }
    assert!(texts(&page, "title")[0].starts_with("Please check"));
    assert_eq!(world.events().await, before);
}

#[tokio::test]
async fn what_was_typed_comes_back_also_from_behind_a_file_that_was_refused() {
    let world = world().await;
    let (id, link) = owner_asked(&world, "access").await;
    // The browser sends the texts behind the files.
    let parts = [
        Part::text("answer", "data"),
        Part::file("good.csv", b"a;b"),
        Part::file("<i>virus</i>.exe", b"MZ\x90\0"),
        Part::file("also good.csv", b"a;b"),
        Part::text("note", "see \"page 2\" <b>now</b>"),
        Part::text("name", "Pat <Owner>"),
        Part::text("truthful", "yes"),
    ];
    let page = send_form(&world, &link, &parts).await;
    is_page(&page, 422);
    assert_eq!(attributes(&page, "input[name=answer][checked]", "value"), ["data"]);
    assert_eq!(attributes(&page, "input[name=name]", "value"), ["Pat <Owner>"]);
    assert_eq!(texts(&page, "textarea"), ["see \"page 2\" <b>now</b>"]);
    assert_eq!(attributes(&page, "input[name=truthful][checked]", "value"), ["yes"]);
    let said = texts(&page, "#files-error");
    assert!(said[0].starts_with("“i.exe” is of a kind that is not taken"), "{said:?}");
    let records = world.get(&format!("/requests/{id}/records")).await.good();
    assert_eq!(records["items"], json!([]), "nothing of it was kept");
}

#[tokio::test]
async fn an_answer_of_a_thousand_pieces_and_one_that_breaks_off() {
    let world = world().await;
    let (id, link) = owner_asked(&world, "access").await;
    let body = form(&[
        Part::text("answer", "data"),
        Part::file("log.txt", &vec![b'x'; 1 << 20]),
        Part::text("name", "Pat"),
        Part::text("truthful", "yes"),
    ]);
    let kind = [("content-type", "multipart/form-data; boundary=edge")];
    let half = body.len() / 2;
    let pieces = |upto: usize| body[..upto].chunks(1_000).map(|piece| Ok(piece.to_vec())).collect::<Vec<_>>();
    let broken = futures::stream::iter(pieces(half))
        .chain(futures::stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("gone"))]));
    is_page(&send(&world, "POST", &link, &kind, Body::from_stream(broken)).await, 400);
    is_page(&send(&world, "POST", &link, &kind, body[..half].to_vec()).await, 400);
    assert_eq!(state(&world, &id).await, "collecting");
    let whole =
        futures::stream::iter(pieces(body.len()).into_iter().map(|piece: Result<_, std::io::Error>| piece));
    is_page(&send(&world, "POST", &link, &kind, Body::from_stream(whole)).await, 200);
}

#[tokio::test]
async fn two_answers_at_once_are_one() {
    let world = world().await;
    let (id, link) = owner_asked(&world, "access").await;
    let parts = |name: &'static str| {
        [
            Part::text("answer", "data"),
            Part::file("a.csv", b"a;b"),
            Part::text("name", name),
            Part::text("truthful", "yes"),
        ]
    };
    let (one, other) = (parts("Pat"), parts("Kim"));
    let (one, other) = tokio::join!(send_form(&world, &link, &one), send_form(&world, &link, &other));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);
    let records = world.get(&format!("/requests/{id}/records")).await.good();
    assert_eq!(records["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_link_ends_with_its_time_with_its_run_and_with_its_request() {
    let world = world().await;
    let gone = async |world: &World, link: &str| {
        for answer in
            [get(world, link).await, post(world, link, "answer=nothing_held&name=Pat&truthful=yes").await]
        {
            assert_eq!(seen(&answer), seen(&unusable(world).await));
        }
    };
    let (id, link) = owner_asked(&world, "access").await;
    let run = world.run_of(&id).await;
    world
        .post(&format!("/requests/{id}/runs/{run}/skip"), &json!({"reason": "known to be empty"}))
        .await
        .good();
    gone(&world, &link).await;
    let (id, link) = owner_asked(&world, "access").await;
    world.post(&format!("/requests/{id}/withdraw"), &json!({})).await.good();
    gone(&world, &link).await;
    let (id, link) = owner_asked(&world, "access").await;
    let run = world.run_of(&id).await;
    let other = json!({"email": "other@shop.example.test"});
    world.post(&format!("/requests/{id}/runs/{run}/hand-over"), &other).await.good();
    gone(&world, &link).await;
    let (_, link) = owner_asked(&world, "access").await;
    world.clock.advance(Duration::from_hours(14 * 24));
    gone(&world, &link).await;
}
