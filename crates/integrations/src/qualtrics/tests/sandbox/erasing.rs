//! Erasing people at the sandbox, and following it to its end.

use habeas_sandbox::qualtrics::fixtures::ANONYMOUS_RESPONSE;
use habeas_sandbox::qualtrics::{
    Completion, ErasureShape, ErasureSpec, JobStatus, RateLimitHeaders, Refusal,
};

use super::*;
use crate::connector::{Presence, Progress};
use crate::qualtrics::manifest::MANIFEST;
use habeas_domain::IdentifierType::Email;

fn told(progress: &Progress) -> &'static str {
    match progress {
        Progress::Pending => "pending",
        Progress::Done(_) => "done",
        Progress::Failed(_) => "failed",
        Progress::Forgotten => "forgotten",
    }
}

async fn followed(connector: &dyn Connector, jobs: &[Job]) -> Vec<&'static str> {
    connector.follow(jobs).await.unwrap().iter().map(told).collect()
}

#[rstest]
#[tokio::test]
async fn a_person_is_erased_followed_and_proven_gone(
    #[values(ErasureShape::Documented, ErasureShape::Loose)] shape: ErasureShape,
    #[values(Refusal::NotFound, Refusal::BadRequest)] running: Refusal,
    #[values(1, 100)] page: usize,
) {
    let brand = Brand::with(KnobsPatch {
        erasure_shape: Some(shape),
        erasure_running: Some(running),
        offset_page_size: Some(page),
        ..KnobsPatch::default()
    })
    .await;
    let (connector, ana) = (brand.connector(), subject(&[ANA_EMAIL]));
    for number in 0..3 {
        let emails = vec![format!("old{number}@example.test")];
        let spec = ErasureSpec {
            emails,
            search_only: false,
            status: JobStatus::Completed,
            failure_reason: None,
            emails_not_found: Vec::new(),
            created_ms: None,
        };
        brand.vendor().add_erasure(spec).unwrap();
    }
    assert_eq!(connector.presence(&ana).await, Ok(Presence::Held));
    let job = connector.erase(&[ana.clone(), subject(&[JO_EMAIL])]).await.unwrap();
    let erasure = brand.vendor().erasures().pop().unwrap();
    assert_eq!((erasure.id.as_str(), erasure.search_only), (job.as_str(), false));
    assert_eq!(erasure.emails, [ANA_EMAIL, JO_EMAIL]);
    for expected in ["pending", "pending", "done"] {
        assert_eq!(followed(&*connector, std::slice::from_ref(&job)).await, [expected]);
    }
    assert_eq!(connector.presence(&ana).await, Ok(Presence::GONE));
    assert!(brand.vendor().responses_with_email(ANA_EMAIL).is_empty());
    assert!(brand.vendor().tickets_with_email(ANA_EMAIL).is_empty());
    assert_eq!(
        connector.presence(&subject(&[KIM_EMAIL])).await,
        Ok(Presence::Held),
        "nobody else is touched"
    );
    let all = brand.vendor().snapshot().to_string();
    assert!(all.contains(ANONYMOUS_RESPONSE));
    let named: Vec<String> =
        Qualtrics::default().residuals_of_deletion().into_iter().map(|one| one.what).collect();
    assert!(named.contains(&"responses without a contact".to_owned()), "and that is said in advance");
    let routes = brand.calls();
    assert!(!routes.keys().any(|route| route.contains("op-erase-personal-data/")), "the list is asked");
}

#[rstest]
#[case::sourced("InProgress", "Completed")]
#[case::queued("Pending", "complete")]
#[case::spaced("in progress", "DONE")]
#[case::unknown("Sorting", " Success ")]
#[case::like_the_end("completing", "COMPLETED")]
#[case::empty("", "Complete_d")]
#[tokio::test]
async fn words_for_a_state_are_read_tolerantly(#[case] pending: &str, #[case] completed: &str) {
    let brand = Brand::with(KnobsPatch {
        erasure_completion: Some(Completion::Polls(1)),
        erasure_pending_word: Some(pending.to_owned()),
        erasure_completed_word: Some(completed.to_owned()),
        ..KnobsPatch::default()
    })
    .await;
    let connector = brand.connector();
    let job = connector.erase(&[subject(&[ANA_EMAIL])]).await.unwrap();
    assert_eq!(followed(&*connector, std::slice::from_ref(&job)).await, ["pending"]);
    assert_eq!(followed(&*connector, &[job]).await, ["done"]);
}

#[tokio::test]
async fn a_word_that_nobody_knows_is_never_the_end() {
    let brand = Brand::with(KnobsPatch {
        erasure_completion: Some(Completion::Polls(0)),
        erasure_completed_word: Some("Archived".to_owned()),
        ..KnobsPatch::default()
    })
    .await;
    let connector = brand.connector();
    let job = connector.erase(&[subject(&[ANA_EMAIL])]).await.unwrap();
    assert_eq!(followed(&*connector, &[job]).await, ["pending"]);
}

#[rstest]
#[case::usual("Failed")]
#[case::cancelled("cancelled")]
#[case::other_word_with_a_reason("Rejected")]
#[case::contradicting_word("Completed")]
#[tokio::test]
async fn a_failed_erasure_is_one_and_its_reason_is_not_shown(#[case] word: &str) {
    let brand = Brand::with(KnobsPatch {
        erasure_completion: Some(Completion::Polls(0)),
        erasure_failure: Some(Some(format!("cannot erase {ANA_EMAIL}"))),
        erasure_failed_word: Some(word.to_owned()),
        ..KnobsPatch::default()
    })
    .await;
    let connector = brand.connector();
    let job = connector.erase(&[subject(&[ANA_EMAIL])]).await.unwrap();
    let Progress::Failed(error) = connector.follow(&[job]).await.unwrap().remove(0) else { panic!("{word}") };
    assert_eq!((error.kind, error.retry), (ErrorKind::JobFailed, Retry::Never));
    assert!(error.vendor_request_id.is_some() && !format!("{error:?}").contains(ANA_EMAIL));
    assert_eq!(connector.presence(&subject(&[ANA_EMAIL])).await, Ok(Presence::Held));
}

#[rstest]
#[case::nobody(&[NOBODY_EMAIL], true)]
#[case::nobody_shouted(&["Nobody@Example.TEST"], true)]
#[case::somebody(&[ANA_EMAIL], false)]
#[case::one_of_two_addresses(&[NOBODY_EMAIL, ANA_EMAIL], false)]
#[case::neither_of_two(&[NOBODY_EMAIL, "noone@example.test"], true)]
#[tokio::test]
async fn what_was_not_found_is_told_from_what_was_erased(
    #[case] emails: &[&str],
    #[case] nothing_held: bool,
    #[values(ErasureShape::Documented, ErasureShape::Loose)] shape: ErasureShape,
) {
    let brand = Brand::with(KnobsPatch {
        erasure_completion: Some(Completion::Polls(0)),
        erasure_shape: Some(shape),
        ..KnobsPatch::default()
    })
    .await;
    let (connector, person) = (brand.connector(), subject(emails));
    let job = connector.erase(std::slice::from_ref(&person)).await.unwrap();
    let Progress::Done(erased) = connector.follow(&[job]).await.unwrap().remove(0) else {
        panic!("not over")
    };
    assert_eq!(erased.nothing_held_for.covers(&person, &[Email]), nothing_held);
}

#[tokio::test]
async fn one_reading_of_the_list_serves_all_jobs_within_the_vendors_limits() {
    let brand = Brand::with(KnobsPatch {
        limits_enforced: Some(true),
        erasure_completion: Some(Completion::Manual),
        ..KnobsPatch::default()
    })
    .await;
    let connector = brand.connector();
    let mut jobs = Vec::new();
    for number in 0..20 {
        let person = subject(&[&format!("p{number}@example.test")]);
        jobs.push(connector.erase(&[person]).await.unwrap());
    }
    assert!(brand.vendor().finish_erasure(jobs[3].as_str(), None));
    assert!(brand.vendor().finish_erasure(jobs[4].as_str(), Some("reason")));
    jobs.push(Job::new("OP-not-in-the-list-yet").unwrap());
    brand.calls();
    let told = followed(&*connector, &jobs).await;
    assert_eq!(brand.calls(), counted(&[(ERASURES, 1)]));
    let expected = |at| {
        if at == 3 {
            "done"
        } else if at == 4 {
            "failed"
        } else {
            "pending"
        }
    };
    assert!((0..21).all(|at| told[at] == expected(at)), "{told:?}");
}

#[tokio::test]
async fn the_fullest_batch_of_the_manifest_is_one_call() {
    let brand = Brand::new().await;
    let batch = MANIFEST.capabilities.deletion.unwrap().batch.identifiers;
    let people: Vec<Subject> = (0..batch).map(|n| subject(&[&format!("p{n}@example.test")])).collect();
    brand.connector().erase(&people).await.unwrap();
    assert_eq!(brand.vendor().erasures()[0].emails.len(), 100);
    assert_eq!(brand.calls(), counted(&[(MINT, 1), (ERASE, 1)]));
}

#[rstest]
#[case::an_address(KnobsPatch { refused_emails: Some(vec![JO_EMAIL.to_owned()]), ..KnobsPatch::default() })]
#[case::fewer_are_taken(KnobsPatch { emails_per_request: Some(1), ..KnobsPatch::default() })]
#[tokio::test]
async fn a_refused_batch_can_be_split(#[case] patch: KnobsPatch) {
    let brand = Brand::with(patch).await;
    let connector = brand.connector();
    let error = connector.erase(&[subject(&[ANA_EMAIL]), subject(&[JO_EMAIL])]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::BadRequest, Retry::Never));
    assert!(brand.vendor().erasures().is_empty());
    connector.erase(&[subject(&[ANA_EMAIL])]).await.unwrap();
}

#[rstest]
#[case::none(RateLimitHeaders::None, false)]
#[case::seconds(RateLimitHeaders::RetryAfterSeconds, true)]
#[case::date(RateLimitHeaders::RetryAfterDate, true)]
#[case::x_rate_limit(RateLimitHeaders::XRateLimit, false)]
#[case::rate_limit(RateLimitHeaders::RateLimit, false)]
#[tokio::test]
async fn being_told_to_slow_down_is_understood_in_every_dialect(
    #[case] headers: RateLimitHeaders,
    #[case] names_a_time: bool,
) {
    let brand = Brand::with(KnobsPatch {
        limits_enforced: Some(true),
        rate_limit_headers: Some(headers),
        ..KnobsPatch::default()
    })
    .await;
    brand.vendor().set_limit("POST /op-erase-personal-data", Some(1)).unwrap();
    let connector = brand.connector();
    connector.erase(&[subject(&[ANA_EMAIL])]).await.unwrap();
    let error = connector.erase(&[subject(&[JO_EMAIL])]).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::RateLimited, Some(429)));
    let Retry::After(wait) = error.retry else { panic!("{:?}", error.retry) };
    let is_a_minute = |wait: Duration| (45..=61).contains(&wait.as_secs());
    assert_eq!(wait.map(is_a_minute), names_a_time.then_some(true), "{wait:?}");
    assert!(error.vendor_request_id.is_some());
    assert_eq!(brand.vendor().erasures_accepted(JO_EMAIL), 0);
}

#[rstest]
#[tokio::test]
async fn a_user_of_the_brand_is_a_caution_wherever_the_page_ends(#[values(1, 2, 100)] page: usize) {
    let patch = KnobsPatch { offset_page_size: Some(page), ..KnobsPatch::default() };
    let brand = Brand::with(patch).await;
    let people = [ANA_EMAIL, OWNER_EMAIL, "Owner.User@Example.test", NOBODY_EMAIL];
    let cautions = brand.connector().cautions(&people.map(|email| subject(&[email]))).await.unwrap();
    let codes: Vec<Option<&str>> =
        cautions.iter().map(|caution| caution.as_ref().map(|one| one.code)).collect();
    assert_eq!(codes, [None, Some("brand_user"), Some("brand_user"), None]);
    assert_eq!(brand.calls(), counted(&[(MINT, 1), (USERS, 4_u64.div_ceil(page as u64))]));
    assert!(brand.vendor().erasures().is_empty());
}

#[rstest]
#[case::lost(Fault::AnswerLost {}, ErrorKind::Unavailable)]
#[case::scope(Fault::ScopeMissing { scope: "read:users".to_owned() }, ErrorKind::Permission)]
#[case::elsewhere(foreign_next(), ErrorKind::BadAnswer)]
#[case::endless(Fault::EndlessNext {}, ErrorKind::BadAnswer)]
#[tokio::test]
async fn users_that_cannot_be_read_to_the_end_are_an_error(#[case] fault: Fault, #[case] kind: ErrorKind) {
    let brand = Brand::new().await;
    brand.fault(rule(fault).path_contains("/users"));
    let error = brand.connector().cautions(&[subject(&[ANA_EMAIL])]).await.unwrap_err();
    assert_eq!(error.kind, kind);
}

#[rstest]
#[case(true, Presence::GONE)]
#[case(false, Presence::Held)]
#[tokio::test]
async fn an_account_that_an_erasure_leaves_is_still_held(
    #[case] deletes_users: bool,
    #[case] presence: Presence,
) {
    let brand = Brand::with(KnobsPatch {
        erasure_completion: Some(Completion::Polls(0)),
        erasure_deletes_users: Some(deletes_users),
        ..KnobsPatch::default()
    })
    .await;
    let owner = subject(&[OWNER_EMAIL]);
    brand.connector().erase(std::slice::from_ref(&owner)).await.unwrap();
    assert!(brand.vendor().contacts_with_email(OWNER_EMAIL).is_empty());
    assert_eq!(brand.connector().presence(&owner).await, Ok(presence));
}

#[tokio::test]
async fn an_index_that_lags_behind_shows_the_person_for_a_while() {
    let brand = Brand::with(KnobsPatch {
        erasure_completion: Some(Completion::Polls(0)),
        index_lag_ms: Some(60_000),
        ..KnobsPatch::default()
    })
    .await;
    let (connector, ana) = (brand.connector(), subject(&[ANA_EMAIL]));
    connector.erase(std::slice::from_ref(&ana)).await.unwrap();
    assert!(brand.vendor().contacts_with_email(ANA_EMAIL).is_empty());
    assert_eq!(connector.presence(&ana).await, Ok(Presence::Held));
    brand.wait(61);
    brand.calls();
    assert_eq!(connector.presence(&ana).await, Ok(Presence::GONE));
    assert_eq!(brand.calls(), counted(&[(DIRECTORIES, 1), (SEARCH, 2), (USERS, 1)]));
}

#[rstest]
#[tokio::test]
async fn gone_is_not_said_where_nothing_can_be_searched(
    #[values(Refusal::BadRequest, Refusal::Forbidden, Refusal::NotFound)] lite_directory: Refusal,
) {
    let patch = KnobsPatch { lite_directory: Some(lite_directory), ..KnobsPatch::default() };
    let brand = Brand::with(patch).await;
    for directory in [DIRECTORY, SECOND_DIRECTORY] {
        assert!(brand.vendor().set_lite(directory, true));
    }
    let error = brand.connector().presence(&subject(&[ANA_EMAIL])).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::NotAllowed, Retry::Never));
}
