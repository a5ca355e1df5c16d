//! Requests and answers as the vendor spells them (ReadyCloud API V2). Every path ends with a slash;
//! unknown fields are ignored and nulls accepted, because shapes are documented by example only.

use std::time::Duration;

use habeas_domain::IdentifierType;
use http::Method;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::Url;

use super::errors;
use super::manifest::{READ, WRITE};
use crate::client::{Call, Reply, VendorAnswer, VendorClient};
use crate::error::VendorError;

/// What is asked for; the largest page that the server gives is not documented, and whatever it gives is
/// taken.
const PAGE: u32 = 100;
/// Longest list that is read whole in one go, in pages.
const MOST_PAGES: usize = 10;

/// A list (Django REST framework, limit and offset). `count` is how many there are in all.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    #[serde(default)]
    count: Value,
    #[serde(default)]
    next: Option<String>,
    pub(super) results: Vec<T>,
}

impl<T> Page<T> {
    pub(super) fn count(&self) -> Option<u64> {
        self.count.as_u64()
    }

    pub(super) fn next(&self) -> Option<&str> {
        self.next.as_deref().filter(|next| !next.is_empty())
    }
}

/// Several pages together.
#[derive(Debug)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
    /// Whether that is all of it.
    pub(super) is_complete: bool,
}

/// An organisation (`/orgs/`).
#[derive(Debug, Deserialize)]
pub(super) struct Organisation {
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    deleted_at: Option<Value>,
}

impl Organisation {
    pub(super) fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    /// The key, which is the last part of the address: no object has an `id`.
    pub(super) fn key(&self) -> Option<&str> {
        match parts(self.url.as_deref()?).as_slice() {
            [.., "orgs", organisation] if is_key(organisation) => Some(organisation),
            _ => None,
        }
    }
}

/// A contact, whole: what is delivered is what the vendor holds, not what this crate knows of it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Contact(pub(super) Map<String, Value>);

impl Contact {
    /// Organisation and contact key out of `/api/v2/orgs/H6j/contacts/3mrRD/`, absolute or relative.
    pub(super) fn keys(&self) -> Option<(&str, &str)> {
        match parts(self.text("url")?).as_slice() {
            [.., "orgs", organisation, "contacts", contact] if is_key(organisation) && is_key(contact) => {
                Some((organisation, contact))
            }
            _ => None,
        }
    }

    /// Every e-mail address: they live in the addresses only, may be null, and there may be several.
    pub(super) fn emails(&self) -> impl Iterator<Item = String> {
        self.addresses()
            .filter_map(|address| address.get("email")?.as_str())
            .map(|email| IdentifierType::Email.comparable(email))
            .filter(|email| !email.is_empty())
    }

    /// Whether the addresses are part of the answer. If they were only linked, nobody could be found in
    /// them.
    pub(super) fn is_expanded(&self) -> bool {
        matches!(self.0.get("addresses"), None | Some(Value::Null | Value::Array(_)))
    }

    /// The name of the person, where the contact is one and has a name of its own.
    pub(super) fn person(&self) -> Option<String> {
        let part = |key: &str| self.text(key).map(str::trim).unwrap_or_default();
        let name = format!("{} {}", part("first_name"), part("last_name")).trim().to_owned();
        let is_company = self.0.get("is_company").and_then(Value::as_bool).unwrap_or(false);
        (!name.is_empty() && !is_company).then_some(name)
    }

    /// How a reviewer recognises it.
    pub(super) fn title(&self) -> String {
        let name = |object: &Map<String, Value>| {
            let part = |key: &str| object.get(key).and_then(Value::as_str).map(str::trim).unwrap_or_default();
            let name = format!("{} {}", part("first_name"), part("last_name")).trim().to_owned();
            let name = if name.is_empty() { part("company").to_owned() } else { name };
            (!name.is_empty()).then_some(name)
        };
        name(&self.0)
            .or_else(|| self.addresses().find_map(name))
            .unwrap_or_else(|| format!("Contact {}", self.keys().map_or("without a name", |(_, key)| key)))
    }

    /// What tells it from its neighbours in the list, without being its key.
    pub(super) fn fingerprint(&self) -> u64 {
        match self.text("url") {
            Some(url) => fingerprint(url),
            None => fingerprint(&serde_json::to_string(&self.0).unwrap_or_default()),
        }
    }

    fn addresses(&self) -> impl Iterator<Item = &Map<String, Value>> {
        self.0.get("addresses").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }
}

/// An order of a contact. Its shape is documented for `/orgs/{org}/orders/` only.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Order(pub(super) Map<String, Value>);

impl Order {
    pub(super) fn key(&self) -> Option<&str> {
        let url = self.0.get("url").and_then(Value::as_str)?;
        parts(url).last().copied().filter(|key| is_key(key))
    }

    pub(super) fn title(&self) -> String {
        let number =
            ["order_number", "primary_id", "unique_id"].iter().find_map(|name| match self.0.get(*name)? {
                Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            });
        format!("Order {}", number.as_deref().or(self.key()).unwrap_or("without a number"))
    }
}

/// Keys are written in base 66, which is the set of RFC 3986's unreserved characters: opaque,
/// case-sensitive, and `.` and `~` occur. A key that is a step in a path is none.
pub(super) fn is_key(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte))
        && text != "."
        && text != ".."
}

/// The parts of an address' path. Taken apart by hand: a URL parser would resolve `..` before it can be
/// refused.
fn parts(address: &str) -> Vec<&str> {
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => address,
    };
    path.split('/').filter(|part| !part.is_empty()).collect()
}

/// FNV-1a: stable between processes and versions, which the standard hasher does not promise. Guards
/// nothing.
pub(super) fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// The vendor's calls, with the token.
#[derive(Debug)]
pub(super) struct Api {
    client: VendorClient,
    token: SecretString,
}

impl Api {
    pub(super) fn new(client: VendorClient, token: SecretString) -> Self {
        Self { client, token }
    }

    /// `GET /orgs/`, all pages of it.
    pub(super) async fn organisations(&self) -> Result<Reply<Vec<Organisation>>, VendorError> {
        match self.whole_list(&["orgs"], None, Duration::ZERO).await? {
            Reply::Value(list) if list.is_complete => Ok(Reply::Value(list.items)),
            Reply::Value(_) => Err(errors::endless_list()),
            Reply::Refused(answer) => Ok(Reply::Refused(answer)),
        }
    }

    /// One page of `GET /orgs/{org}/contacts/`.
    pub(super) async fn contacts(
        &self,
        organisation: &str,
        offset: u64,
    ) -> Result<Reply<Page<Contact>>, VendorError> {
        self.contact_page(organisation).query("limit", PAGE).query("offset", offset).send_json().await
    }

    /// The first contact of an organisation, if it has any: enough to see whether contacts may be read.
    pub(super) async fn first_contact(
        &self,
        organisation: &str,
        patience: Duration,
    ) -> Result<Reply<Page<Contact>>, VendorError> {
        self.contact_page(organisation).query("limit", 1).patient(patience).send_json().await
    }

    /// `GET /orgs/{org}/contacts/{contact}/`.
    pub(super) async fn contact(
        &self,
        organisation: &str,
        contact: &str,
    ) -> Result<Reply<Contact>, VendorError> {
        self.get(&["orgs", organisation, "contacts", contact]).send_json().await
    }

    /// `DELETE /orgs/{org}/contacts/{contact}/`. Neither its status nor its cascade is documented.
    pub(super) fn delete_contact(&self, organisation: &str, contact: &str) -> Call {
        self.call(&["orgs", organisation, "contacts", contact], Method::DELETE)
    }

    /// `GET /orgs/{org}/contacts/{contact}/orders/`, as many pages as are read in one go.
    pub(super) async fn orders(
        &self,
        organisation: &str,
        contact: &str,
        patience: Duration,
    ) -> Result<Reply<List<Order>>, VendorError> {
        self.whole_list(&["orgs", organisation, "contacts", contact, "orders"], Some(PAGE), patience).await
    }

    /// The same, one order: enough to see whether orders may be read.
    pub(super) async fn first_order(
        &self,
        organisation: &str,
        contact: &str,
        patience: Duration,
    ) -> Result<Reply<Page<Order>>, VendorError> {
        self.get(&["orgs", organisation, "contacts", contact, "orders"])
            .query("limit", 1)
            .patient(patience)
            .send_json()
            .await
    }

    /// Where the page after one of [`Api::contacts`] begins. The address is judged, not used: it must be
    /// the vendor's own and belong to the same list.
    pub(super) fn next_offset(&self, organisation: &str, next: &str) -> Result<u64, VendorError> {
        let url = self.same_list(&["orgs", organisation, "contacts"], next)?;
        url.query_pairs()
            .find(|(name, _)| name == "offset")
            .and_then(|(_, offset)| offset.parse().ok())
            .ok_or_else(errors::paging_not_understood)
    }

    /// Reads a list whose length is small by nature. Later pages are waited for: a list given back
    /// half-read would have to be begun again.
    async fn whole_list<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        limit: Option<u32>,
        patience: Duration,
    ) -> Result<Reply<List<T>>, VendorError> {
        let mut first = self.get(segments).patient(patience);
        if let Some(limit) = limit {
            first = first.query("limit", limit);
        }
        let mut reply = first.send_json::<Page<T>>().await?;
        let mut items = Vec::new();
        let mut followed: Vec<Url> = Vec::new();
        loop {
            let page = match reply {
                Reply::Value(page) => page,
                Reply::Refused(answer) => return Ok(Reply::Refused(answer)),
            };
            let next = page.next().map(|next| self.same_list(segments, next)).transpose()?;
            let is_empty = page.results.is_empty();
            items.extend(page.results);
            let Some(next) = next else { return Ok(Reply::Value(List { items, is_complete: true })) };
            if is_empty || followed.contains(&next) {
                return Err(errors::endless_list());
            }
            if followed.len() + 1 == MOST_PAGES {
                return Ok(Reply::Value(List { items, is_complete: false }));
            }
            reply = self
                .client
                .follow(READ, next.as_str())
                .bearer(&self.token)
                .patient(super::check::PATIENCE)
                .send_json()
                .await?;
            followed.push(next);
        }
    }

    fn contact_page(&self, organisation: &str) -> Call {
        self.get(&["orgs", organisation, "contacts"]).query("expand", "notes")
    }

    fn get(&self, segments: &[&str]) -> Call {
        self.call(segments, Method::GET)
    }

    /// The token goes into the header only: addresses leak into logs.
    fn call(&self, segments: &[&str], method: Method) -> Call {
        let class = if method == Method::GET { READ } else { WRITE };
        self.client
            .call(class, method)
            .path(["api", "v2"])
            .path(segments.iter().copied())
            .trailing_slash()
            .bearer(&self.token)
    }

    fn same_list(&self, segments: &[&str], next: &str) -> Result<Url, VendorError> {
        let url = self.client.own(next)?;
        let base = self.client.base_url().path().trim_end_matches('/');
        let expected = format!("{base}/api/v2/{}", segments.join("/"));
        if percent_decode_str(url.path().trim_end_matches('/')).eq(percent_decode_str(&expected)) {
            Ok(url)
        } else {
            Err(errors::another_list())
        }
    }
}

/// Success or the vendor's refusal, which `refused` turns into an error.
pub(super) fn granted<T>(
    reply: Reply<T>,
    refused: impl FnOnce(&VendorAnswer) -> VendorError,
) -> Result<T, VendorError> {
    match reply {
        Reply::Value(value) => Ok(value),
        Reply::Refused(answer) => Err(refused(&answer)),
    }
}
