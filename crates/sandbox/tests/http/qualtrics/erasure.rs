//! Erasure requests: from acceptance to the end, and what is gone then.

use habeas_sandbox::qualtrics::fixtures::*;
use habeas_sandbox::qualtrics::{Completion, ContactSpec, ErasureSpec, JobStatus};
use serde_json::{Value, json};

use super::{Brand, ERASE, elements, error};

#[tokio::test]
async fn an_erasure_is_pending_for_two_polls_and_then_everything_is_gone() {
    let brand = Brand::new().await;
    let answer = brand.call_with(&format!("POST {ERASE}"), &json!({"emails": [ANA_EMAIL]})).await.json();
    let created = &answer["result"];
    let id = created["requestId"].as_str().unwrap();
    assert!(id.starts_with("OP-") && id.len() == 39, "{id}");
    assert_eq!(created["user"], ADMIN_USER);
    assert_eq!(created.as_object().unwrap().len(), 3);

    for _ in 0..2 {
        let listed = brand.listed().await;
        assert_eq!((&listed[0]["requestid"], &listed[0]["status"]), (&json!(id), &json!("InProgress")));
    }
    assert_eq!(brand.vendor().contacts_with_email(ANA_EMAIL), [""; 0], "done behind the second answer");
    let listed = brand.listed().await;
    assert_eq!(
        listed[0],
        json!({"requestid": id, "status": "Completed", "user": ADMIN_USER, "numEmailsRequested": 1,
            "emailsNotFound": [], "emailList": [ANA_EMAIL], "searchOnly": "false", "failureReason": null,
            "created": created["created"], "updated": listed[0]["updated"]})
    );
    assert_eq!(brand.vendor().responses_with_email(ANA_EMAIL), [""; 0]);
    assert_eq!(brand.vendor().tickets_with_email(ANA_EMAIL), [""; 0]);
    for directory in [DIRECTORY, SECOND_DIRECTORY] {
        assert_eq!(brand.found(directory, ANA_EMAIL).await, [""; 0]);
    }
    let list = format!("GET /directories/{DIRECTORY}/mailinglists/{CUSTOMER_LIST}/contacts");
    let members = brand.call_as(FULL_TOKEN, &list, None).await;
    assert!(!members.text.contains(ANA));
    let responses = brand.vendor().snapshot()["responses"].to_string();
    assert!(responses.contains(ANONYMOUS_RESPONSE), "responses of nobody stay");
    assert_eq!(brand.vendor().contacts_with_email(JO_EMAIL), [JO], "and so does everybody else");
    assert_eq!(brand.vendor().erasures_accepted("ANA.silva@example.test "), 1);
    assert_eq!(brand.sandbox.calls().route("qualtrics", "POST /API/v3/op-erase-personal-data").effects, 1);
    assert_eq!(brand.sandbox.calls().count("qualtrics", "GET /API/v3/op-erase-personal-data"), 3);
}

#[tokio::test]
async fn completion_by_time_and_by_hand() {
    let brand = Brand::new().await;
    brand.complete(Completion::Ms(3_600_000));
    brand.erase(ANA_EMAIL).await;
    brand.complete(Completion::Manual);
    let by_hand = brand.erase(JO_EMAIL).await;
    brand.advance(3599);
    assert_eq!(brand.listed().await[1]["status"], "InProgress");
    brand.advance(2);
    assert_eq!(brand.vendor().contacts_with_email(ANA_EMAIL), [""; 0], "nobody has to poll for it");
    let listed = brand.listed().await;
    assert_eq!((&listed[0]["status"], &listed[1]["status"]), (&json!("InProgress"), &json!("Completed")));

    assert!(brand.vendor().finish_erasure(&by_hand, None));
    assert!(!brand.vendor().finish_erasure(&by_hand, None), "only once");
    assert!(!brand.vendor().finish_erasure("OP-none", None));
    assert_eq!(brand.vendor().contacts_with_email(JO_EMAIL), [""; 0]);

    brand.complete(Completion::Polls(0));
    brand.erase(SHARED_EMAIL).await;
    assert_eq!(brand.listed().await[0]["status"], "Completed");
}

#[tokio::test]
async fn a_dry_run_never_mutates() {
    let brand = Brand::new().await;
    brand.complete(Completion::Polls(0));
    let before = brand.vendor().snapshot();
    let body = json!({"emails": [ANA_EMAIL, NOBODY_EMAIL, OWNER_EMAIL], "searchOnly": true});
    assert_eq!(brand.call_with(&format!("POST {ERASE}"), &body).await.status, 200);
    let listed = brand.listed().await;
    assert_eq!(listed[0]["searchOnly"], "true");
    assert_eq!(listed[0]["emailsNotFound"], json!([NOBODY_EMAIL]));
    assert_eq!(listed[0]["numEmailsRequested"], 3);
    assert_eq!(brand.vendor().snapshot(), before);
    assert_eq!(brand.vendor().erasures_accepted(ANA_EMAIL), 0);
    assert_eq!(brand.sandbox.calls().route("qualtrics", "POST /API/v3/op-erase-personal-data").effects, 0);
}

#[tokio::test]
async fn failures_have_a_reason_and_no_effect() {
    let brand = Brand::new().await;
    brand.turn(json!({"erasure_failure": "Internal error", "erasure_failed_word": "Broken"}));
    brand.erase(ANA_EMAIL).await;
    brand.listed().await;
    brand.listed().await;
    let listed = brand.listed().await;
    assert_eq!(
        (&listed[0]["status"], &listed[0]["failureReason"]),
        (&json!("Broken"), &json!("Internal error"))
    );
    assert_eq!(brand.vendor().contacts_with_email(ANA_EMAIL), [ANA, ANA_SECOND]);
    assert_eq!(brand.vendor().erasures()[0].status, JobStatus::Failed);

    brand.turn(json!({ "erasure_failure": null }));
    brand.complete(Completion::Manual);
    let id = brand.erase(ANA_EMAIL).await;
    assert!(brand.vendor().finish_erasure(&id, Some("Too busy")));
    assert_eq!(brand.listed().await[0]["failureReason"], "Too busy");
}

#[tokio::test]
async fn get_by_id_is_an_error_until_the_end() {
    let brand = Brand::new().await;
    let id = brand.erase(ANA_EMAIL).await;
    let call = format!("GET {ERASE}/{id}");
    assert_eq!(error(&brand.call(&call).await).0, 404);
    brand.turn(json!({"erasure_running": "bad_request"}));
    assert_eq!(error(&brand.call(&call).await).0, 400);
    assert!(brand.vendor().finish_erasure(&id, None));
    let done = brand.call(&call).await.json();
    assert_eq!((&done["result"]["requestid"], &done["result"]["status"]), (&json!(id), &json!("Completed")));
    assert_eq!(brand.call(&format!("GET {ERASE}/OP-none")).await.status, 404);
}

#[tokio::test]
async fn status_words_and_loose_types() {
    let brand = Brand::new().await;
    brand.turn(json!({"erasure_pending_word": "Waiting in line", "erasure_completed_word": "DONE",
        "erasure_shape": "loose", "erasure_completion": {"polls": 1}}));
    brand.erase(NOBODY_EMAIL).await;
    assert_eq!(brand.listed().await[0]["status"], "Waiting in line");
    let listed = brand.listed().await;
    assert_eq!(listed[0]["status"], "DONE");
    assert_eq!(
        (&listed[0]["searchOnly"], &listed[0]["numEmailsRequested"], &listed[0]["emailsNotFound"]),
        (&json!(false), &json!("1"), &json!(NOBODY_EMAIL))
    );
}

#[tokio::test]
async fn users_of_the_brand_are_erased_too() {
    let brand = Brand::new().await;
    brand.complete(Completion::Polls(0));
    brand.turn(json!({"erasure_deletes_users": false}));
    brand.erase(OWNER_EMAIL).await;
    assert_eq!(brand.vendor().users_with_email(OWNER_EMAIL), [OWNER_USER]);
    brand.turn(json!({"erasure_deletes_users": true}));
    brand.erase(OWNER_EMAIL).await;
    assert_eq!(brand.vendor().users_with_email(OWNER_EMAIL), [""; 0]);
    assert_eq!(brand.call(&format!("GET /users/{OWNER_USER}")).await.status, 404);
    assert_eq!(brand.listed().await[0]["emailsNotFound"], json!([]), "an account is something found");
    assert_eq!(brand.vendor().erasures_accepted(OWNER_EMAIL), 2);
}

#[tokio::test]
async fn responses_of_a_deleted_contact_are_still_found() {
    let brand = Brand::new().await;
    brand.complete(Completion::Polls(0));
    assert!(brand.vendor().remove_contact(JO));
    assert_eq!(brand.vendor().responses_with_email(JO_EMAIL).len(), 1);
    brand.erase(JO_EMAIL).await;
    assert_eq!(brand.listed().await[0]["emailsNotFound"], json!([]));
    assert_eq!(brand.vendor().responses_with_email(JO_EMAIL), [""; 0]);
    brand.erase(JO_EMAIL).await;
    assert_eq!(brand.listed().await[0]["emailsNotFound"], json!([JO_EMAIL]));
}

#[tokio::test]
async fn what_is_refused() {
    let brand = Brand::new().await;
    brand.turn(json!({"emails_per_request": 2}));
    let bodies = [
        json!({}),
        json!({"emails": []}),
        json!({"emails": ["ana"]}),
        json!({"emails": [1]}),
        json!({"emails": {}}),
        json!({"emails": ["a@b", "c@d", "e@f"]}),
        json!({"emails": ["a@b"], "searchOnly": "true"}),
        json!([]),
    ];
    for body in bodies {
        let refused = brand.call_with(&format!("POST {ERASE}"), &body).await;
        assert_eq!(error(&refused).0, 400, "{body}");
    }
    let form = brand.request(&format!("POST {ERASE}")).bearer_auth(TOKEN).form(&[("emails", "a@b")]);
    assert_eq!(crate::support::send(form).await.status, 415);
    let text = brand.request(&format!("POST {ERASE}")).bearer_auth(TOKEN).body("{");
    assert_eq!(crate::support::send(text).await.status, 400);
    assert!(brand.vendor().erasures().is_empty());
}

#[tokio::test]
async fn the_list_is_paged_newest_first() {
    let brand = Brand::new().await;
    for number in 0..250_u64 {
        let spec = ErasureSpec {
            emails: vec![format!("other.{number}@example.test")],
            search_only: false,
            status: JobStatus::Completed,
            failure_reason: None,
            emails_not_found: Vec::new(),
            created_ms: Some(1_700_000_000_000 + number * 1000),
        };
        brand.vendor().add_erasure(spec).unwrap();
    }
    let own = brand.erase(ANA_EMAIL).await;
    let (mut pages, mut emails, mut call) = (0, Vec::new(), format!("GET {ERASE}"));
    loop {
        let page = brand.call(&call).await;
        pages += 1;
        emails.extend(elements(&page).iter().map(|element| element["emailList"][0].clone()));
        match &page.json()["result"]["nextPage"] {
            Value::String(next) => {
                let base = format!("{}/API/v3{ERASE}?offset=", brand.sandbox.addresses().qualtrics);
                assert!(next.starts_with(&base), "{next}");
                call = format!("GET {next}");
            }
            other => {
                assert_eq!(*other, Value::Null);
                break;
            }
        }
    }
    assert_eq!((pages, emails.len()), (3, 251));
    assert_eq!((&emails[0], &emails[250]), (&json!(ANA_EMAIL), &json!("other.0@example.test")));
    let polls = |id: &str| brand.vendor().erasures().into_iter().find(|job| job.id == id).unwrap().polls;
    assert_eq!(polls(&own), 1, "only the page that shows it counts");
    assert_eq!(brand.vendor().all_erasures_accepted().len(), 1, "planted ones were not accepted here");
}

#[tokio::test]
async fn an_answer_lost_or_late_has_its_effect_once() {
    let brand = Brand::new().await;
    brand.complete(Completion::Polls(0));
    let spec = ContactSpec { email: Some("eve@example.test".to_owned()), ..ContactSpec::default() };
    brand.vendor().add_contact(spec).unwrap();
    brand.fault(json!({"method": "POST", "path_contains": ERASE, "times": 1, "when": "after",
        "fault": {"kind": "status", "code": 504}}));
    let late = brand.call_with(&format!("POST {ERASE}"), &json!({"emails": ["eve@example.test"]})).await;
    assert_eq!(late.status, 504);
    assert_eq!(late.json()["meta"]["httpStatus"], "504 - Gateway Timeout");
    assert_eq!(brand.vendor().erasures_accepted("eve@example.test"), 1);
    assert_eq!(brand.vendor().contacts_with_email("eve@example.test"), [""; 0]);
    assert_eq!(brand.listed().await[0]["emailList"], json!(["eve@example.test"]));
}
