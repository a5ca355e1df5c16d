//! The layer that lets rules strike at calls.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::Value;
use url::Url;

use super::bodies::{Lazy, Truncated};
use super::{Fault, FaultPlane, When};
use crate::answers::{error_page, hang_up, json as json_answer, set_header, with_type};
use crate::calls::CallHandle;
use crate::clock::pause;
use crate::vendors::Vendor;

#[derive(Clone)]
struct Layer {
    plane: FaultPlane,
    vendor: Arc<dyn Vendor>,
}

pub(crate) fn around(api: Router, plane: &FaultPlane, vendor: &Arc<dyn Vendor>) -> Router {
    let layer = Layer { plane: plane.clone(), vendor: Arc::clone(vendor) };
    api.layer(from_fn_with_state(layer, strike))
}

async fn strike(State(layer): State<Layer>, request: Request, next: Next) -> Response {
    let path_and_query = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let plan = layer.plane.plan(layer.vendor.name(), request.method(), path_and_query);
    if plan.is_empty() {
        return next.run(request).await;
    }
    let call = request.extensions().get::<CallHandle>().cloned();
    let note = |name| {
        if let Some(call) = &call {
            call.fault(name);
        }
    };
    if !(plan.delay_before.is_zero() && plan.delay_after.is_zero()) {
        note("latency");
    }
    // When the client leaves while this waits, the function is dropped here and nothing takes effect.
    if !plan.delay_before.is_zero() {
        pause(plan.delay_before).await;
    }
    let response = match plan.fault {
        None => next.run(request).await,
        Some((fault, When::Before)) => {
            note(fault.name());
            made_up(&fault, layer.vendor.as_ref())
        }
        Some((fault, When::After)) => {
            note(fault.name());
            let (parts, body) = request.into_parts();
            let seen = head(&parts);
            let answer = next.run(Request::from_parts(parts, body)).await;
            spoil(&fault, layer.vendor.as_ref(), &seen, answer).await
        }
    };
    if !plan.delay_after.is_zero() {
        pause(plan.delay_after).await;
    }
    response
}

/// The parts of a request that links are made from.
fn head(parts: &Parts) -> Parts {
    let mut copy = Request::new(()).into_parts().0;
    copy.method = parts.method.clone();
    copy.uri = parts.uri.clone();
    copy.headers = parts.headers.clone();
    copy
}

/// Answers that need nothing of the real one.
fn made_up(fault: &Fault, vendor: &dyn Vendor) -> Response {
    match fault {
        Fault::Status { code, body, retry_after } => {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = match body {
                Some(Value::String(text)) => with_type(status, "text/plain", Body::from(text.clone())),
                Some(other) => json_answer(status, other),
                None if *code == 204 || *code == 304 => status.into_response(),
                None => json_answer(status, &vendor.error_body(status)),
            };
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(*seconds));
            }
            response
        }
        Fault::RateLimited { retry_after } => vendor.rate_limited(*retry_after),
        Fault::TokenExpired {} => vendor.token_expired(),
        Fault::ScopeMissing { scope } => vendor.scope_missing(scope),
        Fault::Html { code } => {
            error_page(StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        }
        Fault::Redirect { location } => {
            let mut response = StatusCode::FOUND.into_response();
            set_header(&mut response, LOCATION, location);
            response
        }
        Fault::Malformed {} => with_type(
            StatusCode::OK,
            "application/json",
            Body::from(r#"{"count": 1, "results": [{"url": "/api"#),
        ),
        Fault::Oversized { bytes, announced } => {
            let body = Lazy::oversized(*bytes);
            let length = announced.then(|| body.len());
            let mut response = with_type(StatusCode::OK, "application/json", Body::new(body));
            if let Some(length) = length {
                response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
            response
        }
        Fault::DeepJson { depth } => {
            with_type(StatusCode::OK, "application/json", Body::new(Lazy::deep_json(*depth)))
        }
        // A dropped connection; the others never come here, because they need the real answer.
        _ => hang_up(),
    }
}

/// Answers that are the real one with something wrong.
async fn spoil(fault: &Fault, vendor: &dyn Vendor, call: &Parts, answer: Response) -> Response {
    match fault {
        Fault::WrongContentType { content_type } => {
            let mut answer = answer;
            set_header(&mut answer, CONTENT_TYPE, content_type);
            answer
        }
        Fault::Truncated {} => {
            let (mut parts, body) = answer.into_parts();
            let whole = whole(body).await;
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(whole.len()));
            // There is nothing to cut in an empty answer: it is lost altogether.
            if whole.is_empty() { hang_up() } else { Response::from_parts(parts, Truncated::body(&whole)) }
        }
        Fault::ForeignNext { base } => {
            rewrite_next(vendor, answer, |next| foreign(base, next.unwrap_or(&vendor.next_link(call)))).await
        }
        Fault::EndlessNext {} => {
            rewrite_next(vendor, answer, |next| next.map_or_else(|| vendor.next_link(call), str::to_owned))
                .await
        }
        other => made_up(other, vendor),
    }
}

/// Replaces the link to the next page in a list answer; any other answer stays as it is.
async fn rewrite_next(
    vendor: &dyn Vendor,
    answer: Response,
    link: impl FnOnce(Option<&str>) -> String,
) -> Response {
    let (mut parts, body) = answer.into_parts();
    let mut bytes = whole(body).await;
    if let Ok(mut document) = serde_json::from_slice::<Value>(&bytes)
        && let Some(next) = document.pointer_mut(vendor.next_pointer())
    {
        // Some vendors mark the last page with an empty text instead of with `null`.
        *next = Value::String(link(next.as_str().filter(|next| !next.is_empty())));
        parts.headers.remove(CONTENT_LENGTH);
        bytes = Bytes::from(document.to_string());
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// The link with scheme, host and port of `base`.
fn foreign(base: &str, link: &str) -> String {
    let path_and_query = match Url::parse(link) {
        Ok(url) => url[url::Position::BeforePath..].to_owned(),
        Err(_) => link.to_owned(),
    };
    format!("{}{path_and_query}", base.trim_end_matches('/'))
}

/// The simulators' own answers are in memory already, so there is no bound to keep.
async fn whole(body: Body) -> Bytes {
    to_bytes(body, usize::MAX).await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use serde_json::json;
    use tower::ServiceExt as _;

    use super::*;
    use crate::answers::HangUp;
    use crate::calls::CallLog;
    use crate::clock::Clock;
    use crate::faults::Rule;
    use crate::observe;

    /// A vendor that shares nothing with any real one.
    struct Toy;

    impl Vendor for Toy {
        fn name(&self) -> &'static str {
            "toy"
        }

        fn api(&self) -> Router {
            let list = async || json_answer(StatusCode::OK, &json!({"result": {"nextPage": null}}));
            Router::new().route("/things/{thing}", get(list))
        }

        fn control(&self) -> Router {
            Router::new()
        }

        fn class(&self, _: &Parts) -> Option<&'static str> {
            Some("all")
        }

        fn account(&self, _: &Parts) -> Option<String> {
            None
        }

        fn deletion_target(&self, _: &Parts) -> Option<String> {
            None
        }

        fn rate_limited(&self, _: Option<u64>) -> Response {
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }

        fn token_expired(&self) -> Response {
            StatusCode::UNAUTHORIZED.into_response()
        }

        fn scope_missing(&self, _: &str) -> Response {
            StatusCode::FORBIDDEN.into_response()
        }

        fn next_pointer(&self) -> &'static str {
            "/result/nextPage"
        }

        fn next_link(&self, call: &Parts) -> String {
            format!("http://toy.test{}?skipToken=more", call.uri.path())
        }
    }

    #[tokio::test]
    async fn any_vendor_gets_faults_and_the_log() {
        let vendor: Arc<dyn Vendor> = Arc::new(Toy);
        let (plane, calls) = (FaultPlane::new(vec!["toy"], 1), CallLog::new(Clock::start()));
        let api = observe::around(around(vendor.api(), &plane, &vendor), &calls, &vendor);
        let get = async || {
            let request = Request::get("/things/1").body(Body::empty()).unwrap();
            let response = api.clone().oneshot(request).await.unwrap();
            let lost = response.extensions().get::<HangUp>().is_some();
            (response.status().as_u16(), lost, whole(response.into_body()).await)
        };
        let foreign = Fault::ForeignNext { base: "http://evil.test".to_owned() };
        plane.add(Rule::new("toy", foreign).times(1)).unwrap();
        plane.add(Rule::new("toy", Fault::RateLimited { retry_after: None }).times(1)).unwrap();
        plane.add(Rule::new("toy", Fault::AnswerLost {}).times(1)).unwrap();
        let next = r#"{"result":{"nextPage":"http://evil.test/things/1?skipToken=more"}}"#;
        assert_eq!(get().await, (200, false, Bytes::from(next)));
        assert_eq!(get().await.0, 503, "as the vendor says it");
        assert!(get().await.1);
        assert_eq!(get().await, (200, false, Bytes::from(r#"{"result":{"nextPage":null}}"#)));
        let counts = calls.route("toy", "GET /things/{thing}");
        assert_eq!((counts.arrived, counts.dropped), (4, 1));
    }

    #[test]
    fn foreign_links_keep_path_and_query() {
        let link = "http://127.0.0.1:1/api/?limit=2&offset=4";
        assert_eq!(foreign("http://evil.test/", link), "http://evil.test/api/?limit=2&offset=4");
    }
}
