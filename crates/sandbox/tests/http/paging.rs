//! Pages: sizes, links, and what happens when the list changes under a reader.

use habeas_sandbox::readycloud::KnobsPatch;
use habeas_sandbox::readycloud::fixtures::*;
use reqwest::header::HOST;

use crate::support::{World, contact, contacts, send};

async fn walk(world: &World, first: &str) -> (Vec<String>, usize) {
    let (mut keys, mut pages, mut call) = (Vec::new(), 0, first.to_owned());
    loop {
        let page = world.call(&call).await;
        assert_eq!(page.status, 200, "{call}");
        pages += 1;
        keys.extend(page.keys());
        match page.json()["next"].as_str() {
            Some(next) => call = format!("GET {next}"),
            None => return (keys, pages),
        }
    }
}

#[tokio::test]
async fn following_next_visits_every_contact_once() {
    let world = World::with_people(244).await;
    let total = 244 + MAIN_ORG_CONTACTS;
    for (query, pages) in [("", 13), ("?limit=100", 3), ("?limit=1000", 3), ("?limit=50&offset=200", 1)] {
        let (keys, visited) = walk(&world, &contacts(query)).await;
        assert_eq!(visited, pages, "{query}");
        let mut unique = keys.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), keys.len(), "{query}");
        assert_eq!(keys.len(), if query.contains("offset") { 50 } else { total }, "{query}");
    }
}

#[tokio::test]
async fn links_use_the_host_of_the_call() {
    let world = World::with_people(30).await;
    let request = world.request(&contacts("?offset=10&limit=10")).header(HOST, "crm.example.test:81");
    let page = send(request.bearer_auth(TOKEN)).await.json();
    let base = "http://crm.example.test:81/api/v2/orgs/H6j/contacts/";
    assert_eq!(page["next"], format!("{base}?limit=10&offset=20"));
    assert_eq!(page["previous"], format!("{base}?limit=10"));
    assert_eq!(page["count"], 36);
}

#[tokio::test]
async fn unknown_parameters_are_ignored_so_a_wrong_filter_returns_everything() {
    let world = World::with_people(5).await;
    let everything = world.call(&contacts("")).await;
    for query in ["?q=ana", "?search=ana.silva@example.test", "?addresses__email=x", "?email=x&id=1"] {
        let filtered = world.call(&contacts(query)).await;
        assert_eq!(filtered.keys(), everything.keys(), "{query}");
    }
    let world = World::with_people(50).await;
    let page = world.call(&contacts("?addresses__email=a%40b&limit=2")).await.json();
    assert!(page["next"].as_str().unwrap().contains("addresses__email=a%40b"));
}

#[tokio::test]
async fn page_sizes_are_knobs() {
    let world = World::with_people(50).await;
    let size = |page_size, page_cap| KnobsPatch { page_size, page_cap, ..KnobsPatch::default() };
    world.readycloud().turn(size(Some(7), Some(9)));
    assert_eq!(world.call(&contacts("")).await.keys().len(), 7);
    assert_eq!(world.call(&contacts("?limit=50")).await.keys().len(), 9);
    assert_eq!(world.call(&contacts("?limit=0")).await.keys().len(), 7);
    assert_eq!(world.call(&contacts("?offset=99999999999")).await.keys().len(), 0);
}

#[tokio::test]
async fn deleting_while_paging_skips_a_row() {
    let world = World::with_people(40).await;
    let all = walk(&world, &contacts("?limit=100")).await.0;
    let first = world.call(&contacts("?limit=10")).await;
    assert_eq!(world.call(&contact("DELETE", &first.keys()[0])).await.status, 204);
    let next = first.json()["next"].as_str().unwrap().to_owned();
    assert_eq!(
        world.call(&format!("GET {next}")).await.keys()[0],
        all[11],
        "row 10 has moved to the first page"
    );
}
