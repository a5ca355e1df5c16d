//! What is always there, whatever the number of people and the seed: tests and demonstrations refer to it.
//!
//! The people are those the ReadyCloud fixtures know, so that one request finds something at both vendors.
//! As there, some come before the invented people and some behind them: whoever stops after the first page
//! finds half.

use std::collections::BTreeMap;

pub use crate::readycloud::fixtures::{
    ANA_EMAIL, JO_EMAIL, NOBODY_EMAIL, PARKED_EMAIL, SECOND_ORG_EMAIL as KIM_EMAIL, SHARED_EMAIL,
};

use super::specs::{ClientSpec, ContactSpec, SpecRefused, TokenKindSpec, TokenSpec, UserSpec};
use super::state::{Directory, MailingList, State, SurveyResponse};

/// The one brand.
pub const BRAND: &str = "exampleco";
/// The data centre it is in, and which this simulator is.
pub const DATACENTER: &str = "fra1";
/// Another data centre.
pub const FOREIGN_DATACENTER: &str = "iad1";

/// The five scopes the integration guide grants.
pub const SCOPES: [&str; 5] = [
    "manage:customer_data_requests",
    "manage:erasure_requests",
    "read:directories",
    "read:directory_contacts",
    "read:users",
];

/// An OAuth client with the [five scopes](SCOPES) that acts for the [administrator](ADMIN_USER).
pub const CLIENT_ID: &str = "qx-demo-client";
/// The secret of every client here.
pub const CLIENT_SECRET: &str = "qx-demo-secret";
/// As the demo client, without `manage:customer_data_requests`.
pub const NO_CUSTOMER_DATA_CLIENT: &str = "qx-no-customer-data-client";
/// As the demo client, without `manage:erasure_requests`.
pub const NO_ERASURE_CLIENT: &str = "qx-no-erasure-client";
/// As the demo client, without `read:directories`.
pub const NO_DIRECTORIES_CLIENT: &str = "qx-no-directories-client";
/// As the demo client, without `read:directory_contacts`.
pub const NO_CONTACTS_CLIENT: &str = "qx-no-contacts-client";
/// As the demo client, without `read:users`.
pub const NO_USERS_CLIENT: &str = "qx-no-users-client";
/// As the demo client, but acts for the [member](MEMBER_USER), who is no Brand Administrator.
pub const MEMBER_CLIENT: &str = "qx-member-client";
/// As the demo client, without the client-credentials grant.
pub const NO_GRANT_CLIENT: &str = "qx-no-grant-client";
/// As the demo client, but its tokens belong to the [other data centre](FOREIGN_DATACENTER).
pub const FOREIGN_CLIENT: &str = "qx-foreign-client";

/// A bearer token with the [five scopes](SCOPES) that never expires.
pub const TOKEN: &str = "qx-demo-token";
/// As [`TOKEN`], but expired.
pub const EXPIRED_TOKEN: &str = "qx-expired-token";
/// As [`TOKEN`], but of the other data centre.
pub const FOREIGN_TOKEN: &str = "qx-foreign-token";
/// A bearer token with `manage:all`: may also write and delete contacts, which the demo client may not.
pub const FULL_TOKEN: &str = "qx-full-token";
/// An `X-API-TOKEN` of the administrator.
pub const API_TOKEN: &str = "qx-demo-api-token";
/// As [`API_TOKEN`], but of the other data centre.
pub const FOREIGN_API_TOKEN: &str = "qx-foreign-api-token";

/// `accountType` and `userType` of a Brand Administrator.
pub const BRAND_ADMIN_TYPE: &str = "UT_BRANDADMIN";
/// The Brand Administrator the demo client acts for: `privacy.bot@example.test`.
pub const ADMIN_USER: &str = "UR_0a1b2c3d4e5f6g7";
/// A user who is no Brand Administrator: `member.bot@example.test`.
pub const MEMBER_USER: &str = "UR_1b2c3d4e5f6g7h8";
/// The user of [`OWNER_EMAIL`].
pub const OWNER_USER: &str = "UR_2c3d4e5f6g7h8i9";
/// Somebody with an account at the brand, who is also the contact [`OWNER`].
pub const OWNER_EMAIL: &str = "owner.user@example.test";
/// How many users there are.
pub const USERS: usize = 4;

/// The default directory, in which the invented people are.
pub const DIRECTORY: &str = "POOL_1aB2cD3eF4gH5iJ";
/// A second directory with [`SECOND_DIRECTORY_CONTACTS`] contacts.
pub const SECOND_DIRECTORY: &str = "POOL_2bC3dE4fG5hI6jK";
/// A mailing list of the default directory, with every fixture contact that has an email and some of the
/// invented people.
pub const CUSTOMER_LIST: &str = "CG_3cD4eF5gH6iJ7kL";
/// A mailing list of the second directory, with nobody on it.
pub const EMPTY_LIST: &str = "CG_4dE5fG6hI7jK8lM";
/// The survey all responses belong to.
pub const SURVEY: &str = "SV_5eF6gH7iJ8kL9mN";
/// The distribution all mails and responses belong to.
pub const DISTRIBUTION: &str = "EMD_6fG7hI8jK9lM0nO";

/// [`ANA_EMAIL`] in the default directory: two responses, of which the second is unfinished, one
/// ticket, two mails.
pub const ANA: &str = "CID_0a1B2c3D4e5F6g7";
/// [`ANA_EMAIL`] in the second directory, in upper case: one response.
pub const ANA_SECOND: &str = "CID_1b2C3d4E5f6G7h8";
/// [`JO_EMAIL`] in the default directory: one response.
pub const JO: &str = "CID_2c3D4e5F6g7H8i9";
/// [`SHARED_EMAIL`]: Robin Meyer.
pub const SHARED_FIRST: &str = "CID_3d4E5f6G7h8I9j0";
/// [`SHARED_EMAIL`]: Sam Okafor, behind the invented people.
pub const SHARED_SECOND: &str = "CID_4e5F6g7H8i9J0k1";
/// A contact without an email: Noa Mail.
pub const NO_EMAIL: &str = "CID_5f6G7h8I9j0K1l2";
/// [`KIM_EMAIL`], in the second directory.
pub const KIM: &str = "CID_6g7H8i9J0k1L2m3";
/// [`PARKED_EMAIL`], in the second directory, unsubscribed (this vendor has no deleted organisations).
pub const PARKED: &str = "CID_7h8I9j0K1l2M3n4";
/// [`OWNER_EMAIL`], in the default directory.
pub const OWNER: &str = "CID_8i9J0k1L2m3N4o5";
/// A response that names [`ANA_EMAIL`] in a text field and is linked to no contact: no erasure touches it.
pub const ANONYMOUS_RESPONSE: &str = "R_7gH8iJ9kL0mN1oP";

/// How many contacts of the default directory are fixtures.
pub const DIRECTORY_CONTACTS: usize = 6;
/// How many contacts the second directory has.
pub const SECOND_DIRECTORY_CONTACTS: usize = 5;

/// When fixtures came into being: 2025-03-30T00:00:16.159Z.
const PLANTED_AT_MS: u64 = 1_743_292_816_159;

/// What comes before the invented people.
pub(super) fn plant_first(state: &mut State) {
    state.directories = vec![
        directory(DIRECTORY, "Example customers", list(CUSTOMER_LIST, "Customers")),
        directory(SECOND_DIRECTORY, "Example partners", list(EMPTY_LIST, "Partners")),
    ];
    plant_users(state);
    plant_clients(state);
    plant_tokens(state);

    add(state, ContactSpec { responses: 1, mails: 1, ..on_list(JO, "Jo", "Ng", JO_EMAIL) });
    let ana = ContactSpec {
        phone: Some("+351555010203".to_owned()),
        ext_ref: Some("cust-42".to_owned()),
        language: Some("pt".to_owned()),
        embedded_data: BTreeMap::from([("tier".to_owned(), "gold".to_owned())]),
        responses: 2,
        tickets: 1,
        mails: 2,
        ..on_list(ANA, "Ana", "Silva", ANA_EMAIL)
    };
    add(state, ana);
    add(state, on_list(SHARED_FIRST, "Robin", "Meyer", SHARED_EMAIL));
    add(state, ContactSpec { email: None, lists: Vec::new(), ..on_list(NO_EMAIL, "Noa", "Mail", "") });
    add(state, on_list(OWNER, "Olive", "Owner", OWNER_EMAIL));

    add(state, in_second(KIM, "Kim", "Lund", KIM_EMAIL));
    add(state, in_second("CID_9j0K1l2M3n4O5p6", "Ola", "Berg", "ola.berg@example.test"));
    add(state, in_second("CID_0k1L2m3N4o5P6q7", "Pia", "Holm", "pia.holm@example.test"));
    add(state, ContactSpec { unsubscribed: true, ..in_second(PARKED, "Pat", "Parked", PARKED_EMAIL) });

    let typed = format!("Please write to {ANA_EMAIL}.");
    state.insert_response(SurveyResponse {
        id: ANONYMOUS_RESPONSE.to_owned(),
        survey: SURVEY.to_owned(),
        distribution: DISTRIBUTION.to_owned(),
        linked: None,
        started_ms: PLANTED_AT_MS,
        completed_ms: PLANTED_AT_MS + 60_000,
        finished: true,
        values: BTreeMap::from([("QID2_TEXT".to_owned(), typed)]),
    });
}

/// What comes behind the invented people.
pub(super) fn plant_last(state: &mut State) {
    add(state, on_list(SHARED_SECOND, "Sam", "Okafor", SHARED_EMAIL));
    let upper = ANA_EMAIL.to_ascii_uppercase();
    add(state, ContactSpec { responses: 1, ..in_second(ANA_SECOND, "Ana", "Silva", &upper) });
}

fn plant_users(state: &mut State) {
    let users = [
        (ADMIN_USER, "privacy.bot@example.test", "Priva", "Bot", true),
        (MEMBER_USER, "member.bot@example.test", "Mem", "Bot", false),
        (OWNER_USER, OWNER_EMAIL, "Olive", "Owner", false),
        ("UR_3d4e5f6g7h8i9j0", "survey.author@example.test", "Sol", "Author", false),
    ];
    for (id, email, first_name, last_name, brand_administrator) in users {
        let user = state.add_user(UserSpec {
            id: Some(id.to_owned()),
            email: email.to_owned(),
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            brand_administrator,
        });
        planted(user);
    }
}

fn plant_clients(state: &mut State) {
    let client = |id| ClientSpec::new(id, CLIENT_SECRET);
    let without = |id, scope| {
        let scopes = SCOPES.iter().filter(|granted| **granted != scope).map(|scope| (*scope).to_owned());
        ClientSpec { scopes: scopes.collect(), ..client(id) }
    };
    let clients = [
        client(CLIENT_ID),
        without(NO_CUSTOMER_DATA_CLIENT, SCOPES[0]),
        without(NO_ERASURE_CLIENT, SCOPES[1]),
        without(NO_DIRECTORIES_CLIENT, SCOPES[2]),
        without(NO_CONTACTS_CLIENT, SCOPES[3]),
        without(NO_USERS_CLIENT, SCOPES[4]),
        ClientSpec { user: Some(MEMBER_USER.to_owned()), ..client(MEMBER_CLIENT) },
        ClientSpec { grants: vec!["authorization_code".to_owned()], ..client(NO_GRANT_CLIENT) },
        ClientSpec { datacenter: Some(FOREIGN_DATACENTER.to_owned()), ..client(FOREIGN_CLIENT) },
    ];
    for client in clients {
        planted(state.add_client(client));
    }
}

fn plant_tokens(state: &mut State) {
    let foreign = || Some(FOREIGN_DATACENTER.to_owned());
    let api = |token| TokenSpec { kind: TokenKindSpec::Api, ..TokenSpec::new(token, &[]) };
    let tokens = [
        TokenSpec::new(TOKEN, &SCOPES),
        TokenSpec { expires_in: Some(0), ..TokenSpec::new(EXPIRED_TOKEN, &SCOPES) },
        TokenSpec { datacenter: foreign(), ..TokenSpec::new(FOREIGN_TOKEN, &SCOPES) },
        TokenSpec::new(FULL_TOKEN, &["manage:all"]),
        api(API_TOKEN),
        TokenSpec { datacenter: foreign(), ..api(FOREIGN_API_TOKEN) },
    ];
    for token in tokens {
        planted(state.add_token(token, PLANTED_AT_MS));
    }
}

fn directory(id: &str, name: &str, list: MailingList) -> Directory {
    Directory {
        id: id.to_owned(),
        name: name.to_owned(),
        is_default: id == DIRECTORY,
        lite: false,
        contacts: Vec::new(),
        lists: vec![list],
    }
}

fn list(id: &str, name: &str) -> MailingList {
    MailingList {
        id: id.to_owned(),
        name: name.to_owned(),
        owner: ADMIN_USER.to_owned(),
        created_ms: PLANTED_AT_MS,
        members: BTreeMap::new(),
    }
}

fn on_list(id: &str, first_name: &str, last_name: &str, email: &str) -> ContactSpec {
    ContactSpec {
        id: Some(id.to_owned()),
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        email: Some(email.to_owned()),
        lists: vec![CUSTOMER_LIST.to_owned()],
        ..ContactSpec::default()
    }
}

fn in_second(id: &str, first_name: &str, last_name: &str, email: &str) -> ContactSpec {
    ContactSpec {
        directory: Some(SECOND_DIRECTORY.to_owned()),
        lists: Vec::new(),
        ..on_list(id, first_name, last_name, email)
    }
}

fn add(state: &mut State, spec: ContactSpec) {
    planted(state.add_contact(spec, PLANTED_AT_MS));
}

/// Fixtures are constants of this file; a test walks through all of them.
fn planted<T>(result: Result<T, SpecRefused>) {
    if let Err(error) = result {
        tracing::error!(%error, "a fixture could not be planted");
    }
}
