//! Invented people, the same ones for the same seed.
//!
//! Every twentieth person is difficult in each of these ways: email only on the second address, email in
//! upper case, no email, an email with a `+tag`, the email of somebody else, a company.

use serde_json::Map;

use super::fixtures::MAIN_ORG;
use super::state::{Address, Contact, Moment, Note, State, Text};
use crate::random::Random;

const FIRST_NAMES: &[&str] = &[
    "Ada", "Amir", "Bea", "Bruno", "Carla", "Chidi", "Dana", "Diego", "Elif", "Emil", "Farah", "Felix",
    "Grace", "Gustav", "Hana", "Hugo", "Ines", "Ivan", "Jana", "Jonas", "Keiko", "Kofi", "Lena", "Luca",
    "Mara", "Milan", "Nadia", "Nils", "Olga", "Omar", "Paula", "Pavel", "Rosa", "Ravi", "Sofia", "Stefan",
    "Tara", "Tomas", "Uma", "Viktor", "Wanda", "Yusuf", "Zoe", "Zoran",
];
const LAST_NAMES: &[&str] = &[
    "Adler", "Almeida", "Baker", "Bauer", "Costa", "Dahl", "Dubois", "Eriksen", "Fischer", "Garcia", "Haas",
    "Horvat", "Ito", "Jansen", "Kaya", "Keller", "Kowalski", "Larsen", "Lopez", "Martin", "Moreau", "Nagy",
    "Novak", "Oduya", "Olsen", "Patel", "Peeters", "Quist", "Reyes", "Rossi", "Sato", "Schmid", "Sousa",
    "Tanaka", "Torres", "Ueda", "Varga", "Weber", "Yilmaz", "Zeman",
];
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

/// What is difficult about a person.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quirk {
    None,
    EmailOnSecond,
    UpperCase,
    NoEmail,
    Tagged,
    Shared,
    Company,
}

impl Quirk {
    fn of(number: usize) -> Self {
        match number % 20 {
            3 => Self::EmailOnSecond,
            6 => Self::UpperCase,
            9 => Self::NoEmail,
            12 => Self::Tagged,
            15 => Self::Shared,
            18 => Self::Company,
            _ => Self::None,
        }
    }
}

pub(super) fn populate(state: &mut State, people: usize, seed: u64) {
    let mut random = Random::for_purpose(seed, "readycloud.people");
    let mut previous_email = String::new();
    for number in 0..people {
        let (contact, email) = invent(state, &mut random, number, &previous_email);
        let created_at = contact.created_at;
        let key = state.insert_contact(contact);
        if random.chance(0.3) {
            for order in 0..=random.below(2) {
                let later = i64::try_from(order + 1).unwrap_or(1) * 86_400_000_000;
                state.insert_order(&key, Moment(created_at.0 + later));
            }
        }
        previous_email = email;
    }
}

fn invent(state: &mut State, random: &mut Random, number: usize, previous_email: &str) -> (Contact, String) {
    let quirk = Quirk::of(number);
    let first: &'static str = random.pick(FIRST_NAMES);
    let last: &'static str = random.pick(LAST_NAMES);
    let local = format!("{}.{}", first.to_ascii_lowercase(), last.to_ascii_lowercase());
    let email = match quirk {
        Quirk::UpperCase => format!("{local}.{number}@example.test").to_ascii_uppercase(),
        Quirk::Tagged => format!("{local}.{number}+shop@example.test"),
        Quirk::Shared if !previous_email.is_empty() => previous_email.to_owned(),
        _ => format!("{local}.{number}@example.test"),
    };
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
                phone: format!("555{:04}", number % 10_000).into(),
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
        address.email = Some(email.clone().into());
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
    let contact = Contact {
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
    };
    (contact, email)
}
