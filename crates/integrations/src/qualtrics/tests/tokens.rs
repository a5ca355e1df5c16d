//! Minting, sharing, renewing and giving up access tokens.

use std::sync::Arc;

use rstest::rstest;

use super::*;
use crate::connector::Job;
use crate::error::{ErrorKind, Retry, VendorError};
use crate::testing::{ListedPermits, Server};

/// The cheapest call: one reading of the list of erasures.
async fn look(connector: &dyn Connector) -> Result<(), VendorError> {
    connector.follow(&[Job::new("OP-1").unwrap()]).await.map(|_| ())
}

/// Looks from several connectors at once.
async fn look_together(vendor: &Vendor, count: usize) -> Vec<Result<(), VendorError>> {
    let looks: Vec<_> = (0..count)
        .map(|_| {
            let connector = vendor.connector();
            tokio::spawn(async move { look(&*connector).await })
        })
        .collect();
    let mut results = Vec::new();
    for look in looks {
        results.push(look.await.unwrap());
    }
    results
}

fn token_with(changes: Value) -> Act {
    let mut token = json!({"access_token": "t0k3n-1", "token_type": "Bearer", "expires_in": 3599});
    for (key, value) in changes.as_object().unwrap() {
        token[key] = value.clone();
    }
    Act::json(200, token)
}

#[tokio::test]
async fn a_token_is_asked_for_as_the_vendor_wants_it() {
    let vendor = Vendor::new().await;
    look(&*vendor.connector()).await.unwrap();
    let asked = &vendor.server.asked()[0];
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/oauth2/token"));
    assert_eq!(
        asked.body,
        "grant_type=client_credentials&scope=manage%3Acustomer_data_requests+manage%3Aerasure_requests+\
         read%3Adirectories+read%3Adirectory_contacts+read%3Ausers"
    );
    assert!(asked.header("authorization").unwrap().starts_with("Basic "));
    let second = &vendor.server.asked()[1];
    assert_eq!(second.target, "/API/v3/op-erase-personal-data");
    assert_eq!(second.header("authorization"), Some("Bearer t0k3n-1"));
}

#[tokio::test]
async fn connections_of_one_client_share_a_token() {
    let vendor = Vendor::new().await;
    look(&*vendor.connector()).await.unwrap();
    look(&*vendor.connector()).await.unwrap();
    assert_eq!(vendor.minted(), 1);
    // Another value of the integration knows nothing of it.
    let other = Qualtrics::default().connect(&settings(), client_with(vendor.options())).unwrap();
    look(&*other).await.unwrap();
    assert_eq!(vendor.minted(), 2);
}

#[tokio::test]
async fn another_secret_does_not_live_on_the_old_ones_token() {
    let vendor = Vendor::new().await;
    look(&*vendor.connector()).await.unwrap();
    let mut wrong = settings();
    wrong.set("client_secret", "wrong");
    let connector = vendor.integration.connect(&wrong, client_with(vendor.options())).unwrap();
    assert_eq!(look(&*connector).await.unwrap_err().kind, ErrorKind::Credentials);
}

#[tokio::test]
async fn whoever_comes_while_a_token_is_minted_waits_for_it() {
    let vendor = Vendor::new().await;
    assert!(look_together(&vendor, 8).await.iter().all(Result::is_ok));
    assert_eq!(vendor.minted(), 1);
}

#[tokio::test]
async fn wrong_credentials_are_sent_once_for_all_who_wait() {
    let vendor = Vendor::new().await;
    vendor.answers("POST", "/oauth2/token", Act::json(401, json!({"error": "invalid_client"})));
    let results = look_together(&vendor, 8).await;
    assert!(results.iter().all(|one| one.as_ref().unwrap_err().kind == ErrorKind::Credentials));
    assert!(vendor.asked().len() < 4, "{:?}", vendor.asked());
    // Later it is tried anew: a person may have repaired the client.
    vendor.forget_faults();
    look(&*vendor.connector()).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_the_others_their_turn() {
    let vendor = Vendor::new().await;
    let mut is_first = true;
    vendor.fault(move |_, asked| {
        (asked.path() == "/oauth2/token" && std::mem::take(&mut is_first)).then_some(Act::Silence)
    });
    let connector = vendor.connector();
    let gone = tokio::spawn(async move { look(&*connector).await });
    while vendor.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    let connector = vendor.connector();
    let waiting = tokio::spawn(async move { look(&*connector).await });
    tokio::task::yield_now().await;
    gone.abort();
    waiting.await.unwrap().unwrap();
}

#[rstest]
#[case::long_before(json!({}), 3538, 1)]
#[case::a_minute_before(json!({}), 3539, 2)]
#[case::after(json!({}), 4000, 2)]
#[case::as_text(json!({"expires_in": "600"}), 539, 1)]
#[case::as_text_over(json!({"expires_in": "600"}), 540, 2)]
#[case::absent(json!({"expires_in": null}), 3539, 1)]
#[case::absent_over(json!({"expires_in": null}), 3540, 2)]
#[case::nonsense(json!({"expires_in": "soon"}), 3539, 1)]
#[case::short(json!({"expires_in": 60}), 29, 1)]
#[case::short_over(json!({"expires_in": 60}), 30, 2)]
#[case::a_day(json!({"expires_in": 86400}), 86_339, 1)]
#[case::for_ever(json!({"expires_in": 1e300}), 3539, 1)]
#[case::a_year(json!({"expires_in": 31_536_000}), 86_340, 2)]
#[case::over_at_once(json!({"expires_in": 0}), 0, 2)]
#[case::negative(json!({"expires_in": -5}), 0, 2)]
#[tokio::test]
async fn a_token_is_renewed_before_it_expires(
    #[case] changes: Value,
    #[case] seconds: u64,
    #[case] minted: usize,
) {
    let vendor = Vendor::new().await;
    vendor.change(|state| state.tokens.push("t0k3n-1".to_owned()));
    vendor.answers("POST", "/oauth2/token", token_with(changes));
    let connector = vendor.connector();
    look(&*connector).await.unwrap();
    vendor.clock.advance(Duration::from_secs(seconds));
    look(&*connector).await.unwrap();
    assert_eq!(vendor.calls("POST", "/oauth2/token").len(), minted);
}

#[rstest]
#[case(json!({"token_type": "bearer"}), true)]
#[case(json!({"token_type": "BEARER"}), true)]
#[case(json!({"token_type": null}), true)]
#[case(json!({"token_type": "mac"}), false)]
#[case(json!({"token_type": 7}), false)]
#[case(json!({"access_token": ""}), false)]
#[case(json!({"access_token": "a b"}), false)]
#[case(json!({"access_token": "a\r\nX-Evil: 1"}), false)]
#[case(json!({"access_token": 7}), false)]
#[case(json!({"access_token": null}), false)]
#[tokio::test]
async fn only_a_bearer_token_is_used(#[case] changes: Value, #[case] is_used: bool) {
    let vendor = Vendor::new().await;
    vendor.change(|state| state.tokens.push("t0k3n-1".to_owned()));
    vendor.answers("POST", "/oauth2/token", token_with(changes));
    match look(&*vendor.connector()).await {
        Ok(()) => assert!(is_used),
        Err(error) => {
            assert!(!is_used);
            assert_eq!(error.kind, ErrorKind::BadAnswer);
            assert!(!format!("{error:?}").contains("Evil"));
            assert_eq!(vendor.asked().len(), 1);
        }
    }
}

#[tokio::test]
async fn a_rejected_token_is_replaced_and_the_call_repeated_once() {
    let vendor = Vendor::new().await;
    let connector = vendor.connector();
    look(&*connector).await.unwrap();
    vendor.change(|state| state.tokens.clear());
    look(&*connector).await.unwrap();
    let list = "GET /API/v3/op-erase-personal-data";
    assert_eq!(vendor.asked(), ["POST /oauth2/token", list, list, "POST /oauth2/token", list]);
}

#[tokio::test]
async fn an_erasure_is_repeated_too_because_a_401_did_nothing() {
    let vendor = Vendor::new().await;
    let connector = vendor.connector();
    look(&*connector).await.unwrap();
    vendor.change(|state| state.tokens.clear());
    connector.erase(&[subject(&[ANA])]).await.unwrap();
    assert_eq!(vendor.change(|state| state.erasures.len()), 1);
    assert_eq!(vendor.calls("POST", "/op-erase-personal-data").len(), 2);
}

#[rstest]
#[case::expired(refusal(401, Some("AUTH_6.0"), "invalid_client"))]
#[case::no_code(refusal(401, None, "secret@example.test"))]
#[case::web_page(Act::html(401))]
#[tokio::test]
async fn a_second_rejection_is_final(#[case] act: Act) {
    let vendor = Vendor::new().await;
    vendor.answers("GET", "/op-erase-personal-data", act);
    let connector = vendor.connector();
    let error = look(&*connector).await.unwrap_err();
    assert_eq!((error.kind, error.retry, error.status), (ErrorKind::Credentials, Retry::Never, Some(401)));
    assert!(!format!("{error:?}").contains("secret@"));
    assert_eq!(vendor.asked().len(), 4);
    // Whoever comes next is refused without another token.
    look(&*connector).await.unwrap_err();
    assert_eq!((vendor.minted(), vendor.asked().len()), (2, 5));
    // After a while the vendor is given another chance.
    vendor.clock.advance(Duration::from_secs(61));
    look(&*connector).await.unwrap_err();
    assert_eq!(vendor.minted(), 3);
}

#[tokio::test]
async fn many_rejected_callers_make_no_storm() {
    let vendor = Vendor::new().await;
    vendor.answers("GET", "/op-erase-personal-data", refusal(401, Some("AUTH_6.0"), "invalid_client"));
    let results = look_together(&vendor, 10).await;
    assert!(results.iter().all(|one| one.as_ref().unwrap_err().kind == ErrorKind::Credentials));
    assert_eq!(vendor.minted(), 2);
}

#[tokio::test]
async fn many_callers_with_an_expired_token_mint_one() {
    let vendor = Vendor::new().await;
    look(&*vendor.connector()).await.unwrap();
    vendor.change(|state| state.tokens.clear());
    assert!(look_together(&vendor, 10).await.iter().all(Result::is_ok));
    assert_eq!(vendor.minted(), 2);
}

#[rstest]
#[case(401, Some("DCD_7"), "data centre")]
#[case(401, Some("OTHER_1"), "does not accept the access token")]
#[case(403, Some("AUTH_6.0"), "does not allow")]
#[tokio::test]
async fn other_refusals_cost_no_token(
    #[case] status: u16,
    #[case] code: Option<&'static str>,
    #[case] says: &str,
) {
    let vendor = Vendor::new().await;
    vendor.answers("GET", "/op-erase-personal-data", refusal(status, code, "Unrecognized X-API-TOKEN."));
    let error = look(&*vendor.connector()).await.unwrap_err();
    assert!(error.message.contains(says), "{error}");
    assert_eq!(error.retry, Retry::Never);
    assert_eq!((vendor.minted(), vendor.asked().len()), (1, 2));
}

#[tokio::test]
async fn the_wrong_data_centre_is_named_as_the_thing_to_check() {
    let vendor = Vendor::new().await;
    let act = Act::json(401, json!({"meta": {"error": {"errorCode": "DCD_7"}, "requestId": ""}}));
    vendor.answers("GET", "/op-erase-personal-data", act);
    let error = look(&*vendor.connector()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Credentials);
    assert!(error.remedy.contains("check the data-centre id"), "{}", error.remedy);
    assert_eq!(error.vendor_request_id, None);
}

fn envelope(code: &str, message: &str) -> Value {
    json!({"meta": {"error": {"errorCode": code, "errorMessage": message}, "requestId": REQUEST_ID}})
}

#[rstest]
#[case(401, json!({"error": "invalid_client"}), ErrorKind::Credentials, "client id and secret")]
#[case(400, json!({"error": "invalid_client"}), ErrorKind::Credentials, "client id and secret")]
#[case(401, envelope("AUTH_6.0", "invalid_client"), ErrorKind::Credentials, "client id and secret")]
#[case(400, envelope("X_1", "invalid_client"), ErrorKind::Credentials, "client id and secret")]
#[case(403, json!({}), ErrorKind::Credentials, "client id and secret")]
#[case(401, json!("<html>"), ErrorKind::Credentials, "client id and secret")]
#[case(400, json!({"error": "unsupported_grant_type"}), ErrorKind::Credentials, "by its id and secret alone")]
#[case(400, json!({"error": "unauthorized_client"}), ErrorKind::Credentials, "by its id and secret alone")]
#[case(400, envelope("unsupported_grant_type", ""), ErrorKind::Credentials, "by its id and secret alone")]
#[case(400, json!({"error": "invalid_scope"}), ErrorKind::Credentials, "none of the scopes")]
#[case(400, envelope("X_1", "invalid_scope"), ErrorKind::Credentials, "none of the scopes")]
#[case(401, envelope("DCD_7", "Unrecognized X-API-TOKEN."), ErrorKind::Credentials, "in this data centre")]
#[case(404, envelope("", ""), ErrorKind::Configuration, "no Qualtrics at the address")]
#[case(400, json!({"error": "invalid_request"}), ErrorKind::BadRequest, "HTTP 400")]
#[case(415, json!({}), ErrorKind::BadRequest, "HTTP 415")]
#[tokio::test]
async fn a_refused_token_is_explained(
    #[case] status: u16,
    #[case] body: Value,
    #[case] kind: ErrorKind,
    #[case] says: &str,
) {
    let vendor = Vendor::new().await;
    let mut body = body;
    if let Some(fields) = body.as_object_mut() {
        fields.insert("error_description".to_owned(), json!("secret@example.test"));
        fields.insert("request_id".to_owned(), json!(REQUEST_ID));
    }
    let is_object = body.is_object();
    vendor.answers("POST", "/oauth2/token", Act::json(status, body));
    let error = look(&*vendor.connector()).await.unwrap_err();
    assert_eq!((error.kind, error.retry, error.status), (kind, Retry::Never, Some(status)));
    assert!(error.message.contains(says), "{error}");
    assert_eq!(error.vendor_request_id.as_deref(), is_object.then_some(REQUEST_ID));
    assert!(!format!("{error:?}").contains("secret@") && !format!("{error:?}").contains(SECRET));
}

#[rstest]
#[case::unavailable(Act::html(503), ErrorKind::Unavailable)]
#[case::too_often(Act::json(429, "{}"), ErrorKind::RateLimited)]
#[case::web_page(Act::html(200), ErrorKind::BadAnswer)]
#[case::cut(Act::json(200, "{\"access_token\":"), ErrorKind::BadAnswer)]
#[tokio::test]
async fn a_token_endpoint_that_cannot_be_asked_is_asked_again(#[case] act: Act, #[case] kind: ErrorKind) {
    let vendor = Vendor::new().await;
    vendor.answers("POST", "/oauth2/token", act);
    let error = look(&*vendor.connector()).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (kind, Retry::After(None)));
    // Also before an erasure: nothing of it was sent.
    let error = vendor.connector().erase(&[subject(&[ANA])]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (kind, Retry::After(None)));
    assert!(vendor.calls("POST", "/op-erase-personal-data").is_empty());
}

#[rstest]
#[case(301)]
#[case(302)]
#[case(307)]
#[tokio::test]
async fn neither_secret_nor_token_follows_a_redirect(#[case] status: u16) {
    let elsewhere = Server::that(Act::json(200, "{}")).await;
    let target = elsewhere.base.join("/oauth2/token").unwrap();
    for end in ["/oauth2/token", "/op-erase-personal-data"] {
        let vendor = Vendor::new().await;
        let target = target.clone();
        vendor.fault(move |_, asked| {
            asked.path().ends_with(end).then(|| Act::answer(status, &[("Location", target.as_str())], ""))
        });
        assert_eq!(look(&*vendor.connector()).await.unwrap_err().kind, ErrorKind::BadAnswer);
    }
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn calls_are_counted_by_the_vendors_limits() {
    let vendor = Vendor::with(vec![Directory::new("POOL_1").with("CID_1", ANA)]).await;
    vendor.change(|state| state.reports = vec![json!({"status": "complete", "fileId": "F1"})]);
    vendor.change(|state| drop(state.files.insert("F1".to_owned(), bytes("application/json", b"[]"))));
    let permits = Arc::new(ListedPermits::default());
    let connector = vendor.connector_of(client_with(vendor.options()).with_permits(permits.clone()));
    let job = Job::new("CDR-1").unwrap();
    connector.export(&subject(&[ANA]), None).await.unwrap();
    connector.export(&subject(&[ANA]), Some(&job)).await.unwrap();
    connector.erase(&[subject(&[ANA])]).await.unwrap();
    connector.follow(&[job]).await.unwrap();
    let classes: Vec<&str> = permits.acquired.lock().unwrap().iter().map(|class| class.0).collect();
    assert_eq!(
        classes,
        [
            "general",
            "customer_data",
            "customer_data_progress",
            "customer_data_file",
            "general",
            "contact_search",
            "general",
            "general",
            "general",
            "erasure",
            "erasure_list",
        ]
    );
}

#[tokio::test]
async fn nothing_prints_a_secret_or_token() {
    let vendor = Vendor::new().await;
    let client = client_with(vendor.options());
    let credentials = super::super::settings::Credentials::read(&settings()).unwrap();
    let account = vendor.integration.tokens.account(&client, &credentials);
    let session = super::super::token::Session::new(client.clone(), credentials, account);
    let token = session.token().await.unwrap();
    let api = super::super::api::Api::new(client, session);
    let printed = format!("{:?} {api:?} {token:?} {:?}", vendor.integration, api.users());
    assert!(!printed.contains(SECRET) && !printed.contains("t0k3n"), "{printed}");
}

#[tokio::test]
async fn accounts_that_nobody_uses_are_forgotten_with_their_token() {
    let vendor = Vendor::new().await;
    let client = client_with(vendor.options());
    let account = |secret: &str| {
        let client_secret = SecretString::from(secret);
        let credentials =
            super::super::settings::Credentials { client_id: "client-abc".to_owned(), client_secret };
        vendor.integration.tokens.account(&client, &credentials)
    };
    let first = Arc::downgrade(&account("1"));
    let used = account("2");
    assert!(first.upgrade().is_none(), "it has no token");
    account("3");
    assert!(Arc::ptr_eq(&used, &account("2")));
}
