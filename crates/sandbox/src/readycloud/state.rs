//! What the vendor holds, indexed so that a call costs what its page costs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::knobs::Knobs;
use super::limits::Limits;
use super::specs::{AddressSpec, ContactSpec, SpecRefused, TokenSpec};
use super::{auth, keys};
use crate::random::Random;

/// Text that is mostly shared by thousands of invented people, or else written by a caller.
pub(super) type Text = Cow<'static, str>;

/// Microseconds since the epoch, written as the vendor writes times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) i64);

impl Moment {
    pub(super) fn from_ms(ms: u64) -> Self {
        Self(i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1000))
    }

    pub(super) fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.timestamp().strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
    }
}

#[derive(Debug)]
pub(super) struct Org {
    pub(super) key: Text,
    pub(super) name: String,
    pub(super) deleted_at: Option<Moment>,
    /// Ids in order of creation, which is the order of listing. Ids only grow, so it is sorted.
    pub(super) contacts: Vec<u32>,
    pub(super) orders: Vec<u32>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Contact {
    pub(super) id: u32,
    pub(super) key: String,
    pub(super) org: Text,
    pub(super) first_name: Text,
    pub(super) last_name: Text,
    pub(super) is_company: bool,
    pub(super) occupation: Option<Text>,
    pub(super) description: Option<Text>,
    pub(super) website: Option<Text>,
    pub(super) custom_fields: Map<String, Value>,
    pub(super) notes: Vec<Note>,
    pub(super) addresses: Vec<Address>,
    pub(super) created_at: Moment,
    pub(super) updated_at: Moment,
}

#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) key: u32,
    pub(super) text: Text,
    pub(super) created_at: Moment,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Address {
    #[serde(skip)]
    pub(super) key: u32,
    pub(super) address_type: Text,
    pub(super) default: bool,
    pub(super) first_name: Text,
    pub(super) last_name: Text,
    pub(super) company: Text,
    pub(super) email: Option<Text>,
    pub(super) phone: Text,
    pub(super) address_1: Text,
    pub(super) address_2: Text,
    pub(super) city: Text,
    pub(super) region: Text,
    pub(super) post_code: Text,
    pub(super) country: Text,
    pub(super) residential: bool,
    pub(super) validated: bool,
}

#[derive(Debug)]
pub(super) struct Order {
    pub(super) key: String,
    pub(super) org: Text,
    pub(super) contact: u32,
    pub(super) number: String,
    pub(super) cents: u32,
    pub(super) ship_to: Address,
    pub(super) ordered_at: Moment,
}

#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) name: &'static str,
    pub(super) secret: &'static str,
    pub(super) user: &'static str,
    /// The first one is the default.
    pub(super) redirect_uris: &'static [&'static str],
    pub(super) response_types: &'static [&'static str],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenScopes {
    All,
    Only(BTreeSet<String>),
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) client: String,
    pub(super) scopes: TokenScopes,
    pub(super) expires_at_ms: Option<u64>,
    pub(super) refresh_token: Option<String>,
    pub(super) refreshable: bool,
    /// `None` sees every organisation.
    pub(super) orgs: Option<Vec<String>>,
}

impl Token {
    pub(super) fn sees(&self, org: &Org) -> bool {
        self.orgs.as_ref().is_none_or(|visible| visible.iter().any(|key| *key == org.key))
    }
}

/// An authorization code that was not exchanged yet.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) client: String,
    pub(super) redirect_uri: String,
    pub(super) scope: Option<String>,
    pub(super) expires_at_ms: u64,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) orgs: Vec<Org>,
    contacts: HashMap<u32, Contact>,
    contact_ids: HashMap<String, u32>,
    by_email: HashMap<String, BTreeSet<u32>>,
    orders: HashMap<u32, Order>,
    order_ids: HashMap<String, u32>,
    orders_of: HashMap<u32, Vec<u32>>,
    pub(super) clients: BTreeMap<&'static str, Client>,
    pub(super) tokens: HashMap<String, Token>,
    pub(super) codes: HashMap<String, Code>,
    pub(super) limits: Limits,
    pub(super) knobs: Knobs,
    pub(super) random: Random,
    last_id: u32,
}

/// How emails are compared.
fn folded(email: &str) -> String {
    email.trim().to_ascii_lowercase()
}

impl State {
    pub(super) fn new(random: Random) -> Self {
        Self {
            orgs: Vec::new(),
            contacts: HashMap::new(),
            contact_ids: HashMap::new(),
            by_email: HashMap::new(),
            orders: HashMap::new(),
            order_ids: HashMap::new(),
            orders_of: HashMap::new(),
            clients: BTreeMap::new(),
            tokens: HashMap::new(),
            codes: HashMap::new(),
            limits: Limits::default(),
            knobs: Knobs::default(),
            random,
            last_id: 0,
        }
    }

    /// Numbers are unique over all kinds of objects (own choice).
    pub(super) fn next_id(&mut self) -> u32 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn org(&self, key: &str) -> Option<&Org> {
        self.orgs.iter().find(|org| org.key == key)
    }

    pub(super) fn org_mut(&mut self, key: &str) -> Option<&mut Org> {
        self.orgs.iter_mut().find(|org| org.key == key)
    }

    pub(super) fn contact(&self, id: u32) -> Option<&Contact> {
        self.contacts.get(&id)
    }

    pub(super) fn contact_by_key(&self, key: &str) -> Option<&Contact> {
        self.contacts.get(self.contact_ids.get(key)?)
    }

    pub(super) fn contact_count(&self) -> usize {
        self.contacts.len()
    }

    pub(super) fn contacts_with_email(&self, email: &str) -> Vec<String> {
        let ids = self.by_email.get(&folded(email)).into_iter().flatten();
        ids.filter_map(|id| self.contacts.get(id)).map(|contact| contact.key.clone()).collect()
    }

    pub(super) fn order(&self, id: u32) -> Option<&Order> {
        self.orders.get(&id)
    }

    pub(super) fn order_by_key(&self, key: &str) -> Option<&Order> {
        self.orders.get(self.order_ids.get(key)?)
    }

    /// Orders of a contact, oldest first.
    pub(super) fn orders_of(&self, contact: u32) -> &[u32] {
        self.orders_of.get(&contact).map_or(&[], Vec::as_slice)
    }

    /// Stores a contact under its key, or under a drawn one when that is empty, and answers the key.
    pub(super) fn insert_contact(&mut self, mut contact: Contact) -> String {
        contact.id = self.next_id();
        while contact.key.is_empty() || self.contact_ids.contains_key(&contact.key) {
            contact.key = keys::draw(&mut self.random);
        }
        for address in &mut contact.addresses {
            if address.key == 0 {
                self.last_id += 1;
                address.key = self.last_id;
            }
        }
        let (id, key) = (contact.id, contact.key.clone());
        if let Some(org) = self.org_mut(&contact.org) {
            org.contacts.push(id);
        }
        self.contact_ids.insert(key.clone(), id);
        self.index_emails(&contact);
        self.contacts.insert(id, contact);
        key
    }

    /// Removes a contact. Its orders stay: they carry their own copy of the person's data, and the
    /// reference takes it as likely that the vendor keeps them.
    pub(super) fn remove_contact(&mut self, key: &str) -> bool {
        let Some(contact) = self.contact_ids.remove(key).and_then(|id| self.contacts.remove(&id)) else {
            return false;
        };
        self.unindex_emails(&contact);
        self.orders_of.remove(&contact.id);
        if let Some(org) = self.org_mut(&contact.org)
            && let Ok(position) = org.contacts.binary_search(&contact.id)
        {
            org.contacts.remove(position);
        }
        true
    }

    /// Changes a contact and gives new addresses their keys.
    pub(super) fn change_contact(&mut self, key: &str, now_ms: u64, change: impl FnOnce(&mut Contact)) {
        let Some(mut contact) = self.contact_ids.get(key).and_then(|id| self.contacts.remove(id)) else {
            return;
        };
        self.unindex_emails(&contact);
        change(&mut contact);
        contact.updated_at = Moment::from_ms(now_ms);
        for address in contact.addresses.iter_mut().filter(|address| address.key == 0) {
            address.key = self.next_id();
        }
        self.index_emails(&contact);
        self.contacts.insert(contact.id, contact);
    }

    fn index_emails(&mut self, contact: &Contact) {
        for email in contact.addresses.iter().filter_map(|address| address.email.as_deref()) {
            self.by_email.entry(folded(email)).or_default().insert(contact.id);
        }
    }

    fn unindex_emails(&mut self, contact: &Contact) {
        for email in contact.addresses.iter().filter_map(|address| address.email.as_deref()) {
            let email = folded(email);
            if let Some(ids) = self.by_email.get_mut(&email) {
                ids.remove(&contact.id);
                if ids.is_empty() {
                    self.by_email.remove(&email);
                }
            }
        }
    }

    /// Invents an order that was shipped to the contact's first address.
    pub(super) fn insert_order(&mut self, contact_key: &str, ordered_at: Moment) {
        let Some(contact) = self.contact_by_key(contact_key) else { return };
        let (contact_id, org) = (contact.id, contact.org.clone());
        let mut ship_to = contact.addresses.first().cloned().unwrap_or_default();
        // A copy of its own: an email that stands elsewhere in the contact is copied too.
        let any_email = || contact.addresses.iter().find_map(|address| address.email.clone());
        ship_to.email = ship_to.email.clone().or_else(any_email);
        let id = self.next_id();
        let mut key = String::new();
        while key.is_empty() || self.order_ids.contains_key(&key) {
            key = keys::draw(&mut self.random);
        }
        let number = format!("{}", 100_000 + id);
        let cents = 500 + u32::try_from(self.random.below(20_000)).unwrap_or_default();
        if let Some(org) = self.org_mut(&org) {
            org.orders.push(id);
        }
        self.order_ids.insert(key.clone(), id);
        self.orders_of.entry(contact_id).or_default().push(id);
        self.orders.insert(id, Order { key, org, contact: contact_id, number, cents, ship_to, ordered_at });
    }

    pub(super) fn remove_order(&mut self, key: &str) -> bool {
        let Some(id) = self.order_ids.remove(key) else { return false };
        let Some(order) = self.orders.remove(&id) else { return false };
        if let Some(orders) = self.orders_of.get_mut(&order.contact) {
            orders.retain(|other| *other != id);
        }
        if let Some(org) = self.org_mut(&order.org)
            && let Ok(position) = org.orders.binary_search(&id)
        {
            org.orders.remove(position);
        }
        true
    }

    pub(super) fn add_contact(&mut self, spec: ContactSpec, now_ms: u64) -> Result<String, SpecRefused> {
        let org = match &spec.org {
            Some(key) => self.org(key).ok_or_else(|| SpecRefused::UnknownOrg(key.clone()))?,
            None => self.orgs.first().ok_or_else(|| SpecRefused::UnknownOrg(String::new()))?,
        };
        let org = org.key.clone();
        if let Some(key) = &spec.key {
            if !keys::is_legal(key) {
                return Err(SpecRefused::IllegalKey(key.clone()));
            }
            if self.contact_ids.contains_key(key) {
                return Err(SpecRefused::KeyTaken(key.clone()));
            }
        }
        let now = Moment::from_ms(now_ms);
        let mut addresses: Vec<Address> = spec.addresses.iter().map(AddressSpec::build).collect();
        if let Some(email) = spec.email {
            match addresses.first_mut() {
                Some(first) => first.email = Some(email.into()),
                None => addresses.push(AddressSpec { email: Some(email), ..AddressSpec::default() }.build()),
            }
        }
        for (position, address) in addresses.iter_mut().enumerate() {
            address.default = position == 0;
            if address.first_name.is_empty() && address.last_name.is_empty() {
                address.first_name = spec.first_name.clone().into();
                address.last_name = spec.last_name.clone().into();
            }
        }
        let mut notes = Vec::new();
        for text in spec.notes {
            notes.push(Note { key: self.next_id(), text: text.into(), created_at: now });
        }
        let key = self.insert_contact(Contact {
            key: spec.key.unwrap_or_default(),
            org,
            first_name: spec.first_name.into(),
            last_name: spec.last_name.into(),
            is_company: spec.is_company,
            occupation: spec.occupation.map(Text::from),
            description: spec.description.map(Text::from),
            website: spec.website.map(Text::from),
            custom_fields: spec.custom_fields,
            notes,
            addresses,
            created_at: now,
            updated_at: now,
            ..Contact::default()
        });
        for _ in 0..spec.orders {
            self.insert_order(&key, now);
        }
        Ok(key)
    }

    pub(super) fn add_token(&mut self, spec: TokenSpec, now_ms: u64) -> Result<(), SpecRefused> {
        if let Some(unknown) = spec.scopes.iter().find(|scope| !auth::scope_exists(scope)) {
            return Err(SpecRefused::UnknownScope(unknown.clone()));
        }
        if let Some(unknown) = spec.orgs.iter().flatten().find(|key| self.org(key).is_none()) {
            return Err(SpecRefused::UnknownOrg(unknown.clone()));
        }
        let token = Token {
            client: spec.client,
            scopes: TokenScopes::Only(spec.scopes.into_iter().collect()),
            expires_at_ms: spec.expires_in.map(|seconds| now_ms.saturating_add(seconds.saturating_mul(1000))),
            refreshable: spec.refresh_token.is_some(),
            refresh_token: spec.refresh_token,
            orgs: spec.orgs,
        };
        self.tokens.insert(spec.token, token);
        Ok(())
    }

    pub(super) fn expire_token(&mut self, token: &str, now_ms: u64) -> bool {
        match self.tokens.get_mut(token) {
            Some(token) => {
                token.expires_at_ms = Some(now_ms);
                true
            }
            None => false,
        }
    }
}
