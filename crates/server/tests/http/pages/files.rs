//! Files that a contact sends, and those that are not taken.

use std::io::{Cursor, Write as _};

use habeas_server::{ServerOptions, UploadLimits};
use rstest::rstest;
use serde_json::json;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{is_page, owner_asked, send, state, texts, world, world_with};
use crate::world::{Answer, World};

/// One part of a form.
pub(super) struct Part<'p> {
    name: &'p str,
    file: Option<&'p str>,
    content: &'p [u8],
}

impl<'p> Part<'p> {
    pub(super) const fn text(name: &'p str, text: &'p str) -> Self {
        Self { name, file: None, content: text.as_bytes() }
    }

    pub(super) const fn file(file: &'p str, content: &'p [u8]) -> Self {
        Self { name: "files", file: Some(file), content }
    }
}

pub(super) fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for Part { name, file, content } in parts {
        let file = file
            .map(|file| format!("; filename=\"{file}\"\r\nContent-Type: application/octet-stream"))
            .unwrap_or_default();
        write!(body, "--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").unwrap();
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    body
}

pub(super) async fn send_form(world: &World, path: &str, parts: &[Part<'_>]) -> Answer {
    let kind = [("content-type", "multipart/form-data; boundary=edge")];
    send(world, "POST", path, &kind, form(parts)).await
}

async fn answer_with(world: &World, link: &str, files: &[(&str, &[u8])]) -> Answer {
    let mut parts = vec![Part::text("answer", "data")];
    parts.extend(files.iter().map(|(name, content)| Part::file(name, content)));
    parts.extend([Part::text("name", "Pat"), Part::text("truthful", "yes")]);
    send_form(world, link, &parts).await
}

fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new_stream(Vec::new());
    zip.start_file(name, SimpleFileOptions::default()).unwrap();
    zip.write_all(content).unwrap();
    zip.finish().unwrap().into_inner()
}

#[rstest]
#[case::program("run.exe", b"MZ\x90\0", "not taken")]
#[case::program_in_disguise("scan.pdf", b"MZ\x90\0\x03\0\0\0", "not what its name says")]
#[case::page("page.html", b"<!doctype html><script>alert(1)</script>", "not taken")]
#[case::page_in_disguise("page.txt", b"<!doctype html><script>alert(1)</script>", "not what its name says")]
#[case::picture_that_runs("picture.svg", b"<svg onload='alert(1)'/>", "not taken")]
#[case::script("run.ps1", b"Remove-Item", "not taken")]
#[case::no_ending("letter", b"Dear Ana", "no ending")]
#[case::two_endings("letter.pdf.js", b"alert(1)", "not taken")]
#[case::hidden("..txt.exe/..", b"MZ\x90\0", "no ending")]
#[case::broken_archive("data.zip", b"PK\x03\x04 and nothing else", "cannot be opened")]
#[case::empty("empty.csv", b"", "is empty")]
#[tokio::test]
async fn what_is_not_taken(#[case] name: &str, #[case] content: &[u8], #[case] says: &str) {
    let world = world().await;
    let (id, link) = owner_asked(&world, "access").await;
    let before = world.events().await;
    let page = answer_with(&world, &link, &[("good.csv", b"a;b"), (name, content)]).await;
    is_page(&page, 422);
    assert!(texts(&page, "#files-error")[0].contains(says), "{:?}", texts(&page, "#files-error"));
    assert_eq!(world.events().await, before);
    assert_eq!(world.get(&format!("/requests/{id}/records")).await.good()["items"], json!([]));
    // The link is as good as before.
    is_page(&answer_with(&world, &link, &[("good.csv", b"a;b")]).await, 200);
}

#[tokio::test]
async fn files_that_offices_really_have_are_taken() {
    let world = world().await;
    let (_, link) = owner_asked(&world, "access").await;
    // An older Office file: what is in it stands in a directory that comes later than a first look.
    let mut office = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    office.resize(20_000, 0);
    let streamed = zip("letter.txt", b"Dear Ana");
    let files: &[(&str, &[u8])] = &[
        ("letter.doc", &office),
        ("table.xls", &office),
        ("mail.msg", &office),
        ("export.xls", b"name\ttown\nAna\tPorto"),
        ("measures.csv", b"BMI;weight\n22;70"),
        ("takeout.zip", &streamed),
        ("clip.mp4", b"\0\0\0\x20ftyp3gp5\0\0\0\0"),
        ("mail.eml", b"From: ana@example.test\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>"),
    ];
    let page = answer_with(&world, &link, files).await;
    is_page(&page, 200);
    assert!(page.text.contains("with 8 files"), "{}", page.text);
}

#[rstest]
#[case("../../etc/cron.d/job.txt", "job.txt")]
#[case("C:\\\\Users\\\\Pat\\\\letter.txt", "letter.txt")]
#[case("<script>alert(1)<.txt", "scriptalert(1).txt")]
#[case("Rechnung Müller \u{1f4c4}.txt", "Rechnung Müller \u{1f4c4}.txt")]
#[case("a\tb.txt", "ab.txt")]
#[case("\u{202e}txt.fdp.txt", "txt.fdp.txt")]
#[tokio::test]
async fn a_name_is_kept_without_what_could_do_harm(#[case] given: &str, #[case] kept: &str) {
    let world = world().await;
    let (id, link) = owner_asked(&world, "access").await;
    is_page(&answer_with(&world, &link, &[(given, b"Dear Ana")]).await, 200);
    let records = world.get(&format!("/requests/{id}/records")).await.good();
    assert_eq!(records["items"][0]["title"], kept);
}

/// The ending decides what opens a file, so the one that is kept is the one that was looked at.
#[tokio::test]
async fn a_long_name_cannot_lose_its_ending() {
    let world = world().await;
    let (id, link) = owner_asked(&world, "access").await;
    let name = format!("{}.bat{}.txt", "a".repeat(116), "b".repeat(50));
    is_page(&answer_with(&world, &link, &[(&name, b"@echo off")]).await, 200);
    let records = world.get(&format!("/requests/{id}/records")).await.good();
    let kept = records["items"][0]["title"].as_str().unwrap();
    assert!(kept.ends_with(".txt"), "{kept}");
}

#[tokio::test]
async fn archives_are_taken_unless_they_would_bury_their_reader() {
    let world = world().await;
    let (_, link) = owner_asked(&world, "access").await;
    // In the storage, not in a record: its directory is read back from there.
    let mut large = ZipWriter::new(Cursor::new(Vec::new()));
    large.start_file("log.txt", SimpleFileOptions::default()).unwrap();
    let noise: Vec<u8> = (0_u32..200_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    large.write_all(&noise).unwrap();
    let large = large.finish().unwrap().into_inner();
    assert!(large.len() > 256 << 10);
    // Under another name than `.zip`, too.
    for name in ["zeros.zip", "zeros.docx"] {
        let page =
            answer_with(&world, &link, &[("large.zip", &large), (name, &zip("zeros", &vec![0; 32 << 20]))])
                .await;
        is_page(&page, 422);
        assert!(texts(&page, "#files-error")[0].contains("absurdly large"), "{}", page.text);
    }
    let good = zip("letter.txt", b"Dear Ana");
    is_page(&answer_with(&world, &link, &[("large.zip", &large), ("good.zip", &good)]).await, 200);
}

#[tokio::test]
async fn what_is_too_large_is_said_with_what_was_typed() {
    let uploads = UploadLimits { file: 1 << 20, answer: 3 << 19 };
    let world = world_with(ServerOptions { uploads, ..ServerOptions::default() }).await;
    let (id, link) = owner_asked(&world, "access").await;
    let large = vec![b'x'; (1 << 20) + 1];
    for files in [&[("a.txt", &*large)][..], &[("a.txt", &large[1..]), ("b.txt", &large[1..])][..]] {
        let page = answer_with(&world, &link, files).await;
        is_page(&page, 413);
        assert!(texts(&page, "#files-error")[0].contains("larger than"), "{}", page.text);
        assert!(page.text.contains("value=\"Pat\""), "the name was typed behind the files");
    }
    // Whoever goes on sending is not listened to without end.
    let endless = vec![b'x'; 8 << 20];
    let page = answer_with(&world, &link, &[("a.txt", &endless)]).await;
    is_page(&page, 413);
    let many: Vec<_> = (0..51).map(|_| ("a.txt", b"x".as_slice())).collect();
    let page = answer_with(&world, &link, &many).await;
    is_page(&page, 422);
    assert!(texts(&page, "#files-error")[0].contains("50 files"), "{}", page.text);
    assert_eq!(state(&world, &id).await, "collecting");
}

#[rstest]
#[case::no_edge("multipart/form-data", b"--edge\r\n")]
#[case::other_edge(
    "multipart/form-data; boundary=other",
    b"--edge\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--edge--"
)]
#[case::cut("multipart/form-data; boundary=edge", b"--edge\r\nContent-Dispo")]
#[case::nothing("multipart/form-data; boundary=edge", b"")]
#[case::noise("multipart/form-data; boundary=edge", b"\xff\x00\xfe--edge\x00")]
#[case::no_text(
    "multipart/form-data; boundary=edge",
    b"--edge\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n\xff\xfe\r\n--edge--\r\n"
)]
#[case::json("application/json", b"{}")]
#[case::no_kind("", b"answer=data")]
#[case::strange_kind("\x7f;;;=", b"answer=data")]
#[tokio::test]
async fn what_is_no_form_is_a_page(#[case] kind: &str, #[case] body: &[u8]) {
    let world = world().await;
    let (id, link) = owner_asked(&world, "access").await;
    let kind = axum::http::HeaderValue::from_bytes(kind.as_bytes()).map_or("x", |_| kind);
    let page = send(&world, "POST", &link, &[("content-type", kind)], body.to_vec()).await;
    is_page(&page, 400);
    assert_eq!(state(&world, &id).await, "collecting");
}
