//! What is always there, and that a seed fixes everything else.

use std::collections::BTreeSet;

use habeas_sandbox::segment_config::Profile;
use habeas_sandbox::segment_config::fixtures::*;
use habeas_sandbox::{Sandbox, SandboxOptions};
use serde_json::{Value, json};

use super::Segment;

#[tokio::test]
async fn fixtures_are_there_with_any_number_of_people() {
    for people in [0, 1, 137] {
        let segment = Segment::with_people(people).await;
        let vendor = segment.vendor();
        let ids = |email: &str| vendor.user_ids_with_email(WORKSPACE, email);
        assert!(vendor.user_id_count(WORKSPACE).unwrap() >= USER_IDS + people);
        assert_eq!(vendor.user_id_count("none"), None);
        assert_eq!(ids(ANA_EMAIL), [ANA_EMAIL, ANA]);
        assert_eq!(ids(&ANA_EMAIL.to_ascii_uppercase()), [ANA_EMAIL, ANA]);
        assert_eq!(ids(JO_EMAIL), [JO_EMAIL, JO]);
        assert_eq!(ids(SHARED_EMAIL), [SHARED_EMAIL, ROBIN, SAM]);
        assert_eq!(ids(KIM_EMAIL), [KIM_EMAIL, KIM]);
        assert_eq!(ids(OLA_EMAIL), [OLA]);
        assert_eq!(ids(PIA_EMAIL), [PIA_EMAIL, PIA]);
        assert_eq!(ids(PARKED_EMAIL), [PARKED_EMAIL, PARKED]);
        assert_eq!(ids(NOBODY_EMAIL), [""; 0]);
        assert_eq!(vendor.user_ids_with_email(OTHER_WORKSPACE, ANA_EMAIL), [ANA_EMAIL, OTHER_ANA]);
    }
    assert_eq!(Segment::new().await.vendor().user_id_count(WORKSPACE), Some(USER_IDS));
}

#[tokio::test]
async fn fixtures_are_what_they_promise() {
    let segment = Segment::new().await;
    let profile = |user_id| segment.vendor().profile(WORKSPACE, user_id).unwrap();
    let both: BTreeSet<_> = [WEB_PROD.to_owned(), IOS_APP.to_owned()].into();
    let ana = Profile { user_id: ANA.to_owned(), email: Some(ANA_EMAIL.to_owned()), sources: both };
    assert_eq!(profile(ANA), ana);
    assert_eq!(profile(OLA).sources, [IOS_APP.to_owned()].into());
    assert_eq!(profile(NO_EMAIL).email, None);
    let snapshot = segment.vendor().snapshot();
    for (position, key) in WRITE_KEYS.into_iter().enumerate() {
        let (workspace, source) = if position == 3 { (1, 0) } else { (0, position) };
        let source = &snapshot["workspaces"][workspace]["sources"][source]["source"];
        assert_eq!(source["write_keys"], json!([key]));
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_data() {
    async fn snapshot(seed: u64) -> Value {
        let options = SandboxOptions { people: 200, seed, ..SandboxOptions::default() };
        Sandbox::start(options).await.unwrap().segment_config().snapshot()
    }
    let first = snapshot(7).await;
    assert_eq!(first, snapshot(7).await);
    assert_ne!(first, snapshot(8).await);
}

#[tokio::test]
async fn invented_people_are_difficult_in_every_known_way() {
    let segment = Segment::with_people(400).await;
    let snapshot = segment.vendor().snapshot();
    let people = snapshot["workspaces"][0]["people"].as_array().unwrap();
    let some = |what: &str, holds: &dyn Fn(&str, &str) -> bool| {
        let found = people
            .iter()
            .filter(|it| holds(it["user_id"].as_str().unwrap(), it["email"].as_str().unwrap_or_default()));
        assert!(found.count() >= 10, "{what}");
    };
    some("upper case", &|_, email| email.ends_with("@EXAMPLE.TEST"));
    some("no email", &|_, email| email.is_empty());
    some("tagged", &|_, email| email.contains("+shop@"));
    some("a number", &|user_id, _| user_id.parse::<u32>().is_ok());
    some("characters that need escaping", &|user_id, _| user_id.contains(" ") && user_id.contains('/'));
    some("an email as the user id", &|user_id, email| user_id == email);
    let mut emails: Vec<_> = people
        .iter()
        .filter(|it| it["user_id"].as_str().unwrap().starts_with("u-"))
        .filter_map(|it| it["email"].as_str())
        .collect();
    let all = emails.len();
    emails.sort_unstable();
    emails.dedup();
    assert!(all - emails.len() >= 10, "two people with one email");
}
