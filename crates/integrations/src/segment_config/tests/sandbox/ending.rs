//! Following deletions of the sandbox to their end.

use habeas_sandbox::faults::When;
use habeas_sandbox::segment_config::{RegulationPlan, UnsetTime, Unsupported};

use super::*;
use crate::connector::Progress;

const DAY: Duration = Duration::from_secs(86_400);

/// Where a deletion stands, in short: for what did not delete, destination, status and text.
fn told(progress: &Progress) -> Vec<String> {
    match progress {
        Progress::Pending => vec!["pending".to_owned()],
        Progress::Failed(error) => {
            assert_eq!((error.kind, error.retry), (ErrorKind::JobFailed, Retry::Never));
            vec!["failed".to_owned()]
        }
        Progress::Forgotten => vec!["forgotten".to_owned()],
        Progress::Done(erased) => {
            let exceptions = erased.exceptions.iter().map(|one| {
                let system = one.system.split(" (source ").next().unwrap();
                format!("{system} {} {}", one.status, one.vendor_text).trim().to_owned()
            });
            std::iter::once("done".to_owned()).chain(exceptions).collect()
        }
    }
}

async fn followed(connector: &dyn Connector, jobs: &[Job]) -> Vec<Vec<String>> {
    connector.follow(jobs).await.unwrap().iter().map(told).collect()
}

#[rstest]
#[tokio::test]
async fn a_deletion_is_followed_from_its_queue_to_its_end(
    #[values(UnsetTime::Zero, UnsetTime::Absent)] unset_finished_at: UnsetTime,
    #[values(false, true)] regulation_details: bool,
    #[values(EndOfList::Empty, EndOfList::Absent)] end_of_list: EndOfList,
) {
    let patch = KnobsPatch {
        unset_finished_at: Some(unset_finished_at),
        regulation_details: Some(regulation_details),
        end_of_list: Some(end_of_list),
        ..KnobsPatch::default()
    };
    let sandbox = sandbox_with(patch).await;
    let deletions = connector(&sandbox);
    let first = deletions.erase(&[ana()]).await.unwrap();
    let second = deletions.erase(&[jo()]).await.unwrap();
    for (wait, expected) in [(0, "pending"), (90, "pending"), (100, "pending"), (120, "done")] {
        sandbox.clock().advance(Duration::from_secs(wait));
        // Alone it is asked for by its id, with others it is looked up in the list.
        assert_eq!(followed(&*deletions, std::slice::from_ref(&first)).await, [[expected]]);
        assert_eq!(followed(&*deletions, &[first.clone(), second.clone()]).await, [[expected], [expected]]);
    }
    assert!(!sandbox.segment_config().has_data(WORKSPACE, ANA));
}

fn at_once() -> RegulationPlan {
    RegulationPlan::immediate()
}

fn ending_as(word: &str) -> RegulationPlan {
    RegulationPlan { final_status: Some(word.to_owned()), ..at_once() }
}

#[rstest]
#[case::well(at_once(), &["done"])]
#[case::one_destination(at_once().outcome("web-prod/amplitude", "failed", "no such user"), &["done", "Amplitude failed no such user"])]
#[case::in_two_sources(at_once().outcome("amplitude", "failed", ""), &["done", "Amplitude failed", "Amplitude failed"])]
#[case::unsupported_beside(
    at_once().outcome("customer.io", "failed", "x").outcome("braze", "not_supported", "y"),
    &["done", "Customer.io failed x", "Braze not_supported y"]
)]
#[case::unsupported_alone(at_once().outcome("braze", "not_supported", "y"), &["done"])]
#[case::partly(at_once().outcome("braze", "partial_success", "half"), &["done", "Braze partial_success half"])]
#[case::never_ends(at_once().outcome("braze", "running", ""), &["pending"])]
#[case::strange(at_once().outcome("braze", "exploded", ""), &["pending"])]
#[case::segment_itself(at_once().outcome("segment", "failed", "x"), &["failed"])]
#[case::segment_in_one_source(at_once().outcome("ios-app/segment", "failed", "x"), &["failed"])]
#[case::segment_unsupported(at_once().outcome("salesforce/segment", "not_supported", "x").outcome("braze", "failed", ""), &["failed"])]
#[case::upper_case(ending_as("FINISHED"), &["done"])]
#[case::called_failed(ending_as("failed"), &["done"])]
#[case::called_partial(ending_as("partial_success"), &["done"])]
#[case::called_partial_and_one_failed(
    ending_as("Partial_Success").outcome("webhooks", "failed", ""),
    &["done", "Webhooks failed"]
)]
#[case::invalid(ending_as("invalid"), &["failed"])]
#[case::not_supported(ending_as("NOT_SUPPORTED"), &["failed"])]
#[case::unknown_word(ending_as("paused"), &["pending"])]
#[case::finished_but_not_segment(ending_as("finished").outcome("segment", "failed", ""), &["failed"])]
#[tokio::test]
async fn the_end_of_every_destination_is_understood(#[case] plan: RegulationPlan, #[case] expected: &[&str]) {
    let sandbox = sandbox().await;
    let segment_deletes = plan.destinations.keys().all(|key| !key.contains("segment"));
    sandbox.segment_config().plan_next(plan).unwrap();
    let deletions = connector(&sandbox);
    let job = deletions.erase(&[ana()]).await.unwrap();
    let other = deletions.erase(&[jo()]).await.unwrap();
    assert_eq!(followed(&*deletions, std::slice::from_ref(&job)).await, [expected]);
    assert_eq!(followed(&*deletions, &[other, job]).await[1], expected, "also by way of the list");
    if expected[0] == "done" {
        assert!(segment_deletes && !sandbox.segment_config().has_data(WORKSPACE, ANA));
    }
}

#[rstest]
#[case(Unsupported::Failed, &["done", "Mixpanel failed this destination does not support deletion"])]
#[case(Unsupported::NotSupported, &["done"])]
#[case(Unsupported::LeftOut, &["done"])]
#[tokio::test]
async fn a_destination_that_takes_no_deletions_does_not_hide_that_segment_deleted(
    #[case] unsupported_destinations: Unsupported,
    #[case] expected: &[&str],
) {
    let unsupported_destinations = Some(unsupported_destinations);
    let sandbox = sandbox_with(KnobsPatch { unsupported_destinations, ..KnobsPatch::default() }).await;
    let deletions = connector_with(&sandbox, OTHER_TOKEN, OTHER_WORKSPACE);
    let job = deletions.erase(&[ana()]).await.unwrap();
    sandbox.clock().advance(ALL_DONE);
    assert_eq!(followed(&*deletions, &[job]).await, [expected]);
    assert!(!sandbox.segment_config().has_data(OTHER_WORKSPACE, ANA_EMAIL));
}

#[tokio::test]
async fn a_destination_that_fails_first_does_not_end_what_segment_still_does() {
    let sandbox = sandbox().await;
    let plan = RegulationPlan { shown_status: Some("failed".to_owned()), ..RegulationPlan::default() };
    sandbox.segment_config().plan_next(plan).unwrap();
    let deletions = connector(&sandbox);
    let job = deletions.erase(&[ana()]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(followed(&*deletions, std::slice::from_ref(&job)).await, [["pending"]]);
        sandbox.clock().advance(Duration::from_secs(80));
    }
    sandbox.clock().advance(ALL_DONE);
    assert_eq!(followed(&*deletions, &[job]).await, [["done"]]);
}

#[tokio::test]
async fn days_in_the_queue_are_waited_for() {
    let sandbox = sandbox_with(KnobsPatch {
        initialized_seconds: Some(7 * 86_400),
        running_seconds: Some(86_400),
        ..KnobsPatch::default()
    })
    .await;
    let deletions = connector(&sandbox);
    let job = deletions.erase(&[ana()]).await.unwrap();
    for (day, expected) in [(0, "pending"), (6, "pending"), (2, "done")] {
        sandbox.clock().advance(DAY * day);
        assert_eq!(followed(&*deletions, std::slice::from_ref(&job)).await, [[expected]], "{day}");
    }
}

#[rstest]
#[case(Some(90), "forgotten")]
#[case(None, "done")]
#[tokio::test]
async fn what_segment_forgot_is_never_done(#[case] remembered_days: Option<u64>, #[case] expected: &str) {
    let remembered_days = Some(remembered_days);
    let sandbox = sandbox_with(KnobsPatch { remembered_days, ..KnobsPatch::default() }).await;
    let deletions = connector(&sandbox);
    let jobs = [deletions.erase(&[ana()]).await.unwrap(), deletions.erase(&[jo()]).await.unwrap()];
    sandbox.clock().advance(DAY * 91);
    assert_eq!(followed(&*deletions, &jobs[..1]).await, [[expected]]);
    assert_eq!(followed(&*deletions, &jobs).await, [[expected], [expected]]);
}

#[tokio::test]
async fn many_deletions_under_way_cost_one_call_and_each_end_one_more() {
    let sandbox = sandbox().await;
    let deletions = connector(&sandbox);
    let mut jobs = Vec::new();
    for number in 0..20 {
        if number % 10 == 0 {
            sandbox.segment_config().plan_next(at_once()).unwrap();
        }
        jobs.push(deletions.erase(&[subject(&[(UserId, &format!("u-{number}"))])]).await.unwrap());
    }
    calls(&sandbox);
    let told = followed(&*deletions, &jobs).await;
    assert_eq!(calls(&sandbox), counted(&[(LIST, 1), (LOOK, 2)]));
    let done: Vec<usize> = (0..20).filter(|at| told[*at] == ["done"]).collect();
    assert_eq!(done, [0, 10]);
}

#[rstest]
#[tokio::test]
async fn pages_of_any_size_tell_the_same(
    #[values(1, 3, 100)] page_cap: usize,
    #[values(EndOfList::Empty, EndOfList::Absent)] end_of_list: EndOfList,
) {
    let patch =
        KnobsPatch { page_cap: Some(page_cap), end_of_list: Some(end_of_list), ..KnobsPatch::default() };
    let sandbox = sandbox_with(patch).await;
    let deletions = connector(&sandbox);
    let mut jobs = Vec::new();
    for number in 0..8 {
        if number == 3 {
            sandbox.segment_config().plan_next(at_once().outcome("braze", "failed", "")).unwrap();
        }
        jobs.push(deletions.erase(&[subject(&[(UserId, &format!("u-{number}"))])]).await.unwrap());
    }
    calls(&sandbox);
    let told = followed(&*deletions, &jobs).await;
    let finished = vec!["done".to_owned(), "Braze failed".to_owned()];
    assert!(
        (0..8).all(|at| if at == 3 { told[at] == finished } else { told[at] == ["pending"] }),
        "{told:?}"
    );
    let cost: u64 = calls(&sandbox).values().sum();
    assert!(cost <= 8 + 1, "never more than to ask for each alone: {cost}");
}

#[rstest]
#[case::rate(Fault::RateLimited { retry_after: None }, ErrorKind::RateLimited)]
#[case::text_503(
    refusal(503, Some("upstream connect error or disconnect/reset before headers")),
    ErrorKind::Unavailable
)]
#[case::json_503(refusal(503, None), ErrorKind::Unavailable)]
#[case::internal(refusal(500, None), ErrorKind::Unavailable)]
#[case::page(Fault::Html { code: 200 }, ErrorKind::BadAnswer)]
#[case::malformed(Fault::Malformed {}, ErrorKind::BadAnswer)]
#[case::truncated(Fault::Truncated {}, ErrorKind::BadAnswer)]
#[case::type_of_another(Fault::WrongContentType { content_type: "text/plain".to_owned() }, ErrorKind::BadAnswer)]
#[case::deep(Fault::DeepJson { depth: 100_000 }, ErrorKind::BadAnswer)]
#[case::oversized(Fault::Oversized { bytes: 16 << 20, announced: false }, ErrorKind::TooLarge)]
#[case::redirect(Fault::Redirect { location: "http://127.0.0.1:9/".to_owned() }, ErrorKind::BadAnswer)]
#[case::lost(Fault::AnswerLost {}, ErrorKind::Unavailable)]
#[tokio::test]
async fn a_fault_while_following_is_named_and_survived(#[case] fault: Fault, #[case] kind: ErrorKind) {
    let sandbox = sandbox().await;
    let deletions = connector(&sandbox);
    let job = deletions.erase(&[ana()]).await.unwrap();
    sandbox.clock().advance(ALL_DONE);
    sandbox.faults().add(Rule::new(VENDOR, fault).method("GET").times(1)).unwrap();
    let error = deletions.follow(std::slice::from_ref(&job)).await.unwrap_err();
    assert_eq!(error.kind, kind);
    assert!(!format!("{error:?}").contains(TOKEN));
    assert_eq!(followed(&*deletions, &[job]).await, [["done"]]);
}

#[rstest]
#[tokio::test]
async fn a_token_revoked_while_following_is_credentials(
    #[values(BadToken::Unauthenticated, BadToken::PermissionDenied)] bad_token: BadToken,
    #[values(1, 2)] count: usize,
) {
    let sandbox = sandbox_with(KnobsPatch { bad_token: Some(bad_token), ..KnobsPatch::default() }).await;
    let deletions = connector(&sandbox);
    let jobs = [deletions.erase(&[ana()]).await.unwrap(), deletions.erase(&[jo()]).await.unwrap()];
    assert!(sandbox.segment_config().revoke_token(TOKEN));
    let error = deletions.follow(&jobs[..count]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Credentials, Retry::Never));
}

#[tokio::test]
async fn a_list_that_fails_is_done_without() {
    let sandbox = sandbox().await;
    let deletions = connector(&sandbox);
    let jobs = [deletions.erase(&[ana()]).await.unwrap(), deletions.erase(&[jo()]).await.unwrap()];
    sandbox.clock().advance(ALL_DONE);
    let rule = Rule::new(VENDOR, Fault::Html { code: 200 }).path_contains("regulations?").when(When::After);
    sandbox.faults().add(rule).unwrap();
    assert_eq!(followed(&*deletions, &jobs).await, [["done"], ["done"]]);
}
