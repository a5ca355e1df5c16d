//! Two APIs, one workspace: what is done through the one never strays to the other, and is there when a new token opens
//! that one.

use super::*;
use crate::connector::Progress;

#[rstest]
#[tokio::test]
async fn nothing_of_the_work_goes_to_the_other_api(#[values(Config, Public)] face: Face) {
    let stage = Stage::at(face).await;
    let connector = stage.connector();
    check(&*connector).await.unwrap();
    let job = connector.erase(&[ana()]).await.unwrap();
    connector.follow(&[job.clone(), job]).await.unwrap();
    connector.find_erasures(&[ana()], stage.now()).await.unwrap();
    connector.detect().await.unwrap();
    assert_eq!(stage.calls_of_both().into_keys().collect::<Vec<_>>(), [face.vendor()]);
}

/// The company gives the connection a token of the other API while deletions are under way.
#[rstest]
#[tokio::test]
async fn a_deletion_goes_on_when_the_token_is_of_the_other_api(#[values(Config, Public)] first: Face) {
    let mut stage = Stage::at(first).await;
    let since = stage.now();
    let jobs =
        [stage.connector().erase(&[ana()]).await.unwrap(), stage.connector().erase(&[jo()]).await.unwrap()];
    stage.face = first.other();
    let connector = stage.connector();
    let found = connector.find_erasures(&[ana(), jo(), kim()], since).await.unwrap();
    assert_eq!(found, [Some(jobs[0].clone()), Some(jobs[1].clone()), None], "nobody is sent again");
    for (wait, is_over) in [(Duration::ZERO, false), (ALL_DONE, true)] {
        stage.clock().advance(wait);
        for of in [&jobs[..1], &jobs[..]] {
            let progress = connector.follow(of).await.unwrap();
            assert!(progress.iter().all(|one| matches!(one, Progress::Done(_)) == is_over), "{progress:?}");
        }
    }
    assert_eq!(stage.segment_config().regulations().len(), 2);
}

/// A connection whose token was not checked since it changed: the API says that it does not know it.
#[rstest]
#[tokio::test]
async fn a_token_of_the_other_api_is_not_accepted_for_work(
    #[values(Config, Public)] face: Face,
    #[values(BadToken::Unauthenticated, BadToken::PermissionDenied)] bad_token: BadToken,
) {
    let patch = KnobsPatch { bad_token: Some(bad_token), ..KnobsPatch::default() };
    let stage = Stage::with(face, patch).await;
    let token = face.other().tokens().owner;
    let connector = stage.connector_with(token, WORKSPACE);
    let job = Job::new("2f7Qm0a1b2c3d4e5f6g7h8i9jkl").unwrap();
    let errors = [
        connector.follow(&[job]).await.unwrap_err(),
        connector.find_erasures(&[ana()], stage.now()).await.unwrap_err(),
        connector.detect().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind, error.retry), (ErrorKind::Credentials, Retry::Never));
        assert!(!format!("{error:?}").contains(token));
    }
    assert!(stage.calls_of_both().into_keys().eq([face.vendor()]));
}
