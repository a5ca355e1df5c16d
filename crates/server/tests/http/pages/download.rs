//! A person fetches their data.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::json;
use tower::ServiceExt as _;

use super::{
    attributes, code, get, is_page, mails, package_ready, post, seen, send, state, texts, unusable, world,
    world_with,
};
use crate::world::{ANA, Answer, World};
use habeas_server::ServerOptions;

/// Records whose package is several pieces long.
const NOISY: usize = 400;
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// What a browser shows from now on, as it stands in `Set-Cookie`.
fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

/// Asks for a code and gives it, as a browser does.
async fn allowed(world: &World, link: &str) -> Answer {
    assert_eq!(post(world, link, "").await.status, 303);
    let form = format!("code={}", code(world).await);
    let given = send(world, "POST", link, &[FORM, ("accept", "text/html,*/*")], form).await;
    assert_eq!((given.status.as_u16(), given.header("location")), (303, link), "{}", given.text);
    given
}

async fn fetch(
    world: &World,
    link: &str,
    cookie: &str,
    headers: &[(&str, &str)],
) -> (StatusCode, HeaderMap, Body) {
    let mut request = Request::get(format!("{link}/package")).header("cookie", cookie);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = world.network.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    (parts.status, parts.headers, body)
}

async fn whole(body: Body) -> Bytes {
    body.collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn a_code_is_mailed_given_and_the_data_fetched_once() {
    let world = world().await;
    let (id, link) = package_ready(&world, 2).await;
    let before = world.events().await;
    let page = get(&world, &link).await;
    is_page(&page, 200);
    assert_eq!(texts(&page, "form button"), ["Send me a code"]);
    assert!(page.text.contains("8 June 2026, 09:00 UTC") && !page.text.contains(ANA), "{}", page.text);
    send(&world, "HEAD", &link, &[], "").await;
    assert_eq!((world.events().await, mails(&world).await.len()), (before, 0), "looking changes nothing");

    // The page that comes after the button can be loaded again without another mail.
    let sent = post(&world, &link, "").await;
    assert_eq!((sent.status.as_u16(), sent.header("location")), (303, &*link));
    let code = code(&world).await;
    let page = get(&world, &link).await;
    is_page(&page, 200);
    assert_eq!(attributes(&page, "input[name=code]", "autocomplete"), ["one-time-code"]);
    assert_eq!(attributes(&page, "input[name=code]", "inputmode"), ["numeric"]);
    assert_eq!(texts(&page, "form button"), ["Continue", "Send a new code"]);
    assert!(!page.text.contains(&code) && mails(&world).await.is_empty());

    let spaced = format!("code={}+{}%20", &code[..3], &code[3..]);
    let given = send(&world, "POST", &link, &[FORM, ("accept", "text/html")], spaced).await;
    assert_eq!((given.status.as_u16(), given.header("location")), (303, &*link));
    let set = given.header("set-cookie");
    for part in [&*format!("Path={link}"), "Max-Age=86400", "HttpOnly", "SameSite=Strict"] {
        assert!(set.split("; ").any(|one| one == part), "{part} is not in {set}");
    }
    assert!(!set.contains("Secure"), "over plain HTTP it would never come back");
    let cookie = cookie(&given);
    let page = send(&world, "GET", &link, &[("cookie", &format!("other=1; {cookie}"))], "").await;
    is_page(&page, 200);
    assert_eq!(attributes(&page, "a.button", "href"), [format!("{link}/package")]);
    let refresh = attributes(&page, "meta[http-equiv=refresh]", "content");
    assert_eq!(refresh, [format!("1; url={link}/package")], "it begins by itself");

    let (status, headers, body) = fetch(&world, &link, &cookie, &[]).await;
    assert_eq!((status.as_u16(), &headers["content-type"]), (200, &"application/zip".parse().unwrap()));
    let name = headers["content-disposition"].to_str().unwrap();
    assert!(name.starts_with("attachment; filename=\"your-data-") && name.ends_with(".zip\""), "{name}");
    assert_eq!(headers["cache-control"], "no-store");
    let content = whole(body).await;
    assert_eq!(headers["content-length"].to_str().unwrap(), content.len().to_string());
    assert!(habeas_testing::unpack(&content).contains_key("index.html"));
    let request = world.get(&format!("/requests/{id}")).await.good();
    assert_eq!((&request["state"], &request["outcome"]), (&json!("closed"), &json!("downloaded")));

    // Used up for everybody, this browser included.
    for used in [
        get(&world, &link).await,
        post(&world, &link, "").await,
        post(&world, &link, &format!("code={code}")).await,
        send(&world, "GET", &format!("{link}/package"), &[("cookie", &cookie)], "").await,
    ] {
        assert_eq!(seen(&used), seen(&unusable(&world).await));
    }
    assert!(mails(&world).await.iter().all(|mail| !mail.text.contains(&code)));
}

#[tokio::test]
async fn a_program_goes_straight_to_the_package() {
    let world = world_with(ServerOptions { secure_cookies: true, ..ServerOptions::default() }).await;
    let (id, link) = package_ready(&world, 1).await;
    post(&world, &link, "").await;
    let given = post(&world, &link, &format!("code={}", code(&world).await)).await;
    assert_eq!((given.status.as_u16(), given.header("location")), (303, &*format!("{link}/package")));
    assert!(given.header("set-cookie").ends_with("; Secure"));
    whole(fetch(&world, &link, &cookie(&given), &[]).await.2).await;
    assert_eq!(state(&world, &id).await, "closed");
}

#[tokio::test]
async fn wrong_codes_are_counted_and_a_new_one_helps() {
    let world = world().await;
    let (id, link) = package_ready(&world, 1).await;
    // Before there is any.
    let early = post(&world, &link, "code=123456").await;
    is_page(&early, 403);
    assert_eq!(texts(&early, "form button"), ["Send me a code"]);
    post(&world, &link, "").await;
    let right = code(&world).await;
    let wrong = if right == "000000" { "000001" } else { "000000" };
    // Pressed without a code: neither a try nor a new code.
    for blank in ["code=", "code=++"] {
        let page = post(&world, &link, blank).await;
        is_page(&page, 422);
        assert!(mails(&world).await.is_empty());
    }
    for left in (0..5).rev() {
        let page = post(&world, &link, &format!("code={wrong}")).await;
        is_page(&page, 403);
        let said = &texts(&page, "[role=alert]")[0];
        let expected = match left {
            0 => "ask for a new one".to_owned(),
            1 => "once more".to_owned(),
            left => format!("{left} more times"),
        };
        assert!(said.contains(&expected), "{said}");
        assert!(page.header("set-cookie").is_empty());
    }
    is_page(&post(&world, &link, &format!("code={right}")).await, 403);
    allowed(&world, &link).await;
    assert_eq!(state(&world, &id).await, "delivering");
}

#[tokio::test]
async fn codes_end_and_are_not_mailed_without_number() {
    let world = world().await;
    let (_, link) = package_ready(&world, 1).await;
    post(&world, &link, "").await;
    let old = code(&world).await;
    world.clock.advance(Duration::from_mins(15));
    is_page(&post(&world, &link, &format!("code={old}")).await, 403);
    for _ in 0..4 {
        assert_eq!(post(&world, &link, "").await.status, 303);
    }
    let page = post(&world, &link, "").await;
    is_page(&page, 429);
    assert!(page.text.contains("1 June 2026, 10:00 UTC"), "{}", page.text);
    assert_eq!(mails(&world).await.len(), 4);
    world.clock.advance(Duration::from_mins(45));
    assert_eq!(post(&world, &link, "").await.status, 303);
}

#[tokio::test]
async fn without_the_cookie_there_is_nothing() {
    let world = world().await;
    let (id, link) = package_ready(&world, 1).await;
    let given = allowed(&world, &link).await;
    let (_, other) = package_ready(&world, 1).await;
    for (link, cookie) in [
        (&link, String::new()),
        (&link, "habeas-download=".to_owned()),
        (&link, format!("{}x", cookie(&given))),
        // Of another person's link.
        (&other, cookie(&given)),
    ] {
        let refused = send(&world, "GET", &format!("{link}/package"), &[("cookie", &cookie)], "").await;
        assert_eq!(seen(&refused), seen(&unusable(&world).await), "{cookie}");
    }
    world.clock.advance(Duration::from_hours(24));
    let late = send(&world, "GET", &format!("{link}/package"), &[("cookie", &cookie(&given))], "").await;
    assert_eq!(seen(&late), seen(&unusable(&world).await));
    assert_eq!(state(&world, &id).await, "delivering");
}

#[tokio::test]
async fn a_download_that_broke_off_is_continued_in_the_same_browser() {
    let world = world().await;
    let (id, link) = package_ready(&world, NOISY).await;
    let cookie = cookie(&allowed(&world, &link).await);
    let (_, headers, mut body) = fetch(&world, &link, &cookie, &[]).await;
    let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
    let tag = headers["etag"].to_str().unwrap().to_owned();
    assert_eq!((&headers["accept-ranges"], tag.len()), (&"bytes".parse().unwrap(), 66));
    let mut first = Vec::new();
    // Broken off at nine tenths.
    while first.len() < length * 9 / 10 {
        first.extend_from_slice(&body.frame().await.unwrap().unwrap().into_data().unwrap());
    }
    drop(body);
    let request = id.parse().unwrap();
    loop {
        let mut reader = world.casework.store().reader().await.unwrap();
        let package = habeas_store::packages::find(&mut reader, request).await.unwrap().unwrap();
        if package.handed >= first.len() as u64 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(state(&world, &id).await, "delivering");
    let range = format!("bytes={}-", first.len());
    let headers = [("range", range.as_str()), ("if-range", tag.as_str())];
    let (status, answered, body) = fetch(&world, &link, &cookie, &headers).await;
    assert_eq!(status, 206);
    let expected = format!("bytes {}-{}/{length}", first.len(), length - 1);
    assert_eq!(answered["content-range"].to_str().unwrap(), expected);
    first.extend_from_slice(&whole(body).await);
    assert_eq!(first.len(), length);
    assert!(habeas_testing::unpack(&first).contains_key("manifest.json"));
    assert_eq!(state(&world, &id).await, "closed");
    // The end may be fetched again for its time, the whole not.
    assert_eq!(fetch(&world, &link, &cookie, &headers).await.0, 206);
    assert_eq!(fetch(&world, &link, &cookie, &[]).await.0, 404);
    let beyond = fetch(&world, &link, &cookie, &[("range", "bytes=99999999-")]).await;
    assert_eq!(
        (beyond.0.as_u16(), &beyond.1["content-range"]),
        (416, &format!("bytes */{length}").parse().unwrap())
    );
}

#[tokio::test]
async fn two_browsers_with_one_link() {
    let world = world().await;
    let (id, link) = package_ready(&world, 1).await;
    let one = cookie(&allowed(&world, &link).await);
    // Whoever reads the mailbox may ask again; then only the newer browser goes on.
    let other = cookie(&allowed(&world, &link).await);
    assert_ne!(one, other);
    assert_eq!(fetch(&world, &link, &one, &[]).await.0, 404);
    whole(fetch(&world, &link, &other, &[]).await.2).await;
    assert_eq!(state(&world, &id).await, "closed");
}

#[tokio::test]
async fn a_link_ends_with_its_time_and_with_its_request() {
    let world = world().await;
    let (_, link) = package_ready(&world, 1).await;
    world.clock.advance(Duration::from_hours(7 * 24));
    assert_eq!(seen(&get(&world, &link).await), seen(&unusable(&world).await));
    let (id, link) = package_ready(&world, 1).await;
    let cookie = cookie(&allowed(&world, &link).await);
    world.post(&format!("/requests/{id}/withdraw"), &json!({})).await.good();
    for withdrawn in [
        send(&world, "GET", &link, &[("cookie", &cookie)], "").await,
        post(&world, &link, "").await,
        post(&world, &link, "code=123456").await,
        send(&world, "GET", &format!("{link}/package"), &[("cookie", &cookie)], "").await,
    ] {
        assert_eq!(seen(&withdrawn), seen(&unusable(&world).await));
    }
    assert!(mails(&world).await.iter().all(|mail| !mail.text.contains("/download/")));
}
