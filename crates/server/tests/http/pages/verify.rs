//! A person confirms that a request is theirs.

use std::time::Duration;

use serde_json::json;

use super::{asked, get, is_page, post, seen, send, state, texts, unusable, world};

#[tokio::test]
async fn looking_changes_nothing_and_the_button_confirms_once() {
    let world = world().await;
    world.add_shop().await;
    let (id, link) = asked(&world, "access").await;
    let before = world.events().await;
    let page = get(&world, &link).await;
    is_page(&page, 200);
    assert_eq!(texts(&page, "h1"), ["Do you want a copy of your data?"]);
    assert_eq!(texts(&page, "form[method=post] button"), ["Yes, this is my request"]);
    assert!(page.text.contains("8 June 2026, 09:00 UTC"), "{}", page.text);
    // A program that follows links in mails.
    let head = send(&world, "HEAD", &link, &[], "").await;
    assert_eq!((head.status, head.text.as_str()), (page.status, ""));
    assert_eq!(head.header("content-security-policy"), page.header("content-security-policy"));
    assert_eq!((world.events().await, state(&world, &id).await), (before, json!("verifying")));

    let thanks = post(&world, &link, "").await;
    is_page(&thanks, 200);
    assert!(texts(&thanks, "h1")[0].starts_with("Thank you"));
    assert_ne!(state(&world, &id).await, "verifying");
    for again in [post(&world, &link, "").await, get(&world, &link).await] {
        assert_eq!(seen(&again), seen(&unusable(&world).await));
    }
}

#[tokio::test]
async fn a_deletion_says_so() {
    let world = world().await;
    world.add_shop().await;
    let (_, link) = asked(&world, "deletion").await;
    assert_eq!(texts(&get(&world, &link).await, "h1"), ["Do you want your data to be deleted?"]);
}

#[tokio::test]
async fn two_browsers_at_once_confirm_once() {
    let world = world().await;
    world.add_shop().await;
    let (_, link) = asked(&world, "access").await;
    let (one, other) = tokio::join!(post(&world, &link, ""), post(&world, &link, ""));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);
}

#[tokio::test]
async fn a_link_ends_with_its_time_and_with_its_request() {
    let world = world().await;
    world.add_shop().await;
    let (_, link) = asked(&world, "access").await;
    world.clock.advance(Duration::from_hours(7 * 24));
    for late in [get(&world, &link).await, post(&world, &link, "").await] {
        assert_eq!(seen(&late), seen(&unusable(&world).await));
    }
    let (id, link) = asked(&world, "access").await;
    world.post(&format!("/requests/{id}/withdraw"), &json!({})).await.good();
    for withdrawn in [get(&world, &link).await, post(&world, &link, "").await] {
        assert_eq!(seen(&withdrawn), seen(&unusable(&world).await));
    }
}
