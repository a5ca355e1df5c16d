//! What this vendor knows about the [invented people](crate::people), the same for the same seed.

use serde_json::Map;

use super::fixtures::MAIN_ORG;
use super::state::{Address, Contact, Moment, Note, State, Text};
use crate::people::{self, Person, Quirk};
use crate::random::Random;

const STREETS: &[&str] =
    &["Main St", "Mill Lane", "Harbour Road", "Station Road", "Oak Avenue", "Church Street"];
/// City, region, post code, country.
const PLACES: &[(&str, &str, &str, &str)] = &[
    ("Porto", "PT", "4000", "Portugal"),
    ("Ghent", "VOV", "9000", "Belgium"),
    ("Bergen", "46", "5003", "Norway"),
    ("Austin", "TX", "73301", "United States"),
    ("Leeds", "ENG", "LS1 1AA", "United Kingdom"),
    ("Graz", "ST", "8010", "Austria"),
];
const OCCUPATIONS: &[&str] = &["Architect", "Baker", "Engineer", "Nurse", "Teacher", "Translator"];
const NOTES: &[&str] = &[
    "Asked for a gift wrap.",
    "Returned one item, refunded.",
    "Wants invoices by mail.",
    "Moved recently, confirm the address.",
];

/// The first person came in on 2025-01-01T00:00:00Z, each further one 7 minutes and a bit later.
const FIRST_AT: i64 = 1_735_689_600_000_000;
const APART: i64 = 420_000_317;

pub(super) fn populate(state: &mut State, people: usize, seed: u64) {
    let mut random = Random::for_purpose(seed, "readycloud.people");
    for person in people::invent(people, seed) {
        let contact = describe(state, &mut random, person);
        let created_at = contact.created_at;
        let key = state.insert_contact(contact);
        if random.chance(0.3) {
            for order in 0..=random.below(2) {
                let later = i64::try_from(order + 1).unwrap_or(1) * 86_400_000_000;
                state.insert_order(&key, Moment(created_at.0 + later));
            }
        }
    }
}

fn describe(state: &mut State, random: &mut Random, person: Person) -> Contact {
    let Person { number, quirk, first_name: first, last_name: last, email, phone } = person;
    let created_at = Moment(FIRST_AT + APART * i64::try_from(number).unwrap_or_default());
    let company: Text = match quirk {
        Quirk::Company => format!("{last} Trading {number}").into(),
        _ => "".into(),
    };

    let count = 1 + random.below(3);
    let count = if quirk == Quirk::EmailOnSecond { count.max(2) } else { count };
    let mut addresses: Vec<Address> = (0..count)
        .map(|position| {
            let (city, region, post_code, country) = PLACES[random.below(PLACES.len())];
            Address {
                key: 0,
                address_type: if position == 1 { "billing".into() } else { "shipping".into() },
                default: position == 0,
                first_name: first.into(),
                last_name: last.into(),
                company: company.clone(),
                email: None,
                phone: phone.clone().into(),
                address_1: format!("{} {}", 1 + random.below(199), random.pick(STREETS)).into(),
                address_2: "".into(),
                city: city.into(),
                region: region.into(),
                post_code: post_code.into(),
                country: country.into(),
                residential: quirk != Quirk::Company,
                validated: random.chance(0.5),
            }
        })
        .collect();
    let bearer = match quirk {
        Quirk::NoEmail => None,
        Quirk::EmailOnSecond => addresses.get_mut(1),
        _ => addresses.first_mut(),
    };
    if let Some(address) = bearer {
        address.email = Some(email.into());
    }

    let mut notes = Vec::new();
    if random.chance(0.25) {
        for _ in 0..=random.below(2) {
            notes.push(Note { key: state.next_id(), text: random.pick(NOTES).into(), created_at });
        }
    }
    let mut custom_fields = Map::new();
    if random.chance(0.1) {
        custom_fields.insert("loyalty_number".to_owned(), format!("L{:06}", random.below(1_000_000)).into());
    }
    let is_company = quirk == Quirk::Company;
    let occupation = (!is_company && random.chance(0.3)).then(|| random.pick(OCCUPATIONS).into());
    Contact {
        org: MAIN_ORG.into(),
        first_name: first.into(),
        last_name: last.into(),
        is_company,
        occupation,
        custom_fields,
        notes,
        addresses,
        created_at,
        updated_at: created_at,
        ..Contact::default()
    }
}
