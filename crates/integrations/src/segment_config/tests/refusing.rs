//! What every call makes of the vendor's errors, and what nobody gets to see of them.

use rstest::rstest;

use super::*;
use crate::error::{ErrorKind, Retry, VendorError};

/// Each thing that the engine may ask for, answered with `act` by the vendor.
async fn failing(act: Act) -> Vec<(&'static str, VendorError)> {
    let vendor = Vendor::with(vec![]).await;
    vendor.fault(move |_, _| Some(act.clone()));
    let connector = vendor.connector();
    let people = [person("ana@example.test", "u-1")];
    let now = NOW.parse().unwrap();
    vec![
        ("check", connector.check(now).await.unwrap_err()),
        ("erase", connector.erase(&people).await.unwrap_err()),
        ("find", connector.find_erasures(&people, now).await.unwrap_err()),
        ("follow several", connector.follow(&jobs(&["r1", "r2"])).await.unwrap_err()),
    ]
}

#[rstest]
#[case(400, 3, [ErrorKind::BadRequest; 4])]
#[case(401, 16, [ErrorKind::Credentials; 4])]
#[case(403, 7, [ErrorKind::Credentials, ErrorKind::Permission, ErrorKind::Credentials, ErrorKind::Credentials])]
#[case(409, 6, [ErrorKind::NotAllowed; 4])]
#[case(418, 2, [ErrorKind::BadRequest; 4])]
#[case(429, 8, [ErrorKind::RateLimited; 4])]
#[case(500, 13, [ErrorKind::Unavailable; 4])]
#[case(501, 12, [ErrorKind::NotAllowed; 4])]
#[case(503, 14, [ErrorKind::Unavailable; 4])]
#[tokio::test]
async fn an_error_is_told_by_its_status(
    #[case] status: u16,
    #[case] code: u8,
    #[case] kinds: [ErrorKind; 4],
    #[values("json", "text", "page", "broken")] form: &str,
) {
    let id = [("X-Request-Id", "req-77")];
    let text = "secret@example.test insufficient scope <b>";
    let act = match form {
        "json" => {
            let headers = [id[0], ("Content-Type", "application/json")];
            Act::answer(status, &headers, json!({"error": text, "code": code}).to_string())
        }
        "text" => Act::answer(status, &[id[0], ("Content-Type", "text/plain")], text),
        "page" => Act::answer(status, &[id[0], ("Content-Type", "text/html")], text),
        _ => Act::answer(status, &[id[0], ("Content-Type", "application/json")], "{\"error\":"),
    };
    for ((call, error), kind) in failing(act).await.into_iter().zip(kinds) {
        assert_eq!(error.kind, kind, "{call}");
        assert_eq!(error.status, Some(status), "{call}");
        assert_eq!(error.vendor_request_id.as_deref(), Some("req-77"), "{call}");
        let retry = match (status, call) {
            (429, _) | (500 | 503, "check" | "find" | "follow several") => Retry::After(None),
            (500 | 503, _) => Retry::UnknownOutcome,
            _ => Retry::Never,
        };
        assert_eq!(error.retry, retry, "{call}");
        let printed = format!("{error:?} {}", error.explanation());
        assert!(!printed.contains("secret@") && !printed.contains("ana@"), "{call}: {printed}");
        assert!(!printed.contains(TOKEN) && !printed.contains("insufficient"), "{call}: {printed}");
        assert!(!error.message.is_empty() && !error.remedy.is_empty(), "{call}");
    }
}

#[tokio::test]
async fn a_workspace_that_is_gone_is_a_matter_of_the_settings() {
    let errors = failing(failure(404, 5, "")).await;
    for (call, error) in &errors[..3] {
        assert_eq!((error.kind, error.retry), (ErrorKind::Configuration, Retry::Never), "{call}");
    }
}

#[test]
fn nothing_prints_a_person_or_a_secret() {
    use super::super::{config::ConfigApi, connector::values, regulation};
    let base = "http://127.0.0.1:1".parse().unwrap();
    let api = ConfigApi::new(client(&base), TOKEN, WORKSPACE);
    let destination = regulation::Destination {
        name: "Odd".to_owned(),
        is_segment: false,
        status: regulation::Status::Failed,
        text: "ana@example.test".to_owned(),
    };
    let listed = regulation::Listed {
        job: None,
        status: regulation::Status::Running,
        created_at: None,
        is_ours: true,
        values: Some(vec!["ana@example.test".to_owned()]),
    };
    let ana = person("ana@example.test", "u-1");
    let printed = format!("{api:?} {destination:?} {listed:?} {ana:?}");
    assert!(!printed.contains(TOKEN) && !printed.contains("ana@"), "{printed}");
    assert_eq!(values(&ana), ["ana@example.test", "u-1"]);
}
