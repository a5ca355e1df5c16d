//! What is always there, and that a seed fixes everything else.

use std::collections::BTreeSet;

use habeas_sandbox::readycloud::fixtures::*;
use habeas_sandbox::{Sandbox, SandboxOptions};
use serde_json::Value;

use crate::support::{World, key};

#[tokio::test]
async fn fixtures_are_there_with_any_number_of_people() {
    for people in [0, 1, 137] {
        let world = World::with_people(people).await;
        let vendor = world.readycloud();
        assert_eq!(vendor.contact_count_in(MAIN_ORG), Some(people + MAIN_ORG_CONTACTS));
        assert_eq!(vendor.contact_count_in(SECOND_ORG), Some(SECOND_ORG_CONTACTS));
        assert_eq!(vendor.contact_count_in(DELETED_ORG), Some(1));
        assert_eq!(vendor.contact_count_in("none"), None);
        assert_eq!(vendor.contact_count(), people + MAIN_ORG_CONTACTS + SECOND_ORG_CONTACTS + 1);
        assert_eq!(vendor.contacts_with_email(ANA_EMAIL), [ANA_FIRST, ANA_SECOND]);
        assert_eq!(vendor.contacts_with_email(JO_EMAIL), [JO]);
        assert_eq!(vendor.contacts_with_email(NOBODY_EMAIL), [""; 0]);
        assert_eq!(vendor.contacts_with_email(SHARED_EMAIL), [SHARED_FIRST, SHARED_SECOND]);
        assert_eq!(vendor.contacts_with_email(SECOND_ORG_EMAIL), [KIM]);
        assert_eq!(vendor.contacts_with_email(PARKED_EMAIL), [PARKED]);
    }
}

#[tokio::test]
async fn fixtures_are_what_they_promise() {
    let world = World::new().await;
    let contact = |key| world.readycloud().contact(key).unwrap();
    let second = contact(ANA_SECOND);
    assert_eq!(second["addresses"][0]["email"], Value::Null);
    assert_eq!(second["addresses"][1]["email"], "ANA.SILVA@EXAMPLE.TEST");
    for key in [ANA_FIRST, ANA_SECOND] {
        assert!(!contact(key)["notes"].as_array().unwrap().is_empty());
        let orders = format!("GET /api/v2/orgs/{MAIN_ORG}/contacts/{key}/orders/");
        assert_ne!(world.call_as(ORDERS_TOKEN, &orders).await.json()["count"], 0);
    }
    assert_ne!(contact(SHARED_FIRST)["last_name"], contact(SHARED_SECOND)["last_name"]);
    assert_eq!(contact(NO_EMAIL)["addresses"][0]["email"], Value::Null);
    assert!(ANA_SECOND.contains(['.']) && ANA_SECOND.contains(['~']));
    assert!(ANA_SECOND.contains(['-']) && ANA_SECOND.contains(['_']));
    assert!(JO.parse::<u32>().is_ok());
}

#[tokio::test]
async fn the_same_seed_gives_the_same_data() {
    async fn snapshot(seed: u64) -> Value {
        let options = SandboxOptions { people: 200, seed, ..SandboxOptions::default() };
        Sandbox::start(options).await.unwrap().readycloud().snapshot()
    }
    let first = snapshot(7).await;
    assert_eq!(first, snapshot(7).await);
    assert_ne!(first, snapshot(8).await);
}

#[tokio::test]
async fn invented_people_are_difficult_in_every_known_way() {
    let world = World::with_people(400).await;
    let snapshot = world.readycloud().snapshot();
    let contacts = snapshot["orgs"][0]["contacts"].as_array().unwrap();
    let emails = |contact: &Value| -> Vec<Option<String>> {
        let addresses = contact["addresses"].as_array().unwrap().iter();
        addresses.map(|address| address["email"].as_str().map(str::to_owned)).collect()
    };
    let invented = &contacts[4..404];
    let some = |what: &str, holds: &dyn Fn(&Value) -> bool| {
        assert!(invented.iter().filter(|contact| holds(contact)).count() >= 10, "{what}");
    };
    some("email on the second address only", &|contact| {
        emails(contact).first() == Some(&None) && emails(contact).get(1).is_some_and(Option::is_some)
    });
    some("upper case", &|contact| {
        emails(contact).iter().flatten().any(|email| email.ends_with("@EXAMPLE.TEST"))
    });
    some("no email", &|contact| emails(contact).iter().all(Option::is_none));
    some("tagged", &|contact| emails(contact).iter().flatten().any(|email| email.contains("+shop@")));
    some("company", &|contact| contact["is_company"] == true);
    some("notes", &|contact| {
        contact["notes"].as_array().unwrap().iter().any(|note| note["text"].is_string())
    });
    for addresses in 1..=3 {
        some("one to three addresses", &|contact| emails(contact).len() == addresses);
    }
    let all: Vec<_> = invented.iter().flat_map(emails).flatten().collect();
    let unique: BTreeSet<_> = all.iter().collect();
    assert!(all.len() - unique.len() >= 10, "two contacts with one email");
    let keys: BTreeSet<_> = contacts.iter().map(key).collect();
    assert_eq!(keys.len(), contacts.len());

    let orders = snapshot["orgs"][0]["orders"].as_array().unwrap();
    assert!(orders.len() > 100);
    assert!(orders.iter().any(|order| order["shipping"]["ship_to"]["email"].is_string()));
}
