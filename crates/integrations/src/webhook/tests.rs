//! The connector against a hand-made system, and its signatures against the convention's own verifier.

mod callbacks;

use habeas_domain::{Identifier, IdentifierSource, IdentifierType};
use http::{HeaderMap, HeaderName, HeaderValue};
use rstest::rstest;
use serde_json::{Value, json};

use super::Webhook;
use crate::client::{ClientOptions, VendorClient};
use crate::connector::{Connector, Export, Integration, PermissionState, Progress, Settings, Subject};
use crate::error::{ErrorKind, Retry};
use crate::testing::{Act, Asked, NOW, Server, client, client_with, options};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn settings() -> Settings {
    Settings::from_iter([("endpoint_url", "https://crm.example.test/habeas"), ("signing_secret", SECRET)])
}

fn normalised(endpoint: &str, secret: &str) -> Result<Settings, Vec<String>> {
    let entered = Settings::from_iter([("endpoint_url", endpoint), ("signing_secret", secret)]);
    let kept = Webhook.normalise(entered, NOW.parse().unwrap());
    kept.map_err(|wrong| wrong.into_iter().map(|one| format!("{} {}", one.key, one.message)).collect())
}

fn connector(server: &Server) -> Box<dyn Connector> {
    Webhook.connect(&settings(), client(&server.base)).unwrap()
}

async fn that(status: u16, body: Value) -> Server {
    Server::that(Act::json(status, body)).await
}

fn ana() -> Subject {
    let identifier = |kind, value: &str| Identifier {
        kind,
        value: value.to_owned(),
        source: IdentifierSource::Request,
        verified: true,
        attested_by: None,
    };
    Subject::new(vec![
        identifier(IdentifierType::Email, "ana@example.test"),
        identifier(IdentifierType::UserId, "u-1"),
    ])
}

/// The headers of what was sent, for the convention's verifier. It reads the machine's clock, so only its signing is used.
fn is_genuine(asked: &Asked, secret: &str) -> bool {
    let (id, timestamp) = (asked.header("webhook-id").unwrap(), asked.header("webhook-timestamp").unwrap());
    let verifier = standardwebhooks::Webhook::new(secret).unwrap();
    let expected = verifier.sign(id, timestamp.parse().unwrap(), asked.body.as_bytes()).unwrap();
    asked.header("webhook-signature") == Some(expected.as_str())
}

#[tokio::test]
async fn every_message_is_signed_as_the_convention_says() {
    let server = that(200, json!({"job": "j-1", "capabilities": [], "status": "pending"})).await;
    let connector = connector(&server);
    let job = connector.erase(&[ana()]).await.unwrap();
    connector.check(NOW.parse().unwrap()).await.unwrap();
    connector.export(&ana(), None).await.unwrap();
    connector.follow(std::slice::from_ref(&job)).await.unwrap();
    connector.find_erasures(&[ana()], "2026-03-01T11:59:59.9Z".parse().unwrap()).await.unwrap();
    let asked = server.asked();
    let kinds: Vec<Value> =
        asked.iter().map(|one| serde_json::from_str::<Value>(&one.body).unwrap()["type"].clone()).collect();
    assert_eq!(
        kinds,
        ["deletion.requested", "connection.check", "access.requested", "job.status", "deletion.find"]
    );
    let mut ids = std::collections::BTreeSet::new();
    for one in &asked {
        assert_eq!((one.method.as_str(), one.target.as_str()), ("POST", "/"));
        assert!(is_genuine(one, SECRET) && !is_genuine(one, "whsec_c3RyYW5nZXJzLWtleS1zdHJhbmdlcnMh"));
        assert!(ids.insert(one.header("webhook-id").unwrap().to_owned()), "each is a message of its own");
        assert!(!one.head.contains("ana@") && !one.head.contains(SECRET));
    }
    let find: Value = serde_json::from_str(&asked[4].body).unwrap();
    assert_eq!(find["data"]["since"], "2026-03-01T11:59:59Z", "whole seconds, as in the header");
    assert_eq!(
        find["data"]["subject"]["identifiers"],
        json!([{"type": "email", "value": "ana@example.test"}, {"type": "user_id", "value": "u-1"}])
    );
}

#[rstest]
#[case::both(json!(["access", "deletion"]), &[])]
#[case::reading_only(json!(["access"]), &["deletion"])]
#[case::deleting_only(json!(["deletion", "dancing"]), &["access"])]
#[case::nothing(json!([]), &["access", "deletion"])]
#[tokio::test]
async fn what_the_system_cannot_do_is_named(#[case] able: Value, #[case] missing: &[&str]) {
    let server = that(200, json!({"capabilities": able})).await;
    let report = connector(&server).check(NOW.parse().unwrap()).await.unwrap();
    let named: Vec<_> = report
        .permissions
        .iter()
        .filter(|one| one.state == PermissionState::Missing)
        .map(|one| one.permission.as_str())
        .collect();
    assert_eq!(named, missing);
}

#[rstest]
#[case(401, ErrorKind::Credentials, Retry::Never)]
#[case(403, ErrorKind::Credentials, Retry::Never)]
#[case(404, ErrorKind::Configuration, Retry::Never)]
#[case(410, ErrorKind::Configuration, Retry::Never)]
#[case(400, ErrorKind::BadRequest, Retry::Never)]
#[case(422, ErrorKind::BadRequest, Retry::Never)]
#[case(302, ErrorKind::BadAnswer, Retry::After(None))]
#[case(503, ErrorKind::Unavailable, Retry::UnknownOutcome)]
#[tokio::test]
async fn refusals_of_a_deletion(#[case] status: u16, #[case] kind: ErrorKind, #[case] retry: Retry) {
    let server = that(status, json!({"error": "ana@example.test is on hold"})).await;
    let error = connector(&server).erase(&[ana()]).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (kind, retry), "{error}");
    let said = format!("{} {error:?}", error.explanation());
    assert!(!said.contains("ana@") && !said.contains("whsec_"), "{said}");
}

#[rstest]
#[case::at_once(json!({"status": "completed", "records": [{"id": "1", "kind": "order", "title": "Order", "fields": {"n": null}}]}))]
#[case::by_job_and_at_once(json!({"job": "j", "status": "completed", "records": [{"id": "1"}], "files": null}))]
#[tokio::test]
async fn an_access_may_be_answered_at_once(#[case] body: Value) {
    let server = that(200, body).await;
    let Export::Collected(found) = connector(&server).export(&ana(), None).await.unwrap() else { panic!() };
    assert!(found.records[0].vendor_id.starts_with("record/") && found.records[0].vendor_id.ends_with("/1"));
    assert!(!found.records[0].kind.is_empty() && !found.records[0].title.is_empty());
}

#[rstest]
#[case::nothing(json!({}), ErrorKind::BadAnswer)]
#[case::null(json!({"job": null}), ErrorKind::BadAnswer)]
#[case::not_a_name(json!({"job": "a b"}), ErrorKind::BadAnswer)]
#[case::too_long(json!({"job": "j".repeat(300)}), ErrorKind::BadAnswer)]
#[case::odd_status(json!({"status": "maybe"}), ErrorKind::BadAnswer)]
#[case::not_base64(json!({"status": "completed", "files": [{"name": "a", "content": "%%%"}]}), ErrorKind::BadAnswer)]
#[case::another_shape(json!([1, 2]), ErrorKind::BadAnswer)]
#[case::failed(json!({"status": "failed", "message": "ana@example.test"}), ErrorKind::JobFailed)]
#[tokio::test]
async fn an_access_that_brings_nothing_usable(#[case] body: Value, #[case] kind: ErrorKind) {
    let server = that(200, body).await;
    let error = connector(&server).export(&ana(), None).await.unwrap_err();
    assert_eq!(error.kind, kind);
    assert!(!error.explanation().contains("ana@"));
}

#[tokio::test]
async fn what_comes_is_bounded_and_made_harmless() {
    let server = that(
        200,
        json!({"status": "completed",
            "records": [{"id": "x".repeat(9_000), "kind": "k\u{7}".repeat(99), "title": "t".repeat(9_000), "fields": {}}],
            "files": [{"name": "../../etc/passwd", "media_type": "text/html\r\n", "content": "aGVsbG8="}]}),
    )
    .await;
    let Export::Collected(found) = connector(&server).export(&ana(), None).await.unwrap() else { panic!() };
    let record = &found.records[0];
    assert!(record.vendor_id.len() < 400 && record.title.len() == 200 && record.kind.len() == 64);
    assert!(!record.kind.contains('\u{7}'));
    let file = found.records[1].file.as_ref().unwrap();
    assert_eq!(
        (file.name.as_str(), file.media_type.as_str(), file.bytes.as_slice()),
        ("passwd", "text/html", b"hello".as_slice())
    );
}

/// Otherwise the deletion would be sent again.
#[rstest]
#[case(json!({"job": null}), Some(None))]
#[case(json!({"job": "j-1", "more": []}), Some(Some("j-1")))]
#[case(json!({}), None)]
#[case(json!({"jobs": []}), None)]
#[case(json!(null), None)]
#[tokio::test]
async fn that_there_is_no_deletion_must_be_said(#[case] body: Value, #[case] found: Option<Option<&str>>) {
    let server = that(200, body).await;
    let answer = connector(&server).find_erasures(&[ana()], NOW.parse().unwrap()).await;
    let jobs = answer.map(|mut jobs| jobs.remove(0).map(|job| job.as_str().to_owned()));
    assert_eq!(jobs.ok(), found.map(|job| job.map(str::to_owned)));
}

#[rstest]
#[case(json!({"status": "pending"}), "Pending")]
#[case(json!({}), "Pending")]
#[case(json!({"status": "unknown"}), "Forgotten")]
#[case(json!({"status": "failed"}), "Failed")]
#[case(json!({"status": "completed"}), "Done")]
#[tokio::test]
async fn a_deletion_is_followed(#[case] body: Value, #[case] expected: &str) {
    let server = that(200, body).await;
    let job = crate::connector::Job::new("j-1").unwrap();
    let progress = connector(&server).follow(&[job]).await.unwrap().remove(0);
    assert!(format!("{progress:?}").starts_with(expected), "{progress:?}");
}

#[tokio::test]
async fn a_deletion_tells_what_did_not_delete_and_that_nothing_was_held() {
    let exceptions: Vec<Value> =
        (0..600).map(|n| json!({"system": format!("System {n}"), "note": "why"})).collect();
    let body = json!({"status": "completed", "nothing_held": true, "exceptions": exceptions});
    let server = that(200, body).await;
    let job = crate::connector::Job::new("j-1").unwrap();
    let Progress::Done(erased) = connector(&server).follow(&[job]).await.unwrap().remove(0) else { panic!() };
    assert!(erased.nothing_held_for.covers(&ana(), IdentifierType::ALL));
    assert_eq!((erased.exceptions.len(), erased.exceptions[0].status.as_str()), (501, "failed"));
    assert!(erased.exceptions[500].system.starts_with("100 further systems"));
}

#[rstest]
#[case::empty("", SECRET, "endpoint_url")]
#[case::not_an_address("crm", SECRET, "endpoint_url")]
#[case::another_scheme("ftp://crm.example.test/", SECRET, "endpoint_url")]
#[case::a_password("https://ana:secret@crm.example.test/", SECRET, "endpoint_url")]
#[case::a_query("https://crm.example.test/?token=secret", SECRET, "endpoint_url")]
#[case::too_long(&format!("https://crm.example.test/{}", "a".repeat(600)), SECRET, "endpoint_url")]
#[case::no_prefix("https://crm.example.test/", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "signing_secret")]
#[case::not_base64("https://crm.example.test/", "whsec_secret secret secret secret", "signing_secret")]
#[case::too_short("https://crm.example.test/", "whsec_c2VjcmV0", "signing_secret")]
fn settings_that_cannot_be_used(#[case] endpoint: &str, #[case] secret: &str, #[case] key: &str) {
    let wrong = normalised(endpoint, secret).unwrap_err();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(
        wrong[0].starts_with(key) && !wrong[0].contains("secret secret") && !wrong[0].contains("ana:"),
        "{wrong:?}"
    );
}

#[rstest]
#[case::private("http://10.0.0.5/habeas")]
#[case::loopback("https://127.0.0.1/habeas")]
#[case::plain("http://crm.example.test/habeas")]
#[case::local("https://localhost/habeas")]
#[case::single_label("https://crm/habeas")]
fn an_address_that_only_the_operator_may_allow(#[case] endpoint: &str) {
    let kept = normalised(endpoint, SECRET).unwrap();
    let url = Webhook.manifest().address(&kept).unwrap().unwrap().parse().unwrap();
    let not_allowed = ClientOptions { overridden: false, ..options(&url) };
    let transport = VendorClient::transport().unwrap();
    assert_eq!(VendorClient::new(not_allowed, transport).unwrap_err().kind, ErrorKind::Configuration);
    client_with(options(&url));
}

/// The convention's own example (standardwebhooks, README).
#[test]
fn a_known_signature() {
    let key = super::signature::SigningKey::read(SECRET).unwrap();
    let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_eq!(format!("{key:?}"), "SigningKey");
}

/// What the convention's verifier reads of a message.
fn headers(id: &str, timestamp: i64, signature: &str) -> HeaderMap {
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signature.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap()))
    .collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the convention's verifier reads the machine's clock")]
fn the_conventions_own_verifier_takes_our_messages() {
    let now = jiff::Timestamp::now().as_second();
    let key = super::signature::SigningKey::read(SECRET).unwrap();
    let verifier = standardwebhooks::Webhook::new(SECRET).unwrap();
    let signature = key.sign("msg_1", now, b"{}");
    verifier.verify(b"{}", &headers("msg_1", now, &signature)).unwrap();
    verifier.verify(b"{ }", &headers("msg_1", now, &signature)).unwrap_err();
}
