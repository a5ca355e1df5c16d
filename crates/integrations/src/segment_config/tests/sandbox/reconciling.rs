//! What the sandbox has after an answer was lost.

use habeas_sandbox::faults::When;
use habeas_sandbox::segment_config::RegulationPlan;

use super::others::Cut::{self, AsAsked, Capped, Crowded};
use super::*;

async fn found(stage: &Stage, subjects: &[Subject], since: Timestamp) -> Vec<Option<Job>> {
    stage.connector().find_erasures(subjects, since).await.unwrap()
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
    #[values(
        (Config, Capped(1)), (Config, Capped(2)), (Config, AsAsked), (Config, Crowded),
        (Public, AsAsked), (Public, Crowded)
    )]
    cut: (Face, Cut),
    #[values(Unset::Written, Unset::LeftOut)] end_of_list: Unset,
) {
    let stage = Stage::cutting(cut).await;
    stage.spell(Spelling { end_of_list, ..Spelling::default() });
    let deletions = stage.connector();
    deletions.erase(&[kim()]).await.unwrap();
    let since = stage.now();
    stage.fault(stage.rule(fault).method("POST").when(when).times(1));
    let error = deletions.erase(&[ana(), jo()]).await.unwrap_err();
    assert_eq!(error.retry, Retry::UnknownOutcome, "{error}");
    // Meanwhile the vendor goes on.
    stage.create("Suppress_With_Delete", &["u-1", "u-2"]).await;
    stage.create("Suppress_With_Delete", &[ANA]).await;
    stage.crowd(cut.1).await;
    let all = stage.segment_config().regulations();
    let expected = all.iter().find(|one| one.values.len() == 4).map(|one| Job::new(one.id.clone()).unwrap());
    assert_eq!(expected.is_some(), took_effect);
    assert_eq!(found(&stage, &[ana(), jo()], since).await, [expected.clone(), expected.clone()]);
    if expected.is_none() {
        deletions.erase(&[ana(), jo()]).await.unwrap();
    }
    assert_eq!(stage.segment_config().accepted_for_deletion(JO_EMAIL), 1);
}

#[rstest]
#[case::only_blocked("Suppress")]
#[case::let_in_again("Unsuppress")]
#[case::only_deleted("Delete")]
#[case::only_inside("Delete_Internal")]
#[tokio::test]
async fn another_kind_of_regulation_is_not_taken_for_the_deletion(
    #[case] kind: &str,
    #[values(Config, Public)] face: Face,
) {
    let stage = Stage::at(face).await;
    stage.create(kind, &[ANA_EMAIL, ANA]).await;
    assert_eq!(found(&stage, &[ana()], stage.now()).await, [None]);
}

/// Kinds that the Config API never had are among its regulations all the same.
#[rstest]
#[tokio::test]
async fn a_kind_of_the_public_api_alone_is_not_taken_for_the_deletion(#[values(Config, Public)] face: Face) {
    let stage = Stage::at(face).await;
    stage.create_at_public("SUPPRESS_WITH_DELETE_INTERNAL", &[ANA_EMAIL, ANA]).await;
    assert_eq!(found(&stage, &[ana()], stage.now()).await, [None]);
}

#[rstest]
#[tokio::test]
async fn objects_are_not_taken_for_people(#[values(Config, Public)] face: Face) {
    let stage = Stage::at(face).await;
    stage.create_of_objects("delete", &[ANA_EMAIL, ANA]).await;
    assert_eq!(found(&stage, &[ana()], stage.now()).await, [None]);
}

#[rstest]
#[tokio::test]
async fn half_of_a_person_is_not_the_person(#[values(Config, Public)] face: Face) {
    let stage = Stage::at(face).await;
    stage.create("Suppress_With_Delete", &[ANA_EMAIL]).await;
    stage.create("Suppress_With_Delete", &[ANA]).await;
    assert_eq!(found(&stage, &[ana()], stage.now()).await, [None]);
}

#[rstest]
#[case::just_now(Duration::ZERO, true)]
#[case::within_what_clocks_may_differ(Duration::from_secs(9 * 60), true)]
#[case::before_the_call(Duration::from_secs(11 * 60), false)]
#[tokio::test]
async fn an_older_deletion_is_not_taken_for_this_one(
    #[case] age: Duration,
    #[case] is_this_one: bool,
    #[values(Config, Public)] face: Face,
) {
    let stage = Stage::at(face).await;
    let job = stage.connector().erase(&[ana()]).await.unwrap();
    stage.clock().advance(age);
    assert_eq!(found(&stage, &[ana()], stage.now()).await, [is_this_one.then_some(job)]);
}

#[rstest]
#[case::segment_failed(RegulationPlan::immediate().outcome("segment", "failed", "x"), false)]
#[case::a_destination_failed(RegulationPlan::immediate().outcome("braze", "failed", "x"), true)]
#[case::invalid(RegulationPlan { final_status: Some("invalid".to_owned()), ..RegulationPlan::immediate() }, false)]
#[case::over(RegulationPlan::immediate(), true)]
#[tokio::test]
async fn a_deletion_that_failed_is_not_waited_for(
    #[case] plan: RegulationPlan,
    #[case] counts: bool,
    #[values(Config, Public)] face: Face,
) {
    let stage = Stage::at(face).await;
    stage.segment_config().plan_next(plan).unwrap();
    let job = stage.connector().erase(&[ana()]).await.unwrap();
    assert_eq!(found(&stage, &[ana(), jo()], stage.now()).await, [counts.then_some(job), None]);
}

#[rstest]
#[tokio::test]
async fn the_list_is_read_no_further_than_the_call(#[values(Config, Public)] face: Face) {
    let stage = Stage::at(face).await;
    stage.create_many(120).await;
    stage.calls();
    assert_eq!(found(&stage, &[ana()], stage.now()).await, [None]);
    assert_eq!(stage.calls(), counted(&[(face.routes().list, 3)]), "all of them are young");
    stage.clock().advance(HOUR);
    assert_eq!(found(&stage, &[ana()], stage.now()).await, [None]);
    assert_eq!(stage.calls(), counted(&[(face.routes().list, 1)]));
}

#[rstest]
#[tokio::test]
async fn a_list_without_an_end_is_given_up(#[values(Config, Public)] face: Face) {
    let stage = Stage::at(face).await;
    stage.fault(stage.rule(Fault::EndlessNext {}).method("GET"));
    let error = stage.connector().find_erasures(&[ana()], stage.now()).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::BadAnswer, Retry::Never));
    assert!(stage.calls()[face.routes().list] <= 200);
}
