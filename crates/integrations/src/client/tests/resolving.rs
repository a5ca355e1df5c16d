//! What a vendor's name stands for, and what is connected to. Two addresses of loopback play the public internet and
//! the operator's own network.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http::Method;
use reqwest::dns::Resolve as _;
use rstest::rstest;
use tokio::net::TcpListener;
use url::Url;

use super::{Act, ClientOptions, ErrorKind, Retry, Server, VendorClient, WRITE, client, options, token};
use crate::client::public_addresses;
use crate::client::resolver::{LeadsInside, Lookup, PublicNames};
use crate::client::transport::{Failure, Transport};

const INSIDE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Answers from a list; then fails.
struct Scripted(Mutex<VecDeque<Vec<IpAddr>>>);

impl Scripted {
    fn of(answers: &[&[IpAddr]]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(answers.iter().map(|answer| answer.to_vec()).collect())))
    }
}

#[async_trait]
impl Lookup for Scripted {
    async fn addresses(&self, _: &str) -> io::Result<Vec<SocketAddr>> {
        let answer = self.0.lock().unwrap().pop_front().ok_or(io::ErrorKind::NotFound)?;
        Ok(answer.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    }
}

/// One server inside and one outside, on the same port.
async fn servers() -> (Server, Server) {
    loop {
        let inside = TcpListener::bind((INSIDE, 0)).await.unwrap();
        let port = inside.local_addr().unwrap().port();
        // Somebody else may have the port there.
        if let Ok(outside) = TcpListener::bind((OUTSIDE, port)).await {
            let answer = |_: &_| Act::json(200, "{}");
            return (Server::on(inside, answer), Server::on(outside, answer));
        }
    }
}

fn transport(answers: &[&[IpAddr]]) -> Transport {
    Transport::to_names(PublicNames::of(Scripted::of(answers), |address| address == OUTSIDE))
}

/// A vendor's address under a name.
fn named(server: &Server) -> Url {
    Url::parse(&format!("http://vendor.example.test:{}/x", server.base.port().unwrap())).unwrap()
}

async fn carried(transport: &Transport, url: &Url) -> Result<u16, Failure> {
    let request = reqwest::Request::new(Method::GET, url.clone());
    Ok(transport.way(false).unwrap().carry(request).await?.status().as_u16())
}

#[rstest]
#[case::public(&["1.1.1.1", "2606:4700:4700::1111"], &["1.1.1.1", "2606:4700:4700::1111"])]
#[case::one_of_each(&["127.0.0.1", "1.1.1.1"], &["1.1.1.1"])]
#[case::in_either_order(&["1.1.1.1", "10.0.0.1", "fd00::1", "9.9.9.9"], &["1.1.1.1", "9.9.9.9"])]
#[case::nothing(&[], &[])]
#[tokio::test]
async fn only_public_addresses_are_handed_on(#[case] found: &[&str], #[case] handed_on: &[&str]) {
    let parsed = |list: &[&str]| list.iter().map(|one| one.parse().unwrap()).collect::<Vec<IpAddr>>();
    let names = PublicNames::of(Scripted::of(&[&parsed(found)]), public_addresses::is_public);
    let addresses = names.resolve("vendor.example.test".parse().unwrap()).await.unwrap();
    assert_eq!(addresses.map(|address| address.ip()).collect::<Vec<_>>(), parsed(handed_on));
}

#[rstest]
#[case(&["127.0.0.1"])]
#[case(&["169.254.169.254", "::1", "::ffff:10.0.0.1"])]
#[tokio::test]
async fn a_name_that_is_only_private_is_told_apart(#[case] found: &[&str]) {
    let found: Vec<IpAddr> = found.iter().map(|one| one.parse().unwrap()).collect();
    let names = PublicNames::of(Scripted::of(&[&found]), public_addresses::is_public);
    let name = || "vendor.example.test".parse().unwrap();
    let error = names.resolve(name()).await.err().unwrap();
    assert!(error.is::<LeadsInside>());
    let error = names.resolve(name()).await.err().unwrap();
    assert!(error.is::<io::Error>(), "a name that nobody knows is another matter");
}

#[tokio::test]
async fn of_a_public_and_a_private_address_the_public_one_is_connected_to() {
    let (inside, outside) = servers().await;
    for answer in [[INSIDE, OUTSIDE], [OUTSIDE, INSIDE]] {
        assert_eq!(carried(&transport(&[&answer]), &named(&inside)).await, Ok(200));
    }
    assert_eq!((inside.asked().len(), outside.asked().len()), (0, 2));
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let (inside, outside) = servers().await;
    // The servers close their connections, so each request needs another one and with it another lookup.
    let transport = transport(&[&[OUTSIDE], &[INSIDE], &[INSIDE, OUTSIDE], &[INSIDE], &[]]);
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(carried(&transport, &named(&inside)).await);
    }
    let refused = Err(Failure::LeadsInside);
    let (unknown, failed) = (Err(Failure::NotConnected), Err(Failure::NotConnected));
    assert_eq!(seen, [Ok(200), refused, Ok(200), refused, unknown, failed]);
    assert_eq!((inside.asked().len(), outside.asked().len()), (0, 2));
}

#[tokio::test]
async fn a_vendor_inside_is_no_outage_but_a_wrong_setting_that_the_operator_can_allow() {
    let (inside, _) = servers().await;
    let base = Url::parse(&named(&inside).as_str().replace("http:", "https:")).unwrap();
    let options = ClientOptions { overridden: false, ..options(&base) };
    let client = VendorClient::new(options, transport(&[&[INSIDE]])).unwrap();
    let call = client.call(WRITE, Method::DELETE).path(["x"]).bearer(&token()).effect();
    let error = call.send().await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Configuration, Retry::Never));
    assert_eq!(error.kind.code(), "connection_misconfigured");
    let explanation = error.explanation();
    assert!(explanation.contains("leads into a private network; nothing was sent"), "{explanation}");
    assert!(explanation.contains("only the server's operator can allow"), "{explanation}");
    assert!(inside.asked().is_empty());
}

#[tokio::test]
async fn the_machines_own_names_lead_inside_too() {
    let (inside, _) = servers().await;
    let url = Url::parse(&format!("http://localhost:{}", inside.base.port().unwrap())).unwrap();
    let transport = VendorClient::transport().unwrap();
    assert_eq!(carried(&transport, &url).await, Err(Failure::LeadsInside));
    assert!(inside.asked().is_empty());
    // The operator's word: the same name, and no connection is shared with those who lack it.
    client(&url).call(WRITE, Method::GET).path(["x"]).send().await.unwrap();
    assert_eq!(inside.asked().len(), 1);
    assert_eq!(carried(&transport, &url).await, Err(Failure::LeadsInside));
}

/// Why literals are refused before: nobody is asked what they stand for, so nobody can drop them.
#[tokio::test]
async fn a_literal_is_connected_to_without_a_lookup() {
    let (inside, _) = servers().await;
    assert_eq!(carried(&transport(&[]), &inside.base).await, Ok(200));
    let literal = Url::parse(&inside.base.as_str().replace("http:", "https:")).unwrap();
    let made = VendorClient::new(ClientOptions { overridden: false, ..options(&literal) }, transport(&[]));
    assert_eq!(made.unwrap_err().kind, ErrorKind::Configuration);
}
