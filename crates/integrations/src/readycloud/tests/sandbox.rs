//! The connector against the sandbox: another hand's reading of the same reference.

use habeas_sandbox::faults::{Fault, Rule, When};
use habeas_sandbox::readycloud::fixtures::{
    ANA_EMAIL, ANA_FIRST, ANA_SECOND, EXPIRED_TOKEN, JO_EMAIL, MAIN_ORG, NO_CONTACT_TOKEN, NO_ORG_TOKEN,
    NOBODY_EMAIL, ORDERS_TOKEN, PARKED_EMAIL, READ_ONLY_TOKEN, SECOND_ORG_EMAIL, SHARED_EMAIL, TOKEN,
};
use habeas_sandbox::readycloud::{ErrorDialect, KnobsPatch};
use habeas_sandbox::{Sandbox, SandboxOptions};
use rstest::rstest;

use super::{pass, settings, subject};
use crate::connector::{Connector, Deleted, Integration, PermissionState};
use crate::error::{ErrorKind, Retry, VendorError};
use crate::readycloud::ReadyCloud;
use crate::testing::{NOW, client_with, options};
use crate::{CheckReport, ClientOptions};
use PermissionState::{Granted, Missing, NotYetProven};

const CONTACTS: &str = "GET /api/v2/orgs/{org}/contacts/";

async fn sandbox(people: usize) -> Sandbox {
    let sandbox = Sandbox::start(SandboxOptions { people, ..SandboxOptions::default() }).await.unwrap();
    sandbox.readycloud().set_limits(None, None);
    sandbox
}

fn connector(sandbox: &Sandbox, token: &str) -> Box<dyn Connector> {
    let base = sandbox.addresses().readycloud.parse().unwrap();
    let options = ClientOptions { max_body_bytes: 1 << 20, ..options(&base) };
    ReadyCloud.connect(&settings(token), client_with(options)).unwrap()
}

async fn found(connector: &dyn Connector, email: &str) -> Vec<String> {
    let mut found = pass(connector, &[subject(&[email])]).await.unwrap().found;
    found.sort();
    found.dedup();
    found
}

async fn check(sandbox: &Sandbox, token: &str) -> Result<CheckReport, VendorError> {
    connector(sandbox, token).check(NOW.parse().unwrap()).await
}

#[rstest]
#[case::usual(TOKEN, [Granted, Granted, Missing])]
#[case::orders_too(ORDERS_TOKEN, [Granted, Granted, Granted])]
#[case::reading_only(READ_ONLY_TOKEN, [Granted, Missing, Missing])]
#[case::no_contacts(NO_CONTACT_TOKEN, [Granted, Missing, NotYetProven])]
#[tokio::test]
async fn permissions_are_reported(
    #[case] token: &str,
    #[case] expected: [PermissionState; 3],
    #[values(ErrorDialect::Oauth2app, ErrorDialect::Drf)] dialect: ErrorDialect,
) {
    let sandbox = sandbox(3).await;
    sandbox.readycloud().turn(KnobsPatch { error_dialect: Some(dialect), ..KnobsPatch::default() });
    let before = sandbox.readycloud().snapshot();
    let report = check(&sandbox, token).await.unwrap();
    assert_eq!(report.permissions.iter().map(|one| one.state).collect::<Vec<_>>(), expected);
    assert_eq!(sandbox.readycloud().snapshot(), before, "a check changes nothing");
}

#[rstest]
#[case(EXPIRED_TOKEN, ErrorKind::Credentials)]
#[case("no-such-token", ErrorKind::Credentials)]
#[case(NO_ORG_TOKEN, ErrorKind::Configuration)]
#[tokio::test]
async fn a_token_that_opens_nothing_is_refused(#[case] token: &str, #[case] kind: ErrorKind) {
    let error = check(&sandbox(0).await, token).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (kind, Retry::Never));
}

#[rstest]
#[case(ANA_EMAIL, 2)]
#[case(JO_EMAIL, 1)]
#[case("JO+SHOP@example.test", 1)]
#[case("jo@example.test", 0)]
#[case(SHARED_EMAIL, 2)]
#[case(SECOND_ORG_EMAIL, 1)]
#[case(PARKED_EMAIL, 0)]
#[case(NOBODY_EMAIL, 0)]
#[tokio::test]
async fn people_are_found(
    #[case] email: &str,
    #[case] contacts: usize,
    #[values(100, 7, 1)] page_cap: usize,
) {
    let sandbox = sandbox(40).await;
    sandbox.readycloud().turn(KnobsPatch { page_cap: Some(page_cap), ..KnobsPatch::default() });
    assert_eq!(found(&*connector(&sandbox, TOKEN), email).await.len(), contacts);
}

#[tokio::test]
async fn everybody_is_found_in_one_pass() {
    let sandbox = sandbox(250).await;
    let contacts = connector(&sandbox, TOKEN);
    let emails = [ANA_EMAIL, JO_EMAIL, SHARED_EMAIL, SECOND_ORG_EMAIL].map(|email| subject(&[email]));
    let pass = pass(&*contacts, &emails).await.unwrap();
    assert_eq!(pass.found.len(), 6);
    assert_eq!(pass.residuals.len(), 1, "orders are out of reach, and that is said once");
    assert_eq!(sandbox.calls().count("readycloud", CONTACTS), 4, "three pages and the second organisation");
}

#[tokio::test]
async fn orders_come_with_their_scope() {
    let sandbox = sandbox(10).await;
    let contacts = connector(&sandbox, ORDERS_TOKEN);
    let pass = pass(&*contacts, &[subject(&[ANA_EMAIL])]).await.unwrap();
    let orders: Vec<&String> = pass.found.iter().filter(|id| id.contains("/orders/")).collect();
    assert!(!orders.is_empty() && pass.residuals.is_empty());
    let id = orders[0].strip_prefix("0: ").unwrap();
    let error = contacts.delete_record(&subject(&[ANA_EMAIL]), id).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotAllowed);
}

#[tokio::test]
async fn what_was_found_is_deleted_once_and_verified_gone() {
    let sandbox = sandbox(30).await;
    let contacts = connector(&sandbox, TOKEN);
    let ana = subject(&[ANA_EMAIL]);
    for id in found(&*contacts, ANA_EMAIL).await {
        let id = id.strip_prefix("0: ").unwrap();
        assert_eq!(contacts.delete_record(&subject(&[JO_EMAIL]), id).await, Ok(Deleted::NotTheirs));
        assert_eq!(contacts.delete_record(&ana, id).await, Ok(Deleted::Deleted));
        assert_eq!(contacts.delete_record(&ana, id).await, Ok(Deleted::AlreadyGone));
    }
    assert!(found(&*contacts, ANA_EMAIL).await.is_empty());
    for key in [ANA_FIRST, ANA_SECOND] {
        assert_eq!(sandbox.calls().deletions_of("readycloud", key).effects, 1);
    }
}

fn gateway_timeout() -> Fault {
    Fault::Status { code: 504, body: None, retry_after: None }
}

#[rstest]
#[case::lost(Fault::AnswerLost {}, When::After)]
#[case::gateway_timeout(gateway_timeout(), When::After)]
#[case::dropped(Fault::DroppedBefore {}, When::Before)]
#[case::bad_gateway(Fault::Html { code: 502 }, When::Before)]
#[tokio::test]
async fn an_unknown_outcome_is_settled_without_deleting_twice(#[case] fault: Fault, #[case] when: When) {
    let sandbox = sandbox(5).await;
    let (contacts, ana) = (connector(&sandbox, TOKEN), subject(&[ANA_EMAIL]));
    let id = format!("{MAIN_ORG}/{ANA_SECOND}");
    sandbox.faults().add(Rule::new("readycloud", fault).method("DELETE").when(when).times(1)).unwrap();
    let error = contacts.delete_record(&ana, &id).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Unavailable, Retry::UnknownOutcome));
    let settled = contacts.delete_record(&ana, &id).await.unwrap();
    assert_eq!(settled, if when == When::After { Deleted::AlreadyGone } else { Deleted::Deleted });
    assert_eq!(sandbox.calls().deletions_of("readycloud", ANA_SECOND).effects, 1);
}

#[tokio::test]
async fn deletions_while_paging_hide_nobody() {
    let sandbox = sandbox(60).await;
    sandbox.readycloud().turn(KnobsPatch { page_cap: Some(10), ..KnobsPatch::default() });
    let (contacts, ana) = (connector(&sandbox, TOKEN), subject(&[ANA_EMAIL]));
    let subjects = [subject(&[ANA_EMAIL]), subject(&[SHARED_EMAIL])];
    let (mut pass, mut cursor) = (super::Pass::default(), None);
    loop {
        cursor = pass.take(contacts.scan(cursor.as_ref(), &subjects).await.unwrap());
        // The one on the first page goes as soon as it was seen, and everything behind it moves up.
        contacts.delete_record(&ana, &format!("{MAIN_ORG}/{ANA_FIRST}")).await.unwrap();
        if cursor.is_none() {
            break;
        }
    }
    assert!(pass.found.contains(&format!("0: {MAIN_ORG}/{ANA_SECOND}")), "{:?}", pass.found);
    assert_eq!(pass.found.iter().filter(|id| id.starts_with("1: ")).count(), 2);
}

#[rstest]
#[case::rate_limited(Fault::RateLimited { retry_after: Some(9) }, ErrorKind::RateLimited)]
#[case::web_page(Fault::Html { code: 200 }, ErrorKind::BadAnswer)]
#[case::gateway_page(Fault::Html { code: 502 }, ErrorKind::Unavailable)]
#[case::malformed(Fault::Malformed {}, ErrorKind::BadAnswer)]
#[case::truncated(Fault::Truncated {}, ErrorKind::BadAnswer)]
#[case::oversized(Fault::Oversized { bytes: 8 << 20, announced: true }, ErrorKind::TooLarge)]
#[case::oversized_silently(Fault::Oversized { bytes: 8 << 20, announced: false }, ErrorKind::TooLarge)]
#[case::deep(Fault::DeepJson { depth: 100_000 }, ErrorKind::BadAnswer)]
#[case::wrong_type(Fault::WrongContentType { content_type: "text/plain".to_owned() }, ErrorKind::BadAnswer)]
#[case::redirect(Fault::Redirect { location: "http://127.0.0.1:9/login".to_owned() }, ErrorKind::BadAnswer)]
#[case::foreign_next(Fault::ForeignNext { base: "http://127.0.0.1:9".to_owned() }, ErrorKind::BadAnswer)]
#[case::lost(Fault::AnswerLost {}, ErrorKind::Unavailable)]
#[case::expired(Fault::TokenExpired {}, ErrorKind::Credentials)]
#[case::scope(Fault::ScopeMissing { scope: "contact".to_owned() }, ErrorKind::Permission)]
#[tokio::test]
async fn a_fault_in_the_middle_of_a_pass_is_named_and_survived(
    #[case] fault: Fault,
    #[case] kind: ErrorKind,
) {
    let sandbox = sandbox(40).await;
    sandbox.readycloud().turn(KnobsPatch { page_cap: Some(10), ..KnobsPatch::default() });
    let rule = Rule::new("readycloud", fault).path_contains("/contacts/?").skip(2).times(1);
    sandbox.faults().add(rule).unwrap();
    let (contacts, subjects) = (connector(&sandbox, TOKEN), [subject(&[ANA_EMAIL])]);
    let (mut pass, mut cursor, mut errors) = (super::Pass::default(), None, Vec::new());
    loop {
        match contacts.scan(cursor.as_ref(), &subjects).await {
            Ok(page) => cursor = pass.take(page),
            Err(error) => {
                assert!(!format!("{error:?}").contains(TOKEN));
                errors.push(error.kind);
                continue;
            }
        }
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(errors, [kind]);
    pass.found.sort();
    pass.found.dedup();
    assert_eq!(pass.found.len(), 2);
}

#[tokio::test]
async fn a_list_without_an_end_is_given_up() {
    let sandbox = sandbox(40).await;
    sandbox.faults().add(Rule::new("readycloud", Fault::EndlessNext {}).path_contains("/contacts/")).unwrap();
    let error = pass(&*connector(&sandbox, TOKEN), &[]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::BadAnswer, Retry::Never));
    assert!(sandbox.calls().count("readycloud", CONTACTS) < 100);
}

#[tokio::test]
async fn a_lost_connection_to_a_stopped_vendor_is_unavailable() {
    let sandbox = sandbox(0).await;
    let contacts = connector(&sandbox, TOKEN);
    sandbox.stop().await;
    let error = contacts.scan(None, &[]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Unavailable, Retry::After(None)));
}

#[tokio::test]
async fn what_the_scopes_show_is_readycloud_itself_and_nothing_is_made_up() {
    let sandbox = sandbox(3).await;
    let before = sandbox.readycloud().snapshot();
    let detection = connector(&sandbox, NO_CONTACT_TOKEN).detect().await.unwrap();
    assert!(!detection.systems.is_empty());
    for system in &detection.systems {
        assert!(
            system.key.starts_with("organisation/") && system.name.starts_with("ReadyCloud ("),
            "{system:?}"
        );
        assert_eq!(system.evidence.len(), 1);
    }
    let unseen: Vec<_> = detection.unseen.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(unseen, ["shops and carriers"]);
    assert_eq!(sandbox.readycloud().snapshot(), before);
    let error = connector(&sandbox, EXPIRED_TOKEN).detect().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Credentials);
}
