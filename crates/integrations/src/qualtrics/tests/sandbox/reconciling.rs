//! What the sandbox has after an answer was lost.

use habeas_sandbox::faults::When;
use habeas_sandbox::qualtrics::{ErasureShape, ErasureSpec, JobStatus};

use super::*;

async fn found(brand: &Brand, emails: &[&str], since: Timestamp) -> Vec<Option<Job>> {
    brand.connector().find_erasures(&[subject(emails)], since).await.unwrap()
}

fn planted(emails: &[&str]) -> ErasureSpec {
    ErasureSpec {
        emails: emails.iter().map(|email| (*email).to_owned()).collect(),
        search_only: false,
        status: JobStatus::Pending,
        failure_reason: None,
        emails_not_found: Vec::new(),
        created_ms: None,
    }
}

/// Whether the erasure was accepted is what these differ in.
#[rstest]
#[case::lost(Fault::AnswerLost {}, When::After, true)]
#[case::gateway_timeout(status(504), When::After, true)]
#[case::web_page(Fault::Html { code: 200 }, When::After, true)]
#[case::malformed(Fault::Malformed {}, When::After, true)]
#[case::truncated(Fault::Truncated {}, When::After, true)]
#[case::another_type(Fault::WrongContentType { content_type: "text/plain".to_owned() }, When::After, true)]
#[case::dropped(Fault::DroppedBefore {}, When::Before, false)]
#[case::down(status(503), When::Before, false)]
#[case::internal(status(500), When::Before, false)]
#[tokio::test]
async fn a_lost_answer_is_settled_without_erasing_twice(
    #[case] fault: Fault,
    #[case] when: When,
    #[case] was_accepted: bool,
    #[values(ErasureShape::Documented, ErasureShape::Loose)] shape: ErasureShape,
    #[values(1, 100)] page: usize,
) {
    let brand = Brand::with(KnobsPatch {
        erasure_shape: Some(shape),
        offset_page_size: Some(page),
        ..KnobsPatch::default()
    })
    .await;
    let connector = brand.connector();
    connector.erase(&[subject(&[KIM_EMAIL])]).await.unwrap();
    let since = brand.now();
    brand.fault(rule(fault).method("POST").path_contains("op-erase").when(when).times(1));
    let people = [subject(&[ANA_EMAIL]), subject(&[JO_EMAIL, "jo.ng@example.test"])];
    let error = connector.erase(&people).await.unwrap_err();
    assert_eq!(error.retry, Retry::UnknownOutcome, "{error}");
    // Meanwhile others are at work, too: a dry run, half of Jo, a failure.
    for spec in [
        ErasureSpec { search_only: true, ..planted(&[ANA_EMAIL, JO_EMAIL, "jo.ng@example.test"]) },
        planted(&[JO_EMAIL]),
        ErasureSpec { status: JobStatus::Failed, ..planted(&[ANA_EMAIL]) },
        ErasureSpec { failure_reason: Some("x".to_owned()), ..planted(&[ANA_EMAIL]) },
    ] {
        brand.vendor().add_erasure(spec).unwrap();
    }
    let all = brand.vendor().erasures();
    let is_ours = |emails: &[String]| emails.len() == 3;
    let ours = all.iter().find(|one| is_ours(&one.emails) && !one.search_only);
    let ours = ours.map(|one| Job::new(one.id.clone()).unwrap());
    assert_eq!(ours.is_some(), was_accepted);
    assert_eq!(connector.find_erasures(&people, since).await.unwrap(), [ours.clone(), ours.clone()]);
    if ours.is_none() {
        connector.erase(&people).await.unwrap();
    }
    assert_eq!(brand.vendor().erasures_accepted(ANA_EMAIL), 1);
}

#[rstest]
#[case::just_now(0, true)]
#[case::within_what_clocks_may_differ(9 * 60, true)]
#[case::before_the_call(11 * 60, false)]
#[tokio::test]
async fn an_older_erasure_is_not_taken_for_this_one(#[case] age: u64, #[case] is_this_one: bool) {
    let brand = Brand::new().await;
    let job = brand.connector().erase(&[subject(&[ANA_EMAIL])]).await.unwrap();
    brand.wait(age);
    assert_eq!(found(&brand, &[ANA_EMAIL], brand.now()).await, [is_this_one.then_some(job)]);
}

#[rstest]
#[case::as_written(ANA_EMAIL)]
#[case::shouted("ANA.SILVA@EXAMPLE.TEST")]
#[case::with_space(" ana.silva@example.test ")]
#[tokio::test]
async fn addresses_are_the_same_however_they_are_written(#[case] email: &str) {
    let brand = Brand::new().await;
    let id = brand.vendor().add_erasure(planted(&[email])).unwrap();
    assert_eq!(found(&brand, &[ANA_EMAIL], brand.now()).await, [Job::new(id)]);
}

#[rstest]
#[case::lost(Fault::AnswerLost {}, ErrorKind::Unavailable)]
#[case::elsewhere(foreign_next(), ErrorKind::BadAnswer)]
#[case::endless(Fault::EndlessNext {}, ErrorKind::BadAnswer)]
#[case::rate(Fault::RateLimited { retry_after: None }, ErrorKind::RateLimited)]
#[tokio::test]
async fn there_is_none_is_only_said_of_a_list_read_to_its_end(#[case] fault: Fault, #[case] kind: ErrorKind) {
    let brand = Brand::new().await;
    brand.vendor().add_erasure(planted(&[JO_EMAIL])).unwrap();
    brand.fault(rule(fault).method("GET").path_contains("op-erase"));
    let error = brand.connector().find_erasures(&[subject(&[ANA_EMAIL])], brand.now()).await.unwrap_err();
    assert_eq!(error.kind, kind);
    assert!(brand.calls()[ERASURES] < 5);
}

#[tokio::test]
async fn a_long_list_costs_a_call_a_page() {
    let brand = Brand::with(KnobsPatch { limits_enforced: Some(true), ..KnobsPatch::default() }).await;
    for number in 0..250 {
        brand.vendor().add_erasure(planted(&[&format!("p{number}@example.test")])).unwrap();
    }
    assert_eq!(found(&brand, &[ANA_EMAIL], brand.now()).await, [None]);
    assert_eq!(brand.calls(), counted(&[(MINT, 1), (ERASURES, 3)]));
}
