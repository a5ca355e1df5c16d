//! The endpoint that answers what it is asked for.

use habeas_sandbox::segment_config::fixtures::PUBLIC_TOKEN;
use serde_json::json;

use super::{Segment, kind};
use crate::support::send;

#[tokio::test]
async fn it_sends_back_the_message_but_no_credential() {
    let segment = Segment::new().await;
    let data = segment.data("/echo?message=hello%20there&delay=1").await;
    assert_eq!((&data["method"], &data["message"]), (&json!("get"), &json!("hello there")));
    assert!(data["headers"]["host"].is_string());
    assert!(!data.to_string().contains(PUBLIC_TOKEN));
    assert_eq!(segment.call("GET /echo").await.status, 422);
    assert_eq!(send(segment.request("GET /echo?message=x")).await.status, 401);
}

#[tokio::test]
async fn it_forces_errors() {
    let segment = Segment::new().await;
    for (query, status, name) in [
        ("triggerError=true&statusCode=503", 503, "ServiceUnavailable"),
        ("triggerError=true&statusCode=418", 418, "Imateapot"),
        ("triggerError=true&statusCode=404", 404, "NotFound"),
        ("triggerError=true&statusCode=200", 500, "InternalServerError"),
        ("triggerError=true&statusCode=none", 500, "InternalServerError"),
        ("triggerError=true", 500, "InternalServerError"),
    ] {
        let answer = segment.call(&format!("GET /echo?message=x&{query}")).await;
        assert_eq!((answer.status, kind(&answer).as_str()), (status, name), "{query}");
    }
    assert_eq!(segment.call("GET /echo?message=x&triggerError=false&statusCode=503").await.status, 200);
}
