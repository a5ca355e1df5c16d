//! Codes and their pages.

use std::collections::BTreeSet;

use habeas_integrations::ErrorKind;
use habeas_server::codes::CODES;

use crate::world::World;

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors");
    let pages: BTreeSet<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let codes: BTreeSet<String> = CODES.iter().map(|code| code.name.to_owned()).collect();
    assert_eq!(pages, codes);
    for code in CODES {
        let lines: Vec<_> = code.page.lines().collect();
        assert_eq!(lines[0], format!("# {}", code.name));
        assert!(lines.contains(&"## Why") && lines.contains(&"## What to do"), "{}", code.name);
        if let Some(status) = code.status {
            assert!(code.page.contains(&format!("HTTP status {}", status.as_u16())), "{}", code.name);
        }
    }
}

#[test]
fn every_kind_of_failure_at_a_vendor_has_a_page() {
    use ErrorKind as K;
    let kinds = [
        K::Credentials,
        K::Permission,
        K::NotAllowed,
        K::BadRequest,
        K::BadAnswer,
        K::Unavailable,
        K::RateLimited,
        K::Paced,
        K::Configuration,
    ];
    for kind in kinds {
        assert!(CODES.iter().any(|code| code.name == kind.code()), "{kind:?}");
    }
}

#[tokio::test]
async fn pages_are_served_without_a_key() {
    let world = World::empty().await;
    for code in CODES {
        let call = crate::world::request("GET", &format!("/docs/errors/{}", code.name), None, None);
        let answer = World::send(&world.network, call).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, code.page));
        assert_eq!(answer.header("content-type"), "text/markdown; charset=utf-8");
    }
    let call = crate::world::request("GET", "/docs/errors/nonsense", None, None);
    World::send(&world.network, call).await.refused(404, "not_found");
}
