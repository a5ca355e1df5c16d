//! What the check says of the sandbox's clients, and the tokens that they get.

use habeas_sandbox::qualtrics::fixtures::{
    FOREIGN_CLIENT, FOREIGN_DATACENTER, MEMBER_CLIENT, NO_CONTACTS_CLIENT, NO_CUSTOMER_DATA_CLIENT,
    NO_DIRECTORIES_CLIENT, NO_ERASURE_CLIENT, NO_GRANT_CLIENT, NO_USERS_CLIENT, SCOPES,
};
use habeas_sandbox::qualtrics::{
    BrandAdministrators, ClientSpec, ExcessScope, OmittedScope, Refusal, RequestId, TokenErrors,
};

use super::*;
use crate::connector::{CheckReport, PermissionState, Presence};
use PermissionState::{Granted, Missing, NotYetProven};

const ROLE: &str = "Brand Administrator";

async fn check(brand: &Brand, client: &str) -> Result<CheckReport, VendorError> {
    brand.connector_of(client, CLIENT_SECRET).check(brand.now()).await
}

fn in_state(report: &CheckReport, state: PermissionState) -> Vec<&str> {
    let them = report.permissions.iter().filter(|one| one.state == state);
    them.map(|one| one.permission.as_str()).collect()
}

#[tokio::test]
async fn a_good_connection_has_everything_and_costs_one_call_a_route() {
    let brand = Brand::new().await;
    let before = brand.vendor().snapshot();
    let report = check(&brand, CLIENT_ID).await.unwrap();
    assert_eq!(in_state(&report, Granted).len(), 6);
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let routes = [MINT, WHOAMI, DIRECTORIES, USERS, SEARCH, ERASURES, DATA_PROGRESS];
    assert_eq!(brand.calls(), counted(&routes.map(|route| (route, 1))));
    assert_eq!(brand.vendor().snapshot(), before);
    assert!(brand.vendor().erasures().is_empty() && brand.vendor().customer_data_requests().is_empty());
}

#[rstest]
#[case(NO_CUSTOMER_DATA_CLIENT, 0)]
#[case(NO_ERASURE_CLIENT, 1)]
#[case(NO_DIRECTORIES_CLIENT, 2)]
#[case(NO_CONTACTS_CLIENT, 3)]
#[case(NO_USERS_CLIENT, 4)]
#[tokio::test]
async fn a_missing_scope_is_named_exactly_whatever_the_vendor_does_with_scopes(
    #[case] client: &str,
    #[case] scope: usize,
    #[values(ExcessScope::Refused, ExcessScope::Dropped)] excess: ExcessScope,
    #[values(OmittedScope::All, OmittedScope::Nothing)] omitted: OmittedScope,
    #[values(TokenErrors::Plain, TokenErrors::Envelope)] errors: TokenErrors,
) {
    let refusals = [Refusal::Forbidden, Refusal::Unauthorized, Refusal::BadRequest, Refusal::NotFound];
    for missing_scope in refusals {
        for whoami_scope in [None, Some("read:users".to_owned())] {
            let brand = Brand::with(KnobsPatch {
                excess_scope: Some(excess),
                omitted_scope: Some(omitted),
                token_errors: Some(errors),
                missing_scope: Some(missing_scope),
                whoami_scope: Some(whoami_scope.clone()),
                ..KnobsPatch::default()
            })
            .await;
            let report = check(&brand, client).await.unwrap();
            assert_eq!(in_state(&report, Missing), [SCOPES[scope]], "{missing_scope:?} {whoami_scope:?}");
            assert_eq!(in_state(&report, Granted).len(), 5, "{missing_scope:?} {whoami_scope:?}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_client_without_one_scope_works_with_the_others(
    #[values(ExcessScope::Refused, ExcessScope::Dropped)] excess: ExcessScope,
    #[values(OmittedScope::All, OmittedScope::Nothing)] omitted: OmittedScope,
) {
    let patch =
        KnobsPatch { excess_scope: Some(excess), omitted_scope: Some(omitted), ..KnobsPatch::default() };
    let brand = Brand::with(patch).await;
    let (connector, ana) =
        (brand.connector_of(NO_CUSTOMER_DATA_CLIENT, CLIENT_SECRET), subject(&[ANA_EMAIL]));
    connector.erase(std::slice::from_ref(&ana)).await.unwrap();
    assert_eq!(connector.presence(&ana).await, Ok(Presence::Held));
    let error = connector.export(&ana, None).await.unwrap_err();
    assert_eq!((error.kind, error.permission), (ErrorKind::Permission, Some(SCOPES[0])));
    let asked = match (excess, omitted) {
        (ExcessScope::Dropped, _) => 1,
        (ExcessScope::Refused, OmittedScope::All) => 2,
        // Each of the five alone, then the four together.
        (ExcessScope::Refused, OmittedScope::Nothing) => 8,
    };
    assert_eq!(brand.calls()[MINT], asked);
}

#[rstest]
// The vendor says "" of what the token is for, and without directories nothing can be searched.
#[case::dropped(ExcessScope::Dropped, &["read:directory_contacts", ROLE])]
#[case::refused(ExcessScope::Refused, &[ROLE])]
#[tokio::test]
async fn a_client_with_none_of_the_scopes_is_told_all_that_can_be_seen(
    #[case] excess: ExcessScope,
    #[case] unproven: &[&str],
    #[values(OmittedScope::All, OmittedScope::Nothing)] omitted: OmittedScope,
) {
    let patch =
        KnobsPatch { excess_scope: Some(excess), omitted_scope: Some(omitted), ..KnobsPatch::default() };
    let brand = Brand::with(patch).await;
    let scopes = vec!["read:surveys".to_owned()];
    brand.vendor().add_client(ClientSpec { scopes, ..ClientSpec::new("surveys", CLIENT_SECRET) }).unwrap();
    let report = check(&brand, "surveys").await.unwrap();
    assert_eq!(in_state(&report, NotYetProven), unproven);
    assert_eq!(in_state(&report, Missing).len() + unproven.len(), 6);
}

#[rstest]
#[case::no_administrator(MEMBER_CLIENT, BrandAdministrators::ByUser, Missing, 0)]
#[case::nobody_is_one(CLIENT_ID, BrandAdministrators::Nobody, Missing, 0)]
#[case::works_as_one_and_is_none(MEMBER_CLIENT, BrandAdministrators::Everybody, Granted, 1)]
#[tokio::test]
async fn the_role_is_told_from_the_scopes(
    #[case] client: &str,
    #[case] administrators: BrandAdministrators,
    #[case] expected: PermissionState,
    #[case] warnings: usize,
) {
    let patch = KnobsPatch { brand_administrators: Some(administrators), ..KnobsPatch::default() };
    let brand = Brand::with(patch).await;
    let report = check(&brand, client).await.unwrap();
    let role = report.permissions.iter().find(|one| one.permission == ROLE).unwrap();
    assert_eq!((role.state, report.warnings.len()), (expected, warnings), "{:?}", report.warnings);
    assert!(SCOPES.iter().all(|scope| in_state(&report, Granted).contains(scope)));
}

#[rstest]
#[case::of_another_datacenter(FOREIGN_CLIENT, CLIENT_SECRET, "in this data centre", "data-centre id")]
#[case::without_the_grant(NO_GRANT_CLIENT, CLIENT_SECRET, "by its id and secret alone", "Client Credentials")]
#[case::wrong_secret(CLIENT_ID, "qx-wrong-secret", "client id and secret", "OAuth Client Manager")]
#[case::no_such_client("qx-nobody", CLIENT_SECRET, "client id and secret", "data-centre id")]
#[tokio::test]
async fn credentials_that_open_nothing_are_explained(
    #[case] client: &str,
    #[case] secret: &str,
    #[case] says: &str,
    #[case] remedy: &str,
    #[values(TokenErrors::Plain, TokenErrors::Envelope)] token_errors: TokenErrors,
    #[values(false, true)] form_credentials: bool,
) {
    let brand = Brand::with(KnobsPatch {
        token_errors: Some(token_errors),
        form_credentials: Some(form_credentials),
        ..KnobsPatch::default()
    })
    .await;
    let error = brand.connector_of(client, secret).check(brand.now()).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Credentials, Retry::Never));
    assert!(error.message.contains(says) && error.remedy.contains(remedy), "{}", error.explanation());
    assert!(!format!("{error:?}").contains(secret));
    assert_eq!(brand.calls()[MINT], 1);
}

#[tokio::test]
async fn the_data_centre_that_the_vendor_names_is_said() {
    let brand = Brand::new().await;
    let datacenter = Some(FOREIGN_DATACENTER.to_owned());
    brand.turn(KnobsPatch { datacenter, ..KnobsPatch::default() });
    let report = check(&brand, CLIENT_ID).await.unwrap();
    assert!(report.warnings[0].contains(FOREIGN_DATACENTER), "{:?}", report.warnings);
}

#[rstest]
#[tokio::test]
async fn oddities_of_the_envelope_change_nothing(
    #[values(RequestId::Uuid, RequestId::Null, RequestId::Empty, RequestId::Absent)] request_id: RequestId,
    #[values(None, Some("500 - Internal Server Error".to_owned()))] http_status: Option<String>,
    #[values(None, Some("Maintenance on Sunday".to_owned()))] notice: Option<String>,
) {
    let brand = Brand::with(KnobsPatch {
        request_id: Some(request_id),
        http_status: Some(http_status),
        notice: Some(notice),
        ..KnobsPatch::default()
    })
    .await;
    let report = check(&brand, CLIENT_ID).await.unwrap();
    assert_eq!((in_state(&report, Granted).len(), report.warnings.len()), (6, 0));
    let job = brand.connector().erase(&[subject(&[ANA_EMAIL])]).await.unwrap();
    assert_eq!(brand.vendor().erasures()[0].id, job.as_str());
    brand.turn(KnobsPatch { refused_emails: Some(vec![JO_EMAIL.to_owned()]), ..KnobsPatch::default() });
    let error = brand.connector().erase(&[subject(&[JO_EMAIL])]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
    assert_eq!(error.vendor_request_id.is_some(), request_id == RequestId::Uuid);
}

#[rstest]
#[case::usual("Bearer", 3599)]
#[case::lower_case("bearer", 3600)]
#[case::shouted("BEARER", 86_400)]
#[case::short("Bearer", 60)]
#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end(#[case] token_type: &str, #[case] token_seconds: u64) {
    let brand = Brand::with(KnobsPatch {
        token_type: Some(token_type.to_owned()),
        token_seconds: Some(token_seconds),
        ..KnobsPatch::default()
    })
    .await;
    let connector = brand.connector();
    let nobody = [subject(&[NOBODY_EMAIL])];
    let half = Duration::from_secs(token_seconds / 2 - 1);
    for (wait, minted) in [(Duration::ZERO, 1), (half, 1), (half, 2)] {
        // In the third round less than the usual minute is left, or less than half of a short life.
        let wait = if minted == 2 { wait + Duration::from_secs(2) } else { wait };
        brand.clock.advance(wait);
        brand.sandbox.clock().advance(wait);
        connector.cautions(&nobody).await.unwrap();
        assert_eq!(brand.sandbox.calls().count(VENDOR, MINT), minted);
    }
    assert_eq!(brand.sandbox.calls().route(VENDOR, USERS).statuses, BTreeMap::from([(200, 3)]));
}

#[tokio::test]
async fn tokens_that_expire_early_are_replaced_once() {
    let brand = Brand::new().await;
    let connector = brand.connector();
    let nobody = [subject(&[NOBODY_EMAIL])];
    connector.cautions(&nobody).await.unwrap();
    brand.vendor().expire_tokens();
    connector.cautions(&nobody).await.unwrap();
    assert_eq!(brand.calls(), counted(&[(MINT, 2), (USERS, 3)]));
    assert!(brand.vendor().revoke_client(CLIENT_ID));
    let error = connector.cautions(&nobody).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Credentials, Retry::Never));
}

#[rstest]
#[tokio::test]
async fn directories_that_cannot_be_searched_are_no_missing_scope(
    #[values(Refusal::BadRequest, Refusal::Forbidden, Refusal::NotFound)] lite_directory: Refusal,
    #[values(1, 2)] lite: usize,
) {
    let patch = KnobsPatch { lite_directory: Some(lite_directory), ..KnobsPatch::default() };
    let brand = Brand::with(patch).await;
    for directory in [DIRECTORY, SECOND_DIRECTORY].into_iter().take(lite) {
        assert!(brand.vendor().set_lite(directory, true));
    }
    let report = check(&brand, CLIENT_ID).await.unwrap();
    assert!(in_state(&report, Missing).is_empty());
    assert_eq!(report.warnings.len(), usize::from(lite == 2), "{:?}", report.warnings);
}

#[rstest]
#[case::rate(Fault::RateLimited { retry_after: Some(7) }, ErrorKind::RateLimited)]
#[case::down(status(503), ErrorKind::Unavailable)]
#[case::internal(status(500), ErrorKind::Unavailable)]
#[case::web_page(Fault::Html { code: 200 }, ErrorKind::BadAnswer)]
#[case::malformed(Fault::Malformed {}, ErrorKind::BadAnswer)]
#[case::redirect(Fault::Redirect { location: "http://127.0.0.1:9/".to_owned() }, ErrorKind::BadAnswer)]
#[tokio::test]
async fn a_fault_during_the_check_is_not_called_a_missing_permission(
    #[case] fault: Fault,
    #[case] kind: ErrorKind,
    #[values("/oauth2/token", "/whoami", "/directories", "/users", "/contacts/search", "/op-erase")] at: &str,
) {
    let brand = Brand::new().await;
    brand.fault(rule(fault).path_contains(at).times(1));
    let error = check(&brand, CLIENT_ID).await.unwrap_err();
    assert_eq!(error.kind, kind);
    assert!(!format!("{error:?}").contains(CLIENT_SECRET));
    assert_eq!(in_state(&check(&brand, CLIENT_ID).await.unwrap(), Granted).len(), 6);
}
