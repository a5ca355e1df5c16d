//! The connector against a hand-made Segment over real HTTP.

mod checking;
mod detecting;
mod entering;
mod erasing;
mod following;
mod outcomes;
mod public;
mod reconciling;
mod refusing;
mod sandbox;

use habeas_domain::{Identifier, IdentifierSource, IdentifierType};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::SegmentConfig;
use super::manifest::MANIFEST;
use crate::client::VendorClient;
use crate::connector::{Connector, Integration, Job, Settings, Subject};
use crate::testing::{Act, Asked, HandMade, Holdings, NOW, client};

const TOKEN: &str = "qV3x-R9dJuA_5T2mB8yLc4NpEqZ7h0W.kV3xR9dJu5T2mB8yLc4NpEqZ7h0W";
const WORKSPACE: &str = "acme.shop";
const ROOT: &str = "/v1beta/workspaces/acme.shop";

struct State {
    regulations: Vec<Regulation>,
    /// Whether the token may read regulations, and create them.
    may_read: bool,
    may_write: bool,
    /// The largest page.
    cap: usize,
}

#[derive(Clone)]
struct Regulation {
    id: String,
    kind: &'static str,
    values: Vec<String>,
    status: String,
    created_at: Value,
    streams: Value,
}

impl Regulation {
    /// A deletion of `values` that Segment has not begun.
    fn new(id: &str, created_at: &str, values: &[&str]) -> Self {
        Self {
            id: id.to_owned(),
            kind: "Suppress_With_Delete",
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            status: "initialized".to_owned(),
            created_at: json!(created_at),
            streams: json!([]),
        }
    }

    fn with_status(mut self, status: &str) -> Self {
        self.status = status.to_owned();
        self
    }

    fn with_streams(mut self, streams: Value) -> Self {
        self.streams = streams;
        self
    }

    fn listed(&self) -> Value {
        json!({
            "regulate_id": self.id, "attributes": {"name": "userId", "values": self.values},
            "status": self.status, "created_at": self.created_at, "finished_at": "0001-01-01T00:00:00Z",
        })
    }

    fn detailed(&self) -> Value {
        json!({
            "workspace_id": "e5bdb0902b", "overall_status": self.status, "stream_status": self.streams,
            "created_at": self.created_at, "finished_at": "0001-01-01T00:00:00Z",
        })
    }
}

/// A source with `(destination, status)` entries.
fn stream(source: &str, destinations: &[(&str, &str)]) -> Value {
    let destinations: Vec<Value> = destinations
        .iter()
        .map(|(name, status)| {
            json!({
                "name": name, "id": name, "status": status, "err_string": "",
                "finished_at": "0001-01-01T00:00:00Z",
            })
        })
        .collect();
    json!({"id": source, "destination_status": destinations})
}

/// A hand-made Segment.
type Vendor = HandMade<State>;

impl Vendor {
    /// With regulations, the newest first.
    async fn with(regulations: Vec<Regulation>) -> Self {
        let state = State { regulations, may_read: true, may_write: true, cap: 100 };
        Self::holding(state).await
    }

    fn client(&self) -> VendorClient {
        client(&self.server.base)
    }

    fn connector(&self) -> Box<dyn Connector> {
        connector(self.client())
    }

    /// `METHOD path` of everything that was asked, without what all paths have in common.
    fn asked(&self) -> Vec<String> {
        let short = |asked: &Asked| {
            format!("{} {}", asked.method, asked.path().strip_prefix(ROOT).unwrap_or_else(|| asked.path()))
        };
        self.server.asked().iter().map(short).collect()
    }
}

impl Holdings for State {
    fn answer(&mut self, asked: &Asked) -> Act {
        if asked.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return failure(401, 16, "invalid token");
        }
        let insufficient = || failure(403, 7, "insufficient scope");
        let missing = || failure(404, 5, "not found");
        let Some(rest) = asked.path().strip_prefix(ROOT) else { return missing() };
        let rest: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
        match (asked.method.as_str(), rest.as_slice()) {
            ("GET", []) => Act::json(
                200,
                json!({"name": WORKSPACE, "display_name": "Acme Shop", "id": "e5bdb0902b",
                       "create_time": "2018-08-08T13:24:02.651Z"}),
            ),
            ("GET", _) if !self.may_read => insufficient(),
            ("POST" | "DELETE", _) if !self.may_write => insufficient(),
            ("GET", ["regulations"]) => self.list(asked),
            ("POST", ["regulations"]) => {
                let body: Value = serde_json::from_str(&asked.body).unwrap();
                let values = body["attributes"]["values"].as_array().unwrap().iter();
                let values: Vec<&str> = values.map(|value| value.as_str().unwrap()).collect();
                let id = format!("2f7Qm0a1b2c3d4e5f6g7h8i9{:03}", self.regulations.len());
                self.regulations.insert(0, Regulation::new(&id, NOW, &values));
                Act::json(200, json!({"regulate_id": id}))
            }
            (method, ["regulations", id]) => match self.regulations.iter().find(|one| one.id == *id) {
                Some(found) if method == "GET" => Act::json(200, found.detailed()),
                _ => missing(),
            },
            _ => missing(),
        }
    }
}

impl State {
    fn list(&self, asked: &Asked) -> Act {
        let kind = asked.query("regulation_types");
        let all: Vec<&Regulation> = self
            .regulations
            .iter()
            .filter(|one| kind.as_ref().is_none_or(|kind| kind.eq_ignore_ascii_case(one.kind)))
            .collect();
        let size = asked.query("page_size").map_or(10, |size| size.parse().unwrap()).min(self.cap);
        let start: usize = asked
            .query("page_token")
            .filter(|token| !token.is_empty())
            .map_or(0, |token| token.strip_prefix("after ").unwrap().parse().unwrap());
        let entries: Vec<Value> = all.iter().skip(start).take(size).map(|one| one.listed()).collect();
        let next = if start + size < all.len() { format!("after {}", start + size) } else { String::new() };
        Act::json(200, json!({"entries": entries, "next_page_token": next}))
    }
}

fn failure(status: u16, code: u8, text: &str) -> Act {
    Act::json(status, json!({"error": text, "code": code}))
}

fn connector(client: VendorClient) -> Box<dyn Connector> {
    SegmentConfig.connect(&settings(TOKEN, WORKSPACE), client).unwrap()
}

fn settings(token: &str, workspace: &str) -> Settings {
    let entered = Settings::from_iter([("api_token", token), ("workspace_name", workspace)]);
    SegmentConfig.normalise(entered, NOW.parse().unwrap()).unwrap()
}

fn subject(identifiers: &[(IdentifierType, &str)]) -> Subject {
    let identifier = |(kind, value): &(IdentifierType, &str)| Identifier {
        kind: *kind,
        value: (*value).to_owned(),
        source: IdentifierSource::Request,
        verified: true,
        attested_by: None,
    };
    Subject::new(identifiers.iter().map(identifier).collect())
}

/// A person with an e-mail address and a user id.
fn person(email: &str, user_id: &str) -> Subject {
    subject(&[(IdentifierType::Email, email), (IdentifierType::UserId, user_id)])
}

fn jobs(ids: &[&str]) -> Vec<Job> {
    ids.iter().map(|id| Job::new(*id).unwrap()).collect()
}

#[test]
fn the_catalogue_offers_it() {
    let catalogue = crate::Catalogue::default();
    let manifest = catalogue.find("segment_config").unwrap().manifest();
    assert_eq!(manifest.title, "Segment Config");
    let printed = serde_json::to_value(manifest).unwrap();
    let capabilities = &printed["capabilities"];
    assert_eq!(capabilities["access"], json!({"type": "direct_contact", "method": "contact"}));
    assert_eq!(capabilities["deletion"]["timing"], "asynchronous");
    assert_eq!(capabilities["deletion"]["method"], "whole_record");
    assert_eq!(capabilities["deletion"]["verification"], "answer");
    assert_eq!(capabilities["deletion"]["batch"]["identifiers"], 5_000);
    assert_eq!(capabilities["detects_systems"], true);
    assert_eq!(capabilities["identifiers"], json!(["email", "user_id"]));
    assert_eq!(
        printed["polling"],
        json!({"min": 300_000, "max": 21_600_000_u64, "deadline": 3_024_000_000_u64})
    );
    assert_eq!(printed["quota"]["limit"], 110_000);
    assert_eq!(printed["rate_limits"], json!([{"class": "api", "per_minute": 200}]));
    let address = manifest.address(&Settings::default()).unwrap().unwrap();
    let options = crate::ClientOptions::new(
        manifest.name,
        address.parse().unwrap(),
        habeas_environment::Environment::system(),
    );
    assert!(VendorClient::new(options, VendorClient::transport().unwrap()).is_ok());
}

#[test]
fn the_guide_names_the_product_and_the_token_that_is_made() {
    let guide = MANIFEST.guide.join(" ");
    assert!(guide.contains("Habeas") && guide.contains("slug") && guide.contains("Public API"));
    assert!(MANIFEST.permissions.iter().all(|permission| !permission.needed_for.is_empty()));
}

#[test]
fn connections_to_one_workspace_share_an_account() {
    use secrecy::ExposeSecret;
    let account = |token, workspace| SegmentConfig.account(&settings(token, workspace));
    let exposed = |secret: SecretString| secret.expose_secret().to_owned();
    assert_eq!(exposed(account("a1", "acme")), exposed(account("a2", " workspaces/acme ")));
    assert_ne!(exposed(account("a1", "acme")), exposed(account("a1", "acme-2")));
}

#[tokio::test]
async fn every_call_carries_the_token_in_its_header_alone() {
    let vendor = Vendor::with(vec![]).await;
    let connector = vendor.connector();
    connector.check(NOW.parse().unwrap()).await.unwrap();
    let job = connector.erase(&[person("ana@example.test", "u-1")]).await.unwrap();
    connector.follow(&[job.clone(), job]).await.unwrap();
    connector.find_erasures(&[person("ana@example.test", "u-1")], NOW.parse().unwrap()).await.unwrap();
    for asked in vendor.server.asked() {
        assert_eq!(asked.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
        assert!(!asked.target.contains(TOKEN) && !asked.target.contains("ana"), "{}", asked.target);
        assert!(asked.target.starts_with(ROOT), "{}", asked.target);
    }
}
