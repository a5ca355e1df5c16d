//! What is always there, and that a seed fixes everything else.

use std::collections::BTreeSet;

use habeas_sandbox::qualtrics::fixtures::*;
use habeas_sandbox::{Sandbox, SandboxOptions};
use serde_json::Value;

use super::Brand;

#[tokio::test]
async fn fixtures_are_there_with_any_number_of_people() {
    for people in [0, 1, 137] {
        let brand = Brand::with_people(people).await;
        let vendor = brand.vendor();
        assert_eq!(vendor.contact_count_in(DIRECTORY), Some(people + DIRECTORY_CONTACTS));
        assert_eq!(vendor.contact_count_in(SECOND_DIRECTORY), Some(SECOND_DIRECTORY_CONTACTS));
        assert_eq!(vendor.contact_count_in("none"), None);
        assert_eq!(vendor.contact_count(), people + DIRECTORY_CONTACTS + SECOND_DIRECTORY_CONTACTS);
        assert_eq!(vendor.contacts_with_email(ANA_EMAIL), [ANA, ANA_SECOND]);
        assert_eq!(vendor.contacts_with_email(JO_EMAIL), [JO]);
        assert_eq!(vendor.contacts_with_email(NOBODY_EMAIL), [""; 0]);
        assert_eq!(vendor.contacts_with_email(SHARED_EMAIL), [SHARED_FIRST, SHARED_SECOND]);
        assert_eq!(vendor.contacts_with_email(KIM_EMAIL), [KIM]);
        assert_eq!(vendor.contacts_with_email(PARKED_EMAIL), [PARKED]);
        assert_eq!(vendor.contacts_with_email(OWNER_EMAIL), [OWNER]);
        assert_eq!(vendor.users_with_email(OWNER_EMAIL), [OWNER_USER]);
        assert_eq!(vendor.users_with_email(ANA_EMAIL), [""; 0]);
        assert_eq!(vendor.responses_with_email(ANA_EMAIL).len(), 3);
        assert_eq!(vendor.tickets_with_email(ANA_EMAIL).len(), 1);
        assert_eq!(vendor.snapshot()["users"].as_array().unwrap().len(), USERS);
        assert_eq!(vendor.contact(NO_EMAIL).unwrap()["email"], Value::Null);
        assert_eq!(vendor.contact(PARKED).unwrap()["directoryUnsubscribed"], true);
        assert!(vendor.erasures().is_empty() && vendor.customer_data_requests().is_empty());
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_data() {
    async fn snapshot(seed: u64) -> Value {
        let options = SandboxOptions { people: 200, seed, ..SandboxOptions::default() };
        Sandbox::start(options).await.unwrap().qualtrics().snapshot()
    }
    let first = snapshot(7).await;
    assert_eq!(first, snapshot(7).await);
    assert_ne!(first, snapshot(8).await);
}

#[tokio::test]
async fn both_vendors_know_the_same_people() {
    let brand = Brand::with_people(400).await;
    let snapshot = brand.vendor().snapshot();
    let contacts = snapshot["directories"][0]["contacts"].as_array().unwrap();
    let emails: Vec<_> = contacts.iter().filter_map(|contact| contact["email"].as_str()).collect();
    assert!(emails.len() > 370);
    for email in &emails {
        // Only the owner of an account at this vendor is no customer of the other one.
        let elsewhere = brand.sandbox.readycloud().contacts_with_email(email).len();
        assert_eq!(elsewhere > 0, *email != OWNER_EMAIL, "{email}");
    }
    assert!(contacts.iter().filter(|contact| contact["email"].is_null()).count() >= 20);
    let unique: BTreeSet<_> = emails.iter().collect();
    assert!(emails.len() - unique.len() >= 20, "some share an email");
    assert!(snapshot["responses"].as_array().unwrap().len() > 100);
    assert!(snapshot["tickets"].as_array().unwrap().len() > 5);
}
