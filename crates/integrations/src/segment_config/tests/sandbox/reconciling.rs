//! What the sandbox has after an answer was lost.

use habeas_sandbox::faults::When;
use habeas_sandbox::segment_config::RegulationPlan;
use http::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::*;
use crate::segment_config::manifest::API;

async fn found(sandbox: &Sandbox, subjects: &[Subject], since: Timestamp) -> Vec<Option<Job>> {
    connector(sandbox).find_erasures(subjects, since).await.unwrap()
}

/// A regulation that somebody else created.
async fn create(sandbox: &Sandbox, kind: &str, values: &[&str]) {
    let body = json!({"regulation_type": kind, "attributes": {"name": "userId", "values": values}});
    post(sandbox, body).await;
}

async fn post(sandbox: &Sandbox, body: Value) {
    let call =
        client(sandbox).call(API, Method::POST).path(["v1beta", "workspaces", WORKSPACE, "regulations"]);
    let answer = call.bearer(&SecretString::from(TOKEN)).json(&body).send().await.unwrap();
    assert!(answer.status.is_success());
}

/// Whether the deletion has taken effect is what these differ in.
#[rstest]
#[case::lost(Fault::AnswerLost {}, When::After, true)]
#[case::gateway_timeout(refusal(504, None), When::After, true)]
#[case::web_page(Fault::Html { code: 200 }, When::After, true)]
#[case::malformed(Fault::Malformed {}, When::After, true)]
#[case::truncated(Fault::Truncated {}, When::After, true)]
#[case::dropped(Fault::DroppedBefore {}, When::Before, false)]
#[case::unroutable(refusal(503, Some("upstream connect error")), When::Before, false)]
#[case::internal(refusal(500, None), When::Before, false)]
#[tokio::test]
async fn a_lost_answer_is_settled_without_deleting_twice(
    #[case] fault: Fault,
    #[case] when: When,
    #[case] took_effect: bool,
    #[values(1, 2, 100)] page_cap: usize,
    #[values(EndOfList::Empty, EndOfList::Absent)] end_of_list: EndOfList,
) {
    let patch =
        KnobsPatch { page_cap: Some(page_cap), end_of_list: Some(end_of_list), ..KnobsPatch::default() };
    let sandbox = sandbox_with(patch).await;
    let deletions = connector(&sandbox);
    deletions.erase(&[kim()]).await.unwrap();
    let since = now(&sandbox);
    sandbox.faults().add(Rule::new(VENDOR, fault).method("POST").when(when).times(1)).unwrap();
    let error = deletions.erase(&[ana(), jo()]).await.unwrap_err();
    assert_eq!(error.retry, Retry::UnknownOutcome, "{error}");
    // Meanwhile the vendor goes on.
    create(&sandbox, "Suppress_With_Delete", &["u-1", "u-2"]).await;
    create(&sandbox, "Suppress_With_Delete", &[ANA]).await;
    let all = sandbox.segment_config().regulations();
    let expected = all.iter().find(|one| one.values.len() == 4).map(|one| Job::new(one.id.clone()).unwrap());
    assert_eq!(expected.is_some(), took_effect);
    assert_eq!(found(&sandbox, &[ana(), jo()], since).await, [expected.clone(), expected.clone()]);
    if expected.is_none() {
        deletions.erase(&[ana(), jo()]).await.unwrap();
    }
    assert_eq!(sandbox.segment_config().accepted_for_deletion(JO_EMAIL), 1);
}

#[rstest]
#[case::only_blocked("Suppress")]
#[case::let_in_again("Unsuppress")]
#[case::only_deleted("Delete")]
#[case::only_inside("Delete_Internal")]
#[tokio::test]
async fn another_kind_of_regulation_is_not_taken_for_the_deletion(#[case] kind: &str) {
    let sandbox = sandbox().await;
    create(&sandbox, kind, &[ANA_EMAIL, ANA]).await;
    assert_eq!(found(&sandbox, &[ana()], now(&sandbox)).await, [None]);
}

#[tokio::test]
async fn objects_are_not_taken_for_people() {
    let sandbox = sandbox().await;
    let body = json!({"regulation_type": "delete", "attributes": {"name": "objectId", "values": [ANA_EMAIL, ANA]},
                      "collection": "workspaces/acme-shop/sources/salesforce/contacts"});
    post(&sandbox, body).await;
    assert_eq!(found(&sandbox, &[ana()], now(&sandbox)).await, [None]);
}

#[tokio::test]
async fn half_of_a_person_is_not_the_person() {
    let sandbox = sandbox().await;
    create(&sandbox, "Suppress_With_Delete", &[ANA_EMAIL]).await;
    create(&sandbox, "Suppress_With_Delete", &[ANA]).await;
    assert_eq!(found(&sandbox, &[ana()], now(&sandbox)).await, [None]);
}

#[rstest]
#[case::just_now(Duration::ZERO, true)]
#[case::within_what_clocks_may_differ(Duration::from_secs(9 * 60), true)]
#[case::before_the_call(Duration::from_secs(11 * 60), false)]
#[tokio::test]
async fn an_older_deletion_is_not_taken_for_this_one(#[case] age: Duration, #[case] is_this_one: bool) {
    let sandbox = sandbox().await;
    let job = connector(&sandbox).erase(&[ana()]).await.unwrap();
    sandbox.clock().advance(age);
    assert_eq!(found(&sandbox, &[ana()], now(&sandbox)).await, [is_this_one.then_some(job)]);
}

#[rstest]
#[case::segment_failed(RegulationPlan::immediate().outcome("segment", "failed", "x"), false)]
#[case::a_destination_failed(RegulationPlan::immediate().outcome("braze", "failed", "x"), true)]
#[case::invalid(RegulationPlan { final_status: Some("invalid".to_owned()), ..RegulationPlan::immediate() }, false)]
#[case::over(RegulationPlan::immediate(), true)]
#[tokio::test]
async fn a_deletion_that_failed_is_not_waited_for(#[case] plan: RegulationPlan, #[case] counts: bool) {
    let sandbox = sandbox().await;
    sandbox.segment_config().plan_next(plan).unwrap();
    let job = connector(&sandbox).erase(&[ana()]).await.unwrap();
    assert_eq!(found(&sandbox, &[ana(), jo()], now(&sandbox)).await, [counts.then_some(job), None]);
}

#[tokio::test]
async fn the_list_is_read_no_further_than_the_call() {
    let sandbox = sandbox().await;
    for number in 0..120 {
        create(&sandbox, "Suppress_With_Delete", &[&format!("u-{number}")]).await;
    }
    calls(&sandbox);
    assert_eq!(found(&sandbox, &[ana()], now(&sandbox)).await, [None]);
    assert_eq!(calls(&sandbox), counted(&[(LIST, 3)]), "all of them are young");
    sandbox.clock().advance(HOUR);
    assert_eq!(found(&sandbox, &[ana()], now(&sandbox)).await, [None]);
    assert_eq!(calls(&sandbox), counted(&[(LIST, 1)]));
}

#[tokio::test]
async fn a_list_without_an_end_is_given_up() {
    let sandbox = sandbox().await;
    sandbox.faults().add(Rule::new(VENDOR, Fault::EndlessNext {}).method("GET")).unwrap();
    let error = connector(&sandbox).find_erasures(&[ana()], now(&sandbox)).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::BadAnswer, Retry::Never));
    assert!(calls(&sandbox)[LIST] <= 200);
}
