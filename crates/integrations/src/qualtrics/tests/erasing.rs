//! Erasing people, what is asked before, and how it is proven.

use rstest::rstest;

use super::*;
use crate::connector::{Job, Presence, Residual};
use crate::error::{ErrorKind, Retry, VendorError};

async fn erase(vendor: &Vendor) -> Result<Job, VendorError> {
    vendor.connector().erase(&[subject(&[ANA])]).await
}

#[tokio::test]
async fn a_batch_is_one_call_with_all_addresses() {
    let vendor = Vendor::new().await;
    let subjects = [
        subject(&[ANA, "Ana@Example.test"]),
        subject(&[" joao@example.test "]),
        subject(&["ANA@example.test", "ANA.SILVA@example.test"]),
    ];
    let job = vendor.connector().erase(&subjects).await.unwrap();
    assert_eq!(job.as_str(), "OP-1");
    let asked = &vendor.calls("POST", "/op-erase-personal-data")[0];
    assert_eq!(
        asked.body,
        r#"{"emails":["ana.silva@example.test","Ana@Example.test","joao@example.test"],"searchOnly":false}"#
    );
    assert_eq!(asked.target, "/API/v3/op-erase-personal-data");
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(asked.header("accept"), Some("application/json"));
}

#[tokio::test]
async fn nobody_is_left_out_of_a_batch_silently() {
    let vendor = Vendor::new().await;
    let error = vendor.connector().erase(&[subject(&[ANA]), subject(&[" "])]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::BadRequest, Retry::Never), "halves find out who");
    assert!(vendor.calls("POST", "/op-erase-personal-data").is_empty());
}

#[rstest]
#[case(200, json!({"requestId": "OP-7b1f0f0e", "requestid": "no"}), Some("OP-7b1f0f0e"))]
#[case(202, json!({"requestid": "OP-7"}), Some("OP-7"))]
#[case(207, json!({"id": "OP-7"}), Some("OP-7"))]
#[case(200, json!({}), None)]
#[case(200, json!({"requestId": "a b"}), None)]
#[case(200, json!(null), None)]
#[case(200, json!([]), None)]
#[tokio::test]
async fn what_was_accepted_is_named_or_looked_up(
    #[case] status: u16,
    #[case] body: Value,
    #[case] id: Option<&str>,
) {
    let vendor = Vendor::new().await;
    let body = json!({"result": body, "meta": {"requestId": REQUEST_ID}});
    vendor.answers("POST", "/op-erase-personal-data", Act::json(status, body));
    match erase(&vendor).await {
        Ok(job) => assert_eq!(Some(job.as_str()), id),
        Err(error) => {
            assert_eq!(id, None);
            assert_eq!((error.kind, error.retry), (ErrorKind::BadAnswer, Retry::UnknownOutcome));
            assert_eq!(error.vendor_request_id.as_deref(), Some(REQUEST_ID));
        }
    }
}

#[rstest]
#[case(400, None, ErrorKind::BadRequest, None)]
#[case(400, Some("ATP_2"), ErrorKind::BadRequest, None)]
#[case(403, None, ErrorKind::Permission, Some("manage:erasure_requests"))]
#[case(403, Some("QMST_2.1"), ErrorKind::Permission, Some("Brand Administrator"))]
#[case(404, None, ErrorKind::BadAnswer, None)]
#[case(409, None, ErrorKind::NotAllowed, None)]
#[case(413, None, ErrorKind::BadRequest, None)]
#[tokio::test]
async fn a_refused_erasure_did_nothing(
    #[case] status: u16,
    #[case] code: Option<&'static str>,
    #[case] kind: ErrorKind,
    #[case] permission: Option<&str>,
) {
    let vendor = Vendor::new().await;
    vendor.answers("POST", "/op-erase-personal-data", refusal(status, code, "secret@example.test"));
    let error = erase(&vendor).await.unwrap_err();
    assert_eq!((error.kind, error.retry, error.permission), (kind, Retry::Never, permission));
    assert_eq!((error.status, error.vendor_request_id.as_deref()), (Some(status), Some(REQUEST_ID)));
    assert!(!format!("{error:?}").contains("secret@") && !format!("{error:?}").contains(ANA));
    assert_eq!(vendor.calls("POST", "/op-erase-personal-data").len(), 1);
}

#[rstest]
#[case::server_error(Act::html(500))]
#[case::unavailable(Act::html(503))]
#[case::gateway_timeout(Act::html(504))]
#[case::connection_lost(Act::Raw(Vec::new()))]
#[case::web_page(Act::html(200))]
#[case::cut(Act::json(200, "{\"result\": {\"requestId\""))]
#[tokio::test]
async fn a_lost_answer_is_settled_by_the_list(#[case] act: Act) {
    let vendor = Vendor::new().await;
    vendor.fault(move |state, asked| {
        (asked.method == "POST" && asked.path().ends_with("personal-data")).then(|| {
            state.answer(asked);
            act.clone()
        })
    });
    let error = erase(&vendor).await.unwrap_err();
    assert_eq!(error.retry, Retry::UnknownOutcome);
    let found = vendor.connector().find_erasures(&[subject(&[ANA])], NOW.parse().unwrap()).await.unwrap();
    assert_eq!(found[0].as_ref().unwrap().as_str(), "OP-1");
}

#[tokio::test]
async fn being_told_to_slow_down_did_nothing() {
    let vendor = Vendor::new().await;
    vendor.answers("POST", "/op-erase-personal-data", Act::answer(429, &[("Retry-After", "7")], ""));
    let error = erase(&vendor).await.unwrap_err();
    assert_eq!(
        (error.kind, error.retry),
        (ErrorKind::RateLimited, Retry::After(Some(Duration::from_secs(7))))
    );
}

#[tokio::test]
async fn without_an_address_nothing_is_sent() {
    let vendor = Vendor::new().await;
    let connector = vendor.connector();
    assert_eq!(connector.erase(&[subject(&[])]).await.unwrap_err().kind, ErrorKind::BadRequest);
    assert_eq!(connector.presence(&subject(&[])).await.unwrap_err().kind, ErrorKind::BadRequest);
    assert!(vendor.asked().is_empty());
}

#[tokio::test]
async fn users_of_the_brand_are_cautioned_about_with_one_scan() {
    let vendor = Vendor::new().await;
    vendor.change(|state| {
        state.cap = 2;
        state.users = vec![
            user("UR_1", "x@example.test"),
            user("UR_2", " ANA.Silva@example.test "),
            json!({"id": "UR_3", "username": "maria@example.test#exampleco", "email": "new@example.test"}),
            json!({"id": "UR_4", "username": null, "email": null}),
            json!({}),
        ];
    });
    let subjects = [
        subject(&["a@example.test", ANA]),
        subject(&["b@example.test"]),
        subject(&["maria@example.test"]),
        subject(&[]),
    ];
    let cautions = vendor.connector().cautions(&subjects).await.unwrap();
    let codes: Vec<Option<&str>> = cautions.iter().map(|one| one.as_ref().map(|one| one.code)).collect();
    assert_eq!(codes, [Some("brand_user"), None, Some("brand_user"), None]);
    let message = &cautions[0].as_ref().unwrap().message;
    assert!(message.contains("also deletes the account") && message.contains("not documented"));
    assert!(!message.contains('@'));
    assert_eq!(vendor.calls("GET", "/users").len(), 3);
}

#[tokio::test]
async fn nobody_is_erased_on_half_a_scan() {
    let vendor = Vendor::new().await;
    vendor.change(|state| {
        state.cap = 1;
        state.users = vec![user("UR_1", "x@example.test"), user("UR_2", ANA)];
    });
    vendor.fault(|_, asked| asked.query("offset").is_some().then(|| Act::html(503)));
    assert_eq!(
        vendor.connector().cautions(&[subject(&[ANA])]).await.unwrap_err().kind,
        ErrorKind::Unavailable
    );
}

#[tokio::test]
async fn everybody_found_ends_the_scan() {
    let vendor = Vendor::new().await;
    vendor.change(|state| {
        state.cap = 1;
        state.users = vec![user("UR_1", ANA), user("UR_2", "x@example.test")];
    });
    assert!(vendor.connector().cautions(&[subject(&[ANA])]).await.unwrap()[0].is_some());
    assert_eq!(vendor.calls("GET", "/users").len(), 1);
}

fn not_searched(directory: &str) -> Presence {
    let why = "the directory does not let its contacts be searched (XM Directory Lite does not); look for the person there \
               by hand";
    let what = format!("contacts of the directory {directory}");
    Presence::Gone { unsearched: vec![Residual { what, why: why.to_owned() }] }
}

#[rstest]
#[case::gone(vec![Directory::new("POOL_1").with("CID_2", "x@example.test")], vec![], Ok(Presence::GONE))]
#[case::a_contact(vec![Directory::new("POOL_1"), Directory::new("POOL_2").with("CID_1", "ANA@example.test")], vec![], Ok(Presence::Held))]
#[case::a_user(vec![Directory::new("POOL_1")], vec![user("UR_1", ANA)], Ok(Presence::Held))]
#[case::no_directory(vec![], vec![], Ok(Presence::GONE))]
#[case::one_is_lite(vec![Directory::new("POOL_1").refusing(403), Directory::new("POOL_2")], vec![], Ok(not_searched("POOL_1")))]
#[case::all_are_lite(vec![Directory::new("POOL_1").refusing(400)], vec![], Err(ErrorKind::NotAllowed))]
#[case::lite_and_a_user(vec![Directory::new("POOL_1").refusing(400)], vec![user("UR_1", ANA)], Ok(Presence::Held))]
#[tokio::test]
async fn the_person_is_looked_for_after_the_deletion(
    #[case] directories: Vec<Directory>,
    #[case] users: Vec<Value>,
    #[case] expected: Result<Presence, ErrorKind>,
) {
    let vendor = Vendor::with(directories).await;
    vendor.change(|state| state.users = users);
    let presence = vendor.connector().presence(&subject(&[ANA, "ana@example.test"])).await;
    assert_eq!(presence.map_err(|error| error.kind), expected);
}

#[tokio::test]
async fn what_stays_is_said_in_advance() {
    let residuals = Qualtrics::default().residuals_of_deletion();
    let what: Vec<&str> = residuals.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(
        what,
        [
            "responses in the offline app",
            "surveys",
            "files sent over SFTP",
            "responses without a contact",
            "copies in other applications",
        ]
    );
}
