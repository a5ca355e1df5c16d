//! What is always there, and what is invented.

pub(super) use habeas_sandbox::webhook::fixtures::*;

use super::{System, secret};

#[tokio::test]
async fn the_people_other_systems_know_too() {
    let system = System::new().await;
    let vendor = system.vendor();
    assert_eq!(vendor.person_count(), PEOPLE);
    for (value, user_ids) in [
        (ANA_EMAIL, vec![ANA]),
        (ANA_PHONE, vec![ANA]),
        (JO_EMAIL, vec![JO]),
        (SHARED_EMAIL, vec![ROBIN, SAM]),
        (NO_EMAIL, vec![NO_EMAIL]),
        (NO_EMAIL_PHONE, vec![NO_EMAIL]),
        (KIM_EMAIL, vec![KIM]),
        (NOBODY_EMAIL, vec![]),
    ] {
        assert_eq!(vendor.people_with(value), user_ids, "{value}");
    }
    let ana = vendor.person(ANA).unwrap();
    assert_eq!((ana.records.len(), ana.files.len()), (ANA_RECORDS, 1));
    assert_eq!(vendor.knobs().secret, secret(SECRET));
    let strangers = [secret(SECRET), secret(SECOND_SECRET), secret(STRANGERS_SECRET)];
    assert!(strangers[0] != strangers[1] && strangers[1] != strangers[2] && strangers[0] != strangers[2]);
}

#[tokio::test]
async fn a_seed_invents_the_same_people() {
    let (first, second) = (System::with_people(40).await, System::with_people(40).await);
    assert_eq!(first.vendor().person_count(), PEOPLE + 40);
    let mut kinds = std::collections::BTreeSet::new();
    for number in 2001..2041 {
        let user_id = format!("c-{number}");
        let person = first.vendor().person(&user_id).unwrap();
        assert_eq!(Some(&person), second.vendor().person(&user_id).as_ref());
        assert!(person.email.as_ref().is_none_or(|email| email.to_lowercase().ends_with("@example.test")));
        kinds.extend(person.records.into_iter().map(|record| record.kind));
    }
    assert_eq!(kinds, ["order".to_owned(), "ticket".to_owned()].into());
    assert!(first.vendor().person("c-2010").unwrap().email.is_none(), "every twentieth has no email");
}
