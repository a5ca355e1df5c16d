//! Invented people, the same ones for the same seed.
//!
//! Every twentieth person is difficult in each of these ways: an email in upper case, no email, an email with
//! a `+tag`, the email of somebody else, a user id that is a number, a user id with characters that need
//! escaping.

use super::fixtures::{IOS_APP, WEB_PROD, WORKSPACE};
use super::state::State;
use crate::random::Random;

const FIRST_NAMES: &[&str] = &[
    "ada", "bruno", "chidi", "dana", "emil", "farah", "grace", "hana", "ivan", "jonas", "keiko", "lena",
    "milan", "nadia", "omar", "paula", "ravi", "sofia", "tara", "uma", "viktor", "wanda", "yusuf", "zoe",
];
const LAST_NAMES: &[&str] = &[
    "almeida", "bauer", "costa", "dubois", "eriksen", "fischer", "garcia", "horvat", "ito", "jansen",
    "kowalski", "lopez", "moreau", "novak", "oduya", "patel", "quist", "rossi", "sato", "torres", "ueda",
    "varga", "weber", "yilmaz",
];

/// The first invented user id is `u-` and this number.
const FIRST_NUMBER: usize = 2001;

pub(super) fn populate(state: &mut State, people: usize, seed: u64) {
    let mut random = Random::for_purpose(seed, "segment.people");
    let Some(workspace) = state.workspace_mut(WORKSPACE) else { return };
    let mut previous_email = None;
    for number in 0..people {
        let local = format!("{}.{}.{number}", random.pick(FIRST_NAMES), random.pick(LAST_NAMES));
        let email = match number % 20 {
            3 => Some(format!("{local}@example.test").to_ascii_uppercase()),
            6 => None,
            9 => Some(format!("{local}+shop@example.test")),
            12 if previous_email.is_some() => previous_email.clone(),
            _ => Some(format!("{local}@example.test")),
        };
        let user_id = match number % 20 {
            15 => (FIRST_NUMBER + number).to_string(),
            18 => format!("u {}/é", FIRST_NUMBER + number),
            _ => format!("u-{}", FIRST_NUMBER + number),
        };
        let on_phone = random.chance(0.4);
        workspace.people.record(&user_id, email.as_deref(), WEB_PROD);
        if on_phone {
            workspace.people.record(&user_id, email.as_deref(), IOS_APP);
        }
        if let Some(email) = email.as_deref().filter(|_| random.chance(0.5)) {
            workspace.people.record(email, Some(email), WEB_PROD);
        }
        previous_email = email;
    }
}
