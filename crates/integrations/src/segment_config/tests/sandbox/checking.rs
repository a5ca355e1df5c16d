//! The connection check, against both faces of the sandbox.

use habeas_sandbox::segment_config::WorkspaceName;

use super::*;

type Of = fn(Tokens) -> &'static str;

/// What a check costs at the API that the token opens.
fn cost(face: Face) -> BTreeMap<String, u64> {
    let Routes { home, list, withdraw, create, .. } = face.routes();
    match face {
        Config => counted(&[(home, 1), (list, 1), (withdraw, 1)]),
        // Regulations cannot be withdrawn any more, so an impossible creation is tried as well.
        Public => counted(&[(home, 1), (list, 1), (withdraw, 1), (create, 1)]),
    }
}

/// What is found out of the permission to write, where it is there.
const fn proven(face: Face) -> PermissionState {
    match face {
        Config => Granted,
        Public => NotYetProven,
    }
}

fn connector_of(stage: &Stage, token: &str, workspace: &str) -> Box<dyn Connector> {
    SegmentConfig.connect(&settings(token, workspace), stage.client()).unwrap()
}

#[rstest]
#[case::owner(|of: Tokens| of.owner, &[])]
#[case::reading_only(|of: Tokens| of.read_only, &["Workspace Owner"])]
#[case::member(|of: Tokens| of.member, &["Workspace Owner"])]
#[tokio::test]
async fn what_is_missing_is_named_exactly_and_nothing_is_changed(
    #[case] token: Of,
    #[case] expected: &[&str],
    #[values(Config, Public)] face: Face,
    #[values(Unset::Written, Unset::LeftOut)] end_of_list: Unset,
    #[values(false, true)] otherwise: bool,
    #[values("acme-shop", "workspaces/acme-shop")] entered: &str,
) {
    let stage = Stage::at(face).await;
    stage.spell(Spelling { end_of_list, ..Spelling::default() });
    if otherwise {
        let workspace_name = Some(WorkspaceName::Bare);
        stage.segment_config().turn(KnobsPatch { workspace_name, ..KnobsPatch::default() });
        let missing_permission = Some(Permission::Forbidden);
        stage.turn(PublicKnobsPatch { missing_permission, ..PublicKnobsPatch::default() });
    }
    let before = stage.segment_config().snapshot();
    let report = check(&*stage.connector_with(token(face.tokens()), entered)).await.unwrap();
    assert_eq!(missing(&report), expected);
    let owner = if expected.is_empty() { proven(face) } else { Missing };
    let states: Vec<_> = report.permissions.iter().map(|one| one.state).collect();
    assert_eq!(states, [Granted, owner]);
    assert_eq!(report.learned, [("api", face.word())]);
    assert_eq!(stage.segment_config().snapshot(), before);
    assert!(stage.segment_config().regulations().is_empty());
    assert_eq!(stage.segment_config().quota_used(WORKSPACE), Some(Default::default()));
    assert_eq!(stage.calls_of_both(), BTreeMap::from([(face.vendor(), cost(face))]));
}

#[rstest]
#[tokio::test]
async fn a_missing_permission_is_seen_however_it_is_refused_and_whether_or_not_regulations_can_be_withdrawn(
    #[values(PUBLIC_TOKEN, PUBLIC_READ_ONLY_TOKEN, PUBLIC_MEMBER_TOKEN)] token: &str,
    #[values(Permission::Unauthorized, Permission::Forbidden)] permission: Permission,
    #[values(false, true)] can_withdraw: bool,
    #[values(false, true)] bare_errors: bool,
) {
    let stage = Stage::refusing(permission).await;
    stage.turn(PublicKnobsPatch {
        delete_regulations: Some(can_withdraw),
        bare_errors: Some(bare_errors),
        ..PublicKnobsPatch::default()
    });
    let report = check(&*stage.connector_with(token, WORKSPACE)).await.unwrap();
    let lacks_it = token != PUBLIC_TOKEN;
    assert_eq!(missing(&report), if lacks_it { &["Workspace Owner"][..] } else { &[] });
    let mut expected = cost(Public);
    if can_withdraw && lacks_it {
        // The first refusal is believed.
        expected.remove(Public.routes().create);
    }
    assert_eq!(stage.calls(), expected);
    assert!(stage.segment_config().regulations().is_empty());
}

/// Nobody has said which API a token opens, or it was another one when the connection had another token.
#[rstest]
#[case::owner(|of: Tokens| of.owner, &[])]
#[case::reading_only(|of: Tokens| of.read_only, &["Workspace Owner"])]
#[tokio::test]
async fn whichever_api_a_token_opens_is_found_out(
    #[case] token: Of,
    #[case] expected: &[&str],
    #[values(Config, Public)] face: Face,
    #[values(None, Some(Config), Some(Public))] kept: Option<Face>,
    #[values(BadToken::Unauthenticated, BadToken::PermissionDenied)] bad_token: BadToken,
) {
    let patch = KnobsPatch { bad_token: Some(bad_token), ..KnobsPatch::default() };
    let stage = Stage::with(face, patch).await;
    let mut kept_settings = settings(token(face.tokens()), WORKSPACE);
    if let Some(kept) = kept {
        kept_settings.set("api", kept.word());
    }
    let connector = SegmentConfig.connect(&kept_settings, stage.client()).unwrap();
    let report = check(&*connector).await.unwrap();
    assert_eq!(missing(&report), expected);
    assert_eq!(report.learned, [("api", face.word())]);
    assert_eq!(report.teach(&mut kept_settings), kept != Some(face));
    let mut calls = BTreeMap::from([(face.vendor(), cost(face))]);
    if kept.unwrap_or(Config) != face {
        let other = face.other();
        calls.insert(other.vendor(), counted(&[(other.routes().home, 1)]));
    }
    assert_eq!(stage.calls_of_both(), calls, "a token that is refused is not tried again");
}

#[rstest]
#[case::revoked(Config, REVOKED_TOKEN, WORKSPACE, ErrorKind::Credentials, "neither at")]
#[case::revoked_public(Public, PUBLIC_REVOKED_TOKEN, WORKSPACE, ErrorKind::Credentials, "neither at")]
#[case::unknown(Config, "no-such-token", WORKSPACE, ErrorKind::Credentials, "neither at")]
#[case::unknown_public(Public, "sgp_0a1b2c3d", WORKSPACE, ErrorKind::Credentials, "neither at")]
#[case::another_workspaces(Config, OTHER_TOKEN, WORKSPACE, ErrorKind::Configuration, "no such workspace")]
#[case::another_workspaces_public(
    Public,
    PUBLIC_OTHER_TOKEN,
    WORKSPACE,
    ErrorKind::Configuration,
    "another Segment workspace"
)]
#[case::no_workspace(Config, TOKEN, "acme", ErrorKind::Configuration, "no such workspace")]
#[case::no_workspace_public(
    Public,
    PUBLIC_TOKEN,
    "acme",
    ErrorKind::Configuration,
    "another Segment workspace"
)]
#[tokio::test]
async fn a_token_that_opens_nothing_is_refused(
    #[case] face: Face,
    #[case] token: &str,
    #[case] workspace: &str,
    #[case] kind: ErrorKind,
    #[case] says: &str,
    #[values(BadToken::Unauthenticated, BadToken::PermissionDenied)] bad_token: BadToken,
    #[values(false, true)] is_known: bool,
) {
    let patch = KnobsPatch { bad_token: Some(bad_token), ..KnobsPatch::default() };
    let stage = Stage::with(face, patch).await;
    let connector = match is_known {
        true => stage.connector_with(token, workspace),
        false => connector_of(&stage, token, workspace),
    };
    let error = check(&*connector).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (kind, Retry::Never));
    assert!(error.message.contains(says), "{error}");
    let said = format!("{error:?} {}", error.explanation());
    assert!(!said.contains(token) && !said.contains("other-shop"), "{said}");
    let once = |face: Face| (face.vendor(), counted(&[(face.routes().home, 1)]));
    assert_eq!(stage.calls_of_both(), BTreeMap::from([once(Config), once(Public)]), "each is asked once");
}

/// Where the operator set no address for the Public API, it is not tried.
#[rstest]
#[case::revoked(REVOKED_TOKEN, WORKSPACE, ErrorKind::Credentials, "not accept the API token (")]
#[case::unknown("no-such-token", WORKSPACE, ErrorKind::Credentials, "not accept the API token (")]
#[case::public(PUBLIC_TOKEN, WORKSPACE, ErrorKind::Credentials, "Public API")]
#[case::another_workspaces(OTHER_TOKEN, WORKSPACE, ErrorKind::Configuration, "no such workspace")]
#[case::no_workspace(TOKEN, "acme", ErrorKind::Configuration, "no such workspace")]
#[tokio::test]
async fn the_config_api_alone_refuses_what_it_does_not_open(
    #[case] token: &str,
    #[case] workspace: &str,
    #[case] kind: ErrorKind,
    #[case] says: &str,
    #[values(BadToken::Unauthenticated, BadToken::PermissionDenied)] bad_token: BadToken,
) {
    let patch = KnobsPatch { bad_token: Some(bad_token), ..KnobsPatch::default() };
    let stage = Stage::with(Config, patch).await;
    let connector = SegmentConfig.connect(&settings(token, workspace), stage.older_client()).unwrap();
    let error = check(&*connector).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (kind, Retry::Never));
    assert!(error.message.contains(says), "{error}");
    let home = counted(&[(Config.routes().home, 1)]);
    let only_config = BTreeMap::from([(Config.vendor(), home)]);
    assert_eq!(stage.calls_of_both(), only_config, "the first refusal is believed");
}

#[rstest]
#[case::like_the_newer_apis(Config, "sgp_works")]
#[case::like_the_older_apis(Public, "sc-works")]
#[tokio::test]
async fn how_a_token_looks_decides_nothing(#[case] face: Face, #[case] token: &str) {
    let stage = Stage::at(face).await;
    stage.segment_config().add_token(face.token(token, Access::Owner)).unwrap();
    let report = check(&*connector_of(&stage, token, WORKSPACE)).await.unwrap();
    assert_eq!((missing(&report).len(), report.learned), (0, vec![("api", face.word())]));
}

#[rstest]
#[case::nothing("", 0)]
#[case::united_states("us", 0)]
#[case::europe("EU", 1)]
#[tokio::test]
async fn the_region_changes_no_call(
    #[case] region: &str,
    #[case] warnings_of_config: usize,
    #[values(Config, Public)] face: Face,
) {
    let stage = Stage::at(face).await;
    let mut entered = settings(face.tokens().owner, WORKSPACE);
    entered.set("region", region);
    entered.set("api", face.word());
    let connector = SegmentConfig.connect(&entered, stage.client()).unwrap();
    let report = check(&*connector).await.unwrap();
    assert_eq!(missing(&report).len(), 0);
    assert_eq!(report.warnings.len(), if face == Config { warnings_of_config } else { 0 });
    assert_eq!(stage.calls_of_both(), BTreeMap::from([(face.vendor(), cost(face))]));
    connector.erase(&[ana()]).await.unwrap();
    assert_eq!(stage.segment_config().accepted_for_deletion(ANA), 1);
}

/// Where it is not our turn, the check is due again: nothing is concluded, and the other API is not asked.
#[rstest]
#[case(Config, 0)]
#[case(Config, 1)]
#[case(Config, 2)]
#[case(Public, 0)]
#[case(Public, 1)]
#[case(Public, 2)]
#[case(Public, 3)]
#[tokio::test]
async fn whoever_is_told_to_wait_learns_nothing(
    #[case] face: Face,
    #[case] calls_before: u64,
    #[values(None, Some(7))] retry_after: Option<u64>,
) {
    let stage = Stage::at(face).await;
    stage.fault(stage.rule(Fault::RateLimited { retry_after }).skip(calls_before));
    let error = check(&*stage.connector()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::RateLimited);
    assert_eq!(stage.calls_of_both().into_keys().collect::<Vec<_>>(), [face.vendor()]);
}
