//! The connector against a hand-made Qualtrics over real HTTP.

mod checking;
mod entering;
mod erasing;
mod exporting;
mod files;
mod following;
mod listing;
mod sandbox;
mod tokens;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use habeas_domain::{Identifier, IdentifierSource, IdentifierType};
use habeas_environment::{Environment, TestClock};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::Qualtrics;
use super::manifest::SCOPES;
use crate::client::{ClientOptions, VendorClient};
use crate::connector::{Connector, Integration, Settings, Subject};
use crate::testing::{Act, Asked, HandMade, Holdings, NOW, client_with, options};

const ANA: &str = "ana.silva@example.test";
const SECRET: &str = "s3cr3t";
/// The vendor's id of every call.
const REQUEST_ID: &str = "8f7c2d1e-0000-4000-8000-000000000001";

struct State {
    scopes: Vec<&'static str>,
    /// Tokens that the vendor still accepts.
    tokens: Vec<String>,
    minted: usize,
    is_administrator: bool,
    account: Value,
    directories: Vec<Directory>,
    users: Vec<Value>,
    erasures: Vec<Value>,
    /// `result` of each look at the customer-data job; the last one stays.
    reports: Vec<Value>,
    files: BTreeMap<String, Act>,
    /// The largest page.
    cap: usize,
}

struct Directory {
    id: String,
    /// What a search is refused with.
    refuses: Option<u16>,
    contacts: Vec<Value>,
    /// By contact and type.
    history: BTreeMap<(String, String), Vec<Value>>,
}

impl Directory {
    fn new(id: &str) -> Self {
        Self { id: id.to_owned(), refuses: None, contacts: Vec::new(), history: BTreeMap::new() }
    }

    fn with(mut self, contact: &str, email: &str) -> Self {
        self.contacts.push(
            json!({"id": contact, "firstName": "Ana", "lastName": "Silva", "email": email, "embeddedData": {"tier": "gold"}}),
        );
        self
    }

    fn with_history(mut self, contact: &str, kind: &str, entries: Vec<Value>) -> Self {
        self.history.insert((contact.to_owned(), kind.to_owned()), entries);
        self
    }

    fn refusing(mut self, status: u16) -> Self {
        self.refuses = Some(status);
        self
    }
}

fn user(id: &str, email: &str) -> Value {
    json!({"id": id, "username": format!("{email}#exampleco"), "firstName": "Ana", "lastName": "Silva", "email": email})
}

/// A hand-made Qualtrics.
struct Vendor {
    hand_made: HandMade<State>,
    clock: TestClock,
    integration: Qualtrics,
}

impl Deref for Vendor {
    type Target = HandMade<State>;

    fn deref(&self) -> &HandMade<State> {
        &self.hand_made
    }
}

impl Vendor {
    async fn new() -> Self {
        let state = State {
            scopes: SCOPES.to_vec(),
            tokens: Vec::new(),
            minted: 0,
            is_administrator: true,
            account: json!({"brandId": "exampleco", "userId": "UR_0", "accountType": "UT_BRANDADMIN", "datacenter": "fra1"}),
            directories: vec![Directory::new("POOL_1")],
            users: Vec::new(),
            erasures: Vec::new(),
            reports: vec![json!({"percentComplete": 100.0, "status": "complete", "fileId": null})],
            files: BTreeMap::new(),
            cap: 100,
        };
        let hand_made = HandMade::holding(state).await;
        Self { hand_made, clock: TestClock::at(NOW), integration: Qualtrics::default() }
    }

    async fn with(directories: Vec<Directory>) -> Self {
        let vendor = Self::new().await;
        vendor.change(|state| state.directories = directories);
        vendor
    }

    /// Answers every call to a path that ends so.
    fn answers(&self, method: &'static str, end: &'static str, act: Act) {
        self.fault(move |_, asked| {
            (asked.method == method && asked.path().ends_with(end)).then(|| act.clone())
        });
    }

    fn options(&self) -> ClientOptions {
        ClientOptions { environment: Environment::for_test(&self.clock, 1), ..options(&self.server.base) }
    }

    fn connector(&self) -> Box<dyn Connector> {
        self.connector_of(client_with(self.options()))
    }

    fn connector_of(&self, client: VendorClient) -> Box<dyn Connector> {
        self.integration.connect(&settings(), client).unwrap()
    }

    /// `METHOD path` of everything that was asked.
    fn asked(&self) -> Vec<String> {
        self.server.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path())).collect()
    }

    fn calls(&self, method: &str, end: &str) -> Vec<Asked> {
        let asked = self.server.asked();
        asked.into_iter().filter(|one| one.method == method && one.path().ends_with(end)).collect()
    }

    fn minted(&self) -> usize {
        self.change(|state| state.minted)
    }
}

impl Holdings for State {
    fn answer(&mut self, asked: &Asked) -> Act {
        if asked.method == "POST" {
            assert!(asked.header("content-length").is_some(), "a POST without a length is a 411");
        }
        if asked.path() == "/oauth2/token" {
            return self.mint(asked);
        }
        let bearer = asked.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if !bearer.is_some_and(|bearer| self.tokens.iter().any(|token| token == bearer)) {
            return refusal(401, Some("AUTH_6.0"), "invalid_client");
        }
        let parts: Vec<&str> = asked.path().split('/').filter(|part| !part.is_empty()).collect();
        let ["API", "v3", rest @ ..] = parts.as_slice() else {
            return refusal(404, None, "The requested resource does not exist.");
        };
        let (scope, needs_administrator) = match rest {
            ["customer-data-requests", ..] => ("manage:customer_data_requests", true),
            ["op-erase-personal-data", ..] => ("manage:erasure_requests", true),
            ["directories"] => ("read:directories", false),
            ["directories", ..] => ("read:directory_contacts", false),
            ["users", ..] => ("read:users", false),
            _ => ("", false),
        };
        if !scope.is_empty() && !self.scopes.contains(&scope) {
            return refusal(403, None, "secret@example.test is not allowed");
        }
        if needs_administrator && !self.is_administrator {
            return refusal(403, Some("QMST_2.1"), "This operation is forbidden.");
        }
        self.resource(asked, rest)
    }
}

impl State {
    fn resource(&mut self, asked: &Asked, parts: &[&str]) -> Act {
        match (asked.method.as_str(), parts) {
            ("GET", ["whoami"]) => result(&self.account),
            ("GET", ["users"]) => self.list(asked, &self.users),
            ("GET", ["directories"]) => {
                let all: Vec<Value> = self
                    .directories
                    .iter()
                    .map(|one| json!({"directoryId": one.id, "name": "Customers"}))
                    .collect();
                self.list(asked, &all)
            }
            ("POST", ["directories", directory, "contacts", "search"]) => self.search(asked, directory),
            ("GET", ["directories", directory, "contacts", contact, "history"]) => {
                let kind = asked.query("type").unwrap();
                let directory = self.directories.iter().find(|one| one.id == *directory).unwrap();
                let all = directory.history.get(&((*contact).to_owned(), kind)).cloned();
                self.list(asked, &all.unwrap_or_default())
            }
            ("GET", ["op-erase-personal-data"]) => self.list(asked, &self.erasures),
            ("POST", ["op-erase-personal-data"]) => {
                let body: Value = serde_json::from_str(&asked.body).unwrap();
                let id = format!("OP-{}", self.erasures.len() + 1);
                self.erasures.push(json!({
                    "requestid": id, "status": "InProgress", "emailList": body["emails"], "emailsNotFound": [],
                    "searchOnly": body["searchOnly"].to_string(), "failureReason": null,
                    "numEmailsRequested": 1, "created": NOW,
                }));
                result(&json!({"requestId": id, "user": "UR_0", "created": NOW}))
            }
            ("POST", ["customer-data-requests"]) => result(
                &json!({"customerDataRequestId": "CDR-1", "status": "inProgress", "percentComplete": 0.0}),
            ),
            ("GET", ["customer-data-requests", "CDR-1"]) => {
                let report =
                    if self.reports.len() > 1 { self.reports.remove(0) } else { self.reports[0].clone() };
                result(&report)
            }
            ("GET", ["customer-data-requests", "CDR-1", "files", file]) => {
                self.files.get(*file).cloned().unwrap_or_else(|| refusal(404, None, "not found"))
            }
            _ => refusal(404, None, "not found"),
        }
    }

    fn mint(&mut self, asked: &Asked) -> Act {
        let expected = format!("Basic {}", STANDARD.encode(format!("client-abc:{SECRET}")));
        assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
        if asked.header("authorization") != Some(&expected) {
            return Act::json(
                401,
                json!({"error": "invalid_client", "error_description": "secret@example.test"}),
            );
        }
        let form: BTreeMap<String, String> =
            url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
        assert_eq!(form["grant_type"], "client_credentials");
        let wanted = form.get("scope").cloned();
        if wanted.as_ref().is_some_and(|wanted| wanted.split(' ').any(|scope| !self.scopes.contains(&scope)))
        {
            return Act::json(400, json!({"error": "invalid_scope"}));
        }
        self.minted += 1;
        let token = format!("t0k3n-{}", self.minted);
        self.tokens.push(token.clone());
        let scope = wanted.unwrap_or_else(|| self.scopes.join(" "));
        Act::json(
            200,
            json!({"access_token": token, "token_type": "Bearer", "expires_in": 3599, "scope": scope}),
        )
    }

    fn search(&self, asked: &Asked, directory: &str) -> Act {
        let directory = self.directories.iter().find(|one| one.id == directory).unwrap();
        if let Some(status) = directory.refuses {
            return refusal(status, None, "not available");
        }
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        let wanted = body["filter"]["value"].as_str().unwrap().trim().to_lowercase();
        assert_eq!(
            body,
            json!({"filter": {"filterType": "email", "comparison": "eq", "value": body["filter"]["value"]}})
        );
        let offset: usize = asked
            .query("skipToken")
            .map_or(0, |token| String::from_utf8(STANDARD.decode(token).unwrap()).unwrap().parse().unwrap());
        let all = directory
            .contacts
            .iter()
            .filter(|one| one["email"].as_str().unwrap().trim().to_lowercase() == wanted);
        let elements: Vec<&Value> = all.skip(offset).take(self.cap).collect();
        // A full last page carries a token, too.
        let token = (elements.len() == self.cap).then(|| STANDARD.encode((offset + self.cap).to_string()));
        result(&json!({"elements": elements, "skipToken": token}))
    }

    fn list(&self, asked: &Asked, all: &[Value]) -> Act {
        let offset: usize = asked.query("offset").map_or(0, |offset| offset.parse().unwrap());
        let elements: Vec<&Value> = all.iter().skip(offset).take(self.cap).collect();
        let next = (offset + self.cap < all.len()).then(|| {
            let (host, kind) = (asked.header("host").unwrap(), asked.query("type").unwrap_or_default());
            format!("http://{host}{}?type={kind}&offset={}", asked.path(), offset + self.cap)
        });
        result(&json!({"elements": elements, "nextPage": next}))
    }
}

fn result(result: &Value) -> Act {
    Act::json(200, json!({"result": result, "meta": {"httpStatus": "200 - OK", "requestId": REQUEST_ID}}))
}

fn refusal(status: u16, code: Option<&str>, message: &str) -> Act {
    let mut error = json!({"errorMessage": message});
    if let Some(code) = code {
        error["errorCode"] = json!(code);
    }
    Act::json(status, json!({"meta": {"httpStatus": "Error", "error": error, "requestId": REQUEST_ID}}))
}

fn bytes(content_type: &str, body: &[u8]) -> Act {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    Act::Raw([head.as_bytes(), body].concat())
}

fn entered() -> Settings {
    Settings::from_iter([("datacenter_id", "fra1"), ("client_id", "client-abc"), ("client_secret", SECRET)])
}

fn settings() -> Settings {
    Qualtrics::default().normalise(entered(), NOW.parse().unwrap()).unwrap()
}

fn subject(emails: &[&str]) -> Subject {
    let identifier = |email: &&str| Identifier {
        kind: IdentifierType::Email,
        value: (*email).to_owned(),
        source: IdentifierSource::Request,
        verified: true,
        attested_by: None,
    };
    Subject::new(emails.iter().map(identifier).collect())
}

#[test]
fn the_catalogue_offers_it() {
    let catalogue = crate::Catalogue::default();
    let manifest = catalogue.find("qualtrics").unwrap().manifest();
    assert_eq!(manifest.title, "Qualtrics");
    let printed = serde_json::to_value(manifest).unwrap();
    assert_eq!(printed["capabilities"]["access"], json!({"type": "asynchronous", "method": "job"}));
    assert_eq!(printed["capabilities"]["deletion"]["timing"], "asynchronous");
    assert_eq!(printed["capabilities"]["deletion"]["method"], "whole_record");
    assert_eq!(printed["capabilities"]["deletion"]["batch"], json!({"identifiers": 100, "bytes": 1_000_000}));
    assert_eq!(printed["capabilities"]["identifiers"], json!(["email"]));
    assert_eq!(manifest.address(&settings()).unwrap().as_deref(), Some("https://fra1.qualtrics.com"));
    let all: u32 = manifest.rate_limits.iter().map(|limit| limit.per_minute).sum();
    assert!(all <= 3000, "a brand's total");
    let secrets: Vec<&str> =
        manifest.settings.iter().filter(|setting| setting.secret).map(|setting| setting.key).collect();
    assert_eq!(secrets, ["client_secret"]);
}

#[test]
fn an_account_is_a_client_whatever_its_secret() {
    use secrecy::ExposeSecret;
    let account = |id: &str, secret: &str| {
        let mut settings = settings();
        settings.set("client_id", id);
        settings.set("client_secret", secret);
        Qualtrics::default().account(&settings)
    };
    let exposed = |secret: SecretString| secret.expose_secret().to_owned();
    assert_eq!(exposed(account("a", "1")), exposed(account("a", "2")));
    assert_ne!(exposed(account("a", "1")), exposed(account("b", "1")));
}
