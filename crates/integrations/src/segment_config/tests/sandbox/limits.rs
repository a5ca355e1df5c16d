//! Limits and the monthly quota, at both faces of the sandbox: what a refusal says of how long to wait, and what it does
//! not.

use habeas_sandbox::segment_config::{QuotaHeaders, QuotaUse};

use super::*;

/// How long the vendor asked to wait.
fn asked_to_wait(error: &VendorError) -> Option<Duration> {
    assert_eq!((error.kind, error.status), (ErrorKind::RateLimited, Some(429)));
    let Retry::After(wait) = error.retry else { panic!("{:?}", error.retry) };
    wait
}

fn is_within_a_minute(wait: Option<Duration>) -> bool {
    wait.is_some_and(|wait| (50..=60).contains(&wait.as_secs()))
}

#[rstest]
// It says nothing of when the month ends; an hour is the longest that is waited for at once.
#[case(Config, None)]
#[case(Public, Some(HOUR))]
#[tokio::test]
async fn a_used_up_month_is_waited_for_and_said(#[case] face: Face, #[case] wait: Option<Duration>) {
    let patch = KnobsPatch { monthly_users: Some(Some(3)), ..KnobsPatch::default() };
    let stage = Stage::with(face, patch).await;
    let deletions = stage.connector();
    deletions.erase(&[ana()]).await.unwrap();
    let error = deletions.erase(&[jo()]).await.unwrap_err();
    let asked = asked_to_wait(&error);
    // In the last hour of a month the vendor asks for less.
    assert!(asked <= wait && asked.is_some() == wait.is_some(), "{asked:?}");
    assert!(error.remedy.contains("monthly quota"), "{}", error.remedy);
    assert_eq!(stage.segment_config().accepted_for_deletion(JO), 0);
    stage.clock().advance(HOUR * 24 * 32);
    deletions.erase(&[jo()]).await.unwrap();
    assert_eq!(stage.segment_config().accepted_for_deletion(JO), 1);
}

/// What is used up through the one is used up for the other.
#[rstest]
#[tokio::test]
async fn the_two_apis_share_a_month(#[values(Config, Public)] face: Face) {
    let patch = KnobsPatch { monthly_users: Some(Some(3)), ..KnobsPatch::default() };
    let mut stage = Stage::with(face, patch).await;
    stage.connector().erase(&[ana()]).await.unwrap();
    stage.face = face.other();
    asked_to_wait(&stage.connector().erase(&[jo()]).await.unwrap_err());
    let used = QuotaUse { segment_only: 0, segment_and_destination: 2 };
    assert_eq!(stage.segment_config().quota_used(WORKSPACE), Some(used));
}

/// The token as a whole has made too many calls.
#[rstest]
#[tokio::test]
async fn the_limit_of_a_minute_is_respected_with_and_without_a_time(
    #[values(Config, Public)] face: Face,
    #[values(false, true)] retry_after: bool,
) {
    let patch = KnobsPatch { retry_after: Some(retry_after), ..KnobsPatch::default() };
    let stage = Stage::with(face, patch).await;
    stage.segment_config().set_limit(Some(1));
    stage.turn(PublicKnobsPatch {
        retry_after: Some(retry_after),
        calls_per_minute: Some(Some(1)),
        ..PublicKnobsPatch::default()
    });
    let deletions = stage.connector();
    let job = deletions.erase(&[ana()]).await.unwrap();
    let error = deletions.follow(std::slice::from_ref(&job)).await.unwrap_err();
    let wait = asked_to_wait(&error);
    assert_eq!(is_within_a_minute(wait), retry_after, "{wait:?}");
    stage.clock().advance(Duration::from_secs(60));
    deletions.follow(&[job]).await.unwrap();
}

/// One kind of call has been made too often: the answer's body says for how long.
#[rstest]
#[case::reading(PublicKnobsPatch { reads_per_minute: Some(Some(1)), ..PublicKnobsPatch::default() }, true)]
#[case::creating(PublicKnobsPatch { regulation_creates_per_minute: Some(Some(1)), ..PublicKnobsPatch::default() }, false)]
#[tokio::test]
async fn the_limit_of_one_kind_of_call_is_waited_for(#[case] patch: PublicKnobsPatch, #[case] reads: bool) {
    let stage = Stage::at(Public).await;
    stage.turn(patch);
    let deletions = stage.connector();
    let job = [deletions.erase(&[ana()]).await.unwrap()];
    deletions.follow(&job).await.unwrap();
    let error = match reads {
        true => deletions.follow(&job).await.unwrap_err(),
        false => deletions.erase(&[jo()]).await.unwrap_err(),
    };
    let wait = asked_to_wait(&error);
    assert!(is_within_a_minute(wait), "{wait:?}");
    // The other kind is not concerned.
    match reads {
        true => drop(deletions.erase(&[jo()]).await.unwrap()),
        false => drop(deletions.follow(&job).await.unwrap()),
    }
    stage.clock().advance(Duration::from_secs(60));
    deletions.follow(&job).await.unwrap();
    deletions.erase(&[kim()]).await.unwrap();
}

/// A creation's answer tells what is left of the quota, under names that changed; nothing depends on them.
#[rstest]
#[tokio::test]
async fn what_a_creation_tells_of_the_quota_changes_nothing(
    #[values(QuotaHeaders::RateLimit, QuotaHeaders::Regulation)] quota_headers: QuotaHeaders,
    #[values(2, 110_000)] monthly_users: u64,
) {
    let patch = KnobsPatch { monthly_users: Some(Some(monthly_users)), ..KnobsPatch::default() };
    let stage = Stage::with(Public, patch).await;
    stage.turn(PublicKnobsPatch { quota_headers: Some(quota_headers), ..PublicKnobsPatch::default() });
    let job = stage.connector().erase(&[ana()]).await.unwrap();
    let used = QuotaUse { segment_only: 0, segment_and_destination: 2 };
    assert_eq!(stage.segment_config().quota_used(WORKSPACE), Some(used));
    assert!(stage.segment_config().regulation(job.as_str()).is_some());
}

/// `pagination` is always sent, with a count that every version of the API takes.
#[rstest]
#[tokio::test]
async fn lists_are_asked_for_as_every_version_of_the_api_takes_it(
    #[values(None, Some(200))] default_count: Option<usize>,
    #[values(200, 1_000)] highest_count: usize,
) {
    let stage = Stage::at(Public).await;
    stage.turn(PublicKnobsPatch {
        default_count: Some(default_count),
        highest_count: Some(highest_count),
        ..PublicKnobsPatch::default()
    });
    let connector = stage.connector();
    check(&*connector).await.unwrap();
    connector.find_erasures(&[ana()], stage.now()).await.unwrap();
    assert!(!connector.detect().await.unwrap().systems.is_empty());
}
