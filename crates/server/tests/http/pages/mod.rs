//! The pages behind links in mails, as a browser without JavaScript sees them.

mod contact;
mod download;
mod every_page;
mod files;
mod verify;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use habeas_casework::CaseworkSettings;
use habeas_casework::mails::{MAIL_LANE, MailOutcome, OutgoingMail};
use habeas_documents::company::Company;
use habeas_domain::Role;
use habeas_server::ServerOptions;
use scraper::{Html, Selector};
use serde_json::{Value, json};

use crate::world::{Answer, World, new_connection, new_request};

const COMPANY: &str = "Nordlicht & Söhne";
const OWNER: &str = "owner@shop.example.test";

/// A server whose requests are confirmed by the person first, with a shop and an archive that a person answers for.
async fn world() -> World {
    world_with(ServerOptions::default()).await
}

async fn world_with(options: ServerOptions) -> World {
    let company = Company {
        name: COMPANY.to_owned(),
        contact: Some("privacy@nordlicht.example.test".to_owned()),
        ..Company::default()
    };
    let settings = CaseworkSettings { require_verification: true, company, ..CaseworkSettings::default() };
    World::with_settings(options, settings).await
}

/// The mails that wait, in the order in which they were written. They have left then.
async fn mails(world: &World) -> Vec<OutgoingMail> {
    let claimed = world.casework.claim(MAIL_LANE, 60_000, 100).await.unwrap();
    let left = claimed.mails.iter().map(|(lease, _)| (lease.clone(), MailOutcome::Sent)).collect();
    world.casework.report_mails(left).await.unwrap();
    claimed.mails.into_iter().map(|(_, mail)| mail).collect()
}

/// The path of the link in the newest mail that has one of this kind.
async fn link(world: &World, kind: &str) -> String {
    let mails = mails(world).await;
    let mut lines = mails.iter().rev().flat_map(|mail| mail.text.lines());
    let link =
        lines.find_map(|line| line.strip_prefix("http://127.0.0.1:7070").filter(|l| l.starts_with(kind)));
    link.unwrap_or_else(|| panic!("no link to {kind} in {} mails", mails.len())).to_owned()
}

/// The code in the newest mail that has one.
async fn code(world: &World) -> String {
    let mails = mails(world).await;
    let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
    let mut lines = mails.iter().rev().flat_map(|mail| mail.text.lines().map(str::trim));
    lines.find(is_code).unwrap().to_owned()
}

async fn get(world: &World, path: &str) -> Answer {
    send(world, "GET", path, &[], "").await
}

async fn post(world: &World, path: &str, form: &str) -> Answer {
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    send(world, "POST", path, &kind, form.to_owned()).await
}

async fn send(
    world: &World,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "habeas.example.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    World::send(&world.network, request.body(body.into()).unwrap()).await
}

/// What a page is, apart from the id of the call.
fn seen(answer: &Answer) -> (StatusCode, HeaderMap, &str) {
    let mut headers = answer.headers.clone();
    headers.remove("x-request-id");
    (answer.status, headers, &answer.text)
}

/// The texts that a selector finds, without the spaces around them.
fn texts(answer: &Answer, selector: &str) -> Vec<String> {
    let page = Html::parse_document(&answer.text);
    let selector = Selector::parse(selector).unwrap();
    let found = page.select(&selector);
    found.map(|one| one.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn attributes(answer: &Answer, selector: &str, name: &str) -> Vec<String> {
    let page = Html::parse_document(&answer.text);
    let selector = Selector::parse(selector).unwrap();
    let found = page.select(&selector);
    found.filter_map(|one| one.attr(name).map(str::to_owned)).collect()
}

/// What holds for every page, whatever it says.
#[track_caller]
fn is_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("x-robots-tag"), "noindex");
    assert!(answer.header("content-security-policy").contains("default-src 'none'"));
    assert_eq!(texts(answer, "h1").len(), 1, "{}", answer.text);
    assert_eq!(attributes(answer, "html", "lang"), ["en"]);
    for landmark in ["header", "main", "footer"] {
        assert_eq!(texts(answer, landmark).len(), 1, "{landmark}");
    }
    assert!(texts(answer, "header")[0].contains(COMPANY) && texts(answer, "title")[0].contains(COMPANY));
    assert!(texts(answer, "footer")[0].contains("privacy@nordlicht.example.test"));
    // Whatever can be filled in has a label, and what describes a field is there.
    for id in attributes(answer, "input, textarea", "id") {
        assert_eq!(texts(answer, &format!("label[for={id}]")).len(), 1, "the label of {id}");
    }
    let described = attributes(answer, "[aria-describedby]", "aria-describedby");
    for id in described.iter().flat_map(|ids| ids.split(' ')) {
        assert_eq!(attributes(answer, &format!("[id={id}]"), "id").len(), 1, "{id}");
    }
    assert!(!answer.text.contains("<script"), "pages work without");
}

/// The one page for whatever is wrong with a link.
async fn unusable(world: &World) -> Answer {
    let answer = get(world, "/verify/no-such-token").await;
    is_page(&answer, 404);
    answer
}

/// Somebody asks for themselves; the address still has to be proven. The request's id, and its link.
async fn asked(world: &World, right: &str) -> (String, String) {
    let key = world.key(&[Role::RequestAgent]).await;
    let body = new_request(json!({"right": right, "force": true, "policy": "eu-gdpr"}));
    let made = world.call(&key, "POST", "/api/v1/requests", Some(&body)).await.good();
    assert_eq!(made["state"], "verifying");
    (made["id"].as_str().unwrap().to_owned(), link(world, "/verify/").await)
}

/// An archive whose owner is asked; the request's id, and the owner's link.
async fn owner_asked(world: &World, right: &str) -> (String, String) {
    let connection = json!({
        "integration": "direct_contact", "name": "archive <b>&</b>", "settings": {"processor_email": OWNER},
    });
    world.operate("POST", "/connections", Some(&connection)).await;
    let body = new_request(json!({"right": right, "force": true, "review": right == "access"}));
    let id = world.post("/requests", &body).await.good()["id"].as_str().unwrap().to_owned();
    (id, link(world, "/contact/").await)
}

/// A package that waits for its person; the request's id, and the link.
async fn package_ready(world: &World, records: usize) -> (String, String) {
    world.vendor.is(crate::stub::Mood::Fine);
    world.post("/connections", &new_connection(crate::world::SHOP)).await;
    let id = world.request(json!({"delivery": "mail", "review": false, "force": true})).await;
    world.work(&crate::world::contacts(records)).await;
    assert_eq!(state(world, &id).await, "delivering");
    (id, link(world, "/download/").await)
}

async fn state(world: &World, id: &str) -> Value {
    world.get(&format!("/requests/{id}")).await.good()["state"].clone()
}
