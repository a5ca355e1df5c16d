//! What is always there, whatever the number of people and the seed: tests and demonstrations refer to it.
//!
//! The people are those the other simulators know, under the user ids that Segment has for them, so that one request
//! finds something in every system.

pub use crate::readycloud::fixtures::{
    ANA_EMAIL, JO_EMAIL, NOBODY_EMAIL, SECOND_ORG_EMAIL as KIM_EMAIL, SHARED_EMAIL,
};
pub use crate::segment_config::fixtures::{ANA, JO, KIM, NO_EMAIL, ROBIN, SAM};

use super::signature::Secret;
use super::specs::PersonSpec;
use super::state::State;

/// The signing secret the simulator begins with.
pub const SECRET: &str = "whsec_aGFiZWFzLXNhbmRib3gtd2ViaG9vay1maXJzdC1rZXk=";
/// Another one, for when the first is replaced.
pub const SECOND_SECRET: &str = "whsec_aGFiZWFzLXNhbmRib3gtd2ViaG9vay1zZWNvbmQta2V5";
/// One that belongs to somebody else.
pub const STRANGERS_SECRET: &str = "whsec_aGFiZWFzLXNhbmRib3gtd2ViaG9vay1zdHJhbmdlcnMta2V5";

/// The telephone number of [`ANA`].
pub const ANA_PHONE: &str = "+49 30 5550101";
/// The telephone number of [`NO_EMAIL`], the only thing besides the user id that finds them.
pub const NO_EMAIL_PHONE: &str = "+49 30 5550105";

/// How many people are fixtures.
pub const PEOPLE: usize = 6;
/// How many records [`ANA`] has: two orders and a ticket.
pub const ANA_RECORDS: usize = 3;

const KEY: &[u8] = b"habeas-sandbox-webhook-first-key";
const STRANGERS_KEY: &[u8] = b"habeas-sandbox-webhook-strangers-key";

pub(super) fn secret() -> Secret {
    Secret::of_key(KEY)
}

pub(super) fn strangers_secret() -> Secret {
    Secret::of_key(STRANGERS_KEY)
}

pub(super) fn plant(state: &mut State) {
    let people = [
        (ANA, "Ana Silva", Some(ANA_EMAIL), Some(ANA_PHONE), 2, 1),
        (JO, "Jo Ng", Some(JO_EMAIL), None, 1, 0),
        (ROBIN, "Robin Meyer", Some(SHARED_EMAIL), None, 1, 0),
        (SAM, "Sam Okafor", Some(SHARED_EMAIL), None, 0, 1),
        (NO_EMAIL, "Noa Mail", None, Some(NO_EMAIL_PHONE), 1, 0),
        // In upper case, as somebody once typed it.
        (KIM, "Kim Lund", Some("KIM.LUND@EXAMPLE.TEST"), None, 1, 1),
    ];
    for (user_id, name, email, phone_number, orders, tickets) in people {
        let spec = PersonSpec {
            user_id: user_id.to_owned(),
            name: Some(name.to_owned()),
            email: email.map(str::to_owned),
            phone_number: phone_number.map(str::to_owned),
            orders,
            tickets,
            file_bytes: None,
        };
        // Fixtures are constants of this file; a test counts them.
        if let Err(error) = state.add_person(spec) {
            tracing::error!(%error, "a fixture could not be planted");
        }
    }
}
