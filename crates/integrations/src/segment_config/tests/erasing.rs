//! Creating a deletion.

use std::sync::Arc;
use std::time::Duration;

use habeas_domain::IdentifierType::{Email, PhoneNumber, UserId};
use rstest::rstest;

use super::super::config::wire::Creation;
use super::super::manifest::{ENVELOPE, LONGEST_BODY};
use super::*;
use crate::client::ClientOptions;
use crate::error::{ErrorKind, Retry, VendorError};
use crate::testing::{ListedPermits, Server, client_with, options};

async fn erase(vendor: &Vendor, subjects: &[Subject]) -> Result<Job, VendorError> {
    vendor.connector().erase(subjects).await
}

fn ana() -> Subject {
    person("ana.silva@example.test", "u-1001")
}

#[tokio::test]
async fn a_deletion_is_sent_as_it_is_documented() {
    let vendor = Vendor::with(vec![]).await;
    let job = erase(&vendor, &[ana()]).await.unwrap();
    assert_eq!(job.as_str(), "2f7Qm0a1b2c3d4e5f6g7h8i9000");
    let asked = vendor.server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].method.as_str(), asked[0].target.as_str()),
        ("POST", "/v1beta/workspaces/acme.shop/regulations")
    );
    assert_eq!(asked[0].header("content-type"), Some("application/json"));
    assert_eq!(
        asked[0].body,
        "{\"regulation_type\":\"Suppress_With_Delete\",\"attributes\":{\"name\":\"userId\",\
         \"values\":[\"ana.silva@example.test\",\"u-1001\"]}}"
    );
}

#[tokio::test]
async fn one_call_carries_everybody_once_and_nothing_else() {
    let vendor = Vendor::with(vec![]).await;
    let subjects = [
        subject(&[
            (PhoneNumber, "+351 1"),
            (UserId, "u-1"),
            (Email, "Ana@Example.TEST"),
            (Email, "ana@example.test"),
        ]),
        subject(&[(Email, "jo@example.test")]),
        // The same address as a user id, and a shared one.
        subject(&[(UserId, "jo@example.test"), (UserId, "ü \"2\""), (Email, "ana@example.test")]),
    ];
    erase(&vendor, &subjects).await.unwrap();
    let body: Value = serde_json::from_str(&vendor.server.asked()[0].body).unwrap();
    assert_eq!(
        body["attributes"]["values"],
        json!(["Ana@Example.TEST", "ana@example.test", "u-1", "jo@example.test", "ü \"2\""])
    );
}

#[test]
fn a_full_batch_fits_into_the_longest_body() {
    let batch = MANIFEST.capabilities.deletion.unwrap().batch;
    let value = "x".repeat(797);
    let values = vec![value.as_str(); batch.identifiers];
    let list = serde_json::to_vec(&values).unwrap().len();
    let body = serde_json::to_vec(&Creation::of(&values)).unwrap().len();
    assert!(body - list < ENVELOPE, "{}", body - list);
    assert_eq!(batch.bytes + ENVELOPE, LONGEST_BODY);
}

#[rstest]
#[case::nobody(vec![])]
#[case::nothing_usable(vec![subject(&[(PhoneNumber, "+351 1")])])]
#[case::blank(vec![subject(&[(UserId, "  ")])])]
#[case::one_of_several(vec![ana(), subject(&[])])]
#[tokio::test]
async fn nobody_is_left_out_silently(#[case] subjects: Vec<Subject>) {
    let vendor = Vendor::with(vec![]).await;
    let error = erase(&vendor, &subjects).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::BadRequest, Retry::Never));
    assert!(vendor.asked().is_empty());
}

#[rstest]
#[case(json!({"regulate_id": "2f7Q"}))]
#[case(json!({"regulateId": "2f7Q"}))]
#[case(json!({"id": "2f7Q", "regulate_id": null, "status": "initialized"}))]
#[case(json!({"regulate_id": "2f7Q", "id": "other"}))]
#[tokio::test]
async fn every_spelling_of_the_id_is_read(#[case] body: Value, #[values(200, 201)] status: u16) {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |_, _| Some(Act::json(status, &body)));
    assert_eq!(erase(&vendor, &[ana()]).await.unwrap().as_str(), "2f7Q");
}

#[rstest]
#[case::no_id(Act::json(200, "{}"))]
#[case::empty(Act::json(200, json!({"regulate_id": ""})))]
#[case::no_text(Act::json(200, json!({"regulate_id": 7})))]
#[case::no_id_characters(Act::json(200, json!({"regulate_id": "secret@example.test"})))]
#[case::a_step(Act::json(200, json!({"regulate_id": ".."})))]
#[case::long(Act::json(200, json!({"regulate_id": "a".repeat(201)})))]
#[case::a_list(Act::json(200, "[]"))]
#[case::cut(Act::json(200, "{\"regulate_id\":"))]
#[case::page(Act::html(200))]
#[case::no_content(Act::answer(204, &[], ""))]
#[tokio::test]
async fn an_acceptance_that_cannot_be_read_leaves_the_outcome_open(#[case] act: Act) {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |_, _| Some(act.clone()));
    let error = erase(&vendor, &[ana()]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::BadAnswer, Retry::UnknownOutcome));
    assert!(!format!("{error:?}").contains("secret@"));
    assert_eq!(vendor.asked().len(), 1);
}

#[rstest]
#[case::json_503(failure(503, 14, "down"))]
#[case::text_503(Act::answer(503, &[("Content-Type", "text/plain")], "upstream connect error"))]
#[case::internal(failure(500, 13, "internal"))]
#[case::page(Act::html(502))]
#[case::hang_up(Act::Raw(Vec::new()))]
#[case::silence(Act::Silence)]
#[tokio::test]
async fn a_lost_answer_leaves_the_outcome_open(#[case] act: Act) {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |state, asked| {
        (asked.method == "POST").then(|| {
            state.answer(asked);
            act.clone()
        })
    });
    let timeout = Duration::from_millis(150);
    let client = client_with(ClientOptions { timeout, ..options(&vendor.server.base) });
    let connector = connector(client);
    let error = connector.erase(&[ana()]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Unavailable, Retry::UnknownOutcome));
    // What the engine does then.
    let found = connector.find_erasures(&[ana()], NOW.parse().unwrap()).await.unwrap();
    assert_eq!(found, [Job::new("2f7Qm0a1b2c3d4e5f6g7h8i9000")]);
    assert_eq!(vendor.asked().iter().filter(|asked| asked.starts_with("POST")).count(), 1);
}

#[rstest]
#[case::invalid_argument(failure(400, 3, "secret@example.test is no id"), ErrorKind::BadRequest)]
#[case::not_json(Act::answer(400, &[("Content-Type", "text/plain")], "secret@example.test"), ErrorKind::BadRequest)]
#[case::too_large(Act::html(413), ErrorKind::BadRequest)]
#[case::validation(failure(422, 3, ""), ErrorKind::BadRequest)]
#[case::unauthenticated(failure(401, 16, "secret@example.test"), ErrorKind::Credentials)]
#[case::not_found(failure(404, 5, ""), ErrorKind::Configuration)]
#[case::exists(failure(409, 6, ""), ErrorKind::NotAllowed)]
#[case::unimplemented(failure(501, 12, "secret@example.test"), ErrorKind::NotAllowed)]
#[tokio::test]
async fn a_refused_deletion_is_final(#[case] act: Act, #[case] kind: ErrorKind) {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |_, _| Some(act.clone()));
    let error = erase(&vendor, &[ana()]).await.unwrap_err();
    assert_eq!((error.kind, error.retry, error.permission), (kind, Retry::Never, None));
    let printed = format!("{error:?} {}", error.explanation());
    assert!(
        !printed.contains("secret@") && !printed.contains("ana@") && !printed.contains(TOKEN),
        "{printed}"
    );
}

#[rstest]
#[case::recognised(failure(403, 7, "insufficient scope"), "may read")]
#[case::in_message(Act::json(403, json!({"message": "Insufficient scope"})), "may read")]
#[case::something_else(failure(403, 7, "secret@example.test"), "does not allow")]
#[case::text(Act::answer(403, &[], "insufficient scope"), "does not allow")]
#[case::page(Act::html(403), "does not allow")]
#[tokio::test]
async fn a_forbidden_deletion_names_the_role(#[case] act: Act, #[case] says: &str) {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |_, _| Some(act.clone()));
    let error = erase(&vendor, &[ana()]).await.unwrap_err();
    assert_eq!((error.kind, error.permission), (ErrorKind::Permission, Some("Workspace Owner")));
    assert!(error.message.contains(says), "{error}");
    assert!(!format!("{error:?}").contains("secret@"));
}

#[rstest]
#[case(&[], None)]
#[case(&[("Retry-After", "30")], Some(30))]
#[tokio::test]
async fn a_used_up_limit_or_quota_is_waited_for(
    #[case] headers: &'static [(&str, &str)],
    #[case] seconds: Option<u64>,
) {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |_, _| Some(Act::answer(429, headers, "{\"error\":\"quota exhausted\",\"code\":8}")));
    let permits = Arc::new(ListedPermits::default());
    let error = connector(vendor.client().with_permits(permits.clone())).erase(&[ana()]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::RateLimited);
    assert_eq!(error.retry, Retry::After(seconds.map(Duration::from_secs)));
    assert!(error.remedy.contains("quota"), "{}", error.remedy);
    assert_eq!(permits.pushed_back.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::that(Act::json(200, json!({"regulate_id": "r1"}))).await;
    let target = elsewhere.base.join("/secret@example.test").unwrap();
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |_, _| Some(Act::answer(307, &[("Location", target.as_str())], "")));
    let error = erase(&vendor, &[ana()]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadAnswer);
    assert!(!format!("{error:?}").contains("secret@"));
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn what_stays_and_what_is_blocked_is_said_in_advance() {
    let connector = Vendor::with(vec![]).await.connector();
    let residuals = SegmentConfig.residuals_of_deletion();
    assert_eq!(
        residuals.iter().map(|one| one.what.as_str()).collect::<Vec<_>>(),
        [
            "future data of the person",
            "destinations that do not accept forwarded deletions",
            "raw data copies",
            "warehouses"
        ]
    );
    assert!(residuals[0].why.contains("blocks all data"), "{}", residuals[0].why);
    // Blocking future data is shown, and nobody has to acknowledge it.
    assert_eq!(connector.cautions(&[ana(), ana()]).await.unwrap(), [None, None]);
}
