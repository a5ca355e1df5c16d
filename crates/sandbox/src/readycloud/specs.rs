//! What a test or the control plane says to have something put into the simulator.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::fixtures;
use super::state::Address;

/// A contact to add. Everything has a default; `ContactSpec { email: .., ..Default::default() }` is enough.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContactSpec {
    /// Key of the organisation; left out, the [main one](fixtures::MAIN_ORG).
    pub org: Option<String>,
    /// Key of the contact; left out, one is drawn.
    pub key: Option<String>,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Whether it is a company.
    pub is_company: bool,
    /// Occupation.
    pub occupation: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Website.
    pub website: Option<String>,
    /// Fields the organisation made up.
    pub custom_fields: Map<String, Value>,
    /// Short for an email on the first address, which is made when there is none.
    pub email: Option<String>,
    /// Addresses; the first one is the default.
    pub addresses: Vec<AddressSpec>,
    /// Texts of notes.
    pub notes: Vec<String>,
    /// How many orders to invent, shipped to the first address.
    pub orders: usize,
}

/// An address of a contact to add. Without names of its own it takes the contact's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AddressSpec {
    /// For example `shipping` (the default) or `billing`.
    pub address_type: Option<String>,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Company.
    pub company: String,
    /// The only place where an email can be.
    pub email: Option<String>,
    /// Phone number.
    pub phone: String,
    /// Street.
    pub address_1: String,
    /// More of the street.
    pub address_2: String,
    /// City.
    pub city: String,
    /// Region.
    pub region: String,
    /// Post code.
    pub post_code: String,
    /// Country.
    pub country: String,
    /// Whether people live there.
    pub residential: bool,
    /// Whether the vendor checked it.
    pub validated: bool,
}

/// A token to add.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// The token itself.
    pub token: String,
    /// What it may do, for example `contact`.
    pub scopes: Vec<String>,
    /// The API client whose limits it uses up; left out, the [demo client](fixtures::CLIENT_ID).
    #[serde(default = "demo_client")]
    pub client: String,
    /// Seconds until it expires; 0 is expired already; left out, it never expires.
    #[serde(default)]
    pub expires_in: Option<u64>,
    /// With it the token can be refreshed.
    #[serde(default)]
    pub refresh_token: Option<String>,
    /// The organisations it sees, deleted ones included; left out, all of them.
    #[serde(default)]
    pub orgs: Option<Vec<String>>,
}

impl TokenSpec {
    /// A token of the demo client that never expires and sees every organisation.
    #[must_use]
    pub fn new(token: impl Into<String>, scopes: &[&str]) -> Self {
        Self {
            token: token.into(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            client: demo_client(),
            expires_in: None,
            refresh_token: None,
            orgs: None,
        }
    }
}

/// Why a contact or token was not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecRefused {
    /// There is no such organisation.
    #[error("there is no organisation `{0}`")]
    UnknownOrg(String),
    /// There is no such scope.
    #[error("there is no scope `{0}`")]
    UnknownScope(String),
    /// Another contact has this key.
    #[error("there is a contact with the key `{0}` already")]
    KeyTaken(String),
    /// A key has 1 to 32 characters of `0-9A-Za-z-_.~` and is neither `.` nor `..`.
    #[error("`{0}` is not a legal key: 1 to 32 characters of 0-9A-Za-z-_.~, neither `.` nor `..`")]
    IllegalKey(String),
}

impl AddressSpec {
    pub(super) fn build(&self) -> Address {
        Address {
            key: 0,
            address_type: self.address_type.clone().map_or("shipping".into(), Into::into),
            default: false,
            first_name: self.first_name.clone().into(),
            last_name: self.last_name.clone().into(),
            company: self.company.clone().into(),
            email: self.email.clone().map(Into::into),
            phone: self.phone.clone().into(),
            address_1: self.address_1.clone().into(),
            address_2: self.address_2.clone().into(),
            city: self.city.clone().into(),
            region: self.region.clone().into(),
            post_code: self.post_code.clone().into(),
            country: self.country.clone().into(),
            residential: self.residential,
            validated: self.validated,
        }
    }
}

fn demo_client() -> String {
    fixtures::CLIENT_ID.to_owned()
}
