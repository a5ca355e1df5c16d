//! `deletion.requested`.

use habeas_sandbox::webhook::fixtures::*;
use habeas_sandbox::webhook::{JobKind, JobState};
use serde_json::json;

use super::{System, subject};

#[tokio::test]
async fn a_person_is_deleted_when_the_job_ends() {
    let system = System::new().await;
    let job = system.job("deletion.requested", ANA_EMAIL).await;
    assert_eq!(system.status(&job).await, json!({"status": "pending"}));
    assert!(system.vendor().person(ANA).is_some());
    let record = system.vendor().job(&job).unwrap();
    assert_eq!((record.kind, record.state, record.ended_ms), (JobKind::Deletion, JobState::Pending, None));

    system.work_off();
    let result = json!({"status": "completed", "nothing_held": false, "exceptions": []});
    assert_eq!(system.status(&job).await, result);
    assert_eq!(system.vendor().person(ANA), None);
    assert_eq!(system.vendor().person_count(), PEOPLE - 1);
    let record = system.vendor().job(&job).unwrap();
    assert_eq!(
        (record.state, record.deleted, record.result),
        (JobState::Completed, vec![ANA.to_owned()], Some(result))
    );
    assert_eq!((record.ended_ms, record.polls), (Some(record.accepted_ms + 60_000), 2));

    system.turn(json!({"access": "at_once"}));
    let (_, found) = system.ask("access.requested", subject("user_id", ANA)).await;
    assert_eq!(found, json!({"status": "completed", "records": [], "files": []}));
    assert_eq!(
        (system.vendor().accepted_for_deletion(ANA_EMAIL), system.vendor().accepted_for_deletion(ANA)),
        (1, 0)
    );
}

#[tokio::test]
async fn nothing_to_delete() {
    let system = System::new().await;
    system
        .turn(json!({"exceptions": [{"system": "Tax archive", "status": "kept", "note": "for ten years"}]}));
    let job = system.job("deletion.requested", NOBODY_EMAIL).await;
    system.work_off();
    let result = json!({"status": "completed", "nothing_held": true, "exceptions": []});
    assert_eq!(system.status(&job).await, result);
    assert_eq!(system.vendor().accepted_for_deletion(NOBODY_EMAIL), 1);
    assert_eq!(system.vendor().person_count(), PEOPLE);
}

#[tokio::test]
async fn systems_behind_it_did_not_delete() {
    let system = System::new().await;
    let exceptions = json!([
        {"system": "Tax archive", "status": "kept", "note": "for ten years"},
        {"system": "Backup", "status": "later", "note": ""},
    ]);
    system.turn(json!({ "exceptions": exceptions }));
    let job = system.job("deletion.requested", SHARED_EMAIL).await;
    // What a job leaves behind is settled when it is accepted.
    system.turn(json!({"exceptions": []}));
    system.work_off();
    let result = json!({"status": "completed", "nothing_held": false, "exceptions": exceptions});
    assert_eq!(system.status(&job).await, result);
    assert_eq!(system.vendor().job(&job).unwrap().deleted, [ROBIN, SAM]);
}

#[tokio::test]
async fn a_deletion_that_fails_deletes_nothing() {
    let system = System::new().await;
    system.turn(json!({"failure": "the database is read-only"}));
    let job = system.job("deletion.requested", ANA_EMAIL).await;
    system.turn(json!({"failure": null}));
    let second = system.job("deletion.requested", JO_EMAIL).await;
    system.work_off();
    assert_eq!(
        system.status(&job).await,
        json!({"status": "failed", "message": "the database is read-only"})
    );
    assert_eq!(system.vendor().job(&job).unwrap().state, JobState::Failed);
    assert_eq!(system.status(&second).await["status"], "completed");
    assert!(system.vendor().person(ANA).is_some() && system.vendor().person(JO).is_none());
    assert_eq!(system.vendor().accepted_for_deletion(ANA_EMAIL), 1, "accepted it was");
}

#[tokio::test]
async fn every_identifier_counts_as_accepted() {
    let system = System::new().await;
    let by_two = json!({"subject": {"identifiers": [
        {"type": "email", "value": "Ana.Silva@example.test"},
        {"type": "user_id", "value": ANA},
    ]}});
    for _ in 0..2 {
        assert_eq!(system.ask("deletion.requested", by_two.clone()).await.0, 202);
    }
    let accepted = [("Ana.Silva@example.test".to_owned(), 2), (ANA.to_owned(), 2)];
    assert_eq!(system.vendor().acceptances(), accepted.into());
    system.work_off();
    let results = system.vendor().jobs().into_iter().map(|job| job.result.unwrap()["nothing_held"].clone());
    assert_eq!(results.collect::<Vec<_>>(), [json!(false), json!(true)], "the second finds nothing left");
}
