//! Following deletions of the sandbox to their end.

use habeas_sandbox::faults::When;
use habeas_sandbox::segment_config::{RegulationPlan, Unsupported};

use super::others::Cut::{self, AsAsked, Capped, Crowded};
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
    #[values(Config, Public)] face: Face,
    #[values(Unset::Written, Unset::LeftOut)] finished_at: Unset,
    #[values(false, true)] details: bool,
    #[values(Unset::Written, Unset::LeftOut)] end_of_list: Unset,
) {
    let stage = Stage::at(face).await;
    stage.spell(Spelling { end_of_list, finished_at, details });
    let deletions = stage.connector();
    let first = deletions.erase(&[ana()]).await.unwrap();
    let second = deletions.erase(&[jo()]).await.unwrap();
    for (wait, expected) in [(0, "pending"), (90, "pending"), (100, "pending"), (120, "done")] {
        stage.clock().advance(Duration::from_secs(wait));
        // Alone it is asked for by its id, with others it is looked up in the list.
        assert_eq!(followed(&*deletions, std::slice::from_ref(&first)).await, [[expected]]);
        assert_eq!(followed(&*deletions, &[first.clone(), second.clone()]).await, [[expected], [expected]]);
    }
    assert!(!stage.segment_config().has_data(WORKSPACE, ANA));
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
async fn the_end_of_every_destination_is_understood(
    #[case] plan: RegulationPlan,
    #[case] expected: &[&str],
    #[values(Config, Public)] face: Face,
) {
    let stage = Stage::at(face).await;
    let segment_deletes = plan.destinations.keys().all(|key| !key.contains("segment"));
    stage.segment_config().plan_next(plan).unwrap();
    let deletions = stage.connector();
    let job = deletions.erase(&[ana()]).await.unwrap();
    let other = deletions.erase(&[jo()]).await.unwrap();
    assert_eq!(followed(&*deletions, std::slice::from_ref(&job)).await, [expected]);
    assert_eq!(followed(&*deletions, &[other, job]).await[1], expected, "also by way of the list");
    if expected[0] == "done" {
        assert!(segment_deletes && !stage.segment_config().has_data(WORKSPACE, ANA));
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
    #[values(Config, Public)] face: Face,
) {
    let unsupported_destinations = Some(unsupported_destinations);
    let stage = Stage::with(face, KnobsPatch { unsupported_destinations, ..KnobsPatch::default() }).await;
    let deletions = stage.connector_with(face.tokens().other, OTHER_WORKSPACE);
    let job = deletions.erase(&[ana()]).await.unwrap();
    stage.clock().advance(ALL_DONE);
    assert_eq!(followed(&*deletions, &[job]).await, [expected]);
    assert!(!stage.segment_config().has_data(OTHER_WORKSPACE, ANA_EMAIL));
}

#[rstest]
#[tokio::test]
async fn a_destination_that_fails_first_does_not_end_what_segment_still_does(
    #[values(Config, Public)] face: Face,
) {
    let stage = Stage::at(face).await;
    let plan = RegulationPlan { shown_status: Some("failed".to_owned()), ..RegulationPlan::default() };
    stage.segment_config().plan_next(plan).unwrap();
    let deletions = stage.connector();
    let job = deletions.erase(&[ana()]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(followed(&*deletions, std::slice::from_ref(&job)).await, [["pending"]]);
        stage.clock().advance(Duration::from_secs(80));
    }
    stage.clock().advance(ALL_DONE);
    assert_eq!(followed(&*deletions, &[job]).await, [["done"]]);
}

#[rstest]
#[tokio::test]
async fn days_in_the_queue_are_waited_for(#[values(Config, Public)] face: Face) {
    let patch = KnobsPatch {
        initialized_seconds: Some(7 * 86_400),
        running_seconds: Some(86_400),
        ..KnobsPatch::default()
    };
    let stage = Stage::with(face, patch).await;
    let deletions = stage.connector();
    let job = deletions.erase(&[ana()]).await.unwrap();
    for (day, expected) in [(0, "pending"), (6, "pending"), (2, "done")] {
        stage.clock().advance(DAY * day);
        assert_eq!(followed(&*deletions, std::slice::from_ref(&job)).await, [[expected]], "{day}");
    }
}

#[rstest]
#[case(Some(90), "forgotten")]
#[case(None, "done")]
#[tokio::test]
async fn what_segment_forgot_is_never_done(
    #[case] remembered_days: Option<u64>,
    #[case] expected: &str,
    #[values(Config, Public)] face: Face,
) {
    let remembered_days = Some(remembered_days);
    let stage = Stage::with(face, KnobsPatch { remembered_days, ..KnobsPatch::default() }).await;
    let deletions = stage.connector();
    let jobs = [deletions.erase(&[ana()]).await.unwrap(), deletions.erase(&[jo()]).await.unwrap()];
    stage.clock().advance(DAY * 91);
    assert_eq!(followed(&*deletions, &jobs[..1]).await, [[expected]]);
    assert_eq!(followed(&*deletions, &jobs).await, [[expected], [expected]]);
}

#[rstest]
#[tokio::test]
async fn many_deletions_under_way_cost_one_call_and_each_end_one_more(#[values(Config, Public)] face: Face) {
    let stage = Stage::at(face).await;
    let deletions = stage.connector();
    let mut jobs = Vec::new();
    for number in 0..20 {
        if number % 10 == 0 {
            stage.segment_config().plan_next(at_once()).unwrap();
        }
        jobs.push(deletions.erase(&[subject(&[(UserId, &format!("u-{number}"))])]).await.unwrap());
    }
    stage.calls();
    let told = followed(&*deletions, &jobs).await;
    let Routes { list, look, .. } = face.routes();
    assert_eq!(stage.calls(), counted(&[(list, 1), (look, 2)]));
    let done: Vec<usize> = (0..20).filter(|at| told[*at] == ["done"]).collect();
    assert_eq!(done, [0, 10]);
}

#[rstest]
#[tokio::test]
async fn pages_of_any_size_tell_the_same(
    #[values(
        (Config, Capped(1)), (Config, Capped(3)), (Config, AsAsked), (Config, Crowded),
        (Public, AsAsked), (Public, Crowded)
    )]
    cut: (Face, Cut),
    #[values(Unset::Written, Unset::LeftOut)] end_of_list: Unset,
) {
    let stage = Stage::cutting(cut).await;
    stage.spell(Spelling { end_of_list, ..Spelling::default() });
    let deletions = stage.connector();
    let mut jobs = Vec::new();
    for number in 0..8 {
        if number == 3 {
            stage.segment_config().plan_next(at_once().outcome("braze", "failed", "")).unwrap();
        }
        jobs.push(deletions.erase(&[subject(&[(UserId, &format!("u-{number}"))])]).await.unwrap());
    }
    stage.crowd(cut.1).await;
    stage.calls();
    let told = followed(&*deletions, &jobs).await;
    let finished = vec!["done".to_owned(), "Braze failed".to_owned()];
    assert!(
        (0..8).all(|at| if at == 3 { told[at] == finished } else { told[at] == ["pending"] }),
        "{told:?}"
    );
    let cost: u64 = stage.calls().values().sum();
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
async fn a_fault_while_following_is_named_and_survived(
    #[case] fault: Fault,
    #[case] kind: ErrorKind,
    #[values(Config, Public)] face: Face,
) {
    let stage = Stage::at(face).await;
    let deletions = stage.connector();
    let job = deletions.erase(&[ana()]).await.unwrap();
    stage.clock().advance(ALL_DONE);
    stage.fault(stage.rule(fault).method("GET").times(1));
    let error = deletions.follow(std::slice::from_ref(&job)).await.unwrap_err();
    assert_eq!(error.kind, kind);
    assert!(!format!("{error:?}").contains(face.tokens().owner));
    assert_eq!(followed(&*deletions, &[job]).await, [["done"]]);
}

#[rstest]
#[tokio::test]
async fn a_token_revoked_while_following_is_credentials(
    #[values(Config, Public)] face: Face,
    #[values(BadToken::Unauthenticated, BadToken::PermissionDenied)] bad_token: BadToken,
    #[values(1, 2)] count: usize,
) {
    let stage = Stage::with(face, KnobsPatch { bad_token: Some(bad_token), ..KnobsPatch::default() }).await;
    let deletions = stage.connector();
    let jobs = [deletions.erase(&[ana()]).await.unwrap(), deletions.erase(&[jo()]).await.unwrap()];
    assert!(stage.segment_config().revoke_token(face.tokens().owner));
    let error = deletions.follow(&jobs[..count]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Credentials, Retry::Never));
}

#[rstest]
#[tokio::test]
async fn a_list_that_fails_is_done_without(#[values(Config, Public)] face: Face) {
    let stage = Stage::at(face).await;
    let deletions = stage.connector();
    let jobs = [deletions.erase(&[ana()]).await.unwrap(), deletions.erase(&[jo()]).await.unwrap()];
    stage.clock().advance(ALL_DONE);
    let rule = stage.rule(Fault::Html { code: 200 }).path_contains("regulations?").when(When::After);
    stage.fault(rule);
    assert_eq!(followed(&*deletions, &jobs).await, [["done"], ["done"]]);
}
