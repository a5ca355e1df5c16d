//! What holds for all of them.

use std::net::IpAddr;
use std::num::NonZeroU32;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Extension;
use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use habeas_server::{PeerAddress, ServerOptions};
use rstest::rstest;
use scraper::{Html, Selector};

use super::{
    asked, get, is_page, owner_asked, package_ready, post, seen, send, state, unusable, world, world_with,
};
use crate::logging::Log;
use crate::world::World;

#[tokio::test]
async fn whatever_is_wrong_with_a_link_the_answer_is_the_same() {
    let world = world().await;
    let expected = unusable(&world).await;
    let token = "A".repeat(43);
    let long = "x".repeat(4_000);
    let others = [
        "x",
        "%00",
        "%ff",
        "%fe%ff",
        "..",
        "%2e%2e",
        "'%20OR%20'1'='1",
        "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "%F0%9F%92%A9",
        "%E2%80%AE",
        "%0d%0aset-cookie:%20a=b",
        "a%2Fb",
        &token,
        &format!("{token}="),
        &long,
        // Lengths on both sides of a token's.
        &"A".repeat(42),
        &"A".repeat(44),
    ];
    for page in ["verify", "contact", "download"] {
        for token in others {
            let path = format!("/{page}/{token}");
            for method in ["GET", "POST"] {
                assert_eq!(
                    seen(&send(&world, method, &path, &[], "").await),
                    seen(&expected),
                    "{method} {path}"
                );
            }
            let deeper = send(&world, "GET", &format!("{path}/package"), &[], "").await;
            assert_eq!(seen(&deeper), seen(&expected), "{path}/package");
        }
        for path in [
            format!("/{page}"),
            format!("/{page}/"),
            format!("/{page}/{token}/a/b"),
            format!("/{page}/{token}/"),
        ] {
            assert_eq!(seen(&get(&world, &path).await), seen(&expected), "{path}");
        }
    }
}

#[tokio::test]
async fn a_link_is_good_for_its_own_page_only() {
    let world = world().await;
    world.add_shop().await;
    let (_, verify) = asked(&world, "access").await;
    let (_, download) = package_ready(&world, 1).await;
    let (_, contact) = owner_asked(&world, "access").await;
    let expected = unusable(&world).await;
    for (link, own) in [(&verify, "verify"), (&contact, "contact"), (&download, "download")] {
        let token = link.rsplit('/').next().unwrap();
        for page in ["verify", "contact", "download"] {
            let answer = get(&world, &format!("/{page}/{token}")).await;
            if page == own {
                is_page(&answer, 200);
            } else {
                assert_eq!(seen(&answer), seen(&expected));
            }
        }
        // Nearly right is wrong.
        let other = if token.starts_with('A') { 'B' } else { 'A' };
        let near = format!("/{own}/{other}{}", &token[1..]);
        assert_eq!(seen(&get(&world, &near).await), seen(&expected));
    }
}

#[tokio::test]
async fn other_methods_do_nothing_and_are_pages() {
    let world = world().await;
    world.add_shop().await;
    let (id, link) = asked(&world, "access").await;
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
        let answer = send(&world, method, &link, &[], "").await;
        is_page(&answer, 405);
        assert_eq!(answer.header("allow"), "GET,HEAD,POST", "{method}");
    }
    assert_eq!(state(&world, &id).await, "verifying");
}

/// A browser runs no style but this one, so a page without it would be bare.
#[tokio::test]
async fn the_policy_lets_the_style_of_the_page_through_and_nothing_else() {
    let world = world().await;
    let (_, contact) = owner_asked(&world, "access").await;
    for page in [get(&world, &contact).await, unusable(&world).await] {
        let document = Html::parse_document(&page.text);
        let styles: Vec<String> =
            document.select(&Selector::parse("style").unwrap()).map(|style| style.text().collect()).collect();
        assert_eq!(styles.len(), 1);
        let hash = STANDARD.encode(digest(&SHA256, styles[0].as_bytes()));
        let expected = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        );
        assert_eq!(page.header("content-security-policy"), expected);
        // What the policy would stop: styles of single elements, pictures, fonts, scripts.
        let stopped = Selector::parse("[style], img, link, script, iframe, [onclick], [onload]").unwrap();
        assert_eq!(document.select(&stopped).count(), 0);
    }
}

#[rstest]
#[case::another_site(&[("sec-fetch-site", "cross-site")], false)]
#[case::a_neighbour(&[("sec-fetch-site", "same-site")], false)]
#[case::its_own_page(&[("sec-fetch-site", "same-origin")], true)]
#[case::typed_in(&[("sec-fetch-site", "none")], true)]
#[case::older_from_elsewhere(&[("origin", "https://evil.example.test")], false)]
#[case::older_from_here(&[("origin", "https://habeas.example.test")], true)]
// The pages ask browsers not to say where somebody comes from; some then say `null`.
#[case::older_and_silent(&[("origin", "null")], true)]
#[case::a_program(&[], true)]
#[tokio::test]
async fn a_button_on_another_site_does_nothing(#[case] headers: &[(&str, &str)], #[case] acts: bool) {
    let world = world().await;
    world.add_shop().await;
    let (id, link) = asked(&world, "access").await;
    let answer = send(&world, "POST", &link, headers, "").await;
    is_page(&answer, if acts { 200 } else { 403 });
    assert_eq!(state(&world, &id).await != "verifying", acts);
    // Links may be followed from anywhere: from a mail above all.
    is_page(&send(&world, "GET", "/verify/x", headers, "").await, 404);
}

async fn from(world: &World, peer: &str, forwarded: &str) -> crate::world::Answer {
    let peer: IpAddr = peer.parse().unwrap();
    let router = world.network.clone().layer(Extension(PeerAddress(peer)));
    let request = Request::get("/verify/x").header("x-forwarded-for", forwarded).body(Body::empty()).unwrap();
    World::send(&router, request).await
}

#[tokio::test]
async fn who_calls_too_often_waits_and_others_do_not() {
    let world = world_with(ServerOptions {
        pages_per_minute: NonZeroU32::new(5).unwrap(),
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        ..ServerOptions::default()
    })
    .await;
    for _ in 0..5 {
        is_page(&from(&world, "192.0.2.1", "").await, 404);
    }
    // Whatever the caller says of where it is.
    let slowed = from(&world, "192.0.2.1", "203.0.113.9").await;
    is_page(&slowed, 429);
    let wait: u64 = slowed.header("retry-after").parse().unwrap();
    assert!((1..=13).contains(&wait), "{wait}");
    assert!(slowed.text.contains(&format!("in {wait} seconds")), "{}", slowed.text);
    is_page(&from(&world, "192.0.2.2", "").await, 404);
    // Behind a proxy that is trusted everybody counts for themselves.
    for _ in 0..5 {
        is_page(&from(&world, "10.0.0.1", "203.0.113.1").await, 404);
    }
    is_page(&from(&world, "10.0.0.1", "203.0.113.1").await, 429);
    is_page(&from(&world, "10.0.0.1", "203.0.113.2").await, 404);
    // A listener of both families knows the proxy by another spelling.
    is_page(&from(&world, "::ffff:10.0.0.1", "203.0.113.1, 10.1.2.3").await, 429);
    // The API has its own measure.
    let health = Request::get("/healthz").body(Body::empty()).unwrap();
    let router = world.network.clone().layer(Extension(PeerAddress("192.0.2.1".parse().unwrap())));
    assert_eq!(World::send(&router, health).await.status, 200);
}

#[tokio::test]
async fn a_panic_is_a_page_without_details_and_the_log_knows_of_it() {
    let world = world().await;
    let log = Log::default();
    let guard = log.listen();
    let panics = futures::stream::poll_fn(|_| -> std::task::Poll<Option<Result<Vec<u8>, std::io::Error>>> {
        panic!("the body does")
    });
    let answer = send(&world, "POST", "/download/x", &[], Body::from_stream(panics)).await;
    drop(guard);
    is_page(&answer, 500);
    assert!(!answer.text.contains("the body does"));
    assert!(log.text().contains("status=500 code=\"internal\""), "{}", log.text());
}

#[tokio::test]
async fn the_log_knows_pages_but_neither_links_nor_people() {
    let world = world().await;
    world.add_shop().await;
    let log = Log::default();
    let guard = log.listen();
    let (_, verify) = asked(&world, "access").await;
    let (_, download) = package_ready(&world, 1).await;
    let (_, contact) = owner_asked(&world, "access").await;
    get(&world, &verify).await;
    post(&world, &verify, "").await;
    get(&world, &verify).await;
    get(&world, &contact).await;
    post(&world, &contact, "answer=nothing_held&name=Pat+Owner&truthful=yes").await;
    post(&world, &download, "").await;
    let code = super::code(&world).await;
    post(&world, &download, "code=000000").await;
    let given = post(&world, &download, &format!("code={code}")).await;
    let grant = given.header("set-cookie").split(['=', ';']).nth(1).unwrap().to_owned();
    get(&world, &format!("{download}/package")).await;
    get(&world, &format!("{download}/package/more")).await;
    drop(guard);
    let log = log.text();
    for route in ["/verify/{token}", "/contact/{token}", "/download/{token}", "/download/{token}/package"] {
        assert!(log.contains(route), "{route} is not in\n{log}");
    }
    let token = |link: &str| link.rsplit('/').next().unwrap().to_owned();
    for secret in [token(&verify), token(&contact), token(&download), code, grant] {
        assert!(secret.len() >= 6 && !log.contains(&secret), "a secret is in\n{log}");
    }
    for person in [crate::world::ANA, "Pat Owner", super::OWNER] {
        assert!(!log.contains(person), "`{person}` is in\n{log}");
    }
}
