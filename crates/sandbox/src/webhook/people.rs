//! Whom the system knows, and what it holds about them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::jobs::Outcome;
use super::protocol::Identifier;

/// One thing that is held about a person, as the protocol shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// For example `order-1001`.
    pub id: String,
    /// `order` or `ticket`.
    pub kind: String,
    /// For people, for example `Order 1001`.
    pub title: String,
    /// The rest.
    pub fields: Map<String, Value>,
}

/// A file that is held about a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// With its extension.
    pub name: String,
    /// For example `text/plain`.
    pub media_type: String,
    /// As Base64 in JSON.
    #[serde(serialize_with = "as_base64")]
    pub content: Vec<u8>,
}

/// A customer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Person {
    /// The company's own id.
    pub user_id: String,
    /// Where it is known.
    pub email: Option<String>,
    /// Where it is known.
    pub phone_number: Option<String>,
    /// Orders first, then tickets.
    pub records: Vec<Record>,
    /// One, as long as nobody wants more.
    pub files: Vec<File>,
}

fn as_base64<S: Serializer>(content: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(content))
}

impl Person {
    /// The identifiers of this person, by type.
    fn identifiers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let known = [
            ("user_id", Some(&self.user_id)),
            ("email", self.email.as_ref()),
            ("phone_number", self.phone_number.as_ref()),
        ];
        known.into_iter().filter_map(|(kind, value)| Some((kind, value?.as_str())))
    }

    /// Whether one of the identifiers is this person's: each of them alone identifies.
    fn is_among(&self, identifiers: &[Identifier]) -> bool {
        self.identifiers().any(|(kind, value)| identifiers.iter().any(|it| it.agrees(kind, value)))
    }
}

/// Customers in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct People(Vec<Person>);

impl People {
    pub(super) fn add(&mut self, person: Person) {
        self.0.push(person);
    }

    pub(super) fn get(&self, user_id: &str) -> Option<&Person> {
        self.0.iter().find(|person| person.user_id == user_id)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn with_value(&self, value: &str) -> Vec<String> {
        let named = |kind: &str| Identifier { kind: kind.to_owned(), value: value.to_owned() };
        let any = [named("user_id"), named("email"), named("phone_number")];
        self.0.iter().filter(|person| person.is_among(&any)).map(|person| person.user_id.clone()).collect()
    }

    /// Everything that is held about whomever the identifiers name. Own choice: two people who share an email are both
    /// named by it.
    pub(super) fn find(&self, identifiers: &[Identifier]) -> Outcome {
        let named: Vec<_> = self.0.iter().filter(|person| person.is_among(identifiers)).collect();
        Outcome::Found {
            records: named.iter().flat_map(|person| person.records.clone()).collect(),
            files: named.iter().flat_map(|person| person.files.clone()).collect(),
        }
    }

    /// Deletes whomever the identifiers name, and answers their user ids.
    pub(super) fn delete(&mut self, identifiers: &[Identifier]) -> Vec<String> {
        let named = self.0.extract_if(.., |person| person.is_among(identifiers));
        named.map(|person| person.user_id).collect()
    }

    pub(super) fn remove(&mut self, user_id: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|person| person.user_id != user_id);
        self.0.len() != before
    }
}
