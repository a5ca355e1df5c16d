//! Egress rules, bounds and the classification of failures, over real sockets.

mod in_memory;
mod resolving;

use std::collections::BTreeMap;
use std::sync::Mutex;

use http::header::HeaderName;
use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, SharedString};
use rstest::rstest;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::*;
use crate::error::{ErrorKind, Retry};
use crate::testing::{Act, ListedPermits, Server, client, client_with, options};

const READ: EndpointClass = EndpointClass("read");
const WRITE: EndpointClass = EndpointClass("write");
const TOKEN: &str = "t0ps3cr3t";

fn token() -> SecretString {
    SecretString::from(TOKEN)
}

async fn error_of(act: Act, effect: bool) -> VendorError {
    let server = Server::that(act).await;
    let call = client(&server.base).call(READ, Method::DELETE).path(["x"]).bearer(&token());
    let call = if effect { call.effect() } else { call };
    call.send_json::<Value>().await.unwrap_err()
}

#[tokio::test]
async fn a_call_is_sent_as_described() {
    let server = Server::that(Act::json(200, json!({"ok": true}))).await;
    let reply = client(&server.base)
        .call(WRITE, Method::POST)
        .path(["api", "a/b", "%2e%2e", "c?d#e", "~.x_-", "ü"])
        .trailing_slash()
        .query("q", "a b&c")
        .query("limit", 100)
        .bearer(&token())
        .json(&json!({"name": "value"}))
        .effect()
        .send_json::<Value>()
        .await
        .unwrap();
    assert!(matches!(reply, Reply::Value(value) if value["ok"] == true));
    let asked = &server.asked()[0];
    assert_eq!(asked.method, "POST");
    assert_eq!(asked.target, "/api/a%2Fb/%252e%252e/c%3Fd%23e/~.x_-/%C3%BC/?q=a+b%26c&limit=100");
    assert_eq!(asked.header("authorization"), Some("Bearer t0ps3cr3t"));
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(asked.header("accept"), Some("application/json"));
    assert!(asked.header("user-agent").unwrap().starts_with("habeas/"));
    assert_eq!(asked.body, r#"{"name":"value"}"#);
}

#[tokio::test]
async fn a_form_is_encoded_and_a_base_path_stays_in_front() {
    let server = Server::that(Act::json(200, "{}")).await;
    let base = server.base.join("/vendor/").unwrap();
    let call = client(&base).call(WRITE, Method::POST).path(["oauth2", "token"]);
    call.form([("grant_type", "client_credentials"), ("scope", "a b&c")]).send().await.unwrap();
    let asked = &server.asked()[0];
    assert_eq!(asked.target, "/vendor/oauth2/token");
    assert_eq!(asked.body, "grant_type=client_credentials&scope=a+b%26c");
}

#[rstest]
#[case("..")]
#[case(".")]
#[case("")]
#[tokio::test]
async fn a_path_cannot_step_upwards(#[case] segment: &str) {
    let server = Server::that(Act::json(200, "{}")).await;
    let error = client(&server.base).get(READ).path(["orgs", segment, "x"]).send().await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::BadRequest, Retry::Never));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_secret_that_cannot_be_sent_is_refused_and_not_shown() {
    let server = Server::that(Act::json(200, "{}")).await;
    let secret = SecretString::from("t0ps3cr3t\r\nX-Evil: 1");
    let error = client(&server.base).get(READ).path(["x"]).bearer(&secret).send().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Configuration);
    assert!(!format!("{error:?} {error}").contains(TOKEN));
    assert!(server.asked().is_empty());
}

#[rstest]
#[case("https://evil.example.test/api/x?offset=2")]
#[case("//evil.example.test/api/x")]
#[case("\\\\evil.example.test\\api")]
#[case("http://user:pass@{host}/api/x")]
#[case("https://{host}/api/x")]
#[case("http://127.0.0.1:1/api/x")]
#[case("http://{host}/other")]
#[case("http://{host}/api/../other")]
#[case("http://{host}/api/%2e%2e/other")]
#[case("http://{host}/apix")]
#[case("/other/api")]
#[case("javascript:alert(1)")]
#[case("http://[broken")]
#[tokio::test]
async fn an_address_outside_the_vendor_is_not_followed(#[case] address: &str) {
    let server = Server::that(Act::json(200, "{}")).await;
    let base = server.base.join("/api").unwrap();
    let address = address.replace("{host}", &format!("127.0.0.1:{}", base.port().unwrap()));
    let error = client(&base).follow(READ, &address).bearer(&token()).send().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadAnswer);
    assert!(server.asked().is_empty());
    assert!(!format!("{error:?}").contains("pass"));
}

#[rstest]
#[case("http://{host}/api/x/?offset=2#part", "/api/x/?offset=2")]
#[case("HTTP://{host}/api/x", "/api/x")]
#[case("/api/x?next=1", "/api/x?next=1")]
#[tokio::test]
async fn an_address_below_the_vendor_is_followed(#[case] address: &str, #[case] target: &str) {
    let server = Server::that(Act::json(200, "{}")).await;
    let base = server.base.join("/api").unwrap();
    let address = address.replace("{host}", &format!("127.0.0.1:{}", base.port().unwrap()));
    client(&base).follow(READ, &address).send().await.unwrap();
    assert_eq!(server.asked()[0].target, target);
}

#[tokio::test]
async fn a_foreign_address_is_named_by_its_host_alone() {
    let base = Url::parse("https://vendor.example.test").unwrap();
    let error = client(&base).own("https://evil.example.test:8443/ana@example.test?token=x").unwrap_err();
    assert!(error.message.contains("points to another host (https://evil.example.test:8443)"), "{error}");
    assert!(!error.message.contains("ana") && !error.message.contains("token="));
}

#[rstest]
#[case(301)]
#[case(302)]
#[case(307)]
#[case(308)]
#[tokio::test]
async fn a_redirect_is_not_followed(#[case] status: u16) {
    let elsewhere = Server::that(Act::json(200, "{}")).await;
    let target = elsewhere.base.join("/login?mail=ana@example.test").unwrap();
    let error = error_of(Act::answer(status, &[("Location", target.as_str())], ""), false).await;
    assert_eq!((error.kind, error.status), (ErrorKind::BadAnswer, Some(status)));
    assert!(error.message.contains("127.0.0.1"), "{error}");
    assert!(!error.message.contains("ana"));
    assert!(elsewhere.asked().is_empty());
}

fn deep() -> String {
    format!("{}{}", "[".repeat(200), "]".repeat(200))
}

fn raw(text: &str) -> Act {
    Act::Raw(text.as_bytes().to_vec())
}

#[rstest]
#[case::web_page(Act::html(200), "a web page")]
#[case::text(Act::answer(200, &[("Content-Type", "text/plain")], "{}"), "something else")]
#[case::no_type(Act::answer(200, &[], "{}"), "without a type")]
#[case::malformed(Act::json(200, "{\"secret@example.test\": "), "ends in the middle")]
#[case::syntax(Act::json(200, "{]"), "not valid JSON")]
#[case::deep(Act::json(200, deep()), "not valid JSON")]
#[case::truncated(
    raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"a\""),
    "cut off"
)]
#[case::cut_chunk(
    raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a"),
    "cut off"
)]
#[tokio::test]
async fn an_unusable_answer_is_told_apart(#[case] act: Act, #[case] says: &str) {
    let error = error_of(act.clone(), false).await;
    assert_eq!((error.kind, error.retry), (ErrorKind::BadAnswer, Retry::After(None)));
    assert!(error.message.contains(says), "{error}");
    assert!(!format!("{error:?}").contains("secret@"));
    // After an effect the same answer leaves open whether it happened.
    assert_eq!(error_of(act, true).await.retry, Retry::UnknownOutcome);
}

#[tokio::test]
async fn a_value_of_another_shape_is_not_quoted() {
    let server = Server::that(Act::json(200, json!({"count": "secret@example.test"}))).await;
    let reply = client(&server.base).get(READ).path(["x"]).send_json::<BTreeMap<String, u64>>().await;
    let error = reply.unwrap_err();
    assert!(error.message.contains("another shape"), "{error}");
    assert!(!format!("{error:?}").contains("secret@"));
}

#[rstest]
#[case::announced("Content-Length: 4096\r\n")]
#[case::not_announced("Connection: close\r\n")]
#[tokio::test]
async fn an_answer_over_the_bound_is_not_read(#[case] header: &str) {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{header}\r\n");
    let server = Server::that(Act::Raw([head.into_bytes(), vec![b' '; 4096]].concat())).await;
    let small = client_with(ClientOptions { max_body_bytes: 1024, ..options(&server.base) });
    let error = small.get(READ).path(["x"]).send().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLarge);
    assert!(error.message.contains("larger than 1024 bytes"), "{error}");
}

#[tokio::test]
async fn an_answer_with_too_many_values_is_not_taken_apart() {
    let body = [b"[".as_slice(), &b"0,".repeat(2_000_000), b"0]"].concat();
    let server = Server::that(Act::json(200, String::from_utf8(body).unwrap())).await;
    let answer = client(&server.base).get(READ).path(["x"]).send().await.unwrap();
    let error = answer.json::<serde_json::Value>().unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLarge);
    assert!(error.message.contains("more values"), "{error}");
}

#[rstest]
#[case(500)]
#[case(502)]
#[case(503)]
#[case(504)]
#[case(599)]
#[case(408)]
#[tokio::test]
async fn a_server_error_may_have_taken_effect(#[case] status: u16) {
    for act in [Act::html(status), Act::json(status, "{}")] {
        let read = error_of(act.clone(), false).await;
        assert_eq!((read.kind, read.retry), (ErrorKind::Unavailable, Retry::After(None)));
        let effect = error_of(act, true).await;
        assert_eq!((effect.kind, effect.retry), (ErrorKind::Unavailable, Retry::UnknownOutcome));
        assert_eq!(effect.status, Some(status));
    }
}

#[tokio::test]
async fn an_unavailable_vendor_may_name_a_time() {
    let error = error_of(Act::answer(503, &[("Retry-After", "7")], ""), false).await;
    assert_eq!(error.retry, Retry::After(Some(Duration::from_secs(7))));
}

#[rstest]
#[case::silence(Act::Silence)]
#[case::hang_up(raw(""))]
#[case::half_a_head(raw("HTTP/1.1 200 O"))]
#[case::not_http(raw("SSH-2.0-OpenSSH_9.2\r\n\r\n"))]
#[tokio::test]
async fn a_lost_answer_leaves_the_outcome_of_an_effect_open(#[case] act: Act) {
    let server = Server::that(act).await;
    let client = client_with(ClientOptions { timeout: Duration::from_millis(150), ..options(&server.base) });
    let read = client.get(READ).path(["x"]).send().await.unwrap_err();
    assert_eq!((read.kind, read.retry), (ErrorKind::Unavailable, Retry::After(None)));
    let effect = client.call(WRITE, Method::DELETE).path(["x"]).effect().send().await.unwrap_err();
    assert_eq!((effect.kind, effect.retry), (ErrorKind::Unavailable, Retry::UnknownOutcome));
    assert_eq!(server.asked().len(), 2, "nothing is sent a second time");
}

#[rstest]
#[case::nobody_listens("http://127.0.0.1:1")]
#[case::no_such_name("http://no-such-host.invalid")]
#[tokio::test]
async fn without_a_connection_nothing_took_effect(#[case] base: &str) {
    let client = client(&Url::parse(base).unwrap());
    let error = client.call(WRITE, Method::DELETE).path(["x"]).effect().send().await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Unavailable, Retry::After(None)));
    assert!(error.message.contains("nothing was sent"));
}

#[tokio::test]
async fn a_failing_handshake_means_nothing_was_sent() {
    let server = Server::that(Act::html(400)).await;
    let base = Url::parse(&server.base.as_str().replace("http:", "https:")).unwrap();
    let error = client(&base).call(WRITE, Method::DELETE).path(["x"]).effect().send().await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Unavailable, Retry::After(None)));
}

#[rstest]
#[case(&[("Retry-After", "23")], Some(23), 23)]
#[case(&[("Retry-After", "0")], Some(0), 1)]
#[case(&[("Retry-After", "Sun, 01 Mar 2026 12:00:30 GMT")], Some(30), 30)]
#[case(&[("Retry-After", "Sun, 01 Mar 2026 11:00:00 GMT")], Some(0), 1)]
#[case(&[("Retry-After", "86400")], Some(3600), 3600)]
#[case(&[("Retry-After", "99999999999999999999999")], Some(3600), 3600)]
#[case(&[("Retry-After", "-5")], None, 1)]
#[case(&[("Retry-After", "soon")], None, 1)]
#[case(&[], None, 1)]
#[tokio::test]
async fn too_many_requests_push_everybody_back(
    #[case] headers: &[(&str, &str)],
    #[case] named: Option<u64>,
    #[case] pushed: u64,
) {
    let server = Server::that(Act::answer(429, headers, "slow down ana@example.test")).await;
    let permits = Arc::new(ListedPermits::default());
    let client = client(&server.base).with_permits(permits.clone());
    let error = client.call(WRITE, Method::DELETE).path(["x"]).effect().send().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::RateLimited);
    assert_eq!(error.retry, Retry::After(named.map(Duration::from_secs)));
    assert_eq!(*permits.pushed_back.lock().unwrap(), [(WRITE, Duration::from_secs(pushed))]);
}

#[tokio::test]
async fn without_leave_nothing_is_sent() {
    let server = Server::that(Act::json(200, "{}")).await;
    let permits = Arc::new(ListedPermits::default());
    permits.next(&[Some(Duration::from_secs(4))]);
    let client = client(&server.base).with_permits(permits.clone());
    let error = client.get(READ).path(["x"]).send().await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Paced, Retry::After(Some(Duration::from_secs(4)))));
    assert!(server.asked().is_empty());
    client.get(READ).path(["x"]).send().await.unwrap();
    assert_eq!(*permits.acquired.lock().unwrap(), [READ]);
}

#[rstest]
#[case(&[Some(2), Some(2)], 10, None)]
#[case(&[Some(2), Some(9)], 10, Some(9))]
#[case(&[Some(0); 40], 10, Some(0))]
#[tokio::test]
async fn a_patient_call_waits_for_its_turn(
    #[case] turns: &[Option<u64>],
    #[case] patience: u64,
    #[case] given_back: Option<u64>,
) {
    let server = Server::that(Act::json(200, "{}")).await;
    let permits = Arc::new(ListedPermits::default());
    permits.next(&turns.iter().map(|turn| turn.map(Duration::from_secs)).collect::<Vec<_>>());
    let client = client(&server.base).with_permits(permits.clone());
    let result = client.get(READ).path(["x"]).patient(Duration::from_secs(patience)).send().await;
    let waited = result.err().map(|error| error.retry);
    assert_eq!(waited, given_back.map(|wait| Retry::After(Some(Duration::from_secs(wait)))));
}

#[rstest]
#[case(400)]
#[case(401)]
#[case(403)]
#[case(404)]
#[tokio::test]
async fn a_refusal_is_an_answer(#[case] status: u16) {
    let act = Act::answer(
        status,
        &[("Content-Type", "application/json; charset=utf-8"), ("X-Request-Id", "abc-1")],
        "{\"detail\":\"no\"}",
    );
    let server = Server::that(act).await;
    let reply = client(&server.base).get(READ).path(["x"]).send_json::<Value>().await.unwrap();
    let Reply::Refused(answer) = reply else { panic!("a refusal was expected") };
    assert_eq!(answer.status.as_u16(), status);
    assert_eq!(answer.vendor_request_id.as_deref(), Some("abc-1"));
    assert_eq!(answer.content_type.as_deref(), Some("application/json"));
    assert_eq!(answer.json::<Value>().unwrap()["detail"], "no");
}

#[tokio::test]
async fn a_refusal_stays_one_when_its_body_is_lost() {
    let server = Server::that(raw("HTTP/1.1 403 Forbidden\r\nContent-Length: 50\r\n\r\n{")).await;
    let answer = client(&server.base).call(WRITE, Method::DELETE).path(["x"]).effect().send().await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.body.len()), (403, 0));
}

#[rstest]
#[case("https://vendor.example.test", false, true)]
#[case("https://vendor.example.test/base/", false, true)]
#[case("http://vendor.example.test", false, false)]
#[case("https://127.0.0.1", false, false)]
#[case("https://127.0.0.1.", false, false)]
#[case("https://127.1", false, false)]
#[case("https://2130706433", false, false)]
#[case("https://0x7f000001", false, false)]
#[case("https://0177.0.0.1", false, false)]
#[case("https://169.254.169.254", false, false)]
#[case("https://1.1.1.1", false, false)]
#[case("https://[::1]", false, false)]
#[case("https://[::ffff:127.0.0.1]", false, false)]
#[case("https://[2606:4700:4700::1111]", false, false)]
#[case("https://localhost", false, false)]
#[case("https://intranet", false, false)]
#[case("https://metadata.google.internal", false, false)]
#[case("https://printer.local.", false, false)]
#[case("https://user@vendor.example.test", false, false)]
#[case("https://vendor.example.test/?a=b", false, false)]
#[case("https://vendor.example.test/#a", false, false)]
#[case("http://127.0.0.1:4602", true, true)]
#[case("https://[::1]:4602", true, true)]
#[case("http://localhost:4602/rc", true, true)]
#[case("https://proxy.example.test", true, true)]
#[case("ftp://proxy.example.test", true, false)]
#[case("http://user:pass@127.0.0.1:4602", true, false)]
#[case("mailto:a@example.test", true, false)]
fn a_base_address_is_judged(#[case] base: &str, #[case] overridden: bool, #[case] fits: bool) {
    let options = ClientOptions { overridden, ..options(&Url::parse(base).unwrap()) };
    let made = VendorClient::new(options, VendorClient::transport().unwrap());
    assert_eq!(
        made.map(|_| ()).map_err(|error| error.kind),
        if fits { Ok(()) } else { Err(ErrorKind::Configuration) }
    );
}

#[tokio::test]
async fn nothing_prints_a_secret() {
    let server = Server::that(Act::answer(
        401,
        &[("Content-Type", "application/json")],
        format!("{{\"t\":\"{TOKEN}\"}}"),
    ))
    .await;
    let client = client(&server.base);
    let call = client
        .get(READ)
        .path(["ana@example.test"])
        .bearer(&token())
        .secret_header(HeaderName::from_static("x-api-token"), TOKEN);
    let printed = format!("{client:?} {call:?}");
    let answer = call.send().await.unwrap();
    let printed = format!("{printed} {answer:?} {:?}", Reply::<Value>::Refused(answer.clone()));
    assert!(!printed.contains(TOKEN) && !printed.contains("ana"), "{printed}");
}

/// Counts under `name{label=value,...}`.
#[derive(Debug, Default)]
struct Recorder(Arc<Mutex<BTreeMap<String, u64>>>);

struct Counting(String, Arc<Mutex<BTreeMap<String, u64>>>);

impl CounterFn for Counting {
    fn increment(&self, by: u64) {
        *self.1.lock().unwrap().entry(self.0.clone()).or_default() += by;
    }

    fn absolute(&self, _: u64) {}
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<metrics::Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<String> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Counter::from_arc(Arc::new(Counting(
            format!("{}{{{}}}", key.name(), labels.join(",")),
            Arc::clone(&self.0),
        )))
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[rstest]
#[case(Act::json(200, "{}"), "ok")]
#[case(Act::json(404, "{}"), "not_found")]
#[case(Act::json(403, "{}"), "rejected")]
#[case(Act::json(429, "{}"), "rate_limited")]
#[case(Act::json(503, "{}"), "unavailable")]
#[case(Act::json(200, "{"), "bad_answer")]
#[case(Act::html(200), "bad_answer")]
#[tokio::test]
async fn a_call_is_counted_once_by_its_outcome(#[case] act: Act, #[case] outcome: &str) {
    let recorder = Recorder::default();
    let counts = Arc::clone(&recorder.0);
    let server = Server::that(act).await;
    let client = client(&server.base);
    // The test's runtime has one thread, so the recorder of this thread sees every call.
    let _guard = metrics::set_default_local_recorder(&recorder);
    let _ = client.get(READ).path(["ana@example.test"]).send_json::<Value>().await;
    let expected = format!("habeas_vendor_calls_total{{integration=test,class=read,outcome={outcome}}}");
    assert_eq!(*counts.lock().unwrap(), BTreeMap::from([(expected, 1)]));
}

#[rstest]
#[case(ErrorKind::Unavailable, Retry::UnknownOutcome, "unknown")]
#[case(ErrorKind::Paced, Retry::After(None), "paced")]
#[case(ErrorKind::BadRequest, Retry::Never, "rejected")]
fn failures_have_a_word(#[case] kind: ErrorKind, #[case] retry: Retry, #[case] word: &str) {
    let error = VendorError::new(kind, retry, "", "");
    assert_eq!(observe::Outcome::of_error(&error).word(), word);
}

#[tokio::test]
async fn a_failure_names_the_call_that_its_body_names() {
    for (status, body, expected) in [
        (503, r#"{"meta":{"requestId":"0c4f2a53-1"}}"#, Some("0c4f2a53-1")),
        (429, r#"{"meta":{"requestId":"0c4f2a53-2"}}"#, Some("0c4f2a53-2")),
        (500, r#"{"meta":{"requestId":"ana@example.test"}}"#, None),
        (500, r#"{"meta":{"requestId":7}}"#, None),
        (500, "not JSON", None),
    ] {
        let server = Server::that(Act::json(status, body)).await;
        let call = client(&server.base).get(READ).path(["x"]).request_id_at("/meta/requestId");
        let error = call.send().await.unwrap_err();
        assert_eq!((error.status, error.vendor_request_id.as_deref()), (Some(status), expected), "{body}");
    }
}
