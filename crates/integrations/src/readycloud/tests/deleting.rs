//! Deleting one contact.

use rstest::rstest;

use super::*;
use crate::connector::Deleted;
use crate::error::{ErrorKind, Retry};

async fn vendor() -> Vendor {
    Vendor::with(vec![Organisation::new("H6j").with("3m.rR~D", &[None, Some("Ana+shop@Example.TEST")])]).await
}

async fn delete(vendor: &Vendor, email: &str) -> Result<Deleted, VendorError> {
    vendor.connector().delete_record(&subject(&[email]), "H6j/3m.rR~D").await
}

#[tokio::test]
async fn a_contact_is_asked_for_and_then_deleted() {
    let vendor = vendor().await;
    assert_eq!(delete(&vendor, "ana+shop@example.test").await, Ok(Deleted::Deleted));
    assert!(!vendor.holds("3m.rR~D"));
    let path = "/api/v2/orgs/H6j/contacts/3m.rR~D/";
    assert_eq!(vendor.asked(), [format!("GET {path}"), format!("DELETE {path}")]);
    // The whole step again, as after a crash: nothing is left to do.
    assert_eq!(delete(&vendor, "ana+shop@example.test").await, Ok(Deleted::AlreadyGone));
}

#[tokio::test]
async fn a_contact_that_became_somebody_elses_is_left_alone() {
    let vendor = vendor().await;
    assert_eq!(delete(&vendor, "ana@example.test").await, Ok(Deleted::NotTheirs));
    assert!(vendor.holds("3m.rR~D"));
    assert!(!vendor.asked().iter().any(|asked| asked.starts_with("DELETE")));
}

#[tokio::test]
async fn a_contact_that_vanishes_before_its_deletion_is_gone() {
    let vendor = vendor().await;
    vendor.fault(|state, asked| {
        if asked.method == "DELETE" {
            state.organisations[0].contacts.clear();
        }
        None
    });
    assert_eq!(delete(&vendor, "ana+shop@example.test").await, Ok(Deleted::AlreadyGone));
}

#[rstest]
#[case(200, "{\"deleted\":true}")]
#[case(200, "")]
#[case(202, "")]
#[tokio::test]
async fn any_success_counts(#[case] status: u16, #[case] body: &'static str) {
    let vendor = vendor().await;
    vendor.fault(move |_, asked| (asked.method == "DELETE").then(|| Act::answer(status, &[], body)));
    assert_eq!(delete(&vendor, "ana+shop@example.test").await, Ok(Deleted::Deleted));
}

#[rstest]
#[case::gateway_timeout(Act::html(504))]
#[case::bad_gateway(Act::html(502))]
#[case::connection_lost(Act::Raw(Vec::new()))]
#[tokio::test]
async fn a_lost_answer_is_settled_by_asking_again(#[case] answer: Act) {
    let vendor = vendor().await;
    vendor.fault(move |state, asked| {
        (asked.method == "DELETE").then(|| {
            state.answer(asked);
            answer.clone()
        })
    });
    let error = delete(&vendor, "ana+shop@example.test").await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Unavailable, Retry::UnknownOutcome));
    assert_eq!(delete(&vendor, "ana+shop@example.test").await, Ok(Deleted::AlreadyGone));
}

#[rstest]
#[case(401, ErrorKind::Credentials, None)]
#[case(403, ErrorKind::Permission, Some("contact"))]
#[case(405, ErrorKind::NotAllowed, None)]
#[case(400, ErrorKind::BadRequest, None)]
#[tokio::test]
async fn a_refused_deletion_needs_a_person(
    #[case] status: u16,
    #[case] kind: ErrorKind,
    #[case] permission: Option<&str>,
) {
    let vendor = vendor().await;
    let body = json!({"detail": "secret@example.test"});
    vendor.fault(move |_, asked| (asked.method == "DELETE").then(|| Act::json(status, &body)));
    let error = delete(&vendor, "ana+shop@example.test").await.unwrap_err();
    assert_eq!((error.kind, error.retry, error.permission), (kind, Retry::Never, permission));
    assert!(!format!("{error:?}").contains("secret@"));
}

#[tokio::test]
async fn a_contact_that_cannot_be_read_is_not_deleted() {
    for act in [
        Act::html(200),
        Act::json(200, "[]"),
        Act::json(200, json!({"addresses": "/api/v2/x/"})),
        Act::html(503),
    ] {
        let vendor = vendor().await;
        vendor.fault(move |_, _| Some(act.clone()));
        assert!(delete(&vendor, "ana+shop@example.test").await.is_err());
        assert_eq!(vendor.asked().len(), 1);
    }
}

#[rstest]
#[case("H6j")]
#[case("H6j/")]
#[case("H6j/..")]
#[case("H6j/../orgs")]
#[case("H6j/a b")]
#[case("H6j/3mrRD/addresses/5")]
#[case("H6j/3mrRD%2F")]
#[case("")]
#[tokio::test]
async fn an_id_that_cannot_be_a_contacts_is_not_sent(#[case] vendor_id: &str) {
    let vendor = vendor().await;
    let error = vendor.connector().delete_record(&subject(&["a@example.test"]), vendor_id).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::BadRequest, Retry::Never));
    assert!(vendor.asked().is_empty());
}

#[tokio::test]
async fn an_order_cannot_be_deleted_and_the_error_says_what_to_do() {
    let vendor = vendor().await;
    let error =
        vendor.connector().delete_record(&subject(&["a@example.test"]), "H6j/orders/Ab1").await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::NotAllowed, Retry::Never));
    assert!(error.remedy.contains("deselect"));
    assert!(vendor.asked().is_empty());
}

#[tokio::test]
async fn what_stays_is_said_in_advance() {
    let residuals = ReadyCloud.residuals_of_deletion();
    assert_eq!(
        residuals.iter().map(|one| one.what.as_str()).collect::<Vec<_>>(),
        ["orders", "store synchronisation"]
    );
}
