//! What this vendor knows about the [invented people](crate::people), the same for the same seed.

use std::collections::BTreeMap;

use super::fixtures::{CUSTOMER_LIST, DIRECTORY, DISTRIBUTION, SURVEY};
use super::ids;
use super::state::{Contact, Link, Mail, State, SurveyResponse, Ticket};
use crate::people::{self, Person, Quirk};
use crate::random::Random;

const LANGUAGES: &[&str] = &["en", "de", "pt", "nl", "fr"];
const TIERS: &[&str] = &["basic", "silver", "gold"];
const ANSWERS: &[&str] = &[
    "The parcel came on time.",
    "The support was friendly.",
    "I waited two weeks for a refund.",
    "Nothing to add.",
];

/// The first person came in on 2025-01-01T00:00:00Z, each further one 7 minutes later.
const FIRST_AT_MS: u64 = 1_735_689_600_000;
const APART_MS: u64 = 420_000;
const DAY_MS: u64 = 86_400_000;

pub(super) fn populate(state: &mut State, people: usize, seed: u64) {
    let mut random = Random::for_purpose(seed, "qualtrics.people");
    for person in people::invent(people, seed) {
        let number = person.number;
        let contact = state.insert_contact(describe(&mut random, person));
        if random.chance(0.5) {
            state.join_list(CUSTOMER_LIST, contact);
        }
        let responses = if random.chance(0.3) { 1 + random.below(2) } else { 0 };
        let tickets = usize::from(number % 10 == 0);
        invent_history(state, contact, responses, tickets, random.below(3));
    }
}

fn describe(random: &mut Random, person: Person) -> Contact {
    let created_ms = FIRST_AT_MS + APART_MS * person.number as u64;
    let mut embedded_data = BTreeMap::new();
    if person.quirk == Quirk::Company {
        embedded_data.insert("company".to_owned(), format!("{} Trading {}", person.last_name, person.number));
    }
    if random.chance(0.4) {
        embedded_data.insert("tier".to_owned(), random.pick(TIERS).to_owned());
    }
    Contact {
        directory: DIRECTORY.to_owned(),
        first_name: Some(person.first_name.to_owned()),
        last_name: Some(person.last_name.to_owned()),
        // Here a person has one email: one that elsewhere stands on the second address is this one.
        email: (person.quirk != Quirk::NoEmail).then_some(person.email),
        phone: Some(person.phone),
        ext_ref: random.chance(0.5).then(|| format!("cust-{}", person.number)),
        language: Some(random.pick(LANGUAGES).to_owned()),
        embedded_data,
        unsubscribed_ms: random.chance(0.05).then_some(created_ms),
        created_ms,
        modified_ms: created_ms,
        ..Contact::default()
    }
}

/// Gives a contact responses (every second one unfinished), tickets created from the first of them, and mails, a day apart.
pub(super) fn invent_history(
    state: &mut State,
    contact: u32,
    responses: usize,
    tickets: usize,
    mails: usize,
) {
    let Some(whose) = state.contact(contact).cloned() else { return };
    let after = |days: usize| whose.created_ms.saturating_add(DAY_MS.saturating_mul(days as u64));
    for position in 0..responses {
        let started_ms = after(position + 1);
        let id = ids::draw(&mut state.random, "R");
        let answer = ANSWERS[state.random.below(ANSWERS.len())];
        let values = BTreeMap::from([
            ("QID1".to_owned(), format!("{}", state.random.below(11))),
            ("QID2_TEXT".to_owned(), answer.to_owned()),
        ]);
        let number = state.insert_response(SurveyResponse {
            id: id.clone(),
            survey: SURVEY.to_owned(),
            distribution: DISTRIBUTION.to_owned(),
            linked: Some(Link { contact, email: whose.email.clone() }),
            started_ms,
            completed_ms: started_ms + 180_000,
            // Every second one was given up.
            finished: position % 2 == 0,
            values,
        });
        if position < tickets {
            let ticket = ids::draw(&mut state.random, "TK");
            let subject = format!("Follow up with {}", whose.first_name.as_deref().unwrap_or("the customer"));
            let ticket = Ticket { id: ticket, response: id, subject, created_ms: started_ms + 200_000 };
            state.tickets.insert(number, ticket);
        }
    }
    let sent = (0..mails).map(|position| Mail {
        distribution: DISTRIBUTION.to_owned(),
        survey: SURVEY.to_owned(),
        sent_ms: after(position + 1),
        kind: if position == 0 { "Invite" } else { "Reminder" },
        read: position == 0,
    });
    let sent: Vec<_> = sent.collect();
    let modified_ms = whose.modified_ms;
    state.change_contact(&whose.id, modified_ms, |contact| contact.mails.extend(sent));
}
