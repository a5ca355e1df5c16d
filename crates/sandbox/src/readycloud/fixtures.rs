//! What is always there, whatever the number of people and the seed: tests and demonstrations refer to it.
//!
//! The main organisation lists [`JO`], [`ANA_FIRST`], [`SHARED_FIRST`] and [`NO_EMAIL`] first, then the
//! invented people, then [`SHARED_SECOND`] and [`ANA_SECOND`]: whoever stops after the first page finds half.

use super::specs::{AddressSpec, ContactSpec, TokenSpec};
use super::state::{Client, Moment, Org, State};

/// The organisation most contacts are in.
pub const MAIN_ORG: &str = "H6j";
/// A second live organisation with [`SECOND_ORG_CONTACTS`] contacts.
pub const SECOND_ORG: &str = "2Bx";
/// An organisation with `deleted_at`. It still answers (own choice), so that a client that does not skip it
/// is caught: by finding [`PARKED_EMAIL`].
pub const DELETED_ORG: &str = "9~d";

/// Scopes `contact company-read_only`, never expires, sees every organisation.
pub const TOKEN: &str = "rc-demo-token";
/// As [`TOKEN`], but expired.
pub const EXPIRED_TOKEN: &str = "rc-expired-token";
/// Scopes `contact-read_only company-read_only`: may look, may not delete.
pub const READ_ONLY_TOKEN: &str = "rc-readonly-token";
/// Scope `company-read_only` alone: sees organisations, not contacts.
pub const NO_CONTACT_TOKEN: &str = "rc-nocontact-token";
/// Scopes `contact company-read_only order-read_only`.
pub const ORDERS_TOKEN: &str = "rc-orders-token";
/// Scopes as [`TOKEN`], but the only organisation it sees is the deleted one.
pub const NO_ORG_TOKEN: &str = "rc-noorg-token";
/// Exchanges for a new expiry of [`TOKEN`].
pub const REFRESH_TOKEN: &str = "rc-demo-refresh";

/// The API client all tokens above belong to, so that they share its limits.
pub const CLIENT_ID: &str = "rc-demo-client";
/// Its secret.
pub const CLIENT_SECRET: &str = "rc-demo-secret";
/// A second API client, with limits of its own, that may only use the implicit flow.
pub const OTHER_CLIENT_ID: &str = "rc-other-client";
/// The secret of the second client.
pub const OTHER_CLIENT_SECRET: &str = "rc-other-secret";
/// Where both clients may redirect to besides the simulator's own page.
pub const REDIRECT_URI: &str = "https://habeas.example.test/oauth/readycloud";
/// The stock redirect address as a path: the simulator puts its own host before it (own choice), because it
/// must never send a browser with a token to the real vendor.
pub const STOCK_REDIRECT: &str = "/api/v1/oauth2/auth_code";

/// Two contacts: [`ANA_FIRST`] and [`ANA_SECOND`].
pub const ANA_EMAIL: &str = "ana.silva@example.test";
/// Email on the first address, with notes and orders.
pub const ANA_FIRST: &str = "3mrRD";
/// Email only on the second address and in upper case, with notes and orders; a key of every special character.
pub const ANA_SECOND: &str = "Q.a~-_z";
/// One contact: [`JO`].
pub const JO_EMAIL: &str = "jo+shop@example.test";
/// A key that looks like a number.
pub const JO: &str = "7";
/// In no contact.
pub const NOBODY_EMAIL: &str = "nobody@example.test";
/// Two contacts with different names: [`SHARED_FIRST`] and [`SHARED_SECOND`].
pub const SHARED_EMAIL: &str = "shared@example.test";
/// Robin Meyer.
pub const SHARED_FIRST: &str = "wL0aB";
/// Sam Okafor.
pub const SHARED_SECOND: &str = "Wl0Ab";
/// A contact with one address whose email is `null`.
pub const NO_EMAIL: &str = "n0-Ma";
/// One contact, in the second organisation.
pub const SECOND_ORG_EMAIL: &str = "kim.lund@example.test";
/// The contact of [`SECOND_ORG_EMAIL`].
pub const KIM: &str = "k1mLu";
/// One contact, in the deleted organisation.
pub const PARKED_EMAIL: &str = "parked@example.test";
/// The contact of [`PARKED_EMAIL`].
pub const PARKED: &str = "p~rk3";

/// How many contacts of the main organisation are fixtures.
pub const MAIN_ORG_CONTACTS: usize = 6;
/// How many contacts the second organisation has.
pub const SECOND_ORG_CONTACTS: usize = 3;

/// When fixtures came into being: 2025-03-30T00:00:16.159Z.
const PLANTED_AT_MS: u64 = 1_743_292_816_159;

const CONTACT_SCOPES: &[&str] = &["contact", "company-read_only"];

/// What comes before the invented people.
pub(super) fn plant_first(state: &mut State) {
    state.orgs = vec![
        org(MAIN_ORG, "Example Outfitters", None),
        org(SECOND_ORG, "Example Outlet", None),
        org(DELETED_ORG, "Example Closed Store", Some(Moment::from_ms(PLANTED_AT_MS))),
    ];
    plant_clients(state);
    plant_tokens(state);

    add(state, ContactSpec { addresses: vec![address("Jo", "Ng", Some(JO_EMAIL))], ..named(JO, "Jo", "Ng") });
    let ana_first = ContactSpec {
        occupation: Some("Architect".to_owned()),
        addresses: vec![address("Ana", "Silva", Some(ANA_EMAIL))],
        notes: vec![
            "Prefers parcels left at the porch.".to_owned(),
            "Called about a late parcel.".to_owned(),
        ],
        orders: 2,
        ..named(ANA_FIRST, "Ana", "Silva")
    };
    add(state, ana_first);
    let robin = address("Robin", "Meyer", Some(SHARED_EMAIL));
    add(state, ContactSpec { addresses: vec![robin], ..named(SHARED_FIRST, "Robin", "Meyer") });
    let no_email = address("Noa", "Mail", None);
    add(state, ContactSpec { addresses: vec![no_email], ..named(NO_EMAIL, "Noa", "Mail") });

    for (key, first, last, email) in [
        (KIM, "Kim", "Lund", SECOND_ORG_EMAIL),
        ("k2Ola", "Ola", "Berg", "ola.berg@example.test"),
        ("k3Pia", "Pia", "Holm", "pia.holm@example.test"),
    ] {
        let addresses = vec![address(first, last, Some(email))];
        add(state, ContactSpec { org: Some(SECOND_ORG.to_owned()), addresses, ..named(key, first, last) });
    }
    let addresses = vec![address("Pat", "Parked", Some(PARKED_EMAIL))];
    add(
        state,
        ContactSpec { org: Some(DELETED_ORG.to_owned()), addresses, ..named(PARKED, "Pat", "Parked") },
    );
}

/// What comes behind the invented people.
pub(super) fn plant_last(state: &mut State) {
    let sam = address("Sam", "Okafor", Some(SHARED_EMAIL));
    add(state, ContactSpec { addresses: vec![sam], ..named(SHARED_SECOND, "Sam", "Okafor") });
    let billing = AddressSpec {
        address_type: Some("billing".to_owned()),
        ..address("Ana", "Silva", Some("ANA.SILVA@EXAMPLE.TEST"))
    };
    let ana_second = ContactSpec {
        addresses: vec![address("Ana", "Silva", None), billing],
        notes: vec!["Second account, made at the checkout.".to_owned()],
        orders: 1,
        ..named(ANA_SECOND, "Ana", "Silva")
    };
    add(state, ana_second);
}

fn plant_clients(state: &mut State) {
    const URIS: &[&str] = &[STOCK_REDIRECT, REDIRECT_URI];
    let client = |name, secret, response_types| Client {
        name,
        secret,
        user: "jo@example.test",
        redirect_uris: URIS,
        response_types,
    };
    state.clients.insert(CLIENT_ID, client("Example App", CLIENT_SECRET, &["token", "code"]));
    state.clients.insert(OTHER_CLIENT_ID, client("Other Example App", OTHER_CLIENT_SECRET, &["token"]));
}

fn plant_tokens(state: &mut State) {
    let contact_orders = &["contact", "company-read_only", "order-read_only"];
    let tokens = [
        TokenSpec { refresh_token: Some(REFRESH_TOKEN.to_owned()), ..TokenSpec::new(TOKEN, CONTACT_SCOPES) },
        TokenSpec { expires_in: Some(0), ..TokenSpec::new(EXPIRED_TOKEN, CONTACT_SCOPES) },
        TokenSpec::new(READ_ONLY_TOKEN, &["contact-read_only", "company-read_only"]),
        TokenSpec::new(NO_CONTACT_TOKEN, &["company-read_only"]),
        TokenSpec::new(ORDERS_TOKEN, contact_orders),
        TokenSpec {
            orgs: Some(vec![DELETED_ORG.to_owned()]),
            ..TokenSpec::new(NO_ORG_TOKEN, CONTACT_SCOPES)
        },
    ];
    for token in tokens {
        planted(state.add_token(token, PLANTED_AT_MS));
    }
}

fn org(key: &'static str, name: &str, deleted_at: Option<Moment>) -> Org {
    Org { key: key.into(), name: name.to_owned(), deleted_at, contacts: Vec::new(), orders: Vec::new() }
}

fn named(key: &str, first_name: &str, last_name: &str) -> ContactSpec {
    ContactSpec {
        key: Some(key.to_owned()),
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        ..ContactSpec::default()
    }
}

fn address(first_name: &str, last_name: &str, email: Option<&str>) -> AddressSpec {
    AddressSpec {
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        company: "Example Outfitters".to_owned(),
        email: email.map(str::to_owned),
        phone: "5550100".to_owned(),
        address_1: "1 Main St".to_owned(),
        city: "Porto".to_owned(),
        region: "PT".to_owned(),
        post_code: "4000".to_owned(),
        country: "Portugal".to_owned(),
        ..AddressSpec::default()
    }
}

fn add(state: &mut State, spec: ContactSpec) {
    planted(state.add_contact(spec, PLANTED_AT_MS).map(drop));
}

/// Fixtures are constants of this file; a test walks through all of them.
fn planted(result: Result<(), super::specs::SpecRefused>) {
    if let Err(error) = result {
        tracing::error!(%error, "a fixture could not be planted");
    }
}
