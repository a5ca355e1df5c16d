//! What is always there, whatever the number of people and the seed: tests and demonstrations refer to it.
//!
//! Segment knows people by user id. The shop's apps send an id of their own (`u-1001`); a newsletter form
//! on the web site sends the email as the user id. A person of whom both are known therefore has data under
//! two user ids, and only a regulation that names both reaches everything.

use super::account::{Access, ConnectionMode, Member, Workspace};
use super::people::{People, Suppressions};
use super::quota::Quota;
use super::specs::{DestinationSpec, EventSpec, SourceSpec, SpecRefused, TokenSpec, WarehouseSpec};
use super::state::State;

/// Slug of the main workspace.
pub const WORKSPACE: &str = "acme-shop";
/// Its display name.
pub const WORKSPACE_DISPLAY_NAME: &str = "Acme Shop";
/// Its id.
pub const WORKSPACE_ID: &str = "e5bdb0902b";
/// Slug of a second workspace, with one source and a destination that takes no deletions (`mixpanel`).
pub const OTHER_WORKSPACE: &str = "other-shop";

/// [`Access::Owner`] of the main workspace.
pub const TOKEN: &str = "sc-demo-token";
/// [`Access::Read`] of the main workspace: may look, may not delete.
pub const READ_ONLY_TOKEN: &str = "sc-readonly-token";
/// [`Access::Member`] of the main workspace: may not delete either.
pub const MEMBER_TOKEN: &str = "sc-member-token";
/// [`Access::Owner`] of the second workspace.
pub const OTHER_TOKEN: &str = "sc-other-token";
/// Revoked: not known any more.
pub const REVOKED_TOKEN: &str = "sc-revoked-token";

/// The same as [`TOKEN`] for the Public API.
pub const PUBLIC_TOKEN: &str =
    concat!("sgp_", "OwnerOfAcmeShop0000000000000000000000000000000000000000000000001");
/// The same as [`READ_ONLY_TOKEN`] for the Public API.
pub const PUBLIC_READ_ONLY_TOKEN: &str =
    concat!("sgp_", "ReaderOfAcmeShop000000000000000000000000000000000000000000000002");
/// The same as [`MEMBER_TOKEN`] for the Public API: sees no write keys and may not delete.
pub const PUBLIC_MEMBER_TOKEN: &str =
    concat!("sgp_", "MemberOfAcmeShop000000000000000000000000000000000000000000000003");
/// The same as [`OTHER_TOKEN`] for the Public API.
pub const PUBLIC_OTHER_TOKEN: &str =
    concat!("sgp_", "OwnerOfOtherShop000000000000000000000000000000000000000000000004");
/// The same as [`REVOKED_TOKEN`] for the Public API.
pub const PUBLIC_REVOKED_TOKEN: &str =
    concat!("sgp_", "RevokedOfAcmeShop00000000000000000000000000000000000000000000005");

/// A `javascript` source with `amplitude`, `google-analytics`, `webhooks` and `customer.io`.
pub const WEB_PROD: &str = "web-prod";
/// An `ios` source with `amplitude`, `braze`, and `appsflyer`, which is not enabled.
pub const IOS_APP: &str = "ios-app";
/// A `salesforce` source: a system of another company, without destinations.
pub const SALESFORCE: &str = "salesforce";
/// A destination of [`WEB_PROD`] with a dot in its slug.
pub const DOTTED_DESTINATION: &str = "customer.io";
/// The only source of the second workspace.
pub const OTHER_SOURCE: &str = "other-web";

/// Slugs in the catalogue of the main workspace's warehouses: the first one with [`WEB_PROD`] and [`IOS_APP`], the
/// second one, which is not enabled, with [`SALESFORCE`]. The Config API does not show them.
pub const WAREHOUSES: [&str; 2] = ["snowflake", "postgres"];
/// The same for the only one of the second workspace.
pub const OTHER_WAREHOUSE: &str = "bigquery";

/// Secrets: the write keys of the sources. Whoever reads them must drop them.
pub const WRITE_KEYS: [&str; 4] =
    ["wk-example-web-prod", "wk-example-ios-app", "wk-example-salesforce", "wk-example-other"];
/// How every secret in the configuration of a destination or a warehouse begins.
pub const CONFIG_SECRET_PREFIX: &str = "config-secret-";

/// Has data under [`ANA`] and under this email.
pub const ANA_EMAIL: &str = "ana.silva@example.test";
/// From [`WEB_PROD`] and [`IOS_APP`].
pub const ANA: &str = "u-1001";
/// Has data under [`JO`] and under this email.
pub const JO_EMAIL: &str = "jo+shop@example.test";
/// From [`WEB_PROD`] alone.
pub const JO: &str = "u-1002";
/// The email of [`ROBIN`] and [`SAM`], and a user id of its own.
pub const SHARED_EMAIL: &str = "shared@example.test";
/// Robin Meyer.
pub const ROBIN: &str = "u-1003";
/// Sam Okafor.
pub const SAM: &str = "u-1004";
/// Has no email.
pub const NO_EMAIL: &str = "u-1005";
/// Has data under [`KIM`] and under this email.
pub const KIM_EMAIL: &str = "kim.lund@example.test";
/// From [`WEB_PROD`] and [`IOS_APP`].
pub const KIM: &str = "u-1006";
/// The email of [`OLA`].
pub const OLA_EMAIL: &str = "ola.berg@example.test";
/// From [`IOS_APP`] alone, and never by email.
pub const OLA: &str = "u-1007";
/// Has data under [`PIA`] and under this email.
pub const PIA_EMAIL: &str = "pia.holm@example.test";
/// From [`WEB_PROD`] alone.
pub const PIA: &str = "u-1008";
/// Has data under [`PARKED`] and under this email.
pub const PARKED_EMAIL: &str = "parked@example.test";
/// From [`WEB_PROD`] alone.
pub const PARKED: &str = "u-1009";
/// Nobody: there is no data under it.
pub const NOBODY_EMAIL: &str = "nobody@example.test";
/// Ana in the second workspace, with the same email.
pub const OTHER_ANA: &str = "o-2001";

/// How many user ids of the main workspace are fixtures.
pub const USER_IDS: usize = 16;

/// 2018-08-08T13:24:02.651Z
const WORKSPACE_AT_MS: u64 = 1_533_734_642_651;
/// 2025-01-02T03:04:05Z
const PLANTED_AT_MS: u64 = 1_735_787_045_000;

pub(super) fn plant(state: &mut State) {
    let owner = Member { name: "Jo Ng", email: "jo@example.test" };
    let member = Member { name: "Noa Mail", email: "noa@example.test" };
    state.workspaces = vec![
        workspace(WORKSPACE, WORKSPACE_DISPLAY_NAME, WORKSPACE_ID, vec![owner.clone(), member]),
        workspace(OTHER_WORKSPACE, "Other Shop", "0c4d1e77a9", vec![owner]),
    ];
    plant_tokens(state);
    plant_sources(state);
    plant_destinations(state);
    plant_warehouses(state);
    plant_people(state);
}

fn plant_tokens(state: &mut State) {
    let tokens = [
        TokenSpec::new(TOKEN, Access::Owner),
        TokenSpec::new(READ_ONLY_TOKEN, Access::Read),
        TokenSpec::new(MEMBER_TOKEN, Access::Member),
        TokenSpec { workspace: OTHER_WORKSPACE.to_owned(), ..TokenSpec::new(OTHER_TOKEN, Access::Owner) },
        TokenSpec::public(PUBLIC_TOKEN, Access::Owner),
        TokenSpec::public(PUBLIC_READ_ONLY_TOKEN, Access::Read),
        TokenSpec::public(PUBLIC_MEMBER_TOKEN, Access::Member),
        TokenSpec {
            workspace: OTHER_WORKSPACE.to_owned(),
            ..TokenSpec::public(PUBLIC_OTHER_TOKEN, Access::Owner)
        },
    ];
    for token in tokens {
        planted(state.add_token(token));
    }
}

fn plant_sources(state: &mut State) {
    let sources = [
        (WORKSPACE, WEB_PROD, "javascript", "Web (production)"),
        (WORKSPACE, IOS_APP, "ios", "iOS app"),
        (WORKSPACE, SALESFORCE, "salesforce", "Salesforce"),
        (OTHER_WORKSPACE, OTHER_SOURCE, "javascript", "Other web"),
    ];
    for ((workspace, slug, catalogue, display_name), write_key) in sources.into_iter().zip(WRITE_KEYS) {
        let spec = SourceSpec {
            workspace: Some(workspace.to_owned()),
            slug: slug.to_owned(),
            catalogue: catalogue.to_owned(),
            display_name: Some(display_name.to_owned()),
            write_keys: vec![write_key.to_owned()],
            enabled: Some(true),
        };
        planted(state.add_source(spec, PLANTED_AT_MS));
    }
}

fn plant_destinations(state: &mut State) {
    let other = DestinationSpec {
        workspace: Some(OTHER_WORKSPACE.to_owned()),
        ..DestinationSpec::new(OTHER_SOURCE, "mixpanel")
    };
    let device = ConnectionMode::Device;
    let destinations = [
        DestinationSpec::new(WEB_PROD, "amplitude"),
        DestinationSpec { connection_mode: device, ..DestinationSpec::new(WEB_PROD, "google-analytics") },
        DestinationSpec::new(WEB_PROD, "webhooks"),
        DestinationSpec {
            connection_mode: ConnectionMode::Unspecified,
            ..DestinationSpec::new(WEB_PROD, DOTTED_DESTINATION)
        },
        DestinationSpec::new(IOS_APP, "amplitude"),
        DestinationSpec::new(IOS_APP, "braze"),
        DestinationSpec { enabled: false, ..DestinationSpec::new(IOS_APP, "appsflyer") },
        other,
    ];
    for destination in destinations {
        planted(state.add_destination(destination, PLANTED_AT_MS));
    }
}

fn plant_warehouses(state: &mut State) {
    let [first, second] = WAREHOUSES;
    let warehouses = [
        WarehouseSpec::new(first, &[WEB_PROD, IOS_APP]),
        WarehouseSpec {
            name: Some("Sales".to_owned()),
            enabled: false,
            ..WarehouseSpec::new(second, &[SALESFORCE])
        },
        WarehouseSpec {
            workspace: Some(OTHER_WORKSPACE.to_owned()),
            ..WarehouseSpec::new(OTHER_WAREHOUSE, &[OTHER_SOURCE])
        },
    ];
    for warehouse in warehouses {
        planted(state.add_warehouse(warehouse).map(drop));
    }
}

fn plant_people(state: &mut State) {
    let (web, ios): (&[&str], &[&str]) = (&[WEB_PROD], &[IOS_APP]);
    let both: &[&str] = &[WEB_PROD, IOS_APP];
    for (user_id, email, sources) in [
        (ANA, Some(ANA_EMAIL), both),
        (ANA_EMAIL, Some(ANA_EMAIL), web),
        (JO, Some(JO_EMAIL), web),
        (JO_EMAIL, Some(JO_EMAIL), web),
        (ROBIN, Some(SHARED_EMAIL), web),
        (SAM, Some(SHARED_EMAIL), ios),
        (SHARED_EMAIL, Some(SHARED_EMAIL), web),
        (NO_EMAIL, None, ios),
        (KIM, Some(KIM_EMAIL), both),
        (KIM_EMAIL, Some(KIM_EMAIL), web),
        (OLA, Some(OLA_EMAIL), ios),
        (PIA, Some(PIA_EMAIL), web),
        (PIA_EMAIL, Some(PIA_EMAIL), web),
        (PARKED, Some(PARKED_EMAIL), web),
        (PARKED_EMAIL, Some(PARKED_EMAIL), web),
        // An id of which nobody knows whose it is: left over from a test of the shop's.
        ("test user/1", None, web),
    ] {
        for source in sources {
            receive(state, WORKSPACE, source, user_id, email);
        }
    }
    receive(state, OTHER_WORKSPACE, OTHER_SOURCE, OTHER_ANA, Some(ANA_EMAIL));
    receive(state, OTHER_WORKSPACE, OTHER_SOURCE, ANA_EMAIL, Some(ANA_EMAIL));
}

fn receive(state: &mut State, workspace: &str, source: &str, user_id: &str, email: Option<&str>) {
    let event = EventSpec {
        workspace: Some(workspace.to_owned()),
        source: Some(source.to_owned()),
        user_id: user_id.to_owned(),
        email: email.map(str::to_owned),
    };
    planted(state.receive(&event).map(drop));
}

fn workspace(slug: &str, display_name: &str, id: &str, members: Vec<Member>) -> Workspace {
    Workspace {
        slug: slug.to_owned(),
        display_name: display_name.to_owned(),
        id: id.to_owned(),
        created_ms: WORKSPACE_AT_MS,
        sources: Vec::new(),
        warehouses: Vec::new(),
        members,
        people: People::default(),
        suppressions: Suppressions::default(),
        quota: Quota::default(),
    }
}

/// Fixtures are constants of this file; a test walks through all of them.
fn planted(result: Result<(), SpecRefused>) {
    if let Err(error) = result {
        tracing::error!(%error, "a fixture could not be planted");
    }
}
