//! Serves the pages for people with a link, with invented people behind them: `cargo run -p habeas-server --example
//! pages`. Prints one address per line; everything is gone when it ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "an example; its people are those of the tests"
)]
#![allow(dead_code, unused_imports, reason = "only a part of what the tests use")]

#[path = "../tests/http/stub.rs"]
mod stub;
#[path = "../tests/http/world.rs"]
mod world;

use habeas_casework::CaseworkSettings;
use habeas_casework::mails::{MAIL_LANE, MailOutcome};
use habeas_documents::company::Company;
use habeas_domain::Role;
use habeas_server::ServerOptions;
use serde_json::json;

use crate::world::{SHOP, World, contacts, new_connection, new_request};

#[tokio::main]
async fn main() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let company = Company {
        name: "Nordlicht Outdoor GmbH".to_owned(),
        contact: Some("privacy@nordlicht.example.test".to_owned()),
        ..Company::default()
    };
    let settings = CaseworkSettings {
        require_verification: true,
        public_url: address.clone(),
        company,
        ..CaseworkSettings::default()
    };
    let world = World::with_settings(ServerOptions::default(), settings).await;
    // Deletions and packages of the shop first, while nobody else has to answer.
    world.post("/connections", &new_connection(SHOP)).await.good();
    let key = world.key(&[Role::RequestAgent]).await;
    for right in ["access", "deletion"] {
        let body = new_request(json!({"right": right, "force": true}));
        world.call(&key, "POST", "/api/v1/requests", Some(&body)).await.good();
        println!("verify-{right} {}", link(&world).await);
    }
    for name in ["download", "download-code"] {
        world.request(json!({"review": false, "force": true})).await;
        world.work(&contacts(40)).await;
        let link = link(&world).await;
        if name == "download-code" {
            let path = link.strip_prefix(&address).unwrap();
            World::send(&world.network, world::request("POST", path, None, None)).await;
            println!("code {}", code(&world).await);
        }
        println!("{name} {link}");
    }
    let archive = json!({
        "integration": "direct_contact", "name": "Paper archive", "settings": {"processor_email": "owner@example.test"},
    });
    world.post("/connections", &archive).await.good();
    world.request(json!({"force": true, "review": true})).await;
    println!("contact-access {}", link(&world).await);
    let id = world.request(json!({"right": "deletion", "force": true, "review": true})).await;
    world.work(&contacts(1)).await;
    world.post(&format!("/requests/{id}/process"), &json!({})).await.good();
    println!("contact-deletion {}", link(&world).await);
    println!("unusable {address}/verify/x");
    axum::serve(listener, world.network.clone()).await.unwrap();
}

/// The link in the newest mail that has one.
async fn link(world: &World) -> String {
    line(world, |line| line.starts_with("http://")).await
}

/// The one-time code in the newest mail that has one.
async fn code(world: &World) -> String {
    line(world, |line| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit())).await
}

/// A line of the mails that wait; they have left then.
async fn line(world: &World, is_wanted: impl Fn(&str) -> bool) -> String {
    let claimed = world.casework.claim(MAIL_LANE, 60_000, 100).await.unwrap();
    let left = claimed.mails.iter().map(|(lease, _)| (lease.clone(), MailOutcome::Sent)).collect();
    world.casework.report_mails(left).await.unwrap();
    let mut lines = claimed.mails.iter().rev().flat_map(|(_, mail)| mail.text.lines().map(str::trim));
    lines.find(|line| is_wanted(line)).unwrap().to_owned()
}
