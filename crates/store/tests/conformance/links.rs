//! Links.

use habeas_domain::{ConnectionId, DueWorkId, LinkId, RequestId};
use habeas_store::due_work::{self, DueWorkKind, NewDueWork};
use habeas_store::links::{self, Link};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::{Fixture, assert_same};

on_both_databases![
    a_link_is_found_by_its_hash_alone,
    links_are_used_up_together,
    links_go_with_their_work,
    a_locked_link_is_written_back_and_cleared,
    the_newest_end_is_of_links_that_can_be_used,
];

fn link(fixture: &Fixture, hash: u8, purpose: &str, request: RequestId) -> Link {
    let id = LinkId::new(fixture.environment.unique());
    Link::new(id, vec![hash; 32], purpose, (request, None), fixture.now(), fixture.later(60))
}

async fn a_link_is_found_by_its_hash_alone(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let request = fixture.request_id();
    let all = [link(&fixture, 1, "download", request), link(&fixture, 2, "verify", request)];
    let mut changed = all[0].clone();
    changed.code_hash = Some(vec![9]);
    changed.code_until = Some(fixture.later(5));
    (changed.codes_tried, changed.codes_sent, changed.codes_since) = (1, 2, Some(fixture.now()));
    (changed.grant_hash, changed.grant_until) = (Some(vec![8]), Some(fixture.later(6)));
    let after = changed.clone();
    keep!(fixture, |unit| {
        links::insert(unit.connection(), &[]).await?;
        links::insert(unit.connection(), &all).await?;
        links::save(unit.connection(), &changed).await
    });
    let mut reader = fixture.reader().await;
    let found = links::find(&mut reader, &[vec![7; 32], vec![1; 32]]).await.unwrap().unwrap();
    assert_eq!(format!("{found:?}"), format!("{after:?}"));
    assert!(links::find(&mut reader, &[vec![3; 32]]).await.unwrap().is_none());
    assert!(links::find(&mut reader, &[]).await.unwrap().is_none());
    assert_eq!(links::request_of(&mut reader, found.id).await.unwrap(), Some(request));
    assert_eq!(links::of_request(&mut reader, request).await.unwrap().len(), 2);
    assert_eq!(links::newest_end(&mut reader, "download", request).await.unwrap(), Some(fixture.later(60)));
    assert_eq!(links::newest_end(&mut reader, "contact", request).await.unwrap(), None);
}

async fn links_are_used_up_together(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (request, other) = (fixture.request_id(), fixture.request_id());
    let run = fixture.run(request, ConnectionId::new(fixture.environment.unique())).id;
    let of_run = Link { run: Some(run), ..link(&fixture, 1, "contact", request) };
    let all = [
        of_run,
        link(&fixture, 2, "contact", request),
        link(&fixture, 3, "download", request),
        link(&fixture, 4, "contact", other),
    ];
    let now = fixture.now();
    keep!(fixture, |unit| {
        links::insert(unit.connection(), &all).await?;
        links::use_up(unit.connection(), "contact", (request, Some(run)), now).await
    });
    let used = async |request| -> Vec<bool> {
        let mut found = links::of_request(&mut fixture.reader().await, request).await.unwrap();
        found.sort_by_key(|link| link.token_hash[0]);
        found.iter().map(|link| link.used_at.is_some()).collect()
    };
    assert_eq!(used(request).await, [true, false, false]);
    keep!(fixture, |unit| links::use_up(unit.connection(), "contact", (request, None), now).await);
    assert_eq!((used(request).await, used(other).await), (vec![true, true, false], vec![false]));
}

async fn links_go_with_their_work(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (request, other) = (fixture.request_id(), fixture.request_id());
    let all = [link(&fixture, 1, "verify", request), link(&fixture, 2, "verify", other)];
    let work: Vec<NewDueWork> = all
        .iter()
        .map(|link| NewDueWork {
            id: DueWorkId::new(fixture.environment.unique()),
            kind: DueWorkKind::Link,
            ..fixture.work("links", &link.id.to_string(), 0)
        })
        .collect();
    let (gone, stays) = (all[0].id, all[1].id);
    keep!(fixture, |unit| {
        links::insert(unit.connection(), &all).await?;
        due_work::insert(unit.connection(), &work).await?;
        links::forget(unit.connection(), [request]).await
    });
    let mut reader = fixture.reader().await;
    assert!(links::of_request(&mut reader, request).await.unwrap().is_empty());
    assert!(due_work::next_of(&mut reader, gone).await.unwrap().is_none());
    assert!(due_work::next_of(&mut reader, stays).await.unwrap().is_some());
}

async fn a_locked_link_is_written_back_and_cleared(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let request = fixture.request_id();
    let run = fixture.run(request, ConnectionId::new(fixture.environment.unique())).id;
    let fresh = Link { run: Some(run), ..link(&fixture, 1, "contact", request) };
    let full = Link {
        expires_at: fixture.later(600),
        used_at: Some(fixture.later(1)),
        code_hash: Some(vec![0, 255]),
        code_until: Some(fixture.later(2)),
        codes_tried: 3,
        codes_sent: 4,
        codes_since: Some(fixture.later(3)),
        grant_hash: Some(vec![39, 0]),
        grant_until: Some(fixture.later(4)),
        ..fresh.clone()
    };
    let (id, missing) = (fresh.id, LinkId::new(fixture.environment.unique()));
    let inserted = fresh.clone();
    keep!(fixture, |unit| links::insert(unit.connection(), &[inserted]).await);
    for link in [fresh.clone(), full, fresh] {
        let saved = link.clone();
        let found = keep!(fixture, |unit| {
            links::save(unit.connection(), &saved).await?;
            assert!(links::lock(unit.connection(), missing).await?.is_none());
            links::lock(unit.connection(), id).await
        });
        assert_same(&found, &Some(link));
    }
    assert_eq!(links::request_of(&mut fixture.reader().await, missing).await.unwrap(), None);
}

async fn the_newest_end_is_of_links_that_can_be_used(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let request = fixture.request_id();
    let until = |hash, seconds| Link {
        expires_at: fixture.later(seconds),
        ..link(&fixture, hash, "download", request)
    };
    let (first, longest, used) = (until(1, 60), until(2, 90), until(3, 120));
    let (early, late) = (fixture.now(), fixture.later(30));
    let id = used.id;
    let used_up = Link { used_at: Some(early), ..used.clone() };
    let expected = longest.expires_at;
    keep!(fixture, |unit| {
        links::insert(unit.connection(), &[first, longest, used]).await?;
        links::save(unit.connection(), &used_up).await
    });
    let newest = async || links::newest_end(&mut fixture.reader().await, "download", request).await.unwrap();
    assert_eq!(newest().await, Some(expected));
    keep!(fixture, |unit| links::use_up(unit.connection(), "download", (request, None), late).await);
    assert_eq!(newest().await, None);
    let found = links::of_request(&mut fixture.reader().await, request).await.unwrap();
    let used_at = |link: &Link| if link.id == id { early } else { late };
    assert!(found.iter().all(|link| link.used_at == Some(used_at(link))), "what was used keeps its time");
    keep!(fixture, |unit| links::forget(unit.connection(), []).await);
    assert_eq!(links::of_request(&mut fixture.reader().await, request).await.unwrap().len(), 3);
}
