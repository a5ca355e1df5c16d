//! What the vendor holds, indexed so that a call costs what its page costs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::email::fold;
use super::ids;
use super::jobs::{DataJob, Erasures};
use super::knobs::Knobs;
use super::limits::Limits;
use crate::random::Random;

#[derive(Debug)]
pub(super) struct Directory {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) is_default: bool,
    /// "XMD Lite": neither list nor search of contacts.
    pub(super) lite: bool,
    /// Numbers in order of creation, which is the order of listing. Numbers only grow, so it is sorted.
    pub(super) contacts: Vec<u32>,
    pub(super) lists: Vec<MailingList>,
}

#[derive(Debug)]
pub(super) struct MailingList {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) created_ms: u64,
    /// By number of the contact.
    pub(super) members: BTreeMap<u32, Member>,
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    /// `contactLookupId`.
    pub(super) lookup: String,
    pub(super) unsubscribed: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Contact {
    pub(super) number: u32,
    pub(super) id: String,
    pub(super) directory: String,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) ext_ref: Option<String>,
    pub(super) language: Option<String>,
    pub(super) embedded_data: BTreeMap<String, String>,
    pub(super) unsubscribed_ms: Option<u64>,
    pub(super) created_ms: u64,
    pub(super) modified_ms: u64,
    /// Mails sent to it, oldest first.
    pub(super) mails: Vec<Mail>,
}

#[derive(Clone, Debug)]
pub(super) struct Mail {
    pub(super) distribution: String,
    pub(super) survey: String,
    pub(super) sent_ms: u64,
    pub(super) kind: &'static str,
    pub(super) read: bool,
}

#[derive(Clone, Debug)]
pub(super) struct SurveyResponse {
    pub(super) id: String,
    pub(super) survey: String,
    pub(super) distribution: String,
    /// Whose it is; the contact itself may be gone already. `None` is an anonymous response.
    pub(super) linked: Option<Link>,
    pub(super) started_ms: u64,
    pub(super) completed_ms: u64,
    pub(super) finished: bool,
    pub(super) values: BTreeMap<String, String>,
}

/// What ties a response to a person. Own choice: the email is a copy, so that an erasure still finds the
/// responses of a contact that was deleted alone.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) contact: u32,
    pub(super) email: Option<String>,
}

/// Created from a response.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) id: String,
    pub(super) response: String,
    pub(super) subject: String,
    pub(super) created_ms: u64,
}

#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) username: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) email: String,
    pub(super) user_type: String,
    pub(super) account_status: String,
}

/// A contact that is deleted but that searches may still know of.
#[derive(Debug)]
pub(super) struct Ghost {
    pub(super) contact: Contact,
    pub(super) deleted_ms: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) secret: String,
    pub(super) scopes: BTreeSet<String>,
    pub(super) user: String,
    pub(super) grants: Vec<String>,
    /// The data centre that issues its tokens; `None` is this one.
    pub(super) datacenter: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Bearer,
    /// For `X-API-TOKEN`: acts with all rights of its user (own choice: scopes do not apply).
    Api,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) client: Option<String>,
    pub(super) user: String,
    pub(super) scopes: BTreeSet<String>,
    pub(super) expires_at_ms: Option<u64>,
    pub(super) datacenter: String,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) directories: Vec<Directory>,
    contacts: HashMap<u32, Contact>,
    contact_numbers: HashMap<String, u32>,
    by_email: HashMap<String, BTreeSet<u32>>,
    pub(super) ghosts: Vec<Ghost>,
    pub(super) responses: BTreeMap<u32, SurveyResponse>,
    responses_by_email: HashMap<String, BTreeSet<u32>>,
    responses_by_contact: HashMap<u32, BTreeSet<u32>>,
    /// By number of the response.
    pub(super) tickets: BTreeMap<u32, Ticket>,
    pub(super) users: Vec<User>,
    pub(super) clients: BTreeMap<String, Client>,
    pub(super) tokens: HashMap<String, Token>,
    pub(super) erasures: Erasures,
    pub(super) data_jobs: Vec<DataJob>,
    pub(super) limits: Limits,
    pub(super) knobs: Knobs,
    pub(super) random: Random,
    last_number: u32,
}

impl State {
    pub(super) fn new(random: Random) -> Self {
        Self {
            directories: Vec::new(),
            contacts: HashMap::new(),
            contact_numbers: HashMap::new(),
            by_email: HashMap::new(),
            ghosts: Vec::new(),
            responses: BTreeMap::new(),
            responses_by_email: HashMap::new(),
            responses_by_contact: HashMap::new(),
            tickets: BTreeMap::new(),
            users: Vec::new(),
            clients: BTreeMap::new(),
            tokens: HashMap::new(),
            erasures: Erasures::default(),
            data_jobs: Vec::new(),
            limits: Limits::default(),
            knobs: Knobs::default(),
            random,
            last_number: 0,
        }
    }

    fn next_number(&mut self) -> u32 {
        self.last_number += 1;
        self.last_number
    }

    pub(super) fn directory(&self, id: &str) -> Option<&Directory> {
        self.directories.iter().find(|directory| directory.id == id)
    }

    pub(super) fn directory_mut(&mut self, id: &str) -> Option<&mut Directory> {
        self.directories.iter_mut().find(|directory| directory.id == id)
    }

    pub(super) fn list_mut(&mut self, id: &str) -> Option<(&str, &mut MailingList)> {
        self.directories.iter_mut().find_map(|directory| {
            let list = directory.lists.iter_mut().find(|list| list.id == id)?;
            Some((directory.id.as_str(), list))
        })
    }

    pub(super) fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    pub(super) fn contact(&self, number: u32) -> Option<&Contact> {
        self.contacts.get(&number)
    }

    pub(super) fn contact_by_id(&self, id: &str) -> Option<&Contact> {
        self.contacts.get(self.contact_numbers.get(id)?)
    }

    pub(super) fn contact_count(&self) -> usize {
        self.contacts.len()
    }

    /// In order of creation.
    pub(super) fn contacts_with_email(&self, email: &str) -> impl Iterator<Item = &Contact> {
        let numbers = self.by_email.get(&fold(email)).into_iter().flatten();
        numbers.filter_map(|number| self.contacts.get(number))
    }

    /// In order of creation.
    pub(super) fn responses_with_email(&self, email: &str) -> impl Iterator<Item = (u32, &SurveyResponse)> {
        let numbers = self.responses_by_email.get(&fold(email)).into_iter().flatten();
        numbers.filter_map(|number| Some((*number, self.responses.get(number)?)))
    }

    /// In order of creation.
    pub(super) fn responses_of(&self, contact: u32) -> impl Iterator<Item = &SurveyResponse> {
        let numbers = self.responses_by_contact.get(&contact).into_iter().flatten();
        numbers.filter_map(|number| self.responses.get(number))
    }

    pub(super) fn users_with_email(&self, email: &str) -> impl Iterator<Item = &User> {
        let email = fold(email);
        self.users.iter().filter(move |user| fold(&user.email) == email)
    }

    /// Stores a contact under its id, or under a drawn one when that is empty, and answers its number.
    pub(super) fn insert_contact(&mut self, mut contact: Contact) -> u32 {
        while contact.id.is_empty() || self.contact_numbers.contains_key(&contact.id) {
            contact.id = ids::draw(&mut self.random, "CID");
        }
        let number = self.next_number();
        contact.number = number;
        if let Some(directory) = self.directory_mut(&contact.directory) {
            directory.contacts.push(number);
        }
        self.contact_numbers.insert(contact.id.clone(), number);
        self.index_email(&contact);
        self.contacts.insert(number, contact);
        number
    }

    pub(super) fn change_contact(&mut self, id: &str, now_ms: u64, change: impl FnOnce(&mut Contact)) {
        let Some(mut contact) = self.contact_numbers.get(id).and_then(|number| self.contacts.remove(number))
        else {
            return;
        };
        self.unindex_email(&contact);
        change(&mut contact);
        contact.modified_ms = now_ms;
        self.index_email(&contact);
        self.contacts.insert(contact.number, contact);
    }

    /// Removes a contact from its directory and from every list. Its responses stay.
    pub(super) fn remove_contact(&mut self, id: &str, now_ms: u64) -> bool {
        let Some(contact) = self.contact_numbers.remove(id).and_then(|number| self.contacts.remove(&number))
        else {
            return false;
        };
        self.unindex_email(&contact);
        if let Some(directory) = self.directory_mut(&contact.directory) {
            if let Ok(position) = directory.contacts.binary_search(&contact.number) {
                directory.contacts.remove(position);
            }
            for list in &mut directory.lists {
                list.members.remove(&contact.number);
            }
        }
        let lag = self.knobs.index_lag_ms;
        self.ghosts.retain(|ghost| ghost.deleted_ms.saturating_add(lag) > now_ms);
        if lag > 0 {
            self.ghosts.push(Ghost { contact, deleted_ms: now_ms });
        }
        true
    }

    fn index_email(&mut self, contact: &Contact) {
        if let Some(email) = &contact.email {
            self.by_email.entry(fold(email)).or_default().insert(contact.number);
        }
    }

    fn unindex_email(&mut self, contact: &Contact) {
        let Some(email) = contact.email.as_deref().map(fold) else { return };
        if let Some(numbers) = self.by_email.get_mut(&email) {
            numbers.remove(&contact.number);
            if numbers.is_empty() {
                self.by_email.remove(&email);
            }
        }
    }

    /// Makes a contact a member of a list; false when that list is in another directory or nowhere.
    pub(super) fn join_list(&mut self, list: &str, contact: u32) -> bool {
        let lookup = ids::draw(&mut self.random, "CGC");
        let Some(directory) = self.contact(contact).map(|contact| contact.directory.clone()) else {
            return false;
        };
        match self.list_mut(list) {
            Some((home, list)) if home == directory => {
                list.members.insert(contact, Member { lookup, unsubscribed: false });
                true
            }
            _ => false,
        }
    }

    pub(super) fn insert_response(&mut self, response: SurveyResponse) -> u32 {
        let number = self.next_number();
        if let Some(link) = &response.linked {
            self.responses_by_contact.entry(link.contact).or_default().insert(number);
            if let Some(email) = &link.email {
                self.responses_by_email.entry(fold(email)).or_default().insert(number);
            }
        }
        self.responses.insert(number, response);
        number
    }

    /// Removes the responses linked to this email, with the tickets created from them; how many they were.
    pub(super) fn remove_responses(&mut self, email: &str) -> usize {
        let numbers = self.responses_by_email.remove(&fold(email)).unwrap_or_default();
        for number in &numbers {
            self.tickets.remove(number);
            let response = self.responses.remove(number);
            if let Some(link) = response.and_then(|response| response.linked)
                && let Some(of_contact) = self.responses_by_contact.get_mut(&link.contact)
            {
                of_contact.remove(number);
            }
        }
        numbers.len()
    }
}
