//! What this system knows about people: those it is told of, and the [invented ones](crate::people).

use serde_json::{Map, Value, json};

use super::people::{File, Person, Record};
use super::specs::{PersonSpec, SpecRefused};
use super::state::State;
use crate::people::{self, Quirk};
use crate::random::Random;

/// The number before that of the first order or ticket; they are counted on over all people.
pub(super) const FIRST_ORDER: u32 = 1000;
/// The first invented user id is `c-` and this number.
const FIRST_NUMBER: usize = 2001;

const WARES: &[&str] = &["Rain jacket", "Walking boots", "Two-person tent", "Thermos flask", "Head torch"];
const CONCERNS: &[&str] = &["Where is my parcel?", "The zip is broken", "Please change my address"];

pub(super) fn populate(state: &mut State, people: usize, seed: u64) {
    let mut random = Random::for_purpose(seed, "webhook.people");
    for person in people::invent(people, seed) {
        let name = match person.quirk {
            Quirk::Company => format!("{} Trading {}", person.last_name, person.number),
            _ => format!("{} {}", person.first_name, person.last_name),
        };
        let spec = PersonSpec {
            user_id: format!("c-{}", FIRST_NUMBER + person.number),
            name: Some(name),
            email: (person.quirk != Quirk::NoEmail).then_some(person.email),
            phone_number: Some(person.phone),
            orders: random.below(3),
            tickets: usize::from(random.chance(0.3)),
            file_bytes: None,
        };
        if let Err(error) = state.add_person(spec) {
            tracing::error!(%error, "a person could not be invented");
        }
    }
}

impl State {
    pub(super) fn add_person(&mut self, spec: PersonSpec) -> Result<(), SpecRefused> {
        if spec.user_id.is_empty() {
            return Err(SpecRefused::NoUserId);
        }
        if self.people.get(&spec.user_id).is_some() {
            return Err(SpecRefused::UserIdTaken(spec.user_id));
        }
        let orders = (0..spec.orders).map(|_| self.invent_order(&spec));
        let mut records: Vec<_> = orders.collect();
        records.extend((0..spec.tickets).map(|_| self.invent_ticket(&spec)));
        let files = vec![profile(&spec)];
        let PersonSpec { user_id, email, phone_number, .. } = spec;
        self.people.add(Person { user_id, email, phone_number, records, files });
        Ok(())
    }

    fn invent_order(&mut self, spec: &PersonSpec) -> Record {
        let (number, ware) = (self.next_number(), self.random.pick(WARES));
        let pieces = 1 + self.random.below(3);
        let fields = json!({
            "ordered_by": spec.name,
            "placed_on": format!("2026-0{}-1{}", 1 + number % 9, number % 10),
            "total": format!("{}.90 EUR", 20 * pieces),
            "items": [{"name": ware, "pieces": pieces}],
            "gift": number.is_multiple_of(2),
            "voucher": null,
        });
        record("order", "Order", number, fields)
    }

    fn invent_ticket(&mut self, spec: &PersonSpec) -> Record {
        let (number, concern) = (self.next_number(), self.random.pick(CONCERNS));
        let fields = json!({"opened_by": spec.name, "subject": concern, "messages": 1 + number % 3});
        record("ticket", "Ticket", number, fields)
    }

    fn next_number(&mut self) -> u32 {
        self.last_order += 1;
        self.last_order
    }
}

fn record(kind: &str, title: &str, number: u32, fields: Value) -> Record {
    let fields = match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    Record {
        id: format!("{kind}-{number}"),
        kind: kind.to_owned(),
        title: format!("{title} {number}"),
        fields,
    }
}

fn profile(spec: &PersonSpec) -> File {
    let known = [&spec.name, &spec.email, &spec.phone_number];
    let lines = known.into_iter().flatten().map(String::as_str);
    let text = ["Customer profile", &spec.user_id].into_iter().chain(lines).collect::<Vec<_>>().join("\n");
    let mut content = text.into_bytes();
    if let Some(bytes) = spec.file_bytes {
        content.resize(bytes, b'.');
    }
    File { name: format!("profile-{}.txt", spec.user_id), media_type: "text/plain".to_owned(), content }
}
