//! `job.status`, and how jobs end.

use habeas_sandbox::webhook::fixtures::*;
use serde_json::json;

use super::System;
use super::receiver::Receiver;

#[tokio::test]
async fn how_long_they_take() {
    let system = System::new().await;
    system.turn(json!({"job_seconds": 0}));
    let at_once = system.job("deletion.requested", ANA_EMAIL).await;
    assert_eq!(system.status(&at_once).await["status"], "completed");

    system.turn(json!({"job_seconds": 3600}));
    let hour = system.job("deletion.requested", JO_EMAIL).await;
    system.turn(json!({"job_seconds": null}));
    let by_hand = system.job("deletion.requested", KIM_EMAIL).await;
    let failed = system.job("deletion.requested", SHARED_EMAIL).await;
    system.advance(3000);
    assert_eq!(system.status(&hour).await["status"], "pending");
    system.advance(600);
    assert_eq!(system.status(&hour).await["status"], "completed");
    assert_eq!(system.status(&by_hand).await["status"], "pending");
    assert!(system.vendor().finish_job(&by_hand, None));
    assert!(!system.vendor().finish_job(&by_hand, None), "it has ended");
    assert_eq!(system.status(&by_hand).await["status"], "completed");
    assert!(system.vendor().finish_job(&failed, Some("no power")));
    assert_eq!(system.status(&failed).await, json!({"status": "failed", "message": "no power"}));
    assert!(system.vendor().person(KIM).is_none() && system.vendor().person(SAM).is_some());
    assert!(!system.vendor().finish_job("job-none", None));
}

/// Of two that are due, the one that was due first finds the person.
#[tokio::test]
async fn they_end_in_the_order_in_which_they_are_due() {
    let system = System::new().await;
    system.turn(json!({"job_seconds": 20}));
    let slow = system.job("deletion.requested", ANA_EMAIL).await;
    system.turn(json!({"job_seconds": 10}));
    let quick = system.job("deletion.requested", ANA_EMAIL).await;
    system.advance(60);
    assert_eq!(system.status(&slow).await["nothing_held"], true);
    assert_eq!(system.status(&quick).await["nothing_held"], false);
}

#[tokio::test]
async fn nobody_knows_the_job() {
    let system = System::new().await;
    let unknown = json!({"status": "unknown"});
    assert_eq!(system.status("job-none").await, unknown);
    let job = system.job("deletion.requested", ANA_EMAIL).await;
    system.turn(json!({"remembered_seconds": 600}));
    system.work_off();
    assert_eq!(system.status(&job).await["status"], "completed");
    system.advance(540);
    assert_eq!(system.status(&job).await, unknown);
    let record = system.vendor().job(&job).unwrap();
    assert_eq!((record.forgotten, record.polls), (true, 2));
    assert_eq!(system.vendor().person(ANA), None, "what it did stays done");

    system.turn(json!({"remembered_seconds": null}));
    let second = system.job("deletion.requested", JO_EMAIL).await;
    assert!(system.vendor().forget_job(&second));
    assert_eq!(system.status(&second).await, unknown);
    system.work_off();
    assert_eq!((system.status(&second).await, system.vendor().person(JO)), (unknown.clone(), None));
    assert!(!system.vendor().forget_job("job-none"));
    // A system may forget at once what it has accepted.
    system.turn(json!({"remembered_seconds": 0}));
    let third = system.job("access.requested", KIM_EMAIL).await;
    assert_eq!(system.status(&third).await, unknown);
}

#[tokio::test]
async fn a_system_that_does_not_want_to_be_asked() {
    let system = System::new().await;
    system.turn(json!({"status": "always_pending", "job_seconds": 0}));
    let receiver = Receiver::open().await;
    let job = system.job("deletion.requested", ANA_EMAIL).await;
    for name in [job.as_str(), "job-none"] {
        assert_eq!(system.status(name).await, json!({"status": "pending"}));
    }
    let delivery = system.vendor().send_callback(&job, &receiver.url, None).await.unwrap();
    assert_eq!(delivery.status, Some(202), "but it calls back");
}

#[tokio::test]
async fn names_of_every_kind() {
    let system = System::new().await;
    for (knob, fits) in [
        ("plain", (|name: &str| name.starts_with("job-")) as fn(&str) -> bool),
        ("every_character", |name| "aZ9/._:~=+-".chars().all(|one| name.contains(one))),
        ("longest", |name| name.len() == 256),
    ] {
        system.turn(json!({ "job_names": knob }));
        let job = system.job("deletion.requested", NOBODY_EMAIL).await;
        assert!(fits(&job), "{knob}: {job}");
        assert_eq!(system.status(&job).await["status"], "pending");
        system.work_off();
        assert_eq!(system.status(&job).await["nothing_held"], true);
        assert!(!job.contains("nobody"));
    }
    let names: std::collections::BTreeSet<_> = system.vendor().jobs().into_iter().map(|it| it.job).collect();
    assert_eq!(names.len(), 3);
}
