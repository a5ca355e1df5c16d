//! People at a system's owner: asked, and answering.

use axum::body::Body;
use axum::http::Request;
use habeas_domain::Role;
use habeas_server::{ServerOptions, UploadLimits};
use http_body_util::BodyExt as _;
use rstest::rstest;
use serde_json::{Value, json};

use tower::ServiceExt as _;

use crate::world::{ANA, Answer, World, request};

const OWNER: &str = "owner@shop.example.test";

async fn world_with_owner() -> World {
    world_with_owner_and(ServerOptions::default()).await
}

async fn world_with_owner_and(options: ServerOptions) -> World {
    let world = World::with(options).await;
    let connection = json!({
        "integration": "direct_contact", "name": "archive", "settings": {"processor_email": OWNER},
        "contact": {"deadline_days": 10, "on_expiry": "skip"},
    });
    let made = world.post("/connections", &connection).await.good();
    assert_eq!(made["contact"], json!({"email": OWNER, "deadline_days": 10, "on_expiry": "skip"}));
    assert_eq!(made["capabilities"]["access"], "direct_contact");
    assert_eq!(made["capabilities"]["deletion"], "direct_contact");
    world
}

async fn ask(world: &World, right: &str) -> (String, String) {
    let body = json!({"right": right, "policy": "eu-gdpr", "subject": {"email": ANA}});
    let id = world.post("/requests", &body).await.good()["id"].as_str().unwrap().to_owned();
    let run = world.run_of(&id).await;
    (id, run)
}

fn path(id: &str, run: &str) -> String {
    format!("/requests/{id}/runs/{run}/answer")
}

/// The parts of a form: name, file name, content.
async fn send_form(world: &World, path: &str, parts: &[(&str, Option<&str>, &[u8])]) -> Answer {
    let mut body = Vec::new();
    for (name, file_name, content) in parts {
        let file_name = file_name.map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
        let head = format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file_name}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    let request = Request::post(format!("/api/v1{path}"))
        .header("content-type", "multipart/form-data; boundary=edge")
        .body(Body::from(body))
        .unwrap();
    World::send(&world.local, request).await
}

#[tokio::test]
async fn an_access_waits_for_the_answer_and_keeps_what_it_brings() {
    let world = world_with_owner().await;
    let (id, run) = ask(&world, "access").await;
    let waiting = &world.get(&format!("/requests/{id}/runs")).await.good()["items"][0];
    assert_eq!(
        (&waiting["status"], &waiting["detail_code"]),
        (&json!("processing"), &json!("waiting_for_contact"))
    );
    assert_eq!(waiting["next_at"], "2026-06-06T09:00:00Z", "the first reminder");
    let answer = json!({
        "answer": "data", "name": "Pat Owner", "note": "from the paper archive",
        "records": [{"kind": "invoice", "title": "Invoice 7", "fields": {"total": "12.00"}}],
    });
    let done = world.post(&path(&id, &run), &answer).await.good();
    assert_eq!((&done["status"], &done["detail"]), (&json!("complete"), &json!("1 record found")));
    let given = json!({"answer": "data", "name": "Pat Owner", "note": "from the paper archive"});
    assert_eq!(done["answer"], given);
    let records = world.get(&format!("/requests/{id}/records")).await.good();
    assert_eq!(records["items"][0]["fields"], json!({"total": "12.00"}));
    assert_eq!(world.get(&format!("/requests/{id}")).await.good()["state"], "review");
    // Neither what was answered nor by whom stands in the log.
    let events = world.get(&format!("/requests/{id}/events")).await.text;
    assert!(events.contains("contact.asked") && events.contains("contact.answered"));
    assert!(!events.contains("Pat") && !events.contains("Invoice") && !events.contains(OWNER));
    // One answer is enough.
    let problem = world.post(&path(&id, &run), &answer).await.refused(409, "illegal_move");
    assert_eq!(problem["allowed"], json!([]));
}

#[tokio::test]
async fn files_come_with_a_form_and_under_a_safe_name() {
    let world = world_with_owner().await;
    let (id, run) = ask(&world, "access").await;
    let parts: &[(&str, Option<&str>, &[u8])] = &[
        ("answer", None, b"data"),
        ("name", None, b"Pat"),
        ("files", Some("../../etc/passwd"), b"one"),
        ("files", Some("letter.pdf"), &[0, 1, 2, 255]),
        ("records", None, br#"[{"kind": "note", "title": "A note", "fields": {}}]"#),
    ];
    let done = send_form(&world, &path(&id, &run), parts).await.good();
    assert_eq!(done["detail"], "3 records found");
    let records = world.get(&format!("/requests/{id}/records")).await.good();
    let items = records["items"].as_array().unwrap();
    let find = |title: &str| items.iter().find(|one| one["title"] == title).unwrap();
    find("A note");
    find("passwd");
    assert_eq!(find("letter.pdf")["fields"]["bytes"], 4);
    let letter = find("letter.pdf");
    assert_eq!(letter["file"]["bytes"], 4);
    assert!(letter["file"].get("content").is_none(), "the content is delivered, not shown");
    let address = format!("/api/v1/requests/{id}/records/{}/file", letter["id"].as_str().unwrap());
    let file = world.local.clone().oneshot(request("GET", &address, None, None)).await.unwrap();
    assert!(file.headers()["content-disposition"].to_str().unwrap().starts_with("attachment;"));
    assert_eq!(file.headers()["x-content-type-options"], "nosniff");
    assert_eq!(&*file.into_body().collect().await.unwrap().to_bytes(), [0, 1, 2, 255]);
}

#[tokio::test]
async fn a_deletion_is_asked_for_after_the_review() {
    let world = world_with_owner().await;
    let (id, run) = ask(&world, "deletion").await;
    let collected = &world.get(&format!("/requests/{id}/runs")).await.good()["items"][0];
    assert_eq!(collected["detail"], "access skipped");
    world.post(&path(&id, &run), &json!({"answer": "nothing_held"})).await.refused(409, "illegal_move");
    world.post(&format!("/requests/{id}/process"), &json!({})).await.good();
    let runs = world.get(&format!("/requests/{id}/runs")).await.good();
    let erasing = runs["items"].as_array().unwrap().iter().find(|run| run["phase"] == "erase").unwrap();
    let run = erasing["id"].as_str().unwrap();
    assert_eq!(erasing["detail_code"], "waiting_for_contact");
    world.post(&path(&id, run), &json!({"answer": "data"})).await.refused(422, "validation");
    let done = world.post(&path(&id, run), &json!({"answer": "deleted", "name": "Pat"})).await.good();
    assert_eq!(
        (&done["detail"], &done["deleted"]),
        (&json!("deleted, as the system's contact says"), &json!(1))
    );
    let request = world.get(&format!("/requests/{id}")).await.good();
    assert_eq!((&request["state"], &request["outcome"]), (&json!("closed"), &json!("erased")));
}

#[rstest]
#[case::no_answer(json!({}), "answer", "is missing")]
#[case::another_word(json!({"answer": "maybe"}), "answer", "data, nothing_held, deleted")]
#[case::nothing_with_it(json!({"answer": "data"}), "records", "nothing_held")]
#[case::too_much_with_it(json!({"answer": "nothing_held", "records": [{"kind": "k", "title": "t"}]}), "records", "data")]
#[case::deleted_too_early(json!({"answer": "deleted"}), "answer", "data")]
#[case::record_without_title(json!({"answer": "data", "records": [{"kind": "k"}]}), "records.0.title", "is missing")]
#[case::empty_title(json!({"answer": "data", "records": [{"kind": "k", "title": " "}]}), "records.0.title", "1 to 200")]
#[case::fields_are_no_object(json!({"answer": "data", "records": [{"kind": "k", "title": "t", "fields": 1}]}), "records.0.fields", "object")]
#[case::unknown_field(json!({"answer": "nothing_held", "mood": "good"}), "mood", "known are")]
#[tokio::test]
async fn an_answer_that_does_not_fit_changes_nothing(
    #[case] answer: Value,
    #[case] field: &str,
    #[case] says: &str,
) {
    let world = world_with_owner().await;
    let (id, run) = ask(&world, "access").await;
    let before = world.events().await;
    let problem = world.post(&path(&id, &run), &answer).await.refused(422, "validation");
    assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    assert!(problem["errors"][0]["message"].as_str().unwrap().contains(says), "{problem}");
    assert_eq!(world.events().await, before);
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_refused() {
    let world = world_with_owner_and(ServerOptions {
        uploads: UploadLimits { file: 1 << 20, answer: 3 << 19 },
        ..ServerOptions::default()
    })
    .await;
    let (id, run) = ask(&world, "access").await;
    let path = path(&id, &run);
    send_form(&world, &path, &[("answer", None, b"data"), ("files", Some("empty"), b"")])
        .await
        .refused(422, "validation");
    send_form(&world, &path, &[("answer", None, b"data"), ("answer", None, b"data")])
        .await
        .refused(422, "validation");
    send_form(&world, &path, &[("answer", None, b"data"), ("records", None, b"[{")])
        .await
        .refused(422, "validation");
    let large = vec![b'x'; (1 << 20) + 1];
    send_form(&world, &path, &[("answer", None, b"data"), ("files", Some("a"), &large)])
        .await
        .refused(413, "payload_too_large");
    let (one, other) = (("files", Some("a"), &large[1..]), ("files", Some("b"), &large[1..]));
    send_form(&world, &path, &[("answer", None, b"data"), one, other])
        .await
        .refused(413, "payload_too_large");
    let broken = Request::post(format!("/api/v1{path}"))
        .header("content-type", "multipart/form-data; boundary=edge")
        .body(Body::from("--edge\r\nContent-Dispo"))
        .unwrap();
    World::send(&world.local, broken).await.refused(400, "body_unreadable");
    let without_edge = Request::post(format!("/api/v1{path}"))
        .header("content-type", "multipart/form-data")
        .body(Body::from("x"))
        .unwrap();
    World::send(&world.local, without_edge).await.refused(400, "body_unreadable");
    assert_eq!(world.get(&format!("/requests/{id}/runs")).await.good()["items"][0]["status"], "processing");
}

#[tokio::test]
async fn a_run_is_handed_over_to_a_person() {
    let world = World::with_shop().await;
    let (id, run) = ask(&world, "access").await;
    let at = format!("/requests/{id}/runs/{run}/hand-over");
    let before = world.events().await;
    for (body, field) in [
        (json!({}), "email"),
        (json!({"email": "nobody"}), "email"),
        (json!({"email": OWNER, "name": "Pat"}), "name"),
    ] {
        let problem = world.post(&at, &body).await.refused(422, "validation");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    assert_eq!(world.events().await, before);
    let handed = world.post(&at, &json!({"email": OWNER})).await.good();
    assert_eq!(
        (&handed["status"], &handed["detail_code"]),
        (&json!("processing"), &json!("waiting_for_contact"))
    );
    world.post(&path(&id, &run), &json!({"answer": "nothing_held"})).await.good();
    let request = world.get(&format!("/requests/{id}")).await.good();
    assert_eq!(request["outcome"], "nothing_found");
    // A run that is settled is not handed over any more.
    let problem = world.post(&at, &json!({"email": OWNER})).await.refused(409, "illegal_move");
    assert_eq!(problem["status_of_run"], "complete");
}

#[tokio::test]
async fn who_may_not_answer_is_refused_before_the_answer_is_read() {
    let world = world_with_owner().await;
    let (id, run) = ask(&world, "access").await;
    let auditor = world.key(&[Role::Auditor]).await;
    let unreadable = json!({"nonsense": 1});
    let at = path(&id, &run);
    world
        .call(&auditor, "POST", &format!("/api/v1{at}"), Some(&unreadable))
        .await
        .refused(403, "role_missing");
    // Records are JSON, of the size that any call takes; files may be larger.
    let long = "x".repeat(2 << 20);
    let records =
        json!({"answer": "data", "records": [{"kind": "note", "title": "t", "fields": {"text": long}}]});
    world.post(&at, &records).await.refused(413, "payload_too_large");
    let text = records["records"].to_string();
    let parts = [("answer", None, b"data".as_slice()), ("records", None, text.as_bytes())];
    send_form(&world, &at, &parts).await.refused(413, "payload_too_large");
    let parts = [("answer", None, b"data".as_slice()), ("files", Some("note.txt"), text.as_bytes())];
    send_form(&world, &at, &parts).await.good();
}

#[tokio::test]
async fn under_a_hold_nobody_is_asked() {
    let world = World::with_shop().await;
    let (id, run) = ask(&world, "access").await;
    world.post(&format!("/requests/{id}/hold"), &json!({"reason": "other"})).await.good();
    let before = world.events().await;
    let at = format!("/requests/{id}/runs/{run}/hand-over");
    world.post(&at, &json!({"email": OWNER})).await.refused(422, "validation");
    assert_eq!(world.events().await, before);
}
