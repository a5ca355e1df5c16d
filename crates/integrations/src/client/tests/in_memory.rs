//! A vendor without sockets goes through the same rules as one behind them.

use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::*;
use crate::client::in_memory::{Answer, Loss, Sent};

fn client_of(
    answer: impl Fn(&Sent) -> Result<Answer, Loss> + Send + Sync + 'static,
    change: impl FnOnce(ClientOptions) -> ClientOptions,
) -> VendorClient {
    let base = Url::parse("https://vendor.example.test/base").unwrap();
    let options = ClientOptions { overridden: false, ..options(&base) };
    VendorClient::new(change(options), Transport::in_memory(answer)).unwrap()
}

#[tokio::test]
async fn the_request_arrives_and_the_answer_comes_back() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let answer = move |sent: &Sent| {
        log.lock().unwrap().push(sent.clone());
        Ok(Answer::new(StatusCode::OK, r#"{"ok":true}"#).with_json())
    };
    let client = client_of(answer, |options| options);
    let call = client.call(WRITE, Method::POST).path(["x"]).query("q", 1).bearer(&token());
    let reply = call.json(&json!({"name": "value"})).send_json::<Value>().await.unwrap();
    assert!(matches!(reply, Reply::Value(value) if value["ok"] == true));
    let seen = seen.lock().unwrap();
    assert_eq!(
        (&seen[0].method, seen[0].url.as_str()),
        (&Method::POST, "https://vendor.example.test/base/x?q=1")
    );
    assert_eq!(seen[0].headers.get(header::AUTHORIZATION).unwrap(), "Bearer t0ps3cr3t");
    assert_eq!(seen[0].body, r#"{"name":"value"}"#);
    assert!(!format!("{:?}", seen[0]).contains(TOKEN));
}

#[rstest]
#[case(Loss::LeadsInside, ErrorKind::Configuration, Retry::Never)]
#[case(Loss::NotConnected, ErrorKind::Unavailable, Retry::After(None))]
#[case(Loss::TimedOut, ErrorKind::Unavailable, Retry::UnknownOutcome)]
#[case(Loss::Broken, ErrorKind::Unavailable, Retry::UnknownOutcome)]
#[tokio::test]
async fn a_loss_is_told_apart(#[case] loss: Loss, #[case] kind: ErrorKind, #[case] retry: Retry) {
    let client = client_of(move |_| Err(loss), |options| options);
    let error = client.call(WRITE, Method::DELETE).path(["x"]).effect().send().await.unwrap_err();
    assert_eq!((error.kind, error.retry), (kind, retry));
}

#[rstest]
#[case::whole(false, Ok(()))]
#[case::cut(true, Err(ErrorKind::BadAnswer))]
#[tokio::test]
async fn an_answer_may_be_cut(#[case] is_cut: bool, #[case] expected: Result<(), ErrorKind>) {
    let answer = Answer { is_cut, ..Answer::new(StatusCode::OK, "{}").with_json() };
    let client = client_of(move |_| Ok(answer.clone()), |options| options);
    assert_eq!(client.get(READ).path(["x"]).send().await.map(drop).map_err(|error| error.kind), expected);
}

#[tokio::test]
async fn the_bounds_hold() {
    for is_cut in [false, true] {
        let answer = Answer { is_cut, ..Answer::new(StatusCode::OK, vec![b' '; 2048]).with_json() };
        let small = |options| ClientOptions { max_body_bytes: 1024, ..options };
        let client = client_of(move |_| Ok(answer.clone()), small);
        assert_eq!(client.get(READ).path(["x"]).send().await.unwrap_err().kind, ErrorKind::TooLarge);
    }
}

#[tokio::test]
async fn nothing_is_followed_elsewhere() {
    let elsewhere = HeaderValue::from_static("https://evil.example.test/");
    let answer = Answer::new(StatusCode::FOUND, "").with(header::LOCATION, elsewhere);
    let client = client_of(move |_| Ok(answer.clone()), |options| options);
    let error = client.get(READ).path(["x"]).send().await.unwrap_err();
    assert!(error.message.contains("redirected the call to evil.example.test"), "{error}");
}
