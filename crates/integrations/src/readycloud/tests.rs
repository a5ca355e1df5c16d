//! The connector against a hand-made ReadyCloud over real HTTP.

mod checking;
mod deleting;
mod pasting;
mod sandbox;
mod scanning;

use habeas_domain::{Identifier, IdentifierSource, IdentifierType};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::ReadyCloud;
use crate::client::VendorClient;
use crate::connector::{Connector, Cursor, Integration, Residual, ScanPage, Settings, Subject};
use crate::error::VendorError;
use crate::testing::{Act, Asked, HandMade, Holdings, NOW, client};

const TOKEN: &str = "9c0f4e7b12d85a36";

#[derive(Default)]
struct State {
    organisations: Vec<Organisation>,
    scopes: Vec<&'static str>,
    /// The largest page.
    cap: usize,
}

#[derive(Default)]
struct Organisation {
    key: String,
    is_deleted: bool,
    contacts: Vec<(String, Value)>,
    orders: Vec<(String, Value)>,
}

impl Organisation {
    fn new(key: &str) -> Self {
        Self { key: key.to_owned(), ..Self::default() }
    }

    /// Adds a contact with an address for each of `emails`.
    fn with(mut self, key: &str, emails: &[Option<&str>]) -> Self {
        let url = format!("/api/v2/orgs/{}/contacts/{key}/", self.key);
        let addresses: Vec<Value> =
            emails.iter().map(|email| json!({"email": email, "city": "Porto"})).collect();
        let contact = json!({
            "url": url, "first_name": "Ana", "last_name": "Silva", "orders": format!("{url}orders/"),
            "notes": [], "custom_fields": {}, "addresses": addresses,
        });
        self.contacts.push((key.to_owned(), contact));
        self
    }

    /// Adds `count` contacts that are nobody's, named `prefix0`, `prefix1`, ...
    fn with_others(self, prefix: &str, count: usize) -> Self {
        (0..count).fold(self, |organisation, number| {
            let email = format!("{prefix}{number}@example.test");
            organisation.with(&format!("{prefix}{number}"), &[Some(&email)])
        })
    }

    fn with_order(mut self, contact: &str, order: &str) -> Self {
        let url = format!("/api/v2/orgs/{}/orders/{order}/", self.key);
        self.orders.push((contact.to_owned(), json!({"url": url, "order_number": format!("No {order}")})));
        self
    }
}

/// A hand-made ReadyCloud.
type Vendor = HandMade<State>;

impl Vendor {
    async fn with(organisations: Vec<Organisation>) -> Self {
        let scopes = vec!["contact", "company-read_only"];
        let state = State { organisations, scopes, cap: 100 };
        Self::holding(state).await
    }

    fn client(&self) -> VendorClient {
        client(&self.server.base)
    }

    fn connector(&self) -> Box<dyn Connector> {
        connector(self.client())
    }

    /// `METHOD path` of everything that was asked.
    fn asked(&self) -> Vec<String> {
        self.server.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path())).collect()
    }

    fn holds(&self, contact: &str) -> bool {
        let has = |one: &Organisation| one.contacts.iter().any(|(key, _)| key == contact);
        self.change(|state| state.organisations.iter().any(has))
    }
}

impl Holdings for State {
    fn answer(&mut self, asked: &Asked) -> Act {
        if asked.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return Act::json(
                401,
                json!({"error": "invalid_token", "error_description": "Token doesn't exist"}),
            );
        }
        assert!(asked.path().ends_with('/'), "every path of API V2 ends with a slash");
        let parts: Vec<&str> = asked.path().split('/').filter(|part| !part.is_empty()).collect();
        let needed: &[&str] = match (asked.method.as_str(), parts.as_slice()) {
            (_, [_, _, "orgs"]) => &["company", "company-read_only"],
            (_, [.., "orders"]) => &["order", "order-read_only"],
            ("GET", _) => &["contact", "contact-read_only"],
            _ => &["contact"],
        };
        if !needed.iter().any(|scope| self.scopes.contains(scope)) {
            let text = format!("Access token has insufficient scope: {}", needed[0]);
            return Act::json(403, json!({"error": "insufficient_scope", "error_description": text}));
        }
        let missing = || Act::json(404, json!({"detail": "Not found."}));
        let ["api", "v2", "orgs", rest @ ..] = parts.as_slice() else { return missing() };
        let [organisation, rest @ ..] = rest else {
            let all: Vec<Value> = self
                .organisations
                .iter()
                .map(|one| {
                    let deleted_at = one.is_deleted.then_some("2025-01-01T00:00:00Z");
                    json!({"url": format!("/api/v2/orgs/{}/", one.key), "name": "Team", "deleted_at": deleted_at})
                })
                .collect();
            return self.list(asked, &all);
        };
        let Some(found) = self.organisations.iter().position(|one| one.key == *organisation) else {
            return missing();
        };
        let organisation = &mut self.organisations[found];
        match (asked.method.as_str(), rest) {
            ("GET", ["contacts"]) => {
                let all: Vec<Value> =
                    organisation.contacts.iter().map(|(_, contact)| contact.clone()).collect();
                self.list(asked, &all)
            }
            (method, ["contacts", key]) => match organisation.contacts.iter().position(|(one, _)| one == key)
            {
                Some(at) if method == "DELETE" => {
                    organisation.contacts.remove(at);
                    Act::answer(204, &[], "")
                }
                Some(at) => Act::json(200, &organisation.contacts[at].1),
                None => missing(),
            },
            ("GET", ["contacts", key, "orders"]) => {
                let all: Vec<Value> = organisation
                    .orders
                    .iter()
                    .filter(|(of, _)| of == key)
                    .map(|(_, order)| order.clone())
                    .collect();
                self.list(asked, &all)
            }
            _ => missing(),
        }
    }
}

impl State {
    fn list(&self, asked: &Asked, all: &[Value]) -> Act {
        let number = |name: &str| asked.query(name).and_then(|text| text.parse::<usize>().ok());
        let limit = number("limit").unwrap_or(self.cap).min(self.cap);
        let offset = number("offset").unwrap_or(0);
        let results: Vec<&Value> = all.iter().skip(offset).take(limit).collect();
        let next = (offset + limit < all.len()).then(|| {
            let host = asked.header("host").unwrap();
            format!("http://{host}{}?limit={limit}&offset={}", asked.path(), offset + limit)
        });
        Act::json(200, json!({"count": all.len(), "next": next, "previous": null, "results": results}))
    }
}

fn connector(client: VendorClient) -> Box<dyn Connector> {
    ReadyCloud.connect(&settings(TOKEN), client).unwrap()
}

fn settings(token: &str) -> Settings {
    let pasted = Settings::from_iter([("access_token", token)]);
    ReadyCloud.normalise(pasted, NOW.parse().unwrap()).unwrap()
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

/// A whole pass.
#[derive(Debug, Default)]
struct Pass {
    /// `subject: vendor id`, in the order of finding.
    found: Vec<String>,
    residuals: Vec<Residual>,
    fields: Vec<Map<String, Value>>,
    steps: usize,
}

impl Pass {
    /// Takes a step's page in and gives the next cursor.
    fn take(&mut self, page: ScanPage) -> Option<Cursor> {
        self.steps += 1;
        assert!(self.steps < 500, "the pass does not end");
        for one in page.matches {
            self.found.push(format!("{}: {}", one.subject, one.record.vendor_id));
            self.fields.push(one.record.fields);
        }
        self.residuals.extend(page.residuals);
        // What the engine stores is text.
        page.next.map(|cursor| serde_json::from_str(&serde_json::to_string(&cursor).unwrap()).unwrap())
    }
}

async fn pass(connector: &dyn Connector, subjects: &[Subject]) -> Result<Pass, VendorError> {
    let mut pass = Pass::default();
    let mut cursor = None;
    loop {
        cursor = pass.take(connector.scan(cursor.as_ref(), subjects).await?);
        if cursor.is_none() {
            return Ok(pass);
        }
    }
}

#[test]
fn the_catalogue_offers_it() {
    let catalogue = crate::Catalogue::default();
    let manifest = catalogue.find("readycloud").unwrap().manifest();
    assert_eq!(manifest.title, "ReadyCloud");
    let printed = serde_json::to_value(manifest).unwrap();
    assert_eq!(printed["capabilities"]["access"], json!({"type": "synchronous", "method": "scan"}));
    assert_eq!(printed["capabilities"]["deletion"]["method"], "standard");
    assert_eq!(printed["capabilities"]["identifiers"], json!(["email"]));
    assert!(
        VendorClient::new(
            crate::ClientOptions::new(
                manifest.name,
                manifest.base_url.unwrap().parse().unwrap(),
                habeas_environment::Environment::system()
            ),
            VendorClient::transport().unwrap()
        )
        .is_ok()
    );
}

#[test]
fn connections_with_one_token_share_an_account() {
    use secrecy::ExposeSecret;
    let account = |token| ReadyCloud.account(&settings(token));
    let exposed = |secret: SecretString| secret.expose_secret().to_owned();
    assert_eq!(exposed(account("a1")), exposed(account("a1")));
    assert_ne!(exposed(account("a1")), exposed(account("a2")));
    assert!(!format!("{:?}", account("a1")).contains("a1"));
}
